//! What must hold after every step: the product's own invariants, and what the specification
//! promises of limits and placement, judged from outside.

mod followed;
mod live;
mod load;
mod placement;
mod policies;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use model::id::Guid;
use model::time::Now;
use rm::Proxy;
use serde_json::Value as Json;

use crate::node::{Node, Output};
use crate::truth::Truth;
use followed::Followed;
use live::{Change, Ledger};
use load::Load;
use placement::{Chosen, Hosts, Placement, States};
use policies::Policies;
use rules::Rules;

/// What a node looked like before a step.
#[derive(Debug, Default)]
pub struct Before {
    states: States,
    begun: u64,
    taken_over: u64,
}

/// The rules, and what was seen so far.
#[derive(Debug, Default)]
pub struct Checks {
    /// Everything that grows with the number of calls is asked in one step of so many; 0 is 1.
    /// Limits and placement are judged at each of them nevertheless, by what a step speaks of.
    pub sparse: u64,
    steps: u64,
    policies: Policies,
    placement: Placement,
    load: Load,
    followed: Followed,
    ledgers: BTreeMap<&'static str, Ledger>,
    /// Nodes whose sessions are to be read anew: what belongs together is said anew.
    stale: BTreeSet<&'static str>,
}

impl Before {
    /// What is needed of a node before it takes a step, now. Its views show what was at its latest
    /// input; where time alone may have changed that, an input that says nothing renews them.
    #[must_use]
    pub fn of(node: &mut Node, now: Now) -> Self {
        let (mut states, timed) = placement::states(node);
        if timed {
            node.look(now);
            (states, _) = placement::states(node);
        }
        let Some(proxy) = node.proxy() else { return Self::default() };
        let counters = proxy.counters();
        let taken_over = counters.adopted + counters.rebuilt;
        Self { states, begun: counters.ledger_in, taken_over }
    }
}

