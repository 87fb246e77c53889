//! Levels of one object that is stored under several ids: of all of them together (rs.md §4.4).

use std::collections::BTreeMap;

use super::key::LevelKey;
use super::level::{Deltas, Level, Types, add};
use super::rows::{At, LevelRow};
use super::sum::plus;
use super::zone::{Bin, Granularity};

/// An id of an object, of a measure and a service.
type Id = (i64, u8, u8);

/// One bin of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct United {
    /// The level. `None`: it changes under several ids, and which peak these have together is not
    /// known from their own; maxima are never added.
    pub level: Option<Level>,
    /// What stands after the bin.
    pub end: Types,
}

/// The bins in which one of these rows stands, all of one length; `before`: the last rows before
/// the first bin.
#[must_use]
pub fn united(before: &[&LevelRow], rows: &[&LevelRow]) -> BTreeMap<i64, United> {
    let id = |row: &LevelRow| -> Id { (row.dim_id, row.measure, row.sub) };
    let level = |row: &LevelRow| row.level().unwrap_or_default();
    let mut ends: BTreeMap<Id, Types> =
        before.iter().map(|row| (id(row), level(row).end())).collect();
    let mut bins: BTreeMap<i64, Vec<&LevelRow>> = BTreeMap::new();
    for row in rows {
        bins.entry(row.at.bin_ms).or_default().push(row);
    }
    let mut united = BTreeMap::new();
    for (bin_ms, rows) in bins {
        let one = if let [row] = rows[..] {
            let mut one = level(row);
            let others = ends.iter().filter(|(of, _)| **of != id(row));
            others.for_each(|(_, types)| one.shift(types));
            Some(one)
        } else {
            None
        };
        ends.extend(rows.iter().map(|row| (id(row), level(row).end())));
        united.insert(bin_ms, United { level: one, end: sum(ends.values()) });
    }
    united
}

/// What stands after these rows, of all of them together.
#[must_use]
pub fn standing(rows: &[&LevelRow]) -> Types {
    let ends: Vec<Types> =
        rows.iter().filter_map(|row| row.level()).map(|level| level.end()).collect();
    sum(ends.iter())
}

/// Levels of members that share no call, in these bins and as those of one object, of rows of five
/// minutes with their lists of changes, and the last rows before the first bin. `None`: a list is
/// not kept any more.
#[must_use]
pub fn merged(
    before: &[LevelRow],
    rows: &[LevelRow],
    (key, of, bins): (LevelKey, Granularity, &[Bin]),
) -> Option<Vec<LevelRow>> {
    let mut stands = standing(&before.iter().collect::<Vec<_>>());
    let mut changes: BTreeMap<i64, Deltas> = BTreeMap::new();
    for row in rows {
        let all = changes.entry(row.at.bin_ms).or_default();
        for (at, by) in row.level()?.deltas? {
            plus(all.entry(at).or_default(), by);
        }
    }
    let mut merged = Vec::new();
    for bin in bins {
        let still = Level::of(bin.start_ms, stands.clone(), Deltas::new());
        let mut parts = Vec::new();
        for (at_ms, deltas) in changes.range(bin.start_ms..bin.end_ms) {
            let level = Level::of(*at_ms, stands, deltas.clone());
            stands = level.end();
            parts.push((*at_ms, level));
        }
        let level = Level::join(bin.start_ms, parts).unwrap_or(still);
        merged.push(LevelRow::of(At::new(of, bin.start_ms), key, &level));
    }
    Some(merged)
}

fn sum<'t>(all: impl Iterator<Item = &'t Types>) -> Types {
    let mut sum = Types::new();
    for types in all {
        types.iter().for_each(|(call_type, by)| add(&mut sum, *call_type, *by));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::{Measure, Target};

    fn row(id: i64, bin_ms: i64, start: i64, deltas: &[(u32, i64)]) -> LevelRow {
        let types: Types = [(1, start)].into_iter().filter(|(_, n)| *n != 0).collect();
        let deltas: Deltas = deltas.iter().map(|(ms, by)| ((*ms, 1), *by)).collect();
        let row = LevelRow::of(
            At::new(Granularity::FiveMinutes, bin_ms),
            LevelKey { measure: Measure::Calls, target: Target::default() },
            &Level::of(bin_ms, types, deltas),
        );
        LevelRow { dim_id: id, ..row }
    }

    #[test]
    fn what_stands_of_one_adds_to_the_peak_of_the_other() {
        let before = row(1, 0, 0, &[(5, 2)]);
        let rows = [row(2, 300_000, 0, &[(9, 3), (10, -1)]), row(1, 600_000, 2, &[(1, -2)])];
        let both = [row(1, 900_000, 0, &[(1, 1)]), row(2, 900_000, 2, &[(2, 1)])];
        let all: Vec<_> = rows.iter().chain(&both).collect();
        let united = united(&[&before], &all);
        let told = |at: i64| {
            let level: Option<&Level> = united[&at].level.as_ref();
            level.map(|of| (of.peak, of.peak_ms, of.end()))
        };
        assert_eq!(told(300_000), Some((5, 300_009, [(1, 4)].into())));
        assert_eq!(told(600_000), Some((4, 600_000, [(1, 2)].into())));
        assert_eq!(told(900_000), None, "2 or 3 or 4 at once");
        assert_eq!(united[&900_000].end, [(1, 4)].into());
        let (one, other) = ([row(1, 0, 0, &[(5, 2)])], [row(2, 0, 0, &[(1, 3)])]);
        let before: Vec<_> = one.iter().chain(&other).cloned().collect();
        let rows: Vec<_> = rows.iter().chain(&both).cloned().collect();
        let key = LevelKey { measure: Measure::Calls, target: Target::default() };
        let bins = [(300_000, 900_000), (900_000, 1_500_000)];
        let bins = bins.map(|(start_ms, end_ms)| Bin { start_ms, end_ms });
        let asked = (key, Granularity::FiveMinutes, &bins[..]);
        let levels = merged(&before, &rows, asked).unwrap();
        let told = levels.iter().map(|row| (row.level_start, row.net, row.peak, row.peak_ms));
        let expected = [(5, 0, 8, 300_009), (5, 2, 7, 900_002)];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        let old = LevelRow { deltas: None, ..rows[0].clone() };
        assert_eq!(merged(&before, &[old], asked), None);
        assert_eq!(standing(&both.iter().collect::<Vec<_>>()), [(1, 4)].into());
    }
}
