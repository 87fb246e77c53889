//! Gaps that close by themselves, and minutes against what is stored (rs.md §6, scenario 36).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Fault, Gap, Judged, Stored, Told, beginnings, follow, judge, total};

const LATE: i64 = 1 << 40;

/// A minute: calls in, records out, adopted, handed out, in progress.
fn told(boot: i64, minute: i64, figures: [i64; 5]) -> Told {
    let [calls_in, records_out, adopted_in, handed_out, in_progress] = figures;
    Told {
        producer: "rm-1".to_owned(),
        boot,
        minute_ms: minute * 60_000,
        calls_in,
        records_out,
        adopted_in,
        handed_out,
        rejected: 0,
        in_progress,
    }
}

fn stored(boot: i64, minute: i64, stored: i64) -> Stored {
    Stored { producer: "rm-1".to_owned(), boot, minute_ms: minute * 60_000, stored }
}

fn first(boots: &[(i64, i64)]) -> BTreeMap<(String, i64), i64> {
    boots.iter().map(|(boot, minute)| (("rm-1".to_owned(), *boot), minute * 60_000)).collect()
}

fn faults(judged: &[Judged]) -> Vec<(i64, i64, Option<Fault>)> {
    let row = |row: &Judged| (row.told.boot, row.told.minute_ms / 60_000, row.fault);
    judged.iter().map(row).collect()
}

#[test]
fn minutes_that_follow_are_in_balance() {
    let books =
        [told(1, 10, [5, 2, 0, 0, 3]), told(1, 11, [4, 3, 2, 1, 5]), told(1, 12, [0, 5, 0, 0, 0])];
    let ends = [stored(1, 10, 2), stored(1, 11, 3), stored(1, 12, 5)];
    let judged = judge(&books, &ends, &first(&[(1, 10)]), 0, LATE);
    assert_eq!(faults(&judged), [(1, 10, None), (1, 11, None), (1, 12, None)]);
    let from = judge(&books, &ends, &first(&[(1, 10)]), 11 * 60_000, LATE);
    assert_eq!(faults(&from), [(1, 11, None), (1, 12, None)], "the minute before is only read");
}

#[test]
fn a_lost_record_shows_until_it_comes() {
    let books = [told(1, 10, [5, 2, 0, 0, 3])];
    let judged = judge(&books, &[stored(1, 10, 1)], &first(&[(1, 10)]), 0, LATE);
    assert_eq!((judged[0].fault, judged[0].difference), (Some(Fault::Records), 1));
    let judged = judge(&books, &[stored(1, 10, 2)], &first(&[(1, 10)]), 0, LATE);
    assert_eq!((judged[0].fault, judged[0].difference), (None, 0));
}

#[test]
fn calls_in_progress_follow_from_the_minute_before() {
    let wrong = [told(1, 10, [5, 2, 0, 0, 3]), told(1, 11, [4, 3, 0, 0, 5])];
    let ends = [stored(1, 10, 2), stored(1, 11, 3)];
    let judged = judge(&wrong, &ends, &first(&[(1, 10)]), 0, LATE);
    assert_eq!(judged[1].fault, Some(Fault::Progress));
    let alone = judge(&wrong[1..], &ends, &first(&[(1, 10)]), 11 * 60_000, LATE);
    assert_eq!(alone[0].fault, Some(Fault::Progress), "the minute before is missing");
    let begins = [told(1, 10, [5, 2, 4, 0, 7])];
    let judged = judge(&begins, &ends[..1], &first(&[(1, 10)]), 0, LATE);
    assert_eq!(judged[0].fault, None, "a start rebuilds its calls: they are adopted");
}

#[test]
fn the_first_minute_is_asked_of_those_that_may_begin() {
    let books = [told(1, 9, [0; 5]), told(1, 10, [0; 5]), told(2, 10, [0; 5]), told(3, 5, [0; 5])];
    let starts: Vec<_> =
        beginnings(&books, 10 * 60_000).into_iter().map(|(_, boot)| boot).collect();
    assert_eq!(starts, [2], "the one before is told, or it is not asked for");
}

