//! The options of a Reporting Server (rs.md §9): those that lie over a boot setting while it runs,
//! and those that count below what it says.

mod starting;

use std::time::Duration;

use super::{DAY, Known, Named, SECOND, Set, VERBOSE, put_some};
use crate::latency::{self, MOST_MS, PARTS};
use crate::record::BODY_BYTES;
use crate::schema::Field;
use crate::tree::{Node, Value};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Days at most.
const DAYS: u32 = 36_500;
/// Bins of one question at most, whatever is said.
const MOST_BINS: u32 = 20_000;

/// How long something is kept, by GVP's name for it.
macro_rules! days {
    ($what:literal, $($cell:tt)+) => {
        ("dbmp", concat!("rs.db.retention.", $what, ".default"), |o, f| {
            put_some(&mut o.reporting.keeping.$($cell)+, f.whole(1, DAYS))
        })
    };
}

/// Bins of one question, by GVP's name for their length.
macro_rules! bins {
    ($length:literal, $at:literal) => {
        ("reporting", concat!("rs.query.limit.", $length), |o, f| {
            put_some(&mut o.reporting.max_bins[$at], f.whole(1, MOST_BINS))
        })
    };
}

/// A limit of the broker, by how its value is read.
macro_rules! limit {
    ($key:literal, $cell:ident, $read:expr) => {
        ("broker-limits", $key, |o, f| put_some(&mut o.reporting.broker_limits.$cell, $read(f)))
    };
}

/// What RS acts on.
pub(super) const BUILT: &[(&str, &str, Set)] = &[
    ("reporting", "rs.exposerestapis", |o, f| put_some(&mut o.reporting.reports, f.boolean())),
    ("cdr", "page-size", |o, f| put_some(&mut o.reporting.page_size, f.whole(1, 100_000))),
    ("cdr", "page-size-max", |o, f| put_some(&mut o.reporting.page_size_max, f.whole(1, 100_000))),
    ("messaging", "activemq.diskStoreUsageLimit", |o, f| {
        put_some(&mut o.reporting.spool_limit, size(f, 64 * MIB, 1 << 50))
    }),
    starting::MEMORY,
    starting::PORT,
    starting::SPOOL,
    starting::HISTORY_ONLY,
    starting::NO_DATABASE,
    starting::DATABASE,
    starting::USER,
    starting::SCHEMA,
    starting::URI_INDEXES,
    starting::READERS,
    starting::CACHE,
    starting::CERTIFICATE,
    starting::KEY,
    starting::AUTHORITIES,
    starting::CLIENTS,
    ("cdr", "timeout", |o, f| {
        put_some(&mut o.reporting.keeping.timeout, f.duration(SECOND * 600, DAY * 400))
    }),
    bins!("5min", 0),
    bins!("30min", 1),
    bins!("hourly", 2),
    bins!("daily", 3),
    bins!("weekly", 4),
    bins!("monthly", 5),
    ("rollup", "delay", |o, f| {
        put_some(&mut o.reporting.rollup.delay, f.duration(SECOND / 10, SECOND * 3600))
    }),
    ("rollup", "delta-days", |o, f| put_some(&mut o.reporting.rollup.delta_days, f.whole(1, 3650))),
    ("rollup", "dn-limit", |o, f| put_some(&mut o.reporting.rollup.dn_limit, count(f))),
    limit!("connections", connections, count),
    limit!("connections-per-address", connections_per_address, count),
    limit!("frame-before-login", frame_before_login, bytes),
    // a record travels in one frame; which of both counts where it cannot is told by RS
    limit!("frame", frame, |f| size(f, MIB, GIB)),
    limit!("record", record, |f| size(f, KIB, BODY_BYTES as u64)),
    limit!("sessions", sessions, count),
    limit!("producers", producers, count),
    limit!("advisories", advisories, count),
    limit!("transaction-messages", transaction_messages, count),
    limit!("transaction-bytes", transaction_bytes, bytes),
    limit!("transaction-age", transaction_age, time),
    limit!("unanswered-messages", unanswered_messages, count),
    limit!("unanswered-bytes", unanswered_bytes, bytes),
    limit!("login", login, time),
    limit!("inactivity", inactivity, time),
    ("queue-high", "size", |o, f| put_some(&mut o.reporting.queue_high_size, f.whole(1, 1 << 40))),
    ("queue-high", "for", |o, f| {
        put_some(&mut o.reporting.queue_high_for, f.duration(Duration::ZERO, DAY))
    }),
    ("latency", "percentile", |o, f| {
        o.reporting.latency.set_part(part(f)?);
        Some(())
    }),
    ("log", "verbose", |o, f| put_some(&mut o.verbose, f.choice(&VERBOSE))),
    ("dbmp", "schedule", |o, f| put_some(&mut o.reporting.keeping.at, f.time_of_day())),
    ("dbmp", "window", |o, f| {
        put_some(&mut o.reporting.keeping.window, f.duration(SECOND * 60, DAY))
    }),
    ("dbmp", "emergency", |o, f| put_some(&mut o.reporting.keeping.emergency, f.boolean())),
    days!("cdr", cdr),
    days!("events", events),
    days!("operations.5min", operations[0]),
    days!("operations.30min", operations[1]),
    days!("operations.hourly", operations[2]),
    days!("operations.daily", operations[3]),
    days!("operations.weekly", operations[4]),
    days!("operations.monthly", operations[5]),
    days!("var.5min", var[0]),
    days!("var.30min", var[1]),
    days!("var.hourly", var[2]),
    days!("var.daily", var[3]),
    days!("var.weekly", var[4]),
    days!("var.monthly", var[5]),
    days!("latencies.hourly", latencies[0]),
    days!("latencies.daily", latencies[1]),
    days!("latencies.weekly", latencies[2]),
    days!("latencies.monthly", latencies[3]),
    days!("sq.hourly", sq[0]),
    days!("sq.daily", sq[1]),
    days!("sq.weekly", sq[2]),
    days!("sq.monthly", sq[3]),
    days!("sq.failures", failures),
];

