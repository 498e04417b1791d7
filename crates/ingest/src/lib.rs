//! Files to model. Every reader streams [`Feature`]s into a sink and counts in one [`Report`]:
//! read = taken + refused, each refusal with the feature's id, its place in the file and a reason.
//! The only room that knows GDAL and PROJ.

mod error;
mod report;
mod source;

pub use error::IngestError;
pub use report::{Refusal, Report};
pub use source::{ImportOptions, Reader, Sink, import};
