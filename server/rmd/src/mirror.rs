//! Copies of all SIP messages for a HEPv3 collector (rm.md §10.1), where `rm.hep` is set.
//!
//! The engine copies each message into a batch and hands the batch over once per turn; a thread of
//! the mirror's own does the rest. Nothing waits for it: what finds no room has no copy, which is
//! counted. Beside the way of a call.

mod run;
mod target;

use crate::error::StartError;
use crate::limits::{MIRROR_LAST, MIRROR_MESSAGES, MIRROR_QUEUE};
use crate::running::spawn;
use net::{Clock, Waker};
use openwire::Secret;
use rm::heads::Direction;
use run::Room;
use sip::transport::Flow;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use target::Target;

/// What it needs of a start.
pub(crate) struct Setup {
    /// The collector.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Number of the capture agent.
    pub(crate) agent: u32,
    pub(crate) key: Option<Secret>,
    /// Where each listener is reached, by index.
    pub(crate) own: Vec<SocketAddr>,
    pub(crate) clock: Clock,
}

/// The engine's end.
#[derive(Debug)]
pub(crate) struct Mirror {
    shared: Arc<Shared>,
    /// Of this turn.
    batch: Batch,
    /// When the latest of them came: what is sent in the turn is not sent before.
    latest: Duration,
}

/// The thread from outside: stopped when it is dropped.
pub(crate) struct Thread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What was counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Copies that have left.
    pub(crate) sent: u64,
    /// Messages without copy, and copies that were not taken.
    pub(crate) lost: u64,
}

/// Messages, their bytes one behind the other.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
struct Item {
    at: Duration,
    direction: Direction,
    flow: Flow,
    len: usize,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Batch>,
    stop: AtomicBool,
    sent: AtomicU64,
    lost: AtomicU64,
    mirror: Waker,
}

/// Starts the thread; the other end is the engine's.
pub(crate) fn start(setup: Setup) -> Result<(Mirror, Thread), StartError> {
    let (waker, wakes) = net::waker::pair().map_err(StartError::descriptors)?;
    let shared = Arc::new(Shared::new(waker));
    let Setup { host, port, agent, key, own, clock } = setup;
    let target = Target::new(host, port);
    let room = Room { shared: Arc::clone(&shared), target, agent, key, own, clock };
    let thread = spawn("rm-mirror", move || room.run(wakes))?;
    let mirror =
        Mirror { shared: Arc::clone(&shared), batch: Batch::default(), latest: Duration::ZERO };
    Ok((mirror, Thread { shared, thread: Some(thread) }))
}

impl Mirror {
    /// Copies a message that came or leaves at this time since 1970.
    pub(crate) fn copy(&mut self, at: Duration, direction: Direction, flow: Flow, bytes: &[u8]) {
        let at = match direction {
            Direction::In => at,
            Direction::Out => at.max(self.latest),
        };
        self.latest = self.latest.max(at);
        if self.batch.takes(1, bytes.len()) {
            self.batch.bytes.extend_from_slice(bytes);
            self.batch.items.push(Item { at, direction, flow, len: bytes.len() });
        } else {
            self.shared.lose(1);
        }
    }

    /// Hands over the messages of this turn.
    pub(crate) fn flush(&mut self) {
        self.latest = Duration::ZERO;
        if self.batch.items.is_empty() {
            return;
        }
        let mut waiting = self.shared.waiting();
        if waiting.takes(self.batch.items.len(), self.batch.bytes.len()) {
            waiting.append(&mut self.batch);
        } else {
            drop(waiting);
            self.shared.lose(self.batch.items.len());
            self.batch.clear();
        }
        self.shared.mirror.wake();
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> Counts {
        let (sent, lost) = (&self.shared.sent, &self.shared.lost);
        Counts { sent: sent.load(Ordering::Relaxed), lost: lost.load(Ordering::Relaxed) }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        const STEP: Duration = Duration::from_millis(1);
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.mirror.wake();
        let Some(thread) = self.thread.take() else { return };
        let mut left = MIRROR_LAST;
        while !thread.is_finished() {
            if left.is_zero() {
                // It looks for the collector's name, and the name server is away.
                return;
            }
            thread::sleep(STEP);
            left = left.saturating_sub(STEP);
        }
        // A thread that has panicked has told so.
        let _ = thread.join();
    }
}

impl Shared {
    fn new(mirror: Waker) -> Self {
        Self {
            waiting: Mutex::default(),
            stop: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            mirror,
        }
    }

    /// Nobody panics while holding the lock; if someone did, the batch is still whole.
    fn waiting(&self) -> MutexGuard<'_, Batch> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, count: usize) {
        self.lost.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Batch {
    /// There is room for so many more.
    fn takes(&self, items: usize, bytes: usize) -> bool {
        self.items.len() + items <= MIRROR_MESSAGES && self.bytes.len() + bytes <= MIRROR_QUEUE
    }

    /// The other one is empty afterwards, and keeps a buffer.
    fn append(&mut self, other: &mut Self) {
        if self.items.is_empty() {
            std::mem::swap(self, other);
        } else {
            self.bytes.append(&mut other.bytes);
            self.items.append(&mut other.items);
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
    }

    /// The messages with their bytes.
    fn iter(&self) -> impl Iterator<Item = (Item, &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.items.iter().filter_map(move |item| {
            let (bytes, behind) = rest.split_at_checked(item.len)?;
            rest = behind;
            Some((*item, bytes))
        })
    }
}

#[cfg(test)]
mod tests;
