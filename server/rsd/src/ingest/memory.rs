//! The memory of all connections: who holds how much, and who is given up when it stays short.
//!
//! Short of memory, connections that hold more than their share are not read. What waits for the
//! disk comes free by itself; what is not whole (a frame, a transaction) only by reading on, which
//! all may then wait for. So when memory stays short mostly by what is not whole, the connections
//! whose peers were silent longest are given up until the others can go on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::limits::{SHORTAGE, SILENCE};

/// All connections that speak a protocol.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    held: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    members: BTreeMap<u64, Arc<Member>>,
    short_since: Option<Duration>,
}

/// One connection, as others see it.
#[derive(Debug, Default)]
pub(super) struct Member {
    number: u64,
    /// Bytes that only its peer can set free.
    unfinished: AtomicUsize,
    /// When its peer was last heard, ms of the monotonic clock.
    heard: AtomicU64,
    /// We do not read it: its silence is ours.
    is_paused: AtomicBool,
    given_up: AtomicBool,
    go: Notify,
}

impl Member {
    pub(super) fn heard(&self, now: Duration) {
        self.heard.store(millis(now), Ordering::Relaxed);
    }

    pub(super) fn set_reading(&self, now: Duration, reading: bool) {
        // its silence begins anew when it is read again
        if reading && self.is_paused.load(Ordering::Relaxed) {
            self.heard(now);
        }
        self.is_paused.store(!reading, Ordering::Relaxed);
    }

    /// Nothing was heard for so long that the peer may be gone.
    pub(super) fn is_silent(&self, now: Duration) -> bool {
        let since = Duration::from_millis(self.heard.load(Ordering::Relaxed));
        !self.is_paused.load(Ordering::Relaxed) && now >= since + SILENCE
    }

    /// Tells the connection to end.
    pub(super) fn go(&self) {
        self.go.notify_one();
    }

    /// Waits for [`Self::go`].
    pub(super) async fn told(&self) {
        self.go.notified().await;
    }

    /// It is to end for want of memory.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }
}

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, held: AtomicUsize::new(0), inner: Mutex::default() }
    }

    pub(super) fn join(&self, now: Duration) -> Arc<Member> {
        let mut inner = self.lock();
        inner.last += 1;
        let number = inner.last;
        let heard = AtomicU64::new(millis(now));
        let member = Arc::new(Member { number, heard, ..Member::default() });
        inner.members.insert(number, Arc::clone(&member));
        member
    }

    /// The connection is over; what it held is free.
    pub(super) fn leave(&self, member: &Member, held: usize) {
        self.held.fetch_sub(held, Ordering::Relaxed);
        self.lock().members.remove(&member.number);
    }

    /// A connection holds so much now, of which so much is `unfinished`; before it was `before`.
    pub(super) fn account(&self, member: &Member, before: usize, held: usize, unfinished: usize) {
        self.held.fetch_add(held, Ordering::Relaxed);
        self.held.fetch_sub(before, Ordering::Relaxed);
        member.unfinished.store(unfinished, Ordering::Relaxed);
    }

    pub(super) fn is_short(&self) -> bool {
        self.held.load(Ordering::Relaxed) > self.limit
    }

    /// How many bytes more one of so many connections may hold now, which holds `held`.
    pub(super) fn room(&self, held: usize, open: usize) -> usize {
        if self.is_short() { (self.limit / open.max(1)).saturating_sub(held) } else { usize::MAX }
    }

    /// Gives up connections when memory has been short for too long.
    pub(super) fn look(&self, now: Duration) {
        let mut inner = self.lock();
        if !self.is_short() {
            inner.short_since = None;
            return;
        }
        if now < *inner.short_since.get_or_insert(now) + SHORTAGE {
            return;
        }
        let unfinished = |member: &Member| member.unfinished.load(Ordering::Relaxed);
        let all: usize = inner.members.values().map(|member| unfinished(member)).sum();
        if all <= self.limit / 2 {
            return; // what waits for the disk comes free by itself
        }
        // those below half of their share cannot fill the memory together
        let least = self.limit / 2 / inner.members.len().max(1);
        let mut heavy: Vec<_> =
            inner.members.values().filter(|member| unfinished(member) > least).collect();
        heavy.sort_by_key(|member| member.heard.load(Ordering::Relaxed));
        // enough for others to go on a good way
        let enough = self.limit - self.limit / 16;
        let mut excess = self.held.load(Ordering::Relaxed).saturating_sub(enough);
        for member in heavy {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(unfinished(member));
            member.given_up.store(true, Ordering::Relaxed);
            member.go();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1600;

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    /// Connections that hold so much that is not whole, last heard one after the other.
    fn holding(each: &[usize]) -> (Memory, Vec<Arc<Member>>) {
        let memory = Memory::new(LIMIT);
        let mut members = Vec::new();
        for (at, bytes) in (0..).zip(each) {
            let member = memory.join(second(at));
            memory.account(&member, 0, *bytes, *bytes);
            members.push(member);
        }
        (memory, members)
    }

    fn given_up(members: &[Arc<Member>]) -> Vec<bool> {
        members.iter().map(|member| member.is_given_up()).collect()
    }

    #[test]
    fn the_silent_make_room_for_the_others() {
        let (memory, members) = holding(&[100, 500, 500, 600]);
        members[1].heard(second(9));
        memory.look(second(10));
        assert_eq!(given_up(&members), [false; 4], "it may pass");
        memory.look(second(10) + SHORTAGE);
        // the first is light, the second was heard last: 500 of 1700 is enough
        assert_eq!(given_up(&members), [false, false, true, false]);
        assert_eq!(memory.room(100, 4), 300);
        memory.leave(&members[2], 500);
        assert_eq!(memory.room(600, 3), usize::MAX);
    }

    #[test]
    fn a_shortage_begins_anew_and_the_disk_is_waited_for() {
        let (memory, members) = holding(&[900, 800]);
        memory.look(second(10));
        memory.account(&members[0], 900, 100, 100);
        memory.look(second(11));
        memory.account(&members[0], 100, 900, 900);
        memory.look(second(11) + SHORTAGE);
        assert_eq!(given_up(&members), [false; 2]);
        memory.account(&members[0], 900, 900, 0);
        memory.look(second(20) + SHORTAGE);
        assert_eq!(given_up(&members), [false; 2], "most of it waits for the disk");
        memory.account(&members[0], 900, 900, 900);
        memory.look(second(21) + SHORTAGE);
        assert_eq!(given_up(&members), [true, false]);
    }

    #[test]
    fn silence_counts_while_the_peer_is_read() {
        let member = Memory::new(LIMIT).join(second(0));
        assert!(!member.is_silent(SILENCE - second(1)) && member.is_silent(SILENCE));
        member.set_reading(second(1), false);
        assert!(!member.is_silent(SILENCE));
        member.set_reading(second(100), true);
        assert!(!member.is_silent(second(99) + SILENCE) && member.is_silent(second(100) + SILENCE));
    }
}
