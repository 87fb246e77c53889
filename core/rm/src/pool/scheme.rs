//! The order in which the members of one tier of a group are tried (rm.md §7.4).
//!
//! One pass over the seats of a group, which lie side by side in memory. Must not judge whether a
//! member is fit: who asks says so.

use model::config::{HashOn, Scheme};

use super::board::Seat;

/// Hashes of what a call is known by, for the scheme `hash`: the same on every node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) call_id: u64,
    pub(crate) from_user: u64,
    pub(crate) dnis: u64,
    pub(crate) session: u64,
}

impl Keys {
    const fn of(self, on: HashOn) -> u64 {
        match on {
            HashOn::CallId => self.call_id,
            HashOn::FromUser => self.from_user,
            HashOn::Dnis => self.dnis,
            HashOn::Session => self.session,
        }
    }
}

/// FNV-1a, 64 bits: plain, and the same on every node.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, step)
}

/// The place of the seat whose turn it is among those that are fit. `last`: the one chosen last.
/// `moves`: the choice counts, else it is only looked at.
pub(crate) fn choose(
    scheme: Scheme,
    seats: &mut [Seat],
    last: Option<usize>,
    keys: Keys,
    moves: bool,
    fit: impl Fn(&Seat) -> bool,
) -> Option<usize> {
    match scheme {
        Scheme::RoundRobin => in_turn(seats, last, fit),
        Scheme::LeastUsed | Scheme::LeastPercent => least(seats, fit),
        Scheme::Weighted => weighted(seats, moves, fit),
        Scheme::Hash(on) => rendezvous(seats, keys.of(on), fit),
    }
}

/// Configuration order, starting behind the one chosen last, wrapping around.
fn in_turn(seats: &[Seat], last: Option<usize>, fit: impl Fn(&Seat) -> bool) -> Option<usize> {
    let start = last.map_or(0, |last| last + 1);
    let (front, back) = seats.split_at_checked(start).unwrap_or((&[], seats));
    let behind = seats.len() - back.len();
    let found = back.iter().position(&fit).map(|at| at + behind);
    found.or_else(|| front.iter().position(&fit))
}

/// The smallest load, then the fewest legs, then the longest wait, then the name.
fn least(seats: &[Seat], fit: impl Fn(&Seat) -> bool) -> Option<usize> {
    let mut best: Option<(usize, &Seat)> = None;
    let load = |seat: &Seat| (seat.load, seat.used, seat.chosen, seat.rank);
    for (at, seat) in seats.iter().enumerate() {
        if best.is_none_or(|(_, best)| seat.load <= best.load && load(seat) < load(best))
            && fit(seat)
        {
            best = Some((at, seat));
        }
    }
    best.map(|(at, _)| at)
}

/// Smooth weighted round robin: each candidate gains its weight, the richest pays the sum.
fn weighted(seats: &mut [Seat], moves: bool, fit: impl Fn(&Seat) -> bool) -> Option<usize> {
    let (mut best, mut most, mut rank, mut sum) = (None, i32::MIN, u32::MAX, 0);
    for (at, seat) in seats.iter_mut().enumerate() {
        if !fit(seat) {
            continue;
        }
        let weight = i32::from(seat.weight);
        let credit = seat.credit + weight;
        sum += weight;
        if moves {
            seat.credit = credit;
        }
        if credit > most || credit == most && seat.rank < rank {
            (best, most, rank) = (Some(at), credit, seat.rank);
        }
    }
    if let Some(seat) = best.and_then(|at| seats.get_mut(at)).filter(|_| moves) {
        seat.credit -= sum;
    }
    best
}

/// Rendezvous: each member has a number for the key, times its weight; the highest wins, so that
/// a lost member moves only its own share.
fn rendezvous(seats: &[Seat], key: u64, fit: impl Fn(&Seat) -> bool) -> Option<usize> {
    let (mut best, mut most, mut rank) = (None, 0, u32::MAX);
    for (at, seat) in seats.iter().enumerate() {
        if !fit(seat) {
            continue;
        }
        // 48 bits, and at most 10 of the weight
        let score = (mixed(key ^ seat.name) >> 16) * u64::from(seat.weight);
        if best.is_none() || score > most || score == most && seat.rank < rank {
            (best, most, rank) = (Some(at), score, seat.rank);
        }
    }
    best
}

/// Every bit of the input moves half of the output: both halves of a product, folded.
fn mixed(bits: u64) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let bits = (bits ^ (bits >> 32)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let product = u128::from(bits ^ ODD) * 0x94D0_49BB_1331_11EB;
    #[expect(clippy::cast_possible_truncation, reason = "both halves are what is meant")]
    let folded = (product >> 64) as u64 ^ product as u64;
    folded
}

