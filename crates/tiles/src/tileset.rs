//! How a layer lies in tiles: one implicit quadtree over its region, refined until a leaf holds a fair load.
//!
//! Every feature belongs to exactly one cell of each level: the one that the centre of its box falls in. The
//! cells of a level nest, because all are cut from the leaf's index. Coarse levels that would have to carry too
//! many features have tiles without content, so a client goes on to their children and a bulk build never holds
//! more than one such load.

use crate::TilesError;
use crate::subtree::{Availability, morton, unmorton};
use serde_json::{Value, json};
use strata_model::{Bounds2, Bounds3, Feature, FieldKind, Layer, Point3, Theme, WorkingFrame};

const DEEPEST: u32 = 16;
const SUBTREE_LEVELS: u32 = 4;
/// Room below the lowest point, for skirts of the ground.
const FOOTROOM_M: f64 = 12.0;

/// Measures by theme.
#[derive(Debug, Clone, Copy)]
struct Load {
    /// Features in a leaf, about.
    leaf: usize,
    /// A leaf is not made smaller, m.
    least_m: f64,
    /// Cell size ÷ geometric error: the larger, the nearer a client must be before it refines.
    sharpness: f64,
    /// More features than this are not put into one content.
    most: usize,
    /// The body may stand out of the features' plan boxes by this, m.
    overhang_m: f64,
}

fn load(theme: Theme) -> Load {
    let l = |leaf, least_m, sharpness, most, overhang_m| Load { leaf, least_m, sharpness, most, overhang_m };
    // A cell is drawn at once for each of its matters: what is seen of a whole city at 1920 × 1080 and 8 px has some 450.
    match theme {
        Theme::Terrain => l(4, 512.0, 24.0, 4096, 1.0),
        Theme::Building => l(1200, 300.0, 32.0, 120_000, 5.0),
        Theme::Pipe => l(1500, 100.0, 24.0, 60_000, 5.0),
        Theme::PipePoint => l(1500, 100.0, 32.0, 60_000, 5.0),
        Theme::Tree => l(150, 60.0, 48.0, 60_000, 20.0),
        Theme::Road => l(400, 250.0, 20.0, 40_000, 60.0),
        Theme::Parcel => l(600, 500.0, 40.0, 20_000, 1.0),
        Theme::Water => l(200, 500.0, 20.0, 20_000, 1.0),
        Theme::Rail => l(400, 500.0, 24.0, 20_000, 20.0),
        Theme::ControlLine => l(400, 250.0, 24.0, 20_000, 5.0),
        _ => l(1000, 250.0, 24.0, 40_000, 10.0),
    }
}

/// The cells of one layer. Made once for each snapshot version.
#[derive(Debug, Clone)]
pub struct TilesetPlan {
    layer: String,
    title: String,
    theme: Theme,
    synthetic: bool,
    fields: Vec<(String, FieldKind)>,
    /// West, south, east, north (rad), lowest and highest ellipsoidal height (m).
    region: [f64; 6],
    size_m: f64,
    max_level: u32,
    first_content_level: u32,
    features: usize,
    /// For each level the cells that hold a feature.
    levels: Vec<Level>,
}

/// Cells of one level in Morton order.
#[derive(Debug, Clone, Default)]
struct Level {
    codes: Vec<u64>,
    /// What the features of a cell reach over: west, south, east, north (rad), heights (m). Features may stand
    /// out of their cell.
    regions: Vec<[f64; 6]>,
}

impl Level {
    fn add(&mut self, code: u64, region: &[f64; 6]) {
        match self.regions.last_mut().filter(|_| self.codes.last() == Some(&code)) {
            Some(r) => (0..6).for_each(|k| r[k] = if matches!(k, 0 | 1 | 4) { r[k].min(region[k]) } else { r[k].max(region[k]) }),
            None => {
                self.codes.push(code);
                self.regions.push(*region);
            }
        }
    }
}

