//! Protocol buffer writing of one MVT layer: keys and values once each, geometry as zigzag commands.

use super::EXTENT;
use std::collections::HashMap;
use strata_model::Value;

/// `[x, y]` in whole tile units.
pub type Cell = [i32; 2];

/// What a feature draws, as MVT numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Points = 1,
    Lines = 2,
    Polygons = 3,
}

pub fn varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

fn varint_len(v: u64) -> usize {
    (64 - (v | 1).leading_zeros() as usize).div_ceil(7)
}

pub fn bytes_field(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn uint_field(out: &mut Vec<u8>, field: u64, v: u64) {
    varint(out, field << 3);
    varint(out, v);
}

fn zigzag(v: i32) -> u64 {
    u64::from(((v << 1) ^ (v >> 31)) as u32)
}

fn command(out: &mut Vec<u8>, id: u64, count: usize) {
    varint(out, id | (count as u64) << 3);
}

fn moves(out: &mut Vec<u8>, cells: &[Cell], at: &mut Cell) {
    for c in cells {
        varint(out, zigzag(c[0].wrapping_sub(at[0])));
        varint(out, zigzag(c[1].wrapping_sub(at[1])));
        *at = *c;
    }
}

/// Commands of the parts of a feature, one after the other. The cursor `at` begins at `[0, 0]` with the feature.
pub fn points(out: &mut Vec<u8>, cells: &[Cell], at: &mut Cell) {
    command(out, 1, cells.len());
    moves(out, cells, at);
}

/// At least two cells.
pub fn line(out: &mut Vec<u8>, cells: &[Cell], at: &mut Cell) {
    command(out, 1, 1);
    moves(out, &cells[..1], at);
    command(out, 2, cells.len() - 1);
    moves(out, &cells[1..], at);
}

/// At least three cells, the first not repeated, wound as a shell or a hole.
pub fn ring(out: &mut Vec<u8>, cells: &[Cell], at: &mut Cell) {
    line(out, cells, at);
    command(out, 7, 1);
}

/// The message of a value. False: null or not a number, which MVT cannot say; the tag is left out.
fn value_bytes(out: &mut Vec<u8>, value: &Value) -> bool {
    match value {
        Value::Null => return false,
        Value::Text(t) => bytes_field(out, 1, t.as_bytes()),
        Value::Float(v) if !v.is_finite() => return false,
        Value::Float(v) if f64::from(*v as f32) == *v => {
            varint(out, 2 << 3 | 5);
            out.extend_from_slice(&(*v as f32).to_le_bytes());
        }
        Value::Float(v) => {
            varint(out, 3 << 3 | 1);
            out.extend_from_slice(&v.to_le_bytes());
        }
        Value::Int(v) => int_bytes(out, *v),
        Value::Bool(v) => uint_field(out, 7, u64::from(*v)),
    }
    true
}

fn int_bytes(out: &mut Vec<u8>, v: i64) {
    if v >= 0 { uint_field(out, 5, v as u64) } else { uint_field(out, 6, ((v << 1) ^ (v >> 63)) as u64) }
}

/// Collects the features of one layer: the tags of one, then [`LayerWriter::feature`], then the next. Rows of keys and
/// values are numbered in order of first use, so equal input gives equal bytes.
pub struct LayerWriter<'a> {
    name: &'a str,
    columns: Vec<Column<'a>>,
    keys: Vec<&'a str>,
    values: Vec<u8>,
    value_count: u64,
    value_rows: HashMap<Box<[u8]>, u64>,
    features: Vec<u8>,
    tags: Vec<u8>,
    value: Vec<u8>,
}

struct Column<'a> {
    key: &'a str,
    key_row: Option<u64>,
    /// The value last written and its row: neighbours are often alike.
    last: (Vec<u8>, u64),
    /// The same of a column that is given whole numbers.
    last_int: Option<(i64, u64)>,
    /// Hardly any two features share a value, so none is looked for but the last.
    names: bool,
}

