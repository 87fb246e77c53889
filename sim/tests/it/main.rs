//! Named scenarios, random lives, and that a seed decides all of it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helper functions of tests")]

mod kill;
mod lives;
mod placing;
mod scenarios;
mod times;
