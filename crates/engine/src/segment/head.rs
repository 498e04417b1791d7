use crate::index::{BuiltIndex, IndexView};
use arrow::buffer::{Buffer, ScalarBuffer};
use strata_model::{Bounds3, Version};

const MAGIC: &[u8; 8] = b"STRATAi1";
const LEN: usize = 128;
/// The checksum stands at 8..12 and covers everything behind it.
const CHECKED_FROM: usize = 12;

/// The index file: head, nodes, exact bounds, rows in the order of their ids. Little endian, parts at multiples of 64.
pub(super) struct IndexFile {
    pub covers: Version,
    pub arrow_crc: u32,
    pub arrow_len: u64,
    pub rows: usize,
    /// Of the rows that no version has ended; empty when there is none.
    pub open_bounds: Bounds3,
    pub index: IndexView,
    pub by_id: ScalarBuffer<u32>,
}

pub(super) struct Facts {
    pub covers: Version,
    pub arrow_crc: u32,
    pub arrow_len: u64,
    pub open_bounds: Bounds3,
}

pub(super) fn write_index(facts: &Facts, built: &BuiltIndex, by_id: &[u32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(LEN + built.nodes.len() * 4 + built.exact.len() * 64 + by_id.len() * 4 + 128);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&facts.arrow_crc.to_le_bytes());
    for word in [facts.arrow_len, built.order.len() as u64, facts.covers.0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for real in built.origin.iter().chain(&facts.open_bounds.min).chain(&facts.open_bounds.max) {
        out.extend_from_slice(&real.to_le_bytes());
    }
    out.resize(LEN, 0);
    built.nodes.iter().for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
    out.resize(out.len().next_multiple_of(64), 0);
    built.exact.iter().flatten().for_each(|w| out.extend_from_slice(&w.to_le_bytes()));
    by_id.iter().for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
    let crc = crc32fast::hash(&out[CHECKED_FROM..]);
    out[8..12].copy_from_slice(&crc.to_le_bytes());
    out
}

pub(super) fn read_index(file: &Buffer) -> Result<IndexFile, &'static str> {
    let bytes = file.as_slice();
    if bytes.len() < LEN || &bytes[..8] != MAGIC {
        return Err("it is no index file of this edition");
    }
    let word = |at: usize| {
        let mut w = [0; 8];
        w.copy_from_slice(&bytes[at..at + 8]);
        w
    };
    let crc = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if crc32fast::hash(&bytes[CHECKED_FROM..]) != crc(8) {
        return Err("the checksum of the index does not fit");
    }
    if cfg!(target_endian = "big") {
        return Err("this machine counts bytes from the other end");
    }
    let whole = |at| u64::from_le_bytes(word(at));
    let real = |at| f64::from_le_bytes(word(at));
    let rows = usize::try_from(whole(24)).map_err(|_| "it has too many rows")?;
    let place = |at| [real(at), real(at + 8), real(at + 16)];
    let short = "the index is shorter than its rows";
    let tail = rows.checked_mul(64 + 4).ok_or(short)?;
    let nodes_end = bytes.len().checked_sub(tail).filter(|at| *at >= LEN).ok_or(short)?;
    let nodes_len = IndexView::nodes_bytes(rows).filter(|n| (LEN + n).next_multiple_of(64) == nodes_end).ok_or(short)?;
    let nodes = file.slice_with_length(LEN, nodes_len);
    let exact = file.slice_with_length(nodes_end, rows * 64);
    let index = IndexView::new(rows, place(40), nodes, exact).ok_or(short)?;
    Ok(IndexFile {
        covers: Version(whole(32)),
        arrow_crc: crc(12),
        arrow_len: whole(16),
        rows,
        open_bounds: Bounds3 { min: place(64), max: place(88) },
        index,
        by_id: ScalarBuffer::new(file.slice_with_length(nodes_end + rows * 64, rows * 4), 0, rows),
    })
}
