use crate::city::{TOKEN, TestCity, city};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use strata_server::watch;

async fn report(city: &TestCity, stream: &str, values: &[(&str, f64)]) {
    for (at, v) in values {
        let body = json!({ "phenomenonTime": format!("2026-01-20T{at}Z"), "result": v });
        assert_eq!(city.post(&format!("/sta/v1.1/Datastreams('{stream}')/Observations"), &body).await.status, 201);
    }
}

/// Alarms as the keeper sees them, as soon as there are `n` for which `which` holds.
async fn alarms(city: &TestCity, n: usize, which: impl Fn(&Value) -> bool) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let all = city.keeper("/api/alarms").await.json();
        let some: Vec<Value> = all["alarms"].as_array().expect("a list").iter().filter(|a| which(a)).cloned().collect();
        if some.len() == n {
            return some;
        }
        assert!(began.elapsed() < Duration::from_secs(8), "{n} were expected: {all}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_raises_an_alarm_with_its_evidence_and_is_over_when_it_is() {
    let city = city();
    watch(&city.state).expect("on duty");
    report(&city, "SE-0", &[("06:20:00", 0.30), ("06:21:00", 0.31), ("06:22:00", 0.20)]).await;
    let all = alarms(&city, 1, |_| true).await;
    let a = &all[0];
    assert_eq!(
        (&a["rule"], &a["datastream"], &a["level"], &a["state"]),
        (&json!("pressure-drop"), &json!("SE-0"), &json!(1), &json!("open"))
    );
    assert_eq!(a["evidence"], json!([["2026-01-20T06:20:00Z", 0.30], ["2026-01-20T06:21:00Z", 0.31], ["2026-01-20T06:22:00Z", 0.20]]));
    assert_eq!((&a["threshold"], &a["window_s"], &a["confidence"]), (&json!(0.06), &json!(600), &json!(0.7)));
    assert!(a["source"].as_str().is_some_and(|s| !s.is_empty()) && a["title_zh"].is_string());
    assert!((a["place"]["coordinates"][0].as_f64().expect("lon") - 125.3).abs() < 1e-6 && a["grade"] == "Ⅰ");
    // The same rule is not raised again while it holds, nor by readings that come late or twice.
    report(&city, "SE-0", &[("06:23:00", 0.19), ("06:19:00", 0.50), ("01:00:00", 0.9)]).await;
    alarms(&city, 1, |_| true).await;
    report(&city, "SE-0", &[("06:33:00", 0.20)]).await;
    let over = alarms(&city, 1, |a| a["state"] == "over").await;
    assert_eq!(over[0]["id"], a["id"]);
    // A second rule on another quantity.
    report(&city, "SE-9", &[("06:20:00", 0.2), ("06:25:00", 0.9)]).await;
    let two = alarms(&city, 1, |a| a["rule"] == "level-rise").await;
    assert_eq!((&two[0]["datastream"], &two[0]["level"]), (&json!("SE-9"), &json!(3)));
    let actions: Vec<String> =
        city.state.store().audit_rows(2, 50).expect("a log").into_iter().map(|r| format!("{} {}", r.actor, r.action)).collect();
    assert_eq!(actions, ["rules alarm.raise", "rules alarm.over", "rules alarm.raise"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_acknowledged_once_with_a_reason_by_who_may() {
    let city = city();
    watch(&city.state).expect("on duty");
    report(&city, "SE-0", &[("06:20:00", 0.40), ("06:22:00", 0.20)]).await;
    report(&city, "RG-1", &[("06:20:00", 0.0)]).await;
    let id = alarms(&city, 1, |_| true).await[0]["id"].to_string();
    let path = format!("/api/alarms/{id}");
    assert_eq!(city.keeper(&path).await.status, 200);
    // Hidden as if it were not there.
    let (hidden, missing) = (city.get(&path).await, city.get("/api/alarms/999").await);
    assert_eq!((hidden.status.as_u16(), &hidden.body), (404, &missing.body));
    assert_eq!(city.get("/api/alarms").await.json()["alarms"], json!([]));
    let anonymous = Request::post(format!("{path}/acknowledge")).header("content-type", "application/json");
    assert_eq!(city.send(anonymous.body(Body::from("{\"reason\":\"x\"}")).expect("a request")).await.status, 401);
    for (body, status) in [(json!({}), 400), (json!({ "reason": " " }), 422), (json!({ "reason": "x", "by": "me" }), 400)] {
        assert_eq!(city.post(&format!("{path}/acknowledge"), &body).await.status, status, "{body}");
    }
    let done = city.post(&format!("{path}/acknowledge"), &json!({ "reason": "抢修队已到场" })).await;
    assert_eq!(
        (done.status.as_u16(), &done.json()["acknowledged"]["reason"], &done.json()["state"]),
        (200, &json!("抢修队已到场"), &json!("acknowledged"))
    );
    assert!(!done.json().to_string().contains(TOKEN));
    let again = city.post(&format!("{path}/acknowledge"), &json!({ "reason": "me too" })).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "conflict".into()));
    let row = city.state.store().audit_rows(0, 100).expect("a log").pop().expect("a row");
    assert_eq!((row.actor.as_str(), row.action.as_str(), &row.detail["reason"]), ("keeper", "alarm.acknowledge", &json!("抢修队已到场")));
    for (query, n) in [("?state=open", 1), ("?state=over", 0), ("?datastream=SE-0", 1), ("?datastream=SE-1", 0)] {
        assert_eq!(city.keeper(&format!("/api/alarms{query}")).await.json()["alarms"].as_array().map(Vec::len), Some(n), "{query}");
    }
    assert_eq!(city.keeper("/api/alarms?state=none").await.status, 400);
    assert_eq!(city.keeper("/api/alarms/x").await.status, 404);
}

#[tokio::test]
async fn pages_of_alarms_have_no_holes() {
    let city = city();
    for i in 0..25 {
        let new = strata_store::NewAlarm {
            rule: format!("r{i}"),
            stream: if i % 2 == 0 { "SE-0" } else { "RG-1" }.into(),
            level: 4,
            confidence: 0.5,
            since: crate::city::now(),
            detail: json!({}),
        };
        city.state.store().raise_alarm(&new, crate::city::now()).expect("raised");
    }
    let (mut seen, mut next) = (Vec::new(), "/api/alarms?limit=5".to_owned());
    loop {
        let page = city.get(&next).await.json();
        seen.extend(page["alarms"].as_array().expect("a list").iter().map(|a| a["rule"].as_str().expect("a text").to_owned()));
        match page["next"].as_str() {
            Some(n) => next = n.strip_prefix("http://127.0.0.1:8080").expect("our own").to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, (0..25).rev().filter(|i| i % 2 == 1).map(|i| format!("r{i}")).collect::<Vec<_>>());
}
