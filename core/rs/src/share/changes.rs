//! What a share writes: plain rows, in the columns of rs.md §3.2. A store writes them as they are
//! and decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use model::record::{ContentHash, Refusal};
use serde_json::json;

use super::latest::Latest;
use super::letters::Settled;
use super::tally::{Counts, Tally};
use crate::erase::{Erased, kept_without};
use crate::fact::EventFact;
use crate::integrity::Gap;
use crate::intervals::Intervals;
use crate::key::{Day, Key};
use crate::merge::Trace;
use crate::quality::FailureRow;
use crate::rollup::DayMark;
use crate::row::CallRow;
use crate::var::VarRows;

/// A row of a table "by day": its day and its key.
pub type DayKey = (Day, Key);

/// Key of `producer_stream`: producer, boot as the bits of an `i64`, number of the stream.
pub type StreamKey = (String, i64, u8);

/// Key of `integrity_minute` and `stored_minute`: producer, boot as the bits of an `i64` (−1 =
/// none), start of the minute.
pub type MinuteKey = (String, i64, i64);

/// How the facts of a session name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SessionName {
    /// By its id at the component.
    Id(String),
    /// By the GUID, where the id is not known.
    Guid(String),
}

/// A session on a day: at the component of this id.
pub type SessionKey = (Day, i64, SessionName);

/// What is to be written, all in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// `fact_ledger`: new rows.
    pub ledger: Vec<LedgerRow>,
    /// `fact_ledger`: rows whose content hash changes.
    pub replaced: Vec<LedgerRow>,
    /// Records of which nothing may be left in `call_event`, `sq_call`, `sq_failure` and
    /// `kept_record`, before new rows.
    pub gone: BTreeSet<DayKey>,
    /// `call` and what hangs on it: in place of what is there.
    pub calls: Vec<CallLine>,
    /// Nothing of these is written: ended legs of sessions of which one of [`Self::calls`] is in
    /// progress.
    pub ended: BTreeSet<DayKey>,
    /// `call_event`: new rows.
    pub events: Vec<EventRow>,
    /// `sq_call`: new rows.
    pub quality: Vec<QualityRow>,
    /// `sq_failure`: in place of what is there, by key.
    pub failures: Vec<FailureLine>,
    /// `kept_record`: new rows.
    pub kept: Vec<KeptRow>,
    /// `dead_letter`: new rows, numbered in this order.
    pub letters: Vec<LetterRow>,
    /// `dead_letter`: what came of retries.
    pub settled: Vec<Settled>,
    /// `figure`: to be added, by name and producer.
    pub figures: BTreeMap<(&'static str, String), i64>,
    /// `stored_minute`: to be added.
    pub stored_minutes: BTreeMap<MinuteKey, i64>,
    /// `producer_stream`: in place of what is there.
    pub streams: BTreeMap<StreamKey, StreamRow>,
    /// `integrity_minute`: in place of what is there.
    pub minutes: BTreeMap<MinuteKey, MinuteRow>,
    /// `call_day`: rows that are to be there.
    pub call_days: BTreeSet<(String, Day)>,
    /// Days that another share writes, and sessions of this one's days that change: what hangs on
    /// them there is to be made again ([`Share::revisit`]).
    ///
    /// [`Share::revisit`]: super::Share::revisit
    pub beside: BTreeSet<(Day, SessionKey)>,
    /// Days that another share writes, and GUIDs whose calls there borrow something else now: they
    /// are to be made again ([`Share::lend`]), before [`Self::beside`] of all shares is.
    ///
    /// [`Share::lend`]: super::Share::lend
    pub lent: BTreeSet<(Day, String)>,
    /// `dirty_bin`: a new one has version 1 and `since_ms` now; one that is there counts one
    /// version more.
    pub marks: BTreeSet<DayMark>,
    /// `outbound_total`, `snmp_value`: in place of what is there, if newer by (`updated_ms`,
    /// `id_key`).
    pub latest: Latest,
    /// Items to be stored after all: the file is past them, and has never seen them.
    pub unseen: Vec<usize>,
    /// What was done.
    pub counts: Counts,
    /// The same by kind.
    pub tally: Tally,
}

impl Changes {
    /// An end was made then.
    pub(super) fn count_end(&mut self, end: Option<MinuteKey>) {
        if let Some(minute) = end {
            *self.stored_minutes.entry(minute).or_default() += 1;
        }
    }

