//! Hourly series of sensors on one clock, made from rows as they come.

use super::LeakError;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Pressure head at a node, m.
    Pressure,
    /// Flow along a link, start to end, m³/h.
    Flow,
    /// Water over a tank's floor, m.
    Level,
    /// What a metered node draws, m³/h.
    Demand,
}

pub const HOUR_S: i64 = 3600;

/// One value an hour for each sensor; NaN where none came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Readings {
    /// Seconds since 1970-01-01T00:00 on the sensors' own wall clock, of the first hour.
    pub start_s: i64,
    pub hours: usize,
    pub series: BTreeMap<(Kind, String), Vec<f64>>,
}

impl Readings {
    pub fn new(start_s: i64, hours: usize) -> Self {
        Self { start_s, hours, series: BTreeMap::new() }
    }

    /// Puts a whole series; it must have one value for each hour.
    pub fn put(&mut self, kind: Kind, id: &str, values: Vec<f64>) -> Result<(), LeakError> {
        if values.len() != self.hours {
            return Err(LeakError::reading(id, format!("{} values for {} hours", values.len(), self.hours)));
        }
        if values.iter().any(|v| v.is_infinite()) {
            return Err(LeakError::reading(id, "a value is infinite"));
        }
        if self.series.insert((kind, id.to_owned()), values).is_some() {
            return Err(LeakError::reading(id, "the series is given twice"));
        }
        Ok(())
    }

    /// One sensor's rows (seconds, value) into hourly means. A time that goes back or comes twice is refused with its
    /// row; a jump forward leaves hours without a value.
    pub fn put_rows(&mut self, kind: Kind, id: &str, rows: &[(i64, f64)]) -> Result<(), LeakError> {
        let (mut sum, mut count) = (vec![0.0; self.hours], vec![0u32; self.hours]);
        for (i, (at, value)) in rows.iter().enumerate() {
            if i > 0 && *at <= rows[i - 1].0 {
                let how = if *at == rows[i - 1].0 { "comes twice" } else { "goes back" };
                return Err(LeakError::reading(format!("{id} row {}", i + 1), format!("the time {how}")));
            }
            let hour = (at - self.start_s).div_euclid(HOUR_S);
            if value.is_finite() && (0..self.hours as i64).contains(&hour) {
                sum[hour as usize] += value;
                count[hour as usize] += 1;
            }
        }
        let mean = sum.iter().zip(&count).map(|(s, n)| if *n > 0 { s / f64::from(*n) } else { f64::NAN }).collect();
        self.put(kind, id, mean)
    }

    pub fn ids(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.series.keys().filter(move |k| k.0 == kind).map(|k| k.1.as_str())
    }
    pub fn get(&self, kind: Kind, id: &str, hour: usize) -> f64 {
        self.series.get(&(kind, id.to_owned())).map_or(f64::NAN, |s| s[hour])
    }
    /// The first hours alone.
    pub fn until(&self, hours: usize) -> Self {
        let hours = hours.min(self.hours);
        Self { start_s: self.start_s, hours, series: self.series.iter().map(|(k, v)| (k.clone(), v[..hours].to_vec())).collect() }
    }
    /// Both, one after the other; what only one has is NaN in the other.
    pub fn then(&self, next: &Self) -> Self {
        let mut out = Self::new(self.start_s, self.hours + next.hours);
        for key in self.series.keys().chain(next.series.keys()) {
            let part = |r: &Self| r.series.get(key).cloned().unwrap_or_else(|| vec![f64::NAN; r.hours]);
            out.series.entry(key.clone()).or_insert_with(|| [part(self), part(next)].concat());
        }
        out
    }
}
