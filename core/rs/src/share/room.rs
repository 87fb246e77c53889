//! How much there is of one GUID or session on a day. All of it is read whenever something of it
//! changes, so that one without an end would hold up all others: beyond the limits a record is a
//! dead letter, and what is stored stays.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;

use super::calls::DayGuid;
use super::changes::{Cause, DayKey, SessionKey, SessionName};
use super::item::Good;
use super::objects::Objects;
use super::sessions::{Session, key, of_quality, of_report};
use crate::fact::{CallFact, Told};
use crate::key::{Day, Key};
use crate::limits::{
    CALLS_PER_SESSION, LEGS_PER_SESSION, QUALITY_BYTES, QUALITY_PER_SESSION, REPORT_BYTES,
    REPORTS_PER_SESSION, STATE_BYTES,
};
use crate::merge::CallState;
use crate::quality::QualityFact;
use crate::row::{CallRow, Named};
use crate::var::Report;

/// What the GUIDs and sessions of a share's new records have already.
#[derive(Clone, Debug, Default)]
pub(super) struct Room(BTreeMap<Of, Taken>);

/// What has a limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    /// Calls of a GUID.
    Guid(DayGuid),
    /// Calls of a component's session id.
    Calls(SessionKey),
    /// Facts of quality of a session.
    Quality(SessionKey),
    /// Reports of a session.
    Reports(SessionKey),
}

#[derive(Clone, Debug, Default)]
struct Taken {
    keys: BTreeSet<Key>,
    /// Of ends of calls.
    ends: usize,
    /// Of all else.
    others: usize,
}

/// What a record needs of one of them.
struct Need {
    of: Of,
    key: Key,
    is_end: bool,
    bytes: usize,
}

impl Room {
    /// This call is stored.
    pub(super) fn has_call(
        &mut self,
        (day, key): DayKey,
        (state, row): (&CallState, &CallRow),
        objects: &Objects,
    ) {
        let session = !is_rm(row.component_type);
        let session = session.then(|| (day, row.component.clone(), id_of(&row.session_id)));
        let bytes = state.stored_bytes();
        for of in of_call(day, row.guid.as_ref(), session, objects) {
            self.put(of, key, bytes);
        }
    }

    /// So is this fact of quality.
    pub(super) fn has_quality(&mut self, id_key: Key, session: SessionKey, bytes: usize) {
        self.put(Of::Quality(session), id_key, (0, bytes));
    }

    /// And this report.
    pub(super) fn has_report(&mut self, report: &Report, session: SessionKey) {
        self.put(Of::Reports(session), report.id_key, (0, report.text.len()));
    }

    /// Takes a record, if there is room for it. Ends of calls have bytes of their own, so that
    /// nothing else keeps a call in progress; it does not matter then in which order they come. Of
    /// quality there is as much again for ends of calls that are stored, likewise.
    pub(super) fn take(&mut self, good: &Good, day: Day, objects: &Objects) -> Result<(), Cause> {
        let all = of_record(good, day, objects);
        let spare = if self.is_end_of_stored(&all) { 2 } else { 1 };
        for need in &all {
            let Some(taken) = self.0.get(&need.of) else { continue };
            if !taken.fits(need, spare) {
                return Err(need.of.too_many());
            }
        }
        for Need { of, key, is_end, bytes } in all {
            let taken = self.0.entry(of).or_default();
            taken.keys.insert(key);
            taken.add(if is_end { (bytes, 0) } else { (0, bytes) });
        }
        Ok(())
    }

    fn is_end_of_stored(&self, all: &[Need]) -> bool {
        let is_stored =
            |need: &&Need| self.0.get(&need.of).is_some_and(|taken| taken.keys.contains(&need.key));
        all.iter().filter(|need| need.is_end).any(|need| is_stored(&need))
    }

    fn put(&mut self, of: Of, key: Key, bytes: (usize, usize)) {
        let taken = self.0.entry(of).or_default();
        if taken.keys.insert(key) {
            taken.add(bytes);
        }
    }
}

