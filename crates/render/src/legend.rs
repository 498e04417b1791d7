//! What the colours of a picture mean: swatches as they are drawn, with code and both names.

use crate::Look;
use serde::Serialize;
use std::collections::BTreeSet;
use strata_scene::{Mode, OverlayData, OverlayKind};

pub type Rgb = [u8; 3];

/// The sample beside a name. Colours are those of the finished picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Swatch {
    /// A flat area.
    Area {
        fill: Rgb,
    },
    /// Two colours in stripes.
    Hatch {
        fill: Rgb,
        stripe: Rgb,
    },
    /// Broken into stripes with gaps: what is gone.
    Ghost {
        fill: Rgb,
    },
    /// A tube in its casing with the marks of its class.
    Tube {
        fill: Rgb,
        casing: Rgb,
        marks: Marks,
        planned: bool,
        abandoned: bool,
    },
    Line {
        ink: Rgb,
        width: f32,
        dash: [f32; 2],
    },
    /// Low to high with the values at both ends.
    Ramp {
        colours: Vec<Rgb>,
        ticks: Vec<String>,
    },
    /// A disc with letters.
    Disc {
        fill: Rgb,
        rim: Rgb,
    },
    /// A symbol of an icon layer: disc, triangle, diamond, hexagon, square.
    Symbol {
        fill: Rgb,
        shape: u8,
    },
    /// Points along the way of the flow.
    Chevrons {
        fill: Rgb,
        mark: Rgb,
    },
}

/// The pattern along a tube, so that classes are told apart without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Marks {
    Solid,
    LongDash,
    Ticks,
    DashDot,
    ThreeDots,
    Rings,
    Box,
    Dots,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    pub swatch: Swatch,
    /// Code or letters; empty where there are none.
    pub code: String,
    pub zh: String,
    pub en: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    pub zh: String,
    pub en: String,
    pub entries: Vec<Entry>,
    /// What the colours are of: how many, when, how much of it is known.
    pub notes: Vec<String>,
}

fn entry(swatch: Swatch, code: impl Into<String>, zh: impl Into<String>, en: impl Into<String>) -> Entry {
    Entry { swatch, code: code.into(), zh: zh.into(), en: en.into() }
}

fn section(zh: &str, en: &str, entries: Vec<Entry>) -> Section {
    Section { zh: zh.into(), en: en.into(), entries, notes: Vec::new() }
}

/// sRGB of a land use as it lies on the ground: 70 % over the paper of the map, as `shaders/ground.wgsl` draws it.
pub fn land_use_drawn(code: &str) -> Rgb {
    let swatch = crate::features::land_use(code);
    let paper = [242.0, 239.0, 232.0];
    [0, 1, 2].map(|k| (paper[k] * 0.3 + f32::from(swatch[k]) * 0.7f32).round() as u8)
}

/// Chinese and English name of a land-use code, from the tables of `data/codes`.
pub fn land_use_name(code: &str) -> Option<(&'static str, &'static str)> {
    let row = |table: &'static str| table.lines().skip(1).filter_map(|l| l.split_once(',')).find(|(c, _)| *c == code).map(|(_, n)| n);
    let zh = row(include_str!("../../../data/codes/landuse-2023.csv"))?;
    let zh = zh.split(',').next().unwrap_or(zh).trim_end_matches('*');
    Some((zh, row(include_str!("../../../data/codes/landuse-2023-en.csv")).unwrap_or("")))
}

/// The land uses among these codes, each with the row of the table that colours it.
pub fn land_uses(codes: &BTreeSet<String>) -> Section {
    let rows = codes.iter().filter_map(|code| {
        let (zh, en) = (2..=code.len()).rev().filter_map(|n| code.get(..n)).find_map(land_use_name)?;
        Some(entry(Swatch::Area { fill: land_use_drawn(code) }, code, zh, en))
    });
    section("用地分类", "Land use (2023)", rows.collect())
}

/// Control lines by kind: red lines of streets, green of parks, blue of waters, purple of heritage, yellow of works.
pub const CONTROL_LINES: [(&str, Rgb, &str, &str); 5] = [
    ("red", [215, 38, 61], "道路红线", "Street red line"),
    ("green", [20, 141, 74], "绿线", "Green line"),
    ("blue", [11, 98, 184], "蓝线", "Blue line"),
    ("purple", [107, 63, 176], "紫线", "Purple line"),
    ("yellow", [201, 162, 39], "黄线", "Yellow line"),
];

