//! A cross-section on paper: A3 lying when it fits at a usual scale.

use super::{Cross, spacing};
use crate::{
    drawing::{Anchor, BLACK, BLUE, BROWN, DANGER, Drawing, GREY, colour, pen, spread, usual_scale, usual_scales},
    pipe::{Pipe, Section},
};

const LEFT_MM: f64 = 24.0;
const RIGHT_MM: f64 = 16.0;
const ROW_MM: f64 = 9.0;
/// Above the highest ground: names of the pipes, written upwards.
const LABELS_MM: f64 = 58.0;
const WIDE_MM: f64 = 420.0;

/// `JS DN300 球墨铸铁`, or the outer size of a duct.
pub(crate) fn label(p: &Pipe) -> String {
    let class = if p.subclass.is_empty() || p.subclass == p.class.letters() {
        p.class.letters().to_owned()
    } else {
        format!("{}/{}", p.class.letters(), p.subclass)
    };
    let size = match (p.section, p.dn_mm) {
        (Section::Rect { width_m, height_m }, _) => format!("{:.0}×{:.0}", width_m * 1e3, height_m * 1e3),
        (_, Some(dn)) => format!("DN{dn:.0}"),
        (Section::Round { outer_diameter_m }, None) if !p.size_assumed => format!("OD{:.0}", outer_diameter_m * 1e3),
        _ => "DN?".into(),
    };
    [class, size, p.material.clone().unwrap_or_default()].join(" ").trim_end().to_owned()
}

