//! The last step of every reader: a feature is checked against its layer, its id and the city's area, then
//! taken or refused. Nothing reaches the sink around this.

use crate::{ImportOptions, IngestError, Report, Sink, place};
use hashbrown::{HashMap, HashSet};
use std::{path::Path, sync::Arc};
use strata_model::{Bounds2, Feature, Field, Instant, Interval, Layer, LayerId, Value};

pub(crate) struct Output<'a> {
    pub path: &'a Path,
    pub options: &'a ImportOptions,
    pub report: &'a mut Report,
    sink: &'a mut dyn Sink,
    /// Layers announced, with the ids that they hold already.
    layers: HashMap<LayerId, HashSet<Arc<str>>>,
    /// Plan box of the working frame outside which nothing can be right; `None` switches the check off.
    pub area: Option<Bounds2>,
}

impl<'a> Output<'a> {
    pub fn new(path: &'a Path, options: &'a ImportOptions, sink: &'a mut dyn Sink, report: &'a mut Report) -> Self {
        let area = place::area_of(&options.frame.crs);
        Self { path, options, report, sink, layers: HashMap::new(), area }
    }
    pub fn error(&self, code: &'static str, reason: impl Into<String>) -> IngestError {
        IngestError::new(self.path, code, reason)
    }
    pub fn layer(&mut self, layer: &Arc<Layer>) -> Result<(), IngestError> {
        if self.layers.contains_key(&layer.id) {
            return Ok(());
        }
        self.sink.layer(layer).map_err(|e| IngestError::new(self.path, "sink", e))?;
        self.layers.insert(layer.id.clone(), HashSet::new());
        Ok(())
    }
    pub fn refuse(&mut self, id: Option<&str>, place: impl Into<String>, code: &str, reason: impl Into<String>) {
        self.report.refuse(id, place, code, reason);
    }
    /// Takes the feature, or refuses it with its fault. `Err` only when the sink itself fails.
    pub fn put(&mut self, layer: &Arc<Layer>, feature: Feature, place: impl FnOnce() -> String) -> Result<bool, IngestError> {
        self.layer(layer)?;
        let id = feature.id.clone();
        let bounds = match feature.check(layer) {
            Ok(bounds) => bounds,
            Err(e) => {
                self.report.refuse(Some(id.as_str()), place(), "invalid-geometry", e.to_string());
                return Ok(false);
            }
        };
        if let (Some(area), b) = (self.area, bounds)
            && !(area.contains(b.plan().min) && area.contains(b.plan().max))
        {
            let reason = format!(
                "it reaches from {:.1}, {:.1} to {:.1}, {:.1} in {}, outside the area of use of that system: wrong CRS or swapped axes?",
                b.min[0], b.min[1], b.max[0], b.max[1], self.options.frame.crs
            );
            self.report.refuse(Some(id.as_str()), place(), "outside-area", reason);
            return Ok(false);
        }
        if let Some(field) = wrong_kind(layer, &feature.attributes) {
            self.report.refuse(Some(id.as_str()), place(), "invalid-attribute", format!("`{}` is not of its kind", field.name));
            return Ok(false);
        }
        if id.as_str().is_empty() {
            self.report.refuse(None, place(), "missing-id", "its id is empty");
            return Ok(false);
        }
        if !self.layers.get_mut(&layer.id).is_some_and(|ids| ids.insert(id.0.clone())) {
            self.report.refuse(
                Some(id.as_str()),
                place(),
                "duplicate-id",
                format!("layer `{}` has a feature of this id already", layer.id),
            );
            return Ok(false);
        }
        self.sink.feature(&layer.id, feature).map_err(|e| IngestError::new(self.path, "sink", e).at(place()))?;
        self.report.take(layer.id.as_str());
        Ok(true)
    }
    /// Valid time of a feature that says `from` of itself, or nothing.
    pub fn valid(&self, from: Option<Instant>) -> Interval {
        from.or(self.options.valid_from).map_or(Interval::ALWAYS, Interval::since)
    }
}

fn wrong_kind<'l>(layer: &'l Layer, values: &[Value]) -> Option<&'l Field> {
    use strata_model::FieldKind::*;
    layer.fields.iter().zip(values).find_map(|(f, v)| {
        let ok = match (f.kind, v) {
            (_, Value::Null) | (Bool, Value::Bool(_)) | (Int, Value::Int(_)) | (Text, Value::Text(_)) => true,
            (Float, Value::Float(x)) => x.is_finite(),
            (Float, Value::Int(_)) => true,
            _ => false,
        };
        (!ok).then_some(f)
    })
}
