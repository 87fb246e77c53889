//! Stage 7, place: a resource that is alive and has a free place (rm.md §7).
//!
//! Between authorise and forward. Keeps every resource of the configuration by its dbid, with its
//! state, its probes and the set of legs on it; an address is an attribute that may change. Must
//! not look at messages: it is told what became of a try or a probe.

mod assume;
pub(crate) mod health;
pub(crate) mod monitor;
pub(crate) mod place;
mod probing;
pub(crate) mod reach;
pub(crate) mod resource;
pub(crate) mod scheme;

use std::sync::Arc;
use std::time::Duration;

use model::config::{Admin, GroupIx, Method, ResourceIx};
use model::id::Dbid;
use model::map::Map;
use model::snapshot::Snapshot;
use sip::endpoint::ClientId;
use slab::Slab;

use crate::session::names;
pub(crate) use place::{Pick, Plan};
pub(crate) use resource::{Member, Occupant, Shown};

/// All resources, in the groups of the snapshot in force.
#[derive(Debug)]
pub(crate) struct Pool {
    members: Slab<Member>,
    by_dbid: Map<Dbid, usize>,
    /// Member of each resource of the snapshot, by its index.
    of_snapshot: Vec<usize>,
    /// Round-robin cursors by group index of the snapshot: the member chosen last.
    cursors: Vec<Option<Dbid>>,
    seed: u64,
}

impl Pool {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            members: Slab::new(),
            by_dbid: Map::new(seed),
            of_snapshot: Vec::new(),
            cursors: Vec::new(),
            seed,
        }
    }

    /// Takes over a configuration.
    pub(crate) fn apply(&mut self, snapshot: &Snapshot, before: Option<&Snapshot>) {
        let kept = self.kept_cursors(snapshot, before);
        for key in std::mem::take(&mut self.of_snapshot) {
            if let Some(member) = self.members.get_mut(key) {
                member.configured = None;
            }
        }
        for (ix, resource) in snapshot.resources() {
            let key = match self.by_dbid.get(&resource.dbid) {
                Some(key) => *key,
                None => {
                    let member = Member::new(self.seed);
                    let key = self.members.insert(member);
                    self.by_dbid.insert(resource.dbid, key);
                    key
                }
            };
            self.of_snapshot.push(key);
            if let Some(member) = self.members.get_mut(key) {
                member.configure(ix, snapshot);
            }
        }
        self.cursors = kept;
    }

    /// Members that the configuration no longer has, and that carry nothing, are forgotten; gives
    /// back their keys with the probe that is planned and the one that is out.
    pub(crate) fn forget_unused(&mut self) -> Vec<(usize, Option<Duration>, Option<ClientId>)> {
        let gone: Vec<usize> = self
            .members
            .iter()
            .filter(|(_, member)| member.configured.is_none() && member.used() == 0)
            .map(|(key, _)| key)
            .collect();
        let forget = |key: usize| {
            let member = self.members.remove(key);
            self.by_dbid.remove(&member.names.dbid);
            (key, member.probe.next, member.probe.out)
        };
        gone.into_iter().map(forget).collect()
    }

    fn kept_cursors(&self, snapshot: &Snapshot, before: Option<&Snapshot>) -> Vec<Option<Dbid>> {
        let old = |dbid: Dbid| {
            let (ix, _) = before?.groups().find(|(_, group)| group.dbid == dbid)?;
            self.cursors.get(ix.index()).copied().flatten()
        };
        snapshot.groups().map(|(_, group)| old(group.dbid)).collect()
    }

    pub(crate) fn get(&self, key: usize) -> Option<&Member> {
        self.members.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: usize) -> Option<&mut Member> {
        self.members.get_mut(key)
    }

    pub(crate) fn key_of(&self, dbid: Dbid) -> Option<usize> {
        self.by_dbid.get(&dbid).copied()
    }

    /// Members of a group in the order of the configuration.
    pub(crate) fn of_group<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        group: GroupIx,
    ) -> impl Iterator<Item = (usize, &'a Member)> + use<'a> {
        let own = |ix: &ResourceIx| {
            let key = self.of_snapshot.get(ix.index()).copied()?;
            self.members.get(key).map(|member| (key, member))
        };
        snapshot.group(group).resources.iter().filter_map(own)
    }

    /// All members of the configuration, group by group.
    pub(crate) fn configured(&self) -> impl Iterator<Item = (usize, &Member)> {
        self.of_snapshot.iter().filter_map(|key| self.members.get(*key).map(|one| (*key, one)))
    }

    /// Puts an occupant onto a member.
    pub(crate) fn occupy(&mut self, key: usize, occupant: Occupant) {
        if let Some(member) = self.members.get_mut(key) {
            member.occupants.insert(occupant, ());
        }
    }

    /// Takes an occupant off a member.
    pub(crate) fn free(&mut self, key: usize, occupant: Occupant) {
        if let Some(member) = self.members.get_mut(key) {
            member.occupants.remove(&occupant);
        }
    }
}

impl Member {
    /// What the snapshot says of it now.
    fn configure(&mut self, ix: ResourceIx, snapshot: &Snapshot) {
        let resource = snapshot.resource(ix);
        let group = snapshot.group(resource.group);
        let names = names::resource(snapshot, ix);
        if *self.names != names {
            self.names = Arc::new(names);
        }
        self.configured = Some(ix);
        self.reach.set(&resource.address);
        self.address = Some(resource.address.clone());
        self.capacity = resource.capacity;
        self.admin = resource.state;
        self.monitor = group.monitor.clone();
        self.quarantine = (group.quarantine, group.max_quarantine);
        if self.monitor.method == Method::None && self.reach.is_known() {
            self.health = health::Health::Healthy;
        }
    }

    /// Whether it is to be probed.
    pub(crate) fn is_probed(&self) -> bool {
        self.configured.is_some()
            && self.monitor.method == Method::Options
            && self.admin != Admin::Disabled
    }

    /// Remaining quarantine at `now`, if there is one.
    pub(crate) fn quarantined_until(&self, now: Duration) -> Option<Duration> {
        self.quarantined.filter(|until| *until > now)
    }
}
