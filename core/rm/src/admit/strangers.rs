//! Sources that nobody has declared: how much each may ask, and how often it may be wrong (rm.md
//! §1.9).
//!
//! A table of fixed size, made at the start: a source has a few places where it can be, by a seeded
//! hash, and takes there the place of the one that was silent for longest. So nobody's number of
//! sources costs memory, and nobody can aim at another one's place. One IPv6 source is a /64. Reads
//! no message and no clock.

use std::net::IpAddr;
use std::time::Duration;

use crate::limits::{
    FAULTS, MUTED, STRANGER_DEPTH, STRANGER_INTERVAL, STRANGER_PLACES, STRANGER_SETS,
};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ration {
    /// Within the rate.
    Served,
    /// Beyond, and the first INVITE of its second: the source is told.
    Told,
    /// Beyond.
    Dropped,
}

/// A rate with a depth: each request moves the time at which the next one would be even.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    even: Duration,
}

impl Bucket {
    /// Takes one of those that come every `interval`, of which `depth` of time may be saved up.
    pub(crate) fn take(&mut self, now: Duration, interval: Duration, depth: Duration) -> bool {
        let next = self.even.max(now) + interval;
        let fits = next.saturating_sub(now) <= depth;
        if fits {
            self.even = next;
        }
        fits
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Strangers {
    sets: Box<[[Stranger; STRANGER_PLACES]]>,
    seed: u64,
}

/// One source; `seen` is zero in an empty place.
#[derive(Clone, Copy, Debug, Default)]
struct Stranger {
    net: [u64; 2],
    seen: Duration,
    bucket: Bucket,
    muted_until: Duration,
    /// The second of the faults, and of the latest INVITE that was told.
    faults_in: u32,
    told_in: u32,
    faults: u8,
}

impl Strangers {
    pub(crate) fn new(seed: u64) -> Self {
        let sets = vec![[Stranger::default(); STRANGER_PLACES]; STRANGER_SETS].into_boxed_slice();
        Self { sets, seed }
    }

    /// One more request.
    pub(crate) fn ask(&mut self, now: Duration, source: IpAddr, invite: bool) -> Ration {
        let Some(stranger) = self.place(now, source) else { return Ration::Dropped };
        if stranger.bucket.take(now, STRANGER_INTERVAL, STRANGER_DEPTH) {
            return Ration::Served;
        }
        if !invite || stranger.told_in == second(now) {
            return Ration::Dropped;
        }
        stranger.told_in = second(now);
        Ration::Told
    }

    /// Bytes that are no message.
    pub(crate) fn fault(&mut self, now: Duration, source: IpAddr) {
        let Some(stranger) = self.place(now, source) else { return };
        if stranger.faults_in != second(now) {
            stranger.faults_in = second(now);
            stranger.faults = 0;
        }
        stranger.faults = stranger.faults.saturating_add(1);
        if stranger.faults >= FAULTS {
            stranger.muted_until = now + MUTED;
        }
    }

    /// It was wrong too often: nothing of it is even read.
    pub(crate) fn is_muted(&self, now: Duration, source: IpAddr) -> bool {
        let net = net(source);
        let set = self.sets.get(self.set_of(net)).into_iter().flatten();
        set.filter(|stranger| stranger.net == net).any(|stranger| stranger.muted_until > now)
    }

    /// The place of a source: its own, or that of the one in its set which matters least.
    fn place(&mut self, now: Duration, source: IpAddr) -> Option<&mut Stranger> {
        let net = net(source);
        let index = self.set_of(net);
        let set = self.sets.get_mut(index)?;
        let own = |stranger: &Stranger| stranger.net == net && !stranger.seen.is_zero();
        let at = match set.iter().position(own) {
            Some(at) => at,
            None => {
                let least = |(_, one): &(usize, &Stranger)| (one.muted_until > now, one.seen);
                let (at, _) = set.iter().enumerate().min_by_key(least)?;
                set[at] = Stranger { net, ..Stranger::default() };
                at
            }
        };
        let stranger = set.get_mut(at)?;
        stranger.seen = now.max(Duration::from_nanos(1));
        Some(stranger)
    }

    fn set_of(&self, net: [u64; 2]) -> usize {
        let mixed = net.iter().fold(self.seed, |hash, part| mix(hash ^ part));
        usize::try_from(mixed % STRANGER_SETS as u64).unwrap_or(0)
    }
}

/// IPv4 whole, IPv6 by its /64.
fn net(source: IpAddr) -> [u64; 2] {
    match source.to_canonical() {
        IpAddr::V4(ip) => [1, u64::from(u32::from(ip))],
        IpAddr::V6(ip) => [2, u64::try_from(u128::from(ip) >> 64).unwrap_or(0)],
    }
}

/// A second of the engine's clock; 0 is none.
fn second(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX).saturating_add(1)
}

/// The finaliser of SplitMix64.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use super::{Bucket, Ration, Strangers};
    use crate::limits::{FAULTS, STRANGER_PLACES, STRANGER_SETS};
    use std::net::IpAddr;
    use std::time::Duration;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(1_000_000 + millis)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn twenty_at_once_then_ten_a_second_and_one_answer_a_second() {
        let mut strangers = Strangers::new(7);
        let source = ip("192.0.2.1");
        let mut asked = |now, invite| strangers.ask(now, source, invite);
        for _ in 0..20 {
            assert_eq!(asked(at(0), true), Ration::Served);
        }
        assert_eq!(asked(at(0), false), Ration::Dropped);
        assert_eq!(asked(at(0), true), Ration::Told);
        assert_eq!(asked(at(50), true), Ration::Dropped);
        assert_eq!(asked(at(100), true), Ration::Served);
        assert_eq!(asked(at(150), true), Ration::Dropped);
        assert_eq!(asked(at(1000), true), Ration::Served);
        let served = (1000..11_000).filter(|n| asked(at(*n), false) == Ration::Served).count();
        assert!((100..=120).contains(&served), "{served}");
        assert_eq!(asked(at(10_999), true), Ration::Told);
        assert_eq!(strangers.ask(at(11_000), ip("192.0.2.2"), true), Ration::Served);
    }

