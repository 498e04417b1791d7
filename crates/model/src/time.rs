//! Valid time. Proleptic Gregorian, UTC, milliseconds since 1970-01-01T00:00:00Z.

use crate::ModelError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

const DAY_MS: i64 = 86_400_000;

/// A moment in the world: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

impl Instant {
    /// Before everything; as an interval's start it means "since always or unknown".
    pub const MIN: Self = Self(i64::MIN);
    /// After everything; as an interval's end it means "still standing".
    pub const MAX: Self = Self(i64::MAX);

    /// Midnight UTC of a civil date. Months and days outside their range are carried over.
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Self {
        Self(days_from_civil(i64::from(year), i64::from(month), i64::from(day)) * DAY_MS)
    }
    pub fn from_day(day: i32) -> Self {
        match day {
            i32::MIN => Self::MIN,
            i32::MAX => Self::MAX,
            d => Self(i64::from(d) * DAY_MS),
        }
    }
    /// Whole days since 1970-01-01, rounded down; the unbounded ends become `i32::MIN` and `i32::MAX`.
    /// This is the unit that travels inside tiles.
    pub fn day(self) -> i32 {
        match self {
            Self::MIN => i32::MIN,
            Self::MAX => i32::MAX,
            Self(ms) => ms.div_euclid(DAY_MS).clamp(i64::from(i32::MIN) + 1, i64::from(i32::MAX) - 1) as i32,
        }
    }
    pub fn year(self) -> i32 {
        civil_from_days(self.0.div_euclid(DAY_MS)).0 as i32
    }
    /// `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, `YYYY-MM-DDThh:mm[:ss[.fff]](Z|±hh:mm)`; without an offset UTC is taken.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        parse_instant(text.trim()).ok_or_else(|| ModelError::Instant { text: text.chars().take(40).collect() })
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MIN | Self::MAX => f.write_str(".."),
            Self(ms) => {
                let (y, m, d) = civil_from_days(ms.div_euclid(DAY_MS));
                let rest = ms.rem_euclid(DAY_MS);
                if rest == 0 {
                    return write!(f, "{y:04}-{m:02}-{d:02}");
                }
                let (s, milli) = (rest / 1000, rest % 1000);
                write!(f, "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)?;
                if milli != 0 {
                    write!(f, ".{milli:03}")?;
                }
                f.write_str("Z")
            }
        }
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// A span of valid time, `from` included, `to` excluded. Unbounded ends are [`Instant::MIN`] and [`Instant::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interval {
    pub from: Instant,
    pub to: Instant,
}

impl Interval {
    pub const ALWAYS: Self = Self { from: Instant::MIN, to: Instant::MAX };

    pub fn new(from: Instant, to: Instant) -> Result<Self, ModelError> {
        if to < from {
            return Err(ModelError::Interval { from: from.to_string(), to: to.to_string() });
        }
        Ok(Self { from, to })
    }
    pub fn since(from: Instant) -> Self {
        Self { from, to: Instant::MAX }
    }
    pub fn contains(&self, at: Instant) -> bool {
        self.from <= at && at < self.to
    }
    /// Do two half-open spans share a moment? An empty span (`from == to`) shares none.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.from < other.to && other.from < self.to && self.from < self.to && other.from < other.to
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (self.from, self.to).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (from, to) = <(String, String)>::deserialize(d)?;
        let bound = |text: &str, open| if text == ".." { Ok(open) } else { Instant::parse(text) };
        bound(&from, Instant::MIN)
            .and_then(|from| bound(&to, Instant::MAX).and_then(|to| Self::new(from, to)))
            .map_err(serde::de::Error::custom)
    }
}

// Howard Hinnant's civil calendar arithmetic, as published in "chrono-Compatible Low-Level Date Algorithms".
fn days_from_civil(y: i64, m: i64, d: i64) -> i64 {
    let (y, m) = (y + (m - 1).div_euclid(12), (m - 1).rem_euclid(12) + 1);
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

fn civil_from_days(z: i64) -> (i64, i64, i64) {
    let z = z + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let d = doy - (153 * mp + 2) / 5 + 1;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(m <= 2), m, d)
}

fn parse_instant(text: &str) -> Option<Instant> {
    let digits = |s: &str, n: usize| (s.len() == n && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<i64>().ok())?;
    let (date, clock) = match text.find(['T', 't', ' ']) {
        Some(i) => (text.get(..i)?, Some(text.get(i + 1..)?)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |m| digits(m, 2))?;
    let day = parts.next().map_or(Some(1), |d| digits(d, 2))?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if parts.next().is_some() || !(1..=last).contains(&day) {
        return None;
    }
    let mut ms = days_from_civil(year, month, day) * DAY_MS;
    if let Some(clock) = clock {
        let (clock, offset_min) = if let Some(c) = clock.strip_suffix(['Z', 'z']) {
            (c, 0)
        } else if let Some(i) = clock.rfind(['+', '-']) {
            let (h, m) = clock.get(i + 1..)?.split_once(':')?;
            let min = digits(h, 2)? * 60 + digits(m, 2)?;
            (clock.get(..i)?, if clock.as_bytes()[i] == b'-' { -min } else { min })
        } else {
            (clock, 0)
        };
        let (hms, frac) = clock.split_once('.').unwrap_or((clock, "0"));
        let mut parts = hms.split(':');
        let h = digits(parts.next()?, 2)?;
        let m = digits(parts.next()?, 2)?;
        let s = parts.next().map_or(Some(0), |s| digits(s, 2))?;
        if parts.next().is_some() || h > 23 || m > 59 || s > 60 || frac.is_empty() || !frac.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let milli: i64 = format!("{frac:0<3}").get(..3)?.parse().ok()?;
        ms += ((h * 60 + m - offset_min) * 60 + s) * 1000 + milli;
    }
    Some(Instant(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        for text in ["1970-01-01", "2026-01-20", "2000-02-29", "1899-12-31", "2026-01-20T06:32:05Z"] {
            assert_eq!(Instant::parse(text).map(|i| i.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(Instant::parse("2026-01-20T14:32:00+08:00"), Instant::parse("2026-01-20T06:32:00Z"));
        assert_eq!(Instant::from_ymd(2026, 1, 20).day(), 20_473);
        assert_eq!(Instant::from_ymd(2012, 6, 1).year(), 2012);
    }

    #[test]
    fn impossible_dates_are_refused() {
        for text in ["2026-13-45", "2026-02-29", "26-01-01", "", "2026-01-01T25:00Z", "now", "2026-01-01T10:00:00.Z"] {
            assert!(Instant::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn half_open_intervals_meet_only_inside() {
        let a = Interval { from: Instant(0), to: Instant(10) };
        let b = Interval { from: Instant(10), to: Instant(20) };
        assert!(!a.overlaps(&b) && a.contains(Instant(0)) && !a.contains(Instant(10)));
    }
}
