//! Which source layer becomes which layer, with which fields, before the first feature is read: two source layers
//! may share a target, and the sink wants each layer announced once with all its fields.

use super::value::value;
use crate::{
    IngestError, layers,
    mapping::{LayerMapping, Mapping},
    output::Output,
    place::{Place, crs_name},
    sniff::Kind,
    text,
};
use gdal::{
    Dataset,
    spatial_ref::SpatialRef,
    vector::{Feature as OgrFeature, LayerAccess, OGRFieldType, OGRwkbGeometryType as T, geometry_type_flatten},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};
use strata_model::{Field, FieldKind, GeometryKind, Instant, Layer, LayerId, Value};

pub(super) struct Plan<'m> {
    pub dataset: usize,
    pub index: usize,
    pub source: String,
    pub mapping: Option<&'m LayerMapping>,
    pub target: Arc<Layer>,
    pub place: Result<Place, IngestError>,
    /// Index of the source field that names the feature; the FID when `None`.
    pub id: Option<usize>,
    pub prefix: String,
    /// Source fields taken as they are: index there and in the target.
    pub kept: Vec<(usize, usize)>,
    pub valid_from: Option<Instant>,
    /// Walls may stand upright: plan validity means nothing.
    pub upright: bool,
    /// The header says how many features there are.
    pub counted: bool,
    names: Vec<String>,
    kinds: Vec<OGRFieldType::Type>,
}

impl Plan<'_> {
    pub fn field(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }
    /// Value of the source field of this index.
    pub fn value(&self, f: &OgrFeature<'_>, field: usize) -> Value {
        self.kinds.get(field).map_or(Value::Null, |&kind| value(f, field, kind))
    }
}

struct Source {
    dataset: usize,
    index: usize,
    name: String,
    geometry: GeometryKind,
    fields: Vec<(String, FieldKind)>,
    kinds: Vec<OGRFieldType::Type>,
}

pub(super) fn plans<'m>(
    datasets: &[Dataset],
    mapping: Option<&'m Mapping>,
    kind: Kind,
    out: &mut Output<'_>,
) -> Result<Vec<Plan<'m>>, IngestError> {
    let sources = sources(datasets, kind, out)?;
    let mut targets: BTreeMap<LayerId, Layer> = BTreeMap::new();
    let mut drafts = Vec::new();
    for (n, s) in sources.iter().enumerate() {
        let entries: Vec<Option<&LayerMapping>> = match mapping {
            Some(m) => m.of(&s.name).into_iter().map(Some).collect(),
            None => vec![None],
        };
        if entries.is_empty() {
            out.report.note(format!("layer `{}` is left out: the mapping does not name it", s.name));
        }
        for entry in entries {
            let id = match (entry, &out.options.layer) {
                (Some(m), _) => m.layer.clone(),
                (None, Some(id)) => id.clone(),
                (None, None) => own_id(&s.name, n).map_err(|e| out.error("invalid-content", e))?,
            };
            let target = targets.entry(id.clone()).or_insert_with(|| new_layer(id, entry, s, out));
            let kept = fields_of(target, entry, s, out)?;
            drafts.push((s, entry, target.id.clone(), kept));
        }
    }
    let targets: BTreeMap<LayerId, Arc<Layer>> = targets.into_iter().map(|(id, l)| (id, Arc::new(l))).collect();
    let shared = |id: &LayerId| drafts.iter().filter(|d| d.2 == *id).count() > 1;
    let mut plans = Vec::new();
    for (s, entry, id, kept) in &drafts {
        let Some(target) = targets.get(id) else { continue };
        let srs = datasets[s.dataset].layer(s.index).ok().and_then(|l| l.spatial_ref());
        let place = place_of(*entry, srs, s, kind, out);
        let names: Vec<String> = s.fields.iter().map(|(n, _)| n.clone()).collect();
        let id_field = match entry {
            Some(m) => match &m.id {
                Some(name) => Some(names.iter().position(|n| n == name).ok_or_else(|| {
                    IngestError::new(out.path, "invalid-mapping", format!("layer `{}` has no field `{name}` to name its features", s.name))
                })?),
                None => None,
            },
            None => own_id_field(&datasets[s.dataset], s, &names, kind, out),
        };
        let prefix = match entry {
            Some(m) => m.id_prefix.clone(),
            None if shared(id) => format!("{}-", text::slug(&s.name).unwrap_or_else(|| format!("layer{}", s.index))),
            None => String::new(),
        };
        plans.push(Plan {
            dataset: s.dataset,
            index: s.index,
            source: s.name.clone(),
            mapping: *entry,
            target: target.clone(),
            place,
            id: id_field,
            prefix,
            kept: kept.iter().filter_map(|(i, name)| Some((*i, target.field_index(name)?))).collect(),
            valid_from: out.options.valid_from,
            upright: target.geometry == GeometryKind::Surfaces,
            counted: matches!(kind, Kind::GeoPackage | Kind::FlatGeobuf | Kind::Shapefile | Kind::ZippedShapefile),
            names,
            kinds: s.kinds.clone(),
        });
    }
    Ok(plans)
}

