//! The section format that EPANET and SWMM share: `[NAME]`, one record a line, `;` begins a comment.

use crate::{IngestError, text};
use std::{collections::HashMap, path::Path};

pub(super) struct Record {
    pub line: usize,
    pub fields: Vec<String>,
}

pub(super) struct Sections {
    /// Section names as the file has them, upper case.
    sections: HashMap<String, Vec<Record>>,
    pub encoding: &'static str,
}

const MAX_BYTES: u64 = 256 << 20;

impl Sections {
    pub fn read(path: &Path) -> Result<Self, IngestError> {
        let io = |e: std::io::Error| IngestError::new(path, "io", e.to_string());
        if std::fs::metadata(path).map_err(io)?.len() > MAX_BYTES {
            return Err(IngestError::new(path, "invalid-content", "a network of more than 256 MiB"));
        }
        let (content, encoding) = text::decode(&std::fs::read(path).map_err(io)?);
        let mut sections: HashMap<String, Vec<Record>> = HashMap::new();
        let mut current: Option<String> = None;
        for (i, line) in content.lines().enumerate() {
            let line = line.split(';').next().unwrap_or_default().trim();
            if let Some(name) = line.strip_prefix('[') {
                let name = name.split(']').next().unwrap_or_default().trim().to_ascii_uppercase();
                if name == "END" {
                    break;
                }
                sections.entry(name.clone()).or_default();
                current = (name != "TITLE").then_some(name);
            } else if let Some(records) = current.as_ref().and_then(|c| sections.get_mut(c))
                && !line.is_empty()
            {
                records.push(Record { line: i + 1, fields: fields(line) });
            }
        }
        if sections.is_empty() {
            return Err(IngestError::new(path, "invalid-content", "no [SECTION] in it"));
        }
        Ok(Self { sections, encoding })
    }
    /// Records of all sections whose name begins so: EPANET itself knows a section by its first letters.
    pub fn of<'s>(&'s self, start: &'s str) -> impl Iterator<Item = &'s Record> {
        let mut names: Vec<&String> = self.sections.keys().filter(|n| n.starts_with(start)).collect();
        names.sort();
        names.into_iter().flat_map(|n| self.sections[n].iter())
    }
    /// The value of `[OPTIONS]` key, case ignored.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.of("OPTIONS")
            .find(|r| r.fields.first().is_some_and(|k| k.eq_ignore_ascii_case(key)))
            .and_then(|r| r.fields.get(1))
            .map(String::as_str)
    }
}

/// Fields between blanks; `"two words"` is one.
fn fields(line: &str) -> Vec<String> {
    if !line.contains('"') {
        return line.split_whitespace().map(str::to_owned).collect();
    }
    let mut out = Vec::new();
    for (i, part) in line.split('"').enumerate() {
        if i % 2 == 1 {
            out.push(part.to_owned());
        } else {
            out.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    out
}

pub(super) type Refused = (&'static str, String);

impl Record {
    pub fn id(&self) -> &str {
        self.fields.first().map_or("", String::as_str)
    }
    pub fn text(&self, i: usize) -> Option<&str> {
        self.fields.get(i).map(String::as_str).filter(|t| !t.is_empty() && *t != "*")
    }
    /// `None` when the field is not there.
    pub fn number(&self, i: usize, name: &str) -> Result<Option<f64>, Refused> {
        match self.text(i) {
            None => Ok(None),
            Some(t) => text::number(t)
                .map(Some)
                .ok_or_else(|| ("not-a-number", format!("{name} `{}` is not a number", t.chars().take(40).collect::<String>()))),
        }
    }
    pub fn required(&self, i: usize, name: &str) -> Result<f64, Refused> {
        self.number(i, name)?.ok_or_else(|| ("missing-value", format!("{name} is missing")))
    }
}
