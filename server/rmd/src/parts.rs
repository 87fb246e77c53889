//! From settings to parts: what is read, locked and bound before a thread runs.
//!
//! Everything that can refuse a start refuses here, in an order that leaves nothing behind.

use crate::boot::DataDir;
use crate::cluster_key;
use crate::error::StartError;
use crate::http::{self, Admin, Metrics};
use crate::limits::{LADDERS, TRYING_WAIT};
use crate::listeners::{self, Bound, Socket};
use crate::mirror;
use crate::preflight::Files;
use crate::settings;
use crate::state::State;
use crate::tls::{self, Certificates};
use crate::transport::{Seats, Trust};
use crate::wills::Wills;
use config::Settings as BootSettings;
use config::settings::{HostPort, Sip};
use model::snapshot::Snapshot;
use net::limits::RECEIVE_BUFFER;
use net::{Clock, Waker};
use openwire::Secret;
use rm::settings::SipTimers;
use rm::{Listener, Options, Settings};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use telemetry::Log;
use tokio::sync::Semaphore;

/// What a Resource Manager is made of.
pub struct RmParts {
    /// Who it is and where, and where its configuration comes from; of the sections `data_dir`,
    /// `rm` and `config` are used. Ports may be 0: free ones, which [`crate::Rm::addresses`] tells.
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
    pub(crate) dir: DataDir,
    /// SIP sockets; the index is the engine's, the monitor's is the last.
    pub(crate) sockets: Vec<Bound>,
    /// Where `rm.sip.tls` is set.
    certificates: Option<Certificates>,
    /// All streams of the node share them.
    pub(crate) seats: Seats,
    dscp: u8,
    pub(crate) http: TcpListener,
    pub(crate) http_address: SocketAddr,
    pub(crate) admin: Admin,
    /// Where `rm.hep` is set.
    pub(crate) mirror: Option<mirror::Setup>,
    /// User and password towards the broker.
    pub(crate) login: Option<(String, Option<Secret>)>,
    /// Chance of the shell, beside the engine's own.
    pub(crate) seed: [u64; 4],
    /// What `rm.cluster.key_file` held, if there is one.
    pub(crate) key_text: Option<String>,
    pub(crate) engine: Settings,
}

impl Base {
    /// Reads files, locks the directory, counts the start, binds the sockets.
    pub(crate) fn lay(
        settings: &BootSettings,
        log: &Log,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let rm = &settings.rm;
        let Files { login, tokens, keys, collector_key } = Files::read(rm)?;
        let tls = rm.sip.tls.as_ref();
        let certificates = tls.map(|tls| Certificates::open(tls, clock.now(), log)).transpose()?;
        let wanted = settings::wanted(rm);
        let dir = DataDir::lock(&settings.data_dir)?;
        let wills = Wills::at(dir.wills());
        let metrics = Metrics { profiles: rm.profile_metrics, max_series: rm.max_series };
        let peers = settings::told(rm);
        let ladders = Semaphore::new(LADDERS);
        let admin = Admin { metrics, tokens, peers, wills, reload: Arc::default(), ladders };
        let (keys, key_text) = match keys {
            Some((keys, text)) => (keys, Some(text)),
            None => (cluster_key::own_keys(&settings.data_dir)?, None),
        };
        let mut sockets: Vec<Bound> = Vec::with_capacity(wanted.len());
        for one in &wanted {
            sockets.push(listeners::bind(*one, &sockets, rm.sip.dscp)?);
        }
        sockets.iter().for_each(|bound| report_buffer(bound, log));
        let mirror = settings::mirror(rm, collector_key, &sockets, clock);
        let (http, http_address) = http::bind(rm.http)?;
        let boot = dir.next_boot(clock.now().wall)?;
        let engine = Settings {
            name: rm.name.clone(),
            node_id: rm.node_id,
            boot,
            application_dbid: None,
            listeners: described(&rm.sip, &sockets),
            monitor_listener: u8::try_from(sockets.len() - 1)
                .map_err(|_| refuse("rm.sip.listen: more than 255 listeners"))?,
            domains: rm.sip.domains.clone(),
            peers: settings::peers(rm),
            routes: settings::routes(rm),
            keys,
            seed: seed()?,
            application: rm.application.clone(),
            options: Options::default(),
            timers: SipTimers { trying: TRYING_WAIT, ..SipTimers::default() },
        };
        let seed = seed()?;
        let (seats, dscp) = (Seats::default(), rm.sip.dscp);
        Ok(Self {
            dir,
            sockets,
            certificates,
            seats,
            dscp,
            http,
            http_address,
            admin,
            mirror,
            login,
            seed,
            key_text,
            engine,
        })
    }
}

impl Base {
    /// Starts the TLS thread, where there is something for it.
    pub(crate) fn tls(
        &mut self,
        trust: &Trust,
        engine: Waker,
        state: &State,
        clock: Clock,
    ) -> Result<Option<(tls::Link, tls::Thread)>, StartError> {
        let Some(certificates) = self.certificates.take() else { return Ok(None) };
        let setup = tls::Setup {
            certificates,
            sockets: &mut self.sockets,
            peers: &self.engine.peers,
            trust: trust.clone(),
            seats: self.seats.clone(),
            dscp: self.dscp,
            engine,
            clock,
            state: state.clone(),
        };
        tls::Thread::start(setup).map(Some)
    }
}

/// What the engine is told of each socket. The entries of `advertise` and `via` belong to the
/// proxy's listeners; the monitor's shows itself.
fn described(settings: &Sip, sockets: &[Bound]) -> Vec<Listener> {
    let count = settings.listen.len();
    let shown = |entries: &[HostPort], index, bound| {
        let own = listeners::own_address(bound);
        listeners::shown(if index < count { entries } else { &[] }, index, own)
    };
    let describe = |(index, bound): (usize, &Bound)| Listener {
        transport: bound.transport(),
        bound: bound.address,
        advertise: shown(&settings.advertise, index, bound.address),
        via: shown(&settings.via, index, bound.address),
    };
    sockets.iter().enumerate().map(describe).collect()
}

fn refuse(text: &str) -> StartError {
    StartError::Settings(text.to_owned())
}

/// Chance from the kernel.
pub(crate) fn seed() -> Result<[u64; 4], StartError> {
    let mut seed = [0; 4];
    for word in &mut seed {
        *word = getrandom::u64().map_err(|error| StartError::Exhausted {
            what: "randomness",
            source: io::Error::other(error),
        })?;
    }
    Ok(seed)
}

/// Log 20112 when the kernel gave a smaller receive buffer than asked for (rm.md §1.2).
fn report_buffer(bound: &Bound, log: &Log) {
    let Socket::Udp(socket) = &bound.socket else { return };
    let given = socket.receive_buffer();
    if given < RECEIVE_BUFFER {
        let (address, given) = (bound.address.to_string(), given.to_string());
        let asked = RECEIVE_BUFFER.to_string();
        let fields = [("listener", &*address), ("bytes", &*given), ("asked", &*asked)];
        log.emit(20112, None, &fields);
    }
}
