//! Packed files: gzip and zip, opened so that a hostile one costs nothing. Limits are checked against what the
//! directory declares and again against what really comes out.

use crate::IngestError;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Unpacked bytes per packed byte; real CityGML reaches about 40.
const MAX_RATIO: u64 = 100;
/// Below this the ratio is not looked at: small files of spaces are harmless.
const RATIO_FROM: u64 = 4 << 20;
const MAX_UNPACKED: u64 = 10 << 30;
const MAX_ENTRIES: usize = 100_000;
const ARCHIVES: &[&str] = &["zip", "7z", "rar", "tar", "tgz", "gz", "bz2", "xz", "zst"];

/// An error code that travels through [`io::Error`] from the bottom of a stack of readers.
#[derive(Debug)]
pub(crate) struct Refused {
    pub code: &'static str,
    pub reason: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}
impl std::error::Error for Refused {}

impl Refused {
    pub fn io(code: &'static str, reason: impl Into<String>) -> io::Error {
        io::Error::other(Self { code, reason: reason.into() })
    }
}

/// Names a reading error: our own code if one travels in it, else `truncated` or `io`.
pub(crate) fn read_error(path: &Path, e: &io::Error) -> IngestError {
    if let Some(r) = e.get_ref().and_then(|r| r.downcast_ref::<Refused>()) {
        return IngestError::new(path, r.code, r.reason.clone());
    }
    match e.kind() {
        io::ErrorKind::UnexpectedEof => IngestError::new(path, "truncated", "the packed data end too early"),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            IngestError::new(path, "invalid-content", format!("the packed data are damaged: {e}"))
        }
        _ => IngestError::new(path, "io", e.to_string()),
    }
}

/// Counts what comes out of a decompressor and stops it at the limits.
struct Measured<R> {
    inner: R,
    out: u64,
    limit: u64,
}

impl<R> Measured<R> {
    fn new(inner: R, packed: u64) -> Self {
        Self { inner, out: 0, limit: packed.saturating_mul(MAX_RATIO).clamp(RATIO_FROM, MAX_UNPACKED) }
    }
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.out += n as u64;
        if self.out > self.limit {
            return Err(Refused::io(
                "archive-limit",
                format!("it unpacks to more than {} bytes, {MAX_RATIO} times its packed size", self.limit),
            ));
        }
        Ok(n)
    }
}

pub(crate) fn is_gzip(path: &Path) -> bool {
    has_extension(path, "gz")
}

pub(crate) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

/// The plain bytes of a file, unpacked when its name ends in `.gz`.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, IngestError> {
    let file = File::open(path).map_err(|e| IngestError::new(path, "io", e.to_string()))?;
    if !is_gzip(path) {
        return Ok(Box::new(file));
    }
    let packed = file.metadata().map_err(|e| IngestError::new(path, "io", e.to_string()))?.len();
    Ok(Box::new(Measured::new(flate2::read::MultiGzDecoder::new(io::BufReader::new(file)), packed)))
}

/// Calls `each` with every entry of a zip whose name `wanted` accepts, in the order of the directory. The whole
/// directory is judged first: a name that leads outside, a link, an archive in the archive, too many entries, too
/// large or too strongly packed ones refuse the archive before anything is read. Answers how many were read.
pub(crate) fn each_entry(
    path: &Path,
    wanted: impl Fn(&str) -> bool,
    each: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), IngestError>,
) -> Result<usize, IngestError> {
    let zip_error = |e: zip::result::ZipError| match e {
        zip::result::ZipError::Io(e) => read_error(path, &e),
        e => IngestError::new(path, "invalid-content", format!("not a readable zip: {e}")),
    };
    let file = File::open(path).map_err(|e| IngestError::new(path, "io", e.to_string()))?;
    let mut zip = zip::ZipArchive::new(io::BufReader::new(file)).map_err(zip_error)?;
    if zip.len() > MAX_ENTRIES {
        return Err(IngestError::new(path, "archive-limit", format!("{} entries, more than {MAX_ENTRIES}", zip.len())));
    }
    let (mut total, mut chosen) = (0u64, Vec::new());
    for i in 0..zip.len() {
        let entry = zip.by_index_raw(i).map_err(zip_error)?;
        let name = entry.name().to_owned();
        let refuse = |code, reason: &str| Err(IngestError::new(path, code, reason).at(shown(&name)));
        if entry.enclosed_name().is_none() || name.contains('\\') || name.contains(':') || name.split('/').any(|p| p == "..") {
            return refuse("unsafe-archive", "an entry's name leads outside the archive");
        }
        if entry.is_symlink() {
            return refuse("unsafe-archive", "an entry is a link");
        }
        if entry.is_dir() {
            continue;
        }
        if ARCHIVES.iter().any(|a| has_extension(Path::new(&name), a)) {
            return refuse("unsafe-archive", "an archive inside the archive; unpack it first");
        }
        total = total.saturating_add(entry.size());
        if total > MAX_UNPACKED {
            return refuse("archive-limit", "it unpacks to more than 10 GiB");
        }
        if entry.size() > RATIO_FROM && entry.size() / MAX_RATIO > entry.compressed_size() {
            return refuse("archive-limit", "an entry is packed more than a hundredfold");
        }
        if wanted(&name) {
            if entry.encrypted() {
                return refuse("unsupported-media", "the entry is encrypted");
            }
            chosen.push(i);
        }
    }
    for &i in &chosen {
        let entry = zip.by_index(i).map_err(zip_error)?;
        let (name, packed) = (entry.name().to_owned(), entry.compressed_size());
        each(&name, &mut Measured::new(entry, packed))?;
    }
    Ok(chosen.len())
}

/// A name from a hostile file, short and without control characters.
pub(crate) fn shown(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).take(120).collect()
}
