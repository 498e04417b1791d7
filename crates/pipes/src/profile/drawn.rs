//! A long profile on paper, with the table under it.

use super::{Profile, Ring};
use crate::{
    drawing::{Anchor, BLACK, BROWN, DANGER, Drawing, GREY, colour, pen, spread, usual_scale},
    section::{footer, label},
};

const LEFT_MM: f64 = 36.0;
const ROW_MM: f64 = 11.0;
/// Above the drawing, at least: the title and the names of crossing pipes, written upwards.
const LABELS_MM: f64 = 46.0;
/// Of that, what stands over and under the names.
const AROUND_NAMES_MM: f64 = 20.0;
const NAME_MM: f64 = 2.0;

/// About as long as a name is written: a Chinese character is as wide as high, others are a little wider than half.
fn written_mm(name: &str) -> f64 {
    name.chars().map(|c| if c.is_ascii() { 0.58 * NAME_MM } else { NAME_MM }).sum()
}
const HEADS: [&str; 7] = ["点号", "桩号 m", "地面 m", "管顶 m", "管底 m", "坡度 ‰ / 长 m", "规格"];

pub(super) fn draw(p: &Profile, exaggeration: f64, title: &str, paper: Option<[f64; 2]>) -> Drawing {
    let length = p.runs.last().map_or(1.0, |r| r.station_m[1]).max(1.0);
    let scale = usual_scale(length, paper.map_or(800.0, |s| s[0] - LEFT_MM - 14.0));
    let k = 1000.0 / scale;
    let heights = p.runs.iter().flat_map(|r| r.top_m.into_iter().chain(r.invert_m)).chain(p.ground.iter().flatten().map(|g| g[1]));
    let (lo, hi) =
        heights.chain(p.rings.iter().map(|r| r.axis_m)).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), z| (l.min(z), h.max(z)));
    let (lo, hi) = ((lo - 1.0).floor(), (hi + 1.0).ceil());
    let name = |r: &Ring| format!("{} 净{:.2}", label(&p.others[r.pipe as usize]), r.clear_m);
    let labels_mm = p.rings.iter().map(|r| written_mm(&name(r)) + AROUND_NAMES_MM).fold(LABELS_MM, f64::max);
    // Heights that would not fit on the sheet are exaggerated less.
    let exaggeration = {
        let room = paper.map_or(260.0, |s| (s[1] - labels_mm - 20.0 - ROW_MM * HEADS.len() as f64).max(20.0));
        exaggeration.min((room / ((hi - lo) * k)).max(1.0)).floor().max(1.0)
    };
    let tall = (hi - lo) * k * exaggeration;
    let base = labels_mm + tall;
    let width = LEFT_MM + length * k + 14.0;
    let height = base + 6.0 + ROW_MM * HEADS.len() as f64 + 14.0;
    let width = width.max(paper.map_or(200.0, |s| s[0].min(200.0)));
    let mut d = Drawing::new([width, height], scale, exaggeration, [LEFT_MM, base], [0.0, lo]);
    let right = LEFT_MM + length * k;
    d.text("TITLE", BLACK, [width / 2.0, 10.0], 5.0, Anchor::Middle, title);
    let mut z = lo;
    let step = if hi - lo > 20.0 { 2.0 } else { 1.0 };
    while z <= hi + 1e-9 {
        let y = d.at(0.0, z)[1];
        d.line("GRID", pen(GREY, 0.08), vec![[LEFT_MM, y], [right, y]]);
        d.text("GRID", BLACK, [LEFT_MM - 1.5, y + 0.9], 2.5, Anchor::End, format!("{z:.1}"));
        z += step;
    }
    d.line("GRID", pen(BLACK, 0.25), vec![[LEFT_MM, base - tall], [LEFT_MM, base], [right, base]]);
    for piece in &p.ground {
        let line = piece.iter().map(|g| d.at(g[0], g[1])).collect();
        d.line("GROUND", pen(BROWN, 0.5), line);
    }
    for r in &p.runs {
        let pipe = &p.pipes[r.pipe as usize];
        let corners = vec![
            d.at(r.station_m[0], r.invert_m[0]),
            d.at(r.station_m[1], r.invert_m[1]),
            d.at(r.station_m[1], r.top_m[1]),
            d.at(r.station_m[0], r.top_m[0]),
        ];
        let casing = if r.reverse { pen(DANGER, 0.5) } else { pen(BLACK, 0.25) };
        d.polygon(pipe.class.letters(), casing.filled(colour(pipe.class)), corners);
        if r.reverse {
            let m = d.at((r.station_m[0] + r.station_m[1]) / 2.0, (r.invert_m[0] + r.invert_m[1]) / 2.0);
            d.text("REVERSE", DANGER, [m[0], m[1] + 5.0], 3.5, Anchor::Middle, "✗ 逆坡");
        }
    }
    for (s, up) in &p.steps {
        let run = p.runs.iter().find(|r| (r.station_m[0] - s).abs() < 1e-6);
        if let Some(r) = run {
            let m = d.at(*s, r.invert_m[0]);
            d.text("REVERSE", DANGER, [m[0], m[1] + 9.0], 2.8, Anchor::Middle, format!("✗ 台阶 +{up:.2}"));
        }
    }
    // Crossing pipes as rings of their own class: true heights, so that they stand as ellipses.
    for r in &p.rings {
        let o = &p.others[r.pipe as usize];
        let (w, h) = (o.section.half_width_m(), o.section.half_height_m());
        let ring = (0..32).map(|i| (f64::from(i) / 32.0 * std::f64::consts::TAU).sin_cos());
        let ring: Vec<[f64; 2]> =
            ring.map(|(s, c)| d.at(r.station_m + (w * c).signum() * (w * c).abs().max(0.5 / k * c.abs()), r.axis_m + h * s)).collect();
        d.polygon(o.class.letters(), pen(colour(o.class), 0.6), ring);
    }
    // Their names stand in one row over the drawing, each with a leader to its ring.
    let mut order: Vec<_> = p.rings.iter().collect();
    order.sort_by(|a, b| a.station_m.total_cmp(&b.station_m));
    let places = spread(&order.iter().map(|r| d.at(r.station_m, lo)[0]).collect::<Vec<_>>(), 3.4);
    for (r, place) in order.into_iter().zip(places) {
        let o = &p.others[r.pipe as usize];
        let (layer, top) = (o.class.letters(), base - tall - 1.0);
        let at = d.at(r.station_m, r.axis_m + o.section.half_height_m());
        d.line("LEADER", pen(GREY, 0.1), vec![at, [at[0], top], [place, top - 3.0]]);
        let ink = if r.clear_m < 0.0 { DANGER } else { BLACK };
        d.turned_text(layer, ink, [place + 0.7, top - 4.0], NAME_MM, Anchor::Start, 90.0, name(r));
    }
    table(&mut d, p, base, right);
    footer(&mut d, scale, exaggeration, p.synthetic, [width, height]);
    d
}

