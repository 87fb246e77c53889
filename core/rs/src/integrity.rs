//! Integrity (rs.md §6): is every record there, and does every call that came in have its end?
//!
//! Two proofs. *Sequences*: a producer numbers the records of a stream without gap, so a missing
//! number is a missing record (`gap`). *Minutes*: a producer tells how many calls began and how
//! many ends it made in each minute, and RS counts the ends that it stored (`minute`). Both are
//! judged from what is stored, as often as somebody asks: when the records come, the fault is gone.

mod gap;
mod minute;

pub use gap::{Gap, follow};
pub use minute::{Fault, Judged, Stored, Told, Total, beginnings, judge, total};

/// A gap counts when it has been open longer than this: records of two connections overtake.
pub const GAP_AFTER_MS: i64 = 60_000;
/// A minute is judged so long after its end.
pub const JUDGED_AFTER_MS: i64 = 120_000;
/// A minute.
pub const MINUTE_MS: i64 = 60_000;

#[cfg(test)]
mod tests;
