//! Simulated media servers and callers over real UDP sockets, for demos and load.
//!
//! Each part is one thread with one socket and the transaction layer of `proto/sip`. Media servers
//! answer OPTIONS and calls and hang some of them up; callers dial numbers in turn and hold.

mod caller;
mod dialog;
mod media;
mod phone;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use caller::Caller;
use media::Media;
use net::udp::UdpSocket;

/// DSCP of SIP: CS3.
const DSCP: u8 = 24;

/// What callers do.
#[derive(Clone, Debug)]
pub(crate) struct Dialling {
    /// RM.
    pub(crate) to: SocketAddr,
    /// Calls per second.
    pub(crate) rate: f64,
    /// How long to place calls; `None`: until stopped.
    pub(crate) duration: Option<Duration>,
    /// Shortest and longest time a call is held.
    pub(crate) hold: (Duration, Duration),
    /// Numbers to dial, in turn.
    pub(crate) numbers: Vec<String>,
}

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) placed: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// No final answer, or none to the BYE.
    pub(crate) lost: AtomicU64,
    pub(crate) ended: AtomicU64,
}

impl Figures {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Running parts.
pub(crate) struct Simulation {
    /// Callers' address.
    bind: IpAddr,
    stop: Arc<AtomicBool>,
    figures: Arc<Figures>,
    threads: Vec<JoinHandle<std::io::Result<()>>>,
    callers: Option<JoinHandle<std::io::Result<()>>>,
}

impl Simulation {
    pub(crate) fn new(bind: IpAddr) -> Self {
        Self {
            bind,
            stop: Arc::default(),
            figures: Arc::default(),
            threads: Vec::new(),
            callers: None,
        }
    }

    /// Starts a media server; port 0 takes a free one. It hangs up what lasts longer than a time
    /// between the two of `hold`; `None`: never.
    pub(crate) fn media(
        &mut self,
        at: SocketAddr,
        hold: Option<(Duration, Duration)>,
    ) -> std::io::Result<SocketAddr> {
        let socket = UdpSocket::bind(at, DSCP)?;
        let address = socket.local();
        let stop = Arc::clone(&self.stop);
        let run = move || phone::run(socket, Media::new(hold), &stop);
        self.threads.push(std::thread::Builder::new().name("media".into()).spawn(run)?);
        Ok(address)
    }

    /// Starts the callers.
    pub(crate) fn dial(&mut self, dialling: Dialling) -> std::io::Result<()> {
        let socket = UdpSocket::bind(SocketAddr::new(self.bind, 0), DSCP)?;
        let (stop, figures) = (Arc::clone(&self.stop), Arc::clone(&self.figures));
        let run = move || phone::run(socket, Caller::new(dialling, figures), &stop);
        self.callers = Some(std::thread::Builder::new().name("callers".into()).spawn(run)?);
        Ok(())
    }

    pub(crate) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The callers have placed and ended all that they were to place.
    pub(crate) fn finished(&self) -> bool {
        self.callers.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Callers hang up what is up, then everything ends; returns what happened in all.
    ///
    /// # Errors
    /// The first fault of a part: its socket or its poller.
    pub(crate) fn stop(self) -> std::io::Result<Arc<Figures>> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.callers.into_iter().chain(self.threads) {
            let broken = |_| Err(std::io::Error::other("a simulated part broke"));
            thread.join().unwrap_or_else(broken)?;
        }
        Ok(self.figures)
    }
}
