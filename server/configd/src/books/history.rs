//! What was: revisions, the configuration at one of them, what differs, and the way back
//! (ops.md §1.8).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use config::settings::Access;
use model::config::diff::ObjectDiff;
use model::config::{Changed, Document, Key, Kind, Object, Set};
use model::id::{Dbid, Revision};
use model::schema::Problem;
use model::tree::from_json;

use super::Books;
use super::desk::Desk;
use super::entry::Entry;
use super::prepare::{self, Stamp, differences};
use super::resolve::{Plan, PlannedPut};
use super::state::State;
use crate::change::{Change, Item};
use crate::limits::{MAX_LIST, MAX_STATES};
use crate::refusal::Refusal;
use crate::store::{RevisionQuery, RevisionRow};
use crate::transaction::{Name, Outcome, Target};
use crate::who::{ENVIRONMENT, Scope, Who};

/// What is asked of the history.
#[derive(Clone, Debug, Default)]
pub struct Revisions {
    /// Only those below.
    pub before: Option<Revision>,
    /// Only those that changed this object, be it there or no more.
    pub object: Option<Target>,
    /// Only those of this actor.
    pub actor: Option<String>,
    /// So many at most; 1,000 at most.
    pub limit: usize,
}

impl Books {
    /// The configuration at a revision.
    ///
    /// # Errors
    /// `revision-gone` before the history, `not-found` after the current one.
    pub async fn at(&self, revision: Revision) -> Result<Arc<State>, Refusal> {
        let now = self.now();
        if revision == now.revision {
            return Ok(now);
        }
        self.read(move |desk| desk.at(revision)).await
    }

    /// Revisions, newest first. Those of an object are those in which the scope sees it. What a
    /// scope does not see of the others is not told: who asks with one leaves out revisions of
    /// which [`Books::revision`] tells nothing.
    ///
    /// # Errors
    /// The store; `ambiguous-name` where the scope sees several objects of the name; `not-found`
    /// for an object that the scope sees neither now nor in the history.
    pub async fn revisions(
        &self,
        query: Revisions,
        scope: &Scope,
    ) -> Result<Vec<RevisionRow>, Refusal> {
        let (now, scope) = (self.now(), scope.clone());
        self.read(move |desk| {
            let is_all = query.before.is_none() && query.actor.is_none();
            let unknown = query.object.clone().filter(|target| {
                // what is there may have been changed last before the history begins
                is_all && matches!(now.find(target, &scope), Err(Refusal::NotFound(_)))
            });
            let object = match &query.object {
                None => None,
                Some(target) => match desk.number(&now, target, &scope)? {
                    None => return Err(never(target)),
                    found => found,
                },
            };
            let query = RevisionQuery {
                before: query.before,
                object,
                actor: query.actor,
                limit: query.limit.min(MAX_LIST),
            };
            let rows = desk.seen(query, &scope)?;
            match unknown.filter(|_| rows.is_empty()) {
                Some(target) => Err(never(&target)),
                None => Ok(rows),
            }
        })
        .await
    }

    /// One revision and what a scope sees of its changes.
    ///
    /// # Errors
    /// `not-found`, `revision-gone`, the store.
    pub async fn revision(
        &self,
        revision: Revision,
        scope: &Scope,
    ) -> Result<(RevisionRow, Vec<ObjectDiff>), Refusal> {
        let now = self.now();
        within(&now, revision)?;
        let scope = scope.clone();
        self.read(move |desk| {
            let row = desk.row(&now, revision)?;
            let changes = desk.changes(revision, revision)?;
            let items: Vec<Item> = changes
                .iter()
                .flat_map(|change| &change.items)
                .filter_map(|item| item.seen_by(&scope))
                .collect();
            Ok((row, differences(&items)))
        })
        .await
    }

    /// What a scope sees of what differs between two revisions.
    ///
    /// # Errors
    /// As of [`Books::at`].
    pub async fn diff(
        &self,
        from: Revision,
        to: Revision,
        scope: &Scope,
    ) -> Result<Vec<ObjectDiff>, Refusal> {
        let (old, new) = (self.at(from).await?, self.at(to).await?);
        let scope = scope.clone();
        self.read(move |_| {
            let items = between(&old, &new);
            let items: Vec<Item> = items.iter().filter_map(|item| item.seen_by(&scope)).collect();
            Ok(differences(&items))
        })
        .await
    }

