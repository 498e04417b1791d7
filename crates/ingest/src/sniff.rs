//! What a file is, by its first bytes; its name only confirms.

use crate::{IngestError, Reader, archive, citygml, cityjson, survey, text, unzip};
use std::{fs::File, io::Read, path::Path};

/// One line of the help: what can be imported and by which reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    pub name: &'static str,
    pub extensions: &'static [&'static str],
    /// Word for `--as`.
    pub reader: &'static str,
    pub note: &'static str,
}

/// What [`crate::import`] reads, in the order in which it looks.
pub fn formats() -> &'static [Format] {
    const fn f(name: &'static str, extensions: &'static [&'static str], reader: &'static str, note: &'static str) -> Format {
        Format { name, extensions, reader, note }
    }
    const ALL: &[Format] = &[
        f("GeoPackage", &["gpkg"], "vector", "every layer with geometry"),
        f("Shapefile", &["shp", "zip"], "vector", "bare or zipped; code page from .cpg, else UTF-8 or GBK by content"),
        f("GeoJSON, GeoJSON sequence", &["geojson", "json", "geojsonl", "geojsons"], "vector", "EPSG:4326 unless the file says otherwise"),
        f("FlatGeobuf", &["fgb"], "vector", ""),
        f("DXF (ASCII)", &["dxf"], "vector", "needs a source CRS"),
        f("CSV or XLSX with coordinates", &["csv", "xlsx"], "vector", "columns x/y, lon/lat, 经度/纬度 or wkt; needs a source CRS"),
        f("Pipe survey tables", &["xlsx", "csv", "zip"], "survey", "point and line tables, also a folder of them"),
        f("EPANET network", &["inp"], "epanet", "needs a source CRS"),
        f("SWMM network", &["inp"], "swmm", "needs a source CRS"),
        f("GeoTIFF elevation", &["tif", "tiff"], "terrain", "one band of heights becomes a TIN"),
        f("CityGML 2 and 3", &["gml", "xml", "citygml"], "citygml", "with the i-UR and uro extensions"),
        f(
            "CityJSON 1.0 to 2.0, CityJSONSeq",
            &["json", "jsonl", "cityjson", "gz"],
            "cityjson",
            "best level of detail; parts go into their building",
        ),
    ];
    ALL
}

/// Kind of content, finer than [`Reader`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    GeoPackage,
    Shapefile,
    ZippedShapefile,
    GeoJson,
    GeoJsonSeq,
    FlatGeobuf,
    Dxf,
    Csv,
    Xlsx,
    SurveyTable,
    SurveyWorkbook,
    SurveyArchive,
    SurveyFolder,
    Epanet,
    Swmm,
    GeoTiff,
    CityGml,
    CityJson,
}

impl Kind {
    pub fn reader(self) -> Reader {
        match self {
            Self::SurveyTable | Self::SurveyWorkbook | Self::SurveyArchive | Self::SurveyFolder => Reader::Survey,
            Self::Epanet => Reader::Epanet,
            Self::Swmm => Reader::Swmm,
            Self::GeoTiff => Reader::Terrain,
            Self::CityGml => Reader::CityGml,
            Self::CityJson => Reader::CityJson,
            _ => Reader::Vector,
        }
    }
    /// Extensions that go with the content; any other known one is a lie.
    fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::GeoPackage => &["gpkg"],
            Self::Shapefile => &["shp"],
            Self::ZippedShapefile | Self::SurveyArchive => &["zip"],
            Self::GeoJson | Self::GeoJsonSeq => &["geojson", "json", "geojsonl", "geojsons", "jsonl", "ndjson"],
            Self::FlatGeobuf => &["fgb"],
            Self::Dxf => &["dxf"],
            Self::Csv | Self::SurveyTable => &["csv", "txt", "tsv"],
            Self::Xlsx | Self::SurveyWorkbook => &["xlsx"],
            Self::SurveyFolder => &[],
            Self::Epanet | Self::Swmm => &["inp", "txt"],
            Self::GeoTiff => &["tif", "tiff"],
            Self::CityGml => &["gml", "xml", "citygml", "zip"],
            Self::CityJson => &["json", "jsonl", "cityjson"],
        }
    }
}

const HEAD: usize = 64 << 10;

/// Refuses what is no plain local path: GDAL would follow `/vsicurl/` and `://` anywhere.
pub(crate) fn check_path(path: &Path) -> Result<(), IngestError> {
    let text = path.to_string_lossy();
    if text.contains("://") || text.starts_with("/vsi") || text.contains('\0') {
        return Err(IngestError::new(
            path,
            "unsupported-media",
            "only plain files and folders are read, no addresses and no virtual paths",
        ));
    }
    Ok(())
}

