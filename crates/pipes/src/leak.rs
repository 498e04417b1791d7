//! 漏损监测 finding leaks from pressures, flows, levels and meters.
//!
//! The model is driven by what is metered: every district's demand is scaled to its inflow less what its tanks took, so
//! what is left between measured and computed pressures speaks of places, not of how thirsty the city is. A leak's
//! signature is what one m³/h at a pipe does to those differences. [`Watch`] adds hour by hour up how likely a new
//! leak at each pipe is, over windows from three hours to two weeks, and answers with a ranked list of places, never one.
//!
//! It is causal: what it says at an hour rests on readings up to that hour (a test cuts the series and compares).
//! Frame of the answers: pipe ids of the model. Units: m of water, m³/h, m, hours. Errors: confidence is the share of
//! the likelihood within `near_m` along the pipes; it holds as far as the model and the baseline do.

mod baseline;
mod door;
mod readings;
mod twin;
mod watch;

pub use baseline::{Baseline, Known};
pub use door::LEAKS;
pub use readings::{Kind, Readings};
pub use twin::{Innovations, Twin};
pub use watch::{Finding, Place, Report, Watch, watch};

#[derive(Debug, thiserror::Error)]
pub enum LeakError {
    #[error("the solver: {0}")]
    Solver(String),
    #[error("a temporary file: {0}")]
    Io(#[from] std::io::Error),
    /// Something in the readings; `place` names the series or the row.
    #[error("{place}: {reason}")]
    Reading { place: String, reason: String },
    #[error("{0}")]
    Calibration(String),
    #[error("the rules' table: {0}")]
    Settings(String),
}

impl LeakError {
    pub(crate) fn reading(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Reading { place: place.into(), reason: reason.into() }
    }
}

impl From<epanet::epanet_error::EPANETError> for LeakError {
    fn from(e: epanet::epanet_error::EPANETError) -> Self {
        Self::Solver(format!("{} ({})", e.message(), e.code))
    }
}

/// The rows of `data/rules/leak.csv`, which say what each number means.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub alarm_z: f64,
    pub close_z: f64,
    pub close_share: f64,
    pub persist: f64,
    pub least_flow: f64,
    pub shadow: f64,
    pub gone_flow: f64,
    pub walk: f64,
    pub near_m: f64,
    pub same_m: f64,
    pub young_h: usize,
    pub history_h: usize,
    pub refit_h: usize,
    pub search_h: usize,
    pub hop_h: usize,
    pub rest_h: usize,
    pub move_llr: f64,
    pub move_mass: f64,
    pub calibrate_least_h: usize,
}

impl Settings {
    /// The table that the program carries.
    pub fn usual() -> Result<Self, LeakError> {
        Self::parse(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/rules/leak.csv")))
    }
    pub fn parse(table: &str) -> Result<Self, LeakError> {
        let mut rows = std::collections::BTreeMap::new();
        for row in csv::Reader::from_reader(table.as_bytes()).records() {
            let row = row.map_err(|e| LeakError::Settings(e.to_string()))?;
            let (name, text) = (row.get(0).unwrap_or_default().trim(), row.get(1).unwrap_or_default().trim());
            let value = text.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0);
            rows.insert(
                name.to_owned(),
                value.ok_or_else(|| LeakError::Settings(format!("`{name}`: `{text}` is not a number from 0 on")))?,
            );
        }
        let get = |name: &str| rows.get(name).copied().ok_or_else(|| LeakError::Settings(format!("`{name}` is missing")));
        let hours = |name: &str| {
            let v = get(name)?;
            if (1.0..=10_000.0).contains(&v) { Ok(v as usize) } else { Err(LeakError::Settings(format!("`{name}` is from 1 to 10 000"))) }
        };
        Ok(Self {
            alarm_z: get("alarm_z")?,
            close_z: get("close_z")?,
            close_share: get("close_share")?,
            persist: get("persist")?,
            least_flow: get("least_flow")?,
            shadow: get("shadow")?,
            gone_flow: get("gone_flow")?,
            walk: get("walk")?,
            near_m: get("near_m")?,
            same_m: get("same_m")?,
            young_h: hours("young_h")?,
            history_h: hours("history_h")?,
            refit_h: hours("refit_h")?,
            search_h: hours("search_h")?,
            hop_h: hours("hop_h")?,
            rest_h: hours("rest_h")?,
            move_llr: get("move_llr")?,
            move_mass: get("move_mass")?,
            calibrate_least_h: hours("calibrate_least_h")?,
        })
    }
}
