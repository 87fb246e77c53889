//! The receiving end of one STOMP connection, 1.0 to 1.2: login, sends, transactions, receipts.
//!
//! Five verbs, like [`crate::Broker`], and the same events: a send goes to the shell as
//! [`BrokerEvent::Store`], its RECEIPT leaves after [`Stomp::stored`], that is, when the disk has
//! it. Without `receipt` nothing is promised. What is not offered (every subscription, every other
//! queue) gets an ERROR and the connection stays, as with OpenWire; after bytes that are no STOMP
//! it does not. DISCONNECT is answered when everything before it is stored. On the call's way:
//! stage 12, ingest.

use std::time::Duration;

use crate::broker::{BrokerEvent, BrokerSettings};
use crate::command::Secret;
use crate::frame::Inbox;
use crate::limits::MAX_WAITING;
use crate::link::{CloseReason, earliest};
use crate::ticket::Ticket;

mod beat;
mod desk;
mod frame;
mod open;
mod version;

use desk::Desk;
use frame::{Cut, Cutter, Frame};
use open::{Handled, Open};
use version::Version;

/// The end of a login that names no version that is spoken here; its ERROR has a header more.
const UNKNOWN_VERSION: &str = "no version of STOMP that is spoken here";

/// The receiving end of one connection.
#[derive(Debug)]
pub struct Stomp {
    desk: Desk,
    phase: Phase,
    cutter: Cutter,
    inbox: Inbox,
    session: String,
    started: Duration,
}

#[derive(Debug)]
enum Phase {
    /// CONNECT is awaited.
    Login,
    /// The shell decides; what follows waits in the inbox.
    Deciding {
        version: Version,
        beats: Option<String>,
    },
    /// Logged in.
    Open(Open),
    /// DISCONNECT came: over when all is stored.
    Leaving {
        receipt: Option<String>,
    },
    Closed,
}

impl Stomp {
    /// A connection that was just accepted (and whose first bytes say STOMP). `session` names it,
    /// once for all time: message ids are made of it.
    #[must_use]
    pub fn new(settings: BrokerSettings, session: String, now: Duration) -> Self {
        Self {
            desk: Desk::new(settings, now),
            phase: Phase::Login,
            cutter: Cutter::default(),
            inbox: Inbox::default(),
            session,
            started: now,
        }
    }

    /// Bytes from the socket, in any chunks. Ignored after the end.
    pub fn handle_input(&mut self, now: Duration, bytes: &[u8]) {
        self.desk.now = now;
        self.desk.beat.heard(now);
        if self.inbox.is_empty() {
            let used = self.run(bytes);
            self.inbox.push(bytes.get(used..).unwrap_or_default());
            self.desk.coming.came(now, used > 0, !self.inbox.is_empty());
        } else {
            self.inbox.push(bytes);
            self.run_inbox();
        }
    }

