//! Which fact goes before which, and whether the call is over (rs.md §2.9 rules 1 to 4).
//!
//! In progress, signs of life go before ends, which then no longer count; over, the end that
//! decides goes first, then the other ends, then signs of life.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use model::record::EndState;
use serde::{Deserialize, Serialize};

use super::END;
use crate::fact::{CallFact, End};

/// Rule 1: phase, epoch, number in the id, id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) struct Rank {
    phase: u8,
    epoch: u64,
    number: u64,
    id: String,
}

/// Rule 6: the lowest epoch and phase come first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) struct Early {
    epoch: u64,
    phase: u8,
    number: u64,
    id: String,
}

/// Whether a call is over, and by which end.
pub(super) struct Verdict<'f> {
    deciding: Option<(&'f CallFact, &'f End)>,
    reopened: bool,
    double: bool,
}

impl Rank {
    pub(super) fn of(fact: &CallFact) -> Self {
        Self { phase: fact.phase, epoch: fact.epoch, number: fact.number, id: fact.id.clone() }
    }

    /// Whether it is that of the fact of this id.
    pub(super) fn is_of(&self, id: &str) -> bool {
        self.id == id
    }
}

impl Early {
    pub(super) fn of(fact: &CallFact) -> Self {
        Self { epoch: fact.epoch, phase: fact.phase, number: fact.number, id: fact.id.clone() }
    }

    /// Id, phase, epoch and number of the fact.
    pub(super) fn parts(&self) -> (&str, u8, u64, u64) {
        (&self.id, self.phase, self.epoch, self.number)
    }
}

impl<'f> Verdict<'f> {
    /// `alive`: the last sign of life by epoch, of facts that are no longer there.
    pub(super) fn of(facts: &'f [CallFact], alive: &BTreeMap<u64, i64>) -> Self {
        let ends = || facts.iter().filter_map(|fact| Some((fact, fact.end.as_ref()?)));
        let deciding = ends().max_by(|(a, _), (b, _)| end_rank(a).cmp(&end_rank(b)));
        let last_epoch = ends().map(|(fact, _)| fact.epoch).max();
        let signs = facts.iter().filter(|fact| fact.phase != END);
        let signs = signs.map(|fact| (fact.epoch, fact.time_ms));
        let mut signs = signs.chain(alive.iter().map(|(epoch, time)| (*epoch, *time)));
        let reopened = deciding.is_some_and(|(_, end)| {
            signs.any(|(epoch, time)| Some(epoch) > last_epoch && time > end.ended_ms)
        });
        let double = deciding.is_some_and(|(first, end)| {
            !is_presumed(end)
                && ends().any(|(fact, end)| {
                    fact.epoch == first.epoch && fact.id != first.id && !is_presumed(end)
                })
        });
        Self { deciding, reopened, double }
    }

    /// The end in force; `None` while the call is in progress.
    pub(super) fn end(&self) -> Option<&'f End> {
        self.deciding.filter(|_| !self.reopened).map(|(_, end)| end)
    }

    pub(super) const fn is_reopened(&self) -> bool {
        self.reopened
    }

    pub(super) const fn is_double(&self) -> bool {
        self.double
    }

    /// All facts, the one whose values go first at the head.
    pub(super) fn order(&self, facts: impl Iterator<Item = &'f CallFact>) -> Vec<&'f CallFact> {
        let (mut ends, mut signs): (Vec<_>, Vec<_>) = facts.partition(|fact| fact.end.is_some());
        ends.sort_by_cached_key(|fact| Reverse(end_rank(fact)));
        signs.sort_by_cached_key(|fact| Reverse(Rank::of(fact)));
        if self.reopened { [signs, ends].concat() } else { [ends, signs].concat() }
    }
}

/// Rules 2 and 4: presumed ends below all others, then epoch, end time, and the smaller id.
fn end_rank(fact: &CallFact) -> (bool, u64, i64, Reverse<&str>) {
    let end = fact.end.as_ref();
    let ended = end.map_or(i64::MIN, |end| end.ended_ms);
    (end.is_some_and(|end| !is_presumed(end)), fact.epoch, ended, Reverse(&fact.id))
}

fn is_presumed(end: &End) -> bool {
    EndState::from_number(end.state).is_some_and(EndState::is_presumed)
}
