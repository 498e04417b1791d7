//! How much is made: a district, the whole city, or as many features as a benchmark asks for.

use crate::{
    Anchor, CitygenError, District, Truth,
    layers::Layers,
    plane::P2,
    truth::{Sink, Tally},
};
use std::sync::Arc;
use strata_model::{Bounds2, Crs, Layer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 4.5 × 4.1 km around 人民广场.
    District,
    /// The known Changchun, 21.8 × 20.4 km: up to the fourth ring road, the car works in the south-west, 净月 in the
    /// south-east.
    City,
    /// About this many features: a box around the centre, or, beyond one city, whole cities of other seeds side by side.
    Features(u64),
}

pub(crate) const FEWEST: u64 = 30_000;
pub(crate) const MOST: u64 = 20_000_000;

const CITY: Bounds2 = Bounds2 { min: [-8_900.0, -12_000.0], max: [12_900.0, 8_400.0] };
/// Towards this place the box shrinks.
const MIDDLE: P2 = [650.0, -850.0];
/// Side of the box as a share of the city's, and about how many features stand in it (counted for seed 42).
const FILLING: [(f64, f64); 10] = [
    (0.08, 28_000.0),
    (0.10, 52_000.0),
    (0.15, 110_000.0),
    (0.20, 192_000.0),
    (0.30, 408_000.0),
    (0.40, 709_000.0),
    (0.50, 1_098_000.0),
    (0.70, 2_142_000.0),
    (0.90, 3_199_000.0),
    (1.00, 3_724_000.0),
];
/// Between cities that stand side by side.
const GAP_M: f64 = 600.0;

/// A city that has not been made yet: what it will have, and how.
#[derive(Debug)]
pub struct City {
    size: Size,
    seed: u64,
    layers: Layers,
    panels: Vec<Panel>,
}

/// One plan of a city.
#[derive(Debug, Clone, Copy)]
struct Panel {
    seed: u64,
    bounds: Bounds2,
    shift: P2,
}

fn within(share: f64) -> Bounds2 {
    let toward = |p: P2| [0, 1].map(|k| MIDDLE[k] + ((p[k] - MIDDLE[k]) * share / 20.0).round() * 20.0);
    Bounds2 { min: toward(CITY.min), max: toward(CITY.max) }
}

/// The share of the city's side that holds so many features.
fn share(features: f64) -> f64 {
    let i = FILLING.iter().position(|f| f.1 >= features).unwrap_or(FILLING.len() - 1).max(1);
    let (a, b) = (FILLING[i - 1], FILLING[i]);
    (a.0 + (b.0 - a.0) * (features - a.1) / (b.1 - a.1)).min(1.0)
}

impl City {
    pub fn new(size: Size, seed: u64) -> Result<Self, CitygenError> {
        let panel = |i: u64, bounds| {
            // Two by two, then on to the east: never far from where the projection is true.
            let (column, row) = (i / 2, i % 2);
            let step = [0, 1].map(|k| CITY.max[k] - CITY.min[k] + GAP_M);
            Panel { seed: seed.wrapping_add(i), bounds, shift: [step[0] * column as f64, -step[1] * row as f64] }
        };
        let panels = match size {
            Size::District => Vec::new(),
            Size::City => vec![panel(0, CITY)],
            Size::Features(n) if !(FEWEST..=MOST).contains(&n) => return Err(CitygenError::Size { asked: n }),
            Size::Features(n) => {
                let whole = FILLING[FILLING.len() - 1].1;
                let (full, rest) = ((n as f64 / whole) as u64, n as f64 % whole);
                let mut panels: Vec<Panel> = (0..full).map(|i| panel(i, CITY)).collect();
                // A rest too small to be a piece of town is left away.
                if rest >= FEWEST as f64 || panels.is_empty() {
                    panels.push(panel(full, within(share(rest))));
                }
                panels
            }
        };
        Ok(Self { size, seed, layers: Layers::new(seed), panels })
    }
    pub fn crs(&self) -> Crs {
        Crs::CHANGCHUN
    }
    /// The layers that [`City::generate`] fills.
    pub fn layers(&self) -> Vec<Arc<Layer>> {
        self.layers.all()
    }
    /// About how many features there will be; 0 where that is not known beforehand.
    pub fn expected(&self) -> u64 {
        match self.size {
            Size::Features(n) => n,
            Size::City => FILLING[FILLING.len() - 1].1 as u64,
            Size::District => 0,
        }
    }
    fn size_name(&self) -> &'static str {
        match self.size {
            Size::District => "district",
            Size::City => "city",
            Size::Features(_) => "features",
        }
    }

    /// Hands every feature on, plan by plan, and says what was made and the named places for cameras. At any moment one
    /// plan and one of its networks are in memory: the bound does not depend on how many features there are.
    pub fn generate(&self, sink: &mut Sink<'_>) -> Result<(Truth, Vec<Anchor>), CitygenError> {
        let mut truth = Truth::new(self.seed, self.size_name(), &self.layers());
        if self.size == Size::District {
            let district = District::new(self.seed)?;
            district.generate_into(&mut Tally::new(sink, &mut truth, ""), true)?;
            return Ok((truth, district.anchors()));
        }
        let mut anchors = Vec::new();
        for (i, panel) in self.panels.iter().enumerate() {
            let prefix = if i == 0 { String::new() } else { format!("{}-", i + 1) };
            let plan = District::within(panel.seed, panel.bounds, panel.shift)?;
            plan.generate_into(&mut Tally::new(sink, &mut truth, &prefix), i == 0)?;
            if i == 0 {
                anchors = plan.anchors();
            }
        }
        Ok((truth, anchors))
    }
}
