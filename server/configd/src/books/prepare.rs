//! A transaction before it is stored: what it comes to, or why it cannot be. Pure over a state:
//! a dry run and the writer ask the same, and get the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::config::diff::{Impact, ObjectDiff, diff, impact};
use model::config::{Document, Kind};
use model::id::{Dbid, Revision};
use model::schema::Warning;
use model::time::Millis;
use serde_json::Value as Json;

use super::dbid::{self, Counters, numbers};
use super::entry::{Entry, Meta};
use super::faults;
use super::resolve::{Plan, PlannedPut, outside, resolve};
use super::state::State;
use crate::change::Item;
use crate::refusal::Refusal;
use crate::transaction::{Outcome, Put, Transaction};
use crate::who::Who;
use model::config::{Changed, Key, Set};

/// When and by whom a revision is made, and which.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub(super) revision: Revision,
    pub(super) time: Millis,
    pub(super) actor: String,
}

impl Stamp {
    /// The one after a state.
    pub(super) fn next(state: &State, time: Millis, who: &Who) -> Self {
        Self { revision: Revision(state.revision.0 + 1), time, actor: who.actor.clone() }
    }
}

/// What a transaction comes to.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The state after it; that before it where nothing changes.
    pub(super) state: State,
    /// The objects that change, deletes first.
    pub(super) items: Vec<Item>,
    /// Numbers that are never used again, and those that came back.
    pub(super) gone: Vec<(Kind, Dbid)>,
    pub(super) back: Vec<(Kind, Dbid)>,
    pub(super) warnings: Vec<Warning>,
    pub(super) puts: Vec<Put>,
}

impl Prepared {
    /// As it is answered.
    pub(super) fn outcome(self, dry_run: bool) -> Outcome {
        let revision = self.state.revision;
        Outcome {
            revision: (!dry_run).then_some(revision),
            would_be: dry_run.then_some(revision),
            changed: self.items.len(),
            diff: differences(&self.items),
            impact: impact_of(&self.items),
            warnings: self.warnings,
            puts: self.puts,
        }
    }
}

/// What differs, as it is shown: by kind and number.
pub(super) fn differences(items: &[Item]) -> Vec<ObjectDiff> {
    let mut sorted: Vec<&Item> = items.iter().collect();
    sorted.sort_by_key(|item| item.after.as_ref().or(item.before.as_ref()).map(Entry::number));
    sorted.into_iter().filter_map(|item| diff(json(&item.before), json(&item.after))).collect()
}

/// A number moves from tenant to tenant, and not because its tenant has another name.
fn impact_of(items: &[Item]) -> Impact {
    let before = |item: &Item| {
        let (old, new) = (json(&item.before)?, json(&item.after)?);
        let stays = item.was.first() == item.is.first();
        let named = new.get("tenant").filter(|name| stays && old.get("tenant") != Some(name))?;
        let mut same = old.clone();
        *same.get_mut("tenant")? = named.clone();
        Some(same)
    };
    let same: Vec<Option<Json>> = items.iter().map(before).collect();
    let pairs = items.iter().zip(&same);
    impact(pairs.map(|(item, same)| (same.as_ref().or(json(&item.before)), json(&item.after))))
}

fn json(entry: &Option<Entry>) -> Option<&Json> {
    entry.as_ref().map(|entry| &entry.object.json)
}

/// The operations of a client.
pub(super) fn transaction(
    state: &State,
    transaction: &Transaction,
    who: &Who,
    stamp: &Stamp,
) -> Result<Prepared, Refusal> {
    let mut plan = resolve(state, transaction, who)?;
    let mut counters = state.counters.clone();
    let assigned = dbid::assign(&state.set, &mut counters, &mut plan, who);
    let prepared = assigned.and_then(|()| build(state, &plan, counters, who, stamp));
    prepared.map_err(|refusal| faults::for_scope(refusal, state, &plan, &who.scope))
}

/// A plan whose documents have their numbers.
fn build(
    state: &State,
    plan: &Plan,
    counters: Counters,
    who: &Who,
    stamp: &Stamp,
) -> Result<Prepared, Refusal> {
    let deletes: Vec<Key> = plan.deletes.iter().cloned().collect();
    let documents = plan.puts.iter().map(|put| put.document.clone()).collect();
    let changed = change(&state.set, documents, &deletes)?;
    // what differs in nothing but defaults that are written out stays as it was
    let differs: Vec<bool> = plan.puts.iter().map(|put| differs(put, &changed.set)).collect();
    let changed = if differs.iter().all(|differs| *differs) {
        changed
    } else {
        let puts = plan.puts.iter().zip(&differs).filter(|(_, differs)| **differs);
        let documents = puts.map(|(put, _)| put.document.clone()).collect();
        let warnings = changed.warnings;
        Changed { warnings, ..change(&state.set, documents, &deletes)? }
    };
    let building = Building { state, plan, differs: &differs, set: &changed.set, stamp };
    let items = building.items();
    for item in &items {
        let may = |set: &Set, entry: &Option<Entry>| {
            entry.as_ref().is_none_or(|entry| who.scope.changes(set, &entry.object.key))
        };
        if !may(&state.set, &item.before) || !may(&changed.set, &item.after) {
            return Err(outside());
        }
    }
    let warnings = faults::seen(changed.warnings, &changed.set, &who.scope);
    Ok(building.finish(items, counters, warnings))
}

