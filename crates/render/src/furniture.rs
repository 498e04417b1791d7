//! The sheet around a picture, as a printed planning plate has it: title, scale, north, legend, sources. The picture keeps a
//! field of its own, so that nothing of the sheet lies on the city.

use crate::{
    Label, RenderError, Typeface,
    ink::{Pen, Rgb, Sheet, path},
    legend::{Marks, Section, Swatch},
};
use strata_scene::View;

const PAPER: Rgb = [250, 250, 248];
const TEXT: Rgb = [23, 32, 42];
const TEXT_2: Rgb = [68, 81, 94];
const MUTED: Rgb = [92, 105, 118];
const LINE: Rgb = [176, 186, 196];
const SYNTHETIC: Rgb = [107, 63, 176];
const NORTH: Rgb = [195, 38, 46];

/// Regular and bold.
pub struct Faces {
    pub regular: Typeface,
    pub bold: Typeface,
}

/// What the sheet says.
#[derive(Debug, Clone, Default)]
pub struct Plate {
    pub title_zh: String,
    pub title_en: String,
    pub legend: Vec<Section>,
    /// Lines at the right of the foot, the first in full ink: time and light, then sources.
    pub notes: Vec<String>,
    pub synthetic: bool,
    /// From grid north to true north, clockwise, degrees; see `WorkingFrame::convergence_deg`.
    pub convergence_deg: f64,
}

/// Where things stand on a sheet, px.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layout {
    pub sheet_px: [u32; 2],
    /// The picture's own field: left, top, width, height.
    pub field_px: [u32; 4],
    /// Column of the legend: left, top, width, height; `None` where there is none.
    pub legend_px: Option<[f32; 4]>,
    unit: f32,
}

impl Layout {
    /// For a sheet of at least 320 × 200 px; `None` for a smaller one, which has no room for words.
    pub fn new(sheet_px: [u32; 2], with_legend: bool) -> Option<Self> {
        let [w, h] = sheet_px.map(|v| v as f32);
        if w < 320.0 || h < 200.0 {
            return None;
        }
        let unit = (h / 1080.0).min(w / 1920.0).max(0.3);
        let margin = (22.0 * unit).round();
        let foot = (122.0 * unit).round();
        let column = if with_legend { (322.0 * unit).round() } else { 0.0 };
        let field = [margin, margin, w - 2.0 * margin - column, h - margin - foot];
        let legend = with_legend.then_some([w - margin - column + 22.0 * unit, margin, column - 22.0 * unit, h - margin - foot]);
        Some(Self { sheet_px, field_px: field.map(|v| v as u32), legend_px: legend, unit })
    }
}

/// Words onto a picture (RGBA rows), as [`crate::place`] set them.
pub fn write_labels(rgba: &mut Vec<u8>, size: [u32; 2], faces: &Faces, labels: &[Label]) -> Result<(), RenderError> {
    let mut sheet = Sheet::from_rgba(size, rgba)?;
    for l in labels {
        let face = if l.rank <= 1 { &faces.bold } else { &faces.regular };
        let pen = Pen { halo: Some(l.halo), angle_deg: l.angle_deg, ..Pen::new(l.size_px, l.ink).middle() };
        sheet.write(face, &l.text, l.at, pen);
    }
    *rgba = sheet.into_rgba();
    Ok(())
}

/// The whole sheet with the picture in its field.
pub fn plate(layout: &Layout, picture: &[u8], view: &View, plate: &Plate, faces: &Faces) -> Result<Vec<u8>, RenderError> {
    let mut sheet = Sheet::new(layout.sheet_px, PAPER)?;
    let [x, y, w, h] = layout.field_px;
    sheet.put([x, y], [w, h], picture);
    sheet.outline([x as f32 - 1.0, y as f32 - 1.0, w as f32 + 2.0, h as f32 + 2.0], TEXT_2, 1.0);
    if let Some(column) = layout.legend_px {
        legend(&mut sheet, column, &plate.legend, faces, layout.unit);
    }
    foot(&mut sheet, layout, view, plate, faces);
    Ok(sheet.into_rgba())
}