pub(super) fn draw(c: &Cross, frost_m: f64, exaggeration: f64, title: &str, paper: Option<[f64; 2]>) -> Drawing {
    let heights = c.cuts.iter().flat_map(|c| c.outline.iter().map(|p| p[1])).chain(c.ground.iter().flatten().map(|p| p[1]));
    let (lo, hi) = heights.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), z| (lo.min(z), hi.max(z)));
    let (lo, hi) = if lo.is_finite() { ((lo - 0.5).floor(), (hi + 0.3).ceil()) } else { (0.0, 5.0) };
    let wide = paper.map_or(WIDE_MM, |p| p[0]);
    let mut scale = usual_scale(c.length_m.max(1.0), wide - LEFT_MM - RIGHT_MM);
    if let Some([_, high]) = paper {
        // What stands above and below the ground takes its room whatever the scale.
        let fits = |s: f64| 16.0 + LABELS_MM + (hi - lo) * 1000.0 / s * exaggeration + 4.0 * ROW_MM + 22.0 <= high;
        scale = usual_scales().find(|s| *s >= scale && fits(*s)).unwrap_or(scale);
    }
    let k = 1000.0 / scale;
    let tall = (hi - lo) * k * exaggeration;
    let width = (LEFT_MM + RIGHT_MM + c.length_m * k).max(wide.min(180.0));
    let base = 16.0 + LABELS_MM + tall;
    let rows = 4.0;
    let height = base + rows * ROW_MM + 22.0;
    let mut d = Drawing::new([width, height], scale, exaggeration, [LEFT_MM, base], [0.0, lo]);
    let right = LEFT_MM + c.length_m * k;

    // Frame of heights.
    d.text("TITLE", BLACK, [width / 2.0, 10.0], 5.0, Anchor::Middle, title);
    // Figures of 2.5 mm stand clear of each other, on whole multiples of the step.
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|s| s * k * exaggeration >= 4.0).unwrap_or(20.0);
    let mut z = (lo / step).ceil() * step;
    while z <= hi + 1e-9 {
        let y = d.at(0.0, z)[1];
        d.line("GRID", pen(GREY, 0.08), vec![[LEFT_MM, y], [right, y]]);
        d.text("GRID", BLACK, [LEFT_MM - 1.5, y + 0.9], 2.5, Anchor::End, format!("{z:.1}"));
        z += step;
    }
    d.line("GRID", pen(BLACK, 0.25), vec![[LEFT_MM, base - tall], [LEFT_MM, base], [right, base]]);

    // Ground, frost, streets, houses.
    for piece in &c.ground {
        let line: Vec<[f64; 2]> = piece.iter().map(|p| d.at(p[0], p[1])).collect();
        let cold: Vec<[f64; 2]> = piece.iter().map(|p| d.at(p[0], p[1] - frost_m)).collect();
        if let Some(p) = cold.last() {
            // Beside the line, where no pipe and no kerb stands.
            d.text("FROST", BLUE, [p[0] + 0.8, p[1] + 0.8], 2.1, Anchor::Start, format!("冻深 {frost_m:.2} m"));
        }
        d.line("FROST", pen(BLUE, 0.18).dashed(), cold);
        d.line("GROUND", pen(BROWN, 0.5), line);
    }
    let ground_at = |s: f64| {
        c.ground.iter().find_map(|l| {
            l.windows(2)
                .find(|w| w[0][0] <= s && s <= w[1][0])
                .map(|w| w[0][1] + (w[1][1] - w[0][1]) * (s - w[0][0]) / (w[1][0] - w[0][0]).max(1e-9))
        })
    };
    for w in &c.carriageways {
        for (s, inside) in [(w.from_m, 1.0), (w.to_m, -1.0)] {
            if let Some(z) = ground_at(s) {
                let [x, y] = d.at(s, z);
                d.line("KERB", pen(BLACK, 0.4), vec![[x, y + 1.5], [x, y - 1.5], [x - 1.5 * inside, y - 1.5]]);
            }
        }
        // Its name over the ground, between the leaders.
        let name = if w.name.is_empty() { "车行道" } else { &w.name };
        let half = name.chars().count() as f64 * 1.25 + 0.8;
        let at = |share: f64| w.from_m + (w.to_m - w.from_m) * share;
        let free = |s: &f64| c.cuts.iter().all(|cut| ((cut.station_m - s) * k).abs() > half);
        let middle = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8].map(at).into_iter().find(free).unwrap_or_else(|| at(0.5));
        if let Some(z) = ground_at(middle) {
            let [x, y] = d.at(middle, z);
            d.text("KERB", BLACK, [x, y - 1.2], 2.5, Anchor::Middle, name);
        }
    }
    for b in &c.buildings {
        let Some(z) = b.base_m.or_else(|| ground_at(b.from_m)) else { continue };
        let (a, e) = (d.at(b.from_m, z), d.at(b.to_m, z));
        // As far as the paper has room: the labels stand there too.
        let up = (b.height_m.unwrap_or(3.0) * k * exaggeration).clamp(2.0, LABELS_MM - 8.0);
        d.polygon("BUILDING", pen(BLACK, 0.35).filled([236, 233, 226]), vec![a, e, [e[0], e[1] - up], [a[0], a[1] - up]]);
        d.text("BUILDING", BLACK, [(a[0] + e[0]) / 2.0, a[1] - up / 2.0], 2.5, Anchor::Middle, b.name.as_str());
    }
    for (s, kind) in &c.control_lines {
        let x = d.at(*s, lo)[0];
        let ink = if kind == "red" { DANGER } else { GREY };
        d.line("CONTROL_LINE", pen(ink, 0.25).dashed(), vec![[x, base - tall - 6.0], [x, base]]);
        d.text("CONTROL_LINE", ink, [x, base - tall - 7.0], 2.3, Anchor::Middle, if kind == "red" { "红线" } else { kind.as_str() });
    }

    // Pipes with casing, letters and a leader to the name.
    let xs: Vec<f64> = c.cuts.iter().map(|cut| d.at(cut.station_m, lo)[0]).collect();
    let places = spread(&xs, 4.2);
    let top = base - tall - 2.0;
    for ((cut, x), place) in c.cuts.iter().zip(&xs).zip(&places) {
        let p = &c.pipes[cut.pipe as usize];
        let layer = p.class.letters();
        let casing = if cut.projected_m.is_some() { pen(BLACK, 0.2).dashed() } else { pen(BLACK, 0.3) };
        let casing = casing.filled(colour(p.class));
        let round = cut.semi_axes_m.is_some_and(|s| s[1] / s[0] < 1.0001) && exaggeration == 1.0;
        let centre = d.at(cut.station_m, cut.axis_m);
        if let (true, Some([r, _])) = (round, cut.semi_axes_m) {
            d.circle(layer, casing, centre, (r * k).max(0.4));
        } else {
            let outline = cut.outline.iter().map(|q| d.at(q[0], q[1])).collect();
            d.polygon(layer, casing, outline);
        }
        let upper = d.at(cut.station_m, cut.top_m())[1];
        d.line("LEADER", pen(GREY, 0.1), vec![[*x, upper], [*x, top], [*place, top - 3.0]]);
        let cover = cut.ground_m.map_or(String::new(), |g| format!(" 覆土{:.2}", g - cut.top_m()));
        d.turned_text(layer, BLACK, [*place + 0.9, top - 4.0], 2.5, Anchor::Start, 90.0, format!("{}{cover}", label(p)));
    }
    rows_below(&mut d, c, &xs, &places, base, right);
    footer(&mut d, scale, exaggeration, c.synthetic, [width, height]);
    d
}

