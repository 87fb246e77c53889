//! Settings that options of the Application object lie over while RS runs (rs.md §9): whoever
//! needs one asks here each time. Without an option the boot setting holds again.

mod lay;
mod under;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use config::Settings as BootSettings;
use config::settings::{Origin, Reports, Rs};
use model::config::options::Reporting;
use model::config::{ApplicationType, Options};
use model::latency::Acceptance;
use model::snapshot::Snapshot;
use rs::retention::{Holder, Wanted};
use serde_json::{Value, json};
use spool::Spool;
use telemetry::Log;
use telemetry::log::Verbosity;
use telemetry::log_id::Level;

use crate::error::StartError;
use crate::ingest::{Gate, LimitsInForce};
use crate::machine::{Beyond, Clamped};
use crate::retention::{Desk, annexes};
use crate::settings;

/// The setting that the option `log/verbose` lies over.
const LOG_LEVEL: &str = "log.level";

/// What is in force.
#[derive(Debug)]
pub(crate) struct Live {
    boot: BootSettings,
    /// Keys of settings that options have said at the start.
    begun: Vec<String>,
    now: RwLock<Arc<InForce>>,
}

#[derive(Debug, Default)]
struct InForce {
    rs: Arc<Rs>,
    /// Keys of settings that options lie over.
    laid: Vec<String>,
    /// Keys of settings whose options wait for a restart.
    waiting: Vec<&'static str>,
    /// Limits that are not kept as they are set.
    beyond: Vec<Beyond>,
    /// `log.level`, where an option has said it.
    level: Option<&'static str>,
}

/// A setting, for whoever looks at them.
pub(crate) struct Shown {
    pub(crate) key: String,
    pub(crate) value: Value,
    /// Who has said it.
    pub(crate) origin: Origin,
    /// An option may lie over it while RS runs.
    pub(crate) live: bool,
    /// An option says another value, which counts from the next start on.
    pub(crate) waits: bool,
    /// What of it is kept, where that is less.
    pub(crate) limited_to: Option<u64>,
}

impl Live {
    /// What the boot settings say, with what options have said at the start of these keys.
    pub(crate) fn of(boot: BootSettings, begun: Vec<String>) -> Self {
        let rs = Arc::new(boot.rs.clone());
        let now = RwLock::new(Arc::new(InForce { rs, ..InForce::default() }));
        Self { boot, begun, now }
    }

    /// The same of a start, with the configuration that is known then: options that count at a
    /// start only are laid over settings of which nobody has said anything.
    ///
    /// # Errors
    /// They say what cannot be.
    pub(crate) fn begin(
        boot: &mut BootSettings,
        first: Option<&Snapshot>,
    ) -> Result<Arc<Self>, StartError> {
        let said = first.map(|first| options(first, &boot.rs.application).reporting);
        let said = said.unwrap_or_default();
        let begun = under::lay(&mut boot.rs, &boot.origins, &said.at_start);
        let begun = begun.map_err(StartError::Settings)?;
        let mut rs = boot.rs.clone();
        let laid = lay::lay_over(&mut rs, &boot.origins, &said);
        let own = Self::of(boot.clone(), begun);
        own.set(InForce { rs: Arc::new(rs), laid, ..InForce::default() });
        Ok(Arc::new(own))
    }

    fn now(&self) -> Arc<InForce> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// All of `rs`.
    pub(crate) fn rs(&self) -> Arc<Rs> {
        Arc::clone(&self.now().rs)
    }

    /// Every setting, also of the log and of the configuration.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        let now = self.now();
        let settings = BootSettings { rs: Rs::clone(&now.rs), ..self.boot.clone() };
        let one = |(key, value): (String, Value)| {
            let said = now.laid.contains(&key) || self.begun.contains(&key);
            let origin = if said { Origin::Application } else { self.boot.origins.of(&key) };
            let value = match now.level {
                Some(level) if key == LOG_LEVEL => level.into(),
                _ => value,
            };
            let beyond = now.beyond.iter().find(|limit| limit.key == key);
            Shown {
                live: lay::is_live(&key),
                waits: now.waiting.contains(&key.as_str()),
                limited_to: beyond.map(|limit| limit.most),
                origin,
                key,
                value,
            }
        };
        config::settings::shown(&settings).into_iter().map(one).collect()
    }

    /// `rs.reports`; a page is never longer than it may be.
    pub(crate) fn reports(&self) -> Reports {
        let reports = self.rs().reports.clone();
        Reports { page_size: reports.page_size.min(reports.page_size_max), ..reports }
    }

    /// Bytes of a record that comes.
    pub(crate) fn record(&self) -> usize {
        settings::record(&self.rs().broker_limits)
    }

    /// `rs.latency`.
    pub(crate) fn latency(&self) -> Acceptance {
        self.rs().latency.clone()
    }

    fn set(&self, now: InForce) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
    }
}

/// A setting as it was and as it is.
pub(crate) type Change = (String, [Value; 2]);

/// What another configuration has done.
pub(crate) struct Taken {
    /// Settings that it has changed.
    pub(crate) changes: Vec<Change>,
    /// Options that wait for a restart.
    pub(crate) waiting: Vec<String>,
}

