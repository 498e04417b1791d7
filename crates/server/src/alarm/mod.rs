//! Alarms: rules as data, their evaluation as pure functions, and the watch that applies them to what comes in.

mod doors;
mod rules;
mod watch;

pub use doors::{acknowledge, list, one, shown, tell};
pub use watch::{Watch, watch};
