//! Hands on the camera: pointer, wheel and keys become movement, the same in a window and in a browser.
//!
//! Keys are named as `KeyboardEvent.key` names them (`ArrowLeft`, `w`, `PageUp`). What a key asks of the scene rather
//! than of the camera comes back as an [`Action`]. Heights of the ground come from a closure
//! `[lon_deg, lat_deg] ↦ ellipsoidal m`; `None` where no ground is known.
//!
//! | key | orbit | walk, fly |
//! |---|---|---|
//! | arrows | over the ground; ←→ to the next change while time is held (T) | ahead, back, turn |
//! | W A S D | – | ahead, left, back, right; Shift four times as fast |
//! | PageUp, PageDown | tilt | look up, down (fly: E rises, C sinks) |
//! | + − | nearer, farther | – |
//! | Q, Y | walk at eye height, fly; again: orbit | |
//! | N, K, Home | north up, level, home | |
//! | U, T, 1–9 | underground, time, scenes | |
//! | V H M X D C L F G / ? Space | select, pan, measure, section box, draw, compare, layers, frame the selection, go to, search, help, play: tools of the page | W A S D and E C go first |

use crate::Camera;
use glam::DVec3;
use std::collections::BTreeSet;
use strata_model::{Enu, ecef_from_geographic, geographic_from_ecef};

/// How the eye moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gait {
    #[default]
    Orbit,
    /// 1.6 m over the ground.
    Walk,
    Fly,
}

/// What a key asks of the scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The next of surface, x-ray, cut-away, below.
    Underground,
    /// To the next (+1) or last (−1) change of the city.
    Change(i32),
    /// By whole years.
    Years(i32),
    /// The scene of this number, from 1.
    Scene(usize),
    Deselect,
    Tool(Tool),
}

/// What the page that holds the twin has a panel or a pointer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Select,
    Pan,
    Measure,
    SectionBox,
    Draw,
    Compare,
    Layers,
    Frame,
    GoTo,
    Search,
    Help,
    Play,
}

impl Tool {
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "v" => Self::Select,
            "h" => Self::Pan,
            "m" => Self::Measure,
            "x" => Self::SectionBox,
            "d" => Self::Draw,
            "c" => Self::Compare,
            "l" => Self::Layers,
            "f" => Self::Frame,
            "g" => Self::GoTo,
            "/" => Self::Search,
            "?" => Self::Help,
            " " => Self::Play,
            _ => return None,
        })
    }
    pub fn name(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Pan => "pan",
            Self::Measure => "measure",
            Self::SectionBox => "section-box",
            Self::Draw => "draw",
            Self::Compare => "compare",
            Self::Layers => "layers",
            Self::Frame => "frame",
            Self::GoTo => "go-to",
            Self::Search => "search",
            Self::Help => "help",
            Self::Play => "play",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Not a key of ours.
    Unknown,
    /// The camera moved or will.
    Moved,
    Asked(Action),
}

#[derive(Debug, Clone)]
struct Flight {
    from: Camera,
    to: Camera,
    seconds: f64,
    past: f64,
}

pub type Ground<'a> = &'a dyn Fn([f64; 2]) -> Option<f64>;

#[derive(Debug, Clone)]
pub struct Navigator {
    pub camera: Camera,
    pub home: Camera,
    pub gait: Gait,
    /// ←→ step through the changes of the city instead of moving.
    pub time_held: bool,
    below: Option<Camera>,
    held: BTreeSet<String>,
    flight: Option<Flight>,
}

pub const EYE_HEIGHT_M: f64 = 1.6;
/// An orbiting or flying eye keeps this far above the ground, less only where it looks at something nearer.
pub const CLEARANCE_M: f64 = 2.0;
/// However near it looks.
pub const LEAST_CLEARANCE_M: f64 = 0.02;
fn clearance_m(camera: &Camera) -> f64 {
    (camera.distance_m * 0.5).clamp(LEAST_CLEARANCE_M, CLEARANCE_M)
}
const WALK_M_S: f64 = 3.0;
const TURN_DEG_S: f64 = 60.0;
/// Distance of the target before a walking eye.
const WALK_REACH_M: f64 = 40.0;
/// Degrees a pixel of drag.
const DRAG_DEG_PX: f64 = 0.25;

