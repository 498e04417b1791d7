//! The permit of a pipe over HTTP, from application to a version of the record.

use crate::city::{HOME, TestCity, city};
use serde_json::{Value, json};
use strata_model::Version;

fn pipe(city: &TestCity, id: &str, east_m: f64) -> Value {
    let at = |n: f64, h: f64| {
        let [lon, lat] = city.state.frame.geographic_from_working([HOME[0] + east_m, HOME[1] + n]).expect("on the map");
        json!([lon, lat, h + crate::city::GEOID])
    };
    let line = json!({ "type": "LineString", "coordinates": [at(10.0, 197.0), at(90.0, 196.5)] });
    json!({ "type": "Feature", "id": id, "geometry": line, "properties": { "class": "JS", "dn_mm": 300 } })
}

async fn permit(city: &TestCity, id: &str, east_m: f64) -> String {
    let form = json!({ "title": "DN300", "changes": [{ "layer": "pipes", "put": pipe(city, id, east_m) }] });
    let made = city.post("/api/proposals", &form).await;
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let form = json!({ "definition": "pipe-permit", "title": "人民大街 DN300", "proposal": made.json()["id"] });
    let made = city.post("/api/cases", &form).await;
    assert_eq!((made.status.as_u16(), made.json()["state"].as_str()), (201, Some("draft")));
    // One proposal, one case.
    assert_eq!(city.post("/api/cases", &form).await.code(), "refused");
    made.json()["id"].as_str().expect("an id").to_owned()
}

async fn step(city: &TestCity, id: &str, form: Value) -> (u16, Value) {
    let seen = city.keeper(&format!("/api/cases/{id}")).await.json()["events_count"].clone();
    let mut form = form;
    if form.get("after").is_none() {
        form["after"] = seen;
    }
    let answer = city.post(&format!("/api/cases/{id}/steps"), &form).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn a_permit_goes_from_draft_to_a_version() {
    let city = city();
    let id = permit(&city, "new-1", 30.0).await;
    for (name, role) in [("submit", "applicant"), ("accept", "clerk"), ("check", "reviewer"), ("review", "reviewer")] {
        let (status, answer) = step(&city, &id, json!({ "step": name, "role": role })).await;
        assert_eq!(status, 200, "{name}: {answer}");
    }
    let case = city.keeper(&format!("/api/cases/{id}")).await.json();
    let check = &case["events"][2]["detail"];
    assert_eq!((&check["version"], &check["pipes"]), (&json!(2), &json!(1)), "the check ran here: {check}");
    // Whatever the check found is excepted by name, so that the walk does not hang on the table of distances.
    for v in check["violations"].as_array().expect("a list") {
        let form =
            json!({ "step": "except", "role": "approver", "reason": "论证", "detail": { "violation": v, "approval": "长规〔2026〕1" } });
        assert_eq!(step(&city, &id, form).await.0, 200);
    }
    let seen = city.keeper(&format!("/api/cases/{id}")).await.json()["events_count"].clone();
    let approve = json!({ "step": "approve", "role": "approver", "after": seen });
    assert_eq!(step(&city, &id, approve.clone()).await.0, 200);
    // The same approval again, from an old screen.
    let (status, answer) = step(&city, &id, approve).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("conflict")), "{answer}");
    for (name, role, detail) in [
        ("issue", "clerk", Value::Null),
        ("start", "applicant", json!({ "duty_contact": "值班室" })),
        ("survey", "surveyor", json!({ "worst_plan_m": 0.03 })),
        ("merge", "reviewer", Value::Null),
    ] {
        let (status, answer) = step(&city, &id, json!({ "step": name, "role": role, "detail": detail })).await;
        assert_eq!(status, 200, "{name}: {answer}");
    }
    // It is a version, in the record and in the engine.
    assert_eq!((city.state.store().head().expect("a head"), city.state.snapshot().version()), (Version(3), Version(3)));
    assert_eq!(city.keeper("/api/features/pipes/new-1").await.status, 200);
    assert_eq!(step(&city, &id, json!({ "step": "archive", "role": "archivist" })).await.1["state"], "archived");
    let done = city.keeper("/api/cases?state=archived").await.json();
    assert_eq!(done["cases"].as_array().map(Vec::len), Some(1));
    city.state.store().verify_audit().expect("a sound chain");
}

#[tokio::test]
async fn a_check_is_not_the_clients_word_and_an_old_one_does_not_approve() {
    let city = city();
    let id = permit(&city, "new-1", 30.0).await;
    for (name, role) in [("submit", "applicant"), ("accept", "clerk")] {
        assert_eq!(step(&city, &id, json!({ "step": name, "role": role })).await.0, 200);
    }
    let lie = json!({ "step": "check", "role": "reviewer", "detail": { "version": 99, "violations": [], "parties": [], "pipes": 77 } });
    let (_, answer) = step(&city, &id, lie).await;
    assert_eq!(answer["events"][2]["detail"]["pipes"], 1, "{answer}");
    assert_eq!(step(&city, &id, json!({ "step": "review", "role": "reviewer" })).await.0, 200);
    // Somebody commits to the city in between.
    let other = json!({ "title": "u", "changes": [{ "layer": "pipes", "put": pipe(&city, "other", 300.0) }] });
    let other = city.post("/api/proposals", &other).await.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(city.post(&format!("/api/proposals/{other}/merge"), &json!({})).await.status, 200);
    let (status, answer) = step(&city, &id, json!({ "step": "approve", "role": "approver" })).await;
    assert_eq!((status, answer["code"].as_str()), (422, Some("refused")), "{answer}");
    assert!(answer["detail"].as_str().is_some_and(|d| d.contains("today's city")), "{answer}");
    for (form, status, code) in [
        (json!({ "step": "fly", "role": "approver" }), 400, "invalid-parameter"),
        (json!({ "step": "approve", "role": "clerk" }), 400, "invalid-parameter"),
        (json!({ "step": "refuse", "role": "approver" }), 400, "invalid-parameter"),
        (json!({ "step": "issue", "role": "clerk" }), 409, "conflict"),
        (json!({ "step": "approve", "role": "approver", "after": 0 }), 409, "conflict"),
        (json!({ "step": "approve", "role": "approver", "colour": 1 }), 400, "unknown-member"),
    ] {
        let (s, a) = step(&city, &id, form.clone()).await;
        assert_eq!((s, a["code"].as_str()), (status, Some(code)), "{form}: {a}");
    }
    assert_eq!(city.keeper("/api/cases/nothing").await.status, 404);
    // Refused: the proposal is dropped with it.
    assert_eq!(step(&city, &id, json!({ "step": "refuse", "role": "approver", "reason": "不符合规划" })).await.1["state"], "refused");
    let open = city.keeper("/api/proposals").await.json();
    assert!(open["proposals"].as_array().is_some_and(|p| p.iter().all(|p| p["state"] != "open")), "{open}");
}