pub fn control_lines(kinds: &BTreeSet<String>) -> Section {
    let rows = CONTROL_LINES.iter().filter(|l| kinds.contains(l.0));
    let line = |l: &(&str, Rgb, &str, &str)| entry(Swatch::Line { ink: l.1, width: 3.0, dash: [0.0; 2] }, "", l.2, l.3);
    section("规划控制线", "Control lines", rows.map(line).collect())
}

/// Letters, names and marks of the classes, in the order of CJJ 61-2017 appendix B.
const CLASSES: [(&str, &str, &str, &str, Marks); 11] = [
    ("JS", "", "给水", "Water", Marks::Solid),
    ("PS", "WS", "污水", "Foul sewer", Marks::LongDash),
    ("PS", "YS", "雨水", "Storm drain", Marks::LongDash),
    ("PS", "HS", "雨污合流", "Combined sewer", Marks::LongDash),
    ("RQ", "", "燃气", "Gas", Marks::Ticks),
    ("RL", "", "热力", "Heat", Marks::Solid),
    ("DL", "", "电力", "Power", Marks::DashDot),
    ("TX", "", "通信", "Telecom", Marks::ThreeDots),
    ("GY", "", "工业", "Industrial", Marks::Rings),
    ("QT", "ZH", "综合管廊", "Utility tunnel", Marks::Box),
    ("QT", "BM", "不明管线", "Unknown", Marks::Dots),
];

/// Letters of a pipe on labels and covers: the subclass where the class alone does not tell (drains, the rest).
pub fn letters<'a>(class: &'a str, subclass: &'a str) -> &'a str {
    if matches!(class, "PS" | "QT") && !subclass.is_empty() { subclass } else { class }
}

/// Number of a class as the shaders know it; 0 is none of them.
pub(crate) fn class_number(class: &str, subclass: &str) -> u32 {
    let known = |c: &(&str, &str, &str, &str, Marks)| c.0 == class && (c.1.is_empty() || c.1 == subclass);
    CLASSES.iter().position(known).or_else(|| CLASSES.iter().position(|c| c.0 == class)).map_or(0, |i| i as u32 + 1)
}

/// The class and subclass of a number; of none, none.
pub(crate) fn class_of(number: u8) -> (&'static str, &'static str) {
    usize::from(number).checked_sub(1).and_then(|i| CLASSES.get(i)).map_or(("", ""), |c| (c.0, c.1))
}

pub const CASING: Rgb = [38, 48, 58];
pub const CASING_PALE: Rgb = [232, 237, 242];

/// The classes among these pairs of class and subclass.
pub fn pipes(found: &BTreeSet<(String, String)>, look: &Look) -> Section {
    let numbers: BTreeSet<u32> = found.iter().map(|(c, s)| class_number(c, s)).collect();
    let casing = if look.mode == Mode::Below { CASING_PALE } else { CASING };
    let rows = CLASSES.iter().filter(|c| numbers.contains(&class_number(c.0, c.1))).map(|&(class, sub, zh, en, marks)| {
        let fill = crate::features::pipe_class(class, sub);
        let casing = if matches!(class, "PS" | "GY" | "QT") { casing } else { CASING };
        entry(Swatch::Tube { fill, casing, marks, planned: false, abandoned: false }, letters(class, sub), zh, en)
    });
    section("管线 CJJ 61-2017", "Pipes", rows.collect())
}

/// States of two dates compared, with how many buildings are in each.
pub fn states(years: [i32; 2], counts: [usize; 3]) -> Section {
    let [was, now] = years;
    let mut rows = vec![entry(Swatch::Area { fill: [0, 114, 178] }, counts[0].to_string(), "新增", format!("Added since {was}"))];
    if counts[1] > 0 {
        let changed = Swatch::Hatch { fill: [230, 159, 0], stripe: [250, 222, 160] };
        rows.push(entry(changed, counts[1].to_string(), "改变", format!("Changed since {was}")));
    }
    rows.push(entry(Swatch::Ghost { fill: [213, 94, 0] }, counts[2].to_string(), "拆除", format!("Removed by {now}")));
    rows.push(entry(Swatch::Area { fill: [196, 196, 192] }, "", "未变", "Unchanged"));
    section("建筑变化(栋)", "Buildings, all", rows)
}

