//! The TLS thread from outside: started with what it owns, stopped when it is dropped.

use super::exchange::{self, Handle, Link};
use super::material::Certificates;
use super::names::Names;
use super::run::{Listening, Room};
use crate::error::StartError;
use crate::listeners::{Bound, Socket};
use crate::running::spawn;
use crate::state::State;
use crate::transport::{Seats, Trust};
use net::{Clock, Waker};
use rm::Peer;
use std::thread::JoinHandle;

/// What it needs of a start; the listeners for TLS are taken out of `sockets`.
pub(crate) struct Setup<'a> {
    pub(crate) certificates: Certificates,
    pub(crate) sockets: &'a mut [Bound],
    pub(crate) peers: &'a [Peer],
    pub(crate) trust: Trust,
    pub(crate) seats: Seats,
    pub(crate) dscp: u8,
    /// Wakes the engine.
    pub(crate) engine: Waker,
    pub(crate) clock: Clock,
    pub(crate) state: State,
}

/// A running one.
pub(crate) struct Thread {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Thread {
    /// Starts it; the link is the engine's.
    pub(crate) fn start(setup: Setup<'_>) -> Result<(Link, Self), StartError> {
        let Setup { certificates, sockets, peers, trust, seats, dscp, engine, clock, state } =
            setup;
        let made = exchange::link(engine).map_err(StartError::descriptors)?;
        let (link, exchange, handle, wakes) = made;
        let addresses = sockets.iter().map(|bound| bound.address).collect();
        let listening = |(index, bound): (u8, &mut Bound)| match &mut bound.socket {
            Socket::Tls(listener) => {
                let listener = listener.take()?;
                Some(Listening { index, listener })
            }
            Socket::Udp(_) | Socket::Tcp(_) => None,
        };
        let listeners = (0..).zip(sockets).filter_map(listening).collect();
        let names = Names::of(peers);
        let room = Room {
            listeners,
            certificates,
            names,
            trust,
            seats,
            addresses,
            dscp,
            exchange,
            wakes,
            clock,
            state,
        };
        let thread = spawn("rm-tls", move || room.run())?;
        Ok((link, Self { handle, thread: Some(thread) }))
    }

    /// Makes it look at its files.
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.handle.stop();
        // A thread that has panicked has told so, and its connections are closed.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