impl Checks {
    /// Checks with the rules of a configuration; `hosts`: who is where; `options`: of every node.
    #[must_use]
    pub fn new(
        objects: &Json,
        hosts: impl Iterator<Item = (SocketAddr, &'static str)>,
        options: &rm::Options,
    ) -> Self {
        let mut checks = Self::default();
        checks.placement.most = options.max_hunt;
        checks.placement.hosts = Hosts::of(hosts);
        checks.configure(objects);
        checks
    }

    /// Somebody is there as well.
    pub fn is_at(&mut self, address: SocketAddr, name: &'static str) {
        self.placement.hosts.add(address, name);
    }

    /// Where a node goes with requests in dialogs whose target is a name, and whether for the first
    /// time.
    pub fn followed(
        &mut self,
        output: &Output,
        is_name: impl Fn(&str) -> bool,
    ) -> Vec<(SocketAddr, bool)> {
        self.followed.read(output, is_name)
    }

    /// The rules are these from now on.
    pub fn configure(&mut self, objects: &Json) {
        self.policies.rules = Rules::of(objects);
        self.stale.extend(self.ledgers.keys());
        self.load.stir();
    }

    /// A node has heard this, and is about to act on it.
    pub fn heard(&mut self, node: &Node, now: Duration, bytes: &[u8]) {
        if node.is_up() {
            self.load.heard(node.name, now, bytes);
        }
    }

    /// A node is about to crash.
    pub fn crashes(&mut self, node: &Node, now: Duration) {
        self.load.crashed(node.name, now, node.backlog() == (0, 0));
    }

    /// Judges one step of a node, which has made these records; gives back where it has placed
    /// calls, and which of these are the first try of their leg.
    ///
    /// # Errors
    /// What does not hold.
    pub fn after(
        &mut self,
        node: &Node,
        before: &Before,
        (now, output): (Duration, &Output),
        records: &[Json],
        truth: &Truth,
    ) -> Result<Vec<(SocketAddr, bool)>, String> {
        let Some(proxy) = node.proxy() else { return Ok(Vec::new()) };
        let named = |what: String| format!("{}: {what}", node.name);
        self.steps += 1;
        let asked = self.steps.is_multiple_of(self.sparse.max(1));
        // a debug build of the engine asks by itself after every input
        let invariants = if cfg!(debug_assertions) { ENGINE_ASKS } else { 1 };
        if asked && self.steps.is_multiple_of(invariants) {
            proxy.invariant().map_err(|broken| named(broken.to_owned()))?;
        }
        let counters = proxy.counters();
        let taken_over = counters.adopted + counters.rebuilt > before.taken_over;
        let chosen = self.placement.chosen(node, now, output).map_err(named)?;
        let said = output.messages.iter().map(|(.., bytes)| bytes.as_slice());
        self.load.said(node.name, now, said, &chosen);
        if asked {
            let times = (now, node.silence());
            self.load.judge(node.name, times, || proxy.resources()).map_err(named)?;
        }
        let refused = records.iter().any(|record| record["policy"].is_object());
        let moves = counters.ledger_in > before.begun || !chosen.is_empty() || refused;
        let ends = self.sparse > 1 && !records.is_empty();
        let places = chosen.iter().map(|one| (one.to, one.begins)).collect();
        if !(moves || taken_over || ends) {
            return Ok(places);
        }
        let spoken_of = spoken_of(&chosen, records);
        let changes = self.look(node.name, proxy, &spoken_of, taken_over, truth, asked);
        let changes = changes.map_err(named)?;
        let Some(ledger) = self.ledgers.get(node.name) else { return Ok(places) };
        let Self { policies, placement, .. } = self;
        if taken_over {
            placement.taken_over(proxy, ledger);
        }
        let has_priority = |call: &str| truth.calls().get(call).is_some_and(|call| call.priority);
        for change in changes.iter().filter(|_| !taken_over) {
            policies.admitted(change, ledger, has_priority).map_err(named)?;
        }
        for record in records {
            policies.refused(record, ledger, has_priority).map_err(named)?;
        }
        let judged = (&before.states, &changes[..]);
        placement.judge(&chosen, judged, proxy, &policies.rules, ledger, truth).map_err(named)?;
        Ok(places)
    }

    /// Looks at the sessions that a step speaks of, or at all: then nobody else may have changed
    /// since.
    fn look(
        &mut self,
        node: &'static str,
        proxy: &Proxy,
        spoken_of: &BTreeSet<Guid>,
        taken_over: bool,
        truth: &Truth,
        asked: bool,
    ) -> Result<Vec<Change>, String> {
        let anew = taken_over | self.stale.remove(node);
        let Self { policies, ledgers, .. } = self;
        let rules = policies.rules.clone();
        let inside = |call: &str| {
            let caller = truth.calls().get(call).map_or("", |call| call.caller);
            INSIDE.iter().any(|own| caller.starts_with(own))
        };
        let is_inbound = |guid, legs: &[rm::LegView], before: Option<&live::Live>| {
            policies.is_inbound(node, guid, legs, before, inside)
        };
        let which = (!asked && !anew).then_some(spoken_of);
        let changes = ledgers.entry(node).or_default().look(proxy, &rules, which, is_inbound);
        let silent = changes.iter().find(|change| !spoken_of.contains(&change.guid));
        match silent.filter(|_| self.sparse > 1 && !anew) {
            Some(change) => Err(format!("{} has changed, and nobody was told", change.guid)),
            None => Ok(changes),
        }
    }
}

/// The sessions of which a step has said something.
fn spoken_of(chosen: &[Chosen], records: &[Json]) -> BTreeSet<Guid> {
    let told = records.iter().filter_map(|record| Guid::parse(record["guid"].as_str()?));
    chosen.iter().map(|one| one.guid).chain(told).collect()
}

/// So seldom its invariants are asked from outside when the engine asks them too.
const ENGINE_ASKS: u64 = 16;

/// How the names of those begin that are of the platform itself: their calls do not come in.
const INSIDE: [&str; 3] = ["mcp-", "ctic-", "rec-"];
