//! Buckets and figures by hand, and sketches that merge in any order to the same.

use model::record::{self, BUCKET};
use proptest::prelude::*;

use super::{Sketch, bucket, span};

fn of(samples: &[u64]) -> Sketch {
    let mut sketch = Sketch::default();
    samples.iter().for_each(|ms| sketch.add(*ms));
    sketch
}

#[test]
fn buckets_are_those_of_the_specification() {
    let cases = [
        (0, 0),
        (31, 31),
        (32, 32),
        (33, 32),
        (34, 33),
        (63, 47),
        (64, 48),
        (1000, 111),
        ((1 << 24) - 1, 335),
        (1 << 24, 336),
        (u64::MAX, 336),
    ];
    for (ms, expected) in cases {
        assert_eq!(bucket(ms), expected, "{ms}");
    }
    let mut next = 0;
    for number in 0..BUCKET {
        let (low, high) = span(number, 0);
        assert_eq!((low, bucket(low), bucket(high)), (next, number, number));
        assert!((high - low + 1) * 16 <= low.max(16), "{number} is wider than 1/16");
        next = high + 1;
    }
    assert_eq!(span(BUCKET, u64::MAX), (next, u64::MAX));
}

/// Samples of one media server, a sketch of another (rs.md §14, scenario 27).
#[test]
fn figures_worked_out_by_hand() {
    let samples = record::Latency { samples: vec![81, 95, 240], ..record::Latency::default() };
    let sketch = record::Sketch {
        count: 3,
        sum: 63,
        sumsq: 1385,
        min: 15,
        max: 26,
        hist: [(15, 1), (22, 1), (26, 1)].into(),
    };
    let sketch = record::Latency { sketch: Some(sketch), ..record::Latency::default() };
    let mut both = Sketch::of(&samples);
    both.merge(&Sketch::of(&sketch));
    assert_eq!(both, of(&[81, 95, 240, 15, 22, 26]));
    assert_eq!((both.count, both.sum, both.sumsq), (6, 479, 74_571));
    let (average, deviation) = (both.average().unwrap(), both.deviation().unwrap());
    assert!((average - 79.833_333_333).abs() < 1e-6, "{average}");
    assert!((deviation - 77.814_773).abs() < 1e-3, "{deviation}");
    assert_eq!(both.quantile(1.0), Some(240.0));
    assert_eq!(both.quantile(0.0), Some(15.0));
    let none = Sketch::default();
    assert_eq!((none.average(), none.deviation(), none.quantile(0.5)), (None, None, None));
}

#[test]
fn a_column_that_is_no_histogram_is_refused() {
    let row = |bucket: u16| [&bucket.to_be_bytes()[..], &1_u64.to_be_bytes()].concat();
    for bytes in [vec![0; 9], row(337), [row(5), row(5)].concat(), [row(6), row(5)].concat()] {
        assert_eq!(Sketch::decode(&bytes), None, "{bytes:?}");
    }
    assert_eq!(Sketch::decode(&row(336)), Some([(336, 1)].into()));
}

fn samples() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec((0_u32..40).prop_flat_map(|e| 0..=(1_u64 << e)), 0..60)
}

proptest! {
    /// Any order and any split of the samples is the same sketch, and its column reads back.
    #[test]
    fn merging_is_addition(mut all in samples(), at in 0_usize..60, turn in 0_usize..60) {
        let whole = of(&all);
        let turned = turn % all.len().max(1);
        all.rotate_left(turned);
        let (front, back) = all.split_at(at.min(all.len()));
        let mut merged = of(back);
        merged.merge(&of(front));
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(Sketch::decode(&whole.encode()), Some(whole.hist));
    }

    /// A quantile is in the bucket of the sample that it stands for, so at most 1/16 away.
    #[test]
    fn quantiles_are_close(mut all in samples(), percent in 1_usize..=100) {
        prop_assume!(!all.is_empty());
        let sketch = of(&all);
        all.sort_unstable();
        let exact = all[(all.len() * percent).div_ceil(100) - 1];
        #[expect(clippy::cast_precision_loss, reason = "at most 2^40")]
        let (part, exact_ms) = (percent as f64 / 100.0, exact as f64);
        let found = sketch.quantile(part).unwrap();
        let room = if exact >= 1 << 24 { f64::INFINITY } else { exact_ms / 16.0 + 1e-6 };
        prop_assert!((found - exact_ms).abs() <= room, "{} for {}", found, exact);
    }
}
