//! Stage 7, place: a resource that is alive and has a free place (rm.md §7).
//!
//! Between authorise and forward. Keeps every resource of the configuration by its dbid, with its
//! state, its probes and the set of legs on it; an address is an attribute that may change. Must
//! not look at messages: it is told what became of a try or a probe.

mod assume;
mod board;
pub(crate) mod conference;
mod groups;
pub(crate) mod health;
mod left_out;
pub(crate) mod monitor;
mod occupants;
mod pinned;
pub(crate) mod place;
pub(crate) mod plan;
mod probing;
pub(crate) mod reach;
pub(crate) mod resource;
pub(crate) mod scheme;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use model::config::{Admin, GroupIx, Method, PortUsage, ResourceIx, Scheme};
use model::id::Dbid;
use model::map::Map;
use model::snapshot::Snapshot;
use sip::endpoint::ClientId;
use slab::Slab;

use crate::input::Will;
use crate::session::names;
use board::{Board, Seat, Sums};
pub(crate) use conference::{Conferences, Wish};
use groups::Fit;
pub(crate) use occupants::Occupant;
pub(crate) use place::Pick;
pub(crate) use plan::{Asks, Hold, Pin, Plan};
pub(crate) use resource::{Member, Shown, Walk};

/// All resources, in the groups of the snapshot in force.
#[derive(Debug)]
pub(crate) struct Pool {
    members: Slab<Member>,
    by_dbid: Map<Dbid, usize>,
    /// Member of each resource of the snapshot, by its index.
    of_snapshot: Vec<usize>,
    /// The seats of each group of the snapshot, by its index.
    boards: Vec<Board>,
    /// Members that have changed since their seats were looked at.
    stale: Vec<usize>,
    /// Choices made so far.
    choices: u64,
    pub(crate) conferences: Conferences,
    /// The groups of the plan in hand.
    fit: Vec<Fit>,
    /// Groups that were found full, or full no more, to be told.
    pub(crate) filled: Vec<(GroupIx, bool)>,
    /// Some group looks at hashes of calls.
    pub(crate) hashes: bool,
    /// What operators want, by the names of resources.
    pub(crate) wills: BTreeMap<String, Will>,
    seed: u64,
}

/// Which way a leg goes: into the platform, or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

impl Direction {
    /// Whether legs of it take a place where these are counted.
    const fn counts(self, usage: PortUsage) -> bool {
        match usage {
            PortUsage::InAndOut => true,
            PortUsage::In => matches!(self, Self::In),
            PortUsage::Out => matches!(self, Self::Out),
        }
    }
}

