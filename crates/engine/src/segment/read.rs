use super::head::{IndexFile, read_index};
use crate::{EngineError, error::io, index::IndexView, map};
use arrow::{
    array::{Array, BinaryArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray},
    buffer::{Buffer, ScalarBuffer},
    datatypes::Schema,
    ipc::{
        convert::fb_to_schema,
        reader::{FileDecoder, read_footer_length},
        root_as_footer,
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use strata_model::{Bounds3, Geometry, Layer, LayerId, ModelError, Value, Version, from_wkb};

/// The Arrow file and the index file of a segment.
pub(crate) fn place(dir: &Path, layer: &LayerId, covers: Version) -> (PathBuf, PathBuf) {
    let name = |ending| dir.join(format!("{layer}-{}.{ending}", covers.0));
    (name("arrow"), name("index"))
}

/// Renames both files so that nobody opens them again; a person may still look at them.
pub(crate) fn set_aside(dir: &Path, layer: &LayerId, covers: Version) -> Result<(), EngineError> {
    let (arrow, index) = place(dir, layer, covers);
    for path in [arrow, index] {
        if path.exists() {
            let mut to = path.clone().into_os_string();
            to.push(".damaged");
            fs::rename(&path, to).map_err(io(&path))?;
        }
    }
    Ok(())
}

/// The batches of an Arrow file as they lie in its map: nothing is copied.
pub(super) fn record_batches(arrow: &Buffer) -> Result<(Arc<Schema>, Vec<RecordBatch>), String> {
    let short = || "it ends too early".to_owned();
    let bytes = arrow.as_slice();
    let trailer = bytes.last_chunk::<10>().ok_or_else(short)?;
    let footer_len = read_footer_length(*trailer).map_err(|e| e.to_string())?;
    let footer_at = bytes.len().checked_sub(10 + footer_len).ok_or_else(short)?;
    let footer = root_as_footer(&bytes[footer_at..bytes.len() - 10]).map_err(|e| e.to_string())?;
    let schema = Arc::new(fb_to_schema(footer.schema().ok_or_else(|| "it has no schema".to_owned())?));
    let decoder = FileDecoder::new(schema.clone(), footer.version());
    let mut out = Vec::new();
    for block in footer.recordBatches().iter().flatten() {
        let (at, len) = (block.offset() as usize, block.bodyLength() as usize + block.metaDataLength() as usize);
        if at.checked_add(len).is_none_or(|end| end > bytes.len()) {
            return Err(short());
        }
        out.extend(decoder.read_record_batch(block, &arrow.slice_with_length(at, len)).map_err(|e| e.to_string())?);
    }
    Ok((schema, out))
}

/// Rows of one layer, mapped. Row numbers are those of the index.
#[derive(Debug)]
pub(crate) struct Segment {
    pub layer: Arc<Layer>,
    pub covers: Version,
    pub index: IndexView,
    pub open_bounds: Bounds3,
    by_id: ScalarBuffer<u32>,
    batches: Vec<Batch>,
    /// First row of each batch.
    starts: Vec<u32>,
}

#[derive(Debug)]
struct Batch {
    ids: StringArray,
    shapes: BinaryArray,
    kinds: BinaryArray,
    since: Int64Array,
    until: Int64Array,
    attributes: Vec<Column>,
}

#[derive(Debug)]
enum Column {
    Bool(BooleanArray),
    Int(Int64Array),
    Float(Float64Array),
    Text(StringArray),
}

impl Segment {
    /// Maps the pair and checks both checksums before anything in them is believed.
    pub(crate) fn open(dir: &Path, layer: &LayerId, covers: Version) -> Result<Self, EngineError> {
        let (arrow, index) = place(dir, layer, covers);
        let index_map = map::map(&index).map_err(io(&index))?;
        let head = read_index(&index_map).map_err(|reason| EngineError::Damaged { path: index, reason: reason.into() })?;
        let arrow_map = map::map(&arrow).map_err(io(&arrow))?;
        let segment = Self::over(head, &arrow_map).map_err(|reason| EngineError::Damaged { path: arrow.clone(), reason })?;
        if segment.layer.id != *layer || segment.covers != covers {
            return Err(EngineError::Damaged { path: arrow, reason: "it is the segment of another layer or version".into() });
        }
        Ok(segment)
    }

    fn over(head: IndexFile, arrow: &Buffer) -> Result<Self, String> {
        if arrow.len() as u64 != head.arrow_len || crc32fast::hash(arrow.as_slice()) != head.arrow_crc {
            return Err("the checksum does not fit".into());
        }
        let (schema, read) = record_batches(arrow)?;
        let text = schema.metadata().get("strata:layer").ok_or_else(|| "it names no layer".to_owned())?;
        let layer: Layer = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let (mut batches, mut starts, mut rows) = (Vec::new(), Vec::new(), 0usize);
        for batch in &read {
            starts.push(rows as u32);
            rows += batch.num_rows();
            batches.push(Batch::of(batch, layer.fields.len()).ok_or_else(|| "a column has another type".to_owned())?);
        }
        if rows != head.rows || head.by_id.iter().any(|&r| r as usize >= rows) {
            return Err("it has other rows than its index".into());
        }
        Ok(Self {
            layer: Arc::new(layer),
            covers: head.covers,
            index: head.index,
            open_bounds: head.open_bounds,
            by_id: head.by_id,
            batches,
            starts,
        })
    }

    /// The batch of a row of the index, and the row's place in it.
    fn locate(&self, row: u32) -> (&Batch, usize) {
        let batch = if self.starts.len() == 1 { 0 } else { self.starts.partition_point(|s| *s <= row) - 1 };
        (&self.batches[batch], (row - self.starts[batch]) as usize)
    }
    pub(crate) fn id(&self, row: u32) -> &str {
        self.row(row).id()
    }
    pub(crate) fn span(&self, row: u32) -> (Version, Option<Version>) {
        let (b, i) = self.locate(row);
        (Version(b.since.value(i) as u64), b.until.is_valid(i).then(|| Version(b.until.value(i) as u64)))
    }
    pub(crate) fn row(&self, row: u32) -> RowView<'_> {
        let (batch, at) = self.locate(row);
        RowView { batch, at }
    }
    /// Rows of one id, oldest first.
    pub(crate) fn rows_of(&self, id: &str) -> &[u32] {
        let from = self.by_id.partition_point(|&r| self.id(r) < id);
        let len = self.by_id[from..].iter().take_while(|&&r| self.id(r) == id).count();
        &self.by_id[from..from + len]
    }
}

/// A row where it lies.
pub(crate) struct RowView<'a> {
    batch: &'a Batch,
    at: usize,
}

