//! What operators have asked for and is not done at once (rs.md §6, `/jobs`): the newest of this
//! process, in memory. Must not do any of it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::time::Millis;
use rs::rollup::{Granularity, Job as Make, Zone};
use serde_json::{Value, json};

use crate::store::{Store, StoreError};

/// Clocks of two Reporting Servers differ by so much, at most.
const SKEW_MS: i64 = 5000;
/// Jobs that are remembered.
const JOBS: usize = 100;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A run of the purge.
    Retention,
    /// Bins made again.
    Rebuild,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    /// Not begun; why not, where that is known.
    Waiting(Option<String>),
    /// Under way.
    Running,
    /// Over, and what came of it.
    Done,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Its number; those of a process begin with 1.
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    /// Only what would be done is to be told.
    pub(crate) dry_run: bool,
    /// Who asked.
    pub(crate) user: Option<String>,
    pub(crate) asked_ms: i64,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) state: State,
    /// What is known of it until now.
    pub(crate) result: Value,
    /// The bins that are to be made, until they are.
    span: Option<Remake>,
}

/// Bins of a span that are made again: each length of its own, then what came of it for the next.
#[derive(Clone, Debug)]
pub(crate) struct Remake {
    /// Of each length where the first bin begins, shortest first.
    first_ms: Vec<(Make, i64)>,
    to_ms: i64,
    /// Marks that were written until then are to be done,
    until_ms: i64,
    /// of the lengths from this one on.
    from: usize,
}

impl Remake {
    /// The bins of `[from, to)`, marked now.
    pub(crate) fn of(zone: &Zone, from_ms: i64, to_ms: i64, now_ms: i64) -> Self {
        let first = |of: Granularity| (Make::Make(of), zone.bin(of, from_ms).start_ms);
        let first_ms = Granularity::ALL.into_iter().map(first).collect();
        Self { first_ms, to_ms, until_ms: now_ms, from: 0 }
    }

    /// Whether all is made. `marked` gives the first bin of a job that begins there or later and
    /// has a mark of this time or before. A bin that is made marks longer ones anew: what is marked
    /// by now is waited for once for each length.
    fn is_made<E>(
        &mut self,
        now_ms: &dyn Fn() -> i64,
        marked: &dyn Fn(Make, i64, i64) -> Result<Option<i64>, E>,
    ) -> Result<bool, E> {
        while self.from < self.first_ms.len() {
            for (job, first_ms) in self.first_ms.iter().skip(self.from) {
                let first = marked(*job, *first_ms, self.until_ms)?;
                if first.is_some_and(|bin_ms| bin_ms < self.to_ms) {
                    return Ok(false);
                }
            }
            (self.from, self.until_ms) = (self.from + 1, now_ms().saturating_add(SKEW_MS));
        }
        Ok(true)
    }
}

/// What a job is to be.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) kind: Kind,
    pub(crate) dry_run: bool,
    pub(crate) user: Option<String>,
    pub(crate) asked_ms: i64,
    /// What is known of it already.
    pub(crate) result: Value,
    /// The bins that are to be made.
    pub(crate) span: Option<Remake>,
}

impl Job {
    /// As the API shows it.
    pub(crate) fn shown(&self) -> Value {
        let kind = match self.kind {
            Kind::Retention => "retention",
            Kind::Rebuild => "rollup-rebuild",
        };
        let (state, why) = match &self.state {
            State::Waiting(why) => ("waiting", why.as_deref()),
            State::Running => ("running", None),
            State::Done => ("done", None),
        };
        let time = |ms: i64| Millis(u64::try_from(ms).unwrap_or_default());
        json!({
            "id": self.id, "kind": kind, "dry_run": self.dry_run, "user": self.user,
            "state": state, "waits_for": why, "asked_at": time(self.asked_ms),
            "ended_at": self.ended_ms.map(time), "result": self.result,
        })
    }
}

/// All that are remembered, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Jobs(Mutex<(u64, VecDeque<Job>)>);

