//! Pictures by the real command on the software adapter: what a picture must show, read from its pixels.

use std::{fs, io::Cursor, path::Path};
use strata_tests::{district, scratch, strata_ok};

struct Rgb {
    width: usize,
    height: usize,
    data: Vec<[u8; 3]>,
}

impl Rgb {
    fn read(path: &Path) -> Self {
        let mut reader = png::Decoder::new(Cursor::new(fs::read(path).expect("a picture"))).read_info().expect("a PNG");
        let mut data = vec![0; reader.output_buffer_size().expect("it fits")];
        let info = reader.next_frame(&mut data).expect("pixels");
        assert_eq!(info.color_type, png::ColorType::Rgba);
        let data = data[..info.buffer_size()].chunks(4).map(|p| [p[0], p[1], p[2]]).collect();
        Self { width: info.width as usize, height: info.height as usize, data }
    }
    /// Mean brightness of a band of rows, 0..255.
    fn brightness(&self, rows: std::ops::Range<usize>) -> f64 {
        let part = &self.data[rows.start * self.width..rows.end * self.width];
        part.iter().flatten().map(|&c| f64::from(c)).sum::<f64>() / (part.len() * 3) as f64
    }
}

fn shot(name: &str, extra: &[&str]) -> Rgb {
    let out = scratch(&format!("shot-{name}")).join(format!("{name}.png"));
    let city = district().to_str().expect("UTF-8");
    let mut args = vec!["shot", city, "01-city-day", "-o", out.to_str().expect("UTF-8"), "--size", "480x270"];
    args.extend(extra);
    strata_ok(&args);
    Rgb::read(&out)
}

/// Over 人民广场, looking north-west.
const CAMERA: [&str; 2] = ["--camera", "125.3186,43.8866,215,2200,330,-28"];

#[test]
fn a_day_a_night_and_another_year_are_told_apart() {
    let day = shot("day", &CAMERA);
    assert_eq!((day.width, day.height), (480, 270));
    assert!(day.data.iter().all(|p| *p != [255; 3]), "nothing lit by the sun is paper white");
    // The sky pales towards the horizon.
    assert!(day.brightness(0..8) < day.brightness(40..48) + 12.0);
    // The same scene is the same picture.
    assert!(shot("again", &CAMERA).data == day.data, "two drawings of one scene differ");
    let night = shot("night", &[&CAMERA[..], &["--at", "2026-01-20T20:00:00+08:00"]].concat());
    assert!(night.brightness(0..270) < 0.5 * day.brightness(0..270), "night is no darker than day");
    // Lit windows: some pixels of a dark picture are bright and warm.
    let lit = night.data.iter().filter(|p| p[0] > 110 && p[0] > p[2]).count();
    assert!(lit > 20, "{lit} lit pixels at night");
    // Most houses of today did not stand in 1950, under the same sun.
    let then = shot("then", &[&CAMERA[..], &["--at", "1950-06-21T09:30:00+08:00"]].concat());
    let changed = then.data.iter().zip(&day.data).filter(|(a, b)| (0..3).any(|k| a[k].abs_diff(b[k]) > 24)).count();
    assert!(changed * 12 > day.data.len(), "only {changed} pixels tell 1950 from 2026");
}

/// With `--frame` the picture stands on a sheet: paper around it, words on it, and the mark of synthetic data in its own ink.
#[test]
fn a_framed_picture_carries_its_mark() {
    let framed = shot("framed", &[&CAMERA[..], &["--frame"]].concat());
    assert_eq!((framed.width, framed.height), (480, 270));
    let paper = framed.data.iter().filter(|p| **p == [250, 250, 248]).count();
    assert!(paper * 12 > framed.data.len(), "the sheet has a foot: {paper}");
    // The mark's violet, thinned by the edges of small letters.
    let mark = framed.data[240 * framed.width..].iter().filter(|p| i32::from(p[2]) > i32::from(p[1]) + 25).count();
    assert!(mark > 40, "{mark} pixels of the synthetic mark");
    // Words with their halo lie on the city: near-white touches near-black there, which the city alone does not do.
    let near = |p: [u8; 3], v: u8| p.iter().all(|c| c.abs_diff(v) < 40);
    let pairs = framed.data[..230 * framed.width].windows(3).filter(|w| near(w[0], 250) && near(w[2], 30)).count();
    assert!(pairs > 20, "no name of a place is drawn: {pairs}");
}
