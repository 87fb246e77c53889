//! Two contents of one record (rs.md §2.8): the one with the smaller hash stays, and nothing of the
//! other, so that it makes no difference which came first.

use model::record::ContentHash;

use super::Share;
use super::changes::{DayKey, QualityRow};
use super::item::Good;
use super::letters::conflict;
use crate::fact::Told;
use crate::merge::DecodeError;
use crate::quality::QualityFact;

impl Share<'_> {
    /// What was stored under the id goes to the dead letters, and nothing of it stays.
    pub(super) fn replace(
        &mut self,
        at: DayKey,
        hash: ContentHash,
        call: Option<DayKey>,
        index: usize,
        good: &Good,
    ) -> Result<(), DecodeError> {
        self.sessions.forget(at);
        if let Some(loser) = self.ledger.holder(at) {
            self.events.remove(&at);
            self.kept.remove(&at);
            self.lose(loser, good, false);
            return Ok(());
        }
        self.changes.gone.insert(at);
        let body = match (&good.fact.told, call) {
            (Told::Call(_), Some(call)) => Some(self.calls.body(call, &good.record.id)?),
            _ => None,
        };
        self.figure("id_conflict", good.producer());
        if let Some(item) = self.batch.items().get(index) {
            self.letters.lost(item, conflict(good), (at, &hash), body);
        }
        Ok(())
    }

    /// The loser of an id conflict becomes a dead letter. `comes`: its end was not counted yet, and
    /// is with the letter, since what its producer made it has made, whichever content wins.
    pub(super) fn lose(&mut self, loser: usize, good: &Good, comes: bool) {
        self.figure("id_conflict", good.producer());
        let Some(item) = self.batch.items().get(loser) else { return };
        if let Ok(lost) = &item.read {
            let (id, hash) = (&lost.fact.keys.id_key, &lost.fact.content_hash);
            let end = lost.ended().filter(|_| comes);
            self.letters.lose(item, conflict(good), (id, hash), end);
        }
    }

    /// Quality was found; of a record that goes it is what its dead letter tells, and its session,
    /// which may be another one than the newcomer's, changes.
    pub(super) fn lose_quality(&mut self, row: &QualityRow) {
        let at = (row.day, row.id_key);
        if self.changes.gone.contains(&at) {
            self.sessions.lost_quality(row);
            let fact = QualityFact::decode(&row.fact);
            let body = fact.and_then(|fact| serde_json::to_vec(&fact).ok());
            self.letters.put_body(at, body.unwrap_or_default());
        }
    }
}
