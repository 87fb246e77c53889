//! The nightly look whether levels are those of the facts (rs.md §4.4). They must be; what differs
//! is put right, and told.

use std::collections::{BTreeMap, BTreeSet};

use super::five::covering;
use super::key::LevelKey;
use super::level::{Types, difference};
use super::mark::Job;
use super::read::read;
use super::rows::{At, LevelRow};
use super::state::State;
use super::stored::{Question, Which};
use super::tables::{Changes, Tables};
use super::work::Rules;
use super::zone::Granularity;
use crate::share::Objects;

/// Whose levels are looked at: those of a day before.
const DAY_MS: i64 = 86_400_000;

/// Compares the levels at an instant with a count of what is there then, and repairs those that
/// differ. Gives how many did; `None`: marks before the instant are not done yet, or facts are
/// gone or cannot be read.
///
/// # Errors
/// As of the database.
pub fn check<T: Tables + ?Sized>(
    tables: &T,
    objects: &mut Objects,
    rules: &Rules<'_>,
    at_ms: i64,
) -> Result<Option<usize>, T::Error> {
    let (state, aliases) = (State::of(&tables.meta()?), tables.aliases()?);
    let adopted = state.aliases == aliases.digest();
    // at the first bin that is made the job itself compares
    let unknown = state.frozen_ms >= at_ms || !adopted || !tables.unreadable().is_empty();
    if unknown || is_marked(tables, at_ms)? {
        return Ok(None);
    }
    let days = tables.spans()?.iter().map(|span| span.day).collect();
    let question = Question { which: Which::Covering(at_ms), days, all_ports: false };
    let known = (rules, &state, &aliases);
    let facts = read((tables, &mut *objects), known, &question, false)?;
    let (expected, _) = covering(at_ms, &facts);
    let day = rules.zone.bin(Granularity::Day, at_ms - 1);
    let of_day = tables.rows(Granularity::Day, day.start_ms - DAY_MS, at_ms)?;
    let mut keys: BTreeSet<_> = of_day.levels.iter().filter_map(LevelRow::key).collect();
    keys.extend(expected.keys());
    let at = At::new(Granularity::FiveMinutes, at_ms);
    let before = tables.levels(at, &keys, &BTreeSet::new())?.before;
    let mut wrong: BTreeMap<LevelKey, Types> = expected;
    for row in &before {
        let Some((key, level)) = row.key().zip(row.level()) else { continue };
        let by = difference(&level.end(), &wrong.remove(&key).unwrap_or_default());
        wrong.insert(key, by);
    }
    wrong.retain(|_, by| !by.is_empty());
    if wrong.is_empty() {
        return Ok(Some(0));
    }
    // a fact that came meanwhile has left a mark
    if is_marked(tables, at_ms)? {
        return Ok(None);
    }
    let drifted = wrong.len();
    let asked = At::new(Granularity::FiveMinutes, at_ms - 1);
    let after = tables.levels(asked, &BTreeSet::new(), &wrong.keys().copied().collect())?.after;
    let rows = before.iter().chain(&after);
    let repaired = rows.filter_map(|row| {
        let (key, mut level) = row.key().zip(row.level())?;
        level.shift(wrong.get(&key)?);
        Some(LevelRow::of(row.at, key, &level))
    });
    let mut changes =
        Changes { fence: Some(rules.fence), guard: state.guard(), ..Changes::default() };
    changes.put.levels.extend(repaired);
    let written = tables.write(&changes, rules.now_ms)?;
    Ok(written.then_some(drifted))
}

/// Whether anything before the instant is to be made again.
fn is_marked<T: Tables + ?Sized>(tables: &T, at_ms: i64) -> Result<bool, T::Error> {
    for job in [Job::Spread, Job::Make(Granularity::FiveMinutes), Job::Make(Granularity::Day)] {
        let first = tables.marks(job, i64::MIN, i64::MAX, 1)?;
        if first.first().is_some_and(|row| row.mark.bin_ms < at_ms) {
            return Ok(true);
        }
    }
    Ok(false)
}
