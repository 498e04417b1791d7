use crate::city::{TOKEN, city, city_with};
use axum::{
    body::Body,
    http::{Request, header::HeaderName},
};
use serde_json::Value;
use strata_server::{Limits, ROUTES};

/// Address, expected status, expected code (empty: a good answer). Rows as in the abuse catalogue.
const READS: &[(&str, u16, &str)] = &[
    // 1, 2
    ("/ogc/collections/places/items?limit=0", 400, "invalid-parameter"),
    ("/ogc/collections/places/items?limit=-1", 400, "invalid-parameter"),
    ("/ogc/collections/places/items?limit=abc", 400, "invalid-parameter"),
    ("/ogc/collections/places/items?limit=999999999", 200, ""),
    ("/ogc/collections/places/items?offset=-1", 400, "invalid-parameter"),
    // 3, 4
    ("/ogc/collections/places/items?bbox=1,2,3", 400, "invalid-bbox"),
    ("/ogc/collections/places/items?bbox=1,2,3,4,5", 400, "invalid-bbox"),
    ("/ogc/collections/places/items?bbox=1,2,3,4,5,6,7", 400, "invalid-bbox"),
    ("/ogc/collections/places/items?bbox=NaN,2,3,4", 400, "invalid-bbox"),
    ("/ogc/collections/places/items?bbox=1,2,Inf,4", 400, "invalid-bbox"),
    ("/ogc/collections/places/items?bbox=1,2,1e400,4", 400, "invalid-bbox"),
    ("/ogc/collections/places/items?bbox=", 400, "invalid-bbox"),
    ("/ogc/collections/places/items?bbox=1,5,2,4", 400, "invalid-bbox"),
    ("/ogc/collections/places/items?bbox=170,-10,-170,10", 200, ""),
    // 6, 7
    ("/ogc/collections/places/items?foo=1", 400, "unknown-parameter"),
    ("/ogc/collections?foo=1", 400, "unknown-parameter"),
    ("/api/city?foo=1", 400, "unknown-parameter"),
    ("/ogc/collections/places/items?limit=1&limit=2", 400, "invalid-parameter"),
    // 8, 9
    ("/ogc/collections/places/items?datetime=2026-13-45", 400, "invalid-datetime"),
    ("/ogc/collections/places/items?datetime=2026-01-02/2026-01-01", 400, "invalid-datetime"),
    ("/tiles/places/12/3473/1495.mvt?t=now", 400, "invalid-datetime"),
    ("/ogc/collections/places/items?crs=EPSG:9999", 400, "invalid-crs"),
    ("/ogc/collections/places/items?crs=file:///etc/passwd", 400, "invalid-crs"),
    ("/ogc/collections/places/items?bbox=1,2,3,4&bbox-crs=http://169.254.169.254/", 400, "invalid-crs"),
    ("/ogc/collections/places/items?v=99", 400, "invalid-parameter"),
    ("/ogc/collections/places/items?f=html", 400, "invalid-parameter"),
    // 13 to 15
    ("/ogc/collections/places/items?filter=nothing%3D1", 400, "unknown-property"),
    ("/ogc/collections/places/items?filter=%22name%3B%20DROP%20TABLE%22%3D1", 400, "unknown-property"),
    ("/ogc/collections/places/items?filter=java.lang.Runtime%3D1", 400, "unknown-property"),
    ("/ogc/collections/places/items?filter=rank%20%3E", 400, "invalid-filter"),
    ("/ogc/collections/places/items?filter=rank%3D1&filter-lang=cql2-json", 400, "invalid-parameter"),
    ("/ogc/collections/places/items?name_zh=%27%20OR%201%3D1--", 200, ""),
    // 16, 17
    ("/ogc/collections/..%2F..%2Fetc%2Fpasswd", 404, "not-found"),
    ("/ogc/collections/%2e%2e%2f", 404, "not-found"),
    ("/ogc/collections/places/items/..%5c..%5cx", 404, "not-found"),
    ("/ogc/collections/places/items/a%00b", 404, "not-found"),
    ("/ogc/collections/places/items/%ff", 404, "not-found"),
    ("/assets/..%2f..%2fCargo.toml", 404, "not-found"),
    ("/styles/..%2fplanner.json", 404, "not-found"),
    ("/tiles/..%2f..%2fx.json", 404, "not-found"),
    ("/nothing/here", 404, "not-found"),
    // 19
    ("/tiles/places/99/0/0.mvt", 404, "tile-out-of-range"),
    ("/tiles/places/3/8/0.mvt", 404, "tile-out-of-range"),
    ("/tiles/places/3/-1/0.mvt", 404, "tile-out-of-range"),
    ("/tiles/places/3/99999999999999999999999999/0.mvt", 404, "tile-out-of-range"),
    ("/tiles/places/3/1.5/0.mvt", 400, "invalid-parameter"),
    ("/tiles/places/3/0/0", 404, "not-found"),
    ("/ogc/collections/places/tiles/WorldCRS84Quad/0/0/0", 404, "not-found"),
    ("/3dtiles/buildings/content/0/0/99999999999.glb", 404, "tile-out-of-range"),
    ("/3dtiles/buildings/content/31/0/0.glb", 404, "tile-out-of-range"),
    ("/3dtiles/buildings/content/4294967295/4294967295/4294967295.glb", 404, "tile-out-of-range"),
    ("/3dtiles/buildings/content/0/0/-1.glb", 404, "tile-out-of-range"),
    ("/3dtiles/buildings/content/0/0/..%2f0.glb", 404, "tile-out-of-range"),
    ("/3dtiles/buildings/a/../../cfg.toml", 404, "not-found"),
    ("/3dtiles/buildings/cfg.toml", 404, "not-found"),
    // 20
    ("/tiles/places/0/0/0.mvt", 200, ""),
    // 47
    ("/api/city?token=a-token-for-the-tests-only", 400, "invalid-request"),
    ("/?access_token=x", 400, "invalid-request"),
];

