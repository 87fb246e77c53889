//! Bins of zones with and without changes of the clock (rs.md §14 no. 22 and 23).

use model::time::Millis;
use proptest::prelude::*;

use crate::rollup::{Granularity, Weekday, Zone};

const HOUR: i64 = 3_600_000;

pub(super) fn at(text: &str) -> i64 {
    i64::try_from(Millis::parse(text).unwrap().0).unwrap()
}

/// 2026: summer time from 29 March to 25 October, both at 01:00 UTC.
pub(super) fn berlin() -> Zone {
    let changes = [("2026-03-29T01:00:00Z", 7200), ("2026-10-25T01:00:00Z", 3600)];
    Zone::new(3600, changes.map(|(text, offset)| (at(text), offset)), Weekday::Monday)
}

fn hours(zone: &Zone, day: &str) -> Vec<(i64, i64)> {
    let day = zone.bin(Granularity::Day, at(day));
    let hours = zone.bins(Granularity::Hour, day.start_ms, day.end_ms);
    hours.map(|hour| (hour.start_ms, hour.end_ms - hour.start_ms)).collect()
}

#[test]
fn a_spring_day_has_23_hours_and_an_autumn_day_25() {
    let zone = berlin();
    let spring = hours(&zone, "2026-03-29T12:00:00Z");
    assert_eq!((spring.len(), spring[0].0), (23, at("2026-03-28T23:00:00Z")));
    let autumn = hours(&zone, "2026-10-25T12:00:00Z");
    assert_eq!((autumn.len(), autumn[0].0), (25, at("2026-10-24T22:00:00Z")));
    // both are called 02:00 there
    assert_eq!(autumn[2].0, at("2026-10-25T00:00:00Z"));
    assert_eq!(autumn[3].0, at("2026-10-25T01:00:00Z"));
    assert!(spring.iter().chain(&autumn).all(|(_, length)| *length == HOUR));
}

#[test]
fn half_hours_shift_hours_and_days() {
    let kolkata = Zone::new(19_800, [], Weekday::Monday);
    let hour = kolkata.bin(Granularity::Hour, at("2026-06-01T10:45:00Z"));
    assert_eq!(hour.start_ms, at("2026-06-01T10:30:00Z"));
    let day = kolkata.bin(Granularity::Day, at("2026-06-01T10:45:00Z"));
    assert_eq!(day.start_ms, at("2026-05-31T18:30:00Z"));
    // Lord Howe moves its clock by half an hour: 02:00 of 4 October is 02:30 at once
    let changes = [(at("2026-04-04T15:00:00Z"), 37_800), (at("2026-10-03T15:30:00Z"), 39_600)];
    let howe = Zone::new(39_600, changes, Weekday::Monday);
    let lengths = |day| hours(&howe, day).iter().map(|(_, length)| *length).sum::<i64>();
    assert_eq!(lengths("2026-04-05T01:00:00Z"), 49 * HOUR / 2);
    assert_eq!(lengths("2026-10-04T01:00:00Z"), 47 * HOUR / 2);
    assert!(hours(&howe, "2026-04-05T01:00:00Z").iter().any(|(_, length)| *length == HOUR / 2));
}

#[test]
fn weeks_begin_where_asked_and_months_on_the_first() {
    let zone = berlin();
    let week = zone.bin(Granularity::Week, at("2026-11-26T13:00:00Z"));
    assert_eq!(week.start_ms, at("2026-11-22T23:00:00Z"));
    let sunday = Zone::new(0, [], Weekday::Sunday);
    let week = sunday.bin(Granularity::Week, at("2026-11-26T13:00:00Z"));
    assert_eq!(week.start_ms, at("2026-11-22T00:00:00Z"));
    let month = zone.bin(Granularity::Month, at("2026-03-31T22:30:00Z"));
    assert_eq!(month.start_ms, at("2026-03-31T22:00:00Z"), "April has begun there");
    assert_eq!(month.end_ms, at("2026-04-30T22:00:00Z"));
    let leap = Zone::utc().bin(Granularity::Month, at("2028-02-29T23:59:59Z"));
    assert_eq!(leap.end_ms, at("2028-03-01T00:00:00Z"));
}

#[test]
fn a_midnight_that_the_clock_jumps_over_begins_the_day_later() {
    // as in Santiago: 00:00 is 01:00 at once
    let changes = [(at("2026-09-06T04:00:00Z"), -10_800)];
    let zone = Zone::new(-14_400, changes, Weekday::Monday);
    let day = zone.bin(Granularity::Day, at("2026-09-06T12:00:00Z"));
    assert_eq!(day.start_ms, at("2026-09-06T04:00:00Z"));
    assert_eq!(day.end_ms - day.start_ms, 23 * HOUR);
}

proptest! {
    /// In any zone bins of a granularity follow each other without a gap, and each lies in one
    /// bin of each that is made of it.
    #[test]
    fn bins_fit_into_each_other(
        first in -48..56_i32,
        changes in prop::collection::vec((0..500_i64, -48..56_i32), 0..6),
        week in 0..7_usize,
        start in 0..400_i64,
    ) {
        let origin = at("2026-01-01T00:00:00Z");
        let mut changes: Vec<_> = changes
            .into_iter()
            .map(|(hours, quarters)| (origin + hours * HOUR, quarters * 900))
            .collect();
        changes.sort_unstable();
        let zone = Zone::new(first * 900, changes, Weekday::ALL[week]);
        let from = origin + start * HOUR;
        for granularity in Granularity::ALL {
            let mut last = None;
            for bin in zone.bins(granularity, from, from + 100 * HOUR) {
                prop_assert!(bin.start_ms < bin.end_ms);
                prop_assert!(last.is_none_or(|last| last == bin.start_ms));
                last = Some(bin.end_ms);
                for at in [bin.start_ms, bin.end_ms - 1] {
                    prop_assert_eq!(zone.bin(granularity, at), bin);
                    for parent in granularity.parents() {
                        let whole = zone.bin(*parent, at);
                        let inside = whole.holds(bin.start_ms) && whole.holds(bin.end_ms - 1);
                        prop_assert!(inside, "{:?} of {:?} in {:?}", bin, granularity, whole);
                    }
                }
            }
        }
    }
}
