use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One thing that was read and not taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The feature's own id, when it has one.
    pub id: Option<String>,
    /// Where: `file.gml:1204`, `WSLINE row 17`, `[PIPES] line 88`.
    pub place: String,
    /// Stable code: `invalid-geometry`, `missing-point`, `not-a-number`, `unknown-code`, …
    pub code: String,
    pub reason: String,
}

/// What an import read, took and refused. `read = taken + refused` always holds; `refused_shown` keeps the
/// first thousand refusals, `refused` counts all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Report {
    pub files: Vec<String>,
    pub read: u64,
    pub taken: u64,
    pub refused: u64,
    #[serde(rename = "refusals")]
    pub refused_shown: Vec<Refusal>,
    /// Features taken, by layer.
    pub layers: BTreeMap<String, u64>,
    /// What the reader noticed and did not act on: layers left out and why, assumptions made.
    pub notes: Vec<String>,
}

impl Report {
    const SHOWN: usize = 1000;

    pub fn take(&mut self, layer: &str) {
        self.read += 1;
        self.taken += 1;
        match self.layers.get_mut(layer) {
            Some(n) => *n += 1,
            None => {
                self.layers.insert(layer.to_owned(), 1);
            }
        }
    }
    pub fn refuse(&mut self, id: Option<&str>, place: impl Into<String>, code: &str, reason: impl Into<String>) {
        self.read += 1;
        self.refused += 1;
        if self.refused_shown.len() < Self::SHOWN {
            self.refused_shown.push(Refusal {
                id: id.map(str::to_owned),
                place: place.into(),
                code: code.to_owned(),
                reason: reason.into(),
            });
        }
    }
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if self.notes.len() < Self::SHOWN && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }
}
