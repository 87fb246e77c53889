//! A whole platform in one thread: callers, Resource Managers, media servers, broker and Reporting
//! Server on virtual time, network and disk, from a packet to a row of the report.
//!
//! Everything that decides is the product's own code; here is only what the world around it does,
//! and a reference model ([`truth`]) that knows what really happened. One seed decides everything:
//! the same seed gives the same [`trace`]. After every step [`check`] asks all invariants. No part
//! of the product may depend on this crate.
#![warn(missing_docs)]

// What the platform is made of.
pub mod agent;
pub mod network;
pub mod names;
pub mod streams;
pub mod node;
pub mod reporting;
pub mod objects;

// The world that moves it, and who watches.
pub mod world;
pub mod truth;
pub mod check;
pub mod promise;
pub mod trace;
mod seed;

/// Random lives of calls, with everything that can go wrong.
pub mod life;
/// Lives of the ingest of a Reporting Server, at every point at which the power may go.
pub mod ingest;

pub use agent::{Agent, Call, Manner};
pub use world::{Fault, World};
