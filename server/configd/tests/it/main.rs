//! The Config Server: its books over their store, and the whole of it over its port.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on shall stop where it stands"
)]

mod clock;
mod conformance;
mod crash;
mod faults;
mod house;
mod http;
mod property;
mod resuming;
mod scenarios;
mod scope;
mod tokens;
mod torn;
