//! Which bins a change of a call touches: those where what it is in the figures differs.

use std::collections::{BTreeMap, BTreeSet};

use super::call::Call;
use super::part::{self, Part};
use super::zone::five_of;

/// Starts of the five-minute bins whose figures are other with the new call than with the old
/// one; absent: there was none, or is none any more.
#[must_use]
pub fn touched(old: Option<&Call>, new: Option<&Call>) -> BTreeSet<i64> {
    let parts = |call: Option<&Call>| call.map(part::of_call).unwrap_or_default();
    let mut bins = differing(parts(old), parts(new));
    let end = |call: &Call| call.is_mcp().then_some(call.ended_ms).flatten();
    let ends = [old.and_then(end), new.and_then(end)];
    if old.map(ending) != new.map(ending) {
        bins.extend(ends.into_iter().flatten().map(five_of));
    }
    bins
}

/// The same for the session that legs of RM make; all of them are to be given.
#[must_use]
pub fn touched_session(old: &[&Call], new: &[&Call]) -> BTreeSet<i64> {
    differing(part::of_session(old), part::of_session(new))
}

fn differing(old: Vec<Part>, new: Vec<Part>) -> BTreeSet<i64> {
    let mut effects: BTreeMap<_, i32> = BTreeMap::new();
    for (parts, by) in [(old, -1), (new, 1)] {
        for part in parts {
            let of = (part.measure, part.target, part.call_type);
            for effect in part.effects() {
                *effects.entry((of, effect)).or_default() += by;
            }
        }
    }
    let differing = effects.into_iter().filter(|(_, count)| *count != 0);
    differing.map(|((_, effect), _)| five_of(effect.at_ms())).collect()
}

/// What counts in the bin of the end only.
fn ending(call: &Call) -> impl PartialEq + '_ {
    let Call { result, reason, runs, sq_failed, failures, tenants, profile, .. } = call;
    let owner = call.owners.last();
    let how = (call.ended_ms, call.started_ms, call.end_state);
    (how, result, reason, runs, sq_failed, failures, tenants, profile, owner)
}