    /// Takes erased numbers out of what is kept as it came, and of what is made of stored rows.
    pub(super) fn wipe(&mut self, erased: &Erased) {
        self.letters.iter_mut().for_each(|row| row.wipe(erased));
        let numbers = erased.numbers();
        if numbers.is_empty() {
            return;
        }
        for line in &mut self.calls {
            let numbers = erased.at(line.row.started_ms);
            let VarRows { call, actions, custom } = &mut line.var;
            custom.retain(|row| !numbers.are_in(row.name.as_bytes()));
            let call = call.iter_mut().flat_map(|row| [&mut row.reason, &mut row.notes]);
            let names = actions.iter_mut().map(|row| &mut row.action);
            names.chain(custom.iter_mut().map(|row| &mut row.value)).for_each(|text| {
                numbers.wipe(text);
            });
            let actions = actions.iter_mut().flat_map(|row| [&mut row.reason, &mut row.notes]);
            call.chain(actions).flatten().for_each(|text| {
                numbers.wipe(text);
            });
        }
        for line in &mut self.failures {
            let numbers = erased.at(line.row.time_ms);
            line.row.text.iter_mut().for_each(|text| {
                numbers.wipe(text);
            });
        }
        for settled in &mut self.settled {
            if let Some(cause) = &mut settled.refused {
                numbers.wipe(&mut cause.text);
            }
        }
        for row in &mut self.kept {
            if let Some(body) = kept_without(&numbers, &row.body) {
                row.body = body;
            }
        }
        let figures = &mut self.latest.snmp;
        figures.retain(|row| !numbers.are_in(row.name.as_bytes()));
        figures.iter_mut().for_each(|row| {
            numbers.wipe(&mut row.value);
        });
    }
}

/// A row of `fact_ledger`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// `day`.
    pub day: Day,
    /// `id_key`.
    pub id_key: Key,
    /// `content_hash`.
    pub content_hash: ContentHash,
    /// `received_ms`.
    pub received_ms: i64,
}

/// A call with its objects by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallLine {
    /// The day that it is stored under.
    pub day: Day,
    /// Its values.
    pub row: CallRow,
    /// `component_id`.
    pub component_id: i64,
    /// `tenant_id`: the leaf.
    pub tenant_id: Option<i64>,
    /// `profile_id`.
    pub profile_id: Option<i64>,
    /// `call_tenant`, root first; a path that names a tenant twice counts it once, at its upper
    /// place.
    pub tenants: Vec<TenantLine>,
    /// `call_owner`: component and since when, `n` from 1.
    pub owners: Vec<(i64, i64)>,
    /// `call_fact_state`.
    pub state: Vec<u8>,
    /// `call_trace`: what becomes of the steps.
    pub trace: Trace,
    /// `last_fact_ms`.
    pub last_fact_ms: i64,
    /// `boot`: the newest start of its component that told of it, as the bits of an `i64`.
    pub boot: Option<i64>,
    /// `row_version`: 1 = the row is new.
    pub row_version: i64,
    /// `var_call`, `var_action`, `var_custom`.
    pub var: VarRows,
}

/// A row of `sq_call`: what one record says of the quality of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QualityRow {
    /// `day`.
    pub day: Day,
    /// `id_key`.
    pub id_key: Key,
    /// `component_id`.
    pub component_id: i64,
    /// `session_id`.
    pub session_id: String,
    /// `guid`.
    pub guid: Option<String>,
    /// `time_ms`.
    pub time_ms: i64,
    /// `failed`.
    pub failed: bool,
    /// `fact`: [`QualityFact::encode`].
    ///
    /// [`QualityFact::encode`]: crate::quality::QualityFact::encode
    pub fact: Vec<u8>,
}

/// A failure with its objects by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureLine {
    /// `day`.
    pub day: Day,
    /// Its values.
    pub row: FailureRow,
    /// `component_id`.
    pub component_id: i64,
    /// `profile_id`.
    pub profile_id: Option<i64>,
    /// `tenant_id`.
    pub tenant_id: Option<i64>,
}

/// A row of `call_tenant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantLine {
    /// `tenant_id`.
    pub tenant_id: i64,
    /// `depth`.
    pub depth: u32,
    /// `usage`.
    pub usage: Option<i64>,
    /// `burst`.
    pub burst: Option<u8>,
}

