//! A tile's features as a picture of numbers: two texels each, read in the vertex stage of every backend.

use strata_tiles::content::{Column, FeatureTable};

/// Texels in a row of the picture.
pub const WIDTH: u32 = 1024;

/// Codes of `use`, `class`, `species` and `kind` as the shaders know them; 0 is anything else.
fn kind(table: &FeatureTable, row: usize) -> u32 {
    let text = |name: &str| table.columns.get(name).and_then(|c| c.text(row));
    if let Some(used) = text("use") {
        let uses = ["residential", "office", "commercial", "industrial", "school", "hospital", "public", "utility"];
        return uses.iter().position(|u| *u == used).map_or(0, |i| i as u32 + 1);
    }
    if let Some(class) = text("class").filter(|_| table.columns.contains_key("subclass")) {
        return crate::legend::class_number(class, text("subclass").unwrap_or(""));
    }
    if let Some(species) = text("species") {
        return match species {
            "pine" => 2,
            "willow" => 3,
            _ => 1,
        };
    }
    0
}

fn roof(table: &FeatureTable, row: usize) -> u32 {
    match table.columns.get("roof").and_then(|c| c.text(row)) {
        Some("gable") => 1,
        Some("hip") => 2,
        Some("saw") => 3,
        _ => 0,
    }
}

/// FNV-1a of an identity: the same face for the same house on every machine.
fn hash(id: &str) -> u32 {
    id.bytes().fold(0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

fn colour(table: &FeatureTable, row: usize) -> u32 {
    let text = |name: &str| table.columns.get(name).and_then(|c| c.text(row)).unwrap_or_default();
    let control = crate::legend::CONTROL_LINES.iter().find(|l| l.0 == text("kind"));
    let rgb = match control {
        Some(line) => line.1,
        None if table.columns.contains_key("land_use") => land_use(text("land_use")),
        None => pipe_class(text("class"), text("subclass")),
    };
    u32::from_le_bytes([rgb[0], rgb[1], rgb[2], 255])
}

/// Statutory colours of the land-use codes; a child without one of its own takes its parent's.
pub(crate) fn land_use(code: &str) -> [u8; 3] {
    let table = include_str!("../../../data/codes/landuse-2023.csv");
    let find = |code: &str| {
        table.lines().skip(1).find_map(|l| {
            let cells: Vec<&str> = l.split(',').collect();
            let rgb = [cells.get(2)?, cells.get(3)?, cells.get(4)?].map(|c| c.trim().parse::<u8>().ok());
            (cells[0] == code).then_some([rgb[0]?, rgb[1]?, rgb[2]?])
        })
    };
    (2..=code.len()).rev().filter_map(|n| code.get(..n)).find_map(find).unwrap_or([238; 3])
}

/// CJJ 61-2017 appendix B; the three drains share a hue and differ in lightness.
pub(crate) fn pipe_class(class: &str, subclass: &str) -> [u8; 3] {
    match (class, subclass) {
        ("JS", _) => [0, 255, 255],
        ("PS", "HS") => [0x63, 0x4a, 0x31],
        ("PS", "YS") => [0x7a, 0x5c, 0x3d],
        ("PS", _) => [0x4c, 0x39, 0x26],
        ("RQ", _) => [255, 0, 255],
        ("RL", _) => [255, 128, 0],
        ("DL", _) => [255, 0, 0],
        ("TX", _) => [0, 255, 0],
        ("GY", _) => [0, 0, 0],
        ("QT", "ZH") => [0, 0, 0],
        ("QT", _) => [102, 0, 204],
        _ => [150, 150, 150],
    }
}

/// The picture's bytes (Rgba32Uint, row by row) and its height; at least one row.
pub fn picture(table: &FeatureTable) -> (Vec<u32>, u32) {
    let n = table.ids.len().max(1);
    let height = (2 * n as u32).div_ceil(WIDTH).max(1);
    let mut out = vec![0u32; (WIDTH * height * 4) as usize];
    let number = |name: &str, row: usize| table.columns.get(name).and_then(|c: &Column| c.number(row));
    for row in 0..n {
        let day = |days: &[i32], open: i32| days.get(row).copied().unwrap_or(open) as u32;
        let id = table.ids.get(row).map_or("", String::as_str);
        let seed = number("seed", row).map_or_else(|| hash(id), |s| s as i64 as u32);
        let floors = number("floors", row).unwrap_or(1.0).clamp(0.0, 65_535.0) as u32;
        let year = number("year_built", row).unwrap_or(2000.0) as i32;
        let flow = match number("flow_dir", row) {
            Some(0.0) => 1,
            Some(1.0) => 2,
            _ => 0,
        };
        let abandoned = if number("status", row) == Some(1.0) { 4 } else { 0 };
        let flat_sided = if table.columns.get("shape").and_then(|c| c.text(row)) == Some("rect") { 64 } else { 0 };
        let texels = [
            day(&table.valid_from_day, i32::MIN),
            day(&table.valid_to_day, i32::MAX),
            seed,
            colour(table, row),
            kind(table, row) | roof(table, row) << 8 | floors << 16,
            year as u32,
            (number("height_m", row).unwrap_or(0.0) as f32).to_bits(),
            flow | abandoned | flat_sided,
        ];
        out[row * 8..row * 8 + 8].copy_from_slice(&texels);
    }
    (out, height)
}
