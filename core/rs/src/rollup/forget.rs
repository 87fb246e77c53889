//! Which bins may go by their age (rs.md §9, §10).
//!
//! A bin goes when it is older than its days, and nothing is made of it any more: up to an hour it
//! is frozen (`State::frozen_ms`), no mark asks for it or for what is made of it, and the larger
//! bin that it is part of lies before those that stay as a whole.

use super::mark::Job;
use super::state::State;
use super::tables::{Changes, Tables};
use super::zone::{Granularity, Zone};

/// Figures that have days of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    /// Arrivals, peaks and durations.
    Operations,
    /// What voice applications reported.
    Outcomes,
    /// Response times.
    Latencies,
    /// Service quality.
    Quality,
}

/// Whole days of the zone that bins are kept after their end, by granularity, the smallest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BinDays {
    /// Of [`Sort::Operations`].
    pub operations: [u32; 6],
    /// Of [`Sort::Outcomes`].
    pub outcomes: [u32; 6],
    /// Of [`Sort::Latencies`].
    pub latencies: [u32; 6],
    /// Of [`Sort::Quality`].
    pub quality: [u32; 6],
}

/// Bins that may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone {
    /// Which figures.
    pub sort: Sort,
    /// Which bins.
    pub of: Granularity,
    /// Those that begin before this instant, UTC ms. Of a level the last one of them stays as long
    /// as it is not 0: it is the level of what follows.
    pub before_ms: i64,
}

impl Sort {
    /// All, in the order of their numbers in `meta`.
    pub(super) const ALL: [Self; 4] =
        [Self::Operations, Self::Outcomes, Self::Latencies, Self::Quality];
}

impl BinDays {
    fn all(&self) -> [(Sort, [u32; 6]); 4] {
        [
            (Sort::Operations, self.operations),
            (Sort::Outcomes, self.outcomes),
            (Sort::Latencies, self.latencies),
            (Sort::Quality, self.quality),
        ]
    }
}

/// Decides which bins may go, and has it remembered: from now on no larger bin is made of them.
/// Empty: something else was decided meanwhile, and it is asked again another time.
///
/// # Errors
/// As of the database.
pub fn forget<T: Tables + ?Sized>(
    tables: &T,
    zone: &Zone,
    days: &BinDays,
    now_ms: i64,
) -> Result<Vec<Gone>, T::Error> {
    let state = State::of(&tables.meta()?);
    let mut first = [i64::MAX; Job::ALL.len()];
    for (first, job) in first.iter_mut().zip(Job::ALL) {
        let marks = tables.marks(job, i64::MIN, i64::MAX, 1)?;
        *first = marks.first().map_or(i64::MAX, |row| row.mark.bin_ms);
    }
    let mut gone = Vec::new();
    for (of, at) in Granularity::ALL.into_iter().zip(0_usize..) {
        let marked_ms = Job::ALL.into_iter().zip(first);
        let marked_ms = marked_ms.filter(|(job, _)| concerns(*job, of)).map(|(_, first)| first);
        let made_ms = if of <= Granularity::Hour { state.frozen_ms } else { i64::MAX };
        let still_ms = marked_ms.min().unwrap_or(i64::MAX).min(made_ms);
        for (sort, days) in days.all() {
            let old_ms = zone.day_start(now_ms, days.get(at).copied().unwrap_or(u32::MAX));
            let before_ms = whole(zone, of, old_ms.min(still_ms));
            gone.push(Gone { sort, of, before_ms });
        }
    }
    gone.retain(|gone| gone.before_ms > 0);
    let meta = state.forget(&gone);
    if meta.is_empty() {
        return Ok(gone);
    }
    let changes = Changes { guard: state.guard(), meta, ..Changes::default() };
    Ok(if tables.write(&changes, now_ms)? { gone } else { Vec::new() })
}

/// Whether a mark of this job may come to change bins of this length, or be made of them.
fn concerns(job: Job, of: Granularity) -> bool {
    let smaller = |job: Granularity| {
        let mut made = Some(of);
        while let Some(at) = made {
            if at == job {
                return true;
            }
            made = at.child();
        }
        false
    };
    match job {
        Job::Spread => true,
        Job::Make(job) => smaller(job) || of.parents().contains(&job),
    }
}

/// The start of the bin that an instant lies in, and of those that are made of it.
fn whole(zone: &Zone, of: Granularity, at_ms: i64) -> i64 {
    let start_ms = zone.bin(of, at_ms).start_ms;
    let parents = of.parents().iter().map(|parent| zone.bin(*parent, start_ms).start_ms);
    parents.chain([start_ms]).min().unwrap_or(start_ms)
}
