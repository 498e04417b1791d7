//! The record: a GeoPackage that keeps commits, versions, proposals and audit.
