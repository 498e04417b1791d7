use crate::Sink;
use std::{collections::BTreeMap, sync::Arc};
use strata_model::{Feature, Layer, LayerId};

/// A sink that keeps everything in memory: for tests, previews and files that are known to be small.
#[derive(Debug, Default)]
pub struct Collected {
    pub layers: BTreeMap<LayerId, (Arc<Layer>, Vec<Feature>)>,
}

impl Collected {
    /// The layer and its features; `None` when no such layer was announced.
    pub fn get(&self, layer: &str) -> Option<(&Layer, &[Feature])> {
        self.layers.iter().find(|(id, _)| id.as_str() == layer).map(|(_, (l, f))| (&**l, f.as_slice()))
    }
    pub fn count(&self) -> usize {
        self.layers.values().map(|(_, f)| f.len()).sum()
    }
}

impl Sink for Collected {
    fn layer(&mut self, layer: &Arc<Layer>) -> Result<(), String> {
        match self.layers.get(&layer.id) {
            Some((known, _)) if known.fields != layer.fields => Err(format!("layer `{}` announced twice with other fields", layer.id)),
            Some(_) => Ok(()),
            None => {
                self.layers.insert(layer.id.clone(), (layer.clone(), Vec::new()));
                Ok(())
            }
        }
    }
    fn feature(&mut self, layer: &LayerId, feature: Feature) -> Result<(), String> {
        match self.layers.get_mut(layer) {
            Some((_, features)) => {
                features.push(feature);
                Ok(())
            }
            None => Err(format!("layer `{layer}` was not announced")),
        }
    }
}
