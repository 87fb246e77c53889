//! A running Reporting Server as its process holds it: asked, told, stopped, waited for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use spool::Spool;
use telemetry::Log;
use telemetry::health::Status;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::apply::Applier;
use config::Home;
use config::source::Watched;

use crate::crew::Worker;
use crate::error::StartError;
use crate::ingest::{Gate, Ingest};
use crate::monitor::Monitor;
use crate::retention::Keeper;
use crate::rollup::Rollup;

/// Time that the applier gets at the end (rs.md §1.4).
const APPLY_REST: Duration = Duration::from_secs(10);
/// Time that requests under way get at the end.
const FAREWELL: Duration = Duration::from_secs(2);
/// Threads that carry bytes; questions to the database have threads of their own.
const WORKERS: usize = 2;

/// What listens where, with the ports that were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// `rs.broker`; `None`: records are not taken.
    pub broker: Option<SocketAddr>,
    /// `rs.http`.
    pub http: SocketAddr,
}

/// How a Reporting Server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// A part broke instead of being stopped: exit code 70.
    pub failed: bool,
}

/// Stops a Reporting Server from another thread, or has it read its certificates again.
#[derive(Clone, Debug, Default)]
pub struct Stopper {
    asked: watch::Sender<bool>,
    reload: watch::Sender<u64>,
}

impl Stopper {
    /// Asks it to leave and returns; [`Rs::wait`] tells when it has.
    pub fn stop(&self) {
        self.asked.send_replace(true);
    }

    /// Has it read its certificates again.
    pub fn reload(&self) {
        self.reload.send_modify(|count| *count += 1);
    }
}

/// One Reporting Server, running. Dropped, it stops; not to be dropped by a task of a runtime.
pub struct Rs {
    addresses: Addresses,
    stopper: Stopper,
    monitor: Arc<Monitor>,
    log: Log,
    running: Option<Running>,
    /// The directory is ours until everything has ended.
    _dir: Home,
}

/// The parts that run.
pub(crate) struct Running {
    pub(crate) runtime: Runtime,
    pub(crate) ingest: Option<Ingest>,
    /// Before the spool, for producers and HTTP.
    pub(crate) gate: Arc<Gate>,
    pub(crate) applier: Applier,
    pub(crate) retention: Keeper,
    pub(crate) rollup: Rollup,
    pub(crate) http: JoinHandle<()>,
    /// Ends HTTP, its streams and the monitor.
    pub(crate) closing: watch::Sender<bool>,
    pub(crate) spool: Spool,
    /// Where the configuration comes from.
    pub(crate) watched: Watched,
}

impl Running {
    /// Starts what the monitor does.
    fn watch(
        &self,
        monitor: &Arc<Monitor>,
        reload: &watch::Receiver<u64>,
        closed: &watch::Receiver<bool>,
    ) {
        let parts = || (Arc::clone(monitor.crew()), Arc::clone(monitor), closed.clone());
        let (crew, own, closed) = parts();
        let until = closed.clone();
        let books = move || Arc::clone(&own).keep_books(until.clone());
        self.runtime.spawn(crew.keep(Worker::Books, closed, books));
        let (crew, own, closed) = parts();
        let until = closed.clone();
        let logins = move || Arc::clone(&own).keep_audit(until.clone());
        self.runtime.spawn(crew.keep(Worker::Audit, closed, logins));
        let (crew, own, closed) = parts();
        let (until, reload) = (closed.clone(), reload.clone());
        let look = move || Arc::clone(&own).run(reload.clone(), until.clone());
        self.runtime.spawn(crew.keep(Worker::Monitor, closed, look));
    }
}

impl Rs {
    pub(crate) fn of(
        running: Running,
        dir: Home,
        addresses: Addresses,
        monitor: Arc<Monitor>,
        log: Log,
    ) -> Self {
        let stopper = Stopper::default();
        let (reload, closed) = (stopper.reload.subscribe(), running.closing.subscribe());
        running.watch(&monitor, &reload, &closed);
        Self { addresses, stopper, monitor, log, running: Some(running), _dir: dir }
    }

    /// What listens where.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What `/ready` says; true from the start on, unless the spool is full or broken.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.monitor.health.status() != Status::Fail
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

    /// Waits until it was asked to leave and has left: what producers were told is stored, or in
    /// the spool for the next start.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let mut asked = self.stopper.asked.subscribe();
        let (mut broke, mut serving) = (false, true);
        if let Some(running) = &mut self.running {
            let (crew, Running { runtime, ingest, http, .. }) = (self.monitor.crew(), running);
            (broke, serving) = runtime.block_on(async {
                tokio::select! {
                    // its sender is in our own stopper
                    _ = asked.wait_for(|asked| *asked) => (false, true),
                    ended = http => {
                        let why = ended.err().map(|error| error.to_string());
                        crew.end(Worker::Http, why.as_deref().unwrap_or("it ended by itself"));
                        (true, false)
                    }
                    why = Ingest::broke(ingest) => {
                        crew.end(Worker::Listener, &why);
                        (true, true)
                    }
                    () = crew.broken() => (true, true),
                }
            });
        }
        Ended { failed: !self.end(serving) || broke }
    }

    /// The end in its order (ops.md §4): not ready, ingest, applier, HTTP, spool. True: all parts
    /// ended as they were told.
    fn end(&mut self, serving: bool) -> bool {
        let Some(running) = self.running.take() else { return true };
        let Running {
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
        } = running;
        self.monitor.leaving();
        gate.close();
        if let Some(ingest) = ingest {
            runtime.block_on(ingest.stop());
        }
        retention.stop();
        applier.stop(APPLY_REST);
        rollup.stop();
        closing.send_replace(true);
        let ended = match serving {
            true => runtime.block_on(async { tokio::time::timeout(FAREWELL, http).await }),
            false => Ok(Ok(())),
        };
        let watched = watched.end();
        spool.close();
        runtime.shutdown_timeout(FAREWELL);
        self.log.emit(31002, None, &[]);
        // One that did not end in time was waiting for a slow reader.
        matches!(ended, Ok(Ok(())) | Err(_)) && watched
    }
}

impl Drop for Rs {
    fn drop(&mut self) {
        self.end(true);
    }
}

/// The runtime of ingest and HTTP.
pub(crate) fn runtime() -> Result<Runtime, StartError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(crate::api::BLOCKING + crate::ingest::UNPACKERS)
        .thread_name("rs")
        .enable_all()
        .build()
        .map_err(|source| StartError::Exhausted { what: "threads", source })
}
