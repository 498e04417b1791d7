//! Fills an empty SQLite R-tree at once. Insertion one by one splits and sorts nodes again and again; here the
//! entries are tiled (sort-tile-recursive, Leutenegger et al. 1997) and the tree's three own tables are written from
//! the leaves up, in the format that the SQLite source describes ("Database Format of R-Tree Tables").

use crate::{StoreError, table::Table};
use rusqlite::{Connection, params};
use strata_model::Bounds2;

const CELL_BYTES: usize = 8 + 4 * 4;
/// Leaves room for a few later insertions before a node has to be split.
const FILL: f64 = 0.9;

/// minx, maxx, miny, maxy.
type Box32 = [f32; 4];

/// `entries`: fid and plan bounds. The tree must be empty.
pub(crate) fn fill(conn: &Connection, t: &Table, entries: &[(i64, Bounds2)]) -> Result<(), StoreError> {
    let sql = |text: &str| text.replace("RTREE", t.rtree.trim_end_matches('"'));
    let node_bytes: i64 = conn.query_row(&sql(r#"SELECT length(data) FROM RTREE_node" WHERE nodeno = 1"#), [], |r| r.get(0))?;
    let node_bytes = usize::try_from(node_bytes).unwrap_or(0);
    let fit = node_bytes.saturating_sub(4) / CELL_BYTES;
    let fill = (fit as f64 * FILL) as usize;
    if fill < 2 {
        return Err(StoreError::damaged(format!("the R-tree of {} has nodes of {node_bytes} bytes", t.layer.id)));
    }
    let mut cells: Vec<(i64, Box32)> = entries.iter().map(|(fid, b)| (*fid, outward(b))).collect();
    tile(&mut cells, fill);

    let mut add_node = conn.prepare_cached(&sql(r#"INSERT INTO RTREE_node" (nodeno, data) VALUES (?1, ?2)"#))?;
    let mut add_parent = conn.prepare_cached(&sql(r#"INSERT INTO RTREE_parent" (nodeno, parentnode) VALUES (?1, ?2)"#))?;
    let mut next = 2_i64; // 1 is the root
    let mut homes: Vec<(i64, i64)> = Vec::with_capacity(cells.len());
    let mut depth = 0_u16;
    while cells.len() > fit {
        let mut above = Vec::with_capacity(cells.len() / fill + 1);
        for group in cells.chunks(fill) {
            add_node.execute(params![next, node(0, group, node_bytes)])?;
            for (child, _) in group {
                if depth == 0 {
                    homes.push((*child, next));
                } else {
                    add_parent.execute([*child, next])?;
                }
            }
            above.push((next, group.iter().map(|c| c.1).reduce(join).unwrap_or_default()));
            next += 1;
        }
        cells = above;
        depth += 1;
    }
    for (child, _) in &cells {
        if depth == 0 {
            homes.push((*child, 1));
        } else {
            add_parent.execute([*child, 1])?;
        }
    }
    conn.execute(&sql(r#"UPDATE RTREE_node" SET data = ?1 WHERE nodeno = 1"#), [node(depth, &cells, node_bytes)])?;
    homes.sort_unstable();
    let mut add_home = conn.prepare_cached(&sql(r#"INSERT INTO RTREE_rowid" (rowid, nodeno) VALUES (?1, ?2)"#))?;
    for (fid, home) in homes {
        add_home.execute([fid, home])?;
    }
    Ok(())
}

/// Big endian: depth (of the root only), count, then id and box of each cell; padded to the node's size.
fn node(depth: u16, cells: &[(i64, Box32)], bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes);
    out.extend_from_slice(&depth.to_be_bytes());
    out.extend_from_slice(&(cells.len() as u16).to_be_bytes());
    for (id, b) in cells {
        out.extend_from_slice(&id.to_be_bytes());
        b.iter().for_each(|v| out.extend_from_slice(&v.to_be_bytes()));
    }
    out.resize(bytes, 0);
    out
}

/// Vertical slices of about √(leaves) leaves each, from west to east; inside a slice from south to north.
fn tile(cells: &mut [(i64, Box32)], fill: usize) {
    let middle = |c: &(i64, Box32), k: usize| c.1[k] + c.1[k + 1];
    cells.sort_unstable_by(|a, b| middle(a, 0).total_cmp(&middle(b, 0)));
    let leaves = cells.len().div_ceil(fill);
    let slice = (leaves as f64).sqrt().ceil() as usize * fill;
    for part in cells.chunks_mut(slice.max(1)) {
        part.sort_unstable_by(|a, b| middle(a, 2).total_cmp(&middle(b, 2)));
    }
}

fn join(a: Box32, b: Box32) -> Box32 {
    [a[0].min(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].max(b[3])]
}

/// The tree keeps f32: the box is rounded so that it never shrinks.
fn outward(b: &Bounds2) -> Box32 {
    let down = |v: f64| if f64::from(v as f32) > v { (v as f32).next_down() } else { v as f32 };
    let up = |v: f64| if f64::from(v as f32) < v { (v as f32).next_up() } else { v as f32 };
    [down(b.min[0]), up(b.max[0]), down(b.min[1]), up(b.max[1])]
}

#[cfg(test)]
mod tests {
    use crate::{CityMeta, Store};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use strata_model::*;

    /// Against SQLite's own check of the tree, a full scan, and insertion and removal afterwards, for sizes around every change of depth.
    #[test]
    fn sqlite_takes_the_tree_for_its_own() {
        let layer: Layer = serde_json::from_str(include_str!("../tests/layer.json")).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut point = |i: usize| Feature {
            id: format!("p{i}").as_str().into(),
            geometry: Geometry::MultiPoint(vec![
                [rng.random_range(440_000.0..450_000.0), rng.random_range(-4_870_000.0..4_870_000.0), 0.0],
                [rng.random_range(440_000.0..450_000.0), rng.random_range(4_860_000.0..4_870_000.0), 0.0],
            ]),
            valid: Interval::ALWAYS,
            attributes: vec![Value::Null],
        };
        for n in [1, 2, 44, 45, 46, 50, 51, 52, 53, 102, 103, 2000, 2295, 2346, 2347, 2602, 5000] {
            let dir = tempfile::tempdir().unwrap();
            let meta = CityMeta { name: "t".into(), crs: Crs::CHANGCHUN, geoid_offset_m: 0.0, synthetic: true };
            let mut store = Store::create(dir.path(), &meta).unwrap();
            let mut w = store.begin("anna", "", Instant(0)).unwrap();
            w.layer(&layer).unwrap();
            (0..n).for_each(|i| w.put(&layer.id, &point(i)).unwrap());
            w.commit().unwrap();
            let sound = |store: &Store, n: usize, when: &str| {
                let check: String = store.conn.query_row("SELECT rtreecheck('rtree_places_geom')", [], |r| r.get(0)).unwrap();
                assert_eq!(check, "ok", "{n} {when}");
                store.integrity().unwrap();
                let number = |sql: &str| store.conn.query_row(sql, [], |r| r.get::<_, i64>(0)).unwrap();
                assert_eq!(number("SELECT count(*) FROM rtree_places_geom"), n as i64);
                for x in [440_000, 443_217, 449_990] {
                    let found =
                        number(&format!("SELECT count(*) FROM rtree_places_geom WHERE minx <= {x} AND maxx >= {x} AND maxy > 4865000"));
                    let scan = format!(
                        "SELECT count(*) FROM places WHERE ST_MinX(geom) <= {x} AND ST_MaxX(geom) >= {x} AND ST_MaxY(geom) > 4865000"
                    );
                    let near = found - number(&scan);
                    assert!((0..=2).contains(&near), "{n} {when} {x}: off by {near}"); // f32 boxes are up to 0.5 m wider
                }
            };
            sound(&store, n, "after filling");
            let mut w = store.begin("anna", "", Instant(0)).unwrap();
            (n..n + 60).for_each(|i| w.put(&layer.id, &point(i)).unwrap());
            (0..n).step_by(3).for_each(|i| w.remove(&layer.id, &format!("p{i}").as_str().into()).unwrap());
            w.commit().unwrap();
            sound(&store, n + 60 - n.div_ceil(3), "after changes");
        }
    }
}
