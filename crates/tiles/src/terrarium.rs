//! Heights as pictures: Terrarium-encoded PNG, height = R·256 + G + B/256 − 32768 m, steps of 1/256 m.

use crate::TilesError;
use strata_model::{TileId, WorkingFrame};

/// A terrain tile of `size` × `size` pixels (1 to 1024). `relief` takes working `(east_m, north_m)` and gives
/// the height in m; where it knows none the pixel holds 0 m. Samples stand at pixel centres.
///
/// Errors: a size out of range, a picture that cannot be written.
pub fn terrarium_png(
    tile: TileId,
    frame: &WorkingFrame,
    relief: &dyn Fn(f64, f64) -> Option<f64>,
    size: u32,
) -> Result<Vec<u8>, TilesError> {
    if !(1..=1024).contains(&size) {
        return Err(TilesError::Png { reason: format!("a side of {size} pixels") });
    }
    let b = tile.bounds_mercator_m();
    let step = tile.size_mercator_m() / f64::from(size);
    let mut pixels = Vec::with_capacity((size * size * 3) as usize);
    for row in 0..size {
        for column in 0..size {
            let m = [b.min[0] + (f64::from(column) + 0.5) * step, b.max[1] - (f64::from(row) + 0.5) * step];
            let height = frame
                .working_from_geographic(strata_model::geographic_from_mercator(m))
                .ok()
                .and_then(|[e, n]| relief(e, n))
                .filter(|h| h.is_finite())
                .unwrap_or(0.0);
            pixels.extend(rgb(height));
        }
    }
    let mut out = Vec::new();
    let fault = |e: png::EncodingError| TilesError::Png { reason: e.to_string() };
    let mut encoder = png::Encoder::new(&mut out, size, size);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(fault)?;
    writer.write_image_data(&pixels).map_err(fault)?;
    writer.finish().map_err(fault)?;
    Ok(out)
}

fn rgb(height_m: f64) -> [u8; 3] {
    let steps = ((height_m + 32_768.0) * 256.0).round().clamp(0.0, f64::from(0xff_ffff)) as u32;
    [(steps >> 16) as u8, (steps >> 8) as u8, steps as u8]
}

/// What a client reads out of a pixel, m.
pub fn height_from_terrarium(rgb: [u8; 3]) -> f64 {
    f64::from(rgb[0]) * 256.0 + f64::from(rgb[1]) + f64::from(rgb[2]) / 256.0 - 32_768.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata_model::{Crs, geographic_from_mercator};

    #[test]
    fn heights_come_back_within_a_step() {
        let frame = WorkingFrame::new(Crs::CHANGCHUN, 0.0).expect("known");
        let tile = TileId::new(13, 6947, 2990).expect("inside");
        let hill = |e: f64, n: f64| 212.345 + (e / 700.0).sin() * 31.7 + (n / 900.0).cos() * 12.1;
        let bytes = terrarium_png(tile, &frame, &|e, n| Some(hill(e, n)), 64).expect("writes");
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("known")];
        reader.next_frame(&mut pixels).expect("whole");
        let (b, step) = (tile.bounds_mercator_m(), tile.size_mercator_m() / 64.0);
        for (i, p) in pixels.chunks_exact(3).enumerate() {
            let (row, column) = ((i / 64) as f64 + 0.5, (i % 64) as f64 + 0.5);
            let g = geographic_from_mercator([b.min[0] + column * step, b.max[1] - row * step]);
            let w = frame.working_from_geographic(g).expect("inside");
            let read = height_from_terrarium([p[0], p[1], p[2]]);
            assert!((read - hill(w[0], w[1])).abs() < 1.0 / 256.0, "{read}");
        }
    }

    #[test]
    fn the_deepest_and_highest_are_held_and_the_unknown_is_zero() {
        assert_eq!(height_from_terrarium(rgb(-1e9)), -32_768.0);
        assert!(height_from_terrarium(rgb(1e9)) > 32_767.9);
        assert_eq!(height_from_terrarium(rgb(-0.25)), -0.25);
        let frame = WorkingFrame::new(Crs::CHANGCHUN, 0.0).expect("known");
        let tile = TileId::new(13, 6947, 2990).expect("inside");
        assert!(terrarium_png(tile, &frame, &|_, _| Some(f64::NAN), 4).is_ok());
        assert!(terrarium_png(tile, &frame, &|_, _| None, 0).is_err());
    }
}