#[tokio::test]
async fn each_abuse_gets_its_answer() {
    let city = city();
    for (address, status, code) in READS {
        let answer = city.get(address).await;
        assert_eq!(answer.status, *status, "{address}: {}", String::from_utf8_lossy(&answer.body));
        if code.is_empty() {
            continue;
        }
        assert_eq!(answer.header("content-type"), "application/problem+json", "{address}");
        let p = answer.json();
        assert_eq!((p["code"].as_str(), p["status"].as_u64()), (Some(*code), Some(u64::from(*status))), "{address}");
        assert_eq!(p["type"], format!("urn:strata:problem:{code}"));
        assert!(p["title"].is_string() && p["detail"].is_string(), "{address}");
        let text = String::from_utf8_lossy(&answer.body);
        assert!(!text.contains(TOKEN) && !text.contains("SELECT") && !text.contains("/tmp"), "{address}: {text}");
    }
    assert_eq!(city.get("/healthz").await.status, 200);
    eprintln!("{} abuse rows", READS.len());
}

#[tokio::test]
async fn filters_have_bounds() {
    let city = city();
    let ask = async |filter: String| {
        let a = city.get(&format!("/ogc/collections/places/items?filter={filter}")).await;
        (a.status.as_u16(), a.code())
    };
    let many = vec!["rank=1"; 400].join("%20OR%20");
    assert_eq!(ask(many).await, (400, "filter-too-complex".into()));
    let deep = format!("{}rank=1{}", "(".repeat(1000), ")".repeat(1000));
    assert_eq!(ask(deep).await, (400, "filter-too-complex".into()));
    assert_eq!(ask("x".repeat(40_000)).await, (414, "uri-too-long".into()));
    let like = city.get(&format!("/ogc/collections/places/items?filter=name_zh%20LIKE%20%27{}%27", "%25a".repeat(400))).await;
    assert_eq!(like.status, 200, "linear matching");
}

