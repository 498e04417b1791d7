use crate::city::{TOKEN, city, city_with};
use axum::{
    body::Body,
    http::{Method, Request},
};
use strata_server::{Access, Limits, ROUTES, Verb};

/// A route's pattern with names of real things in it, hidden ones where `hidden`.
fn address(pattern: &str, hidden: bool) -> String {
    let (layer, feature) = if hidden { ("pipes", "PIPE-0") } else { ("buildings", "b1") };
    let file = pattern.ends_with("/tiles/{layer}").then_some(format!("{layer}.json"));
    pattern
        .replace("/api/features/{layer}/{id}", &format!("/api/features/{layer}/{feature}"))
        .replace("/3dtiles/{layer}/{file}", &format!("/3dtiles/{layer}/tileset.json"))
        .replace("{kind}/{level}/{x}/{y}", "subtrees/0/0/0.subtree")
        .replace("{layer}", file.as_deref().unwrap_or(layer))
        .replace("/collections/{id}", &format!("/collections/{layer}"))
        .replace("{fid}", feature)
        .replace("{tms}", "WebMercatorQuad")
        .replace("{scene}", "planner.json")
        .replace("/{z}/{x}/{y}", if pattern.starts_with("/terrain") { "/12/0/0.png" } else { "/12/3473/1495.mvt" })
        .replace("/{z}/{y}/{x}", "/12/1495/3473")
        .replace("{a}", "1")
        .replace("{b}", "2")
        .replace("{file}", "none.js")
        .replace("{*path}", if hidden { "Things('SE-0')" } else { "Things('RG-1')" })
        .replace("{id}", "0190-none")
}

fn verb(v: Verb) -> Method {
    match v {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Delete => Method::DELETE,
    }
}

#[tokio::test]
async fn every_door_without_a_token_shows_only_what_is_public() {
    let city = city();
    let before = city.state.store().audit_head().expect("a log").0;
    // The stream has no end to wait for; it has a test of its own.
    for route in ROUTES.iter().filter(|r| r.media != "text/event-stream") {
        for hidden in [false, true] {
            let address = address(route.path, hidden);
            let request = Request::builder().method(verb(route.verb)).uri(&address).header("content-type", "application/json");
            let answer = city.send(request.body(Body::from("{}")).expect("a request")).await;
            let status = answer.status.as_u16();
            // A refusal repeats the address that was asked for.
            let text = String::from_utf8_lossy(&answer.body).replace(&address, "");
            assert!(matches!(status, 200 | 400 | 401 | 404), "{address}: {status} {text}");
            if route.access == Access::Keeper {
                assert_eq!((status, answer.header("www-authenticate")), (401, "Bearer"), "{address}");
            }
            if route.path.contains("{*path}") && route.access == Access::Anyone
                || route.path.contains("{layer}")
                || route.path.contains("/collections/{id}")
            {
                assert_eq!(status, if hidden { 404 } else { 200 }, "{address}: {text}");
            }
            for secret in ["pipes", "PIPE-", "SE-", "Hidden", "errand", TOKEN] {
                // That analyses of pipes exist is no secret; that this city has pipes is.
                let about_pipes = route.path.starts_with("/ogc/processes") || route.path == "/openapi.json";
                let words_only = secret == "pipes" && about_pipes;
                assert!(words_only || !text.contains(secret), "{address} tells of {secret}: {text}");
            }
        }
    }
    assert_eq!(city.state.store().audit_head().expect("a log").0, before, "nothing was written");
}

#[tokio::test]
async fn hidden_and_missing_are_the_same_bytes() {
    let city = city();
    let kept = city.post("/sta/v1.1/Datastreams('SE-0')/Observations", &serde_json::json!({ "result": 1.0 })).await;
    assert_eq!((kept.status.as_u16(), &kept.json()["@iot.id"]), (201, &1.into()), "a hidden observation is there");
    for (hidden, missing) in [
        ("/ogc/collections/pipes", "/ogc/collections/nothing"),
        ("/ogc/collections/pipes/items", "/ogc/collections/nothing/items"),
        ("/ogc/collections/pipes/items?foo=1", "/ogc/collections/nothing/items?foo=1"),
        ("/ogc/collections/pipes/items/PIPE-0", "/ogc/collections/buildings/items/none"),
        ("/ogc/collections/pipes/queryables", "/ogc/collections/nothing/queryables"),
        ("/ogc/collections/pipes/tiles", "/ogc/collections/nothing/tiles"),
        ("/ogc/collections/pipes/tiles/WebMercatorQuad/12/1495/3473", "/ogc/collections/nothing/tiles/WebMercatorQuad/12/1495/3473"),
        ("/tiles/pipes.json", "/tiles/nothing.json"),
        ("/tiles/pipes/12/3473/1495.mvt", "/tiles/nothing/12/3473/1495.mvt"),
        ("/3dtiles/pipes/tileset.json", "/3dtiles/nothing/tileset.json"),
        ("/3dtiles/pipes/content/0/0/0.glb", "/3dtiles/nothing/content/0/0/0.glb"),
        ("/3dtiles/pipes/subtrees/0/0/0.subtree", "/3dtiles/nothing/subtrees/0/0/0.subtree"),
        ("/tiles/pipes/99/0/0.mvt", "/tiles/nothing/99/0/0.mvt"),
        ("/api/features/pipes/PIPE-0", "/api/features/nothing/PIPE-0"),
        ("/sta/v1.1/Things('SE-0')", "/sta/v1.1/Things('none')"),
        ("/sta/v1.1/Datastreams('SE-0')/Observations", "/sta/v1.1/Datastreams('none')/Observations"),
        ("/sta/v1.1/Observations(1)", "/sta/v1.1/Observations(999)"),
        ("/sta/v1.1/Things('RG-1')/Datastreams('SE-0')", "/sta/v1.1/Things('RG-1')/Datastreams('none')"),
        ("/api/versions/1/diff/2?layer=pipes", "/api/versions/1/diff/2?layer=nothing"),
    ] {
        let (a, b) = (city.get(hidden).await, city.get(missing).await);
        assert_eq!((a.status.as_u16(), &a.body), (404, &b.body), "{hidden}");
        let names = |h: &axum::http::HeaderMap| h.iter().map(|(k, v)| format!("{k}: {v:?}")).collect::<Vec<_>>();
        assert_eq!(names(&a.headers), names(&b.headers), "{hidden}");
    }
    // A hidden attribute is as unknown as one that does not exist.
    for query in ["owner=x", "none=x", "filter=owner%20IS%20NULL", "filter=none%20IS%20NULL"] {
        let a = city.get(&format!("/ogc/collections/buildings/items?{query}")).await;
        assert_eq!(a.status, 400, "{query}");
        assert_eq!(a.code(), if query.starts_with("filter") { "unknown-property" } else { "unknown-parameter" });
    }
}