impl Pool {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            members: Slab::new(),
            by_dbid: Map::new(seed),
            of_snapshot: Vec::new(),
            boards: Vec::new(),
            stale: Vec::new(),
            choices: 0,
            conferences: Conferences::new(seed),
            fit: Vec::new(),
            filled: Vec::new(),
            hashes: false,
            wills: BTreeMap::new(),
            seed,
        }
    }

    /// Takes over a configuration; true when it brings resources that were not known before.
    pub(crate) fn apply(&mut self, snapshot: &Snapshot) -> bool {
        let mut brings = false;
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
                    brings = true;
                    key
                }
            };
            self.of_snapshot.push(key);
            if let Some(member) = self.members.get_mut(key) {
                let will = self.wills.get(&resource.name).copied();
                member.configure(ix, snapshot, will);
            }
        }
        self.hashes = snapshot.groups().any(|(_, group)| matches!(group.scheme, Scheme::Hash(_)));
        self.seat_all(snapshot);
        brings
    }

    /// Everybody is seated anew; what a seat remembers of choices goes with its member.
    fn seat_all(&mut self, snapshot: &Snapshot) {
        let before = std::mem::take(&mut self.boards);
        // their indexes mean other groups now
        self.filled.clear();
        self.stale.clear();
        for (_, member) in &mut self.members {
            member.stale = false;
            if member.configured.is_none() {
                member.seat = None;
            }
        }
        for (ix, group) in snapshot.groups() {
            let keys = group.resources.iter().filter_map(|one| self.of_snapshot.get(one.index()));
            let mut names: Vec<&str> =
                group.resources.iter().map(|one| snapshot.resource(*one).name.as_str()).collect();
            names.sort_unstable();
            let mut seats = Vec::with_capacity(group.resources.len());
            for (key, resource_ix) in keys.zip(&group.resources) {
                let (key, resource) = (*key, snapshot.resource(*resource_ix));
                let rank = names.binary_search(&resource.name.as_str()).unwrap_or_default();
                let rank = u32::try_from(rank).unwrap_or(u32::MAX);
                let (name, weight) = (&resource.name, resource.weight);
                let mut seat = Seat::new(key, *resource_ix, rank, name, weight);
                let Some(member) = self.members.get_mut(key) else { continue };
                let old = member.seat.and_then(|(of, at)| before.get(of.index())?.seats.get(at));
                if let Some(old) = old.filter(|old| old.member == key) {
                    (seat.chosen, seat.credit) = (old.chosen, old.credit);
                }
                member.seat = Some((ix, seats.len()));
                seats.push(seat);
            }
            self.boards.push(Board::of(group.scheme, seats));
        }
    }

    /// Seats of members that have changed are looked at again.
    pub(super) fn settle(&mut self, now: Duration) {
        while let Some(key) = self.stale.pop() {
            let Some(member) = self.members.get_mut(key) else { continue };
            member.stale = false;
            if let Some((group, at)) = member.seat
                && let Some(board) = self.boards.get_mut(group.index())
            {
                board.look(at, member, now);
            }
        }
    }

    /// Those that time has changed too.
    fn settle_group(&mut self, group: GroupIx, now: Duration) {
        let members = &self.members;
        let Some(board) = self.boards.get_mut(group.index()) else { return };
        if board.until <= now {
            board.look_at_all(|key| members.get(key), now);
        }
    }

    /// A group that a call has found full is told, and that the next one found a place.
    fn note_full(&mut self, group: GroupIx) {
        let full = self.boards.get_mut(group.index()).and_then(Board::fills);
        self.filled.extend(full.map(|full| (group, full)));
    }

    /// No member takes a call, and some would if they had a free place.
    pub(crate) fn is_full(&self, snapshot: &Snapshot, group: GroupIx, now: Duration) -> bool {
        let sums = Sums::of(self.of_group(snapshot, group).map(|(_, member)| member), now);
        sums.is_full()
    }

    /// A resource that has left the configuration or moved has calls at this address.
    pub(crate) fn is_left_at(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.members.iter().any(|(_, member)| member.is_left_at(ip))
    }

    /// Members that the configuration no longer has, that carry nothing and of which nobody
    /// `awaits` anything are forgotten; gives back their keys with the probe that is planned and
    /// the one that is out.
    pub(crate) fn forget_unused(
        &mut self,
        awaits: &[usize],
    ) -> Vec<(usize, Option<Duration>, Option<ClientId>)> {
        let unused = |key: &usize, member: &Member| {
            member.configured.is_none() && member.used() == 0 && !awaits.contains(key)
        };
        let all = self.members.iter();
        let gone = all.filter(|(key, member)| unused(key, member));
        let gone: Vec<usize> = gone.map(|(key, _)| key).collect();
        let forget = |key: usize| {
            let member = self.members.remove(key);
            self.by_dbid.remove(&member.names.dbid);
            (key, member.probe.next, member.probe.out)
        };
        gone.into_iter().map(forget).collect()
    }

    pub(crate) fn get(&self, key: usize) -> Option<&Member> {
        self.members.get(key)
    }

    /// A member, to change: its seat is looked at again before the next choice.
    pub(crate) fn get_mut(&mut self, key: usize) -> Option<&mut Member> {
        let member = self.members.get_mut(key)?;
        if !std::mem::replace(&mut member.stale, true) {
            self.stale.push(key);
        }
        Some(member)
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

    /// All members, also those that the configuration has no longer.
    pub(crate) fn members(&self) -> impl Iterator<Item = (usize, &Member)> {
        self.members.iter()
    }

    /// All members of the configuration, group by group.
    pub(crate) fn configured(&self) -> impl Iterator<Item = (usize, &Member)> {
        self.of_snapshot.iter().filter_map(|key| self.members.get(*key).map(|one| (*key, one)))
    }

    /// Puts an occupant onto a member, where it takes a place if its direction counts.
    pub(crate) fn occupy(&mut self, key: usize, occupant: Occupant, direction: Direction) {
        let Some(member) = self.get_mut(key) else { return };
        if direction.counts(member.port_usage) {
            member.occupants.insert(occupant);
        } else {
            member.others.insert(occupant);
        }
    }

    /// Takes an occupant off a member, a leg out of its conference too.
    pub(crate) fn free(&mut self, key: usize, occupant: Occupant) {
        if let Some(member) = self.get_mut(key) {
            member.occupants.remove(occupant);
            member.others.remove(occupant);
        }
        if let Occupant::Leg(leg) = occupant {
            self.leave_conference(leg);
        }
    }
}

impl Member {
    /// What the snapshot says of it now.
    fn configure(&mut self, ix: ResourceIx, snapshot: &Snapshot, will: Option<Will>) {
        let resource = snapshot.resource(ix);
        let group = snapshot.group(resource.group);
        let names = names::resource(snapshot, ix);
        if *self.names != names {
            self.names = Arc::new(names);
        }
        self.configured = Some(ix);
        self.leave_address();
        self.reach.set(&resource.address);
        self.address = Some(resource.address.clone());
        self.source = resource.source;
        self.capacity = resource.capacity;
        self.port_usage = group.port_usage;
        self.passive = resource.passive;
        self.conference_size = resource.conference_size;
        self.conference_count = resource.conference_count;
        self.configured_admin = resource.state;
        self.admin = will.map_or(resource.state, |will| will.admin);
        self.until = will.and_then(|will| will.until);
        (self.on_dead, self.release_after) = (group.on_dead, group.release_after);
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