    /// A new revision whose set equals that of an earlier one, dbids too; a dry run only says what
    /// would come of it.
    ///
    /// # Errors
    /// As of a transaction; `forbidden` to a scoped token.
    pub async fn rollback(
        &self,
        to: Revision,
        message: &str,
        dry_run: bool,
        who: &Who,
    ) -> Result<Outcome, Refusal> {
        let (message, who) = (message.to_owned(), who.clone());
        if dry_run {
            return self.read(move |desk| desk.dry_rollback(to, &who)).await;
        }
        self.write(move |desk| desk.rollback(to, &message, &who)).await
    }
}

/// The one behind it; of the last number itself.
fn after(revision: Revision) -> Revision {
    Revision(revision.0.saturating_add(1))
}

fn within(now: &State, revision: Revision) -> Result<(), Refusal> {
    if revision > now.revision || revision.0 == 0 {
        return Err(none(revision));
    }
    if revision < now.oldest {
        return Err(Refusal::RevisionGone { oldest: now.oldest });
    }
    Ok(())
}

fn never(target: &Target) -> Refusal {
    Refusal::NotFound(format!("{target} does not exist, and the history knows none"))
}

fn none(revision: Revision) -> Refusal {
    Refusal::NotFound(format!("revision {revision} does not exist"))
}

impl Desk {
    /// What the revisions `from..=to` changed.
    pub(super) fn changes(&self, from: Revision, to: Revision) -> Result<Vec<Change>, Refusal> {
        let limit =
            usize::try_from(to.0.saturating_sub(from.0).saturating_add(1)).unwrap_or(usize::MAX);
        let before = Some(after(to));
        let query = RevisionQuery { before, limit, ..RevisionQuery::default() };
        let rows = self.asked(self.store.revisions(&query))?;
        let mut items: BTreeMap<Revision, Vec<Item>> = BTreeMap::new();
        for row in self.asked(self.store.changes(from, to))? {
            let read = |text: &Option<String>| text.as_deref().and_then(Entry::read);
            let (before, after) = (read(&row.before), read(&row.after));
            let item = Item { before, after, was: row.was, is: row.is };
            items.entry(row.revision).or_default().push(item);
        }
        let change = |row: RevisionRow| {
            let items = items.remove(&row.revision).unwrap_or_default();
            let digest = model::config::Digest::parse(&row.digest)?;
            let RevisionRow { revision, time, actor, message, .. } = row;
            Some(Change { revision, time, actor, message, digest, items })
        };
        let rows = rows.into_iter().rev().filter(|row| row.revision >= from);
        Ok(rows.filter_map(change).collect())
    }

    /// The revisions of a query; those of an object only where the scope sees what it was or is.
    fn seen(&self, mut query: RevisionQuery, scope: &Scope) -> Result<Vec<RevisionRow>, Refusal> {
        let Some(object) = query.object.clone().filter(|_| !scope.is_all()) else {
            return self.asked(self.store.revisions(&query));
        };
        let mut found = Vec::new();
        loop {
            let rows = self.asked(self.store.revisions(&query))?;
            let is_last = rows.is_empty() || rows.len() < query.limit;
            query.before = rows.last().map(|row| row.revision);
            for row in rows {
                if self.is_seen(&object, row.revision, scope)? {
                    found.push(row);
                }
                if found.len() == query.limit {
                    return Ok(found);
                }
            }
            if is_last {
                return Ok(found);
            }
        }
    }

    fn is_seen(
        &self,
        (kind, dbid): &(String, u32),
        revision: Revision,
        scope: &Scope,
    ) -> Result<bool, Refusal> {
        let rows = self.asked(self.store.changes(revision, revision))?;
        let mut own = rows.iter().filter(|row| row.kind == *kind && row.dbid == *dbid);
        Ok(own.any(|row| scope.holds(&row.was) || scope.holds(&row.is)))
    }

