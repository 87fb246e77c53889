//! Tests of the crate from outside: golden frames of a stock client, both machines against each
//! other in virtual time, a raw peer against the receiving end, and hostile bytes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper may fail its test")]

mod golden;
mod hostile;
mod peer;
mod raw;
mod session;
mod stomp;
mod unreadable;
mod versions;
