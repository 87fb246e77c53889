//! Tables for printing and reading times.

use super::{Millis, Now};
use std::time::Duration;

#[test]
fn prints_rfc3339_with_milliseconds() {
    let cases = [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_767_225_600_000, "2026-01-01T00:00:00.000Z"),
        (4_102_444_799_001, "2099-12-31T23:59:59.001Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ];
    for (ms, text) in cases {
        assert_eq!(Millis(ms).to_string(), text);
        assert_eq!(Millis::parse(text), Some(Millis(ms)), "{text}");
    }
}

#[test]
fn reads_any_zone_and_fraction() {
    let cases = [
        ("2026-01-01T00:00:00Z", Some(1_767_225_600_000)),
        ("2026-01-01t01:00:00+01:00", Some(1_767_225_600_000)),
        ("2025-12-31 19:30:00.5-04:30", Some(1_767_225_600_500)),
        ("2026-01-01T00:00:00.07z", Some(1_767_225_600_070)),
        ("2026-01-01T00:00:00.123456789Z", Some(1_767_225_600_123)),
        ("2025-12-31T23:59:60Z", Some(1_767_225_600_000)),
        ("1970-01-01T00:30:00-00:30", Some(3_600_000)),
        ("1970-01-01T00:30:00+00:31", None),
        ("1969-12-31T23:59:59Z", None),
        ("2026-02-29T00:00:00Z", None),
        ("2026-13-01T00:00:00Z", None),
        ("2026-00-01T00:00:00Z", None),
        ("2026-04-31T00:00:00Z", None),
        ("2026-01-01T24:00:00Z", None),
        ("2026-01-01T00:00:00", None),
        ("2026-01-01T00:00:00.Z", None),
        ("2026-01-01T00:00:00+1:00", None),
        ("2026-01-01T00:00:00+01:00x", None),
        ("2026-1-01T00:00:00Z", None),
        ("+026-01-01T00:00:00Z", None),
        ("2026-01-01", None),
        ("20260101T000000Z", None),
        ("ä026-01-01T00:00:00Z", None),
        ("", None),
    ];
    for (text, ms) in cases {
        assert_eq!(Millis::parse(text), ms.map(Millis), "{text}");
    }
}

#[test]
fn every_day_of_a_century_and_more_goes_there_and_back() {
    let mut before = (1969, 12, 31);
    for day in 0..60_000 {
        let time = Millis(day * 86_400_000 + 1);
        assert_eq!(Millis::parse(&time.to_string()), Some(time));
        assert!(time.date() > before);
        before = time.date();
    }
}

#[test]
fn serde_is_text() {
    let time = Millis(1_767_225_600_123);
    let json = serde_json::to_string(&time).unwrap();
    assert_eq!(json, "\"2026-01-01T00:00:00.123Z\"");
    assert_eq!(serde_json::from_str::<Millis>(&json).unwrap(), time);
    assert!(serde_json::from_str::<Millis>("1767225600123").is_err());
}

#[test]
fn arithmetic_stays_inside() {
    assert_eq!(Millis(5).since(Millis(9)), Duration::ZERO);
    assert_eq!(Millis(9).since(Millis(5)), Duration::from_millis(4));
    assert_eq!(Millis(u64::MAX).plus(Duration::from_secs(1)), Millis(u64::MAX));
    let now = Now::default().plus(Duration::from_millis(1500));
    assert_eq!((now.mono, now.wall), (Duration::from_millis(1500), Millis(1500)));
}