fn changes(before: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> Vec<Change> {
    let value = |of: &BTreeMap<String, Value>, name| of.get(name).cloned().unwrap_or_default();
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let all = names.into_iter().map(|name| (name.clone(), [value(before, name), value(now, name)]));
    all.filter(|(_, [before, now])| before != now).collect()
}

/// What the Application acts on.
pub(crate) struct Acted {
    pub(crate) live: Arc<Live>,
    pub(crate) limits: LimitsInForce,
    pub(crate) desk: Arc<Desk>,
    pub(crate) spool: Spool,
    pub(crate) gate: Arc<Gate>,
}

/// The object named by `rs.application`, as the configurations have it one after the other.
pub(crate) struct Application {
    /// It has been there.
    found: bool,
    /// That there is none has been told.
    missed: bool,
    /// What this process has begun with; options that count at a start lie in it.
    boot: BootSettings,
    /// What the options said then.
    begun: Reporting,
    spool_dir: PathBuf,
    acted: Acted,
    /// Limits as they are kept.
    clamped: Clamped,
    /// Options that wait for a restart.
    waiting: Vec<String>,
    verbosity: Verbosity,
    log: Log,
}

impl Application {
    /// What the boot settings say is in force, then what `first` says: what is known at the start
    /// is in force before anything is judged by it.
    pub(crate) fn begin(
        boot: BootSettings,
        (acted, clamped): (Acted, Clamped),
        first: Option<&Snapshot>,
        log: &Log,
    ) -> Self {
        let begun = first.map(|first| options(first, &boot.rs.application).reporting);
        let mut own = Self {
            found: false,
            missed: false,
            begun: begun.unwrap_or_default(),
            spool_dir: boot.rs_spool_dir(),
            boot,
            acted,
            clamped,
            waiting: Vec::new(),
            verbosity: Verbosity::new(log.clone()),
            log: log.clone(),
        };
        if let Some(first) = first {
            // before it nothing was in force
            let _first = own.take(first);
        }
        own
    }

    /// `rs.application`
    pub(crate) fn application(&self) -> &str {
        &self.boot.rs.application
    }

    /// Another configuration is in force.
    pub(crate) fn take(&mut self, snapshot: &Snapshot) -> Taken {
        let before = self.in_force();
        let name = &self.boot.rs.application;
        let options = options(snapshot, name);
        let found = snapshot.application(name).is_some();
        self.miss(snapshot, found);
        let verbose = options.verbose.filter(|_| !self.boot.origins.is_fixed(LOG_LEVEL));
        self.verbosity.ask(verbose);
        let mut rs = self.boot.rs.clone();
        let mut laid = lay::lay_over(&mut rs, &self.boot.origins, &options.reporting);
        laid.extend(verbose.map(|_| LOG_LEVEL.to_owned()));
        self.clamp(&rs);
        let (waiting, keys) = self.wait(&options).into_iter().unzip();
        let Acted { live, limits, desk, .. } = &self.acted;
        limits.set(settings::limits(&rs.broker_limits, &self.clamped));
        desk.set(rs.retention.clone());
        desk.annex(annexes(snapshot));
        let beyond = self.clamped.beyond.clone();
        let level = verbose.map(|_| self.log.levels().0.map_or("off", Level::word));
        live.set(InForce { rs: Arc::new(rs), laid, waiting: keys, beyond, level });
        Taken { changes: changes(&before, &self.in_force()), waiting }
    }

    /// All settings that options lie over, by name, and days of tenants and profiles.
    fn in_force(&self) -> BTreeMap<String, Value> {
        let all = self.acted.live.shown().into_iter();
        let own = all.filter(|one| one.live).map(|one| (one.key, one.value));
        let annexes = self.acted.desk.annexes().unwrap_or_default();
        let of_objects = annexes.iter().map(|(holder, Wanted { cdr, events, var })| {
            let (Holder::Tenant(id) | Holder::Profile(id)) = holder;
            let days = json!({"cdr": cdr, "events": events, "var": var});
            (format!("rs.db.retention.{id}"), days)
        });
        own.chain(of_objects).collect()
    }

    /// Limits of this machine over what is asked for.
    pub(crate) fn clamped(&self) -> &Clamped {
        &self.clamped
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
            self.log.emit(id, None, &[("application", &self.boot.rs.application)]);
        }
    }

    /// Keeps limits that this machine has, and tells those that are new.
    fn clamp(&mut self, rs: &Rs) {
        let clamped = Clamped::look(rs, &self.spool_dir);
        clamped.tell_beside(&self.clamped, &self.log);
        self.clamped = clamped;
        let Acted { spool, gate, .. } = &self.acted;
        if self.clamped.spool_bytes != spool.status().limit {
            spool.set_limit(self.clamped.spool_bytes);
            gate.limit_changed();
        }
    }

    /// What is said now and would count from the next start on, with its settings; told when it
    /// changes.
    fn wait(&mut self, options: &Options) -> Vec<(String, &'static str)> {
        let begun = Options { reporting: self.begun.clone(), ..Options::default() };
        let all = under::heeded(&self.boot.origins, begun.restart_required(options));
        let waiting: Vec<String> = all.iter().map(|(option, _)| (*option).to_owned()).collect();
        if !waiting.is_empty() && waiting != self.waiting {
            self.log.emit(31211, None, &[("options", &waiting.join(", "))]);
        }
        self.waiting = waiting;
        all.into_iter().map(|(option, key)| (option.to_owned(), key)).collect()
    }
}

fn options(snapshot: &Snapshot, application: &str) -> Options {
    snapshot.application(application).map(|own| own.options.clone()).unwrap_or_default()
}
