//! Elevation rasters (GeoTIFF, one band) as a TIN: layer `terrain`, one feature for each block of at most 128 × 128
//! cells and 512 m. Vertices are cell centres; a cell with a corner of no data has no triangles.
//!
//! More than a million triangles are thinned by taking every k-th row and column, and the report says which k.

use crate::{IngestError, inp::M_PER_FT, layers, output::Output, place::Place};
use gdal::{Dataset, DatasetOptions, GdalOpenFlags, raster::GdalDataType};
use std::sync::Arc;
use strata_model::{Feature, FeatureId, Geometry, GeometryKind, Layer, Point3, Theme};

const MAX_TRIANGLES: f64 = 1.0e6;
const BLOCK_CELLS: usize = 128;
const BLOCK_M: f64 = 512.0;
/// A header may promise anything; no elevation tile comes near these.
const MAX_SIDE: usize = 200_000;

pub(crate) fn read(out: &mut Output<'_>) -> Result<(), IngestError> {
    crate::guard_gdal();
    let fault = |e: gdal::errors::GdalError| IngestError::new(out.path, "invalid-content", e.to_string());
    let absolute = std::path::absolute(out.path).map_err(|e| out.error("io", e.to_string()))?;
    let raster = Dataset::open_ex(
        &absolute,
        DatasetOptions {
            open_flags: GdalOpenFlags::GDAL_OF_READONLY | GdalOpenFlags::GDAL_OF_RASTER | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
            allowed_drivers: Some(&["GTiff"]),
            open_options: None,
            // No sidecars: what the file does not say itself is not known.
            sibling_files: Some(&[]),
        },
    )
    .map_err(|e| out.error("invalid-content", format!("it cannot be opened as GTiff: {e}")))?;
    let (width, height) = raster.raster_size();
    if raster.raster_count() != 1 {
        return Err(out.error("invalid-content", format!("{} bands: a picture, not heights", raster.raster_count())));
    }
    if width < 2 || height < 2 || width > MAX_SIDE || height > MAX_SIDE {
        return Err(out.error("invalid-content", format!("{width} × {height} cells")));
    }
    let band = raster.rasterband(1).map_err(fault)?;
    if matches!(band.band_type(), GdalDataType::UInt8 | GdalDataType::Unknown) {
        return Err(out.error("invalid-content", format!("a band of {}: no heights", band.band_type())));
    }
    let working = &out.options.frame.crs;
    let place = match &out.options.source_crs {
        Some(crs) => Place::from_crs(crs, working, out.path)?,
        None => {
            let srs = raster.spatial_ref().ok().filter(|s| !s.is_local());
            let srs = srs.ok_or_else(|| out.error("invalid-crs", "the raster says no CRS; name the source CRS"))?;
            Place::from_srs(&srs, working, out.path)?
        }
    };
    let grid = raster.geo_transform().map_err(|_| out.error("invalid-crs", "the raster does not say where it lies"))?;
    if !grid.iter().all(|v| v.is_finite()) || grid[1] * grid[5] - grid[2] * grid[4] == 0.0 {
        return Err(out.error("invalid-crs", "the raster's place is not sound"));
    }
    let unit = unit_m(&band.unit()).ok_or_else(|| out.error("invalid-content", format!("heights in `{}`", band.unit())))?;
    let (scale, offset) = (band.scale().unwrap_or(1.0), band.offset().unwrap_or(0.0));
    let nodata = band.no_data_value();
    let step = ((2.0 * width as f64 * height as f64 / MAX_TRIANGLES).sqrt().ceil() as usize).max(1);
    if step > 1 {
        out.report.note(format!("{width} × {height} cells are thinned to every {step}th row and column"));
    }
    out.report.note(format!(
        "heights as the raster has them, in {}; the datum is not changed",
        if unit == 1.0 { "metres" } else { "feet, turned to metres" }
    ));
    let (columns, rows) = (samples(width, step), samples(height, step));
    if columns.len() < 2 || rows.len() < 2 {
        return Err(out.error("invalid-content", "fewer than two rows or columns"));
    }
    let at = |c: usize, r: usize| {
        let (x, y) = (c as f64 + 0.5, r as f64 + 0.5);
        [grid[0] + x * grid[1] + y * grid[2], grid[3] + x * grid[4] + y * grid[5]]
    };
    let cells = block_cells(&place, at, &columns, &rows);
    let layer = layer(out)?;
    out.layer(&layer)?;
    let mut line = vec![0f64; width];
    let mut empty = 0;
    let mut first = 0;
    let mut last_row: Option<Vec<Point3>> = None;
    while first + 1 < rows.len() {
        let last = (first + cells).min(rows.len() - 1);
        let mut band_rows: Vec<Vec<Point3>> = last_row.take().into_iter().collect();
        for &r in &rows[first + band_rows.len()..=last] {
            band.read_into_slice((0, r as isize), (width, 1), (width, 1), &mut line, None)
                .map_err(|e| out.error("truncated", format!("row {r} of {height}: {e}")))?;
            let mut points: Vec<Point3> = columns
                .iter()
                .map(|&c| {
                    let v = line[c];
                    let hole = !v.is_finite() || nodata.is_some_and(|n| v == n || (n.is_nan() && v.is_nan())) || v.abs() > 1.0e6;
                    let [x, y] = at(c, r);
                    [x, y, if hole { f64::NAN } else { (v * scale + offset) * unit }]
                })
                .collect();
            place.points(&mut points);
            band_rows.push(points);
        }
        let mut left = 0;
        while left + 1 < columns.len() {
            let right = (left + cells).min(columns.len() - 1);
            match tin(&band_rows, left, right) {
                Some(geometry) => {
                    let id = format!("r{}c{}", rows[first], columns[left]);
                    let f = Feature {
                        id: FeatureId::new(id.as_str()),
                        geometry,
                        valid: out.valid(None),
                        attributes: vec![strata_model::Value::Null; layer.fields.len()],
                    };
                    out.put(&layer, f, || format!("block {id}"))?;
                }
                None => empty += 1,
            }
            left = right;
        }
        last_row = band_rows.pop();
        first = last;
    }
    if empty > 0 {
        out.report.note(format!("{empty} blocks without data are left out"));
    }
    Ok(())
}