impl Navigator {
    pub fn new(camera: Camera) -> Self {
        Self { camera, home: camera, gait: Gait::Orbit, time_held: false, below: None, held: BTreeSet::new(), flight: None }
    }

    /// A key goes down. `shift` alone changes steps of changes into steps of years.
    pub fn press(&mut self, key: &str, shift: bool) -> Answer {
        let key = if key.chars().count() == 1 { key.to_lowercase() } else { key.to_owned() };
        let moving = self.gait != Gait::Orbit;
        match key.as_str() {
            "ArrowLeft" | "ArrowRight" if self.time_held => {
                let step = if key == "ArrowLeft" { -1 } else { 1 };
                Answer::Asked(if shift { Action::Years(step) } else { Action::Change(step) })
            }
            "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown" | "PageUp" | "PageDown" | "Shift" => self.hold(key),
            "w" | "a" | "s" | "d" | "e" | "c" if moving => self.hold(key),
            "+" | "=" => self.nearer(0.8),
            "-" => self.nearer(1.25),
            "q" => self.set_gait(if self.gait == Gait::Walk { Gait::Orbit } else { Gait::Walk }),
            "y" => self.set_gait(if self.gait == Gait::Fly { Gait::Orbit } else { Gait::Fly }),
            "n" => self.fly_to(Camera { heading_deg: 0.0, ..self.camera }, 0.3),
            "k" => {
                let pitch_deg = if moving { 0.0 } else { -35.0 };
                self.fly_to(Camera { pitch_deg, ..self.camera }, 0.3)
            }
            "Home" => {
                self.set_gait(Gait::Orbit);
                self.below = None;
                self.fly_to(self.home, 0.6)
            }
            "t" => {
                self.time_held = !self.time_held;
                Answer::Moved
            }
            "u" => Answer::Asked(Action::Underground),
            "Escape" if moving => self.set_gait(Gait::Orbit),
            "Escape" => Answer::Asked(Action::Deselect),
            digit => match digit.parse::<usize>() {
                Ok(n @ 1..=9) => Answer::Asked(Action::Scene(n)),
                _ => Tool::of(digit).map_or(Answer::Unknown, |t| Answer::Asked(Action::Tool(t))),
            },
        }
    }
    pub fn release(&mut self, key: &str) {
        let key = if key.chars().count() == 1 { key.to_lowercase() } else { key.to_owned() };
        self.held.remove(&key);
    }
    /// Every key comes up: the window lost the keyboard.
    pub fn release_all(&mut self) {
        self.held.clear();
    }
    fn hold(&mut self, key: String) -> Answer {
        self.flight = None;
        self.held.insert(key);
        Answer::Moved
    }
    fn nearer(&mut self, factor: f64) -> Answer {
        self.zoom(factor, None);
        Answer::Moved
    }