pub(crate) fn head(path: &Path) -> Result<Vec<u8>, IngestError> {
    let io = |e: std::io::Error| IngestError::new(path, "io", e.to_string());
    let file = File::open(path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(IngestError::new(path, "unsupported-media", "neither a file nor a folder"));
    }
    let mut head = Vec::with_capacity(HEAD);
    file.take(HEAD as u64).read_to_end(&mut head).map_err(io)?;
    Ok(head)
}

/// The kind of a file or folder; `Err` names what it is when it is something known that nobody reads.
pub(crate) fn kind(path: &Path) -> Result<Kind, IngestError> {
    check_path(path)?;
    let meta = std::fs::metadata(path).map_err(|e| IngestError::new(path, "io", e.to_string()))?;
    if meta.is_dir() {
        return match survey::is_survey(path)? {
            true => Ok(Kind::SurveyFolder),
            false => Err(IngestError::new(path, "unsupported-media", "a folder without pipe point and line tables; name the files in it")),
        };
    }
    let head = head(path)?;
    let kind = by_content(path, &head)?;
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let known = formats().iter().any(|f| f.extensions.contains(&extension.as_str()));
    if known && !kind.extensions().contains(&extension.as_str()) {
        let reason = format!("it is named .{extension}, but its content is {kind:?}; rename it if that is what it is");
        return Err(IngestError::new(path, "unsupported-media", reason));
    }
    Ok(kind)
}

