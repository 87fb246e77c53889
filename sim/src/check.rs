//! What must hold after every step: the product's own invariants, and what the specification
//! promises of limits and placement, judged from outside.

mod live;
mod placement;
mod policies;
mod rules;

use serde_json::Value as Json;

use crate::node::{Node, Output};
use crate::truth::Truth;
use live::Counts;
use placement::{Placement, States};
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
    /// Invariants that grow with the number of calls are asked in one step of so many; 0 is 1.
    pub sparse: u64,
    steps: u64,
    policies: Policies,
    placement: Placement,
}

impl Before {
    /// What is needed of a node before it takes a step.
    #[must_use]
    pub fn of(node: &Node) -> Self {
        let Some(proxy) = node.proxy() else { return Self::default() };
        let counters = proxy.counters();
        Self {
            states: placement::states(node),
            begun: counters.ledger_in,
            taken_over: counters.adopted + counters.rebuilt,
        }
    }
}

impl Checks {
    /// Checks with the rules of a configuration.
    #[must_use]
    pub fn new(objects: &Json) -> Self {
        let mut checks = Self::default();
        checks.configure(objects);
        checks
    }

    /// The rules are these from now on.
    pub fn configure(&mut self, objects: &Json) {
        self.policies.rules = Rules::of(objects);
    }

    /// Judges one step of a node, which has made these records.
    ///
    /// # Errors
    /// What does not hold.
    pub fn after(
        &mut self,
        node: &Node,
        before: &Before,
        output: &Output,
        records: &[Json],
        truth: &Truth,
    ) -> Result<(), String> {
        let Some(proxy) = node.proxy() else { return Ok(()) };
        self.steps += 1;
        let sparse = self.sparse.max(1);
        let asked = self.steps.is_multiple_of(sparse);
        // a debug build of the engine asks by itself after every input
        let invariants = if cfg!(debug_assertions) { ENGINE_ASKS } else { 1 };
        if asked && self.steps.is_multiple_of(invariants) {
            proxy.invariant().map_err(|broken| format!("{}: {broken}", node.name))?;
        }
        let counters = proxy.counters();
        let taken_over = counters.adopted + counters.rebuilt > before.taken_over;
        let chosen = self.placement.chosen(output);
        let refused = records.iter().any(|record| record["policy"].is_object());
        let moves = counters.ledger_in > before.begun || !chosen.is_empty() || refused;
        // with steps left out nothing is known of what is new
        if !asked || !(moves || taken_over) || sparse > 1 {
            return Ok(());
        }
        let Self { policies, placement, .. } = self;
        let rules = policies.rules.clone();
        let inside = |call: &str| {
            let caller = truth.calls().get(call).map_or("", |call| call.caller);
            INSIDE.iter().any(|own| caller.starts_with(own))
        };
        let is_inbound =
            |guid, legs: &[rm::LegView]| policies.is_inbound(node.name, guid, legs, inside);
        let sessions = live::sessions(proxy, &rules, is_inbound);
        let counts = Counts::of(&sessions);
        if taken_over {
            placement.taken_over(proxy, &sessions);
        }
        let named = |what: String| format!("{}: {what}", node.name);
        policies.admitted(node.name, &sessions, &counts, taken_over)?;
        for record in records {
            policies.refused(record, &sessions, &counts).map_err(named)?;
        }
        placement.judge(&chosen, &before.states, proxy, &rules, &sessions).map_err(named)
    }
}

/// So seldom its invariants are asked from outside when the engine asks them too.
const ENGINE_ASKS: u64 = 16;

/// How the names of those begin that are of the platform itself: their calls do not come in.
const INSIDE: [&str; 3] = ["mcp-", "ctic-", "rec-"];