/// `text` at a size that fits `room_px`, at most `size_px`.
fn fitted(face: &Typeface, text: &str, size_px: f32, room_px: f32) -> f32 {
    let width = face.width(text, size_px);
    if width > room_px { size_px * room_px / width } else { size_px }
}

fn foot(sheet: &mut Sheet, layout: &Layout, view: &View, plate: &Plate, faces: &Faces) {
    let u = layout.unit;
    let [w, h] = [sheet.width_px(), sheet.height_px()];
    let top = (layout.field_px[1] + layout.field_px[3]) as f32;
    let middle = (top + h) / 2.0;
    let left = layout.field_px[0] as f32;
    // Title.
    let room = w * 0.25;
    sheet.write(
        &faces.bold,
        &plate.title_zh,
        [left, middle - 20.0 * u],
        Pen::new(fitted(&faces.bold, &plate.title_zh, 36.0 * u, room), TEXT),
    );
    let en = fitted(&faces.regular, &plate.title_en, 21.0 * u, room);
    sheet.write(&faces.regular, &plate.title_en, [left, middle + 20.0 * u], Pen::new(en, TEXT_2));
    // Scale and north between two hair lines.
    let x = left + room + 24.0 * u;
    sheet.line(&[[x, top + 24.0 * u], [x, h - 24.0 * u]], LINE, 1.0, &[]);
    let after = scale(sheet, [x + 28.0 * u, middle], view, faces, u);
    north(sheet, [after + 74.0 * u, middle], view, plate, faces, u);
    let x = after + 312.0 * u;
    sheet.line(&[[x, top + 24.0 * u], [x, h - 24.0 * u]], LINE, 1.0, &[]);
    // Sources, and the mark of made-up data.
    let mut lines: Vec<(&str, f32, Rgb)> = plate
        .notes
        .iter()
        .enumerate()
        .map(|(i, n)| (n.as_str(), if i == 0 { 21.0 } else { 18.0 }, if i == 0 { TEXT } else { TEXT_2 }))
        .collect();
    let x = x + 28.0 * u;
    let right = w - left;
    let mark = "合成数据 Synthetic data";
    let pill = if plate.synthetic { faces.bold.width(mark, 21.0 * u) + 32.0 * u } else { 0.0 };
    lines.truncate(3);
    let gap = 31.0 * u;
    for (i, (text, size, ink)) in lines.iter().enumerate() {
        let y = middle + (i as f32 - (lines.len() as f32 - 1.0) / 2.0) * gap;
        let room = (right - x - if pill > 0.0 { pill + 20.0 * u } else { 0.0 }).max(1.0);
        sheet.write(&faces.regular, text, [x, y], Pen::new(fitted(&faces.regular, text, size * u, room), *ink));
    }
    if plate.synthetic {
        let y = middle;
        sheet.area([right - pill, y - 22.0 * u, pill, 44.0 * u], [241, 235, 250]);
        sheet.outline([right - pill, y - 22.0 * u, pill, 44.0 * u], SYNTHETIC, 1.5 * u);
        sheet.write(&faces.bold, mark, [right - pill / 2.0, y], Pen::new(21.0 * u, SYNTHETIC).middle());
    }
}

/// Length of a scale bar near `room_px`: 1, 2 or 5 times a power of ten, m.
pub fn scale_length_m(metres_per_px: f64, room_px: f64) -> f64 {
    let most = (metres_per_px * room_px).max(1e-9);
    let power = 10f64.powf(most.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|k| k * power).find(|l| *l <= most).unwrap_or(power)
}

