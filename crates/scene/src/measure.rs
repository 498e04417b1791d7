//! Lengths, areas and land-use indices of what was pointed at. Every place is `[lon_deg, lat_deg, ellipsoidal_height_m]`; plan
//! is the plane east-north at the first place, m. Nothing here knows a pixel: what comes in is the geometry itself.

use serde::Serialize;
use serde_json::Value;
use strata_model::{Enu, Instant, ecef_from_geographic};

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Length {
    /// Along the places, in space.
    pub space_m: f64,
    pub plan_m: f64,
    /// Of the last place over the first.
    pub rise_m: f64,
    /// `None` where plan is nothing.
    pub slope_pct: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Area {
    pub plan_m2: f64,
    pub perimeter_m: f64,
    /// Its outline crosses itself: the area is then that of no polygon.
    pub crosses: bool,
}

fn local(places: &[[f64; 3]]) -> Vec<[f64; 3]> {
    let Some(first) = places.first() else { return Vec::new() };
    let enu = Enu::at_geographic(*first);
    places.iter().map(|p| enu.local_from_ecef(ecef_from_geographic(*p))).collect()
}

/// Nothing for fewer than two places.
pub fn length(places: &[[f64; 3]]) -> Length {
    let at = local(places);
    let sum = |f: &dyn Fn(&[f64; 3], &[f64; 3]) -> f64| at.windows(2).map(|w| f(&w[0], &w[1])).sum::<f64>();
    let plan_m = sum(&|a, b| (b[0] - a[0]).hypot(b[1] - a[1]));
    let rise_m = places.last().map_or(0.0, |l| l[2]) - places.first().map_or(0.0, |f| f[2]);
    Length {
        space_m: sum(&|a, b| (b[0] - a[0]).hypot(b[1] - a[1]).hypot(b[2] - a[2])),
        plan_m,
        rise_m,
        slope_pct: (plan_m > 1e-6).then(|| rise_m / plan_m * 100.0),
    }
}

fn ring_area(at: &[[f64; 3]]) -> f64 {
    (0..at.len()).map(|i| (at[i], at[(i + 1) % at.len()])).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>() / 2.0
}

fn crossing(a: [f64; 3], b: [f64; 3], c: [f64; 3], d: [f64; 3]) -> bool {
    let side = |p: [f64; 3], q: [f64; 3], r: [f64; 3]| (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
    side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
}

/// Of the polygon through these places, closed by itself.
pub fn area(places: &[[f64; 3]]) -> Area {
    let mut at = local(places);
    if at.len() > 1 && places.first() == places.last() {
        at.pop();
    }
    let n = at.len();
    let edge = |i: usize| (at[i], at[(i + 1) % n]);
    let perimeter_m = (0..n).map(edge).map(|(a, b)| (b[0] - a[0]).hypot(b[1] - a[1]).hypot(b[2] - a[2])).sum();
    let crosses = (0..n).any(|i| (i + 1..n).any(|j| crossing(edge(i).0, edge(i).1, edge(j).0, edge(j).1)));
    Area { plan_m2: ring_area(&at).abs(), perimeter_m, crosses }
}

/// What stands on a parcel, and what its plan allows. Of the record alone: where an attribute is missing, so is the index.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Indices {
    pub parcel_m2: f64,
    pub buildings: usize,
    pub footprint_m2: f64,
    /// Plan area times floors; `None` when a building does not say its floors.
    pub floor_m2: Option<f64>,
    pub ratio: Option<f64>,
    pub density_pct: f64,
    pub highest_m: Option<f64>,
    /// Ids that were counted.
    pub counted: Vec<String>,
}

fn rings(geometry: &Value) -> Vec<Vec<Vec<[f64; 3]>>> {
    let place = |v: &Value| Some([v[0].as_f64()?, v[1].as_f64()?, v[2].as_f64().unwrap_or(0.0)]);
    let ring = |v: &Value| v.as_array().map(|r| r.iter().filter_map(place).collect::<Vec<_>>()).unwrap_or_default();
    let polygon = |v: &Value| v.as_array().map(|p| p.iter().map(ring).collect::<Vec<_>>()).unwrap_or_default();
    match geometry["type"].as_str() {
        Some("Polygon") => vec![polygon(&geometry["coordinates"])],
        Some("MultiPolygon") => geometry["coordinates"].as_array().map(|a| a.iter().map(polygon).collect()).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn inside(ring: &[[f64; 3]], p: [f64; 2]) -> bool {
    let mut within = false;
    for i in 0..ring.len() {
        let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
        if (a[1] > p[1]) != (b[1] > p[1]) && p[0] < (b[0] - a[0]) * (p[1] - a[1]) / (b[1] - a[1]) + a[0] {
            within = !within;
        }
    }
    within
}

/// Shells less holes, m².
fn plan_m2(polygons: &[Vec<Vec<[f64; 3]>>]) -> f64 {
    let one = |rings: &Vec<Vec<[f64; 3]>>| {
        let area_of = |r: &Vec<[f64; 3]>| area(r).plan_m2;
        rings.first().map_or(0.0, area_of) - rings.iter().skip(1).map(area_of).sum::<f64>()
    };
    polygons.iter().map(one).sum()
}

/// `parcel`: a GeoJSON feature. `buildings`: GeoJSON features with footprints, `floors` and `height_m`, of which those count whose
/// middle lies on the parcel and that stand on `day`. Solids (LOD2) have no footprint of their own and are left to their owner.
pub fn indices(parcel: &Value, buildings: &[Value], day: i32) -> Indices {
    let own = rings(&parcel["geometry"]);
    let parcel_m2 = plan_m2(&own);
    let mut out = Indices {
        parcel_m2,
        buildings: 0,
        footprint_m2: 0.0,
        floor_m2: Some(0.0),
        ratio: None,
        density_pct: 0.0,
        highest_m: None,
        counted: Vec::new(),
    };
    let holds = |p: [f64; 2]| own.iter().any(|rings| rings.iter().filter(|r| inside(r, p)).count() % 2 == 1);
    for b in buildings {
        let p = &b["properties"];
        let bound = |v: &Value, open: i32| v.as_str().and_then(|t| Instant::parse(t).ok()).map_or(open, Instant::day);
        let polygons = rings(&b["geometry"]);
        let Some(shell) = polygons.first().and_then(|r| r.first()).filter(|r| r.len() > 3) else { continue };
        let n = (shell.len() - 1) as f64;
        let middle = [0, 1].map(|k| shell[..shell.len() - 1].iter().map(|c| c[k]).sum::<f64>() / n);
        if !(bound(&p["valid_from"], i32::MIN) <= day && day < bound(&p["valid_to"], i32::MAX) && holds(middle)) {
            continue;
        }
        let m2 = plan_m2(&polygons);
        out.buildings += 1;
        out.footprint_m2 += m2;
        out.floor_m2 = out.floor_m2.zip(p["floors"].as_f64()).map(|(sum, floors)| sum + m2 * floors);
        out.highest_m = [out.highest_m, p["height_m"].as_f64()].into_iter().flatten().max_by(f64::total_cmp);
        out.counted.push(b["id"].as_str().unwrap_or_default().to_owned());
    }
    if parcel_m2 > 0.0 {
        out.ratio = out.floor_m2.map(|f| f / parcel_m2);
        out.density_pct = out.footprint_m2 / parcel_m2 * 100.0;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use strata_model::geographic_from_ecef;

    const PLACE: [f64; 3] = [125.32, 43.88, 210.0];
    fn at(e: f64, n: f64, u: f64) -> [f64; 3] {
        geographic_from_ecef(Enu::at_geographic(PLACE).ecef_from_local([e, n, u]))
    }

    #[test]
    fn lengths_and_areas_are_those_of_plain_geometry() {
        let l = length(&[at(0.0, 0.0, 0.0), at(300.0, 0.0, 0.0), at(300.0, 400.0, 50.0)]);
        assert!((l.plan_m - 700.0).abs() < 1e-3 && (l.space_m - (300.0 + 400f64.hypot(50.0))).abs() < 1e-3, "{l:?}");
        // Up is the ellipsoid's normal at each place: over 500 m it has bent away by 2 cm.
        assert!((l.rise_m - 50.0).abs() < 0.03 && (l.slope_pct.expect("a slope") - 50.0 / 7.0).abs() < 0.01, "{l:?}");
        // An L of 60 × 40 less 30 × 20, either way round.
        let mut shape =
            [(0.0, 0.0), (60.0, 0.0), (60.0, 20.0), (30.0, 20.0), (30.0, 40.0), (0.0, 40.0)].map(|(e, n)| at(e, n, 0.0)).to_vec();
        for _ in 0..2 {
            let a = area(&shape);
            assert!((a.plan_m2 - 1800.0).abs() < 1e-3 && (a.perimeter_m - 200.0).abs() < 1e-3 && !a.crosses, "{a:?}");
            shape.reverse();
        }
        assert!(area(&[at(0.0, 0.0, 0.0), at(10.0, 10.0, 0.0), at(10.0, 0.0, 0.0), at(0.0, 10.0, 0.0)]).crosses);
        assert_eq!(length(&[PLACE]).space_m, 0.0);
    }

    #[test]
    fn indices_count_what_stands_on_the_parcel_on_that_day() {
        let square = |e: f64, n: f64, side: f64| {
            let ring: Vec<_> =
                [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side), (0.0, 0.0)].iter().map(|(x, y)| at(e + x, n + y, 0.0)).collect();
            json!({ "type": "Polygon", "coordinates": [ring] })
        };
        let house = |id: &str, e: f64, floors: Value, from: Value, to: Value| json!({ "id": id, "geometry": square(e, 10.0, 20.0), "properties": { "floors": floors, "height_m": 30.0, "valid_from": from, "valid_to": to } });
        let parcel = json!({ "geometry": square(0.0, 0.0, 100.0) });
        let all = [
            house("a", 5.0, json!(10), Value::Null, Value::Null),
            house("b", 40.0, json!(5), json!("2000-01-01"), Value::Null),
            house("gone", 70.0, json!(9), Value::Null, json!("1990-01-01")),
            house("next door", 140.0, json!(9), Value::Null, Value::Null),
        ];
        let i = indices(&parcel, &all, 18_000);
        assert_eq!((i.buildings, i.counted.clone()), (2, vec!["a".to_owned(), "b".to_owned()]));
        // 2 × 400 m² on 10 000 m², 400 × 15 floors.
        assert!((i.density_pct - 8.0).abs() < 1e-3 && (i.ratio.expect("a ratio") - 0.6).abs() < 1e-4, "{i:?}");
        let before = indices(&parcel, &all, 0);
        assert_eq!(before.counted, ["a", "gone"]);
        assert_eq!(
            indices(&parcel, &[house("?", 5.0, Value::Null, Value::Null, Value::Null)], 0).ratio,
            None,
            "unknown floors are not zero"
        );
    }
}
