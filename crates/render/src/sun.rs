//! Where the sun stands, by the Solar Position Algorithm (NREL/TP-560-34302).

use solar_positioning::{Location, RefractionCorrection, SolarPositions, time::JulianDate};
use strata_model::Instant;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sun {
    /// Clockwise from true north, degrees.
    pub azimuth_deg: f64,
    /// Above the horizon, with standard refraction, degrees.
    pub elevation_deg: f64,
}

/// The sun over a place (`lon_deg`, `lat_deg`) at an instant. Outside ±90° of latitude it stands in the zenith.
pub fn sun_at(instant: Instant, lon_deg: f64, lat_deg: f64) -> Sun {
    let julian = instant.0 as f64 / 86_400_000.0 + 2_440_587.5;
    // Difference of terrestrial and universal time: 69 s in the 2020s, which moves the sun by less than 0.001°.
    let found = JulianDate::new(julian, 69.0).and_then(|t| {
        let place = Location { latitude: lat_deg, longitude: lon_deg };
        SolarPositions::new().at_from_julian(t, place, 210.0, Some(RefractionCorrection::standard()))
    });
    match found {
        Ok(p) => Sun { azimuth_deg: p.azimuth(), elevation_deg: p.elevation_angle() },
        Err(_) => Sun { azimuth_deg: 180.0, elevation_deg: 90.0 },
    }
}

impl Sun {
    /// Unit vector towards it: east, north, up (true north).
    pub fn direction_enu(&self) -> glam::Vec3 {
        let (a, e) = (self.azimuth_deg.to_radians(), self.elevation_deg.to_radians());
        glam::DVec3::new(a.sin() * e.cos(), a.cos() * e.cos(), e.sin()).as_vec3()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sun_of_changchun_stands_where_the_almanac_has_it() {
        let at = |text: &str| sun_at(Instant::parse(text).expect("a time"), 125.32, 43.88);
        let solstice = at("2025-12-21T12:00:00+08:00");
        assert!((solstice.azimuth_deg - 185.774).abs() < 0.01 && (solstice.elevation_deg - 22.469).abs() < 0.05, "{solstice:?}");
        // 大寒 at true noon: declination −20.0°, so a height of 26.1° and shadows 2.04 times as long as what casts them.
        let cold = at("2026-01-20T11:50:00+08:00");
        let shadow = 1.0 / cold.elevation_deg.to_radians().tan();
        assert!((shadow - 2.04).abs() < 0.02 && (cold.azimuth_deg - 180.0).abs() < 0.6, "{cold:?} {shadow}");
        assert!(at("2026-01-20T20:00:00+08:00").elevation_deg < -20.0);
    }
}
