use crate::city::{Answer, TOKEN, TestCity, city};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};

/// What stands between the root and the query, percent-encoded as clients do.
fn address(path: &str, query: &[(&str, &str)]) -> String {
    let encode = |t: &str| {
        t.bytes()
            .map(|b| if b.is_ascii_alphanumeric() || b"-_.~$()',:".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect::<String>()
    };
    let query: Vec<String> = query.iter().map(|(k, v)| format!("{k}={}", encode(v))).collect();
    format!("/sta/v1.1/{}?{}", path.split('/').map(encode).collect::<Vec<_>>().join("/"), query.join("&"))
}

async fn ask(city: &TestCity, path: &str, query: &[(&str, &str)]) -> Value {
    let a = city.keeper(&address(path, query)).await;
    assert_eq!(a.status, 200, "{path} {query:?}: {}", String::from_utf8_lossy(&a.body));
    a.json()
}

async fn refused(city: &TestCity, path: &str, query: &[(&str, &str)]) -> (u16, String) {
    let a = city.keeper(&address(path, query)).await;
    (a.status.as_u16(), a.code())
}

async fn post(city: &TestCity, path: &str, body: &Value) -> Answer {
    city.post(&address(path, &[]), body).await
}

fn ids(v: &Value) -> Vec<String> {
    v["value"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|e| e["@iot.id"].as_str().map_or_else(|| e["@iot.id"].to_string(), str::to_owned))
        .collect()
}

/// `n` observations a minute apart before 06:30 on the test's day, results 0, 1, 2 …
async fn filled(n: i64) -> TestCity {
    let city = city();
    let begin = strata_model::Instant::parse("2026-01-20T05:00:00Z").expect("a time").0;
    let rows: Vec<Value> = (0..n).map(|i| json!([strata_model::Instant(begin + i * 60_000).to_string(), i])).collect();
    let body = json!([{ "Datastream": { "@iot.id": "SE-0" }, "components": ["phenomenonTime", "result"], "dataArray@iot.count": n, "dataArray": rows }]);
    let a = post(&city, "CreateObservations", &body).await;
    assert_eq!(a.status, 201, "{}", String::from_utf8_lossy(&a.body));
    assert_eq!(a.json().as_array().map(Vec::len), Some(n as usize));
    city
}

#[tokio::test]
async fn sensors_of_the_city_are_things_bound_to_what_they_watch() {
    let city = city();
    let root = ask(&city, "", &[]).await;
    let names: Vec<&str> = root["value"].as_array().expect("a list").iter().filter_map(|s| s["name"].as_str()).collect();
    assert_eq!(names, ["Things", "Locations", "Sensors", "ObservedProperties", "Datastreams", "FeaturesOfInterest", "Observations"]);
    for s in root["value"].as_array().expect("a list") {
        let path = s["url"].as_str().and_then(|u| u.strip_prefix("http://127.0.0.1:8080")).expect("our own address");
        assert!(city.keeper(path).await.json()["value"].is_array(), "{path}");
    }
    assert_eq!(ids(&ask(&city, "Things", &[]).await), ["RG-1", "SE-0", "SE-1", "SE-2", "SE-9"]);
}

#[tokio::test]
async fn paths_links_and_expansions_agree() {
    let city = filled(3).await;
    let thing = ask(&city, "Things('SE-1')", &[("$expand", "Locations,Datastreams/ObservedProperty")]).await;
    assert_eq!((&thing["properties"]["target_layer"], &thing["properties"]["target_id"]), (&json!("pipes"), &json!("PIPE-1")));
    let at = &thing["Locations"][0]["location"]["coordinates"];
    assert!((at[0].as_f64().expect("lon") - 125.30125).abs() < 1e-4 && (at[1].as_f64().expect("lat") - 43.9).abs() < 1e-4, "{at}");
    assert_eq!(thing["Datastreams"][0]["ObservedProperty"]["name"], "压力");
    assert_eq!(thing["Datastreams"][0]["unitOfMeasurement"]["symbol"], "MPa");
    // Every navigation link of every entity leads to something of the same content as its expansion.
    for set in ["Things", "Locations", "Sensors", "ObservedProperties", "Datastreams", "FeaturesOfInterest", "Observations"] {
        for e in ask(&city, set, &[]).await["value"].as_array().expect("a list") {
            let own = e["@iot.selfLink"].as_str().and_then(|u| u.strip_prefix("http://127.0.0.1:8080")).expect("our own address");
            assert_eq!(&city.keeper(own).await.json(), e, "{own}");
            for (name, link) in
                e.as_object().expect("an object").iter().filter_map(|(k, v)| Some((k.strip_suffix("@iot.navigationLink")?, v.as_str()?)))
            {
                let path = link.strip_prefix("http://127.0.0.1:8080").expect("our own address");
                let behind = city.keeper(path).await;
                assert_eq!(behind.status, 200, "{path}");
                let expanded = city.keeper(&format!("{own}?$expand={name}")).await.json();
                let behind = behind.json();
                let behind = if behind["value"].is_array() { &behind["value"] } else { &behind };
                assert_eq!(&expanded[name], behind, "{own} {name}");
            }
        }
    }
    assert_eq!(ask(&city, "Datastreams('SE-0')/Thing/properties", &[]).await["properties"]["target_id"], "PIPE-0");
    let bare = city.keeper(&address("Datastreams('SE-0')/Thing/Datastreams('SE-0')/name/$value", &[])).await;
    assert_eq!(String::from_utf8(bare.body).expect("text"), "压力 PIPE-0");
    let refs = ask(&city, "Things('SE-0')/Datastreams/$ref", &[]).await;
    assert_eq!(refs["value"], json!([{ "@iot.selfLink": "http://127.0.0.1:8080/sta/v1.1/Datastreams('SE-0')" }]));
    let stream = ask(&city, "Datastreams('SE-0')", &[]).await;
    assert_eq!(stream["phenomenonTime"], "2026-01-20T05:00:00Z/2026-01-20T05:02:00Z");
    for none in [
        "Nothing",
        "Things('none')",
        "Things('SE-0')/Sensor",
        "Things('SE-0')/Datastreams('SE-1')",
        "Things()",
        "Things('SE-0",
        "Observations(99)",
        "Observations('x')",
        "Things('SE-0')/name/$value/x",
        "Things/name",
    ] {
        assert_eq!(refused(&city, none, &[]).await, (404, "not-found".into()), "{none}");
    }
}

#[tokio::test]
async fn questions_find_what_they_should() {
    let city = filled(60).await;
    for (set, filter, expected) in [
        ("Things", "properties/target_id eq 'PIPE-0'", vec!["SE-0", "SE-9"]),
        ("Things", "Datastreams/ObservedProperty/name eq '液位'", vec!["SE-9"]),
        ("Things", "startswith(name, '压力') and not (id eq 'SE-0')", vec!["SE-1", "SE-2"]),
        ("Datastreams", "Thing/properties/target_layer eq 'places' or unitOfMeasurement/symbol eq 'm'", vec!["RG-1", "SE-9"]),
        ("Datastreams", "phenomenonTime gt 2026-01-01T00:00:00Z", vec!["SE-0"]),
        (
            "Locations",
            "st_within(location, geography'POLYGON((125.301 43.89, 125.302 43.89, 125.302 43.91, 125.301 43.91, 125.301 43.89))')",
            vec!["SE-1"],
        ),
        ("ObservedProperties", "substringof('rain', tolower(description))", vec!["rainfall"]),
        ("Sensors", "metadata/layer ne 'sensors'", vec!["RG-1"]),
    ] {
        assert_eq!(ids(&ask(&city, set, &[("$filter", filter)]).await), expected, "{filter}");
    }
    let results = async |filter: &str| {
        let v = ask(&city, "Observations", &[("$filter", filter), ("$select", "result"), ("$top", "1000")]).await;
        v["value"].as_array().expect("a list").iter().map(|o| o["result"].as_f64().expect("a number") as i64).collect::<Vec<_>>()
    };
    for (filter, expected) in [
        ("result gt 55", (56..60).collect::<Vec<_>>()),
        ("result ge 10 and result lt 13", vec![10, 11, 12]),
        ("3 gt result", vec![0, 1, 2]),
        ("phenomenonTime ge 2026-01-20T05:58:00Z", vec![58, 59]),
        ("phenomenonTime lt 2026-01-20T13:02:00+08:00", vec![0, 1]),
        ("phenomenonTime gt '2026-01-20T05:57:00Z' and not result eq 59", vec![58]),
        ("result eq 7 or result eq 5 and result eq 6", vec![7]),
        ("Datastream/id eq 'SE-0' and result lt 1", vec![0]),
        ("Datastream/id eq 'SE-1'", vec![]),
        ("Datastream/ObservedProperty/name eq '压力' and result eq 1", vec![1]),
        ("FeatureOfInterest/properties/target_id eq 'PIPE-0' and result eq 2", vec![2]),
    ] {
        assert_eq!(results(filter).await, expected, "{filter}");
    }
    for (set, name, value, code) in [
        ("Things", "$filter", "nothing eq 1", "unknown-property"),
        ("Things", "$filter", "name eq", "invalid-filter"),
        ("Observations", "$filter", "result eq 'x'", "invalid-filter"),
        ("Observations", "$filter", "parameters/x eq 1", "invalid-filter"),
        ("Observations", "$filter", "result; DROP TABLE observations", "invalid-filter"),
        ("Things", "$filter", "Datastreams/Observations/result gt 1", "invalid-filter"),
        ("Things", "$select", "nothing", "unknown-property"),
        ("Things", "$expand", "Nothing", "invalid-parameter"),
        ("Things", "$expand", "Datastreams(", "invalid-parameter"),
        ("Things", "$expand", "Datastreams/Thing/Datastreams/Thing/Datastreams/Thing", "invalid-parameter"),
        ("Things", "$orderby", "name sideways", "invalid-parameter"),
        ("Things", "$orderby", "nothing", "unknown-property"),
        ("Things", "$top", "-1", "invalid-parameter"),
        ("Things", "$skip", "x", "invalid-parameter"),
        ("Things", "$count", "maybe", "invalid-parameter"),
        ("Things", "$skiptoken", "1,1", "unknown-parameter"),
        ("Observations", "$skiptoken", "x", "invalid-parameter"),
        ("Observations", "resultFormat", "xml", "invalid-parameter"),
        ("Observations", "$orderby", "result,phenomenonTime", "invalid-parameter"),
        ("Things", "foo", "1", "unknown-parameter"),
        ("Things('SE-0')", "$top", "1", "unknown-parameter"),
    ] {
        assert_eq!(refused(&city, set, &[(name, value)]).await, (400, code.into()), "{set} {name}={value}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let city = filled(90).await;
    for (order, descending) in
        [("", false), ("phenomenonTime desc", true), ("result desc,id desc", true), ("id", false), ("resultTime", false)]
    {
        let mut query = vec![("$top", "10"), ("$count", "true"), ("$filter", "result ge 5")];
        if !order.is_empty() {
            query.push(("$orderby", order));
        }
        let (mut seen, mut pages) = (Vec::new(), 0);
        let mut next = address("Datastreams('SE-0')/Observations", &query);
        loop {
            let page = city.keeper(&next).await.json();
            assert_eq!(page["@iot.count"], 85, "{page}");
            seen.extend(page["value"].as_array().expect("a list").iter().map(|o| o["result"].as_f64().expect("a number") as i64));
            pages += 1;
            match page["@iot.nextLink"].as_str() {
                Some(link) => next = link.strip_prefix("http://127.0.0.1:8080").expect("our own address").to_owned(),
                None => break,
            }
        }
        let mut expected: Vec<i64> = (5..90).collect();
        if descending {
            expected.reverse();
        }
        assert_eq!((seen, pages), (expected, 9), "{order}");
    }
    let things = ask(&city, "Things", &[("$top", "2"), ("$orderby", "properties/target_id desc"), ("$select", "id")]).await;
    assert_eq!(things["value"], json!([{ "@iot.id": "RG-1" }, { "@iot.id": "SE-2" }]));
    let rest = things["@iot.nextLink"].as_str().and_then(|l| l.strip_prefix("http://127.0.0.1:8080")).expect("more").to_owned();
    assert_eq!(ids(&city.keeper(&rest).await.json()), ["SE-1", "SE-0"]);
    let last = ask(
        &city,
        "Things('SE-0')",
        &[("$expand", "Datastreams($select=name;$expand=Observations($top=1;$orderby=phenomenonTime desc;$select=result))")],
    )
    .await;
    assert_eq!(last["Datastreams"][0]["Observations"], json!([{ "result": 89.0 }]));
    assert!(last["Datastreams"][0]["Observations@iot.nextLink"].is_string());
    let array = ask(&city, "Observations", &[("resultFormat", "dataArray"), ("$top", "2"), ("$select", "phenomenonTime,result")]).await;
    assert_eq!(array["value"][0]["dataArray"], json!([["2026-01-20T05:00:00Z", 0.0], ["2026-01-20T05:01:00Z", 1.0]]));
    assert_eq!(array["value"][0]["Datastream@iot.navigationLink"], "http://127.0.0.1:8080/sta/v1.1/Datastreams('SE-0')");
}

#[tokio::test]
async fn an_observation_is_kept_once_and_only_if_it_can_be_true() {
    let city = city();
    let one = json!({ "phenomenonTime": "2026-01-20T06:00:00Z", "resultTime": "2026-01-20T06:00:01Z", "result": 0.31, "parameters": { "battery": 3.3 } });
    let first = post(&city, "Datastreams('SE-0')/Observations", &one).await;
    assert_eq!((first.status.as_u16(), first.header("location")), (201, "http://127.0.0.1:8080/sta/v1.1/Observations(1)"));
    let again = post(&city, "Datastreams('SE-0')/Observations", &one).await;
    assert_eq!((again.status.as_u16(), &again.json()["@iot.id"]), (200, &json!(1)), "the same again is no new one");
    let mut other = one.clone();
    other["result"] = json!(0.5);
    let other = post(&city, "Datastreams('SE-0')/Observations", &other).await;
    assert_eq!((other.status.as_u16(), other.code()), (409, "conflict".into()));
    let whole = ask(&city, "Observations(1)", &[("$expand", "Datastream,FeatureOfInterest")]).await;
    assert_eq!(
        (&whole["result"], &whole["parameters"]["battery"], &whole["Datastream"]["@iot.id"]),
        (&json!(0.31), &json!(3.3), &json!("SE-0"))
    );
    assert_eq!(whole["FeatureOfInterest"]["properties"]["target_id"], "PIPE-0");
    // Without a time it is now.
    let now = post(&city, "Observations", &json!({ "result": 1, "Datastream": { "@iot.id": "SE-1" } })).await.json();
    assert_eq!(now["phenomenonTime"], "2026-01-20T06:32:05Z");
    for (body, code, place) in [
        (json!({ "phenomenonTime": "2099-01-01T00:00:00Z", "result": 1 }), "invalid-observation", "/phenomenonTime"),
        (json!({ "phenomenonTime": "2026-01-20T06:34:00Z", "result": 1 }), "invalid-observation", "/phenomenonTime"),
        (json!({ "phenomenonTime": "1492-01-01T00:00:00Z", "result": 1 }), "invalid-observation", "/phenomenonTime"),
        (json!({ "phenomenonTime": "2026-01-02T00:00:00Z/2026-01-01T00:00:00Z", "result": 1 }), "invalid-observation", "/phenomenonTime"),
        (json!({ "phenomenonTime": 5, "result": 1 }), "invalid-observation", "/phenomenonTime"),
        (json!({ "result": "NaN" }), "invalid-observation", "/result"),
        (json!({ "result": null }), "invalid-observation", "/result"),
        (json!({ "phenomenonTime": "2026-01-01T00:00:00Z" }), "invalid-observation", "/result"),
        (json!({ "result": true }), "invalid-observation", "/result"),
        (json!({ "result": 1, "resultTime": "2099-01-01" }), "invalid-observation", "/resultTime"),
        (json!({ "result": 1, "parameters": [] }), "invalid-observation", "/parameters"),
        (json!({ "result": 1, "Datastream": { "@iot.id": "SE-1" } }), "invalid-observation", "/Datastream"),
        (json!({ "result": 1, "FeatureOfInterest": { "@iot.id": "SE-1" } }), "invalid-observation", "/FeatureOfInterest"),
        (json!({ "result": 1, "role": "admin" }), "unknown-member", "/role"),
    ] {
        let a = post(&city, "Datastreams('SE-0')/Observations", &body).await;
        assert_eq!(
            (a.code().as_str(), &a.json()["errors"][0]["pointer"]),
            (code, &json!(place)),
            "{body}: {}",
            String::from_utf8_lossy(&a.body)
        );
        assert!(a.status == 422 || code == "unknown-member");
    }
    for text in ["{\"result\": NaN}", "{\"result\": 1e999}", "{\"result\": 1", "[]", ""] {
        let request = Request::post(address("Datastreams('SE-0')/Observations", &[])).header("authorization", format!("Bearer {TOKEN}"));
        let a = city.send(request.header("content-type", "application/json").body(Body::from(text)).expect("a request")).await;
        assert_eq!((a.status.as_u16(), a.code()), (400, "invalid-json".into()), "{text}");
    }
    assert_eq!(post(&city, "Datastreams('none')/Observations", &json!({ "result": 1 })).await.status, 404);
    assert_eq!(post(&city, "Things('SE-0')/Observations", &json!({ "result": 1 })).await.status, 404);
    assert_eq!(post(&city, "Observations", &json!({ "result": 1, "Datastream": { "@iot.id": "none" } })).await.status, 422);
    assert_eq!(post(&city, "Observations", &json!({ "result": 1 })).await.status, 422);
    assert_eq!(ask(&city, "Observations", &[("$count", "true")]).await["@iot.count"], 2, "what was refused was not kept");
    // A stranger neither sends nor sees.
    let request = Request::post(address("Observations", &[])).header("content-type", "application/json");
    let a = city.send(request.body(Body::from("{\"result\":1,\"Datastream\":{\"@iot.id\":\"RG-1\"}}")).expect("a request")).await;
    assert_eq!(a.status, 401);
    let a = city.get(&address("Observations", &[("$count", "true")])).await.json();
    assert_eq!((&a["@iot.count"], &a["value"]), (&json!(0), &json!([])));
    post(&city, "Datastreams('RG-1')/Observations", &json!({ "result": 3 })).await;
    let a = city.get(&address("Observations", &[("$count", "true")])).await.json();
    assert_eq!((&a["@iot.count"], &a["value"][0]["result"]), (&json!(1), &json!(3.0)));
    assert_eq!(ids(&city.get(&address("Things", &[])).await.json()), ["RG-1"]);
    let streams = city.get(&address("ObservedProperties", &[("$expand", "Datastreams")])).await.json();
    assert_eq!(ids(&streams), ["rainfall"], "a quantity that only hidden sensors measure is hidden");
}

#[tokio::test]
async fn data_arrays_tell_of_each_row() {
    let city = city();
    let body = json!([
        { "Datastream": { "@iot.id": "SE-0" }, "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
          "dataArray": [["2026-01-20T06:00:00Z", 1, "SE-0"], ["2099-01-01T00:00:00Z", 2, "SE-0"], ["2026-01-20T06:00:00Z", 9, "SE-0"], ["2026-01-20T06:01:00Z"]] },
        { "Datastream": { "@iot.id": "none" }, "components": ["result"], "dataArray": [[5]] },
        { "Datastream": { "@iot.id": "SE-1" }, "components": ["result"], "dataArray": [[5], ["NaN"]] },
    ]);
    let send = async |key: &str, body: &Value| {
        let request =
            Request::post("/sta/v1.1/CreateObservations").header("authorization", format!("Bearer {TOKEN}")).header("idempotency-key", key);
        city.send(request.header("content-type", "application/json").body(Body::from(body.to_string())).expect("a request")).await
    };
    let first = send("k", &body).await;
    assert_eq!(first.status, 201, "{}", String::from_utf8_lossy(&first.body));
    let told: Vec<String> = first.json().as_array().expect("a list").iter().map(|t| t.as_str().expect("a text").to_owned()).collect();
    assert_eq!(
        (told[0].as_str(), told[5].as_str()),
        ("http://127.0.0.1:8080/sta/v1.1/Observations(1)", "http://127.0.0.1:8080/sta/v1.1/Observations(2)")
    );
    for (i, words) in [(1, "future"), (2, "another result"), (3, "/0/dataArray/3"), (4, "no such datastream"), (6, "finite number")] {
        assert!(told[i].starts_with("error: ") && told[i].contains(words), "{i}: {}", told[i]);
    }
    let again = send("k", &body).await;
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &first.body));
    let reused = send("k", &json!([{ "Datastream": { "@iot.id": "SE-1" }, "components": ["result"], "dataArray": [[6]] }])).await;
    assert_eq!((reused.status.as_u16(), reused.code()), (422, "key-reuse".into()));
    let same = post(&city, "CreateObservations", &body).await;
    assert_eq!(same.status, 200, "all that can be kept was there");
    for (body, status, code) in [
        (
            json!([{ "Datastream": { "@iot.id": "SE-0" }, "components": ["phenomenonTime", "result"], "dataArray": [["2099-01-01", 1], ["x", 2]] }]),
            422,
            "invalid-observation",
        ),
        (
            json!([{ "Datastream": { "@iot.id": "SE-0" }, "components": ["result"], "dataArray@iot.count": 5, "dataArray": [[1]] }]),
            422,
            "invalid-observation",
        ),
        (json!([{ "Datastream": { "@iot.id": "SE-0" }, "components": ["nothing"], "dataArray": [[1]] }]), 400, "unknown-member"),
        (json!([]), 422, "invalid-observation"),
        (json!({}), 400, "invalid-json"),
    ] {
        let a = post(&city, "CreateObservations", &body).await;
        assert_eq!((a.status.as_u16(), a.code().as_str()), (status, code), "{body}");
    }
    assert_eq!(ask(&city, "Observations", &[("$count", "true")]).await["@iot.count"], 2);
}

#[tokio::test]
async fn what_is_registered_is_there_and_stays() {
    let city = city();
    let thing = json!({
        "@iot.id": "station-1", "name": "南湖大桥雨水泵站", "description": "a pump station", "properties": { "owner": "排水公司" },
        "Locations": [{ "name": "l", "description": "d", "encodingType": "application/geo+json", "location": { "type": "Point", "coordinates": [125.31, 43.86] } }],
        "Datastreams": [
            { "name": "level", "description": "d", "unitOfMeasurement": { "name": "metre", "symbol": "m", "definition": "ucum:m" },
              "Sensor": { "name": "radar", "description": "d", "encodingType": "application/pdf", "metadata": "http://example.org/radar.pdf" },
              "ObservedProperty": { "@iot.id": "pressure" } },
            { "@iot.id": "station-1:flow", "name": "flow", "description": "d", "unitOfMeasurement": { "name": "flow", "symbol": "m3/h", "definition": "ucum:m3/h" },
              "Sensor": { "@iot.id": "SE-0" },
              "ObservedProperty": { "name": "流量", "definition": "urn:x", "description": "flow" } },
        ],
    });
    let made = post(&city, "Things", &thing).await;
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let whole = ask(&city, "Things('station-1')", &[("$expand", "Locations,Datastreams/Sensor,Datastreams/ObservedProperty")]).await;
    assert_eq!((&whole["name"], &whole["properties"]["owner"]), (&json!("南湖大桥雨水泵站"), &json!("排水公司")));
    assert_eq!(whole["Locations"][0]["location"]["coordinates"], json!([125.31, 43.86]));
    assert_eq!(whole["Datastreams"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        ask(&city, "Sensors('SE-0')/Datastreams", &[]).await["value"].as_array().map(Vec::len),
        Some(2),
        "known from the other side too"
    );
    assert_eq!(post(&city, "Datastreams('station-1:flow')/Observations", &json!({ "result": 12.5 })).await.status, 201);
    assert_eq!(ask(&city, "FeaturesOfInterest('station-1')/Observations", &[]).await["value"][0]["result"], 12.5);
    assert_eq!(city.get("/sta/v1.1/Things('station-1')").await.status, 404, "what nobody has judged is not public");
    let edit = |f: &dyn Fn(&mut Value)| {
        let mut t = thing.clone();
        t["@iot.id"] = json!("station-2");
        t["Datastreams"][1]["@iot.id"] = json!("flow-2");
        f(&mut t);
        t
    };
    for (body, pointer) in [
        (thing.clone(), "/@iot.id"),
        (edit(&|t| t["name"] = json!(" ")), "/name"),
        (edit(&|t| t["@iot.id"] = json!("a/b'")), "/@iot.id"),
        (edit(&|t| t["Locations"][0]["location"]["coordinates"] = json!([900, 0])), "/Locations/0/location"),
        (edit(&|t| t["Locations"][0]["encodingType"] = json!("text/html")), "/Locations/0/encodingType"),
        (edit(&|t| t["Datastreams"][0]["Sensor"] = json!({ "@iot.id": "none" })), "/Datastreams/0/Sensor/@iot.id"),
        (edit(&|t| t["Datastreams"][0]["observationType"] = json!("OM_Truth")), "/Datastreams/0/observationType"),
        (edit(&|t| t["Datastreams"][0]["unitOfMeasurement"] = json!("m")), "/Datastreams/0/unitOfMeasurement"),
        (edit(&|t| t["owner"] = json!("me")), "/owner"),
    ] {
        let a = post(&city, "Things", &body).await;
        assert_eq!(
            (a.status.is_client_error(), &a.json()["errors"][0]["pointer"]),
            (true, &json!(pointer)),
            "{}",
            String::from_utf8_lossy(&a.body)
        );
    }
    assert_eq!(city.keeper("/sta/v1.1/Things('station-2')").await.status, 404, "nothing of what was refused was kept");
    assert_eq!(city.state.store().registered().expect("readable").len(), 6);
    let rows = city.state.store().audit_rows(2, 10).expect("a log");
    assert_eq!(rows.iter().map(|r| r.action.as_str()).collect::<Vec<_>>(), ["register"], "one row for the one request that was kept");
    let TestCity { state, router, dir } = city;
    drop((state, router));
    let store = strata_store::Store::open(dir.path()).expect("the lock is free again");
    assert_eq!(store.registered().expect("readable").len(), 6);
}
