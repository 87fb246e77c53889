//! Tests of the daemon's parts over real sockets and files.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper may fail its test")]

// builders that are shared with the unit tests of the SQLite store
use rsd::{entry, store};

mod api;
mod conformance;
mod ingest;
mod postgres;
mod resend;
mod schemas;
mod sqlserver;
mod tds;
mod users;
