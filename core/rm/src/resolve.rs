//! Host names of resources and next hops: what is known of them, who waits for them (rm.md §1.2).
//!
//! The shell asks the name service and tells what it said; here is kept how long that is believed.
//! A name of a resource is asked for again before its answer is old; one of a next hop when it is
//! needed. Must not ask anything itself, nor choose among targets: `pool::place` of a resource and
//! `dialog::hop` do.

mod away;
mod book;
mod late;
mod waiting;

pub(crate) use away::Away;
pub(crate) use book::{Book, Known};
pub(crate) use waiting::{Waiting, What};

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use model::config::Service;
use model::time::Now;
use sip::locate::{Failure, Goal, HostName, Target, Targets};

use crate::limits;
use crate::log;
use crate::output::Event;
use crate::pool::health::Change;
use crate::proxy::Proxy;
use crate::settings::{Match, Role};
use crate::timer::Timer;

impl Proxy {
    /// A configuration names these; resources without answer yet are `unknown`.
    pub(crate) fn resolve_resources(&mut self, now: Now) {
        let goals: BTreeSet<Goal> =
            self.pool.configured().filter_map(|(_, one)| one.reach.name().cloned()).collect();
        self.book.keep(now.mono, &goals);
        for goal in goals {
            match self.book.look(now.mono, &goal) {
                Known::Targets(targets) => {
                    let targets = targets.clone();
                    self.tell_members(now, &goal, Ok(&targets));
                }
                Known::Failed(failure) => self.tell_members(now, &goal, Err(failure)),
                Known::Asked => {}
                Known::Nothing => {
                    self.ask(now, &goal);
                }
            }
        }
        let named: Vec<(usize, Vec<Target>)> = self
            .pool
            .configured()
            .filter(|(_, one)| one.reach.name().is_some())
            .map(|(key, one)| (key, one.reach.all().collect()))
            .collect();
        for (key, targets) in named {
            self.declare(key, &[], &targets);
        }
    }

    /// Asks for a goal, unless it is asked for already; false when too many are.
    pub(crate) fn ask(&mut self, now: Now, goal: &Goal) -> bool {
        let until = now.mono + limits::NAME_WAIT;
        match self.book.ask(goal, until) {
            book::Asked::Open => true,
            book::Asked::Full => false,
            book::Asked::New { key } => {
                self.timers.set(until, Timer::Name(key));
                self.counters.names_asked += 1;
                self.events.push(Event::Resolve { goal: goal.clone() });
                true
            }
        }
    }

    /// The name service has spoken.
    pub(crate) fn on_resolved(
        &mut self,
        now: Now,
        goal: &Goal,
        found: Result<Targets, Failure>,
        ttl: Duration,
    ) {
        if let Err(failure) = &found {
            *self.counters.names_failed.entry(failure.as_str()).or_default() += 1;
        }
        let Some(noted) = self.book.note(now.mono, goal, found, ttl) else { return };
        self.timers.set(noted.next, Timer::Name(noted.key));
        if noted.failing {
            let fields = vec![("name", goal.to_string()), ("error", noted.word.to_owned())];
            self.log(log::NAME_FAILED, None, fields);
        }
        match self.book.look(now.mono, goal) {
            Known::Targets(targets) => {
                let targets = targets.clone();
                self.tell_members(now, goal, Ok(&targets));
            }
            Known::Failed(failure) => self.tell_members(now, goal, Err(failure)),
            Known::Asked | Known::Nothing => {}
        }
        self.go_on(now, goal);
    }

    /// A name is due: nobody answered, or its answer becomes old.
    pub(crate) fn on_name_due(&mut self, now: Now, key: usize) {
        match self.book.due(now.mono, key) {
            book::Due::Unanswered(goal) => {
                self.on_resolved(now, &goal, Err(Failure::Unanswered), Duration::ZERO);
            }
            book::Due::Again(goal, next) => {
                if !self.ask(now, &goal) {
                    self.timers.set(next, Timer::Name(key));
                }
            }
            book::Due::Later(at) => self.timers.set(at, Timer::Name(key)),
            book::Due::Forgotten => {}
        }
    }

    /// Resources with this name are where it leads now; without any target they are dead.
    fn tell_members(&mut self, now: Now, goal: &Goal, found: Result<&Targets, Failure>) {
        let named = |(key, one): (usize, &crate::pool::Member)| {
            (one.reach.name() == Some(goal)).then_some(key)
        };
        let keys: Vec<usize> = self.pool.configured().filter_map(named).collect();
        for key in keys {
            let Some(member) = self.pool.get_mut(key) else { continue };
            let before: Vec<Target> = member.reach.all().collect();
            let change = match found {
                Ok(targets) => member.found(targets),
                Err(failure) => member.lost(format_args!("{goal}: {}", failure.as_str())),
            };
            let after: Vec<Target> = member.reach.all().collect();
            if before != after {
                self.moved(key, &before, &after);
            }
            self.log_change(now, key, change);
            if before.is_empty() && !after.is_empty() || change == Change::Healthy {
                self.probe_soon(now, key);
            }
        }
    }

    /// A resource is at other addresses.
    fn moved(&mut self, key: usize, before: &[Target], after: &[Target]) {
        self.declare(key, before, after);
        let Some(member) = self.pool.get(key) else { return };
        let texts: Vec<String> = after.iter().map(|one| one.remote.to_string()).collect();
        let fields = vec![("resource", member.names.name.clone()), ("addresses", texts.join(" "))];
        self.log(log::RESOURCE_MOVED, None, fields);
    }

    /// The addresses of a resource are its declared sources (rm.md §13.1).
    fn declare(&mut self, key: usize, before: &[Target], after: &[Target]) {
        let Some(member) = self.pool.get(key) else { return };
        let gateway = member.configured.is_some_and(|ix| {
            let group = self.snapshot.resource(ix).group;
            self.snapshot.group(group).services.contains(&Service::Gateway)
        });
        let role = if gateway { Role::Gateway } else { Role::Media };
        self.sources.moved(&member.names.name, role, before, after);
    }

    /// How many names are known, and the age of the oldest answer that serves although its renewal
    /// failed.
    #[must_use]
    pub fn names_known(&self) -> (usize, Duration) {
        self.book.figures(self.seen.mono)
    }

    /// Where host names of next hops lead to by TLS, and these names: under TLS the far end has to
    /// prove them (RFC 5922 §7.2).
    pub fn hop_addresses(&self) -> impl Iterator<Item = (SocketAddr, &str)> + '_ {
        self.book.secure_hops()
    }

    /// Where else resources may call from (`source_addresses`), for the same table.
    pub fn resource_networks(&self) -> impl Iterator<Item = Match> + '_ {
        self.sources.networks()
    }

    /// Addresses of all resources, for the shell's table of known sources, with the host name that
    /// each was found by: under TLS the far end has to prove it (RFC 5922 §7.2).
    pub fn resource_addresses(&self) -> impl Iterator<Item = (SocketAddr, Option<&str>)> + '_ {
        self.pool.configured().flat_map(|(_, one)| {
            let name = one.reach.name().and_then(Goal::name).map(HostName::as_str);
            one.reach.all().map(move |target| (target.remote, name))
        })
    }
}
