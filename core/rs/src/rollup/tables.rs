//! What the rollup job asks of a database: few questions, each for many rows. A database decides
//! nothing; [`super::work`] does.

use std::collections::{BTreeMap, BTreeSet};

use super::alias::Aliases;
use super::key::LevelKey;
use super::mark::{Job, Mark, MarkRow, Span};
use super::rows::{At, BinRows, LevelRow};
use super::stored::{Question, Stored};
use super::zone::Granularity;
use crate::key::Day;
use crate::share::{Mention, Objects};

/// Numbers of a day that have figures, and how many the day has in all.
pub type Numbered = (BTreeSet<i64>, usize);

/// What is stored of the job itself (table `meta`, by key).
pub type Meta = BTreeMap<String, String>;

/// Rows to be written for a bin, all in one transaction.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Of the lease `rollup` under which they were made: when another holder has taken it since,
    /// nothing is written, and the database says so. `None`: they make no bin, but say what is
    /// known of all of them.
    pub fence: Option<u64>,
    /// Unless `meta` has this value of this key (`None`: no such row) nothing is written at all:
    /// something else has been decided meanwhile.
    pub guard: (String, Option<String>),
    /// All rows of bins larger than five minutes that begin then or later go, and marks of such,
    /// before anything else is written: they are made anew.
    pub remake: Option<i64>,
    /// Rows that go, by key. Before new ones.
    pub gone: BinRows,
    /// Rows that are to be there, in place of those with their key. A text that is there stays.
    pub put: BinRows,
    /// Marks of day 0, as facts write theirs: one that is there counts one version more.
    pub marks: BTreeSet<Mark>,
    /// Marks that are done: each goes if its version is still the same. They go after everything
    /// else is there for good, so that a crash leaves a mark too many, never one too few.
    pub clear: Vec<MarkRow>,
    /// Rows of `fact_span`: each widens the one that is there.
    pub spans: Vec<Span>,
    /// Rows of `day_number`: numbers that have figures from now on, by day.
    pub numbers: BTreeSet<(Day, i64)>,
    /// Rows of `meta`, in place of what is there.
    pub meta: Meta,
}

/// The levels of one question.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Levels {
    /// Of each key the last row of the granularity before the bin, if there is one.
    pub before: Vec<LevelRow>,
    /// Of each key all rows of all granularities that begin after the bin's start.
    pub after: Vec<LevelRow>,
}

/// The tables of rollups and of the facts that they are made of.
pub trait Tables {
    /// What goes wrong.
    type Error;

    /// All rows of `meta` whose key begins with `rollup.`.
    ///
    /// # Errors
    /// As of the database; so all methods.
    fn meta(&self) -> Result<Meta, Self::Error>;

    /// Which ids of objects are those of another one.
    #[expect(clippy::missing_errors_doc, reason = "see `meta`")]
    fn aliases(&self) -> Result<Aliases, Self::Error>;

    /// First and last start of the five-minute bins that have rows.
    #[expect(clippy::missing_errors_doc, reason = "see `meta`")]
    fn extent(&self) -> Result<Option<(i64, i64)>, Self::Error>;

    /// Marks of a job whose bins begin then or later and that were first written at this time or
    /// before, by start of their bin, at most so many.
    #[expect(clippy::missing_errors_doc, reason = "see `meta`")]
    fn marks(
        &self,
        job: Job,
        from_ms: i64,
        until_ms: i64,
        most: usize,
    ) -> Result<Vec<MarkRow>, Self::Error>;

    /// The five-minute bins that the facts of each day touch.
    #[expect(clippy::missing_errors_doc, reason = "see `meta`")]
    fn spans(&self) -> Result<Vec<Span>, Self::Error>;

    /// Facts. They may be those of several moments, as long as each is at least as new as the
    /// marks that were read before.
    #[expect(clippy::missing_errors_doc, reason = "see `meta`")]
    fn facts(&self, question: &Question) -> Result<Stored, Self::Error>;

    /// Days whose facts cannot be read until somebody mends them.
    fn unreadable(&self) -> BTreeSet<Day> {
        BTreeSet::new()
    }

    /// Whether an error says that a day cannot be read.
    fn is_damage(&self, _: &Self::Error) -> bool {
        false
    }

    /// Learns the ids of these names, as the applier does.
    #[expect(clippy::missing_errors_doc, reason = "see `meta`")]
    fn learn(
        &self,
        objects: &mut Objects,
        mentions: &BTreeSet<Mention>,
        now_ms: i64,
    ) -> Result<(), Self::Error>;

    /// Which of these numbers have figures on their day, and how many the day has in all.
    #[expect(clippy::missing_errors_doc, reason = "see `meta`")]
    fn numbers(
        &self,
        asked: &BTreeMap<Day, BTreeSet<i64>>,
    ) -> Result<BTreeMap<Day, Numbered>, Self::Error>;

    /// All rows of all bin tables, without texts, of bins of this granularity that begin in
    /// `[from, to)`.
    #[expect(clippy::missing_errors_doc, reason = "see `meta`")]
    fn rows(&self, of: Granularity, from_ms: i64, to_ms: i64) -> Result<BinRows, Self::Error>;

    /// Levels around a bin.
    #[expect(clippy::missing_errors_doc, reason = "see `meta`")]
    fn levels(
        &self,
        at: At,
        before: &BTreeSet<LevelKey>,
        after: &BTreeSet<LevelKey>,
    ) -> Result<Levels, Self::Error>;

    /// Of each key the last row of the granularity before the bin, of those after which a level
    /// stands: whose `level_start` and `net` are not 0 together.
    #[expect(clippy::missing_errors_doc, reason = "see `meta`")]
    fn standing(&self, at: At) -> Result<Vec<LevelRow>, Self::Error>;

    /// Writes them; false: the guard does not hold, and nothing was written.
    #[expect(clippy::missing_errors_doc, reason = "see `meta`")]
    fn write(&self, changes: &Changes, now_ms: i64) -> Result<bool, Self::Error>;
}
