//! Protocol buffer writing of one MVT layer: keys and values once each, geometry as zigzag commands.

use super::EXTENT;
use std::collections::HashMap;
use strata_model::Value;

/// `[x, y]` in whole tile units.
pub type Cell = [i32; 2];

/// What a feature draws. Rings are open here (the first cell is not repeated) and already wound.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    Points(Vec<Cell>),
    Lines(Vec<Vec<Cell>>),
    Polygons(Vec<Vec<Cell>>),
}

pub fn varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
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

fn geometry(shape: &Shape) -> (u64, Vec<u8>) {
    let (mut out, mut at) = (Vec::new(), [0, 0]);
    match shape {
        Shape::Points(cells) => {
            command(&mut out, 1, cells.len());
            moves(&mut out, cells, &mut at);
            (1, out)
        }
        Shape::Lines(parts) => {
            for p in parts {
                command(&mut out, 1, 1);
                moves(&mut out, &p[..1], &mut at);
                command(&mut out, 2, p.len() - 1);
                moves(&mut out, &p[1..], &mut at);
            }
            (2, out)
        }
        Shape::Polygons(rings) => {
            for r in rings {
                command(&mut out, 1, 1);
                moves(&mut out, &r[..1], &mut at);
                command(&mut out, 2, r.len() - 1);
                moves(&mut out, &r[1..], &mut at);
                command(&mut out, 7, 1);
            }
            (3, out)
        }
    }
}

/// `None`: null or not a number, which MVT cannot say; the tag is left out.
fn value_bytes(value: &Value) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match value {
        Value::Null => return None,
        Value::Text(t) => bytes_field(&mut out, 1, t.as_bytes()),
        Value::Float(v) if !v.is_finite() => return None,
        Value::Float(v) if f64::from(*v as f32) == *v => {
            varint(&mut out, 2 << 3 | 5);
            out.extend_from_slice(&(*v as f32).to_le_bytes());
        }
        Value::Float(v) => {
            varint(&mut out, 3 << 3 | 1);
            out.extend_from_slice(&v.to_le_bytes());
        }
        Value::Int(v) if *v >= 0 => uint_field(&mut out, 5, *v as u64),
        Value::Int(v) => uint_field(&mut out, 6, ((v << 1) ^ (v >> 63)) as u64),
        Value::Bool(v) => uint_field(&mut out, 7, u64::from(*v)),
    }
    Some(out)
}

/// Collects the features of one layer.
pub struct LayerWriter<'a> {
    name: &'a str,
    keys: Vec<&'a str>,
    key_rows: HashMap<&'a str, u64>,
    values: Vec<u8>,
    value_rows: HashMap<Vec<u8>, u64>,
    features: Vec<u8>,
}

impl<'a> LayerWriter<'a> {
    pub fn new(name: &'a str) -> Self {
        Self { name, keys: Vec::new(), key_rows: HashMap::new(), values: Vec::new(), value_rows: HashMap::new(), features: Vec::new() }
    }
    /// Rows are numbered in order of first use, so equal input gives equal bytes.
    pub fn push(&mut self, id: u64, shape: &Shape, tags: &[(&'a str, Value)]) {
        let mut tag_bytes = Vec::with_capacity(tags.len() * 3);
        for (key, value) in tags {
            let Some(encoded) = value_bytes(value) else { continue };
            let keys = &mut self.keys;
            let key_row = *self.key_rows.entry(key).or_insert_with(|| {
                keys.push(key);
                keys.len() as u64 - 1
            });
            let next = self.value_rows.len() as u64;
            let value_row = match self.value_rows.get(&encoded) {
                Some(row) => *row,
                None => {
                    bytes_field(&mut self.values, 4, &encoded);
                    self.value_rows.insert(encoded, next);
                    next
                }
            };
            varint(&mut tag_bytes, key_row);
            varint(&mut tag_bytes, value_row);
        }
        let (kind, commands) = geometry(shape);
        let mut out = Vec::with_capacity(tag_bytes.len() + commands.len() + 16);
        uint_field(&mut out, 1, id);
        bytes_field(&mut out, 2, &tag_bytes);
        uint_field(&mut out, 3, kind);
        bytes_field(&mut out, 4, &commands);
        bytes_field(&mut self.features, 2, &out);
    }
    /// The layer as a field of the tile.
    pub fn finish(self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.features.len() + self.values.len() + 64);
        uint_field(&mut body, 15, 2);
        bytes_field(&mut body, 1, self.name.as_bytes());
        body.extend_from_slice(&self.features);
        for key in &self.keys {
            bytes_field(&mut body, 3, key.as_bytes());
        }
        body.extend_from_slice(&self.values);
        uint_field(&mut body, 5, u64::from(EXTENT));
        let mut out = Vec::with_capacity(body.len() + 8);
        bytes_field(&mut out, 3, &body);
        out
    }
}
