//! Features to triangles, tile by tile.
//!
//! `steps` counts levels above the leaves: 0 is the full body (parapets, roofs, 12-sided pipes, roads with round
//! ends), 1 the plain one (extruded blocks, 6-sided pipes), 2 and more the far view: blocks of buildings, a
//! coarse ground, large pipes only, a part of the trees.

mod building;
mod drape;
mod massing;
mod pipe;
mod place;
mod plan;
mod point;
mod ribbon;
mod roof;
mod sink;
mod surface;
mod table;
mod terrain;
#[cfg(test)]
pub(crate) mod tests;
mod tree;

pub(crate) use building::height_m as building_height_m;
pub(crate) use table::columns_of;

use crate::content::{Role, TileContent};
use crate::{Cell, Relief, TilesError, TilesetPlan};
use sink::Sink;
use strata_model::{Feature, FeatureBatch, Geometry, Layer, Theme, WorkingFrame};

/// What every mesher needs beside the feature.
pub(crate) struct Scene<'a> {
    pub layer: &'a Layer,
    pub relief: Option<&'a Relief>,
    pub steps: u32,
    pub cell_m: f64,
}

impl Scene<'_> {
    /// Lengths that grow with each level towards the root.
    pub fn coarser(&self, at_leaf: f64) -> f64 {
        at_leaf * f64::from(1u32 << self.steps.min(16))
    }
    /// What lies on the ground may part from it by so much, m: a bend that is smaller gets no triangles of its own.
    pub fn flatness_m(&self) -> f64 {
        if self.steps == 0 { 0.01 } else { 0.025 * f64::from(1u32 << self.steps.min(16)) }
    }
    /// Height of the ground where it is known, else `own`.
    pub fn ground(&self, east_m: f64, north_m: f64, own: f64) -> f64 {
        self.relief.and_then(|r| r.height_at(east_m, north_m)).unwrap_or(own)
    }
    pub fn number(&self, feature: &Feature, name: &str) -> Option<f64> {
        feature.number(self.layer, name).filter(|v| v.is_finite())
    }
}

/// Meshes of one cell: what stands in a tile before it becomes bytes. Of the batch only the features whose box
/// centre lies in the cell are taken, so a feature is in one cell of each level. `relief` (a little larger than
/// the cell) lets roads, rails, lines and parcels follow the ground. `None` when the batch has nothing for the
/// cell. A feature without a sound geometry is passed over.
///
/// Errors: the cell lies where the frame cannot be projected.
pub fn build_content(
    plan: &TilesetPlan,
    cell: &Cell,
    frame: &WorkingFrame,
    batch: &FeatureBatch,
    relief: Option<&Relief>,
) -> Result<Option<TileContent>, TilesError> {
    let own = |f: &Feature| f.geometry.bounds().map(|b| b.centre()).is_some_and(|c| plan.belongs(frame, cell, [c[0], c[1]]));
    let kept: Vec<bool> = batch.features.iter().map(own).collect();
    if !kept.contains(&true) {
        return Ok(None);
    }
    let place = place::TilePlace::new(frame, cell)?;
    let scene = Scene { layer: &batch.layer, relief, steps: cell.steps, cell_m: cell.size_m };
    let mut sink = Sink::new(&place, &batch.layer);
    let features = || batch.features.iter().zip(&kept).filter(|(f, k)| **k && f.geometry.check().is_ok()).map(|(f, _)| f);
    match batch.layer.theme {
        Theme::Terrain => terrain::blocks(&mut sink, &scene, &batch.features, &kept),
        Theme::Building if cell.steps >= 2 => massing::blocks(&mut sink, &scene, features()),
        Theme::Building => features().for_each(|f| building::building(&mut sink, &scene, f)),
        Theme::Tree => tree::trees(&mut sink, &scene, features()),
        Theme::PipePoint | Theme::Sensor => {
            let mut fittings = point::Fittings::default();
            for f in features() {
                match &f.geometry {
                    Geometry::Point(p) => point::points(&mut sink, &scene, f, std::slice::from_ref(p), &mut fittings),
                    Geometry::MultiPoint(ps) => point::points(&mut sink, &scene, f, ps, &mut fittings),
                    _ => plain(&mut sink, &scene, f),
                }
            }
            fittings.finish(&mut sink, &scene);
        }
        _ => features().for_each(|f| plain(&mut sink, &scene, f)),
    }
    Ok(Some(sink.finish(place.ecef_from_tile())))
}

/// [`build_content`] to binary glTF.
pub fn encode_content(
    plan: &TilesetPlan,
    cell: &Cell,
    frame: &WorkingFrame,
    batch: &FeatureBatch,
    relief: Option<&Relief>,
) -> Result<Option<Vec<u8>>, TilesError> {
    build_content(plan, cell, frame, batch, relief)?.map(|c| crate::glb::encode_glb(&c)).transpose()
}

/// Themes whose features are meshed one by one, by what they are and what geometry they have.
fn plain(sink: &mut Sink, scene: &Scene, f: &Feature) {
    let theme = scene.layer.theme;
    match &f.geometry {
        // Addresses, names and the like are the flat map's labels.
        Geometry::Point(_) | Geometry::MultiPoint(_) => {}
        Geometry::LineString(l) => lines(sink, scene, f, std::slice::from_ref(l)),
        Geometry::MultiLineString(ls) => lines(sink, scene, f, ls),
        Geometry::Polygon(p) => drape::areas(sink, scene, f, std::slice::from_ref(p)),
        Geometry::MultiPolygon(ps) => drape::areas(sink, scene, f, ps),
        Geometry::Surfaces(faces) => {
            sink.begin(f);
            let role = match theme {
                Theme::Pipe => Some(Role::Pipe),
                Theme::PipePoint => Some(Role::Well),
                Theme::Road => Some(Role::Road),
                Theme::Water => Some(Role::Water),
                Theme::Parcel => Some(Role::Parcel),
                Theme::Rail => Some(Role::Rail),
                Theme::Building => None,
                _ => Some(Role::Other),
            };
            surface::faces(sink, faces, role);
        }
        Geometry::Tin { points, triangles } => {
            sink.begin(f);
            surface::tin(sink, points, triangles, if theme == Theme::Water { Role::Water } else { Role::Other });
        }
    }
}

fn lines(sink: &mut Sink, scene: &Scene, f: &Feature, lines: &[Vec<strata_model::Point3>]) {
    match scene.layer.theme {
        Theme::Pipe => pipe::pipes(sink, scene, f, lines),
        _ => ribbon::ribbons(sink, scene, f, lines),
    }
}
