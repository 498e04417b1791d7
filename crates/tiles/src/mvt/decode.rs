//! A strict reader of vector tiles: what breaks the specification is refused, nothing is allocated on the word
//! of a count.

use super::write::Cell;
use crate::TilesError;
use strata_model::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MvtKind {
    Unknown,
    Point,
    Line,
    Polygon,
}

/// Geometry in tile units, y down: points singly, lines, or open rings (a shell has positive area and begins a
/// polygon, the rings of negative area after it are its holes).
#[derive(Debug, Clone, PartialEq)]
pub struct MvtFeature {
    pub id: Option<u64>,
    pub kind: MvtKind,
    pub parts: Vec<Vec<[i32; 2]>>,
    pub tags: Vec<(String, Value)>,
}

impl MvtFeature {
    pub fn tag(&self, name: &str) -> Option<&Value> {
        self.tags.iter().find(|(k, _)| k == name).map(|(_, v)| v)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct MvtLayer {
    pub version: u32,
    pub name: String,
    pub extent: u32,
    pub features: Vec<MvtFeature>,
}

/// Twice the signed area of an open ring; positive is a shell in MVT's y-down units.
pub fn ring_area2(ring: &[Cell]) -> i64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(a, b)| i64::from(a[0]) * i64::from(b[1]) - i64::from(b[0]) * i64::from(a[1])).fold(0, i64::wrapping_add)
}

/// Reads a tile (not compressed). Version 1 and 2 layers; of version 1 only what version 2 allows as well.
pub fn decode_mvt(bytes: &[u8]) -> Result<Vec<MvtLayer>, TilesError> {
    let mut tile = Reader { bytes, at: 0, base: 0 };
    let mut layers: Vec<MvtLayer> = Vec::new();
    while let Some((field, wire)) = tile.key()? {
        match (field, wire) {
            (3, Wire::Bytes) => {
                let layer = layer(tile.message()?)?;
                if layers.iter().any(|l| l.name == layer.name) {
                    return tile.fault("two layers of one name");
                }
                layers.push(layer);
            }
            (3, _) => return tile.fault("a layer is not a message"),
            _ => tile.skip(wire)?,
        }
    }
    Ok(layers)
}

fn layer(mut r: Reader) -> Result<MvtLayer, TilesError> {
    let (mut version, mut name, mut extent) = (None, None, 4096);
    let (mut keys, mut values, mut features) = (Vec::new(), Vec::new(), Vec::new());
    while let Some((field, wire)) = r.key()? {
        match (field, wire) {
            (15, Wire::Varint) => version = Some(r.varint()?),
            (1, Wire::Bytes) => name = Some(r.text()?),
            (2, Wire::Bytes) => features.push(r.message()?),
            (3, Wire::Bytes) => keys.push(r.text()?),
            (4, Wire::Bytes) => values.push(value(r.message()?)?),
            (5, Wire::Varint) => extent = r.varint()?,
            (1..=5 | 15, _) => return r.fault("a field of the layer has another type"),
            _ => r.skip(wire)?,
        }
    }
    let version = match version {
        Some(v @ 1..=2) => v as u32,
        Some(_) => return r.fault("a version other than 1 and 2"),
        None => return r.fault("a layer without a version"),
    };
    let Some(name) = name.filter(|n| !n.is_empty()) else { return r.fault("a layer without a name") };
    let Ok(extent @ 1..) = u32::try_from(extent) else { return r.fault("an extent out of range") };
    let features = features.into_iter().map(|f| feature(f, &keys, &values)).collect::<Result<_, _>>()?;
    Ok(MvtLayer { version, name, extent, features })
}

fn value(mut r: Reader) -> Result<Value, TilesError> {
    let mut out = None;
    while let Some((field, wire)) = r.key()? {
        out = Some(match (field, wire) {
            (1, Wire::Bytes) => Value::from(r.text()?),
            (2, Wire::Fixed32) => Value::Float(f32::from_le_bytes(r.array()?).into()),
            (3, Wire::Fixed64) => Value::Float(f64::from_le_bytes(r.array()?)),
            (4, Wire::Varint) => Value::Int(r.varint()? as i64),
            (5, Wire::Varint) => {
                let v = r.varint()?;
                i64::try_from(v).map_or(Value::Float(v as f64), Value::Int)
            }
            (6, Wire::Varint) => {
                let v = r.varint()?;
                Value::Int((v >> 1) as i64 ^ -((v & 1) as i64))
            }
            (7, Wire::Varint) => Value::Bool(r.varint()? != 0),
            _ => return r.fault("a value of no known type"),
        });
    }
    out.map_or_else(|| r.fault("an empty value"), Ok)
}

fn feature(mut r: Reader, keys: &[String], values: &[Value]) -> Result<MvtFeature, TilesError> {
    let (mut id, mut kind, mut tags, mut geometry) = (None, None, None, None);
    while let Some((field, wire)) = r.key()? {
        match (field, wire) {
            (1, Wire::Varint) => id = Some(r.varint()?),
            (2, Wire::Bytes) if tags.is_none() => tags = Some(r.message()?),
            (3, Wire::Varint) => kind = Some(r.varint()?),
            (4, Wire::Bytes) if geometry.is_none() => geometry = Some(r.message()?),
            (2 | 4, Wire::Bytes) => return r.fault("tags or geometry twice"),
            (1..=4, _) => return r.fault("a field of the feature has another type"),
            _ => r.skip(wire)?,
        }
    }
    let kind = match kind {
        Some(0) => MvtKind::Unknown,
        Some(1) => MvtKind::Point,
        Some(2) => MvtKind::Line,
        Some(3) => MvtKind::Polygon,
        Some(_) => return r.fault("a geometry type that does not exist"),
        None => return r.fault("a feature without a geometry type"),
    };
    let Some(geometry) = geometry.filter(|g| !g.bytes.is_empty()) else { return r.fault("a feature without geometry") };
    let mut named = Vec::new();
    if let Some(mut t) = tags {
        while !t.done() {
            let key = t.varint()?;
            if t.done() {
                return t.fault("an odd number of tags");
            }
            let value = t.varint()?;
            let pair = usize::try_from(key).ok().and_then(|k| keys.get(k)).zip(usize::try_from(value).ok().and_then(|v| values.get(v)));
            let Some((key, value)) = pair else { return t.fault("a tag names a key or value that is not there") };
            named.push((key.clone(), value.clone()));
        }
    }
    Ok(MvtFeature { id, kind, parts: commands(geometry, kind)?, tags: named })
}

