//! What may be taken while space is short (`spec/rs.md` §1.3, §1.4): from 90 % of the spool's
//! limit on only CDRs, at the limit nothing. An arrival counts with its own size, so that none eats
//! the room of those before it in rank. Shared by the listener and HTTP ingest.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use spool::{Spool, State, Status};
use telemetry::Log;

use super::desk::NotTaken;
use super::limits::{BODY_BYTES, HELD_BACK_PERCENT, RESUMED_PERCENT};
use crate::entry::Message;

/// Which records are held back first; a greater one sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// 1: CDRs, held back last.
    First,
    /// 2: operational figures.
    Second,
    /// 3: events and quality.
    Third,
}

impl Priority {
    /// The priority of an ingest queue.
    #[must_use]
    pub fn of(queue: &str) -> Self {
        match queue {
            "ringmaster.cdr" => Self::First,
            "ringmaster.or" => Self::Second,
            _ => Self::Third,
        }
    }

    /// A transaction waits for its least message.
    #[must_use]
    pub(crate) fn of_all(messages: &[Message]) -> Self {
        let each = messages.iter().map(|message| Self::of(&message.queue));
        each.max().unwrap_or(Self::First)
    }
}

/// Decides by the spool's figures, and logs when the decision changes.
pub struct Gate {
    spool: Spool,
    log: Log,
    /// Priorities 2 and 3 wait.
    short: AtomicBool,
    /// Everything waits.
    full: AtomicBool,
    /// RS stops.
    closed: AtomicBool,
    /// Bytes at which there was no room for a record of priority 2 or 3: a little below 90 %.
    short_at: AtomicU64,
    /// The same for one of priority 1, and so for everything.
    full_at: AtomicU64,
}

impl Gate {
    /// A gate in front of that spool.
    #[must_use]
    pub fn new(spool: Spool, log: Log) -> Self {
        let [short_at, full_at] = [(); 2].map(|()| AtomicU64::new(u64::MAX));
        let [short, full, closed] = [(); 3].map(|()| AtomicBool::new(false));
        Self { spool, log, short, full, closed, short_at, full_at }
    }

    /// True when records of that priority may be handed to the spool now.
    #[must_use]
    pub fn lets_in(&self, priority: Priority) -> bool {
        let (short, full) = self.decide();
        let open = !self.closed.load(Ordering::Relaxed);
        open && !full && (priority == Priority::First || !short)
    }

    /// Nothing is let in any more: RS stops.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Decides anew, though nothing has come: what is told of it is then of now.
    pub(crate) fn look(&self) {
        self.decide();
    }

    fn decide(&self) -> (bool, bool) {
        let status = self.spool.status();
        let used = used(&status);
        let above = |percent: u64| used >= status.limit / 100 * percent;
        let no_room = status.state != State::Open;
        let was_short = self.short.load(Ordering::Relaxed);
        let short = no_room
            || above(if was_short { RESUMED_PERCENT } else { HELD_BACK_PERCENT })
            || used >= self.short_at.load(Ordering::Relaxed);
        if !short {
            self.short_at.store(u64::MAX, Ordering::Relaxed);
        }
        let full = no_room || used >= status.limit.min(self.full_at.load(Ordering::Relaxed));
        if !full {
            self.full_at.store(u64::MAX, Ordering::Relaxed);
        }
        self.note(&self.short, short, "events, figures and quality");
        self.note(&self.full, full, "everything");
        (short, full)
    }

    /// Whether a payload of that size fits into what its priority may use.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub(crate) fn fits(&self, priority: Priority, payload: usize) -> Result<(), NotTaken> {
        let limit = self.spool.status().limit;
        let first = priority == Priority::First;
        let most = if first { limit } else { limit / 100 * HELD_BACK_PERCENT };
        if Spool::least_use(payload) > most {
            return Err(NotTaken::Never);
        }
        if self.spool.would_use(payload) > most {
            self.refused(priority, payload);
            return Err(NotTaken::Later);
        }
        Ok(())
    }

    /// A payload that was let in found no room. One no larger than records mostly are shows that
    /// its priority has none until space is free again; a larger one waits alone, and so does one
    /// beside others on their way to the disk: what these may use is the worst case, over in a
    /// moment.
    pub(crate) fn refused(&self, priority: Priority, payload: usize) {
        let status = self.spool.status();
        if payload > BODY_BYTES || status.pending_bytes > 0 {
            return;
        }
        // an empty spool has room for a record: it must not shut the gate for good
        let at = used(&status).max(1);
        if priority == Priority::First {
            self.full_at.store(at, Ordering::Relaxed);
            self.note(&self.full, true, "everything");
        } else {
            self.short_at.store(at, Ordering::Relaxed);
            self.note(&self.short, true, "events, figures and quality");
        }
    }

    /// The spool has another limit: what it takes is to be seen anew.
    pub fn limit_changed(&self) {
        self.short_at.store(u64::MAX, Ordering::Relaxed);
        self.full_at.store(u64::MAX, Ordering::Relaxed);
    }

    /// `rs_spool_held_back`: as of the last decision.
    #[must_use]
    pub fn held_back(&self, priority: Priority) -> bool {
        self.full.load(Ordering::Relaxed)
            || (priority != Priority::First && self.short.load(Ordering::Relaxed))
    }

    fn note(&self, state: &AtomicBool, value: bool, what: &str) {
        if state.swap(value, Ordering::Relaxed) != value {
            self.log.emit(if value { 32101 } else { 32102 }, None, &[("what", what)]);
        }
    }
}

/// Bytes on disk and on their way there.
fn used(status: &Status) -> u64 {
    status.bytes.saturating_add(status.pending_bytes as u64)
}
