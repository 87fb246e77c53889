//! The real executable over real sockets against real peers; ports come from the OS.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on shall stop where it stands"
)]

mod http;
mod platform;
mod report;
mod sipp;

mod calls;
mod demo;
mod docs;
mod refusals;
mod restart;
mod settings;
mod stop;
mod tls;
mod torture;
