//! What is to be made again, and which days have facts for it (rs.md §4.5).
//!
//! A mark names a bin, never an object of it: the whole bin is made again and takes the place of
//! what is there. A fact writes its marks in its own transaction, so that marks are never lost;
//! one that is there already counts its renewals, so that a mark which was renewed while its bin
//! was made stays.

use super::zone::Granularity;
use crate::key::Day;

/// What a mark asks for; the numbers are those in tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Job {
    /// To mark the bins of everything that hangs together with what is in this five-minute bin:
    /// ports that were told by events, legs of a session whose GUID carries no time.
    Spread,
    /// To make the bin of this length again.
    Make(Granularity),
}

/// A mark.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mark {
    /// What is to be done.
    pub job: Job,
    /// Start of the bin.
    pub bin_ms: i64,
}

/// A mark that a fact of this day wrote; day 0: the job itself, or whoever has bins made again.
pub type DayMark = (Day, Mark);

/// A row of `dirty_bin`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MarkRow {
    /// `job`, `bin_ms`.
    pub mark: Mark,
    /// `day`.
    pub day: Day,
    /// In which file it is, where there are several; of the store's own choice.
    pub file: Day,
    /// `since_ms`: when it was first written.
    pub since_ms: i64,
    /// `version`: how often it was written since then.
    pub version: i64,
}

/// A row of `fact_span`: the five-minute bins that the facts of a day touch lie between these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Span {
    /// `day`.
    pub day: Day,
    /// `first_ms`: start of the first bin.
    pub first_ms: i64,
    /// `last_ms`: start of the last one.
    pub last_ms: i64,
}

impl Job {
    /// All, in the order in which they are done: smaller bins first.
    pub const ALL: [Self; 7] = [
        Self::Spread,
        Self::Make(Granularity::FiveMinutes),
        Self::Make(Granularity::ThirtyMinutes),
        Self::Make(Granularity::Hour),
        Self::Make(Granularity::Day),
        Self::Make(Granularity::Week),
        Self::Make(Granularity::Month),
    ];

    /// The number in tables.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Spread => 0,
            Self::Make(granularity) => granularity.number(),
        }
    }

    /// Its name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spread => "SPREAD",
            Self::Make(granularity) => granularity.as_str(),
        }
    }

    /// The job of this number, if it is one.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }
}

impl Mark {
    /// To make a five-minute bin again.
    #[must_use]
    pub const fn five(bin_ms: i64) -> Self {
        Self { job: Job::Make(Granularity::FiveMinutes), bin_ms }
    }

    /// To spread from a five-minute bin.
    #[must_use]
    pub const fn spread(bin_ms: i64) -> Self {
        Self { job: Job::Spread, bin_ms }
    }
}
