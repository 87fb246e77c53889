//! The Config Server over its port.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on shall stop where it stands"
)]

mod http;
