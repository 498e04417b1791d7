//! Tables out of files: CSV in any usual encoding and delimiter, XLSX sheets, a folder or zip of both.

use crate::{IngestError, text, unzip};
use calamine::{DataRef, Reader as _, Xlsx, open_workbook};
use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

/// One sheet or file. `rows[i]` is row `i + 1` as a person counts it.
pub(crate) struct Table {
    pub name: String,
    pub rows: Vec<Vec<String>>,
    /// What is wrong with the file itself.
    pub faults: Vec<TableFault>,
}

/// A fault of a file: row, id of the quality rule, reason.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableFault {
    pub row: usize,
    pub rule: &'static str,
    pub reason: String,
}

const MAX_COLUMNS: usize = 512;
const MAX_ROWS: usize = 1 << 20;
const MAX_CELLS: usize = 30_000_000;
const MAX_BYTES: u64 = 256 << 20;
const MAX_FILES: usize = 1000;

/// All tables of a file, folder or zip, and the encodings met, for the report.
pub(crate) fn tables(path: &Path) -> Result<(Vec<Table>, Vec<String>), IngestError> {
    let mut notes = Vec::new();
    if path.is_dir() {
        return Ok((folder(path, path, &mut notes)?, notes));
    }
    if super::super::sniff::head(path)?.starts_with(b"PK") {
        let names = unzip::names(path)?;
        if names.iter().any(|n| n == "xl/workbook.xml") {
            return Ok((workbook(path)?, notes));
        }
        let unpacked = unzip::unpack(path, |n| is_table(Path::new(n)))?;
        let tables = folder(unpacked.path(), path, &mut notes)?;
        return Ok((tables, notes));
    }
    Ok((vec![delimited(path, path, &mut notes)?], notes))
}

fn is_table(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|n| n.to_string_lossy().starts_with(['.', '~']));
    !hidden && path.extension().is_some_and(|e| ["csv", "txt", "tsv", "xlsx"].iter().any(|x| e.eq_ignore_ascii_case(x)))
}

/// Table files of a folder and of the folders in it, in the order of their names.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((dir, depth)) = open.pop() {
        for e in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let p = e.path();
            let kind = e.file_type();
            if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) && depth < 3 {
                open.push((p, depth + 1));
            } else if kind.is_ok_and(|k| k.is_file()) && is_table(&p) && found.len() < MAX_FILES {
                found.push(p);
            }
        }
    }
    found.sort();
    found
}

fn folder(folder: &Path, named: &Path, notes: &mut Vec<String>) -> Result<Vec<Table>, IngestError> {
    let mut tables = Vec::new();
    for file in files(folder) {
        if file.extension().is_some_and(|e| e.eq_ignore_ascii_case("xlsx")) {
            tables.extend(workbook(&file).map_err(|e| IngestError { path: named.to_owned(), ..e }.at(show(&file, folder)))?);
        } else {
            tables.push(delimited(&file, named, notes)?);
        }
    }
    Ok(tables)
}

fn show(file: &Path, folder: &Path) -> String {
    file.strip_prefix(folder).unwrap_or(file).display().to_string()
}

fn delimited(file: &Path, named: &Path, notes: &mut Vec<String>) -> Result<Table, IngestError> {
    let io = |e: std::io::Error| IngestError::new(named, "io", e.to_string());
    if std::fs::metadata(file).map_err(io)?.len() > MAX_BYTES {
        return Err(IngestError::new(named, "invalid-content", "a table of more than 256 MiB"));
    }
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = std::fs::read(file).map_err(io)?;
    let mut faults = Vec::new();
    if let Some(row) = text::mixed(&bytes) {
        let reason = "UTF-8 and GBK stand in one file: rows before this one are in the other encoding".to_owned();
        faults.push(TableFault { row, rule: "encoding", reason });
    }
    let (content, encoding) = text::decode(&bytes);
    if encoding != "UTF-8" {
        notes.push(format!("table {name} read as {encoding}"));
    }
    let lost = |c: char| c == '\u{fffd}' || c == '\0';
    if let Some(row) = content.lines().position(|l| l.contains(lost)).filter(|_| faults.is_empty()) {
        faults.push(TableFault { row: row + 1, rule: "encoding", reason: "characters that cannot be read".into() });
    } else if encoding == "windows-1252" && faults.is_empty() {
        faults.push(TableFault { row: 0, rule: "encoding", reason: "neither UTF-8 nor GBK".into() });
    }
    Ok(Table { name, rows: rows(&content, named)?, faults })
}