/// A state that was, made anew; it was checked when its set was made.
pub(super) fn restored(state: &State, plan: &Plan, set: &Set, stamp: &Stamp) -> Prepared {
    let differs = vec![true; plan.puts.len()];
    let building = Building { state, plan, differs: &differs, set, stamp };
    building.finish(building.items(), state.counters.clone(), Vec::new())
}

/// Validation of the resulting set.
fn change(set: &Set, puts: Vec<Document>, deletes: &[Key]) -> Result<Changed, Refusal> {
    set.change(puts, deletes, &[]).map_err(faults::refusal)
}

fn differs(put: &PlannedPut, set: &Set) -> bool {
    let Some(before) = &put.before else { return true };
    let Some(after) = put.key.as_ref().and_then(|key| set.get(key)) else { return true };
    let (old, new) = (&before.object, after);
    old.digest != new.digest && diff(Some(&old.json), Some(&new.json)).is_some()
}

struct Building<'a> {
    state: &'a State,
    plan: &'a Plan,
    differs: &'a [bool],
    set: &'a Set,
    stamp: &'a Stamp,
}

impl Building<'_> {
    /// Deletes, then puts in the order of the operations. The old name of a renamed object is in
    /// its put.
    fn items(&self) -> Vec<Item> {
        let item = |before: Option<Entry>, after: Option<Entry>| {
            Item::between((&self.state.set, before), (self.set, after))
        };
        let befores = self.plan.puts.iter().filter_map(|put| put.before.as_ref());
        let renamed: BTreeSet<_> = befores.map(Entry::number).collect();
        let gone = self.plan.deletes.iter().filter_map(|key| self.state.get(key));
        let gone = gone.filter(|entry| !renamed.contains(&entry.number()));
        let mut items: Vec<Item> = gone.map(|entry| item(Some(entry), None)).collect();
        let puts = self.plan.puts.iter().zip(self.differs).filter(|(_, differs)| **differs);
        items.extend(puts.map(|(put, _)| item(put.before.clone(), self.put(put))));
        items
    }

    /// The object that a put has become.
    fn put(&self, put: &PlannedPut) -> Option<Entry> {
        let object = self.set.get(put.key.as_ref()?)?;
        let made = put.before.as_ref().or(put.former.as_ref()).map(|entry| &entry.meta);
        let meta = Meta {
            revision: self.stamp.revision,
            created_at: made.map_or(self.stamp.time, |made| made.created_at),
            created_by: made.map_or(&self.stamp.actor, |made| &made.created_by).clone(),
            updated_at: self.stamp.time,
            updated_by: self.stamp.actor.clone(),
        };
        Some(Entry { object: Arc::clone(object), meta: Arc::new(meta) })
    }

    fn finish(&self, items: Vec<Item>, mut counters: Counters, warnings: Vec<Warning>) -> Prepared {
        if items.is_empty() {
            let puts = self.puts(self.state);
            let (gone, back) = (Vec::new(), Vec::new());
            return Prepared { state: self.state.clone(), items, gone, back, warnings, puts };
        }
        let mut metas = Arc::clone(&self.state.metas);
        let table = Arc::make_mut(&mut metas);
        let (mut had, mut have) = (Vec::new(), BTreeSet::new());
        for item in &items {
            if let Some(entry) = &item.before {
                table.remove(&entry.number());
                had.extend(numbers(&entry.object));
            }
            have.extend(item.after.iter().flat_map(|entry| numbers(&entry.object)));
        }
        for entry in items.iter().filter_map(|item| item.after.as_ref()) {
            table.insert(entry.number(), Arc::clone(&entry.meta));
        }
        had.retain(|number| !have.contains(number));
        let back = have.into_iter().filter(|(kind, dbid)| counters.is_gone(*kind, *dbid));
        let back: Vec<_> = back.collect();
        counters.settle(&had, &back);
        let state = State {
            revision: self.stamp.revision,
            books: self.state.books.clone(),
            oldest: self.state.oldest,
            set: self.set.clone(),
            digest: self.set.digest(),
            metas,
            counters,
            era: self.state.era,
        };
        let puts = self.puts(&state);
        Prepared { state, items, gone: had, back, warnings, puts }
    }

    fn puts(&self, state: &State) -> Vec<Put> {
        let put = |put: &PlannedPut| {
            let entry = state.get(put.key.as_ref()?)?;
            Some(Put { entry, created: put.before.is_none() })
        };
        self.plan.puts.iter().filter_map(put).collect()
    }
}
