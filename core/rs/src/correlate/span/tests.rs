//! Times of calls against the rule itself, moment by moment.

use proptest::prelude::*;

use super::super::owner;
use super::*;

const DAY: Day = 20_261_122;
const TICK: i64 = 20_000;

fn call(name: u8, day: Day, started: i64, lasts: Option<i64>) -> Candidate {
    let started_ms = started * TICK;
    let ended_ms = lasts.map(|lasts| started_ms + lasts * TICK);
    Candidate { day, call_key: [name; 16], started_ms, ended_ms }
}

fn calls() -> impl Strategy<Value = Vec<Candidate>> {
    let days = [20_261_120, 20_261_121, DAY, 20_261_123, 20_261_124];
    let lasts = prop_oneof![4 => (-1_i64..12).prop_map(Some), 1 => Just(None)];
    let one = (0..5_usize, 0_i64..40, -1_i64..2, lasts);
    proptest::collection::vec(one, 1..7).prop_map(move |calls| {
        let calls = calls.into_iter().zip(1..);
        // some are a little beside the others
        let calls = calls.map(|((day, started, shift, lasts), name)| {
            let call = call(name, days[day], started, lasts);
            let (started_ms, ended_ms) = (call.started_ms + shift, call.ended_ms);
            Candidate { started_ms, ended_ms, ..call }
        });
        calls.collect()
    })
}

/// Every moment at which something may turn, and those beside it.
fn moments() -> impl Iterator<Item = i64> {
    (-10..70).flat_map(|half| (-2..3).map(move |beside| half * TICK / 2 + beside))
}

fn is_in(spans: &Spans, time_ms: i64) -> bool {
    spans.iter().any(|span| span.contains(&time_ms))
}

proptest! {
    #[test]
    fn are_the_times_that_the_rule_gives_to_it(calls in calls()) {
        let all: Vec<_> = calls.iter().map(|call| Candidate { day: DAY, ..*call }).collect();
        for call in &calls {
            let of = (call.day, call.call_key);
            let (spans, seen) = (spans(&calls, DAY, of), shown(&calls, DAY, of));
            for (one, next) in spans.iter().zip(spans.iter().skip(1)) {
                prop_assert!(one.end() + 1 < *next.start(), "{spans:?}");
            }
            for time_ms in moments() {
                let owner = owner(&calls, DAY, time_ms);
                let its = is_in(&spans, time_ms);
                prop_assert_eq!(its, owner == Some(of), "{} {:?}", time_ms, spans);
                // and what is nobody's, by the same rule without days
                let far = || super::super::owner(&all, DAY, time_ms).map(|(_, key)| key);
                let is_far = !key::beside(DAY).contains(&call.day);
                let its = its || is_far && owner.is_none() && far() == Some(of.1);
                prop_assert_eq!(is_in(&seen, time_ms), its, "{} {:?}", time_ms, seen);
            }
        }
    }
}

#[test]
fn a_call_alone_has_all_from_a_minute_before_it() {
    let alone = [call(1, DAY, 10, Some(3))];
    let of = (DAY, [1; 16]);
    assert_eq!(spans(&alone, DAY, of), [140_000..=i64::MAX]);
    assert_eq!(spans(&alone, DAY + 1, of), [140_000..=i64::MAX]);
    assert_eq!(spans(&alone, DAY + 2, of), []);
    assert_eq!(shown(&alone, DAY + 2, of), [140_000..=i64::MAX]);
    assert_eq!(spans(&alone, DAY, (DAY, [2; 16])), [], "it is none of them");
    assert_eq!(spans(&[call(1, DAY, 10, None)], DAY, of), [140_000..=i64::MAX]);
}