/// Thresholds of response times, by kind.
const LATENCY: Named = Named {
    section: "latency",
    keys: || latency::keys().collect(),
    set: |o, key, f| {
        let (kind, ms) = (latency::kind_of(key)?, f.whole(1, MOST_MS)?);
        o.reporting.latency.set_threshold(kind, ms);
        Some(())
    },
};

pub(super) const KNOWN: Known = Known {
    built: BUILT,
    named: &[LATENCY],
    later: &[],
    families: &[("agentx", "")],
    boot: &[
        ("persistence", "rs.database_password", "rs.database_password_file"),
        ("log", "trace", "log.file"),
    ],
};

fn count(field: &Field<'_>) -> Option<u32> {
    field.whole(1, 10_000_000)
}

fn bytes(field: &Field<'_>) -> Option<u64> {
    size(field, KIB, GIB)
}

fn time(field: &Field<'_>) -> Option<Duration> {
    field.duration(SECOND, DAY)
}

/// A part of all, also as text.
fn part(field: &Field<'_>) -> Option<f64> {
    let number = match &field.node().value {
        Value::Text(text) => text.parse().ok().map(Value::Float),
        _ => None,
    };
    let node = Node { value: number.unwrap_or(field.node().value.clone()), at: field.node().at };
    field.with(&node).number(PARTS.0, PARTS.1)
}

/// A size, also as GVP writes it: `18 gb`, in steps of 1024.
fn size(field: &Field<'_>, least: u64, most: u64) -> Option<u64> {
    let Value::Text(text) = &field.node().value else { return field.size(least, most) };
    let lower = text.to_ascii_lowercase();
    let units = [("kb", "KiB"), ("mb", "MiB"), ("gb", "GiB")];
    let ours = units.iter().find_map(|(gvp, ours)| {
        lower.strip_suffix(gvp).map(|number| format!("{}{ours}", number.trim()))
    });
    let Some(ours) = ours else { return field.size(least, most) };
    let node = Node { value: Value::Text(ours), at: field.node().at };
    field.with(&node).size(least, most)
}

#[cfg(test)]
mod tests {
    use super::size;
    use crate::schema::{Field, Problems};
    use crate::tree::{Node, Value};

    #[test]
    fn sizes_are_read_in_both_ways_of_writing() {
        let read = |value: Value| {
            let problems = Problems::default();
            let node = Node { value, ..Node::default() };
            size(&Field::root(&node, None, &problems), 1, 1 << 40)
        };
        for (text, bytes) in [
            ("18 gb", Some(18 << 30)),
            ("7680mb", Some(7680 << 20)),
            ("64 KB", Some(64 << 10)),
            ("2GiB", Some(2 << 30)),
            ("gb", None),
            ("1.5 gb", None),
            ("18 gb ", None),
        ] {
            assert_eq!(read(Value::Text(text.to_owned())), bytes, "{text:?}");
        }
        assert_eq!(read(Value::Int(4096)), Some(4096));
    }
}
