//! What both ends of a connection have in common: bytes in, bytes out, the agreement, and who
//! has been silent for how long.
//!
//! A keep-alive leaves when nothing was written for a third of the agreed inactivity; the peer is
//! given up when nothing was read for all of it (counted from the agreed delay on), but not while
//! the shell itself does not read.

use std::time::Duration;

use crate::command::{self, Command, Header};
use crate::frame::{Coming, Inbox};
use crate::negotiation::{Agreed, Greeting, VersionRefused};
use crate::wire::Malformed;

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The peer said so.
    #[error("closed by the peer")]
    Goodbye,
    /// Nothing was heard for the agreed time.
    #[error("nothing heard for {0:?}")]
    Silent(Duration),
    /// No accepted login in time.
    #[error("no login within {0:?}")]
    NoLogin(Duration),
    /// The login was refused.
    #[error("login refused")]
    LoginRefused,
    /// The versions do not meet.
    #[error(transparent)]
    Version(#[from] VersionRefused),
    /// Bytes that are no OpenWire.
    #[error("malformed: {0}")]
    Malformed(#[from] Malformed),
    /// A command that may not come before the login.
    #[error("a command before the login")]
    Unexpected,
    /// A frame of STOMP that is none, or not where it stands.
    #[error("{0}")]
    NoFrame(&'static str),
    /// A frame began, and its end did not come in time.
    #[error("a frame did not come whole within {0:?}")]
    SlowFrame(Duration),
    /// Memory stayed short, and the shell gave this connection up for the others.
    #[error("memory is short: a frame or transaction that is not whole was given up")]
    NoMemory,
    /// An operator of the receiving end wants it.
    #[error("closed by an operator")]
    Disconnected,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) inbox: Inbox,
    coming: Coming,
    pub(crate) now: Duration,
    ours: Greeting,
    agreed: Option<Agreed>,
    out: Vec<u8>,
    greeted_at: Duration,
    read_at: Duration,
    written_at: Duration,
    reading: bool,
}

impl Link {
    /// Our greeting is the first thing to be written.
    pub(crate) fn new(ours: Greeting, now: Duration) -> Self {
        let mut out = Vec::new();
        ours.encode(&mut out);
        Self {
            inbox: Inbox::default(),
            coming: Coming::default(),
            now,
            ours,
            agreed: None,
            out,
            greeted_at: now,
            read_at: now,
            written_at: now,
            reading: true,
        }
    }

    pub(crate) fn heard(&mut self, now: Duration) {
        self.now = now;
        self.read_at = now;
    }

    /// Bytes were looked at; whether a frame ended with them.
    pub(crate) fn came(&mut self, ended: bool) {
        self.coming.came(self.now, ended, !self.inbox.is_empty());
    }

    /// The peer's greeting, once.
    pub(crate) fn greet(&mut self, frame: &[u8]) -> Result<(), CloseReason> {
        self.greeted_at = self.now;
        self.agreed = Some(Greeting::decode(frame)?.agree(&self.ours)?);
        Ok(())
    }

    pub(crate) fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    pub(crate) fn version(&self) -> i32 {
        self.agreed.as_ref().map_or(1, |agreed| agreed.version)
    }

    pub(crate) fn send(&mut self, header: Header, command: &Command<'_>) {
        command::encode(header, command, self.version(), &mut self.out);
    }

    /// The receiving end's own commands have no number and want no answer.
    pub(crate) fn say(&mut self, command: &Command<'_>) {
        self.send(Header { id: 0, respond: false }, command);
    }

    /// Length of what waits to be written; with [`Link::take_back`] an unfinished batch.
    pub(crate) fn mark(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn take_back(&mut self, mark: usize) {
        self.out.truncate(mark);
    }

    /// Appends all that waits.
    pub(crate) fn transmit(&mut self, out: &mut Vec<u8>) -> bool {
        if self.out.is_empty() {
            return false;
        }
        out.append(&mut self.out);
        if self.out.capacity() > 64 * 1024 {
            self.out = Vec::new();
        }
        self.written_at = self.now;
        true
    }

    pub(crate) fn set_reading(&mut self, now: Duration, reading: bool) {
        if reading && !self.reading {
            self.read_at = now;
        }
        self.now = now;
        self.reading = reading;
        self.coming.set_reading(now, reading);
    }

    fn inactivity(&self) -> Option<Duration> {
        let agreed = self.agreed.as_ref()?;
        (!agreed.inactivity.is_zero()).then_some(agreed.inactivity)
    }

    fn write_deadline(&self) -> Option<Duration> {
        Some(self.written_at + self.inactivity()? / 3).filter(|_| self.out.is_empty())
    }

    fn read_deadline(&self) -> Option<Duration> {
        let inactivity = self.inactivity()?;
        let watched = self.greeted_at + self.agreed.as_ref()?.delay;
        Some(self.read_at.max(watched) + inactivity).filter(|_| self.reading)
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        earliest(earliest(self.write_deadline(), self.read_deadline()), self.coming.due())
    }

    /// Writes the keep-alive that is due; says whether the peer is to be given up.
    pub(crate) fn handle_timeout(&mut self, now: Duration) -> Result<(), CloseReason> {
        self.now = now;
        if self.read_deadline().is_some_and(|deadline| deadline <= now) {
            return Err(CloseReason::Silent(self.inactivity().unwrap_or_default()));
        }
        self.coming.check(now)?;
        if self.write_deadline().is_some_and(|deadline| deadline <= now) {
            self.say(&Command::KeepAliveInfo);
        }
        Ok(())
    }
}

pub(crate) fn earliest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}
