//! `rs.retention`, `rs.export` and `rs.cdr`: how long what is kept (rs.md §10).

use std::time::Duration;

use model::schema::{Field, Object};

use super::export::{self, Export};
use super::rs::put;

/// Days at most.
const DAYS: u64 = 36_500;
const DAY: Duration = Duration::from_secs(86_400);

/// `rs.retention`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retention {
    /// `cdr`: days that calls are kept.
    pub cdr: u32,
    /// `events`: days that their events are kept.
    pub events: u32,
    /// `sq.failures`: days that failures of quality are kept.
    pub failures: u32,
    /// `operations`, `var`, `latencies`, `sq`: days that stored figures are kept.
    pub bins: BinRetention,
    /// `at`: minutes after midnight of the RS zone at which the purge begins.
    pub at: u32,
    /// `window`: how long it may take.
    pub window: Duration,
    /// `emergency`: whether events go early when the volume is nearly full.
    pub emergency: bool,
    /// `rs.export.before_purge`: what is written into files before it goes.
    pub export: Option<Export>,
    /// `rs.cdr.timeout`: silence after which a call in progress is closed.
    pub timeout: Duration,
}

/// Days that stored figures are kept, by length of the bin: five minutes and half hours where they
/// are, then hours, days, weeks, months.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BinRetention {
    /// `operations`: arrivals, peaks, durations.
    pub operations: [u32; 6],
    /// `var`: what voice applications reported.
    pub var: [u32; 6],
    /// `latencies`: response times.
    pub latencies: [u32; 4],
    /// `sq`: service quality.
    pub sq: [u32; 4],
}

/// Keys of the lengths of bins.
pub(super) const LENGTHS: [&str; 6] = ["5min", "30min", "hourly", "daily", "weekly", "monthly"];
/// Days of each.
const OF_BINS: [u32; 6] = [7, 31, 93, 400, 1095, 3650];
/// Of those of an hour and more.
const OF_LARGER: [u32; 4] = [93, 400, 1095, 3650];

impl Default for BinRetention {
    fn default() -> Self {
        Self { operations: OF_BINS, var: OF_BINS, latencies: OF_LARGER, sq: OF_LARGER }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            cdr: 40,
            events: 14,
            failures: 365,
            bins: BinRetention::default(),
            at: 3 * 60 + 10,
            window: Duration::from_secs(4 * 3600),
            emergency: false,
            export: None,
            timeout: DAY,
        }
    }
}

/// Reads these sections of `rs`.
pub(super) fn read(rs: &Object<'_>) -> Retention {
    let mut settings = Retention::default();
    if let Some(object) = rs.get("retention").and_then(|field| field.object()) {
        retention(&object, &mut settings);
        object.finish();
    }
    settings.export = export::read(rs);
    if let Some(object) = rs.get("cdr").and_then(|field| field.object()) {
        let least = Duration::from_secs(600);
        let timeout = object.get("timeout").and_then(|field| field.duration(least, DAY * 400));
        put(&mut settings.timeout, timeout);
        object.finish();
    }
    settings
}

fn retention(object: &Object<'_>, settings: &mut Retention) {
    put(&mut settings.cdr, object.get("cdr").and_then(|field| days(&field)));
    put(&mut settings.events, object.get("events").and_then(|field| days(&field)));
    if let Some(sq) = object.get("sq").and_then(|field| field.object()) {
        put(&mut settings.failures, sq.get("failures").and_then(|field| days(&field)));
        lengths(&sq, &LENGTHS[2..], &mut settings.bins.sq);
        sq.finish();
    }
    let bins = &mut settings.bins;
    let sections: [(&str, &[&'static str], &mut [u32]); 3] = [
        ("operations", &LENGTHS, &mut bins.operations),
        ("var", &LENGTHS, &mut bins.var),
        ("latencies", &LENGTHS[2..], &mut bins.latencies),
    ];
    for (section, keys, kept) in sections {
        if let Some(of) = object.get(section).and_then(|field| field.object()) {
            lengths(&of, keys, kept);
            of.finish();
        }
    }
    put(&mut settings.at, object.get("at").and_then(|field| field.time_of_day()));
    let window =
        object.get("window").and_then(|field| field.duration(Duration::from_secs(60), DAY));
    put(&mut settings.window, window);
    put(&mut settings.emergency, object.get("emergency").and_then(|field| field.boolean()));
}

/// Days by length of bins.
fn lengths(object: &Object<'_>, keys: &[&'static str], kept: &mut [u32]) {
    for (key, kept) in keys.iter().zip(kept) {
        put(kept, object.get(key).and_then(|field| days(&field)));
    }
}

fn days(field: &Field<'_>) -> Option<u32> {
    field.whole(1, DAYS).and_then(|days| u32::try_from(days).ok())
}
