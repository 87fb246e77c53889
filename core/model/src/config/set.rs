//! A valid state of all objects: what the Config Server keeps and its clients hold (ops.md §1).
//!
//! A change runs every stage of validation over the set that would result, all or nothing. The set
//! itself never changes; the next one shares with it whatever is the same. Order does not matter:
//! objects stand by kind and DBID, so that server and clients come to the same set.

mod blame;
mod complete;
mod refer;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::check::{Checked, effect, policy, stage};
use super::read::{self, Draft};
use super::{Digest, Document, Key, Kind, Object};
use crate::id::{Dbid, Revision};
use crate::schema::{Problem, Problems, Warning};
use crate::snapshot::{Snapshot, build};
use crate::tree::{Node, Value};

/// All objects. `Environment` is always among them.
#[derive(Clone)]
pub struct Set {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// By kind, then DBID.
    entries: Vec<Entry>,
    places: BTreeMap<Key, usize>,
    checked: Checked,
    /// Of objects that do not go well together (W401, W402).
    warnings: Vec<Warning>,
}

#[derive(Clone)]
struct Entry {
    object: Arc<Object>,
    draft: Draft,
}

/// What a change gives.
#[derive(Debug)]
pub struct Changed {
    /// The set after it.
    pub set: Set,
    /// What was put, in the order of the documents, each with what it replaces; an object that is
    /// put as it was is here, too.
    pub puts: Vec<(Option<Arc<Object>>, Arc<Object>)>,
    /// What was deleted.
    pub deletes: Vec<Arc<Object>>,
    /// What does not block: of the objects that were put, and what has come up elsewhere.
    pub warnings: Vec<Warning>,
}

impl Set {
    /// The set with `puts` in it and without `deletes`. No resource may have an address of `own`.
    ///
    /// An object keeps its DBID and each resource, by its name, its own; what is new and has none
    /// gets the one that follows from its name (rm.md §4.1). A key both deleted and put is put.
    /// Problems have the lines of the documents; those of objects that were not put have none.
    ///
    /// # Errors
    /// All problems of the first stage that has any, at most 100.
    pub fn change(
        &self,
        mut puts: Vec<Document>,
        deletes: &[Key],
        own: &[SocketAddr],
    ) -> Result<Changed, Vec<Problem>> {
        puts.retain(|document| !document.root.is_null());
        stage(|problems| build::sizes(&puts, problems))?;
        puts.iter_mut().for_each(|document| self.complete(&mut document.root));
        let warnings = Problems::default();
        let puts = stage(|problems| {
            let read = |document| entry(document, problems, &warnings);
            puts.iter().filter_map(read).collect::<Vec<_>>()
        })?;
        let gone: BTreeSet<&Key> = deletes.iter().collect();
        let put: BTreeSet<&Key> = puts.iter().map(|entry| &entry.object.key).collect();
        let stays = |entry: &&Entry| {
            let key = &entry.object.key;
            !gone.contains(key) && !put.contains(key)
        };
        let kept: Vec<Entry> = self.state.entries.iter().filter(stays).cloned().collect();
        let identity = self.identity(&puts, deletes);
        let mut entries = kept.clone();
        entries.extend(puts.iter().cloned());
        entries.sort_by(|a, b| a.order().cmp(&b.order()));
        let checked = match (identity.is_empty(), Checked::new(drafts(&entries), own)) {
            (true, Ok(checked)) => checked,
            (_, found) => {
                let inner = found.err().unwrap_or_default();
                return Err(self.blame(&kept, &puts, deletes, own, identity, inner));
            }
        };
        let old = |key: &Key| self.get(key).cloned();
        let deleted = deletes.iter().filter(|key| !put.contains(key)).filter_map(old).collect();
        let replaced = puts.iter().map(|entry| (old(&entry.object.key), Arc::clone(&entry.object)));
        let replaced = replaced.collect();
        effect::warn(&drafts(&puts), &warnings);
        let state = State::new(entries, checked);
        self.news(&state, &puts, &warnings);
        let set = Self { state: Arc::new(state) };
        Ok(Changed { set, puts: replaced, deletes: deleted, warnings: warnings.take() })
    }

