//! What a share asks before it takes anything: what is stored of its records, and of the sessions
//! of those that are new.

use super::calls::DayGuid;
use super::ledger::Verdict;
use super::{Good, Share, Task, Wants, books, letters};
use crate::fact::Told;
use crate::key::{Day, Key};

impl Share<'_> {
    /// The rows by which it decides what is new.
    pub(super) fn first_wants(&self) -> Wants {
        let mut wants = Wants::default();
        for task in &self.tasks {
            let (index, store, book) = match task {
                Task::Store(index) => (*index, true, false),
                Task::Book(index) => (*index, false, true),
                Task::Touch(index) => (*index, false, false),
                Task::Reject(..) => continue,
                Task::Erase(at, _) => {
                    wants.calls.insert(*at);
                    continue;
                }
            };
            let (item, day) = (self.batch.items().get(index), self.batch.day(index));
            let Some((Ok(good), day)) = item.map(|item| &item.read).zip(day) else { continue };
            // what is refused has no rows
            if good.refused.is_some() && !book {
                continue;
            }
            let keys = &good.fact.keys;
            if !book {
                let days = self.batch.ledger_days(index);
                wants.ledger.extend(days.into_iter().map(|day| (day, keys.id_key)));
            }
            if matches!(task, Task::Touch(_)) {
                wants
                    .letters
                    .extend(item.map(|item| letters::keys(item, good)).into_iter().flatten());
            }
            if store {
                wants.calls.extend(keys.call_key.map(|key| (day, key)));
            }
            if book || (store && !good.is_of_a_call()) {
                wants.streams.extend(books::streams(good));
            }
        }
        wants
    }

    /// The GUIDs that records which are new bring calls of.
    pub(super) fn new_legs(&self) -> Wants {
        let guids = self.tasks.iter().filter_map(|task| {
            let Task::Store(index) = task else { return None };
            let (good, day) = (self.good(*index)?, self.batch.day(*index)?);
            let at = (day, good.fact.keys.id_key);
            let is_new = good.refused.is_none() && self.ledger.judge(at, good) == Verdict::New;
            leg(good, day).filter(|_| is_new).map(|(of, _)| of)
        });
        Wants { guids: guids.collect(), ..Wants::default() }
    }

    /// Its session may have one leg more, if it brings one.
    pub(super) fn has_room(&mut self, good: &Good, day: Day) -> bool {
        leg(good, day).is_none_or(|(of, call_key)| self.legs.take(of, call_key))
    }
}

/// The session that a record's call is a leg of.
fn leg(good: &Good, day: Day) -> Option<(DayGuid, Key)> {
    let (Told::Call(fact), Some(call_key)) = (&good.fact.told, good.fact.keys.call_key) else {
        return None;
    };
    Some(((day, fact.values.guid.clone()?), call_key))
}
