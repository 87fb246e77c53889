//! Settings that options of the Application object lie over while RS runs (rs.md §9): whoever
//! needs one asks here each time. Without an option the boot setting holds again.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use config::Settings as BootSettings;
use config::settings::Reports;
use model::config::ApplicationType;
use model::snapshot::Snapshot;
use spool::Spool;
use telemetry::Log;
use telemetry::log::Verbosity;

use crate::ingest::Gate;
use crate::machine;

/// What is in force.
#[derive(Debug)]
pub(crate) struct Live(RwLock<Reports>);

impl Live {
    /// `rs.reports`.
    pub(crate) fn reports(&self) -> Reports {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
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
    spool_limit: u64,
    spool_dir: PathBuf,
    /// What is in force.
    live: Arc<Live>,
    spool: Spool,
    gate: Arc<Gate>,
    verbosity: Verbosity,
    log: Log,
}

impl Application {
    /// What the boot settings say is in force.
    pub(crate) fn new(
        settings: &BootSettings,
        (spool, gate): (&Spool, &Arc<Gate>),
        log: &Log,
    ) -> Self {
        Self {
            name: settings.rs.application.clone(),
            found: false,
            missed: false,
            reports: settings.rs.reports.clone(),
            spool_limit: settings.rs.spool_limit,
            spool_dir: settings.rs_spool_dir(),
            live: Arc::new(Live(RwLock::new(settings.rs.reports.clone()))),
            spool: spool.clone(),
            gate: Arc::clone(gate),
            verbosity: Verbosity::new(log.clone()),
            log: log.clone(),
        }
    }

    /// For whoever needs what is in force.
    pub(crate) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }

    /// Another configuration is in force.
    pub(crate) fn take(&mut self, snapshot: &Snapshot) {
        let own = snapshot.application(&self.name);
        self.miss(snapshot, own.is_some());
        let options = own.map(|own| own.options.clone()).unwrap_or_default();
        self.verbosity.ask(options.verbose);
        let (said, boot) = (options.reporting, &self.reports);
        let page_size_max = said.page_size_max.unwrap_or(boot.page_size_max);
        let reports = Reports {
            enabled: said.reports.unwrap_or(boot.enabled),
            page_size: said.page_size.unwrap_or(boot.page_size).min(page_size_max),
            page_size_max,
        };
        *self.live.0.write().unwrap_or_else(PoisonError::into_inner) = reports;
        self.limit(said.spool_limit.unwrap_or(self.spool_limit));
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
