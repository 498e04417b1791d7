use crate::city::{TOKEN, city};
use axum::{body::Body, http::Request};
use serde_json::json;
use strata_server::{ROUTES, Verb};

fn house(id: &str, height: f64) -> serde_json::Value {
    json!({
        "type": "Feature", "id": id,
        "geometry": { "type": "Polygon", "coordinates": [[[125.301, 43.9, 210.0], [125.3012, 43.9, 210.0], [125.3012, 43.9002, 210.0], [125.301, 43.9, 210.0]]] },
        "properties": { "name": "新楼", "height_m": height, "valid_from": "2027-05-01" },
    })
}

#[tokio::test]
async fn a_proposal_becomes_a_version_at_once() {
    let city = city();
    let made = city
        .post(
            "/api/proposals",
            &json!({ "title": "two houses", "changes": [
        { "layer": "buildings", "put": house("b9", 80.0) }, { "layer": "buildings", "remove": "b2" },
    ] }),
        )
        .await;
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let p = made.json();
    let id = p["id"].as_str().expect("an id").to_owned();
    assert!(made.header("location").ends_with(&format!("/api/proposals/{id}")));
    assert_eq!((&p["base"], &p["state"], &p["puts"], &p["removes"]), (&json!(2), &json!("open"), &json!(1), &json!(1)));
    assert_eq!(city.get("/ogc/collections/buildings/items/b9").await.status, 404, "not yet");
    let c = city.keeper(&format!("/api/proposals/{id}")).await.json()["changes"][1]["put"]["geometry"]["coordinates"][0][1].clone();
    assert!((c[0].as_f64().expect("lon") - 125.3012).abs() < 1e-8 && (c[2].as_f64().expect("height") - 210.0).abs() < 1e-3);

    let merged = city.post(&format!("/api/proposals/{id}/merge"), &json!(null)).await;
    assert_eq!((merged.status.as_u16(), &merged.json()["version"]), (200, &json!(3)));
    let b9 = city.get("/ogc/collections/buildings/items/b9").await.json();
    assert_eq!((&b9["properties"]["height_m"], &b9["properties"]["valid_from"]), (&json!(80.0), &json!("2027-05-01")));
    assert_eq!(city.get("/ogc/collections/buildings/items/b2").await.status, 404);
    assert_eq!(city.get("/ogc/collections/buildings/items/b2?v=2").await.status, 200, "the older version still has it");
    assert_eq!(city.get("/api/city").await.json()["version"], 3, "no stale answer is kept");
    assert_eq!(city.get("/readyz").await.status, 200);
    for again in ["merge", "drop"] {
        let a = city.post(&format!("/api/proposals/{id}/{again}"), &json!(null)).await;
        assert_eq!((a.status.as_u16(), a.code()), (409, "proposal-closed".into()));
    }
}

#[tokio::test]
async fn what_others_changed_meanwhile_is_a_conflict() {
    let city = city();
    let make = async |height: f64| {
        let a =
            city.post("/api/proposals", &json!({ "title": "t", "changes": [{ "layer": "buildings", "put": house("b1", height) }] })).await;
        a.json()["id"].as_str().expect("an id").to_owned()
    };
    let (first, second) = (make(50.0).await, make(60.0).await);
    assert_eq!(city.post(&format!("/api/proposals/{first}/merge"), &json!(null)).await.status, 200);
    let late = city.post(&format!("/api/proposals/{second}/merge"), &json!(null)).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "conflict".into()));
    assert_eq!(city.get("/ogc/collections/buildings/items/b1").await.json()["properties"]["height_m"], 50.0);
}

