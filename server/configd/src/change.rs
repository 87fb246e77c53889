//! What a revision changes, and the event that tells it (ops.md §1.7).

use model::config::Digest;
use model::id::{Dbid, Revision};
use model::time::Millis;
use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use crate::books::Entry;
use crate::who::{Scope, above};
use model::config::{Key, Set};

/// One revision as watchers are told it; serialised as the data of the event.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its number.
    pub revision: Revision,
    /// When it was made.
    pub time: Millis,
    /// By whom.
    pub actor: String,
    /// Why.
    pub message: String,
    /// Of the whole set after it.
    pub digest: Digest,
    /// The objects that changed, deletes first.
    pub items: Vec<Item>,
}

/// An object that changed.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    /// As it was; `None` of a new one.
    pub before: Option<Entry>,
    /// As it is; `None` of one that is no more.
    pub after: Option<Entry>,
    /// Numbers of the tenants above it as it was, nearest first; of a tenant itself first.
    pub was: Vec<Dbid>,
    /// Of those above it as it is.
    pub is: Vec<Dbid>,
}

impl Item {
    /// From one set to another.
    #[must_use]
    pub(crate) fn between(
        (old, before): (&Set, Option<Entry>),
        (new, after): (&Set, Option<Entry>),
    ) -> Self {
        let tenants = |set: &Set, entry: &Option<Entry>| {
            entry.as_ref().map(|entry| above(set, &entry.object.key)).unwrap_or_default()
        };
        let (was, is) = (tenants(old, &before), tenants(new, &after));
        Self { before, after, was, is }
    }

    /// The key that it has, or had.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.after.as_ref().or(self.before.as_ref()).map(|entry| &entry.object.key)
    }

    /// The name that it had, if it has another one now.
    #[must_use]
    pub fn renamed_from(&self) -> Option<&Key> {
        let (before, after) = (self.before.as_ref()?, self.after.as_ref()?);
        Some(&before.object.key).filter(|key| **key != after.object.key)
    }

    /// What happened to it: `create`, `update`, `rename` or `delete`.
    #[must_use]
    pub fn op(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "create",
            (Some(_), None) => "delete",
            (Some(_), Some(_)) if self.renamed_from().is_some() => "rename",
            (Some(_), Some(_)) => "update",
        }
    }

    /// What a scope sees of it: an object that came from elsewhere is new, one that went elsewhere
    /// is no more. `None`: nothing.
    #[must_use]
    pub fn seen_by(&self, scope: &Scope) -> Option<Self> {
        if scope.is_all() {
            return Some(self.clone());
        }
        let (was, is) = (scope.holds(&self.was), scope.holds(&self.is));
        let seen = Self {
            before: self.before.clone().filter(|_| was),
            after: self.after.clone().filter(|_| is),
            was: self.was.clone(),
            is: self.is.clone(),
        };
        (was || is).then_some(seen).filter(|seen| seen.key().is_some())
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("revision", &self.revision)?;
        map.serialize_entry("time", &self.time)?;
        map.serialize_entry("actor", &self.actor)?;
        map.serialize_entry("message", &self.message)?;
        map.serialize_entry("digest", &self.digest)?;
        map.serialize_entry("changes", &Items(&self.items))?;
        map.end()
    }
}

/// Deletes, among them the old names of what was renamed, then puts.
struct Items<'c>(&'c [Item]);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for item in self.0 {
            let goes = item.after.is_none() || item.renamed_from().is_some();
            if let Some(before) = item.before.as_ref().filter(|_| goes) {
                seq.serialize_element(&Event::delete(before))?;
            }
        }
        for after in self.0.iter().filter_map(|item| item.after.as_ref()) {
            seq.serialize_element(&Event::Put { object: after })?;
        }
        seq.end()
    }
}

#[derive(Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Event<'c> {
    Put {
        object: &'c Entry,
    },
    Delete {
        kind: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        tenant: Option<&'c str>,
        name: &'c str,
        dbid: u32,
    },
}

impl<'c> Event<'c> {
    fn delete(entry: &'c Entry) -> Self {
        let Key { kind, tenant, name } = &entry.object.key;
        let tenant = Some(tenant.as_str()).filter(|_| kind.is_owned());
        Self::Delete { kind: kind.as_str(), tenant, name, dbid: entry.object.dbid.0 }
    }
}