#[test]
fn it_is_judged_two_minutes_later() {
    let books = [told(1, 10, [5, 2, 0, 0, 3])];
    let at =
        |seconds: i64| judge(&books, &[], &first(&[(1, 10)]), 0, (660 + seconds) * 1000)[0].fault;
    assert_eq!((at(119), at(120)), (None, Some(Fault::Records)));
}

#[test]
fn a_minute_that_nobody_told() {
    let books = [told(1, 10, [0, 0, 0, 0, 0]), told(1, 13, [0, 0, 0, 0, 0])];
    let judged = judge(&books, &[stored(1, 11, 1)], &first(&[(1, 10)]), 0, LATE);
    let not_told = Some(Fault::NotTold);
    let expected =
        [(1, 10, None), (1, 11, not_told), (1, 12, not_told), (1, 13, Some(Fault::Progress))];
    assert_eq!(faults(&judged), expected);
}

/// A process that is killed never tells its last minute; the next start tells only its own.
#[test]
fn a_start_in_the_middle_of_a_minute() {
    let books = [told(1, 10, [5, 2, 0, 0, 3]), told(2, 11, [1, 1, 2, 0, 2])];
    let ends = [stored(1, 10, 2), stored(1, 11, 1), stored(2, 11, 1)];
    let judged = judge(&books, &ends, &first(&[(1, 10), (2, 11)]), 0, LATE);
    assert_eq!(faults(&judged), [(1, 10, None), (1, 11, None), (2, 11, None)]);
}

#[test]
fn a_call_that_nobody_adopted_shows_in_the_sum() {
    let mut dead = told(1, 10, [3, 0, 0, 0, 3]);
    dead.producer = "rm-2".to_owned();
    let before = [told(1, 10, [2, 0, 0, 0, 2]), dead];
    let sum = |adopted: i64| {
        let after = told(1, 11, [1, 1, adopted, 0, 2 + adopted]);
        let books = [before[0].clone(), before[1].clone(), after];
        let all = total(&books, 11 * 60_000);
        (all.in_progress, all.difference)
    };
    assert_eq!(sum(3), ((5, 5), 0));
    assert_eq!(sum(2), ((5, 4), 1));
    assert_eq!(total(&[], 0), super::Total::default());
}

#[test]
fn a_gap_is_as_old_as_what_it_was_part_of() {
    let one = follow(&[], &[(5, 10), (20, 20)], 100);
    let gap = |from, to, since_ms| Gap { from, to, since_ms };
    assert_eq!(one, [gap(5, 10, 100), gap(20, 20, 100)]);
    let two = follow(&one, &[(5, 6), (9, 10), (30, 40)], 200);
    assert_eq!(two, [gap(5, 6, 100), gap(9, 10, 100), gap(30, 40, 200)]);
    assert_eq!(Gap::decode(&Gap::encode(&two)), two);
    assert_eq!(Gap::decode(&[0; 23]), []);
    assert!(!two[2].is_open(60_200) && two[2].is_open(60_201));
    assert_eq!(two[2].records(), 11);
    assert_eq!(follow(&two, &[], 300), []);
}

proptest! {
    /// What a correct producer tells, with whatever calls it has, is in balance once all of its
    /// ends are stored, and out of balance by what is missing before.
    #[test]
    fn a_correct_producer(
        minutes in prop::collection::vec((0_i64..9, 0_i64..9, 0_i64..3), 1..12),
        lost in any::<prop::sample::Index>(),
    ) {
        let (mut up, mut books, mut ends) = (0, Vec::new(), Vec::new());
        for (minute, (calls_in, out, adopted)) in (10..).zip(&minutes) {
            let out = (*out).min(up + calls_in + adopted);
            up += calls_in + adopted - out;
            books.push(told(1, minute, [*calls_in, out, *adopted, 0, up]));
            ends.push(stored(1, minute, out));
        }
        let begins = first(&[(1, 10)]);
        prop_assert!(judge(&books, &ends, &begins, 0, LATE).iter().all(|row| row.fault.is_none()));
        let at = lost.index(ends.len());
        ends[at].stored -= 1;
        let judged = judge(&books, &ends, &begins, 0, LATE);
        let missing: i64 = judged.iter().map(|row| row.difference).sum();
        prop_assert_eq!(missing, 1);
        prop_assert_eq!(judged[at].fault, Some(Fault::Records));
    }
}
