//! Networks that are kept with the snapshot they were read from, so that a second question need not join all pipes again.
//!
//! A network depends on the snapshot, the asker's scope, what belongs to it, and the moment; between two days on which a
//! pipe or a point begins or ends in the world all moments give the same one.

use crate::{
    isolation::Totals,
    joining::Joining,
    network::{Network, PipeRow},
    segments::{Segments, valves},
    supply::{Assumptions, Model},
    users::{User, Users},
    walk::directions,
};
use std::sync::Arc;
use strata_engine::{EngineError, View};
use strata_model::Theme;

/// Names all moments at which the layers of these themes stand as they do at the view's.
fn moments(view: &View, themes: &[Theme]) -> String {
    let mut out = String::new();
    let day = view.at.day();
    for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| themes.contains(&l.theme)) {
        let key = format!("days {} {}", layer.id, view.scope.cache_key());
        let days = view.snapshot.keep(&key, || {
            let days: Vec<i32> = view.snapshot.change_days(&layer.id, view.scope).into_iter().map(|d| d.0).collect();
            let bytes = days.len() * 4;
            Ok::<_, EngineError>((days, bytes))
        });
        match days {
            // On a day of changes the moment itself counts.
            Ok(days) if days.binary_search(&day).is_err() => out.push_str(&format!(" {}", days.partition_point(|d| *d < day))),
            _ => out.push_str(&format!(" {:?}", view.at)),
        }
    }
    out
}

/// A network with its name among what is kept.
pub struct Kept {
    pub net: Arc<Network>,
    key: String,
}

/// What the valves of a network cut it into, and what hangs on each part.
pub struct Cut {
    pub segments: Segments,
    pub totals: Totals,
}

impl Kept {
    /// [`Network::read`], or the one that was read before.
    pub fn read(view: &View, joining: Joining) -> Result<Self, EngineError> {
        let key = format!("network {joining:?} {}{}", view.scope.cache_key(), moments(view, &[Theme::Pipe, Theme::PipePoint]));
        let net = view.snapshot.keep(&key, || {
            let net = Network::read(view, joining)?;
            let bytes = net.bytes();
            Ok::<_, EngineError>((net, bytes))
        })?;
        Ok(Self { net, key })
    }
    /// [`directions`] of the network.
    pub fn directions(&self, view: &View) -> Result<Arc<Vec<i8>>, EngineError> {
        view.snapshot.keep(&format!("directions of {}", self.key), || Ok((directions(&self.net), self.net.edges.len())))
    }
    /// [`Users::read`] of the network.
    pub fn users(&self, view: &View, reach_m: f64) -> Result<Arc<Users>, EngineError> {
        let key = format!("users within {reach_m} at{} of {}", moments(view, &[Theme::Building]), self.key);
        view.snapshot.keep(&key, || {
            let users = Users::read(view, &self.net, reach_m)?;
            let bytes = users.all.len() * (size_of::<User>() + 32) + self.net.edges.len() * 4;
            Ok((users, bytes))
        })
    }
    /// [`Model::read`] of the network.
    pub fn model(&self, view: &View, assume: &Assumptions) -> Result<Arc<Model>, EngineError> {
        let key = format!("model with {assume:?} at{} of {}", moments(view, &[Theme::Building]), self.key);
        view.snapshot.keep(&key, || {
            let model = Model::read(view, &self.net, assume)?;
            let bytes = model.bytes();
            Ok((model, bytes))
        })
    }
    /// What the valves as they were surveyed cut the network into.
    pub fn cut(&self, view: &View, users: &Users, reach_m: f64) -> Result<Arc<Cut>, EngineError> {
        let key = format!("cut for users within {reach_m} at{} of {}", moments(view, &[Theme::Building]), self.key);
        view.snapshot.keep(&key, || {
            let segments = Segments::new(&self.net, valves(&self.net));
            let totals = Totals::new(&segments, users.by_segment(&self.net, &segments));
            let bytes =
                (self.net.nodes.len() + self.net.edges.len()) * 12 + segments.valves.len() * 72 + segments.count * 44 + totals.bytes();
            Ok((Cut { segments, totals }, bytes))
        })
    }
}

impl Network {
    /// About what it takes in memory.
    fn bytes(&self) -> usize {
        let points: usize = (0..self.edges.len() as u32).map(|e| self.axis(e).len()).sum();
        // Names are counted with their keys in the two tables, landmarks as if they stood.
        self.nodes.len() * 212 + self.edges.len() * 80 + self.pipes.len() * (size_of::<PipeRow>() + 120) + points * 24
    }
}
