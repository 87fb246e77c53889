//! The node's state as others see it: the checks of `/ready` and the log lines of its changes.
//!
//! One place, so that a change is logged once and no check is forgotten (ops.md §4, rm.md §12.1).

use crate::accepting::News;
use crate::alarms::{self, Alarms};
use crate::limits::SPOOL_HIGH_PERCENT;
use crate::publish::Line;
use crate::running::Addresses;
use model::id::Revision;
use model::schema::Problem;
use model::snapshot::Snapshot;
use model::time::Millis;
use rm::journal::Full;
use rm::{ResourceView, Restored};
use serde::Serialize;
use spool::Damage;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};
use telemetry::Log;
use telemetry::health::{Health, Status};

/// The checks, and whether the node is ready without it; names of rm.md §10.
pub(crate) const CHECKS: &[(&str, bool)] = &[
    ("config", true),
    ("listeners", true),
    ("spool", true),
    ("members", true),
    ("draining", true),
    ("media", false),
    ("broker", false),
    ("broker_events", false),
    ("spool_space", false),
];

/// Health, log and configuration of one node, for all its threads.
#[derive(Clone)]
pub(crate) struct State {
    name: Arc<str>,
    started: Millis,
    health: Health,
    log: Log,
    config: Arc<Config>,
    alarms: Alarms,
    was_ready: Arc<AtomicBool>,
    /// There as long as an operator has drained the node.
    drained: Arc<Path>,
}

/// The configuration in force.
#[derive(Debug, Default)]
struct Config {
    revision: AtomicU64,
    applied: AtomicU64,
    snapshot: Mutex<Option<Arc<Snapshot>>>,
    /// The snapshot is not the nothing of a node that has never had one.
    is_there: AtomicBool,
    /// What was read last and refused.
    rejected: Mutex<Option<Rejected>>,
    /// So many were refused since the start.
    rejections: AtomicU64,
}

/// A configuration that is not valid; the one before stays in force.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Rejected {
    at: Millis,
    errors: Vec<String>,
}

impl State {
    pub(crate) fn new(name: &str, log: Log, at: Millis, drained: PathBuf) -> Self {
        let health = Health::new(name, at, CHECKS);
        let (config, was_ready) = (Arc::default(), Arc::default());
        let (name, drained) = (name.into(), drained.into());
        let alarms = Alarms::default();
        Self { name, started: at, health, log, config, alarms, was_ready, drained }
    }

    /// `rm.name`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// When this node was started.
    pub(crate) fn started(&self) -> Millis {
        self.started
    }

    /// The node's log.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// No required check fails.
    pub(crate) fn is_ready(&self) -> bool {
        self.health.status() != Status::Fail
    }

    /// It has been ready once.
    pub(crate) fn was_ready(&self) -> bool {
        self.was_ready.load(Ordering::Acquire)
    }

    /// Alarms of the shell.
    pub(crate) fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// HTTP status and body of `/ready`.
    pub(crate) fn report(&self) -> (u16, String) {
        self.health.report(Some(self.revision().0))
    }

    /// The configuration in force, and since when.
    pub(crate) fn revision(&self) -> (u64, Millis) {
        let revision = self.config.revision.load(Ordering::Acquire);
        (revision, Millis(self.config.applied.load(Ordering::Acquire)))
    }

