//! How many calls of one GUID there are on a day. All of them are read whenever one changes, so
//! that a session without an end would hold up all others: beyond the limit a leg is a dead letter.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::DayGuid;
use super::changes::{Cause, StoredCall};
use crate::key::Key;
use crate::limits::LEGS_PER_SESSION;

/// The legs of the GUIDs that a share has facts of.
#[derive(Clone, Debug, Default)]
pub(super) struct Legs(BTreeMap<DayGuid, BTreeSet<Key>>);

impl Legs {
    /// These are stored.
    pub(super) fn found(&mut self, calls: &[StoredCall]) {
        for call in calls {
            if let Some(guid) = &call.guid {
                self.0.entry((call.day, guid.clone())).or_default().insert(call.call_key);
            }
        }
    }

    /// Whether a call is one of them, or may become one.
    pub(super) fn take(&mut self, of: DayGuid, call_key: Key) -> bool {
        let legs = self.0.entry(of).or_default();
        legs.contains(&call_key) || (legs.len() < LEGS_PER_SESSION && legs.insert(call_key))
    }
}

/// Why one that may not is refused.
pub(super) fn too_many() -> Cause {
    let text = format!("the session has {LEGS_PER_SESSION} legs on this day, and takes no more");
    Cause { code: "bad_value", field: "guid".to_owned(), text }
}
