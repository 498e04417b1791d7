//! One layer's rows on disk: an Arrow IPC file that any Arrow reader opens, and the index beside it.
//!
//! The index file carries the checksum of both and is renamed into place last: a pair without a good index file is not
//! a segment. Files are written aside, synced, renamed, and never touched again.

mod head;
mod read;
mod row;
mod write;

pub(crate) use read::{Segment, Texts, place, set_aside};
pub(crate) use row::{Row, fitted, row_box};
pub(crate) use write::Spool;
