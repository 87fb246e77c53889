//! A set of sequences as intervals: what a producer's stream has brought, and where it has gaps
//! (spec rs.md §6). Stored as pairs (first, last) of u64, big-endian.

/// Sorted, disjoint, not adjacent intervals of sequences, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals {
    all: Vec<(u64, u64)>,
    /// How many within the first interval are missing: nobody tells any more which ones.
    lost: u64,
}

/// Intervals that are kept: of a stream with more gaps than this the oldest ones become one.
const MOST: usize = 10_000;
/// Stands in front of the number of lost ones; no interval begins with it and ends below.
const LOST: u64 = u64::MAX;

impl Intervals {
    /// Adds a sequence; false: it was there, or lies where nobody tells which ones were. What is
    /// missing there stays missing.
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
        let behind = at == 0 && self.lost > 0 && !joins_after;
        if self.all.len() > MOST || behind {
            let (first, last) = self.all.remove(0);
            self.lost += self.all[0].0 - last - 1;
            self.all[0].0 = first;
        }
        true
    }

    /// What is missing from 1 up to and including `to`. The gaps that are not told apart any more
    /// are one, of as many sequences, right before the place up to which they were.
    pub fn gaps(&self, to: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        // none: the last of all sequences is there
        let (mut next, mut lost) = (Some(1), self.lost);
        for (first, last) in &self.all {
            if let Some(next) = next.filter(|next| first > next && *next <= to) {
                gaps.push((next, to.min(first - 1)));
            }
            if lost > 0 {
                gaps.push((last - std::mem::take(&mut lost), last - 1));
            }
            next = last.checked_add(1);
        }
        gaps.extend(next.filter(|next| *next <= to).map(|next| (next, to)));
        gaps
    }

    /// As it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let lost = Some((LOST, self.lost)).filter(|_| self.lost > 0);
        let pairs = lost.iter().chain(&self.all).flat_map(|(first, last)| [first, last]);
        pairs.flat_map(|seq| seq.to_be_bytes()).collect()
    }

    /// Reads what was stored; what is no set is an empty one, and then counts again.
    pub fn decode(bytes: &[u8]) -> Self {
        let (chunks, rest) = bytes.as_chunks::<16>();
        let mut all: Vec<(u64, u64)> = Vec::with_capacity(chunks.len());
        let mut lost = 0;
        for (at, chunk) in chunks.iter().enumerate() {
            let (first, last) = (u128::from_be_bytes(*chunk) >> 64, u128::from_be_bytes(*chunk));
            let first = u64::try_from(first).unwrap_or(u64::MAX);
            let last = u64::try_from(last & u128::from(u64::MAX)).unwrap_or(u64::MAX);
            if at == 0 && first == LOST && last < LOST {
                lost = last;
                continue;
            }
            let follows = all.last().is_none_or(|(_, before)| *before < first);
            if first > last || !follows || !rest.is_empty() {
                return Self::default();
            }
            all.push((first, last));
        }
        let fits = lost == 0 || all.first().is_some_and(|(first, last)| last - first > lost);
        if fits { Self { all, lost } } else { Self::default() }
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
    fn the_last_of_all_sequences_is_not_missing_behind_itself() {
        let mut set = Intervals::default();
        set.insert(u64::MAX);
        assert_eq!(set.gaps(u64::MAX), [(1, u64::MAX - 1)]);
        assert_eq!(Intervals::default().gaps(u64::MAX), [(1, u64::MAX)]);
    }

    #[test]
    fn nonsense_is_an_empty_set() {
        let pair = |first: u64, last: u64| [first.to_be_bytes(), last.to_be_bytes()].concat();
        let lost = [pair(LOST, 2), pair(1, 3)].concat();
        for bytes in [pair(4, 3), vec![1; 17], [pair(5, 6), pair(6, 7)].concat(), lost] {
            assert_eq!(Intervals::decode(&bytes), Intervals::default(), "{bytes:?}");
        }
    }

    /// However many gaps there are, as many sequences stay missing as are.
    #[test]
    fn what_is_missing_stays_missing_when_it_is_not_told_apart_any_more() {
        let mut set = Intervals::default();
        let most = MOST as u64;
        let missing = |set: &Intervals| {
            let gaps = set.gaps(2 * most + 21);
            assert!(gaps.is_sorted_by(|one, next| one.1 < next.0), "{:?}", gaps.get(..3));
            (gaps.len(), gaps.iter().map(|(from, to)| to - from + 1).sum::<u64>())
        };
        for seq in 5..=most + 10 {
            set.insert(2 * seq + 1);
        }
        assert_eq!((set.all.len(), set.all[0], set.lost), (MOST, (11, 23), 6));
        assert_eq!(missing(&set), (MOST + 1, 10 + most + 5));
        // one that lies in front of them, and others
        assert!(set.insert(5) && set.insert(4) && !set.insert(17));
        assert_eq!((set.all[0], missing(&set).1), ((4, 23), 10 + most + 3));
        assert!(set.insert(24));
        assert_eq!((set.all[0], missing(&set).1), ((4, 25), 10 + most + 2));
        assert_eq!(Intervals::decode(&set.encode()), set);
    }
}
