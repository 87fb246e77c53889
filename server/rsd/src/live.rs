//! Settings that options of the Application object lie over while RS runs (rs.md §9): whoever
//! needs one asks here each time. Without an option the boot setting holds again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use config::Settings as BootSettings;
use config::settings::{BinRetention, Reports, Retention};
use model::config::ApplicationType;
use model::config::options::{Keeping, Verbose};
use model::latency::{self, Acceptance};
use model::snapshot::Snapshot;
use rs::retention::{Holder, Wanted};
use serde_json::{Value, json};
use spool::Spool;
use telemetry::Log;
use telemetry::log::Verbosity;

use crate::ingest::Gate;
use crate::machine;
use crate::retention::{Desk, annexes};

/// What is in force.
#[derive(Debug)]
pub(crate) struct Live {
    reports: RwLock<Reports>,
    latency: RwLock<Acceptance>,
}

impl Live {
    /// `rs.reports`.
    pub(crate) fn reports(&self) -> Reports {
        self.reports.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `rs.latency`.
    pub(crate) fn latency(&self) -> Acceptance {
        self.latency.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The object named by `rs.application`, as the configurations have it one after the other.
pub(crate) struct Application {
    name: String,
    /// It has been there.
    found: bool,
    /// That there is none has been told.
    missed: bool,
    /// The boot settings.
    reports: Reports,
    latency: Acceptance,
    keeping: Retention,
    spool_limit: u64,
    spool_dir: PathBuf,
    /// What is in force.
    live: Arc<Live>,
    desk: Arc<Desk>,
    spool: Spool,
    gate: Arc<Gate>,
    verbosity: Verbosity,
    /// What the option says of it.
    verbose: Option<Verbose>,
    log: Log,
}

/// A setting as it was and as it is; null: it is as the boot settings say.
pub(crate) type Change = (String, [Value; 2]);

fn changes(before: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> Vec<Change> {
    let value = |of: &BTreeMap<String, Value>, name| of.get(name).cloned().unwrap_or_default();
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let all = names.into_iter().map(|name| (name.clone(), [value(before, name), value(now, name)]));
    all.filter(|(_, [before, now])| before != now).collect()
}

/// Thresholds in ms, and the part of the response times that has to keep them.
fn accepted(latency: &Acceptance) -> Value {
    let kinds = latency::keys().filter_map(|key| latency::kind_of(&key));
    let kinds = kinds.filter_map(|kind| Some((kind.to_owned(), latency.threshold_ms(kind)?)));
    json!({"thresholds": kinds.collect::<BTreeMap<String, u32>>(), "part": latency.part()})
}

/// What options say of retention, over what the boot settings say.
fn lain_over(boot: &Retention, said: &Keeping) -> Retention {
    let days = |boot: u32, said: Option<u32>| said.unwrap_or(boot);
    let Keeping { cdr, events, failures, operations, var, latencies, sq, at } = *said;
    Retention {
        cdr: days(boot.cdr, cdr),
        events: days(boot.events, events),
        failures: days(boot.failures, failures),
        bins: BinRetention {
            operations: each(boot.bins.operations, operations),
            var: each(boot.bins.var, var),
            latencies: each(boot.bins.latencies, latencies),
            sq: each(boot.bins.sq, sq),
        },
        at: days(boot.at, at),
        ..boot.clone()
    }
}

fn each<const N: usize>(mut boot: [u32; N], said: [Option<u32>; N]) -> [u32; N] {
    for (days, said) in boot.iter_mut().zip(said) {
        *days = said.unwrap_or(*days);
    }
    boot
}

impl Application {
    /// What the boot settings say is in force.
    pub(crate) fn new(
        settings: &BootSettings,
        (spool, gate): (&Spool, &Arc<Gate>),
        desk: &Arc<Desk>,
        log: &Log,
    ) -> Self {
        Self {
            name: settings.rs.application.clone(),
            found: false,
            missed: false,
            reports: settings.rs.reports.clone(),
            latency: settings.rs.latency.clone(),
            keeping: settings.rs.retention.clone(),
            spool_limit: settings.rs.spool_limit,
            spool_dir: settings.rs_spool_dir(),
            live: Arc::new(Live {
                reports: RwLock::new(settings.rs.reports.clone()),
                latency: RwLock::new(settings.rs.latency.clone()),
            }),
            desk: Arc::clone(desk),
            spool: spool.clone(),
            gate: Arc::clone(gate),
            verbosity: Verbosity::new(log.clone()),
            verbose: None,
            log: log.clone(),
        }
    }

    /// What is known at the start is in force before anything is judged by it.
    pub(crate) fn at_start(mut self, snapshot: Option<&Snapshot>) -> Self {
        if let Some(snapshot) = snapshot {
            // before it nothing was in force
            let _first = self.take(snapshot);
        }
        self
    }

    /// `rs.application`
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// For whoever needs what is in force.
    pub(crate) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }

    /// Another configuration is in force: the settings that have changed by it, as they were and
    /// as they are.
    pub(crate) fn take(&mut self, snapshot: &Snapshot) -> Vec<Change> {
        let own = snapshot.application(&self.name);
        self.miss(snapshot, own.is_some());
        let options = own.map(|own| own.options.clone()).unwrap_or_default();
        let before = self.in_force();
        self.verbose = options.verbose;
        self.verbosity.ask(options.verbose);
        let (said, boot) = (options.reporting, &self.reports);
        let page_size_max = said.page_size_max.unwrap_or(boot.page_size_max);
        let reports = Reports {
            enabled: said.reports.unwrap_or(boot.enabled),
            page_size: said.page_size.unwrap_or(boot.page_size).min(page_size_max),
            page_size_max,
        };
        *self.live.reports.write().unwrap_or_else(PoisonError::into_inner) = reports;
        let latency = said.latency.over(&self.latency);
        *self.live.latency.write().unwrap_or_else(PoisonError::into_inner) = latency;
        self.desk.set(lain_over(&self.keeping, &said.keeping));
        self.desk.annex(annexes(snapshot));
        self.limit(said.spool_limit.unwrap_or(self.spool_limit));
        changes(&before, &self.in_force())
    }

    /// All settings that options lie over, by name.
    fn in_force(&self) -> BTreeMap<String, Value> {
        let Reports { enabled, page_size, page_size_max } = self.live.reports();
        let Retention { cdr, events, failures, bins, at, .. } = self.desk.settings();
        let BinRetention { operations, var, latencies, sq } = bins;
        let verbose = self.verbose.map(|verbose| format!("{verbose:?}").to_lowercase());
        let own = [
            ("log.level", json!(verbose)),
            ("rs.reports.enabled", json!(enabled)),
            ("rs.reports.page_size", json!(page_size)),
            ("rs.reports.page_size_max", json!(page_size_max)),
            ("rs.latency", accepted(&self.live.latency())),
            ("rs.spool.limit", json!(self.spool.status().limit)),
            ("rs.retention.cdr", json!(cdr)),
            ("rs.retention.events", json!(events)),
            ("rs.retention.sq.failures", json!(failures)),
            ("rs.retention.at", json!(at)),
            ("rs.retention.operations", json!(operations)),
            ("rs.retention.var", json!(var)),
            ("rs.retention.latencies", json!(latencies)),
            ("rs.retention.sq", json!(sq)),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        let annexes = self.desk.annexes().unwrap_or_default();
        let of_objects = annexes.iter().map(|(holder, Wanted { cdr, events, var })| {
            let (Holder::Tenant(id) | Holder::Profile(id)) = holder;
            let days = json!({"cdr": cdr, "events": events, "var": var});
            (format!("rs.db.retention.{id}"), days)
        });
        own.chain(of_objects).collect()
    }

    /// Tells once that the object is gone, or that another RS has one and this one has none.
    fn miss(&mut self, snapshot: &Snapshot, found: bool) {
        let had = std::mem::replace(&mut self.found, found);
        let id = if had { 31209 } else { 31210 };
        let of_type = |kind| kind == ApplicationType::ReportingServer;
        if found {
            self.missed = false;
        } else if had || (!self.missed && snapshot.applications().any(|one| of_type(one.kind))) {
            self.missed = true;
            self.log.emit(id, None, &[("application", &self.name)]);
        }
    }

    fn limit(&self, asked: u64) {
        let bytes = machine::spool_bytes(asked, &self.spool_dir, &self.log);
        if bytes != self.spool.status().limit {
            self.spool.set_limit(bytes);
            self.gate.limit_changed();
        }
    }
}
