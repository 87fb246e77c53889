//! Sessions that have ended and can still be joined for a while (rm.md §2.5).
//!
//! They count in no set: whoever joins one brings it back into the table and is judged like a new
//! call; refused, it lingers as before. Bounded: beyond `limits::LINGERING` the oldest is
//! forgotten.

use std::collections::VecDeque;
use std::time::Duration;

use model::id::Guid;
use model::map::Map;
use sip::buffers::Buffers;

use super::Session;
use crate::limits;

/// See the module.
#[derive(Debug)]
pub(crate) struct Lingering {
    sessions: Map<Guid, (Duration, Session)>,
    /// In the order in which they are forgotten; one that was joined meanwhile is passed over.
    order: VecDeque<(Duration, Guid)>,
}

impl Lingering {
    pub(crate) fn new(seed: u64) -> Self {
        Self { sessions: Map::new(seed), order: VecDeque::new() }
    }

    /// Keeps a session that has ended; true if the timer must be set.
    pub(crate) fn keep(
        &mut self,
        until: Duration,
        session: Session,
        buffers: &mut Buffers,
    ) -> bool {
        let guid = session.guid;
        if let Some((_, former)) = self.sessions.insert(guid, (until, session)) {
            former.release(buffers);
        }
        self.order.push_back((until, guid));
        if self.order.len() > limits::LINGERING
            && let Some(oldest) = self.order.pop_front()
        {
            self.drop(oldest, buffers);
        }
        self.order.len() == 1
    }

    /// Takes one out, to be joined; it knows until when it would have lingered.
    pub(crate) fn take(&mut self, guid: Guid) -> Option<Session> {
        let (until, session) = self.sessions.remove(&guid)?;
        Some(Session { lingers: Some(until), ..session })
    }

    /// One that has ended, and until when it can be joined.
    pub(crate) fn get(&self, guid: Guid) -> Option<(Duration, &Session)> {
        self.sessions.get(&guid).map(|(until, session)| (*until, session))
    }

    /// Puts one back that was taken out and not joined after all; its turn to be forgotten has
    /// stayed.
    pub(crate) fn put_back(&mut self, until: Duration, session: Session) {
        self.sessions.insert(session.guid, (until, session));
    }

    /// Forgets those that have lingered long enough, of many the first ones; how many.
    pub(crate) fn forget_old(&mut self, now: Duration, buffers: &mut Buffers) -> usize {
        let mut forgotten = 0;
        while forgotten < limits::DONE_WITH
            && let Some(old) = self.order.pop_front_if(|(until, _)| *until <= now)
        {
            self.drop(old, buffers);
            forgotten += 1;
        }
        forgotten
    }

    /// When the next one has lingered long enough.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.order.front().map(|(until, _)| *until)
    }

    fn drop(&mut self, (until, guid): (Duration, Guid), buffers: &mut Buffers) {
        if self.sessions.get(&guid).is_some_and(|(own, _)| *own == until)
            && let Some((_, session)) = self.sessions.remove(&guid)
        {
            session.release(buffers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lingering, Session};
    use crate::limits;
    use model::id::Guid;
    use model::time::Millis;
    use sip::buffers::Buffers;
    use std::time::Duration;

    fn guid(number: usize) -> Guid {
        Guid((number as u128).to_be_bytes())
    }

    #[test]
    fn one_that_was_joined_lingers_anew() {
        let (mut all, mut buffers) = (Lingering::new(1), Buffers::default());
        let secs = Duration::from_secs;
        let session = |number| Session::begun(guid(number), Millis(0));
        assert!(all.keep(secs(5), session(1), &mut buffers));
        assert!(!all.keep(secs(6), session(2), &mut buffers));
        let joined = all.take(guid(1)).unwrap();
        assert!(all.take(guid(1)).is_none());
        all.keep(secs(8), joined, &mut buffers);
        assert_eq!((all.forget_old(secs(5), &mut buffers), all.next()), (1, Some(secs(6))));
        assert_eq!((all.forget_old(secs(7), &mut buffers), all.next()), (1, Some(secs(8))));
        assert!(all.take(guid(2)).is_none());
        assert!(all.take(guid(1)).is_some());
        assert_eq!((all.forget_old(secs(8), &mut buffers), all.next()), (1, None));
    }

    #[test]
    fn beyond_the_limit_the_oldest_is_forgotten() {
        let (mut all, mut buffers) = (Lingering::new(1), Buffers::default());
        for number in 0..=limits::LINGERING {
            all.keep(Duration::from_secs(5), Session::begun(guid(number), Millis(0)), &mut buffers);
        }
        assert!(all.take(guid(0)).is_none());
        assert!(all.take(guid(1)).is_some() && all.take(guid(limits::LINGERING)).is_some());
        // many are forgotten in portions
        let portions = std::iter::from_fn(|| {
            let some = all.forget_old(Duration::from_secs(5), &mut buffers);
            (some > 0).then_some(some)
        });
        let portions: Vec<_> = portions.collect();
        assert!(portions.iter().all(|some| *some <= limits::DONE_WITH));
        assert_eq!(portions.iter().sum::<usize>(), limits::LINGERING);
        assert!(all.sessions.is_empty());
    }
}
