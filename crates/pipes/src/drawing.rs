//! Drawings to scale on paper, as SVG and as DXF (R12, which every CAD program and GDAL read).
//!
//! A drawing is made of lines, circles and texts in millimetres of paper, x to the right and y down. In DXF its unit is the
//! metre: x is the station, and y the height above the datum times the exaggeration. Every class of pipes has a layer in
//! the colour of CJJ 61-2017 appendix B, each shape a dark casing and letters, so that it reads in black and white too.

use crate::pipe::Class;
use std::{fmt::Write, sync::LazyLock};

pub(crate) const BLACK: [u8; 3] = [20, 20, 20];
pub(crate) const GREY: [u8; 3] = [120, 120, 120];
pub(crate) const BROWN: [u8; 3] = [110, 80, 40];
pub(crate) const BLUE: [u8; 3] = [0, 90, 200];
pub(crate) const DANGER: [u8; 3] = [200, 0, 0];

static COLOURS: LazyLock<Vec<(String, [u8; 3])>> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/codes/pipe-classes.csv"));
    let rows = text.lines().skip(1).filter_map(|l| {
        let mut tail = l.rsplit(',');
        let (b, g, r) = (tail.next()?.parse().ok()?, tail.next()?.parse().ok()?, tail.next()?.parse().ok()?);
        Some((l.split(',').nth(1)?.to_owned(), [r, g, b]))
    });
    rows.collect()
});

/// Colour of a class, CJJ 61-2017 appendix B.
pub(crate) fn colour(c: Class) -> [u8; 3] {
    COLOURS.iter().find(|x| x.0 == c.letters()).map_or(BLACK, |x| x.1)
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone)]
enum Shape {
    Line { points: Vec<[f64; 2]>, closed: bool },
    Circle { centre: [f64; 2], radius: f64 },
    Text { at: [f64; 2], size: f64, anchor: Anchor, angle_deg: f64, text: String },
}

/// How a line is drawn: colour, width in mm, dashed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pen {
    pub colour: [u8; 3],
    pub width: f64,
    pub dashed: bool,
    pub fill: Option<[u8; 3]>,
}

pub(crate) const fn pen(colour: [u8; 3], width: f64) -> Pen {
    Pen { colour, width, dashed: false, fill: None }
}

impl Pen {
    pub(crate) const fn dashed(self) -> Self {
        Self { dashed: true, ..self }
    }
    pub(crate) const fn filled(self, colour: [u8; 3]) -> Self {
        Self { fill: Some(colour), ..self }
    }
}

struct Item {
    layer: String,
    pen: Pen,
    shape: Shape,
}

/// See the module. `origin` ties paper to the world: a place in mm, its station and its height.
pub(crate) struct Drawing {
    pub size_mm: [f64; 2],
    pub scale: f64,
    pub exaggeration: f64,
    pub origin_mm: [f64; 2],
    pub origin: [f64; 2],
    items: Vec<Item>,
}

/// The largest usual scale (1:n) at which so many metres fit on so many millimetres.
pub(crate) fn usual_scale(metres: f64, mm: f64) -> f64 {
    let wanted = metres * 1000.0 / mm;
    usual_scales().find(|s| *s >= wanted).unwrap_or(wanted.ceil())
}

/// The largest first.
pub(crate) fn usual_scales() -> impl Iterator<Item = f64> {
    [20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0].into_iter()
}

