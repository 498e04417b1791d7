//! Words on a finished picture: names of places and the caption. Drawn on the processor, so that every glyph of the font
//! is there and the same on every adapter.

use crate::RenderError;
use ab_glyph::{Font, FontVec, PxScale, ScaleFont, point};

/// One word or line.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub text: String,
    /// Its middle, px from the top left.
    pub at: [f32; 2],
    pub size_px: f32,
    pub ink: [u8; 3],
    pub halo: [u8; 3],
    /// Smaller is more important: what would touch an earlier label is left out.
    pub rank: i64,
}

/// A face that has both Latin and Chinese.
pub struct Typeface(FontVec);

impl Typeface {
    /// A font file or collection (its first face).
    pub fn parse(bytes: Vec<u8>) -> Result<Self, RenderError> {
        FontVec::try_from_vec_and_index(bytes, 0).map(Self).map_err(|e| RenderError::Device(format!("the font is not readable: {e}")))
    }
    fn width(&self, text: &str, size: f32) -> f32 {
        let f = self.0.as_scaled(PxScale::from(size));
        text.chars().map(|c| f.h_advance(f.glyph_id(c))).sum()
    }
    /// Characters that the font has no glyph for.
    pub fn missing(&self, text: &str) -> Vec<char> {
        text.chars().filter(|c| !c.is_whitespace() && self.0.glyph_id(*c).0 == 0).collect()
    }
}

/// Draws labels onto RGBA rows, the most important first; gives the number drawn. None lies outside the picture or on another.
pub fn labels(rgba: &mut [u8], size: [u32; 2], face: &Typeface, mut list: Vec<Label>) -> usize {
    list.sort_by_key(|l| l.rank);
    let mut taken: Vec<[f32; 4]> = Vec::new();
    for l in list {
        let (w, h) = (face.width(&l.text, l.size_px), l.size_px * 1.25);
        let r = [l.at[0] - w / 2.0 - 4.0, l.at[1] - h / 2.0, l.at[0] + w / 2.0 + 4.0, l.at[1] + h / 2.0];
        let inside = r[0] >= 0.0 && r[1] >= 0.0 && r[2] < size[0] as f32 && r[3] < size[1] as f32;
        if !inside || taken.iter().any(|t| r[0] < t[2] && t[0] < r[2] && r[1] < t[3] && t[1] < r[3]) {
            continue;
        }
        taken.push(r);
        write(rgba, size, face, &l, [r[0] + 4.0, l.at[1] + l.size_px * 0.36]);
    }
    taken.len()
}

/// One line, from its left end on the base line: the halo first, then the ink.
fn write(rgba: &mut [u8], size: [u32; 2], face: &Typeface, l: &Label, base: [f32; 2]) {
    let scaled = face.0.as_scaled(PxScale::from(l.size_px));
    let mut x = base[0];
    let mut cover: Vec<(i32, i32, f32)> = Vec::new();
    for c in l.text.chars() {
        let id = scaled.glyph_id(c);
        let glyph = id.with_scale_and_position(PxScale::from(l.size_px), point(x, base[1]));
        if let Some(outline) = face.0.outline_glyph(glyph) {
            let b = outline.px_bounds();
            outline.draw(|px, py, v| cover.push((b.min.x as i32 + px as i32, b.min.y as i32 + py as i32, v)));
        }
        x += scaled.h_advance(id);
    }
    let mut blend = |x: i32, y: i32, colour: [u8; 3], a: f32| {
        if x < 0 || y < 0 || x >= size[0] as i32 || y >= size[1] as i32 {
            return;
        }
        let at = (y as usize * size[0] as usize + x as usize) * 4;
        for k in 0..3 {
            let was = f32::from(rgba[at + k]);
            rgba[at + k] = (was + (f32::from(colour[k]) - was) * a.clamp(0.0, 1.0)).round() as u8;
        }
    };
    let reach = (l.size_px / 8.0).clamp(1.5, 3.0);
    for &(px, py, v) in &cover {
        let r = reach.ceil() as i32;
        for dy in -r..=r {
            for dx in -r..=r {
                let d = ((dx * dx + dy * dy) as f32).sqrt();
                if d <= reach {
                    blend(px + dx, py + dy, l.halo, v * 0.28 * (1.0 - d / (reach + 1.0)));
                }
            }
        }
    }
    for (px, py, v) in cover {
        blend(px, py, l.ink, v);
    }
}

/// A bar under the picture's lower edge: what, when, and that the data are made up when they are.
pub fn caption(rgba: &mut [u8], size: [u32; 2], face: &Typeface, left: &str, right: &str) {
    let text = (size[1] as f32 / 40.0).clamp(12.0, 28.0);
    let bar = (text * 2.0) as usize;
    let (w, h) = (size[0] as usize, size[1] as usize);
    for row in rgba[(h.saturating_sub(bar)) * w * 4..].chunks_mut(4) {
        for v in &mut row[..3] {
            *v = (f32::from(*v) * 0.12 + 246.0 * 0.88) as u8;
        }
    }
    let y = h as f32 - bar as f32 / 2.0;
    let line = |text_: &str, x: f32, ink| {
        (Label { text: text_.into(), at: [x, y], size_px: text, ink, halo: [246, 247, 248], rank: 0 }, [x, y + text * 0.36])
    };
    let (l, at) = line(left, text, [23, 32, 42]);
    write(rgba, size, face, &l, at);
    let (r, at) = line(right, w as f32 - face.width(right, text) - text, [107, 63, 176]);
    write(rgba, size, face, &r, at);
}
