//! Application layers over the city: bodies, symbols and grids of [`strata_scene::OverlayData`], drawn in a pass of their own
//! over the finished matter and under its depth, the same natively and in the browser.
//!
//! Each overlay has a frame of its own, east-north-up at its middle (`enu`), metres, f32. It lies on the ground that is drawn:
//! when finer ground comes, it is laid anew. A live [`State`] by feature id changes value or colour without any tile.

use crate::{
    Kind, Label, Look, Renderer, TileHandle,
    features::WIDTH,
    gpu::Gpu,
    pick::meet,
    pipelines::{COLOUR, DEPTH, Pipelines},
    uniforms::Draw,
};
use bytemuck::{Pod, Zeroable};
use glam::{DVec3, Mat4, Vec2, Vec3};
use std::collections::{BTreeMap, HashMap};
use strata_model::{Enu, ecef_from_geographic, geographic_from_ecef};
use strata_scene::{
    Overlay, OverlayData, OverlayKind, SceneError, View,
    cluster::Clusters,
    overlay::{Grid, Shape},
};

const SHADERS: &str = concat!(include_str!("../../../shaders/frame.wgsl"), include_str!("../../../shaders/overlay.wgsl"));

const FLAT: f32 = 0.0;
const BODY: f32 = 1.0;
const ICON: f32 = 2.0;
const LINE: f32 = 3.0;
/// What gathers unlike symbols.
const MIXED: [u8; 3] = [0x44, 0x51, 0x5E];
/// Half sizes of symbols, CSS px.
const ICON_PX: f32 = 9.0;
/// Gathered symbols stand at least so far apart, CSS px.
const APART_PX: f64 = 46.0;
const STRIDE: u64 = 256;

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Vertex {
    position: [f32; 3],
    toward: [f32; 3],
    shape: [f32; 4],
    colour: [u8; 4],
    normal: [i8; 4],
}

/// What is known of a feature at this moment, beside what its source says.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct State {
    pub value: Option<f64>,
    pub colour: Option<[u8; 3]>,
}

/// What lies under a pixel of an overlay.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct OverlayHit {
    pub overlay: String,
    /// Of a single feature.
    pub id: Option<String>,
    pub value: Option<f64>,
    /// Features in it: more than one of what is gathered.
    pub count: u32,
    /// No value is known here.
    pub no_data: bool,
}

/// What was gathered or drawn, for tests and tables: middle on the screen, how many, of which ids.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Gathered {
    pub at: [f32; 2],
    pub count: u32,
    pub ids: Vec<String>,
}

#[derive(Default)]
struct Body {
    vertices: Vec<Vertex>,
    solid: Vec<u32>,
    lines: Vec<u32>,
    above: Vec<u32>,
    /// Of each vertex: which [`Part`] it belongs to.
    parts: Vec<u32>,
    of: Vec<Part>,
    words: Vec<Word>,
}

#[derive(Clone)]
struct Part {
    item: Option<u32>,
    value: Option<f64>,
    count: u32,
    no_data: bool,
    node: Option<u32>,
    /// Of a symbol: where it stands and half its size.
    symbol: Option<(Vec3, f32)>,
}

struct Word {
    at: Vec3,
    text: String,
    badge: bool,
}

struct OnGpu {
    vertices: wgpu::Buffer,
    indices: wgpu::Buffer,
    solid: u32,
    lines: u32,
    above: u32,
}

/// The drawn ground in an overlay's frame, for heights.
#[derive(Default)]
struct Relief {
    triangles: Vec<[Vec3; 3]>,
    cells: HashMap<[i32; 2], Vec<u32>>,
}

const RELIEF_CELL_M: f32 = 64.0;

impl Relief {
    fn add(&mut self, t: [Vec3; 3]) {
        let low = t[0].min(t[1]).min(t[2]) / RELIEF_CELL_M;
        let high = t[0].max(t[1]).max(t[2]) / RELIEF_CELL_M;
        let number = self.triangles.len() as u32;
        self.triangles.push(t);
        for x in low.x.floor() as i32..=high.x.floor() as i32 {
            for y in low.y.floor() as i32..=high.y.floor() as i32 {
                self.cells.entry([x, y]).or_default().push(number);
            }
        }
    }
    fn height(&self, p: Vec2) -> Option<f32> {
        let cell = (p / RELIEF_CELL_M).floor();
        let near = self.cells.get(&[cell.x as i32, cell.y as i32])?;
        let heights = near.iter().filter_map(|i| {
            let [a, b, c] = self.triangles[*i as usize];
            let (u, v, w) = (b.truncate() - a.truncate(), c.truncate() - a.truncate(), p - a.truncate());
            let area = u.perp_dot(v);
            let (s, t) = (w.perp_dot(v) / area, u.perp_dot(w) / area);
            (area != 0.0 && s >= -1e-4 && t >= -1e-4 && s + t <= 1.0002).then(|| a.z + (b.z - a.z) * s + (c.z - a.z) * t)
        });
        heights.max_by(f32::total_cmp)
    }
}

struct Layer {
    data: OverlayData,
    visible: bool,
    enu: Enu,
    /// Plan metres of each item's first point, for what is gathered.
    clusters: Clusters,
    shown: Vec<u32>,
    relief: Relief,
    ground: Vec<TileHandle>,
    built_for: Option<(i32, u64)>,
    cut: Vec<u32>,
    body: Body,
    gpu: Option<OnGpu>,
}

#[derive(Default)]
pub(crate) struct Overlays {
    layers: Vec<Layer>,
    states: BTreeMap<String, State>,
    /// Goes up with every change of a state.
    turn: u64,
    device: Option<Device>,
    /// Device pixels of a CSS pixel.
    px: f32,
}

