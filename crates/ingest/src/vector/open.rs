//! Opening through GDAL: one allowed driver for each kind, read only, nothing written beside the input.

use crate::{
    IngestError,
    mapping::Mapping,
    sniff::{Kind, check_path},
    text, unzip,
};
use gdal::{Dataset, DatasetOptions, GdalOpenFlags};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A dataset with the folder of temporary files that it may stand on.
pub(super) struct Opened {
    pub datasets: Vec<Dataset>,
    pub notes: Vec<String>,
    _folder: Option<TempDir>,
}

const MAX_TEXT_BYTES: u64 = 512 << 20;

pub(super) fn open(kind: Kind, path: &Path, mapping: Option<&Mapping>) -> Result<Opened, IngestError> {
    let mut notes = Vec::new();
    let one = |datasets, notes| Ok(Opened { datasets: vec![datasets], notes, _folder: None });
    match kind {
        Kind::GeoPackage => {
            let wal = PathBuf::from(format!("{}-wal", path.display()));
            if std::fs::metadata(wal).is_ok_and(|m| m.len() > 0) {
                notes.push("a -wal file lies beside it: changes that nobody has written back are not read".to_owned());
            }
            one(dataset(path, "GPKG", &["IMMUTABLE=YES", "LIST_ALL_TABLES=NO"])?, notes)
        }
        Kind::FlatGeobuf => one(dataset(path, "FlatGeobuf", &[])?, notes),
        Kind::GeoJson => one(dataset(path, "GeoJSON", &["FLATTEN_NESTED_ATTRIBUTES=YES"])?, notes),
        Kind::GeoJsonSeq => one(dataset(path, "GeoJSONSeq", &[])?, notes),
        Kind::Dxf => one(dataset(path, "DXF", &["CLOSED_LINE_AS_POLYGON=NO", "INLINE_BLOCKS=YES"])?, notes),
        Kind::Shapefile => one(shapefile(path, mapping, &mut notes)?, notes),
        Kind::ZippedShapefile => {
            let wanted = |n: &str| ["shp", "shx", "dbf", "prj", "cpg"].iter().any(|e| n.to_ascii_lowercase().ends_with(&format!(".{e}")));
            let folder = unzip::unpack(path, wanted)?;
            let mut shapes = Vec::new();
            walk(folder.path(), &mut |p| {
                if p.extension().is_some_and(|e| e.eq_ignore_ascii_case("shp")) {
                    shapes.push(p.to_owned());
                }
            });
            shapes.sort();
            let mut datasets = Vec::new();
            for shape in &shapes {
                datasets.push(shapefile(shape, mapping, &mut notes).map_err(|e| IngestError { path: path.to_owned(), ..e })?);
            }
            Ok(Opened { datasets, notes, _folder: Some(folder) })
        }
        Kind::Csv => {
            let size = std::fs::metadata(path).map_err(|e| IngestError::new(path, "io", e.to_string()))?.len();
            if size > MAX_TEXT_BYTES {
                return Err(IngestError::new(path, "unsupported-media", "a table of more than 512 MiB"));
            }
            let bytes = std::fs::read(path).map_err(|e| IngestError::new(path, "io", e.to_string()))?;
            let (content, encoding) = text::decode(&bytes);
            if encoding != "UTF-8" {
                notes.push(format!("read as {encoding}"));
            }
            let folder = tempfile::tempdir().map_err(|e| IngestError::new(path, "io", e.to_string()))?;
            let stem = path.file_stem().map_or_else(|| "table".into(), |s| s.to_string_lossy().into_owned());
            let copy = folder.path().join(format!("{stem}.csv"));
            std::fs::write(&copy, content).map_err(|e| IngestError::new(path, "io", e.to_string()))?;
            let d = csv(&copy).map_err(|e| IngestError { path: path.to_owned(), ..e })?;
            Ok(Opened { datasets: vec![d], notes, _folder: Some(folder) })
        }
        Kind::Xlsx => {
            let folder = tempfile::tempdir().map_err(|e| IngestError::new(path, "io", e.to_string()))?;
            let mut datasets = Vec::new();
            for table in crate::survey::workbook(path)? {
                let copy = folder.path().join(format!("{}.csv", table.name.replace(['/', '\\', '\0'], "_")));
                let mut w =
                    csv::WriterBuilder::new().flexible(true).from_path(&copy).map_err(|e| IngestError::new(path, "io", e.to_string()))?;
                for row in &table.rows {
                    w.write_record(row).map_err(|e| IngestError::new(path, "io", e.to_string()))?;
                }
                w.flush().map_err(|e| IngestError::new(path, "io", e.to_string()))?;
                datasets.push(csv(&copy).map_err(|e| IngestError { path: path.to_owned(), ..e })?);
            }
            Ok(Opened { datasets, notes, _folder: Some(folder) })
        }
        _ => Err(IngestError::unsupported(path)),
    }
}