impl Jobs {
    /// A new one; the oldest is forgotten for it, one that is over first.
    pub(crate) fn add(&self, wish: Wish) -> Job {
        let Wish { kind, dry_run, user, asked_ms, result, span } = wish;
        let mut held = self.held();
        let (last, jobs) = &mut *held;
        *last += 1;
        let (id, state) = (*last, State::Waiting(None));
        let job = Job { id, kind, dry_run, user, asked_ms, ended_ms: None, state, result, span };
        if jobs.len() >= JOBS {
            let over = jobs.iter().position(|job| job.state == State::Done);
            jobs.remove(over.unwrap_or(0));
        }
        jobs.push_back(job.clone());
        job
    }

    /// One of them.
    pub(crate) fn one(&self, id: u64) -> Option<Job> {
        self.held().1.iter().find(|job| job.id == id).cloned()
    }

    /// All of them, newest first.
    pub(crate) fn all(&self) -> Vec<Job> {
        self.held().1.iter().rev().cloned().collect()
    }

    /// Those that are not over, oldest first.
    pub(crate) fn open(&self, kind: Kind, dry_run: bool) -> Vec<Job> {
        let held = self.held();
        let open = held.1.iter().filter(|job| job.state != State::Done);
        open.filter(|job| (job.kind, job.dry_run) == (kind, dry_run)).cloned().collect()
    }

    /// All that are not over begin: one and the same work does them.
    pub(crate) fn begin(&self, kind: Kind, dry_run: bool) -> Vec<u64> {
        let ids: Vec<u64> = self.open(kind, dry_run).iter().map(|job| job.id).collect();
        self.each(&ids, |job| job.state = State::Running);
        ids
    }

    /// They wait again.
    pub(crate) fn wait(&self, ids: &[u64], why: &str) {
        self.each(ids, |job| job.state = State::Waiting(Some(why.to_owned())));
    }

    /// They are over; a result of nothing leaves what is known.
    pub(crate) fn end(&self, ids: &[u64], result: &Value, now_ms: i64) {
        self.each(ids, |job| {
            if !result.is_null() {
                job.result = result.clone();
            }
            (job.state, job.ended_ms) = (State::Done, Some(now_ms));
        });
    }

    /// Looks which bins are made that were asked for; `marked` is that of [`Remake`].
    ///
    /// # Errors
    /// As `marked`: nobody knows, and the jobs stay what they were.
    pub(crate) fn look<E>(
        &self,
        now_ms: &dyn Fn() -> i64,
        marked: &dyn Fn(Make, i64, i64) -> Result<Option<i64>, E>,
    ) -> Result<(), E> {
        for job in self.open(Kind::Rebuild, false) {
            let Some(mut span) = job.span else { continue };
            if span.is_made(now_ms, marked)? {
                self.end(&[job.id], &Value::Null, now_ms());
            } else {
                self.each(&[job.id], |job| job.span = Some(span.clone()));
            }
        }
        Ok(())
    }

    fn each(&self, ids: &[u64], change: impl Fn(&mut Job)) {
        self.held().1.iter_mut().filter(|job| ids.contains(&job.id)).for_each(change);
    }