fn sources(datasets: &[Dataset], kind: Kind, out: &mut Output<'_>) -> Result<Vec<Source>, IngestError> {
    let mut sources = Vec::new();
    let stem = out.path.file_name().unwrap_or_default().to_string_lossy().split('.').next().unwrap_or_default().to_owned();
    for (dataset, d) in datasets.iter().enumerate() {
        for index in 0..d.layer_count() {
            let layer = d.layer(index).map_err(|e| out.error("invalid-content", format!("layer {index}: {e}")))?;
            let defn = layer.defn();
            let shape = geometry_type_flatten(defn.geometry_type());
            // GeoJSON and DXF have one layer whose name says less than the file's.
            let own = layer.name();
            let name = if matches!(kind, Kind::GeoJson | Kind::GeoJsonSeq | Kind::Dxf | Kind::FlatGeobuf) && d.layer_count() == 1 {
                stem.clone()
            } else {
                own
            };
            if shape == T::wkbNone {
                out.report.note(format!("layer `{name}` is left out: it has no geometry"));
                continue;
            }
            let geometry = match shape {
                T::wkbPoint | T::wkbMultiPoint => GeometryKind::Point,
                T::wkbLineString | T::wkbMultiLineString | T::wkbCompoundCurve | T::wkbMultiCurve | T::wkbCircularString => {
                    GeometryKind::Line
                }
                T::wkbPolygon | T::wkbMultiPolygon | T::wkbCurvePolygon | T::wkbMultiSurface => GeometryKind::Polygon,
                T::wkbPolyhedralSurface => GeometryKind::Surfaces,
                T::wkbTIN => GeometryKind::Tin,
                _ => GeometryKind::Any,
            };
            let fields = defn.fields().map(|f| (f.name(), kind_of(f.field_type()))).collect();
            let kinds = defn.fields().map(|f| f.field_type()).collect();
            sources.push(Source { dataset, index, name, geometry, fields, kinds });
        }
    }
    Ok(sources)
}

fn kind_of(t: OGRFieldType::Type) -> FieldKind {
    match t {
        OGRFieldType::OFTInteger | OGRFieldType::OFTInteger64 => FieldKind::Int,
        OGRFieldType::OFTReal => FieldKind::Float,
        _ => FieldKind::Text,
    }
}

fn own_id(name: &str, n: usize) -> Result<LayerId, String> {
    let slug = text::slug(name).unwrap_or_else(|| format!("layer_{}", n + 1));
    LayerId::new(slug)
}

fn new_layer(id: LayerId, entry: Option<&LayerMapping>, s: &Source, out: &Output<'_>) -> Layer {
    let mut layer = layers::contract(id.as_str()).unwrap_or_else(|| layers::free(id, &s.name, s.geometry));
    layer.source = out.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(m) = entry {
        layer.theme = m.theme.unwrap_or(layer.theme);
        layer.title_zh = m.title_zh.clone().unwrap_or(layer.title_zh);
        layer.title_en = m.title_en.clone().unwrap_or(layer.title_en);
        layer.cim_level = m.cim_level.unwrap_or(layer.cim_level);
        layer.category = m.category.unwrap_or(layer.category);
        layer.classification = m.classification.unwrap_or(layer.classification);
        if !m.from.is_empty() {
            layer.source = m.from.clone();
        }
    }
    layer
}

