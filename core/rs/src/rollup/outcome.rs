//! Results of voice applications and of their actions, in the bin of the call's end (rs.md §4.6).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::call::{Call, Run};
use super::key::{Dim, Target, text_id};
use super::sum::plus;
use crate::limits::{ACTIONS_PER_OBJECT, REASONS_PER_OBJECT};

/// Stands for the rarer reasons and actions of an object that has too many.
pub const OTHER: &str = "(other)";

/// Key of a row of `var_bin` within its bin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct OutcomeKey {
    /// Of what.
    pub target: Target,
    /// Number of the result.
    pub result: u8,
    /// The reason's text id; 0: none was told.
    pub reason: i64,
}

/// Calls of one result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// How many.
    pub count: i64,
    /// Their durations.
    pub duration_ms: i64,
}

/// Key of a row of `var_action_bin` within its bin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ActionKey {
    /// Of what.
    pub target: Target,
    /// The action's text id.
    pub action: i64,
    /// Number of the result.
    pub result: u8,
}

/// Runs of one action with one result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Action {
    /// How many.
    pub count: i64,
    /// Calls in which it was the last to start.
    pub last_count: i64,
    /// Sum of their lengths.
    pub duration_ms: i64,
    /// The shortest.
    pub min_ms: i64,
    /// The longest.
    pub max_ms: i64,
}

impl Outcome {
    pub(super) const fn merge(&mut self, other: &Self) {
        plus(&mut self.count, other.count);
        plus(&mut self.duration_ms, other.duration_ms);
    }
}

impl Action {
    fn of(run: &Run) -> Self {
        let ms = run.duration_ms;
        let last_count = if run.is_last { 1 } else { 0 };
        Self { count: 1, last_count, duration_ms: ms, min_ms: ms, max_ms: ms }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.count == 0 {
            *self = *other;
            return;
        }
        plus(&mut self.count, other.count);
        plus(&mut self.last_count, other.last_count);
        plus(&mut self.duration_ms, other.duration_ms);
        self.min_ms = self.min_ms.min(other.min_ms);
        self.max_ms = self.max_ms.max(other.max_ms);
    }
}

/// The objects that a media server's call counts for, beside its component.
pub(super) fn targets(call: &Call) -> impl Iterator<Item = Target> {
    let tenants = call.tenants.iter().map(|tenant| Target::new(Dim::Tenant, *tenant));
    let profile = call.profile.map(|profile| Target::new(Dim::Profile, profile));
    let all: BTreeSet<_> = [Target::default()].into_iter().chain(tenants).chain(profile).collect();
    all.into_iter()
}

/// Adds a call that ended in the bin.
pub(super) fn count(
    call: &Call,
    outcomes: &mut BTreeMap<OutcomeKey, Outcome>,
    actions: &mut BTreeMap<ActionKey, Action>,
    texts: &mut BTreeMap<i64, String>,
) {
    let (Some(result), Some(ended)) = (call.outcome(), call.ended_ms) else { return };
    let mut known = |text: &str| {
        let id = text_id(text);
        texts.entry(id).or_insert_with(|| text.to_owned());
        id
    };
    let reason = call.reason.as_deref().map_or(0, &mut known);
    let runs: Vec<_> =
        call.runs.iter().map(|run| (known(&run.action), run.result, Action::of(run))).collect();
    for target in targets(call) {
        let outcome = outcomes.entry(OutcomeKey { target, result, reason }).or_default();
        outcome.merge(&Outcome { count: 1, duration_ms: ended - call.started_ms });
        for (action, result, run) in &runs {
            let key = ActionKey { target, action: *action, result: *result };
            actions.entry(key).or_default().merge(run);
        }
    }
}

/// Leaves each object its most frequent reasons and actions; the others become [`OTHER`].
pub(super) fn limit(
    outcomes: &mut BTreeMap<OutcomeKey, Outcome>,
    actions: &mut BTreeMap<ActionKey, Action>,
    texts: &mut BTreeMap<i64, String>,
) {
    let other = text_id(OTHER);
    let counts = outcomes.iter().map(|(key, sum)| (key.target, key.reason, sum.count));
    let rare = rarest(counts.filter(|(_, reason, _)| *reason != other), REASONS_PER_OBJECT);
    let all = std::mem::take(outcomes);
    for (mut key, sum) in all {
        if rare.contains(&(key.target, key.reason)) {
            key.reason = other;
            texts.insert(other, OTHER.to_owned());
        }
        outcomes.entry(key).or_default().merge(&sum);
    }
    let counts = actions.iter().map(|(key, sum)| (key.target, key.action, sum.count));
    let rare = rarest(counts.filter(|(_, action, _)| *action != other), ACTIONS_PER_OBJECT);
    let all = std::mem::take(actions);
    for (mut key, sum) in all {
        if rare.contains(&(key.target, key.action)) {
            key.action = other;
            texts.insert(other, OTHER.to_owned());
        }
        actions.entry(key).or_default().merge(&sum);
    }
}

/// The texts of each object beyond so many: the rarest, of equals those of the greater id.
fn rarest(
    counts: impl Iterator<Item = (Target, i64, i64)>,
    most: usize,
) -> BTreeSet<(Target, i64)> {
    let mut by_target: BTreeMap<Target, BTreeMap<i64, i64>> = BTreeMap::new();
    for (target, text, count) in counts.filter(|(_, text, _)| *text != 0) {
        plus(by_target.entry(target).or_default().entry(text).or_default(), count);
    }
    let mut rare = BTreeSet::new();
    for (target, texts) in by_target.into_iter().filter(|(_, texts)| texts.len() > most) {
        let mut texts: Vec<_> = texts.into_iter().collect();
        texts.sort_unstable_by_key(|(text, count)| (Reverse(*count), *text));
        rare.extend(texts.into_iter().skip(most).map(|(text, _)| (target, text)));
    }
    rare
}
