//! One run of the purge: what is older than its time goes, slice by slice. A run that is stopped
//! anywhere, also by a kill, is taken up by the next one.

use std::collections::BTreeMap;
use std::fmt;

use model::time::Millis;
use rs::key;
use rs::retention::{Due, Terms, What, Which};
use rs::rollup::{Gone, Sort};
use serde_json::{Value, json};

use super::export::{Kept, Leaving};
use crate::store::bins::Table;
use crate::store::keeping::{Aged, Keeping, Lease};
use crate::store::{Day, StoreError};

/// Days of dead letters (rs.md §2.8).
const LETTERS: u32 = 90;
/// Days of the audit log (rs.md §8), and of what is known of files.
const AUDIT: u32 = 400;

/// Days of what goes by its age alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ages {
    /// `rs.retention.sq.failures`
    pub failures: u32,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows that went; a partition or a file counts as one.
    pub rows: u64,
    /// Days whose facts are gone and were not before.
    pub gone: Vec<Day>,
    /// Days that may not go yet, and why.
    pub blocked: BTreeMap<Day, Why>,
    /// Nothing was left to do.
    pub finished: bool,
    /// It ended before its time: the window was over, or it was told to.
    pub is_cut_off: bool,
}

impl Report {
    /// A day that somebody holds: it may go in a while.
    pub(crate) fn busy(&self) -> Option<String> {
        let held = |(_, why): &(&Day, &Why)| matches!(why, Why::Busy(_));
        let (day, why) = self.blocked.iter().find(held)?;
        Some(format!("day {day}: {why}"))
    }

    /// What it has left, for the log.
    pub(crate) fn left(&self) -> String {
        if self.finished {
            return "nothing".to_owned();
        }
        let busy = self.blocked.values().filter(|why| matches!(why, Why::Busy(_))).count();
        let waiting = self.blocked.len() - busy;
        let of = |days: usize, what: &str| (days > 0).then(|| format!("{days} days {what}"));
        let cut = self.is_cut_off.then(|| "the rest, until tomorrow".to_owned());
        let busy = of(busy, "that somebody holds, for a minute");
        let waiting = of(waiting, "that may not go yet");
        cut.into_iter().chain(busy).chain(waiting).collect::<Vec<_>>().join("; ")
    }

    /// As the API shows it.
    pub(crate) fn shown(&self) -> Value {
        let blocked = self.blocked.iter();
        let blocked: Vec<Value> =
            blocked.map(|(day, why)| json!({"day": day, "why": why.to_string()})).collect();
        json!({
            "rows": self.rows, "days": self.gone, "blocked": blocked, "finished": self.finished,
        })
    }
}

/// What a day waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its figures are not made.
    Figures,
    /// It could not be written down.
    Export(String),
    /// Calls came while it was written down.
    Moves,
    /// It cannot be read.
    Damaged(String),
    /// Somebody holds it, or reads it for long.
    Busy(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Figures => f.write_str("waits for its figures"),
            Self::Moves => f.write_str("still gets calls"),
            Self::Damaged(why) | Self::Busy(why) => f.write_str(why),
            Self::Export(why) => write!(f, "cannot be written down: {why}"),
        }
    }
}

/// What a run asks before something goes.
#[derive(Clone, Copy)]
pub struct Before<'f> {
    /// Whether the figures of a day are made, and what of it is before this instant may go.
    pub clean: &'f dyn Fn(Day, i64) -> Result<bool, StoreError>,
    /// The same of what hangs on no call and is before this instant ([`Aged::Apart`]).
    pub apart: &'f dyn Fn(i64) -> Result<bool, StoreError>,
    /// Writes down what is about to go.
    pub keep: Keep<'f>,
    /// Which bins may go now.
    pub forget: &'f dyn Fn() -> Result<Vec<Gone>, StoreError>,
}

/// Writes down what is about to go, page by page.
pub type Keep<'f> =
    &'f dyn Fn(&Leaving<'_>, &mut dyn FnMut() -> Option<u32>) -> Result<Kept, StoreError>;

