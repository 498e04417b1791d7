//! Clocks: the office's working days, which stand still while it waits for somebody outside, and the minutes of those
//! who are on duty day and night.

use crate::Definition;
use serde::Serialize;
use std::collections::BTreeSet;
use strata_model::{Case, Instant};

/// Monday to Friday, less the days off, plus the weekends that are worked (调休). Days since 1970-01-01, in the city's time.
#[derive(Debug, Clone, Default)]
pub struct Calendar {
    pub days_off: BTreeSet<i32>,
    pub days_worked: BTreeSet<i32>,
    /// The city's time is UTC plus this, hours.
    pub utc_offset_h: i32,
}

impl Calendar {
    /// The city's day on which an instant falls.
    pub fn day(&self, at: Instant) -> i32 {
        Instant(at.0.saturating_add(i64::from(self.utc_offset_h) * 3_600_000)).day()
    }

    /// The moment at which a day of the city is over.
    pub fn end_of(&self, day: i32) -> Instant {
        Instant((i64::from(day) + 1) * 86_400_000 - i64::from(self.utc_offset_h) * 3_600_000)
    }

    pub fn works(&self, day: i32) -> bool {
        // 1970-01-01 was a Thursday.
        let weekend = matches!((day + 3).rem_euclid(7), 5 | 6);
        self.days_worked.contains(&day) || (!weekend && !self.days_off.contains(&day))
    }

    /// The `n`-th working day after `day`; the day itself does not count.
    pub fn after(&self, day: i32, n: u32) -> i32 {
        let mut at = day;
        let mut left = n;
        // A calendar without a working day ends somewhere all the same.
        while left > 0 && at < day.saturating_add(36_600) {
            at += 1;
            left -= u32::from(self.works(at));
        }
        at
    }

    /// Working days after `from` up to `to`; negative when `to` lies before it.
    pub fn between(&self, from: i32, to: i32) -> i32 {
        if to < from {
            return -self.between(to, from);
        }
        (from + 1..=to).filter(|d| self.works(*d)).count() as i32
    }
}

/// How a case stands with the clock of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Clock {
    /// Day by whose end the next step is due, days since 1970-01-01. `None`: nobody's clock runs.
    pub due_day: Option<i32>,
    /// Working days left; negative: overdue.
    pub days_left: Option<i32>,
    /// Working days spent so far in states whose clock runs.
    pub days_spent: i32,
    /// When the next step is due, where the clock runs day and night, and the minutes left; negative: overdue.
    pub due_at: Option<Instant>,
    pub minutes_left: Option<i64>,
}

impl Clock {
    pub fn of(definition: &Definition, case: &Case, calendar: &Calendar, now: Instant) -> Self {
        let mut days_spent = 0;
        let mut entered = (case.opened, case.start_state.as_str());
        let runs = |state: &str| definition.state(state).is_some_and(|s| !s.idle && s.end.is_none());
        for e in case.events.iter().filter(|e| e.from != e.to) {
            if runs(entered.1) {
                days_spent += calendar.between(calendar.day(entered.0), calendar.day(e.at));
            }
            entered = (e.at, &e.to);
        }
        let today = calendar.day(now);
        if runs(entered.1) {
            days_spent += calendar.between(calendar.day(entered.0), today);
        }
        let state = definition.state(entered.1).filter(|s| !s.idle && s.end.is_none());
        let days = state.and_then(|s| s.clock_days);
        let due_at = state.and_then(|s| s.clock_minutes).map(|m| Instant(entered.0.0.saturating_add(i64::from(m) * 60_000)));
        let due_day = days.map(|n| calendar.after(calendar.day(entered.0), n));
        Self {
            due_day,
            days_left: due_day.map(|d| calendar.between(today, d)),
            days_spent,
            due_at,
            minutes_left: due_at.map(|at| (at.0 - now.0).div_euclid(60_000)),
        }
    }
}