    fn held(&self) -> MutexGuard<'_, (u64, VecDeque<Job>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks which bins are made that were asked for.
///
/// # Errors
/// As the database says.
pub(crate) fn look_at_bins(
    jobs: &Jobs,
    store: &dyn Store,
    now_ms: &dyn Fn() -> i64,
) -> Result<(), StoreError> {
    let Some(bins) = store.bins() else { return Ok(()) };
    jobs.look(now_ms, &|job, from_ms, until_ms| {
        let first = bins.marks(job, from_ms, until_ms, 1)?;
        Ok(first.first().map(|row| row.mark.bin_ms))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(jobs: &Jobs, dry_run: bool) -> u64 {
        let (kind, result) = (Kind::Retention, Value::Null);
        jobs.add(Wish { kind, dry_run, user: None, asked_ms: 5, result, span: None }).id
    }

    #[test]
    fn one_run_does_all_that_were_asked_for_before_it() {
        let jobs = Jobs::default();
        let [first, dry, second] = [false, true, false].map(|dry_run| add(&jobs, dry_run));
        let begun = jobs.begin(Kind::Retention, false);
        assert_eq!(begun, [first, second]);
        let later = add(&jobs, false);
        jobs.wait(&begun, "away");
        assert_eq!(jobs.one(first).unwrap().shown()["waits_for"], json!("away"));
        let result = json!({"rows": 3});
        jobs.end(&begun, &result, 9);
        let states = [first, dry, later].map(|id| jobs.one(id).unwrap().state);
        assert_eq!(states, [State::Done, State::Waiting(None), State::Waiting(None)]);
        let open = |dry_run| jobs.open(Kind::Retention, dry_run).len();
        assert_eq!((open(false), open(true), jobs.open(Kind::Rebuild, false).len()), (1, 1, 0));
        let shown = jobs.one(first).unwrap().shown();
        assert_eq!((&shown["result"], &shown["state"]), (&result, &json!("done")));
        assert_eq!(shown["ended_at"], json!("1970-01-01T00:00:00.009Z"));
    }

    /// Marks (job, bin, since) of a job whose bins are made one after the other, while calls of now
    /// mark the open ones again and again.
    #[test]
    fn bins_are_made_when_nothing_that_came_of_them_is_marked() {
        let zone = Zone::utc();
        let five = Make::Make(Granularity::FiveMinutes);
        let (half, hour) = (Make::Make(Granularity::ThirtyMinutes), Make::Make(Granularity::Hour));
        let day = Make::Make(Granularity::Day);
        let day_ms = 86_400_000;
        let jobs = Jobs::default();
        let span = Some(Remake::of(&zone, day_ms + 600_000, day_ms + 1_200_000, 1000));
        let (kind, result) = (Kind::Rebuild, Value::Null);
        let wish = Wish { kind, dry_run: false, user: None, asked_ms: 1000, result, span };
        let id = jobs.add(wish).id;
        let done = |second: i64, marks: &[(Make, i64, i64)]| {
            let marked = |job: Make, from_ms: i64, until_ms: i64| {
                let of = marks.iter().filter(|(of, bin_ms, since)| {
                    *of == job && *bin_ms >= from_ms && since * 1000 <= until_ms
                });
                Ok::<_, ()>(of.map(|(_, bin_ms, _)| *bin_ms).min())
            };
            jobs.look(&|| second * 1000, &marked).unwrap();
            jobs.one(id).unwrap().state == State::Done
        };
        let other = (five, day_ms, 0);
        assert!(!done(20, &[other, (five, day_ms + 900_000, 1), (hour, day_ms, 1)]));
        // made, and what came of it is marked later than the wish
        assert!(!done(30, &[other, (half, day_ms, 25), (hour, day_ms, 1)]));
        assert!(!done(40, &[other, (half, day_ms, 25)]));
        assert!(!done(60, &[other, (hour, day_ms, 55)]));
        // calls of now mark bins of the span and all that are longer
        let now = |since| [(five, day_ms + 900_000, since), (half, day_ms, since)];
        assert!(!done(70, &[&now(69)[..], &[(day, day_ms, 68)]].concat()));
        assert!(done(90, &now(89)), "what came of those of now is no part of it");
    }

    #[test]
    fn the_list_is_bounded_and_forgets_what_is_over_first() {
        let jobs = Jobs::default();
        let (first, second) = (add(&jobs, false), add(&jobs, true));
        jobs.end(&[second], &Value::Null, 9);
        for _ in 0..JOBS - 1 {
            add(&jobs, false);
        }
        assert_eq!(jobs.all().len(), JOBS);
        assert!(jobs.one(first).is_some() && jobs.one(second).is_none());
        add(&jobs, false);
        assert!(jobs.one(first).is_none());
        assert_eq!(jobs.all().first().unwrap().id, u64::try_from(JOBS).unwrap() + 2);
    }
}
