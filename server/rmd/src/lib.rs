//! The Resource Manager daemon: the boring shell around `core/rm`.
//!
//! This file composes: every part of the daemon and every channel between the parts stands in
//! [`Rm::start`]. It moves handles and starts threads; it decides nothing about a call. Several
//! daemons may live in one process: there are no globals.
//!
//! ```text
//!   HTTP thread ── Query ──► inbox (bounded queue + waker) ◄── Snapshot, Stop ── process
//!                              │          ▲ Keys ── key watch thread
//!                              │
//!                              ▼
//!   name servers ◄──► rm-dns ── answers (bounded queues + waker) ──► engine
//!   sockets ◄──► transport ◄──► engine (rm::Proxy) ──► journal ── append, many at once ──► spool
//!               └────────────── engine thread ──────────────┘                               │  ▲
//!                              ▲                                                            │  │
//!                              └── durable sequence (atomic + waker) ───────────────────────┤  │
//!   collector ◄── mirror thread ◄── copies (a batch of each turn + waker) ── engine
//!   TLS thread ◄── exchange (a batch each way + wakers) ──► transport
//!   broker ◄──► publisher threads ◄─ wakes; durable frames are read from disk ──────────────┘  │
//!                              └── cursor: acknowledged up to here ────────────────────────────┘
//! ```

mod accepting;
mod alarms;
mod application;
mod boot;
mod cluster_key;
mod configuration;
mod drain;
mod engine;
mod error;
mod event_loop;
mod figures;
mod http;
mod inbox;
mod journal;
mod key_watch;
mod kernel_drops;
mod limits;
mod listeners;
mod mirror;
mod pace;
mod parts;
mod preflight;
mod publish;
mod rate;
mod recover;
mod running;
mod settings;
mod state;
mod tls;
mod transport;
mod wills;

pub use drain::Stop;
pub use error::StartError;
pub use parts::RmParts;
pub use preflight::check;
pub use publish::check_reporting;
pub use running::{Addresses, Ended, Rm, Stopper};
pub use tls::check_tls;

use configuration::Origin;
use engine::Engine;
use event_loop::EventLoop;
use figures::Pulse;
use http::Shared;
use journal::{Journal, Spooled};
use kernel_drops::{DropCounters, DropWatch};
use key_watch::KeyWatch;
use net::Waker;
use parts::Base;
use publish::{Line, PublishSettings, Publisher, Publishing};
use recover::Recovery;
use running::spawn;
use state::State;
use std::sync::Arc;
use tokio::sync::oneshot;
use transport::{Transport, Trust};

impl Rm {
    /// Binds everything, rebuilds what was up, starts the threads.
    ///
    /// # Errors
    /// Settings that cannot work, an address in use, a directory that is locked or not writable;
    /// nothing runs then. [`StartError::exit_code`] is the process's.
    pub fn start(parts: RmParts) -> Result<Self, StartError> {
        let RmParts { settings, fixed, log, clock } = parts;
        let log = log.for_node(&settings.rm.name, None);
        publish::tell_strange(&settings.rm, &log)?;
        let origin = Origin::open(&settings, fixed, clock)?;
        let mut base = Base::lay(&settings, &log, clock)?;
        let now = clock.now();
        let addresses = Addresses::of(&base);
        let state = State::new(&settings.rm.name, log.clone(), now.wall, base.dir.drained());
        let snapshot = origin.begin(now, &state);
        let pulse = Arc::new(Pulse::new(now.mono));

        let (engine_waker, engine_wakes) = net::waker::pair().map_err(StartError::descriptors)?;
        let trust = Trust::of(&base.engine.peers);
        let (tls, seats) =
            (base.tls(&trust, engine_waker.clone(), &state, clock)?, base.seats.clone());
        let (wakers, publisher_wakes) = publish::wakers()?;
        let (asker, resolver) = {
            let servers = settings.rm.dns_servers.clone();
            net::dns::resolver(base.engine.spoken(), servers, engine_waker.clone(), clock)
        };
        let (inbox, inputs) = inbox::inbox(engine_waker);
        let recovery = Recovery::open(base.dir.spool(), base.seed[0], clock, {
            let (inbox, publishers) = (inbox.clone(), wakers.clone());
            move |seq| {
                inbox.durable(seq);
                publishers.iter().for_each(Waker::wake);
            }
        })?;
        let (spool, positions) = (recovery.spool(), recovery.positions());
        let publishing = Arc::new(Publishing::new(recovery.last_seq(), positions, wakers));
        let mut proxy = recovery.proxy(base.engine, snapshot, now, &state);
        base.admin.wills.tell(&mut proxy, now)?;
        let journal = Journal::new(Spooled::new(spool.clone(), Arc::clone(&publishing)));
        let (mirror, copies) = base.mirror.take().map(mirror::start).transpose()?.unzip();
        let engine = Engine::new(proxy, asker, (journal, mirror), log.clone(), now);
        state.listening(now.wall, &addresses);

        let mut rm = Self::at(base.dir, addresses, inbox.clone(), &state, &spool, &publishing);
        let tls = rm.keep_tls(tls);
        rm.mirror = copies;
        rm.resolver = Some(spawn("rm-dns", move || resolver.run())?);
        for ((line, at), wakes) in Line::ALL.into_iter().zip(positions).zip(publisher_wakes) {
            let login = base.login.clone();
            let settings = PublishSettings::of(line, at, &settings.rm, login, base.seed, now.wall);
            let (spool, state, lines) = (spool.clone(), state.clone(), Arc::clone(&publishing));
            rm.publishers.push(spawn(line.name(), move || {
                Publisher::run(settings, spool, wakes, clock, state, lines);
            })?);
        }
        let config = rm.watch_config(origin, clock)?;
        let drops = Arc::new(DropCounters::default());
        rm.drops = Some(DropWatch::start(&base.sockets, Arc::clone(&drops), inbox.clone())?);
        rm.http = Some({
            let (state, pulse) = (state.clone(), Arc::clone(&pulse));
            let admin = base.admin;
            let shared =
                Shared { inbox, state, pulse, drops, publishing, spool, clock, config, admin };
            let (stop, stopped) = oneshot::channel();
            (spawn("rm-http", move || http::serve(base.http, shared.into(), stopped))?, stop)
        });
        if let (Some(path), Some(text)) = (settings.rm.key_file.clone(), base.key_text) {
            rm.watch_keys(KeyWatch::start(path, text, rm.stopper.inbox.clone(), log)?);
        }
        rm.engine = Some(spawn("rm-engine", {
            let (bound, dscp) = (base.sockets, settings.rm.sip.dscp);
            move || {
                let known = (trust, seats);
                let transport = Transport::new(bound, engine_wakes, known, dscp, tls);
                EventLoop::run(transport, engine, inputs, state, pulse, clock)
            }
        })?);
        Ok(rm)
    }
}
