//! SIP under TLS: a thread of its own beside the engine's, for handshakes cost more than calls.
//!
//! ```text
//!   engine ── batch of messages, once per turn ──► exchange ──► TLS thread ◄──► sockets
//!   engine ◄── batch of frames and ended flows ─── exchange ◄──┘
//! ```
//!
//! The thread frames what it has decrypted, keeps the limits of streams, and re-reads files that
//! have changed. It reads no message and decides nothing about a call; neither thread ever waits
//! for the other: a full batch has an answer on either side (see `exchange`).

mod exchange;
mod kind;
mod material;
mod names;
mod run;
mod thread;

pub(crate) use exchange::{Handle, Happened, Link, Seen};
pub(crate) use material::Certificates;
pub use material::check_tls;
pub(crate) use thread::{Setup, Thread};
