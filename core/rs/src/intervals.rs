//! A set of sequences as intervals: what a producer's stream has brought, and where it has gaps
//! (spec rs.md §6). Stored as pairs (first, last) of u64, big-endian.

/// Sorted, disjoint, not adjacent intervals of sequences, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals {
    all: Vec<(u64, u64)>,
}

/// Intervals that are kept: a stream with more gaps than this forgets its oldest ones.
const MOST: usize = 10_000;

impl Intervals {
    /// Adds a sequence; false: it was there.
    pub fn insert(&mut self, seq: u64) -> bool {
        let at = self.all.partition_point(|(_, last)| *last < seq);
        if self.all.get(at).is_some_and(|(first, _)| *first <= seq) {
            return false;
        }
        let joins_before = at > 0 && self.all[at - 1].1.checked_add(1) == Some(seq);
        let joins_after =
            self.all.get(at).is_some_and(|(first, _)| seq.checked_add(1) == Some(*first));
        match (joins_before, joins_after) {
            (true, true) => {
                let (_, last) = self.all.remove(at);
                self.all[at - 1].1 = last;
            }
            (true, false) => self.all[at - 1].1 = seq,
            (false, true) => self.all[at].0 = seq,
            (false, false) => self.all.insert(at, (seq, seq)),
        }
        if self.all.len() > MOST {
            // the oldest gap is forgotten, as if it had closed
            let (first, _) = self.all.remove(0);
            self.all[0].0 = first;
        }
        true
    }

    /// What is missing from 1 up to and including `to`.
    pub fn gaps(&self, to: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        let mut next = 1;
        for (first, last) in &self.all {
            if *first > next && next <= to {
                gaps.push((next, to.min(first - 1)));
            }
            next = last.saturating_add(1);
        }
        if next <= to {
            gaps.push((next, to));
        }
        gaps
    }

    /// As it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let pairs = self.all.iter().flat_map(|(first, last)| [first, last]);
        pairs.flat_map(|seq| seq.to_be_bytes()).collect()
    }

    /// Reads what was stored; what is no set is an empty one, and then counts again.
    pub fn decode(bytes: &[u8]) -> Self {
        let (chunks, rest) = bytes.as_chunks::<16>();
        let mut all: Vec<(u64, u64)> = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let (first, last) = (u128::from_be_bytes(*chunk) >> 64, u128::from_be_bytes(*chunk));
            let first = u64::try_from(first).unwrap_or(u64::MAX);
            let last = u64::try_from(last & u128::from(u64::MAX)).unwrap_or(u64::MAX);
            let follows = all.last().is_none_or(|(_, before)| *before < first);
            if first > last || !follows || !rest.is_empty() {
                return Self::default();
            }
            all.push((first, last));
        }
        Self { all }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_join_and_gaps_show() {
        let mut set = Intervals::default();
        let inserted: Vec<_> = [5, 3, 4, 5, 9, 1].map(|seq| set.insert(seq)).to_vec();
        assert_eq!(inserted, [true, true, true, false, true, true]);
        assert_eq!(set.all, [(1, 1), (3, 5), (9, 9)]);
        assert_eq!(set.gaps(12), [(2, 2), (6, 8), (10, 12)]);
        assert_eq!(set.gaps(7), [(2, 2), (6, 7)]);
        assert_eq!(set.gaps(1), []);
        set.insert(u64::MAX);
        set.insert(0);
        assert_eq!(Intervals::decode(&set.encode()), set);
    }

    #[test]
    fn nonsense_is_an_empty_set_and_the_oldest_gaps_are_forgotten() {
        let pair = |first: u64, last: u64| [first.to_be_bytes(), last.to_be_bytes()].concat();
        for bytes in [pair(4, 3), vec![1; 17], [pair(5, 6), pair(6, 7)].concat()] {
            assert_eq!(Intervals::decode(&bytes), Intervals::default(), "{bytes:?}");
        }
        let mut set = Intervals::default();
        for seq in 0..=MOST as u64 {
            set.insert(2 * seq + 1);
        }
        assert_eq!(set.all.len(), MOST);
        assert_eq!(set.all[0], (1, 3));
    }
}