fn dataset(path: &Path, driver: &'static str, options: &[&str]) -> Result<Dataset, IngestError> {
    crate::guard_gdal();
    check_path(path)?;
    // A name such as `GPKG:x` or `{...}` would be read as a connection or as the data itself.
    let absolute = std::path::absolute(path).map_err(|e| IngestError::new(path, "io", e.to_string()))?;
    let opened = Dataset::open_ex(
        &absolute,
        DatasetOptions {
            open_flags: GdalOpenFlags::GDAL_OF_READONLY | GdalOpenFlags::GDAL_OF_VECTOR | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
            allowed_drivers: Some(&[driver]),
            open_options: Some(options),
            sibling_files: None,
        },
    );
    opened.map_err(|e| IngestError::new(path, "invalid-content", format!("it cannot be opened as {driver}: {e}")))
}

fn csv(path: &Path) -> Result<Dataset, IngestError> {
    dataset(
        path,
        "CSV",
        &[
            "X_POSSIBLE_NAMES=x,lon,lng,long,longitude,easting,east,经度,横坐标,东坐标",
            "Y_POSSIBLE_NAMES=y,lat,latitude,northing,north,纬度,纵坐标,北坐标",
            "Z_POSSIBLE_NAMES=z,elevation,height,高程,地面高程",
            "GEOM_POSSIBLE_NAMES=wkt,geom,geometry,the_geom",
            "KEEP_GEOM_COLUMNS=NO",
            "AUTODETECT_TYPE=YES",
            "EMPTY_STRING_AS_NULL=YES",
        ],
    )
}

fn shapefile(path: &Path, mapping: Option<&Mapping>, notes: &mut Vec<String>) -> Result<Dataset, IngestError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sibling = |ext: &str| [ext.to_owned(), ext.to_ascii_uppercase()].into_iter().map(|e| path.with_extension(e)).find(|p| p.is_file());
    if sibling("dbf").is_none() {
        notes.push(format!("{name}: no .dbf beside it, shapes without attributes"));
    }
    if let Some(encoding) = mapping.and_then(|m| m.encoding.as_deref()) {
        return dataset(path, "ESRI Shapefile", &[&format!("ENCODING={encoding}")]);
    }
    if sibling("cpg").is_none()
        && let Some(table) = sibling("dbf").and_then(|p| std::fs::read(p).ok())
        && table.get(29) == Some(&0)
    {
        let (_, encoding) = text::decode(table.get(32..).unwrap_or_default());
        let encoding = if encoding == "GB18030" { "GBK" } else { encoding };
        notes.push(format!("{name}: no code page declared, read as {encoding}"));
        let encoding = if encoding == "windows-1252" { "CP1252" } else { encoding };
        return dataset(path, "ESRI Shapefile", &[&format!("ENCODING={encoding}")]);
    }
    dataset(path, "ESRI Shapefile", &[])
}

fn walk(folder: &Path, f: &mut dyn FnMut(&Path)) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for e in entries.flatten() {
        let p = e.path();
        if p.is_dir() { walk(&p, f) } else { f(&p) }
    }
}
