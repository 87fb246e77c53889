//! Telling every change to whoever watches: in order, without holes, with a limit (ops.md §1.7).
//!
//! The newest changes lie in one ring for all watchers. Who falls out of it has read too slowly
//! and is told so; who comes back later reads from the history until it has reached the ring: one
//! revision at a time, and what all of them hold together has a limit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use model::id::Revision;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Books;
use super::desk::Desk;
use super::state::State;
use crate::change::Change;
use crate::limits::{MAX_BEHIND, MAX_BEHIND_BYTES, MAX_EVENT, MAX_RESUMING};
use crate::refusal::Refusal;

/// What a watcher hears.
#[derive(Clone, Debug)]
pub enum Event {
    /// The next revision.
    Change(Arc<Told>),
    /// The configuration is at this revision now, by a change that is too large to tell or by a
    /// restore: take a snapshot. Later events come after it.
    Resync(Revision),
    /// The watcher is too far behind: no event comes after it.
    Overflow,
    /// The server stops: no event comes after it.
    Bye,
}

/// A change and the data of its event.
#[derive(Clone, Debug)]
pub struct Told {
    /// What changed.
    pub change: Change,
    /// All of it as it is sent (JSON, one line).
    pub json: String,
    /// When it was stored, monotonic; `None`: it was read from the history.
    pub stored: Option<Duration>,
    /// What it takes of [`MAX_RESUMING`]; `None` in the ring, which has a limit of its own.
    held: Option<Held>,
}

impl Told {
    /// What has to be kept as long as a text that was made of it.
    #[must_use]
    pub fn held(&self) -> Option<Held> {
        self.held.clone()
    }
}

/// A part of the memory of those who resume; free again when its last clone is gone.
#[derive(Clone, Debug)]
pub struct Held {
    _part: Arc<OwnedSemaphorePermit>,
}

/// The memory of all who resume: a permit is 1 KiB.
pub(super) fn resuming() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_RESUMING / UNIT))
}

/// Bytes of a permit.
const UNIT: usize = 1 << 10;

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// The newest changes, as many as a watcher may be behind.
#[derive(Debug, Default)]
pub(super) struct Ring {
    told: VecDeque<Slot>,
    bytes: usize,
}

#[derive(Clone, Debug)]
enum Slot {
    Change(Arc<Told>),
    /// Too large to be kept and told.
    Large(Revision),
}

impl Slot {
    fn revision(&self) -> Revision {
        match self {
            Self::Change(told) => told.change.revision,
            Self::Large(revision) => *revision,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Change(told) => told.json.len(),
            Self::Large(_) => 0,
        }
    }
}

impl Ring {
    pub(super) fn push(&mut self, change: Change, json: String, now: Duration) {
        let slot = if json.len() > MAX_EVENT {
            Slot::Large(change.revision)
        } else {
            Slot::Change(Arc::new(Told { change, json, stored: Some(now), held: None }))
        };
        self.bytes += slot.bytes();
        self.told.push_back(slot);
        while self.told.len() > MAX_BEHIND || self.bytes > MAX_BEHIND_BYTES {
            let Some(oldest) = self.told.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
    }

    /// Nothing that was told counts any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn get(&self, revision: Revision) -> Option<Slot> {
        let first = self.told.front()?.revision();
        let at = usize::try_from(revision.0.checked_sub(first.0)?).ok()?;
        self.told.get(at).cloned()
    }
}

/// One who watches.
pub struct Watcher {
    desk: Arc<Desk>,
    states: watch::Receiver<Arc<State>>,
    closing: watch::Receiver<bool>,
    next: Revision,
    era: u64,
    /// Whether it has reached the ring: from then on it may not fall out of it.
    live: bool,
    ended: Option<Event>,
}

impl Books {
    /// Watches from after a revision, or from now.
    ///
    /// # Errors
    /// `revision-gone` where the history does not reach back, `precondition-failed` for a revision
    /// that is not yet.
    pub fn watch(&self, since: Option<Revision>) -> Result<Watcher, Refusal> {
        let states = self.desk.states.subscribe();
        let now = self.now();
        let since = since.unwrap_or(now.revision);
        if since > now.revision {
            return Err(Refusal::PreconditionFailed { current: now.revision });
        }
        let next = Revision(since.0 + 1);
        if next < now.oldest {
            return Err(Refusal::RevisionGone { oldest: now.oldest });
        }
        Ok(Watcher {
            desk: Arc::clone(&self.desk),
            states,
            closing: self.desk.closing.subscribe(),
            next,
            era: now.era,
            live: false,
            ended: None,
        })
    }
}

impl Watcher {
    /// The revision up to which everything has been told.
    #[must_use]
    pub fn told(&self) -> Revision {
        Revision(self.next.0.saturating_sub(1))
    }

