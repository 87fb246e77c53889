//! From settings to what the daemon stands on: what is read, locked, bound and opened before
//! anything runs.
//!
//! Everything that can refuse a start refuses here, cheapest first.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use config::certificates::{Certificates, Newest};
use config::settings::Rs;
use config::source::Source;
use config::{Home, Settings as BootSettings};
use model::snapshot::Snapshot;
use net::Clock;
use rs::privacy::Hush;
use spool::fs::real::RealFs;
use spool::{Damage, Hooks, Spool};
use telemetry::Log;
use tokio::runtime::Runtime;
use tokio::sync::broadcast;

use crate::api;
use crate::apply::{self, Applier, Bell, Changed, Figures};
use crate::checks;
use crate::configuration::{self, Known};
use crate::crew::Crew;
use crate::database::{self, Opened};
use crate::error::StartError;
use crate::ingest::{self, Counters, Durable, Ingest, LimitsInForce};
use crate::jobs::Jobs;
use crate::live::{Acted, Application, Live};
use crate::machine::Clamped;
use crate::monitor::{Monitor, Watched};
use crate::preflight::{self, Preflight};
use crate::proof::ProofKey;
use crate::retention::{self, Desk};
use crate::rollup::{self, Place};
use crate::running::Addresses;
use crate::settings::{self, Doors};
use crate::store::Store;
use crate::users::{Files, Users};
use crate::view::{self, View};

/// Days of a tenant or profile that are wrong, and ours alone to tell.
const UNUSED_DAYS: &str = "W604";

/// What a Reporting Server is made of.
pub struct RsParts {
    /// Who it is and where, and where its configuration comes from; of the sections `data_dir`,
    /// `rs` and `config` are used. Ports may be 0: free ones, which [`crate::Rs::addresses`] tells.
    pub settings: BootSettings,
    /// A configuration that is part of the program; else that of the settings.
    pub fixed: Option<Arc<Snapshot>>,
    /// The process's log.
    pub log: Log,
    /// The process's clock.
    pub clock: Clock,
}

/// What a node stands on.
pub(crate) struct Base {
    pub(crate) dir: Home,
    /// Watches over all that will work.
    pub(crate) crew: Arc<Crew>,
    pub(crate) clamped: Clamped,
    /// `rs.tls`.
    pub(crate) certificates: Option<Certificates>,
    /// `rs.auth.users_file`.
    pub(crate) users: Option<Arc<Users>>,
    pub(crate) http: TcpListener,
    pub(crate) http_address: SocketAddr,
    pub(crate) store: Arc<dyn Store>,
    /// Calls in progress in memory.
    pub(crate) view: Arc<View>,
    /// The zone of larger bins, which is that of the stored ones.
    pub(crate) place: Arc<Place>,
    /// `rs.proof_key_file`.
    pub(crate) proof_key: Option<Arc<ProofKey>>,
    /// Where the database is in the spool, if it could be asked, else 0.
    pub(crate) applied: u64,
    /// It could not be asked yet.
    pub(crate) awaited: bool,
    /// How often the database has learned the names of a configuration.
    pub(crate) learned: Arc<AtomicU64>,
    /// `rs.spool_dir`.
    pub(crate) spool_dir: PathBuf,
    /// Sequences of the spool go on above this.
    pub(crate) floor: u64,
    /// Chance: cursor key, segments of the spool, jitter.
    pub(crate) seed: [u64; 4],
}

impl Base {
    /// Checks the settings, locks the directory, binds the HTTP port, opens the database.
    /// `asked`: those of `rs` with what options say by now.
    pub(crate) fn lay(
        settings: &BootSettings,
        asked: &Rs,
        log: &Log,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let now = clock.now().wall;
        let found = Preflight::of(settings, asked, now).map_err(first)?;
        let Preflight { clamped, mut certificates, users: files, database, place, proof_key } =
            found;
        let dir = Home::lock(&settings.data_dir, "rs")?;
        clamped.tell(log);
        preflight::warn(&settings.rs, log);
        if let Some(own) = &mut certificates {
            own.warn(now, log);
        }
        let (http, http_address) = bind(settings.rs.http)?;
        let seed = seed()?;
        let crew = Arc::new(Crew::new(log.clone(), clock));
        let users = users(files, seed, log, &crew)?;
        let Opened { store, seen, floor } =
            database::open((settings, database), (dir.path(), clamped.caches), seed, (log, now))?;
        let left = |own: &Certificates| own.left(now);
        let server = seen.as_ref().map(|_| store.server().unwrap_or_default());
        checks::Found {
            dir: dir.path(),
            clamped: &clamped,
            certificates: certificates.as_ref().map(left),
            http: http_address,
            database: server.as_deref(),
            newest: seen.as_ref().and_then(|seen| seen.newest_ms),
            now,
        }
        .tell(log);
        let seen = seen.unwrap_or_default();
        rollup::check_zone(&seen.meta, &place, settings.rs.rollup.time_zone_rebuild)?;
        log.emit(31000, None, &[("name", &settings.rs.name)]);
        Ok(Self {
            dir,
            crew,
            clamped,
            certificates,
            users,
            http,
            http_address,
            store,
            view: Arc::new(View::new(view::LEGS)),
            place: Arc::new(place),
            proof_key: proof_key.map(Arc::new),
            applied: seen.applied,
            awaited: server.is_none(),
            learned: Arc::default(),
            spool_dir: settings.rs_spool_dir(),
            floor,
            seed,
        })
    }

