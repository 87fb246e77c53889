//! Exact numbers of digits, found by what they are: a number is its own key, so that nothing else
//! needs to be looked at.
//!
//! Open addressing in one list that is at most three quarters full: a look-up is one place in
//! memory, whatever the number of numbers, and a copy is one copy of memory. What has other
//! characters than digits, or more digits than fit, is not kept here.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::pattern::Pattern;

/// Most digits of a number that is its own key.
const MOST_DIGITS: usize = 18;

/// The key of a number of digits: its digits behind a 1, which keeps its leading zeros.
pub(super) fn key(number: &str) -> Option<u64> {
    if number.is_empty() || number.len() > MOST_DIGITS {
        return None;
    }
    number.bytes().try_fold(1_u64, |key, byte| {
        byte.is_ascii_digit().then(|| key * 10 + u64::from(byte - b'0'))
    })
}

/// The number of a key.
pub(super) fn number(key: u64) -> String {
    let mut digits = key.to_string();
    digits.remove(0);
    digits
}

/// The keys of all numbers of digits that a pattern matches, as intervals.
pub(super) fn keys(pattern: &Pattern) -> Vec<RangeInclusive<u64>> {
    let tens = |digits: usize| u32::try_from(digits).ok().and_then(|n| 10_u64.checked_pow(n));
    match pattern {
        Pattern::Exact(number) => key(number).map(|key| key..=key).into_iter().collect(),
        Pattern::Range { digits, low, high } => {
            let front = tens(usize::from(*digits));
            front.map(|front| front + low..=front + high).into_iter().collect()
        }
        Pattern::Prefix(prefix) => {
            let Some(begin) = (if prefix.is_empty() { Some(1) } else { key(prefix) }) else {
                return Vec::new();
            };
            let more = usize::from(prefix.is_empty())..=MOST_DIGITS - prefix.len();
            let wide = more.filter_map(tens).map(|wide| begin * wide..=begin * wide + (wide - 1));
            wide.collect()
        }
    }
}

/// One number and its value; a key of 0 is a free cell.
#[derive(Clone, Copy, Default)]
struct Cell {
    key: u64,
    value: u32,
}

/// See the module. A copy shares the list until one of the two is changed.
#[derive(Clone)]
pub(super) struct Plain {
    cells: Arc<[Cell]>,
    len: usize,
}

impl Default for Plain {
    fn default() -> Self {
        Self::with_room(0)
    }
}

impl Plain {
    /// Nothing yet, with room for so many numbers.
    pub(super) fn with_room(numbers: usize) -> Self {
        let room = numbers + numbers.div_ceil(3);
        Self { cells: vec![Cell::default(); room].into(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: u64) -> Option<u32> {
        let cell = self.cells.get(self.place(key)?)?;
        (cell.key == key).then_some(cell.value)
    }

    /// Every number and its value, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32)> {
        self.cells.iter().filter(|cell| cell.key != 0).map(|cell| (cell.key, cell.value))
    }

    /// Puts a number; one that is there stays with its value.
    ///
    /// # Errors
    /// The value that it has.
    pub(super) fn insert(&mut self, key: u64, value: u32) -> Result<(), u32> {
        if 4 * (self.len + 1) > 3 * self.cells.len() {
            self.grow();
        }
        let Some(at) = self.place(key) else { return Ok(()) };
        match Arc::make_mut(&mut self.cells).get_mut(at) {
            Some(cell) if cell.key == key => return Err(cell.value),
            Some(cell) => *cell = Cell { key, value },
            None => {}
        }
        self.len += 1;
        Ok(())
    }

    /// Takes a number out. What had to stand behind it moves up, so that the way to a number is as
    /// short as if the other had never been there.
    pub(super) fn remove(&mut self, key: u64) {
        let Some(mut hole) = self.place(key) else { return };
        let cells = Arc::make_mut(&mut self.cells);
        if cells.get(hole).is_none_or(|cell| cell.key != key) {
            return;
        }
        let places = cells.len();
        let after = |from: usize, to: usize| (to + places - from) % places;
        let mut at = hole;
        loop {
            at = (at + 1) % places;
            let Some(cell) = cells.get(at).copied().filter(|cell| cell.key != 0) else { break };
            if after(first(cell.key, places), at) >= after(hole, at) {
                cells.swap(hole, at);
                hole = at;
            }
        }
        if let Some(cell) = cells.get_mut(hole) {
            *cell = Cell::default();
        }
        self.len -= 1;
    }

    /// Gives every number the value that `to` makes of its value.
    pub(super) fn renumber(&mut self, to: impl Fn(u32) -> u32) {
        for cell in Arc::make_mut(&mut self.cells).iter_mut().filter(|cell| cell.key != 0) {
            cell.value = to(cell.value);
        }
    }

    /// Room for a sixteenth more, so that the next ones need not move all.
    fn grow(&mut self) {
        let mut larger = Self::with_room(self.len + self.len / 16 + 1);
        let cells = Arc::make_mut(&mut larger.cells);
        for old in self.cells.iter().filter(|cell| cell.key != 0) {
            if let Some(cell) = place(cells, old.key).and_then(|at| cells.get_mut(at)) {
                *cell = *old;
            }
        }
        self.cells = larger.cells;
    }

    fn place(&self, key: u64) -> Option<usize> {
        place(&self.cells, key)
    }
}

/// Where a key is or would be: from its first place on, the first cell that has it or is free.
fn place(cells: &[Cell], key: u64) -> Option<usize> {
    let first = first(key, cells.len());
    let (front, back) = cells.split_at_checked(first)?;
    let fits = |cell: &Cell| cell.key == key || cell.key == 0;
    let found = back.iter().position(fits).map(|at| first + at);
    found.or_else(|| front.iter().position(fits))
}

/// The first place of a key among so many, evenly spread. Keys come from the configuration, so that
/// nobody who calls can aim at a place.
fn first(key: u64, places: usize) -> usize {
    let product = u128::from(key) * 0x9E37_79B9_7F4A_7C15;
    #[expect(clippy::cast_possible_truncation, reason = "both halves are what is meant")]
    let hash = (product >> 64) as u64 ^ product as u64;
    let scaled = (u128::from(hash) * places as u128) >> 64;
    usize::try_from(scaled).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Plain, key, keys, number};
    use crate::chance::Chance;
    use crate::did::Pattern;

