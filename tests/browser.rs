//! The viewer and the strangers' map clients in headless Chromium, on a software adapter.

use strata_tests::{judge, server};

#[test]
fn the_viewer_draws_the_city_and_answers_to_hands() {
    let s = server();
    let seen = judge("viewer.mjs", &[&s.url, &s.token]);
    println!("{seen}");
    assert_eq!(seen["errors"], serde_json::json!([]), "{seen}");
    assert!(seen["drawn"].as_u64() > Some(0), "nothing was drawn: {seen}");
    assert!(seen["spread"].as_f64() > Some(8.0), "the canvas is nearly one colour: {seen}");
    assert!(seen["layers"].as_u64() >= Some(8), "{seen}");
    assert_eq!(seen["language_switched"], true, "{seen}");
    assert_eq!(seen["time_moved"], true, "{seen}");
    assert_eq!(seen["card"], true, "a click on a building opens no card: {seen}");
}

#[test]
fn maplibre_and_cesium_draw_our_tiles() {
    let s = server();
    let seen = judge("clients.mjs", &[&s.url, &s.token]);
    println!("{seen}");
    for client in ["maplibre", "cesium", "three"] {
        assert_eq!(seen[client]["errors"], serde_json::json!([]), "{client}: {seen}");
        assert!(seen[client]["features"].as_u64() > Some(0), "{client} drew nothing: {seen}");
    }
}
