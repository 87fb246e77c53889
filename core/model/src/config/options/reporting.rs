//! What a Reporting Server acts on (rs.md §9).

use std::time::Duration;

use super::AtStart;
use crate::latency::Acceptance;

/// Options of a Reporting Server; `None`: the boot setting holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reporting {
    /// `reporting/rs.exposerestapis`, for `rs.reports.enabled`: whether the reports in GVP's form
    /// are served.
    pub reports: Option<bool>,
    /// `cdr/page-size`, for `rs.reports.page_size`.
    pub page_size: Option<u32>,
    /// `cdr/page-size-max`, for `rs.reports.page_size_max`.
    pub page_size_max: Option<u32>,
    /// `messaging/activemq.diskStoreUsageLimit`, for `rs.spool.limit`: bytes.
    pub spool_limit: Option<u64>,
    /// What counts at a start only.
    pub at_start: AtStart,
    /// `reporting/rs.query.limit.…`, for `rs.reports.max_bins`: bins of one question, by their
    /// length.
    pub max_bins: [Option<u32>; 6],
    /// `rollup`, for `rs.rollup`.
    pub rollup: RollupSaid,
    /// `broker-limits`, for `rs.broker_limits`.
    pub broker_limits: BrokerSaid,
    /// `queue-high/size`, for `rs.queue_high.size`: records.
    pub queue_high_size: Option<u64>,
    /// `queue-high/for`, for `rs.queue_high.for`.
    pub queue_high_for: Option<Duration>,
    /// `dbmp`, for `rs.retention`, and `cdr/timeout`, for `rs.cdr.timeout`.
    pub keeping: Keeping,
    /// `latency`, for `rs.latency`.
    pub latency: Acceptance,
}

/// Options `dbmp/rs.db.retention.….default` of a Reporting Server, in days; `None`: the boot
/// setting holds. Bins by their length: five minutes and half hours where they are, then hours,
/// days, weeks, months.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Keeping {
    /// `cdr`
    pub cdr: Option<u32>,
    /// `events`
    pub events: Option<u32>,
    /// `sq.failures`
    pub failures: Option<u32>,
    /// `operations.…`
    pub operations: [Option<u32>; 6],
    /// `var.…`
    pub var: [Option<u32>; 6],
    /// `latencies.…`
    pub latencies: [Option<u32>; 4],
    /// `sq.…`
    pub sq: [Option<u32>; 4],
    /// `dbmp/schedule`: minutes after midnight of the RS zone.
    pub at: Option<u32>,
    /// `dbmp/window`: how long the purge may take.
    pub window: Option<Duration>,
    /// `dbmp/emergency`: whether events go early when the volume is nearly full.
    pub emergency: Option<bool>,
    /// `cdr/timeout`: silence after which a call in progress is closed.
    pub timeout: Option<Duration>,
}

/// Options `rollup/…`; `None`: the boot setting holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RollupSaid {
    /// `delay`: age of a mark before its bin is made again.
    pub delay: Option<Duration>,
    /// `delta-days`: days that lists of changes are kept.
    pub delta_days: Option<u32>,
    /// `dn-limit`: numbers that get figures on one day.
    pub dn_limit: Option<u32>,
}

/// Options `broker-limits/…`, named as the boot settings are; `None`: the boot setting holds. Sizes
/// are in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BrokerSaid {
    /// `connections`
    pub connections: Option<u32>,
    /// `connections-per-address`
    pub connections_per_address: Option<u32>,
    /// `frame-before-login`
    pub frame_before_login: Option<u64>,
    /// `frame`
    pub frame: Option<u64>,
    /// `record`
    pub record: Option<u64>,
    /// `sessions`
    pub sessions: Option<u32>,
    /// `producers`
    pub producers: Option<u32>,
    /// `advisories`
    pub advisories: Option<u32>,
    /// `transaction-messages`
    pub transaction_messages: Option<u32>,
    /// `transaction-bytes`
    pub transaction_bytes: Option<u64>,
    /// `transaction-age`
    pub transaction_age: Option<Duration>,
    /// `unanswered-messages`
    pub unanswered_messages: Option<u32>,
    /// `unanswered-bytes`
    pub unanswered_bytes: Option<u64>,
    /// `login`
    pub login: Option<Duration>,
    /// `inactivity`
    pub inactivity: Option<Duration>,
}
