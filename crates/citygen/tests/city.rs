//! What holds of the district holds of any size: a part of the city, and cities side by side.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use std::sync::LazyLock;
use strata_citygen::{City, CitygenError, Size};

const ASKED: u64 = 300_000;
static PART: LazyLock<Made> = LazyLock::new(|| made(Size::Features(ASKED), 7));

#[test]
fn as_many_features_as_were_asked_for_and_the_same_again() {
    every_feature_is_sound_and_counted(&PART);
    let n = PART.truth.features;
    assert!(n.abs_diff(ASKED) * 100 < ASKED * 15, "{n} for {ASKED}");
    assert_eq!(PART.hash, made(Size::Features(ASKED), 7).hash);
    assert!(matches!(City::new(Size::Features(10), 7), Err(CitygenError::Size { asked: 10 })));
}

#[test]
fn houses_doors_and_lines_are_in_their_places() {
    houses_stand_apart(&PART);
    no_house_stands_on_a_street(&PART);
    every_door_has_its_number_on_its_street(&PART);
    transit_lies_inside_and_where_it_runs(&PART);
    control_lines_enclose_what_they_keep(&PART);
}

#[test]
fn the_underground_holds_together() {
    every_network_holds_together_and_water_lies_under_the_frost(&PART);
    every_drain_falls_and_reaches_an_outfall(&PART);
    // Heat connections of two houses that face each other across a street.
    underground::at_most_so_many_pipes_run_through_others(&PART, 40);
    underground::every_storm_drain_carries_the_storm(&PART);
}
