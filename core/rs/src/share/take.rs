//! A share takes one record: what is new of it goes to the calls, sessions and books.

use super::ledger::Verdict;
use super::letters::rejected;
use super::{Cause, Good, Item, LedgerRow, Objects, Share, marks};
use crate::fact::Told;
use crate::merge::DecodeError;
use crate::rollup::own_bins;

impl Share<'_> {
    /// Stores it, unless it is refused, loses its id, or is stored already.
    ///
    /// # Errors
    /// The stored state of its call cannot be read.
    pub(super) fn take(&mut self, index: usize, objects: &Objects) -> Result<(), DecodeError> {
        let Some((item, day)) = self.batch.items().get(index).zip(self.batch.day(index)) else {
            return Ok(());
        };
        let Ok(good) = &item.read else { return Ok(()) };
        if let Some(refusal) = &good.refused {
            self.figure(refusal.code, good.producer());
            self.letters.refuse(item, Cause::of(refusal));
            return Ok(());
        }
        let at = (day, good.fact.keys.id_key);
        let call = good.fact.keys.call_key.map(|key| (day, key));
        let verdict = self.ledger.judge(at, good);
        if matches!(verdict, Verdict::New | Verdict::Replaces(_))
            && let Err(cause) = self.room.take(good, day, objects)
        {
            self.letters.refuse(item, cause);
            return Ok(());
        }
        match verdict {
            Verdict::New => self.count_new(item, good),
            Verdict::Duplicate => {
                self.changes.counts.duplicates += 1;
                self.changes.tally.duplicate(Some(good.producer().to_owned()));
                self.figure("duplicate", good.producer());
                self.letters.stored(item);
                return Ok(());
            }
            Verdict::Loses => {
                self.lose(index, good, true);
                return Ok(());
            }
            Verdict::Replaces(hash) => {
                self.replace(at, hash, call, index, good)?;
                self.changes.count_end(good.ended());
            }
        }
        self.letters.stored(item);
        let (content_hash, received_ms) = (good.fact.content_hash, item.origin.received_ms);
        self.ledger.hold(index, LedgerRow { day, id_key: at.1, content_hash, received_ms });
        match (&good.fact.told, call) {
            (Told::Call(fact), Some(call)) => {
                self.calls.tell(call, fact, (received_ms, good.own_boot()))?;
                self.sessions.told_quality(at, &good.record);
            }
            (Told::Event(event), _) => {
                self.sessions.told_event(at, event);
                marks::event(day, &event.log_id, event.time_ms, &mut self.changes.marks);
                self.events.insert(at, index);
            }
            (Told::Quality, _) => self.sessions.told_quality(at, &good.record),
            (Told::Call(_) | Told::Later, _) => {
                self.books.told(good);
                marks::kept(at.0, own_bins(&good.record), &mut self.changes.marks);
                self.kept.insert(at, index);
            }
        }
        Ok(())
    }

    fn count_new(&mut self, item: &Item<'_>, good: &Good) {
        self.changes.counts.stored += 1;
        self.changes.tally.stored(item, good);
        self.figure("stored", good.producer());
        if good.misrouted {
            self.figure("misrouted", good.producer());
        }
        self.changes.count_end(good.ended());
    }

    pub(super) fn bury_rejected(&mut self, index: usize, text: String) {
        let Some(item) = self.batch.items().get(index) else { return };
        if let Ok(good) = &item.read {
            self.figure("db_rejected", good.producer());
        }
        self.letters.refuse(item, rejected(text));
    }

    pub(super) fn figure(&mut self, name: &'static str, producer: &str) {
        *self.changes.figures.entry((name, producer.to_owned())).or_default() += 1;
    }
}
