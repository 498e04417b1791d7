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
