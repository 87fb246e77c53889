//! Tests of the daemon's parts over real sockets and files.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper may fail its test")]

mod api;
mod ingest;
mod sqlserver;
mod tds;
