//! The Resource Manager daemon: the boring shell around `core/rm`.
//!
//! This file composes: every part of the daemon and every channel between the parts stands in
//! [`Rm::start`]. It moves handles and starts threads; it decides nothing about a call. Several
//! daemons may live in one process: there are no globals.
//!
//! ```text
//!   HTTP thread ── Query ──► inbox (bounded queue + waker) ◄── Snapshot, Stop ── process
//!                              │
//!                              ▼
//!   sockets ◄──► transport ◄──► engine (rm::Proxy) ──► journal ── append, once per turn ──► spool
//!               └────────────── engine thread ──────────────┘                               │  ▲
//!                              ▲                                                            │  │
//!                              └── durable sequence (atomic + waker) ───────────────────────┤  │
//!   broker ◄──► publisher thread ◄── wakes; durable frames are read from disk ──────────────┘  │
//!                              └── cursor: acknowledged up to here ────────────────────────────┘
//! ```

mod boot;
mod cluster_key;
mod drain;
mod engine;
mod error;
mod event_loop;
mod figures;
mod frame;
mod http;
mod inbox;
mod journal;
mod limits;
mod listeners;
mod parts;
mod publish;
mod rate;
mod recover;
mod running;
mod settings;
mod state;
mod transport;

pub use drain::Stop;
pub use error::StartError;
pub use parts::RmParts;
pub use running::{Addresses, Ended, Rm, Stopper};

use engine::Engine;
use event_loop::EventLoop;
use figures::Pulse;
use http::Shared;
use journal::Journal;
use parts::Base;
use publish::{PublishFigures, PublishSettings, Publisher};
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
        let RmParts { settings, snapshot, source, log, clock } = parts;
        let log = log.for_node(&settings.rm.name, None);
        let base = Base::lay(&settings, &log, clock)?;
        let now = clock.now();
        let addresses = Addresses::of(&base);
        let state = State::new(&settings.rm.name, log.clone(), now.wall);
        let pulse = Arc::new(Pulse::new(now.mono));

        let (engine_waker, engine_wakes) = net::waker::pair().map_err(StartError::descriptors)?;
        let (publisher_waker, publisher_wakes) =
            net::waker::pair().map_err(StartError::descriptors)?;
        let (inbox, inputs) = inbox::inbox(engine_waker);
        let recovery = Recovery::open(base.dir.spool(), base.seed[0], clock, {
            let (inbox, publisher) = (inbox.clone(), publisher_waker.clone());
            move |seq| {
                inbox.durable(seq);
                publisher.wake();
            }
        })?;
        let publish = Arc::new(PublishFigures::new(recovery.last_seq(), recovery.cursor()));
        let (spool, cursor) = (recovery.spool(), recovery.cursor());
        let trust = Trust::new(&base.engine.peers, &snapshot);
        let proxy = recovery.proxy(base.engine, Arc::clone(&snapshot), now, &state);
        let journal = Journal::new(spool.clone(), Arc::clone(&publish));
        let engine = Engine::new(proxy, journal, log.clone(), now);
        state.applied(now.wall, snapshot.revision);
        state.listening(now.wall, &addresses);

        let mut rm =
            Self::at(base.dir, addresses, inbox.clone(), &state, &spool, &publish, publisher_waker);
        rm.publisher = Some(spawn("rm-publish", {
            let seed = base.seed;
            let settings = PublishSettings::of(&settings.rm, base.login, seed, now.wall, cursor);
            let (spool, state, publish) = (spool.clone(), state.clone(), Arc::clone(&publish));
            move || Publisher::run(settings, spool, publisher_wakes, clock, state, publish)
        })?);
        rm.http = Some({
            let (state, pulse) = (state.clone(), Arc::clone(&pulse));
            let tokens = base.tokens;
            let shared = Shared { inbox, state, pulse, publish, spool, clock, source, tokens };
            let (stop, stopped) = oneshot::channel();
            (spawn("rm-http", move || http::serve(base.http, shared.into(), stopped))?, stop)
        });
        rm.engine = Some(spawn("rm-engine", {
            let (bound, dscp) = (base.sockets, settings.rm.sip.dscp);
            move || {
                let transport = Transport::new(bound, engine_wakes, trust, dscp);
                EventLoop::run(transport, engine, inputs, state, pulse, clock)
            }
        })?);
        Ok(rm)
    }
}
