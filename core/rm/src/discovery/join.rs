//! What was found reaches the engine as a configuration does.

use std::sync::Arc;

use model::snapshot::{Found, LeftOut, Snapshot};
use model::time::Now;
use sip::locate::{Failure, Listing, Member};

use crate::log;
use crate::output::Event;
use crate::proxy::Proxy;
use crate::timer::Timer;

impl Proxy {
    /// A configuration, with what is known of its members.
    pub(crate) fn reconfigure(&mut self, now: Now, base: Arc<Snapshot>) {
        self.discovery.configure(now.mono, base);
        self.discovery.found = self.discovery.members();
        self.join();
        self.apply(now);
        self.discover(now);
    }

    /// Names that are due are asked for.
    pub(crate) fn discover(&mut self, now: Now) {
        let due = self.discovery.on_due(now.mono);
        for listing in due.ask {
            self.counters.names_asked += 1;
            self.events.push(Event::Discover { listing });
        }
        for name in due.failing {
            self.unanswered(name, Failure::Unanswered);
        }
        self.look_again(now);
    }

    /// The name service has told who is behind a name.
    pub(crate) fn on_discovered(
        &mut self,
        now: Now,
        listing: &Listing,
        found: &Result<Vec<Member>, Failure>,
    ) {
        let failure = found.as_ref().err().copied();
        if let Some(failure) = failure {
            *self.counters.names_failed.entry(failure.as_str()).or_default() += 1;
        }
        if let Some(name) = self.discovery.note(now.mono, listing, found) {
            self.unanswered(name, failure.unwrap_or(Failure::Nothing));
        }
        self.look_again(now);
    }

    /// Who has gone is forgotten in time; what has changed is applied.
    fn look_again(&mut self, now: Now) {
        let snapshot = &self.snapshot;
        let pool = &self.pool;
        let has_calls = |name: &str| {
            let ix = snapshot.resource_by_name(name);
            let key = ix.and_then(|ix| pool.key_of(snapshot.resource(ix).dbid));
            key.and_then(|key| pool.get(key)).is_some_and(|member| member.used() > 0)
        };
        self.discovery.sweep(now.mono, has_calls);
        let found = self.discovery.members();
        if found != self.discovery.found {
            self.discovery.found = found;
            let before = Arc::clone(&self.snapshot);
            self.join();
            self.apply(now);
            self.probe_newcomers(now, &before);
        }
        if let Some(due) = self.discovery.due() {
            self.timers.set(due, Timer::Discovery);
        }
    }

    /// The configuration with what was found; tells of whom it cannot have.
    fn join(&mut self) {
        let base = &self.discovery.base;
        if self.discovery.found.is_empty() {
            self.snapshot = Arc::clone(base);
            self.discovery.left.clear();
            return;
        }
        let (own, found): (Vec<&Found>, Vec<&Found>) =
            self.discovery.found.iter().partition(|one| self.is_here(one));
        let found: Vec<Found> = found.into_iter().cloned().collect();
        let (joined, mut left) = self.agreed(found);
        left.extend(own.into_iter().map(|one| LeftOut {
            name: one.name.clone(),
            group: base.group(one.group).name.clone(),
            what: "address",
            holder: self.settings.name.clone(),
            holder_group: "rm".to_owned(),
        }));
        self.snapshot = Arc::new(joined);
        let before = std::mem::replace(&mut self.discovery.left, left);
        let new: Vec<LeftOut> =
            self.discovery.left.iter().filter(|one| !before.contains(one)).cloned().collect();
        for one in new {
            let fields = vec![
                ("resource", one.name),
                ("group", one.group),
                ("same", one.what.to_owned()),
                ("holder", format!("{}/{}", one.holder_group, one.holder)),
            ];
            self.log(log::DISCOVERY_LEFT_OUT, None, fields);
        }
    }

    /// What was found, in the order in which it stands. Of two that want the same name or address
    /// the one that is there has it, then the one that has come, last the one that has gone: nobody
    /// takes the place of a media server that answers.
    fn agreed(&self, mut found: Vec<Found>) -> (Snapshot, Vec<LeftOut>) {
        let (base, now) = (&self.discovery.base, &self.snapshot);
        let (joined, left) = base.joined(&found);
        if left.is_empty() {
            return (joined, left);
        }
        let rank = |one: &Found| {
            let known = now.resource_by_name(&one.name).map(|ix| now.resource(ix));
            let stands = known.is_some_and(|own| own.address.addr() == one.address.addr());
            (one.gone, !stands)
        };
        let mut ranked = found.clone();
        ranked.sort_by_key(rank);
        let (_, mut left) = base.joined(&ranked);
        found.retain(|one| {
            let group = &base.group(one.group).name;
            !left.iter().any(|out| out.name == one.name && out.group == *group)
        });
        let (joined, more) = base.joined(&found);
        left.extend(more);
        (joined, left)
    }

    /// It would be this node itself.
    fn is_here(&self, one: &Found) -> bool {
        let at = one.address.addr();
        self.settings.listeners.iter().any(|listener| Some(listener.bound) == at)
    }

    /// Who has come, or is at another address, is probed at once.
    fn probe_newcomers(&mut self, now: Now, before: &Snapshot) {
        let snapshot = Arc::clone(&self.snapshot);
        for (_, resource) in snapshot.resources() {
            let same = before.resource_by_dbid(resource.dbid).map(|ix| before.resource(ix));
            if same.is_some_and(|same| same.address == resource.address) {
                continue;
            }
            if let Some(key) = self.pool.key_of(resource.dbid) {
                self.probe_anew(now, key);
            }
        }
    }

    fn unanswered(&mut self, name: String, failure: Failure) {
        let fields = vec![("name", name), ("error", failure.as_str().to_owned())];
        self.log(log::DISCOVERY_FAILED, None, fields);
    }
}
