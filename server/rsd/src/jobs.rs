//! What operators have asked for and is not done at once (rs.md §6, `/jobs`): the newest of this
//! process, in memory. Must not do any of it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use model::time::Millis;

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
        let Wish { kind, dry_run, user, asked_ms, result } = wish;
        let mut held = self.held();
        let (last, jobs) = &mut *held;
        *last += 1;
        let (id, state) = (*last, State::Waiting(None));
        let job = Job { id, kind, dry_run, user, asked_ms, ended_ms: None, state, result };
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

    fn each(&self, ids: &[u64], change: impl Fn(&mut Job)) {
        self.held().1.iter_mut().filter(|job| ids.contains(&job.id)).for_each(change);
    }

    fn held(&self) -> MutexGuard<'_, (u64, VecDeque<Job>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(jobs: &Jobs, dry_run: bool) -> u64 {
        let (kind, result) = (Kind::Retention, Value::Null);
        jobs.add(Wish { kind, dry_run, user: None, asked_ms: 5, result }).id
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
