//! Who is connected: each connection that speaks a protocol, as others see it. The memory of all
//! looks here for those that stand in its way, an operator for one that is to end (rs.md §6).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeTo;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::time::Millis;
use openwire::CloseReason;
use tokio::sync::Notify;

use super::limits::SILENCE;
use crate::backlog::Rate;
use crate::entry::Transport;

/// All connections that speak a protocol, oldest first.
#[derive(Debug, Default)]
pub struct Roster(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    members: BTreeMap<u64, Arc<Member>>,
}

impl Roster {
    /// One more, for as long as its seat is kept.
    pub(super) fn join(self: &Arc<Self>, guest: Guest, now: Duration) -> (Arc<Member>, Seat) {
        let mut inner = self.lock();
        inner.last += 1;
        let member = Arc::new(Member::new(inner.last, guest, now));
        inner.members.insert(member.number, Arc::clone(&member));
        (Arc::clone(&member), Seat { roster: Arc::clone(self), number: member.number })
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Member>> {
        self.lock().members.values().cloned().collect()
    }

    /// Those that came before the one of this number, newest first, so many at most.
    pub(crate) fn before(&self, number: Option<u64>, most: usize) -> Vec<Arc<Member>> {
        let range = RangeTo { end: number.unwrap_or(u64::MAX) };
        self.lock().members.range(range).rev().take(most).map(|(_, one)| Arc::clone(one)).collect()
    }

    /// The one with this id, which no other has had and none will have, also not after a restart.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Member>> {
        let (_, number) = id.rsplit_once('-')?;
        let member = self.lock().members.get(&number.parse().ok()?).cloned();
        member.filter(|member| member.id() == id)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the roster; given back when it goes.
#[derive(Debug)]
pub(super) struct Seat {
    roster: Arc<Roster>,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.roster.lock().members.remove(&self.number);
    }
}

/// What is known of a connection from its begin on.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) peer: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) is_secure: bool,
    pub(crate) since: Millis,
}

/// One connection, as others see it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) number: u64,
    pub(crate) guest: Guest,
    /// Bytes that only its peer can set free.
    pub(super) unfinished: AtomicUsize,
    /// When its peer was last heard, ms of the monotonic clock.
    pub(super) heard: AtomicU64,
    /// We do not read it: its silence is ours.
    is_paused: AtomicBool,
    seen: Mutex<Seen>,
    go: Notify,
}

/// What changes while it lasts.
#[derive(Debug, Default)]
struct Seen {
    login: Option<Identity>,
    records: u64,
    bytes: u64,
    record_rate: Rate,
    byte_rate: Rate,
    unanswered: (usize, usize),
    ends: Option<CloseReason>,
}

/// As whom its peer was let in.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) user: Option<String>,
    pub(crate) client: Option<String>,
}

/// What one connection has done so far.
#[derive(Debug)]
pub(crate) struct Glance {
    /// `None`: it is not logged in yet.
    pub(crate) login: Option<Identity>,
    /// Records that came, and bytes of all that came.
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// The same a second, over the last ten.
    pub(crate) rates: [f64; 2],
    /// Messages that have no answer yet, and bytes of them.
    pub(crate) unanswered: (usize, usize),
    /// It is not read now: memory or the queue on disk is short, or its share of them is full.
    pub(crate) is_paused: bool,
}

impl Member {
    fn new(number: u64, guest: Guest, now: Duration) -> Self {
        Self {
            number,
            guest,
            unfinished: AtomicUsize::new(0),
            heard: AtomicU64::new(millis(now)),
            is_paused: AtomicBool::new(false),
            seen: Mutex::default(),
            go: Notify::new(),
        }
    }