fn table(d: &mut Drawing, p: &Profile, base: f64, right: f64) {
    let row = |i: usize| base + 6.0 + ROW_MM * i as f64;
    for (i, head) in HEADS.iter().enumerate() {
        d.text("TABLE", BLACK, [LEFT_MM - 6.0, row(i) + 6.5], 2.5, Anchor::End, *head);
        d.line("TABLE", pen(BLACK, 0.12), vec![[2.0, row(i)], [right, row(i)]]);
    }
    d.line("TABLE", pen(BLACK, 0.12), vec![[2.0, row(HEADS.len())], [right, row(HEADS.len())]]);
    let ground_at = |s: f64| {
        p.ground.iter().find_map(|l| {
            let w = l.windows(2).find(|w| w[0][0] - 1e-6 <= s && s <= w[1][0] + 1e-6)?;
            Some(w[0][1] + (w[1][1] - w[0][1]) * (s - w[0][0]) / (w[1][0] - w[0][0]).max(1e-9))
        })
    };
    // A column at every joint.
    let mut columns: Vec<(f64, f64, f64)> = p.runs.iter().map(|r| (r.station_m[0], r.top_m[0], r.invert_m[0])).collect();
    columns.extend(p.runs.last().map(|r| (r.station_m[1], r.top_m[1], r.invert_m[1])));
    let xs: Vec<f64> = columns.iter().map(|c| d.at(c.0, 0.0)[0]).collect();
    for ((s, top, invert), place) in columns.iter().zip(spread(&xs, 3.0)) {
        let spot = p.spots.iter().find(|q| (q.station_m - s).abs() < 0.5);
        let x = d.at(*s, 0.0)[0];
        d.line("TABLE", pen(GREY, 0.1), vec![[x, base], [place, row(0)]]);
        let figures = [
            spot.map_or(String::new(), |q| q.id.chars().take(9).collect()),
            format!("{s:.1}"),
            ground_at(*s).map_or("—".into(), |z| format!("{z:.2}")),
            format!("{top:.2}"),
            format!("{invert:.2}"),
        ];
        for (i, figure) in figures.into_iter().enumerate() {
            d.turned_text("TABLE", BLACK, [place + 0.7, row(i + 1) - 0.8], 2.0, Anchor::Start, 90.0, figure);
        }
        if let Some(q) = spot
            && matches!(q.kind.as_str(), "well" | "valve" | "outfall" | "source" | "gully")
        {
            let (g, low) = (ground_at(*s).unwrap_or(top + 0.1), *invert);
            let (a, b) = (d.at(*s, g), d.at(*s, low));
            d.polygon("WELL", pen(BLACK, 0.2), vec![[a[0] - 0.5, a[1]], [a[0] + 0.5, a[1]], [b[0] + 0.5, b[1]], [b[0] - 0.5, b[1]]]);
        }
    }
    for r in &p.runs {
        let (a, b) = (d.at(r.station_m[0], 0.0)[0], d.at(r.station_m[1], 0.0)[0]);
        let ink = if r.reverse || r.flat.is_some() { DANGER } else { BLACK };
        if b - a > 9.0 {
            let mark = if r.reverse { " ✗" } else { "" };
            d.text("TABLE", ink, [(a + b) / 2.0, row(5) + 4.5], 2.1, Anchor::Middle, format!("{:.2}{mark}", r.fall_permille));
            d.text("TABLE", BLACK, [(a + b) / 2.0, row(5) + 9.0], 2.1, Anchor::Middle, format!("{:.1}", r.station_m[1] - r.station_m[0]));
        }
    }
    // One size for all neighbours that share it.
    let mut i = 0;
    while i < p.runs.len() {
        let text = label(&p.pipes[p.runs[i].pipe as usize]);
        let j = (i..p.runs.len()).take_while(|j| label(&p.pipes[p.runs[*j].pipe as usize]) == text).last().unwrap_or(i);
        let (a, b) = (d.at(p.runs[i].station_m[0], 0.0)[0], d.at(p.runs[j].station_m[1], 0.0)[0]);
        d.line("TABLE", pen(BLACK, 0.12), vec![[b, row(6)], [b, row(7)]]);
        if b - a > 20.0 {
            d.text("TABLE", BLACK, [(a + b) / 2.0, row(6) + 6.5], 2.2, Anchor::Middle, text);
        }
        i = j + 1;
    }
}
