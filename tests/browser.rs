//! The planner's page and strangers' map clients in headless Chromium, on a software adapter.

use strata_tests::{judge, picture::Rgb, scratch, server};

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
    let shot = scratch("viewer").join("page.png");
    let seen = judge("viewer.mjs", &[&s.url, &s.token, shot.to_str().expect("UTF-8")]);
    println!("{seen}");
    assert_eq!(seen["errors"], serde_json::json!([]), "{seen}");
    assert!(seen["drawn"].as_u64() > Some(0) && seen["settled"] == true, "{seen}");
    // The middle of the page, where no panel lies over the canvas.
    let page = Rgb::read(&shot);
    let part: Vec<f64> = (60..560)
        .flat_map(|y| (320..1220).map(move |x| (x, y)))
        .map(|(x, y)| page.at(x, y).map(f64::from).iter().sum::<f64>() / 3.0)
        .collect();
    let mean = part.iter().sum::<f64>() / part.len() as f64;
    let spread = (part.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / part.len() as f64).sqrt();
    assert!(spread > 8.0, "the canvas is nearly one colour, its brightness varies by {spread}: {seen}");
    assert!(seen["layers"].as_u64() >= Some(8) && seen["labels"].as_u64() > Some(0), "{seen}");
    for done in ["language_switched", "time_moved", "card", "token_left_address", "goes_on_after_loss"] {
        assert_eq!(seen[done], true, "{done}: {seen}");
    }
}

/// A supervisor's morning at `/pipes`: what the page shows is what the program answers when it is asked directly.
#[test]
fn a_supervisor_works_a_morning_on_the_page() {
    let s = server();
    let anchors = s.json("/api/city")["anchors"].clone();
    let crossing = anchors.as_array().and_then(|a| a.iter().find(|a| a["name"] == "main-crossing")).expect("an anchor")["position"].clone();
    let place = format!("{},{}", crossing[0], crossing[1]);
    let seen = judge("pipes.mjs", &[&s.url, &s.token, &place]);
    println!("{seen}");
    assert_eq!(seen["errors"], serde_json::json!([]), "{seen}");
    // On the page, and from the program.
    for pair in ["kilometres", "tools", "trace", "burst", "valves", "numbered"] {
        assert_eq!(seen[pair][0], seen[pair][1], "{pair}: {seen}");
    }
    for done in ["maps", "twin", "in_step", "sealed", "row_held", "language_switched", "dark", "token_left_address"] {
        assert_eq!(seen[done], true, "{done}: {seen}");
    }
    assert_ne!(seen["next_ring"], false, "{seen}");
    assert_eq!((&seen["dxf"], &seen["sheet"]), (&"section.dxf".into(), &2.into()), "{seen}");
    assert!(seen["section"].as_u64() > Some(3), "{seen}");
}