pub(super) fn rows(content: &str, named: &Path) -> Result<Vec<Vec<String>>, IngestError> {
    // A title above the heading has no delimiter: the first lines together tell.
    let first: String = content.lines().take(64).collect();
    let delimiter = [b',', b'\t', b';'].into_iter().max_by_key(|d| first.bytes().filter(|b| b == d).count()).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(content.as_bytes());
    let mut out: Vec<Vec<String>> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| IngestError::new(named, "invalid-content", e.to_string()))?;
        // The reader skips blank lines; row numbers must not.
        let line = record.position().map_or(out.len() + 1, |p| {
            // Its position is that of the blank lines in front of it.
            let blank = content.as_bytes().iter().skip(p.byte() as usize).take_while(|b| matches!(b, b'\n' | b'\r'));
            p.line() as usize + blank.filter(|b| **b == b'\n').count()
        });
        if line <= MAX_ROWS {
            out.resize(out.len().max(line - 1), Vec::new());
        }
        if out.len() >= MAX_ROWS {
            return Err(IngestError::new(named, "invalid-content", "more than a million rows"));
        }
        out.push(record.iter().take(MAX_COLUMNS).map(|c| c.trim().to_owned()).collect());
    }
    Ok(out)
}

/// Sheets of an XLSX, cell by cell: a lone cell at the far corner costs a row of nothing, not the whole square.
pub(crate) fn workbook(path: &Path) -> Result<Vec<Table>, IngestError> {
    let fault = |e: String| IngestError::new(path, "invalid-content", format!("the workbook is not readable: {e}"));
    let unpacked: u64 = {
        let file = File::open(path).map_err(|e| IngestError::new(path, "io", e.to_string()))?;
        let mut archive = zip::ZipArchive::new(file).map_err(|e| fault(e.to_string()))?;
        (0..archive.len()).filter_map(|i| archive.by_index_raw(i).ok().map(|f| f.size())).fold(0, u64::saturating_add)
    };
    if unpacked > 2 * MAX_BYTES {
        return Err(IngestError::new(path, "archive-limit", "the workbook unpacks to more than 512 MiB"));
    }
    let mut book: Xlsx<BufReader<File>> = open_workbook(path).map_err(|e: calamine::XlsxError| fault(e.to_string()))?;
    let mut tables = Vec::new();
    let mut cells = 0usize;
    for name in book.sheet_names() {
        // Chart sheets have no cells.
        let Ok(mut reader) = book.worksheet_cells_reader(&name) else { continue };
        let mut rows: Vec<Vec<String>> = Vec::new();
        while let Some(cell) = reader.next_cell().map_err(|e| fault(e.to_string()))? {
            let (r, c) = cell.get_position();
            let (r, c) = (r as usize, c as usize);
            cells += 1;
            if r >= MAX_ROWS || cells > MAX_CELLS {
                return Err(IngestError::new(path, "invalid-content", format!("sheet `{name}` has more cells than are read")));
            }
            let shown = show_cell(cell.get_value());
            if c >= MAX_COLUMNS || shown.is_empty() {
                continue;
            }
            if rows.len() <= r {
                rows.resize(r + 1, Vec::new());
            }
            if rows[r].len() <= c {
                rows[r].resize(c + 1, String::new());
            }
            rows[r][c] = shown;
        }
        drop(reader);
        // Only the first cell of a merged region has a value. Above the heading that is a title.
        let merged = book.merge_cells_by_sheet_name(&name).unwrap_or_default();
        let faults = merged
            .iter()
            .map(|m| TableFault {
                row: m.end.0 as usize + 1,
                rule: "merged-cells",
                reason: format!("rows {} to {}, columns {} to {} are one cell", m.start.0 + 1, m.end.0 + 1, m.start.1 + 1, m.end.1 + 1),
            })
            .collect();
        if !rows.is_empty() {
            tables.push(Table { name, rows, faults });
        }
    }
    Ok(tables)
}

fn show_cell(v: &DataRef<'_>) -> String {
    match v {
        DataRef::Int(i) => i.to_string(),
        // Excel keeps 15 digits; shortest form gives back what was typed.
        DataRef::Float(f) => f.to_string(),
        DataRef::String(s) => s.trim().to_owned(),
        DataRef::SharedString(s) => s.trim().to_owned(),
        DataRef::Bool(b) => b.to_string(),
        DataRef::DateTime(d) if d.is_datetime() => {
            let (y, m, d, ..) = d.to_ymd_hms_milli();
            format!("{y:04}-{m:02}-{d:02}")
        }
        DataRef::DateTime(d) => d.as_f64().to_string(),
        DataRef::DateTimeIso(s) | DataRef::DurationIso(s) => s.clone(),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}