/// Carries out what is due at this time. `next`: rows of the next slice, `None` = the run ends
/// here.
///
/// # Errors
/// As the database says; what was done until then is done.
pub fn purge(
    keeping: &dyn Keeping,
    terms: &Terms,
    lease: &Lease,
    ages: Ages,
    now_ms: i64,
    before: Before<'_>,
    next: &mut dyn FnMut() -> Option<u32>,
) -> Result<Report, StoreError> {
    let mut run = Run { next, report: Report::default(), ended: false };
    for aged in Aged::ALL {
        let days = match aged {
            Aged::Letters => LETTERS,
            Aged::Audit | Aged::Exports => AUDIT,
            Aged::Minutes => terms.longest(),
            Aged::Failures => ages.failures,
            // what is missing longer than ids are remembered cannot come any more
            Aged::Streams | Aged::Apart => terms.ledger_days(),
            Aged::Bins(..) => continue,
        };
        let before_ms = terms.cutoff(days, now_ms);
        let day = key::day(Millis(u64::try_from(before_ms).unwrap_or_default()));
        if aged == Aged::Apart && !(before.apart)(before_ms)? {
            run.report.blocked.insert(day, Why::Figures);
            continue;
        }
        if aged != Aged::Letters || run.keep(day, &Leaving::Letters(before_ms), before.keep)? {
            run.slices(|most| keeping.delete_aged(lease, aged, before_ms, most))?;
        }
    }
    for day in keeping.days()? {
        if run.ended {
            break;
        }
        if terms.is_old(day, now_ms) {
            match run.day(keeping, terms, lease, day, now_ms, before) {
                Err(error @ StoreError::Damaged(_)) => {
                    run.report.blocked.insert(day, Why::Damaged(error.reason()));
                }
                Err(error @ StoreError::Busy(_)) => {
                    run.report.blocked.insert(day, Why::Busy(error.reason()));
                }
                done => done?,
            }
        }
    }
    let gone = if run.ended { Vec::new() } else { (before.forget)()? };
    for Gone { sort, of, before_ms } in gone {
        for table in tables(sort) {
            let aged = Aged::Bins(*table, of);
            run.slices(|most| keeping.delete_aged(lease, aged, before_ms, most))?;
        }
    }
    Ok(run.told())
}

/// Deletes events of days before this instant, the oldest first, until told to stop: the volume is
/// nearly full. No figure is made of those that go. It is finished when there are no more such
/// days.
///
/// # Errors
/// As the database says.
pub fn emergency(
    keeping: &dyn Keeping,
    lease: &Lease,
    before_ms: i64,
    keep: Keep<'_>,
    next: &mut dyn FnMut() -> Option<u32>,
) -> Result<Report, StoreError> {
    let mut run = Run { next, report: Report::default(), ended: false };
    let due = Due { what: What::Events, which: Which::All, before_ms };
    for day in keeping.days()? {
        if key::start_ms(day) >= before_ms || !run.keep(day, &Leaving::Due(day, &[due]), keep)? {
            break;
        }
        let gone = run.due(keeping, lease, day, &due);
        match gone.and_then(|()| keeping.give_back(lease, day)) {
            Err(error @ StoreError::Damaged(_)) => {
                run.report.blocked.insert(day, Why::Damaged(error.reason()));
            }
            done => done?,
        }
        if run.ended {
            break;
        }
    }
    Ok(run.told())
}

const fn tables(sort: Sort) -> &'static [Table] {
    match sort {
        Sort::Operations => &[Table::Counts, Table::Levels],
        Sort::Outcomes => &[Table::Outcomes, Table::Actions],
        Sort::Latencies => &[Table::Latencies],
        Sort::Quality => &[Table::Quality],
    }
}

struct Run<'r> {
    next: &'r mut dyn FnMut() -> Option<u32>,
    report: Report,
    ended: bool,
}

