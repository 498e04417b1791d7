//! The district is the same for the same seed, sound, and nothing stands on another.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use std::sync::LazyLock;
use strata_citygen::{District, Size};

static DISTRICT: LazyLock<Made> = LazyLock::new(|| made(Size::District, 42));

#[test]
fn the_seed_decides_everything_and_every_feature_is_sound() {
    assert_eq!(DISTRICT.hash, made(Size::District, 42).hash);
    assert_ne!(DISTRICT.hash, made(Size::District, 43).hash);
    every_feature_is_sound_and_counted(&DISTRICT);
    let counts = &DISTRICT.truth.counts;
    assert!(counts["buildings"] > 3_000 && counts["roads"] > 500 && counts["terrain"] == 81 && counts["rail"] > 0, "{counts:?}");
    assert!(counts["pipes"] > 20_000, "{counts:?}");
}

#[test]
fn nothing_stands_in_another_or_on_a_street() {
    houses_stand_apart(&DISTRICT);
    no_house_stands_on_a_street(&DISTRICT);
}

#[test]
fn doors_transit_and_control_lines_lie_where_they_belong() {
    every_door_has_its_number_on_its_street(&DISTRICT);
    transit_lies_inside_and_where_it_runs(&DISTRICT);
    control_lines_enclose_what_they_keep(&DISTRICT);
}

#[test]
fn the_underground_holds_together() {
    every_network_holds_together_and_water_lies_under_the_frost(&DISTRICT);
    every_drain_falls_and_reaches_an_outfall(&DISTRICT);
}

#[test]
fn no_pipe_runs_through_another_and_storm_drains_carry_the_storm() {
    underground::at_most_so_many_pipes_run_through_others(&DISTRICT, 0);
    underground::every_storm_drain_carries_the_storm(&DISTRICT);
}

#[test]
fn every_anchor_lies_in_the_district_and_no_tree_in_a_house() {
    for a in District::new(42).unwrap().anchors() {
        assert!(DISTRICT.truth.bounds.contains([a.position[0], a.position[1]]) && a.position[2] > 150.0, "{a:?}");
    }
    let houses: Vec<_> = DISTRICT.of("buildings").iter().map(|f| (polygon(f), f.geometry.bounds().unwrap())).collect();
    let trees = DISTRICT.of("trees");
    let within = trees.iter().map(point).filter(|p| houses.iter().any(|(h, b)| b.plan().contains([p[0], p[1]]) && inside(*p, h))).count();
    assert!(trees.len() > 5_000 && within * 200 < trees.len(), "{within} of {} trees stand in houses", trees.len());
}