#[tokio::test]
async fn a_tile_that_one_may_see_is_not_kept_for_another() {
    let city = city();
    let address = "/tiles/pipes/12/3473/1495.mvt";
    for _ in 0..2 {
        let keeper = city.keeper(address).await;
        assert_eq!((keeper.status.as_u16(), keeper.header("cache-control")), (200, "private, no-cache"));
        let other = city.get(address).await;
        assert_eq!(other.status, 404);
        let tag = keeper.header("etag").to_owned();
        let guess = Request::get(address).header("if-none-match", tag).body(Body::empty()).expect("a request");
        assert_eq!(city.send(guess).await.status, 404, "a known tag opens nothing");
    }
}

#[tokio::test]
async fn a_session_begins_with_the_token_and_ends() {
    let city = city();
    let sign_in = async |token: &str| {
        let body = serde_json::json!({ "token": token }).to_string();
        city.send(Request::post("/api/session").header("content-type", "application/json").body(Body::from(body)).expect("a request")).await
    };
    assert_eq!((sign_in("wrong").await.status.as_u16(), sign_in("wrong").await.code()), (401, "invalid-token".into()));
    let opened = sign_in(TOKEN).await;
    assert_eq!(opened.status, 201);
    let cookie = opened.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains(TOKEN), "{cookie}");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let with = |method: Method, address: &str, headers: &[(&'static str, &str)]| {
        let mut r = Request::builder().method(method).uri(address).header("cookie", format!("other=1; {cookie}"));
        for (k, v) in headers {
            r = r.header(*k, *v);
        }
        r.body(Body::empty()).expect("a request")
    };
    assert_eq!(city.send(with(Method::GET, "/ogc/collections/pipes", &[])).await.status, 200);
    for foreign in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        let answer = city.send(with(Method::POST, "/api/proposals/x/drop", &[foreign, ("host", "127.0.0.1:8080")])).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "csrf-failed".into()), "{foreign:?}");
    }
    let own = [("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")];
    assert_eq!(city.send(with(Method::POST, "/api/proposals/x/drop", &own)).await.status, 404, "it came in and found none");
    let out = city.send(with(Method::DELETE, "/api/session", &own)).await;
    assert_eq!(out.status, 200);
    assert_eq!(city.send(with(Method::GET, "/ogc/collections/pipes", &[])).await.status, 404, "the session has ended");
    let actions: Vec<String> = city.state.store().audit_rows(2, 100).expect("a log").into_iter().map(|r| r.action).collect();
    assert_eq!(actions, ["sign-in.refused", "sign-in.refused", "sign-in", "sign-out"]);
}

#[tokio::test]
async fn guessing_is_slow_and_https_binds_the_cookie() {
    let city = city_with(Limits { sign_in_failures: 3, ..Limits::default() }, None, Some("https://twin.example/".into()));
    let sign_in = async |token: &str| {
        let body = serde_json::json!({ "token": token }).to_string();
        city.send(Request::post("/api/session").header("content-type", "application/json").body(Body::from(body)).expect("a request")).await
    };
    let good = sign_in(TOKEN).await;
    assert!(good.header("set-cookie").starts_with("__Host-strata=") && good.header("set-cookie").ends_with("; Secure"));
    for _ in 0..3 {
        assert_eq!(sign_in("guess").await.status, 401);
    }
    let closed = sign_in(TOKEN).await;
    assert_eq!((closed.status.as_u16(), closed.header("retry-after")), (429, "60"));
    let request = Request::get("/ogc").header("host", "evil.example").header("x-forwarded-host", "evil.example");
    let text = String::from_utf8(city.send(request.body(Body::empty()).expect("a request")).await.body).expect("text");
    assert!(!text.contains("evil") && text.contains("https://twin.example/ogc/collections"), "{text}");
}