    fn row(&self, now: &State, revision: Revision) -> Result<RevisionRow, Refusal> {
        let before = Some(after(revision));
        let query = RevisionQuery { before, limit: 1, ..RevisionQuery::default() };
        let found = self.asked(self.store.revisions(&query))?.pop();
        // the history may have been shortened meanwhile
        found
            .filter(|row| row.revision == revision)
            .ok_or(Refusal::RevisionGone { oldest: now.oldest })
    }

    /// Kind and number of an object that is, or was.
    fn number(
        &self,
        now: &State,
        target: &Target,
        scope: &Scope,
    ) -> Result<Option<(String, u32)>, Refusal> {
        let kind = target.kind.as_str().to_owned();
        let name = match &target.name {
            Name::Dbid(dbid) => return Ok(Some((kind, dbid.0))),
            Name::Text(name) => name,
        };
        match now.find(target, scope) {
            Ok(entry) => Ok(Some((kind, entry.object.dbid.0))),
            Err(Refusal::NotFound(_)) => {
                let tenant = target.tenant.as_deref().filter(|_| target.kind.is_owned());
                let tenant = tenant.unwrap_or(ENVIRONMENT);
                let dbid = self.asked(self.store.last_dbid(&kind, tenant, name))?;
                Ok(dbid.map(|dbid| (kind, dbid)))
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// The configuration at a revision: the current one, with what came later undone.
    pub(super) fn at(&self, revision: Revision) -> Result<Arc<State>, Refusal> {
        let now = self.now();
        if revision == now.revision {
            return Ok(now);
        }
        // the one before the oldest of the history is known too: by what the oldest changed
        if revision > now.revision {
            return Err(none(revision));
        }
        if after(revision) < now.oldest {
            return Err(Refusal::RevisionGone { oldest: now.oldest });
        }
        if let Some(state) = self.known(revision, now.era) {
            return Ok(state);
        }
        let mut first: BTreeMap<(Kind, Dbid), Option<Entry>> = BTreeMap::new();
        for change in self.changes(after(revision), now.revision)? {
            for item in change.items {
                let Some(number) = item.after.as_ref().or(item.before.as_ref()).map(Entry::number)
                else {
                    continue;
                };
                first.entry(number).or_insert(item.before);
            }
        }
        let state = Arc::new(undone(&now, first, revision)?);
        let mut earlier = self.earlier.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        earlier.push_back(Arc::clone(&state));
        if earlier.len() > MAX_STATES {
            earlier.pop_front();
        }
        Ok(state)
    }

    fn known(&self, revision: Revision, era: u64) -> Option<Arc<State>> {
        let earlier = self.earlier.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        earlier.iter().find(|state| state.revision == revision && state.era == era).cloned()
    }

    fn rollback(&self, to: Revision, message: &str, who: &Who) -> Result<Outcome, Refusal> {
        let about = vec![format!("revision {to}")];
        let state = self.now();
        let stamp = Stamp::next(&state, self.time(), who);
        let done = self.prepare_rollback(&state, to, who, &stamp).and_then(|prepared| {
            if !prepared.items.is_empty() {
                self.commit(&prepared, &stamp, ("rollback", message), who)?;
            }
            Ok(prepared)
        });
        match done {
            Ok(prepared) => {
                if prepared.items.is_empty() {
                    let line = self.line("rollback", who);
                    self.noted(crate::store::AuditRow { objects: about, ..line });
                }
                Ok(prepared.outcome(false))
            }
            Err(refusal) => {
                self.refused("rollback", about, &refusal, who);
                Err(refusal)
            }
        }
    }

    fn dry_rollback(&self, to: Revision, who: &Who) -> Result<Outcome, Refusal> {
        let about = vec![format!("revision {to}")];
        let state = self.now();
        let stamp = Stamp::next(&state, self.time(), who);
        match self.prepare_rollback(&state, to, who, &stamp) {
            Ok(prepared) => {
                let line = self.line("dry-run", who);
                self.noted(crate::store::AuditRow { objects: about, ..line });
                Ok(prepared.outcome(true))
            }
            Err(refusal) => {
                self.refused("dry-run", about, &refusal, who);
                Err(refusal)
            }
        }
    }

    fn prepare_rollback(
        &self,
        state: &State,
        to: Revision,
        who: &Who,
        stamp: &Stamp,
    ) -> Result<prepare::Prepared, Refusal> {
        who.needs(Access::Editor)?;
        who.needs_all_tenants()?;
        let target = self.at(to)?;
        let mut plan = Plan::default();
        for item in between(state, &target) {
            let (before, after) = (item.before, item.after);
            let gone = before.as_ref().map(|entry| &entry.object.key);
            let stays = after.as_ref().map(|entry| &entry.object.key);
            plan.deletes.extend(gone.filter(|key| Some(*key) != stays).cloned());
            if let Some(after) = after {
                plan.puts.push(again(&after, before));
            }
        }
        Ok(prepare::restored(state, &plan, &target.set, stamp))
    }
}

/// What differs between two states: by kind and number.
pub(super) fn between(old: &State, new: &State) -> Vec<Item> {
    let entry = |state: &State, (kind, dbid): (Kind, Dbid)| {
        state.set.by_dbid(kind, dbid).and_then(|object| state.entry(object))
    };
    let numbers = old.metas.keys().chain(new.metas.keys());
    let numbers: BTreeSet<_> = numbers.copied().collect();
    let differ = |number: (Kind, Dbid)| {
        let (before, after) = (entry(old, number), entry(new, number));
        let digest = |entry: &Option<Entry>| entry.as_ref().map(|entry| entry.object.digest);
        (digest(&before) != digest(&after))
            .then(|| Item::between((&old.set, before), (&new.set, after)))
    };
    numbers.into_iter().filter_map(differ).collect()
}

/// A document that makes an object what it was.
fn again(entry: &Entry, before: Option<Entry>) -> PlannedPut {
    PlannedPut {
        document: document(entry, 0),
        key: Some(entry.object.key.clone()),
        before,
        former: Some(entry.clone()),
    }
}

/// The document of an object as it is.
pub(super) fn document(entry: &Entry, number: usize) -> Document {
    Document { file: None, number, size: 0, root: from_json(&entry.object.json) }
}

/// A state in which objects are what they were before the changes after it.
fn undone(
    now: &State,
    before: BTreeMap<(Kind, Dbid), Option<Entry>>,
    revision: Revision,
) -> Result<State, Refusal> {
    let mut metas = Arc::clone(&now.metas);
    let table = Arc::make_mut(&mut metas);
    let (mut puts, mut deletes, mut was) = (Vec::new(), Vec::new(), Vec::new());
    for (number, entry) in before {
        let current = now.set.by_dbid(number.0, number.1).map(|object| object.key.clone());
        match entry {
            Some(entry) => {
                deletes.extend(current.filter(|key| *key != entry.object.key));
                table.insert(number, Arc::clone(&entry.meta));
                puts.push(document(&entry, puts.len() + 1));
                was.push(entry);
            }
            None => {
                deletes.extend(current);
                table.remove(&number);
            }
        }
    }
    let named: BTreeSet<Key> =
        puts.iter().filter_map(|put| super::resolve::head(&put.root)).collect();
    deletes.retain(|key| !named.contains(key));
    let changed = now.set.change(puts, &deletes, &[]);
    // names that have had several numbers do not change back in one step
    let changed = changed.or_else(|_| anew(&now.set, &deletes, was)).map_err(Refusal::Invalid)?;
    let digest = changed.set.digest();
    Ok(State { revision, set: changed.set, digest, metas, ..State::clone(now) })
}

/// The set with these objects and without those, made from nothing.
fn anew(now: &Set, deletes: &[Key], was: Vec<Entry>) -> Result<Changed, Vec<Problem>> {
    let replaced: BTreeSet<&Key> =
        deletes.iter().chain(was.iter().map(|entry| &entry.object.key)).collect();
    let stay = now.objects().filter(|object| !replaced.contains(&object.key));
    let all = stay.chain(was.iter().map(|entry| &entry.object));
    let document = |(number, object): (usize, &Arc<Object>)| Document {
        file: None,
        number,
        size: 0,
        root: from_json(&object.json),
    };
    Set::default().change((1..).zip(all).map(document).collect(), &[], &[])
}
