//! A Resource Manager over real sockets: callers and media servers speak SIP made by hand, so that
//! a fault of our own parser or printer cannot hide itself.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it should be"
)]

mod admin;
mod broker;
mod calls;
mod flood;
mod http;
mod keys;
mod metrics;
mod node;
mod peer;
mod resources;
mod restart;
mod running;
mod start;
mod tls;
mod tls_edges;