    /// The numbered state that RM runs on.
    #[must_use]
    pub fn snapshot(&self, revision: Revision) -> Snapshot {
        build::link(&self.state.checked, revision)
    }

    /// An object.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Arc<Object>> {
        let at = self.state.places.get(key)?;
        self.state.entries.get(*at).map(|entry| &entry.object)
    }

    /// The object of this number; resources are no objects of their own.
    #[must_use]
    pub fn by_dbid(&self, kind: Kind, dbid: Dbid) -> Option<&Arc<Object>> {
        let entries = &self.state.entries;
        let at = entries.binary_search_by_key(&(kind, dbid), |entry| {
            (entry.object.key.kind, entry.object.dbid)
        });
        entries.get(at.ok()?).map(|entry| &entry.object)
    }

    /// The number of the resource of this name, in whichever group it is.
    #[must_use]
    pub fn resource_dbid(&self, name: &str) -> Option<Dbid> {
        let Checked { drafts, links, .. } = &self.state.checked;
        let names = drafts.groups.iter().flat_map(|group| &group.resources);
        let mut all = names.zip(&links.resource_dbids);
        all.find(|(resource, _)| resource.name.value == name).map(|(_, dbid)| *dbid)
    }

    /// All objects by kind, then DBID.
    pub fn objects(&self) -> impl ExactSizeIterator<Item = &Arc<Object>> {
        self.state.entries.iter().map(|entry| &entry.object)
    }

    /// How many objects there are; at least `Environment`.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.state.entries.len()
    }

    /// How many patterns of numbers there are.
    #[must_use]
    pub fn dids(&self) -> usize {
        self.state.checked.drafts.did_groups.iter().map(|group| group.dids.len()).sum()
    }

    /// The same on every side that holds the same objects.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.objects().map(|object| &object.digest))
    }

    /// Warnings about objects that were put, and those that the set did not give before.
    fn news(&self, next: &State, puts: &[Entry], warnings: &Problems) {
        let put: BTreeSet<&Key> = puts.iter().map(|entry| &entry.object.key).collect();
        for warning in &next.warnings {
            let object = warning.object.as_deref().and_then(Key::of);
            let of_put = object.is_some_and(|key| put.contains(&key));
            if of_put || !self.state.warnings.iter().any(|old| blame::same(old, warning)) {
                warnings.note(warning.clone());
            }
        }
    }
}

impl State {
    fn new(entries: Vec<Entry>, checked: Checked) -> Self {
        let warnings = Problems::default();
        let snapshot = build::link(&checked, Revision(0));
        policy::warn(&snapshot, &checked.drafts, &checked.links, &warnings);
        let keys = entries.iter().map(|entry| entry.object.key.clone());
        let places = keys.zip(0..).collect();
        Self { places, entries, checked, warnings: warnings.take() }
    }
}

impl Entry {
    fn order(&self) -> (Kind, Dbid, &Key) {
        (self.object.key.kind, self.object.dbid, &self.object.key)
    }
}

fn entry(document: &Document, problems: &Problems, warnings: &Problems) -> Option<Entry> {
    let draft = read::one(document, problems, warnings)?;
    let dbid = draft.head().dbid.as_ref()?.value;
    let object = Arc::new(Object::new(&document.root, draft.head(), dbid));
    Some(Entry { object, draft })
}

fn drafts(entries: &[Entry]) -> read::Drafts {
    entries.iter().map(|entry| entry.draft.clone()).collect()
}

impl Default for Set {
    /// Only `Environment`, DBID 1.
    fn default() -> Self {
        let nothing = Self { state: Arc::default() };
        let mut root = Node::default();
        root.put("kind", Value::Text(Kind::Tenant.as_str().to_owned()));
        root.put("name", Value::Text("Environment".to_owned()));
        let environment = Document { file: None, number: 1, size: 0, root };
        let made = nothing.change(vec![environment], &[], &[]);
        made.map_or(nothing, |changed| changed.set)
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.objects().zip(other.objects()).all(|(a, b)| a.digest == b.digest)
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Set of {} objects", self.len())
    }
}