impl Drawing {
    pub fn new(size_mm: [f64; 2], scale: f64, exaggeration: f64, origin_mm: [f64; 2], origin: [f64; 2]) -> Self {
        Self { size_mm, scale, exaggeration, origin_mm, origin, items: Vec::new() }
    }
    /// Station and height on paper.
    pub fn at(&self, station: f64, height: f64) -> [f64; 2] {
        let k = 1000.0 / self.scale;
        [self.origin_mm[0] + (station - self.origin[0]) * k, self.origin_mm[1] - (height - self.origin[1]) * k * self.exaggeration]
    }
    pub fn line(&mut self, layer: &str, pen: Pen, points: Vec<[f64; 2]>) {
        if points.len() > 1 {
            self.items.push(Item { layer: layer.into(), pen, shape: Shape::Line { points, closed: false } });
        }
    }
    pub fn polygon(&mut self, layer: &str, pen: Pen, points: Vec<[f64; 2]>) {
        if points.len() > 2 {
            self.items.push(Item { layer: layer.into(), pen, shape: Shape::Line { points, closed: true } });
        }
    }
    pub fn circle(&mut self, layer: &str, pen: Pen, centre: [f64; 2], radius: f64) {
        self.items.push(Item { layer: layer.into(), pen, shape: Shape::Circle { centre, radius } });
    }
    pub fn text(&mut self, layer: &str, colour: [u8; 3], at: [f64; 2], size: f64, anchor: Anchor, text: impl Into<String>) {
        self.turned_text(layer, colour, at, size, anchor, 0.0, text);
    }
    /// Turned counter-clockwise, degrees.
    #[expect(clippy::too_many_arguments, reason = "a text is all of these, and a struct of them would be written out at each call")]
    pub fn turned_text(
        &mut self,
        layer: &str,
        colour: [u8; 3],
        at: [f64; 2],
        size: f64,
        anchor: Anchor,
        angle_deg: f64,
        text: impl Into<String>,
    ) {
        let shape = Shape::Text { at, size, anchor, angle_deg, text: text.into() };
        self.items.push(Item { layer: layer.into(), pen: pen(colour, 0.0), shape });
    }