/// One cell of the quadtree.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    pub level: u32,
    pub x: u32,
    pub y: u32,
    /// Working frame: covers the cell; query it, then [`crate::encode_content`] keeps what belongs to the cell.
    pub bounds: Bounds2,
    /// Longitude and latitude in degrees, ellipsoidal height in m: the origin of the tile frame.
    pub centre: Point3,
    /// West, south, east, north (rad), heights (m).
    pub region: [f64; 6],
    /// Side of the cell, m.
    pub size_m: f64,
    /// 0 at the leaves, one more for each level above.
    pub steps: u32,
}

impl TilesetPlan {
    /// `items` are the exact boxes of the features (`Geometry::bounds`, or [`body_bounds`], which adds the
    /// heights that stand in attributes; the plan centre is the same). `None` for a layer without features.
    ///
    /// Errors: a box that is not finite or cannot be projected.
    pub fn new(layer: &Layer, frame: &WorkingFrame, items: impl Iterator<Item = Bounds3>) -> Result<Option<Self>, TilesError> {
        let fault = |reason: String| TilesError::Plan { layer: layer.id.to_string(), reason };
        let load = load(layer.theme);
        let (mut all, mut tallest) = (Bounds3::EMPTY, 0.0f64);
        let mut places = Vec::new();
        for b in items {
            let c = b.centre();
            if b.is_empty() || !c.iter().all(|v| v.is_finite()) {
                return Err(fault(format!("a feature's box is {b:?}")));
            }
            all.merge(&b);
            tallest = tallest.max(b.max[2] - b.min[2]);
            places.push((frame.geographic_from_working([c[0], c[1]])?.map(f64::to_radians), b));
        }
        if places.is_empty() {
            return Ok(None);
        }
        // Footprints say nothing of the roofs above them; leave room.
        let headroom = if layer.theme == Theme::Building && tallest < 2.0 { 250.0 } else { 5.0 };
        let plan_box = all.plan().grown(load.overhang_m);
        let mut geo = Bounds2::EMPTY;
        for p in rim(&plan_box, 8) {
            geo.extend(frame.geographic_from_working(p)?.map(f64::to_radians));
        }
        let mid = (geo.min[1] + geo.max[1]) / 2.0;
        // Cells as square on the ground as the place allows, so that nearness means the same both ways.
        let metres = [strata_model::EARTH_A_M * mid.cos().max(0.01), strata_model::EARTH_A_M];
        let size_m = (0..2).map(|k| (geo.max[k] - geo.min[k]) * metres[k]).fold(load.least_m, f64::max);
        let half = metres.map(|m| size_m / m / 2.0);
        let centre = [0, 1].map(|k| (geo.min[k] + geo.max[k]) / 2.0);
        let heights = [all.min[2] - FOOTROOM_M, all.max[2] + headroom].map(|h| h + frame.geoid_offset_m);
        let region = [centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1], heights[0], heights[1]];