struct Device {
    tested: wgpu::RenderPipeline,
    hidden: wgpu::RenderPipeline,
    above: wgpu::RenderPipeline,
    uniforms: wgpu::Buffer,
    group: wgpu::BindGroup,
    last: Vec<u8>,
    slots: u64,
}

impl Device {
    fn new(gpu: &Gpu, pipelines: &Pipelines, samples: u32, slots: u64) -> Self {
        let device = &gpu.device;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("overlay"),
            source: wgpu::ShaderSource::Wgsl(SHADERS.into()),
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("overlay"),
            bind_group_layouts: &[Some(&pipelines.frame_layout), Some(&pipelines.draw_layout)],
            immediate_size: 0,
        });
        let attributes = wgpu::vertex_attr_array![0 => Float32x3, 1 => Float32x3, 2 => Float32x4, 3 => Unorm8x4, 4 => Snorm8x4];
        let over = wgpu::BlendState {
            color: wgpu::BlendComponent {
                src_factor: wgpu::BlendFactor::SrcAlpha,
                dst_factor: wgpu::BlendFactor::OneMinusSrcAlpha,
                operation: wgpu::BlendOperation::Add,
            },
            alpha: wgpu::BlendComponent {
                src_factor: wgpu::BlendFactor::Zero,
                dst_factor: wgpu::BlendFactor::OneMinusSrcAlpha,
                operation: wgpu::BlendOperation::Add,
            },
        };
        let build = |label, fragment, compare, write| {
            device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some(label),
                layout: Some(&layout),
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some("vs_overlay"),
                    buffers: &[Some(wgpu::VertexBufferLayout {
                        array_stride: size_of::<Vertex>() as u64,
                        step_mode: wgpu::VertexStepMode::Vertex,
                        attributes: &attributes,
                    })],
                    compilation_options: Default::default(),
                },
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some(fragment),
                    targets: &[Some(wgpu::ColorTargetState { format: COLOUR, blend: Some(over), write_mask: wgpu::ColorWrites::ALL })],
                    compilation_options: Default::default(),
                }),
                primitive: wgpu::PrimitiveState::default(),
                depth_stencil: Some(wgpu::DepthStencilState {
                    format: DEPTH,
                    depth_write_enabled: Some(write),
                    depth_compare: Some(compare),
                    stencil: Default::default(),
                    bias: Default::default(),
                }),
                multisample: wgpu::MultisampleState { count: samples, ..Default::default() },
                multiview_mask: None,
                cache: None,
            })
        };
        let uniforms = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("overlays"),
            size: STRIDE * slots,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &uniforms,
            offset: 0,
            size: std::num::NonZeroU64::new(size_of::<Draw>() as u64),
        });
        let entries = &[wgpu::BindGroupEntry { binding: 0, resource }];
        Self {
            tested: build("overlay", "fs_overlay", wgpu::CompareFunction::GreaterEqual, true),
            hidden: build("overlay behind", "fs_overlay_hidden", wgpu::CompareFunction::Less, false),
            above: build("overlay above", "fs_overlay", wgpu::CompareFunction::Always, false),
            group: device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("overlays"),
                layout: &pipelines.draw_layout,
                entries,
            }),
            uniforms,
            last: Vec::new(),
            slots,
        }
    }
}

impl Body {
    fn part(&mut self, item: Option<u32>, value: Option<f64>, count: u32, no_data: bool) -> u32 {
        self.of.push(Part { item, value, count, no_data, node: None, symbol: None });
        self.of.len() as u32 - 1
    }
    fn vertex(&mut self, position: Vec3, toward: Vec3, shape: [f32; 4], colour: Option<[u8; 3]>, normal: Vec3) -> u32 {
        let [r, g, b] = colour.unwrap_or([0; 3]);
        let n = (normal * 127.0).round();
        self.vertices.push(Vertex {
            position: position.to_array(),
            toward: toward.to_array(),
            shape,
            colour: [r, g, b, if colour.is_some() { 255 } else { 0 }],
            normal: [n.x as i8, n.y as i8, n.z as i8, 0],
        });
        self.parts.push(self.of.len().saturating_sub(1) as u32);
        self.vertices.len() as u32 - 1
    }
    fn flat(&mut self, corners: &[Vec3], triangles: impl IntoIterator<Item = u32>, rank: f32, colour: Option<[u8; 3]>) {
        let first = self.vertices.len() as u32;
        for p in corners {
            self.vertex(*p, Vec3::ZERO, [0.0, 0.0, rank, FLAT], colour, Vec3::Z);
        }
        self.solid.extend(triangles.into_iter().map(|i| first + i));
    }
    /// A wall from `a` to `b`, whose feet and heads are given.
    fn wall(&mut self, [a, b]: [Vec2; 2], [low_a, low_b]: [f32; 2], top: f32, normals: [Vec2; 2], colour: [u8; 3]) {
        let first = self.vertices.len() as u32;
        for (p, z, n) in [(a, low_a, normals[0]), (b, low_b, normals[1]), (b, top, normals[1]), (a, top, normals[0])] {
            self.vertex(p.extend(z), Vec3::ZERO, [0.0, 0.0, 0.0, BODY], Some(colour), n.extend(0.0));
        }
        self.solid.extend([0, 1, 2, 0, 2, 3].map(|i| first + i));
    }
    fn line(&mut self, path: &[Vec3], half_px: &dyn Fn(f32) -> f32, colour: [u8; 3]) {
        let steps = path.len().saturating_sub(1).max(1) as f32;
        for (k, w) in path.windows(2).enumerate() {
            let way = w[1] - w[0];
            if way.length_squared() == 0.0 {
                continue;
            }
            let first = self.vertices.len() as u32;
            for (p, end, t) in [(w[0], -1.0, k as f32 / steps), (w[1], 1.0, (k + 1) as f32 / steps)] {
                for side in [-1.0, 1.0] {
                    // Joints overlap by a little, so that a bend has no gap.
                    self.vertex(p, way, [side, end * 0.4, half_px(t), LINE], Some(colour), Vec3::Z);
                }
            }
            self.lines.extend([0, 1, 3, 0, 3, 2].map(|i| first + i));
        }
    }
    fn symbol(&mut self, at: Vec3, glyph: f32, gathered: bool, half_px: f32, colour: [u8; 3]) {
        let first = self.vertices.len() as u32;
        for corner in [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]] {
            let toward = Vec3::new(glyph, f32::from(u8::from(gathered)), 0.0);
            self.vertex(at, toward, [corner[0], corner[1], half_px, ICON], Some(colour), Vec3::Z);
        }
        self.above.extend([0, 1, 2, 0, 2, 3].map(|i| first + i));
        if let Some(part) = self.of.last_mut() {
            part.symbol = Some((at, half_px));
        }
    }
}

