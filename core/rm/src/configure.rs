//! A new configuration reaches every part that keeps something of it (DESIGN.md §2, point 8).
//!
//! Calls in progress keep what they were given. Must not fail: a snapshot is valid.

use model::did::DidIndex;
use model::time::Now;

use crate::admit::Sources;
use crate::limits::RETURNS_LOOKED_AT;
use crate::log;
use crate::pool::{Occupant, monitor};
use crate::proxy::Proxy;
use crate::session::State;
use crate::timer::Timer;

impl Proxy {
    /// Takes over `self.snapshot`.
    pub(crate) fn apply(&mut self, now: Now) {
        let snapshot = std::sync::Arc::clone(&self.snapshot);
        let own = snapshot.application(&self.settings.application);
        self.options = own.map_or_else(|| self.settings.options.clone(), |one| one.options.clone());
        self.priority =
            DidIndex::build(self.options.priority_numbers.iter().map(|pattern| (pattern, 0)));
        self.names.clear();
        self.usage.apply(now.mono, &snapshot);
        let mut sources = Sources::new(&snapshot, self.chance.next_u64());
        sources.inherit(&mut self.sources);
        self.sources = sources;
        let admin: Vec<_> = self.pool.configured().map(|(key, one)| (key, one.admin)).collect();
        if self.pool.apply(&snapshot) {
            self.returns = Some(None);
            self.on_returns(now);
        }
        for (key, was) in admin {
            let Some(member) = self.pool.get(key) else { continue };
            if member.configured.is_some() && member.admin != was {
                let fields = vec![
                    ("resource", member.names.name.clone()),
                    ("admin", member.admin.as_str().to_owned()),
                ];
                self.log(log::ADMIN_CHANGED, None, fields);
            }
        }
        let timed: Vec<usize> = self.pool.configured().map(|(key, _)| key).collect();
        timed.into_iter().for_each(|key| self.set_deadline(now, key));
        self.forget_free_groups(now);
        self.resolve_resources(now);
        self.watch_all(now);
        self.forget_unused();
    }

    /// Legs that are up on a resource which has just come (they were restored before it, or have
    /// outlived its absence) take their places there: of some sessions now, of the next ones a turn
    /// later (rm.md §1.9). How many it has looked at.
    pub(crate) fn on_returns(&mut self, now: Now) -> usize {
        let Some(after) = self.returns.take() else { return 0 };
        let sessions: Vec<_> = self.table.walk(after).take(RETURNS_LOOKED_AT).collect();
        let last = sessions.last().map(|(_, session)| session.guid);
        let looked_at = sessions.len();
        let all = sessions.iter().flat_map(|(_, session)| session.legs.iter().copied());
        let up = all.filter_map(|key| {
            let leg = self.table.leg(key).filter(|leg| leg.state >= State::Up)?;
            let member = self.pool.key_of(leg.resource.as_ref()?.dbid)?;
            let carried = self.pool.get(member)?.carries(Occupant::Leg(key));
            (!carried).then_some((key, member, leg.kind.direction()))
        });
        for (key, member, direction) in up.collect::<Vec<_>>() {
            self.pool.occupy(member, Occupant::Leg(key), direction);
            self.back_to_conference(key, member);
        }
        if looked_at == RETURNS_LOOKED_AT {
            self.returns = Some(last);
            self.timers.set(now.mono, Timer::Returns);
        }
        looked_at
    }

    /// Every resource that is to be probed has its next probe; no other has one.
    pub(crate) fn watch_all(&mut self, now: Now) {
        let keys: Vec<usize> = self.pool.configured().map(|(key, _)| key).collect();
        for key in keys {
            let first = now.mono + monitor::first(&mut self.chance);
            let Some(member) = self.pool.get_mut(key) else { continue };
            let waits = member.probe.next.is_some() || member.probe.out.is_some();
            if member.is_probed() && !waits {
                member.probe.next = Some(first);
                self.timers.set(first, Timer::Probe(key));
            }
        }
    }

    /// Resources that left the configuration and carry nothing any more. Who still waits for an
    /// answer of one knows it by its key, which nobody else may have until then.
    fn forget_unused(&mut self) {
        let watched = self.watches.iter().map(|(_, watch)| watch.member());
        let asked = self.relays.iter().filter_map(|(_, relay)| relay.asks());
        let awaits: Vec<usize> = watched.chain(asked).collect();
        for (key, next, out) in self.pool.forget_unused(&awaits) {
            if next.is_some() {
                self.timers.take_back(Timer::Probe(key));
            }
            self.forget_releases(key);
            if let Some(client) = out {
                self.clients.remove(&client);
            }
        }
    }
}
