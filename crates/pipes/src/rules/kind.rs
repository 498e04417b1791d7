//! What a rule must know of a body: its rows in the table of the plan and its columns in the table of crossings.

use super::{gas_classes, laying_code};
use crate::pipe::{Class, Pipe};
use serde::Serialize;

/// Rows and columns of the plan table (GB 50289-2016 table 4.1.9). The first sixteen are rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Row {
    Bld,
    W200,
    Wl,
    Sd,
    Rw,
    Gl,
    Gmb,
    Gma,
    Gsb,
    Gsa,
    Ht,
    Pd,
    Pc,
    Td,
    Tc,
    Ut,
    Tree,
    Shrub,
    Pole,
    T35,
    T35p,
    Kerb,
    Tram,
    Rail,
}

impl Row {
    pub const ALL: [Self; 24] = {
        use Row::*;
        [Bld, W200, Wl, Sd, Rw, Gl, Gmb, Gma, Gsb, Gsa, Ht, Pd, Pc, Td, Tc, Ut, Tree, Shrub, Pole, T35, T35p, Kerb, Tram, Rail]
    };
    pub fn code(self) -> &'static str {
        [
            "BLD", "W200", "WL", "SD", "RW", "GL", "GMB", "GMA", "GSB", "GSA", "HT", "PD", "PC", "TD", "TC", "UT", "TREE", "SHRUB", "POLE",
            "T35", "T35P", "KERB", "TRAM", "RAIL",
        ][self as usize]
    }
    pub(super) fn is_power(self) -> bool {
        matches!(self, Self::Pd | Self::Pc)
    }
    fn is_gas(self) -> bool {
        matches!(self, Self::Gl | Self::Gmb | Self::Gma | Self::Gsb | Self::Gsa)
    }
}

/// Pressure classes of gas (GB 50028), rising.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Gas {
    L,
    Mb,
    Ma,
    Shb,
    Sha,
    Hb,
    Ha,
}

const GASES: [(Gas, &str, Option<Row>); 7] = [
    (Gas::L, "L", Some(Row::Gl)),
    (Gas::Mb, "MB", Some(Row::Gmb)),
    (Gas::Ma, "MA", Some(Row::Gma)),
    (Gas::Shb, "SHB", Some(Row::Gsb)),
    (Gas::Sha, "SHA", Some(Row::Gsa)),
    (Gas::Hb, "HB", None),
    (Gas::Ha, "HA", None),
];

impl Gas {
    pub fn code(self) -> &'static str {
        GASES[self as usize].1
    }
    pub(super) fn parse_code(code: &str) -> Option<Self> {
        GASES.iter().find(|g| g.1 == code).map(|g| g.0)
    }
}

/// All that a clearance rule needs to know of a body. Small, so that a million pipes have a few dozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind {
    /// Rows of the plan table that may hold, one bit each; none: the table does not know it.
    pub(super) rows: u32,
    /// Columns of the crossing table that may hold.
    pub(super) crossing: u16,
    /// DN at most 300; `None`: not known.
    pub(super) small: Option<bool>,
    /// 35 kV and more; `None`: not known.
    pub(super) high_voltage: Option<bool>,
    pub class: Option<Class>,
}

impl Kind {
    /// A thing that is no pipe: building, tree, kerb, rail.
    pub fn of_row(row: Row) -> Self {
        let crossing = match row {
            Row::Rail => 1 << RAIL_BOTTOM,
            Row::Tram => 1 << TRAM_BOTTOM,
            _ => 0,
        };
        Self { rows: 1 << row as u8, crossing, small: None, high_voltage: None, class: None }
    }

    pub fn of_pipe(p: &Pipe) -> Self {
        use Row::*;
        let laid = p.embed.as_deref().map(laying_code);
        let trench = matches!(laid, Some("GG" | "XTD" | "ZH" | "RF"));
        // Cables: laid bare in the ground, or in something.
        let cable = |direct: Row, duct: Row| match laid {
            _ if trench => vec![Ut],
            Some("ZM") => vec![direct],
            Some("GM" | "GK" | "DG" | "SX") => vec![duct],
            _ => vec![direct, duct],
        };
        let rows: Vec<Row> = match p.class {
            Class::Js if is_reclaimed(p) => vec![Rw],
            Class::Js => match p.dn_mm {
                Some(dn) if dn <= 200.0 => vec![W200],
                Some(_) => vec![Wl],
                None => vec![W200, Wl],
            },
            Class::Ps => vec![Sd],
            Class::Rq => gas_classes(p.pressure.as_deref()).into_iter().filter_map(|g| GASES[g as usize].2).collect(),
            Class::Rl if trench => vec![Ut],
            Class::Rl => vec![Ht],
            Class::Dl => cable(Pd, Pc),
            Class::Tx => cable(Td, Tc),
            Class::Qt if p.subclass.eq_ignore_ascii_case("ZH") || trench => vec![Ut],
            Class::Gy | Class::Qt => Vec::new(),
        };
        let crossing = rows.iter().fold(0, |bits, r| bits | crossing_of(*r).map_or(0, |c| 1 << c));
        Self {
            rows: rows.iter().fold(0, |bits, r| bits | 1 << *r as u8),
            crossing,
            small: p.dn_mm.map(|dn| dn <= 300.0),
            high_voltage: p.voltage_kv.map(|kv| kv >= 35.0),
            class: Some(p.class),
        }
    }

    /// Codes of the rows that may hold, joined by `|`; empty for what the table does not know.
    pub fn codes(&self) -> String {
        self.each_row().map(Row::code).collect::<Vec<_>>().join("|")
    }
    pub(super) fn each_row(self) -> impl Iterator<Item = Row> {
        Row::ALL.into_iter().filter(move |r| self.rows >> *r as u8 & 1 == 1)
    }
}

/// 再生水 is its own column in GB 50289 and a subclass of water in CJJ 61.
pub(super) fn is_reclaimed(p: &Pipe) -> bool {
    p.class == Class::Js && p.subclass.eq_ignore_ascii_case("ZS")
}

/// Columns of the crossing table, then the things that have a row only.
pub(super) const CROSSINGS: [&str; 13] =
    ["W", "SD", "HT", "G", "TD", "TC", "PD", "PC", "RW", "TRENCH", "CULVERT_BASE", "TRAM_RAIL_BOTTOM", "RAIL_BOTTOM"];
const TRENCH: u8 = 9;
const TRAM_BOTTOM: u8 = 11;
const RAIL_BOTTOM: u8 = 12;

fn crossing_of(row: Row) -> Option<u8> {
    Some(match row {
        Row::W200 | Row::Wl => 0,
        Row::Sd => 1,
        Row::Ht => 2,
        r if r.is_gas() => 3,
        Row::Td => 4,
        Row::Tc => 5,
        Row::Pd => 6,
        Row::Pc => 7,
        Row::Rw => 8,
        Row::Ut => TRENCH,
        _ => return None,
    })
}
