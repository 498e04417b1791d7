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
