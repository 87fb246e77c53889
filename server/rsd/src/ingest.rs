//! Records come in over OpenWire and STOMP and are on disk before they are acknowledged.
//!
//! One task per connection carries bytes between its socket and the machine of its protocol, hands
//! what is to be stored to the spool, and lets the answers leave when the disk has it: the wake-up
//! is one watch of the durable sequence. A full spool is back-pressure, never an error: sends wait
//! unanswered, then the socket is not read, while keep-alives flow (`spec/rs.md` §1.4, §1.5).
//! Never waits for the database and looks into no record. Stage 12 of the call's way.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::time::Millis;
use net::clock::Clock;
use rustls::ServerConfig;
use spool::Spool;
use telemetry::Log;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

mod accept;
mod arrival;
mod connection;
mod counters;
mod desk;
mod endpoint;
mod gate;
mod limits;
mod login;
mod memory;
mod message;
mod parked;
mod registry;
mod roster;
mod socket;
mod unpack;
mod wire;

pub use counters::Counters;
pub use desk::NotTaken;
pub use gate::{Gate, Priority};
pub(crate) use limits::UNPACKERS;
pub use limits::{Limits, LimitsInForce};
pub(crate) use roster::Member;
pub use roster::Roster;

use crate::backlog::Backlog;
use crate::crew::Crew;
use crate::users::Users;
use memory::Memory;
use registry::Registry;

/// What the listener is told at the start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `rs.broker`: where to listen.
    pub listen: SocketAddr,
    /// `rs.name`: the broker's name in BrokerInfo.
    pub name: String,
    /// Where HTTP is answered, for those who ask here.
    pub http: String,
    /// `rs.auth.anonymous_broker`: producers without a user are let in. The specification's
    /// default is true on loopback, else false.
    pub anonymous: bool,
    /// `rs.auth.users_file`; none: whatever name a producer gives is taken as it is.
    pub users: Option<Arc<Users>>,
    /// `rs.tls`: what handshakes are made of, as it is now; none: TLS is turned away.
    pub tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    /// `rs.broker_limits`, which may change while it runs.
    pub limits: LimitsInForce,
}

/// Tells whoever waits how far the spool is on disk. Its [`Durable::hook`] goes into the spool,
/// its [`Durable::subscribe`] to ingest, HTTP and the applier.
#[derive(Debug, Clone)]
pub struct Durable(Arc<watch::Sender<u64>>);

impl Default for Durable {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Durable {
    /// For `spool::Hooks::on_durable`.
    #[must_use]
    pub fn hook(&self) -> Box<dyn Fn(u64) + Send> {
        let sender = Arc::clone(&self.0);
        Box::new(move |seq| {
            sender.send_replace(seq);
        })
    }

    /// Follows the highest durable sequence.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// The parts of the daemon that ingest uses.
#[derive(Clone)]
pub struct Parts {
    /// Where records go.
    pub spool: Spool,
    /// How far it is on disk.
    pub durable: Durable,
    /// What may be taken while space is short; shared with HTTP ingest.
    pub gate: Arc<Gate>,
    /// Figures; rendered by the HTTP side.
    pub counters: Arc<Counters>,
    /// Who is connected; shown by the HTTP side.
    pub roster: Arc<Roster>,
    /// How much waits for the database.
    pub backlog: Arc<Backlog>,
    /// Is told when something here panics.
    pub crew: Arc<Crew>,
    /// The log.
    pub log: Log,
    /// The clock.
    pub clock: Clock,
}

/// What all connections share.
struct Shared {
    settings: Settings,
    parts: Parts,
    registry: Registry,
    /// What all connections hold.
    memory: Memory,
    /// When it began: part of the names of STOMP's sessions.
    began: Millis,
    /// Sessions of STOMP so far.
    sessions: AtomicU64,
    /// TLS handshakes that may still begin.
    handshakes: Semaphore,
    /// Arrivals that may still be inflated beside the others.
    unpackers: Arc<Semaphore>,
}

impl Shared {
    /// A name for a session of a protocol that has none of its own: never given twice, for ids of
    /// messages are made of it, and of two messages with one id the second counts as a replay.
    fn session(&self) -> String {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        format!("ID:{}-{}-{number}", self.settings.name, self.began.0)
    }
}

/// The running listener.
#[derive(Debug)]
pub struct Ingest {
    local: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Ingest {
    /// Binds and serves.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start(settings: Settings, parts: Parts) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let local = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            memory: Memory::new(settings.limits.now().memory),
            settings,
            began: parts.clock.now().wall,
            parts,
            registry: Registry::default(),
            sessions: AtomicU64::new(0),
            handshakes: Semaphore::new(limits::HANDSHAKES),
            unpackers: Arc::new(Semaphore::new(UNPACKERS)),
        });
        let task = tokio::spawn(accept::run(listener, shared, stopped));
        Ok(Self { local, stop, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Waits until it has ended without being told to: why. It is gone then.
    pub(crate) async fn broke(this: &mut Option<Self>) -> String {
        let Some(ingest) = this else { return std::future::pending().await };
        let ended = (&mut ingest.task).await;
        *this = None;
        ended.err().map_or_else(|| "it ended by itself".to_owned(), |error| error.to_string())
    }

    /// Closes the listener, lets what was handed to the spool be synced and answered, and closes
    /// the connections. What was parked is not answered: its senders send it again.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // The accepting task ends by itself; if it had panicked, nothing would be left to stop.
        let _ended = self.task.await;
    }
}