/// Adds what this source brings to the target; answers the fields that pass as they are.
fn fields_of(target: &mut Layer, entry: Option<&LayerMapping>, s: &Source, out: &Output<'_>) -> Result<Vec<(usize, String)>, IngestError> {
    let conflict =
        |name: String| out.error("invalid-mapping", format!("`{name}` of layer `{}` has another kind in `{}`", s.name, target_name(entry)));
    let mut kept = Vec::new();
    let mut used: HashSet<String> = HashSet::new();
    if let Some(m) = entry {
        for (name, v) in &m.constants {
            if target.field(name).is_none() {
                let kind = match Value::from(v) {
                    Value::Bool(_) => FieldKind::Bool,
                    Value::Int(_) => FieldKind::Int,
                    Value::Float(_) => FieldKind::Float,
                    _ => FieldKind::Text,
                };
                layers::add_field(target, Field::new(name, kind, "", name)).map_err(conflict)?;
            }
        }
        for fm in &m.fields {
            let Some((_, source_kind)) = s.fields.iter().find(|(n, _)| *n == fm.from) else {
                return Err(out.error("invalid-mapping", format!("layer `{}` has no field `{}`", s.name, fm.from)));
            };
            used.insert(fm.from.clone());
            if target.field(&fm.to).is_none() {
                let kind = fm.kind.unwrap_or(if fm.scale.is_some() || fm.scale_by.is_some() { FieldKind::Float } else { *source_kind });
                let mut field = Field::new(&fm.to, kind, &fm.title_zh, if fm.title_en.is_empty() { &fm.from } else { &fm.title_en });
                field.unit = fm.unit.clone();
                layers::add_field(target, field).map_err(conflict)?;
            }
        }
        if !m.keep {
            return Ok(kept);
        }
    }
    for (i, (name, kind)) in s.fields.iter().enumerate().filter(|(_, (n, _))| !used.contains(n)) {
        let base = text::slug(name).unwrap_or_else(|| format!("field_{}", i + 1));
        let mut attribute = base.clone();
        let mut n = 2;
        while kept.iter().any(|(_, a)| *a == attribute) {
            attribute = format!("{base}_{n}");
            n += 1;
        }
        let title_zh = if name.is_ascii() { "" } else { name.as_str() };
        // The same name with another kind in a shared layer: text takes both.
        if let Err(taken) = layers::add_field(target, Field::new(&attribute, *kind, title_zh, name)) {
            attribute = format!("{taken}_{}", format!("{kind:?}").to_ascii_lowercase());
            layers::add_field(target, Field::new(&attribute, *kind, title_zh, name)).map_err(conflict)?;
        }
        kept.push((i, attribute));
    }
    Ok(kept)
}

fn target_name(entry: Option<&LayerMapping>) -> String {
    entry.map_or_else(|| "the layer it shares".into(), |m| m.layer.to_string())
}

fn place_of(entry: Option<&LayerMapping>, srs: Option<SpatialRef>, s: &Source, kind: Kind, out: &Output<'_>) -> Result<Place, IngestError> {
    let working = &out.options.frame.crs;
    if let Some(crs) = entry.and_then(|m| m.crs.as_ref()).or(out.options.source_crs.as_ref()) {
        return Place::from_crs(crs, working, out.path);
    }
    let known = srs.filter(|s| !s.is_local() && !crs_name(s).to_ascii_lowercase().contains("undefined"));
    match known {
        Some(srs) if !matches!(kind, Kind::Dxf | Kind::Csv | Kind::Xlsx) => Place::from_srs(&srs, working, out.path),
        _ => Err(out.error("invalid-crs", format!("layer `{}` says no CRS; name the source CRS", s.name))),
    }
}

/// GeoJSON writes a feature's id beside its properties; GDAL makes it a field `id`. It names the features when all
/// have one and no two the same.
fn own_id_field(d: &Dataset, s: &Source, names: &[String], kind: Kind, out: &mut Output<'_>) -> Option<usize> {
    if !matches!(kind, Kind::GeoJson | Kind::GeoJsonSeq) {
        return None;
    }
    let index = names.iter().position(|n| n == "id")?;
    let kind = *s.kinds.get(index)?;
    let mut layer = d.layer(s.index).ok()?;
    let mut seen = HashSet::new();
    let unique = layer.features().all(|f| match value(&f, index, kind) {
        Value::Null => false,
        v => seen.insert(format!("{v:?}")),
    });
    if !unique {
        out.report.note(format!("layer `{}`: `id` is not unique, features are named by their row", s.name));
    }
    unique.then_some(index)
}
