//! What the rollup job and its readers ask of the database (spec rs.md §4): a part of
//! [`super::Store`]; a database that has not learned it says so. What the job itself asks is
//! [`rs::rollup::Tables`].

use std::collections::{BTreeMap, BTreeSet};

use rs::rollup::{BinRows, Dim, Granularity, Mark, Meta, Question, Stored, Tables};

use super::custody::Audit;
use super::{Day, StoreError};

/// Name of the lease under which bins are made.
pub const LEASE: &str = "rollup";

/// A table of bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// `or_bin`.
    Counts,
    /// `conc_bin`.
    Levels,
    /// `var_bin`.
    Outcomes,
    /// `var_action_bin`.
    Actions,
    /// `sq_bin`.
    Quality,
    /// `latency_bin`.
    Latencies,
}

/// Which stored figures are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Of which table.
    pub table: Table,
    /// Of which length.
    pub granularity: Granularity,
    /// Bins that begin then or later,
    pub from_ms: i64,
    /// and before this.
    pub to_ms: i64,
    /// Of which dimension; of [`Table::Latencies`] always components.
    pub dim: Dim,
    /// Of which ids; empty: of all.
    pub ids: BTreeSet<i64>,
    /// Levels with their lists of changes.
    pub changes: bool,
    /// Rows at most; more are left out.
    pub most: usize,
}

/// What a database does for rollups.
pub trait Bins: Tables<Error = StoreError> + Sync {
    /// Rows of one table, by key.
    fn series(&self, asked: &Series) -> Result<BinRows, StoreError>;

    /// Facts for whoever waits for an answer, on a reader's connection where these are limited: so
    /// neither waits for the job, nor the job for it.
    fn asked(&self, question: &Question) -> Result<Stored, StoreError> {
        self.facts(question)
    }

    /// The texts of these keys.
    fn texts(&self, keys: &BTreeSet<i64>) -> Result<BTreeMap<i64, String>, StoreError>;

    /// Marks that the facts of a day have written and that are not done.
    fn marks_of_day(&self, day: Day) -> Result<u64, StoreError>;

    /// When the oldest mark was first written.
    fn oldest_mark(&self) -> Result<Option<i64>, StoreError>;

    /// Writes marks of day 0 and rows of `meta`, in one transaction.
    fn note(&self, marks: &BTreeSet<Mark>, meta: &Meta, now_ms: i64) -> Result<(), StoreError>;

    /// Writes marks of day 0 that an operator asks for, with their line of the audit log.
    fn remake(&self, marks: &BTreeSet<Mark>, line: &Audit) -> Result<(), StoreError>;

    /// Takes the lists of changes out of levels of bins that begin before this, under the lease
    /// of this fence.
    fn forget_deltas(&self, fence: u64, before_ms: i64) -> Result<(), StoreError>;
}