/// The tints of the ground, lowest first, as `shaders/ground.wgsl` has them.
pub const TINTS: [Rgb; 5] = [[150, 160, 132], [168, 170, 142], [184, 178, 150], [176, 166, 138], [158, 150, 128]];
/// The tints of a terrain picture.
pub const RELIEF_TINTS: [Rgb; 5] = [[122, 158, 118], [172, 190, 134], [222, 208, 152], [200, 164, 116], [168, 128, 100]];

/// Heights above the city's datum, and the contours.
pub fn terrain(heights_m: [f32; 2]) -> Vec<Section> {
    let ticks = (0..5).map(|i| format!("{:.0}", heights_m[0] + (heights_m[1] - heights_m[0]) * i as f32 / 4.0)).collect();
    let ramp = entry(Swatch::Ramp { colours: RELIEF_TINTS.to_vec(), ticks }, "", "高程 m", "Height, 1985 datum");
    let line = |width, zh, en| entry(Swatch::Line { ink: [112, 92, 70], width, dash: [0.0; 2] }, "", zh, en);
    vec![
        section("地形", "Terrain", vec![ramp]),
        section("等高线", "Contours", vec![line(1.2, "首曲线 5 m", "Contour, 5 m"), line(2.6, "计曲线 25 m", "Index contour, 25 m")]),
    ]
}

/// What the underground pictures have beside pipes, or the earth that a section opens.
pub fn underground(look: &Look) -> Section {
    let (mode, dim) = (look.mode, look.dim);
    let earth = || {
        [
            entry(Swatch::Line { ink: [11, 98, 184], width: 3.0, dash: [9.0, 6.0] }, "", "冻深 1.69 m", "Frost line"),
            entry(Swatch::Hatch { fill: [206, 180, 144], stripe: [166, 142, 112] }, "", "开挖土壁", "Earth wall"),
        ]
    };
    if mode == Mode::Surface {
        return section("地下", "Underground", if look.section.is_some() { earth().into() } else { Vec::new() });
    }
    let mut rows = vec![
        entry(Swatch::Chevrons { fill: [122, 92, 61], mark: CASING_PALE }, "", "流向", "Flow direction"),
        entry(Swatch::Disc { fill: [236, 238, 240], rim: CASING }, "", "井盖与井筒", "Cover and shaft"),
    ];
    match mode {
        Mode::Xray => {
            // A storm drain in 0 and in 6 m, as `shaders/underground.wgsl` fades it into the ground.
            let (drain, ground) = (crate::features::pipe_class("PS", "WS"), if dim { [16.0, 20.0, 26.0] } else { [217.0, 211.0, 199.0] });
            let faded = [0, 1, 2].map(|k| (ground[k] * 0.45 + f32::from(drain[k]) * 0.55f32).round() as u8);
            let ticks = vec!["0".into(), "3".into(), "6 m".into()];
            rows.push(entry(Swatch::Ramp { colours: vec![drain, faded], ticks }, "", "埋深愈大愈淡", "Fainter with depth"));
        }
        Mode::Cutaway => rows.extend(earth()),
        Mode::Below => {
            rows.push(entry(
                Swatch::Line { ink: [150, 158, 166], width: 1.6, dash: [0.0; 2] },
                "",
                "地面网格 10 m",
                "Grid at ground, 10 m",
            ));
        }
        Mode::Surface => {}
    }
    section("地下", "Underground", rows)
}

/// No data: hatched, as `shaders/overlay.wgsl` has it.
const NO_DATA: Swatch = Swatch::Hatch { fill: [214, 217, 220], stripe: [148, 156, 164] };

