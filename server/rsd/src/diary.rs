//! Which logins and refusals become lines of the audit log (rs.md §8): the first of a user from an
//! address about one thing, of each hour. HTTP logs in with every request, and whoever is refused
//! may ask without end, so that more would bury what operators did. Bounded: what there is no room
//! for is counted, and told in one line an hour. Nobody waits for the database.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::users::Source;

/// After so long the same is told again.
const AGAIN: Duration = Duration::from_secs(3600);
/// Lines that wait to be written.
const WAITING: usize = 1_000;

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry<D> {
    /// A known user; of a login that failed, if the name that was given is one.
    pub(crate) user: Option<String>,
    pub(crate) from: IpAddr,
    /// More about it.
    pub(crate) detail: D,
    /// Monotonic.
    pub(crate) at: Duration,
}

/// What of one kind is to be written. Each kind has a diary, so that none takes room of another.
#[derive(Debug)]
pub(crate) struct Diary<D> {
    /// Different ones that are told of within an hour.
    known: usize,
    state: Mutex<State<D>>,
}

#[derive(Debug)]
struct State<D> {
    /// When each was told last.
    told: HashMap<Key, Duration>,
    waiting: VecDeque<Entry<D>>,
    left_out: LeftOut,
}

/// Who, where from, about what.
type Key = (Option<String>, Source, String);

/// How many there was no room for, and since when.
#[derive(Clone, Copy, Debug, Default)]
struct LeftOut {
    count: u64,
    since: Duration,
}

impl<D: Clone + PartialEq> Diary<D> {
    /// Of so many different ones an hour.
    pub(crate) fn new(known: usize) -> Self {
        let (told, waiting) = (HashMap::new(), VecDeque::new());
        let state = State { told, waiting, left_out: LeftOut::default() };
        Self { known, state: Mutex::new(state) }
    }

    /// One more, unless the same was told lately; `about` is what makes others of one user.
    pub(crate) fn note(&self, about: &str, entry: Entry<D>) {
        let mut state = self.lock();
        let State { told, waiting, left_out } = &mut *state;
        let at = entry.at;
        let key = (entry.user.clone(), Source::of(entry.from), about.to_owned());
        let lately = |then: &Duration| at.saturating_sub(*then) < AGAIN;
        if told.get(&key).is_some_and(lately) {
            return;
        }
        if told.len() >= self.known {
            told.retain(|_, then| lately(then));
        }
        if told.len() >= self.known || waiting.len() >= WAITING {
            if left_out.count == 0 {
                left_out.since = at;
            }
            left_out.count += 1;
            return;
        }
        waiting.push_back(entry);
        told.insert(key, at);
    }

    /// The oldest that waits; it stays until it is [`Self::written`].
    pub(crate) fn next(&self) -> Option<Entry<D>> {
        self.lock().waiting.front().cloned()
    }

    /// This one, which was [`Self::next`], is written.
    pub(crate) fn written(&self, entry: &Entry<D>) {
        self.lock().waiting.pop_front_if(|first| *first == *entry);
    }

    /// How many there was no room for, if that began an hour ago, or all comes to its end. They
    /// stay until they are [`Self::counted`].
    pub(crate) fn left_out(&self, now: Duration, over: bool) -> Option<u64> {
        let LeftOut { count, since } = self.lock().left_out;
        let due = count > 0 && (over || now.saturating_sub(since) >= AGAIN);
        due.then_some(count)
    }

    /// So many are written.
    pub(crate) fn counted(&self, count: u64, now: Duration) {
        let mut state = self.lock();
        let left = state.left_out.count.saturating_sub(count);
        state.left_out = LeftOut { count: left, since: now };
    }

    fn lock(&self) -> MutexGuard<'_, State<D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(n).into()
    }

    fn note(diary: &Diary<()>, about: &str, user: Option<&str>, from: IpAddr, second: u64) {
        let (user, at) = (user.map(str::to_owned), Duration::from_secs(second));
        diary.note(about, Entry { user, from, detail: (), at });
    }

    fn all(diary: &Diary<()>) -> Vec<(Option<String>, u64)> {
        let mut all = Vec::new();
        while let Some(entry) = diary.next() {
            all.push((entry.user.clone(), entry.at.as_secs()));
            diary.written(&entry);
        }
        all
    }

    #[test]
    fn one_line_an_hour_of_each_user_address_and_thing() {
        let diary = Diary::new(1_000);
        for second in [0, 1, 3599, 3600, 3601] {
            note(&diary, "", Some("anna"), address(1), second);
            note(&diary, "DELETE /api/v1/calls/{name}", Some("anna"), address(1), second);
        }
        note(&diary, "", Some("anna"), address(2), 3601);
        note(&diary, "", None, address(1), 3602);
        let anna = |at| (Some("anna".to_owned()), at);
        let expected = [anna(0), anna(0), anna(3600), anna(3600), anna(3601), (None, 3602)];
        assert_eq!(all(&diary), expected);
        assert_eq!(diary.left_out(AGAIN * 2, true), None);
    }

    #[test]
    fn a_flood_is_counted_and_told_in_one_line_an_hour() {
        let diary = Diary::new(1_000);
        for n in 0..2_000 {
            note(&diary, "", None, address(n), 0);
        }
        assert_eq!(all(&diary).len(), 1_000);
        // it stays until it is written
        assert_eq!(diary.left_out(AGAIN - Duration::from_secs(1), false), None);
        for (now, over) in [(Duration::ZERO, true), (AGAIN, false), (AGAIN, false)] {
            assert_eq!(diary.left_out(now, over), Some(1_000));
        }
        diary.counted(1_000, AGAIN);
        assert_eq!(diary.left_out(AGAIN * 9, true), None);
        // an hour later there is room again
        note(&diary, "", None, address(5_000), 3600);
        assert_eq!(all(&diary).len(), 1);
    }

    /// While nothing is written down, as the database is away.
    #[test]
    fn so_many_wait_and_a_network_of_one_host_has_one_line() {
        let diary = Diary::new(10_000);
        for n in 0..20_u32 {
            note(&diary, "", None, format!("2001:db8::{n:x}").parse().unwrap(), 0);
        }
        assert_eq!(all(&diary), [(None, 0)]);
        for n in 0..1_001 {
            note(&diary, "", Some("anna"), address(n), 0);
        }
        let first = diary.next().unwrap();
        diary.written(&first);
        diary.written(&first);
        assert_eq!((all(&diary).len(), diary.left_out(AGAIN, false)), (999, Some(1)));
    }
}
