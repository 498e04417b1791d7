//! Files to model. Every reader streams [`Feature`](strata_model::Feature)s into a [`Sink`] and counts in one
//! [`Report`]: read = taken + refused, each refusal with the feature's id, its place in the file and a reason.
//! The only room that knows GDAL and PROJ.
//!
//! [`import`] looks at the content first and at the extension second; a file whose name says one thing and whose
//! bytes say another is refused. Nothing here opens the network: paths are plain files and folders, GDAL is cut
//! down to the drivers of [`formats`] before its first call ([`guard_gdal`]), and archives are unpacked under limits.
//!
//! Geometry leaves in the city's working frame (`[east_m, north_m, height_m]`). Heights are taken as the file has
//! them (metres); only the plan is transformed. A feature outside the area of use of the city's CRS is refused:
//! that is where swapped axes and lying CRSs end up.

mod archive;
mod citygml;
mod cityjson;
mod collect;
mod error;
mod inp;
pub mod layers;
mod mapping;
mod output;
mod place;
mod report;
mod sniff;
mod source;
mod survey;
mod terrain;
mod text;
mod unzip;
mod vector;

pub use collect::Collected;
pub use error::IngestError;
pub use place::guard_gdal;
pub use report::{Refusal, Report};
pub use sniff::{Format, formats};
pub use source::{ImportOptions, Reader, Sink, import, verdict};
pub use survey::{read_delivery, take_delivery};