/// Four parts, black and white; true across the view at the distance of its centre. Gives its right end, px.
fn scale(sheet: &mut Sheet, at: [f32; 2], view: &View, faces: &Faces, u: f32) -> f32 {
    let m = view.metres_per_px(view.distance_m);
    let length = scale_length_m(m, f64::from(250.0 * u));
    let px = (length / m) as f32;
    let [x, y] = [at[0], at[1] - 2.0 * u];
    let high = 10.0 * u;
    for i in 0..4 {
        let part = [x + px * i as f32 / 4.0, y, px / 4.0, high];
        sheet.area(part, if i % 2 == 0 { TEXT } else { [255; 3] });
    }
    sheet.outline([x, y, px, high], TEXT, 1.2 * u);
    let word = |v: f64| if v >= 1000.0 { format!("{} km", v / 1000.0) } else { format!("{v} m") };
    let plain = |v: f64| if length >= 1000.0 { format!("{}", v / 1000.0) } else { format!("{v}") };
    for (k, text) in [(0.0, "0".to_owned()), (0.5, plain(length / 2.0)), (1.0, word(length))] {
        sheet.write(&faces.regular, &text, [x + px * k, y - 15.0 * u], Pen::new(18.0 * u, TEXT).middle());
    }
    let note = "画面中心处比例 · true at the centre";
    let wide = sheet.write(&faces.regular, note, [x, y + 32.0 * u], Pen::new(16.0 * u, MUTED));
    x + px.max(wide)
}

/// A rose lying on the ground as the view has it, its red half to true north, with a tick for grid north.
fn north(sheet: &mut Sheet, at: [f32; 2], view: &View, plate: &Plate, faces: &Faces, u: f32) {
    // Never so flat that it cannot be read.
    let flat = (view.pitch_deg.to_radians().sin().abs() as f32).clamp(0.45, 1.0);
    let r = 40.0 * u;
    let on = |azimuth_deg: f64, length: f32| {
        let a = (azimuth_deg - view.heading_deg).to_radians() as f32;
        [at[0] + a.sin() * length, at[1] - a.cos() * length * flat]
    };
    let ring: Vec<[f32; 2]> = (0..=72).map(|i| on(f64::from(i) * 5.0, r)).collect();
    sheet.line(&ring, LINE, 1.4 * u, &[]);
    for i in 0..8 {
        let long = if i % 2 == 0 { 0.80 } else { 0.90 };
        sheet.line(&[on(f64::from(i) * 45.0, r * long), on(f64::from(i) * 45.0, r)], MUTED, 1.2 * u, &[]);
    }
    let (tip, tail) = (on(0.0, r * 0.98), on(180.0, r * 0.62));
    let (east, west) = (on(90.0, r * 0.24), on(270.0, r * 0.24));
    sheet.polygon(&[tip, east, at], NORTH);
    sheet.polygon(&[tip, west, at], [226, 92, 98]);
    sheet.polygon(&[tail, east, at], [206, 212, 218]);
    sheet.polygon(&[tail, west, at], [182, 190, 198]);
    // Grid north lies counter-clockwise of true north by the convergence.
    sheet.line(&[on(-plate.convergence_deg, r), on(-plate.convergence_deg, r * 1.22)], TEXT, 1.6 * u, &[]);
    let words = at[0] + 58.0 * u;
    sheet.write(&faces.bold, "真北 True N", [words, at[1] - 24.0 * u], Pen::new(18.0 * u, NORTH));
    let grid = format!("坐标北 Grid N {:+.2}°", -plate.convergence_deg);
    sheet.write(&faces.regular, &grid, [words, at[1] + 2.0 * u], Pen::new(16.0 * u, TEXT_2));
    let heading = format!("视向 Heading {:.0}°", view.heading_deg.rem_euclid(360.0));
    sheet.write(&faces.regular, &heading, [words, at[1] + 26.0 * u], Pen::new(16.0 * u, TEXT_2));
}

/// Rows that a section wants: heading, entries, space; in units.
const HEADING: f32 = 52.0;
const ROW: f32 = 46.0;
const RAMP: f32 = 84.0;
const SPACE: f32 = 18.0;
const NOTE: f32 = 26.0;

fn tall(section: &Section) -> f32 {
    let rows = section.entries.iter().map(|e| if matches!(e.swatch, Swatch::Ramp { .. }) { RAMP } else { ROW });
    HEADING + rows.sum::<f32>() + NOTE * section.notes.len() as f32 + SPACE
}