    /// A whole SVG document, its size in mm.
    pub fn svg(&self) -> String {
        let [w, h] = self.size_mm;
        let mut out = String::new();
        let hex = |c: [u8; 3]| format!("#{:02x}{:02x}{:02x}", c[0], c[1], c[2]);
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w:.1}mm\" height=\"{h:.1}mm\" viewBox=\"0 0 {w:.2} {h:.2}\" \
             font-family=\"'Noto Sans SC','Source Han Sans SC','Microsoft YaHei',sans-serif\">\n<rect width=\"{w:.2}\" height=\"{h:.2}\" fill=\"#fff\"/>\n"
        );
        let mut open = "";
        for i in &self.items {
            if i.layer != open {
                let _ = writeln!(out, "{}<g data-layer=\"{}\">", if open.is_empty() { "" } else { "</g>\n" }, escape(&i.layer));
                open = &i.layer;
            }
            let fill = i.pen.fill.map_or("none".into(), hex);
            let stroke = format!(
                "fill=\"{fill}\" stroke=\"{}\" stroke-width=\"{:.2}\"{}",
                hex(i.pen.colour),
                i.pen.width,
                if i.pen.dashed { " stroke-dasharray=\"2 1\"" } else { "" }
            );
            let _ = match &i.shape {
                Shape::Line { points, closed } => {
                    let all: Vec<String> = points.iter().map(|p| format!("{:.2},{:.2}", p[0], p[1])).collect();
                    writeln!(out, "<poly{} points=\"{}\" {stroke}/>", if *closed { "gon" } else { "line" }, all.join(" "))
                }
                Shape::Circle { centre, radius } => {
                    writeln!(out, "<circle cx=\"{:.2}\" cy=\"{:.2}\" r=\"{radius:.2}\" {stroke}/>", centre[0], centre[1])
                }
                Shape::Text { at, size, anchor, angle_deg, text } => {
                    let anchor = match anchor {
                        Anchor::Start => "start",
                        Anchor::Middle => "middle",
                        Anchor::End => "end",
                    };
                    let turn = if *angle_deg == 0.0 {
                        String::new()
                    } else {
                        format!(" transform=\"rotate({} {:.2} {:.2})\"", -angle_deg, at[0], at[1])
                    };
                    let colour = hex(i.pen.colour);
                    writeln!(
                        out,
                        "<text x=\"{:.2}\" y=\"{:.2}\" font-size=\"{size:.2}\" text-anchor=\"{anchor}\" fill=\"{colour}\"{turn}>{}</text>",
                        at[0],
                        at[1],
                        escape(text)
                    )
                }
            };
        }
        out.push_str(if open.is_empty() { "</svg>\n" } else { "</g>\n</svg>\n" });
        out
    }

    /// A whole DXF file (AC1009). Characters beyond ASCII as `\U+XXXX`.
    pub fn dxf(&self) -> String {
        let k = self.scale / 1000.0;
        let world = |p: [f64; 2]| {
            [self.origin[0] + (p[0] - self.origin_mm[0]) * k, self.origin[1] * self.exaggeration + (self.origin_mm[1] - p[1]) * k]
        };
        let mut out = String::new();
        let mut put = |code: u16, value: &str| {
            let _ = writeln!(out, "{code:>3}\n{value}");
        };
        let number = |v: f64| format!("{v:.4}");
        for (code, value) in [(0, "SECTION"), (2, "HEADER"), (9, "$ACADVER"), (1, "AC1009"), (9, "$INSUNITS"), (70, "6"), (0, "ENDSEC")] {
            put(code, value);
        }
        let mut layers: Vec<(String, u8)> = Vec::new();
        for i in &self.items {
            let name = layer_name(&i.layer);
            if !layers.iter().any(|l| l.0 == name) {
                layers.push((name, nearest_aci(i.pen.fill.unwrap_or(i.pen.colour))));
            }
        }
        put(0, "SECTION");
        put(2, "TABLES");
        for (code, value) in [(0, "TABLE"), (2, "LTYPE"), (70, "2")] {
            put(code, value);
        }
        for (name, about, parts) in [("CONTINUOUS", "Solid", &[][..]), ("DASHED", "_ _ _", &["1.0", "-0.5"][..])] {
            for (code, value) in [(0, "LTYPE"), (2, name), (70, "0"), (3, about), (72, "65")] {
                put(code, value);
            }
            put(73, &parts.len().to_string());
            put(40, if parts.is_empty() { "0.0" } else { "1.5" });
            parts.iter().for_each(|p| put(49, p));
        }
        put(0, "ENDTAB");
        put(0, "TABLE");
        put(2, "LAYER");
        put(70, &layers.len().to_string());
        for (name, aci) in &layers {
            for (code, value) in [(0, "LAYER"), (2, name.as_str()), (70, "0")] {
                put(code, value);
            }
            put(62, &aci.to_string());
            put(6, "CONTINUOUS");
        }
        put(0, "ENDTAB");
        put(0, "ENDSEC");
        put(0, "SECTION");
        put(2, "ENTITIES");
        for i in &self.items {
            let layer = layer_name(&i.layer);
            let head = |kind: &str, put: &mut dyn FnMut(u16, &str)| {
                put(0, kind);
                put(8, &layer);
                put(62, &nearest_aci(i.pen.fill.unwrap_or(i.pen.colour)).to_string());
                if i.pen.dashed {
                    put(6, "DASHED");
                }
            };
            let xy = |p: [f64; 2], put: &mut dyn FnMut(u16, &str)| {
                put(10, &number(p[0]));
                put(20, &number(p[1]));
                put(30, "0.0");
            };
            match &i.shape {
                Shape::Line { points, closed } => {
                    head("POLYLINE", &mut put);
                    put(66, "1");
                    xy([0.0, 0.0], &mut put);
                    put(70, if *closed { "1" } else { "0" });
                    for p in points {
                        put(0, "VERTEX");
                        put(8, &layer);
                        xy(world(*p), &mut put);
                    }
                    put(0, "SEQEND");
                    put(8, &layer);
                }
                Shape::Circle { centre, radius } => {
                    head("CIRCLE", &mut put);
                    xy(world(*centre), &mut put);
                    put(40, &number(radius * k));
                }
                Shape::Text { at, size, anchor, angle_deg, text } => {
                    head("TEXT", &mut put);
                    let p = world(*at);
                    xy(p, &mut put);
                    put(40, &number(size * k * 0.8));
                    put(1, &ascii(text));
                    put(50, &number(*angle_deg));
                    if *anchor != Anchor::Start {
                        put(72, if *anchor == Anchor::Middle { "1" } else { "2" });
                        put(11, &number(p[0]));
                        put(21, &number(p[1]));
                        put(31, "0.0");
                    }
                }
            }
        }
        put(0, "ENDSEC");
        put(0, "EOF");
        out
    }
}