    #[test]
    fn a_number_is_its_own_key_with_all_its_zeros() {
        assert_eq!(key("0"), Some(10));
        assert_eq!(key("007"), Some(1007));
        assert_eq!(key("7"), Some(17));
        assert_eq!(key("999999999999999999"), Some(1_999_999_999_999_999_999));
        for other in ["", "+1", "alice", "1a", "１", "1000000000000000000"] {
            assert_eq!(key(other), None, "{other}");
        }
    }

    #[test]
    fn the_first_of_two_counts_and_what_is_not_there_is_not_found() {
        let mut plain = Plain::with_room(0);
        for n in 0..3000 {
            let put = plain.insert(10_000 + u64::from(n % 2000), n);
            assert_eq!(put, if n < 2000 { Ok(()) } else { Err(n - 2000) });
        }
        assert_eq!(plain.len(), 2000);
        for n in 0..2000 {
            assert_eq!(plain.get(10_000 + n), u32::try_from(n).ok(), "{n}");
            assert_eq!(plain.get(12_000 + n), None, "{n}");
        }
        assert_eq!(Plain::default().get(10), None);
    }

    #[test]
    fn a_copy_is_changed_alone_and_numbers_come_and_go() {
        let mut plain = Plain::default();
        let mut kept = BTreeMap::new();
        let mut chance = Chance::new([7; 4]);
        for step in 0..20_000_u32 {
            let key = 100_000 + chance.below(900);
            if chance.below(2) == 0 {
                assert_eq!(plain.insert(key, step).err(), kept.get(&key).copied());
                kept.entry(key).or_insert(step);
            } else {
                plain.remove(key);
                kept.remove(&key);
            }
            assert_eq!(plain.len(), kept.len());
        }
        let all = |plain: &Plain| plain.iter().collect::<BTreeMap<_, _>>();
        assert_eq!(all(&plain), kept);
        for key in 100_000..100_900 {
            assert_eq!(plain.get(key), kept.get(&key).copied());
        }
        let mut other = plain.clone();
        other.renumber(|value| value + 1);
        assert_eq!(all(&plain), kept);
        assert!(kept.iter().all(|(key, value)| other.get(*key) == Some(value + 1)));
        kept.keys().for_each(|key| other.remove(*key));
        assert_eq!((other.len(), other.iter().count(), plain.len()), (0, 0, kept.len()));
    }

    #[test]
    fn the_keys_of_a_pattern_are_those_of_its_numbers() {
        let patterns = ["7", "0", "007-012", "12*", "*", "alice", "a*", "1234567890123456789"];
        for text in patterns {
            let pattern = Pattern::parse(text).unwrap();
            for number in ["0", "7", "007", "010", "013", "12", "120", "012", "99"] {
                let key = key(number).unwrap();
                let within = keys(&pattern).iter().any(|keys| keys.contains(&key));
                let matched = match &pattern {
                    Pattern::Exact(exact) => exact == number,
                    Pattern::Range { low, high, .. } => {
                        number.len() == 3 && (*low..=*high).contains(&number.parse().unwrap())
                    }
                    Pattern::Prefix(prefix) => number.starts_with(prefix.as_str()),
                };
                assert_eq!(within, matched, "{number} {text}");
            }
        }
        assert_eq!(number(key("007").unwrap()), "007");
    }
}
