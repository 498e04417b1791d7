use super::{
    head::{Facts, write_index},
    read::{place, record_batches},
    row::Row,
};
use crate::{EngineError, error::io, index, map};
use arrow::{
    array::{
        ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Array, Int64Builder, RecordBatch, StringArray,
        StringBuilder,
    },
    compute::interleave_record_batch,
    datatypes::{DataType, Field, Int64Type, Schema},
    error::ArrowError,
    ipc::writer::FileWriter,
};
use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use strata_model::{Bounds3, FieldKind, Layer, Value, Version};

/// Rows and geometry bytes after which a batch is closed: offsets inside a batch are 32 bits.
const BATCH_ROWS: usize = 16_384;
const BATCH_BYTES: usize = 256 << 20;

/// Rows as they come, on the disk in the given order until their own is known. In memory are one batch, the boxes of all
/// rows (64 bytes each), and at the end the index.
pub(crate) struct Spool<'a> {
    layer: &'a Layer,
    schema: Arc<Schema>,
    path: PathBuf,
    /// `None` as long as one batch is enough.
    file: Option<FileWriter<BufWriter<File>>>,
    waiting: Vec<Row>,
    waiting_bytes: usize,
    boxes: Vec<index::RowBox>,
    open_bounds: Bounds3,
}

impl Drop for Spool<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // mostly there is none; what a kill leaves goes with the next opening
    }
}

impl<'a> Spool<'a> {
    pub(crate) fn new(dir: &Path, layer: &'a Layer, covers: Version) -> Result<Self, EngineError> {
        let path = place(dir, &layer.id, covers).0.with_extension("rows.part");
        let schema = schema(layer).map_err(|e| EngineError::Write { path: path.clone(), reason: e.to_string() })?;
        Ok(Self {
            layer,
            schema: Arc::new(schema),
            path,
            file: None,
            waiting: Vec::new(),
            waiting_bytes: 0,
            boxes: Vec::new(),
            open_bounds: Bounds3::EMPTY,
        })
    }
    pub(crate) fn len(&self) -> usize {
        self.boxes.len()
    }
    pub(crate) fn push(&mut self, row: Row) -> Result<(), EngineError> {
        if row.until.is_none() && !row.at.bounds.is_empty() {
            self.open_bounds.merge(&row.at.bounds);
        }
        self.boxes.push(row.at);
        self.waiting_bytes += row.wkb.len();
        self.waiting.push(row);
        if self.waiting.len() >= BATCH_ROWS || self.waiting_bytes >= BATCH_BYTES {
            let batch = self.batch()?;
            let file = match &mut self.file {
                Some(f) => f,
                none => {
                    let file = BufWriter::new(File::create(&self.path).map_err(io(&self.path))?);
                    none.insert(FileWriter::try_new(file, &self.schema).map_err(fault(&self.path))?)
                }
            };
            file.write(&batch).map_err(fault(&self.path))?;
        }
        Ok(())
    }
    fn batch(&mut self) -> Result<RecordBatch, EngineError> {
        let batch = RecordBatch::try_new(self.schema.clone(), columns(self.layer, &self.waiting)).map_err(fault(&self.path))?;
        self.waiting.clear();
        self.waiting_bytes = 0;
        Ok(batch)
    }
    /// Every row in the given order: those on the disk are mapped, not read.
    fn batches(&mut self) -> Result<Vec<RecordBatch>, EngineError> {
        let rest = self.batch()?;
        let mut all = match self.file.take() {
            None => Vec::new(),
            Some(file) => {
                let mut file = file.into_inner().map_err(fault(&self.path))?;
                file.flush().map_err(io(&self.path))?;
                let mapped = map::map(&self.path).map_err(io(&self.path))?;
                record_batches(&mapped).map_err(|reason| EngineError::Write { path: self.path.clone(), reason })?.1
            }
        };
        all.push(rest);
        Ok(all)
    }
    /// Writes the pair of files and puts them in their place. The index file is renamed last.
    pub(crate) fn finish(mut self, dir: &Path, covers: Version) -> Result<(), EngineError> {
        let batches = self.batches()?;
        let built = index::build(&std::mem::take(&mut self.boxes));
        let (arrow, index) = place(dir, &self.layer.id, covers);
        let aside = |path: &Path| path.with_extension(format!("{}.part", path.extension().unwrap_or_default().to_string_lossy()));
        let (arrow_part, index_part) = (aside(&arrow), aside(&index));
        let given = Given::of(&batches);
        let (arrow_crc, arrow_len) = write_arrow(&arrow_part, &self.schema, &given, &built.order)?;
        let mut by_id: Vec<u32> = (0..built.order.len() as u32).collect();
        let named = |new: u32| given.id_and_since(built.order[new as usize]);
        by_id.sort_unstable_by(|&a, &b| named(a).cmp(&named(b)).then(a.cmp(&b)));
        let bytes = write_index(&Facts { covers, arrow_crc, arrow_len, open_bounds: self.open_bounds }, &built, &by_id);
        let mut file = File::create(&index_part).map_err(io(&index_part))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io(&index_part))?;
        fs::rename(&arrow_part, &arrow).map_err(io(&arrow))?;
        fs::rename(&index_part, &index).map_err(io(&index))?;
        File::open(dir).and_then(|d| d.sync_all()).map_err(io(dir))
    }
}