fn commands(mut r: Reader, kind: MvtKind) -> Result<Vec<Vec<Cell>>, TilesError> {
    let (mut parts, mut at): (Vec<Vec<Cell>>, Cell) = (Vec::new(), [0, 0]);
    // Is the last part still to be drawn on?
    let mut open = false;
    while !r.done() {
        let word = r.varint()?;
        let (command, count) = (word & 7, word >> 3);
        // Each pair of numbers needs two bytes at least.
        if command != 7 && count > (r.left() / 2) as u64 {
            return r.fault("a count larger than what follows");
        }
        match command {
            1 => {
                let unfinished = open && parts.last().is_some_and(|p| kind == MvtKind::Polygon || (kind == MvtKind::Line && p.len() < 2));
                if unfinished || count == 0 || (count != 1 && matches!(kind, MvtKind::Line | MvtKind::Polygon)) {
                    return r.fault("a MoveTo that does not fit the geometry");
                }
                for _ in 0..count {
                    r.step(&mut at)?;
                    parts.push(vec![at]);
                }
                open = true;
            }
            2 => {
                if !open || kind == MvtKind::Point || count == 0 {
                    return r.fault("a LineTo that does not fit the geometry");
                }
                for _ in 0..count {
                    let last = at;
                    r.step(&mut at)?;
                    if at == last && kind != MvtKind::Unknown {
                        return r.fault("a LineTo that stands still");
                    }
                    if let Some(p) = parts.last_mut() {
                        p.push(at);
                    }
                }
            }
            7 => {
                if !open || kind != MvtKind::Polygon || count != 1 || parts.last().is_none_or(|p| p.len() < 3) {
                    return r.fault("a ClosePath that does not fit the geometry");
                }
                open = false;
            }
            _ => return r.fault("a command that does not exist"),
        }
    }
    let unfinished = open && parts.last().is_some_and(|p| kind == MvtKind::Polygon || (kind == MvtKind::Line && p.len() < 2));
    if unfinished { r.fault("geometry without its end") } else { Ok(parts) }
}

#[derive(Clone, Copy, PartialEq)]
enum Wire {
    Varint,
    Fixed64,
    Bytes,
    Fixed32,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where `bytes` begins in the tile, for the error.
    base: usize,
}

impl<'a> Reader<'a> {
    fn fault<T>(&self, reason: &'static str) -> Result<T, TilesError> {
        Err(TilesError::Mvt { offset: self.base + self.at, reason })
    }
    fn done(&self) -> bool {
        self.at >= self.bytes.len()
    }
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }
    fn varint(&mut self) -> Result<u64, TilesError> {
        let mut v = 0u64;
        for shift in (0..70).step_by(7) {
            let Some(&b) = self.bytes.get(self.at) else { return self.fault("a number is cut off") };
            self.at += 1;
            if shift == 63 && b > 1 {
                break;
            }
            v |= u64::from(b & 0x7f) << shift;
            if b < 0x80 {
                return Ok(v);
            }
        }
        self.fault("a number longer than 64 bits")
    }
    fn key(&mut self) -> Result<Option<(u64, Wire)>, TilesError> {
        if self.done() {
            return Ok(None);
        }
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Bytes,
            5 => Wire::Fixed32,
            _ => return self.fault("a wire type that does not exist"),
        };
        Ok(Some((key >> 3, wire)))
    }
    fn message(&mut self) -> Result<Reader<'a>, TilesError> {
        let n = self.varint()?;
        if n > self.left() as u64 {
            return self.fault("a length beyond the end");
        }
        let (start, end) = (self.at, self.at + n as usize);
        self.at = end;
        Ok(Reader { bytes: &self.bytes[start..end], at: 0, base: self.base + start })
    }
    fn text(&mut self) -> Result<String, TilesError> {
        let m = self.message()?;
        std::str::from_utf8(m.bytes).map_or_else(|_| m.fault("text that is not UTF-8"), |t| Ok(t.to_owned()))
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], TilesError> {
        let Some(chunk) = self.bytes.get(self.at..self.at + N).and_then(|c| c.try_into().ok()) else {
            return self.fault("a number is cut off");
        };
        self.at += N;
        Ok(chunk)
    }
    fn step(&mut self, at: &mut Cell) -> Result<(), TilesError> {
        for a in at {
            let Ok(v) = u32::try_from(self.varint()?) else { return self.fault("a step over 32 bits") };
            *a = a.wrapping_add((v >> 1) as i32 ^ -((v & 1) as i32));
        }
        Ok(())
    }
    fn skip(&mut self, wire: Wire) -> Result<(), TilesError> {
        match wire {
            Wire::Varint => self.varint().map(drop),
            Wire::Fixed64 => self.array::<8>().map(drop),
            Wire::Bytes => self.message().map(drop),
            Wire::Fixed32 => self.array::<4>().map(drop),
        }
    }
}
