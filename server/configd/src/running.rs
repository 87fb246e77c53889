//! A running Config Server as its process holds it: asked, told, stopped, waited for.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::Home;
use model::config::Document;
use net::Clock;
use telemetry::Log;
use telemetry::health::{Health, Status};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::books::Books;
use crate::error::StartError;
use crate::refusal::Refusal;
use crate::transaction::{Operation, Transaction, When};
use crate::who::Who;
use config::certificates::Certificates;

/// Time that changes and requests under way get at the end (ops.md §4).
const FAREWELL: Duration = Duration::from_secs(10);
/// How often certificates and the store are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Threads that carry bytes; parsing, packing and the store have threads of their own.
const WORKERS: usize = 2;
/// Threads that may block: for bodies, answers (a stream has one for two) and reads of the history.
const BLOCKING: usize = 128;

/// How a Config Server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// A part broke instead of being stopped: exit code 70.
    pub failed: bool,
}

/// Stops a Config Server from another thread.
#[derive(Clone, Debug)]
pub struct Stopper {
    asked: watch::Sender<bool>,
    reload: watch::Sender<u64>,
}

impl Stopper {
    /// Asks it to leave and returns; [`ConfigServer::wait`] tells when it has.
    pub fn stop(&self) {
        self.asked.send_replace(true);
    }

    /// Has it read its certificates again.
    pub fn reload(&self) {
        self.reload.send_modify(|count| *count += 1);
    }
}

/// One Config Server, running. Dropped, it stops; not to be dropped by a task of a runtime.
pub struct ConfigServer {
    address: SocketAddr,
    tls: bool,
    token: Option<PathBuf>,
    stopper: Stopper,
    health: Health,
    clock: Clock,
    log: Log,
    running: Option<Running>,
    /// The directory is ours until everything has ended.
    _dir: Home,
}

/// The parts that run.
pub(crate) struct Running {
    pub(crate) runtime: Runtime,
    pub(crate) books: Books,
    pub(crate) http: JoinHandle<()>,
    /// Ends HTTP.
    pub(crate) closing: watch::Sender<bool>,
}

/// What it is, beside what runs.
pub(crate) struct Facts {
    pub(crate) address: SocketAddr,
    pub(crate) certificates: Option<Arc<Mutex<Certificates>>>,
    pub(crate) health: Health,
    pub(crate) clock: Clock,
    pub(crate) log: Log,
    /// The file of a token that was made at this start.
    pub(crate) token: Option<PathBuf>,
}

impl ConfigServer {
    pub(crate) fn of(running: Running, dir: Home, facts: Facts) -> Self {
        let Facts { address, certificates, health, clock, log, token } = facts;
        let stopper = Stopper { asked: watch::Sender::new(false), reload: watch::Sender::new(0) };
        let tls = certificates.is_some();
        let look = Look {
            certificates,
            books: running.books.clone(),
            health: health.clone(),
            clock,
            log: log.clone(),
        };
        running.runtime.spawn(look.run(stopper.reload.subscribe(), running.closing.subscribe()));
        let running = Some(running);
        Self { address, tls, token, stopper, health, clock, log, running, _dir: dir }
    }

    /// Where it listens, with the port that was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// The file of the first admin's token, if it was made at this start.
    #[must_use]
    pub fn new_token(&self) -> Option<&Path> {
        self.token.as_deref()
    }

    /// What `/ready` says.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.health.status() != Status::Fail
    }

    /// What it keeps, for whoever runs in the same process.
    #[must_use]
    pub fn books(&self) -> Option<&Books> {
        self.running.as_ref().map(|running| &running.books)
    }

    /// Puts objects as a transaction of the server itself; without a change there is no revision.
    ///
    /// # Errors
    /// Objects that are not valid, or a store that cannot be written.
    pub fn apply(&self, documents: Vec<Document>, actor: &str) -> Result<(), StartError> {
        let Some(Running { runtime, books, .. }) = &self.running else { return Ok(()) };
        let put = |document| Operation::Put { document, when: When::Always, rename_from: None };
        let operations = documents.into_iter().map(put).collect();
        let transaction = Transaction { operations, ..Transaction::default() };
        let done = runtime.block_on(books.transact(transaction, &Who::server(actor)));
        done.map(drop).map_err(|refusal| match refusal {
            Refusal::Invalid(problems) => StartError::Seed(problems),
            other => StartError::Settings(format!("objects of {actor}: {other}")),
        })
    }

    /// A handle that stops it from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Asks it to leave; see [`Stopper::stop`].
    pub fn stop(&self) {
        self.stopper.stop();
    }

    /// Waits until it was asked to leave and has left.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let mut asked = self.stopper.asked.subscribe();
        let mut broke = false;
        if let Some(Running { runtime, books, http, .. }) = &mut self.running {
            broke = runtime.block_on(async {
                tokio::select! {
                    // its sender is in our own stopper
                    _ = asked.wait_for(|asked| *asked) => false,
                    _ = http => true,
                    () = books.ended() => true,
                }
            });
        }
        Ended { failed: !self.end(!broke) || broke }
    }

    /// The end in its order (ops.md §4): not ready, watchers told, changes finished, HTTP. True:
    /// all parts ended as they were told.
    fn end(&mut self, serving: bool) -> bool {
        let Some(running) = self.running.take() else { return true };
        let Running { runtime, books, http, closing } = running;
        self.health.set(self.clock.now().wall, "objects", false, "stopping");
        books.close();
        closing.send_replace(true);
        let ended = match serving {
            true => runtime.block_on(async { tokio::time::timeout(FAREWELL, http).await }),
            false => Ok(Ok(())),
        };
        runtime.shutdown_timeout(FAREWELL);
        self.log.emit(10002, None, &[("component", "config-server")]);
        // One that did not end in time was waiting for a slow reader.
        matches!(ended, Ok(Ok(())) | Err(_))
    }
}

impl Drop for ConfigServer {
    fn drop(&mut self) {
        self.end(true);
    }
}

/// What is looked at again and again.
struct Look {
    certificates: Option<Arc<Mutex<Certificates>>>,
    books: Books,
    health: Health,
    clock: Clock,
    log: Log,
}

impl Look {
    async fn run(self, mut reload: watch::Receiver<u64>, mut closed: watch::Receiver<bool>) {
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                // the sender lives as long as the server
                changed = reload.changed() => changed.is_ok(),
                _ = closed.changed() => return,
            };
            let now = self.clock.now().wall;
            let away = self.books.is_read_only();
            let detail = if away { "away: reads go on, changes are refused" } else { "open" };
            self.health.set(now, "store", !away, detail);
            if let Some(certificates) = &self.certificates {
                let mut own = certificates.lock().unwrap_or_else(PoisonError::into_inner);
                own.look(now, asked, &self.log);
            }
        }
    }
}

/// The runtime of HTTP.
pub(crate) fn runtime() -> Result<Runtime, StartError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING)
        .thread_name("config")
        .enable_all()
        .build()
        .map_err(|source| StartError::Exhausted { what: "threads", source })
}
