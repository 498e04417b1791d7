//! What the light and the clock are like in one picture.

use crate::sun::Sun;
use glam::Vec3;
use strata_model::{Instant, Theme};
use strata_scene::{Camera, Mode, Scene, SectionBox};

/// China keeps one legal time.
pub(crate) const UTC_OFFSET_H: f64 = 8.0;

/// How much work a picture may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    Low,
    Medium,
    #[default]
    High,
}

impl Quality {
    pub(crate) fn samples(self) -> u32 {
        if self == Self::High { 4 } else { 1 }
    }
    /// Pixels by which a drawn tile may be wrong.
    pub fn error_px(self) -> f64 {
        match self {
            Self::Low => 24.0,
            Self::Medium => 16.0,
            Self::High => 8.0,
        }
    }
    /// Taps a side of a soft shadow's edge.
    pub(crate) fn shadow_taps(self) -> f64 {
        match self {
            Self::Low => 1.0,
            Self::Medium => 2.0,
            Self::High => 3.0,
        }
    }
    /// Bodies keep the sky's light from each other.
    pub(crate) fn occlusion(self) -> bool {
        self == Self::High
    }
    /// Side of the shadow picture, which holds four cascades, px.
    pub(crate) fn shadow_px(self) -> u32 {
        match self {
            Self::Low => 1024,
            Self::Medium => 2048,
            Self::High => 4096,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    pub sun: Sun,
    /// Valid-time day that is shown, days since 1970-01-01.
    pub day: i32,
    /// A second day: what was added and what removed between it and `day` is coloured.
    pub compare: Option<i32>,
    pub mode: Mode,
    /// Box of ground taken away around the camera's target in the cut-away mode: east, north, depth, m.
    pub cut_m: [f32; 3],
    pub section: Option<SectionBox>,
    /// 1 in leaf, 0 bare.
    pub leaves: f32,
    /// Share of the ground under snow.
    pub snow: f32,
    pub contours: bool,
    /// X-ray on a dark page: what lies about the pipes is night instead of paper.
    pub dim: bool,
    /// Parcels are drawn as data, in their statutory colours; else as the ground they are.
    pub drape: bool,
    /// Hour of the local day, for lit windows.
    pub hour: f32,
    pub time_s: f32,
    /// Heights that the tints of the ground span, ellipsoidal m.
    pub terrain_m: [f32; 2],
    /// Ellipsoidal height less height in the city's datum: contours are of the datum.
    pub geoid_offset_m: f64,
    /// The city's own metres at the target, for the grid that one sees from below and beyond the data; none outside of their frame.
    pub grid: Option<crate::PlanGrid>,
}

impl Look {
    /// A scene's at a moment: the same for a still, a window and a browser's canvas.
    pub fn of(scene: &Scene, camera: &Camera, instant: Instant) -> Self {
        Self {
            mode: scene.mode,
            cut_m: scene.cutaway_m.map(|v| v as f32),
            contours: scene.contours,
            section: scene.section(camera),
            compare: scene.compare.map(|c| c.day()),
            drape: scene.layers.iter().any(|l| l.theme == Theme::Parcel && l.visible),
            ..Self::at(instant, camera.target[0], camera.target[1], UTC_OFFSET_H)
        }
    }
    /// The look of an instant at a place: sun, season and hour follow from it. `utc_offset_h` is the place's legal time.
    pub fn at(instant: Instant, lon_deg: f64, lat_deg: f64, utc_offset_h: f64) -> Self {
        let local_ms = instant.0 + (utc_offset_h * 3.6e6) as i64;
        let day_of_year = (Instant(local_ms).day() - Instant::from_ymd(Instant(local_ms).year(), 1, 1).day()) as f32;
        // In leaf from May to October in the north-east; snow lies from December to February.
        let leaves = smooth(110.0, 135.0, day_of_year) * (1.0 - smooth(285.0, 310.0, day_of_year));
        let snow = (1.0 - smooth(45.0, 75.0, day_of_year)).max(smooth(325.0, 345.0, day_of_year)) * 0.75;
        Self {
            sun: crate::sun::sun_at(instant, lon_deg, lat_deg),
            day: instant.day(),
            compare: None,
            mode: Mode::Surface,
            cut_m: [24.0, 24.0, 6.0],
            section: None,
            leaves,
            snow,
            contours: false,
            dim: false,
            drape: false,
            hour: local_ms.rem_euclid(86_400_000) as f32 / 3.6e6,
            time_s: 0.0,
            terrain_m: [190.0, 250.0],
            geoid_offset_m: 0.0,
            grid: None,
        }
    }

    pub(crate) fn light(&self) -> Light {
        let e = self.sun.elevation_deg as f32;
        let night = 1.0 - smooth(-7.0, -1.0, e);
        // How much of the beam comes through the air, and how it reddens near the horizon.
        let through = smooth(-1.5, 12.0, e);
        let warm = 1.0 - smooth(4.0, 28.0, e);
        let day = 1.0 - night;
        let beam = Vec3::new(1.0, 0.93 - 0.22 * warm, 0.82 - 0.42 * warm) * (2.55 * through);
        let dusk = (1.0 - (e.abs() / 9.0).min(1.0)) * day.max(0.25);
        let zenith = Vec3::new(0.16, 0.38, 0.82).lerp(Vec3::new(0.10, 0.16, 0.34), 1.0 - through) * day
            + Vec3::new(0.004, 0.006, 0.014)
            + Vec3::new(0.001, 0.006, 0.020) * night;
        let horizon = (Vec3::new(0.86, 0.93, 1.0) * (0.35 + 0.65 * through) * day + Vec3::new(0.55, 0.26, 0.10) * dusk)
            + Vec3::new(0.016, 0.016, 0.024)
            // The city's own light in the haze above it.
            + Vec3::new(0.034, 0.029, 0.030) * night;
        Light {
            sun_colour: beam,
            night,
            zenith,
            horizon,
            ambient: (zenith * 0.62 + horizon * 0.36) * (0.65 + 0.35 * day) + Vec3::new(0.008, 0.017, 0.040) * night,
            bounce: Vec3::new(0.30, 0.28, 0.25) * (0.12 + 0.75 * through) * day + Vec3::splat(0.010),
            exposure: 0.60 + 0.55 * (1.0 - through) + 0.55 * night,
            lamps: night,
        }
    }

    /// Shares of lit windows: homes, offices, shops, others.
    pub(crate) fn windows(&self) -> [f32; 4] {
        let h = self.hour;
        let between = |a: f32, b: f32| smooth(a - 0.5, a + 0.5, h) * (1.0 - smooth(b - 0.5, b + 0.5, h));
        let homes = 0.06 + 0.49 * between(18.5, 22.5) + 0.2 * between(5.5, 7.5);
        [
            homes,
            0.05 + 0.15 * between(18.0, 21.5) + 0.6 * between(8.0, 18.0),
            0.05 + 0.85 * between(9.0, 22.0),
            0.08 + 0.2 * between(7.0, 20.0),
        ]
    }
}

pub(crate) struct Light {
    pub sun_colour: Vec3,
    pub night: f32,
    pub zenith: Vec3,
    pub horizon: Vec3,
    pub ambient: Vec3,
    pub bounce: Vec3,
    pub exposure: f32,
    pub lamps: f32,
}

pub(crate) fn smooth(a: f32, b: f32, x: f32) -> f32 {
    let t = ((x - a) / (b - a)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
