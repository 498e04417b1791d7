//! The engine answers: which features meet this box, at this moment of the world, as this version of the record said,
//! for this asker. It can always be rebuilt from the record and knows neither a database nor a network.
//!
//! A layer's rows lie in an immutable **segment**: an Arrow file, mapped and not copied, with a packed time-space
//! index beside it ([`index`]). What was committed after the segment was built lies in a small **delta** in memory;
//! when that has grown, a new segment is built. A **[`Snapshot`]** is both at one version. It never changes while the
//! engine moves on, because all parts are shared and none is changed while somebody holds it. A proposal is the same
//! delta once more, on top of a snapshot: so every analysis runs on what is, what was, and what if.
//!
//! - `segment`: the files, their checksums, rows in and out
//! - [`index`]: the packed Hilbert R-tree over plan, height and valid time
//! - `delta`: changes after the segment
//! - `analysis`: what the analyses above are to their doors
//! - `kept`: what analyses made of one state, so that a second question need not make it again
//! - `engine`, `snapshot`: the two doors; `evaluate`: one question, with scope, version and filter

mod analysis;
mod delta;
mod engine;
mod error;
mod evaluate;
pub mod index;
mod kept;
mod map;
mod segment;
mod snapshot;
mod state;

pub use analysis::{Analysis, AnalysisError, View};
pub use engine::{Engine, Sink};
pub use error::EngineError;
pub use snapshot::Snapshot;
