//! The page and the program draw the same: five scenes in Chromium on its software adapter against `strata shot` on Mesa's.
//! The adapters round edges and thin lines differently; what is there, where and in which colour is the same.

use strata_tests::{
    district, judge,
    picture::{Rgb, delta_e, difference, lab},
    scratch, server, strata_ok,
};

const SIZE: &str = "480x300";
const SCENES: [&str; 5] = ["01-city-day", "02-street-facades", "05-landuse", "07-xray", "08-cutaway"];
/// Share of pixels that may have no like among their neighbours in the other picture, and mean distance in colour (CIE76).
const MOST_APART: f64 = 0.02;
const MOST_OFF: f64 = 2.0;

#[test]
fn browser_and_native_agree_on_five_scenes() {
    let s = server();
    let dir = scratch("agree");
    let seen = judge("agree.mjs", &[&[s.url.as_str(), &s.token, SIZE, dir.to_str().expect("UTF-8")], &SCENES[..]].concat());
    println!("{seen}");
    let mut faults = Vec::new();
    for scene in SCENES {
        let told = &seen[scene];
        assert!(told["errors"] == serde_json::json!([]) && told["sized"] == true && told["settled"] == true, "{scene}: {told}");
        let native = dir.join(format!("{scene}-native.png"));
        strata_ok(&["shot", district().to_str().expect("UTF-8"), scene, "-o", native.to_str().expect("UTF-8"), "--size", SIZE]);
        let (browser, native) = (Rgb::read(&dir.join(format!("{scene}.png"))), Rgb::read(&native));
        let apart = difference(&browser, &native).share;
        let off = browser.data.iter().zip(&native.data).map(|(a, b)| f64::from(delta_e(lab(*a), lab(*b)))).sum::<f64>()
            / native.data.len() as f64;
        println!("{scene}: {:.2} % of the pixels apart, {off:.2} off on the mean", apart * 100.0);
        if apart > MOST_APART || off > MOST_OFF {
            faults.push(format!("{scene}: {:.2} % apart, {off:.2} off", apart * 100.0));
        }
    }
    assert!(faults.is_empty(), "{faults:?}");
}
