//! Sums of figures that records tell. Each value has its bounds ([`model::record::limits`]), but
//! their number has none: a sum stops at the end of 64 bits, where it would turn over.

/// Adds as far as there are numbers.
pub(super) const fn plus(sum: &mut i64, more: i64) {
    *sum = sum.saturating_add(more);
}

/// The sum of all, likewise.
pub(super) fn sum(values: impl IntoIterator<Item = i64>) -> i64 {
    values.into_iter().fold(0, i64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::super::figures::{Count, Figures};
    use super::super::key::{CountKey, Dim, LevelKey, Measure, Target};
    use super::super::level::{Deltas, Level, Types};
    use super::super::outcome::{Action, ActionKey, Outcome, OutcomeKey};
    use super::super::own::OwnLevel;
    use super::super::quality::Quality;

    const MOST: i64 = i64::MAX;
    const ALL: Target = Target { dim: Dim::All, id: 0, sub: 0 };
    const LEVEL: LevelKey = LevelKey { measure: Measure::Calls, target: ALL };
    const COUNT: CountKey = CountKey { measure: Measure::Calls, target: ALL, call_type: 0 };

    /// Figures of which two cannot be added.
    fn full() -> Figures {
        let mut figures = Figures::default();
        let (rejected, ended, answered) = (MOST, MOST, MOST);
        let count =
            Count { count: MOST, rejected, ended, duration_ms: MOST, answered, ..Count::default() };
        let count = Count { answered_ms: MOST, port_ms: MOST, ..count };
        figures.counts.insert(COUNT, count);
        let deltas = Deltas::from([((1, 0), MOST), ((1, 1), MOST), ((2, 0), -MOST)]);
        let start = Types::from([(0, MOST), (1, MOST)]);
        figures.levels.insert(LEVEL, Level::of(0, start, deltas));
        let outcome = Outcome { count: MOST, duration_ms: MOST };
        let key = OutcomeKey { target: ALL, result: 0, reason: 1 };
        figures.outcomes.insert(key, outcome);
        let action =
            Action { count: MOST, last_count: MOST, duration_ms: MOST, min_ms: 1, max_ms: 2 };
        let key = ActionKey { target: ALL, action: 1, result: 0 };
        figures.actions.insert(key, action);
        let quality = Quality { calls: MOST, failed: MOST, by_type: [(0, MOST)].into() };
        figures.quality.insert(ALL, quality);
        figures
    }

    #[test]
    fn sums_stop_at_the_end_of_64_bits() {
        let joined = Figures::join(0, [(0, full()), (300_000, full())]);
        let count = joined.counts[&COUNT];
        assert_eq!((count.count, count.duration_ms, count.port_ms), (MOST, MOST, MOST));
        let level = &joined.levels[&LEVEL];
        assert_eq!((level.peak, level.net[&1]), (MOST, MOST));
        assert_eq!(joined.quality.values().next().unwrap().by_type[&0], MOST);
        let one = full().levels[&LEVEL].clone();
        let mut shifted = one.clone();
        shifted.shift(&one.start);
        assert_eq!((shifted.peak, shifted.end()[&0]), (MOST, MOST));
    }

    #[test]
    fn changes_of_a_producer_stop_there_too() {
        let (bin_ms, length_ms, call_type) = (0, 60_000, 0);
        let deltas = vec![(1, MOST), (2, MOST)];
        let level = OwnLevel { bin_ms, length_ms, key: LEVEL, call_type, start: 1, deltas };
        assert_eq!(level.changes().last(), Some(&(60_000, -MOST)));
    }
}
