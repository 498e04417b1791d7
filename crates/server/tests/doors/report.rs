//! The supervisor's report: for keepers, in three forms that say the same.

use crate::city::city;
use axum::{body::Body, http::Request};
use serde_json::Value;

#[tokio::test]
async fn it_says_the_same_in_every_form_and_only_to_keepers() {
    let city = city();
    let stranger = city.send(Request::get("/api/reports/pipes").body(Body::empty()).expect("a request")).await;
    assert_eq!(stranger.status, 401);
    let json = city.keeper("/api/reports/pipes?f=json").await.json();
    let s = &json["supervision"];
    assert!(s.is_object(), "{json}");
    // Two pipes of 500 m, a metre apart, and nothing known of them.
    assert_eq!((&s["pipes"], &s["length_m"]), (&2.into(), &1000.0.into()), "{s}");
    assert!(s["by_owner"][0]["value"].is_null() && s["figures"].as_array().is_some_and(|f| f.len() >= 7));
    // The hash is that of the document without it.
    let mut bare = json.clone();
    let hash = bare.as_object_mut().expect("an object").remove("hash_blake3").expect("a hash");
    assert_eq!(blake3::hash(bare.to_string().as_bytes()).to_hex().as_str(), hash.as_str().expect("text"));
    for (lang, words) in
        [("zh", ["合成数据", "未知", "总体情况", "批准"]), ("en", ["synthetic data", "not known", "The whole", "Approved"])]
    {
        let page = city.keeper(&format!("/api/reports/pipes?lang={lang}")).await;
        assert_eq!((page.header("content-type"), page.header("cache-control")), ("text/html; charset=utf-8", "no-store"));
        let html = String::from_utf8(page.body).expect("UTF-8");
        assert!(words.iter().all(|w| html.contains(w)) && !html.contains("<script>"), "{html}");
        for f in s["figures"].as_array().expect("figures") {
            let name = f[format!("title_{lang}")].as_str().expect("a title");
            assert!(html.contains(&format!("<tr><td>{name}</td><td class=\"n\">{}</td>", f["count"])), "{name}: {html}");
        }
    }
    let word = city.keeper("/api/reports/pipes?f=docx&lang=en").await;
    assert!(word.header("content-type").ends_with("wordprocessingml.document") && word.body.starts_with(b"PK"));
    for (query, code) in
        [("f=pdf", "invalid-parameter"), ("lang=fr", "invalid-parameter"), ("at=noon", "invalid-datetime"), ("x=1", "unknown-parameter")]
    {
        let bad = city.keeper(&format!("/api/reports/pipes?{query}")).await;
        assert_eq!((bad.status.as_u16(), bad.code().as_str()), (400, code), "{query}");
    }
    // Before there was anything: a report of nothing, not an error.
    let then: Value = city.keeper("/api/reports/pipes?f=json&at=1700-01-01").await.json();
    assert!(then["supervision"]["pipes"].is_number(), "{then}");
}
