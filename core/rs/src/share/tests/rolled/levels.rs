//! Levels around a bin, as the tables in memory have them.

use super::*;

impl Rolled {
    /// Of each key the last row of a granularity before a bin.
    fn last(&self, at: At, of: impl Fn(LevelKey) -> bool) -> Vec<LevelRow> {
        let inside = self.0.borrow();
        let mut last: BTreeMap<LevelKey, LevelRow> = BTreeMap::new();
        let earlier = |row: &&LevelRow| row.at.gran == at.gran && row.at.bin_ms < at.bin_ms;
        for row in inside.bins.levels.iter().filter(earlier) {
            let Some(key) = row.key().filter(|key| of(*key)) else { continue };
            let known = last.entry(key).or_insert_with(|| row.clone());
            if known.at < row.at {
                *known = row.clone();
            }
        }
        last.into_values().collect()
    }

    pub(super) fn around(
        &self,
        at: At,
        before: &BTreeSet<LevelKey>,
        after: &BTreeSet<LevelKey>,
    ) -> Levels {
        let before = self.last(at, |key| before.contains(&key));
        let inside = self.0.borrow();
        let later = |row: &&LevelRow| row.at.bin_ms > at.bin_ms;
        let mine = |row: &&LevelRow| row.key().is_some_and(|key| after.contains(&key));
        let after = inside.bins.levels.iter().filter(later).filter(mine).cloned().collect();
        Levels { before, after }
    }

    pub(super) fn stands(&self, at: At) -> Vec<LevelRow> {
        let mut rows = self.last(at, |_| true);
        rows.retain(|row| row.level_start + row.net != 0);
        rows
    }
}