    /// Turning by a drag, px: about the target in orbit, about the eye on foot or in flight.
    pub fn turn(&mut self, dx_px: f64, dy_px: f64) {
        self.flight = None;
        let (heading, pitch) = (dx_px * DRAG_DEG_PX, -dy_px * DRAG_DEG_PX);
        match self.gait {
            Gait::Orbit => {
                self.camera.orbit(heading, pitch);
                // On the ground the eye stays above it; from below one looks up.
                self.camera.pitch_deg = self.camera.pitch_deg.min(if self.below.is_some() { 60.0 } else { -2.0 });
            }
            Gait::Walk | Gait::Fly => self.look(heading * 0.5, pitch * 0.5),
        }
    }
    /// The ground under the pointer follows it, px.
    pub fn pan(&mut self, dx_px: f64, dy_px: f64, viewport_px: [u32; 2]) {
        self.flight = None;
        let m = self.camera.view(viewport_px).metres_per_px(self.camera.distance_m);
        let steep = self.camera.pitch_deg.to_radians().sin().abs().max(0.2);
        self.camera.pan(-dx_px * m, dy_px * m / steep);
    }
    /// `factor` < 1 comes nearer, towards a point of the world (`[lon_deg, lat_deg, height_m]`, kept under its pixel)
    /// or the target. On foot and in flight it moves along the view.
    pub fn zoom(&mut self, factor: f64, towards: Option<[f64; 3]>) {
        self.flight = None;
        if self.gait != Gait::Orbit {
            self.go(0.0, (1.0 - factor).clamp(-1.0, 0.5) * self.camera.distance_m, 0.0);
            return;
        }
        let before = self.camera.distance_m;
        self.camera.zoom(factor);
        let factor = self.camera.distance_m / before;
        if let Some(point) = towards {
            let (p, t) = (DVec3::from(ecef_from_geographic(point)), DVec3::from(ecef_from_geographic(self.camera.target)));
            // Far out one keeps the target: a point near the horizon would throw the camera across the country.
            if p.distance(t) < before * 4.0 {
                self.camera.target = geographic_from_ecef((p + (t - p) * factor).to_array());
            }
        }
    }
    /// Takes another camera at once, as a scene or a link gives it.
    pub fn set(&mut self, camera: Camera) {
        self.camera = camera;
        self.flight = None;
    }
    /// A flight of so many seconds; no seconds: at once.
    pub fn fly_to(&mut self, to: Camera, seconds: f64) -> Answer {
        self.flight = Some(Flight { from: self.camera, to, seconds: seconds.max(1e-3), past: 0.0 });
        Answer::Moved
    }
    /// Goes under the ground at the target and looks along it, or comes back to where it was.
    pub fn set_below(&mut self, below: bool) {
        match (below, self.below) {
            (true, None) => {
                self.set_gait(Gait::Orbit);
                self.below = Some(self.camera);
                self.set(Camera { distance_m: self.camera.distance_m.min(40.0), pitch_deg: 8.0, ..self.camera });
            }
            (false, Some(back)) => {
                self.below = None;
                self.set(back);
            }
            _ => {}
        }
    }
    /// The scene itself is one from below: no camera to come back to but its own.
    pub fn begin_below(&mut self) {
        self.below = Some(Camera { pitch_deg: -35.0, distance_m: self.camera.distance_m.max(200.0), ..self.camera });
    }
    pub fn is_below(&self) -> bool {
        self.below.is_some()
    }
    /// Does the next [`Navigator::advance`] move the camera?
    pub fn moving(&self) -> bool {
        self.flight.is_some() || self.held.iter().any(|k| k != "Shift")
    }

    pub fn set_gait(&mut self, gait: Gait) -> Answer {
        let eye = self.eye();
        let was = std::mem::replace(&mut self.gait, gait);
        self.flight = None;
        match (was, gait) {
            (Gait::Orbit, Gait::Walk) => {
                // Down to where one was looking; the ground's own height comes with the next step.
                let c = self.camera;
                let at = Camera { pitch_deg: 0.0, distance_m: WALK_REACH_M, ..c };
                self.camera = at;
                self.camera.pan(0.0, WALK_REACH_M);
                self.camera.target[2] = c.target[2] + EYE_HEIGHT_M;
            }
            (Gait::Orbit, Gait::Fly) | (Gait::Walk, Gait::Fly) => self.stand(eye, WALK_REACH_M.max(eye[2] - self.camera.target[2])),
            (Gait::Fly, Gait::Walk) => self.stand(eye, WALK_REACH_M),
            (Gait::Walk, Gait::Orbit) => {
                self.camera.distance_m = 120.0;
                self.camera.pitch_deg = self.camera.pitch_deg.min(-20.0);
            }
            (Gait::Fly, Gait::Orbit) => self.camera.pitch_deg = self.camera.pitch_deg.min(-5.0),
            _ => {}
        }
        Answer::Moved
    }
    /// `[lon_deg, lat_deg, height_m]` of the eye.
    pub fn eye(&self) -> [f64; 3] {
        geographic_from_ecef(self.camera.view([1, 1]).eye_in_ecef)
    }
    /// Puts the eye here, looking as it does, the target `reach_m` ahead.
    fn stand(&mut self, eye: [f64; 3], reach_m: f64) {
        let (h, p) = (self.camera.heading_deg.to_radians(), self.camera.pitch_deg.to_radians());
        let ahead = DVec3::new(h.sin() * p.cos(), h.cos() * p.cos(), p.sin()) * reach_m;
        self.camera.target = geographic_from_ecef(Enu::at_geographic(eye).ecef_from_local(ahead.to_array()));
        self.camera.distance_m = reach_m;
    }
    /// Turns about the eye.
    fn look(&mut self, heading_deg: f64, pitch_deg: f64) {
        let eye = self.eye();
        self.camera.heading_deg = (self.camera.heading_deg + heading_deg).rem_euclid(360.0);
        self.camera.pitch_deg = (self.camera.pitch_deg + pitch_deg).clamp(-89.0, 60.0);
        self.stand(eye, self.camera.distance_m);
    }
    /// Moves eye and target together: right, ahead over the ground, up; metres.
    fn go(&mut self, right_m: f64, ahead_m: f64, up_m: f64) {
        self.camera.pan(right_m, ahead_m);
        self.camera.target[2] += up_m;
    }

