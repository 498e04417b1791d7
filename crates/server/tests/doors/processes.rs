//! Analyses as processes: described, run in the asker's system and scope, refused with a place.

use crate::city::{TOKEN, city};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};

#[tokio::test]
async fn every_process_is_described_and_its_schemas_are_json() {
    let city = city();
    let list = city.get("/ogc/processes").await.json();
    let ids: Vec<&str> = list["processes"].as_array().expect("a list").iter().map(|p| p["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, strata_pipes::ANALYSES.iter().map(|a| a.id).collect::<Vec<_>>());
    for a in strata_pipes::ANALYSES {
        for schema in [a.inputs, a.outputs] {
            let schema: Value = serde_json::from_str(schema).unwrap_or_else(|e| panic!("{}: {e}", a.id));
            assert_eq!(schema["type"], "object", "{}", a.id);
        }
        // Names that every process takes from the door: an input of its own under one of them would never arrive.
        let own: Value = serde_json::from_str(a.inputs).expect("JSON");
        assert!(["at", "proposal", "crs"].iter().all(|n| own["properties"].get(n).is_none()), "{}", a.id);
        let one = city.get(&format!("/ogc/processes/{}", a.id)).await.json();
        assert!(one["inputs"].is_object() && one["outputs"].is_object(), "{one}");
    }
    assert_eq!(city.get("/ogc/processes/nothing").await.status, 404);
}

#[tokio::test]
async fn statistics_run_in_the_askers_system_and_scope() {
    let city = city();
    let run = "/ogc/processes/statistics/execution";
    // Two pipes of 500 m, one meter apart; the third is gone.
    let all = city.post(run, &json!({ "inputs": { "by": "class" } })).await.json();
    assert_eq!(all["groups"], json!([{ "value": "JS", "pipes": 2, "length_m": 1000.0 }]), "{all}");
    // The western 100 m of both, asked for by the city's own axes (north first in EPSG:4551).
    let [e, n] = crate::city::HOME;
    let ring = json!([[n - 5.0, e - 1.0], [n - 5.0, e + 100.0], [n + 5.0, e + 100.0], [n + 5.0, e - 1.0], [n - 5.0, e - 1.0]]);
    let area = json!({ "type": "Polygon", "coordinates": [ring] });
    let west = city.post(run, &json!({ "inputs": { "area": area, "crs": "EPSG:4551" } })).await.json();
    assert_eq!((&west["pipes"], &west["length_m"]), (&json!(2), &json!(200.0)), "{west}");
    // The same ring as longitude and latitude, to a centimetre.
    let frame = &city.state.frame;
    let corners = [[-1.0, -5.0], [100.0, -5.0], [100.0, 5.0], [-1.0, 5.0], [-1.0, -5.0]];
    let ring: Vec<[f64; 2]> = corners.map(|[x, y]| frame.geographic_from_working([e + x, n + y]).expect("on the map")).to_vec();
    let area = json!({ "type": "Polygon", "coordinates": [ring] });
    let west = city.post(run, &json!({ "inputs": { "area": area } })).await.json();
    assert!((west["length_m"].as_f64().expect("a length") - 200.0).abs() < 0.02, "{west}");
    // A stranger sees no pipes: the answer is that of a city without any.
    let body = Body::from(json!({ "inputs": {} }).to_string());
    let nothing = city.send(Request::post(run).header("content-type", "application/json").body(body).expect("a request")).await;
    assert_eq!(nothing.json(), json!({ "groups": [], "pipes": 0, "length_m": 0.0 }));
    for (inputs, pointer) in [
        (json!({ "by": "no_such" }), "/inputs/by"),
        (json!({ "by": 7 }), "/inputs/by"),
        (json!({ "colour": "red" }), "/inputs/colour"),
        (json!({ "at": "yesterday" }), "/inputs/at"),
        (json!({ "area": { "type": "Polygon", "coordinates": [[[1, 2]]] } }), "/inputs/area"),
        (json!({ "area": { "type": "Polygon", "coordinates": [[[500, 2], [3, 4], [5, 6], [500, 2]]] } }), "/inputs/area"),
        (json!({ "area": "here" }), "/inputs/area"),
    ] {
        let a = city.post(run, &json!({ "inputs": inputs })).await;
        assert!(matches!(a.status.as_u16(), 400 | 422), "{inputs}: {}", a.status);
        assert_eq!(a.json()["errors"][0]["pointer"], pointer, "{inputs}: {}", a.json());
    }
    assert!(!String::from_utf8_lossy(&nothing.body).contains(TOKEN));
}

/// Leak detection reads what the city's own sensors said: hourly means in the model's units, of what hangs on the water network.
#[tokio::test]
async fn leaks_are_looked_for_in_what_was_observed() {
    let city = city();
    let stream = |id: &str, unit: &str, target: &str| {
        json!({ "@iot.id": id, "name": id, "description": "a meter", "unitOfMeasurement": { "name": unit, "symbol": unit, "definition": "urn:x" },
            "Thing": { "@iot.id": "SE-0" }, "Sensor": { "@iot.id": "SE-0" }, "properties": { "target_layer": "pipes", "target_id": target } })
    };
    let mut first = stream("F-0", "L/s", "PIPE-0");
    first["ObservedProperty"] = json!({ "@iot.id": "flow", "name": "流量", "definition": "urn:flow", "description": "flow" });
    let registered = city.post("/sta/v1.1/Datastreams", &first).await;
    assert_eq!(registered.status, 201, "{}", String::from_utf8_lossy(&registered.body));
    for (id, unit, target) in [("F-1", "gallons", "PIPE-1"), ("F-2", "L/s", "b1"), ("F-3", "m3/h", "PIPE-0"), ("F-4", "m3/h", "PIPE-1")] {
        let mut more = stream(id, unit, target);
        more["ObservedProperty"] = json!({ "@iot.id": "flow" });
        assert_eq!(city.post("/sta/v1.1/Datastreams", &more).await.status, 201);
    }
    // Twice in the first hour, not in the second, once in the third; before and after count as nothing.
    for (stream, time, result) in [
        ("F-0", "2026-01-19T23:59:59Z", 99.0),
        ("F-0", "2026-01-20T00:00:00Z", 1.0),
        ("F-0", "2026-01-20T00:40:00Z", 2.0),
        ("F-0", "2026-01-20T02:59:59Z", 5.0),
        ("F-0", "2026-01-20T03:00:00Z", 77.0),
        ("F-1", "2026-01-20T00:00:00Z", 1.0),
        ("F-2", "2026-01-20T00:00:00Z", 1.0),
        ("F-3", "2026-01-20T00:00:00Z", 1.0),
    ] {
        let told = json!({ "phenomenonTime": time, "result": result });
        let kept = city.post(&format!("/sta/v1.1/Datastreams('{stream}')/Observations"), &told).await;
        assert_eq!(kept.status, 201, "{}", String::from_utf8_lossy(&kept.body));
    }
    let snapshot = city.state.snapshot();
    let from = strata_model::Instant::parse("2026-01-20T00:00:00Z").expect("a time");
    // More than is read at once, two a second: 0 and 2 in turn for an hour and a half of the second hour on.
    let many: Vec<_> =
        (0..10_800i64).map(|i| ("F-4".into(), strata_model::Instant(from.0 + 3_600_000 + i * 500), (i % 2 * 2) as f64)).collect();
    assert_eq!(city.state.keep_readings(&many).expect("kept"), 10_800);
    let seen = strata_server::observed(&city.state, &snapshot, &strata_model::Scope::everything(), from, 3).expect("series");
    assert_eq!(Value::Object(seen.series), json!({ "flow": { "PIPE-0": [5.4, null, 18.0], "PIPE-1": [null, 1.0, 1.0] } }));
    let left: Vec<&str> = seen.told["left_out"].as_array().expect("a list").iter().map(|l| l["stream"].as_str().expect("a name")).collect();
    assert_eq!((&seen.told["streams"], left), (&json!(2), vec!["F-1", "F-3"]), "{}", seen.told);
    let nothing = strata_server::observed(&city.state, &snapshot, &strata_model::Scope::public(), from, 3).expect("series");
    assert!(nothing.series.is_empty() && nothing.told["left_out"] == json!([]), "{nothing:?}");

    let run = "/ogc/processes/leaks/execution";
    let span = json!({ "from": "2026-01-20T00:00:00Z", "to": "2026-01-20T03:00:00Z" });
    // As far as the detector itself, which finds that three hours teach nothing.
    let asked = city.post(run, &json!({ "inputs": { "observed": span, "calibrate_hours": 120 } })).await;
    assert_eq!(asked.json()["errors"][0]["pointer"], "/inputs/calibrate_hours", "{}", asked.json());
    for (inputs, pointer) in [
        (json!({ "observed": span, "start": "2026-01-20", "calibrate_hours": 120 }), "/inputs/start"),
        (json!({ "observed": { "from": "2026-01-20" }, "calibrate_hours": 120 }), "/inputs/observed/to"),
        (json!({ "observed": { "from": "2026-01-20", "to": "2026-01-19" }, "calibrate_hours": 120 }), "/inputs/observed"),
        (json!({ "observed": { "from": "2020-01-20", "to": "2026-01-19" }, "calibrate_hours": 120 }), "/inputs/observed"),
    ] {
        let a = city.post(run, &json!({ "inputs": inputs })).await;
        assert!(matches!(a.status.as_u16(), 400 | 422), "{inputs}: {}", a.status);
        assert_eq!(a.json()["errors"][0]["pointer"], pointer, "{inputs}: {}", a.json());
    }
}

/// From what sensors told to the pipe that leaks: a dead end of two pipes, and a leak at its end from the 301st hour on.
#[tokio::test]
async fn a_leak_is_found_in_what_the_sensors_told() {
    use crate::city::{HOME, city_of, feature, layer, now};
    use strata_model::{Classification, Field, FieldKind, Geometry, GeometryKind, Instant, Interval, Theme, Value as Attribute};
    let field = |name: &str, kind| Field::new(name, kind, "", "");
    let text = |name: &str| field(name, FieldKind::Text);
    let at = |along_m: f64, height_m: f64| [HOME[0] + along_m, HOME[1], height_m];
    let city = city_of(Default::default(), None, None, |store| {
        let internal = Classification::Internal;
        let device = ["kind", "unit", "target_layer", "target_id"].map(text).to_vec();
        let sensors = layer("sensors", Theme::Sensor, GeometryKind::Point, internal, device);
        let points = layer("pipe_points", Theme::PipePoint, GeometryKind::Point, internal, vec![text("class"), text("kind")]);
        let fields = vec![text("class"), text("start_point"), text("end_point"), field("dn_mm", FieldKind::Float)];
        let pipes = layer("pipes", Theme::Pipe, GeometryKind::Line, internal, fields);
        let mut w = store.begin("keeper", "a dead end", now())?;
        [&sensors, &points, &pipes].into_iter().try_for_each(|l| w.layer(l))?;
        for (id, kind, along_m) in [("S", "source", 0.0), ("M", "valve", 1_000.0), ("E", "cap", 2_000.0)] {
            let attributes: Vec<Attribute> = vec!["JS".into(), kind.into()];
            w.put(&points.id, &feature(id, Geometry::Point(at(along_m, 212.0)), Interval::ALWAYS, attributes))?;
        }
        for (id, ends, from_m) in [("a", ["S", "M"], 0.0), ("b", ["M", "E"], 1_000.0)] {
            let axis = Geometry::LineString(vec![at(from_m, 210.0), at(from_m + 1_000.0, 210.0)]);
            w.put(&pipes.id, &feature(id, axis, Interval::ALWAYS, vec!["JS".into(), ends[0].into(), ends[1].into(), 150.0.into()]))?;
        }
        for id in ["M", "E"] {
            let attributes: Vec<Attribute> = vec!["压力".into(), "kPa".into(), "pipe_points".into(), id.into()];
            w.put(&sensors.id, &feature(&format!("P-{id}"), Geometry::Point(at(0.0, 212.0)), Interval::ALWAYS, attributes))?;
        }
        w.commit().map(drop)
    });
    // What 20 m³/h lose on the way by Hazen and Williams, and two centimetres of noise, told twice an hour in kPa. (How much is
    // lost is not asked: nobody else draws here, so pressure falls with a power of the flow, for which the detector takes a line.)
    let loss_m = 10.67 * 1_000.0 * (20.0f64 / 3600.0).powf(1.852) / (120f64.powf(1.852) * 0.15f64.powf(4.871));
    let from = Instant::parse("2026-01-02T16:00:00Z").expect("a time");
    let (hours, leak) = (400i64, 300i64);
    let (mut told, mut state) = (Vec::new(), 9u64);
    let mut noise_m = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as f64 / f64::from(1u32 << 31) - 0.5) * 0.04
    };
    for half in 0..hours * 2 {
        for (n, id) in [(1.0, "M"), (2.0, "E")] {
            let pressure_m = 45.0 - if half / 2 >= leak { n * loss_m } else { 0.0 } + noise_m();
            told.push((format!("P-{id}").as_str().into(), Instant(from.0 + half * 1_800_000), pressure_m * 9.80665));
        }
    }
    assert_eq!(city.state.keep_readings(&told).expect("kept"), told.len());
    let to = Instant(from.0 + hours * 3_600_000);
    let observed = json!({ "from": from.to_string(), "to": to.to_string() });
    let ask = json!({ "inputs": { "observed": observed, "calibrate_hours": 240, "source_head_m": 45.0 } });
    let answer = city.post("/ogc/processes/leaks/execution", &ask).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let answer = answer.json();
    assert_eq!((&answer["observed"]["streams"], &answer["hours"]), (&json!(2), &json!(hours)), "{answer}");
    let leaks = answer["leaks"].as_array().expect("a list");
    assert_eq!(leaks.len(), 1, "{answer}");
    assert_eq!((&leaks[0]["pipe"], &leaks[0]["closed"]), (&json!("b"), &Value::Null), "{answer}");
    let alarm = Instant::parse(leaks[0]["alarm"].as_str().expect("a time")).expect("a time");
    assert!((leak..leak + 24).contains(&((alarm.0 - from.0) / 3_600_000)), "{answer}");
    // The same readings by hand give the same answer.
    let mean_m = |id: &str| -> Vec<f64> {
        let of: Vec<f64> = told.iter().filter(|(s, ..)| **s == *format!("P-{id}")).map(|(_, _, kpa)| kpa / 9.80665).collect();
        of.chunks(2).map(|h| h.iter().sum::<f64>() / 2.0).collect()
    };
    let series = json!({ "M": mean_m("M"), "E": mean_m("E") });
    let ask = json!({ "inputs": { "start": from.to_string(), "clock_ahead_h": 8, "pressure": series, "calibrate_hours": 240, "source_head_m": 45.0 } });
    let by_hand = city.post("/ogc/processes/leaks/execution", &ask).await.json();
    assert_eq!(by_hand["leaks"], answer["leaks"]);
}