/// How much nearer than it is an overlay is drawn: grids and reach over land use and under streets and water, so that the city
/// stays readable; lines over streets.
fn nearer(o: &Overlay) -> f32 {
    match o.kind {
        OverlayKind::Heat | OverlayKind::Isochrone => 0.0011,
        OverlayKind::Track | OverlayKind::Arc => 0.0032,
        OverlayKind::Icon | OverlayKind::Column | OverlayKind::Area => 0.0015,
    }
}

/// A number as people read it, with no more digits than it has meaning.
pub(crate) fn figure(v: f64) -> String {
    if v.abs() >= 100.0 || v.fract() == 0.0 {
        format!("{v:.0}")
    } else if v.abs() >= 1.0 {
        format!("{v:.1}")
    } else {
        format!("{v:.2}")
    }
}

impl Layer {
    fn new(data: OverlayData, fallback_m: f64) -> Option<Self> {
        let grid_middle = data.overlay.extent.map(|[w, s, e, n]| [(w + e) / 2.0, (s + n) / 2.0, f64::NAN]);
        let own = data.middle();
        let [lon, lat, h] = if data.overlay.cell_m.is_some() { grid_middle.or(own)? } else { own.or(grid_middle)? };
        let h = own.map_or(h, |m| m[2]);
        let enu = Enu::at_geographic([lon, lat, if h.is_finite() { h } else { fallback_m }]);
        Some(Self {
            visible: data.overlay.visible,
            data,
            enu,
            clusters: Clusters::default(),
            shown: Vec::new(),
            relief: Relief::default(),
            ground: Vec::new(),
            built_for: None,
            cut: Vec::new(),
            body: Body::default(),
            gpu: None,
        })
    }
    fn local(&self, [lon, lat, h]: [f64; 3]) -> Vec3 {
        // Heights that nobody knows are the ground's.
        let at = geographic_from_ecef(self.enu.origin_in_ecef)[2];
        DVec3::from(self.enu.local_from_ecef(ecef_from_geographic([lon, lat, if h.is_finite() { h } else { at }]))).as_vec3()
    }
    /// On the drawn ground; where none is drawn, at its own height.
    fn laid(&self, p: Vec3, lift: f32) -> Vec3 {
        let z = self.relief.height(p.truncate()).unwrap_or(p.z);
        p.truncate().extend(z + lift)
    }
    fn shows(&self, i: usize, day: i32) -> bool {
        let (from, to) = self.data.items[i].valid;
        from <= day && day < to
    }
    /// Value and colour of an item as they are now.
    fn face(&self, i: usize, states: &BTreeMap<String, State>) -> (Option<f64>, Option<[u8; 3]>) {
        let item = &self.data.items[i];
        let state = states.get(&item.id).copied().unwrap_or_default();
        let value = state.value.or(item.value);
        (value, state.colour.or_else(|| self.data.colour(value, &item.category)))
    }

