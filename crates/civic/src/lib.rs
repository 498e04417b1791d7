//! What government walks through on the map: a permit, an incident, an inspection, a task.
//!
//! A **definition** is data (`data/systems/…/*.toml`): states, steps between them, who may take each, what each needs,
//! and how long a case may stay. A **case** ([`strata_model::Case`]) is a place, perhaps a proposal, and the list of what happened, each with
//! who, when and why; its state is what its events make of it. Everything here is pure: the moment is an argument, and
//! the store keeps what [`advance`] gives in the transaction of its audit row.
//!
//! - [`definition`]: reading and judging a definition; the ones that come with the program
//! - [`case`]: taking a step, and what a case's events add up to
//! - [`clock`]: working days, due and overdue

pub mod case;
pub mod clock;
mod error;

pub mod definition;

pub use case::{CaseView, Facts, StepAsked, advance, parties, taken, violations};
pub use clock::{Calendar, Clock};
pub use definition::{Definition, Does, End, Need, Role, State, Step, Takes, built_in};
pub use error::CivicError;