impl<'a> LayerWriter<'a> {
    /// `columns` may be used in any order and number; `names` is the one that tells features apart.
    pub fn new(name: &'a str, columns: impl Iterator<Item = &'a str>, names: usize) -> Self {
        Self {
            name,
            columns: columns
                .enumerate()
                .map(|(i, key)| Column { key, key_row: None, last: (Vec::new(), 0), last_int: None, names: i == names })
                .collect(),
            keys: Vec::new(),
            values: Vec::new(),
            value_count: 0,
            value_rows: HashMap::new(),
            features: Vec::new(),
            tags: Vec::new(),
            value: Vec::new(),
        }
    }
    pub fn tag(&mut self, column: usize, value: &Value) {
        self.value.clear();
        if value_bytes(&mut self.value, value) {
            self.put(column);
        }
    }
    pub fn tag_text(&mut self, column: usize, text: &str) {
        self.value.clear();
        bytes_field(&mut self.value, 1, text.as_bytes());
        self.put(column);
    }
    pub fn tag_int(&mut self, column: usize, v: i64) {
        if let Some(Column { key_row: Some(key), last_int: Some((known, row)), .. }) = self.columns.get(column)
            && *known == v
        {
            varint(&mut self.tags, *key);
            varint(&mut self.tags, *row);
            return;
        }
        self.value.clear();
        int_bytes(&mut self.value, v);
        self.put(column);
        if let Some(c) = self.columns.get_mut(column) {
            c.last_int = Some((v, c.last.1));
        }
    }
    fn put(&mut self, column: usize) {
        let Some(column) = self.columns.get_mut(column) else { return };
        let keys = &mut self.keys;
        let key_row = *column.key_row.get_or_insert_with(|| {
            keys.push(column.key);
            keys.len() as u64 - 1
        });
        if column.last.0 != self.value {
            let known = if column.names { None } else { self.value_rows.get(self.value.as_slice()).copied() };
            let row = known.unwrap_or_else(|| {
                bytes_field(&mut self.values, 4, &self.value);
                let row = self.value_count;
                self.value_count += 1;
                if !column.names {
                    self.value_rows.insert(self.value.as_slice().into(), row);
                }
                row
            });
            column.last.0.clear();
            column.last.0.extend_from_slice(&self.value);
            column.last.1 = row;
        }
        varint(&mut self.tags, key_row);
        varint(&mut self.tags, column.last.1);
    }
    /// Closes a feature whose tags have been given.
    pub fn feature(&mut self, id: u64, kind: Kind, commands: &[u8]) {
        let (tags, out) = (&self.tags, &mut self.features);
        let message = |bytes: usize| 1 + varint_len(bytes as u64) + bytes;
        varint(out, 2 << 3 | 2);
        varint(out, (1 + varint_len(id) + message(tags.len()) + 2 + message(commands.len())) as u64);
        uint_field(out, 1, id);
        bytes_field(out, 2, tags);
        uint_field(out, 3, kind as u64);
        bytes_field(out, 4, commands);
        self.tags.clear();
    }
    /// The layer as a field of the tile.
    pub fn finish(self) -> Vec<u8> {
        let mut tail = Vec::with_capacity(self.keys.iter().map(|k| k.len() + 8).sum::<usize>() + 8);
        for key in &self.keys {
            bytes_field(&mut tail, 3, key.as_bytes());
        }
        let mut head = Vec::with_capacity(self.name.len() + 8);
        uint_field(&mut head, 15, 2);
        bytes_field(&mut head, 1, self.name.as_bytes());
        let mut end = Vec::with_capacity(4);
        uint_field(&mut end, 5, u64::from(EXTENT));
        let parts = [head, self.features, tail, self.values, end];
        let len: usize = parts.iter().map(Vec::len).sum();
        let mut out = Vec::with_capacity(len + 8);
        varint(&mut out, 3 << 3 | 2);
        varint(&mut out, len as u64);
        parts.iter().for_each(|p| out.extend_from_slice(p));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_varints_are_those_that_are_written() {
        for v in (0..64).flat_map(|b| [1u64 << b, (1u64 << b) - 1, (1u64 << b) + 1]).chain([u64::MAX]) {
            let mut out = Vec::new();
            varint(&mut out, v);
            assert_eq!(out.len(), varint_len(v), "{v}");
        }
    }
}