    /// Starts the rollup job.
    pub(crate) fn rollup(
        &self,
        (settings, live): (&BootSettings, &Arc<Live>),
        monitor: &Arc<Monitor>,
        log: &Log,
        clock: Clock,
    ) -> Result<rollup::Rollup, StartError> {
        rollup::Rollup::start(rollup::Parts {
            store: Arc::clone(&self.store),
            place: Arc::clone(&self.place),
            learned: Arc::clone(&self.learned),
            live: Arc::clone(live),
            monitor: Arc::clone(monitor),
            holder: self.holder(settings),
            log: log.clone(),
            clock,
        })
    }

    /// Name of this process as the holder of leases.
    fn holder(&self, settings: &BootSettings) -> String {
        let [a, b, ..] = self.seed;
        format!("{}/{a:016x}{b:016x}", settings.rs.name)
    }

    /// How producers come in, and what handshakes of HTTP are made of, where TLS is set.
    pub(crate) fn doors(&self, settings: &BootSettings) -> (Doors, Option<Newest>) {
        let both = |own: &Certificates| (own.strict(), own.lenient());
        let (tls, http) = self.certificates.as_ref().map(both).unzip();
        let limits = settings::limits(&settings.rs.broker_limits, &self.clamped).into();
        (Doors { limits, tls, users: self.users.clone() }, http)
    }

    /// What the monitor looks at.
    pub(crate) fn watched(
        &mut self,
        settings: &BootSettings,
        taking: &ingest::Parts,
        (figures, jobs, live): (&Arc<Figures>, &Arc<Jobs>, &Arc<Live>),
    ) -> Watched {
        Watched {
            certificates: self.certificates.take().map(Mutex::new),
            users: self.users.clone(),
            jobs: Arc::clone(jobs),
            store: Arc::clone(&self.store),
            crew: Arc::clone(&self.crew),
            spool: taking.spool.clone(),
            spool_dir: self.spool_dir.clone(),
            gate: Arc::clone(&taking.gate),
            figures: Arc::clone(figures),
            backlog: Arc::clone(&taking.backlog),
            live: Arc::clone(live),
            holder: self.holder(settings),
        }
    }

    /// What listens where.
    pub(crate) fn addresses(&self, ingest: Option<&Ingest>) -> Addresses {
        Addresses { broker: ingest.map(Ingest::local_addr), http: self.http_address }
    }

    /// Starts the applier; `found`: the last sequence of what was in the queue at the start.
    pub(crate) fn apply(
        &self,
        (desk, known): (&Arc<Desk>, &Arc<Known>),
        (taking, found): (&ingest::Parts, u64),
        (bell, changed, figures): (Arc<Bell>, &broadcast::Sender<Changed>, &Arc<Figures>),
    ) -> Result<Applier, StartError> {
        let (store, desk) = (Arc::clone(&self.store), Arc::clone(desk));
        let values = move || retention::judge_by(&*store, &desk).map(drop);
        let (known, spool_dir) = (Arc::clone(known), self.spool_dir.clone());
        let started = Applier::start(apply::Parts {
            values: Box::new(values),
            platform: Box::new(move || known.snapshot()),
            applied: self.applied,
            awaited: self.awaited,
            learned: Arc::clone(&self.learned),
            spool: taking.spool.clone(),
            found,
            floor: self.floor,
            disown: Box::new(move || database::disown(&spool_dir)),
            store: Arc::clone(&self.store),
            bell,
            changed: changed.clone(),
            view: Arc::clone(&self.view),
            figures: Arc::clone(figures),
            backlog: Arc::clone(&taking.backlog),
            crew: Arc::clone(&taking.crew),
            log: taking.log.clone(),
            clock: taking.clock,
            seed: self.seed[3],
        });
        started.map_err(StartError::threads)
    }

    /// The values of retention, for whoever judges by them.
    pub(crate) fn desk(&self, settings: &BootSettings, jobs: &Arc<Jobs>) -> Arc<Desk> {
        let (own, zone) = (settings.rs.retention.clone(), self.place.zone.clone());
        Arc::new(Desk::new(own, zone, hush(settings), Arc::clone(jobs)))
    }

    /// Its own Application object, with what is known of it by now.
    pub(crate) fn own(
        &self,
        settings: &BootSettings,
        (live, desk, limits): (&Arc<Live>, &Arc<Desk>, &LimitsInForce),
        taking: &ingest::Parts,
        known: &Known,
    ) -> Application {
        let acted = Acted {
            live: Arc::clone(live),
            limits: limits.clone(),
            desk: Arc::clone(desk),
            spool: taking.spool.clone(),
            gate: Arc::clone(&taking.gate),
        };
        let (begun, first) = ((acted, self.clamped.clone()), known.snapshot());
        Application::begin(settings.clone(), begun, first.as_deref(), &taking.log)
    }

