//! What lies in a folder of vector tiles, `{z}/{x}/{y}.mvt` (gzip or not), per layer and tile: features, those of them that
//! meet the tile itself and not only its buffer, area in square units, length in units. One JSON document.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};
use strata_tiles::{
    decode_mvt,
    mvt::{MvtFeature, MvtKind},
};

type Sums = [f64; 4];

fn main() {
    let mut all: BTreeMap<String, BTreeMap<String, Sums>> = BTreeMap::new();
    let mut bytes = 0;
    for folder in std::env::args().skip(1) {
        for file in files(Path::new(&folder)) {
            let stored = fs::read(&file).expect("a tile that can be read");
            bytes += stored.len();
            let tile = if stored.starts_with(&[0x1f, 0x8b]) {
                let mut out = Vec::new();
                flate2::read::MultiGzDecoder::new(stored.as_slice()).read_to_end(&mut out).expect("gzip");
                out
            } else {
                stored
            };
            let parts: Vec<String> = file.iter().map(|p| p.to_string_lossy().into_owned()).collect();
            let y = parts[parts.len() - 1].split('.').next().unwrap_or_default().to_owned();
            let name = format!("{}/{}/{y}", parts[parts.len() - 3], parts[parts.len() - 2]);
            for layer in decode_mvt(&tile).unwrap_or_else(|e| panic!("{}: {e}", file.display())) {
                assert_eq!(layer.extent, 4096, "{}", file.display());
                let sums = all.entry(layer.name).or_default().entry(name.clone()).or_default();
                for f in &layer.features {
                    let one = measured(f);
                    (0..4).for_each(|k| sums[k] += one[k]);
                }
            }
        }
    }
    println!("{}", serde_json::json!({ "bytes": bytes, "layers": all }));
}

fn measured(f: &MvtFeature) -> Sums {
    let (mut min, mut max, mut area, mut length) = ([i32::MAX; 2], [i32::MIN; 2], 0.0, 0.0);
    for part in &f.parts {
        for p in part {
            for k in 0..2 {
                min[k] = min[k].min(p[k]);
                max[k] = max[k].max(p[k]);
            }
        }
        match f.kind {
            MvtKind::Polygon => {
                let next = part.iter().cycle().skip(1);
                let twice: i64 =
                    part.iter().zip(next).map(|(a, b)| i64::from(a[0]) * i64::from(b[1]) - i64::from(b[0]) * i64::from(a[1])).sum();
                area += twice as f64 / 2.0;
            }
            MvtKind::Line => {
                length += part.windows(2).map(|w| f64::from(w[1][0] - w[0][0]).hypot(f64::from(w[1][1] - w[0][1]))).sum::<f64>();
            }
            _ => {}
        }
    }
    let meets = (0..2).all(|k| min[k] <= 4096 && max[k] >= 0);
    [1.0, f64::from(u8::from(meets)), area, length]
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of tiles").flatten() {
        let path = entry.path();
        if path.is_dir() {
            out.extend(files(&path));
        } else if path.to_string_lossy().contains(".mvt") {
            out.push(path);
        }
    }
    out.sort();
    out
}
