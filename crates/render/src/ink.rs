//! A sheet to draw on with the processor: areas, lines, words, pictures. Origin top left, y down, px.

use crate::{RenderError, Typeface};
use ab_glyph::{OutlineCurve, Point};
use tiny_skia::{Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform};

pub(crate) type Rgb = [u8; 3];

/// How a word is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pen {
    pub size_px: f32,
    pub ink: Rgb,
    pub halo: Option<Rgb>,
    /// Clockwise, about the word's anchor.
    pub angle_deg: f32,
    /// Where the anchor is: 0 left end, 0.5 middle, 1 right end; always on the line through the middle of the letters.
    pub anchor: f32,
}

impl Pen {
    pub fn new(size_px: f32, ink: Rgb) -> Self {
        Self { size_px, ink, halo: None, angle_deg: 0.0, anchor: 0.0 }
    }
    pub fn middle(self) -> Self {
        Self { anchor: 0.5, ..self }
    }
}

pub(crate) struct Sheet {
    map: Pixmap,
}

fn paint(rgb: Rgb, alpha: f32) -> Paint<'static> {
    let mut p = Paint { anti_alias: true, ..Default::default() };
    p.set_color(Color::from_rgba8(rgb[0], rgb[1], rgb[2], (alpha.clamp(0.0, 1.0) * 255.0).round() as u8));
    p
}

/// Share of the em between the base line and the middle of capitals and ideographs.
const MIDDLE: f32 = 0.36;

impl Sheet {
    pub fn new(size: [u32; 2], paper: Rgb) -> Result<Self, RenderError> {
        let mut map = Pixmap::new(size[0], size[1]).ok_or(RenderError::Size { width: size[0], height: size[1], most: 32_767 })?;
        map.fill(Color::from_rgba8(paper[0], paper[1], paper[2], 255));
        Ok(Self { map })
    }
    /// Opaque RGBA rows.
    pub fn from_rgba(size: [u32; 2], rgba: &[u8]) -> Result<Self, RenderError> {
        let mut sheet = Self::new(size, [0; 3])?;
        sheet.put([0, 0], size, rgba);
        Ok(sheet)
    }
    pub fn into_rgba(self) -> Vec<u8> {
        self.map.take()
    }
    pub fn width_px(&self) -> f32 {
        self.map.width() as f32
    }
    pub fn height_px(&self) -> f32 {
        self.map.height() as f32
    }
    /// Copies an opaque picture; what lies outside is cut off.
    pub fn put(&mut self, at: [u32; 2], size: [u32; 2], rgba: &[u8]) {
        let (w, h) = (self.map.width() as usize, self.map.height() as usize);
        let across = (size[0] as usize).min(w.saturating_sub(at[0] as usize)) * 4;
        let data = self.map.data_mut();
        for (row, line) in rgba.chunks_exact(size[0] as usize * 4).enumerate() {
            let y = at[1] as usize + row;
            if y < h {
                let from = (y * w + at[0] as usize) * 4;
                data[from..from + across].copy_from_slice(&line[..across]);
            }
        }
    }
    pub fn fill(&mut self, path: &Path, rgb: Rgb, alpha: f32) {
        self.map.fill_path(path, &paint(rgb, alpha), FillRule::Winding, Transform::identity(), None);
    }
    pub fn stroke(&mut self, path: &Path, rgb: Rgb, width: f32, dash: &[f32]) {
        let stroke = Stroke {
            width,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Round,
            dash: StrokeDash::new(dash.to_vec(), 0.0),
            ..Default::default()
        };
        self.map.stroke_path(path, &paint(rgb, 1.0), &stroke, Transform::identity(), None);
    }
    pub fn area(&mut self, [x, y, w, h]: [f32; 4], rgb: Rgb) {
        if let Some(r) = Rect::from_xywh(x, y, w, h) {
            self.fill(&PathBuilder::from_rect(r), rgb, 1.0);
        }
    }
    /// Four sides, within the rectangle.
    pub fn outline(&mut self, [x, y, w, h]: [f32; 4], rgb: Rgb, width: f32) {
        for side in [[x, y, w, width], [x, y + h - width, w, width], [x, y, width, h], [x + w - width, y, width, h]] {
            self.area(side, rgb);
        }
    }
    pub fn line(&mut self, points: &[[f32; 2]], rgb: Rgb, width: f32, dash: &[f32]) {
        if let Some(path) = path(points, false) {
            self.stroke(&path, rgb, width, dash);
        }
    }
    pub fn polygon(&mut self, points: &[[f32; 2]], rgb: Rgb) {
        if let Some(path) = path(points, true) {
            self.fill(&path, rgb, 1.0);
        }
    }
    /// One line of text; its width.
    pub fn write(&mut self, face: &Typeface, text: &str, at: [f32; 2], pen: Pen) -> f32 {
        let width = face.width(text, pen.size_px);
        let Some(words) = outline(face, text, pen.size_px) else { return width };
        let place =
            Transform::from_translate(-width * pen.anchor, pen.size_px * MIDDLE).post_rotate(pen.angle_deg).post_translate(at[0], at[1]);
        if let Some(halo) = pen.halo {
            let reach = (pen.size_px / 5.0).clamp(2.6, 5.0);
            let stroke = Stroke { width: reach, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Default::default() };
            self.map.stroke_path(&words, &paint(halo, 0.92), &stroke, place, None);
        }
        self.map.fill_path(&words, &paint(pen.ink, 1.0), FillRule::Winding, place, None);
        width
    }
}

pub(crate) fn path(points: &[[f32; 2]], closed: bool) -> Option<Path> {
    let mut b = PathBuilder::new();
    for (i, p) in points.iter().enumerate() {
        if i == 0 { b.move_to(p[0], p[1]) } else { b.line_to(p[0], p[1]) }
    }
    if closed {
        b.close();
    }
    b.finish()
}

/// A line of text as one path: left end of the base line at the origin.
fn outline(face: &Typeface, text: &str, size_px: f32) -> Option<Path> {
    let mut b = PathBuilder::new();
    for (glyph, x, scale) in face.glyphs(text, size_px) {
        let at = |p: Point| (x + p.x * scale, -p.y * scale);
        let mut last: Option<Point> = None;
        for curve in &glyph.curves {
            let (from, to) = match curve {
                OutlineCurve::Line(a, b) => (*a, *b),
                OutlineCurve::Quad(a, _, b) => (*a, *b),
                OutlineCurve::Cubic(a, _, _, b) => (*a, *b),
            };
            if last != Some(from) {
                let (px, py) = at(from);
                b.move_to(px, py);
            }
            let (tx, ty) = at(to);
            match curve {
                OutlineCurve::Line(..) => b.line_to(tx, ty),
                OutlineCurve::Quad(_, c, _) => {
                    let (cx, cy) = at(*c);
                    b.quad_to(cx, cy, tx, ty);
                }
                OutlineCurve::Cubic(_, c, d, _) => {
                    let ((cx, cy), (dx, dy)) = (at(*c), at(*d));
                    b.cubic_to(cx, cy, dx, dy, tx, ty);
                }
            }
            last = Some(to);
        }
    }
    b.finish()
}
