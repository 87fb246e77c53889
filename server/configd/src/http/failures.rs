//! Failed logins by source: so many in a minute, then the source has to wait (ops.md §1.12).
//!
//! Whoever shows a good token is let in also from such a source: a fleet may share one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::limits;

/// The window in which failures are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// Who has failed lately.
#[derive(Debug, Default)]
pub(super) struct Failures {
    sources: Mutex<HashMap<IpAddr, Count>>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Duration,
    failures: u32,
}

impl Failures {
    /// One more failure, at this monotonic time; `Err` has the seconds to wait when there are too
    /// many.
    pub(super) fn note(&self, source: IpAddr, now: Duration) -> Result<(), u32> {
        let source = source.to_canonical();
        let mut sources = self.lock();
        if sources.len() >= limits::SOURCES && !sources.contains_key(&source) {
            sources.retain(|_, count| now.saturating_sub(count.since) < MINUTE);
            if sources.len() >= limits::SOURCES {
                return Err(60);
            }
        }
        let count = sources.entry(source).or_insert(Count { since: now, failures: 0 });
        if now.saturating_sub(count.since) >= MINUTE {
            *count = Count { since: now, failures: 0 };
        }
        count.failures = count.failures.saturating_add(1);
        if count.failures <= limits::FAILURES {
            return Ok(());
        }
        let left = (count.since + MINUTE).saturating_sub(now);
        Err(u32::try_from(left.as_secs()).unwrap_or(60).max(1))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Count>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_a_minute_then_the_source_waits_and_no_other_does() {
        let failures = Failures::default();
        let [one, two] = ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().unwrap());
        let at = Duration::from_secs;
        for second in 0..10 {
            assert_eq!(failures.note(one, at(100 + second)), Ok(()), "{second}");
        }
        assert_eq!(failures.note(one, at(120)), Err(40));
        assert_eq!(failures.note(two, at(120)), Ok(()));
        assert_eq!(failures.note(one, at(160)), Ok(()));
    }

    #[test]
    fn sources_are_bounded_and_forgotten() {
        let failures = Failures::default();
        let source = |n: u32| IpAddr::from(n.to_be_bytes());
        for n in 0..5_000 {
            let _told = failures.note(source(n), Duration::ZERO);
        }
        assert_eq!(failures.lock().len(), limits::SOURCES);
        assert_eq!(failures.note(source(6_000), Duration::from_secs(59)), Err(60));
        assert_eq!(failures.note(source(6_000), Duration::from_secs(61)), Ok(()));
        assert_eq!(failures.lock().len(), 1);
    }
}
