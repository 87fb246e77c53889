//! The clock and the sockets of the engine thread, and the name service beside it.
//!
//! Bytes in, bytes out, and how late it is. Nothing that the engine calls here blocks, knows a
//! protocol or decides: every error of a peer or of the kernel comes back as data, and the caller's
//! buffers are used again and again. Only `dns` has a thread and a protocol of its own. On the
//! call's way this is the floor under stage 1 (packet in) and below the last send.

pub mod clock;
pub mod descriptors;
pub mod dns;
pub mod failures;
pub mod limits;
pub mod poller;
pub mod tcp;
pub mod tls;
pub mod udp;
pub mod waker;

pub use clock::Clock;
pub use poller::{Interest, Poller, Ready, Token};
pub use waker::Waker;