    fn gather(&mut self, day: i32) {
        self.shown = (0..self.data.items.len()).filter(|i| self.shows(*i, day)).map(|i| i as u32).collect();
        let plan = |i: &u32| {
            self.data.items[*i as usize].shape.points().next().map_or([0.0; 2], |p| self.local(*p).truncate().as_dvec2().to_array())
        };
        let points: Vec<[f64; 2]> = self.shown.iter().map(plan).collect();
        self.clusters = Clusters::new(&points);
    }
    fn icons(&mut self, states: &BTreeMap<String, State>) {
        let categories = self.data.categories();
        let glyph = |name: &str| categories.iter().position(|c| c.0 == name).map_or(0, |k| k % 5) as f32;
        let unit = self.data.overlay.unit.clone();
        let mut body = Body::default();
        for n in &self.cut {
            let node = &self.clusters.nodes[*n as usize];
            let at = self.laid(Vec3::new(node.at[0] as f32, node.at[1] as f32, 0.0), 2.0);
            let items: Vec<usize> = self.clusters.items(*n).into_iter().map(|k| self.shown[k as usize] as usize).collect();
            let first = items.first().copied().unwrap_or(0);
            let (value, colour) = self.face(first, states);
            let one = items.len() == 1;
            // A colour speaks only where all that are gathered agree.
            let alike = items.iter().all(|i| self.face(*i, states).1 == colour);
            let colour = colour.filter(|_| alike).unwrap_or(MIXED);
            body.part(one.then_some(first as u32), value.filter(|_| one), items.len() as u32, false);
            if let Some(p) = body.of.last_mut() {
                p.node = Some(*n);
            }
            if one {
                body.symbol(at, glyph(&self.data.items[first].category), false, ICON_PX, colour);
                if let Some(v) = value {
                    body.words.push(Word { at, text: format!("{} {unit}", figure(v)).trim().to_owned(), badge: false });
                }
            } else {
                let digits = items.len().to_string();
                let half = ICON_PX + 2.5 + 3.0 * digits.len() as f32;
                body.symbol(at, 0.0, true, half, colour);
                body.words.push(Word { at, text: digits, badge: true });
            }
        }
        self.body = body;
    }
    fn column(&self, body: &mut Body, at: Vec2, half_m: f32, value: Option<f64>, colour: Option<[u8; 3]>) {
        const SIDES: u32 = 16;
        let way = |k: u32| Vec2::from_angle(std::f32::consts::TAU * (k as f32 + 0.5) / SIDES as f32);
        let foot = |p: Vec2| self.laid(p.extend(0.0), 0.0).z;
        let base = foot(at);
        let high = value.map_or(0.0, |v| (v.max(0.0) * self.data.overlay.metres_per_unit) as f32);
        if high > 0.0 {
            let colour = colour.unwrap_or(MIXED);
            let top = base + high;
            for k in 0..SIDES {
                let (a, b) = (at + way(k) * half_m, at + way(k + 1) * half_m);
                body.wall([a, b], [foot(a).min(base), foot(b).min(base)], top, [way(k), way(k + 1)], colour);
            }
            let rim: Vec<Vec3> = (0..SIDES).map(|k| (at + way(k) * half_m).extend(top)).collect();
            let first = body.vertices.len() as u32;
            for p in rim {
                body.vertex(p, Vec3::ZERO, [0.0, 0.0, 0.0, BODY], Some(colour), Vec3::Z);
            }
            body.solid.extend((1..SIDES - 1).flat_map(|k| [first, first + k, first + k + 1]));
        } else {
            // Zero is a plate, no data a hatched one: never the same.
            let rim: Vec<Vec3> = (0..SIDES).map(|k| self.laid((at + way(k) * half_m).extend(base), 0.4)).collect();
            body.flat(&rim, (1..SIDES - 1).flat_map(|k| [0, k, k + 1]), 0.0, value.and(colour));
        }
        if let Some(v) = value {
            body.words.push(Word { at: at.extend(base + high + 6.0), text: figure(v), badge: false });
        }
    }
    /// Triangles of rings in plan, none longer than `most_m`.
    fn triangles(&self, rings: &[Vec<[f64; 3]>], most_m: f32) -> Vec<[Vec2; 3]> {
        let mut flat: Vec<[f64; 2]> = Vec::new();
        let mut holes: Vec<u32> = Vec::new();
        for (k, ring) in rings.iter().enumerate() {
            if k > 0 {
                holes.push(flat.len() as u32);
            }
            let open = ring.len().saturating_sub(usize::from(ring.first() == ring.last()));
            flat.extend(ring[..open].iter().map(|p| self.local(*p).truncate().as_dvec2().to_array()));
        }
        let mut indices: Vec<u32> = Vec::new();
        earcut::Earcut::new().earcut(flat.iter().copied(), &holes, &mut indices);
        let corner = |i: u32| flat.get(i as usize).map_or(Vec2::ZERO, |p| Vec2::new(p[0] as f32, p[1] as f32));
        let mut open: Vec<[Vec2; 3]> = indices.chunks_exact(3).map(|t| [corner(t[0]), corner(t[1]), corner(t[2])]).collect();
        let mut out = Vec::new();
        const MOST: usize = 40_000;
        while let Some([a, b, c]) = open.pop() {
            let sides = [a.distance(b), b.distance(c), c.distance(a)];
            let longest = (0..3).max_by(|x, y| sides[*x].total_cmp(&sides[*y])).unwrap_or(0);
            if sides[longest] <= most_m || out.len() + open.len() > MOST {
                out.push([a, b, c]);
                continue;
            }
            let [p, q, r] = [[a, b, c], [b, c, a], [c, a, b]][longest];
            let m = (p + q) / 2.0;
            open.extend([[p, m, r], [m, q, r]]);
        }
        out
    }
    fn area(&self, body: &mut Body, rings: &[Vec<[f64; 3]>], value: Option<f64>, colour: Option<[u8; 3]>) {
        let shell: Vec<Vec3> = rings.first().into_iter().flatten().map(|p| self.laid(self.local(*p), 0.0)).collect();
        let base = shell.iter().map(|p| p.z).sum::<f32>() / shell.len().max(1) as f32;
        let high = value.map_or(0.0, |v| (v.max(0.0) * self.data.overlay.metres_per_unit) as f32);
        let (Some(colour), true) = (value.and(colour), high > 0.0) else {
            for t in self.triangles(rings, 60.0) {
                body.flat(&t.map(|p| self.laid(p.extend(base), 0.4)), 0..3, 0.0, value.and(colour));
            }
            return;
        };
        for t in self.triangles(rings, f32::INFINITY) {
            let first = body.vertices.len() as u32;
            for p in t {
                body.vertex(p.extend(base + high), Vec3::ZERO, [0.0, 0.0, 0.0, BODY], Some(colour), Vec3::Z);
            }
            body.solid.extend([0, 1, 2].map(|i| first + i));
        }
        for ring in rings {
            let ring: Vec<Vec3> = ring.iter().map(|p| self.laid(self.local(*p), 0.0)).collect();
            for w in ring.windows(2) {
                let (a, b) = (w[0].truncate(), w[1].truncate());
                let n = (b - a).perp().normalize_or_zero() * -1.0;
                body.wall([a, b], [w[0].z.min(base), w[1].z.min(base)], base + high, [n, n], colour);
            }
        }
    }
    fn heat(&self, body: &mut Body, grid: &Grid) {
        let parts = ((grid.cell_m / 25.0).ceil() as usize).clamp(1, 8);
        let parts = (1..=parts).rev().find(|n| grid.cells.len() * n * n <= 60_000).unwrap_or(1);
        let step = grid.cell_m / parts as f64;
        for cell in &grid.cells {
            let corner = [0, 1].map(|k| grid.south_west_m[k] + f64::from(cell.at[k]) * grid.cell_m);
            body.part(None, cell.value, cell.count, cell.value.is_none());
            let points: Vec<Vec3> = (0..=parts)
                .flat_map(|y| (0..=parts).map(move |x| (x, y)))
                .map(|(x, y)| self.laid(Vec3::new((corner[0] + x as f64 * step) as f32, (corner[1] + y as f64 * step) as f32, 0.0), 0.3))
                .collect();
            let row = parts as u32 + 1;
            let quads = (0..parts as u32).flat_map(move |y| (0..parts as u32).map(move |x| y * row + x));
            let triangles = quads.flat_map(move |q| [q, q + 1, q + row + 1, q, q + row + 1, q + row]);
            body.flat(&points, triangles, 0.0, self.data.colour(cell.value, ""));
        }
    }
    /// All kinds but icons.
    fn build(&mut self, day: i32, states: &BTreeMap<String, State>) {
        let mut body = Body::default();
        let overlay = &self.data.overlay;
        let grid = overlay.cell_m.and_then(|_| self.data.grid(Some(day)));
        if let (Some(grid), OverlayKind::Heat) = (&grid, overlay.kind) {
            self.heat(&mut body, grid);
        } else if let (Some(grid), OverlayKind::Column) = (&grid, overlay.kind) {
            for cell in grid.cells.iter().filter(|c| c.count > 0) {
                let at = [0, 1].map(|k| (grid.south_west_m[k] + (f64::from(cell.at[k]) + 0.5) * grid.cell_m) as f32);
                body.part(None, cell.value, cell.count, cell.value.is_none());
                self.column(&mut body, Vec2::from(at), (overlay.width_m / 2.0) as f32, cell.value, self.data.colour(cell.value, ""));
            }
        } else {
            let mut order: Vec<usize> = (0..self.data.items.len()).filter(|i| self.shows(*i, day)).collect();
            if overlay.kind == OverlayKind::Isochrone {
                // The far band first: the near one lies on it.
                let key = |i: &usize| -self.face(*i, states).0.unwrap_or(f64::INFINITY);
                order.sort_by(|a, b| key(a).total_cmp(&key(b)));
            }
            let mut rank = 0.0f32;
            let mut last = None;
            for i in order {
                let (value, colour) = self.face(i, states);
                body.part(Some(i as u32), value, 1, overlay.value.is_some() && value.is_none());
                match &self.data.items[i].shape {
                    Shape::Point(p) => self.column(&mut body, self.local(*p).truncate(), (overlay.width_m / 2.0) as f32, value, colour),
                    Shape::Area(rings) if overlay.kind == OverlayKind::Area => self.area(&mut body, rings, value, colour),
                    Shape::Area(rings) => {
                        rank += f32::from(u8::from(last.is_some() && last != Some(value.map(f64::to_bits))));
                        last = Some(value.map(f64::to_bits));
                        for t in self.triangles(rings, 60.0) {
                            body.flat(&t.map(|p| self.laid(p.extend(0.0), 0.3)), 0..3, rank.min(5.0), colour);
                        }
                    }
                    Shape::Line(path) => {
                        let path: Vec<Vec3> = path.iter().map(|p| self.local(*p)).collect();
                        let half = overlay.width_px / 2.0;
                        if overlay.kind == OverlayKind::Arc {
                            let (a, b) = (self.laid(path[0], 1.0), self.laid(path[path.len() - 1], 1.0));
                            let rise = a.distance(b) * 0.28;
                            let arc: Vec<Vec3> =
                                (0..=40).map(|k| k as f32 / 40.0).map(|t| a.lerp(b, t) + Vec3::Z * (4.0 * t * (1.0 - t) * rise)).collect();
                            // It thickens towards where it goes.
                            body.line(&arc, &|t| half * (0.45 + 0.55 * t), colour.unwrap_or(MIXED));
                        } else {
                            let mut laid = vec![self.laid(path[0], 1.2)];
                            for w in path.windows(2) {
                                let n = (w[0].truncate().distance(w[1].truncate()) / 20.0).ceil().clamp(1.0, 500.0) as usize;
                                laid.extend((1..=n).map(|k| self.laid(w[0].lerp(w[1], k as f32 / n as f32), 1.2)));
                            }
                            body.line(&laid, &|_| half, colour.unwrap_or(MIXED));
                        }
                    }
                }
            }
        }
        self.body = body;
    }
    fn upload(&mut self, gpu: &Gpu) {
        self.gpu = None;
        let b = &self.body;
        if b.vertices.is_empty() {
            return;
        }
        let indices: Vec<u32> = b.solid.iter().chain(&b.lines).chain(&b.above).copied().collect();
        let buffer = |label, bytes: &[u8], usage| {
            let usage = usage | wgpu::BufferUsages::COPY_DST;
            let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes.len() as u64,
                usage,
                mapped_at_creation: false,
            });
            gpu.queue.write_buffer(&buffer, 0, bytes);
            buffer
        };
        self.gpu = Some(OnGpu {
            vertices: buffer("overlay", bytemuck::cast_slice(&b.vertices), wgpu::BufferUsages::VERTEX),
            indices: buffer("overlay", bytemuck::cast_slice(&indices), wgpu::BufferUsages::INDEX),
            solid: b.solid.len() as u32,
            lines: b.lines.len() as u32,
            above: b.above.len() as u32,
        });
    }
    /// From the overlay's frame to the picture's, eye as origin.
    fn enu_from_overlay(&self, view: &View) -> Mat4 {
        let axes = view.enu.axes_in_ecef.map(DVec3::from);
        let turn = |v: [f64; 3]| axes.map(|a| a.dot(DVec3::from(v)));
        let [e, n, u] = self.enu.axes_in_ecef.map(|a| DVec3::from(turn(a)).as_vec3());
        let origin = DVec3::from(view.enu.local_from_ecef(self.enu.origin_in_ecef)) - view.eye_in_enu;
        Mat4::from_cols(e.extend(0.0), n.extend(0.0), u.extend(0.0), origin.as_vec3().extend(1.0))
    }
    fn on_screen(&self, view: &View, p: Vec3) -> Option<([f32; 2], f32)> {
        view.project(self.enu.ecef_from_local(p.as_dvec3().to_array()))
    }
}

