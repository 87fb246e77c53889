//! The shared nouns: ids, time, configuration objects and their snapshot, records.
//!
//! Plain data with no behaviour beyond its own validity; nothing here needs `now`.
#![warn(missing_docs)]

pub mod time;
pub mod chance;
pub mod id;
pub mod map;
pub mod index;
mod parts;
pub mod tree;
pub mod schema;
pub mod units;
pub mod config;
pub mod did;
pub mod snapshot;
pub mod record;
pub mod latency;