fn legend(sheet: &mut Sheet, [x, y, w, h]: [f32; 4], sections: &[Section], faces: &Faces, unit: f32) {
    let sections: Vec<&Section> = sections.iter().filter(|s| !s.entries.is_empty()).collect();
    let wanted: f32 = sections.iter().map(|s| tall(s)).sum::<f32>() * unit;
    // A long legend is set smaller rather than cut.
    let u = unit * (h / wanted.max(1.0)).min(1.0);
    let mut top = y;
    for s in sections {
        sheet.write(&faces.bold, &s.zh, [x, top + 14.0 * u], Pen::new(23.0 * u, TEXT));
        let at = x + faces.bold.width(&s.zh, 23.0 * u) + 10.0 * u;
        let size = fitted(&faces.regular, &s.en, 18.0 * u, x + w - at);
        sheet.write(&faces.regular, &s.en, [at, top + 15.0 * u], Pen::new(size, MUTED));
        sheet.line(&[[x, top + 36.0 * u], [x + w, top + 36.0 * u]], LINE, 1.0, &[]);
        top += HEADING * u;
        for e in &s.entries {
            if let Swatch::Ramp { colours, ticks } = &e.swatch {
                ramp(sheet, [x, top + 10.0 * u, w, (RAMP - 10.0) * u], colours, ticks, (&e.zh, &e.en), faces, u);
                top += RAMP * u;
                continue;
            }
            let row = [x, top + 4.0 * u, 54.0 * u, (ROW - 14.0) * u];
            swatch(sheet, row, &e.swatch, &e.code, faces, u);
            let middle = row[1] + row[3] / 2.0;
            let mut left = x + 68.0 * u;
            let lettered = matches!(e.swatch, Swatch::Disc { .. });
            if !e.code.is_empty() && !lettered {
                let wide = sheet.write(&faces.bold, &e.code, [left, middle - 10.0 * u], Pen::new(20.0 * u, TEXT));
                left += wide + 9.0 * u;
            }
            sheet.write(
                &faces.regular,
                &e.zh,
                [left, middle - 10.0 * u],
                Pen::new(fitted(&faces.regular, &e.zh, 20.0 * u, x + w - left), TEXT),
            );
            let under = x + 68.0 * u;
            let size = fitted(&faces.regular, &e.en, 17.0 * u, x + w - under);
            sheet.write(&faces.regular, &e.en, [under, middle + 13.0 * u], Pen::new(size, MUTED));
            top += ROW * u;
        }
        for note in &s.notes {
            let size = fitted(&faces.regular, note, 16.0 * u, w);
            sheet.write(&faces.regular, note, [x, top + 10.0 * u], Pen::new(size, TEXT_2));
            top += NOTE * u;
        }
        top += SPACE * u;
    }
}

fn ramp(sheet: &mut Sheet, [x, y, w, _]: [f32; 4], colours: &[Rgb], ticks: &[String], names: (&str, &str), faces: &Faces, u: f32) {
    let wide = sheet.write(&faces.regular, names.0, [x, y + 8.0 * u], Pen::new(20.0 * u, TEXT));
    sheet.write(
        &faces.regular,
        names.1,
        [x + wide + 10.0 * u, y + 8.0 * u],
        Pen::new(fitted(&faces.regular, names.1, 17.0 * u, w - wide - 10.0 * u), MUTED),
    );
    // On whole pixels, its frame around it: what is compared with the ground by eye is mixed with nothing.
    let (left, top, high) = ((x + 1.0).round(), (y + 24.0 * u).round(), (18.0 * u).round());
    let steps = (w as usize).saturating_sub(2).max(8);
    for i in 0..steps {
        // Each end is two pixels wide.
        let t = (i.saturating_sub(1) as f32 / (steps - 3) as f32).min(1.0) * (colours.len() - 1) as f32;
        let k = (t as usize).min(colours.len().saturating_sub(2));
        let (a, b) = (colours[k], colours[(k + 1).min(colours.len() - 1)]);
        let mixed = [0, 1, 2].map(|c| (f32::from(a[c]) + (f32::from(b[c]) - f32::from(a[c])) * (t - k as f32)).round() as u8);
        sheet.area([left + i as f32, top, 1.0, high], mixed);
    }
    sheet.outline([left - 1.0, top - 1.0, steps as f32 + 2.0, high + 2.0], TEXT_2, 1.0);
    for (i, text) in ticks.iter().enumerate() {
        let t = i as f32 / (ticks.len().max(2) - 1) as f32;
        let pen = Pen { anchor: t, ..Pen::new(16.0 * u, TEXT_2) };
        sheet.write(&faces.regular, text, [x + w * t, top + high + 14.0 * u], pen);
    }
}

