//! Bytes of a GLB taken apart with every bound checked.

use crate::TilesError;
use serde_json::Value;

pub(super) fn fault(reason: &str) -> TilesError {
    TilesError::Glb { reason: reason.into() }
}

/// More bytes are not read.
const MAX_BYTES: usize = 1 << 29;

pub(super) struct Reader<'a> {
    pub json: Value,
    pub binary: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self, TilesError> {
        let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        if bytes.len() > MAX_BYTES {
            return Err(fault("it is larger than 512 MiB"));
        }
        if bytes.get(..4) != Some(b"glTF") || word(4) != Some(2) {
            return Err(fault("it is not binary glTF 2"));
        }
        let total = word(8).map_or(0, |v| v as usize);
        if total > bytes.len() {
            return Err(fault("it is cut short"));
        }
        let (mut json, mut binary, mut at) = (None, None, 12usize);
        while let (Some(len), Some(kind)) = (word(at), bytes.get(at + 4..at + 8)) {
            let end = (at + 8).checked_add(len as usize).filter(|e| *e <= total).ok_or_else(|| fault("a chunk is cut short"))?;
            let chunk = &bytes[at + 8..end];
            match kind {
                b"JSON" if json.is_none() => json = Some(chunk),
                b"BIN\0" if binary.is_none() => binary = Some(chunk),
                _ => {}
            }
            at = end;
            if at >= total {
                break;
            }
        }
        let json = json.ok_or_else(|| fault("it has no JSON chunk"))?;
        let json = serde_json::from_slice(json).map_err(|e| TilesError::Glb { reason: format!("its JSON: {e}") })?;
        Ok(Self { json, binary: binary.unwrap_or(&[]) })
    }

    /// Bytes and stride of a buffer view of the binary chunk.
    pub fn view(&self, index: u64) -> Result<(&'a [u8], Option<usize>), TilesError> {
        let form = usize::try_from(index).ok().and_then(|i| self.json["bufferViews"].get(i)).ok_or_else(|| fault("no such buffer view"))?;
        if form["buffer"].as_u64() != Some(0) || self.json["buffers"][0].get("uri").is_some() {
            return Err(fault("a buffer outside the file"));
        }
        let size = |key: &str| usize::try_from(form[key].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
        let (at, len) = (size("byteOffset"), size("byteLength"));
        let bytes = at.checked_add(len).and_then(|end| self.binary.get(at..end)).ok_or_else(|| fault("a buffer view points outside"))?;
        Ok((bytes, form["byteStride"].as_u64().and_then(|s| usize::try_from(s).ok())))
    }

    /// All numbers of an accessor, `width` to an element, normalised integers as 0..1. `budget` falls by the
    /// count of elements, so that one view named a thousand times cannot fill the memory.
    pub fn numbers(&self, accessor: u64, width: usize, budget: &mut usize) -> Result<Vec<f64>, TilesError> {
        let form = usize::try_from(accessor).ok().and_then(|i| self.json["accessors"].get(i)).ok_or_else(|| fault("no such accessor"))?;
        let own_width = match form["type"].as_str() {
            Some("SCALAR") => 1,
            Some("VEC2") => 2,
            Some("VEC3") => 3,
            Some("VEC4") => 4,
            _ => return Err(fault("an accessor of an unknown type")),
        };
        if own_width < width {
            return Err(fault("an accessor with too few numbers to an element"));
        }
        if form.get("sparse").is_some() {
            return Err(fault("sparse accessors are not read"));
        }
        let count = usize::try_from(form["count"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
        *budget = budget.checked_sub(count).ok_or_else(|| fault("too many vertices"))?;
        let view = form["bufferView"].as_u64().ok_or_else(|| fault("an accessor without a buffer view"))?;
        let (bytes, stride) = self.view(view)?;
        let component = form["componentType"].as_u64().unwrap_or(0);
        let size = match component {
            5120 | 5121 => 1,
            5122 | 5123 => 2,
            5125 | 5126 => 4,
            _ => return Err(fault("an accessor of an unknown component type")),
        };
        let element = own_width * size;
        let stride = stride.unwrap_or(element);
        let start = usize::try_from(form["byteOffset"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
        let needed = match count {
            0 => 0,
            n => (n - 1).checked_mul(stride).and_then(|v| v.checked_add(element)).unwrap_or(usize::MAX),
        };
        if stride < element || start.checked_add(needed).is_none_or(|end| end > bytes.len()) {
            return Err(fault("an accessor points outside its buffer view"));
        }
        let normalized = form["normalized"].as_bool() == Some(true);
        let number = |b: &[u8]| -> f64 {
            match component {
                5120 => f64::from(b[0] as i8) / if normalized { 127.0 } else { 1.0 },
                5121 => f64::from(b[0]) / if normalized { 255.0 } else { 1.0 },
                5122 => f64::from(i16::from_le_bytes([b[0], b[1]])) / if normalized { 32_767.0 } else { 1.0 },
                5123 => f64::from(u16::from_le_bytes([b[0], b[1]])) / if normalized { 65_535.0 } else { 1.0 },
                5125 => f64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])),
                _ => f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            }
        };
        let mut out = Vec::with_capacity(count * width);
        for i in 0..count {
            let at = start + i * stride;
            out.extend((0..width).map(|k| number(&bytes[at + k * size..at + (k + 1) * size])));
        }
        Ok(out)
    }

    pub fn vectors<const N: usize>(&self, accessor: &Value, budget: &mut usize) -> Result<Vec<[f32; N]>, TilesError> {
        let Some(index) = accessor.as_u64() else { return Ok(Vec::new()) };
        let numbers = self.numbers(index, N, budget)?;
        Ok(numbers.chunks_exact(N).map(|c| std::array::from_fn(|k| c[k] as f32)).collect())
    }

    pub fn whole(&self, accessor: &Value, budget: &mut usize) -> Result<Vec<u32>, TilesError> {
        let Some(index) = accessor.as_u64() else { return Ok(Vec::new()) };
        // A negative or broken number becomes 0 and one beyond 2³² the last.
        Ok(self.numbers(index, 1, budget)?.into_iter().map(|v| v as u32).collect())
    }
}
