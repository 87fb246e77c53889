//! The job that makes bins of marks (rs.md §4.5): a machine over [`Tables`].
//!
//! ```text
//! mark of five minutes: facts of the bin ─► figures ─► rows that change, later levels shifted,
//!                       larger bins marked, all in one transaction; then the mark goes
//! mark of a larger bin: rows of its smaller bins ─► figures ─► the same
//! ```
//! What is done twice gives the same, so a crash anywhere leaves a mark, and the bin is made again.
//! A bin with facts in a day that cannot be read waits, with its mark, and holds up no other.

mod boundary;

use std::collections::BTreeSet;

use self::boundary::Entering;
use super::alias::Aliases;
use super::change::{Joined, Remade};
use super::five::Facts;
use super::mark::{Job, Mark, MarkRow, Span};
use super::read::read;
use super::rows::At;
use super::state::State;
use super::stored::{Question, Which};
use super::tables::{Changes, Tables};
use super::waits::{grouped, lacks};
use super::zone::{Bin, Granularity, Zone, five_of};
use crate::key::{self, Day};
use crate::share::Objects;

/// Marks of one job that are taken at once, of bins of now,
const FRESH: usize = 50;
/// and of older ones: a long past that is made again does not keep those of now waiting.
const OTHERS: usize = 20;
/// Marks that are written at once.
const MARKS: usize = 10_000;
/// Length of the smallest bins, ms.
const FIVE_MS: usize = 300_000;
/// How far back bins are of now, ms.
const FRESH_MS: i64 = 3_600_000;

/// What the job goes by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'r> {
    /// The zone of larger bins.
    pub zone: &'r Zone,
    /// Age of a mark of five minutes before it is done, ms (`rs.rollup.delay`).
    pub delay_ms: i64,
    /// Age of a bin from which on its list of changes is not kept, ms (`rs.rollup.delta_days`).
    pub deltas_ms: i64,
    /// Numbers that get figures on one day (`rs.rollup.dn_limit`).
    pub numbers: usize,
    /// Of the lease under which it works.
    pub fence: u64,
    /// Now, UTC ms.
    pub now_ms: i64,
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Done {
    /// Bins that were made.
    pub bins: u64,
    /// Facts that came for frozen bins.
    pub late_lost: u64,
    /// More is to be done at once.
    pub more: bool,
}

/// Age that marks of this job have to have, ms: a larger bin waits for more of its smaller ones;
/// all together are less than the two minutes after which a month is up to date.
const fn delay_ms(job: Job, five_ms: i64) -> i64 {
    match job {
        Job::Spread | Job::Make(Granularity::FiveMinutes) => five_ms,
        Job::Make(Granularity::ThirtyMinutes | Granularity::Hour) => 4 * five_ms,
        Job::Make(Granularity::Day | Granularity::Week | Granularity::Month) => 10 * five_ms,
    }
}

/// One step of the job under way.
struct Work<'w, T: Tables + ?Sized> {
    tables: &'w T,
    rules: &'w Rules<'w>,
    objects: &'w mut Objects,
    state: State,
    aliases: Aliases,
    spans: Vec<Span>,
    /// Days whose facts cannot be read.
    unreadable: BTreeSet<Day>,
    done: Done,
}

/// What came of the marks of a bin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    /// The bin is made.
    Whole,
    /// It was in vain: something was decided meanwhile.
    Vain,
    /// It waits for a day that cannot be read.
    Waits,
}

/// Does what is due, as much as is taken at once; `objects` remembers names from turn to turn.
/// Between two bins it asks whether to go on; what is left has its marks.
///
/// # Errors
/// As of the database, also when another has taken the lease; the same again goes on where it
/// stopped.
pub fn work<T: Tables + ?Sized>(
    tables: &T,
    objects: &mut Objects,
    rules: &Rules<'_>,
    goes_on: impl Fn() -> bool,
) -> Result<Done, T::Error> {
    let (state, spans, aliases) = (State::of(&tables.meta()?), tables.spans()?, tables.aliases()?);
    let unreadable = tables.unreadable();
    let done = Done::default();
    let mut work = Work { tables, rules, objects, state, aliases, spans, unreadable, done };
    if !work.adopt()? || !work.returned()? {
        work.done.more = true;
        return Ok(work.done);
    }
    for fresh in [true, false] {
        for job in Job::ALL {
            if !work.job(job, fresh, &goes_on)? {
                work.done.more = true;
                return Ok(work.done);
            }
        }
    }
    Ok(work.done)
}

