//! What lies under the street, as bodies with a size and as networks that carry something.
//!
//! Every analysis is a pure function of a [`strata_engine::View`]: a snapshot with a proposal on it, a scope, a moment.
//! [`ANALYSES`] names them all for the doors. Geometry is in the working frame, `[east_m, north_m, height_m]`; a pipe's
//! line is its **axis**, whatever the surveyor measured to.
//!
//! - [`pipe`]: a feature of a pipe layer as a body: class, outer size, axis, what is known and how well
//! - [`network`]: pipes of one class as a graph; [`joining`]: how their ends come together; [`walk`]: ways through it
//! - [`trace`]: upstream, downstream, connected, shortest way, pressure zone
//! - [`segments`], [`isolation`]: what valves can cut out, and what it takes; [`users`]: who hangs on which pipe;
//!   [`isolate`]: a burst
//! - [`supply`], [`hydraulics`]: the water network as a model, and EPANET that solves it; [`pressures`]: before and after
//! - [`leak`]: leaks found from pressures, flows and meters beside the model
//! - [`drain`], [`storm`]: drains by Manning in a storm
//! - [`consistency`]: what is wrong with a network as surveyed
//! - [`rules`]: what is asked, by which clause, and how sure we are; [`clearance`]: are they far enough from one another
//! - [`ground`]: the terrain's triangles; [`cover`]: how much ground lies over a pipe, and the frost
//! - [`section`]: what a vertical plane cuts, as data and drawn to scale; [`profile`]: a chain along its length
//! - [`excavate`]: a pit and what it touches; [`encroach`]: what is built on pipes; [`risk`]: age and what adds to it
//! - [`planned`]: a drawn pipe against all of these at once
//! - [`qc`]: the quality rules of a survey, and what a survey changes; [`reasons`]: why, in both languages
//! - [`statistics`]: how much of what, by any attribute; [`supervision`]: how the whole stands against the rules

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod ask;
pub mod clearance;
pub mod consistency;
pub mod cover;
pub mod drain;
mod drawing;
pub mod encroach;
pub mod excavate;
pub mod ground;
#[cfg(test)]
mod hand;
pub mod hydraulics;
mod inputs;
pub mod isolate;
pub mod isolation;
pub mod joining;
pub mod kept;
mod landmarks;
pub mod leak;
pub mod network;
pub mod pipe;
pub mod planned;
pub mod pressures;
pub mod profile;
pub mod qc;
pub mod reasons;
pub mod risk;
pub mod rules;
pub mod section;
pub mod segments;
pub mod statistics;
pub mod storm;
pub mod supervision;
pub mod supply;
pub mod trace;
pub mod users;
pub mod walk;

pub use pipe::{Class, Pipe, Section};

use strata_engine::Analysis;

/// Every analysis of this room, for the doors.
pub const ANALYSES: &[&Analysis] = &[
    &statistics::STATISTICS,
    &consistency::TOPOLOGY,
    &trace::TRACE,
    &clearance::CLEARANCE,
    &isolate::ISOLATE,
    &isolate::SEGMENTS,
    &cover::COVER,
    &section::SECTION,
    &profile::PROFILE,
    &excavate::EXCAVATE,
    &encroach::ENCROACH,
    &risk::RISK,
    &planned::PLANNED,
    &qc::QC,
    &qc::COMPARE,
    &pressures::HYDRAULICS,
    &storm::DRAINAGE,
    &leak::LEAKS,
    &supervision::SUPERVISION,
];
