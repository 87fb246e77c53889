//! The Reporting Server daemon: ingest, store, API, dashboard.

pub mod entry;
pub mod ingest;
