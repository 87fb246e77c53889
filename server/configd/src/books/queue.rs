//! What waits for the one writer: changes, and what has time (ops.md §1.9).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use model::time::Millis;

use super::desk::Desk;
use crate::limits::{LAZY, MAX_WAITING, MAX_WAITING_LINES};
use crate::refusal::Refusal;
use crate::store::{AuditRow, ClientRow, Notes};

/// One change, with the way back to whoever waits for it.
pub(super) type Job = Box<dyn FnOnce(&Desk) + Send>;

/// The queue of the writer.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    lines: Vec<AuditRow>,
    used: BTreeMap<String, Millis>,
    clients: BTreeMap<String, ClientRow>,
    closing: bool,
}

/// What the writer does next.
pub(super) enum Turn {
    /// A change.
    Job(Job),
    /// Nothing has come for a while.
    Idle,
    /// All is done.
    End,
}

impl Queue {
    /// # Errors
    /// `busy`: it is full, or the server stops.
    pub(super) fn push(&self, job: Job) -> Result<(), Refusal> {
        let mut waiting = self.lock();
        if waiting.closing || waiting.jobs.len() >= MAX_WAITING {
            return Err(Refusal::Busy);
        }
        waiting.jobs.push_back(job);
        self.bell.notify_one();
        Ok(())
    }

    /// A line for the audit. One more than may wait is left out; the log has it.
    pub(super) fn line(&self, line: AuditRow) {
        let mut waiting = self.lock();
        if waiting.lines.len() < MAX_WAITING_LINES {
            waiting.lines.push(line);
        }
        self.bell.notify_one();
    }

    /// A token was used; written within some seconds.
    pub(super) fn used(&self, token: &str, now: Millis) {
        self.lock().used.insert(token.to_owned(), now);
    }

    /// A client told of itself; written within some seconds.
    pub(super) fn client(&self, client: ClientRow) {
        self.lock().clients.insert(client.name.clone(), client);
    }

    /// A token is no more, and neither is its use.
    pub(super) fn forget(&self, token: &str) {
        self.lock().used.remove(token);
    }

    /// The next change and the lines before it; `all`: and what has time.
    pub(super) fn next(&self) -> (Turn, Vec<AuditRow>) {
        let mut waiting = self.lock();
        if waiting.jobs.is_empty() && waiting.lines.is_empty() && !waiting.closing {
            let waited = self.bell.wait_timeout(waiting, LAZY);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let turn = match waiting.jobs.pop_front() {
            Some(job) => Turn::Job(job),
            None if waiting.closing => Turn::End,
            None => Turn::Idle,
        };
        (turn, std::mem::take(&mut waiting.lines))
    }

    /// What has had time.
    pub(super) fn lazy(&self) -> Notes {
        let mut waiting = self.lock();
        let used = std::mem::take(&mut waiting.used).into_iter().collect();
        let clients = std::mem::take(&mut waiting.clients).into_values().collect();
        Notes { audit: std::mem::take(&mut waiting.lines), used, clients }
    }

    /// Nothing more comes in; what waits is done.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.bell.notify_one();
    }

    /// Nobody is there any more: nothing comes in, and whoever waits hears so.
    pub(super) fn abandon(&self) {
        let mut waiting = self.lock();
        waiting.closing = true;
        let jobs = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        // each has the way back to whoever waits, and lets go of it
        drop(jobs);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
