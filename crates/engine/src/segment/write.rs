use super::{
    head::{Facts, write_index},
    read::place,
    row::Row,
};
use crate::{EngineError, error::io, index};
use arrow::{
    array::{ArrayRef, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Array, Int64Builder, RecordBatch, StringBuilder},
    datatypes::{DataType, Field, Schema},
    ipc::writer::FileWriter,
};
use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
};
use strata_model::{Bounds3, FieldKind, Layer, Value, Version};

/// Rows and geometry bytes after which a batch is closed: offsets inside a batch are 32 bits.
const BATCH_ROWS: usize = 16_384;
const BATCH_BYTES: usize = 256 << 20;

/// Writes the pair of files and puts them in their place. The index file is renamed last.
pub(crate) fn write(dir: &Path, layer: &Layer, covers: Version, rows: &[Row]) -> Result<(), EngineError> {
    let boxes: Vec<index::RowBox> = rows.iter().map(|r| r.at).collect();
    let built = index::build(&boxes);
    let (arrow, index) = place(dir, &layer.id, covers);
    let aside = |path: &Path| path.with_extension(format!("{}.part", path.extension().unwrap_or_default().to_string_lossy()));
    let (arrow_part, index_part) = (aside(&arrow), aside(&index));
    let (arrow_crc, arrow_len) = write_arrow(&arrow_part, layer, rows, &built.order)?;
    let mut by_id: Vec<u32> = (0..rows.len() as u32).collect();
    let given = |new: u32| &rows[built.order[new as usize] as usize];
    by_id.sort_unstable_by(|&a, &b| given(a).id.cmp(&given(b).id).then(given(a).since.cmp(&given(b).since)).then(a.cmp(&b)));
    let mut open_bounds = Bounds3::EMPTY;
    for r in rows.iter().filter(|r| r.until.is_none() && !r.at.bounds.is_empty()) {
        open_bounds.merge(&r.at.bounds);
    }
    let bytes = write_index(&Facts { covers, arrow_crc, arrow_len, open_bounds }, &built, &by_id);
    let mut file = File::create(&index_part).map_err(io(&index_part))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io(&index_part))?;
    fs::rename(&arrow_part, &arrow).map_err(io(&arrow))?;
    fs::rename(&index_part, &index).map_err(io(&index))?;
    File::open(dir).and_then(|d| d.sync_all()).map_err(io(dir))
}

/// Counts and sums what goes through it.
struct Summed<W> {
    inner: W,
    crc: crc32fast::Hasher,
    len: u64,
}
impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.crc.update(&bytes[..n]);
        self.len += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

fn schema(layer: &Layer) -> Result<Schema, serde_json::Error> {
    let geometry = HashMap::from([
        ("ARROW:extension:name".to_owned(), "geoarrow.wkb".to_owned()),
        ("ARROW:extension:metadata".to_owned(), "{}".to_owned()),
    ]);
    let mut fields = vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("geometry", DataType::Binary, false).with_metadata(geometry),
        Field::new("surface_kinds", DataType::Binary, true),
        Field::new("valid_from", DataType::Int64, false),
        Field::new("valid_to", DataType::Int64, false),
        Field::new("since", DataType::Int64, false),
        Field::new("until", DataType::Int64, true),
    ];
    fields.extend(layer.fields.iter().map(|f| {
        let kind = match f.kind {
            FieldKind::Bool => DataType::Boolean,
            FieldKind::Int => DataType::Int64,
            FieldKind::Float => DataType::Float64,
            FieldKind::Text => DataType::Utf8,
        };
        Field::new(&f.name, kind, true)
    }));
    Ok(Schema::new_with_metadata(fields, HashMap::from([("strata:layer".to_owned(), serde_json::to_string(layer)?)])))
}

fn write_arrow(path: &Path, layer: &Layer, rows: &[Row], order: &[u32]) -> Result<(u32, u64), EngineError> {
    let fault = |reason: String| EngineError::Write { path: path.to_owned(), reason };
    let schema = Arc::new(schema(layer).map_err(|e| fault(e.to_string()))?);
    let file = BufWriter::new(File::create(path).map_err(io(path))?);
    let summed = Summed { inner: file, crc: crc32fast::Hasher::new(), len: 0 };
    let mut writer = FileWriter::try_new(summed, &schema).map_err(|e| fault(e.to_string()))?;
    let mut batch: Vec<&Row> = Vec::with_capacity(BATCH_ROWS.min(order.len()));
    let mut bytes = 0;
    for (n, &i) in order.iter().enumerate() {
        let row = &rows[i as usize];
        bytes += row.wkb.len();
        batch.push(row);
        if batch.len() == BATCH_ROWS || bytes >= BATCH_BYTES || n + 1 == order.len() {
            let columns = columns(layer, &batch);
            let full = RecordBatch::try_new(schema.clone(), columns).map_err(|e| fault(e.to_string()))?;
            writer.write(&full).map_err(|e| fault(e.to_string()))?;
            batch.clear();
            bytes = 0;
        }
    }
    let summed = writer.into_inner().map_err(|e| fault(e.to_string()))?;
    let (crc, len) = (summed.crc.finalize(), summed.len);
    let file = summed.inner.into_inner().map_err(|e| fault(e.to_string()))?;
    file.sync_all().map_err(io(path))?;
    Ok((crc, len))
}

fn columns(layer: &Layer, rows: &[&Row]) -> Vec<ArrayRef> {
    let (mut ids, mut shapes, mut kinds) = (StringBuilder::new(), BinaryBuilder::new(), BinaryBuilder::new());
    for r in rows {
        ids.append_value(r.id.as_str());
        shapes.append_value(&r.wkb);
        kinds.append_option(r.kinds.as_deref());
    }
    let whole =
        |f: &dyn Fn(&Row) -> i64| Arc::new(rows.iter().map(|r| f(r)).collect::<Vec<_>>().into_iter().collect::<Int64Array>()) as ArrayRef;
    let mut out: Vec<ArrayRef> = vec![
        Arc::new(ids.finish()),
        Arc::new(shapes.finish()),
        Arc::new(kinds.finish()),
        whole(&|r| r.at.valid.from.0),
        whole(&|r| r.at.valid.to.0),
        whole(&|r| r.since.0 as i64),
        Arc::new(rows.iter().map(|r| r.until.map(|v| v.0 as i64)).collect::<Int64Array>()),
    ];
    for (k, field) in layer.fields.iter().enumerate() {
        let values = rows.iter().map(|r| r.attributes.get(k).unwrap_or(&Value::Null));
        out.push(match field.kind {
            FieldKind::Bool => {
                let mut b = BooleanBuilder::new();
                values.for_each(|v| b.append_option(if let Value::Bool(v) = v { Some(*v) } else { None }));
                Arc::new(b.finish())
            }
            FieldKind::Int => {
                let mut b = Int64Builder::new();
                values.for_each(|v| b.append_option(if let Value::Int(v) = v { Some(*v) } else { None }));
                Arc::new(b.finish())
            }
            FieldKind::Float => {
                let mut b = Float64Builder::new();
                values.for_each(|v| b.append_option(if let Value::Float(v) = v { Some(*v) } else { None }));
                Arc::new(b.finish())
            }
            FieldKind::Text => {
                let mut b = StringBuilder::new();
                values.for_each(|v| b.append_option(v.as_str()));
                Arc::new(b.finish())
            }
        });
    }
    out
}
