//! Exact numbers of digits, found by what they are: a number is its own key, so that nothing else
//! needs to be looked at.
//!
//! Open addressing in one list that is built once and at most three quarters full: a look-up is one
//! place in memory, whatever the number of numbers. What has other characters than digits, or more
//! digits than fit, is not kept here.

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

/// One number and its value; a key of 0 is a free cell.
#[derive(Clone, Copy, Default)]
struct Cell {
    key: u64,
    value: u32,
}

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Plain {
    cells: Vec<Cell>,
    len: usize,
}

impl Plain {
    /// Of two equal numbers the first counts.
    pub(super) fn build(numbers: &[(u64, u32)]) -> Self {
        let room = numbers.len() + numbers.len().div_ceil(3);
        let mut plain = Self { cells: vec![Cell::default(); room], len: 0 };
        for (key, value) in numbers {
            let Some(at) = plain.place(*key) else { break };
            if let Some(cell) = plain.cells.get_mut(at).filter(|cell| cell.key == 0) {
                *cell = Cell { key: *key, value: *value };
                plain.len += 1;
            }
        }
        plain
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: u64) -> Option<u32> {
        let cell = self.cells.get(self.place(key)?)?;
        (cell.key == key).then_some(cell.value)
    }

    /// Where a key is or would be: from its first place on, the first cell that has it or is free.
    fn place(&self, key: u64) -> Option<usize> {
        let first = first(key, self.cells.len());
        let (front, back) = self.cells.split_at_checked(first)?;
        let fits = |cell: &Cell| cell.key == key || cell.key == 0;
        let found = back.iter().position(fits).map(|at| first + at);
        found.or_else(|| front.iter().position(fits))
    }
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
    use super::{Plain, key};

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
        let numbers: Vec<(u64, u32)> =
            (0..3000).map(|n| (10_000 + n % 2000, u32::try_from(n).unwrap())).collect();
        let plain = Plain::build(&numbers);
        assert_eq!(plain.len(), 2000);
        for n in 0..2000 {
            assert_eq!(plain.get(10_000 + n), u32::try_from(n).ok(), "{n}");
            assert_eq!(plain.get(12_000 + n), None, "{n}");
        }
        assert_eq!(Plain::default().get(10), None);
        assert_eq!(Plain::build(&[(17, 5)]).get(17), Some(5));
    }
}