/// Chain of spacings and heights under the drawing.
fn rows_below(d: &mut Drawing, c: &Cross, xs: &[f64], places: &[f64], base: f64, right: f64) {
    let heads = ["间距 m", "净距 m", "管顶 m", "桩号 m"];
    for (i, head) in heads.iter().enumerate() {
        let y = base + 6.0 + ROW_MM * i as f64;
        d.text("TABLE", BLACK, [LEFT_MM - 1.5, y + 6.0], 2.5, Anchor::End, *head);
        d.line("TABLE", pen(BLACK, 0.12), vec![[2.0, y + ROW_MM], [right, y + ROW_MM]]);
    }
    d.line("TABLE", pen(BLACK, 0.12), vec![[2.0, base + 6.0], [right, base + 6.0]]);
    for (i, (centres, clear)) in spacing(&c.cuts).into_iter().enumerate() {
        let (a, b) = (xs[i], xs[i + 1]);
        let middle = (a + b) / 2.0;
        // Too narrow for figures that lie: they stand.
        let turned = if b - a < 7.0 { 90.0 } else { 0.0 };
        let shift = if turned > 0.0 { [0.8, 7.5] } else { [0.0, 6.0] };
        let anchor = if turned > 0.0 { Anchor::Start } else { Anchor::Middle };
        if b - a >= 2.2 {
            for (row, v) in [(0.0, centres), (1.0, clear)] {
                let ink = if row > 0.0 && v < 0.0 { DANGER } else { BLACK };
                d.turned_text(
                    "DIMENSION",
                    ink,
                    [middle + shift[0], base + 6.0 + row * ROW_MM + shift[1]],
                    2.2,
                    anchor,
                    turned,
                    format!("{v:.2}"),
                );
            }
        }
    }
    for x in xs {
        d.line("DIMENSION", pen(BLACK, 0.12), vec![[*x, base + 6.0], [*x, base + 6.0 + 2.0 * ROW_MM]]);
    }
    for (cut, place) in c.cuts.iter().zip(places) {
        for (row, v) in [(2.0, cut.top_m()), (3.0, cut.station_m)] {
            let y = base + 6.0 + (row + 1.0) * ROW_MM - 0.8;
            d.turned_text("TABLE", BLACK, [*place + 0.8, y], 2.1, Anchor::Start, 90.0, format!("{v:.2}"));
        }
    }
}

/// Scale, datum, what the drawing is made of.
pub(crate) fn footer(d: &mut Drawing, scale: f64, exaggeration: f64, synthetic: bool, size: [f64; 2]) {
    let y = size[1] - 4.0;
    let heights = if exaggeration == 1.0 { "竖横同比".to_owned() } else { format!("竖向 1:{:.0}", scale / exaggeration) };
    d.text("TITLE", BLACK, [2.0, y], 2.8, Anchor::Start, format!("比例 1:{scale:.0} · {heights} · 高程 m, 1985 国家高程基准"));
    if synthetic {
        d.text("TITLE", DANGER, [size[0] - 4.0, y], 2.8, Anchor::End, "合成数据 SYNTHETIC");
    }
    d.polygon("TITLE", pen(BLACK, 0.3), vec![[1.0, 1.0], [size[0] - 1.0, 1.0], [size[0] - 1.0, size[1] - 1.0], [1.0, size[1] - 1.0]]);
    // A bar of whole metres that stays true when the print does not.
    let metres = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0].into_iter().rfind(|m| m * 1000.0 / scale <= 50.0).unwrap_or(1.0);
    let x = size[0] / 2.0;
    let to = x + metres * 1000.0 / scale;
    d.line("TITLE", pen(BLACK, 0.4), vec![[x, y - 1.5], [x, y], [to, y], [to, y - 1.5]]);
    d.text("TITLE", BLACK, [to + 1.5, y], 2.5, Anchor::Start, format!("{metres:.0} m"));
}
