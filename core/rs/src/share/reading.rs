//! What a share asks of the tables, and what it gets. A store reads it as it is and decides
//! nothing; it stops where it has found more than may be, so that what is held at once has a limit.

use std::collections::BTreeSet;

use model::record::ContentHash;

use super::changes::{DayKey, EventRow, QualityRow, SessionKey, StreamKey, StreamRow};
use super::objects::Mention;
use crate::key::{Day, Key};
use crate::limits::{CALL_BYTES, HELD_PER_BYTE, ROW_BYTES};
use crate::rollup::KeptFacts;
use crate::var::Report;

/// What is to be read before a share can go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Content hashes of these ids in `fact_ledger`.
    pub ledger: BTreeSet<DayKey>,
    /// Calls with their state.
    pub calls: BTreeSet<DayKey>,
    /// All calls of these GUIDs on that day, with their state.
    pub guids: BTreeSet<(Day, String)>,
    /// Rows of `call_day` of these GUIDs.
    pub call_days: BTreeSet<String>,
    /// Reports of these sessions, which are events with a label of [`crate::var::PREFIX`], and rows
    /// of `sq_call` of them.
    pub sessions: BTreeSet<SessionKey>,
    /// Those of them whose calls are wanted, too, with their state. The others are named by a GUID
    /// all of whose calls are asked for.
    pub session_calls: BTreeSet<SessionKey>,
    /// Rows of `call_event` by the id of their record.
    pub events: BTreeSet<DayKey>,
    /// Rows of `kept_record` by the id of the record.
    pub kept: BTreeSet<DayKey>,
    /// Rows of `sq_call` by the id of the record.
    pub quality: BTreeSet<DayKey>,
    /// Which of these keys `dead_letter` has.
    pub letters: BTreeSet<Key>,
    /// Rows of `producer_stream`.
    pub streams: BTreeSet<StreamKey>,
    /// Objects whose ids are to be learned.
    pub mentions: BTreeSet<Mention>,
    /// Bytes that may be found, as [`Found::put_call`] and its likes weigh them.
    pub most: usize,
}

/// What was found; what is missing is not stored.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Of [`Wants::ledger`].
    pub ledger: Vec<(DayKey, ContentHash)>,
    /// Of [`Wants::calls`], [`Wants::guids`] and [`Wants::session_calls`]; one may come twice.
    pub calls: Vec<StoredCall>,
    /// Of [`Wants::call_days`].
    pub call_days: Vec<(String, Day)>,
    /// Of [`Wants::sessions`].
    pub reports: Vec<(SessionKey, Report)>,
    /// Of [`Wants::sessions`] and [`Wants::quality`]; one may come twice.
    pub quality: Vec<QualityRow>,
    /// Of [`Wants::events`].
    pub events: Vec<EventRow>,
    /// Of [`Wants::kept`].
    pub kept: Vec<(DayKey, KeptFacts)>,
    /// Of [`Wants::letters`].
    pub letters: Vec<Key>,
    /// Of [`Wants::streams`].
    pub streams: Vec<(StreamKey, StreamRow)>,
    /// Those of [`Wants::sessions`] that have an event of [`PORT_EVENTS`].
    ///
    /// [`PORT_EVENTS`]: crate::rollup::PORT_EVENTS
    pub ports: Vec<SessionKey>,
    /// Bytes that may be found, and what has been.
    pub(super) most: usize,
    pub(super) weight: usize,
    is_cut: bool,
}

impl Found {
    /// Nothing yet of what is wanted.
    #[must_use]
    pub fn of(wants: &Wants) -> Self {
        Self { most: wants.most, ..Self::default() }
    }

    /// More was found than may be: nothing of it counts, and no more need be read. The share asks
    /// for less then.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.is_cut || self.weight > self.most
    }

    /// There is more than was read.
    pub const fn cut(&mut self) {
        self.is_cut = true;
    }

    /// Bytes that may be found yet.
    #[must_use]
    pub const fn bytes_left(&self) -> usize {
        self.most.saturating_sub(self.weight)
    }

    /// Of calls so many more at most are needed to know that it is cut.
    #[must_use]
    pub const fn calls_left(&self) -> usize {
        self.bytes_left() / CALL_BYTES + 1
    }

    /// Likewise of rows that hang on calls.
    #[must_use]
    pub const fn rows_left(&self) -> usize {
        self.bytes_left() / ROW_BYTES + 1
    }

    /// Of [`Found::calls`].
    pub fn put_call(&mut self, call: StoredCall) {
        self.weigh(call.weight());
        self.calls.push(call);
    }

    /// Of [`Found::reports`].
    pub fn put_report(&mut self, session: SessionKey, report: Report) {
        self.weigh(ROW_BYTES.saturating_add(report.text.len()));
        self.reports.push((session, report));
    }

    /// Of [`Found::quality`].
    pub fn put_quality(&mut self, row: QualityRow) {
        self.weigh(ROW_BYTES.saturating_add(row.fact.len().saturating_mul(HELD_PER_BYTE)));
        self.quality.push(row);
    }

    /// Of [`Found::kept`].
    pub fn put_kept(&mut self, at: DayKey, facts: KeptFacts) {
        self.weigh(ROW_BYTES.saturating_add(facts.body.len()));
        self.kept.push((at, facts));
    }

    const fn weigh(&mut self, bytes: usize) {
        self.weight = self.weight.saturating_add(bytes);
    }
}

/// A call as it is stored, as far as the merge needs it.
#[derive(Clone, Debug)]
pub struct StoredCall {
    /// `day`.
    pub day: Day,
    /// `call_key`.
    pub call_key: Key,
    /// `guid`.
    pub guid: Option<String>,
    /// `state` of `call_fact_state`.
    pub state: Vec<u8>,
    /// `last_fact_ms`.
    pub last_fact_ms: i64,
    /// `boot`: the newest start of its component that told of it, as the bits of an `i64`.
    pub boot: Option<i64>,
    /// `row_version`.
    pub row_version: i64,
}

impl StoredCall {
    /// Bytes that it has in memory, roughly.
    pub(super) const fn weight(&self) -> usize {
        CALL_BYTES.saturating_add(self.state.len().saturating_mul(HELD_PER_BYTE))
    }
}