    /// Time passes: held keys move, flights go on, and the eye is kept above the ground. True when the camera moved.
    pub fn advance(&mut self, dt_s: f64, ground: Ground<'_>) -> bool {
        let before = self.camera;
        let dt = dt_s.clamp(0.0, 0.25);
        if let Some(mut flight) = self.flight.take() {
            flight.past += dt;
            let t = (flight.past / flight.seconds).min(1.0);
            self.camera = between(&flight.from, &flight.to, t * t * (3.0 - 2.0 * t));
            if t < 1.0 {
                self.flight = Some(flight);
            } else {
                self.camera = flight.to;
            }
        }
        self.step(dt, ground);
        if self.below.is_none() {
            self.keep_above(ground);
        }
        self.camera != before
    }
    fn step(&mut self, dt: f64, ground: Ground<'_>) {
        let down = |k: &str| f64::from(u8::from(self.held.contains(k)));
        let (across, ahead) = (down("ArrowRight") - down("ArrowLeft"), down("ArrowUp") - down("ArrowDown"));
        let tilt = down("PageUp") - down("PageDown");
        let fast = 1.0 + 3.0 * down("Shift");
        match self.gait {
            Gait::Orbit => {
                let m = self.camera.distance_m * 0.7 * dt * fast;
                if across != 0.0 || ahead != 0.0 {
                    self.camera.pan(across * m, ahead * m);
                }
                if tilt != 0.0 {
                    self.turn(0.0, -tilt * TURN_DEG_S * dt / DRAG_DEG_PX);
                }
            }
            Gait::Walk | Gait::Fly => {
                let (side, forth) = (down("d") - down("a"), down("w") - down("s") + ahead);
                let rise = if self.gait == Gait::Fly { down("e") - down("c") } else { 0.0 };
                let eye = self.eye();
                let height = ground([eye[0], eye[1]]).map_or(50.0, |g| (eye[2] - g).max(2.0));
                let speed = if self.gait == Gait::Walk { WALK_M_S } else { 4.0 + height * 0.8 };
                let m = speed * dt * fast;
                if across != 0.0 || tilt != 0.0 {
                    self.look(across * TURN_DEG_S * dt, tilt * TURN_DEG_S * dt);
                }
                if side != 0.0 || forth != 0.0 || rise != 0.0 {
                    self.go(side * m, forth * m, rise * m);
                }
            }
        }
    }
    /// On foot the eye has its height over the ground; else it is never lower than [`CLEARANCE_M`]: first it is tilted up
    /// about the target, and where that does not help the whole camera is lifted.
    fn keep_above(&mut self, ground: Ground<'_>) {
        let lack = |c: &Camera| {
            let eye = geographic_from_ecef(c.view([1, 1]).eye_in_ecef);
            ground([eye[0], eye[1]]).map(|g| g + clearance_m(c) - eye[2])
        };
        if self.gait == Gait::Walk {
            let eye = self.eye();
            if let Some(g) = ground([eye[0], eye[1]]) {
                self.camera.target[2] += g + EYE_HEIGHT_M - eye[2];
            }
            return;
        }
        if !lack(&self.camera).is_some_and(|m| m > 0.0) {
            return;
        }
        if self.gait == Gait::Orbit {
            let tilted = |pitch_deg: f64| Camera { pitch_deg, ..self.camera };
            let (mut low, mut high) = (-89.5, self.camera.pitch_deg);
            if lack(&tilted(low)).is_some_and(|m| m <= 0.0) {
                for _ in 0..24 {
                    let mid = (low + high) / 2.0;
                    if lack(&tilted(mid)).is_some_and(|m| m > 0.0) { high = mid } else { low = mid }
                }
                self.camera.pitch_deg = low;
                return;
            }
        }
        if let Some(m) = lack(&self.camera).filter(|m| *m > 0.0) {
            self.camera.target[2] += m;
        }
    }
}

