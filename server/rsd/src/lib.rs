//! The Reporting Server daemon: ingest, store, API, dashboard.
