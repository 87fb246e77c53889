//! What keeps a database small and its jobs apart: leases, values of retention, and what goes
//! (spec rs.md §10, §4.10). A part of [`super::Store`]. What may go is decided by `core/rs`; here
//! it is only carried out, in slices, so that no lock is held for long.
//!
//! Every change of a job names its lease and is refused when another holder has it: a process that
//! was held up and wakes again changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use rs::orphan::Waiting;
use rs::retention::{Due, Group, Holder, Terms, Wanted, What, Which};
use rs::rollup::{Granularity, Job, PORT_EVENTS};
use rs::{CallState, Day, Key};

use super::StoreError;
use super::bins::Table;
use super::custody::Audit;

/// A lease that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Of which job.
    pub name: &'static str,
    /// Grows whenever another holder takes it.
    pub fence: u64,
}

/// How far the indexes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexed {
    /// A day was changed; there may be others.
    More,
    /// Another is at it.
    Elsewhere,
    /// All days are as they are wanted.
    All,
}

/// An override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Of which object.
    pub holder: Holder,
    /// Its days.
    pub wanted: Wanted,
    /// When it was set.
    pub set_ms: i64,
}

/// Where a slice of what is due on a day has ended: the next one looks at nothing before it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Behind this event, in the order in which the database has them: its number, or its key.
    Event(i64, Key),
    /// Behind this call, in the order of their starts, ms.
    Call(i64, Key),
}

impl After {
    const EVENT: Self = Self::Event(i64::MIN, [0; 16]);
    const CALL: Self = Self::Call(i64::MIN, [0; 16]);

    /// Where the first slice begins; `None`: there is nothing to be looked for.
    pub(super) const fn first(due: &Due) -> Option<Self> {
        match (due.what, due.which) {
            (What::Cdr, Which::Loose) => None,
            (What::Cdr, Which::All) | (_, Which::Of { .. }) => Some(Self::CALL),
            (What::Events | What::Var, Which::All | Which::Loose) => Some(Self::EVENT),
        }
    }

    /// What follows when all events have been looked at.
    pub(super) fn events(due: &Due) -> Option<Self> {
        (due.what == What::Var && due.which == Which::All).then_some(Self::CALL)
    }
}

/// Events that a slice takes at most for each call that it may look at: the calls of the first one
/// that has more are looked at again.
pub(super) const EVENTS_OF_A_CALL: i64 = 20;

/// Tables whose rows of a call go with it for this reason, by its key.
pub(super) fn of_calls(what: What) -> Vec<&'static str> {
    match what {
        What::Events => Vec::new(),
        What::Var => vec!["rs_var_action", "rs_var_custom", "rs_var_call"],
        What::Cdr => {
            let of_calls = FACTS.iter().filter(|(_, by)| by.first() == Some(&"call_key"));
            of_calls.map(|(table, _)| *table).collect()
        }
    }
}

/// What a slice did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Rows that went.
    pub rows: u64,
    /// Where the next one begins; `None`: nothing is left.
    pub next: Option<After>,
}

/// What goes by its age alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aged {
    /// Dead letters, by when they were received.
    Letters,
    /// The audit log.
    Audit,
    /// What was written into files, by when that began.
    Exports,
    /// Books of the producers' minutes.
    Minutes,
    /// Books of the producers' streams, but for those of their newest boot, by when they were last
    /// heard.
    Streams,
    /// Failures of quality, by when they happened.
    Failures,
    /// Records that hang on no call and their ledger, where those are apart from the days.
    Apart,
    /// Bins of one length, by when they begin; of each level the last one stays unless it is 0.
    Bins(Table, Granularity),
}

impl Aged {
    /// All that goes by the clock alone.
    pub const ALL: [Self; 7] = [
        Self::Letters,
        Self::Audit,
        Self::Exports,
        Self::Minutes,
        Self::Streams,
        Self::Failures,
        Self::Apart,
    ];
}

/// A call in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Day that it is stored under.
    pub day: Day,
    /// Its key.
    pub call_key: Key,
    /// What is known of its component.
    pub waiting: Waiting,
}

/// How much room a part of the database takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Table, or part of the files.
    pub name: String,
    /// Bytes, indexes included.
    pub bytes: u64,
}

/// What the jobs of a database are at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jobs {
    /// Names of the leases that a holder has.
    pub held: BTreeSet<String>,
    /// Marks that wait, by what they ask for: how many, and when the oldest was first written, ms.
    pub marked: BTreeMap<Job, (u64, i64)>,
}

impl Jobs {
    /// Counts more marks of a job; an unknown one is of a later version.
    pub(super) fn mark(&mut self, job: u8, (count, since_ms): (i64, i64)) {
        if let Some(job) = Job::from_number(job) {
            let (marks, oldest_ms) = self.marked.entry(job).or_insert((0, i64::MAX));
            *marks += count.cast_unsigned();
            *oldest_ms = since_ms.min(*oldest_ms);
        }
    }
}

/// What a database does for the jobs that keep it.
pub trait Keeping: Send + Sync {
    /// By these values records are judged from now on.
    fn judge_by(&self, terms: Terms);

