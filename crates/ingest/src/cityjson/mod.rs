//! CityJSON 1.0, 1.1 and 2.0, and CityJSON text sequences (one feature a line).
//!
//! As in [`citygml`](crate::citygml): of several levels of detail the best of 3, 2, 1 is kept (within one, the finer:
//! 2.2 before 2.0), then 4, then 0. Building parts and installations are merged into their building: one building, one
//! feature; a part whose parent the file does not hold stands alone. Rooms and other interiors are refused as not read.
//!
//! A whole file must fit into memory, a sequence only its longest line.

mod json;
mod objects;
mod shape;

use crate::{
    ImportOptions, IngestError, Report, Sink, archive,
    citygml::{crs::Ways, layers::Layers},
    output::Output,
};
use json::{Document, Templates, Transform};
use objects::Import;
use shape::Vertices;
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
};

const MAX_WHOLE: u64 = 2 << 30;
const MAX_LINE: u64 = 256 << 20;

pub(crate) fn recognises(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head);
    head.trim_start_matches('\u{feff}').trim_start().starts_with('{')
        && ["\"CityJSON\"", "\"CityJSONFeature\"", "\"CityObjects\""].iter().any(|word| head.contains(word))
}

pub(crate) fn read(path: &Path, options: &ImportOptions, sink: &mut dyn Sink, report: &mut Report) -> Result<(), IngestError> {
    let mut out = Output::new(path, options, sink, report);
    let name = path.file_name().map_or_else(|| "file".into(), |n| n.to_string_lossy().into_owned());
    let mut input = BufReader::with_capacity(256 << 10, archive::open(path)?);
    let mut import = Import { out: &mut out, layers: Layers::default(), ways: Ways::new(), name };
    let first = line(&mut input, path)?;
    match serde_json::from_slice::<Document>(mark_free(&first)) {
        // One line holds it all, or it is the head of a sequence.
        Ok(document) => import.sequence(document, &mut input),
        Err(e) if e.is_eof() || first.trim_ascii().is_empty() => {
            let mut whole = first;
            let room = MAX_WHOLE.saturating_sub(whole.len() as u64);
            input.take(room + 1).read_to_end(&mut whole).map_err(|e| archive::read_error(path, &e))?;
            if whole.len() as u64 > MAX_WHOLE {
                return Err(IngestError::new(path, "invalid-content", "a CityJSON file over 2 GiB; make it a sequence (CityJSONSeq)"));
            }
            let document = serde_json::from_slice(mark_free(&whole)).map_err(|e| import.json_error(&e, 0))?;
            drop(whole);
            import.sequence(document, &mut std::io::empty())
        }
        Err(e) => Err(import.json_error(&e, 0)),
    }
}

fn mark_free(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// One line with its end, empty at the end of the file.
fn line(input: &mut impl BufRead, path: &Path) -> Result<Vec<u8>, IngestError> {
    let mut line = Vec::new();
    input.take(MAX_LINE + 1).read_until(b'\n', &mut line).map_err(|e| archive::read_error(path, &e))?;
    if line.len() as u64 > MAX_LINE {
        return Err(IngestError::new(
            path,
            "invalid-content",
            "a line of CityJSON over 256 MiB; write it with line breaks or as a sequence",
        ));
    }
    Ok(line)
}

impl Import<'_, '_> {
    fn json_error(&self, e: &serde_json::Error, lines_before: usize) -> IngestError {
        let (code, reason) = match e.is_eof() {
            true => ("truncated", "the JSON ends too early".to_owned()),
            false => ("invalid-content", format!("not readable as CityJSON: {e}")),
        };
        self.out.error(code, reason).at(format!("{}:{}", self.name, lines_before + e.line()))
    }
    /// The first document, then the features of its sequence, if any follow.
    fn sequence(&mut self, head: Document, rest: &mut dyn BufRead) -> Result<(), IngestError> {
        let fault = |this: &Self, reason: &str| Err(this.out.error("invalid-content", reason.to_owned()).at(format!("{}:1", this.name)));
        match head.kind.as_str() {
            "CityJSON" => {}
            "CityJSONFeature" => {
                return fault(self, "a sequence without its first line, the CityJSON object that holds the scale of its vertices");
            }
            _ => return Err(self.out.error("unsupported-media", "the JSON is not of type CityJSON")),
        }
        let version = head.version.clone().unwrap_or_default();
        let transform = match head.transform.clone() {
            Some(t) if t.scale.iter().chain(&t.translate).all(|v| v.is_finite()) => t,
            Some(_) => return fault(self, "a transform that is not finite"),
            None if version.starts_with("1.0") => Transform::NONE,
            None => return fault(self, "no transform: since version 1.1 the vertices mean nothing without it"),
        };
        self.ways.default = head.metadata.as_ref().and_then(|m| {
            let old = || m.crs.as_ref().and_then(|c| c["epsg"].as_u64()).map(|n| format!("urn:ogc:def:crs:EPSG::{n}"));
            m.reference_system.clone().filter(|r| !r.trim().is_empty()).or_else(old)
        });
        let templates = head.templates.as_ref();
        self.document(&head, &transform, templates, 0)?;
        let mut number = 1;
        loop {
            let mut bytes = Vec::new();
            let path = self.out.path;
            rest.take(MAX_LINE + 1).read_until(b'\n', &mut bytes).map_err(|e| archive::read_error(path, &e))?;
            if bytes.len() as u64 > MAX_LINE {
                return Err(self.out.error("invalid-content", "a line of the sequence over 256 MiB"));
            }
            if bytes.is_empty() {
                return Ok(());
            }
            number += 1;
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice::<Document>(&bytes) {
                Ok(feature) if feature.kind == "CityJSONFeature" => self.document(&feature, &transform, templates, number)?,
                Ok(_) => self.out.refuse(None, format!("{}:{number}", self.name), "invalid-content", "a line that is no CityJSONFeature"),
                // The last line is torn: the file is not whole, and nobody knows what else is missing.
                Err(e) if e.is_eof() && !bytes.ends_with(b"\n") => return Err(self.json_error(&e, number - 1)),
                Err(e) => self.out.refuse(None, format!("{}:{number}", self.name), "invalid-content", format!("not readable: {e}")),
            }
        }
    }
    fn document(
        &mut self,
        document: &Document,
        transform: &Transform,
        templates: Option<&Templates>,
        line: usize,
    ) -> Result<(), IngestError> {
        let at = Vertices { points: &document.vertices, transform: transform.clone(), templates };
        self.objects(&document.objects, &at, line)
    }
}
