//! Numbers that are erased, known by their hashes: what is searched for is kept nowhere.
//!
//! A number is found in a text wherever its digits stand in a row, also with what people put
//! between digits (RFC 3966 §5.1.1), and within longer rows of digits. Each of its digits becomes a
//! `9`, so that nothing around it moves and JSON stays JSON.

use std::collections::BTreeMap;

use crate::key::{self, Key};

/// Digits of a number that can be erased: a shorter one stands in too many texts by chance.
pub const DIGITS: std::ops::RangeInclusive<usize> = 5..=20;
/// What stands between two digits of one number, at most.
const BETWEEN: usize = 3;

/// A number by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumberHash {
    /// How many digits it has.
    pub digits: u8,
    /// Of these digits.
    pub hash: Key,
}

impl NumberHash {
    /// Of a number as people write it; `None`: too few or too many digits, or something else
    /// than a number.
    #[must_use]
    pub fn of(number: &str) -> Option<Self> {
        let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || is_between(byte));
        let count = u8::try_from(digits.len()).ok()?;
        (plain && DIGITS.contains(&digits.len()))
            .then(|| Self { digits: count, hash: hash(&digits) })
    }

    /// As an audit names it: hexadecimal.
    #[must_use]
    pub fn name(&self) -> String {
        self.hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Numbers that are erased, and until when: what comes of a call that began later is of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    all: Vec<(NumberHash, i64)>,
    latest_ms: i64,
}

impl Erased {
    /// Of these, each with a time in ms since 1970 UTC.
    #[must_use]
    pub fn of(all: Vec<(NumberHash, i64)>) -> Self {
        let latest_ms = all.iter().map(|(_, until_ms)| *until_ms).max().unwrap_or(i64::MIN);
        Self { all, latest_ms }
    }

    /// All numbers.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        Numbers::of(self.all.iter().map(|(number, _)| *number))
    }

    /// Those that something of this time must not tell.
    #[must_use]
    pub fn at(&self, time_ms: i64) -> Numbers {
        if time_ms > self.latest_ms {
            return Numbers::default();
        }
        let all = self.all.iter().filter(|(_, until_ms)| time_ms <= *until_ms);
        Numbers::of(all.map(|(number, _)| *number))
    }
}

/// A set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers(BTreeMap<usize, Vec<Key>>);

impl Numbers {
    /// Of these.
    #[must_use]
    pub fn of(all: impl IntoIterator<Item = NumberHash>) -> Self {
        let mut numbers: BTreeMap<usize, Vec<Key>> = BTreeMap::new();
        for NumberHash { digits, hash } in all {
            numbers.entry(usize::from(digits)).or_default().push(hash);
        }
        Self(numbers)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a text holds one of them.
    #[must_use]
    pub fn are_in(&self, text: &[u8]) -> bool {
        !self.places(text).is_empty()
    }

    /// The text without them; `None`: it holds none.
    #[must_use]
    pub fn without(&self, text: &str) -> Option<String> {
        let bytes = self.without_bytes(text.as_bytes())?;
        // digits have become digits
        String::from_utf8(bytes).ok()
    }

    /// The same for bytes that need not be text.
    #[must_use]
    pub fn without_bytes(&self, text: &[u8]) -> Option<Vec<u8>> {
        let places = self.places(text);
        if places.is_empty() {
            return None;
        }
        let mut text = text.to_vec();
        for at in places {
            if let Some(byte) = text.get_mut(at) {
                *byte = b'9';
            }
        }
        Some(text)
    }

    /// Replaces a value that holds one; true: it did.
    pub(crate) fn wipe(&self, text: &mut String) -> bool {
        let without = self.without(text);
        let found = without.is_some();
        if let Some(without) = without {
            *text = without;
        }
        found
    }

    /// Where their digits stand.
    fn places(&self, text: &[u8]) -> Vec<usize> {
        let mut places = Vec::new();
        if self.0.is_empty() {
            return places;
        }
        for row in rows(text) {
            for (count, hashes) in &self.0 {
                for window in row.windows(*count) {
                    let digits: Vec<u8> =
                        window.iter().filter_map(|at| text.get(*at).copied()).collect();
                    if hashes.contains(&hash(&digits)) {
                        places.extend(window);
                    }
                }
            }
        }
        places
    }
}

/// Rows of digits, each by the places of its digits.
fn rows(text: &[u8]) -> Vec<Vec<usize>> {
    let mut rows: Vec<Vec<usize>> = Vec::new();
    let mut between = usize::MAX;
    for (at, byte) in text.iter().enumerate() {
        if byte.is_ascii_digit() {
            match rows.last_mut().filter(|_| between <= BETWEEN) {
                Some(row) => row.push(at),
                None => rows.push(vec![at]),
            }
            between = 0;
        } else if is_between(*byte) {
            between = between.saturating_add(1);
        } else {
            between = usize::MAX;
        }
    }
    rows
}

const fn is_between(byte: u8) -> bool {
    matches!(byte, b'+' | b'-' | b'.' | b'(' | b')' | b' ' | b'/')
}

fn hash(digits: &[u8]) -> Key {
    key::letter_key(&[b"number", digits])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_however_it_is_written() {
        let numbers = Numbers::of(NumberHash::of("+49 (30) 123-456"));
        for (text, expected) in [
            ("sip:+4930123456@gw", "sip:+9999999999@gw"),
            ("call +49-30/123.456 now", "call +99-99/999.999 now"),
            (r#"{"n":4930123456}"#, r#"{"n":9999999999}"#),
            ("004930123456", "009999999999"),
            ("1749301234561", "1799999999991"),
        ] {
            // what stands before it is no part of it
            assert_eq!(numbers.without(text).as_deref(), Some(expected), "{text}");
            assert!(numbers.are_in(text.as_bytes()));
        }
        for text in ["", "493012345", "4930 x 123456", "493012345x6", "49301    23456"] {
            assert_eq!(numbers.without(text), None, "{text}");
        }
        assert_eq!(numbers.without_bytes(b"\xff4930123456").unwrap(), b"\xff9999999999");
        assert!(!Numbers::default().are_in(b"4930123456"));
    }

    #[test]
    fn what_is_no_number_cannot_be_erased() {
        for text in ["", "1234", "alice", "+49x30123", "123456789012345678901"] {
            assert_eq!(NumberHash::of(text), None, "{text}");
        }
        let one = NumberHash::of("12345").unwrap();
        assert_eq!((one.digits, one.name().len()), (5, 32));
        assert_eq!(NumberHash::of("+1-2-3-4-5"), Some(one));
    }
}
