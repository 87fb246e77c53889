//! A running Resource Manager as its process holds it: asked, told, stopped, waited for.

use crate::boot::DataDir;
use crate::configuration::Origin;
use crate::drain::Stop;
use crate::error::StartError;
use crate::http::Config;
use crate::inbox::{Inbox, Input, Refused};
use crate::kernel_drops::DropWatch;
use crate::key_watch::{KeyWatch, Look};
use crate::limits::LAST_SYNC;
use crate::mirror;
use crate::parts::Base;
use crate::publish::Publishing;
use crate::state::State;
use crate::tls;
use config::source::Watched;
use model::id::Revision;
use net::Clock;
use sip::transport::Transport;
use spool::Spool;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::oneshot;

/// What listens where, with the ports that were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// `rm.sip.listen`, in its order.
    pub sip: Vec<(Transport, SocketAddr)>,
    /// `rm.monitor.listen`.
    pub monitor: SocketAddr,
    /// `rm.http`.
    pub http: SocketAddr,
}

impl Addresses {
    pub(crate) fn of(base: &Base) -> Self {
        let mut sip: Vec<_> =
            base.sockets.iter().map(|bound| (bound.transport(), bound.address)).collect();
        // The monitor's socket is the last.
        let monitor = sip.pop().map_or(base.http_address, |(_, address)| address);
        Self { sip, monitor, http: base.http_address }
    }
}

/// How a Resource Manager ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Legs that are still up: not hung up, their dialogs describe themselves.
    pub legs_left: usize,
    /// The engine broke instead of being stopped: exit code 70.
    pub failed: bool,
}

/// One Resource Manager, running. Dropped, it stops at once.
pub struct Rm {
    pub(crate) addresses: Addresses,
    /// The directory is ours until everything has ended.
    _dir: DataDir,
    pub(crate) stopper: Stopper,
    pub(crate) state: State,
    pub(crate) spool: Option<Spool>,
    pub(crate) publishing: Arc<Publishing>,
    pub(crate) engine: Option<JoinHandle<Option<usize>>>,
    pub(crate) tls: Option<tls::Thread>,
    pub(crate) mirror: Option<mirror::Thread>,
    pub(crate) drops: Option<DropWatch>,
    /// Ends when the engine, which asks it, is gone.
    pub(crate) resolver: Option<JoinHandle<io::Result<()>>>,
    pub(crate) publishers: Vec<JoinHandle<()>>,
    keys: Option<KeyWatch>,
    config: Option<Watched>,
    pub(crate) http: Option<(JoinHandle<io::Result<()>>, oneshot::Sender<()>)>,
}

/// Stops a Resource Manager from another thread, or has it read its files again.
#[derive(Clone)]
pub struct Stopper {
    pub(crate) inbox: Inbox,
    look: Option<Look>,
    pub(crate) tls: Option<tls::Handle>,
}

impl Stopper {
    /// Asks it to leave and returns; [`Rm::wait`] tells when it has. A later [`Stop::Now`] cuts a
    /// drain short.
    pub fn stop(&self, stop: Stop) {
        // A full inbox empties within a turn; an engine that is gone has stopped already.
        while self.inbox.send(Input::Stop(stop)) == Err(Refused::Busy) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Has it look at `rm.cluster.key_file` and the files of `rm.sip.tls` at once, and returns.
    pub fn reload(&self) {
        if let Some(look) = &self.look {
            look.now();
        }
        if let Some(tls) = &self.tls {
            tls.reload();
        }
    }
}

impl Rm {
    /// One without threads yet; dropped, it stops those that it has been given.
    pub(crate) fn at(
        dir: DataDir,
        addresses: Addresses,
        inbox: Inbox,
        state: &State,
        spool: &Spool,
        publishing: &Arc<Publishing>,
    ) -> Self {
        Self {
            addresses,
            _dir: dir,
            stopper: Stopper { inbox, look: None, tls: None },
            state: state.clone(),
            spool: Some(spool.clone()),
            publishing: Arc::clone(publishing),
            engine: None,
            tls: None,
            mirror: None,
            drops: None,
            resolver: None,
            publishers: Vec::new(),
            keys: None,
            config: None,
            http: None,
        }
    }

