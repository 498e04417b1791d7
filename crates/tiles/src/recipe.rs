//! Tile recipes: which features and attributes of a layer a vector tile carries at which zoom.
//!
//! A pixel here is a screen pixel of a map that draws a tile 512 pixels wide: 8 units of the tile's 4096.

use crate::TilesError;
use serde::Deserialize;
use strata_model::{Feature, Filter, Layer, ModelError};

/// Drop rule: below `below_zoom` only the features that match are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeepRule {
    pub below_zoom: u8,
    pub filter: Filter,
}

/// How one layer becomes vector tiles.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRecipe {
    pub layer: String,
    pub min_zoom: u8,
    /// Tiles deeper than this are not made; a client draws this zoom enlarged.
    pub max_zoom: u8,
    /// Attributes that travel, in this order; `None`: all of the batch's layer.
    pub attributes: Option<Vec<String>>,
    /// Douglas–Peucker tolerance below `max_zoom`, px; the deepest zoom keeps every vertex.
    pub simplify_px: f64,
    /// Smaller polygons are not drawn, px².
    pub min_area_px2: f64,
    /// Shorter lines are not drawn, px.
    pub min_length_px: f64,
    /// Polygons too small to be drawn are gathered: when their areas add up to `min_area_px2`, the one that
    /// filled the measure is drawn as a square of that area, so that dense quarters do not look empty.
    pub gather_tiny: bool,
    pub keep: Vec<KeepRule>,
    /// Largest features first; what is over is dropped and counted.
    pub max_features: usize,
    pub max_bytes: usize,
}

impl LayerRecipe {
    /// For layers that no recipe names: everything at zoom 10 and deeper.
    pub fn plain(layer: &str) -> Self {
        Self {
            layer: layer.into(),
            min_zoom: 10,
            max_zoom: 18,
            attributes: None,
            simplify_px: 0.25,
            min_area_px2: 0.5,
            min_length_px: 0.5,
            gather_tiny: true,
            keep: Vec::new(),
            max_features: 50_000,
            max_bytes: 1 << 20,
        }
    }
    pub fn covers(&self, zoom: u8) -> bool {
        (self.min_zoom..=self.max_zoom).contains(&zoom)
    }
    /// A rule that names an attribute the layer does not have says nothing about it.
    pub fn keeps(&self, layer: &Layer, feature: &Feature, zoom: u8) -> bool {
        self.rules_at(layer, zoom).iter().all(|f| f.matches(layer, feature))
    }
    /// The rules at a zoom as one filter, for a query that need not read what would be left out.
    pub fn filter_at(&self, layer: &Layer, zoom: u8) -> Option<Filter> {
        let rules: Vec<Filter> = self.rules_at(layer, zoom).into_iter().cloned().collect();
        (!rules.is_empty()).then_some(Filter::And(rules))
    }
    /// The filters that hold at a zoom for a layer.
    pub(crate) fn rules_at(&self, layer: &Layer, zoom: u8) -> Vec<&Filter> {
        let scope = strata_model::Scope::everything();
        self.keep.iter().filter(|k| zoom < k.below_zoom && k.filter.check(layer, &scope).is_ok()).map(|k| &k.filter).collect()
    }
}

