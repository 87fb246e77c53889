//! What a share asks before it takes anything: what is stored of its records, and of the sessions
//! of those that are new.

use std::collections::BTreeMap;

use super::ledger::Verdict;
use super::{Found, ObjectKind, Objects, Share, Task, Wants, books, letters, room, sessions};
use crate::fact::Told;
use crate::key::Key;

impl Share<'_> {
    /// The rows by which it decides what is new.
    pub(super) fn first_wants(&self) -> Wants {
        let mut wants = Wants::default();
        for task in &self.tasks {
            let (index, store, book) = match task {
                Task::Store(index) => (*index, true, false),
                Task::Book(index) => (*index, false, true),
                Task::Touch(index) => (*index, false, false),
                Task::Reject(..) | Task::Lend(_) | Task::Revisit(_) => continue,
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

    /// What there is already of the GUIDs and sessions that records which are new name; the
    /// components' ids first.
    pub(super) fn room_wants(&self, objects: &Objects) -> Wants {
        let mut wants = Wants::default();
        for task in &self.tasks {
            let Task::Store(index) = task else { continue };
            let Some((good, day)) = self.good(*index).zip(self.batch.day(*index)) else { continue };
            let at = (day, good.fact.keys.id_key);
            let comes = matches!(self.ledger.judge(at, good), Verdict::New | Verdict::Replaces(_));
            if good.refused.is_some() || !comes {
                continue;
            }
            if let Told::Call(fact) = &good.fact.told {
                wants.guids.extend(fact.values.guid.clone().map(|guid| (day, guid)));
            }
            for session in room::sessions(good, day) {
                match sessions::key(&session, objects) {
                    Some(session) => _ = wants.sessions.insert(session),
                    None => {
                        wants.mentions.extend(session.1.unknown(ObjectKind::Component, objects));
                    }
                }
            }
        }
        wants
    }

    /// That is here now, with what hangs on it: nothing of it is asked for again.
    pub(super) fn found_room(&mut self, mut found: Found, objects: &Objects) {
        let calls: Vec<_> = found.calls.iter().map(|it| (it.day, it.call_key)).collect();
        self.calls.found_more(std::mem::take(&mut found.calls));
        for at in calls {
            if let Some((state, row)) = self.calls.idle(at) {
                self.room.has_call(at, (state, row), objects);
            }
        }
        let bytes: BTreeMap<Key, usize> =
            found.quality.iter().map(|row| (row.id_key, row.fact.len())).collect();
        self.sessions.found(&mut found);
        for (key, session) in self.sessions.stored_quality() {
            self.room.has_quality(key, session, bytes.get(&key).copied().unwrap_or_default());
        }
        for (report, session) in self.sessions.stored_reports() {
            self.room.has_report(report, session);
        }
        self.calls.have_ports(found.ports);
    }
}
