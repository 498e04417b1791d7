//! Protocol buffer writing of one MVT layer: keys and values once each, geometry as zigzag commands.

use super::EXTENT;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::{hash::BuildHasher, ops::Range};
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
    /// Where each value lies in `values`, and the rows of those that are looked for, by content.
    value_places: Vec<Range<usize>>,
    value_rows: HashTable<u32>,
    hasher: DefaultHashBuilder,
    features: Vec<u8>,
    tags: Vec<u8>,
    value: Vec<u8>,
}

struct Column<'a> {
    key: &'a str,
    key_row: Option<u64>,
    /// The text last written by [`LayerWriter::name`] and its row.
    last_name: Option<(&'a str, u32)>,
    /// Values lately written, as they lie in memory, and their rows: most columns say the same few things again and again.
    seen: [Seen; SEEN],
}

/// A value as it lies in memory: its kind (0: null), and its bits or where its text begins, which stays there as long as
/// a writer that knows it.
pub type Bits = (u8, u64);

pub fn bits(value: &Value) -> Bits {
    match value {
        Value::Null => (0, 0),
        Value::Bool(v) => (1, u64::from(*v)),
        Value::Int(v) => (2, *v as u64),
        Value::Float(v) => (3, v.to_bits()),
        Value::Text(t) => (4, t.as_ptr() as u64),
    }
}

/// A value and its row; of kind 0: none yet.
type Seen = (u8, u64, u32);
const SEEN: usize = 64;

impl<'a> LayerWriter<'a> {
    /// `columns` may be used in any order and number.
    pub fn new(name: &'a str, columns: impl Iterator<Item = &'a str>) -> Self {
        Self {
            name,
            columns: columns.map(|key| Column { key, key_row: None, last_name: None, seen: [(0, 0, 0); SEEN] }).collect(),
            keys: Vec::new(),
            values: Vec::new(),
            value_places: Vec::new(),
            value_rows: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            features: Vec::new(),
            tags: Vec::new(),
            value: Vec::new(),
        }
    }
    /// A value of the feature in hand, which is only looked at when its bits are new.
    pub fn tag(&mut self, column: usize, bits: Bits, value: impl FnOnce() -> &'a Value) {
        if bits.0 != 0 {
            self.put(column, bits, |out| value_bytes(out, value()));
        }
    }
    pub fn tag_int(&mut self, column: usize, v: i64) {
        self.put(column, (2, v as u64), |out| {
            int_bytes(out, v);
            true
        });
    }
    fn put(&mut self, column: usize, (kind, bits): Bits, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let Some(column) = self.columns.get_mut(column) else { return };
        let slot = (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SEEN.ilog2())) as usize;
        let seen = &mut column.seen[slot];
        if (seen.0, seen.1) != (kind, bits) {
            self.value.clear();
            if !write(&mut self.value) {
                return;
            }
            let (value, values, places) = (self.value.as_slice(), &self.values, &self.value_places);
            let hash = self.hasher.hash_one(value);
            let row = match self.value_rows.find(hash, |&row| values[places[row as usize].clone()] == *value) {
                Some(&row) => row,
                None => {
                    let row = places.len() as u32;
                    bytes_field(&mut self.values, 4, value);
                    self.value_places.push(self.values.len() - value.len()..self.values.len());
                    let (values, places) = (&self.values, &self.value_places);
                    self.value_rows.insert_unique(hash, row, |&row| self.hasher.hash_one(&values[places[row as usize].clone()]));
                    row
                }
            };
            *seen = (kind, bits, row);
        }
        let row = seen.2;
        tagged(&mut self.tags, &mut self.keys, column, row);
    }
    /// What tells features apart: hardly any two share it, so it is looked for in the last one only.
    pub fn name(&mut self, column: usize, text: &'a str) {
        let Some(column) = self.columns.get_mut(column) else { return };
        let row = match column.last_name {
            Some((last, row)) if last == text => row,
            _ => {
                let row = self.value_places.len() as u32;
                let len = text.len();
                varint(&mut self.values, 4 << 3 | 2);
                varint(&mut self.values, (1 + varint_len(len as u64) + len) as u64);
                let begin = self.values.len();
                bytes_field(&mut self.values, 1, text.as_bytes());
                self.value_places.push(begin..self.values.len());
                column.last_name = Some((text, row));
                row
            }
        };
        tagged(&mut self.tags, &mut self.keys, column, row);
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

fn tagged<'a>(tags: &mut Vec<u8>, keys: &mut Vec<&'a str>, column: &mut Column<'a>, row: u32) {
    let key_row = *column.key_row.get_or_insert_with(|| {
        keys.push(column.key);
        keys.len() as u64 - 1
    });
    varint(tags, key_row);
    varint(tags, u64::from(row));
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
