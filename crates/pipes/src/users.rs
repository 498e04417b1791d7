//! Who hangs on which pipe. Service pipes are seldom surveyed, so a rule stands for them: a building is served by the
//! pipe in use that is nearest to the middle of its footprint, within a reach in plan. People are dwellings times the
//! size of a household; other buildings count as buildings.

use crate::{
    network::{LinkKind, Network},
    segments::{Lists, Segments},
};
use rstar::{PointDistance, RTree, primitives::GeomWithData, primitives::Line};
use std::{collections::BTreeMap, ops::ControlFlow};
use strata_engine::{EngineError, View};
use strata_model::{FeatureId, Geometry, Point3, Query, Theme};

/// The farthest a building is looked for from its pipe, m.
pub const REACH_M: f64 = 150.0;
/// People in a household: 第七次全国人口普查公报(第二号), 2021: 2.62.
pub const HOUSEHOLD: f64 = 2.62;

/// A building and its pipe.
#[derive(Debug, Clone)]
pub struct User {
    pub id: FeatureId,
    pub at: Point3,
    /// `None`: no pipe within reach.
    pub edge: Option<u32>,
    pub dwellings: u32,
    /// `residential`, `hospital`, …, as the building says.
    pub purpose: Box<str>,
}

impl User {
    /// Cannot do without: hospitals, schools.
    pub fn is_critical(&self) -> bool {
        matches!(&*self.purpose, "hospital" | "school")
    }
}

/// All buildings of the city with the edges that serve them.
#[derive(Debug, Default)]
pub struct Users {
    pub all: Vec<User>,
    of_edge: Lists,
}

/// Sums over users.
#[derive(Debug, Default, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Count {
    pub buildings: usize,
    pub dwellings: u64,
    pub critical: usize,
    pub hydrants: usize,
}

impl Count {
    pub fn people(&self) -> u64 {
        (self.dwellings as f64 * HOUSEHOLD).round() as u64
    }
    pub fn plus(self, o: Self) -> Self {
        Self {
            buildings: self.buildings + o.buildings,
            dwellings: self.dwellings + o.dwellings,
            critical: self.critical + o.critical,
            hydrants: self.hydrants + o.hydrants,
        }
    }
    pub fn minus(self, o: Self) -> Self {
        Self {
            buildings: self.buildings - o.buildings,
            dwellings: self.dwellings - o.dwellings,
            critical: self.critical - o.critical,
            hydrants: self.hydrants - o.hydrants,
        }
    }
}

impl Users {
    /// Buildings at the view's moment that the asker sees; none where no such layer is.
    pub fn read(view: &View, net: &Network, reach_m: f64) -> Result<Self, EngineError> {
        let mut all = Vec::new();
        for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| l.theme == Theme::Building) {
            let q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at);
            view.snapshot.for_each(&q, &mut |f| {
                let middle = match &f.geometry {
                    Geometry::Polygon(p) => Some(p.plan_centroid()),
                    Geometry::Point(p) => Some(*p),
                    g => g.bounds().map(|b| b.centre()),
                };
                if let Some(at) = middle {
                    let dwellings = f.number(&layer, "units").filter(|u| *u > 0.0).map_or(0, |u| u as u32);
                    let purpose = f.text(&layer, "use").unwrap_or_default().into();
                    all.push(User { id: f.id, at, edge: None, dwellings, purpose });
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(Self::of(net, all, reach_m))
    }

    /// Finds the edge of each.
    pub fn of(net: &Network, mut all: Vec<User>, reach_m: f64) -> Self {
        let segments = (0..net.edges.len() as u32).filter(|e| net.pipe(*e).kind == LinkKind::Pipe).flat_map(|e| {
            net.axis(e).windows(2).map(move |w| GeomWithData::new(Line::new([w[0][0], w[0][1]], [w[1][0], w[1][1]]), e)).collect::<Vec<_>>()
        });
        let tree = RTree::bulk_load(segments.collect());
        for user in &mut all {
            let at = [user.at[0], user.at[1]];
            user.edge = tree.nearest_neighbor(at).filter(|l| l.distance_2(&at) <= reach_m * reach_m).map(|l| l.data);
        }
        let of_edge = Lists::new(net.edges.len(), || all.iter().enumerate().filter_map(|(i, u)| Some((u.edge?, i as u32))));
        Self { all, of_edge }
    }

    pub fn on_edge(&self, edge: u32) -> &[u32] {
        self.of_edge.of(edge)
    }

    /// Sums for each segment, so that an isolation adds few numbers.
    pub fn by_segment(&self, net: &Network, segments: &Segments) -> Vec<Count> {
        let mut out = vec![Count::default(); segments.count];
        for u in &self.all {
            let Some(edge) = u.edge else { continue };
            let count = &mut out[segments.of_edge[edge as usize] as usize];
            count.buildings += 1;
            count.dwellings += u64::from(u.dwellings);
            count.critical += usize::from(u.is_critical());
        }
        for (n, s) in segments.of_node.iter().enumerate().filter(|(_, s)| **s != crate::network::NONE) {
            out[*s as usize].hydrants += usize::from(net.kind(n as u32) == crate::network::PointKind::Hydrant);
        }
        out
    }

    /// How many buildings of each use hang on the edges.
    pub fn purposes(&self, edges: impl Iterator<Item = u32>) -> BTreeMap<&str, usize> {
        let mut out = BTreeMap::new();
        for u in edges.flat_map(|e| self.on_edge(e)) {
            *out.entry(&*self.all[*u as usize].purpose).or_default() += 1;
        }
        out
    }
}
