//! What waits for a day that cannot be read, and what does not (rs.md §4.5): a bin with facts of
//! such a day keeps what it has, but holds up no later day.

use std::collections::{BTreeMap, BTreeSet};

use super::mark::{Job, Mark, MarkRow, Span};
use super::state::State;
use super::tables::Tables;
use super::zone::{Granularity, Zone};
use crate::key::{self, Day};

/// Marks that are read at once.
const MARKS: usize = 10_000;

/// Marks of one bin, of whichever days, are done together.
pub(super) fn grouped(marks: Vec<MarkRow>) -> Vec<Vec<MarkRow>> {
    let mut groups: BTreeMap<Mark, Vec<MarkRow>> = BTreeMap::new();
    for row in marks {
        groups.entry(row.mark).or_default().push(row);
    }
    groups.into_values().collect()
}

/// Whether the bin of these marks is made of facts of a day that cannot be read: one of that day,
/// and one that its facts are known to touch, by their marks too. It keeps what it has until they
/// can be.
pub(super) fn lacks(
    marks: &[MarkRow],
    (spans, frozen_ms): (&[Span], i64),
    unreadable: &BTreeSet<Day>,
) -> bool {
    let Some(Mark { job, bin_ms }) = marks.first().map(|row| row.mark) else { return false };
    let of_facts = matches!(job, Job::Spread | Job::Make(Granularity::FiveMinutes));
    let end_ms = end(bin_ms);
    let overlaps = |first_ms: i64, last_ms: i64| first_ms < end_ms && bin_ms <= last_ms;
    let touches = |day: &Day| {
        let mut spans = spans.iter().filter(|span| span.day == *day);
        overlaps(key::start_ms(*day), key::start_ms(key::after(*day)) - 1)
            || spans.any(|span| overlaps(span.first_ms, span.last_ms))
            || marks.iter().any(|row| row.day == *day)
    };
    of_facts && bin_ms >= frozen_ms && unreadable.iter().any(touches)
}

/// Before which instant bins are to be frozen when facts of a day go that has so many marks, and
/// touches bins before `end_ms`. `None`: bins before it are to be made first. Those that wait for
/// an older day that cannot be read are frozen as they are: whatever that day has for them comes
/// too late when it can be read.
///
/// # Errors
/// As of the database.
pub fn freezes<T: Tables + ?Sized>(
    tables: &T,
    (day, marks): (Day, u64),
    end_ms: i64,
) -> Result<Option<i64>, T::Error> {
    let older: BTreeSet<Day> = tables.unreadable().range(..day).copied().collect();
    let known = (tables.spans()?, State::of(&tables.meta()?).frozen_ms);
    // without such days the first mark says it
    let most = if older.is_empty() { 1 } else { MARKS };
    let (mut first_ms, mut end_ms, mut waiting) = (i64::MAX, end_ms, 0_u64);
    for job in [Job::Spread, Job::Make(Granularity::FiveMinutes)] {
        let mut from_ms = Some(i64::MIN);
        while let Some(at_ms) = from_ms {
            let page = tables.marks(job, at_ms, i64::MAX, most)?;
            let next_ms = page.last().map(|row| row.mark.bin_ms + 1);
            from_ms = next_ms.filter(|_| page.len() == most && most > 1);
            for rows in grouped(page) {
                let bin_ms = rows.first().map_or(i64::MAX, |row| row.mark.bin_ms);
                if !lacks(&rows, (&known.0, known.1), &older) {
                    first_ms = first_ms.min(bin_ms);
                } else if rows.iter().any(|row| row.day == day) {
                    waiting += rows.iter().map(|row| u64::from(row.day == day)).sum::<u64>();
                    end_ms = end_ms.max(end(bin_ms));
                }
            }
        }
    }
    Ok((first_ms >= end_ms && waiting >= marks).then_some(end_ms))
}

/// The end of the five-minute bin of an instant.
fn end(bin_ms: i64) -> i64 {
    Zone::utc().bin(Granularity::FiveMinutes, bin_ms).end_ms
}