impl Overlays {
    pub fn px(&self) -> f32 {
        if self.px > 0.0 { self.px } else { 1.0 }
    }
    pub fn forget_device(&mut self) {
        self.device = None;
        for l in &mut self.layers {
            (l.gpu, l.built_for) = (None, None);
            l.cut.clear();
        }
    }
    pub fn state(&self, id: &str) -> Option<State> {
        self.states.get(id).copied()
    }
    pub fn any(&self) -> bool {
        self.layers.iter().any(|l| l.visible)
    }

    /// Draws over what is there; how many draws.
    pub fn draw(&self, pass: &mut wgpu::RenderPass<'_>, frame: &wgpu::BindGroup, below: bool) -> u32 {
        let Some(device) = &self.device else { return 0 };
        let mut draws = 0;
        pass.set_bind_group(0, frame, &[0]);
        let mut run = |pass: &mut wgpu::RenderPass<'_>, pipeline: &wgpu::RenderPipeline, range: &dyn Fn(&OnGpu) -> std::ops::Range<u32>| {
            for (k, l) in self.layers.iter().enumerate().filter(|(_, l)| l.visible) {
                let Some(gpu) = &l.gpu else { continue };
                let range = range(gpu);
                if range.is_empty() {
                    continue;
                }
                pass.set_pipeline(pipeline);
                pass.set_bind_group(1, &device.group, &[(k as u64 * STRIDE) as u32]);
                pass.set_vertex_buffer(0, gpu.vertices.slice(..));
                pass.set_index_buffer(gpu.indices.slice(..), wgpu::IndexFormat::Uint32);
                pass.draw_indexed(range, 0, 0..1);
                draws += 1;
            }
        };
        // Under the ground its surface shows nothing.
        if !below {
            run(pass, &device.tested, &|g| 0..g.solid);
        }
        run(pass, &device.tested, &|g| g.solid..g.solid + g.lines);
        run(pass, &device.hidden, &|g| g.solid..g.solid + g.lines);
        run(pass, &device.above, &|g| g.solid + g.lines..g.solid + g.lines + g.above);
        draws
    }
}

