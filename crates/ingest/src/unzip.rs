//! Archives under limits: a zip is unpacked into a temporary folder that dies with its handle.

use crate::IngestError;
use std::{
    fs::File,
    io::{Read, Write},
    path::{Component, Path},
};
use tempfile::TempDir;

const MAX_ENTRIES: usize = 10_000;
const MAX_BYTES: u64 = 512 << 20;
/// Real data packs to a tenth at best; a bomb to a thousandth. Small entries are let through whatever their ratio.
const MAX_RATIO: u64 = 200;
const RATIO_FROM_BYTES: u64 = 16 << 20;

/// Names of the entries, as the archive has them.
pub(crate) fn names(path: &Path) -> Result<Vec<String>, IngestError> {
    let file = File::open(path).map_err(|e| IngestError::new(path, "io", e.to_string()))?;
    let archive =
        zip::ZipArchive::new(file).map_err(|e| IngestError::new(path, "truncated", format!("the archive is not readable: {e}")))?;
    if archive.len() > MAX_ENTRIES {
        return Err(IngestError::new(path, "archive-limit", format!("{} entries, more than {MAX_ENTRIES}", archive.len())));
    }
    Ok(archive.file_names().map(str::to_owned).collect())
}

/// Unpacks the entries that `wanted` names. Refuses absolute and climbing names, links, and more than 512 MiB.
pub(crate) fn unpack(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<TempDir, IngestError> {
    let io = |e: std::io::Error| IngestError::new(path, "io", e.to_string());
    let file = File::open(path).map_err(io)?;
    let mut archive =
        zip::ZipArchive::new(file).map_err(|e| IngestError::new(path, "truncated", format!("the archive is not readable: {e}")))?;
    if archive.len() > MAX_ENTRIES {
        return Err(IngestError::new(path, "archive-limit", format!("{} entries, more than {MAX_ENTRIES}", archive.len())));
    }
    let folder = tempfile::tempdir().map_err(io)?;
    let mut left = MAX_BYTES;
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(|e| IngestError::new(path, "truncated", e.to_string()).at(format!("entry {i}")))?;
        let name = entry_name(&entry);
        let safe = Path::new(&name).components().all(|c| matches!(c, Component::Normal(_))) && !name.contains('\\') && !name.contains(':');
        if !safe || entry.is_symlink() {
            return Err(IngestError::new(path, "unsafe-archive", "an entry that leads out of the archive or is a link").at(name));
        }
        if entry.is_dir() || !wanted(&name) {
            continue;
        }
        let target = folder.path().join(&name);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(io)?;
        }
        let packed = entry.compressed_size().max(1);
        let mut out = File::create(&target).map_err(io)?;
        let mut buffer = [0u8; 64 << 10];
        let mut size = 0u64;
        loop {
            let n = entry.read(&mut buffer).map_err(|e| IngestError::new(path, "truncated", e.to_string()).at(name.clone()))?;
            if n == 0 {
                break;
            }
            size += n as u64;
            if size > left || (size > RATIO_FROM_BYTES && size / packed > MAX_RATIO) {
                return Err(IngestError::new(path, "archive-limit", "it unpacks to more than an honest archive would").at(name));
            }
            out.write_all(&buffer[..n]).map_err(io)?;
        }
        left -= size;
    }
    Ok(folder)
}

/// Chinese packers write GBK names without the UTF-8 flag; the zip crate would read them as CP437.
fn entry_name<R: Read>(entry: &zip::read::ZipFile<'_, R>) -> String {
    let raw = entry.name_raw();
    if raw.is_ascii() { entry.name().to_owned() } else { crate::text::decode(raw).0 }
}