    /// The moment that [`Stomp::poll_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.desk.now = now;
        match &mut self.phase {
            Phase::Closed => return,
            Phase::Login => {
                let limit = self.desk.settings.limits.login;
                if now >= self.started + limit {
                    return self.close(CloseReason::NoLogin(limit));
                }
            }
            Phase::Deciding { .. } | Phase::Leaving { .. } => {}
            Phase::Open(open) => open.expire(now, &mut self.desk),
        }
        if let Some(silence) = self.desk.beat.silent(now) {
            return self.close(CloseReason::Silent(silence));
        }
        if let Err(why) = self.desk.coming.check(now) {
            return self.give_up(why);
        }
        self.desk.beat_if_due();
    }

    /// Ends the connection for a reason that the peer is told: what is not whole is dropped.
    pub fn give_up(&mut self, why: CloseReason) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        self.desk.error(None, &why.to_string());
        self.inbox = Inbox::default();
        self.close(why);
    }

    /// Appends what is to be written; false when there is nothing.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.desk.transmit(out)
    }

    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<BrokerEvent> {
        self.desk.events.pop_front()
    }

    /// When [`Stomp::handle_timeout`] is to be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let own = match &self.phase {
            Phase::Closed => return None,
            Phase::Login => Some(self.started + self.desk.settings.limits.login),
            Phase::Deciding { .. } | Phase::Leaving { .. } => None,
            Phase::Open(open) => open.deadline(self.desk.settings.limits.transaction_age),
        };
        earliest(own, self.desk.deadline())
    }

    /// The login is good; goes on with what came behind it.
    pub fn accept_login(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Deciding { version, beats } => {
                self.desk.connected(version, &self.session, beats.as_deref());
                self.phase = Phase::Open(Open::new(&self.session));
                self.run_inbox();
            }
            other => self.phase = other,
        }
    }

    /// The login is not good: the ERROR leaves and the connection is over.
    pub fn refuse_login(&mut self, text: &str) {
        if matches!(self.phase, Phase::Deciding { .. }) {
            self.desk.error(None, text);
            self.close(CloseReason::LoginRefused);
        }
    }

    /// The messages of that ticket are on disk: the RECEIPT leaves, if one is wanted.
    pub fn stored(&mut self, ticket: Ticket) {
        if let Some(receipt) = self.desk.pending.take(ticket) {
            self.desk.receipt(receipt.as_deref());
            self.leave_if_done();
        }
    }

    /// The messages of that ticket are not stored and will not be: the ERROR leaves.
    pub fn failed(&mut self, ticket: Ticket, text: &str) {
        if let Some(receipt) = self.desk.pending.take(ticket) {
            self.desk.error(receipt.as_deref(), text);
            self.leave_if_done();
        }
    }

    /// Messages and bytes that were given out to be stored and have no answer yet.
    #[must_use]
    pub fn unanswered(&self) -> (usize, usize) {
        self.desk.pending.load()
    }

    /// Bytes of the peer's that are held in memory: unanswered, or not whole yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.unanswered().1 + self.unfinished()
    }

    /// Bytes of memory that only the peer can set free; see [`crate::Broker::unfinished`].
    #[must_use]
    pub fn unfinished(&self) -> usize {
        let transactions = match &self.phase {
            Phase::Open(open) => open.held(),
            Phase::Login | Phase::Deciding { .. } | Phase::Leaving { .. } | Phase::Closed => 0,
        };
        transactions + self.inbox.held()
    }

    /// False while the socket is not to be read; see [`crate::Broker::wants_input`].
    #[must_use]
    pub fn wants_input(&self) -> bool {
        let (messages, bytes) = self.unanswered();
        let limits = &self.desk.settings.limits;
        let deciding = matches!(self.phase, Phase::Deciding { .. });
        messages < limits.unanswered_messages
            && bytes < limits.unanswered_bytes
            && !(deciding && self.inbox.len() >= MAX_WAITING)
    }

    /// The shell stopped or resumed reading: the peer's silence does not count meanwhile.
    pub fn set_reading(&mut self, now: Duration, reading: bool) {
        self.desk.now = now;
        self.desk.beat.set_reading(now, reading);
        self.desk.coming.set_reading(now, reading);
    }

    fn run_inbox(&mut self) {
        let mut inbox = std::mem::take(&mut self.inbox);
        let used = self.run(inbox.bytes());
        inbox.consume(used);
        self.inbox = inbox;
        self.desk.coming.came(self.desk.now, used > 0, !self.inbox.is_empty());
    }

    /// Works off whole frames; says how many bytes they were.
    fn run(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        loop {
            let limits = &self.desk.settings.limits;
            let limit = match self.phase {
                Phase::Login => limits.frame_before_login,
                Phase::Open(_) => limits.frame,
                Phase::Deciding { .. } => return bytes.len() - rest.len(),
                // whoever has said that it leaves says nothing more
                Phase::Leaving { .. } | Phase::Closed => return bytes.len(),
            };
            let (used, handled) = match self.cutter.cut(rest, limit) {
                Ok(Cut::More) => return bytes.len() - rest.len(),
                Ok(Cut::Blank(used)) => (used, Ok(())),
                Ok(Cut::Frame(frame, used)) => (used, self.handle_frame(frame)),
                Err(error) => (0, Err(CloseReason::Malformed(error))),
            };
            let receipt = match &handled {
                Err(CloseReason::Malformed(_)) => self.cutter.receipt(self.desk.version),
                _ => None,
            };
            rest = rest.get(used..).unwrap_or_default();
            match handled {
                Ok(()) => {}
                Err(why @ CloseReason::NoFrame(UNKNOWN_VERSION)) => {
                    self.desk.unknown_version();
                    self.close(why);
                }
                Err(why) => {
                    self.desk.error(receipt.as_deref(), &why.to_string());
                    self.close(why);
                }
            }
        }
    }

    fn handle_frame(&mut self, mut frame: Frame) -> Result<(), CloseReason> {
        let Phase::Open(open) = &mut self.phase else { return self.handle_login(&mut frame) };
        frame.read(self.desk.version.unwrap_or(Version::V1_0))?;
        if let Handled::Leave { receipt } = open.handle(frame, &mut self.desk)? {
            self.phase = Phase::Leaving { receipt };
            self.leave_if_done();
        }
        Ok(())
    }

    fn handle_login(&mut self, frame: &mut Frame) -> Result<(), CloseReason> {
        if !matches!(frame.command.as_str(), "CONNECT" | "STOMP") {
            return Err(CloseReason::NoFrame("the first frame is CONNECT or STOMP"));
        }
        let Some(version) = Version::agree(frame.raw("accept-version")) else {
            return Err(CloseReason::NoFrame(UNKNOWN_VERSION));
        };
        if version == Version::V1_0 {
            frame.read(version)?;
        }
        let text = |name: &str| frame.raw(name).map(str::to_owned);
        self.desk.events.push_back(BrokerEvent::Login {
            user: text("login"),
            password: text("passcode").map(Secret::new),
            client_id: text("client-id"),
            connection_id: self.session.clone(),
            reconnect: false,
        });
        self.phase = Phase::Deciding { version, beats: text("heart-beat") };
        Ok(())
    }

    /// After DISCONNECT: its receipt stands for all that came before it.
    fn leave_if_done(&mut self) {
        if self.desk.pending.load().0 > 0 {
            return;
        }
        if let Phase::Leaving { receipt } = &mut self.phase {
            let receipt = receipt.take();
            self.desk.receipt(receipt.as_deref());
            self.close(CloseReason::Goodbye);
        }
    }

    fn close(&mut self, why: CloseReason) {
        self.phase = Phase::Closed;
        self.desk.pending.clear();
        self.desk.events.push_back(BrokerEvent::Closed { why });
    }
}
