use glam::{DVec3, Mat4, Vec3};
use strata_model::{Enu, geographic_from_ecef};

/// Distances of an orbiting eye from its target: from a joint of a pipe to the whole of a city.
pub const NEAREST_M: f64 = 0.05;
pub const FARTHEST_M: f64 = 200_000.0;

/// An orbit camera: it looks at `target` from `distance_m` away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// `[lon_deg, lat_deg, ellipsoidal_height_m]`.
    pub target: [f64; 3],
    pub distance_m: f64,
    /// Where it looks to, clockwise from true north.
    pub heading_deg: f64,
    /// Negative looks down, positive up (from under the ground).
    pub pitch_deg: f64,
    pub fov_y_deg: f64,
}

/// A camera at one moment, ready for selection and drawing.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// East-north-up at the camera's target (true north).
    pub enu: Enu,
    pub eye_in_enu: DVec3,
    pub eye_in_ecef: [f64; 3],
    /// Unit, ENU axes.
    pub forward_in_enu: Vec3,
    pub up_in_enu: Vec3,
    pub right_in_enu: Vec3,
    /// From ENU axes with the **eye as origin** to clip space: reversed infinite depth (1 at `near_m`, 0 at infinity).
    pub clip_from_enu_rel_eye: Mat4,
    pub near_m: f32,
    pub fov_y_rad: f32,
    pub viewport_px: [u32; 2],
    /// Distance from eye to target.
    pub distance_m: f64,
    pub heading_deg: f64,
    pub pitch_deg: f64,
}

impl Camera {
    pub fn new(target: [f64; 3], distance_m: f64, heading_deg: f64, pitch_deg: f64) -> Self {
        Self { target, distance_m, heading_deg, pitch_deg, fov_y_deg: 40.0 }
    }

    pub fn view(&self, viewport_px: [u32; 2]) -> View {
        let enu = Enu::at_geographic(self.target);
        let (h, p) = (self.heading_deg.to_radians(), self.pitch_deg.clamp(-89.9, 89.9).to_radians());
        let forward = DVec3::new(h.sin() * p.cos(), h.cos() * p.cos(), p.sin());
        let right = DVec3::new(h.cos(), -h.sin(), 0.0);
        let up = right.cross(forward);
        let eye_in_enu = -forward * self.distance_m;
        // The near plane grows with distance: depth without reversed infinity (WebGL 2) needs it, and nothing
        // stands nearer than that to an orbiting eye.
        let near_m = (self.distance_m * 0.01).clamp(NEAREST_M * 0.01, 20.0) as f32;
        let aspect = viewport_px[0].max(1) as f32 / viewport_px[1].max(1) as f32;
        let fov_y_rad = self.fov_y_deg.to_radians() as f32;
        let view_from_enu = Mat4::look_to_rh(Vec3::ZERO, forward.as_vec3(), up.as_vec3());
        View {
            enu,
            eye_in_enu,
            eye_in_ecef: enu.ecef_from_local(eye_in_enu.to_array()),
            forward_in_enu: forward.as_vec3(),
            up_in_enu: up.as_vec3(),
            right_in_enu: right.as_vec3(),
            clip_from_enu_rel_eye: Mat4::perspective_infinite_reverse_rh(fov_y_rad, aspect, near_m) * view_from_enu,
            near_m,
            fov_y_rad,
            viewport_px,
            distance_m: self.distance_m,
            heading_deg: self.heading_deg,
            pitch_deg: self.pitch_deg,
        }
    }

