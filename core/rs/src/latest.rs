//! Figures of which only the latest count (rs.md §2.6): outbound totals of an SSG, and values of a
//! component's MIB.
//!
//! Records come in any order and more than once, so what is stored says when it was told and by
//! which record, and only something later takes its place.

use crate::key::Key;

/// When something was told, and by which record: the later one stays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Version {
    /// Time of the record.
    pub time_ms: i64,
    /// Its ledger key, for records of one millisecond.
    pub id_key: Key,
}

/// What a record does to the rows of its component.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is older than what is there.
    Old,
    /// Of the same moment: its rows stand beside those that are there, as parts of one picture.
    Beside,
    /// It is newer: what is there goes.
    Instead,
}

/// Totals are one picture of a component, told at once, in one record or several of one time.
#[must_use]
pub fn picture(stored_ms: Option<i64>, time_ms: i64) -> Verdict {
    match stored_ms {
        Some(stored_ms) if time_ms < stored_ms => Verdict::Old,
        Some(stored_ms) if time_ms == stored_ms => Verdict::Beside,
        _ => Verdict::Instead,
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, Version, picture};

    #[test]
    fn only_a_later_picture_takes_the_place() {
        let cases =
            [(None, Verdict::Instead), (Some(4), Verdict::Instead), (Some(5), Verdict::Beside)];
        for (stored, expected) in cases {
            assert_eq!(picture(stored, 5), expected, "{stored:?}");
        }
        assert_eq!(picture(Some(6), 5), Verdict::Old);
        let at = |time_ms, id: u8| Version { time_ms, id_key: [id; 16] };
        assert!(at(5, 1) < at(5, 2) && at(5, 2) < at(6, 0));
    }
}
