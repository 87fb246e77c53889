//! What the Reporting Server asks of its database: operations of the domain, no SQL
//! (stages 13 and 15 of the call's way). `sqlite` is the embedded default; the servers of a later
//! stage answer the same questions. Rows go in and come out as `core/rs` has them.

pub mod bins;
pub mod checkpoints;
mod condition;
pub mod custody;
pub mod erasing;
pub mod exporting;
pub mod keeping;
mod leaving;
pub mod postgres;
mod prepare;
mod said;
mod schema;
pub(crate) mod secret;
pub mod sqlite;
pub mod sqlserver;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use model::record::{CallGuid, Phase};
use model::time::Millis;
use rs::erase::OtherSecret;
use rs::integrity::{Gap, MINUTE_MS, Stored, Told};
use rs::merge::DecodeError;
use rs::report::Call;
use rs::rollup::Meta;
use rs::var::{Rule, VarRows};
use rs::{Filter, Intervals, Key, key};

use crate::entry::Entry;

pub use rs::Day;
pub use rs::live::Leg as Turned;
pub use rs::query::Unit;
pub use rs::share::{Mention, ObjectKind, Tally};
pub use said::Events;

/// A durable frame of the ingest spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its sequence in the spool.
    pub seq: u64,
    /// What it brought; `None`: a frame without messages, or one that cannot be read.
    pub entry: Option<Entry>,
}

impl Arrival {
    /// How many records it brought.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.entry.as_ref().map_or(0, Entry::records)
    }
}

/// What a batch did.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Everything up to this sequence of the spool is in the database for good.
    pub seq: u64,
    /// Calls whose rows changed, as they are now, with names as records told them.
    pub changed: Vec<Turned>,
    /// Ended legs of sessions of which one of these is in progress.
    pub ended: Vec<(Day, Key)>,
    /// Records stored for the first time.
    pub stored: u64,
    /// Records that were there already.
    pub duplicates: u64,
    /// Records that became dead letters.
    pub dead: u64,
    /// Reports of voice applications that broke a rule, by the rule's place in [`Rule::ALL`].
    pub ignored: [u64; Rule::ALL.len()],
    /// The same by kind, for metrics.
    pub tally: Tally,
}

/// Which row of a list comes before another: newest start first, then the greater key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Start of the call.
    pub started_ms: i64,
    /// Its key.
    pub call_key: Key,
}

/// An item of a list: the legs that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it stands in the list.
    pub position: Position,
    /// `Unit::Leg`: one. `Unit::Guid`: the legs of RM, first one first, or all records of the
    /// GUID where RM has sent none.
    pub legs: Vec<Call>,
}

/// One page of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Calls, newest start first.
    pub calls: Vec<Call>,
    /// All that match.
    pub records: u64,
}

/// Names one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallName {
    /// All legs of it.
    Guid(CallGuid),
    /// One leg.
    Key(Key),
}

/// An event of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it happened.
    pub time_ms: i64,
    /// Order within a millisecond.
    pub seq: i64,
    /// Number of the level.
    pub level: u8,
    /// Name of the event.
    pub log_id: String,
    /// Label.
    pub label: Option<String>,
    /// Payload.
    pub text: Option<String>,
    /// Fields that nobody knows, a JSON object.
    pub extra: Option<String>,
    /// Component.
    pub component_id: u32,
    /// Its name.
    pub component: Option<String>,
    /// Session there.
    pub session_id: Option<String>,
}

/// One leg with what hangs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The call.
    pub call: Call,
    /// Key of its parent, where that is a leg of RM.
    pub parent: Option<Key>,
    /// Unknown fields of its records as JSON, and its parent.
    pub extra: Option<String>,
    /// Phases of which no record has come.
    pub missing: Vec<Phase>,
    /// The decision trace as JSON.
    pub trace: Option<String>,
    /// What was said in it, in order of time.
    pub events: Events,
    /// What a voice application reported.
    pub var: VarRows,
}

/// An object that records have named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// DBID, or a synthetic id from 3 000 000 000 on.
    pub id: u32,
    /// Last name.
    pub name: String,
    /// The id is synthetic: only the name is known.
    pub synthetic: bool,
    /// The object of a DBID that has this name now.
    pub alias_of: Option<u32>,
    /// Number of the component's type; of a profile its service.
    pub kind: Option<u8>,
    /// Parent of a tenant, tenant of a profile.
    pub parent: Option<u32>,
    /// Last record that named it.
    pub last_ms: i64,
}

/// One stream of a producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamBooks {
    /// The process.
    pub producer: String,
    /// Its start.
    pub boot: u64,
    /// Number of the stream.
    pub stream: u8,
    /// Sequences received.
    pub received: Intervals,
    /// The greatest of them.
    pub max_seq: u64,
    /// The greatest that the producer has announced.
    pub announced_seq: u64,
    /// What is missing, and since when.
    pub gaps: Vec<Gap>,
    /// Records received more than once.
    pub duplicates: u64,
    /// First and last arrival.
    pub seen_ms: (i64, i64),
}