impl Renderer {
    /// Lays an overlay over the city, in the place of one with the same id. `collection`: its features, GeoJSON in CRS84 with
    /// ellipsoidal heights. `fallback_m`: ellipsoidal height of the ground where neither the source nor a tile knows it.
    pub fn set_overlay(&mut self, overlay: &Overlay, collection: &serde_json::Value, fallback_m: f64) -> Result<(), SceneError> {
        let data = OverlayData::new(overlay.clone(), collection)?;
        let at = self.overlays.layers.iter().position(|l| l.data.overlay.id == overlay.id);
        match (Layer::new(data, fallback_m), at) {
            (Some(l), Some(k)) => self.overlays.layers[k] = l,
            (Some(l), None) => self.overlays.layers.push(l),
            // Nothing to show is no fault, but what was shown is gone.
            (None, Some(k)) => drop(self.overlays.layers.remove(k)),
            (None, None) => {}
        }
        Ok(())
    }
    pub fn remove_overlay(&mut self, id: &str) {
        self.overlays.layers.retain(|l| l.data.overlay.id != id);
    }
    pub fn clear_overlays(&mut self) {
        self.overlays.layers.clear();
    }
    pub fn show_overlay(&mut self, id: &str, visible: bool) {
        self.overlays.layers.iter_mut().filter(|l| l.data.overlay.id == id).for_each(|l| l.visible = visible);
    }
    /// Overlays that are shown, with what they stand for.
    pub fn overlays(&self) -> impl Iterator<Item = &OverlayData> {
        self.overlays.layers.iter().filter(|l| l.visible).map(|l| &l.data)
    }
    /// Device pixels of a CSS pixel: symbols and lines are measured in CSS pixels.
    pub fn set_pixel_ratio(&mut self, ratio: f32) {
        self.overlays.px = ratio.max(0.1);
    }
    /// What is known of a feature now, wherever it is shown: an overlay takes value and colour, a body of the city the colour.
    /// `None` forgets it. No tile is loaded for it.
    pub fn set_state(&mut self, id: &str, state: Option<State>) {
        let before = self.overlays.states.get(id).copied();
        if before == state {
            return;
        }
        match state {
            Some(s) => drop(self.overlays.states.insert(id.to_owned(), s)),
            None => drop(self.overlays.states.remove(id)),
        }
        self.overlays.turn += 1;
        self.paint(id, state.and_then(|s| s.colour));
    }

