//! Whose fault it is: problems are told of what the change brought, not of what was there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::{Entry, Set, drafts};
use crate::config::check::Checked;
use crate::config::limits::MAX_PROBLEMS;
use crate::config::read::Draft;
use crate::config::{Key, Kind};
use crate::schema::{Named, Place, Placed, Problem, Problems};
use crate::tree::Position;

/// Referrers that are named; the others are counted.
const NAMED: usize = 10;

impl Set {
    /// What is wrong with the identities that a change names: E201, E206, E208.
    pub(super) fn identity(&self, puts: &[Entry], deletes: &[Key]) -> Vec<Problem> {
        let problems = Problems::default();
        for entry in puts {
            let head = entry.draft.head();
            if let Some(old) = self.get(&entry.object.key) {
                keeps(head.dbid.as_ref(), old.dbid, &problems);
            }
            let Draft::ResourceGroup(group) = &entry.draft else { continue };
            for resource in &group.resources {
                if let Some(old) = self.resource_dbid(&resource.name.value) {
                    keeps(resource.dbid.as_ref(), old, &problems);
                }
            }
        }
        for key in deletes {
            let text = match (self.get(key), key.kind, key.name.as_str()) {
                (Some(_), Kind::Tenant, "Environment") => {
                    ("E208", "tenant \"Environment\" cannot be deleted".to_owned())
                }
                (Some(_), ..) => continue,
                (None, ..) => {
                    let Key { kind, tenant, name } = key;
                    let text = format!("{kind} \"{name}\" of tenant \"{tenant}\" does not exist");
                    ("E201", text)
                }
            };
            problems.note(of(key).problem(text.0, text.1));
        }
        problems.take()
    }

    /// The problems of a change that is not valid: `identity` and those of the stages. `found` is
    /// what they say of the set in its order; here the objects that were put come last, so that of
    /// two that do not go together the new one is told of.
    pub(super) fn blame(
        &self,
        puts: &[Entry],
        deletes: &[Key],
        own: &[SocketAddr],
        identity: Vec<Problem>,
        found: Vec<Problem>,
    ) -> Vec<Problem> {
        let put: BTreeSet<&Key> = puts.iter().map(|entry| &entry.object.key).collect();
        let gone: BTreeSet<&Key> = deletes.iter().collect();
        let stays =
            |entry: &Entry| !put.contains(&entry.object.key) && !gone.contains(&entry.object.key);
        let all = self.entries().filter(stays).chain(puts.iter().cloned());
        let all: Vec<Entry> = all.collect();
        let mut problems = Checked::new(drafts(&all), own).err().unwrap_or(found);
        let references = |problem: &Problem| problem.code.starts_with("E2");
        if !identity.is_empty() && !problems.iter().all(references) {
            problems.clear();
        }
        let is_put = |named: &Named| Key::of(named).is_some_and(|key| put.contains(&key));
        for problem in &mut problems {
            if !problem.object.as_deref().is_some_and(is_put) {
                (problem.file, problem.at) = (None, Position::default());
            }
        }
        let mut all = identity;
        all.extend(self.still_referenced(&put, deletes, &mut problems));
        all.append(&mut problems);
        all.truncate(MAX_PROBLEMS);
        all
    }

    /// E203, in place of what is missing now to objects that stay.
    fn still_referenced(
        &self,
        put: &BTreeSet<&Key>,
        deletes: &[Key],
        problems: &mut Vec<Problem>,
    ) -> Vec<Problem> {
        let missing = |problem: &&Problem| matches!(problem.code, "E201" | "E205");
        let objects = problems.iter().filter(missing).filter_map(|one| one.object.as_deref());
        let lacking: BTreeSet<Key> = objects.filter_map(Key::of).collect();
        let mut told: BTreeMap<&Key, Vec<Key>> = BTreeMap::new();
        for deleted in deletes.iter().filter(|key| !put.contains(key)) {
            let mut referrers = self.referrers(deleted);
            referrers.retain(|key| lacking.contains(key) && !put.contains(key));
            if !referrers.is_empty() {
                told.insert(deleted, referrers);
            }
        }
        let covered: BTreeSet<&Key> = told.values().flatten().collect();
        problems.retain(|problem| {
            let key = problem.object.as_deref().and_then(Key::of);
            !(missing(&problem) && key.is_some_and(|key| covered.contains(&key)))
        });
        let told = told.iter().map(|(key, referrers)| {
            let mut list: Vec<String> =
                referrers.iter().take(NAMED).map(ToString::to_string).collect();
            if let Some(more) = referrers.len().checked_sub(NAMED).filter(|more| *more > 0) {
                list.push(format!("{more} more"));
            }
            of(key).problem("E203", format!("still referenced by {}", list.join(", ")))
        });
        told.collect()
    }
}

/// E206.
fn keeps(given: Option<&Placed<crate::id::Dbid>>, old: crate::id::Dbid, problems: &Problems) {
    if let Some(given) = given.filter(|given| given.value != old) {
        problems.note(given.place.problem("E206", "dbid of an existing object cannot change"));
    }
}

fn of(key: &Key) -> Place {
    Place { object: Some(Arc::new(key.named())), ..Place::default() }
}

/// What a warning says, wherever its document stood.
pub(super) fn said(warning: &Problem) -> (&str, &str, &str, Option<Key>) {
    let object = warning.object.as_deref().and_then(Key::of);
    (warning.code, &warning.path, &warning.message, object)
}