/// What the books say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Streams with a sequence.
    pub streams: Vec<StreamBooks>,
    /// What producers told of the minutes asked for, and of the one before them.
    pub told: Vec<Told>,
    /// Ends that are stored of these minutes.
    pub stored: Vec<Stored>,
    /// The first minute of starts that are [`beginnings`].
    ///
    /// [`beginnings`]: rs::integrity::beginnings
    pub first: BTreeMap<(String, i64), i64>,
    /// Figures by name and producer.
    pub figures: BTreeMap<(String, String), u64>,
}

/// Names of figures that are shown.
pub const FIGURES: [&str; 9] = [
    "stored",
    "duplicate",
    "id_conflict",
    "misrouted",
    "unsequenced",
    "db_rejected",
    "expired_partition",
    "bad_time",
    "double_end",
];

/// Which books are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BooksAsked {
    /// Those of this producer; `None`: of all.
    pub producer: Option<String>,
    /// Minutes in `[from, to)`, ms.
    pub minutes: (i64, i64),
    /// Streams that were heard since then, ms, or of which something is missing; `None`: none.
    pub heard_ms: Option<i64>,
    /// These of [`FIGURES`].
    pub figures: &'static [&'static str],
}

impl BooksAsked {
    /// The minutes told that belong to it: from one before, with which the first is compared.
    pub(crate) const fn told(&self) -> [i64; 2] {
        [self.minutes.0.saturating_sub(MINUTE_MS), self.minutes.1]
    }
}

/// Connections to a database server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// At work.
    pub busy: usize,
    /// Kept for the next question or batch.
    pub idle: usize,
}

/// The password of an account at a server, asked for before each connection: it may be another one
/// by then.
pub type Password = std::sync::Arc<dyn Fn() -> String + Send + Sync>;