#[tokio::test]
async fn bodies_and_headers_have_bounds() {
    let city = city();
    let post = |headers: &[(&'static str, &str)], body: Body| {
        let mut r = Request::post("/api/proposals").header("authorization", format!("Bearer {TOKEN}"));
        for (k, v) in headers {
            r = r.header(HeaderName::from_static(k), *v);
        }
        r.body(body).expect("a request")
    };
    let json = ("content-type", "application/json");
    let ask = async |request| {
        let a = city.send(request).await;
        (a.status.as_u16(), a.code())
    };
    assert_eq!(ask(post(&[json], Body::from(vec![b' '; 3 << 20]))).await, (413, "payload-too-large".into()));
    assert_eq!(ask(post(&[json, ("content-length", "99999999")], Body::from("{}"))).await, (413, "payload-too-large".into()));
    assert_eq!(ask(post(&[("content-type", "text/plain")], Body::from("{}"))).await, (415, "unsupported-media".into()));
    assert_eq!(
        ask(post(&[("content-type", "application/json; charset=gb2312")], Body::from("{}"))).await,
        (415, "unsupported-media".into())
    );
    assert_eq!(ask(post(&[], Body::from("{}"))).await, (415, "unsupported-media".into()));
    assert_eq!(ask(post(&[json, ("content-encoding", "gzip")], Body::from("{}"))).await, (415, "unsupported-media".into()));
    for (body, code) in [
        ("{", "invalid-json"),
        ("[1e999]", "invalid-json"),
        (r#"{"title":"a","changes":[],"role":"admin"}"#, "unknown-member"),
        (r#"{"title":"a","title":"b","changes":[]}"#, "invalid-json"),
    ] {
        assert_eq!(ask(post(&[json], Body::from(body))).await, (400, code.into()), "{body}");
    }
    let deep = format!("{{\"title\":\"a\",\"changes\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(ask(post(&[json], Body::from(deep))).await, (400, "invalid-json".into()));
    let get = |name: &'static str, value: String| Request::get("/ogc").header(name, value).body(Body::empty()).expect("a request");
    assert_eq!(ask(get("x-long", "a".repeat(40_000))).await, (431, "headers-too-large".into()));
    assert_eq!(ask(get("accept", "image/x-nothing".into())).await, (406, "not-acceptable".into()));
    for token in ["Bearer wrong", "Basic YTpi", "Bearer", "\u{fffd}"] {
        let answer = city.send(get("authorization", token.into())).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "invalid-token".into()), "{token}");
    }
    let zh = city.send(Request::get("/none").header("accept-language", "zh-CN,zh;q=0.9").body(Body::empty()).expect("a request")).await;
    assert_eq!((zh.header("content-language"), &zh.json()["title"]), ("zh", &"此处没有内容".into()));
}

#[tokio::test]
async fn methods_that_are_not_offered_are_named() {
    let city = city();
    for (method, address) in
        [("PUT", "/api/audit"), ("DELETE", "/api/audit"), ("PATCH", "/ogc/collections/places/items/p00"), ("POST", "/healthz")]
    {
        let request = Request::builder().method(method).uri(address).header("authorization", format!("Bearer {TOKEN}"));
        let answer = city.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (405, "method-not-allowed".into()), "{method} {address}");
        assert!(answer.header("allow").contains("GET"), "{method} {address}: {:?}", answer.headers);
    }
    let head = city.send(Request::head("/ogc").body(Body::empty()).expect("a request")).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test]
async fn pages_are_text_and_hold_to_their_policy() {
    let dist = tempfile::tempdir().expect("a folder");
    let city = city();
    let page = city.get("/?scene=planner&t=2026-01-20").await;
    let text = String::from_utf8(page.body.clone()).expect("text");
    assert!(text.contains("长春&lt;script&gt;") && !text.contains("<b>") && text.contains("合成数据"), "{text}");
    assert!(page.header("content-security-policy").contains("default-src 'self'") && page.header("x-content-type-options") == "nosniff");
    std::fs::create_dir(dist.path().join("assets")).expect("a folder");
    std::fs::write(dist.path().join("index.html"), "<!doctype html><p>viewer").expect("written");
    std::fs::write(dist.path().join("assets/a-1.wasm"), b"\0asm").expect("written");
    std::fs::write(dist.path().join("secret.txt"), b"secret").expect("written");
    std::os::unix::fs::symlink(dist.path().join("secret.txt"), dist.path().join("assets/link.js")).expect("a link");
    let city = city_with(Limits::default(), Some(dist.path().into()), None);
    assert_eq!(city.get("/").await.body, b"<!doctype html><p>viewer");
    let wasm = city.get("/assets/a-1.wasm").await;
    assert_eq!((wasm.header("content-type"), wasm.header("cache-control")), ("application/wasm", "public, max-age=31536000, immutable"));
    for none in ["/assets/link.js", "/assets/../secret.txt", "/assets/%2e%2e%2fsecret.txt", "/secret.txt"] {
        assert_eq!(city.get(none).await.status, 404, "{none}");
    }
}

#[tokio::test]
async fn the_description_names_every_door() {
    let api = city().get("/openapi.json").await.json();
    assert_eq!(api["openapi"], "3.0.3");
    for route in ROUTES {
        let verb = format!("{:?}", route.verb).to_lowercase();
        // A process is run at a path of its own.
        let path = route.path.replace("{*", "{").replace("processes/{id}/execution", "processes/trace/execution");
        assert!(api["paths"][&path][&verb]["summary"].is_string(), "{verb} {path}");
    }
    for a in strata_pipes::ANALYSES {
        let run = &api["paths"][format!("/ogc/processes/{}/execution", a.id)]["post"];
        let inputs = &run["requestBody"]["content"]["application/json"]["schema"]["properties"]["inputs"];
        assert_eq!(inputs["properties"]["proposal"]["type"], "string", "{run}");
    }
    // OpenAPI 3.0 knows no lists of types.
    fn one_type(v: &Value, at: &str) {
        match v {
            Value::Object(o) => o.iter().for_each(|(k, v)| {
                assert!(k != "type" || !v.is_array(), "{at}/{k}: {v}");
                one_type(v, &format!("{at}/{k}"));
            }),
            Value::Array(a) => a.iter().for_each(|v| one_type(v, at)),
            _ => {}
        }
    }
    one_type(&api, "");
}