    /// Differs for each connection of each process.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", self.guest.since.0, self.number)
    }

    pub(crate) fn glance(&self, now: Duration) -> Glance {
        let (second, seen) = (now.as_secs(), self.seen());
        Glance {
            login: seen.login.clone(),
            records: seen.records,
            bytes: seen.bytes,
            rates: [seen.record_rate.per_second(second), seen.byte_rate.per_second(second)],
            unanswered: seen.unanswered,
            is_paused: self.is_paused.load(Ordering::Relaxed),
        }
    }

    /// So many bytes came.
    pub(super) fn heard(&self, now: Duration, bytes: usize) {
        self.heard.store(millis(now), Ordering::Relaxed);
        let mut seen = self.seen();
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        seen.bytes = seen.bytes.saturating_add(bytes);
        seen.byte_rate.add(now.as_secs(), bytes);
    }

    /// So many records came.
    pub(super) fn took(&self, now: Duration, records: usize) {
        let mut seen = self.seen();
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        seen.records = seen.records.saturating_add(records);
        seen.record_rate.add(now.as_secs(), records);
    }

    /// So many messages and bytes of them have no answer.
    pub(super) fn owes(&self, unanswered: (usize, usize)) {
        self.seen().unanswered = unanswered;
    }

    pub(super) fn logged_in(&self, identity: Identity) {
        self.seen().login = Some(identity);
    }

    pub(super) fn set_reading(&self, now: Duration, reading: bool) {
        // its silence begins anew when it is read again
        if reading && self.is_paused.load(Ordering::Relaxed) {
            self.heard.store(millis(now), Ordering::Relaxed);
        }
        self.is_paused.store(!reading, Ordering::Relaxed);
    }

    /// Nothing was heard for so long that the peer may be gone.
    pub(super) fn is_silent(&self, now: Duration) -> bool {
        let since = Duration::from_millis(self.heard.load(Ordering::Relaxed));
        !self.is_paused.load(Ordering::Relaxed) && now >= since + SILENCE
    }

    /// Tells the connection to end without a word: another one has taken its place.
    pub(super) fn go(&self) {
        self.go.notify_one();
    }

    /// Tells the connection to end, and its peer why.
    pub(super) fn give_up(&self, why: CloseReason) {
        self.seen().ends.get_or_insert(why);
        self.go();
    }

    /// Tells the connection to end because an operator wants it.
    pub(crate) fn disconnect(&self) {
        self.give_up(CloseReason::Disconnected);
    }

    /// Waits until it is to end.
    pub(super) async fn told(&self) {
        self.go.notified().await;
    }

    /// What its peer is to be told at the end, if anything.
    pub(super) fn ends(&self) -> Option<CloseReason> {
        self.seen().ends.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn guest(since: u64) -> Guest {
        let peer = SocketAddr::from(([127, 0, 0, 1], 7));
        Guest { peer, transport: Transport::Stomp, is_secure: false, since: Millis(since) }
    }

    /// One that joins at this time.
    pub(in crate::ingest) fn joined(roster: &Arc<Roster>, now: Duration) -> (Arc<Member>, Seat) {
        roster.join(guest(0), now)
    }

    #[test]
    fn silence_counts_while_the_peer_is_read() {
        let (member, _seat) = joined(&Arc::default(), second(0));
        assert!(!member.is_silent(SILENCE - second(1)) && member.is_silent(SILENCE));
        member.set_reading(second(1), false);
        assert!(!member.is_silent(SILENCE));
        member.set_reading(second(100), true);
        assert!(!member.is_silent(second(99) + SILENCE) && member.is_silent(second(100) + SILENCE));
    }

    #[test]
    fn the_newest_come_first_and_whoever_goes_is_gone() {
        let roster = Arc::new(Roster::default());
        let mut seats: Vec<_> = (0..5).map(|n| roster.join(guest(n), second(0)).1).collect();
        let numbers = |before, most| -> Vec<u64> {
            roster.before(before, most).iter().map(|member| member.number).collect()
        };
        assert_eq!((numbers(None, 2), numbers(Some(4), 9)), (vec![5, 4], vec![3, 2, 1]));
        seats.remove(3);
        assert_eq!((numbers(None, 9), roster.all().len()), (vec![5, 3, 2, 1], 4));
        assert_eq!(roster.find("2-3").map(|member| member.number), Some(3));
        for other in ["3-4", "7-3", "3", "", "-", "2-x", "2-3-3"] {
            assert!(roster.find(other).is_none(), "{other}");
        }
    }

    #[test]
    fn the_first_reason_to_end_is_the_one_that_is_told() {
        let (member, _seat) = joined(&Arc::default(), second(0));
        assert_eq!(member.ends(), None);
        member.disconnect();
        member.give_up(CloseReason::NoMemory);
        assert_eq!(member.ends(), Some(CloseReason::Disconnected));
    }

    #[test]
    fn what_comes_is_counted_and_has_a_rate() {
        let (member, _seat) = joined(&Arc::default(), second(0));
        member.heard(second(5), 1000);
        member.took(second(5), 20);
        member.owes((3, 30));
        let seen = member.glance(second(6));
        assert_eq!((seen.records, seen.bytes, seen.unanswered), (20, 1000, (3, 30)));
        let [records, bytes] = seen.rates;
        assert!((records - 2.0).abs() < 1e-9 && (bytes - 100.0).abs() < 1e-9, "{seen:?}");
        assert!(seen.login.is_none() && !seen.is_paused);
    }
}
