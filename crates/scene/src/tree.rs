//! The tree of a 3D Tiles 1.1 tileset: explicit nodes, and implicit quadtrees opened subtree by subtree.

use crate::{SceneError, View};
use glam::DVec3;
use serde_json::Value;
use strata_model::{Enu, ecef_from_geographic};

/// Oriented box in ECEF.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundingBox {
    pub centre: DVec3,
    /// Half axes, orthogonal.
    pub half_axes: [DVec3; 3],
}

impl BoundingBox {
    /// Of a region `[west, south, east, north]` rad and heights m; exact to the bow of the earth over it.
    pub fn from_region(r: [f64; 6]) -> Self {
        let (lon, lat) = ((r[0] + r[2]) / 2.0, (r[1] + r[3]) / 2.0);
        let enu = Enu::at_geographic([lon.to_degrees(), lat.to_degrees(), (r[4] + r[5]) / 2.0]);
        let (mut lo, mut hi) = (DVec3::INFINITY, DVec3::NEG_INFINITY);
        for x in [r[0], lon, r[2]] {
            for y in [r[1], lat, r[3]] {
                for z in [r[4], r[5]] {
                    let p = DVec3::from(enu.local_from_ecef(ecef_from_geographic([x.to_degrees(), y.to_degrees(), z])));
                    lo = lo.min(p);
                    hi = hi.max(p);
                }
            }
        }
        let half = (hi - lo) / 2.0;
        let axes = enu.axes_in_ecef.map(DVec3::from);
        Self {
            centre: enu.ecef_from_local(((lo + hi) / 2.0).to_array()).into(),
            half_axes: [axes[0] * half.x, axes[1] * half.y, axes[2] * half.z],
        }
    }
    fn from_json(volume: &Value, ecef_from_tile: &glam::DMat4) -> Option<Self> {
        let numbers = |v: &Value, n: usize| -> Option<Vec<f64>> {
            let list: Option<Vec<f64>> = v.as_array()?.iter().map(Value::as_f64).collect();
            list.filter(|l| l.len() == n && l.iter().all(|v| v.is_finite()))
        };
        if let Some(r) = numbers(&volume["region"], 6) {
            return Some(Self::from_region([r[0], r[1], r[2], r[3], r[4], r[5]]));
        }
        if let Some(b) = numbers(&volume["box"], 12) {
            let axis = |i: usize| ecef_from_tile.transform_vector3(DVec3::new(b[i], b[i + 1], b[i + 2]));
            return Some(Self {
                centre: ecef_from_tile.transform_point3(DVec3::new(b[0], b[1], b[2])),
                half_axes: [axis(3), axis(6), axis(9)],
            });
        }
        let s = numbers(&volume["sphere"], 4)?;
        Some(Self {
            centre: ecef_from_tile.transform_point3(DVec3::new(s[0], s[1], s[2])),
            half_axes: [DVec3::X * s[3], DVec3::Y * s[3], DVec3::Z * s[3]],
        })
    }
    /// From a point to the nearest point of the box, 0 inside, m.
    pub fn distance_m(&self, p: DVec3) -> f64 {
        let d = p - self.centre;
        self.half_axes
            .iter()
            .map(|a| {
                let half = a.length();
                if half == 0.0 { 0.0 } else { (d.dot(*a / half).abs() - half).max(0.0).powi(2) }
            })
            .sum::<f64>()
            .sqrt()
    }
    /// Is any of it inside the view's pyramid? Never false for a box that shows; may be true for one that just misses.
    pub fn in_view(&self, view: &View) -> bool {
        let axes = view.enu.axes_in_ecef.map(DVec3::from);
        let to_enu = |v: DVec3| DVec3::new(axes[0].dot(v), axes[1].dot(v), axes[2].dot(v));
        let centre = to_enu(self.centre - DVec3::from(view.eye_in_ecef));
        let half = self.half_axes.map(to_enu);
        let (f, r, u) = (view.forward_in_enu.as_dvec3(), view.right_in_enu.as_dvec3(), view.up_in_enu.as_dvec3());
        let ty = f64::from(view.fov_y_rad * 0.5).tan();
        let tx = ty * f64::from(view.viewport_px[0].max(1)) / f64::from(view.viewport_px[1].max(1));
        // Inward normals of the five planes through the eye.
        [f, f * tx - r, f * tx + r, f * ty - u, f * ty + u]
            .iter()
            .all(|n| centre.dot(*n) + half.iter().map(|h| h.dot(*n).abs()).sum::<f64>() >= 0.0)
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Children {
    None,
    Known(Vec<usize>),
    /// They stand in a subtree that is not here yet.
    Subtree,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub bounds: BoundingBox,
    pub geometric_error_m: f64,
    /// Address of the content, absolute on the server; `None`: nothing to draw here.
    pub content: Option<String>,
    pub children: Children,
    /// Level, column, row in the implicit quadtree.
    pub implicit: Option<(u32, u32, u32)>,
}

#[derive(Debug, Clone)]
struct Implicit {
    region: [f64; 6],
    root_error_m: f64,
    subtree_levels: u32,
    levels: u32,
    /// Of our own tilesets: above it no tile has content. Others ask for a tile while its subtree is still on its way, in vain
    /// where it has none.
    first_content_level: u32,
    content: String,
    subtrees: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub nodes: Vec<Node>,
    implicit: Option<Implicit>,
    /// Class and property in which the tileset's schema says a tile's own region to stand.
    region_at: Option<(String, String)>,
}

const MAX_NODES: usize = 2_000_000;

impl Tree {
    pub fn parse(url: &str, bytes: &[u8]) -> Result<Self, SceneError> {
        let fault = |reason: &str| SceneError::Tileset { url: url.into(), reason: reason.into() };
        let json: Value = serde_json::from_slice(bytes)?;
        let root = json.get("root").ok_or_else(|| fault("it has no root"))?;
        let mut tree = Self { nodes: Vec::new(), implicit: None, region_at: region_property(&json) };
        if let Some(implicit) = root.get("implicitTiling") {
            if implicit["subdivisionScheme"] != "QUADTREE" {
                return Err(fault("only implicit quadtrees are read"));
            }
            let region: Option<Vec<f64>> =
                root["boundingVolume"]["region"].as_array().map(|r| r.iter().filter_map(Value::as_f64).collect());
            let Some(&[w, s, e, n, lo, hi]) = region.as_deref().map(|r| r.first_chunk::<6>()).unwrap_or_default() else {
                return Err(fault("an implicit root wants a region"));
            };
            let text = |v: &Value| v.as_str().map(|t| resolve(url, t)).ok_or_else(|| fault("an implicit root wants content and subtrees"));
            let levels = |key: &str| implicit[key].as_u64().filter(|v| (1..=30).contains(v)).map(|v| v as u32).ok_or_else(|| fault(key));
            let implicit = Implicit {
                region: [w, s, e, n, lo, hi],
                root_error_m: root["geometricError"].as_f64().unwrap_or(0.0),
                subtree_levels: levels("subtreeLevels")?,
                levels: levels("availableLevels")?,
                first_content_level: json["extras"]["strata"]["first_content_level"].as_u64().map_or(0, |l| l.min(30) as u32),
                content: text(&root["content"]["uri"])?,
                subtrees: text(&implicit["subtrees"]["uri"])?,
            };
            tree.nodes.push(implicit.node(0, 0, 0));
            tree.implicit = Some(implicit);
        } else {
            tree.explicit(url, root, &glam::DMat4::IDENTITY, 0)?;
        }
        Ok(tree)
    }

    fn explicit(&mut self, url: &str, node: &Value, parent: &glam::DMat4, depth: u32) -> Result<usize, SceneError> {
        let fault = |reason: &str| SceneError::Tileset { url: url.into(), reason: reason.into() };
        if depth > 64 || self.nodes.len() >= MAX_NODES {
            return Err(fault("it is too deep or too large"));
        }
        let own = match node.get("transform").and_then(Value::as_array) {
            Some(m) => {
                let m: Vec<f64> = m.iter().filter_map(Value::as_f64).collect();
                glam::DMat4::from_cols_array(m.first_chunk::<16>().ok_or_else(|| fault("a transform wants 16 numbers"))?)
            }
            None => glam::DMat4::IDENTITY,
        };
        let transform = *parent * own;
        let bounds =
            BoundingBox::from_json(&node["boundingVolume"], &transform).ok_or_else(|| fault("a node without a bounding volume"))?;
        let at = self.nodes.len();
        let uri = node["content"]["uri"].as_str().or_else(|| node["content"]["url"].as_str());
        self.nodes.push(Node {
            bounds,
            geometric_error_m: node["geometricError"].as_f64().unwrap_or(0.0),
            content: uri.map(|u| resolve(url, u)),
            children: Children::None,
            implicit: None,
        });
        let children = node["children"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| self.explicit(url, c, &transform, depth + 1))
            .collect::<Result<Vec<_>, _>>()?;
        if !children.is_empty() {
            self.nodes[at].children = Children::Known(children);
        }
        Ok(at)
    }

    /// Address of the subtree that holds the children of this node (or the node itself when it is a subtree's root).
    pub fn subtree_url(&self, node: usize) -> Option<String> {
        let implicit = self.implicit.as_ref()?;
        let (l, x, y) = self.nodes[node].implicit?;
        Some(fill(&implicit.subtrees, l, x, y))
    }

    /// Opens the subtree whose root is this node: learns which of its tiles exist.
    pub fn open_subtree(&mut self, root: usize, url: &str, bytes: &[u8]) -> Result<(), SceneError> {
        let fault = |reason: &str| SceneError::Tileset { url: url.into(), reason: reason.into() };
        let (Some(implicit), Some((l0, x0, y0))) = (self.implicit.clone(), self.nodes[root].implicit) else {
            return Err(fault("no subtree is expected here"));
        };
        let region_at = self.region_at.as_ref().map(|(c, p)| (c.as_str(), p.as_str()));
        let subtree = Subtree::parse(bytes, implicit.subtree_levels, region_at).ok_or_else(|| fault("the subtree is not readable"))?;
        if let Some(bounds) = subtree.bounds(0, 0, 0) {
            self.nodes[root].bounds = bounds;
        }
        let mut level: Vec<(usize, u32, u32)> = vec![(root, 0, 0)];
        self.nodes[root].children = Children::None;
        if !subtree.content(0, 0, 0) {
            self.nodes[root].content = None;
        }
        for depth in 0..implicit.subtree_levels {
            let mut next = Vec::new();
            let last = depth + 1 == implicit.subtree_levels;
            for (node, x, y) in level {
                let mut children = Vec::new();
                if l0 + depth + 1 < implicit.levels {
                    for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                        let (cx, cy) = (x * 2 + dx, y * 2 + dy);
                        let exists = if last { subtree.child_subtree(cx, cy) } else { subtree.tile(depth + 1, cx, cy) };
                        if !exists {
                            continue;
                        }
                        if self.nodes.len() >= MAX_NODES {
                            return Err(fault("it has too many tiles"));
                        }
                        let mut child = implicit.node(l0 + depth + 1, (x0 << (depth + 1)) + cx, (y0 << (depth + 1)) + cy);
                        if last {
                            // Its own subtree tells how far it reaches; until then no more is known than its parent's reach.
                            if subtree.regions.is_some() {
                                child.bounds = self.nodes[node].bounds;
                            }
                        } else {
                            if let Some(bounds) = subtree.bounds(depth + 1, cx, cy) {
                                child.bounds = bounds;
                            }
                            child.children = Children::None;
                            if !subtree.content(depth + 1, cx, cy) {
                                child.content = None;
                            }
                            next.push((self.nodes.len(), cx, cy));
                        }
                        children.push(self.nodes.len());
                        self.nodes.push(child);
                    }
                }
                if !children.is_empty() {
                    self.nodes[node].children = Children::Known(children);
                }
            }
            level = next;
        }
        Ok(())
    }
}

impl Implicit {
    /// A node as a subtree's root knows it: its subtree still to be fetched.
    fn node(&self, l: u32, x: u32, y: u32) -> Node {
        let [w, s, e, n, lo, hi] = self.region;
        let cells = f64::from(1u32 << l);
        let (dx, dy) = ((e - w) / cells, (n - s) / cells);
        let region = [w + dx * f64::from(x), s + dy * f64::from(y), w + dx * f64::from(x + 1), s + dy * f64::from(y + 1), lo, hi];
        Node {
            bounds: BoundingBox::from_region(region),
            geometric_error_m: self.root_error_m / cells,
            content: (l >= self.first_content_level).then(|| fill(&self.content, l, x, y)),
            children: Children::Subtree,
            implicit: Some((l, x, y)),
        }
    }
}

fn fill(template: &str, l: u32, x: u32, y: u32) -> String {
    template.replace("{level}", &l.to_string()).replace("{x}", &x.to_string()).replace("{y}", &y.to_string())
}

/// A relative address against the tileset's own, both without a host.
fn resolve(base: &str, uri: &str) -> String {
    if uri.starts_with('/') || uri.contains("://") {
        return uri.to_owned();
    }
    let (path, query) = base.split_once('?').map_or((base, None), |(p, q)| (p, Some(q)));
    let folder = path.rfind('/').map_or("", |i| &path[..=i]);
    match query {
        Some(q) if !uri.contains('?') => format!("{folder}{uri}?{q}"),
        _ => format!("{folder}{uri}"),
    }
}

/// Availability bits of one subtree, quadtree, Morton order.
struct Subtree {
    levels: u32,
    tiles: Bits,
    contents: Bits,
    children: Bits,
    /// `TILE_BOUNDING_REGION` of each tile there is, in the order of their bits: features stand out of their cells.
    regions: Option<Vec<[f64; 6]>>,
}

/// Class and property of the schema with the semantic `TILE_BOUNDING_REGION` (3D Tiles 1.1, metadata semantics).
fn region_property(tileset: &Value) -> Option<(String, String)> {
    tileset["schema"]["classes"].as_object()?.iter().find_map(|(class, c)| {
        let (name, _) = c["properties"]
            .as_object()?
            .iter()
            .find(|(_, p)| p["semantic"] == "TILE_BOUNDING_REGION" && p["componentType"] == "FLOAT64" && p["count"] == 6)?;
        Some((class.clone(), name.clone()))
    })
}

enum Bits {
    Constant(bool),
    Stream(Vec<u8>),
}

impl Bits {
    fn get(&self, i: u64) -> bool {
        match self {
            Self::Constant(v) => *v,
            Self::Stream(b) => b.get((i / 8) as usize).is_some_and(|b| b >> (i % 8) & 1 == 1),
        }
    }
}

fn morton(x: u32, y: u32) -> u64 {
    (0..32).fold(0, |m, i| m | (u64::from(x >> i & 1) << (2 * i)) | (u64::from(y >> i & 1) << (2 * i + 1)))
}

impl Subtree {
    fn parse(bytes: &[u8], levels: u32, region_at: Option<(&str, &str)>) -> Option<Self> {
        let u64_at = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        if bytes.get(..4)? != b"subt" {
            return None;
        }
        let (json_len, bin_len) = (usize::try_from(u64_at(8)?).ok()?, usize::try_from(u64_at(16)?).ok()?);
        let json: Value = serde_json::from_slice(bytes.get(24..24usize.checked_add(json_len)?)?).ok()?;
        let bin_at = 24 + json_len;
        let bin = bytes.get(bin_at..bin_at.checked_add(bin_len)?)?;
        let stream = |number: u64| -> Option<&[u8]> {
            let view = &json["bufferViews"][usize::try_from(number).ok()?];
            let at = usize::try_from(view["byteOffset"].as_u64().unwrap_or(0)).ok()?;
            let len = usize::try_from(view["byteLength"].as_u64()?).ok()?;
            bin.get(at..at.checked_add(len)?)
        };
        let bits = |v: &Value| -> Option<Bits> {
            if let Some(c) = v["constant"].as_u64() {
                return Some(Bits::Constant(c == 1));
            }
            stream(v["bitstream"].as_u64().or(v["bufferView"].as_u64())?).map(|b| Bits::Stream(b.to_vec()))
        };
        // A table that is missing, of another class or too short is no fault: the cells then serve as they did.
        let regions = || -> Option<Vec<[f64; 6]>> {
            let (class, property) = region_at?;
            let table = &json["propertyTables"][usize::try_from(json["tileMetadata"].as_u64()?).ok()?];
            let values = stream((table["class"] == class).then(|| table["properties"][property]["values"].as_u64())??)?;
            let number = |c: &[u8]| c.try_into().map(f64::from_le_bytes).unwrap_or(f64::NAN);
            let rows = values.chunks_exact(48).map(|row| std::array::from_fn(|k| number(&row[k * 8..k * 8 + 8])));
            Some(rows.collect::<Vec<[f64; 6]>>()).filter(|r| r.iter().flatten().all(|v| v.is_finite()))
        };
        let contents = &json["contentAvailability"];
        Some(Self {
            levels,
            tiles: bits(&json["tileAvailability"])?,
            contents: bits(contents.get(0).unwrap_or(contents)).unwrap_or(Bits::Constant(false)),
            children: bits(&json["childSubtreeAvailability"])?,
            regions: regions(),
        })
    }
    fn index(depth: u32, x: u32, y: u32) -> u64 {
        ((1u64 << (2 * depth)) - 1) / 3 + morton(x, y)
    }
    fn tile(&self, depth: u32, x: u32, y: u32) -> bool {
        depth < self.levels && self.tiles.get(Self::index(depth, x, y))
    }
    /// What the features of a tile reach over. Rows stand for the tiles that are there, so those before it are counted.
    fn bounds(&self, depth: u32, x: u32, y: u32) -> Option<BoundingBox> {
        let at = Self::index(depth, x, y);
        let row = (0..at).filter(|&i| self.tiles.get(i)).count();
        self.regions.as_ref()?.get(row).map(|r| BoundingBox::from_region(*r))
    }
    fn content(&self, depth: u32, x: u32, y: u32) -> bool {
        depth < self.levels && self.contents.get(Self::index(depth, x, y))
    }
    fn child_subtree(&self, x: u32, y: u32) -> bool {
        self.children.get(morton(x, y))
    }
}
