//! What goes is written down before, as records where it can be (rs.md §10).
//!
//! An event's id is not stored, only the key that was made of it; so its record has an id that
//! names the key ([`fact`]). Records that are written here say that they were stored before
//! ([`AGAIN`]): where their id is known they change nothing. Both are believed of what an RS has
//! written alone: said by anybody else, such an id is one like any other.

use model::record::{ComponentType, Level, Notes, Record};
use model::time::Millis;
use serde_json::{Map, Value, json};

use crate::fact::{Fact, Told};
use crate::key::{KEY_ID, named};
use crate::row::flag;
use crate::share::EventRow;

/// A member of a record that was stored before: what was noted when it was read, as bits of
/// [`flag`].
pub const AGAIN: &str = "_again";
/// These bits. The others follow from the record.
const OF_READING: u32 = flag::TRUNCATED
    | flag::END_CORRECTED
    | flag::BAD_FIELDS
    | flag::EXTRA_CUT
    | flag::REPAIRED
    | flag::ERASED;

/// A component, as records name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its DBID, if it is known.
    pub dbid: Option<u32>,
    /// Number of its type.
    pub kind: Option<u8>,
}

/// An event as a record. `by`: who writes it.
#[must_use]
pub fn event(event: &EventRow, component: &Component, by: &str) -> Value {
    let key: String = event.id_key.iter().map(|byte| format!("{byte:02x}")).collect();
    let kind = component.kind.and_then(ComponentType::from_number);
    let known = json!({
        "schema": 1, "kind": "call.event", "id": format!("{KEY_ID}{key}/{}", event.seq.max(0)),
        "time": Millis(u64::try_from(event.time_ms).unwrap_or_default()),
        "producer": {"name": by},
        "component": {
            "name": component.name, "dbid": component.dbid,
            "type": kind.unwrap_or(ComponentType::Other).as_str(),
        },
        "guid": event.guid,
        "session_id": Some(&event.session_id).filter(|id| !id.is_empty()),
        "level": Level::from_number(event.level).map(Level::as_str),
        "log_id": event.log_id, "label": event.label, "text": event.text,
    });
    let Value::Object(mut known) = known else { return Value::Null };
    for inner in known.values_mut().filter_map(Value::as_object_mut) {
        inner.retain(|_, value| !value.is_null());
    }
    known.retain(|_, value| !value.is_null());
    let extra = event.extra.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let extra: Map<String, Value> = extra.unwrap_or_default();
    for (name, value) in extra {
        // a field that a `var` does not know may be one of an event
        known.entry(name).or_insert(value);
    }
    known.insert(AGAIN.to_owned(), 0.into());
    Value::Object(known)
}

/// The fact of a record as it was read, and whether it was stored before. `own`: an RS has written
/// it, so what it says of that counts, and the word goes; else it says nothing of the kind.
#[must_use]
pub fn fact(record: &mut Record, notes: &Notes, own: bool) -> (Fact, bool) {
    if !own {
        return (Fact::of(record, notes), false);
    }
    let told = record.extra.remove(AGAIN);
    let mut fact = Fact::of(record, notes);
    match (&mut fact.told, &told) {
        (Told::Call(call), Some(flags)) => {
            let flags = flags.as_u64().and_then(|flags| u32::try_from(flags).ok());
            call.flags |= flags.unwrap_or_default() & OF_READING;
        }
        (Told::Event(_), _) => {
            fact.keys.id_key = named(&record.id).unwrap_or(fact.keys.id_key);
        }
        (Told::Call(_) | Told::Quality | Told::Later, _) => {}
    }
    (fact, told.is_some())
}
