//! How much there is of one GUID or session on a day. All of it is read whenever something of it
//! changes, so that one without an end would hold up all others: beyond the limits a record is a
//! dead letter, and what is stored stays.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;

use super::calls::DayGuid;
use super::changes::{Cause, SessionName};
use super::item::Good;
use super::sessions::{Session, of_quality};
use crate::fact::Told;
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
    Calls(Day, Option<String>, String),
    /// Facts of quality of a session.
    Quality(Day, Option<String>, SessionName),
}

#[derive(Clone, Debug, Default)]
struct Taken {
    keys: BTreeSet<Key>,
    bytes: usize,
}

impl Room {
    /// This call is stored, with so many bytes.
    pub(super) fn has_call(&mut self, (day, key): (Day, Key), row: &CallRow, bytes: usize) {
        let guid = row.guid.clone().map(|guid| (day, guid));
        let own = (row.component_type, &row.component.name, &*row.session_id);
        for of in of_call(day, guid, own) {
            self.put(of, key, bytes);
        }
    }

    /// So is this fact of quality.
    pub(super) fn has_quality(&mut self, key: Key, session: Session, bytes: usize) {
        self.put(quality(session), key, bytes);
    }

    /// Takes a record of so many bytes, if there is room for it.
    pub(super) fn take(&mut self, good: &Good, day: Day, bytes: usize) -> Result<(), Cause> {
        let all = of_record(good, day, bytes);
        for (of, key, bytes) in &all {
            let Some(taken) = self.0.get(of) else { continue };
            let (most, most_bytes) = of.limits();
            let fits = taken.keys.contains(key) || taken.keys.len() < most;
            if !fits || taken.bytes.saturating_add(*bytes) > most_bytes {
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
        Told::Call(fact) if fact.component_type != ComponentType::Rm.number() => {
            let id = SessionName::Id(fact.session_id.clone());
            Some((day, Named::from(&fact.component), id))
        }
        _ => None,
    };
    let fact = QualityFact::of(&good.record).map(|fact| of_quality(day, &fact));
    call.into_iter().chain(fact).collect()
}

/// What a record of so many bytes needs room in, and how much.
fn of_record(good: &Good, day: Day, bytes: usize) -> Vec<(Of, Key, usize)> {
    let keys = &good.fact.keys;
    let mut all = Vec::new();
    if let (Told::Call(fact), Some(key)) = (&good.fact.told, keys.call_key) {
        let guid = fact.values.guid.clone().map(|guid| (day, guid));
        let own = (fact.component_type, &fact.component.name, &*fact.session_id);
        all.extend(of_call(day, guid, own).map(|of| (of, key, bytes)));
    }
    let fact = QualityFact::of(&good.record);
    all.extend(fact.map(|fact| {
        let bytes = fact.encode().len();
        (quality(of_quality(day, &fact)), keys.id_key, bytes)
    }));
    all
}

/// RM's session ids are of a GUID and a leg, and are used once.
fn of_call(
    day: Day,
    guid: Option<DayGuid>,
    (component_type, component, session_id): (u8, &Option<String>, &str),
) -> impl Iterator<Item = Of> {
    let is_rm = component_type == ComponentType::Rm.number();
    let calls = (!is_rm).then(|| Of::Calls(day, component.clone(), session_id.to_owned()));
    guid.map(Of::Guid).into_iter().chain(calls)
}

fn quality((day, component, name): Session) -> Of {
    Of::Quality(day, component.name, name)
}

impl Of {
    /// How many, and how many bytes of them.
    const fn limits(&self) -> (usize, usize) {
        match self {
            Self::Guid(_) => (LEGS_PER_SESSION, STATE_BYTES),
            Self::Calls(..) => (CALLS_PER_SESSION, STATE_BYTES),
            Self::Quality(..) => (QUALITY_PER_SESSION, QUALITY_BYTES),
        }
    }

    /// Why a record is refused.
    fn too_many(&self) -> Cause {
        let (most, bytes) = self.limits();
        let (field, what) = match self {
            Self::Guid(_) => ("guid", "legs"),
            Self::Calls(..) => ("session_id", "calls of one component"),
            Self::Quality(..) => ("session_id", "records of quality"),
        };
        let text = format!(
            "the session has {most} {what} or {} KiB of them on this day, and takes no more",
            bytes >> 10
        );
        Cause { code: "bad_value", field: field.to_owned(), text }
    }
}
