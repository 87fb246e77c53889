//! How many streams are open, in all and per source: one count for TCP and TLS together
//! (rm.md §1.9), though each has a thread of its own.
//!
//! Taken when a stream opens and given back when it closes; no message passes here.

use crate::limits::{STREAMS, STREAMS_PER_SOURCE};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The counts; copies share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seats(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    most: usize,
    all: usize,
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
        let here = taken.by_source.get(&source).copied().unwrap_or_default();
        if stranger && here >= STREAMS_PER_SOURCE {
            return Err(Full::Source);
        }
        if taken.all >= taken.most {
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
        let Some(here) = taken.by_source.get_mut(&source) else { return };
        *here = here.saturating_sub(1);
        if *here == 0 {
            taken.by_source.remove(&source);
        }
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
        assert_eq!(both[1].take(one, true), Ok(()));
        assert_eq!(both[1].take(one, true), Err(Full::Source));
        tcp.set_most(STREAMS + 1);
        assert_eq!(both[1].take(other, false), Ok(()));
        assert_eq!(both[1].take(other, false), Err(Full::All));
        both[0].set_most(1);
        both[1].give_back(other);
        assert_eq!(tcp.take(other, false), Err(Full::All));
    }
}
