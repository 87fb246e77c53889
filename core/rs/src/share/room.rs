//! How much there is of one GUID or session on a day. All of it is read whenever something of it
//! changes, so that one without an end would hold up all others: beyond the limits a record is a
//! dead letter, and what is stored stays.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;

use super::calls::DayGuid;
use super::changes::{Cause, DayKey, SessionKey, SessionName};
use super::item::Good;
use super::objects::Objects;
use super::sessions::{Session, key, of_quality};
use crate::fact::{CallFact, Told};
use crate::key::{Day, Key};
use crate::limits::{
    CALLS_PER_SESSION, LEGS_PER_SESSION, QUALITY_BYTES, QUALITY_PER_SESSION, STATE_BYTES,
};
use crate::quality::QualityFact;
use crate::row::{CallRow, Named};

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
}

#[derive(Clone, Debug, Default)]
struct Taken {
    keys: BTreeSet<Key>,
    bytes: usize,
}

impl Room {
    /// This call is stored, with so many bytes.
    pub(super) fn has_call(
        &mut self,
        (day, key): DayKey,
        row: &CallRow,
        bytes: usize,
        objects: &Objects,
    ) {
        let session = !is_rm(row.component_type);
        let session = session.then(|| (day, row.component.clone(), id_of(&row.session_id)));
        for of in of_call(day, row.guid.as_ref(), session, objects) {
            self.put(of, key, bytes);
        }
    }

    /// So is this fact of quality.
    pub(super) fn has_quality(&mut self, id_key: Key, session: SessionKey, bytes: usize) {
        self.put(Of::Quality(session), id_key, bytes);
    }

    /// Takes a record of so many bytes, if there is room for it. For ends of calls that are stored
    /// there is as much again, so that reports of quality alone keep none in progress.
    pub(super) fn take(
        &mut self,
        good: &Good,
        day: Day,
        bytes: usize,
        objects: &Objects,
    ) -> Result<(), Cause> {
        let all = of_record(good, day, bytes, objects);
        let spare = if self.is_end_of_stored(good, &all) { 2 } else { 1 };
        for (of, key, bytes) in &all {
            let Some(taken) = self.0.get(of) else { continue };
            let (most, most_bytes) = of.limits();
            let most = if matches!(of, Of::Quality(_)) { most * spare } else { most };
            let fits = taken.keys.contains(key) || taken.keys.len() < most;
            if !fits || taken.bytes.saturating_add(*bytes) > most_bytes * spare {
                return Err(of.too_many());
            }
        }
        for (of, key, bytes) in all {
            let taken = self.0.entry(of).or_default();
            taken.keys.insert(key);
            taken.bytes = taken.bytes.saturating_add(bytes);
        }
        Ok(())
    }

    fn is_end_of_stored(&self, good: &Good, all: &[(Of, Key, usize)]) -> bool {
        let is_end = matches!(&good.fact.told, Told::Call(fact) if fact.end.is_some());
        let is_stored = |(of, key, _): &(Of, Key, usize)| {
            let taken = self.0.get(of).filter(|_| !matches!(of, Of::Quality(_)));
            taken.is_some_and(|taken| taken.keys.contains(key))
        };
        is_end && all.iter().any(is_stored)
    }

    fn put(&mut self, of: Of, key: Key, bytes: usize) {
        let taken = self.0.entry(of).or_default();
        if taken.keys.insert(key) {
            taken.bytes = taken.bytes.saturating_add(bytes);
        }
    }
}

/// The sessions that are to be read before a record is taken.
pub(super) fn sessions(good: &Good, day: Day) -> Vec<Session> {
    let call = match &good.fact.told {
        Told::Call(fact) => session(fact, day),
        Told::Event(_) | Told::Quality | Told::Later => None,
    };
    let fact = QualityFact::of(&good.record).map(|fact| of_quality(day, &fact));
    call.into_iter().chain(fact).collect()
}

/// What a record of so many bytes needs room in, and how much.
fn of_record(good: &Good, day: Day, bytes: usize, objects: &Objects) -> Vec<(Of, Key, usize)> {
    let keys = &good.fact.keys;
    let mut all = Vec::new();
    if let (Told::Call(fact), Some(call_key)) = (&good.fact.told, keys.call_key) {
        let of = of_call(day, fact.values.guid.as_ref(), session(fact, day), objects);
        all.extend(of.map(|of| (of, call_key, bytes)));
    }
    let fact = QualityFact::of(&good.record);
    all.extend(fact.and_then(|fact| {
        let session = key(&of_quality(day, &fact), objects)?;
        Some((Of::Quality(session), keys.id_key, fact.encode().len()))
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
        }
    }

    /// Why a record is refused.
    fn too_many(&self) -> Cause {
        let (most, bytes) = self.limits();
        let (field, what) = match self {
            Self::Guid(_) => ("guid", "calls"),
            Self::Calls(_) => ("session_id", "calls of one component"),
            Self::Quality(_) => ("session_id", "records of quality"),
        };
        let text = format!(
            "the session has {most} {what} or {} KiB of them on this day, and takes no more",
            bytes >> 10
        );
        Cause { code: "bad_value", field: field.to_owned(), text }
    }
}