/// A row of `call_event`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// `day`.
    pub day: Day,
    /// `id_key`.
    pub id_key: Key,
    /// `call_ref`.
    pub call_ref: Key,
    /// `guid`.
    pub guid: Option<String>,
    /// `component_id`.
    pub component_id: i64,
    /// `session_id`; empty if only the GUID is known.
    pub session_id: String,
    /// `time_ms`.
    pub time_ms: i64,
    /// `seq`.
    pub seq: i64,
    /// `level`.
    pub level: u8,
    /// `log_id`.
    pub log_id: String,
    /// `label`.
    pub label: Option<String>,
    /// `text`.
    pub text: Option<String>,
    /// `extra`: a JSON object with sorted keys.
    pub extra: Option<String>,
}

/// A record whose kind has no table of its own, kept whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRow {
    /// `day`; where facts are in files by day only those of a call are there.
    pub day: Day,
    /// `id_key`.
    pub id_key: Key,
    /// `kind`.
    pub kind: u8,
    /// `id`.
    pub id: String,
    /// `component_id`.
    pub component_id: i64,
    /// `time_ms`.
    pub time_ms: i64,
    /// `received_ms`.
    pub received_ms: i64,
    /// `bin_ms`: start of the bin that it is about.
    pub bin_ms: Option<i64>,
    /// `body`.
    pub body: String,
}

/// A row of `dead_letter` without its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterRow {
    /// `letter_key`: the same letter again has the same.
    pub letter_key: Key,
    /// `seq` of the frame that brought it.
    pub seq: i64,
    /// `received_ms`.
    pub received_ms: i64,
    /// `queue`.
    pub queue: String,
    /// `transport`.
    pub transport: &'static str,
    /// `user`.
    pub user: Option<String>,
    /// `peer`.
    pub peer: String,
    /// `message_id`.
    pub message_id: Option<String>,
    /// `properties` as a JSON array of pairs.
    pub properties: String,
    /// `body`.
    pub body: Vec<u8>,
    /// `code`.
    pub code: &'static str,
    /// `field`.
    pub field: String,
    /// `text`.
    pub text: String,
    /// `producer`.
    pub producer: Option<String>,
}

/// Why a message became a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `code`.
    pub code: &'static str,
    /// `field`.
    pub field: String,
    /// `text`.
    pub text: String,
}

/// A row of `producer_stream`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamRow {
    /// `received`.
    pub received: Intervals,
    /// `max_seq`.
    pub max_seq: u64,
    /// `announced_seq`.
    pub announced_seq: u64,
    /// `duplicates`.
    pub duplicates: u64,
    /// `gaps`: what of it is missing.
    pub gaps: Vec<Gap>,
    /// `first_ms`.
    pub first_ms: i64,
    /// `last_ms`.
    pub last_ms: i64,
}

/// A row of `integrity_minute`: what the producer told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of `or.integrity`")]
pub struct MinuteRow {
    pub calls_in: i64,
    pub records_out: i64,
    pub adopted_in: i64,
    pub handed_out: i64,
    pub rejected: i64,
    pub in_progress: i64,
}

impl EventRow {
    pub(super) fn of(at: DayKey, event: &EventFact, component_id: i64) -> Self {
        let (day, id_key) = at;
        Self {
            day,
            id_key,
            call_ref: event.call_ref,
            guid: event.guid.clone(),
            component_id,
            session_id: event.session_id.clone(),
            time_ms: event.time_ms,
            seq: event.seq,
            level: event.level,
            log_id: event.log_id.clone(),
            label: event.label.clone(),
            text: event.text.clone(),
            extra: event.extra.clone(),
        }
    }

    /// What is left of the record, for its dead letter.
    pub(super) fn body(&self) -> Vec<u8> {
        let Self { time_ms, level, log_id, label, text, session_id, extra, .. } = self;
        let body = json!({"log_id": log_id, "time_ms": time_ms, "level": level, "label": label,
            "text": text, "session_id": session_id, "extra": extra});
        body.to_string().into_bytes()
    }
}

impl Cause {
    pub(super) fn of(refusal: &Refusal) -> Self {
        let Refusal { code, field, text } = refusal.clone();
        Self { code, field, text }
    }
}