    /// The watch ends with the node.
    pub(crate) fn watch_keys(&mut self, watch: KeyWatch) {
        self.stopper.look = Some(watch.look());
        self.keys = Some(watch);
    }

    /// The watch ends with the node.
    pub(crate) fn watch_config(
        &mut self,
        origin: Origin,
        clock: Clock,
    ) -> Result<Config, StartError> {
        let (inbox, state) = (self.stopper.inbox.clone(), self.state.clone());
        let (watched, config) = origin.watch(inbox, state, clock)?;
        self.config = Some(watched);
        Ok(config)
    }

    /// Keeps the TLS thread, if there is one, and gives back the engine's end of it.
    pub(crate) fn keep_tls(&mut self, tls: Option<(tls::Link, tls::Thread)>) -> Option<tls::Link> {
        let (link, thread) = tls?;
        self.stopper.tls = Some(thread.handle());
        self.tls = Some(thread);
        Some(link)
    }

    /// What listens where.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// New calls may come: what `/ready` says.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.state.is_ready()
    }

    /// The configuration in force; 0: none yet.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision(self.state.revision().0)
    }

    /// The engine has not ended, by itself or because it was told to.
    #[must_use]
    pub fn running(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| !engine.is_finished())
    }

    /// A handle that stops it from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Asks it to leave; see [`Stopper::stop`].
    pub fn stop(&self, stop: Stop) {
        self.stopper.stop(stop);
    }

    /// Waits until it has left: the spool flushed, what could be published published.
    pub fn wait(mut self) -> Ended {
        self.end()
    }

    /// The end in its order (ops.md §4): engine, key watch, spool, publishers, HTTP.
    fn end(&mut self) -> Ended {
        let legs = self.engine.take().map(JoinHandle::join);
        // The engine's last messages are with it; it sends them and closes.
        self.tls.take();
        self.mirror.take();
        let watched = self.keys.take().is_none_or(KeyWatch::end)
            & self.config.take().is_none_or(Watched::end);
        self.drops = None;
        let resolved = self.resolver.take().is_none_or(|names| matches!(names.join(), Ok(Ok(()))));
        if let Some(spool) = &self.spool {
            wait_until_durable(spool);
        }
        self.publishing.stop();
        let publishers = self.publishers.drain(..).map(JoinHandle::join);
        let published = publishers.fold(true, |all, one| all & one.is_ok());
        let served = self.http.take().is_none_or(|(http, stop)| {
            // A server that has ended by itself has dropped its end.
            let _ = stop.send(());
            matches!(http.join(), Ok(Ok(())))
        });
        if let Some(spool) = self.spool.take() {
            spool.close();
            self.state.stopped();
        }
        match legs {
            Some(Ok(Some(legs_left))) => {
                let failed = !(published && served && watched && resolved);
                Ended { legs_left, failed }
            }
            Some(Ok(None) | Err(_)) => Ended { legs_left: 0, failed: true },
            None => Ended { legs_left: 0, failed: false },
        }
    }
}

impl Drop for Rm {
    fn drop(&mut self) {
        if self.engine.is_some() {
            self.stop(Stop::Now);
        }
        self.end();
    }
}

/// The last records of the engine must be readable before the publishers look for the last
/// time.
fn wait_until_durable(spool: &Spool) {
    const STEP: Duration = Duration::from_millis(1);
    let mut left = LAST_SYNC;
    let mut status = spool.status();
    while status.durable < status.last_seq && !left.is_zero() {
        thread::sleep(STEP);
        left = left.saturating_sub(STEP);
        status = spool.status();
    }
}

/// A named thread.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(StartError::threads)
}
