//! The planner's page and strangers' map clients in headless Chromium, on a software adapter.

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

/// As a new user would: open the printed address, look, switch the language, move time, click a house.
#[test]
fn the_page_draws_the_city_and_answers_to_hands() {
    let s = server();
    let seen = judge("viewer.mjs", &[&s.url, &s.token]);
    println!("{seen}");
    assert_eq!(seen["errors"], serde_json::json!([]), "{seen}");
    assert!(seen["drawn"].as_u64() > Some(0) && seen["settled"] == true, "{seen}");
    assert!(seen["spread"].as_f64() > Some(8.0), "the canvas is nearly one colour: {seen}");
    assert!(seen["layers"].as_u64() >= Some(8) && seen["labels"].as_u64() > Some(0), "{seen}");
    for done in ["language_switched", "time_moved", "card", "token_left_address", "goes_on_after_loss"] {
        assert_eq!(seen[done], true, "{done}: {seen}");
    }
}