    /// Everything that the picture of this view wants of the overlays is on the device afterwards. Uniform buffers written.
    pub(crate) fn ready_overlays(&mut self, view: &View, look: &Look, tiles: &[(TileHandle, f32)]) -> u32 {
        if !self.overlays.any() {
            return 0;
        }
        let mut overlays = std::mem::take(&mut self.overlays);
        // In a moving picture of fewer pixels a symbol keeps its share of it.
        let px = f64::from(overlays.px()) * f64::from(self.drawn().size[0]) / f64::from(self.size()[0]);
        let ground: Vec<TileHandle> = tiles.iter().filter(|(h, fade)| *fade >= 0.0 && self.has_ground(*h)).map(|(h, _)| *h).collect();
        let Overlays { layers, states, turn, .. } = &mut overlays;
        for l in layers.iter_mut().filter(|l| l.visible) {
            let key = (look.day, *turn);
            if l.ground != ground {
                l.relief = self.relief(l, &ground);
                l.ground.clone_from(&ground);
                l.built_for = None;
            }
            let stale = l.built_for != Some(key);
            if l.data.overlay.kind == OverlayKind::Icon {
                if l.built_for.is_none_or(|k| k.0 != look.day) {
                    l.gather(look.day);
                }
                let apart = |n: &strata_scene::cluster::Node| {
                    let at = l.laid(Vec3::new(n.at[0] as f32, n.at[1] as f32, 0.0), 2.0);
                    let far = l.on_screen(view, at).map_or(view.distance_m.max(1.0), |(_, far)| f64::from(far));
                    n.reach_m / view.metres_per_px(far.max(0.5)) > APART_PX * px
                };
                let cut = l.clusters.cut(&apart);
                if !stale && cut == l.cut {
                    continue;
                }
                l.cut = cut;
                l.icons(states);
            } else if stale {
                l.build(look.day, states);
            } else {
                continue;
            }
            l.built_for = Some(key);
            l.upload(self.gpu());
        }
        let slots = (overlays.layers.len() as u64).next_power_of_two().max(4);
        if overlays.device.as_ref().is_none_or(|d| d.slots < slots) {
            overlays.device = Some(Device::new(self.gpu(), self.pipelines(), self.samples(), slots));
        }
        let mut bytes = vec![0u8; (STRIDE * slots) as usize];
        for (k, l) in overlays.layers.iter().enumerate() {
            let draw = Draw {
                enu_from_tile: l.enu_from_overlay(view).to_cols_array_2d(),
                params: [0.0, px as f32, 1.0, 0.0],
                world: [0.0, 0.0, nearer(&l.data.overlay), 0.0],
                colour: [1.0; 4],
                ids: [0, WIDTH, 0, 0],
            };
            bytes[k * STRIDE as usize..k * STRIDE as usize + size_of::<Draw>()].copy_from_slice(bytemuck::bytes_of(&draw));
        }
        let mut written = 0;
        if let Some(device) = &mut overlays.device
            && device.last != bytes
        {
            self.gpu().queue.write_buffer(&device.uniforms, 0, &bytes);
            device.last = bytes;
            written = 1;
        }
        self.overlays = overlays;
        written
    }
    fn relief(&self, l: &Layer, tiles: &[TileHandle]) -> Relief {
        let (mut low, mut high) = (Vec2::INFINITY, Vec2::NEG_INFINITY);
        let own = l.data.items.iter().flat_map(|i| i.shape.points()).copied();
        let corners = l.data.overlay.extent.map(|[w, s, e, n]| [[w, s, f64::NAN], [e, s, f64::NAN], [e, n, f64::NAN], [w, n, f64::NAN]]);
        for p in own.chain(corners.into_iter().flatten()) {
            let p = l.local(p).truncate();
            (low, high) = (low.min(p), high.max(p));
        }
        let margin = Vec2::splat(l.data.overlay.cell_m.unwrap_or(0.0) as f32 + 50.0);
        let (low, high) = (low - margin, high + margin);
        let mut out = Relief::default();
        self.for_each_ground(tiles, &l.enu, &mut |t| {
            let (a, b) = (t[0].min(t[1]).min(t[2]).truncate(), t[0].max(t[1]).max(t[2]).truncate());
            if a.cmple(high).all() && b.cmpge(low).all() {
                out.add(t);
            }
        });
        out
    }