/// An application layer with its unit, how many features, of when, and how much of them is known.
pub fn overlay(data: &OverlayData) -> Section {
    let o = &data.overlay;
    let icon = o.kind == OverlayKind::Icon;
    let line = matches!(o.kind, OverlayKind::Arc | OverlayKind::Track);
    let sample = |fill: Rgb, k: usize| match (icon, line) {
        (true, _) => Swatch::Symbol { fill, shape: (k % 5) as u8 },
        (_, true) => Swatch::Line { ink: fill, width: o.width_px, dash: [0.0; 2] },
        _ => Swatch::Area { fill },
    };
    let mut rows = Vec::new();
    let categories = data.categories();
    if !categories.is_empty() {
        rows.extend(
            categories.iter().enumerate().map(|(k, (name, fill, n))| entry(sample(*fill, k), "", name.clone(), format!("n = {n}"))),
        );
    } else if o.kind == OverlayKind::Isochrone && data.steps().len() <= 8 {
        for v in data.steps() {
            let text = format!("≤ {} {}", crate::overlay::figure(v), o.unit);
            rows.push(entry(sample(data.colour(Some(v), "").unwrap_or([0; 3]), 0), "", text, o.title.en.clone()));
        }
    } else if data.ramped() {
        let [low, high] = data.domain();
        let ticks = (0..5).map(|i| crate::overlay::figure(low + (high - low) * f64::from(i) / 4.0)).collect();
        rows.push(entry(Swatch::Ramp { colours: strata_scene::overlay::CIVIDIS.to_vec(), ticks }, "", o.unit.clone(), ""));
    } else {
        rows.push(entry(
            sample(data.colour(None, "").unwrap_or(strata_scene::overlay::PLAIN), 0),
            "",
            o.title.zh.clone(),
            o.title.en.clone(),
        ));
    }
    let (all, known) = data.coverage();
    let mut notes =
        vec![format!("n = {known} / {all} · 覆盖 coverage {:.1} %", if all > 0 { known as f64 * 100.0 / all as f64 } else { 0.0 })];
    let empty = match o.cell_m.and_then(|_| data.grid(None)) {
        Some(grid) => {
            let with = grid.cells.iter().filter(|c| c.value.is_some()).count();
            let cells = if o.kind == OverlayKind::Heat { format!("{with} / {}", grid.cells.len()) } else { with.to_string() };
            notes.push(format!("格网 grid {} m · 有值 with data {cells}", crate::overlay::figure(grid.cell_m)));
            o.kind == OverlayKind::Heat && with < grid.cells.len()
        }
        None => o.value.is_some() && !icon && !line && known < all,
    };
    if empty {
        rows.push(entry(NO_DATA, "", "无数据", "No data (not zero)"));
    }
    if matches!(o.kind, OverlayKind::Column | OverlayKind::Area) {
        let of = crate::overlay::figure(100.0 / o.metres_per_unit);
        notes.push(format!("零起点 from zero · 100 m = {of} {}", o.unit));
    }
    if !o.time.is_empty() {
        notes.push(format!("时间 time {}", o.time));
    }
    Section { notes, ..section(&o.title.zh, &o.title.en, rows) }
}

/// Lit windows by use at the hour of the look.
pub fn windows(look: &Look) -> Section {
    let [homes, offices, shops, others] = look.windows();
    let share = |v: f32| format!("{:.0} %", v * 100.0);
    let lamp = |fill, v, zh: &str, en: &str| entry(Swatch::Area { fill }, share(v), zh, en);
    let rows = vec![
        lamp([255, 214, 163], homes, "住宅", "Homes"),
        lamp([255, 241, 220], offices, "办公", "Offices"),
        lamp([255, 232, 200], shops, "商业", "Shops"),
        lamp([240, 244, 255], others, "其他", "Other uses"),
    ];
    section("亮窗比例", "Lit windows", rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_land_use_has_both_names_and_its_drawn_colour() {
        let table = include_str!("../../../data/codes/landuse-2023.csv");
        let codes: BTreeSet<String> = table.lines().skip(1).filter_map(|l| l.split(',').next()).map(str::to_owned).collect();
        let section = land_uses(&codes);
        assert_eq!(section.entries.len(), codes.len());
        for e in &section.entries {
            assert!(!e.zh.is_empty() && !e.en.is_empty() && !e.zh.contains('*'), "{e:?}");
        }
        // 城镇住宅用地 is 255, 255, 45: 0.7 of it and 0.3 of the paper's 242, 239, 232, by hand.
        assert_eq!(land_use_drawn("0701"), [251, 250, 101]);
        assert_eq!(land_use_drawn("070102"), [251, 250, 101], "a child takes its parent's colour");
    }

    #[test]
    fn pipes_are_lettered_as_the_standard_has_them() {
        assert_eq!([letters("PS", "YS"), letters("JS", "PS"), letters("QT", "ZH"), letters("RL", "RS")], ["YS", "JS", "ZH", "RL"]);
        // Each code of the standard's table has a number of its own class.
        for line in include_str!("../../../data/codes/pipe-classes.csv").lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let number = class_number(cells[1], cells[4].split('/').next().unwrap_or(""));
            assert_eq!(CLASSES[number as usize - 1].0, cells[1], "{line}");
        }
    }
}
