//! TIN relief to blocks. Triangles go into square blocks of the working frame as they are read; what does not fit
//! into memory waits in a temporary file.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};
use strata_model::{Geometry, Point3};

/// Side of a block; a triangle belongs where its centre lies, so a block may stand out by one triangle.
pub(crate) const BLOCK_M: f64 = 512.0;
/// Triangles held in memory, 72 bytes each.
const MAX_HELD: usize = 1_500_000;

type Triangle = [Point3; 3];

#[derive(Default)]
struct Block {
    held: Vec<Triangle>,
    /// Offset and count of each run in the spill file.
    spilled: Vec<(u64, usize)>,
}

pub(crate) struct Terrain {
    blocks: BTreeMap<(i64, i64), Block>,
    held: usize,
    max_held: usize,
    spill: Option<File>,
    pub count: u64,
}

impl Terrain {
    pub fn new() -> Self {
        Self { blocks: BTreeMap::new(), held: 0, max_held: MAX_HELD, spill: None, count: 0 }
    }
    /// A triangle in the working frame, finite; wound counter-clockwise seen from above here.
    pub fn add(&mut self, mut t: Triangle) -> io::Result<()> {
        let [a, b, c] = t;
        if (b[0] - a[0]) * (c[1] - a[1]) < (c[0] - a[0]) * (b[1] - a[1]) {
            t.swap(1, 2);
        }
        let key = [0, 1].map(|k| ((a[k] + b[k] + c[k]) / 3.0 / BLOCK_M).floor() as i64);
        self.blocks.entry((key[0], key[1])).or_default().held.push(t);
        self.held += 1;
        self.count += 1;
        if self.held >= self.max_held { self.write_out() } else { Ok(()) }
    }
    fn write_out(&mut self) -> io::Result<()> {
        let mut file = match self.spill.take() {
            Some(f) => f,
            None => tempfile::tempfile()?,
        };
        let mut at = file.seek(SeekFrom::End(0))?;
        for block in self.blocks.values_mut().filter(|b| !b.held.is_empty()) {
            let bytes: Vec<u8> = block.held.iter().flatten().flatten().flat_map(|v| v.to_le_bytes()).collect();
            file.write_all(&bytes)?;
            block.spilled.push((at, block.held.len()));
            at += bytes.len() as u64;
            block.held = Vec::new();
        }
        self.held = 0;
        self.spill = Some(file);
        Ok(())
    }
    /// Every block as a TIN with its points shared, south-west to north-east; empties the store.
    pub fn blocks(mut self, each: &mut dyn FnMut((i64, i64), Geometry) -> io::Result<()>) -> io::Result<()> {
        for (key, block) in std::mem::take(&mut self.blocks) {
            let mut triangles = block.held;
            for (offset, count) in block.spilled {
                let Some(file) = self.spill.as_mut() else { continue };
                file.seek(SeekFrom::Start(offset))?;
                let mut bytes = vec![0; count * 72];
                file.read_exact(&mut bytes)?;
                let mut values = bytes.chunks_exact(8).map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]));
                for _ in 0..count {
                    let mut t: Triangle = [[0.0; 3]; 3];
                    t.iter_mut().flatten().for_each(|v| *v = values.next().unwrap_or(f64::NAN));
                    triangles.push(t);
                }
            }
            each(key, tin(&triangles))?;
        }
        Ok(())
    }
}

fn tin(faces: &[Triangle]) -> Geometry {
    let mut index: HashMap<[u64; 3], u32> = HashMap::with_capacity(faces.len());
    let (mut points, mut triangles) = (Vec::new(), Vec::with_capacity(faces.len()));
    for f in faces {
        triangles.push(f.map(|p| {
            *index.entry(p.map(f64::to_bits)).or_insert_with(|| {
                points.push(p);
                (points.len() - 1) as u32
            })
        }));
    }
    Geometry::Tin { points, triangles }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(terrain: Terrain) -> (Vec<(i64, i64)>, usize, f64) {
        let (mut keys, mut n, mut area) = (Vec::new(), 0, 0.0);
        terrain
            .blocks(&mut |key, g| {
                g.check().expect("sound");
                let Geometry::Tin { points, triangles } = g else { panic!("a TIN") };
                n += triangles.len();
                for t in triangles {
                    let [a, b, c] = t.map(|i| points[i as usize]);
                    let twice = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
                    assert!(twice > 0.0, "clockwise");
                    area += twice / 2.0;
                }
                keys.push(key);
                Ok(())
            })
            .expect("readable");
        (keys, n, area)
    }

    #[test]
    fn spilling_loses_nothing() {
        let make = |max_held| {
            let mut t = Terrain { max_held, ..Terrain::new() };
            for i in 0..40 {
                for j in 0..40 {
                    let (x, y) = (f64::from(i) * 50.0, f64::from(j) * 50.0);
                    let (a, b, c, d) = ([x, y, 1.0], [x + 50.0, y, 2.0], [x + 50.0, y + 50.0, 3.0], [x, y + 50.0, 4.0]);
                    t.add([a, b, c]).expect("room");
                    t.add([a, d, c]).expect("room"); // clockwise on purpose
                }
            }
            count(t)
        };
        let whole = make(usize::MAX);
        assert_eq!(whole, make(7));
        assert_eq!((whole.0.len(), whole.1, whole.2), (16, 3200, 2000.0 * 2000.0));
    }
}
