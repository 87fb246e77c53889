//! A batch before it meets the database: its items, and the day that each of them belongs to.
//!
//! The day of a fact is told by its record alone. Calls of one session may lie on several days:
//! those of a GUID that carries no time, and those that begin on another day than it tells.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ContentHash;

use super::changes::DayKey;
use super::item::{Good, Item};
use super::objects::{Mention, mentions};
use crate::erase::Erased;
use crate::fact::{Fact, Told};
use crate::key::{self, Day};

/// The messages of a batch, in order.
#[derive(Clone, Debug, Default)]
pub struct Batch<'b> {
    items: Vec<Item<'b>>,
    /// Numbers that nothing of it may tell.
    erased: Erased,
    /// GUIDs with calls on other days than they tell, and these days.
    apart: BTreeMap<String, BTreeSet<Day>>,
}

impl<'b> Batch<'b> {
    /// A batch of these.
    #[must_use]
    pub fn new(items: Vec<Item<'b>>) -> Self {
        let goods = items.iter().filter_map(|item| item.read.as_ref().ok());
        let mut apart: BTreeMap<String, BTreeSet<Day>> = BTreeMap::new();
        for (guid, days) in goods.filter_map(Good::apart) {
            apart.entry(guid).or_default().extend(days);
        }
        Self { items, apart, ..Self::default() }
    }

    /// The days of calls of a GUID that lie on other ones than it tells.
    pub(super) fn apart(&self, guid: &str) -> BTreeSet<Day> {
        self.apart.get(guid).cloned().unwrap_or_default()
    }

    /// Takes erased numbers out of its records; of what is no record they go when it is stored.
    pub fn erase(&mut self, erased: &Erased) {
        self.erased = erased.clone();
        if !erased.is_empty() {
            let goods = self.items.iter_mut().filter_map(|item| item.read.as_mut().ok());
            goods.for_each(|good| good.erase(erased));
        }
    }

    pub(super) const fn erased(&self) -> &Erased {
        &self.erased
    }

    /// Of each record that is refused the sequence of its frame, and the row of the ledger that is
    /// there if an earlier try of the batch has stored it, by the values of retention then in
    /// force.
    #[must_use]
    pub fn refused(&self) -> Vec<(u64, DayKey)> {
        let refused = self.items.iter().filter_map(|item| {
            let good = item.read.as_ref().ok().filter(|good| good.refused.is_some())?;
            let keys = &good.fact.keys;
            Some((item.origin.seq, (keys.day, keys.id_key)))
        });
        refused.collect()
    }

    /// What an earlier try has stored is stored, and is not refused any more.
    pub fn relent(&mut self, stored: &[(DayKey, ContentHash)]) {
        if stored.is_empty() {
            return;
        }
        for good in self.items.iter_mut().filter_map(|item| item.read.as_mut().ok()) {
            let Fact { keys, content_hash, .. } = &good.fact;
            let own = |((_, id), hash): &(DayKey, ContentHash)| {
                *id == keys.id_key && hash == content_hash
            };
            if stored.iter().any(own) {
                good.refused = None;
            }
        }
    }

    /// Its items, in order.
    #[must_use]
    pub fn items(&self) -> &[Item<'b>] {
        &self.items
    }

    /// The day that an item is stored under; `None`: what is no record.
    #[must_use]
    pub fn day(&self, index: usize) -> Option<Day> {
        Some(self.items.get(index)?.read.as_ref().ok()?.fact.keys.day)
    }

    /// The days whose ledger may have an item (rs.md §3.2): its own, and those beside it where the
    /// same record may have been stored under another. Empty: what is no record.
    #[must_use]
    pub fn ledger_days(&self, index: usize) -> BTreeSet<Day> {
        let good = self.items.get(index).and_then(|item| item.read.as_ref().ok());
        let (Some(good), Some(day)) = (good, self.day(index)) else { return BTreeSet::new() };
        // its key is of its call, and that is of one day
        if matches!(&good.fact.told, Told::Call(_)) {
            return BTreeSet::from([day]);
        }
        let could = key::days_of(&good.fact.keys.id_key);
        key::beside(day).into_iter().filter(|at| *at == day || could.contains(at)).collect()
    }

    /// Whether an item hangs on a call; the rest may be stored apart from the days.
    #[must_use]
    pub fn is_of_a_call(&self, index: usize) -> bool {
        let item = self.items.get(index);
        item.is_some_and(|item| item.read.as_ref().is_ok_and(Good::is_of_a_call))
    }

    /// Indexes of the items that hang on a call, by day and in order.
    #[must_use]
    pub fn days(&self) -> BTreeMap<Day, Vec<usize>> {
        let mut days: BTreeMap<Day, Vec<usize>> = BTreeMap::new();
        for index in (0..self.items.len()).filter(|index| self.is_of_a_call(*index)) {
            if let Some(day) = self.day(index) {
                days.entry(day).or_default().push(index);
            }
        }
        days
    }

    /// All objects that the records name.
    #[must_use]
    pub fn mentions(&self) -> BTreeSet<Mention> {
        let kept = self.goods().filter(|good| good.refused.is_none());
        kept.flat_map(|good| mentions(&good.fact, &good.record)).collect()
    }

    fn goods(&self) -> impl Iterator<Item = &Good> {
        self.items.iter().filter_map(|item| item.read.as_ref().ok())
    }
}