fn fault(path: &Path) -> impl FnOnce(ArrowError) -> EngineError + '_ {
    |e| EngineError::Write { path: path.to_owned(), reason: e.to_string() }
}

/// Rows by their number in the given order.
struct Given<'a> {
    batches: Vec<&'a RecordBatch>,
    starts: Vec<u32>,
    ids: Vec<&'a StringArray>,
    shapes: Vec<&'a BinaryArray>,
    since: Vec<&'a Int64Array>,
}

impl<'a> Given<'a> {
    fn of(batches: &'a [RecordBatch]) -> Self {
        let mut starts = Vec::with_capacity(batches.len());
        let mut rows = 0;
        for b in batches {
            starts.push(rows);
            rows += b.num_rows() as u32;
        }
        Self {
            batches: batches.iter().collect(),
            starts,
            ids: batches.iter().map(|b| b.column(0).as_string()).collect(),
            shapes: batches.iter().map(|b| b.column(1).as_binary()).collect(),
            since: batches.iter().map(|b| b.column(5).as_primitive::<Int64Type>()).collect(),
        }
    }
    fn locate(&self, row: u32) -> (usize, usize) {
        let batch = self.starts.partition_point(|s| *s <= row) - 1;
        (batch, (row - self.starts[batch]) as usize)
    }
    fn id_and_since(&self, row: u32) -> (&'a str, i64) {
        let (batch, at) = self.locate(row);
        (self.ids[batch].value(at), self.since[batch].value(at))
    }
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

fn write_arrow(path: &Path, schema: &Arc<Schema>, given: &Given, order: &[u32]) -> Result<(u32, u64), EngineError> {
    let file = BufWriter::new(File::create(path).map_err(io(path))?);
    let summed = Summed { inner: file, crc: crc32fast::Hasher::new(), len: 0 };
    let mut writer = FileWriter::try_new(summed, schema).map_err(fault(path))?;
    let mut batch: Vec<(usize, usize)> = Vec::with_capacity(BATCH_ROWS.min(order.len()));
    let mut bytes = 0;
    for (n, &row) in order.iter().enumerate() {
        let (b, at) = given.locate(row);
        bytes += given.shapes[b].value_length(at) as usize;
        batch.push((b, at));
        if batch.len() == BATCH_ROWS || bytes >= BATCH_BYTES || n + 1 == order.len() {
            let full = interleave_record_batch(&given.batches, &batch).map_err(fault(path))?;
            writer.write(&full).map_err(fault(path))?;
            batch.clear();
            bytes = 0;
        }
    }
    let summed = writer.into_inner().map_err(fault(path))?;
    let (crc, len) = (summed.crc.finalize(), summed.len);
    let file = summed.inner.into_inner().map_err(|e| io(path)(e.into_error()))?;
    file.sync_all().map_err(io(path))?;
    Ok((crc, len))
}

fn columns(layer: &Layer, rows: &[Row]) -> Vec<ArrayRef> {
    let (mut ids, mut shapes, mut kinds) = (StringBuilder::new(), BinaryBuilder::new(), BinaryBuilder::new());
    for r in rows {
        ids.append_value(r.id.as_str());
        shapes.append_value(&r.wkb);
        kinds.append_option(r.kinds.as_deref());
    }
    let whole = |f: &dyn Fn(&Row) -> i64| Arc::new(rows.iter().map(f).collect::<Vec<_>>().into_iter().collect::<Int64Array>()) as ArrayRef;
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
