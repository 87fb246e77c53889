//! Which logins become lines of the audit log (rs.md §8): the first of a user from an address, and
//! the first refusal, of each hour. HTTP logs in with every request, so that more would bury what
//! operators did. Bounded: what there is no room for is counted, and told in one line an hour, of
//! logins and of refusals.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::limits::Source;

/// After so long the same is told again.
const AGAIN: Duration = Duration::from_secs(3600);
/// Users with their addresses that are told of within that time; and refusals.
const KNOWN: [usize; 2] = [10_000, 1_000];
/// Lines of each kind that wait to be written.
const WAITING: usize = 1_000;

/// A login, or a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// A known user; of a refusal whose name was given, if there is such a user.
    pub(crate) user: Option<String>,
    pub(crate) from: IpAddr,
    /// Why they were not let in.
    pub(crate) refused: Option<String>,
    /// Monotonic.
    pub(crate) at: Duration,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Diary(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Of logins and of refusals, when each was told last.
    told: [HashMap<(Option<String>, Source), Duration>; 2],
    /// Each kind has room of its own.
    waiting: [VecDeque<Entry>; 2],
    left_out: [LeftOut; 2],
}

/// How many there was no room for, and since when.
#[derive(Clone, Copy, Debug, Default)]
struct LeftOut {
    count: u64,
    since: Duration,
}

impl Diary {
    pub(super) fn note(
        &self,
        user: Option<&str>,
        from: IpAddr,
        refused: Option<String>,
        at: Duration,
    ) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { told, waiting, left_out } = &mut *state;
        let kind = usize::from(refused.is_some());
        let (Some(told), Some(known)) = (told.get_mut(kind), KNOWN.get(kind)) else { return };
        let (Some(waiting), Some(left_out)) = (waiting.get_mut(kind), left_out.get_mut(kind))
        else {
            return;
        };
        let key = (user.map(str::to_owned), Source::of(from));
        let lately = |then: &Duration| at.saturating_sub(*then) < AGAIN;
        if told.get(&key).is_some_and(lately) {
            return;
        }
        if told.len() >= *known {
            told.retain(|_, then| lately(then));
        }
        if told.len() >= *known || waiting.len() >= WAITING {
            if left_out.count == 0 {
                left_out.since = at;
            }
            left_out.count += 1;
            return;
        }
        waiting.push_back(Entry { user: key.0.clone(), from, refused, at });
        told.insert(key, at);
    }

    /// The oldest that waits, logins first; it stays until it is [`Self::written`].
    pub(super) fn next(&self) -> Option<Entry> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.iter().find_map(|of| of.front()).cloned()
    }

    /// This one, which was [`Self::next`], is written.
    pub(super) fn written(&self, entry: &Entry) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = usize::from(entry.refused.is_some());
        if let Some(of) = state.waiting.get_mut(kind) {
            // another login may have come before it meanwhile, but none of its kind
            of.pop_front_if(|first| *first == *entry);
        }
    }

    /// Of one kind (true: refusals) how many there was no room for, if that began an hour ago, or
    /// all comes to its end. They stay until they are [`Self::counted`].
    pub(super) fn left_out(&self, now: Duration, over: bool) -> Option<(bool, u64)> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = |of: &LeftOut| of.count > 0 && (over || now.saturating_sub(of.since) >= AGAIN);
        let mut kinds = [false, true].into_iter().zip(&state.left_out);
        kinds.find(|(_, of)| due(of)).map(|(refused, of)| (refused, of.count))
    }

    /// So many of a kind are written.
    pub(super) fn counted(&self, refused: bool, count: u64, now: Duration) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of) = state.left_out.get_mut(usize::from(refused)) {
            *of = LeftOut { count: of.count.saturating_sub(count), since: now };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(n).into()
    }

    fn all(diary: &Diary) -> Vec<(Option<String>, bool, u64)> {
        let mut all = Vec::new();
        while let Some(entry) = diary.next() {
            all.push((entry.user.clone(), entry.refused.is_some(), entry.at.as_secs()));
            diary.written(&entry);
        }
        all
    }

    /// While nothing is written down, as the database is away.
    #[test]
    fn waiting_refusals_leave_room_for_logins() {
        let diary = Diary::default();
        for n in 0..2_000 {
            diary.note(None, address(n), Some("wrong".to_owned()), Duration::ZERO);
        }
        let refused = diary.next().unwrap();
        diary.note(Some("anna"), address(1), None, Duration::from_secs(1));
        diary.written(&refused);
        let all = all(&diary);
        assert_eq!((&all[0], all.len()), (&(Some("anna".to_owned()), false, 1), 1_000));
        assert_eq!(diary.left_out(AGAIN, true), Some((true, 1_000)));
    }

    #[test]
    fn one_line_an_hour_of_each_user_address_and_outcome() {
        let diary = Diary::default();
        let wrong = || Some("wrong".to_owned());
        for second in [0, 1, 3599, 3600, 3601] {
            let at = Duration::from_secs(second);
            diary.note(Some("anna"), address(1), None, at);
            diary.note(Some("anna"), address(1), wrong(), at);
        }
        diary.note(Some("anna"), address(2), None, Duration::from_secs(3601));
        diary.note(None, address(1), wrong(), Duration::from_secs(3602));
        let anna = |refused, at| (Some("anna".to_owned()), refused, at);
        let logins = [anna(false, 0), anna(false, 3600), anna(false, 3601)];
        let refusals = [anna(true, 0), anna(true, 3600), (None, true, 3602)];
        let expected = [logins, refusals].concat();
        assert_eq!(all(&diary), expected);
        assert_eq!(diary.left_out(AGAIN * 2, true), None);
    }

    #[test]
    fn a_flood_of_refusals_is_counted_and_takes_no_room_of_logins() {
        let diary = Diary::default();
        let wrong = || Some("wrong".to_owned());
        for n in 0..2_000 {
            diary.note(None, address(n), wrong(), Duration::ZERO);
        }
        assert_eq!(all(&diary).len(), 1_000);
        // one line an hour, which stays until it is written
        assert_eq!(diary.left_out(AGAIN - Duration::from_secs(1), false), None);
        for (now, over) in [(Duration::ZERO, true), (AGAIN, false), (AGAIN, false)] {
            assert_eq!(diary.left_out(now, over), Some((true, 1_000)));
        }
        diary.counted(true, 1_000, AGAIN);
        assert_eq!(diary.left_out(AGAIN * 9, true), None);
        diary.note(Some("anna"), address(1), None, Duration::ZERO);
        assert_eq!(all(&diary).len(), 1);
        // an hour later there is room again
        diary.note(None, address(5_000), wrong(), AGAIN);
        assert_eq!(all(&diary).len(), 1);
    }

    #[test]
    fn a_network_of_one_host_has_one_line_and_kinds_are_counted_apart() {
        let diary = Diary::default();
        for n in 0..20_u32 {
            let from = format!("2001:db8::{n:x}").parse().unwrap();
            diary.note(None, from, Some("wrong".to_owned()), Duration::ZERO);
        }
        assert_eq!(all(&diary), [(None, true, 0)]);
        for n in 0..10_001 {
            diary.note(Some("anna"), address(n), None, Duration::ZERO);
            diary.next().into_iter().for_each(|entry| diary.written(&entry));
        }
        assert_eq!(diary.left_out(AGAIN, false), Some((false, 1)));
        diary.counted(false, 1, AGAIN);
        assert_eq!(diary.left_out(AGAIN * 9, true), None);
    }
}
