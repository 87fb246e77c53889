//! How many streams are open, in all and per source: one count for TCP and TLS together
//! (rm.md §1.9), though each has a thread of its own.
//!
//! Taken when a stream opens and given back when it closes; no message passes here. An eighth is
//! not for strangers, so that however many they are, peers and media servers still get through.

use crate::limits::{STREAMS, STREAMS_PER_SOURCE};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The counts; copies share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seats(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    most: usize,
    all: usize,
    /// By address, of IPv6 by the network of 64 bits that one host may have for itself.
    by_source: HashMap<IpAddr, usize>,
}

impl Default for Taken {
    fn default() -> Self {
        Self { most: STREAMS, all: 0, by_source: HashMap::new() }
    }
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// Of all streams: one that is idle may make room.
    All,
    /// Of one source that is a stranger.
    Source,
}

impl Seats {
    /// So many there are from now on. Streams beyond them go one by one, as others open.
    pub(crate) fn set_most(&self, most: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).most = most;
    }

    /// One for a stream from or to `source`; only a stranger's source is held to its limit.
    pub(super) fn take(&self, source: IpAddr, stranger: bool) -> Result<(), Full> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let source = network(source);
        let here = taken.by_source.get(&source).copied().unwrap_or_default();
        if stranger && here >= STREAMS_PER_SOURCE {
            return Err(Full::Source);
        }
        let kept = if stranger { taken.most / 8 } else { 0 };
        if taken.all >= taken.most.saturating_sub(kept) {
            return Err(Full::All);
        }
        taken.all += 1;
        taken.by_source.insert(source, here + 1);
        Ok(())
    }

    /// Gives one back.
    pub(super) fn give_back(&self, source: IpAddr) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        let source = network(source);
        let Some(here) = taken.by_source.get_mut(&source) else { return };
        *here = here.saturating_sub(1);
        if *here == 0 {
            taken.by_source.remove(&source);
        }
    }
}

/// What counts as one source.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_copies_count_together_and_a_seat_given_back_is_free() {
        let (tcp, tls) = (Seats::default(), Seats::default());
        let both = [tcp.clone(), tcp.clone()];
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for n in 0..STREAMS_PER_SOURCE {
            assert_eq!(both[n % 2].take(one, true), Ok(()));
        }
        assert_eq!(tcp.take(one, true), Err(Full::Source));
        assert_eq!(tls.take(one, true), Ok(()), "another node's");
        for _ in STREAMS_PER_SOURCE..STREAMS {
            assert_eq!(tcp.take(other, false), Ok(()));
        }
        assert_eq!(both[1].take(other, false), Err(Full::All));
        both[0].give_back(one);
        assert_eq!(both[1].take(one, true), Err(Full::All), "what is left is not for strangers");
        assert_eq!(both[1].take(one, false), Ok(()));
        assert_eq!(both[1].take(one, true), Err(Full::Source));
        for _ in 0..STREAMS / 8 {
            tcp.give_back(other);
        }
        assert_eq!(tcp.take("192.0.2.3".parse().unwrap(), true), Err(Full::All));
        tcp.give_back(other);
        assert_eq!(tcp.take("192.0.2.3".parse().unwrap(), true), Ok(()));
        for _ in 0..STREAMS / 8 {
            assert_eq!(tcp.take(other, false), Ok(()));
        }
        tcp.set_most(STREAMS + 1);
        assert_eq!(both[1].take(other, false), Ok(()));
        assert_eq!(both[1].take(other, false), Err(Full::All));
        both[0].set_most(1);
        both[1].give_back(other);
        assert_eq!(tcp.take(other, false), Err(Full::All));
    }

    #[test]
    fn a_host_with_a_network_of_its_own_is_one_source() {
        let seats = Seats::default();
        let host = |number: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, number]);
        for number in 0..u16::try_from(STREAMS_PER_SOURCE).unwrap() {
            assert_eq!(seats.take(host(number), true), Ok(()));
        }
        assert_eq!(seats.take(host(u16::MAX), true), Err(Full::Source));
        assert_eq!(seats.take("2001:db8:0:8::1".parse().unwrap(), true), Ok(()));
        seats.give_back(host(9_999));
        assert_eq!(seats.take(host(u16::MAX), true), Ok(()));
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(seats.take(mapped, true), Ok(()));
        seats.give_back("192.0.2.1".parse().unwrap());
        assert_eq!(seats.0.lock().unwrap().all, STREAMS_PER_SOURCE + 1);
    }
}
