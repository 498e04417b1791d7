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
    let raised = ["rules alarm.raise", "rules case.open", "rules case.step"];
    assert_eq!(actions, [&raised[..], &["rules alarm.over"], &raised[..]].concat(), "an alarm comes with its case, and ends without it");
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
        city.state.store().raise_alarm(&new, None, crate::city::now()).expect("raised");
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

/// Takes a step as of the events there are; `after` in the form overrides that.
async fn step(city: &TestCity, id: &str, form: Value) -> (u16, Value) {
    let mut full = json!({ "after": city.keeper(&format!("/api/cases/{id}")).await.json()["events_count"] });
    full.as_object_mut().expect("an object").extend(form.as_object().expect("an object").clone());
    let answer = city.post(&format!("/api/cases/{id}/steps"), &full).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_opens_one_case_which_every_further_one_joins_until_it_is_closed() {
    let city = city();
    watch(&city.state).expect("on duty");
    // Both watch PIPE-0, the second as it was registered over the API.
    let stream = json!({
        "name": "n", "description": "d", "unitOfMeasurement": { "name": "MPa", "symbol": "MPa", "definition": "ucum:MPa" },
        "properties": { "target_layer": "pipes", "target_id": "PIPE-0" },
        "Thing": { "@iot.id": "SE-0" }, "Sensor": { "@iot.id": "SE-0" }, "ObservedProperty": { "@iot.id": "pressure" },
    });
    let made = city.post("/sta/v1.1/Datastreams", &stream).await;
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let second = made.json()["@iot.id"].as_str().expect("an id").to_owned();
    report(&city, "SE-0", &[("06:20:00", 0.40), ("06:22:00", 0.20)]).await;
    let first = alarms(&city, 1, |_| true).await.remove(0);
    let id = first["case"].as_str().expect("its case").to_owned();
    report(&city, &second, &[("06:20:30", 0.41), ("06:22:30", 0.21)]).await;
    let joined = alarms(&city, 2, |_| true).await;
    assert!(joined.iter().all(|a| a["case"] == first["case"]), "one rule, one target, one case: {joined:?}");
    // Another target, and another rule on this one, have cases of their own.
    report(&city, "SE-1", &[("06:20:00", 0.40), ("06:22:00", 0.20)]).await;
    report(&city, "SE-9", &[("06:20:00", 0.2), ("06:25:00", 0.9)]).await;
    alarms(&city, 4, |_| true).await;
    let all = city.keeper("/api/cases").await.json()["cases"].as_array().expect("a list").clone();
    assert_eq!(all.len(), 3);
    let case = city.keeper(&format!("/api/cases/{id}")).await.json();
    let rule = &case["alarm"];
    assert_eq!(
        (&rule["rule"], &rule["target"], &rule["window_s"], &rule["confidence"], &rule["threshold"], &case["alarms"]),
        (&json!("pressure-drop"), &json!("pipes/PIPE-0"), &json!(600), &json!(0.7), &json!(0.06), &json!([1, 2])),
        "{case}"
    );
    assert_eq!(case["events"][0]["detail"]["evidence"], first["evidence"]);
    assert_eq!((&case["state"], &case["view"]["clock"]["minutes_left"]), (&json!("open"), &json!(30)));
    assert_eq!(case["view"]["steps"], json!([["acknowledge", "duty"]]), "the rules' own step is offered to nobody");
    assert!((case["place"]["coordinates"][0].as_f64().expect("lon") - 125.3).abs() < 1e-6);

    // What must not go, each with its code; nothing of it is kept.
    for (form, status, code) in [
        (json!({ "step": "fly", "role": "duty" }), 400, "invalid-parameter"),
        (json!({ "step": "acknowledge", "role": "crew", "reason": "x" }), 400, "invalid-parameter"),
        (json!({ "step": "acknowledge", "reason": "x" }), 400, "invalid-json"),
        (json!({ "step": "acknowledge", "role": "duty" }), 400, "invalid-parameter"),
        (json!({ "step": "raise", "role": "rules", "detail": { "alarm": 9 } }), 400, "invalid-parameter"),
        (json!({ "step": "close", "role": "supervisor", "reason": "x" }), 409, "conflict"),
        (json!({ "step": "acknowledge", "role": "duty", "reason": "x", "after": 0 }), 409, "conflict"),
    ] {
        let (s, a) = step(&city, &id, form.clone()).await;
        assert_eq!((s, a["code"].as_str()), (status, Some(code)), "{form}: {a}");
    }
    let by_hand = city.post("/api/cases", &json!({ "definition": "pipe-alarm", "title": "x" })).await;
    assert_eq!((by_hand.status.as_u16(), by_hand.code()), (422, "refused".into()));
    assert_eq!(city.keeper(&format!("/api/cases/{id}")).await.json(), case);

    // Acknowledging the case acknowledges its alarms; doing so by the alarm's own door is the same.
    assert_eq!(step(&city, &id, json!({ "step": "acknowledge", "role": "duty", "reason": "已通知" })).await.0, 200);
    let states: Vec<Value> =
        alarms(&city, 2, |a| a["case"] == first["case"]).await.iter().map(|a| a["acknowledged"]["reason"].clone()).collect();
    assert_eq!(states, [json!("已通知"), json!("已通知")]);
    let level = alarms(&city, 1, |a| a["rule"] == "level-rise").await.remove(0);
    assert_eq!(city.post(&format!("/api/alarms/{}/acknowledge", level["id"]), &json!({ "reason": "看过" })).await.status, 200);
    let other = city.keeper(&format!("/api/cases/{}", level["case"].as_str().expect("an id"))).await.json();
    assert_eq!((&other["state"], &other["events"][1]["reason"]), (&json!("acknowledged"), &json!("看过")));

    // The first pressure comes back and falls again: the same case, though a crew is on its way.
    assert_eq!(step(&city, &id, json!({ "step": "dispatch", "role": "dispatcher", "reason": "一队" })).await.1["state"], "dispatched");
    report(&city, "SE-0", &[("06:23:00", 0.41), ("06:32:50", 0.405), ("06:33:00", 0.20)]).await;
    let again = alarms(&city, 3, |a| a["case"] == first["case"]).await.remove(0);
    assert_eq!(again["state"], "open", "nobody has seen this one");
    for (name, role, to) in [
        ("repair", "crew", "repaired"),
        ("reopen", "supervisor", "acknowledged"),
        ("dismiss", "duty", "false_alarm"),
        ("close", "supervisor", "closed"),
    ] {
        let (s, a) = step(&city, &id, json!({ "step": name, "role": role, "reason": format!("因为 {name}") })).await;
        assert_eq!((s, a["state"].as_str()), (200, Some(to)), "{a}");
    }
    let done = city.keeper(&format!("/api/cases/{id}")).await.json();
    let walked: Vec<&str> = done["events"].as_array().expect("a list").iter().filter_map(|e| e["step"].as_str()).collect();
    assert_eq!(walked, ["raise", "raise", "acknowledge", "dispatch", "raise", "repair", "reopen", "dismiss", "close"]);
    // Every step has its row with who and why.
    let rows = city.state.store().audit_rows(0, 1000).expect("a log");
    let of_case: Vec<_> = rows.iter().filter(|r| r.action == "case.step" && r.target == format!("case/{id}")).collect();
    assert_eq!(of_case.len(), walked.len());
    assert_eq!(
        (of_case[8].actor.as_str(), &of_case[8].detail["reason"], of_case[4].actor.as_str()),
        ("keeper", &json!("因为 close"), "rules")
    );
    city.state.store().verify_audit().expect("a sound chain");

    // A closed case takes no more: the next alarm opens a new one.
    report(&city, "SE-0", &[("06:33:02", 0.41), ("06:33:04", 0.20)]).await;
    let fresh = alarms(&city, 1, |a| a["rule"] == "pressure-drop" && a["case"] != first["case"] && a["datastream"] == "SE-0").await;
    assert_ne!(fresh[0]["case"], Value::Null);
    // Only alarms' cases, only permits', and a kind that is none.
    let listed = async |q: &str| city.keeper(&format!("/api/cases?{q}")).await.json()["cases"].as_array().map(Vec::len);
    assert_eq!((listed("definition=pipe-alarm").await, listed("definition=pipe-permit").await), (Some(4), Some(0)));
    assert_eq!(city.keeper("/api/cases?definition=x").await.code(), "invalid-parameter");
    assert_eq!(city.get("/api/cases").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_stands_after_the_server_has_gone() {
    let city = city();
    watch(&city.state).expect("on duty");
    report(&city, "SE-0", &[("06:20:00", 0.40), ("06:22:00", 0.20)]).await;
    let case = alarms(&city, 1, |_| true).await[0]["case"].as_str().expect("an id").to_owned();
    let before = city.keeper(&format!("/api/cases/{case}")).await.json();
    let TestCity { state, router, dir } = city;
    drop((state, router));
    // The watch ends by itself when its city is gone.
    let began = Instant::now();
    let store = loop {
        match strata_store::Store::open(dir.path()) {
            Ok(s) => break s,
            Err(e) => assert!(began.elapsed() < Duration::from_secs(8), "{e}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let kept = store.case(&case).expect("it is there");
    assert_eq!((kept.state(), json!(kept.events)), ("open", before["events"].clone()));
    assert_eq!(store.alarms_of_case(&case).expect("its alarms").len(), 1);
}
