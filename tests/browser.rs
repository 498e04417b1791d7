//! Strangers' map clients in headless Chromium, on a software adapter.

use strata_tests::{judge, server};

#[test]
fn maplibre_cesium_and_three_draw_our_tiles() {
    let s = server();
    let seen = judge("clients.mjs", &[&s.url, &s.token]);
    println!("{seen}");
    for client in ["maplibre", "cesium", "three"] {
        assert_eq!(seen[client]["errors"], serde_json::json!([]), "{client}: {seen}");
        assert!(seen[client]["features"].as_u64() > Some(0), "{client} drew nothing: {seen}");
    }
}