    /// Turns about the target.
    pub fn orbit(&mut self, heading_deg: f64, pitch_deg: f64) {
        self.heading_deg = (self.heading_deg + heading_deg).rem_euclid(360.0);
        self.pitch_deg = (self.pitch_deg + pitch_deg).clamp(-89.5, 60.0);
    }
    /// `factor` < 1 comes nearer; between [`NEAREST_M`] and [`FARTHEST_M`].
    pub fn zoom(&mut self, factor: f64) {
        self.distance_m = (self.distance_m * factor).clamp(NEAREST_M, FARTHEST_M);
    }
    /// Moves the target over the ground, in the camera's own right and forward, metres.
    pub fn pan(&mut self, right_m: f64, forward_m: f64) {
        let h = self.heading_deg.to_radians();
        let enu = Enu::at_geographic(self.target);
        let moved = enu.ecef_from_local([right_m * h.cos() + forward_m * h.sin(), forward_m * h.cos() - right_m * h.sin(), 0.0]);
        let [lon, lat, _] = geographic_from_ecef(moved);
        self.target = [lon, lat, self.target[2]];
    }
}

impl View {
    /// Where a point of ECEF lies on the screen, pixels from the top left, and its distance along the view axis
    /// in metres; `None` behind the eye.
    pub fn project(&self, point_in_ecef: [f64; 3]) -> Option<([f32; 2], f32)> {
        let rel = DVec3::from(self.enu.local_from_ecef(point_in_ecef)) - self.eye_in_enu;
        let clip = self.clip_from_enu_rel_eye * rel.as_vec3().extend(1.0);
        if clip.w <= self.near_m * 0.5 {
            return None;
        }
        let [w, h] = self.viewport_px.map(|v| v as f32);
        Some(([(clip.x / clip.w * 0.5 + 0.5) * w, (0.5 - clip.y / clip.w * 0.5) * h], clip.w))
    }
    /// Unit direction of the ray through a pixel, ENU axes.
    pub fn ray(&self, x_px: f32, y_px: f32) -> Vec3 {
        let [w, h] = self.viewport_px.map(|v| v.max(1) as f32);
        let t = (self.fov_y_rad * 0.5).tan();
        let (nx, ny) = ((x_px / w * 2.0 - 1.0) * t * w / h, (1.0 - y_px / h * 2.0) * t);
        (self.forward_in_enu + self.right_in_enu * nx + self.up_in_enu * ny).normalize()
    }
    /// Metres that one pixel covers at a distance along the view axis.
    pub fn metres_per_px(&self, distance_m: f64) -> f64 {
        2.0 * distance_m * f64::from(self.fov_y_rad * 0.5).tan() / f64::from(self.viewport_px[1].max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_the_middle_of_the_picture_and_north_is_up() {
        let target = [125.3180, 43.8870, 215.0];
        for heading in [0.0, 90.0, 250.0] {
            let view = Camera::new(target, 2600.0, heading, -28.0).view([1920, 1080]);
            let (p, d) = view.project(strata_model::ecef_from_geographic(target)).expect("before the eye");
            assert!((p[0] - 960.0).abs() < 0.1 && (p[1] - 540.0).abs() < 0.1 && (d - 2600.0).abs() < 0.1, "{p:?} {d}");
            // A step in the heading's direction lies above the middle.
            let h = f64::to_radians(heading);
            let ahead = view.enu.ecef_from_local([h.sin() * 100.0, h.cos() * 100.0, 0.0]);
            let (q, _) = view.project(ahead).expect("before the eye");
            assert!((q[0] - 960.0).abs() < 0.5 && q[1] < 530.0, "{q:?}");
            // And the ray through its pixel points at it.
            let ray = view.ray(q[0], q[1]);
            let want = (DVec3::from(view.enu.local_from_ecef(ahead)) - view.eye_in_enu).normalize().as_vec3();
            assert!(ray.distance(want) < 1e-4);
        }
    }

    #[test]
    fn panning_forward_follows_the_heading() {
        let mut camera = Camera::new([125.3, 43.9, 200.0], 500.0, 90.0, -45.0);
        camera.pan(0.0, 1000.0);
        assert!((camera.target[1] - 43.9).abs() < 1e-4 && camera.target[0] > 125.312);
    }
}
