//! What model and measurements disagree about when nothing leaks, and how much that scatters.

use super::{
    LeakError, Settings,
    readings::HOUR_S,
    twin::{Innovations, Twin},
};
use std::collections::HashMap;

/// A leak known during calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub pipe: String,
    /// m³/h in each hour of the calibration.
    pub flow_m3h: Vec<f64>,
}

const TERMS: usize = 7;

/// Systematic differences by flow and hour of the day, scatter by state, and the signatures of leaks.
#[derive(Debug, Clone)]
pub struct Baseline {
    pub pipes: Vec<String>,
    pub near: Vec<Vec<(u32, f64)>>,
    /// Metered totals of the states, m³/h, growing.
    pub states: Vec<f64>,
    /// State, pipe, column.
    pub signatures: Vec<Vec<Vec<f64>>>,
    mean_total: f64,
    terms: Vec<[f64; TERMS]>,
    /// Scatter of the columns in each state.
    scatter: Vec<Vec<Vec<f64>>>,
    /// How sharply one hour tells a leak's flow, m³/h: the middle one of all pipes and states.
    pub hour_m3h: f64,
}

impl Baseline {
    /// Learns from hours whose leaks, if any, are known.
    pub fn learn(twin: &Twin, innovations: &Innovations, known: &[Known], settings: &Settings) -> Result<Self, LeakError> {
        let hours = innovations.rows.len();
        let heard = innovations.rows.iter().flatten().count();
        if heard < settings.calibrate_least_h {
            let least = settings.calibrate_least_h;
            return Err(LeakError::Calibration(format!(
                "a baseline is learnt from {least} hours at least; {heard} of {hours} have readings"
            )));
        }
        let (states, signatures) = twin.signatures(innovations)?;
        let pipes: Vec<String> = twin.pipes().into_iter().map(str::to_owned).collect();
        let at: HashMap<&str, usize> = pipes.iter().enumerate().map(|(i, p)| (p.as_str(), i)).collect();
        let known: Vec<(usize, &Known)> = known
            .iter()
            .map(|k| match at.get(k.pipe.as_str()) {
                Some(p) if k.flow_m3h.len() == hours => Ok((*p, k)),
                Some(_) => Err(LeakError::reading(&k.pipe, "a known leak has one flow for each hour")),
                None => Err(LeakError::reading(&k.pipe, "the model has no such pipe")),
            })
            .collect::<Result<_, _>>()?;
        let totals: Vec<f64> = innovations.total.iter().copied().filter(|t| t.is_finite()).collect();
        let mean_total = (totals.iter().sum::<f64>() / totals.len().max(1) as f64).abs().max(1e-6);
        let columns = twin.columns();
        let mut new = Self {
            near: twin.neighbours(settings.near_m),
            pipes,
            states,
            signatures,
            mean_total,
            terms: vec![[0.0; TERMS]; columns],
            scatter: Vec::new(),
            hour_m3h: 0.0,
        };

        let mut rows: Vec<Vec<f64>> = Vec::new();
        let mut when: Vec<usize> = Vec::new();
        for (hour, row) in innovations.rows.iter().enumerate() {
            let Some(row) = row else { continue };
            let mut row = row.clone();
            for (pipe, k) in known.iter().filter(|(_, k)| k.flow_m3h[hour] > 0.0) {
                new.subtract(&mut row, *pipe, innovations.total[hour], k.flow_m3h[hour]);
            }
            rows.push(row);
            when.push(hour);
        }
        let start = innovations.start_s;
        let x: Vec<[f64; TERMS]> = when.iter().map(|h| new.features(start, *h, innovations.total[*h])).collect();
        for column in 0..columns {
            new.terms[column] = least_squares(x.iter().zip(&rows).filter(|(_, r)| r[column].is_finite()).map(|(x, r)| (x, r[column])));
        }
        for (x, row) in x.iter().zip(&mut rows) {
            for (column, v) in row.iter_mut().enumerate() {
                *v -= dot(x, &new.terms[column]);
            }
        }
        let of_state: Vec<usize> = when.iter().map(|h| new.state(innovations.total[*h])).collect();
        for state in 0..new.states.len() {
            let mine: Vec<&Vec<f64>> = rows.iter().zip(&of_state).filter(|(_, s)| **s == state).map(|(r, _)| r).collect();
            // Too few hours of a state borrow from all.
            let all: Vec<&Vec<f64>> = rows.iter().collect();
            let from = if mine.len() >= 3 * columns { &mine } else { &all };
            new.scatter.push(covariance(from, columns));
        }
        let mut sharp: Vec<f64> = Vec::new();
        for (state, pipes) in new.signatures.iter().enumerate() {
            let w = new.whitening(state, &[])?;
            let power = pipes.iter().map(|s| whiten(&w, s).iter().map(|v| v * v).sum::<f64>().sqrt());
            sharp.extend(power.filter(|v| *v > 0.0).map(|v| 1.0 / v));
        }
        sharp.sort_by(f64::total_cmp);
        new.hour_m3h = sharp.get(sharp.len() / 2).copied().unwrap_or(f64::NAN);
        Ok(new)
    }