fn swatch(sheet: &mut Sheet, [x, y, w, h]: [f32; 4], swatch: &Swatch, code: &str, faces: &Faces, u: f32) {
    let middle = y + h / 2.0;
    match swatch {
        Swatch::Area { fill } => {
            sheet.area([x, y, w, h], *fill);
            sheet.outline([x, y, w, h], TEXT_2, 1.0);
        }
        Swatch::Hatch { fill, stripe } => {
            sheet.area([x, y, w, h], *fill);
            slanted(sheet, [x, y, w, h], *stripe, 10.0 * u, 4.0 * u, 1.0);
            sheet.outline([x, y, w, h], TEXT_2, 1.0);
        }
        Swatch::Ghost { fill } => {
            slanted(sheet, [x, y, w, h], *fill, 8.0 * u, 4.0 * u, -1.0);
            sheet.line(&[[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]], *fill, 1.5 * u, &[6.0 * u, 4.0 * u]);
        }
        Swatch::Tube { fill, casing, marks, planned, abandoned } => {
            let (thick, rim) = (13.0 * u, 2.6 * u);
            let line = [[x, middle], [x + w, middle]];
            if *abandoned {
                for side in [-0.5, 0.5] {
                    let y = middle + side * thick;
                    sheet.line(&[[x, y], [x + w, y]], *fill, rim, &[8.0 * u, 5.0 * u]);
                }
                return;
            }
            sheet.line(&line, *casing, thick + 2.0 * rim, &[]);
            sheet.line(&line, *fill, thick, &[]);
            if *planned {
                sheet.line(&line, [255; 3], thick * 0.6, &[]);
            }
            tube_marks(sheet, [x, middle, w, thick], *casing, *marks, u);
        }
        Swatch::Line { ink, width, dash } => {
            let dash: Vec<f32> = if dash[0] > 0.0 { dash.iter().map(|d| d * u).collect() } else { Vec::new() };
            sheet.line(&[[x, middle], [x + w, middle]], *ink, width * u, &dash);
        }
        Swatch::Disc { fill, rim } => {
            let r = h * 0.46;
            let ring: Vec<[f32; 2]> =
                (0..36).map(|i| f32::to_radians(i as f32 * 10.0)).map(|a| [x + w / 2.0 + r * a.cos(), middle + r * a.sin()]).collect();
            sheet.polygon(&ring, *fill);
            if let Some(p) = path(&ring, true) {
                sheet.stroke(&p, *rim, 2.0 * u, &[]);
            }
            let text = if code.is_empty() { "JS" } else { code };
            sheet.write(&faces.bold, text, [x + w / 2.0, middle], Pen::new(13.0 * u, *rim).middle());
        }
        Swatch::Symbol { fill, shape } => {
            let r = h * 0.44;
            let (cx, turns): (f32, &[f32]) = (
                x + w / 2.0,
                match shape {
                    1 => &[-90.0, 30.0, 150.0],
                    2 => &[-90.0, 0.0, 90.0, 180.0],
                    3 => &[0.0, 60.0, 120.0, 180.0, 240.0, 300.0],
                    4 => &[45.0, 135.0, 225.0, 315.0],
                    _ => &[
                        0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 140.0, 160.0, 180.0, 200.0, 220.0, 240.0, 260.0, 280.0, 300.0, 320.0,
                        340.0,
                    ],
                },
            );
            let ring: Vec<[f32; 2]> = turns.iter().map(|a| a.to_radians()).map(|a| [cx + r * a.cos(), middle + r * a.sin()]).collect();
            sheet.polygon(&ring, *fill);
            if let Some(p) = path(&ring, true) {
                sheet.stroke(&p, TEXT, 2.0 * u, &[]);
            }
        }
        Swatch::Chevrons { fill, mark } => {
            sheet.line(&[[x, middle], [x + w, middle]], *fill, 14.0 * u, &[]);
            for i in 0..3 {
                let tip = x + (12.0 + 16.0 * i as f32) * u;
                sheet.line(&[[tip - 5.0 * u, middle - 5.0 * u], [tip, middle], [tip - 5.0 * u, middle + 5.0 * u]], *mark, 2.2 * u, &[]);
            }
        }
        Swatch::Ramp { .. } => {}
    }
}

