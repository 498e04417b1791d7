//! One question against one layer: which rows, in which order, and what of them may be shown.

use crate::{
    EngineError,
    index::{RowBox, Window},
    segment::{Segment, Texts},
    state::{LayerState, State},
};
use std::{cell::RefCell, ops::ControlFlow, sync::Arc};
use strata_model::{Bounds2, Bounds3, Feature, FeatureId, FeatureVersion, Filter, Geometry, Layer, LayerId, Query, Scope, Value, Version};

/// A row of the segment or of the delta.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    Segment(u32),
    Delta(u32),
}

/// A layer as a scope sees it.
pub(crate) struct Shown<'a> {
    pub layer: Arc<Layer>,
    state: &'a LayerState,
    /// Places, in the layer's own fields, of those that are shown.
    fields: Vec<usize>,
    /// Those of them that features are given with, and the layer as it then is.
    given: Option<(Arc<Layer>, Vec<usize>)>,
    texts: RefCell<Texts>,
    districts: Option<&'a [Bounds2]>,
}

impl<'a> Shown<'a> {
    /// Hidden and missing give the same error.
    pub(crate) fn new(state: &'a State, id: &LayerId, scope: &'a Scope) -> Result<Self, EngineError> {
        let missing = || EngineError::UnknownLayer { layer: id.clone() };
        let state = state.layers.get(id).filter(|l| scope.sees_layer(&l.layer)).ok_or_else(missing)?;
        let full = &state.layer;
        let fields: Vec<usize> = (0..full.fields.len()).filter(|&k| scope.sees_attribute(full, &full.fields[k].name)).collect();
        let layer = if fields.len() == full.fields.len() {
            full.clone()
        } else {
            Arc::new(Layer { fields: fields.iter().map(|&k| full.fields[k].clone()).collect(), ..(**full).clone() })
        };
        Ok(Self { layer, state, fields, given: None, texts: RefCell::default(), districts: scope.districts.as_deref() })
    }
    /// For a query, which may ask for some attributes only.
    pub(crate) fn asked(state: &'a State, q: &'a Query) -> Result<Self, EngineError> {
        let mut shown = Self::new(state, &q.layer, &q.scope)?;
        if let Some(names) = &q.attributes {
            let full = &shown.state.layer;
            let given: Vec<usize> = shown.fields.iter().copied().filter(|&k| names.contains(&full.fields[k].name)).collect();
            let fields = given.iter().map(|&k| full.fields[k].clone()).collect();
            shown.given = Some((Arc::new(Layer { fields, ..(**full).clone() }), given));
        }
        Ok(shown)
    }
    /// The layer as features are given.
    pub(crate) fn given_layer(&self) -> &Arc<Layer> {
        self.given.as_ref().map_or(&self.layer, |(layer, _)| layer)
    }