    /// Counts and values beside their symbols.
    pub(crate) fn overlay_words(&self, view: &View, text_px: f32, ink: [u8; 3], halo: [u8; 3], out: &mut Vec<Label>) {
        let [w, h] = view.viewport_px.map(|v| v as f32);
        for l in self.overlays.layers.iter().filter(|l| l.visible) {
            for word in &l.body.words {
                let Some(([x, y], far)) = l.on_screen(view, word.at) else { continue };
                if x < 0.0 || y < 0.0 || x >= w || y >= h {
                    continue;
                }
                let near = view.metres_per_px(f64::from(far));
                if word.badge {
                    let label = Label::new(Kind::Badge, word.text.clone(), [x, y], text_px * 0.95, -1000 - word.text.len() as i64);
                    out.push(Label { ink: [255; 3], halo: [30, 38, 48], ..label });
                } else if l.data.overlay.kind == OverlayKind::Icon && near < 1.2 {
                    out.push(Label {
                        ink,
                        halo,
                        ..Label::new(Kind::Sensor, word.text.clone(), [x, y + ICON_PX * self.overlays.px() + text_px * 0.9], text_px, 450)
                    });
                } else if l.data.overlay.kind == OverlayKind::Column && l.data.overlay.width_m / near > f64::from(text_px) * 1.1 {
                    let label = Label::new(Kind::Sensor, word.text.clone(), [x, y - text_px * 0.4], text_px, 460 + far as i64);
                    out.push(Label { ink, halo, ..label });
                }
            }
        }
    }

    /// What of the overlays lies under a pixel: a symbol whose body holds it, else the nearest body or line.
    pub fn pick_overlay(&self, view: &View, x_px: f32, y_px: f32) -> Option<OverlayHit> {
        let px = self.overlays.px();
        let hit = |l: &Layer, part: u32| {
            let p = &l.body.of[part as usize];
            let id = p.item.map(|i| l.data.items[i as usize].id.clone());
            OverlayHit { overlay: l.data.overlay.id.clone(), id, value: p.value, count: p.count, no_data: p.no_data }
        };
        let shown = || self.overlays.layers.iter().rev().filter(|l| l.visible);
        let mut best: Option<(f32, OverlayHit)> = None;
        for l in shown() {
            for (k, p) in l.body.of.iter().enumerate() {
                let Some((at, half)) = p.symbol else { continue };
                let Some(([x, y], far)) = l.on_screen(view, at) else { continue };
                if (x - x_px).hypot(y - y_px) <= half * px && best.as_ref().is_none_or(|(f, _)| far < *f) {
                    best = Some((far, hit(l, k as u32)));
                }
            }
        }
        if best.is_some() {
            return best.map(|b| b.1);
        }
        for l in shown() {
            let m = l.enu_from_overlay(view);
            let eye_from = m.inverse();
            let eye = eye_from.transform_point3(Vec3::ZERO);
            let way = eye_from.transform_vector3(view.ray(x_px, y_px)).normalize();
            let at = |i: u32| Vec3::from(l.body.vertices[i as usize].position);
            for t in l.body.solid.chunks_exact(3) {
                if let Some(d) = meet(eye, way, at(t[0]), at(t[1]), at(t[2])).filter(|d| best.as_ref().is_none_or(|(b, _)| d < b)) {
                    best = Some((d, hit(l, l.body.parts[t[0] as usize])));
                }
            }
            for t in l.body.lines.chunks_exact(6) {
                let v = &l.body.vertices[t[0] as usize];
                let (Some((a, far)), Some((b, _))) = (l.on_screen(view, at(t[0])), l.on_screen(view, at(t[2]))) else { continue };
                let (a, b, p) = (Vec2::from(a), Vec2::from(b), Vec2::new(x_px, y_px));
                let s = ((p - a).dot(b - a) / (b - a).length_squared().max(1e-6)).clamp(0.0, 1.0);
                if p.distance(a.lerp(b, s)) <= (v.shape[2] + 2.0) * px && best.as_ref().is_none_or(|(d, _)| far < *d) {
                    best = Some((far, hit(l, l.body.parts[t[0] as usize])));
                }
            }
        }
        best.map(|b| b.1)
    }
    /// The symbols of an overlay as they are drawn.
    pub fn gathered(&self, view: &View, id: &str) -> Vec<Gathered> {
        let layers = self.overlays.layers.iter().filter(|l| l.data.overlay.id == id);
        layers
            .flat_map(|l| {
                l.body.of.iter().filter_map(move |p| {
                    let (at, _) = l.on_screen(view, p.symbol?.0)?;
                    let items = l.clusters.items(p.node?).into_iter().map(|k| l.data.items[l.shown[k as usize] as usize].id.clone());
                    Some(Gathered { at, count: p.count, ids: items.collect() })
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shaders_are_sound_without_a_gpu() {
        let module = naga::front::wgsl::parse_str(SHADERS).unwrap_or_else(|e| panic!("{}", e.emit_to_string(SHADERS)));
        let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
        validator.validate(&module).unwrap_or_else(|e| panic!("{}", e.emit_to_string(SHADERS)));
    }

    #[test]
    fn heights_come_from_the_triangles_of_the_ground() {
        // z = 100 + x/10 + y/5 over 200 m, in triangles of 50 m.
        let z = |x: f32, y: f32| 100.0 + x / 10.0 + y / 5.0;
        let at = |x: f32, y: f32| Vec3::new(x, y, z(x, y));
        let mut relief = Relief::default();
        for x in 0..4 {
            for y in 0..4 {
                let (x, y) = (x as f32 * 50.0, y as f32 * 50.0);
                relief.add([at(x, y), at(x + 50.0, y), at(x + 50.0, y + 50.0)]);
                relief.add([at(x, y), at(x + 50.0, y + 50.0), at(x, y + 50.0)]);
            }
        }
        for (x, y) in [(0.0, 0.0), (13.0, 170.0), (64.0, 64.0), (199.9, 0.1), (128.0, 33.0)] {
            let got = relief.height(Vec2::new(x, y)).expect("ground");
            assert!((got - z(x, y)).abs() < 1e-3, "{x} {y}: {got}");
        }
        assert_eq!(relief.height(Vec2::new(-5.0, 20.0)), None);
    }
}
