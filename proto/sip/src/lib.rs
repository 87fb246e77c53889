//! SIP for a proxy: bytes become messages, messages become transactions.
//!
//! Stages 2 (parse) and 3 (transaction) of a call's way. Pure: no socket, clock, file or random;
//! time and chance are inputs.
#![warn(missing_docs)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod limits;
pub mod buffers;
pub mod slots;
pub mod transport;
pub mod locate;
pub mod method;
pub mod uri;
pub mod header;
pub mod message;
pub mod glance;
pub mod parse;
pub mod print;
pub mod stream;
pub mod transaction;
pub mod endpoint;

/// The example of the README, which is compiled and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