/// Start of the first bin of now.
fn fresh_ms(job: Job, rules: &Rules<'_>) -> i64 {
    let of = match job {
        Job::Spread => Granularity::FiveMinutes,
        Job::Make(of) => of,
    };
    rules.zone.bin(of, rules.now_ms.saturating_sub(FRESH_MS)).start_ms
}

/// Marks bin by bin, whether there are more of them, and where those begin.
type Page = (Vec<Vec<MarkRow>>, bool, Option<i64>);

impl<T: Tables + ?Sized> Work<'_, T> {
    /// Ids have become those of other objects: all bins that are not frozen are made again, each
    /// by its turn, under the ids that objects have now. False: it was in vain.
    fn adopt(&mut self) -> Result<bool, T::Error> {
        let digest = self.aliases.digest();
        if self.state.aliases == digest {
            return Ok(true);
        }
        let mut changes = Changes {
            fence: Some(self.rules.fence),
            guard: self.state.guard(),
            ..Changes::default()
        };
        let (first_ms, last_ms) = self.tables.extent()?.unwrap_or((i64::MAX, i64::MIN));
        let first_ms = first_ms.max(self.state.frozen_ms);
        let mut bins = (first_ms..=last_ms).step_by(FIVE_MS).peekable();
        while bins.peek().is_some() {
            changes.marks = bins.by_ref().take(MARKS).map(Mark::five).collect();
            if !self.tables.write(&changes, self.rules.now_ms)? {
                return Ok(false);
            }
        }
        changes.marks = self.state.boundary().map(Mark::five).into_iter().collect();
        changes.meta = State::aliased(&digest);
        self.state.aliases = digest;
        self.tables.write(&changes, self.rules.now_ms)
    }

    /// Does a page of what is due of a job: of bins of now, or of older ones; where all of it waits
    /// for days that cannot be read, the next page. False: told to end, or something was decided
    /// meanwhile, and with that in mind it is to be done once more.
    fn job(
        &mut self,
        job: Job,
        fresh: bool,
        goes_on: &impl Fn() -> bool,
    ) -> Result<bool, T::Error> {
        let mut from_ms = if fresh { fresh_ms(job, self.rules) } else { i64::MIN };
        loop {
            let (marks, full, next_ms) = self.due(job, fresh, from_ms)?;
            let mut waits = true;
            for marks in marks {
                if !goes_on() {
                    return Ok(false);
                }
                match self.mark(&marks).or_else(|error| self.damage(error))? {
                    Made::Whole => waits = false,
                    Made::Vain => return Ok(false),
                    Made::Waits => {}
                }
            }
            match next_ms {
                Some(next_ms) if waits => from_ms = next_ms,
                _ => {
                    // what waits is not to be had sooner
                    self.done.more |= full && !waits;
                    return Ok(true);
                }
            }
        }
    }

    /// A page of marks that are due, bin by bin; whether there are more; where the next one begins.
    fn due(&self, job: Job, fresh: bool, from_ms: i64) -> Result<Page, T::Error> {
        let (now_ms, fresh_ms) = (self.rules.now_ms, fresh_ms(job, self.rules));
        let until_ms = now_ms.saturating_sub(delay_ms(job, self.rules.delay_ms));
        let most = if fresh { FRESH } else { OTHERS };
        // by time: the older ones come first
        let mut marks = self.tables.marks(job, from_ms, until_ms, most)?;
        let full = marks.len() == most;
        let next_ms = marks.last().map(|row| row.mark.bin_ms + 1);
        let next_ms = next_ms.filter(|next_ms| full && (fresh || *next_ms < fresh_ms));
        marks.retain(|row| fresh || row.mark.bin_ms < fresh_ms);
        Ok((grouped(marks), full, next_ms))
    }

    /// Does the marks of one bin.
    fn mark(&mut self, marks: &[MarkRow]) -> Result<Made, T::Error> {
        let Some(mark) = marks.first().map(|row| row.mark) else { return Ok(Made::Whole) };
        let known = (&self.spans[..], self.state.frozen_ms);
        if lacks(marks, known, &self.unreadable) {
            return Ok(Made::Waits);
        }
        let Mark { job, bin_ms } = mark;
        self.widen(marks, bin_ms);
        let mut changes = match job {
            Job::Spread | Job::Make(Granularity::FiveMinutes) if bin_ms < self.state.frozen_ms => {
                self.lose(marks)
            }
            Job::Spread => self.spread(bin_ms)?,
            Job::Make(Granularity::FiveMinutes) => self.five(bin_ms)?,
            Job::Make(of) => self.larger(of, bin_ms)?,
        };
        changes.guard = self.state.guard();
        changes.fence = Some(self.rules.fence);
        changes.clear = marks.to_vec();
        let touched = marks.iter().filter(|row| row.day != 0);
        // what is there before the first bin that is made is still there in it
        let at_ms = bin_ms.max(self.state.frozen_ms);
        let span = |row: &MarkRow| Span { day: row.day, first_ms: at_ms, last_ms: at_ms };
        changes.spans.extend(touched.map(span));
        self.done.bins += 1;
        let written = self.tables.write(&changes, self.rules.now_ms)?;
        Ok(if written { Made::Whole } else { Made::Vain })
    }

    /// What an error says of a day that cannot be read: that is known now, or the bin hangs
    /// together with it.
    fn damage(&self, error: T::Error) -> Result<Made, T::Error> {
        let unreadable = self.tables.unreadable();
        if unreadable.is_empty() || !self.tables.is_damage(&error) {
            return Err(error);
        }
        Ok(if unreadable == self.unreadable { Made::Waits } else { Made::Vain })
    }

    /// From now on the days of these marks are known to touch the bin.
    fn widen(&mut self, marks: &[MarkRow], bin_ms: i64) {
        for row in marks.iter().filter(|row| row.day != 0) {
            let at_ms = bin_ms.max(self.state.frozen_ms);
            let (first_ms, last_ms) = (at_ms, at_ms);
            self.spans.push(Span { day: row.day, first_ms, last_ms });
        }
    }

    /// Facts came for a bin whose other facts are gone. What they tell of is in the first bin that
    /// is made, if it lasts until then.
    fn lose(&mut self, marks: &[MarkRow]) -> Changes {
        let count: u64 = marks.iter().map(|row| row.version.unsigned_abs()).sum();
        self.state.late_lost += count;
        self.done.late_lost += count;
        let marks = self.state.boundary().map(Mark::five).into_iter().collect();
        Changes { meta: State::lost(self.state.late_lost), marks, ..Changes::default() }
    }

    /// Marks what hangs together with what is in the bin.
    fn spread(&mut self, bin_ms: i64) -> Result<Changes, T::Error> {
        let bin = self.rules.zone.bin(Granularity::FiveMinutes, bin_ms);
        let days = self.days(bin_ms, bin.end_ms);
        let question = Question { which: Which::Touching(bin), days, all_ports: true };
        let mut bins = self.tables.facts(&question)?.spread();
        let frozen_ms = self.state.frozen_ms;
        bins.retain(|(_, at)| *at >= frozen_ms);
        let spans: Vec<_> =
            bins.iter().map(|(day, at)| Span { day: *day, first_ms: *at, last_ms: *at }).collect();
        self.spans.extend(&spans);
        let marks = bins.into_iter().map(|(_, at)| Mark::five(at)).collect();
        Ok(Changes { marks, spans, ..Changes::default() })
    }

    /// Makes a five-minute bin of its facts.
    fn five(&mut self, bin_ms: i64) -> Result<Changes, T::Error> {
        let bin = self.rules.zone.bin(Granularity::FiveMinutes, bin_ms);
        let days = self.days(bin_ms, bin.end_ms);
        let question = Question { which: Which::Touching(bin), days, all_ports: false };
        let mut facts = self.facts(&question)?;
        let old = self.tables.rows(Granularity::FiveMinutes, bin.start_ms, bin.end_ms)?;
        let mut first = Entering::default();
        if self.state.boundary() == Some(bin_ms) {
            first = self.entering(bin_ms, &old)?;
            facts.after(&first.admitted);
        }
        let Entering { levels: entering, admitted: mut new, meta } = first;
        let remade = Remade::of(bin, facts, old, &entering);
        let (before, after) = (remade.before(), remade.after());
        let levels =
            self.tables.levels(At::new(Granularity::FiveMinutes, bin_ms), &before, &after)?;
        new.left_out.extend(remade.left_out());
        let deltas = bin_ms >= self.rules.now_ms.saturating_sub(self.rules.deltas_ms);
        let mut changes = remade.finish(&levels, deltas);
        changes.numbers.extend(new.numbers);
        changes.meta = self.state.filled(new.left_out.into_iter().map(|(day, _)| day));
        changes.meta.extend(meta);
        self.mark_parents(Granularity::FiveMinutes, bin_ms, &mut changes);
        Ok(changes)
    }

    /// Makes a larger bin of its smaller ones, unless some of them are gone.
    fn larger(&self, of: Granularity, bin_ms: i64) -> Result<Changes, T::Error> {
        let bin = self.rules.zone.bin(of, bin_ms);
        let child = of.child().unwrap_or(Granularity::FiveMinutes);
        if bin.start_ms != bin_ms || bin.start_ms < self.state.kept_ms(child) {
            return Ok(Changes::default());
        }
        let mut joined = Joined::of(At::new(of, bin_ms));
        for part in self.rules.zone.bins(child, bin.start_ms, bin.end_ms) {
            joined.extend(&self.tables.rows(child, part.start_ms, part.end_ms)?);
        }
        let old = self.tables.rows(of, bin.start_ms, bin.start_ms + 1)?;
        let mut changes = joined.finish(&old);
        self.mark_parents(of, bin_ms, &mut changes);
        Ok(changes)
    }

    fn mark_parents(&self, of: Granularity, bin_ms: i64, changes: &mut Changes) {
        if !changes.is_still() {
            let parents = of.parents().iter().map(|parent| Mark {
                job: Job::Make(*parent),
                bin_ms: self.rules.zone.bin(*parent, bin_ms).start_ms,
            });
            changes.marks.extend(parents);
        }
    }

    /// Facts, under the ids that objects have now, and what is known of their numbers.
    fn facts(&mut self, question: &Question) -> Result<Facts, T::Error> {
        let known = (self.rules, &self.state, &self.aliases);
        read((self.tables, &mut *self.objects), known, question, true)
    }

    /// The days that may have facts for a span of time; and the day before each, whose calls may
    /// have what a later day tells of them. Those that cannot be read have none for it.
    fn days(&self, from_ms: i64, to_ms: i64) -> BTreeSet<Day> {
        let from_ms = five_of(from_ms);
        let spans = self.spans.iter();
        let touching = spans.filter(|span| span.first_ms < to_ms && from_ms <= span.last_ms);
        let days = touching.flat_map(|span| [key::before(span.day), span.day]);
        days.filter(|day| !self.unreadable.contains(day)).collect()
    }
}

/// The marks that make every bin of `[from, to)` again, of all lengths.
#[must_use]
pub fn rebuild(zone: &Zone, from_ms: i64, to_ms: i64) -> BTreeSet<Mark> {
    let of = |granularity: Granularity| {
        let bins = zone.bins(granularity, from_ms, to_ms);
        bins.map(move |Bin { start_ms, .. }| Mark { job: Job::Make(granularity), bin_ms: start_ms })
    };
    Granularity::ALL.into_iter().flat_map(of).collect()
}