#[tokio::test]
async fn unsound_changes_are_refused_with_their_place() {
    let city = city();
    let change = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut f = house("b9", 1.0);
        edit(&mut f);
        json!({ "title": "t", "changes": [{ "layer": "buildings", "put": f }] })
    };
    for (body, status, code) in [
        (change(&|f| f["geometry"]["coordinates"][0] = json!([[125.3, 43.9], [125.31, 43.9]])), 422, "invalid-geometry"),
        (change(&|f| f["geometry"]["coordinates"] = json!([])), 422, "invalid-geometry"),
        (change(&|f| f["geometry"]["coordinates"][0][0][0] = json!(1e308)), 422, "invalid-geometry"),
        (change(&|f| f["geometry"] = json!(null)), 422, "invalid-geometry"),
        (change(&|f| f["properties"]["classification"] = json!("public")), 400, "unknown-member"),
        (change(&|f| f["created_by"] = json!("me")), 400, "unknown-member"),
        (change(&|f| f["properties"]["height_m"] = json!("tall")), 422, "invalid-feature"),
        (change(&|f| f["properties"]["valid_to"] = json!("2020-01-01")), 400, "invalid-datetime"),
        (change(&|f| f["id"] = json!("a\u{0}b")), 422, "invalid-feature"),
        (json!({ "title": "t", "changes": [{ "layer": "nothing", "remove": "x" }] }), 422, "invalid-feature"),
        (json!({ "title": "t", "changes": [{ "layer": "buildings", "remove": "none" }] }), 422, "invalid-feature"),
        (json!({ "title": "t", "changes": [{ "layer": "buildings" }] }), 400, "invalid-json"),
        (json!({ "title": " ", "changes": [] }), 422, "invalid-feature"),
        (json!({ "title": "t", "changes": [] }), 422, "invalid-feature"),
    ] {
        let a = city.post("/api/proposals", &body).await;
        assert_eq!((a.status.as_u16(), a.code().as_str()), (status, code), "{body}: {}", String::from_utf8_lossy(&a.body));
    }
    assert_eq!(city.keeper("/api/proposals").await.json()["proposals"], json!([]), "nothing was kept");
}

#[tokio::test]
async fn every_write_leaves_exactly_one_audit_row() {
    let city = city();
    let head = || city.state.store().audit_head().expect("a log").0;
    let mut walked = 0;
    for route in ROUTES.iter().filter(|r| r.writes) {
        let mut id = String::new();
        if route.path.contains("/proposals/{id}") {
            let made = city
                .post(
                    "/api/proposals",
                    &json!({ "title": "t", "changes": [{ "layer": "buildings", "put": house(&format!("n{walked}"), 1.0) }] }),
                )
                .await;
            id = made.json()["id"].as_str().expect("an id").to_owned();
        }
        let proposal = json!({ "title": "t", "changes": [{ "layer": "buildings", "put": house(&format!("c{walked}"), 1.0) }] });
        let mut body = json!({});
        if route.path.starts_with("/api/cases") {
            let proposal = city.post("/api/proposals", &proposal).await.json()["id"].clone();
            body = json!({ "definition": "pipe-permit", "title": "line\r\nfeed \u{1b}[31m", "proposal": proposal });
        }
        if route.path == "/api/cases/{id}/steps" {
            id = city.post("/api/cases", &body).await.json()["id"].as_str().expect("an id").to_owned();
            body = json!({ "step": "submit", "role": "applicant", "after": 0 });
        }
        if route.path.contains("/alarms/") {
            let new = strata_store::NewAlarm {
                rule: "pressure-low".into(),
                stream: "SE-0".into(),
                level: 2,
                confidence: 0.8,
                since: crate::city::now(),
                detail: json!({}),
            };
            id = city.state.store().raise_alarm(&new, None, crate::city::now()).expect("raised").id.to_string();
        }
        let before = head();
        let body = match route.path {
            "/api/session" => json!({ "token": TOKEN }),
            path if path.starts_with("/api/cases") => body,
            "/api/alarms/{id}/acknowledge" => json!({ "reason": "line\r\nfeed" }),
            "/sta/v1.1/Sensors" => json!({ "name": "n", "description": "d", "encodingType": "text/plain", "metadata": "m" }),
            "/sta/v1.1/ObservedProperties" => json!({ "name": "n", "description": "d", "definition": "urn:x" }),
            "/sta/v1.1/Things" => json!({ "name": "n", "description": "d" }),
            "/sta/v1.1/Datastreams" => json!({
                "name": "n", "description": "d", "unitOfMeasurement": { "name": "metre", "symbol": "m", "definition": "ucum:m" },
                "Thing": { "@iot.id": "SE-0" }, "Sensor": { "@iot.id": "SE-0" }, "ObservedProperty": { "@iot.id": "pressure" },
            }),
            _ => json!({ "title": "line\r\nfeed \u{1b}[31m", "changes": [{ "layer": "buildings", "put": house("b9", 1.0) }] }),
        };
        let verb = if route.verb == Verb::Delete { "DELETE" } else { "POST" };
        let request =
            Request::builder().method(verb).uri(route.path.replace("{id}", &id)).header("authorization", format!("Bearer {TOKEN}"));
        let answer =
            city.send(request.header("content-type", "application/json").body(Body::from(body.to_string())).expect("a request")).await;
        assert!(answer.status.is_success(), "{}: {}", route.path, String::from_utf8_lossy(&answer.body));
        assert_eq!(head(), before + 1, "{}", route.path);
        let row = city.state.store().audit_rows(before, 1).expect("a row").remove(0);
        assert_eq!((row.actor.as_str(), row.seq), ("keeper", before + 1));
        assert!(!format!("{:?}", row).contains(TOKEN) && !row.detail.to_string().contains(['\r', '\n', '\u{1b}']), "{row:?}");
        walked += 1;
    }
    assert_eq!(walked, 12);
    let verified = city.state.store().verify_audit().expect("a sound chain");
    assert_eq!(verified, head());
    let shown = city.keeper("/api/audit?limit=2").await.json();
    assert_eq!((shown["rows"].as_array().map(Vec::len), &shown["rows"][0]["seq"]), (Some(2), &json!(1)));
}

