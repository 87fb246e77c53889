//! One revision of everything, in memory: what reads answer from, whatever the store does.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::config::{Digest, Kind};
use model::id::{Dbid, Revision};

use super::dbid::Counters;
use super::entry::{Entry, Meta};
use crate::refusal::Refusal;
use crate::transaction::{Name, Target};
use crate::who::{ENVIRONMENT, Scope};
use model::config::{Key, Object, Set};

/// The objects at one revision; never changed, only replaced.
#[derive(Clone, Debug)]
pub struct State {
    /// Its number.
    pub revision: Revision,
    /// Which books these are; another server's, or those of a store made anew, are others.
    pub books: Option<Arc<str>>,
    /// The oldest revision of the history; one above the current while there is none.
    pub oldest: Revision,
    /// The objects.
    pub set: Set,
    /// Of the objects.
    pub digest: Digest,
    pub(super) metas: Arc<BTreeMap<(Kind, Dbid), Arc<Meta>>>,
    pub(super) counters: Counters,
    /// How often the whole was replaced by a restore.
    pub(super) era: u64,
}

impl State {
    /// All objects by kind, then dbid.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.set.objects().filter_map(|object| self.entry(object))
    }

    /// The object of this key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Entry> {
        self.set.get(key).and_then(|object| self.entry(object))
    }

    /// An object of this state with its fields of the server.
    #[must_use]
    pub fn entry(&self, object: &Arc<Object>) -> Option<Entry> {
        let meta = self.metas.get(&(object.key.kind, object.dbid))?;
        Some(Entry { object: Arc::clone(object), meta: Arc::clone(meta) })
    }

    /// The one object that a name means to somebody; what the scope does not see is not there.
    ///
    /// # Errors
    /// `not-found`; `ambiguous-name` where no tenant is named and several have the name.
    pub fn find(&self, target: &Target, scope: &Scope) -> Result<Entry, Refusal> {
        let mut found = self.candidates(target);
        found.retain(|object| scope.sees(&self.set, &object.key));
        match found.as_slice() {
            [] => Err(Refusal::NotFound(format!("{target} does not exist"))),
            [object] => self
                .entry(object)
                .ok_or_else(|| Refusal::NotFound(format!("{target} does not exist"))),
            several => {
                Err(Refusal::AmbiguousName(several.iter().map(|one| one.key.clone()).collect()))
            }
        }
    }

    fn candidates(&self, target: &Target) -> Vec<Arc<Object>> {
        let tenant = if target.kind.is_owned() {
            target.tenant.clone()
        } else {
            Some(ENVIRONMENT.to_owned())
        };
        match (&target.name, tenant) {
            (Name::Dbid(dbid), tenant) => {
                let found = self.set.by_dbid(target.kind, *dbid);
                let of = |object: &&Arc<Object>| {
                    tenant.as_ref().is_none_or(|tenant| object.key.tenant == *tenant)
                };
                found.filter(of).cloned().into_iter().collect()
            }
            (Name::Text(name), Some(tenant)) => {
                let key = Key { kind: target.kind, tenant, name: name.clone() };
                self.set.get(&key).cloned().into_iter().collect()
            }
            (Name::Text(name), None) => {
                let is = |object: &&Arc<Object>| {
                    object.key.kind == target.kind && object.key.name == *name
                };
                self.set.objects().filter(is).cloned().collect()
            }
        }
    }
}
