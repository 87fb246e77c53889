//! What a day holds, page by page, for whoever writes it down before it goes (spec rs.md §10). A
//! part of [`super::Store`].

use rs::retention::Due;
use rs::share::EventRow;
use rs::{CallState, Day, Key};

use super::StoreError;

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

/// What a database gives to be written down.
pub trait Exporting: Send + Sync {
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
