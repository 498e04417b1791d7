//! The binary `.subtree` of 3D Tiles 1.1: which tiles of a quadtree exist.

use serde_json::{Value, json};

/// Interleaves column and row bits, column lowest: the order of availability bits.
pub(crate) fn morton(x: u32, y: u32) -> u64 {
    spread(x) | (spread(y) << 1)
}

fn spread(v: u32) -> u64 {
    let mut v = u64::from(v);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555_u64),
    ] {
        v = (v | (v << shift)) & mask;
    }
    v
}

pub(crate) fn unmorton(code: u64) -> (u32, u32) {
    (gather(code), gather(code >> 1))
}

fn gather(code: u64) -> u32 {
    let mut v = code & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff_u64),
    ] {
        v = (v | (v >> shift)) & mask;
    }
    v as u32
}

/// Bits of one subtree, in level order and Morton order inside a level.
#[derive(Debug, Clone, Default)]
pub(crate) struct Availability {
    pub tiles: Vec<bool>,
    pub contents: Vec<bool>,
    pub children: Vec<bool>,
    /// Of each tile there is, in the order of its bits.
    pub regions: Vec<[f64; 6]>,
}

impl Availability {
    /// JSON and bitstreams; a set of bits that are all alike is written as a constant.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut binary: Vec<u8> = Vec::new();
        let mut views: Vec<Value> = Vec::new();
        let mut entry = |bits: &[bool]| {
            let count = bits.iter().filter(|b| **b).count();
            if count == 0 || count == bits.len() {
                return json!({ "constant": u8::from(count > 0) });
            }
            let at = binary.len();
            let mut bytes = vec![0u8; bits.len().div_ceil(8)];
            for (i, _) in bits.iter().enumerate().filter(|(_, b)| **b) {
                bytes[i / 8] |= 1 << (i % 8);
            }
            views.push(json!({ "buffer": 0, "byteOffset": at, "byteLength": bytes.len() }));
            binary.extend(&bytes);
            binary.resize(binary.len().next_multiple_of(8), 0);
            json!({ "bitstream": views.len() - 1, "availableCount": count })
        };
        let mut form = json!({
            "tileAvailability": entry(&self.tiles),
            "contentAvailability": [entry(&self.contents)],
            "childSubtreeAvailability": entry(&self.children),
        });
        if !self.regions.is_empty() {
            views.push(json!({ "buffer": 0, "byteOffset": binary.len(), "byteLength": self.regions.len() * 48 }));
            binary.extend(self.regions.iter().flatten().flat_map(|v| v.to_le_bytes()));
            form["propertyTables"] = json!([{
                "class": "strata_tile", "count": self.regions.len(), "properties": { "region": { "values": views.len() - 1 } },
            }]);
            form["tileMetadata"] = 0.into();
        }
        if !views.is_empty() {
            form["buffers"] = json!([{ "byteLength": binary.len() }]);
            form["bufferViews"] = Value::Array(views);
        }
        let mut text = form.to_string().into_bytes();
        text.resize(text.len().next_multiple_of(8), b' ');
        let mut out = Vec::with_capacity(24 + text.len() + binary.len());
        out.extend(b"subt");
        out.extend(1u32.to_le_bytes());
        out.extend((text.len() as u64).to_le_bytes());
        out.extend((binary.len() as u64).to_le_bytes());
        out.extend(text);
        out.extend(binary);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaving_goes_there_and_back() {
        let slow =
            |x: u32, y: u32| (0..32).fold(0u64, |m, i| m | (u64::from(x >> i & 1) << (2 * i)) | (u64::from(y >> i & 1) << (2 * i + 1)));
        for (x, y) in [(0, 0), (1, 0), (0, 1), (3, 5), (0xffff, 0x1234), (u32::MAX, 0), (0x89ab_cdef, 0x1357_9bdf)] {
            assert_eq!(morton(x, y), slow(x, y));
            assert_eq!(unmorton(morton(x, y)), (x, y));
        }
    }
}
