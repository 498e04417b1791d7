//! What of a tile can show in a view or throw a shadow into a cascade: bounding spheres against the view's pyramid and
//! the light's box.

use crate::shadow::Cascade;
use glam::{Mat4, Vec3};
use strata_scene::View;
use strata_tiles::content::Primitive;

/// Around a mesh with all its placements, tile frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sphere {
    pub centre: Vec3,
    pub radius: f32,
}

impl Sphere {
    pub fn around(p: &Primitive) -> Self {
        let own = |points: &mut dyn Iterator<Item = Vec3>| {
            let (lo, hi) = points.fold((Vec3::INFINITY, Vec3::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
            (lo, hi)
        };
        let (lo, hi) = own(&mut p.positions.iter().map(|v| Vec3::from(*v)));
        if p.instances.is_empty() {
            let centre = (lo + hi) / 2.0;
            let radius = p.positions.iter().map(|v| Vec3::from(*v).distance(centre)).fold(0.0, f32::max);
            return Self { centre, radius };
        }
        // Whatever its turn, a placement stays within the mesh's farthest point from its own origin.
        let reach = lo.abs().max(hi.abs()).length();
        let (a, b) = own(&mut p.instances.iter().map(|i| Vec3::from(i.translation)));
        let centre = (a + b) / 2.0;
        let radius = |i: &strata_tiles::content::Placement| {
            Vec3::from(i.translation).distance(centre) + reach * Vec3::from(i.scale).abs().max_element()
        };
        Self { centre, radius: p.instances.iter().map(radius).fold(0.0, f32::max) }
    }
    /// Around all of them; none has none.
    pub fn over(spheres: &[Self]) -> Option<Self> {
        let centre = spheres.iter().map(|s| s.centre).sum::<Vec3>() / spheres.len().max(1) as f32;
        let radius = spheres.iter().map(|s| s.centre.distance(centre) + s.radius).reduce(f32::max)?;
        Some(Self { centre, radius })
    }
    pub fn moved(&self, to: &Mat4) -> Self {
        Self { centre: to.transform_point3(self.centre), radius: self.radius }
    }
    /// Frame: axes of the view, eye as origin. Never false for what shows.
    pub fn in_view(&self, view: &View) -> bool {
        let (f, r, u) = (view.forward_in_enu, view.right_in_enu, view.up_in_enu);
        let ty = (view.fov_y_rad * 0.5).tan();
        let tx = ty * view.viewport_px[0].max(1) as f32 / view.viewport_px[1].max(1) as f32;
        // A tube is widened by a few pixels on the screen.
        let wider = 4.0 * view.metres_per_px(f64::from(self.centre.length() + self.radius)) as f32;
        [f, f * tx - r, f * tx + r, f * ty - u, f * ty + u].iter().all(|n| self.centre.dot(*n) >= -(self.radius + wider) * n.length())
    }
    /// Whether it may throw a shadow on what the cascade serves.
    pub fn in_cascade(&self, cascade: &Cascade) -> bool {
        let m = &cascade.clip_from_enu;
        let c = m.transform_point3(self.centre);
        let reach = Vec3::from([0, 1, 2].map(|i| m.row(i).truncate().length() * self.radius));
        let [lo, hi] = cascade.served;
        (c + reach).cmpge(lo.with_z(0.0)).all() && (c - reach).cmple(hi).all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata_scene::Camera;

    /// A body on the way from a point of the view to the sun is drawn into the point's cascade.
    #[test]
    fn what_stands_in_the_light_casts() {
        let view = Camera::new([125.3, 43.9, 200.0], 900.0, 40.0, -30.0).view([1280, 720]);
        let sun = Vec3::new(0.5, -0.4, 0.55).normalize();
        let cascades = crate::shadow::cascades(&view, sun, 2048);
        let (mut cast, mut spared) = (0, 0);
        for k in 0..6000u32 {
            let spin = |n: u32| {
                (k.wrapping_mul(2_654_435_761).wrapping_add(n.wrapping_mul(0x9e37_79b9)).rotate_left(n * 7 + 5) >> 8) as f32 / 16_777_216.0
            };
            let ray = view.ray(spin(1) * 1280.0, spin(2) * 720.0);
            let depth = 20.0 + spin(3) * cascades[3].far_m * 0.98;
            let lit = ray * (depth / ray.dot(view.forward_in_enu));
            let cascade = cascades.iter().find(|c| depth < c.far_m).expect("within the last");
            let s = Sphere { centre: lit + sun * spin(4) * 900.0, radius: 0.5 + spin(5) * 20.0 };
            assert!(s.in_cascade(cascade), "{s:?} shades a point {depth} m away");
            cast += 1;
            let aside = Sphere { centre: s.centre + sun.any_orthonormal_vector() * 6000.0, ..s };
            spared += usize::from(!aside.in_cascade(cascade));
        }
        assert!(spared * 10 > cast * 9, "{spared} of {cast} far aside are left out");
    }

    /// Against every point of the sphere's surface: what has one in the picture is never culled, and most of what has none is.
    #[test]
    fn nothing_that_shows_is_left_out() {
        let view = Camera::new([125.3, 43.9, 200.0], 500.0, 40.0, -30.0).view([1280, 720]);
        let mut kept = [0; 2];
        let mut spin = 1u32;
        let mut next = || {
            spin = spin.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (spin >> 8) as f32 / 16_777_216.0
        };
        for _ in 0..4000 {
            let centre = (Vec3::new(next(), next(), next()) - 0.5) * 2400.0;
            let s = Sphere { centre, radius: next() * 120.0 };
            let shows = (0..400).any(|k| {
                let z = 1.0 - 2.0 * (k as f32 + 0.5) / 400.0;
                let (sin, cos) = (k as f32 * 2.399_963).sin_cos();
                let p = s.centre + Vec3::new(cos * (1.0 - z * z).sqrt(), sin * (1.0 - z * z).sqrt(), z) * s.radius;
                let c = view.clip_from_enu_rel_eye * p.extend(1.0);
                c.w > view.near_m && c.x.abs() <= c.w && c.y.abs() <= c.w
            });
            let said = s.in_view(&view);
            assert!(said || !shows, "{s:?} shows and is left out");
            if !shows {
                kept[usize::from(said)] += 1;
            }
        }
        assert!(kept[0] > 2 * kept[1], "of what does not show, {} are left out and {} kept", kept[0], kept[1]);
    }
}