/// A set of layer recipes, read from TOML.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recipe {
    pub layers: Vec<LayerRecipe>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    layer: Vec<LayerForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerForm {
    id: String,
    min_zoom: Option<u8>,
    max_zoom: Option<u8>,
    attributes: Option<Vec<String>>,
    simplify_px: Option<f64>,
    min_area_px2: Option<f64>,
    min_length_px: Option<f64>,
    gather_tiny: Option<bool>,
    #[serde(default)]
    keep: Vec<KeepForm>,
    max_features: Option<usize>,
    max_bytes: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeepForm {
    below_zoom: u8,
    filter: String,
}

impl Recipe {
    /// Reads `[[layer]]` tables; unknown keys, filters that do not parse and zooms in the wrong order are refused.
    pub fn parse(text: &str) -> Result<Self, TilesError> {
        let form: FileForm = toml::from_str(text).map_err(|e| TilesError::Recipe { reason: e.message().to_owned() })?;
        form.layer.into_iter().map(layer_from_form).collect::<Result<_, _>>().map(|layers| Self { layers })
    }
    /// The recipes that ship with the program (`tiles/default.toml`).
    pub fn built_in() -> Result<Self, TilesError> {
        Self::parse(include_str!("../../../tiles/default.toml"))
    }
    /// The layer's own recipe, else the plain one.
    pub fn layer(&self, id: &str) -> LayerRecipe {
        self.layers.iter().find(|l| l.layer == id).cloned().unwrap_or_else(|| LayerRecipe::plain(id))
    }
}

fn layer_from_form(form: LayerForm) -> Result<LayerRecipe, TilesError> {
    let plain = LayerRecipe::plain(&form.id);
    let keep = form
        .keep
        .into_iter()
        .map(|k| Ok(KeepRule { below_zoom: k.below_zoom, filter: Filter::parse_cql2(&k.filter)? }))
        .collect::<Result<_, ModelError>>()
        .map_err(|e| TilesError::Recipe { reason: format!("layer `{}`: {e}", form.id) })?;
    let recipe = LayerRecipe {
        min_zoom: form.min_zoom.unwrap_or(plain.min_zoom),
        max_zoom: form.max_zoom.unwrap_or(plain.max_zoom),
        attributes: form.attributes,
        simplify_px: form.simplify_px.unwrap_or(plain.simplify_px),
        min_area_px2: form.min_area_px2.unwrap_or(plain.min_area_px2),
        min_length_px: form.min_length_px.unwrap_or(plain.min_length_px),
        gather_tiny: form.gather_tiny.unwrap_or(plain.gather_tiny),
        keep,
        max_features: form.max_features.unwrap_or(plain.max_features),
        max_bytes: form.max_bytes.unwrap_or(plain.max_bytes),
        layer: form.id,
    };
    let measures = [recipe.simplify_px, recipe.min_area_px2, recipe.min_length_px];
    if recipe.min_zoom > recipe.max_zoom || recipe.max_zoom > strata_model::TileId::MAX_Z {
        return Err(TilesError::Recipe { reason: format!("layer `{}`: zooms {} to {}", recipe.layer, recipe.min_zoom, recipe.max_zoom) });
    }
    if measures.iter().any(|m| !m.is_finite() || *m < 0.0) {
        return Err(TilesError::Recipe { reason: format!("layer `{}`: a measure is negative or not finite", recipe.layer) });
    }
    Ok(recipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_parses_and_names_the_layers_of_the_contract() {
        let recipe = Recipe::built_in().expect("tiles/default.toml parses");
        for id in ["water", "roads", "rail", "buildings", "parcels", "control_lines", "pipes", "pipe_points", "trees", "places"] {
            assert!(recipe.layers.iter().any(|l| l.layer == id), "{id} has a recipe");
        }
        assert!(!recipe.layer("pipes").keep.is_empty());
        assert_eq!(recipe.layer("no_such_layer").attributes, None);
    }

    #[test]
    fn faulty_recipes_are_refused_with_the_layer_named() {
        let bad = [
            "layer = 3",
            "[[layer]]\nid='a'\ncolour='red'",
            "[[layer]]\nid='a'\nmin_zoom=9\nmax_zoom=8",
            "[[layer]]\nid='a'\nmax_zoom=99",
            "[[layer]]\nid='a'\nsimplify_px=-1.0",
            "[[layer]]\nid='a'\nkeep=[{below_zoom=15, filter='dn_mm >='}]",
        ];
        for text in bad {
            assert!(matches!(Recipe::parse(text), Err(TilesError::Recipe { .. })), "{text}");
        }
    }
}
