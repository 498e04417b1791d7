//! The face of the words: a font with Latin and Chinese, measured in units of its em.

use crate::RenderError;
use ab_glyph::{Font, FontVec, Outline};

/// A face that has both Latin and Chinese.
pub struct Typeface {
    font: FontVec,
    per_em: f32,
}

impl Typeface {
    /// A font file or collection (its first face).
    pub fn parse(bytes: Vec<u8>) -> Result<Self, RenderError> {
        let unreadable = |e: &dyn std::fmt::Display| RenderError::Font(e.to_string());
        let font = FontVec::try_from_vec_and_index(bytes, 0).map_err(|e| unreadable(&e))?;
        let per_em = font.units_per_em().ok_or_else(|| unreadable(&"it does not say its em"))?;
        Ok(Self { font, per_em })
    }
    /// Width of one line whose em is `size_px`.
    pub fn width(&self, text: &str, size_px: f32) -> f32 {
        text.chars().map(|c| self.font.h_advance_unscaled(self.font.glyph_id(c))).sum::<f32>() * size_px / self.per_em
    }
    /// Characters that the font has no glyph for.
    pub fn missing(&self, text: &str) -> Vec<char> {
        text.chars().filter(|c| !c.is_whitespace() && self.font.glyph_id(*c).0 == 0).collect()
    }
    /// Each glyph's outline (font units, y up), its offset and the scale to px.
    pub(crate) fn glyphs<'a>(&'a self, text: &'a str, size_px: f32) -> impl Iterator<Item = (Outline, f32, f32)> + 'a {
        let scale = size_px / self.per_em;
        let mut x = 0.0;
        text.chars().filter_map(move |c| {
            let id = self.font.glyph_id(c);
            let at = x;
            x += self.font.h_advance_unscaled(id) * scale;
            Some((self.font.outline(id)?, at, scale))
        })
    }
}
