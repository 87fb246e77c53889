//! Erasure of a caller's number on request (spec rs.md §8): jobs that survive the process. The
//! number itself is kept nowhere, only its hash under a secret. A part of [`super::Store`]; a
//! database that has not learned it says so.

use rs::erase::Number;

use super::StoreError;

/// Records of calls that began until so long after the request are searched for the number, too:
/// a call may be in progress.
pub const LATE_MS: i64 = 86_400_000;

/// One erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its number; of a new one 0.
    pub no: i64,
    /// When it was asked for, ms since 1970 UTC.
    pub requested_ms: i64,
    /// When it came to its end.
    pub ended_ms: Option<i64>,
    /// Calls that were erased.
    pub calls: i64,
    /// Rows beside calls of which the number was taken out.
    pub rows: i64,
    /// The day that is searched (`yyyymmdd`); 0: what is not by day.
    pub day: i64,
}

/// What a database does to erase.
pub trait Erasing {
    /// Begins one; what comes from now on is searched for the number. Gives its number.
    fn begin(&self, number: &Number, now_ms: i64) -> Result<i64, StoreError>;

    /// All of them, newest first, at most so many.
    fn erasures(&self, limit: usize) -> Result<Vec<Erasure>, StoreError>;

    /// A slice of the oldest one that is not at its end; false: there is none.
    fn go_on(&self, now_ms: i64) -> Result<bool, StoreError>;
}
