//! 3D Tiles 1.1 of a layer: the tileset, its subtrees and the content of its cells.

use crate::{
    CityState, Content, Problem,
    content::layer_id,
    reply::{GLB, SUBTREE},
};
use std::{ops::ControlFlow, sync::Arc};
use strata_engine::Snapshot;
use strata_model::{Layer, LayerId, Query, Scope, Theme};
use strata_tiles::{Cell, Relief, TilesetPlan, body_bounds, encode_content, stands_out};

/// A layer's plan; `None`: nothing stands in it.
pub type KeptPlan = Arc<Option<TilesetPlan>>;

/// Above so many features the plan is laid out by their plain boxes, which cost no geometry.
const MAX_BODIES: usize = 300_000;

/// `rest`: what stands behind `/3dtiles/{layer}/`.
pub fn content(state: &CityState, layer: &str, rest: &[&str], scope: &Scope) -> Result<Content, Problem> {
    let id = layer_id(layer)?;
    let snapshot = state.snapshot();
    let layer = snapshot.layer(&id, scope).ok_or_else(Problem::not_found)?;
    let place = |level: &str, x: &str, y: &str, ending: &str| {
        let number = |t: &str| if t.len() <= 10 && t.bytes().all(|b| b.is_ascii_digit()) { t.parse::<u32>().ok() } else { None };
        let y = y.strip_suffix(ending).ok_or_else(Problem::not_found)?;
        let (level, x, y) = (number(level), number(x), number(y));
        level.zip(x).zip(y).map(|((l, x), y)| (l, x, y)).ok_or_else(|| Problem::new("tile-out-of-range", "There is no such tile."))
    };
    let key = |what: &str| format!("3d|{}|{id}|{what}|{}", snapshot.version().0, scope.cache_key());
    let none = || Problem::new("tile-out-of-range", "There is no such tile.");
    match rest {
        ["tileset.json"] => {
            let plan = plan(state, &snapshot, &layer, scope)?;
            let plan = plan.as_ref().as_ref().ok_or_else(Problem::not_found)?;
            Ok(Content::json(&plan.tileset_json()))
        }
        ["subtrees", level, x, y] => {
            let (level, x, y) = place(level, x, y, ".subtree")?;
            let plan = plan(state, &snapshot, &layer, scope)?;
            let bytes = plan.as_ref().as_ref().and_then(|p| p.subtree(level, x, y)).ok_or_else(none)?;
            Ok(Content::new(SUBTREE, bytes))
        }
        ["content", level, x, y] => {
            let (level, x, y) = place(level, x, y, ".glb")?;
            state.kept(key(&format!("{level}/{x}/{y}")), || {
                let plan = plan(state, &snapshot, &layer, scope)?;
                let plan = plan.as_ref().as_ref().ok_or_else(none)?;
                let cell = plan.cell(&state.frame, level, x, y)?.ok_or_else(none)?;
                let q = Query { bounds: Some(cell.bounds.with_all_heights()), ..Query::all(id.clone(), scope.clone()) };
                let batch = snapshot.query(&q)?;
                let relief = ground(&snapshot, layer.theme, &cell, scope)?;
                let bytes = encode_content(plan, &cell, &state.frame, &batch, relief.as_ref())?.ok_or_else(none)?;
                Ok(Content::new(GLB, bytes).packable())
            })
        }
        _ => Err(Problem::not_found()),
    }
}

fn plan(state: &CityState, snapshot: &Snapshot, layer: &Layer, scope: &Scope) -> Result<KeptPlan, Problem> {
    let key = format!("{}|{}|{}", snapshot.version().0, layer.id, scope.cache_key());
    let made = state.plans.try_get_with(key, || {
        let q = Query::all(layer.id.clone(), scope.clone());
        let mut boxes = Vec::new();
        if stands_out(layer.theme) && snapshot.count(&q)? <= MAX_BODIES {
            snapshot.for_each(&q, &mut |f| {
                boxes.extend(body_bounds(layer, &f));
                ControlFlow::Continue(())
            })?;
        } else {
            snapshot.for_each_box(&q, &mut |b, _| boxes.push(*b))?;
        }
        Ok::<_, Problem>(Arc::new(TilesetPlan::new(layer, &state.frame, boxes.into_iter())?))
    });
    made.map_err(|e| (*e).clone())
}

/// The ground under a cell, for what lies on it; none where the asker does not see the terrain.
fn ground(snapshot: &Snapshot, theme: Theme, cell: &Cell, scope: &Scope) -> Result<Option<Relief>, Problem> {
    if !matches!(theme, Theme::Road | Theme::Rail | Theme::ControlLine | Theme::Parcel | Theme::Transit | Theme::Pipe | Theme::PipePoint) {
        return Ok(None);
    }
    let Some(terrain): Option<LayerId> = snapshot.layers(scope).iter().find(|l| l.theme == Theme::Terrain).map(|l| l.id.clone()) else {
        return Ok(None);
    };
    let bounds = cell.bounds.grown(60.0);
    let q = Query { bounds: Some(bounds.with_all_heights()), ..Query::all(terrain, scope.clone()) };
    Ok(Some(Relief::from_batch(&snapshot.query(&q)?, bounds, (cell.size_m / 100.0).max(4.0))))
}