    /// The configuration itself.
    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.config.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, snapshot: &Arc<Snapshot>) {
        let held = Some(Arc::clone(snapshot));
        *self.config.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// All sockets are bound, and the calls that were up are back; the engine does not turn yet.
    pub(crate) fn listening(&self, at: Millis, addresses: &Addresses) {
        let mut fields = Vec::new();
        for (transport, address) in &addresses.sip {
            fields.push((transport.uri_param(), address.to_string()));
        }
        fields.push(("monitor", addresses.monitor.to_string()));
        fields.push(("http", addresses.http.to_string()));
        let fields: Vec<_> = fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
        self.log.emit(20001, None, &fields);
        // `cluster.peers` are refused at the start, so there is nobody to wait for.
        self.health.set(at, "members", true, "no peers");
        self.health.set(at, "draining", true, "no");
    }

    /// The spool was read back.
    pub(crate) fn recovered(&self, at: Millis, restored: Restored, damage: &[Damage]) {
        self.damaged(damage);
        if restored.refused > 0 {
            let refused = restored.refused.to_string();
            self.log.emit(20502, None, &[("legs", &refused), ("error", "unreadable block")]);
        }
        self.health.set(at, "spool", true, &format!("{} legs were up", restored.legs));
        self.health.set(at, "spool_space", true, "");
    }

    /// What had been on disk cannot be read: what RM made of these numbers is lost, and RS shows
    /// the gap.
    pub(crate) fn damaged(&self, damage: &[Damage]) {
        for damage in damage {
            let (bytes, lost) = (damage.bytes.to_string(), format!("{:?}", damage.lost));
            let copy = damage.copy.as_deref().unwrap_or("-");
            let fields = [
                ("file", &*damage.file),
                ("bytes", &*bytes),
                ("sequences", &*lost),
                ("copy", copy),
            ];
            self.log.emit(20502, None, &fields);
        }
    }

    /// The engine turns.
    pub(crate) fn turning(&self, at: Millis) {
        self.health.set(at, "listeners", true, "bound and served");
        if self.is_configured() {
            self.ready_once();
        }
    }

    /// Everything is there for the first time.
    fn ready_once(&self) {
        if !self.was_ready.swap(true, Ordering::AcqRel) {
            self.log.emit(20002, None, &[]);
        }
    }

    /// There is a configuration.
    pub(crate) fn is_configured(&self) -> bool {
        self.config.is_there.load(Ordering::Acquire)
    }

    /// There is none yet: no call could be placed. What is asked about it is answered with
    /// `nothing`.
    pub(crate) fn unconfigured(&self, at: Millis, nothing: &Arc<Snapshot>) {
        self.hold(nothing);
        self.health.set(at, "config", false, "none yet: the Config Server has not answered");
    }

    /// Everything has ended.
    pub(crate) fn stopped(&self) {
        self.log.emit(20003, None, &[]);
    }

    /// The system allows fewer descriptors than all connections need.
    pub(crate) fn few_descriptors(&self, asked: usize, given: usize) {
        let (asked, given) = (asked.to_string(), given.to_string());
        let limit = ("limit", "proxy.sip.maxtcpconnections");
        self.log.emit(20125, None, &[limit, ("asked", &asked), ("given", &given)]);
    }

    /// How full the spool is.
    pub(crate) fn spool_level(&self, at: Millis, spool: &spool::Status) {
        let high =
            spool.bytes.saturating_mul(100) >= spool.limit.saturating_mul(SPOOL_HIGH_PERCENT);
        let detail = format!("{} of {} bytes", spool.bytes, spool.limit);
        self.health.set(at, "spool_space", !high, &detail);
    }

    /// A configuration is in force.
    pub(crate) fn applied(&self, at: Millis, snapshot: &Arc<Snapshot>) {
        let revision = snapshot.revision;
        self.hold(snapshot);
        self.config.is_there.store(true, Ordering::Release);
        *self.config.rejected.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.alarms.clear(alarms::Name::ConfigRejected, &self.name);
        self.config.revision.store(revision.0, Ordering::Release);
        self.config.applied.store(at.0, Ordering::Release);
        let revision = revision.0.to_string();
        self.health.set(at, "config", true, &format!("revision {revision}"));
        self.log.emit(20604, None, &[("revision", &revision)]);
        if self.health.is_ok("listeners") {
            self.ready_once();
        }
    }

    /// The Config Server is listened to, or has been away for so long, for this reason.
    pub(crate) fn config_server(&self, at: Millis, server: &str, lost: Option<(Duration, &str)>) {
        let name = alarms::Name::ConfigServerLost;
        let Some((age, error)) = lost else {
            self.alarms.clear(name, &self.name);
            self.log.emit(20602, None, &[("server", server)]);
            return;
        };
        let alarm = self.alarms.raise(at, name, ("node", &self.name), error);
        let age = format!("{}s", age.as_secs());
        let mut fields = vec![("server", server), ("age", &*age), ("error", error)];
        fields.extend(alarm);
        self.log.emit(20601, None, &fields);
    }

    /// What is held differs from what the server holds.
    pub(crate) fn config_mismatch(&self, revision: Revision) {
        self.log.emit(10407, None, &[("revision", &revision.0.to_string())]);
    }

    /// An older revision takes the place of the one in force.
    pub(crate) fn config_set_back(&self, from: Revision, to: Revision) {
        let (from, to) = (from.0.to_string(), to.0.to_string());
        self.log.emit(20607, None, &[("from", &from), ("to", &to)]);
    }

    /// What was kept on disk cannot be used.
    pub(crate) fn config_passed_over(&self, error: &str) {
        self.log.emit(20608, None, &[("error", error)]);
    }

    /// The last known good could not be written.
    pub(crate) fn config_not_kept(&self, error: &str) {
        self.log.emit(20606, None, &[("error", error)]);
    }

    /// A configuration was read that is not valid.
    pub(crate) fn rejects(&self, at: Millis, revision: Revision, faults: &[Problem]) {
        let errors: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let first = errors.first().map_or("", String::as_str);
        let count = errors.len().to_string();
        let alarm =
            self.alarms.raise(at, alarms::Name::ConfigRejected, ("node", &self.name), first);
        let revision = revision.0.to_string();
        let mut fields = vec![("revision", &*revision), ("error", first), ("errors", &*count)];
        fields.extend(alarm);
        self.log.emit(20603, None, &fields);
        self.config.rejections.fetch_add(1, Ordering::AcqRel);
        *self.config.rejected.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Rejected { at, errors });
    }

    /// What was read last, if it is not valid.
    pub(crate) fn rejected(&self) -> Option<Rejected> {
        self.config.rejected.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Configurations that were not valid, since the start.
    pub(crate) fn rejections(&self) -> u64 {
        self.config.rejections.load(Ordering::Acquire)
    }

    /// What is strange in a configuration that is valid.
    pub(crate) fn strange(&self, warnings: &[Problem]) {
        for warning in warnings {
            self.log.emit(20605, None, &[("warning", &warning.to_string())]);
        }
    }

    /// The node leaves.
    pub(crate) fn draining(&self, at: Millis) {
        self.health.set(at, "draining", false, "draining");
        self.log.emit(20010, None, &[]);
    }

    /// The node was drained when it ran last.
    pub(crate) fn is_marked(&self) -> bool {
        self.drained.exists()
    }

    /// A restart is to find it drained, or not.
    pub(crate) fn mark(&self, drained: bool) -> io::Result<()> {
        if drained {
            return fs::write(&self.drained, "");
        }
        match fs::remove_file(&self.drained) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The node was drained, and takes new calls again.
    pub(crate) fn serves_again(&self, at: Millis) {
        self.health.set(at, "draining", true, "no");
    }

    /// The engine cannot wait for its sockets any more.
    pub(crate) fn broken(&self, at: Millis, error: &io::Error) {
        self.health.set(at, "listeners", false, "the poller is broken");
        self.log.emit(20901, None, &[("error", &error.to_string())]);
    }

    /// A listener can take nothing more, or is there again.
    pub(crate) fn listener(&self, at: Millis, listener: &str, news: News) {
        let Err(error) = news else {
            return self.alarms.clear(alarms::Name::ListenerFailed, listener);
        };
        let (name, error) = (alarms::Name::ListenerFailed, error.to_string());
        let alarm = self.alarms.raise(at, name, ("listener", listener), &error);
        let mut fields = vec![("listener", listener), ("error", &*error)];
        fields.extend(alarm);
        self.log.emit(20120, None, &fields);
    }

    /// The spool takes no records; they are kept in memory.
    pub(crate) fn spool_refuses(&self, at: Millis, why: Full) {
        let why = match why {
            Full::Memory => "the disk does not keep up",
            Full::Disk => "full",
            Full::Frame => "a record is too large",
            Full::Broken => "two syncs failed",
            Full::Closed => "closed",
        };
        self.health.set(at, "spool_space", false, why);
        let alarm = self.alarms.raise(at, alarms::Name::SpoolBroken, ("node", &self.name), why);
        let mut fields = vec![("error", why)];
        fields.extend(alarm);
        self.log.emit(20501, None, &fields);
    }

    /// Records are lost; their sequence numbers stay missing, so that RS shows the gap.
    pub(crate) fn dropped(&self, count: u64, why: &str) {
        self.log.emit(20502, None, &[("records", &count.to_string()), ("error", why)]);
    }

    /// The spool takes records again.
    pub(crate) fn spool_takes(&self, at: Millis) {
        self.alarms.clear(alarms::Name::SpoolBroken, &self.name);
        self.health.set(at, "spool_space", true, "");
    }

    /// Whether any media server can take a call.
    pub(crate) fn media(&self, at: Millis, resources: &[ResourceView]) {
        let usable = resources.iter().filter(|resource| resource.state == "healthy").count();
        let detail = format!("{usable} of {} healthy", resources.len());
        self.health.set(at, "media", usable > 0, &detail);
    }

    /// The connection to the broker came or went.
    pub(crate) fn broker(&self, at: Millis, line: Line, lost: Option<&str>, address: &str) {
        self.health.set(at, line.name(), lost.is_none(), lost.unwrap_or("connected"));
        let (lost_line, about) = (alarms::Name::ReportingLost, ("records", line.kind()));
        let alarm = lost.and_then(|error| self.alarms.raise(at, lost_line, about, error));
        if lost.is_none() {
            self.alarms.clear(lost_line, line.kind());
        }
        let mut fields = vec![("peer", address), ("records", line.kind())];
        fields.extend(lost.map(|error| ("error", error)).into_iter().chain(alarm));
        self.log.emit(if lost.is_some() { 20510 } else { 20511 }, None, &fields);
    }
}
