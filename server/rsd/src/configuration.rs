//! What RS knows of the platform (ops.md §1.10, rs.md §5.12): the names of objects by their DBID.
//!
//! Reports work without it, with the names that stood in records. What is lost is told: alarm
//! `RS-CONFIG-LOST`. Must not hold up anything: the configuration in force is one `Arc`.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use config::Settings;
use config::source::{Applied, Daemon, News, Setup, Source, Watched};
use model::id::{Dbid, Revision};
use model::schema::Problem;
use model::snapshot::Snapshot;
use model::time::Millis;
use net::Clock;
use rs::report::Call;
use serde_json::{Map, Value, json};
use telemetry::config_client::Source as CameFrom;
use telemetry::{ConfigClient, Log};

use crate::alarms::Name;
use crate::crew::Worker;
use crate::error::StartError;
use crate::live::{Application, Change, Taken};
use crate::monitor::Monitor;
use crate::store::ObjectKind;
use crate::store::custody::{Audit, ms};

/// Settings that a line of the audit log shows as they were and as they are.
const SHOWN: usize = 100;

/// How the Config Server is asked for this RS.
pub(crate) fn setup(settings: &Settings, dir: PathBuf, clock: Clock, seed: [u64; 4]) -> Setup {
    let (server, name) = (settings.config.clone(), settings.rs.name.clone());
    Setup { server, name, component: "rs", dir, own: Vec::new(), clock, seed }
}

/// The configuration in force, for whoever asks for a name.
#[derive(Debug)]
pub(crate) struct Known {
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    pub(crate) figures: ConfigClient,
}

impl Known {
    /// What is in force at the start.
    pub(crate) fn of(source: &Source, now: Millis) -> Self {
        let snapshot = source.snapshot();
        let came_from = match (source, &snapshot) {
            (Source::Fixed(_) | Source::File(..), _) => CameFrom::File,
            (Source::Server(_), Some(_)) => CameFrom::Cache,
            (Source::Server(_), None) => CameFrom::Server,
        };
        let figures = ConfigClient::new(now, came_from);
        if let Some(snapshot) = &snapshot {
            figures.in_force(snapshot.revision);
        }
        Self { snapshot: RwLock::new(snapshot), figures }
    }

    /// In force now.
    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the objects of calls the names that they have now.
    pub(crate) fn name<'c>(&self, calls: impl IntoIterator<Item = &'c mut Call>) {
        let Some(snapshot) = self.snapshot() else { return };
        for call in calls {
            let component = &mut call.component;
            rename(&snapshot, ObjectKind::Component, component.id, &mut component.name);
            for tenant in &mut call.tenants {
                rename(&snapshot, ObjectKind::Tenant, tenant.id, &mut tenant.name);
            }
            if let Some(profile) = &mut call.application {
                rename(&snapshot, ObjectKind::Profile, profile.id, &mut profile.name);
            }
        }
    }

    /// The DBIDs of the objects that have this name now.
    pub(crate) fn ids(&self, kind: ObjectKind, wanted: &str) -> Vec<u32> {
        let Some(snapshot) = self.snapshot() else { return Vec::new() };
        let named = |name: &str, dbid: Dbid| (name == wanted).then_some(dbid.0);
        match kind {
            ObjectKind::Tenant => {
                snapshot.tenants().filter_map(|(_, one)| named(&one.name, one.dbid)).collect()
            }
            ObjectKind::Profile => {
                snapshot.profiles().filter_map(|(_, one)| named(&one.name, one.dbid)).collect()
            }
            ObjectKind::Component => {
                let own = snapshot.application(wanted).map(|one| one.dbid.0);
                let media = snapshot.resource_by_name(wanted);
                let media = media.map(|ix| snapshot.resource(ix).dbid.0);
                own.into_iter().chain(media).collect()
            }
        }
    }
}

fn rename(snapshot: &Snapshot, kind: ObjectKind, id: u32, name: &mut String) {
    let dbid = Dbid(id);
    let now = match kind {
        ObjectKind::Tenant => {
            snapshot.tenant_by_dbid(dbid).map(|ix| snapshot.tenant(ix).name.as_str())
        }
        ObjectKind::Profile => {
            snapshot.profile_by_dbid(dbid).map(|ix| snapshot.profile(ix).name.as_str())
        }
        ObjectKind::Component => {
            let own = snapshot.application_by_dbid(dbid).map(|own| own.name.as_str());
            let media = || snapshot.resource_by_dbid(dbid).map(|ix| &*snapshot.resource(ix).name);
            own.or_else(media)
        }
    };
    if let Some(now) = now {
        now.clone_into(name);
    }
}

