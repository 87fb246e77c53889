//! Latency sketches (rs.md §4.7): sums and a histogram of integer milliseconds that merge by
//! addition, so that samples and sketches of any number of media servers give one answer.
//!
//! ```text
//! v < 32    bucket v
//! v < 2²⁴   e = floor(log2 v), bucket 32 + (e − 5)·16 + ((v >> (e − 4)) & 15)
//! else      bucket 336
//! ```
//! Counting is in whole numbers only; a bucket is at most 1/16 of its value wide. What is derived
//! from the sums (average, deviation, quantile) is a double.

use std::collections::BTreeMap;

use model::record::{self, BEYOND_MS, BUCKET, EXACT_MS, bucket};

/// Samples of one kind, added up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sketch {
    /// Samples.
    pub count: u64,
    /// Their sum in ms.
    pub sum: u128,
    /// Sum of their squares.
    pub sumsq: u128,
    /// The smallest; 0 without samples.
    pub min: u64,
    /// The largest; 0 without samples.
    pub max: u64,
    /// Bucket → samples in it.
    pub hist: BTreeMap<u16, u64>,
}

impl Sketch {
    /// What one `sq.latency` tells: its sketch, else its samples.
    #[must_use]
    pub fn of(latency: &record::Latency) -> Self {
        match &latency.sketch {
            Some(sketch) => Self {
                count: sketch.count,
                sum: u128::from(sketch.sum),
                sumsq: u128::from(sketch.sumsq),
                min: sketch.min,
                max: sketch.max,
                hist: sketch.hist.clone(),
            },
            None => {
                let mut sketch = Self::default();
                latency.samples.iter().for_each(|ms| sketch.add(*ms));
                sketch
            }
        }
    }

    /// Adds one sample, in ms.
    pub fn add(&mut self, ms: u64) {
        self.min = if self.count == 0 { ms } else { self.min.min(ms) };
        self.max = self.max.max(ms);
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(u128::from(ms));
        self.sumsq = self.sumsq.saturating_add(u128::from(ms) * u128::from(ms));
        let bucket = self.hist.entry(bucket(ms)).or_default();
        *bucket = bucket.saturating_add(1);
    }

    /// Adds all samples of another one.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.sumsq = self.sumsq.saturating_add(other.sumsq);
        for (bucket, more) in &other.hist {
            let count = self.hist.entry(*bucket).or_default();
            *count = count.saturating_add(*more);
        }
    }

    /// The average in ms; `None` without samples.
    #[must_use]
    pub fn average(&self) -> Option<f64> {
        (self.count > 0).then(|| double(self.sum) / double(u128::from(self.count)))
    }

    /// The standard deviation of the population in ms; `None` without samples.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        let average = self.average()?;
        let squares = double(self.sumsq) / double(u128::from(self.count));
        Some((squares - average * average).max(0.0).sqrt())
    }

    /// The value in ms below which this part (0 to 1) of the samples lies: linear inside of a
    /// bucket, whose samples are taken as spread evenly, and never outside of `min` and `max`.
    /// `None` without samples.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let all: u128 = self.hist.values().map(|count| u128::from(*count)).sum();
        if all == 0 {
            return None;
        }
        // 0.07 of 100 samples is the seventh, whatever a double makes of it
        let wanted = (part.clamp(0.0, 1.0) * double(all) * 1e6).round() / 1e6;
        let mut below = 0.0;
        let mut value = 0.0;
        for (bucket, count) in &self.hist {
            let count = double(u128::from(*count));
            let (low, high) = span(*bucket, self.max);
            let inside = ((wanted - below - 0.5) / count).clamp(0.0, 1.0);
            value = double(u128::from(low)) + double(u128::from(high - low)) * inside;
            below += count;
            if below >= wanted {
                break;
            }
        }
        let (min, max) = (self.min.min(self.max), self.max);
        Some(value.clamp(double(u128::from(min)), double(u128::from(max))))
    }

    /// The histogram as one column holds it: bucket as u16, count as u64, big-endian, by bucket.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.hist.len() * 10);
        for (bucket, count) in &self.hist {
            bytes.extend(bucket.to_be_bytes());
            bytes.extend(count.to_be_bytes());
        }
        bytes
    }

    /// Reads that column; `None` if it is no such histogram.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<BTreeMap<u16, u64>> {
        let (rows, rest) = bytes.as_chunks::<10>();
        let mut hist = BTreeMap::new();
        for [a, b, count @ ..] in rows {
            let bucket = u16::from_be_bytes([*a, *b]);
            let sorted = hist.last_key_value().is_none_or(|(last, _)| *last < bucket);
            if bucket > BUCKET || !sorted {
                return None;
            }
            hist.insert(bucket, u64::from_be_bytes(*count));
        }
        rest.is_empty().then_some(hist)
    }
}

/// The smallest and the largest value of a bucket; the last one reaches to `max`.
#[must_use]
pub fn span(bucket: u16, max: u64) -> (u64, u64) {
    let number = u64::from(bucket);
    if number < EXACT_MS {
        return (number, number);
    }
    if bucket >= BUCKET {
        return (BEYOND_MS, max.max(BEYOND_MS));
    }
    let (e, step) = ((number - EXACT_MS) / 16 + 5, (number - EXACT_MS) % 16);
    let low = (16 + step) << (e - 4);
    (low, low + (1 << (e - 4)) - 1)
}

/// A sum as a double; above 2⁵³ it is rounded, which no average shows.
#[expect(clippy::cast_precision_loss, reason = "a figure for people, not a count")]
const fn double(sum: u128) -> f64 {
    sum as f64
}

#[cfg(test)]
mod tests;
