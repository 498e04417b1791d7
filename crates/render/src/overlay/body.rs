//! What an overlay is drawn of: plates, walls, lines and symbols, and which part of it each vertex belongs to.

use bytemuck::{Pod, Zeroable};
use glam::{Vec2, Vec3};

pub(super) const FLAT: f32 = 0.0;
pub(super) const BODY: f32 = 1.0;
pub(super) const ICON: f32 = 2.0;
pub(super) const LINE: f32 = 3.0;
/// What gathers unlike symbols.
pub(super) const MIXED: [u8; 3] = [0x44, 0x51, 0x5E];
/// Half sizes of symbols, CSS px.
pub(super) const ICON_PX: f32 = 9.0;

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Vertex {
    pub(super) position: [f32; 3],
    pub(super) toward: [f32; 3],
    pub(super) shape: [f32; 4],
    pub(super) colour: [u8; 4],
    pub(super) normal: [i8; 4],
}

#[derive(Default)]
pub(super) struct Body {
    pub(super) vertices: Vec<Vertex>,
    pub(super) solid: Vec<u32>,
    pub(super) lines: Vec<u32>,
    pub(super) above: Vec<u32>,
    /// Of each vertex: which [`Part`] it belongs to.
    pub(super) parts: Vec<u32>,
    pub(super) of: Vec<Part>,
    pub(super) words: Vec<Word>,
}

#[derive(Clone)]
pub(super) struct Part {
    pub(super) item: Option<u32>,
    pub(super) value: Option<f64>,
    pub(super) count: u32,
    pub(super) no_data: bool,
    pub(super) node: Option<u32>,
    /// Of a symbol: where it stands and half its size.
    pub(super) symbol: Option<(Vec3, f32)>,
}

pub(super) struct Word {
    pub(super) at: Vec3,
    pub(super) text: String,
    pub(super) badge: bool,
}

impl Body {
    pub(super) fn part(&mut self, item: Option<u32>, value: Option<f64>, count: u32, no_data: bool) -> u32 {
        self.of.push(Part { item, value, count, no_data, node: None, symbol: None });
        self.of.len() as u32 - 1
    }
    pub(super) fn vertex(&mut self, position: Vec3, toward: Vec3, shape: [f32; 4], colour: Option<[u8; 3]>, normal: Vec3) -> u32 {
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
    pub(super) fn flat(&mut self, corners: &[Vec3], triangles: impl IntoIterator<Item = u32>, rank: f32, colour: Option<[u8; 3]>) {
        let first = self.vertices.len() as u32;
        for p in corners {
            self.vertex(*p, Vec3::ZERO, [0.0, 0.0, rank, FLAT], colour, Vec3::Z);
        }
        self.solid.extend(triangles.into_iter().map(|i| first + i));
    }
    /// A wall from `a` to `b`, whose feet and heads are given.
    pub(super) fn wall(&mut self, [a, b]: [Vec2; 2], [low_a, low_b]: [f32; 2], top: f32, normals: [Vec2; 2], colour: [u8; 3]) {
        let first = self.vertices.len() as u32;
        for (p, z, n) in [(a, low_a, normals[0]), (b, low_b, normals[1]), (b, top, normals[1]), (a, top, normals[0])] {
            self.vertex(p.extend(z), Vec3::ZERO, [0.0, 0.0, 0.0, BODY], Some(colour), n.extend(0.0));
        }
        self.solid.extend([0, 1, 2, 0, 2, 3].map(|i| first + i));
    }
    pub(super) fn line(&mut self, path: &[Vec3], half_px: &dyn Fn(f32) -> f32, colour: [u8; 3]) {
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
    pub(super) fn symbol(&mut self, at: Vec3, glyph: f32, gathered: bool, half_px: f32, colour: [u8; 3]) {
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
