//! Colours that attributes give, for clients that draw `COLOR_0`: pipe classes as CJJ 61-2017 appendix B has
//! them, land uses by their code, buildings by their use.

use crate::content::{FeatureTable, Role};
use std::collections::BTreeMap;

/// sRGB byte → linear 0..1, as glTF wants factors and vertex colours.
pub(super) fn linear(srgb: u8) -> f32 {
    let c = f32::from(srgb) / 255.0;
    if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
}

fn linear_byte(srgb: u8) -> u8 {
    (linear(srgb) * 255.0).round() as u8
}

/// One linear RGBA for each row of the table; `None` when the role has no colour attribute there.
pub(super) fn rows(role: Role, table: &FeatureTable) -> Option<Vec<[u8; 4]>> {
    let (column, of): (&str, BTreeMap<&str, [u8; 3]>) = match role {
        Role::Pipe => ("class", read(include_str!("../../../../data/codes/pipe-classes.csv"), 1)),
        Role::Parcel => ("land_use", read(include_str!("../../../../data/codes/landuse-2023.csv"), 0)),
        Role::Wall | Role::Massing => ("use", uses()),
        _ => return None,
    };
    let values = table.columns.get(column)?;
    let plain = super::dress(role).0;
    let rows = (0..table.ids.len()).map(|row| {
        let code = values.text(row).unwrap_or("");
        // A code without a colour of its own takes its parent's: 070102 → 0701 → 07.
        let rgb = (0..=code.len()).rev().filter_map(|n| code.get(..n)).find_map(|c| of.get(c)).copied();
        let rgb = rgb.unwrap_or([plain[0], plain[1], plain[2]]).map(linear_byte);
        [rgb[0], rgb[1], rgb[2], 255]
    });
    Some(rows.collect())
}

/// A table with a heading, the code in one column and red, green, blue in the last three.
fn read(text: &'static str, code: usize) -> BTreeMap<&'static str, [u8; 3]> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let rgb: Vec<u8> = cells.get(cells.len().checked_sub(3)?..)?.iter().filter_map(|c| c.parse().ok()).collect();
            Some((*cells.get(code)?, <[u8; 3]>::try_from(rgb).ok()?))
        })
        .filter(|(code, _)| !code.is_empty())
        .collect()
}

fn uses() -> BTreeMap<&'static str, [u8; 3]> {
    BTreeMap::from([
        ("residential", [222, 206, 178]),
        ("office", [178, 194, 206]),
        ("commercial", [214, 176, 150]),
        ("industrial", [182, 184, 176]),
        ("school", [216, 178, 150]),
        ("hospital", [226, 224, 220]),
        ("public", [204, 192, 200]),
        ("utility", [172, 172, 160]),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Column;

    #[test]
    fn classes_and_land_uses_have_their_colours_and_children_their_parents() {
        let table = |name: &str, v: &[&str]| FeatureTable {
            ids: v.iter().map(|s| (*s).to_owned()).collect(),
            columns: BTreeMap::from([(name.to_owned(), Column::Text(v.iter().map(|s| (*s).to_owned()).collect()))]),
            ..FeatureTable::default()
        };
        let pipes = rows(Role::Pipe, &table("class", &["JS", "DL", "??"])).expect("there is a class");
        assert_eq!(pipes[..2], [[0, 255, 255, 255], [255, 0, 0, 255]]);
        let land = rows(Role::Parcel, &table("land_use", &["09", "0901", "090104"])).expect("there is a code");
        assert_eq!(land, [[255, 0, 0, 255]; 3]);
        assert!(rows(Role::Pipe, &table("kind", &["JS"])).is_none() && rows(Role::Road, &table("class", &["local"])).is_none());
    }
}