/// Every `step`-th index and the last one.
fn samples(n: usize, step: usize) -> Vec<usize> {
    let mut v: Vec<usize> = (0..n).step_by(step).collect();
    if v.last() != Some(&(n - 1)) {
        v.push(n - 1);
    }
    v
}

/// Cells to a block, from the size of one in the middle of the raster.
fn block_cells(place: &Place, at: impl Fn(usize, usize) -> [f64; 2], columns: &[usize], rows: &[usize]) -> usize {
    let (c, r) = (columns.len() / 2, rows.len() / 2);
    let p = |c: usize, r: usize| {
        let [x, y] = at(columns[c], rows[r]);
        [x, y, 0.0]
    };
    let mut q = [p(c - 1, r - 1), p(c, r - 1), p(c - 1, r)];
    place.points(&mut q);
    let side = (q[1][0] - q[0][0]).hypot(q[1][1] - q[0][1]).max((q[2][0] - q[0][0]).hypot(q[2][1] - q[0][1]));
    if side.is_finite() && side > 0.0 { ((BLOCK_M / side + 1e-6) as usize).clamp(1, BLOCK_CELLS) } else { BLOCK_CELLS }
}

/// Two triangles for each cell whose four corners have data, counter-clockwise from above; `None` without any.
fn tin(rows: &[Vec<Point3>], left: usize, right: usize) -> Option<Geometry> {
    let n = right - left + 1;
    let mut index = vec![u32::MAX; n * rows.len()];
    let (mut points, mut triangles) = (Vec::new(), Vec::new());
    let sound = |p: &Point3| p.iter().all(|v| v.is_finite());
    for r in 1..rows.len() {
        for c in 1..n {
            let corners = [(r, c - 1), (r, c), (r - 1, c), (r - 1, c - 1)];
            if !corners.iter().all(|&(r, c)| sound(&rows[r][left + c])) {
                continue;
            }
            let [a, b, d, e] = corners.map(|(r, c)| {
                let i = &mut index[r * n + c];
                if *i == u32::MAX {
                    *i = points.len() as u32;
                    points.push(rows[r][left + c]);
                }
                *i
            });
            for t in [[a, b, d], [a, d, e]] {
                let [p, q, s] = t.map(|i| points[i as usize]);
                let turn = (q[0] - p[0]) * (s[1] - p[1]) - (s[0] - p[0]) * (q[1] - p[1]);
                triangles.push(if turn < 0.0 { [t[0], t[2], t[1]] } else { t });
            }
        }
    }
    (!triangles.is_empty()).then_some(Geometry::Tin { points, triangles })
}

/// Metres in the band's unit; an unnamed one is metres.
fn unit_m(name: &str) -> Option<f64> {
    match name.to_ascii_lowercase().as_str() {
        "" | "m" | "metre" | "meter" | "metres" | "meters" => Some(1.0),
        "ft" | "foot" | "feet" => Some(M_PER_FT),
        "us-ft" | "us survey foot" | "foot_us" | "us_survey_foot" => Some(1200.0 / 3937.0),
        "cm" => Some(0.01),
        "mm" => Some(0.001),
        _ => None,
    }
}

fn layer(out: &Output<'_>) -> Result<Arc<Layer>, IngestError> {
    let id = out.options.layer.clone();
    let mut layer =
        layers::contract(id.as_ref().map_or("terrain", |id| id.as_str())).or_else(|| id.map(|id| layers::free(id, "", GeometryKind::Tin)));
    let layer = layer.as_mut().ok_or_else(|| out.error("invalid-content", "no layer for terrain"))?;
    (layer.theme, layer.geometry) = (Theme::Terrain, GeometryKind::Tin);
    layer.source = out.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Arc::new(layer.clone()))
}