impl<'a> RowView<'a> {
    pub(crate) fn id(&self) -> &'a str {
        self.batch.ids.value(self.at)
    }
    pub(crate) fn geometry(&self) -> Result<Geometry, ModelError> {
        let (b, i) = (self.batch, self.at);
        from_wkb(b.shapes.value(i), b.kinds.is_valid(i).then(|| b.kinds.value(i)))
    }
    pub(crate) fn value(&self, field: usize, texts: &mut Texts) -> Value {
        let i = self.at;
        match self.batch.attributes.get(field) {
            Some(Column::Bool(c)) if c.is_valid(i) => Value::Bool(c.value(i)),
            Some(Column::Int(c)) if c.is_valid(i) => Value::Int(c.value(i)),
            Some(Column::Float(c)) if c.is_valid(i) => Value::Float(c.value(i)),
            Some(Column::Text(c)) if c.is_valid(i) => Value::Text(texts.shared(c.value(i))),
            _ => Value::Null,
        }
    }
}

/// Short texts lately read: most columns say the same few words again and again.
#[derive(Debug)]
pub(crate) struct Texts([Option<Arc<str>>; 64]);

impl Default for Texts {
    fn default() -> Self {
        Self([const { None }; 64])
    }
}

impl Texts {
    fn shared(&mut self, text: &str) -> Arc<str> {
        let hash = text.bytes().take(24).fold(text.len() as u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)));
        let slot = &mut self.0[(hash.wrapping_mul(0x9e37_79b1) >> 26) as usize];
        match slot {
            Some(known) if **known == *text => known.clone(),
            _ => slot.insert(text.into()).clone(),
        }
    }
}

impl Batch {
    fn of(batch: &RecordBatch, fields: usize) -> Option<Self> {
        fn column<T: Clone + 'static>(batch: &RecordBatch, k: usize) -> Option<T> {
            batch.columns().get(k)?.as_any().downcast_ref::<T>().cloned()
        }
        let attributes = (7..7 + fields).map(|k| {
            column(batch, k)
                .map(Column::Bool)
                .or_else(|| column(batch, k).map(Column::Int))
                .or_else(|| column(batch, k).map(Column::Float))
                .or_else(|| column(batch, k).map(Column::Text))
        });
        Some(Self {
            ids: column(batch, 0)?,
            shapes: column(batch, 1)?,
            kinds: column(batch, 2)?,
            since: column(batch, 5)?,
            until: column(batch, 6)?,
            attributes: attributes.collect::<Option<_>>()?,
        })
    }
}