/// Takes over what is valid, and tells the rest.
pub(crate) struct Keeper {
    known: Arc<Known>,
    own: Application,
    monitor: Arc<Monitor>,
    log: Log,
    clock: Clock,
}

/// The thread that has it has panicked: what is in force stays so.
impl Drop for Keeper {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.monitor
                .crew()
                .down(Worker::Configuration, "it panicked: no change comes any more");
        }
    }
}

impl Keeper {
    /// Keeps `known` what the source says.
    pub(crate) fn watch(
        source: Source,
        (known, own): (Arc<Known>, Application),
        monitor: &Arc<Monitor>,
        log: &Log,
        clock: Clock,
    ) -> Result<Watched, StartError> {
        let (monitor, log) = (Arc::clone(monitor), log.clone());
        let mut keeper = Self { known, own, monitor, log, clock };
        match keeper.known.snapshot() {
            Some(snapshot) => {
                // the same as at the start
                let _same = keeper.take(&snapshot);
                keeper.in_force(snapshot.revision);
            }
            None => keeper.check(false, "no snapshot yet"),
        }
        source.start("rs", Box::new(keeper)).map_err(StartError::threads)
    }

    fn check(&self, ok: bool, detail: &str) {
        self.monitor.health.set(self.clock.now().wall, "config", ok, detail);
    }

    /// A line of the audit log, if it changes a setting of this RS.
    fn note(&self, revision: Revision, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let shown: Map<String, Value> = changes
            .iter()
            .take(SHOWN)
            .map(|(name, [before, now])| (name.clone(), json!([before, now])))
            .collect();
        let more = changes.len() - shown.len();
        let detail = json!({"revision": revision.0, "changed": shown, "more": more});
        let line = Audit {
            no: 0,
            time_ms: ms(self.clock.now().wall),
            user: Some("configuration".to_owned()),
            address: "-".to_owned(),
            action: "settings".to_owned(),
            object: self.own.application().to_owned(),
            detail: detail.to_string(),
            outcome: "done".to_owned(),
        };
        // it is in force in any case; where a thousand lines wait the log alone has it
        let _room = self.monitor.deeds.add(line);
    }

    /// Its own Application object says what counts now.
    fn take(&mut self, snapshot: &Snapshot) -> Taken {
        let taken = self.own.take(snapshot);
        self.monitor.limits(&self.own.clamped().beyond);
        taken
    }

    fn in_force(&self, revision: Revision) {
        let revision = revision.0.to_string();
        self.check(true, &format!("revision {revision}"));
        self.log.emit(31204, None, &[("revision", &revision)]);
    }
}

impl Daemon for Keeper {
    fn apply(&mut self, applied: Applied) -> Vec<String> {
        let Applied { snapshot, warnings, took } = applied;
        let revision = snapshot.revision;
        let Taken { changes, waiting } = self.take(&snapshot);
        self.note(revision, &changes);
        *self.known.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
        self.known.figures.applied(revision, took);
        self.in_force(revision);
        for warning in warnings {
            self.log.emit(31205, None, &[("warning", &warning.to_string())]);
        }
        waiting
    }

    fn reject(&mut self, revision: Revision, faults: &[Problem]) {
        self.known.figures.rejected(revision);
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        let (revision, count) = (revision.0.to_string(), faults.len().to_string());
        let fields = [("revision", &*revision), ("error", &*first), ("errors", &*count)];
        self.log.emit(31203, None, &fields);
    }

    fn hear(&mut self, news: News<'_>) {
        let figures = &self.known.figures;
        match news {
            News::Contact => figures.contact(self.clock.now().wall),
            News::Connected { server } => {
                figures.connected(true);
                figures.came_from(CameFrom::Server);
                self.monitor.clear(Name::ConfigLost);
                self.log.emit(31202, None, &[("server", server)]);
            }
            News::Away => figures.connected(false),
            News::Lost { server, age, error } => {
                let age = format!("{}s", age.as_secs());
                let mut fields = vec![("server", server), ("age", &*age), ("error", error)];
                let at = self.clock.now().wall;
                fields.extend(self.monitor.alarms.raise(at, Name::ConfigLost, error));
                self.log.emit(Name::ConfigLost.log_id(), None, &fields);
            }
            News::Mismatch { revision } => {
                self.log.emit(10407, None, &[("revision", &revision.0.to_string())]);
            }
            News::SetBack { from, to } => {
                let (from, to) = (from.0.to_string(), to.0.to_string());
                self.log.emit(31207, None, &[("from", &from), ("to", &to)]);
            }
            News::PassedOver { error } => self.log.emit(31208, None, &[("error", error)]),
            News::NotKept { error } => self.log.emit(31206, None, &[("error", error)]),
        }
    }
}
