//! The memory of all connections: who holds how much, and who is given up when it stays short.
//!
//! Short of memory, connections that hold more than their share are not read. What waits for the
//! disk comes free by itself; what is not whole (a frame, a transaction) only by reading on, which
//! all may then wait for. So when memory stays short mostly by what is not whole, the connections
//! whose peers were silent longest are given up until the others can go on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use openwire::CloseReason;

use super::limits::SHORTAGE;
use super::roster::{Member, Roster};

/// The memory of all connections.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    held: AtomicUsize,
    short_since: Mutex<Option<Duration>>,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, held: AtomicUsize::new(0), short_since: Mutex::default() }
    }

    /// The connection is over; what it held is free.
    pub(super) fn leave(&self, member: &Member, held: usize) {
        self.account(member, held, 0, 0);
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
    pub(super) fn look(&self, roster: &Roster, now: Duration) {
        let mut since = self.short_since.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_short() {
            *since = None;
            return;
        }
        if now < *since.get_or_insert(now) + SHORTAGE {
            return;
        }
        let members = roster.all();
        let unfinished = |member: &Member| member.unfinished.load(Ordering::Relaxed);
        let all: usize = members.iter().map(|member| unfinished(member)).sum();
        if all <= self.limit / 2 {
            return; // what waits for the disk comes free by itself
        }
        // those below half of their share cannot fill the memory together
        let least = self.limit / 2 / members.len().max(1);
        let mut heavy: Vec<_> =
            members.iter().filter(|member| unfinished(member) > least).collect();
        heavy.sort_by_key(|member| member.heard.load(Ordering::Relaxed));
        // enough for others to go on a good way
        let enough = self.limit - self.limit / 16;
        let mut excess = self.held.load(Ordering::Relaxed).saturating_sub(enough);
        for member in heavy {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(unfinished(member));
            member.give_up(CloseReason::NoMemory);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ingest::roster::Seat;
    use crate::ingest::roster::tests::joined;

    const LIMIT: usize = 1600;

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    /// Connections that hold so much that is not whole, last heard one after the other.
    struct Crowd {
        memory: Memory,
        roster: Arc<Roster>,
        members: Vec<Arc<Member>>,
        seats: Vec<Seat>,
    }

    fn holding(each: &[usize]) -> Crowd {
        let (memory, roster) = (Memory::new(LIMIT), Arc::<Roster>::default());
        let joined = (0..).zip(each).map(|(at, bytes)| {
            let (member, seat) = joined(&roster, second(at));
            memory.account(&member, 0, *bytes, *bytes);
            (member, seat)
        });
        let (members, seats) = joined.unzip();
        Crowd { memory, roster, members, seats }
    }

    fn given_up(members: &[Arc<Member>]) -> Vec<bool> {
        members.iter().map(|member| member.ends() == Some(CloseReason::NoMemory)).collect()
    }

    #[test]
    fn the_silent_make_room_for_the_others() {
        let Crowd { memory, roster, members, mut seats } = holding(&[100, 500, 500, 600]);
        members[1].heard(second(9), 1);
        memory.look(&roster, second(10));
        assert_eq!(given_up(&members), [false; 4], "it may pass");
        memory.look(&roster, second(10) + SHORTAGE);
        // the first is light, the second was heard last: 500 of 1700 is enough
        assert_eq!(given_up(&members), [false, false, true, false]);
        assert_eq!(memory.room(100, 4), 300);
        memory.leave(&members[2], 500);
        seats.remove(2);
        assert_eq!(memory.room(600, 3), usize::MAX);
    }

    #[test]
    fn a_shortage_begins_anew_and_the_disk_is_waited_for() {
        let Crowd { memory, roster, members, seats: _seats } = holding(&[900, 800]);
        memory.look(&roster, second(10));
        memory.account(&members[0], 900, 100, 100);
        memory.look(&roster, second(11));
        memory.account(&members[0], 100, 900, 900);
        memory.look(&roster, second(11) + SHORTAGE);
        assert_eq!(given_up(&members), [false; 2]);
        memory.account(&members[0], 900, 900, 0);
        memory.look(&roster, second(20) + SHORTAGE);
        assert_eq!(given_up(&members), [false; 2], "most of it waits for the disk");
        memory.account(&members[0], 900, 900, 900);
        memory.look(&roster, second(21) + SHORTAGE);
        assert_eq!(given_up(&members), [true, false]);
    }
}