/// Stripes at 45° within a rectangle; `lean` +1 rises to the right, −1 falls.
fn slanted(sheet: &mut Sheet, [x, y, w, h]: [f32; 4], ink: Rgb, period: f32, thick: f32, lean: f32) {
    let mut at = -h;
    while at < w {
        let (lo, hi) = (at.max(0.0), (at + h).min(w));
        if hi > lo {
            let rise = |v: f32| if lean > 0.0 { y + h - (v - at) } else { y + (v - at) };
            sheet.line(&[[x + lo, rise(lo)], [x + hi, rise(hi)]], ink, thick, &[]);
        }
        at += period;
    }
}

fn tube_marks(sheet: &mut Sheet, [x, y, w, thick]: [f32; 4], ink: Rgb, marks: Marks, u: f32) {
    let mut bar = |from: f32, to: f32| sheet.area([x + w * from, y - thick / 2.0, w * (to - from), thick], ink);
    match marks {
        Marks::Solid | Marks::Box => {}
        Marks::LongDash => {
            bar(0.30, 0.36);
            bar(0.80, 0.86);
        }
        Marks::Ticks => (0..4).for_each(|i| bar(0.12 + 0.25 * i as f32, 0.15 + 0.25 * i as f32)),
        Marks::DashDot => {
            for at in [0.36, 0.46, 0.86, 0.96] {
                bar(at, at + 0.04);
            }
        }
        Marks::ThreeDots | Marks::Dots => {
            let n = if marks == Marks::Dots { 7 } else { 3 };
            (0..n).for_each(|i| {
                let at = if n == 3 { 0.38 + 0.10 * i as f32 } else { 0.06 + 0.14 * i as f32 };
                bar(at, at + 0.04);
            });
        }
        Marks::Rings => {
            for at in [0.25, 0.7] {
                sheet.line(&[[x + w * at, y - thick / 2.0], [x + w * at, y + thick / 2.0]], [255; 3], 3.0 * u, &[]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_bar_has_a_round_length_that_fits() {
        for (m, room) in [(0.05, 180.0), (0.9, 250.0), (3.4, 166.0), (120.0, 90.0)] {
            let l = scale_length_m(m, room);
            assert!(l <= m * room && l > m * room / 2.6, "{l} of {}", m * room);
            let lead = l / 10f64.powf(l.log10().floor());
            assert!([1.0, 2.0, 5.0].iter().any(|k| (lead - k).abs() < 1e-9), "{l}");
        }
    }

    #[test]
    fn nothing_of_the_sheet_lies_on_the_picture() {
        for size in [[1920, 1080], [1280, 720], [960, 600], [480, 270], [600, 1200]] {
            let l = Layout::new(size, true).expect("room");
            let [x, y, w, h] = l.field_px.map(|v| v as f32);
            let [lx, ly, lw, lh] = l.legend_px.expect("a column");
            assert!(lx > x + w && lx + lw <= size[0] as f32 && ly >= 0.0 && ly + lh <= size[1] as f32, "{l:?}");
            assert!(w > size[0] as f32 * 0.5 && h > size[1] as f32 * 0.6 && y > 0.0, "the picture keeps the most of the sheet: {l:?}");
        }
        assert!(Layout::new([100, 100], false).is_none());
    }
}