#[cfg(test)]
mod tests {
    use super::{Keys, choose, hash};
    use crate::pool::board::Seat;
    use model::config::{HashOn, ResourceIx, Scheme};
    use std::collections::BTreeMap;

    /// Seats `a`, `b`, `c` … with these legs, capacities and weights.
    fn seats(all: &[(u32, u32, u16)]) -> Vec<Seat> {
        let seat = |(rank, (used, capacity, weight)): (u32, &(u32, u32, u16))| {
            let name = char::from(b'a' + u8::try_from(rank % 26).unwrap()).to_string();
            let (key, ix) = (usize::try_from(rank).unwrap(), ResourceIx(rank));
            let mut seat = Seat::new(key, ix, rank, &name, *weight);
            (seat.used, seat.load) = (*used, super::super::board::percent(*used, Some(*capacity)));
            seat
        };
        (0..).zip(all).map(seat).collect()
    }

    fn pick(scheme: Scheme, seats: &mut [Seat], last: Option<usize>) -> Option<usize> {
        choose(scheme, seats, last, Keys::default(), true, |_| true)
    }

    #[test]
    fn round_robin_goes_on_behind_the_last() {
        let mut all = seats(&[(0, 1, 1); 3]);
        for (last, fit, expected) in [
            (None, &[0, 1, 2][..], Some(0)),
            (Some(0), &[0, 1, 2], Some(1)),
            (Some(2), &[0, 1, 2], Some(0)),
            (Some(0), &[0, 2], Some(2)),
            (Some(1), &[1], Some(1)),
            (Some(9), &[1], Some(1)),
            (Some(0), &[], None),
        ] {
            let is_fit = |seat: &Seat| fit.contains(&seat.member);
            let chosen = choose(Scheme::RoundRobin, &mut all, last, Keys::default(), true, is_fit);
            assert_eq!(chosen, expected, "{last:?} {fit:?}");
        }
    }

    #[test]
    fn least_percent_compares_fractions_exactly() {
        for (all, expected) in [
            (&[(1, 3, 1), (33_333_333, 100_000_000, 1)][..], 1),
            (&[(1, 3, 1), (33_333_334, 100_000_000, 1)], 0),
            // the same fraction: fewer legs, then the name
            (&[(2, 4, 1), (1, 2, 1)], 1),
            (&[(1, 2, 1), (1, 2, 1)], 0),
            (&[(4_294_967_294, 4_294_967_295, 1), (4_294_967_293, 4_294_967_294, 1)], 1),
        ] {
            let mut all = seats(all);
            assert_eq!(pick(Scheme::LeastPercent, &mut all, None), Some(expected), "{all:?}");
        }
    }

    #[test]
    fn of_equal_ones_the_one_that_waits_longest() {
        let mut all = seats(&[(0, 9, 1); 3]);
        (all[0].chosen, all[1].chosen, all[2].chosen) = (7, 5, 6);
        assert_eq!(pick(Scheme::LeastPercent, &mut all, None), Some(1));
    }

    #[test]
    fn weights_are_kept_smoothly_and_a_look_moves_nothing() {
        let mut all = seats(&[(0, 9, 5), (0, 9, 1), (0, 9, 1)]);
        let turns: Vec<_> =
            (0..7).map(|_| pick(Scheme::Weighted, &mut all, None).unwrap()).collect();
        assert_eq!(turns, [0, 0, 1, 0, 2, 0, 0]);
        let before = all.clone();
        let looked = choose(Scheme::Weighted, &mut all, None, Keys::default(), false, |_| true);
        assert_eq!((looked, &all), (Some(0), &before));
    }

    #[test]
    fn a_lost_member_moves_its_own_keys_only_and_weights_count() {
        let mut all = seats(&[(0, 9, 100); 10]);
        let chosen = |all: &mut Vec<Seat>, without: usize, key: u32| {
            let keys = Keys { dnis: hash(&key.to_be_bytes()), ..Keys::default() };
            let fit = |seat: &Seat| seat.member != without;
            choose(Scheme::Hash(HashOn::Dnis), all, None, keys, true, fit).unwrap()
        };
        let mut shares: BTreeMap<usize, u32> = BTreeMap::new();
        for key in 0..2000 {
            let (with, without) = (chosen(&mut all, 99, key), chosen(&mut all, 4, key));
            assert!(with == without || with == 4, "{key}");
            *shares.entry(with).or_default() += 1;
        }
        assert!(shares.values().all(|share| (130..270).contains(share)), "{shares:?}");
        all[0].weight = 1000;
        let more = (0..2000).filter(|key| chosen(&mut all, 99, *key) == 0).count();
        assert!(more > 1500, "{more}");
    }
}