    #[test]
    fn a_source_that_is_wrong_too_often_is_muted_for_ten_seconds() {
        let mut strangers = Strangers::new(7);
        let (source, other) = (ip("2001:db8::1"), ip("2001:db8:0:1::1"));
        for _ in 1..FAULTS {
            strangers.fault(at(0), source);
        }
        assert!(!strangers.is_muted(at(0), source));
        // Another second, another count.
        strangers.fault(at(1000), source);
        assert!(!strangers.is_muted(at(1000), source));
        for _ in 1..FAULTS {
            strangers.fault(at(1500), source);
        }
        assert!(strangers.is_muted(at(11_499), source));
        assert!(strangers.is_muted(at(1500), ip("2001:db8::2")), "the same /64");
        assert!(!strangers.is_muted(at(1500), other));
        assert!(!strangers.is_muted(at(11_500), source));
    }

    #[test]
    fn many_sources_take_the_places_of_the_silent_and_not_of_the_muted() {
        let mut strangers = Strangers::new(7);
        let muted = ip("192.0.2.1");
        (0..FAULTS).for_each(|_| strangers.fault(at(0), muted));
        let all = u32::try_from(STRANGER_PLACES * STRANGER_SETS).unwrap();
        for n in 0..all * 2 {
            let source = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
            assert_eq!(strangers.ask(at(1), source, false), Ration::Served);
        }
        assert!(strangers.is_muted(at(2), muted));
        let full = strangers.sets.iter().filter(|set| set.iter().all(|one| !one.seen.is_zero()));
        assert!(full.count() > STRANGER_SETS / 2, "the places are used evenly");
    }

    #[test]
    fn a_bucket_has_its_rate_and_its_depth() {
        let mut bucket = Bucket::default();
        let (interval, depth) = (Duration::from_millis(250), Duration::from_secs(2));
        let mut taken = |now| bucket.take(at(now), interval, depth);
        assert_eq!((0..20).filter(|_| taken(0)).count(), 8);
        assert!(!taken(249) && taken(250) && !taken(250));
        assert_eq!((0..20).filter(|_| taken(60_000)).count(), 8);
    }
}
