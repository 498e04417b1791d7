//! Metro and buses: the only real geometry of the city (`data/changchun/SOURCE.md`).

use crate::{CitygenError, plan::keep, plane::P2};
use strata_model::{Bounds2, WorkingFrame};

const METRO_LINES: &str = include_str!("../../../data/changchun/metro-lines.csv");
const METRO_STATIONS: &str = include_str!("../../../data/changchun/metro-stations.csv");
const BUS_LINES: &str = include_str!("../../../data/changchun/bus-lines.csv");

pub(crate) struct Transit {
    pub id: String,
    pub name: Option<String>,
    pub kind: &'static str,
    pub shape: Shape,
}

/// In local metres.
pub(crate) enum Shape {
    Stop(P2),
    Line(Vec<P2>),
}

/// What lies in the box. A line that leaves it and comes back is as many features.
pub(crate) fn transit(frame: &WorkingFrame, origin: P2, bounds: &Bounds2) -> Result<Vec<Transit>, CitygenError> {
    let local = |lon_lat: [f64; 2]| -> Result<P2, CitygenError> {
        let [x, y] = frame.working_from_geographic(wgs84_from_gcj02(lon_lat))?;
        Ok([x - origin[0], y - origin[1]])
    };
    let path = |text: &str| -> Result<Vec<P2>, CitygenError> {
        let numbers: Vec<f64> = text.split(' ').map(|n| number(n, text)).collect::<Result<_, _>>()?;
        numbers.chunks_exact(2).map(|c| local([c[0], c[1]])).collect()
    };
    let mut out = Vec::new();
    let mut lines = |letters: &str, row: usize, name: Option<String>, kind, text: &str| -> Result<(), CitygenError> {
        for (i, line) in keep(&path(text)?, bounds).into_iter().enumerate() {
            out.push(Transit { id: format!("{letters}{row:03}-{i}"), name: name.clone(), kind, shape: Shape::Line(line) });
        }
        Ok(())
    };
    for (row, text) in METRO_LINES.lines().skip(1).enumerate() {
        let [name, _, path] = fields(text)?;
        lines("TM", row, Some(format!("长春轨道交通{name}")), "metro", path)?;
    }
    for (row, text) in BUS_LINES.lines().skip(1).enumerate() {
        let [_, path] = fields(text)?;
        lines("TB", row, None, "bus", path)?;
    }
    for (row, text) in METRO_STATIONS.lines().skip(1).enumerate() {
        let [name, _, lon, lat] = fields(text)?;
        let at = local([number(lon, text)?, number(lat, text)?])?;
        if bounds.contains(at) {
            out.push(Transit { id: format!("TS{row:03}"), name: Some(name.into()), kind: "metro_station", shape: Shape::Stop(at) });
        }
    }
    Ok(out)
}

fn fields<const N: usize>(row: &str) -> Result<[&str; N], CitygenError> {
    row.split(',').collect::<Vec<_>>().try_into().map_err(|_| CitygenError::Data { row: row.into() })
}

fn number(text: &str, row: &str) -> Result<f64, CitygenError> {
    text.parse().map_err(|_| CitygenError::Data { row: row.into() })
}

/// GCJ-02, the shifted datum of Chinese public maps: offset of a WGS 84 place, degrees. Krassovsky ellipsoid.
fn gcj02_offset([lon, lat]: [f64; 2]) -> [f64; 2] {
    use std::f64::consts::PI;
    const A: f64 = 6_378_245.0;
    const EE: f64 = 0.006_693_421_622_965_943;
    let (x, y) = (lon - 105.0, lat - 35.0);
    let wave = |v: f64, k: f64| (v * k * PI).sin();
    let common = (20.0 * wave(x, 6.0) + 20.0 * wave(x, 2.0)) * 2.0 / 3.0;
    let north = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * x.abs().sqrt()
        + common
        + (20.0 * wave(y, 1.0) + 40.0 * wave(y, 1.0 / 3.0)) * 2.0 / 3.0
        + (160.0 * wave(y, 1.0 / 12.0) + 320.0 * wave(y, 1.0 / 30.0)) * 2.0 / 3.0;
    let east = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * x.abs().sqrt()
        + common
        + (20.0 * wave(x, 1.0) + 40.0 * wave(x, 1.0 / 3.0)) * 2.0 / 3.0
        + (150.0 * wave(x, 1.0 / 12.0) + 300.0 * wave(x, 1.0 / 30.0)) * 2.0 / 3.0;
    let phi = lat.to_radians();
    let magic = 1.0 - EE * phi.sin().powi(2);
    let root = magic.sqrt();
    [east * 180.0 / (A / root * phi.cos() * PI), north * 180.0 / (A * (1.0 - EE) / (magic * root) * PI)]
}

/// The formula has no closed inverse; three steps bring it under a centimetre.
fn wgs84_from_gcj02(gcj: [f64; 2]) -> [f64; 2] {
    (0..3).fold(gcj, |p, _| {
        let o = gcj02_offset(p);
        [gcj[0] - o[0], gcj[1] - o[1]]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shift_is_undone() {
        // A pair that circulates with implementations of the formula: Beijing, WGS 84 and GCJ-02.
        let (wgs, gcj) = ([116.404, 39.915], [116.410_244_499_169_38, 39.916_404_281_501_64]);
        let o = gcj02_offset(wgs);
        assert!((wgs[0] + o[0] - gcj[0]).abs() < 1e-9 && (wgs[1] + o[1] - gcj[1]).abs() < 1e-9, "{o:?}");
        let back = wgs84_from_gcj02(gcj);
        assert!((back[0] - wgs[0]).abs() < 1e-7 && (back[1] - wgs[1]).abs() < 1e-7, "{back:?}");
    }
}
