//! What lies under the street, as bodies with a size and as networks that carry something.
//!
//! Every analysis is a pure function of a [`strata_engine::View`]: a snapshot with a proposal on it, a scope, a moment.
//! [`ANALYSES`] names them all for the doors. Geometry is in the working frame, `[east_m, north_m, height_m]`; a pipe's
//! line is its **axis**, whatever the surveyor measured to.
//!
//! - [`pipe`]: a feature of a pipe layer as a body: class, outer size, axis, what is known and how well
//! - [`network`]: pipes of one class as a graph; [`joining`]: how their ends come together; [`walk`]: ways through it
//! - [`trace`]: upstream, downstream, connected, shortest way, pressure zone
//! - [`consistency`]: what is wrong with a network as surveyed
//! - [`rules`]: what is asked, by which clause, and how sure we are; [`clearance`]: are they far enough from one another
//! - [`statistics`]: how much of what, by any attribute

mod ask;
pub mod clearance;
pub mod consistency;
#[cfg(test)]
mod hand;
pub mod joining;
pub mod network;
pub mod pipe;
pub mod rules;
pub mod statistics;
pub mod trace;
pub mod walk;

pub use pipe::{Class, Pipe, Section};

use strata_engine::Analysis;

/// Every analysis of this room, for the doors.
pub const ANALYSES: &[&Analysis] = &[&statistics::STATISTICS, &consistency::TOPOLOGY, &trace::TRACE, &clearance::CLEARANCE];