        let mut items: Vec<(u64, [f64; 6])> = places
            .iter()
            .map(|(p, b)| {
                // Grid and true north differ by less than 2° in a zone, metres to the radian by less than 0.5 %.
                let side = [0, 1].map(|k| (b.max[k] - b.min[k]) / 2.0);
                let reach = [0, 1].map(|k| (side[k] + 0.035 * side[1 - k] + load.overhang_m) * 1.006 / metres[k]);
                let low = b.min[2] - FOOTROOM_M + frame.geoid_offset_m;
                let high = b.max[2] + headroom + frame.geoid_offset_m;
                let own = [p[0] - reach[0], p[1] - reach[1], p[0] + reach[0], p[1] + reach[1], low, high];
                let within = [0, 1, 2, 3].map(|k| own[k].clamp(region[k % 2], region[k % 2 + 2]));
                (leaf_code(&region, *p, DEEPEST), [within[0], within[1], within[2], within[3], low, high])
            })
            .collect();
        items.sort_unstable_by_key(|i| i.0);
        let codes: Vec<u64> = items.iter().map(|i| i.0).collect();
        let fullest = |level: u32| {
            let shift = 2 * (DEEPEST - level);
            codes.chunk_by(|a, b| a >> shift == b >> shift).map(<[u64]>::len).max().unwrap_or(0)
        };
        let mut max_level = 0;
        while max_level < DEEPEST && size_m / f64::from(1u32 << (max_level + 1)) >= load.least_m && fullest(max_level) > load.leaf {
            max_level += 1;
        }
        let first_content_level = (0..=max_level).find(|&l| fullest(l) <= load.most).unwrap_or(max_level);
        let mut levels: Vec<Level> = vec![Level::default(); max_level as usize + 1];
        for (code, own) in &items {
            levels[max_level as usize].add(code >> (2 * (DEEPEST - max_level)), own);
        }
        for l in (0..max_level as usize).rev() {
            let (coarse, fine) = levels.split_at_mut(l + 1);
            fine[0].codes.iter().zip(&fine[0].regions).for_each(|(code, own)| coarse[l].add(code >> 2, own));
        }
        Ok(Some(Self {
            layer: layer.id.to_string(),
            title: if layer.title_en.is_empty() { layer.id.to_string() } else { layer.title_en.clone() },
            theme: layer.theme,
            synthetic: layer.synthetic,
            fields: crate::mesh::columns_of(layer).map(|f| (f.name.clone(), f.kind)).collect(),
            region,
            size_m,
            max_level,
            first_content_level,
            features: places.len(),
            levels,
        }))
    }

    pub fn max_level(&self) -> u32 {
        self.max_level
    }
    /// West, south, east, north (rad), lowest and highest ellipsoidal height (m).
    pub fn region(&self) -> [f64; 6] {
        self.region
    }
    /// What the features of a cell reach over, within the whole region; `None` where none are.
    pub fn reach(&self, level: u32, x: u32, y: u32) -> Option<[f64; 6]> {
        let of = self.levels.get(level as usize)?;
        let at = of.codes.binary_search(&morton(x, y)).ok()?;
        of.regions.get(at).copied()
    }
    pub fn feature_count(&self) -> usize {
        self.features
    }
    fn has(&self, level: u32, x: u32, y: u32) -> bool {
        let side = 1u32.checked_shl(level).unwrap_or(0);
        level <= self.max_level && x < side && y < side && self.levels[level as usize].codes.binary_search(&morton(x, y)).is_ok()
    }
    /// Is there content to ask for?
    pub fn has_content(&self, level: u32, x: u32, y: u32) -> bool {
        level >= self.first_content_level && self.has(level, x, y)
    }
    /// Cells with content, coarse to fine: the work of a bulk build.
    pub fn cells(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        (self.first_content_level..=self.max_level).flat_map(move |level| {
            self.levels[level as usize].codes.iter().map(move |&code| {
                let (x, y) = unmorton(code);
                (level, x, y)
            })
        })
    }
    /// Roots of the subtrees there are.
    pub fn subtrees(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        (0..=self.max_level).step_by(SUBTREE_LEVELS as usize).flat_map(move |level| {
            self.levels[level as usize].codes.iter().map(move |&code| {
                let (x, y) = unmorton(code);
                (level, x, y)
            })
        })
    }

    /// `None` where the plan has no content.
    pub fn cell(&self, frame: &WorkingFrame, level: u32, x: u32, y: u32) -> Result<Option<Cell>, TilesError> {
        if !self.has_content(level, x, y) {
            return Ok(None);
        }
        let [w, s, e, n, lo, hi] = self.region;
        let side = f64::from(1u32 << level);
        let (dx, dy) = ((e - w) / side, (n - s) / side);
        let (cw, cs) = (w + dx * f64::from(x), s + dy * f64::from(y));
        let geo = Bounds2 { min: [cw, cs].map(f64::to_degrees), max: [cw + dx, cs + dy].map(f64::to_degrees) };
        let mut bounds = Bounds2::EMPTY;
        for p in rim(&geo, 8) {
            bounds.extend(frame.working_from_geographic(p)?);
        }
        let size_m = self.size_m / side;
        // Between two samples of a side its image bows out by less than a millionth of the side's square.
        let bounds = bounds.grown(1.0 + size_m * size_m * 1e-8);
        Ok(Some(Cell {
            level,
            x,
            y,
            bounds,
            centre: [(geo.min[0] + geo.max[0]) / 2.0, (geo.min[1] + geo.max[1]) / 2.0, (lo + hi) / 2.0],
            region: [cw, cs, cw + dx, cs + dy, lo, hi],
            size_m,
            steps: self.max_level - level,
        }))
    }

    /// Does a feature whose box has this plan centre (working frame) belong to the cell?
    pub fn belongs(&self, frame: &WorkingFrame, cell: &Cell, centre: [f64; 2]) -> bool {
        frame.geographic_from_working(centre).is_ok_and(|g| {
            let code = leaf_code(&self.region, g.map(f64::to_radians), DEEPEST);
            code >> (2 * (DEEPEST - cell.level.min(DEEPEST))) == morton(cell.x, cell.y)
        })
    }

    /// Geometric error of the root, m; it halves with each level.
    fn root_error_m(&self) -> f64 {
        self.size_m / load(self.theme).sharpness
    }

    /// The tileset of 3D Tiles 1.1; content at `content/{level}/{x}/{y}.glb`, subtrees at
    /// `subtrees/{level}/{x}/{y}.subtree`.
    pub fn tileset_json(&self) -> Value {
        let class: String = self.layer.replace('-', "_");
        let mut properties = serde_json::Map::new();
        properties.insert("id".into(), json!({ "type": "STRING", "required": true }));
        for name in ["valid_from_day", "valid_to_day"] {
            properties.insert(name.into(), json!({ "type": "SCALAR", "componentType": "INT32", "required": true }));
        }
        for (name, kind) in &self.fields {
            properties.insert(name.clone(), crate::glb::property_form(*kind));
        }
        let error = self.root_error_m();
        json!({
            "asset": { "version": "1.1", "generator": "Strata" },
            "geometricError": error * 2.0,
            "schema": {
                "id": format!("strata_{class}"),
                "classes": {
                    class.clone(): { "name": self.title, "properties": properties },
                    "strata_tile": { "properties": {
                        // Features stand out of their cells; a client that reads this culls and refines by what is there.
                        "region": {
                            "type": "SCALAR", "componentType": "FLOAT64", "array": true, "count": 6, "required": true,
                            "semantic": "TILE_BOUNDING_REGION",
                        },
                    }},
                    "strata_tileset": { "properties": {
                        "layer": { "type": "STRING", "required": true },
                        "theme": { "type": "STRING", "required": true },
                        "synthetic": { "type": "BOOLEAN", "required": true },
                        "feature_count": { "type": "SCALAR", "componentType": "UINT32", "required": true },
                    }},
                },
            },
            "statistics": { "classes": { class: { "count": self.features } } },
            "metadata": { "class": "strata_tileset", "properties": {
                "layer": self.layer, "theme": self.theme, "synthetic": self.synthetic, "feature_count": self.features,
            }},
            "root": {
                "boundingVolume": { "region": self.region },
                "geometricError": error,
                "refine": "REPLACE",
                "content": { "uri": "content/{level}/{x}/{y}.glb" },
                "implicitTiling": {
                    "subdivisionScheme": "QUADTREE",
                    "subtreeLevels": SUBTREE_LEVELS.min(self.max_level + 1),
                    "availableLevels": self.max_level + 1,
                    "subtrees": { "uri": "subtrees/{level}/{x}/{y}.subtree" },
                },
            },
            // Above this level no tile has content, which a client would else learn only from the subtree.
            "extras": { "strata": {
                "layer": self.layer, "theme": self.theme, "synthetic": self.synthetic, "first_content_level": self.first_content_level,
            }},
        })
    }

    /// The binary subtree whose root is this tile; `None` where no subtree starts or no tile is.
    pub fn subtree(&self, level: u32, x: u32, y: u32) -> Option<Vec<u8>> {
        let depth = SUBTREE_LEVELS.min(self.max_level + 1);
        if !level.is_multiple_of(depth) || !self.has(level, x, y) {
            return None;
        }
        let root = morton(x, y);
        let mut bits = Availability::default();
        for d in 0..=depth {
            let count = 1usize << (2 * d);
            let mut row = vec![false; count];
            if let Some(of) = self.levels.get((level + d) as usize) {
                let first = root << (2 * d);
                let from = of.codes.partition_point(|&c| c < first);
                for (c, own) in of.codes[from..].iter().zip(&of.regions[from..]).take_while(|(c, _)| **c < first + count as u64) {
                    row[(c - first) as usize] = true;
                    if d < depth {
                        bits.regions.push(*own);
                    }
                }
            }
            if d == depth {
                bits.children = row;
            } else {
                bits.contents.extend(row.iter().map(|b| *b && level + d >= self.first_content_level));
                bits.tiles.extend(row);
            }
        }
        Some(bits.to_bytes())
    }
}

