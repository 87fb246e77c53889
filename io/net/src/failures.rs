//! Failed logins: so many in a window, then whoever it is has to wait. Pure: time is an argument.
//!
//! Must not know what a login is, nor what happens to one who has to wait.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    /// Failures in a window.
    pub failures: u32,
    /// How long one lasts, from its first failure on.
    pub window: Duration,
    /// Of so many at most is known how often they failed; beyond it newcomers have to wait.
    pub known: usize,
}

/// Who has failed lately. `K` names whoever it is: an address, or an address and a name.
#[derive(Debug)]
pub struct Failures<K> {
    allowed: Allowed,
    known: Mutex<HashMap<K, Count>>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Duration,
    failures: u32,
}

impl<K: Eq + Hash> Failures<K> {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new(allowed: Allowed) -> Self {
        Self { allowed, known: Mutex::default() }
    }

    /// One more failure, at this monotonic time.
    ///
    /// # Errors
    /// There are too many: the seconds to wait, at least 1.
    pub fn note(&self, who: K, now: Duration) -> Result<(), u32> {
        let Allowed { failures, window, .. } = self.allowed;
        let mut known = self.lock();
        if !known.contains_key(&who) && self.is_full(&mut known, now) {
            return Err(seconds(window));
        }
        let count = known.entry(who).or_insert(Count { since: now, failures: 0 });
        if now.saturating_sub(count.since) >= window {
            *count = Count { since: now, failures: 0 };
        }
        count.failures = count.failures.saturating_add(1);
        if count.failures <= failures {
            return Ok(());
        }
        Err(seconds((count.since + window).saturating_sub(now)))
    }

    /// The seconds that it still has to wait, if it has failed too often, or if it is not known
    /// and no more can be; asking is no failure.
    pub fn waits(&self, who: &K, now: Duration) -> Option<u32> {
        let mut known = self.lock();
        let Some(count) = known.get(who) else {
            return self.is_full(&mut known, now).then(|| seconds(self.allowed.window));
        };
        let left = (count.since + self.allowed.window).saturating_sub(now);
        (count.failures >= self.allowed.failures && !left.is_zero()).then(|| seconds(left))
    }

    /// Nobody has failed: what they failed at is another one now.
    pub fn forget(&self) {
        self.lock().clear();
    }

    /// Whether nobody more can be known, after those are forgotten whose window is over.
    fn is_full(&self, known: &mut HashMap<K, Count>, now: Duration) -> bool {
        let Allowed { window, known: most, .. } = self.allowed;
        if known.len() >= most {
            known.retain(|_, count| now.saturating_sub(count.since) < window);
        }
        known.len() >= most
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Count>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: Allowed =
        Allowed { failures: 10, window: Duration::from_secs(60), known: 4_096 };

    #[test]
    fn ten_in_a_minute_then_the_source_waits_and_no_other_does() {
        let failures = Failures::new(ALLOWED);
        let [one, two] = ["192.0.2.1", "2001:db8::1"];
        let at = Duration::from_secs;
        for second in 0..10 {
            assert_eq!(failures.waits(&one, at(100 + second)), None, "{second}");
            assert_eq!(failures.note(one, at(100 + second)), Ok(()), "{second}");
        }
        assert_eq!(failures.waits(&one, at(110)), Some(50));
        assert_eq!(failures.note(one, at(120)), Err(40));
        assert_eq!((failures.waits(&two, at(120)), failures.note(two, at(120))), (None, Ok(())));
        assert_eq!(failures.waits(&one, at(160)), None);
        failures.forget();
        assert_eq!(failures.waits(&one, at(121)), None);
        assert_eq!(failures.note(one, at(160)), Ok(()));
    }

    #[test]
    fn those_known_are_bounded_and_forgotten() {
        let failures = Failures::new(ALLOWED);
        for n in 0..5_000 {
            let _told = failures.note(n, Duration::ZERO);
        }
        assert_eq!(failures.lock().len(), ALLOWED.known);
        assert_eq!(failures.note(6_000, Duration::from_secs(59)), Err(60));
        assert_eq!(failures.waits(&6_000, Duration::from_secs(59)), Some(60), "a newcomer");
        assert_eq!(failures.waits(&6, Duration::from_secs(59)), None, "one failure");
        assert_eq!(failures.waits(&6_000, Duration::from_secs(61)), None);
        assert_eq!(failures.note(6_000, Duration::from_secs(61)), Ok(()));
        assert_eq!(failures.lock().len(), 1);
    }
}