impl Taken {
    /// `spare`: how many times as much there is of quality.
    fn fits(&self, need: &Need, spare: usize) -> bool {
        let (most, most_bytes) = need.of.limits();
        let spare = if matches!(need.of, Of::Quality(_)) { spare } else { 1 };
        let bytes = if need.is_end { self.ends } else { self.others };
        (self.keys.contains(&need.key) || self.keys.len() < most * spare)
            && bytes.saturating_add(need.bytes) <= most_bytes * spare
    }

    /// Of ends, and of all else.
    const fn add(&mut self, (ends, others): (usize, usize)) {
        self.ends = self.ends.saturating_add(ends);
        self.others = self.others.saturating_add(others);
    }
}

/// The sessions that are to be read before a record is taken.
pub(super) fn sessions(good: &Good, day: Day) -> Vec<Session> {
    let own = match &good.fact.told {
        Told::Call(fact) => session(fact, day),
        Told::Event(event) => event.is_report().then(|| of_report(day, event)),
        Told::Quality | Told::Later => None,
    };
    let fact = QualityFact::of(&good.record).map(|fact| of_quality(day, &fact));
    own.into_iter().chain(fact).collect()
}

/// What a record needs room in, and how much.
fn of_record(good: &Good, day: Day, objects: &Objects) -> Vec<Need> {
    let keys = &good.fact.keys;
    let need = |of, key, bytes| Need { of, key, is_end: false, bytes };
    let mut all = Vec::new();
    match (&good.fact.told, keys.call_key) {
        (Told::Call(fact), Some(call_key)) => {
            let (is_end, bytes) = (fact.end.is_some(), fact.stored_bytes());
            let of = of_call(day, fact.values.guid.as_ref(), session(fact, day), objects);
            all.extend(of.map(|of| Need { is_end, ..need(of, call_key, bytes) }));
        }
        (Told::Event(event), _) => {
            let report = event.report(keys.id_key).zip(key(&of_report(day, event), objects));
            let of = |(report, session): (Report, _)| {
                need(Of::Reports(session), keys.id_key, report.text.len())
            };
            all.extend(report.map(of));
        }
        _ => {}
    }
    let fact = QualityFact::of(&good.record);
    all.extend(fact.and_then(|fact| {
        let session = key(&of_quality(day, &fact), objects)?;
        Some(need(Of::Quality(session), keys.id_key, fact.encode().len()))
    }));
    all
}

/// The session of a call. RM's session ids are of a GUID and a leg, and nothing is looked for by
/// them.
fn session(fact: &CallFact, day: Day) -> Option<Session> {
    let session = (day, Named::from(&fact.component), id_of(&fact.session_id));
    (!is_rm(fact.component_type)).then_some(session)
}

fn id_of(session_id: &str) -> SessionName {
    SessionName::Id(session_id.to_owned())
}

fn is_rm(component_type: u8) -> bool {
    component_type == ComponentType::Rm.number()
}

fn of_call(
    day: Day,
    guid: Option<&String>,
    session: Option<Session>,
    objects: &Objects,
) -> impl Iterator<Item = Of> {
    let guid = guid.map(|guid| Of::Guid((day, guid.clone())));
    let session = session.and_then(|session| key(&session, objects)).map(Of::Calls);
    guid.into_iter().chain(session)
}

impl Of {
    /// How many, and how many bytes of them.
    const fn limits(&self) -> (usize, usize) {
        match self {
            Self::Guid(_) => (LEGS_PER_SESSION, STATE_BYTES),
            Self::Calls(_) => (CALLS_PER_SESSION, STATE_BYTES),
            Self::Quality(_) => (QUALITY_PER_SESSION, QUALITY_BYTES),
            Self::Reports(_) => (REPORTS_PER_SESSION, REPORT_BYTES),
        }
    }

    /// Why a record is refused.
    fn too_many(&self) -> Cause {
        let (most, bytes) = self.limits();
        let (field, what) = match self {
            Self::Guid(_) => ("guid", "calls"),
            Self::Calls(_) => ("session_id", "calls of one component"),
            Self::Quality(_) => ("session_id", "records of quality"),
            Self::Reports(_) => ("session_id", "reports"),
        };
        let text = format!(
            "the session has {most} {what} or {} KiB of them on this day, and takes no more",
            bytes >> 10
        );
        Cause { code: "bad_value", field: field.to_owned(), text }
    }
}
