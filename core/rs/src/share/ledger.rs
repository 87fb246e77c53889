//! Which contents hold their ids (rs.md §2.8, §3.2): those that were stored before and those of
//! this share.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ContentHash;

use super::changes::{DayKey, LedgerRow};
use super::item::Good;
use crate::key::{self, Day};

/// The ledger, as far as it was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// Content hashes as they were stored before.
    stored: BTreeMap<DayKey, ContentHash>,
    /// The items of this share that hold their id.
    holders: BTreeMap<DayKey, (usize, LedgerRow)>,
}

/// What the ledger says to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Never seen.
    New,
    /// Stored, the same content.
    Duplicate,
    /// Stored with another content of this greater hash: the newcomer takes its place.
    Replaces(ContentHash),
    /// Stored with another content of smaller hash, or on another day: the newcomer loses.
    Loses,
}

/// The rows that change: new ones, and those that have another content now.
pub(super) type Rows = (Vec<LedgerRow>, Vec<LedgerRow>);

impl Ledger {
    pub(super) fn found(&mut self, ledger: Vec<(DayKey, ContentHash)>) {
        self.stored.extend(ledger);
    }

    pub(super) fn stored(&self, at: DayKey) -> Option<&ContentHash> {
        self.stored.get(&at)
    }

    /// The item of this share that holds an id.
    pub(super) fn holder(&self, at: DayKey) -> Option<usize> {
        self.holders.get(&at).map(|(index, _)| *index)
    }

    /// Of a record that says so itself ([`crate::export::AGAIN`]) only the id counts.
    pub(super) fn judge(&self, at: DayKey, good: &Good) -> Verdict {
        match self.judge_content(at, &good.fact.content_hash) {
            Verdict::Loses | Verdict::Replaces(_) if good.again => Verdict::Duplicate,
            verdict => verdict,
        }
    }

    fn judge_content(&self, at: DayKey, hash: &ContentHash) -> Verdict {
        let here = self.holders.get(&at).map(|(_, row)| &row.content_hash);
        match here.or_else(|| self.stored.get(&at)) {
            None => self.judge_beside(at, hash),
            Some(stored) if stored == hash => Verdict::Duplicate,
            Some(stored) if stored < hash => Verdict::Loses,
            Some(stored) => Verdict::Replaces(*stored),
        }
    }

    /// An id of the day before or after: what is stored there stays.
    fn judge_beside(&self, (day, id_key): DayKey, hash: &ContentHash) -> Verdict {
        let here = |day: Day| {
            let held = self.holders.get(&(day, id_key)).map(|(_, row)| &row.content_hash);
            held.or_else(|| self.stored.get(&(day, id_key)))
        };
        match [key::before(day), key::after(day)].into_iter().find_map(here) {
            None => Verdict::New,
            Some(stored) if stored == hash => Verdict::Duplicate,
            Some(_) => Verdict::Loses,
        }
    }

    /// A newcomer holds its id now.
    pub(super) fn hold(&mut self, index: usize, row: LedgerRow) {
        self.holders.insert((row.day, row.id_key), (index, row));
    }

    pub(super) fn finish(self) -> Rows {
        let Self { stored, holders } = self;
        let known: BTreeSet<DayKey> = stored.into_keys().collect();
        let rows = holders.into_iter().map(|(at, (_, row))| (known.contains(&at), row));
        let (replaced, new): (Vec<_>, Vec<_>) = rows.partition(|(known, _)| *known);
        let plain = |rows: Vec<(bool, LedgerRow)>| rows.into_iter().map(|(_, row)| row).collect();
        (plain(new), plain(replaced))
    }
}