#[tokio::test]
async fn a_key_makes_a_write_happen_once() {
    let city = city();
    let post = async |address: &str, key: &str, body: &serde_json::Value| {
        let request = Request::post(address).header("authorization", format!("Bearer {TOKEN}")).header("content-type", "application/json");
        city.send(request.header("idempotency-key", key).body(Body::from(body.to_string())).expect("a request")).await
    };
    let form = json!({ "title": "t", "changes": [{ "layer": "buildings", "put": house("b9", 1.0) }] });
    let first = post("/api/proposals", "k-1", &form).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    let again = post("/api/proposals", "\"k-1\"", &form).await;
    assert_eq!((again.status.as_u16(), &again.body, again.header("idempotency-replayed")), (201, &first.body, "true"));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(city.keeper("/api/proposals").await.json()["proposals"].as_array().map(Vec::len), Some(1));
    let other = post("/api/proposals", "k-1", &json!({ "title": "u", "changes": [] })).await;
    assert_eq!((other.status.as_u16(), other.code()), (422, "key-reuse".into()));
    // What was refused has taken no key.
    assert_eq!(post("/api/proposals", "k-2", &json!({ "title": "u", "changes": [] })).await.status, 422);
    assert_eq!(post("/api/proposals", "k-2", &form).await.status, 201);
    // A merge that is asked for twice makes one version, and the engine has it.
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    let merge = format!("/api/proposals/{id}/merge");
    let (one, two) = (post(&merge, "k-3", &json!(null)).await, post(&merge, "k-3", &json!(null)).await);
    assert_eq!((one.status.as_u16(), two.status.as_u16(), &one.body), (200, 200, &two.body));
    assert_eq!(city.get("/readyz").await.json()["engine"], 3);
    assert_eq!(city.get("/ogc/collections/buildings/items/b9").await.status, 200);
    for bad in ["", "a b", "x".repeat(256).as_str()] {
        let refused = post("/api/proposals", bad, &form).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, "invalid-request".into()), "{bad}");
    }
}

#[tokio::test]
async fn a_restart_finds_what_was_merged() {
    let city = city();
    let made = city.post("/api/proposals", &json!({ "title": "t", "changes": [{ "layer": "buildings", "put": house("b9", 80.0) }] })).await;
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    city.post(&format!("/api/proposals/{id}/merge"), &json!(null)).await;
    let crate::city::TestCity { state, router, dir } = city;
    drop((state, router));
    let store = strata_store::Store::open(dir.path()).expect("the lock is free again");
    let layer = strata_model::LayerId::new("buildings").expect("valid");
    assert!(store.get(&layer, &"b9".into(), None).expect("readable").is_some());
    store.integrity().expect("sound");
}