/// Between two cameras: even in place, in turn (the short way) and in the logarithm of distance.
fn between(a: &Camera, b: &Camera, t: f64) -> Camera {
    let mix = |x: f64, y: f64| x + (y - x) * t;
    let turn = (b.heading_deg - a.heading_deg + 540.0).rem_euclid(360.0) - 180.0;
    Camera {
        target: std::array::from_fn(|i| mix(a.target[i], b.target[i])),
        distance_m: a.distance_m * (b.distance_m / a.distance_m).powf(t),
        heading_deg: (a.heading_deg + turn * t).rem_euclid(360.0),
        pitch_deg: mix(a.pitch_deg, b.pitch_deg),
        fov_y_deg: mix(a.fov_y_deg, b.fov_y_deg),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACE: [f64; 3] = [125.32, 43.88, 210.0];
    fn flat(_: [f64; 2]) -> Option<f64> {
        Some(210.0)
    }
    /// Hills of 60 m, 500 m apart.
    fn hills([lon, lat]: [f64; 2]) -> Option<f64> {
        let (e, n) = ((lon - PLACE[0]) * 80_000.0, (lat - PLACE[1]) * 111_000.0);
        Some(210.0 + 30.0 * (e / 80.0).sin() + 30.0 * (n / 80.0).cos())
    }

    #[test]
    fn walking_keeps_eye_height_and_goes_where_one_looks() {
        let mut n = Navigator::new(Camera::new(PLACE, 600.0, 90.0, -40.0));
        n.press("q", false);
        n.advance(0.0, &flat);
        let begun = n.eye();
        assert!((begun[2] - 211.6).abs() < 1e-3 && (begun[0] - PLACE[0]).abs() < 1e-5, "{begun:?}");
        n.press("w", false);
        for _ in 0..100 {
            n.advance(0.1, &hills);
            let eye = n.eye();
            assert!((eye[2] - hills([eye[0], eye[1]]).unwrap_or_default() - 1.6).abs() < 1e-3);
        }
        // Ten seconds to the east at 3 m/s.
        let enu = Enu::at_geographic(begun);
        let gone = enu.local_from_ecef(ecef_from_geographic(n.eye()));
        assert!((gone[0] - 30.0).abs() < 0.1 && gone[1].abs() < 0.1, "{gone:?}");
        n.release("W");
        assert!(!n.moving());
        // Turning does not move the eye.
        let before = n.eye();
        n.turn(200.0, 80.0);
        let after = n.eye();
        assert!((0..2).all(|i| (before[i] - after[i]).abs() < 1e-8) && (before[2] - after[2]).abs() < 1e-3);
        assert_eq!(n.press("Escape", false), Answer::Moved);
        assert_eq!(n.gait, Gait::Orbit);
    }

    #[test]
    fn zooming_to_a_point_keeps_it_under_the_pointer() {
        let mut n = Navigator::new(Camera::new(PLACE, 900.0, 30.0, -50.0));
        let view = n.camera.view([800, 600]);
        let point = geographic_from_ecef(view.enu.ecef_from_local([120.0, 90.0, 0.0]));
        let (at, _) = view.project(ecef_from_geographic(point)).expect("in front");
        n.zoom(0.4, Some(point));
        let (now, far) = n.camera.view([800, 600]).project(ecef_from_geographic(point)).expect("in front");
        assert!((n.camera.distance_m - 360.0).abs() < 1e-9 && far < 400.0);
        assert!((at[0] - now[0]).abs() < 0.5 && (at[1] - now[1]).abs() < 0.5, "{at:?} {now:?}");
    }

    #[test]
    fn keys_that_ask_are_told_from_keys_that_move() {
        let mut n = Navigator::new(Camera::new(PLACE, 900.0, 30.0, -50.0));
        assert_eq!(n.press("U", false), Answer::Asked(Action::Underground));
        assert_eq!(n.press("3", false), Answer::Asked(Action::Scene(3)));
        for (key, tool) in [("m", "measure"), ("C", "compare"), ("/", "search"), ("F", "frame"), (" ", "play"), ("h", "pan")] {
            assert!(matches!(n.press(key, false), Answer::Asked(Action::Tool(t)) if t.name() == tool), "{key}");
        }
        assert_eq!((n.press("w", false), n.press("0", false), n.press("F7", false)), (Answer::Unknown, Answer::Unknown, Answer::Unknown));
        assert_eq!(n.press("ArrowLeft", false), Answer::Moved);
        n.release_all();
        n.press("t", false);
        assert_eq!(n.press("ArrowLeft", false), Answer::Asked(Action::Change(-1)));
        assert_eq!(n.press("ArrowRight", true), Answer::Asked(Action::Years(1)));
        n.press("n", false);
        while n.moving() {
            n.advance(0.1, &flat);
        }
        assert_eq!(n.camera.heading_deg, 0.0);
        n.pan(300.0, 40.0, [800, 600]);
        n.press("Home", false);
        while n.moving() {
            n.advance(0.1, &flat);
        }
        assert_eq!(n.camera, n.home);
    }

    #[test]
    fn from_a_joint_of_a_pipe_to_the_whole_of_a_city() {
        let mut n = Navigator::new(Camera::new(PLACE, 100_000.0, 20.0, -60.0));
        let mut last = n.camera.distance_m;
        // Even steps, none larger than the wheel's own, and the target stays where it is.
        for _ in 0..200 {
            n.zoom(0.9, None);
            n.advance(0.02, &flat);
            let step = n.camera.distance_m / last;
            assert!(step > 0.899 || n.camera.distance_m == crate::NEAREST_M, "{step}");
            last = n.camera.distance_m;
            let eye = n.eye();
            assert!(eye[2] > 210.0, "{eye:?}");
            let view = n.camera.view([1280, 720]);
            assert!(f64::from(view.near_m) < n.camera.distance_m / 20.0, "what one looks at is not cut away");
            let (at, _) = view.project(ecef_from_geographic(n.camera.target)).expect("in front");
            assert!((at[0] - 640.0).abs() < 0.5 && (at[1] - 360.0).abs() < 0.5, "{at:?} at {} m", n.camera.distance_m);
        }
        assert_eq!(n.camera.distance_m, crate::NEAREST_M);
        for _ in 0..400 {
            n.zoom(1.1, None);
        }
        assert_eq!(n.camera.distance_m, crate::FARTHEST_M);
    }

    proptest! {
        /// Whatever hands do over hilly ground, the eye is above it; from below it comes back to where it was.
        #[test]
        fn never_under_the_terrain(moves in prop::collection::vec((0u8..9, -400.0..400.0f64, -400.0..400.0f64), 1..60)) {
            let mut n = Navigator::new(Camera::new(PLACE, 300.0, 30.0, -20.0));
            for (what, a, b) in moves {
                match what {
                    0 => n.turn(a, b),
                    1 => n.pan(a, b, [800, 600]),
                    2 => n.zoom((a / 400.0).exp(), None),
                    3 => { n.press("q", false); }
                    4 => { n.press("y", false); }
                    5 => { n.press(if a > 0.0 { "w" } else { "c" }, b > 0.0); }
                    6 => { n.press(if a > 0.0 { "PageUp" } else { "ArrowUp" }, false); }
                    7 => n.release_all(),
                    _ => { n.press(if a > 0.0 { "Home" } else { "k" }, false); }
                }
                n.advance(0.2, &hills);
                let eye = n.eye();
                let over = eye[2] - hills([eye[0], eye[1]]).unwrap_or_default();
                let least = if n.gait == Gait::Walk { 1.59 } else { clearance_m(&n.camera) - 0.01 };
                prop_assert!(over > least.max(0.0), "{over} m over the ground, {n:?}");
                prop_assert!(n.camera.pitch_deg.is_finite() && n.camera.distance_m >= crate::NEAREST_M);
            }
            n.set_below(true);
            let pitch = n.camera.pitch_deg;
            n.set_below(false);
            prop_assert!(pitch > 0.0 && n.camera.pitch_deg < 60.1);
        }
    }
}
