//! Pictures as the tests read them, and how far two of them are apart.

use std::{fs, io::Cursor, path::Path};

/// sRGB rows from the top.
#[derive(Debug, Clone, PartialEq)]
pub struct Rgb {
    pub width: usize,
    pub height: usize,
    pub data: Vec<[u8; 3]>,
}

impl Rgb {
    pub fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().expect("a PNG");
        let mut data = vec![0; reader.output_buffer_size().expect("it fits")];
        let info = reader.next_frame(&mut data).expect("pixels");
        let step = if info.color_type == png::ColorType::Rgba { 4 } else { 3 };
        assert!(matches!(info.color_type, png::ColorType::Rgba | png::ColorType::Rgb), "{:?}", info.color_type);
        let data = data[..info.buffer_size()].chunks(step).map(|p| [p[0], p[1], p[2]]).collect();
        Self { width: info.width as usize, height: info.height as usize, data }
    }
    pub fn write(&self, path: &Path) {
        let mut encoder = png::Encoder::new(fs::File::create(path).expect("a file"), self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().expect("a header");
        writer.write_image_data(&self.data.concat()).expect("pixels");
    }
    pub fn at(&self, x: usize, y: usize) -> [u8; 3] {
        self.data[y * self.width + x]
    }
    /// Mean brightness of a band of rows, 0..255.
    pub fn brightness(&self, rows: std::ops::Range<usize>) -> f64 {
        let part = &self.data[rows.start * self.width..rows.end * self.width];
        part.iter().flatten().map(|&c| f64::from(c)).sum::<f64>() / (part.len() * 3) as f64
    }
}

/// CIE L*a*b* (D65) of an sRGB colour.
pub fn lab(c: [u8; 3]) -> [f32; 3] {
    let l = c.map(|v| {
        let v = f32::from(v) / 255.0;
        if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    });
    let xyz = [
        (0.412_456 * l[0] + 0.357_576 * l[1] + 0.180_437 * l[2]) / 0.950_47,
        0.212_673 * l[0] + 0.715_152 * l[1] + 0.072_175 * l[2],
        (0.019_334 * l[0] + 0.119_192 * l[1] + 0.950_304 * l[2]) / 1.088_83,
    ];
    let f = xyz.map(|t| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 });
    [116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])]
}

/// CIE76: 1 is just seen side by side, 6 by anyone.
pub fn delta_e(a: [f32; 3], b: [f32; 3]) -> f32 {
    ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2) + (a[2] - b[2]).powi(2)).sqrt()
}

/// Hue of a colour, degrees; grey has none and gives `None`.
pub fn hue_deg(c: [u8; 3]) -> Option<f32> {
    let [r, g, b] = c.map(f32::from);
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let d = max - min;
    if d < 12.0 {
        return None;
    }
    let h = if max == r {
        (g - b) / d
    } else if max == g {
        (b - r) / d + 2.0
    } else {
        (r - g) / d + 4.0
    };
    Some((h * 60.0).rem_euclid(360.0))
}

/// The largest distance (ΔE) between the mean colours of the same 24 × 24 px: blind to how an edge is rounded, not to what is there,
/// how it is lit or where it stands.
pub fn apart_in_the_mean(a: &Rgb, b: &Rgb) -> f32 {
    assert_eq!((a.width, a.height), (b.width, b.height), "pictures of one size");
    let mean = |p: &Rgb, x: usize, y: usize| {
        let of = |k: usize| (0..576).map(|i| f32::from(p.at(x * 24 + i % 24, y * 24 + i / 24)[k])).sum::<f32>() / 576.0;
        lab([0, 1, 2].map(|k| of(k).round() as u8))
    };
    let blocks = (0..a.height / 24).flat_map(|y| (0..a.width / 24).map(move |x| (x, y)));
    blocks.map(|(x, y)| delta_e(mean(a, x, y), mean(b, x, y))).fold(0.0, f32::max)
}

/// How far a picture is from its reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Share of pixels that differ.
    pub share: f64,
    /// The largest share within any block of 24 × 24 px.
    pub worst_block: f64,
    pub map: Vec<bool>,
}

/// A pixel differs when no pixel of the other's 3 × 3 around it comes nearer than ΔE 6, seen from either side: an edge that a
/// driver rounds to the next pixel does not count, a thing that is there or not does.
pub fn difference(a: &Rgb, b: &Rgb) -> Difference {
    assert_eq!((a.width, a.height), (b.width, b.height), "pictures of one size");
    const APART: f32 = 6.0;
    const BLOCK: usize = 24;
    let (w, h) = (a.width, a.height);
    let (la, lb): (Vec<_>, Vec<_>) = (a.data.iter().map(|c| lab(*c)).collect(), b.data.iter().map(|c| lab(*c)).collect());
    let alone = |from: &[[f32; 3]], to: &[[f32; 3]], x: usize, y: usize| {
        let own = from[y * w + x];
        (y.saturating_sub(1)..=(y + 1).min(h - 1))
            .all(|v| (x.saturating_sub(1)..=(x + 1).min(w - 1)).all(|u| delta_e(own, to[v * w + u]) > APART))
    };
    let mut map = vec![false; w * h];
    let mut blocks = vec![0u32; w.div_ceil(BLOCK) * h.div_ceil(BLOCK)];
    for y in 0..h {
        for x in 0..w {
            if a.at(x, y) != b.at(x, y) && (alone(&la, &lb, x, y) || alone(&lb, &la, x, y)) {
                map[y * w + x] = true;
                blocks[y / BLOCK * w.div_ceil(BLOCK) + x / BLOCK] += 1;
            }
        }
    }
    let share = map.iter().filter(|d| **d).count() as f64 / (w * h) as f64;
    let worst = blocks.iter().copied().max().unwrap_or(0);
    Difference { share, worst_block: f64::from(worst) / (BLOCK * BLOCK) as f64, map }
}

impl Difference {
    /// What two drivers may differ by: scattered pixels, nowhere many together.
    pub fn tolerated(&self) -> bool {
        self.share <= 0.002 && self.worst_block <= 0.10
    }
    /// The actual picture, pale, with what differs in red.
    pub fn shown_on(&self, actual: &Rgb) -> Rgb {
        let mix = |c: [u8; 3], d: bool| if d { [214, 0, 40] } else { c.map(|v| (f32::from(v) * 0.35 + 165.0) as u8) };
        Rgb { data: actual.data.iter().zip(&self.map).map(|(c, d)| mix(*c, *d)).collect(), ..actual.clone() }
    }
}
