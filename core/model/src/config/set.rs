//! A valid state of all objects: what the Config Server keeps and its clients hold (ops.md §1).
//!
//! A change runs every stage of validation over the set that would result, all or nothing. The set
//! itself never changes; the next one shares with it whatever is the same. Order does not matter:
//! objects stand by kind and DBID, so that server and clients come to the same set.

mod blame;
mod complete;
mod refer;
mod shelf;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use shelf::{Shelf, Slot, laid};

use super::check::{Checked, effect, stage};
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

#[derive(Clone, Default)]
struct State {
    /// Kind by kind; the drafts that were checked stand in the same order.
    shelves: [Shelf; 5],
    checked: Checked,
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
        let identity = self.identity(&puts, deletes);
        let next = self.next(&puts, deletes, own);
        let state = match (identity.is_empty(), next) {
            (true, Ok(state)) => state,
            (_, next) => {
                let found = next.err().unwrap_or_default();
                return Err(self.blame(&puts, deletes, own, identity, found));
            }
        };
        let put: BTreeSet<&Key> = puts.iter().map(|entry| &entry.object.key).collect();
        let old = |key: &Key| self.get(key).cloned();
        let deleted = deletes.iter().filter(|key| !put.contains(key)).filter_map(old).collect();
        let replaced = puts.iter().map(|entry| (old(&entry.object.key), Arc::clone(&entry.object)));
        let replaced = replaced.collect();
        effect::warn(&drafts(&puts), &warnings);
        self.news(&state, &put, &warnings);
        let set = Self { state: Arc::new(state) };
        Ok(Changed { set, puts: replaced, deletes: deleted, warnings: warnings.take() })
    }

    /// The numbered state that RM runs on.
    #[must_use]
    pub fn snapshot(&self, revision: Revision) -> Snapshot {
        self.state.checked.snapshot.numbered(revision)
    }

    /// An object.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Arc<Object>> {
        self.shelf(key.kind).get(key)
    }

    /// The object of this number; resources are no objects of their own.
    #[must_use]
    pub fn by_dbid(&self, kind: Kind, dbid: Dbid) -> Option<&Arc<Object>> {
        self.shelf(kind).by_dbid(dbid)
    }

    /// The number of the resource of this name, in whichever group it is.
    #[must_use]
    pub fn resource_dbid(&self, name: &str) -> Option<Dbid> {
        let snapshot = &self.state.checked.snapshot;
        snapshot.resource_by_name(name).map(|ix| snapshot.resource(ix).dbid)
    }

    /// All objects by kind, then DBID.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.state.shelves.iter().flat_map(|shelf| shelf.objects.iter())
    }

    /// How many objects there are; at least `Environment`.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.state.shelves.iter().map(|shelf| shelf.objects.len()).sum()
    }

    /// How many patterns of numbers there are.
    #[must_use]
    pub fn dids(&self) -> usize {
        self.state.checked.dids()
    }

    /// The same on every side that holds the same objects.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.objects().map(|object| &object.digest))
    }

    /// Warnings about objects that were put, and those that the set did not give before.
    fn news(&self, next: &State, put: &BTreeSet<&Key>, warnings: &Problems) {
        let of_put = |warning: &Warning| {
            let key = warning.object.as_deref().and_then(Key::of);
            key.is_some_and(|key| put.contains(&key))
        };
        let (before, after) = (&self.state.checked.warnings, &next.checked.warnings);
        let known: BTreeSet<_> = match Arc::ptr_eq(before, after) {
            true => BTreeSet::new(),
            false => before.iter().map(blame::said).collect(),
        };
        let same = Arc::ptr_eq(before, after);
        let new =
            |warning: &&Warning| of_put(warning) || !same && !known.contains(&blame::said(warning));
        after.iter().filter(new).for_each(|warning| warnings.note(warning.clone()));
    }

    /// The state after a change, if it is valid.
    fn next(
        &self,
        puts: &[Entry],
        deletes: &[Key],
        own: &[SocketAddr],
    ) -> Result<State, Vec<Problem>> {
        let mut shelves = self.state.shelves.clone();
        let mut drafts = self.state.checked.drafts.clone();
        let out = self.out(puts, deletes);
        for ((kind, shelf), out) in Kind::ALL.into_iter().zip(&mut shelves).zip(&out) {
            let mut new: Vec<&Entry> =
                puts.iter().filter(|entry| entry.object.key.kind == kind).collect();
            if new.is_empty() && out.is_empty() {
                continue;
            }
            new.sort_by(|a, b| shelf::order(&a.object, &b.object));
            let slots = shelf.slots(out, &new);
            *shelf = shelf.next(&slots, &new);
            lay(&mut drafts, kind, &slots, &new);
        }
        let checked = self.state.checked.next(drafts, own)?;
        Ok(State { shelves, checked })
    }

    /// The places that a change empties, kind by kind.
    fn out(&self, puts: &[Entry], deletes: &[Key]) -> [BTreeSet<usize>; 5] {
        let keys = puts.iter().map(|entry| &entry.object.key).chain(deletes);
        let mut out: [BTreeSet<usize>; 5] = Default::default();
        for key in keys {
            if let Some(place) = self.shelf(key.kind).place(key) {
                out[key.kind as usize].insert(place);
            }
        }
        out
    }

    fn shelf(&self, kind: Kind) -> &Shelf {
        &self.state.shelves[kind as usize]
    }

    /// All entries, by kind, then DBID.
    fn entries(&self) -> impl Iterator<Item = Entry> {
        Kind::ALL.into_iter().flat_map(move |kind| {
            let objects = self.shelf(kind).objects.iter().enumerate();
            objects.filter_map(move |(place, object)| {
                let draft = self.state.checked.drafts.get(kind, place)?;
                Some(Entry { object: Arc::clone(object), draft })
            })
        })
    }
}

/// The drafts of one kind after a change.
fn lay(drafts: &mut read::Drafts, kind: Kind, slots: &[Slot], new: &[&Entry]) {
    fn of<'e, T>(
        new: &[&'e Entry],
        draft: impl Fn(&'e Draft) -> Option<&'e Arc<T>>,
    ) -> Vec<&'e Arc<T>> {
        new.iter().filter_map(|entry| draft(&entry.draft)).collect()
    }
    let read::Drafts { tenants, profiles, did_groups, groups, applications } = drafts;
    match kind {
        Kind::Tenant => *tenants = laid(slots, tenants, &of(new, Draft::tenant)),
        Kind::IvrProfile => *profiles = laid(slots, profiles, &of(new, Draft::profile)),
        Kind::DidGroup => *did_groups = laid(slots, did_groups, &of(new, Draft::did_group)),
        Kind::ResourceGroup => *groups = laid(slots, groups, &of(new, Draft::group)),
        Kind::Application => {
            *applications = laid(slots, applications, &of(new, Draft::application));
        }
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