    pub(crate) fn segment(&self) -> Option<&Segment> {
        self.state.segment.as_deref()
    }
    pub(crate) fn untouched(&self) -> bool {
        self.state.delta.is_empty() && self.districts.is_none()
    }
    fn segment_span(&self, segment: &Segment, row: u32) -> (Version, Option<Version>) {
        let (since, until) = segment.span(row);
        let closed = if self.state.delta.closed.is_empty() { None } else { self.state.delta.closed.get(&row).copied() };
        (since, until.or(closed))
    }
    pub(crate) fn span(&self, at: At) -> (Version, Option<Version>) {
        match (at, self.segment()) {
            (At::Segment(row), Some(s)) => self.segment_span(s, row),
            (At::Delta(row), _) => {
                let r = &self.state.delta.rows[row as usize];
                (r.since, r.until)
            }
            _ => (Version(u64::MAX), None),
        }
    }
    pub(crate) fn row_box(&self, at: At) -> RowBox {
        match (at, self.segment()) {
            (At::Segment(row), Some(s)) => s.index.row(row),
            (At::Delta(row), _) => self.state.delta.rows[row as usize].at,
            _ => RowBox { bounds: Bounds3::EMPTY, valid: strata_model::Interval::ALWAYS },
        }
    }
    fn in_districts(&self, at: At) -> bool {
        let Some(districts) = self.districts else { return true };
        let plan = self.row_box(at).bounds.plan();
        !plan.is_empty() && districts.iter().any(|d| d.intersects(&plan))
    }
    fn attributes(&self, at: At, fields: &[usize]) -> Vec<Value> {
        match (at, self.segment()) {
            (At::Segment(row), Some(s)) => {
                let (row, texts) = (s.row(row), &mut *self.texts.borrow_mut());
                fields.iter().map(|&k| self.state.columns[k].map_or(Value::Null, |column| row.value(column, texts))).collect()
            }
            (At::Delta(row), _) => {
                let f = &self.state.delta.rows[row as usize].feature;
                fields.iter().map(|&k| f.attributes.get(k).cloned().unwrap_or_default()).collect()
            }
            _ => Vec::new(),
        }
    }
    fn id(&self, at: At) -> FeatureId {
        match (at, self.segment()) {
            (At::Segment(row), Some(s)) => s.id(row).into(),
            (At::Delta(row), _) => self.state.delta.rows[row as usize].feature.id.clone(),
            _ => "".into(),
        }
    }
    fn geometry(&self, at: At) -> Result<Geometry, EngineError> {
        Ok(match (at, self.segment()) {
            (At::Segment(row), Some(s)) => s.row(row).geometry()?,
            (At::Delta(row), _) => self.state.delta.rows[row as usize].feature.geometry.clone(),
            _ => Geometry::MultiPoint(Vec::new()),
        })
    }
    pub(crate) fn feature(&self, at: At) -> Result<Feature, EngineError> {
        let fields = self.given.as_ref().map_or(&self.fields, |(_, fields)| fields);
        if let (At::Segment(r), Some(s)) = (at, self.segment()) {
            // Its place among the batches is looked up once.
            let (row, texts) = (s.row(r), &mut *self.texts.borrow_mut());
            let value = |&k: &usize| self.state.columns[k].map_or(Value::Null, |column| row.value(column, texts));
            let attributes = fields.iter().map(value).collect();
            return Ok(Feature { id: row.id().into(), geometry: row.geometry()?, valid: s.index.row(r).valid, attributes });
        }
        Ok(Feature {
            id: self.id(at),
            geometry: self.geometry(at)?,
            valid: self.row_box(at).valid,
            attributes: self.attributes(at, fields),
        })
    }
    /// Does the filter take the row? No geometry is read for it.
    fn passes(&self, filter: &Filter, at: At) -> bool {
        let bare = Feature {
            id: "".into(),
            geometry: Geometry::MultiPoint(Vec::new()),
            valid: self.row_box(at).valid,
            attributes: self.attributes(at, &self.fields),
        };
        filter.matches(&self.layer, &bare)
    }

    /// Rows of one feature that the scope may see, oldest first.
    pub(crate) fn rows_of(&self, id: &FeatureId) -> Vec<At> {
        let old = self.segment().map_or(&[][..], |s| s.rows_of(id.as_str())).iter().map(|&r| At::Segment(r));
        let new = self.state.delta.rows_of(id).iter().map(|&r| At::Delta(r));
        old.chain(new).filter(|at| self.in_districts(*at)).collect()
    }
    pub(crate) fn version_of(&self, at: At) -> Result<FeatureVersion, EngineError> {
        let (since, until) = self.span(at);
        Ok(FeatureVersion { feature: self.feature(at)?, since, until })
    }

    /// Every row that the query takes: those of the segment along the curve, then those of the delta as they came.
    pub(crate) fn each(&self, version: Version, q: &Query, f: &mut dyn FnMut(At) -> ControlFlow<()>) -> Result<(), EngineError> {
        if let Some(filter) = &q.filter {
            filter.check(&self.state.layer, &q.scope)?;
        }
        let window = Window { bounds: q.bounds.or_else(|| self.districts.map(hull)), valid: q.valid };
        let (mut skip, mut left) = (q.offset, q.limit.unwrap_or(usize::MAX));
        if left == 0 {
            return Ok(());
        }
        let mut take = |at: At| {
            if !visible(self.span(at), version) || !self.in_districts(at) || q.filter.as_ref().is_some_and(|x| !self.passes(x, at)) {
                return ControlFlow::Continue(());
            }
            if skip > 0 {
                skip -= 1;
                return ControlFlow::Continue(());
            }
            f(at)?;
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        if let Some(segment) = self.segment()
            && segment.index.for_each(&window, &mut |rows| rows.into_iter().try_for_each(|r| take(At::Segment(r)))).is_break()
        {
            return Ok(());
        }
        let _ = self.state.delta.search(&window).into_iter().try_for_each(|r| take(At::Delta(r)));
        Ok(())
    }
}

pub(crate) fn visible((since, until): (Version, Option<Version>), version: Version) -> bool {
    since <= version && until.is_none_or(|u| version < u)
}

fn hull(districts: &[Bounds2]) -> Bounds3 {
    let mut all = Bounds2::EMPTY;
    for d in districts {
        all.extend(d.min);
        all.extend(d.max);
    }
    all.with_all_heights()
}