/// What the driver of a database says.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is away, busy or full: the same again later.
    #[error("the database is not available")]
    Unavailable(#[source] Cause),
    /// Somebody has held what is to be changed for too long: other things can be done meanwhile.
    #[error("somebody holds what is to be changed")]
    Busy(#[source] Cause),
    /// It refuses a value: the same again would fail again.
    #[error("the database refuses a record")]
    Rejected(#[source] Cause),
    /// It has a row of this key, which was not there a moment before: the same again finds the one
    /// that another has made, and fails again where that is not why.
    #[error("the database has another row of a key")]
    Taken(#[source] Cause),
    /// Stored bytes of a call cannot be read.
    #[error("stored facts of a call cannot be read")]
    State(#[from] DecodeError),
    /// The file of a day is damaged: the same again fails until somebody mends it.
    #[error("a file of the database is damaged")]
    Damaged(#[source] Cause),
    /// The file that all others need is damaged: nothing is stored until somebody mends it.
    #[error("the main file of the database is damaged")]
    Main(#[source] Cause),
    /// A job's change came after another holder had taken its lease.
    #[error("the lease {0} is another's now")]
    Fenced(&'static str),
    /// Its erasures were made with another secret than ours.
    #[error(transparent)]
    Secret(#[from] OtherSecret),
    /// A file of the database cannot be made or listed.
    #[error("a file of the database cannot be reached")]
    Files(#[source] io::Error),
    /// A later version has written it.
    #[error("{file} has schema version {version}, which this version does not know")]
    Newer {
        /// Which file.
        file: String,
        /// Its version.
        version: i64,
    },
    /// A step that it took has since been changed.
    #[error("{file} has taken another schema step {version} than this version has")]
    Changed {
        /// Which file.
        file: String,
        /// The step.
        version: i64,
    },
}

impl StoreError {
    /// The same again would fail again, and it is the record's fault. A state of a later version
    /// is nobody's: the record waits for an RS that can read it. What was taken is tried again as
    /// the first thing of the search.
    pub const fn is_poison(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Taken(_) | Self::State(DecodeError::Damaged(_)))
    }

    /// The same again later may be done.
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Busy(_) | Self::Taken(_))
    }

    /// What it says, with its cause, in one line.
    pub fn reason(&self) -> String {
        let source = std::error::Error::source(self).map(ToString::to_string);
        source.map_or_else(|| self.to_string(), |source| format!("{self}: {source}"))
    }
}

/// What a database says at a start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Everything up to this sequence is in it.
    pub applied: u64,
    /// The highest sequence that any part of it has: what comes now must be above it.
    pub highest: u64,
    /// What the rollups have laid down.
    pub meta: Meta,
    /// Start of the newest five minutes that a fact lies in, if there is any.
    pub newest_ms: Option<i64>,
}

/// Days where the call of a key may be.
pub(crate) fn days_of_key(key: &Key) -> BTreeSet<Day> {
    key::days_of(key).into_iter().flat_map(key::beside).collect()
}

/// Days where calls of a GUID may be by the time that it carries; `call_day` has the others.
pub(crate) fn days_of_guid(guid: &CallGuid) -> BTreeSet<Day> {
    key::guid_day(guid).into_iter().flat_map(key::beside).collect()
}

/// What lists of calls ask: of the database, or of what is in memory of calls in progress.
pub trait Lists: Send + Sync {
    /// All objects of a kind, by id.
    fn objects(&self, kind: ObjectKind) -> Result<Vec<Object>, StoreError>;

    /// The items after a position, newest start first.
    fn list(
        &self,
        filter: &Filter,
        unit: Unit,
        after: Option<Position>,
        limit: u32,
        now: Millis,
    ) -> Result<Vec<Item>, StoreError>;

    /// How many items there are.
    fn count(&self, filter: &Filter, unit: Unit, now: Millis) -> Result<u64, StoreError>;
}

/// The database.
pub trait Store: Lists {
    /// Dead letters and audit.
    fn custody(&self) -> &dyn custody::Custody;

    /// Retention, leases and what goes.
    fn keeping(&self) -> &dyn keeping::Keeping;

    /// What is written down before it goes.
    fn exporting(&self) -> &dyn exporting::Exporting;

    /// Logs that are to be moved; `None`: the database does so itself.
    fn checkpoints(&self) -> Option<&dyn checkpoints::Checkpoints> {
        None
    }

    /// Rollups; `None`: this database has not learned it.
    fn bins(&self) -> Option<&dyn bins::Bins> {
        None
    }

    /// Erasure of numbers.
    fn erasing(&self) -> &dyn erasing::Erasing;

    /// Which database it is, with its version, as it has said; `None`: it has not answered yet.
    fn server(&self) -> Option<String>;

    /// Everything up to this sequence of the spool is in the database.
    fn applied_seq(&self) -> Result<u64, StoreError>;

    /// A look at it before anything works with it; `None`: it cannot be looked at now.
    ///
    /// # Errors
    /// A later version has written it: nothing may begin.
    fn seen(&self) -> Result<Option<Seen>, StoreError> {
        let look = || -> Result<Seen, StoreError> {
            let applied = self.applied_seq()?;
            let meta = self.bins().map(|bins| bins.meta()).transpose()?.unwrap_or_default();
            let spans = self.bins().map(|bins| bins.spans()).transpose()?.unwrap_or_default();
            let newest_ms = spans.iter().map(|span| span.last_ms).max();
            Ok(Seen { applied, highest: applied, meta, newest_ms })
        };
        match look() {
            Ok(seen) => Ok(Some(seen)),
            Err(error) if error.passes() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a batch, in order. After an error nothing is lost: the same batch again goes on
    /// where it stopped.
    fn apply(&self, batch: &[Arrival], now: Millis) -> Result<Applied, StoreError>;

    /// Takes over what the configuration says of objects: names mean these ids from now on, and
    /// what is stored of a name alone is found by its id. Called between batches.
    fn know(&self, platform: &BTreeSet<Mention>, now: Millis) -> Result<(), StoreError>;

    /// These calls as they are now, with the names of their objects.
    fn calls(&self, keys: &[(Day, Key)]) -> Result<Vec<Call>, StoreError>;

    /// The calls in progress and the ended legs of their sessions: so many at most, of which none
    /// is more worth than another.
    fn in_progress(&self, most: usize) -> Result<Vec<(Day, Key)>, StoreError>;

    /// A page of a report, newest start first; pages begin with 1.
    fn page(
        &self,
        filter: &Filter,
        page: u32,
        page_size: u32,
        now: Millis,
    ) -> Result<Page, StoreError>;

    /// A call with its legs, earliest first; empty: unknown.
    fn call(&self, name: &CallName, events: bool) -> Result<Vec<Leg>, StoreError>;

    /// Open dead letters by code.
    fn dead_letters(&self) -> Result<BTreeMap<String, u64>, StoreError>;

    /// The books.
    fn books(&self, asked: &BooksAsked) -> Result<Books, StoreError>;

    /// What all producers together told of each minute in `[from, to)`, ms: rows without a name.
    fn sums(&self, minutes: (i64, i64)) -> Result<Vec<Told>, StoreError>;

    /// Names of producers after this one, in their order: those that number their records, and
    /// those of which something is stored.
    fn producers(&self, after: &str, limit: u32) -> Result<Vec<String>, StoreError>;

    /// Days whose facts can be neither read nor written, and why; their records become dead
    /// letters. A server has none.
    fn damaged(&self) -> BTreeMap<Day, String> {
        BTreeMap::new()
    }

    /// What is said of the main file, if that is damaged. A server has none.
    fn damaged_main(&self) -> Option<String> {
        None
    }

    /// Connections to a server; files have none.
    fn connections(&self) -> Connections {
        Connections::default()
    }
}