    /// The next event, when there is one. May be dropped while it waits; nothing is lost then.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.ready().await {
                return event;
            }
            let ends = tokio::select! {
                changed = self.states.changed() => changed.is_err(),
                _ = self.closing.wait_for(|closing| *closing) => true,
            };
            if ends {
                return self.end(Event::Bye);
            }
        }
    }

    async fn ready(&mut self) -> Option<Event> {
        if let Some(event) = &self.ended {
            return Some(event.clone());
        }
        if *self.closing.borrow() {
            return Some(self.end(Event::Bye));
        }
        let now = Arc::clone(&self.states.borrow_and_update());
        if now.era != self.era {
            (self.era, self.live) = (now.era, false);
            self.next = Revision(now.revision.0 + 1);
            return Some(Event::Resync(now.revision));
        }
        if self.next > now.revision {
            self.live = true;
            return None;
        }
        let slot = self.desk.ring().get(self.next);
        match slot {
            Some(slot) => {
                self.live = true;
                Some(self.tell(slot))
            }
            None if self.live => Some(self.end(Event::Overflow)),
            None => Some(self.read_on().await),
        }
    }

    /// Reads the next revision of the history, when there is room for the largest that is told.
    /// What was forgotten meanwhile ends it: who comes back hears 410.
    async fn read_on(&mut self) -> Event {
        let desk = Arc::clone(&self.desk);
        let room = Arc::clone(&desk.resuming).acquire_many_owned(permits(MAX_EVENT)).await;
        // the semaphore is never closed
        let Ok(room) = room else { return self.end(Event::Overflow) };
        let next = self.next;
        let read = tokio::task::spawn_blocking(move || read(&desk, next, room)).await;
        match read {
            Ok(Some(slot)) => self.tell(slot),
            _ => self.end(Event::Overflow),
        }
    }

    fn tell(&mut self, slot: Slot) -> Event {
        self.next = Revision(slot.revision().0 + 1);
        match slot {
            Slot::Change(told) => Event::Change(told),
            Slot::Large(revision) => Event::Resync(revision),
        }
    }

    fn end(&mut self, event: Event) -> Event {
        self.ended = Some(event.clone());
        event
    }
}

/// One revision of the history; of the room it keeps what it needs.
fn read(desk: &Desk, revision: Revision, mut room: OwnedSemaphorePermit) -> Option<Slot> {
    let change = desk.changes(revision, revision).ok()?.pop()?;
    let json = serde_json::to_string(&change).ok()?;
    if json.len() > MAX_EVENT {
        return Some(Slot::Large(revision));
    }
    let needed = usize::try_from(permits(json.len())).unwrap_or(usize::MAX);
    let held = room.split(needed).map(|part| Held { _part: Arc::new(part) });
    Some(Slot::Change(Arc::new(Told { change, json, stored: None, held })))
}

#[cfg(test)]
mod tests {
    use model::time::{Millis, Now};
    use telemetry::log::Log;

    use super::*;
    use crate::books::{History, Parts};
    use crate::store::sqlite::Sqlite;

    /// Scenario 11 of ops.md §14: who does not read costs no memory and no time of others. The
    /// changes are told without having been made, since those would take minutes.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_hundred_thousand_changes_do_not_wait_for_one_who_does_not_read() {
        const CHANGES: u64 = 100_000;
        let dir = tempfile::tempdir().unwrap();
        let books = Books::open(Parts {
            store: Box::new(Sqlite::open(dir.path(), Millis(0)).unwrap()),
            history: History { revisions: 1_000, age: Duration::ZERO },
            clocks: Arc::new(|| Now { mono: Duration::ZERO, wall: Millis(0) }),
            log: Log::silent(|| Millis(0)),
        })
        .unwrap();
        let (desk, first) = (&books.desk, books.now());
        let (mut lazy, mut busy) = (books.watch(None).unwrap(), books.watch(None).unwrap());
        assert!(lazy.ready().await.is_none(), "it has heard what there was");
        let text = "x".repeat(20_000);
        for number in 1..=CHANGES {
            let revision = Revision(number);
            let change = Change {
                revision,
                time: Millis(0),
                actor: String::new(),
                message: String::new(),
                digest: first.digest,
                items: Vec::new(),
            };
            // few are large: a ring may be full of bytes as well
            let json = if number % 4 == 0 { text.clone() } else { "{}".to_owned() };
            desk.ring().push(change, json, Duration::ZERO);
            desk.show(State { revision, ..State::clone(&first) });
            let Event::Change(told) = busy.next().await else { panic!("{number} is not told") };
            assert_eq!(told.change.revision, revision);
            let ring = desk.ring();
            assert!(ring.told.len() <= MAX_BEHIND && ring.bytes <= MAX_BEHIND_BYTES, "{number}");
        }
        let held = Arc::strong_count(&desk.now());
        assert!(held <= 3, "no state is kept for it: {held}");
        for _ in 0..2 {
            assert!(matches!(lazy.next().await, Event::Overflow), "and it stays so");
        }
        assert_eq!(lazy.told(), Revision(0));
        let behind = MAX_BEHIND as u64;
        let mut back = books.watch(Some(Revision(CHANGES - behind))).unwrap();
        for number in CHANGES - behind + 1..=CHANGES {
            let Event::Change(told) = back.next().await else { panic!("{number} is not told") };
            assert_eq!(told.change.revision, Revision(number));
        }
    }
}