    fn features(&self, start_s: i64, hour: usize, total: f64) -> [f64; TERMS] {
        let g = if total.is_finite() { total / self.mean_total } else { 1.0 };
        let day = ((start_s + hour as i64 * HOUR_S).rem_euclid(86_400)) as f64 / 86_400.0 * std::f64::consts::TAU;
        [1.0, g, g * g, day.sin(), day.cos(), (2.0 * day).sin(), (2.0 * day).cos()]
    }

    /// An hour's differences without what is usual; NaN where a sensor is silent.
    pub fn unusual(&self, innovations: &Innovations, hour: usize) -> Option<Vec<f64>> {
        let row = innovations.rows[hour].as_ref()?;
        let x = self.features(innovations.start_s, hour, innovations.total[hour]);
        Some(row.iter().zip(&self.terms).map(|(v, t)| v - dot(&x, t)).collect())
    }

    fn place(&self, total: f64) -> (usize, usize, f64) {
        let n = self.states.len();
        let i = self.states.partition_point(|s| *s <= total);
        if i == 0 || !total.is_finite() {
            return (0, 0, 0.0);
        }
        if i == n {
            return (n - 1, n - 1, 0.0);
        }
        (i - 1, i, (total - self.states[i - 1]) / (self.states[i] - self.states[i - 1]))
    }
    /// The nearest state.
    pub fn state(&self, total: f64) -> usize {
        let (a, b, t) = self.place(total);
        if t < 0.5 { a } else { b }
    }
    /// What one m³/h at a pipe does at a total.
    pub fn signature(&self, pipe: usize, total: f64) -> Vec<f64> {
        let (a, b, t) = self.place(total);
        self.signatures[a][pipe].iter().zip(&self.signatures[b][pipe]).map(|(x, y)| x + (y - x) * t).collect()
    }
    pub fn subtract(&self, row: &mut [f64], pipe: usize, total: f64, flow_m3h: f64) {
        let (a, b, t) = self.place(total);
        for ((v, x), y) in row.iter_mut().zip(&self.signatures[a][pipe]).zip(&self.signatures[b][pipe]) {
            *v -= flow_m3h * (x + (y - x) * t);
        }
    }
    /// What turns a difference into independent deviations, with some columns silent: they take no part.
    pub fn whitening(&self, state: usize, silent: &[usize]) -> Result<Vec<Vec<f64>>, LeakError> {
        let n = self.terms.len();
        let heard: Vec<usize> = (0..n).filter(|c| !silent.contains(c)).collect();
        let part: Vec<Vec<f64>> = heard.iter().map(|i| heard.iter().map(|j| self.scatter[state][*i][*j]).collect()).collect();
        let mut out = vec![vec![0.0; n]; n];
        for (row, i) in inverse_factor(&part)?.iter().zip(&heard) {
            row.iter().zip(&heard).for_each(|(v, j)| out[*i][*j] = *v);
        }
        Ok(out)
    }
}