fn escape(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_control());
    kept.fold(String::new(), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
        out
    })
}

fn ascii(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).fold(String::new(), |mut out, c| {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for u in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\U+{u:04X}");
            }
        }
        out
    })
}

/// R12 allows letters, digits, `$`, `-` and `_`.
fn layer_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "$-_".contains(c) { c } else { '_' }).take(31).collect()
}

/// The nearest of the basic AutoCAD colours.
fn nearest_aci(c: [u8; 3]) -> u8 {
    const BASIC: [(u8, [u8; 3]); 12] = [
        (1, [255, 0, 0]),
        (2, [255, 255, 0]),
        (3, [0, 255, 0]),
        (4, [0, 255, 255]),
        (5, [0, 0, 255]),
        (6, [255, 0, 255]),
        (7, [0, 0, 0]),
        (8, [128, 128, 128]),
        (30, [255, 127, 0]),
        (34, [76, 57, 38]),
        (7, [255, 255, 255]),
        (200, [102, 0, 204]),
    ];
    let far = |b: [u8; 3]| (0..3).map(|k| (i32::from(b[k]) - i32::from(c[k])).pow(2)).sum::<i32>();
    BASIC.iter().min_by_key(|b| far(b.1)).map_or(7, |b| b.0)
}

/// Places of labels that do not run over one another: as near to where they belong as `least` apart allows.
pub(crate) fn spread(wanted: &[f64], least: f64) -> Vec<f64> {
    // Runs that touch move together to the mean of their wishes.
    let mut runs: Vec<(f64, usize)> = Vec::new();
    for w in wanted {
        runs.push((*w, 1));
        while let [.., a, b] = runs.as_slice() {
            let (half_a, half_b) = ((a.1 - 1) as f64 * least / 2.0, (b.1 - 1) as f64 * least / 2.0);
            if b.0 - half_b - (a.0 + half_a) >= least - 1e-9 {
                break;
            }
            let n = a.1 + b.1;
            let middle = (a.0 * a.1 as f64 + b.0 * b.1 as f64) / n as f64;
            runs.truncate(runs.len() - 2);
            runs.push((middle, n));
        }
    }
    runs.iter().flat_map(|(m, n)| (0..*n).map(move |i| m + (i as f64 - (*n - 1) as f64 / 2.0) * least)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_spread_and_stay_near() {
        assert_eq!(spread(&[0.0, 10.0], 4.0), [0.0, 10.0]);
        assert_eq!(spread(&[1.0, 1.0, 1.0], 4.0), [-3.0, 1.0, 5.0]);
        let s = spread(&[0.0, 1.0, 2.0, 30.0, 31.0], 4.0);
        assert!(s.windows(2).all(|w| w[1] - w[0] >= 4.0 - 1e-9) && (s[3] - 28.5).abs() < 1e-9);
    }

    #[test]
    fn colours_are_those_of_the_standard() {
        assert_eq!(colour(Class::Rq), [255, 0, 255]);
        assert_eq!(nearest_aci(colour(Class::Rq)), 6);
        assert_eq!(usual_scale(30.0, 360.0), 100.0);
    }
}
