//! What the jobs of the database are at, as it said when it was last asked (ops.md §5.2). Labels
//! are of closed lists, and there from the start.

use rs::rollup::Job;
use telemetry::names;
use telemetry::prometheus::{Exposition, Kind};

use crate::monitor::Stock;
use crate::store::bins;

/// Leases that there are.
const LEASES: [&str; 3] = [bins::LEASE, "retention", "orphan"];

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
pub(super) fn families(out: &mut Exposition, stock: &Stock, now_ms: i64) {
    let since = |at_ms: i64| now_ms.saturating_sub(at_ms).max(0) as f64 / 1000.0;
    let marked = &stock.jobs.marked;
    out.family(names::RS_ROLLUP_LAG_SECONDS, Kind::Gauge, "how long the oldest mark waits");
    for job in Job::ALL {
        let lag = marked.get(&job).map_or(0.0, |(_, oldest_ms)| since(*oldest_ms));
        out.sample(&[("job", job.as_str())], lag);
    }
    out.family(names::RS_DIRTY_BINS, Kind::Gauge, "marks of bins that are to be made again");
    out.sample(&[], marked.values().map(|(count, _)| count).sum::<u64>() as f64);
    out.family(names::RS_LEASE_HELD, Kind::Gauge, "1: this process has the lease of the job");
    for name in LEASES {
        let held = u8::from(stock.jobs.held.contains(name));
        out.sample(&[("name", name)], f64::from(held));
    }
    if let Some(at_ms) = stock.retained_ms {
        let help = "since the last purge that left nothing to do";
        out.family(names::RS_RETENTION_LAST_SUCCESS_SECONDS, Kind::Gauge, help);
        out.sample(&[], since(at_ms));
    }
}

#[cfg(test)]
mod tests {
    use rs::rollup::Granularity;
    use telemetry::prometheus::Format;

    use super::*;

    #[test]
    fn what_the_database_said_is_told() {
        let mut stock = Stock::default();
        let text = |stock: &Stock| {
            let mut out = Exposition::new(Format::from_accept(None));
            families(&mut out, stock, 400_000);
            out.finish()
        };
        let calm = text(&stock);
        for line in [
            "rs_rollup_lag_seconds{job=\"SPREAD\"} 0\n",
            "rs_rollup_lag_seconds{job=\"MONTH\"} 0\n",
            "rs_dirty_bins 0\n",
            "rs_lease_held{name=\"rollup\"} 0\n",
        ] {
            assert!(calm.contains(line), "{line} in {calm}");
        }
        assert!(!calm.contains("rs_retention_last_success_seconds"));
        stock.jobs.held.insert("rollup".to_owned());
        stock.jobs.marked.insert(Job::Make(Granularity::Hour), (3, 100_000));
        // a clock of another process may be ahead
        stock.jobs.marked.insert(Job::Spread, (2, 500_000));
        stock.retained_ms = Some(399_000);
        let busy = text(&stock);
        for line in [
            "rs_rollup_lag_seconds{job=\"SPREAD\"} 0\n",
            "rs_rollup_lag_seconds{job=\"HOUR\"} 300\n",
            "rs_dirty_bins 5\n",
            "rs_lease_held{name=\"rollup\"} 1\n",
            "rs_lease_held{name=\"orphan\"} 0\n",
            "rs_retention_last_success_seconds 1\n",
        ] {
            assert!(busy.contains(line), "{line} in {busy}");
        }
    }
}
