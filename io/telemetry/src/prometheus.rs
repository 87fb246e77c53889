//! Metrics as text: Prometheus 0.0.4 and OpenMetrics 1.0 by `Accept` (ops.md §5).
//!
//! Figures are read from the daemon when it is scraped and written here. A registry crate is not
//! used because GVP's names (`rmPRTotalCalls`, `rsQueueSize`) must come out without the suffixes
//! that OpenMetrics libraries force on counters.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which text format was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    Text,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

impl Format {
    /// The format for an `Accept` header.
    #[must_use]
    pub fn from_accept(accept: Option<&str>) -> Self {
        match accept {
            Some(value) if value.contains("application/openmetrics-text") => Self::OpenMetrics,
            _ => Self::Text,
        }
    }

    /// The `Content-Type` of an answer.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

/// One answer being written: a family, then its samples, then the next family.
pub struct Exposition {
    format: Format,
    text: String,
    family: &'static str,
}

impl Exposition {
    /// An empty answer.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { format, text: String::with_capacity(8192), family: "" }
    }

    /// Begins a family. OpenMetrics names a counter's family without `_total`; a counter whose
    /// GVP name lacks the suffix is declared `unknown` there, because the name may not change.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        self.family = name;
        let (shown, kind) = match (self.format, kind) {
            (Format::OpenMetrics, Kind::Counter) => match name.strip_suffix("_total") {
                Some(base) => (base, "counter"),
                None => (name, "unknown"),
            },
            (Format::Text, Kind::Counter) => (name, "counter"),
            (_, Kind::Gauge) => (name, "gauge"),
            (_, Kind::Histogram) => (name, "histogram"),
        };
        self.line(format_args!("# HELP {shown} {help}\n# TYPE {shown} {kind}\n"));
    }

    /// One sample of the family begun last.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        let family = self.family;
        self.named(family, "", labels, None, value);
    }

    /// A histogram of the family begun last.
    pub fn histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        let family = self.family;
        let mut total = 0;
        for (bound, bucket) in histogram.bounds.iter().zip(&histogram.buckets) {
            total += bucket.load(Ordering::Relaxed);
            self.named(family, "_bucket", labels, Some(*bound), as_float(total));
        }
        let count = histogram.count.load(Ordering::Relaxed).max(total);
        self.named(family, "_bucket", labels, Some(f64::INFINITY), as_float(count));
        let sum = as_float(histogram.sum_micros.load(Ordering::Relaxed)) / 1e6;
        self.named(family, "_sum", labels, None, sum);
        self.named(family, "_count", labels, None, as_float(count));
    }

    /// The whole answer.
    #[must_use]
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn named(
        &mut self,
        name: &str,
        suffix: &str,
        labels: &[(&str, &str)],
        le: Option<f64>,
        value: f64,
    ) {
        self.text.push_str(name);
        self.text.push_str(suffix);
        if !labels.is_empty() || le.is_some() {
            self.text.push('{');
            for (n, (label, value)) in labels.iter().enumerate() {
                let comma = if n == 0 { "" } else { "," };
                self.line(format_args!("{comma}{label}=\"{}\"", escaped(value)));
            }
            if let Some(bound) = le {
                let comma = if labels.is_empty() { "" } else { "," };
                let bound = if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() };
                self.line(format_args!("{comma}le=\"{bound}\""));
            }
            self.text.push('}');
        }
        self.line(format_args!(" {value}\n"));
    }

    fn line(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(what);
    }
}

/// Longest label value, characters (ops.md §5).
const LABEL_CHARACTERS: usize = 128;

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars().take(LABEL_CHARACTERS) {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            _ => out.push(c),
        }
    }
    out
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats; above 2^53 a unit is noise")]
fn as_float(n: u64) -> f64 {
    n as f64
}

/// Buckets for latencies: 0.5 ms … 10 s in 1-2-5 steps.
pub const LATENCY_SECONDS: &[f64] =
    &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// Buckets for fsync: 50 µs … 1 s in 1-2-5 steps.
pub const SYNC_SECONDS: &[f64] =
    &[0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// Buckets for what one group holds: 1 … 5000 in 1-2-5 steps.
pub const GROUP_SIZES: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0];

/// A histogram that any thread may feed without a lock.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    buckets: Vec<AtomicU64>,
    count: AtomicU64,
    sum_micros: AtomicU64,
}

impl Histogram {
    /// Empty, with the given upper bounds: seconds, or numbers of things.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            buckets: bounds.iter().map(|_| AtomicU64::new(0)).collect(),
            count: AtomicU64::new(0),
            sum_micros: AtomicU64::new(0),
        }
    }

    /// One more observation.
    pub fn observe(&self, duration: std::time::Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.add(duration.as_secs_f64(), micros);
    }

    /// One more observation, of a number of things.
    pub fn observe_count(&self, count: u64) {
        self.add(as_float(count), count.saturating_mul(1_000_000));
    }

    fn add(&self, value: f64, micros: u64) {
        if let Some(at) = self.bounds.iter().position(|bound| value <= *bound)
            && let Some(bucket) = self.buckets.get(at)
        {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn both_formats_keep_names_and_escape_labels() {
        let write = |format| {
            let mut out = Exposition::new(format);
            out.family("ringmaster_rm_requests_total", Kind::Counter, "requests received");
            out.sample(&[("method", "INV\"ITE"), ("stack", "proxy")], 3.0);
            out.family("rmPRTotalCalls", Kind::Counter, "calls");
            out.sample(&[], 1.5);
            out.finish()
        };
        assert_eq!(
            write(Format::Text),
            "# HELP ringmaster_rm_requests_total requests received\n\
             # TYPE ringmaster_rm_requests_total counter\n\
             ringmaster_rm_requests_total{method=\"INV\\\"ITE\",stack=\"proxy\"} 3\n\
             # HELP rmPRTotalCalls calls\n# TYPE rmPRTotalCalls counter\nrmPRTotalCalls 1.5\n"
        );
        let open = write(Format::OpenMetrics);
        assert!(open.contains("# TYPE ringmaster_rm_requests counter\n"));
        assert!(open.contains("# TYPE rmPRTotalCalls unknown\n"));
        assert!(open.ends_with("# EOF\n"));
    }

    #[test]
    fn a_histogram_is_cumulative() {
        let histogram = Histogram::new(&[0.001, 0.01]);
        for ms in [1, 2, 50] {
            histogram.observe(Duration::from_millis(ms));
        }
        let mut out = Exposition::new(Format::Text);
        out.family("x_seconds", Kind::Histogram, "x");
        out.histogram(&[], &histogram);
        let text = out.finish();
        for line in [
            "x_seconds_bucket{le=\"0.001\"} 1",
            "x_seconds_bucket{le=\"0.01\"} 2",
            "x_seconds_bucket{le=\"+Inf\"} 3",
            "x_seconds_sum 0.053",
            "x_seconds_count 3",
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
    }
}