impl Run<'_> {
    fn told(mut self) -> Report {
        self.report.is_cut_off = self.ended;
        self.report.finished = !self.ended && self.report.blocked.is_empty();
        self.report
    }

    /// Slices until nothing is left; gives the rows.
    fn slices(
        &mut self,
        mut slice: impl FnMut(u32) -> Result<u64, StoreError>,
    ) -> Result<u64, StoreError> {
        let mut gone = 0;
        while let Some(most) = (self.next)() {
            let rows = slice(most)?;
            gone += rows;
            self.report.rows += rows;
            if rows == 0 {
                return Ok(gone);
            }
        }
        self.ended = true;
        Ok(gone)
    }

    /// Slices of what is due on a day, each behind the one before.
    fn due(
        &mut self,
        keeping: &dyn Keeping,
        lease: &Lease,
        day: Day,
        due: &Due,
    ) -> Result<(), StoreError> {
        let mut after = None;
        while let Some(most) = (self.next)() {
            let slice = keeping.delete(lease, day, due, after, most)?;
            self.report.rows += slice.rows;
            after = slice.next;
            if after.is_none() {
                return Ok(());
            }
        }
        self.ended = true;
        Ok(())
    }

    /// Has it written down; false: it stays.
    fn keep(
        &mut self,
        day: Day,
        leaving: &Leaving<'_>,
        keep: Keep<'_>,
    ) -> Result<bool, StoreError> {
        match keep(leaving, self.next)? {
            Kept::Whole => return Ok(true),
            Kept::CutOff => self.ended = true,
            Kept::Not(why) => {
                self.report.blocked.insert(day, Why::Export(why));
            }
        }
        Ok(false)
    }

    fn day(
        &mut self,
        keeping: &dyn Keeping,
        terms: &Terms,
        lease: &Lease,
        day: Day,
        now_ms: i64,
        before: Before<'_>,
    ) -> Result<(), StoreError> {
        let groups = keeping.groups(day)?;
        let plan = terms.plan(day, &groups, now_ms);
        // no figure is made of events that go before their calls
        let facts = plan.due.iter().filter(|due| due.what != What::Events);
        let last_ms = facts.map(|due| due.before_ms).max();
        let before_ms = if plan.facts { Some(i64::MAX) } else { last_ms };
        if let Some(before_ms) = before_ms
            && !(before.clean)(day, before_ms)?
        {
            self.report.blocked.insert(day, Why::Figures);
            return Ok(());
        }
        let leaving = if plan.facts { Leaving::Facts(day) } else { Leaving::Due(day, &plan.due) };
        if !self.keep(day, &leaving, before.keep)? {
            return Ok(());
        }
        if plan.facts && keeping.groups(day)? != groups {
            // they may be kept for longer, and their figures are not made
            self.report.blocked.insert(day, Why::Moves);
            return Ok(());
        }
        for due in &plan.due {
            self.due(keeping, lease, day, due)?;
        }
        // a call that comes from now on keeps its day
        let last_ms = groups.iter().filter_map(|group| group.last_ended_ms).max();
        let last_ms = last_ms.unwrap_or(i64::MIN);
        if plan.facts && self.slices(|most| keeping.delete_facts(lease, day, last_ms, most))? > 0 {
            keeping.give_back(lease, day)?;
            if !self.ended {
                self.report.gone.push(day);
            }
        }
        if plan.ledger && !self.ended {
            self.slices(|most| keeping.delete_ledger(lease, day, most))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_tells_what_it_has_left() {
        let left = |finished, is_cut_off, blocked: &[(Day, Why)]| {
            let blocked = blocked.iter().cloned().collect();
            Report { finished, is_cut_off, blocked, ..Report::default() }.left()
        };
        let busy = (20_261_122, Why::Busy("somebody holds it".to_owned()));
        assert_eq!(left(true, false, &[]), "nothing");
        assert_eq!(left(false, true, &[]), "the rest, until tomorrow");
        let held = "1 days that somebody holds, for a minute";
        assert_eq!(left(false, false, std::slice::from_ref(&busy)), held);
        let moves = (20_261_123, Why::Moves);
        let both = format!("{held}; 1 days that may not go yet");
        assert_eq!(left(false, false, &[busy, moves]), both);
    }
}
