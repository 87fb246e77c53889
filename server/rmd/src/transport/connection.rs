//! One SIP stream: a socket, its framer, and the time by which something must happen on it.
//!
//! It must not know the table it lives in, nor decide what a message means.

use super::wire::{Input, Wire};
use crate::limits::{
    CLOSING_TIME, HANDSHAKE_TIME, IDLE_PEER, IDLE_STRANGER, MESSAGE_TIME, WRITE_TIME,
};
use net::Interest;
use net::tcp::Flush;
use sip::limits::Limits;
use sip::stream::Framer;
use sip::transport::{ConnId, Flow, Transport};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// An accepted or opened stream.
#[derive(Debug)]
pub(super) struct Connection<S> {
    pub(super) id: ConnId,
    transport: Transport,
    pub(super) listener: u8,
    pub(super) remote: SocketAddr,
    /// Another port of its far end for which it may be used (RFC 5923).
    pub(super) alias: Option<SocketAddr>,
    pub(super) trusted: bool,
    pub(super) stream: S,
    pub(super) framer: Framer,
    /// What the poller waits for on it.
    pub(super) interest: Interest,
    state: State,
    last_byte: Duration,
    /// Since when the kernel has taken nothing of what waits to be written.
    stalled: Option<Duration>,
    /// Bytes of an incomplete message, as far as [`Self::unfinished`] has told.
    told: usize,
}

/// Where a stream is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Our connect is under way; what is sent meanwhile waits in the write queue.
    Connecting { until: Duration },
    /// Connected, and the two ends make themselves known; it carries no message yet.
    Handshaking { until: Duration },
    /// Both ways. `partial`: the time of the first byte of a message that is not complete.
    Open { partial: Option<Duration> },
    /// Broken framing: what is queued still leaves, nothing more is read. It ends when that is
    /// written and the engine has answered.
    Closing { since: Duration, answered: bool },
}

impl<S: Wire> Connection<S> {
    /// A stream that a peer opened.
    pub(super) fn accepted(
        flow: Flow,
        id: ConnId,
        trusted: bool,
        stream: S,
        now: Duration,
    ) -> Self {
        let (interest, state) = (Interest::Read, connected(&stream, now));
        let Flow { transport, listener, remote, .. } = flow;
        let framer = Framer::new(Limits::DEFAULT);
        let last_byte = now;
        Self {
            id,
            transport,
            listener,
            remote,
            alias: None,
            trusted,
            stream,
            framer,
            interest,
            state,
            last_byte,
            stalled: None,
            told: 0,
        }
    }

    /// A stream that we are opening; up at `until`, or failed.
    pub(super) fn connecting(
        flow: Flow,
        id: ConnId,
        trusted: bool,
        stream: S,
        until: Duration,
    ) -> Self {
        let (interest, state) = (Interest::Write, State::Connecting { until });
        Self { interest, state, ..Self::accepted(flow, id, trusted, stream, until) }
    }

    /// The flow of what is received here.
    pub(super) fn flow(&self) -> Flow {
        Flow {
            transport: self.transport,
            listener: self.listener,
            remote: self.remote,
            conn: Some(self.id),
        }
    }

