//! Options of the Application object over boot settings: which lies over which (rs.md §9).

use config::settings::{Origins, Rs};
use model::config::options::Reporting;

/// Lays an option over its setting; false: nothing is said.
type Lay = fn(&mut Rs, &Reporting) -> bool;

/// An option whose boot setting has its name in these structs.
macro_rules! of {
    ($key:literal, $($setting:ident).+ $([$at:literal])?, $($said:ident).+) => {
        (concat!("rs.", $key), |rs, said| {
            put(&mut rs.$($setting).+ $([$at])?, said.$($said).+ $([$at])?)
        })
    };
}

/// A limit of the broker.
macro_rules! limit {
    ($name:ident) => {
        (concat!("rs.broker_limits.", stringify!($name)), |rs, said| {
            put(&mut rs.broker_limits.$name, said.broker_limits.$name)
        })
    };
}

/// Boot settings that options lie over while RS runs.
const LIVE: &[(&str, Lay)] = &[
    of!("reports.enabled", reports.enabled, reports),
    of!("reports.page_size", reports.page_size, page_size),
    of!("reports.page_size_max", reports.page_size_max, page_size_max),
    of!("reports.max_bins.5min", reports.max_bins[0], max_bins),
    of!("reports.max_bins.30min", reports.max_bins[1], max_bins),
    of!("reports.max_bins.hourly", reports.max_bins[2], max_bins),
    of!("reports.max_bins.daily", reports.max_bins[3], max_bins),
    of!("reports.max_bins.weekly", reports.max_bins[4], max_bins),
    of!("reports.max_bins.monthly", reports.max_bins[5], max_bins),
    of!("spool.limit", spool_limit, spool_limit),
    of!("queue_high.size", queue_high.size, queue_high_size),
    of!("queue_high.for", queue_high.long, queue_high_for),
    of!("rollup.delay", rollup.delay, rollup.delay),
    of!("rollup.delta_days", rollup.delta_days, rollup.delta_days),
    of!("rollup.dn_limit", rollup.dn_limit, rollup.dn_limit),
    limit!(connections),
    limit!(connections_per_address),
    limit!(frame_before_login),
    limit!(frame),
    limit!(record),
    limit!(sessions),
    limit!(producers),
    limit!(advisories),
    limit!(transaction_messages),
    limit!(transaction_bytes),
    limit!(transaction_age),
    limit!(unanswered_messages),
    limit!(unanswered_bytes),
    limit!(login),
    limit!(inactivity),
    of!("cdr.timeout", retention.timeout, keeping.timeout),
    of!("retention.cdr", retention.cdr, keeping.cdr),
    of!("retention.events", retention.events, keeping.events),
    of!("retention.at", retention.at, keeping.at),
    of!("retention.window", retention.window, keeping.window),
    of!("retention.emergency", retention.emergency, keeping.emergency),
    of!("retention.sq.failures", retention.failures, keeping.failures),
    of!("retention.operations.5min", retention.bins.operations[0], keeping.operations),
    of!("retention.operations.30min", retention.bins.operations[1], keeping.operations),
    of!("retention.operations.hourly", retention.bins.operations[2], keeping.operations),
    of!("retention.operations.daily", retention.bins.operations[3], keeping.operations),
    of!("retention.operations.weekly", retention.bins.operations[4], keeping.operations),
    of!("retention.operations.monthly", retention.bins.operations[5], keeping.operations),
    of!("retention.var.5min", retention.bins.var[0], keeping.var),
    of!("retention.var.30min", retention.bins.var[1], keeping.var),
    of!("retention.var.hourly", retention.bins.var[2], keeping.var),
    of!("retention.var.daily", retention.bins.var[3], keeping.var),
    of!("retention.var.weekly", retention.bins.var[4], keeping.var),
    of!("retention.var.monthly", retention.bins.var[5], keeping.var),
    of!("retention.latencies.hourly", retention.bins.latencies[0], keeping.latencies),
    of!("retention.latencies.daily", retention.bins.latencies[1], keeping.latencies),
    of!("retention.latencies.weekly", retention.bins.latencies[2], keeping.latencies),
    of!("retention.latencies.monthly", retention.bins.latencies[3], keeping.latencies),
    of!("retention.sq.hourly", retention.bins.sq[0], keeping.sq),
    of!("retention.sq.daily", retention.bins.sq[1], keeping.sq),
    of!("retention.sq.weekly", retention.bins.sq[2], keeping.sq),
    of!("retention.sq.monthly", retention.bins.sq[3], keeping.sq),
];

