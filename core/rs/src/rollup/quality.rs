//! How many calls of media servers were served well, in the bin of the call's end (rs.md §4.8).

use std::collections::{BTreeMap, BTreeSet};

use model::record::{EndState, FailureType, VarResult};

use super::call::Call;
use super::key::{Dim, Target};
use super::outcome::targets;
use super::sum::plus;

/// Calls of one object.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Quality {
    /// Completed.
    pub calls: i64,
    /// Of these served badly.
    pub failed: i64,
    /// Of these by number of the failure type; a call counts once in each of its types.
    pub by_type: BTreeMap<u8, i64>,
}

impl Quality {
    pub(super) fn merge(&mut self, other: &Self) {
        plus(&mut self.calls, other.calls);
        plus(&mut self.failed, other.failed);
        for (failure, count) in &other.by_type {
            plus(self.by_type.entry(*failure).or_default(), *count);
        }
    }

    fn of(call: &Call) -> Self {
        let mut types: BTreeSet<u8> = BTreeSet::new();
        if call.sq_failed {
            types.extend(&call.failures);
        }
        if call.result == Some(VarResult::Failed.number()) {
            types.insert(FailureType::AppResult.number());
        }
        if call.end_state == Some(EndState::SystemError.number()) {
            types.insert(FailureType::System.number());
        }
        let failed = i64::from(call.sq_failed || !types.is_empty());
        Self { calls: 1, failed, by_type: types.into_iter().map(|one| (one, 1)).collect() }
    }
}

/// Adds a call that ended in the bin.
pub(super) fn count(call: &Call, quality: &mut BTreeMap<Target, Quality>) {
    let one = Quality::of(call);
    let component = call.owners.last().map(|(owner, _)| Target::new(Dim::Component, *owner));
    for target in targets(call).chain(component) {
        quality.entry(target).or_default().merge(&one);
    }
}
