use crate::{Feature, FeatureId, Instant, LayerId};
use serde::{Deserialize, Serialize};

/// Number of a commit of the record; 0 is the empty city. Record time, never valid time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

/// What one commit or one proposal says about one feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Adds it, or replaces the feature of the same id.
    Put(Feature),
    Remove(FeatureId),
}

impl Change {
    pub fn id(&self) -> &FeatureId {
        match self {
            Self::Put(f) => &f.id,
            Self::Remove(id) => id,
        }
    }
}

/// A feature with the span of versions for which the record held it: `since` included, `until` excluded.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureVersion {
    pub feature: Feature,
    pub since: Version,
    /// `None`: the record still holds it.
    pub until: Option<Version>,
}

/// The line that a commit leaves in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    pub version: Version,
    pub at: Instant,
    pub actor: String,
    pub message: String,
    /// Layers that it touched, with the number of features put and removed.
    pub layers: Vec<(LayerId, u64, u64)>,
}

pub type ProposalId = String;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalState {
    Open,
    Merged,
    Dropped,
}

/// A branch: changes on top of a version. A planning scheme, a pipe permit, a what-if.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub id: ProposalId,
    pub title: String,
    pub base: Version,
    pub state: ProposalState,
    pub changes: Vec<(LayerId, Change)>,
}
