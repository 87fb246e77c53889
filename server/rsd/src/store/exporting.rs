//! What a day holds, page by page, for whoever writes it down before it goes (spec rs.md §10). A
//! part of [`super::Store`].

use rs::retention::Due;
use rs::share::EventRow;
use rs::{CallState, Day, Key};

use super::StoreError;
use super::custody::Audit;
use super::keeping::Lease;

/// The facts of a call, with its trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// `call_key`.
    pub call_key: Key,
    /// `call_fact_state`.
    pub state: CallState,
    /// `call_trace`, as JSON.
    pub trace: Option<String>,
}

/// What a day holds, in short: another one, once a record has changed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Calls.
    pub calls: i64,
    /// Sum of their `row_version`, each of which grows with every record of its call.
    pub versions: i64,
    /// Events, reports included.
    pub events: i64,
    /// Sum of the times of both within 24 hours, ms: what goes and what comes may be as many.
    pub times: i64,
}

/// How far a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportState {
    /// It is being written.
    Running,
    /// It is on disk, or there was nothing to be written.
    Done,
    /// It could not be written.
    Failed,
    /// The run that wrote it has ended before, or its process has.
    Stopped,
}

impl ExportState {
    /// As the table has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// The state of this word; one of a later version is none that is done.
    pub fn parse(text: &str) -> Self {
        let all = [Self::Running, Self::Done, Self::Stopped];
        all.into_iter().find(|state| state.as_str() == text).unwrap_or(Self::Failed)
    }
}

/// One kind of a day, written once (`rs_export_run`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRun {
    /// The day.
    pub day: Day,
    /// `cdr`, `events`, `var`, `dead_letters`.
    pub kind: String,
    /// `rs.name` of the server that wrote it.
    pub by: String,
    /// How far it is.
    pub state: ExportState,
    /// What the day held just before.
    pub stamp: Stamp,
    /// Lines of the file.
    pub rows: u64,
    /// Hash of its bytes; `None`: there is no file.
    pub blake3: Option<String>,
    /// Id of its first line,
    pub first: Option<String>,
    /// and of its last one.
    pub last: Option<String>,
    /// Its name, without the directory.
    pub file: Option<String>,
    /// When it was begun, ms since 1970 UTC.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
}

/// What a database gives to be written down, and what it keeps of what was.
pub trait Exporting: Send + Sync {
    /// Begins to write a kind of a day. One that was begun and not ended has been stopped.
    fn begin_export(&self, lease: &Lease, run: &ExportRun) -> Result<(), StoreError>;

    /// The one that is running of this kind and day is as this says from now on. `line`: of the
    /// audit log.
    fn end_export(
        &self,
        lease: &Lease,
        run: &ExportRun,
        line: Option<&Audit>,
    ) -> Result<(), StoreError>;

    /// What was written, of a day or of all, the newest first, at most so many.
    fn exports(&self, day: Option<Day>, most: u32) -> Result<Vec<ExportRun>, StoreError>;

    /// Whether a slice of this would delete anything.
    fn is_due(&self, day: Day, due: &Due) -> Result<bool, StoreError>;

    /// What the day holds now; all zeros: nothing.
    fn stamp(&self, day: Day) -> Result<Stamp, StoreError>;

    /// The calls of a day after one, in the order of their keys.
    fn calls_of(&self, day: Day, after: &Key, most: u32) -> Result<Vec<Told>, StoreError>;

    /// The events of a day after a place, in the order of their places, which are of the store's
    /// own choice; the first one is all zeros. `reports`: those of voice applications, or the
    /// others.
    fn events_of(
        &self,
        day: Day,
        after: &Key,
        reports: bool,
        most: u32,
    ) -> Result<Vec<(Key, EventRow)>, StoreError>;
}

/// A trace as it is stored.
pub(super) fn unpacked(steps: Option<&[u8]>) -> std::io::Result<Option<String>> {
    let text = |steps| zstd::stream::decode_all(steps).map(String::from_utf8);
    Ok(steps.map(text).transpose()?.and_then(Result::ok))
}