fn put<T: Copy>(cell: &mut T, said: Option<T>) -> bool {
    said.inspect(|said| *cell = *said).is_some()
}

/// Lays what the options say over the settings that neither flags nor the environment have said.
/// Gives back the keys of those that it has laid something over.
pub(super) fn lay_over(rs: &mut Rs, origins: &Origins, said: &Reporting) -> Vec<String> {
    let open = LIVE.iter().filter(|(key, _)| !origins.is_fixed(key));
    let mut laid: Vec<String> =
        open.filter(|(_, lay)| lay(rs, said)).map(|(key, _)| (*key).to_owned()).collect();
    let key_of = |kind: Option<&str>| match kind {
        Some(kind) => format!("rs.latency.threshold.{}", kind.to_ascii_lowercase()),
        None => "rs.latency.percentile".to_owned(),
    };
    let latency = said.latency.clone().only(|kind| !origins.is_fixed(&key_of(kind)));
    laid.extend(latency.thresholds().map(|(kind, _)| key_of(Some(kind))));
    laid.extend(latency.says_part().then(|| key_of(None)));
    rs.latency = latency.over(&rs.latency);
    laid
}

/// Whether an option may lie over a setting while RS runs.
pub(super) fn is_live(key: &str) -> bool {
    let is = |(live, _): &(&str, Lay)| *live == key;
    LIVE.iter().any(is) || key.starts_with("rs.latency.") || key == super::LOG_LEVEL
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use config::Settings;
    use model::config::options::Reporting;

    use super::lay_over;

    fn settings(text: &str, environment: &[(&str, &str)]) -> Settings {
        let pairs = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Settings::from_text(text, None, pairs).unwrap()
    }

    fn said() -> Reporting {
        let mut said = Reporting { page_size: Some(70), page_size_max: Some(80), ..<_>::default() };
        said.rollup.delta_days = Some(3);
        said.keeping.operations[4] = Some(9);
        said.broker_limits.login = Some(Duration::from_secs(3));
        said.latency.set_threshold("PAGE_FETCH", 5);
        said.latency.set_threshold("TTS_OPEN", 6);
        said.latency.set_part(0.5);
        said
    }

    #[test]
    fn options_lie_over_the_file_and_below_the_environment() {
        let text = "rs: { rollup: { delta_days: 20 }, reports: { page_size: 5 } }";
        let file = settings(text, &[]);
        let mut rs = file.rs.clone();
        let laid = lay_over(&mut rs, &file.origins, &said());
        assert_eq!((rs.rollup.delta_days, rs.retention.bins.operations[4]), (3, 9));
        assert_eq!((rs.reports.page_size, rs.broker_limits.login.as_secs()), (70, 3));
        assert_eq!((rs.latency.threshold_ms("PAGE_FETCH"), rs.latency.part()), (Some(5), 0.5));
        assert_eq!(laid.len(), 8, "{laid:?}");
        assert!(laid.contains(&"rs.retention.operations.weekly".to_owned()), "{laid:?}");
        let environment = [
            ("RINGMASTER_RS__ROLLUP__DELTA_DAYS", "21"),
            ("RINGMASTER_RS__REPORTS", "{ page_size_max: 60, page_size: 50 }"),
            ("RINGMASTER_RS__LATENCY__THRESHOLD__PAGE_FETCH", "77"),
        ];
        let fixed = settings(text, &environment);
        let mut rs = fixed.rs.clone();
        let laid = lay_over(&mut rs, &fixed.origins, &said());
        assert_eq!((rs.rollup.delta_days, rs.reports.page_size), (21, 50));
        assert_eq!(rs.latency.threshold_ms("PAGE_FETCH"), Some(77));
        assert_eq!(rs.latency.threshold_ms("TTS_OPEN"), Some(6));
        let expected = [
            "rs.broker_limits.login",
            "rs.retention.operations.weekly",
            "rs.latency.threshold.tts_open",
            "rs.latency.percentile",
        ];
        assert_eq!(laid, expected);
    }
}
