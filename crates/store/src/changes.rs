//! What is different between versions.

use crate::{Store, StoreError, row, store::version_of, table::Table};
use rusqlite::params;
use std::collections::BTreeSet;
use strata_model::{Change, Feature, FeatureId, FeatureVersion, Layer, LayerId, Version};

/// One feature's difference between two versions.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    Added(Feature),
    Removed(Feature),
    /// `fields`: the names of the attributes that differ, in the layer's order, after `geometry` and `valid` where those do.
    Changed {
        before: Feature,
        after: Feature,
        fields: Vec<String>,
    },
}

impl Difference {
    pub fn id(&self) -> &FeatureId {
        match self {
            Self::Added(f) | Self::Removed(f) | Self::Changed { after: f, .. } => &f.id,
        }
    }
}

impl Store {
    /// Every change after version `since`, in the order of version, layer id and feature id: played on the state of
    /// `since` it gives today's. One change for each feature and version.
    pub fn changes(&self, since: Version) -> Result<Vec<(Version, LayerId, Change)>, StoreError> {
        self.reading(|| {
            let mut out = Vec::new();
            for t in &self.catalog()?.tables {
                self.layer_changes(t, since, &mut out)?;
            }
            out.sort_by(|a, b| (a.0, &a.1, a.2.id()).cmp(&(b.0, &b.1, b.2.id())));
            Ok(out)
        })
    }

    fn layer_changes(&self, t: &Table, since: Version, out: &mut Vec<(Version, LayerId, Change)>) -> Result<(), StoreError> {
        let columns = &t.columns;
        let after = since.0 as i64;
        let layer = &t.layer.id;
        {
            let mut statement = self.conn.prepare_cached(&format!("SELECT id, since, NULL, {columns} FROM {} WHERE since > ?1", t.name))?;
            let mut rows = statement.query([after])?;
            while let Some(r) = rows.next()? {
                let f = version_of(r, &t.layer)?;
                out.push((f.since, layer.clone(), Change::Put(f.feature)));
            }
        }
        let mut superseded: Vec<FeatureVersion> = Vec::new();
        {
            let mut statement =
                self.conn.prepare_cached(&format!("SELECT id, since, until, {columns} FROM {} WHERE until > ?1", t.history))?;
            let mut rows = statement.query([after])?;
            while let Some(r) = rows.next()? {
                superseded.push(version_of(r, &t.layer)?);
            }
        }
        let followed = format!(
            "SELECT 1 FROM {} WHERE id = ?1 AND since = ?2 UNION ALL SELECT 1 FROM {} WHERE id = ?1 AND since = ?2",
            t.name, t.history
        );
        let mut followed = self.conn.prepare_cached(&followed)?;
        for f in superseded {
            if let Some(until) = f.until
                && !followed.exists(params![f.feature.id.as_str(), until.0 as i64])?
            {
                out.push((until, layer.clone(), Change::Remove(f.feature.id.clone())));
            }
            if f.since > since {
                out.push((f.since, layer.clone(), Change::Put(f.feature)));
            }
        }
        Ok(())
    }

    /// From version `a` to version `b` (either may be the older), in the order of feature ids. A layer that came later than both is empty in both.
    pub fn diff(&self, layer: &LayerId, a: Version, b: Version) -> Result<Vec<Difference>, StoreError> {
        self.reading(|| {
            let head = self.head()?;
            if let Some(v) = [a, b].into_iter().find(|v| *v > head) {
                return Err(StoreError::not_found(format!("version {}", v.0)));
            }
            let catalog = self.catalog()?;
            let t = catalog.table(layer)?;
            let mut out = Vec::new();
            for id in self.touched(t, a.min(b), a.max(b))? {
                match (self.feature_at(t, &id, a)?, self.feature_at(t, &id, b)?) {
                    (None, Some(f)) => out.push(Difference::Added(f)),
                    (Some(f), None) => out.push(Difference::Removed(f)),
                    (Some(before), Some(after)) => {
                        let fields = differing(&t.layer, &before, &after);
                        if !fields.is_empty() {
                            out.push(Difference::Changed { before, after, fields });
                        }
                    }
                    (None, None) => {}
                }
            }
            Ok(out)
        })
    }

    /// Features with a row that began or ended in `(from, to]`.
    fn touched(&self, t: &Table, from: Version, to: Version) -> Result<BTreeSet<FeatureId>, StoreError> {
        let mut out = BTreeSet::new();
        for sql in [
            format!("SELECT id FROM {} WHERE since > ?1 AND since <= ?2", t.name),
            format!("SELECT id FROM {} WHERE until > ?1 AND (since > ?1 AND since <= ?2 OR until <= ?2)", t.history),
        ] {
            let mut statement = self.conn.prepare_cached(&sql)?;
            let mut rows = statement.query(params![from.0 as i64, to.0 as i64])?;
            while let Some(r) = rows.next()? {
                out.insert(FeatureId::new(row::text(r, 0)?.unwrap_or_default()));
            }
        }
        Ok(out)
    }
}

fn differing(layer: &Layer, before: &Feature, after: &Feature) -> Vec<String> {
    let own = [("geometry", before.geometry != after.geometry), ("valid", before.valid != after.valid)];
    let own = own.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned());
    let values = before.attributes.iter().zip(&after.attributes);
    let fields = layer.fields.iter().zip(values).filter(|(_, (b, a))| b != a).map(|(f, _)| f.name.clone());
    own.chain(fields).collect()
}
