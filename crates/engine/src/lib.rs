//! Memory-mapped columnar segments with a packed time-space index, a delta, immutable snapshots.
