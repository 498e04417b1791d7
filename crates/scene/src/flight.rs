//! A recorded flight: cameras at moments, and every camera between them. The same file drives tests and measurements.

use crate::{Anchor, Camera, CameraSpec, SceneError};
use serde::Deserialize;

#[derive(Debug, Clone, PartialEq)]
pub struct Flight {
    /// Seconds from the start, ascending, with the camera at that moment; never empty.
    keys: Vec<(f64, Camera)>,
}

#[derive(Deserialize)]
struct Key {
    t_s: f64,
    #[serde(flatten)]
    camera: CameraSpec,
}

impl Flight {
    /// Reads a JSON list of `{t_s, anchor | target, distance_m, heading_deg, pitch_deg}` in ascending `t_s`, beginning at 0.
    pub fn parse(text: &str, anchors: &[Anchor]) -> Result<Self, SceneError> {
        let keys: Vec<Key> = serde_json::from_str(text).map_err(SceneError::Flight)?;
        let fault = |i: usize, reason: &str| SceneError::Scene { key: format!("flight[{i}]"), reason: reason.into() };
        let mut out: Vec<(f64, Camera)> = Vec::with_capacity(keys.len());
        for (i, key) in keys.iter().enumerate() {
            let sound = key.t_s.is_finite() && key.camera.distance_m.is_finite() && key.camera.distance_m > 0.0;
            let later = out.last().map_or(key.t_s == 0.0, |l| key.t_s > l.0);
            if !sound || !later {
                return Err(fault(i, "t_s begins at 0 and ascends, distance_m is positive"));
            }
            out.push((key.t_s, key.camera.camera(anchors)?));
        }
        if out.is_empty() {
            return Err(fault(0, "it has no cameras"));
        }
        Ok(Self { keys: out })
    }
    pub fn duration_s(&self) -> f64 {
        self.keys.last().map_or(0.0, |k| k.0)
    }
    /// The camera at a moment; before the start the first, after the end the last. Starts and stops are soft at every key.
    pub fn at(&self, t_s: f64) -> Camera {
        let next = self.keys.partition_point(|k| k.0 <= t_s).clamp(1, self.keys.len().max(2) - 1);
        let (from, to) = (&self.keys[next - 1], &self.keys[next.min(self.keys.len() - 1)]);
        let t = ((t_s - from.0) / (to.0 - from.0).max(1e-9)).clamp(0.0, 1.0);
        let t = t * t * (3.0 - 2.0 * t);
        let (a, b) = (&from.1, &to.1);
        let mix = |a: f64, b: f64| a + (b - a) * t;
        // The short way round.
        let turn = (b.heading_deg - a.heading_deg + 180.0).rem_euclid(360.0) - 180.0;
        Camera {
            target: [0, 1, 2].map(|k| mix(a.target[k], b.target[k])),
            // Nearing looks even when the distance shrinks by the same share each moment.
            distance_m: mix(a.distance_m.ln(), b.distance_m.ln()).exp(),
            heading_deg: (a.heading_deg + turn * t).rem_euclid(360.0),
            pitch_deg: mix(a.pitch_deg, b.pitch_deg),
            fov_y_deg: mix(a.fov_y_deg, b.fov_y_deg),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_passes_its_cameras_and_turns_the_short_way() {
        let text = r#"[{"t_s":0,"target":[125.0,43.0,200],"distance_m":100,"heading_deg":350,"pitch_deg":-20},
            {"t_s":4,"target":[125.2,43.0,200],"distance_m":400,"heading_deg":10,"pitch_deg":-40},
            {"t_s":6,"target":[125.2,43.0,200],"distance_m":400,"heading_deg":90,"pitch_deg":-40}]"#;
        let flight = Flight::parse(text, &[]).expect("a flight");
        assert_eq!(flight.duration_s(), 6.0);
        let middle = flight.at(2.0);
        assert!((middle.distance_m - 200.0).abs() < 1e-9 && middle.heading_deg.min(360.0 - middle.heading_deg) < 1e-9, "{middle:?}");
        assert!((middle.target[0] - 125.1).abs() < 1e-12 && middle.pitch_deg == -30.0);
        assert_eq!(flight.at(-1.0), flight.at(0.0));
        assert!((flight.at(99.0).heading_deg - 90.0).abs() < 1e-9 && (flight.at(4.0).heading_deg - 10.0).abs() < 1e-9);
        for bad in ["[]", "{}", r#"[{"t_s":1,"target":[1,2,3],"distance_m":1,"pitch_deg":0}]"#] {
            assert!(Flight::parse(bad, &[]).is_err(), "{bad}");
        }
    }
}
