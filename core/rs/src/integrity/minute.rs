//! The books of minutes: what producers told against what was stored.

use std::collections::{BTreeMap, BTreeSet};

use super::{JUDGED_AFTER_MS, MINUTE_MS};

/// What one start of a producer told of one minute (`or.integrity`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// The process.
    pub producer: String,
    /// Its start, as the bits of an `i64`.
    pub boot: i64,
    /// Start of the minute.
    pub minute_ms: i64,
    /// Records begun.
    pub calls_in: i64,
    /// Ends made.
    pub records_out: i64,
    /// Calls taken over.
    pub adopted_in: i64,
    /// Calls given away.
    pub handed_out: i64,
    /// Of `records_out` refused.
    pub rejected: i64,
    /// Calls not ended.
    pub in_progress: i64,
}

/// Ends of one start of a producer that are stored, by the minute of their time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stored {
    /// The process.
    pub producer: String,
    /// Its start.
    pub boot: i64,
    /// Start of the minute.
    pub minute_ms: i64,
    /// How many.
    pub stored: i64,
}

/// Why a minute is out of balance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// Rule 1: `records_out` is not what is stored.
    Records,
    /// Rule 2: calls in progress do not follow from the minute before.
    Progress,
    /// The producer has told later minutes, but not this one.
    NotTold,
}

impl Fault {
    /// As answers name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Progress => "progress",
            Self::NotTold => "not_told",
        }
    }
}

/// One minute of one start of a producer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// What was told; zeros where nothing was.
    pub told: Told,
    /// Ends stored.
    pub stored: i64,
    /// `records_out` − `stored`: records that are missing; below 0: more than were told.
    pub difference: i64,
    /// Out of balance; `None` also while it is too early to say.
    pub fault: Option<Fault>,
}

/// All producers together: a call that nobody adopted shows here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Total {
    /// Records begun.
    pub calls_in: i64,
    /// Ends made.
    pub records_out: i64,
    /// Calls in progress before the first minute and after the last one.
    pub in_progress: (i64, i64),
    /// Calls that came in and are neither ended nor in progress.
    pub difference: i64,
}

/// The starts of producers of which [`judge`] has to know the first minute: those that told a
/// minute from `from_ms` on and not the one before.
#[must_use]
pub fn beginnings(told: &[Told], from_ms: i64) -> BTreeSet<(String, i64)> {
    let all: BTreeSet<_> =
        told.iter().map(|row| (&*row.producer, row.boot, row.minute_ms)).collect();
    let begins = |row: &&Told| {
        let before = (&*row.producer, row.boot, row.minute_ms.saturating_sub(MINUTE_MS));
        row.minute_ms >= from_ms && !all.contains(&before)
    };
    told.iter().filter(begins).map(|row| (row.producer.clone(), row.boot)).collect()
}

/// Judges the minutes from `from_ms` on. `told` begins a minute earlier; `first`: the first minute
/// that each start told, whenever that was, of those that are [`beginnings`] at least.
#[must_use]
pub fn judge(
    told: &[Told],
    stored: &[Stored],
    first: &BTreeMap<(String, i64), i64>,
    from_ms: i64,
    now_ms: i64,
) -> Vec<Judged> {
    let of = |told: &Told| (told.producer.clone(), told.boot, told.minute_ms);
    let told: BTreeMap<_, &Told> = told.iter().map(|told| (of(told), told)).collect();
    let at = |row: &Stored| (row.producer.clone(), row.boot, row.minute_ms);
    let stored: BTreeMap<_, i64> = stored.iter().map(|row| (at(row), row.stored)).collect();
    let mut minutes: BTreeSet<_> = told.keys().chain(stored.keys()).cloned().collect();
    minutes.extend(untold(&told));
    let minutes = minutes.into_iter().filter(|(_, _, minute_ms)| *minute_ms >= from_ms);
    minutes
        .map(|key| {
            let stored = stored.get(&key).copied().unwrap_or_default();
            let (producer, boot, minute_ms) = key.clone();
            let nothing = Told { producer: producer.clone(), boot, minute_ms, ..Told::default() };
            let row = told.get(&key).copied();
            let early = now_ms < minute_ms.saturating_add(MINUTE_MS + JUDGED_AFTER_MS);
            let fault = match row {
                _ if early => None,
                Some(row) if row.records_out != stored => Some(Fault::Records),
                Some(row) => {
                    let before = (producer.clone(), boot, minute_ms - MINUTE_MS);
                    let before = told.get(&before).map(|before| before.in_progress);
                    let begins = first.get(&(producer, boot)).is_none_or(|ms| *ms >= minute_ms);
                    (!follows(row, before.or(begins.then_some(0)))).then_some(Fault::Progress)
                }
                // a start that ends in the middle of a minute never tells it: its sequences do
                None => later(&told, &key).then_some(Fault::NotTold),
            };
            let told = row.cloned().unwrap_or(nothing);
            Judged { difference: told.records_out - stored, told, stored, fault }
        })
        .collect()
}

/// The figures of all producers over the minutes from `from_ms` on; `told` begins a minute earlier.
/// A start of a producer whose calls were taken over is not added twice: it counts no further than
/// its last minute.
#[must_use]
pub fn total(told: &[Told], from_ms: i64) -> Total {
    let last = told.iter().map(|told| told.minute_ms).max().unwrap_or_default();
    let at = |minute_ms: i64| {
        let rows = told.iter().filter(|told| told.minute_ms == minute_ms);
        rows.map(|told| told.in_progress).sum::<i64>()
    };
    let inside = || told.iter().filter(|told| told.minute_ms >= from_ms);
    let calls_in = inside().map(|told| told.calls_in).sum();
    let records_out = inside().map(|told| told.records_out).sum();
    let in_progress = (at(from_ms - MINUTE_MS), if last < from_ms { 0 } else { at(last) });
    let difference = in_progress.0 + calls_in - records_out - in_progress.1;
    Total { calls_in, records_out, in_progress, difference }
}

/// Rule 2, with the calls in progress before; `None`: that minute is missing.
fn follows(row: &Told, before: Option<i64>) -> bool {
    let moved = row.calls_in + row.adopted_in - row.records_out - row.handed_out;
    before.is_some_and(|before| before + moved == row.in_progress)
}

type Key = (String, i64, i64);

/// Whether the same start told a later minute.
fn later(told: &BTreeMap<Key, &Told>, (producer, boot, minute_ms): &Key) -> bool {
    let after = (producer.clone(), *boot, *minute_ms + 1);
    told.range(after..).next().is_some_and(|((of, at, _), _)| of == producer && at == boot)
}

/// Minutes between two told ones of which nothing is known at all. A pause of more than a day says
/// no more than a day of them.
fn untold(told: &BTreeMap<Key, &Told>) -> Vec<Key> {
    const DAY: i64 = 1440;
    let pairs = told.keys().zip(told.keys().skip(1));
    let gaps = pairs.filter(|(a, b)| (&a.0, a.1) == (&b.0, b.1));
    let minutes = gaps.flat_map(|(a, b)| {
        let between = (b.2 - a.2) / MINUTE_MS;
        (1..between.min(DAY)).map(|n| (a.0.clone(), a.1, a.2 + n * MINUTE_MS))
    });
    minutes.collect()
}