    /// The poller says that it can be written: a connect has ended, or there is room again.
    pub(super) fn writable(&mut self, now: Duration) -> Result<(), &'static str> {
        if let State::Connecting { .. } = self.state {
            self.stream.connected().map_err(|error| word(error.kind()))?;
            self.state = connected(&self.stream, now);
            self.last_byte = now;
        }
        self.stalled = None;
        Ok(())
    }

    /// Something waits to be written, and the kernel had no room for it.
    pub(super) fn is_blocked(&self) -> bool {
        self.interest == Interest::ReadWrite
    }

    /// Looked at now and then: a stream that can be written has not stalled.
    pub(super) fn watch(&mut self, now: Duration) {
        self.stalled = self.is_blocked().then(|| self.stalled.unwrap_or(now));
    }

    /// Bytes of its incomplete message: before, and now.
    pub(super) fn unfinished(&mut self) -> (usize, usize) {
        let bytes = self.framer.pending();
        (std::mem::replace(&mut self.told, bytes), bytes)
    }

    /// When its incomplete message began.
    pub(super) fn partial_since(&self) -> Option<Duration> {
        match self.state {
            State::Open { partial } => partial,
            State::Connecting { .. } | State::Handshaking { .. } | State::Closing { .. } => None,
        }
    }

    /// What [`Self::unfinished`] has told last.
    pub(super) fn told(&self) -> usize {
        self.told
    }

    /// Reads once into the framer.
    pub(super) fn read(&mut self, now: Duration, scratch: &mut [u8]) -> Input {
        let (State::Open { .. } | State::Handshaking { .. }) = self.state else {
            return Input::Nothing;
        };
        let Self { stream, framer, .. } = self;
        let read = stream.read(now, scratch, &mut |bytes| framer.push(bytes));
        if read == Input::Bytes {
            self.last_byte = now;
        }
        read
    }

    /// A handshake that was under way is done, just now.
    pub(super) fn shaken(&mut self) -> bool {
        let done = matches!(self.state, State::Handshaking { .. }) && !self.stream.handshaking();
        if done {
            self.state = State::Open { partial: None };
        }
        done
    }

    /// It is, or was, connected.
    pub(super) fn stood(&self) -> bool {
        !matches!(self.state, State::Connecting { .. })
    }

    /// It is connected, but carries no message yet.
    pub(super) fn handshaking(&self) -> bool {
        matches!(self.state, State::Handshaking { .. })
    }

    /// The framer has given all that it can: an incomplete message starts its clock, once.
    pub(super) fn framed(&mut self, now: Duration) {
        if let State::Open { partial } = &mut self.state {
            let incomplete = self.framer.pending() > 0;
            *partial = if incomplete { Some(partial.unwrap_or(now)) } else { None };
        }
    }

    /// A complete message was taken: the next one has its own time.
    pub(super) fn complete(&mut self) {
        if let State::Open { partial } = &mut self.state {
            *partial = None;
        }
    }

    /// The framing is broken: reads no more; ends when the answer is written, at the latest after
    /// [`CLOSING_TIME`] (rm.md §1.9).
    pub(super) fn refuse(&mut self, now: Duration) {
        self.state = State::Closing { since: now, answered: false };
    }

    /// The engine has said what it has to say to a broken framing.
    pub(super) fn answered(&mut self) {
        if let State::Closing { answered, .. } = &mut self.state {
            *answered = true;
        }
    }

    /// Writes what waits. `Ok(true)`: nothing is left and the stream was to end with that.
    pub(super) fn flush(&mut self) -> Result<bool, &'static str> {
        if let State::Connecting { .. } = self.state {
            return Ok(false);
        }
        match self.stream.flush() {
            Flush::Done => Ok(matches!(self.state, State::Closing { answered: true, .. })),
            Flush::Blocked => Ok(false),
            Flush::Failed(kind) => Err(word(kind)),
        }
    }

    /// What the poller should wait for now.
    pub(super) fn wanted(&self) -> Interest {
        match self.state {
            State::Connecting { .. } | State::Closing { .. } => Interest::Write,
            State::Open { .. } | State::Handshaking { .. } if self.stream.wants_write() => {
                Interest::ReadWrite
            }
            State::Open { .. } | State::Handshaking { .. } => Interest::Read,
        }
    }

    /// When it is given up, and why.
    pub(super) fn deadline(&self) -> (Duration, &'static str) {
        let idle = if self.trusted { IDLE_PEER } else { IDLE_STRANGER };
        let written = self.stalled.map(|since| (since + WRITE_TIME, "write-timeout"));
        let own = match self.state {
            State::Connecting { until } => (until, "connect-timeout"),
            State::Handshaking { until } => (until, "handshake-timeout"),
            State::Open { partial: Some(since) } => (since + MESSAGE_TIME, "message-timeout"),
            State::Open { partial: None } => (self.last_byte + idle, "idle"),
            State::Closing { since, .. } => (since + CLOSING_TIME, "closed"),
        };
        written.map_or(own, |written| written.min(own))
    }

    /// For whom room may be made: how long a stranger has been idle; `None`: it may not go.
    pub(super) fn idle_since(&self) -> Option<Duration> {
        match self.state {
            State::Open { partial: None } if !self.trusted => Some(self.last_byte),
            State::Open { .. }
            | State::Connecting { .. }
            | State::Handshaking { .. }
            | State::Closing { .. } => None,
        }
    }
}

/// The state of a stream whose connect is done.
fn connected(stream: &impl Wire, now: Duration) -> State {
    if stream.handshaking() {
        return State::Handshaking { until: now + HANDSHAKE_TIME };
    }
    State::Open { partial: None }
}

/// A word of a small set for the metric `transport_errors_total`.
pub(crate) fn word(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => "refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "reset",
        io::ErrorKind::TimedOut => "timeout",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "unreachable",
        _ => "other",
    }
}
