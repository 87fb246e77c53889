//! How often one may ask, and how much at once (rs.md §8): a user at an address, so that whoever
//! asks without end keeps no others waiting. Records that come have limits of their own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::limits::{AT_ONCE, BURST, EACH};
use crate::users::Source;

/// Those that are remembered; others are counted together while so many ask.
const KNOWN: usize = 10_000;

/// Who has asked lately.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<Who, One>>);

/// A user, or nobody in particular, from there; `None`: those for whom there is no room.
type Who = Option<(Source, Option<String>)>;

#[derive(Debug)]
struct One {
    /// When it will have asked so rarely that it may ask as often as at first.
    rested: Duration,
    places: Arc<Semaphore>,
}

impl Rates {
    /// Counts a request, by the monotonic clock. [`AT_ONCE`] of one are answered at once; what is
    /// given back is where others wait in line.
    ///
    /// # Errors
    /// There were too many: the seconds to wait.
    pub(super) fn ask(
        &self,
        user: Option<&str>,
        from: IpAddr,
        now: Duration,
    ) -> Result<Arc<Semaphore>, u32> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut who = Some((Source::of(from), user.map(ToOwned::to_owned)));
        if known.len() >= KNOWN && !known.contains_key(&who) {
            known.retain(|_, one| one.rested > now || one.places.available_permits() < AT_ONCE);
            who = who.filter(|_| known.len() < KNOWN);
        }
        let new = || One { rested: Duration::ZERO, places: Arc::new(Semaphore::new(AT_ONCE)) };
        let one = known.entry(who).or_insert_with(new);
        let rested = one.rested.max(now) + EACH;
        let beyond = (rested - now).saturating_sub(EACH * BURST);
        if beyond.is_zero() {
            one.rested = rested;
            return Ok(Arc::clone(&one.places));
        }
        Err(u32::try_from(beyond.as_secs()).unwrap_or(u32::MAX).saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn two_hundred_at_once_and_fifty_a_second_after_them() {
        let rates = Rates::default();
        let anna = |now| rates.ask(Some("anna"), "192.0.2.1".parse().unwrap(), now).map(|_| ());
        for n in 0..200 {
            assert_eq!(anna(at(1)), Ok(()), "{n}");
        }
        assert_eq!(anna(at(1)), Err(1));
        assert_eq!(anna(at(20)), Err(1), "20 ms later there is room");
        assert_eq!(anna(at(21)), Ok(()));
        assert_eq!(anna(at(21)), Err(1));
        let asked = (0..5000).filter(|n| anna(at(21 + n)).is_ok()).count();
        assert_eq!(asked, 249, "in five seconds");
        // nobody else waits for it
        assert!(rates.ask(None, "192.0.2.1".parse().unwrap(), at(21)).is_ok());
        assert!(rates.ask(Some("anna"), "192.0.2.2".parse().unwrap(), at(21)).is_ok());
        assert_eq!(anna(at(60_000)), Ok(()));
    }

    #[test]
    fn those_for_whom_there_is_no_room_are_counted_together() {
        let rates = Rates::default();
        let asks = |n: u32, now| rates.ask(None, std::net::Ipv4Addr::from_bits(n).into(), now);
        for n in 0..10_000 {
            assert!(asks(n, at(0)).is_ok());
        }
        let more = (10_000..11_000).filter(|n| asks(*n, at(0)).is_ok()).count();
        assert_eq!(more, 200);
        // whoever has rested makes room
        assert!((10_000..11_000).all(|n| asks(n, at(10_000)).is_ok()));
    }
}
