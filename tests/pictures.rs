//! Golden pictures on the software adapter: each scene's own picture must look like its reference.

use std::{fs, io::Cursor, path::Path};
use strata_tests::{district, repository, scratch, strata_ok};

/// Mean absolute difference of one channel, of 255, that two drawings of one scene may have. Mesa's software
/// rasteriser is deterministic; other versions and adapters differ along edges only.
const TOLERANCE: f64 = 2.0;
/// Pictures are compared at this size, small enough for a processor that draws.
const SIZE: &str = "640x360";

fn pixels(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut decoder = png::Decoder::new(Cursor::new(png));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().expect("a PNG");
    let mut data = vec![0; reader.output_buffer_size().expect("it fits")];
    let info = reader.next_frame(&mut data).expect("pixels");
    let channels = info.color_type.samples();
    let rgb = data[..info.buffer_size()].chunks(channels).flat_map(|p| [p[0], p[1.min(channels - 1)], p[2.min(channels - 1)]]).collect();
    (info.width, info.height, rgb)
}

#[test]
fn each_scene_looks_like_its_reference() {
    let out = scratch("pictures");
    let mut scenes: Vec<_> = fs::read_dir(repository().join("scenes")).expect("scenes").map(|e| e.expect("an entry").path()).collect();
    scenes.sort();
    let mut faults = Vec::new();
    for scene in scenes.iter().filter(|s| s.extension().is_some_and(|e| e == "json")) {
        let name = scene.file_stem().expect("a name").to_string_lossy().into_owned();
        let picture = out.join(format!("{name}.png"));
        let city = district().to_str().expect("UTF-8");
        strata_ok(&["shot", city, &name, "-o", picture.to_str().expect("UTF-8"), "--size", SIZE]);
        match compare(&repository().join("tests/golden").join(format!("{name}.png")), &picture) {
            Ok(difference) => println!("{name}: differs by {difference:.2}"),
            Err(fault) => faults.push(format!("{name}: {fault}")),
        }
    }
    assert!(faults.is_empty(), "{}\nthe new pictures lie in {}; look at them, then `make golden`", faults.join("\n"), out.display());
}

fn compare(reference: &Path, picture: &Path) -> Result<f64, String> {
    let want = fs::read(reference).map_err(|e| format!("no reference {}: {e}", reference.display()))?;
    let (w, h, a) = pixels(&want);
    let (w2, h2, b) = pixels(&fs::read(picture).map_err(|e| e.to_string())?);
    if (w, h) != (w2, h2) {
        return Err(format!("{w2}×{h2} instead of {w}×{h}"));
    }
    let mean = |v: &[u8]| v.iter().map(|&c| f64::from(c)).sum::<f64>() / v.len() as f64;
    let spread = b.iter().map(|&c| (f64::from(c) - mean(&b)).powi(2)).sum::<f64>() / b.len() as f64;
    if spread < 25.0 {
        return Err("the picture is blank".into());
    }
    let difference = a.iter().zip(&b).map(|(x, y)| f64::from(x.abs_diff(*y))).sum::<f64>() / a.len() as f64;
    if difference > TOLERANCE { Err(format!("differs by {difference:.2} of 255, more than {TOLERANCE}")) } else { Ok(difference) }
}
