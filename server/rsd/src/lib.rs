//! The Reporting Server daemon: the shell around `core/rs`.
//!
//! This file composes: every part of the daemon and every channel between the parts stands in
//! [`Rs::start`]. Several daemons may live in one process: there are no globals.
//!
//! ```text
//!   producers ──61616──► ingest ── append ──► spool ── durable: watch, bell ──┐
//!                          ▲                                                  │
//!                          └────────────── answers ◄──────────────────────────┤
//!                                                                             ▼
//!   browsers, billing ──8080──► api ──── questions ──► store ◄── batches ── applier thread
//!                                ▲                                            │
//!                                └───────── changed calls (broadcast) ◄───────┘
//! ```
//! Ingest and HTTP share one runtime; questions to the database run on its blocking threads. Beside
//! them one thread keeps the database ([`retention`]).

mod alarms;
mod api;
pub mod apply;
mod background;
mod backlog;
mod base64;
mod book;
mod checks;
mod configuration;
mod crew;
mod dashboard;
mod database;
mod diary;
pub mod entry;
mod error;
pub mod ingest;
mod jobs;
mod live;
mod machine;
mod monitor;
mod parts;
mod preflight;
mod priority;
mod proof;
pub mod retention;
pub mod rollup;
mod running;
mod secret_file;
mod settings;
pub mod store;
mod users;
pub mod view;

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

pub use backlog::{Backlog, Part};
pub use crew::Crew;
pub use database::init_database;
pub use error::StartError;
pub use machine::{Beyond, limits_beyond};
pub use parts::RsParts;
pub use preflight::check;
pub use running::{Addresses, Ended, Rs, Stopper};
pub use users::{Users, token_line, user_line};

use apply::{Bell, Figures, WATCHED_BATCHES};
use configuration::{Keeper, Known};
use ingest::{Counters, Durable, Gate};
use jobs::Jobs;
use live::Live;
use monitor::Monitor;
use parts::Base;
use running::{Running, runtime};

impl Rs {
    /// Opens and binds everything and starts the threads; not to be called by a task of a runtime.
    ///
    /// # Errors
    /// Settings that cannot work, an address in use, a directory that is locked or not writable,
    /// files of a later version; nothing runs then. [`StartError::exit_code`] is the process's.
    pub fn start(parts: RsParts) -> Result<Self, StartError> {
        let RsParts { mut settings, fixed, log, clock } = parts;
        let (log, started) = (log.for_node(&settings.rs.name, None), clock.now().wall);
        let source = parts::source(&settings, fixed, (&log, clock))?;
        let live = Live::begin(&mut settings, source.snapshot().as_deref())?;
        let mut base = Base::lay(&settings, &live.rs(), &log, clock)?;
        let known = Arc::new(Known::of(&source, started));
        let (durable, bell, counters) = <(Durable, Arc<Bell>, Arc<Counters>)>::default();
        let (figures, backlog, jobs) = <(Arc<Figures>, Arc<Backlog>, Arc<Jobs>)>::default();
        let (spool, found, damage) = base.spool(clock, (&durable, &bell, &counters))?;
        let gate = Arc::new(Gate::new(spool.clone(), log.clone()));
        let changed = broadcast::Sender::new(WATCHED_BATCHES);
        let (closing, closed) = watch::channel(false);
        let (doors, http_tls) = base.doors(&settings);
        let runtime = runtime()?;
        let taking = ingest::Parts {
            spool: spool.clone(),
            durable,
            gate: Arc::clone(&gate),
            counters,
            roster: Arc::default(),
            backlog,
            crew: Arc::clone(&base.crew),
            log: log.clone(),
            clock,
        };
        let watched = base.watched(&settings, &taking, (&figures, &jobs, &live));
        let monitor = Arc::new(Monitor::new(&settings.rs.name, watched, log.clone(), clock));
        monitor.damaged(&damage);
        let desk = base.desk(&settings, &jobs);
        let own = base.own(&settings, (&live, &desk, &doors.limits), &taking, &known);
        monitor.limits(&own.clamped().beyond);
        let ingest = base.listen(&settings, &runtime, &taking, doors)?;
        let applier = base.apply((&desk, &known), (&taking, found), (bell, &changed, &figures))?;
        let rollup = base.rollup((&settings, &live), &monitor, &log, clock)?;
        let retention = base.keep((&settings, &desk), &taking, &monitor, clock)?;
        let api = api::Parts {
            store: Arc::clone(&base.store),
            changed,
            view: Arc::clone(&base.view),
            monitor: Arc::clone(&monitor),
            ingest: taking,
            applied: figures,
            known: Arc::clone(&known),
            log: log.clone(),
            clock,
            started,
            settings: base.api(&settings),
            live,
            retention: desk,
            jobs,
            place: Arc::clone(&base.place),
            closed,
        };
        let addresses = base.addresses(ingest.as_ref());
        monitor.listening(addresses);
        let watched = Keeper::watch(source, (known, own), &monitor, &log, clock)?;
        let http = runtime.spawn(api::serve(base.http, api, http_tls, base.seed));
        let running = Running {
            runtime,
            ingest,
            gate,
            applier,
            retention,
            rollup,
            http,
            closing,
            spool,
            watched,
        };
        Ok(Self::of(running, base.dir, addresses, monitor, log))
    }
}