/// Morton code of the cell a place (rad) falls in; places outside the region take its nearest cell.
fn leaf_code(region: &[f64; 6], p: [f64; 2], level: u32) -> u64 {
    let side = f64::from(1u32 << level);
    let index = |k: usize| ((p[k] - region[k]) / (region[k + 2] - region[k]) * side).floor().clamp(0.0, side - 1.0) as u32;
    morton(index(0), index(1))
}

/// Points along the sides of a box, `n` steps a side.
fn rim(b: &Bounds2, n: u32) -> impl Iterator<Item = [f64; 2]> + use<> {
    let (lo, hi) = (b.min, b.max);
    (0..=n).flat_map(move |i| {
        let t = f64::from(i) / f64::from(n);
        let (e, m) = (lo[0] + (hi[0] - lo[0]) * t, lo[1] + (hi[1] - lo[1]) * t);
        [[e, lo[1]], [e, hi[1]], [lo[0], m], [hi[0], m]]
    })
}

/// Attributes of this theme's features raise or lower what is drawn of them; the box of any other is that of its geometry.
pub fn stands_out(theme: Theme) -> bool {
    matches!(theme, Theme::Building | Theme::Tree | Theme::Pipe | Theme::PipePoint)
}

/// The box of what is drawn for a feature: its geometry's, with the heights and depths its attributes give.
/// The plan side is the geometry's own. `None` for an empty geometry. Working frame, m.
pub fn body_bounds(layer: &Layer, feature: &Feature) -> Option<Bounds3> {
    let mut b = feature.geometry.bounds()?;
    let number = |name: &str| feature.number(layer, name).filter(|v| v.is_finite());
    match layer.theme {
        Theme::Building => b.max[2] = b.max[2].max(b.min[2] + crate::mesh::building_height_m(layer, feature)) + 4.0,
        Theme::Tree => b.max[2] += number("height_m").unwrap_or(20.0).max(1.0),
        Theme::Pipe => {
            let r = number("od_mm").or(number("dn_mm")).or(number("height_mm")).unwrap_or(1000.0) / 1000.0;
            b.min[2] -= r;
            b.max[2] += r;
        }
        Theme::PipePoint => {
            b.max[2] = b.max[2].max(number("ground_m").unwrap_or(b.max[2])) + 2.0;
            b.min[2] -= number("well_depth_m").or(number("depth_m")).unwrap_or(2.0).abs();
        }
        _ => {}
    }
    Some(b)
}
