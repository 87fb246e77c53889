//! What must hold after every step: the product's own invariants, and what the specification
//! promises of limits and placement, judged from outside.

use std::collections::{BTreeMap, BTreeSet};

use rm::{CallFilter, Proxy, ResourceView};

use crate::agent::text::{all, is_first, method};
use crate::node::{Node, Output};

/// States in which no new call may come to a media server (rm.md §7.1).
const CLOSED: [&str; 4] = ["full", "draining", "dead", "disabled"];

/// What a node looked like before a step.
#[derive(Debug, Default)]
pub struct Before {
    /// By address: the state shown, and whether all places are taken, whatever that says.
    states: BTreeMap<String, (&'static str, bool)>,
    begun: u64,
    taken_over: u64,
}

/// The limits, and what was seen so far.
#[derive(Debug, Default)]
pub struct Checks {
    /// Most live sessions of a tenant or a profile, by name.
    pub limits: Vec<Limit>,
    /// Invariants that grow with the number of calls are asked in one step of so many; 0 is 1.
    pub sparse: u64,
    steps: u64,
    /// Sessions by node and object, as far as they may be more than the limit.
    beyond: BTreeMap<(&'static str, String), usize>,
    /// Branches of INVITEs towards media servers: a repeated one is no new choice.
    branches: BTreeSet<String>,
}

/// A limit of the configuration.
#[derive(Debug, Clone)]
pub struct Limit {
    /// Of a tenant; else of a profile.
    pub tenant: bool,
    /// Its name.
    pub name: String,
    /// Most live sessions.
    pub most: usize,
}

impl Before {
    /// What is needed of a node before it takes a step.
    #[must_use]
    pub fn of(node: &Node) -> Self {
        let Some(proxy) = node.proxy() else { return Self::default() };
        let counters = proxy.counters();
        Self {
            states: states(node),
            begun: counters.ledger_in,
            taken_over: counters.adopted + counters.rebuilt,
        }
    }
}

impl Checks {
    /// Checks with these limits.
    #[must_use]
    pub fn new(limits: Vec<Limit>) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Judges one step of a node.
    ///
    /// # Errors
    /// What does not hold.
    pub fn after(&mut self, node: &Node, before: &Before, output: &Output) -> Result<(), String> {
        let Some(proxy) = node.proxy() else { return Ok(()) };
        self.steps += 1;
        let asked = self.steps.is_multiple_of(self.sparse.max(1));
        if asked {
            proxy.invariant().map_err(|broken| format!("{}: {broken}", node.name))?;
        }
        self.placement(node, before, output)?;
        let counters = proxy.counters();
        let taken_over = counters.adopted + counters.rebuilt;
        if asked && counters.ledger_in > before.begun {
            self.limits(node, taken_over > before.taken_over)?;
        }
        Ok(())
    }

    /// No call goes to a media server that is closed before and after the step.
    fn placement(&mut self, node: &Node, before: &Before, output: &Output) -> Result<(), String> {
        let mut now = None;
        for (_, to, _, bytes) in &output.messages {
            let Ok(text) = std::str::from_utf8(bytes) else { continue };
            if !text.starts_with("INVITE ") || method(text) != "INVITE" || !is_first(text) {
                continue;
            }
            let branch = all(text, "Via").next().unwrap_or_default().to_owned();
            let new = self.branches.insert(branch);
            let address = format!("sip:{to}");
            let (state, taken) = before.states.get(&address).copied().unwrap_or_default();
            if !new || !(taken || CLOSED.contains(&state)) {
                continue;
            }
            let proxy = node.proxy();
            let now = now.get_or_insert_with(|| proxy.map(Proxy::resources).unwrap_or_default());
            if now.iter().any(|one| one.address == address && is_closed(one)) {
                return Err(format!("{}: a call is placed on {to}, which is {state}", node.name));
            }
        }
        Ok(())
    }

    /// No tenant and no profile has more live sessions than it may. What was taken over from a run
    /// before, or rebuilt from a token, is never refused: so many more may be there until they end.
    fn limits(&mut self, node: &Node, taken_over: bool) -> Result<(), String> {
        let Some(proxy) = node.proxy() else { return Ok(()) };
        let mut calls = Vec::new();
        let mut after = None;
        loop {
            let slice = proxy.calls(&CallFilter::default(), after, usize::MAX);
            calls.extend(slice.calls);
            after = slice.next;
            if after.is_none() {
                break;
            }
        }
        for Limit { tenant, name, most } in &self.limits {
            let of = |call: &&rm::CallView| {
                let own = if *tenant { &call.tenant } else { &call.profile };
                own.as_ref() == Some(name)
            };
            let live = calls.iter().filter(of).count();
            let beyond = self.beyond.entry((node.name, name.clone())).or_default();
            let allowed = (*most).max(*beyond);
            *beyond = if taken_over { live } else { live.min(*beyond) };
            if live > allowed && !taken_over {
                return Err(format!("{}: {name} has {live} sessions, {most} at most", node.name));
            }
        }
        Ok(())
    }
}

/// It would not take the call that it was just given. What was full for a while may be so no
/// longer, and this very call may have taken its last place.
fn is_closed(after: &ResourceView) -> bool {
    let most = most(after);
    let last_place = after.used == most;
    after.used > most || CLOSED.contains(&after.state) && !(after.state == "full" && last_place)
}

fn states(node: &Node) -> BTreeMap<String, (&'static str, bool)> {
    let resources = node.proxy().map(Proxy::resources).unwrap_or_default();
    let state = |one: ResourceView| {
        let taken = one.used >= most(&one);
        (one.address, (one.state, taken))
    };
    resources.into_iter().map(state).collect()
}

/// Its places.
fn most(resource: &ResourceView) -> usize {
    let most = resource.capacity.and_then(|most| usize::try_from(most).ok());
    most.unwrap_or(usize::MAX)
}