    /// Takes a lease, or renews it: its fence; `None`: another holder has it until later.
    fn take_lease(
        &self,
        name: &'static str,
        holder: &str,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<Option<Lease>, StoreError>;

    /// Gives a lease back.
    fn end_lease(&self, lease: &Lease) -> Result<(), StoreError>;

    /// What this holder has, and what waits for whoever holds it.
    fn jobs(&self, holder: &str, now_ms: i64) -> Result<Jobs, StoreError>;

    /// All overrides.
    fn overrides(&self) -> Result<Vec<Override>, StoreError>;

    /// Sets one, in place of what there was of its object, with its line of the audit log.
    fn set_override(&self, one: &Override, line: &Audit) -> Result<(), StoreError>;

    /// Takes one away, with its line; false: there was none, and there is no line.
    fn drop_override(&self, holder: Holder, line: &Audit) -> Result<bool, StoreError>;

    /// Days that have anything, oldest first.
    fn days(&self) -> Result<Vec<Day>, StoreError>;

    /// First day with a call in progress.
    fn oldest_live(&self) -> Result<Option<Day>, StoreError>;

    /// The calls of a day, by tenant and profile.
    fn groups(&self, day: Day) -> Result<Vec<Group>, StoreError>;

    /// Deletes a slice of what is due on a day, of what lies behind the last one. `most` bounds the
    /// calls that are looked at, or the events where no call says which; of a call with very many
    /// events only some go.
    fn delete(
        &self,
        lease: &Lease,
        day: Day,
        due: &Due,
        after: Option<After>,
        most: u32,
    ) -> Result<Slice, StoreError>;

    /// Deletes a slice of all facts of a day, or all of them where that takes no time; 0: nothing
    /// was left, or a call of the day is in progress or ended after `last_ms`: it came after this
    /// was decided. The ledger stays; what the rollup job has kept of the day goes last.
    fn delete_facts(
        &self,
        lease: &Lease,
        day: Day,
        last_ms: i64,
        most: u32,
    ) -> Result<u64, StoreError>;

    /// Makes, or drops, as the settings say, the indexes of URIs of one more day
    /// (`rs.database_uri_indexes`, rs.md §3.2). It needs no lease: who is at it keeps others out by
    /// itself, for as long as an index takes. What a crash has left half done is done again.
    fn index_uris(&self) -> Result<Indexed, StoreError>;

    /// Gives back to the volume what was deleted of a day, where that is not done by itself.
    fn give_back(&self, lease: &Lease, day: Day) -> Result<(), StoreError>;

    /// Deletes a slice of the ledger of a day whose facts are gone, or the day with all that it
    /// has; 0: nothing was left, or something else keeps it.
    fn delete_ledger(&self, lease: &Lease, day: Day, most: u32) -> Result<u64, StoreError>;

    /// Deletes a slice of what is older.
    fn delete_aged(
        &self,
        lease: &Lease,
        aged: Aged,
        before_ms: i64,
        most: u32,
    ) -> Result<u64, StoreError>;

    /// Calls in progress after one, by day and key.
    fn live(&self, after: Option<(Day, Key)>, most: u32) -> Result<Vec<Live>, StoreError>;

    /// The facts of a call; `None`: it is gone.
    fn state(&self, day: Day, key: &Key) -> Result<Option<CallState>, StoreError>;

    /// When the last event happened that names the session of a call, before a later call of that
    /// session began; `None`: there is none.
    fn last_event(&self, day: Day, key: &Key) -> Result<Option<i64>, StoreError>;

    /// How much room what takes.
    fn rooms(&self) -> Result<Vec<Room>, StoreError>;
}

/// The values by which a store judges what comes; without any it takes everything.
#[derive(Debug, Default)]
pub(super) struct Judge(RwLock<Option<Arc<Terms>>>);

impl Judge {
    pub(super) fn set(&self, terms: Terms) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(terms));
    }

    pub(super) fn terms(&self) -> Option<Arc<Terms>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Tables of a day that hold facts, with the key of each beside the day; those that hang on calls
/// first.
pub(super) const FACTS: [(&str, &[&str]); 11] = [
    ("rs_call_event", &["id_key"]),
    ("rs_sq_call", &["id_key"]),
    ("rs_kept_record", &["id_key"]),
    ("rs_var_action", &["call_key", "n"]),
    ("rs_var_custom", &["call_key", "name"]),
    ("rs_var_call", &["call_key"]),
    ("rs_call_trace", &["call_key"]),
    ("rs_call_owner", &["call_key", "n"]),
    ("rs_call_tenant", &["call_key", "tenant_id"]),
    ("rs_call_fact_state", &["call_key"]),
    ("rs_call", &["call_key"]),
];

/// Events of which figures are made go with their calls.
pub(super) fn no_ports(log_id: &str) -> String {
    format!("{log_id} NOT IN ('{}')", PORT_EVENTS.join("', '"))
}

/// A refusal of a change whose lease another has taken.
pub(super) const fn fenced(name: &'static str) -> StoreError {
    StoreError::Fenced(name)
}
