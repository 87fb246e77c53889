//! How often a login may fail (rs.md §8): one name from one source, and one source over all names,
//! so that nobody makes the list of names so long that failures are counted no more.
//!
//! Must not know whether a name is somebody's: an unknown one is counted as a known one.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use net::failures::{Allowed, Failures};

/// How long the first failure is remembered.
const WINDOW: Duration = Duration::from_secs(300);
/// Of one source under one name.
const NAMED: Allowed = Allowed { failures: 10, window: WINDOW, known: 10_000 };
/// Of one source under all names.
const ALL: Allowed = Allowed { failures: 100, window: WINDOW, known: 10_000 };

/// Whoever may be one: an address, or the 64 bits of a network of IPv6, which one host may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source(IpAddr);

impl Source {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX)).into(),
            four @ IpAddr::V4(_) => four,
        })
    }
}

/// Who has failed lately.
#[derive(Debug)]
pub(super) struct Limits {
    named: Failures<(Source, String)>,
    all: Failures<Source>,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self { named: Failures::new(NAMED), all: Failures::new(ALL) }
    }

    /// The seconds that this name has to wait from there.
    pub(super) fn waits(&self, who: &(Source, String), now: Duration) -> Option<u32> {
        self.all.waits(&who.0, now).max(self.named.waits(who, now))
    }

    /// One more failure.
    ///
    /// # Errors
    /// There are too many: the seconds to wait.
    pub(super) fn note(&self, who: (Source, String), now: Duration) -> Result<(), u32> {
        let all = self.all.note(who.0, now);
        let named = self.named.note(who, now);
        all.err().max(named.err()).map_or(Ok(()), Err)
    }

    /// Passwords may be others now.
    pub(super) fn forget(&self) {
        self.named.forget();
        self.all.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(address: &str, name: &str) -> (Source, String) {
        (Source::of(address.parse().unwrap()), name.to_owned())
    }

    #[test]
    fn a_source_has_an_end_over_all_names() {
        let limits = Limits::new();
        for n in 0..20_000 {
            let _told = limits.note(who("192.0.2.1", &format!("n{n}")), Duration::ZERO);
        }
        assert_eq!(limits.waits(&who("::ffff:192.0.2.1", "anna"), Duration::ZERO), Some(300));
        limits.forget();
        for n in 0..100 {
            let at = Duration::from_secs(n);
            assert_eq!(limits.waits(&who("192.0.2.1", "anna"), at), None, "{n}");
            assert_eq!(limits.note(who("192.0.2.1", &format!("n{n}")), at), Ok(()), "{n}");
        }
        let at = Duration::from_secs(100);
        assert_eq!(limits.waits(&who("192.0.2.1", "anna"), at), Some(200));
        assert_eq!(limits.note(who("192.0.2.1", "anna"), at), Err(200));
        assert_eq!(limits.waits(&who("192.0.2.2", "anna"), at), None, "another source has not");
        assert_eq!(limits.waits(&who("192.0.2.1", "anna"), Duration::from_secs(300)), None);
    }

    #[test]
    fn one_name_waits_from_a_source_and_its_whole_network() {
        let limits = Limits::new();
        for n in 0..10 {
            let at = who(&format!("2001:db8::{n}"), "anna");
            assert_eq!(limits.note(at, Duration::ZERO), Ok(()));
        }
        let waits = |address, name| limits.waits(&who(address, name), Duration::from_secs(1));
        assert_eq!(waits("2001:db8::ffff", "anna"), Some(299));
        assert_eq!(waits("2001:db8::ffff", "otto"), None);
        assert_eq!(waits("2001:db8:0:1::1", "anna"), None);
    }
}