fn by_content(path: &Path, head: &[u8]) -> Result<Kind, IngestError> {
    let no = |what: &str| Err(IngestError::new(path, "unsupported-media", format!("{what}; no reader takes that")));
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    match head {
        [] => return Err(IngestError::new(path, "truncated", "the file is empty")),
        [b'S', b'Q', b'L', b'i', b't', b'e', ..] if head.starts_with(b"SQLite format 3\0") => return Ok(Kind::GeoPackage),
        [0x66, 0x67, 0x62, _, 0x66, 0x67, 0x62, ..] => return Ok(Kind::FlatGeobuf),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => return Ok(Kind::GeoTiff),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => return packed(path),
        [0, 0, 0x27, 0x0a, ..] => return Ok(Kind::Shapefile),
        [0x1f, 0x8b, ..] => return gzip(path),
        _ => {}
    }
    for (start, what) in [
        (&b"ISO-10303-21"[..], "an IFC (STEP) file"),
        (b"LASF", "a LAS or LAZ point cloud"),
        (b"PMTiles", "a PMTiles archive"),
        (b"PAR1", "a Parquet file"),
        (b"glTF", "a binary glTF model"),
        (b"AutoCAD Binary DXF", "a binary DXF: save it as ASCII DXF"),
        (b"AC10", "a DWG drawing: save it as DXF"),
        (b"\xd0\xcf\x11\xe0", "an old Office file: save it as .xlsx"),
        (b"%PDF", "a PDF"),
        (b"\x89PNG", "a PNG picture"),
        (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    ] {
        if head.starts_with(start) {
            return no(what);
        }
    }
    if citygml::recognises(head) {
        return Ok(Kind::CityGml);
    }
    let body = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let body = &body[body.iter().position(|b| !b.is_ascii_whitespace() && *b != 0x1e).unwrap_or(body.len())..];
    match body.first() {
        None => return Err(IngestError::new(path, "invalid-content", "there is nothing but blanks in it")),
        Some(b'<') => return no("an XML file that is no CityGML"),
        Some(b'{') if cityjson::recognises(head) => return Ok(Kind::CityJson),
        Some(b'{' | b'[') if !section(body) => return json(path, body, head[0] == 0x1e),
        _ => {}
    }
    if body.contains(&0) {
        return no("a binary file of unknown kind");
    }
    if dxf(body) {
        return Ok(Kind::Dxf);
    }
    let (content, _) = text::decode(head);
    if let Some(kind) = inp(&content) {
        return Ok(kind);
    }
    if matches!(extension.as_str(), "csv" | "txt" | "tsv") {
        return Ok(if survey::is_survey_header(&content) { Kind::SurveyTable } else { Kind::Csv });
    }
    no("a text of unknown kind")
}

/// City models are often packed one by one; nothing else is read out of a gzip.
fn gzip(path: &Path) -> Result<Kind, IngestError> {
    let mut head = Vec::with_capacity(HEAD);
    archive::open(path)?.take(HEAD as u64).read_to_end(&mut head).map_err(|e| archive::read_error(path, &e))?;
    match (citygml::recognises(&head), cityjson::recognises(&head)) {
        (true, _) => Ok(Kind::CityGml),
        (_, true) => Ok(Kind::CityJson),
        _ => Err(IngestError::new(path, "unsupported-media", "a gzip file that holds no city model: unpack it first")),
    }
}

fn section(body: &[u8]) -> bool {
    body.starts_with(b"[") && body.get(1).is_some_and(u8::is_ascii_alphabetic)
}

fn dxf(body: &[u8]) -> bool {
    let lines: Vec<&[u8]> = body.split(|b| *b == b'\n').take(40).map(<[u8]>::trim_ascii).collect();
    lines.chunks(2).find(|pair| pair[0] != b"999").is_some_and(|pair| pair[0] == b"0" && pair.get(1) == Some(&&b"SECTION"[..]))
}

fn json(path: &Path, body: &[u8], sequence: bool) -> Result<Kind, IngestError> {
    let text = String::from_utf8_lossy(body);
    let has = |name: &str| text.contains(&format!("\"{name}\""));
    let first_line = text.lines().next().unwrap_or_default().trim();
    let many = sequence
        || (text.lines().filter(|l| !l.trim().is_empty()).count() > 1 && serde_json::from_str::<serde_json::Value>(first_line).is_ok());
    if many && has("Feature") && !first_line.contains("FeatureCollection") {
        return Ok(Kind::GeoJsonSeq);
    }
    let geometry = ["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"];
    if has("FeatureCollection")
        || has("Feature")
        || (has("coordinates") && geometry.iter().any(|g| has(g)))
        || (has("features") && has("geometry"))
    {
        return Ok(Kind::GeoJson);
    }
    Err(IngestError::new(path, "unsupported-media", "JSON, but neither GeoJSON nor CityJSON"))
}

fn inp(text: &str) -> Option<Kind> {
    let mut sections = text
        .lines()
        .map(str::trim)
        .filter(|l| l.starts_with('[') && l.ends_with(']'))
        .map(|l| l[1..l.len() - 1].to_ascii_uppercase())
        .peekable();
    let first = sections.peek()?;
    let known = [
        "TITLE",
        "JUNCTIONS",
        "RESERVOIRS",
        "TANKS",
        "PIPES",
        "OPTIONS",
        "COORDINATES",
        "RAINGAGES",
        "EVAPORATION",
        "SUBCATCHMENTS",
        "FILES",
    ];
    if !known.contains(&first.as_str()) {
        return None;
    }
    let swmm = [
        "RAINGAGES",
        "EVAPORATION",
        "SUBCATCHMENTS",
        "SUBAREAS",
        "INFILTRATION",
        "CONDUITS",
        "OUTFALLS",
        "STORAGE",
        "XSECTIONS",
        "ORIFICES",
        "WEIRS",
    ];
    let epanet = ["RESERVOIRS", "TANKS", "PIPES", "VALVES", "EMITTERS", "ENERGY", "REACTIONS", "TIMES", "DEMANDS", "STATUS"];
    for s in sections {
        if swmm.contains(&s.as_str()) {
            return Some(Kind::Swmm);
        }
        if epanet.contains(&s.as_str()) {
            return Some(Kind::Epanet);
        }
    }
    Some(Kind::Epanet)
}

fn packed(path: &Path) -> Result<Kind, IngestError> {
    let names = unzip::names(path)?;
    let ends = |e: &str| names.iter().any(|n| n.to_ascii_lowercase().ends_with(e));
    if names.iter().any(|n| n == "xl/workbook.xml" || n == "xl/workbook.bin") {
        return Ok(if survey::is_survey(path)? { Kind::SurveyWorkbook } else { Kind::Xlsx });
    }
    if ends(".shp") {
        return Ok(Kind::ZippedShapefile);
    }
    if ends(".gml") {
        return Ok(Kind::CityGml);
    }
    if ends(".csv") || ends(".xlsx") || ends(".txt") {
        if survey::is_survey(path)? {
            return Ok(Kind::SurveyArchive);
        }
        return Err(IngestError::new(path, "unsupported-media", "an archive of tables without pipe points and lines"));
    }
    Err(IngestError::new(path, "unsupported-media", "an archive without a shapefile, CityGML or pipe survey tables"))
}
