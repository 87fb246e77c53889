//! A batch before it meets the database: its items, and the day that each of them belongs to.
//!
//! The day of a fact is that of its session. A call without a leg that carries its time stays
//! where its first fact put it, also when a GUID of the day before or after comes later; so the
//! store is asked first where such calls are.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ContentHash;
use model::time::Millis;

use super::changes::DayKey;
use super::item::{Good, Item};
use super::objects::{Mention, mentions};
use crate::erase::Erased;
use crate::fact::{Fact, Told};
use crate::key::{self, Day, Key};

/// The messages of a batch, in order.
#[derive(Clone, Debug, Default)]
pub struct Batch<'b> {
    items: Vec<Item<'b>>,
    /// Numbers that nothing of it may tell.
    erased: Erased,
    homes: BTreeMap<Key, Day>,
}

impl<'b> Batch<'b> {
    /// A batch of these.
    #[must_use]
    pub fn new(items: Vec<Item<'b>>) -> Self {
        Self { items, ..Self::default() }
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

    /// Of each record that is refused the sequence of its frame, and the rows of the ledger of
    /// which one is there if an earlier try of the batch has stored it, by the values of retention
    /// then in force.
    #[must_use]
    pub fn refused(&self) -> Vec<(u64, BTreeSet<DayKey>)> {
        let refused = self.items.iter().filter_map(|item| {
            let good = item.read.as_ref().ok().filter(|good| good.refused.is_some())?;
            let keys = &good.fact.keys;
            let started = started(good).map_or(keys.day, |(_, day)| day);
            let days = [keys.day, started, key::before(started), key::after(started)];
            Some((item.origin.seq, days.map(|day| (day, keys.id_key)).into()))
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

    /// Calls that may be stored already, and the days to look for them; the first that has one is
    /// its home.
    #[must_use]
    pub fn homeless(&self) -> BTreeMap<Key, BTreeSet<Day>> {
        let mut homeless: BTreeMap<Key, BTreeSet<Day>> = BTreeMap::new();
        for good in self.goods() {
            let Some((key, started)) = wanderer(good) else { continue };
            let days = [good.fact.keys.day, started, key::before(started), key::after(started)];
            homeless.entry(key).or_default().extend(days);
        }
        homeless
    }

    /// Where the store found them; a call that is new is at home where its first fact says.
    pub fn settle(&mut self, mut found: BTreeMap<Key, Day>) {
        for good in self.items.iter().filter_map(|item| item.read.as_ref().ok()) {
            if let Some((key, _)) = wanderer(good) {
                found.entry(key).or_insert(good.fact.keys.day);
            }
        }
        self.homes = found;
    }

    /// The day that an item is stored under; `None`: what is no record.
    #[must_use]
    pub fn day(&self, index: usize) -> Option<Day> {
        let good = self.items.get(index)?.read.as_ref().ok()?;
        let home = good.fact.keys.call_key.and_then(|key| self.homes.get(&key));
        Some(home.copied().unwrap_or(good.fact.keys.day))
    }

    /// The days whose ledger may have an item (rs.md §3.2): its own, and those beside it where the
    /// same record may have been stored under another. Empty: what is no record.
    #[must_use]
    pub fn ledger_days(&self, index: usize) -> BTreeSet<Day> {
        let good = self.items.get(index).and_then(|item| item.read.as_ref().ok());
        let (Some(good), Some(day)) = (good, self.day(index)) else { return BTreeSet::new() };
        let beside = [day, key::before(day), key::after(day)];
        match wanderer(good) {
            Some(_) => beside.into(),
            None => {
                let could = key::days_of(&good.fact.keys.id_key);
                beside.into_iter().filter(|at| *at == day || could.contains(at)).collect()
            }
        }
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

/// A call that is no leg of RM, and the day of its start; not of a record that is refused.
fn wanderer(good: &Good) -> Option<(Key, Day)> {
    started(good).filter(|_| good.refused.is_none())
}

/// The same, refused or not.
fn started(good: &Good) -> Option<(Key, Day)> {
    let Told::Call(call) = &good.fact.told else { return None };
    let key = good.fact.keys.call_key.filter(|_| call.leg.is_none())?;
    Some((key, key::day(Millis(u64::try_from(call.started_ms).unwrap_or_default()))))
}
