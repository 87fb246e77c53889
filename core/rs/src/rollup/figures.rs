//! All figures of one bin: what the rows of the bin tables say (rs.md §3.2).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::key::{CountKey, LevelKey, Target};
use super::level::{Level, Types, difference};
use super::outcome::{self, Action, ActionKey, Outcome, OutcomeKey};
use super::quality::Quality;
use super::sum::plus;
use crate::sketch::Sketch;

/// The figures of one bin. A row stands only where something happened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// `or_bin`: arrivals and durations.
    pub counts: BTreeMap<CountKey, Count>,
    /// `conc_bin`: concurrency.
    pub levels: BTreeMap<LevelKey, Level>,
    /// `var_bin`: results of voice applications.
    pub outcomes: BTreeMap<OutcomeKey, Outcome>,
    /// `var_action_bin`: their actions.
    pub actions: BTreeMap<ActionKey, Action>,
    /// `sq_bin`: service quality.
    pub quality: BTreeMap<Target, Quality>,
    /// `latency_bin`: response times by component and type.
    pub latencies: BTreeMap<(i64, String), Sketch>,
    /// `text_dim`: the texts behind ids in these figures.
    pub texts: BTreeMap<i64, String>,
}

/// Calls, sessions or ports of one object and type.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// Arrived in the bin.
    pub count: i64,
    /// Of these refused.
    pub rejected: i64,
    /// Ended in the bin.
    pub ended: i64,
    /// Sum of the durations of those that ended.
    pub duration_ms: i64,
    /// The longest of them.
    pub max_duration_ms: i64,
    /// Those that ended and had been answered.
    pub answered: i64,
    /// Their time from the answer to the end.
    pub answered_ms: i64,
    /// Time of their ports, of the measures `asr` and `tts`.
    pub port_ms: i64,
}

impl Count {
    pub(super) fn merge(&mut self, other: &Self) {
        plus(&mut self.count, other.count);
        plus(&mut self.rejected, other.rejected);
        plus(&mut self.ended, other.ended);
        plus(&mut self.duration_ms, other.duration_ms);
        self.max_duration_ms = self.max_duration_ms.max(other.max_duration_ms);
        plus(&mut self.answered, other.answered);
        plus(&mut self.answered_ms, other.answered_ms);
        plus(&mut self.port_ms, other.port_ms);
    }
}

impl Figures {
    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
            && self.levels.is_empty()
            && self.outcomes.is_empty()
            && self.actions.is_empty()
            && self.quality.is_empty()
            && self.latencies.is_empty()
    }

    /// The figures of the bin that begins at `bin_ms`, of those of its smaller bins, by their
    /// starts.
    #[must_use]
    pub fn join(bin_ms: i64, bins: impl IntoIterator<Item = (i64, Self)>) -> Self {
        let mut joined = Self::default();
        for (start_ms, bin) in bins {
            joined.extend(bin_ms, start_ms, bin);
        }
        joined.limit();
        joined
    }

    /// Adds the next smaller bin to those that are joined already. After the last one the sum is
    /// brought within its limits ([`Figures::limit`]).
    pub(super) fn extend(&mut self, bin_ms: i64, start_ms: i64, bin: Self) {
        for (key, count) in bin.counts {
            self.counts.entry(key).or_default().merge(&count);
        }
        for (key, level) in bin.levels {
            match self.levels.entry(key) {
                Entry::Vacant(place) => drop(place.insert(level.alone(bin_ms, start_ms))),
                Entry::Occupied(mut joined) => joined.get_mut().extend(&level),
            }
        }
        for (key, outcome) in bin.outcomes {
            self.outcomes.entry(key).or_default().merge(&outcome);
        }
        for (key, action) in bin.actions {
            self.actions.entry(key).or_default().merge(&action);
        }
        for (key, quality) in bin.quality {
            self.quality.entry(key).or_default().merge(&quality);
        }
        for (key, sketch) in bin.latencies {
            self.latencies.entry(key).or_default().merge(&sketch);
        }
        self.texts.extend(bin.texts);
    }

    /// Brings reasons and actions within their limits.
    pub(super) fn limit(&mut self) {
        outcome::limit(&mut self.outcomes, &mut self.actions, &mut self.texts);
    }

    /// Lets each level begin with what was there before the bin, given by key; absent: nothing.
    pub fn carry(&mut self, before: &BTreeMap<LevelKey, Types>) {
        for (key, level) in &mut self.levels {
            if let Some(before) = before.get(key) {
                level.shift(&difference(&level.start, before));
            }
        }
    }

    /// By how much the levels after the bin move when these figures take the place of others,
    /// whose nets are given by key.
    #[must_use]
    pub fn moved(&self, nets: &BTreeMap<LevelKey, Types>) -> BTreeMap<LevelKey, Types> {
        let mut moved = BTreeMap::new();
        let none = Types::new();
        for key in self.levels.keys().chain(nets.keys()) {
            let net = self.levels.get(key).map_or(&none, |level| &level.net);
            let by = difference(nets.get(key).unwrap_or(&none), net);
            if !by.is_empty() {
                moved.insert(*key, by);
            }
        }
        moved
    }
}
