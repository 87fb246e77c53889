//! Calls that a share has read already. It asks for calls by their keys, then for all of a GUID,
//! then for those of sessions: most come more than once, and are no more to be held for that.

use std::collections::BTreeMap;

use model::record::ComponentType;

use super::changes::{DayKey, SessionName};
use super::objects::Objects;
use super::reading::{StoredCall, Wants};
use super::sessions;
use crate::row::CallRow;

#[derive(Clone, Debug, Default)]
pub(super) struct Held(BTreeMap<DayKey, Call>);

#[derive(Clone, Debug)]
struct Call {
    guid: Option<String>,
    weight: usize,
}

impl Held {
    pub(super) fn put(&mut self, calls: &[StoredCall]) {
        for call in calls {
            let held = || Call { guid: call.guid.clone(), weight: call.weight() };
            self.0.entry((call.day, call.call_key)).or_insert_with(held);
        }
    }

    /// What will come again weighs so much. `known`: rows of calls, as far as there are any yet.
    pub(super) fn again<'r>(
        &self,
        wants: &Wants,
        known: impl Iterator<Item = (&'r DayKey, &'r CallRow)>,
        objects: &Objects,
    ) -> usize {
        let by_guid = |at: &DayKey, call: &Call| {
            call.guid.clone().is_some_and(|guid| wants.guids.contains(&(at.0, guid)))
        };
        let guids = (!wants.guids.is_empty()).then_some(&self.0).into_iter().flatten();
        let guids = guids.filter(|(at, call)| by_guid(at, call)).map(|(_, call)| call.weight);
        // nothing names a leg of RM by its session
        let is_wanted = |at: &DayKey, row: &CallRow| {
            if row.component_type == ComponentType::Rm.number() {
                return false;
            }
            let name = SessionName::Id(row.session_id.clone());
            let session = sessions::key(&(at.0, row.component.clone(), name), objects);
            session.is_some_and(|session| wants.session_calls.contains(&session))
        };
        let asked = !wants.session_calls.is_empty();
        let known = asked.then_some(known).into_iter().flatten();
        let sessions = known.filter_map(|(at, row)| {
            let call = self.0.get(at).filter(|call| !by_guid(at, call))?;
            is_wanted(at, row).then_some(call.weight)
        });
        guids.chain(sessions).fold(0, usize::saturating_add)
    }
}