    /// Starts the job of retention.
    pub(crate) fn keep(
        &self,
        (settings, desk): (&BootSettings, &Arc<Desk>),
        taking: &ingest::Parts,
        monitor: &Arc<Monitor>,
        clock: Clock,
    ) -> Result<retention::Keeper, StartError> {
        let rs = &settings.rs;
        let ours = rs.database.url.is_none();
        let started = retention::Keeper::start(retention::Parts {
            store: Arc::clone(&self.store),
            desk: Arc::clone(desk),
            ingest: taking.clone(),
            backlog: Arc::clone(&taking.backlog),
            monitor: Arc::clone(monitor),
            holder: self.holder(settings),
            name: rs.name.clone(),
            volume: ours.then(|| self.dir.path().to_owned()),
            log: taking.log.clone(),
            clock,
        });
        started.map_err(StartError::threads)
    }

    /// What HTTP is told.
    pub(crate) fn api(&self, settings: &BootSettings) -> api::Settings {
        settings::api(settings, &self.clamped, self.users.clone(), self.proof_key.clone())
    }

    /// Starts the listener for producers, unless no records are taken.
    pub(crate) fn listen(
        &self,
        settings: &BootSettings,
        runtime: &Runtime,
        parts: &ingest::Parts,
        doors: Doors,
    ) -> Result<Option<Ingest>, StartError> {
        if !settings.rs.ingest {
            checks::broker(None, &parts.log);
            return Ok(None);
        }
        let told = settings::ingest(settings, self.http_address, doors);
        let started = runtime.block_on(Ingest::start(told, parts.clone()));
        let started = started.map_err(|error| StartError::broker(settings.rs.broker, error))?;
        checks::broker(Some(started.local_addr()), &parts.log);
        Ok(Some(started))
    }

    /// Opens the ingest queue, and gives its last sequence and what it found damaged, which never
    /// stops a start.
    pub(crate) fn spool(
        &self,
        clock: Clock,
        (durable, bell, counters): (&Durable, &Arc<Bell>, &Arc<Counters>),
    ) -> Result<(Spool, u64, Vec<Damage>), StartError> {
        let dir = self.spool_dir.clone();
        let [seed, ..] = self.seed;
        let mut wanted = spool::Settings::new(dir.clone(), self.clamped.spool_bytes, seed);
        wanted.floor = self.floor;
        let (tell, bell, counters) = (durable.hook(), Arc::clone(bell), Arc::clone(counters));
        let hooks = Hooks {
            clock: Box::new(move || clock.mono()),
            on_durable: Box::new(move |seq| {
                tell(seq);
                bell.ring();
            }),
            on_sync: Box::new(move |synced| counters.observe_sync(synced)),
            carry: Box::new(<[u8]>::to_vec),
        };
        let (spool, recovered) = Spool::open(wanted, Arc::new(RealFs), hooks)
            .map_err(|error| StartError::spool(dir, error))?;
        Ok((spool, recovered.last_seq, recovered.damage))
    }
}

/// Events whose texts are not stored.
fn hush(settings: &BootSettings) -> Hush {
    Hush::of(settings.rs.privacy.drop_events.clone())
}

fn users(
    files: Option<Files>,
    seed: [u64; 4],
    log: &Log,
    crew: &Arc<Crew>,
) -> Result<Option<Arc<Users>>, StartError> {
    // another key than that of the cursors, which is made of the same chance
    let bytes: Vec<u8> = seed.iter().flat_map(|word| word.to_le_bytes()).collect();
    let key = blake3::derive_key("ringmaster rs logins", &bytes);
    let opened = files.map(|files| Users::open(files, key, log, crew)).transpose();
    opened.map_err(StartError::threads)
}

/// Where the configuration comes from.
pub(crate) fn source(
    settings: &BootSettings,
    fixed: Option<Arc<Snapshot>>,
    (log, clock): (&Log, Clock),
) -> Result<Source, StartError> {
    let setup = configuration::setup(settings, settings.data_dir.join("rs"), clock, seed()?);
    let opened = Source::open(settings, fixed, setup).map_err(StartError::Objects)?;
    // what else is strange in a file is said by RM, which acts on it
    for warning in opened.1.iter().filter(|warning| warning.code == UNUSED_DAYS) {
        log.emit(31205, None, &[("warning", &warning.to_string())]);
    }
    Ok(opened.0)
}

/// A start tells the first of what refuses it; `ringmaster check` tells all.
fn first(refused: Vec<StartError>) -> StartError {
    let none = || StartError::Settings("refused".to_owned());
    refused.into_iter().next().unwrap_or_else(none)
}

fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { what: "http", address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Chance from the kernel.
fn seed() -> Result<[u64; 4], StartError> {
    let mut seed = [0; 4];
    for word in &mut seed {
        *word = getrandom::u64().map_err(|error| StartError::Exhausted {
            what: "randomness",
            source: io::Error::other(error),
        })?;
    }
    Ok(seed)
}
