//! What is made again: since another share has changed what hangs together with it, or since a
//! file is past records of a batch that is tried again, after a crash, or since the database of
//! what follows was away.

use std::collections::BTreeSet;

use model::record::ComponentType;

use super::ledger::Verdict;
use super::letters::{conflict, rejected};
use super::{Good, Item, SessionKey, Share, Task};
use crate::fact::Told;
use crate::key::Day;

impl Share<'_> {
    /// To make what hangs on the calls of these sessions again.
    pub fn revisit(&mut self, sessions: BTreeSet<SessionKey>) {
        self.tasks.extend(sessions.into_iter().map(Task::Revisit));
    }

    /// To make the calls of these GUIDs again, since legs of RM on other days lend them something
    /// else than before.
    pub fn lend(&mut self, guids: BTreeSet<String>) {
        self.tasks.extend(guids.into_iter().map(Task::Lend));
    }

    /// What hangs on a record that was stored or refused is made again, and what came of a retry
    /// is told. The file may be past a record that it has never seen: one that came too late by
    /// the values of retention then in force, and does not by those of now.
    pub(super) fn touched(&mut self, index: usize) {
        let Some((item, day)) = self.batch.items().get(index).zip(self.batch.day(index)) else {
            return;
        };
        let Ok(good) = &item.read else { return };
        if self.is_unseen(item, good, day) {
            self.changes.unseen.push(index);
            return;
        }
        match &good.fact.told {
            Told::Call(fact) => {
                self.sessions.touch_call(day, fact);
                if let Some(guid) = fact.values.guid.clone() {
                    match fact.component_type == ComponentType::Rm.number() {
                        true => self.calls.lending.change((day, guid)),
                        false => self.calls.lending.borrow_again((day, guid)),
                    }
                }
            }
            Told::Event(event) => self.sessions.touch_event(day, event),
            Told::Quality => self.sessions.touch_quality(day, &good.record),
            Told::Later => {}
        }
        if item.origin.letter.is_none() {
            return;
        }
        match self.ledger.stored((day, good.fact.keys.id_key)) {
            Some(hash) if *hash == good.fact.content_hash => self.letters.stored(item),
            Some(_) => self.letters.refuse(item, conflict(good)),
            None => self.letters.refuse(item, rejected("the database refuses a record".to_owned())),
        }
    }

    /// Neither in the ledger nor among the dead letters. A retry that was refused has no letter of
    /// its own: it is refused again.
    fn is_unseen(&self, item: &Item<'_>, good: &Good, day: Day) -> bool {
        let verdict = self.ledger.judge((day, good.fact.keys.id_key), good);
        match verdict {
            Verdict::Duplicate => false,
            Verdict::New | Verdict::Replaces(_) => !self.letters.has(item, good),
            Verdict::Loses => item.origin.letter.is_none() && !self.letters.has(item, good),
        }
    }
}