/// By a lower triangle from [`Baseline::whitening`]; what is silent becomes nothing.
pub(crate) fn whiten(whitening: &[Vec<f64>], row: &[f64]) -> Vec<f64> {
    let row: Vec<f64> = row.iter().map(|v| if v.is_finite() { *v } else { 0.0 }).collect();
    whitening.iter().enumerate().map(|(i, w)| dot(&w[..=i], &row)).collect()
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn covariance(rows: &[&Vec<f64>], columns: usize) -> Vec<Vec<f64>> {
    let mut c = vec![vec![0.0; columns]; columns];
    let mut n = vec![vec![0.0f64; columns]; columns];
    for row in rows {
        for i in (0..columns).filter(|i| row[*i].is_finite()) {
            for j in (0..=i).filter(|j| row[*j].is_finite()) {
                c[i][j] += row[i] * row[j];
                n[i][j] += 1.0;
            }
        }
    }
    for i in 0..columns {
        for j in 0..=i {
            // Pairs that were seldom heard together are pulled to nothing in common.
            c[i][j] /= n[i][j].max(1.0);
            c[j][i] = c[i][j];
        }
    }
    for (i, row) in c.iter_mut().enumerate() {
        // A sensor's last digit is a centimetre: no scatter is less than its rounding.
        row[i] = row[i] * 1.05 + 1e-5;
    }
    c
}

/// The inverse of the lower Cholesky factor.
fn inverse_factor(c: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, LeakError> {
    let n = c.len();
    let mut l = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let s = c[i][j] - dot(&l[i][..j], &l[j][..j]);
            if i == j {
                if s.is_nan() || s <= 0.0 {
                    return Err(LeakError::Calibration(
                        "the scatter of the sensors cannot be told apart: too few hours or twin sensors".into(),
                    ));
                }
                l[i][i] = s.sqrt();
            } else {
                l[i][j] = s / l[j][j];
            }
        }
    }
    let mut inverse = vec![vec![0.0; n]; n];
    for i in 0..n {
        inverse[i][i] = 1.0 / l[i][i];
        for j in 0..i {
            let s: f64 = (j..i).map(|k| l[i][k] * inverse[k][j]).sum();
            inverse[i][j] = -s / l[i][i];
        }
    }
    Ok(inverse)
}

/// Normal equations with a whisper of a ridge, by elimination with pivots.
fn least_squares<'a>(rows: impl Iterator<Item = (&'a [f64; TERMS], f64)>) -> [f64; TERMS] {
    let mut a = [[0.0; TERMS + 1]; TERMS];
    let mut n = 0.0;
    for (x, y) in rows {
        n += 1.0;
        for i in 0..TERMS {
            for j in 0..TERMS {
                a[i][j] += x[i] * x[j];
            }
            a[i][TERMS] += x[i] * y;
        }
    }
    for (i, row) in a.iter_mut().enumerate() {
        row[i] += 1e-6 * n + 1e-9;
    }
    for i in 0..TERMS {
        let pivot = (i..TERMS).max_by(|p, q| a[*p][i].abs().total_cmp(&a[*q][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        let lead = a[i];
        for row in a.iter_mut().skip(i + 1) {
            let f = row[i] / lead[i];
            for (v, l) in row.iter_mut().zip(&lead) {
                *v -= f * l;
            }
        }
    }
    let mut out = [0.0; TERMS];
    for i in (0..TERMS).rev() {
        out[i] = (a[i][TERMS] - (i + 1..TERMS).map(|j| a[i][j] * out[j]).sum::<f64>()) / a[i][i];
    }
    out
}
