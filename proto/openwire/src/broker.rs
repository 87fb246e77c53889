//! The receiving end of one connection: greeting, login, sends, transactions, answers.
//!
//! Five verbs, no socket, no clock. It never answers a send by itself: a [`BrokerEvent::Store`]
//! goes to the shell, and the Response leaves when the shell says [`Broker::stored`], that is,
//! after the disk has it. Only the producer's side exists (`spec/rs.md` §1.5); everything else is
//! refused and the connection stays. On the call's way: stage 12, ingest.
//!
//! The contract of the verbs: mutate once (`handle_*`, `accept_login`, `stored` …), then drain
//! `poll_event` and `poll_transmit`, then ask `poll_timeout`.

use std::time::Duration;

use crate::body::Body;
use crate::command::{self, Command, Header, Secret};
use crate::frame::{self, Inbox, Skip};
use crate::limits::{Limits, MAX_GREETING, MAX_WAITING, MESSAGE_OVERHEAD};
use crate::link::{CloseReason, earliest};
use crate::map::{self, Map};
use crate::negotiation::Agreed;
use crate::refusal::{Class, Refusal};
use crate::ticket::Ticket;
use crate::wire::Malformed;

mod desk;
mod open;

use desk::Desk;
use open::Open;

/// The four ingest queues (`spec/rs.md` §1.3).
pub const QUEUES: [&str; 4] =
    ["ringmaster.cdr", "ringmaster.event", "ringmaster.or", "ringmaster.sq"];

/// What the receiving end is told at the start.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// Its name in BrokerInfo.
    pub name: String,
    /// Names of the queues that can be sent to.
    pub queues: Vec<String>,
    /// Its limits.
    pub limits: Limits,
}

impl BrokerSettings {
    /// The four ingest queues and the default limits.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let queues = QUEUES.iter().map(|queue| (*queue).to_owned()).collect();
        Self { name: name.to_owned(), queues, limits: Limits::default() }
    }
}

/// A message that is to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    /// The ingest queue that it was sent to.
    pub queue: String,
    /// JMSMessageID; the same on a replay.
    pub message_id: String,
    /// JMSCorrelationID.
    pub correlation_id: Option<String>,
    /// Property `recordId`.
    pub record_id: Option<String>,
    /// Delivery mode; stored either way.
    pub persistent: bool,
    /// JMSTimestamp, ms since 1970; 0 when not given.
    pub timestamp: i64,
    /// Properties in the order of the wire.
    pub properties: Map,
    /// What it holds.
    pub body: Body,
}

impl Inbound {
    /// Bytes of memory that it takes, its body as it is now: a compressed one is not inflated here.
    pub(crate) fn weight(&self) -> usize {
        let ids = [&self.correlation_id, &self.record_id].into_iter().flatten();
        let texts = ids.chain([&self.queue, &self.message_id]).map(String::len);
        let properties = map::weight(&self.properties);
        MESSAGE_OVERHEAD + texts.sum::<usize>() + properties + self.body.len()
    }
}

/// What happened that the shell acts on.
#[derive(Debug, Clone, PartialEq)]
pub enum BrokerEvent {
    /// Answer with [`Broker::accept_login`] or [`Broker::refuse_login`]; input waits meanwhile.
    Login {
        /// The user's name.
        user: Option<String>,
        /// The password.
        password: Option<Secret>,
        /// JMS client id: one connection at a time may have it.
        client_id: Option<String>,
        /// The same over the reconnects of one client: the newcomer wins.
        connection_id: String,
        /// The client says that it comes back.
        reconnect: bool,
    },
    /// One send (one message) or one committed transaction: to be stored whole or not at all,
    /// then [`Broker::stored`] or [`Broker::failed`].
    Store {
        /// Names the answer that waits.
        ticket: Ticket,
        /// At least one.
        messages: Vec<Inbound>,
    },
    /// Something to count or log.
    Note(Note),
    /// The last event. What [`Broker::poll_transmit`] still gives is to be written, then the
    /// socket closed.
    Closed {
        /// Why.
        why: CloseReason,
    },
}

/// Facts for counters and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A persistent send outside a transaction that wants no answer: a crash of the client's side
    /// can lose it unnoticed.
    UnconfirmedSend,
    /// A request was refused.
    Refused(Refusal),
    /// A transaction was rolled back by its age, with that many messages.
    Expired(usize),
    /// The properties of a message cannot be read: it goes on without them.
    PropertiesLost(Malformed),
}

/// The receiving end of one connection.
#[derive(Debug)]
pub struct Broker {
    desk: Desk,
    phase: Phase,
    /// A frame above the limit, of which more is to come.
    skip: Option<Skip>,
    started: Duration,
}

#[derive(Debug)]
enum Phase {
    /// The peer's WireFormatInfo is awaited.
    Greeting,
    /// ConnectionInfo is awaited.
    Login,
    /// The shell decides; what follows waits in the inbox.
    Deciding { header: Header, connection: String },
    /// Logged in.
    Open(Box<Open>),
    /// Over.
    Closed,
}

impl Broker {
    /// A connection that was just accepted (and whose first bytes say OpenWire).
    #[must_use]
    pub fn new(settings: BrokerSettings, now: Duration) -> Self {
        let desk = Desk::new(settings, now);
        Self { desk, phase: Phase::Greeting, skip: None, started: now }
    }

    /// Bytes from the socket, in any chunks. Ignored after the end.
    pub fn handle_input(&mut self, now: Duration, bytes: &[u8]) {
        self.desk.link.heard(now);
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        if self.desk.link.inbox.is_empty() {
            let used = self.run(bytes);
            self.desk.link.inbox.push(&bytes[used..]);
            self.desk.link.came(used > 0);
        } else {
            self.desk.link.inbox.push(bytes);
            self.run_inbox();
        }
    }

    /// The moment that [`Broker::poll_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.desk.link.now = now;
        match &mut self.phase {
            Phase::Closed => return,
            Phase::Greeting | Phase::Login => {
                let limit = self.desk.settings.limits.login;
                if now >= self.started + limit {
                    return self.close(CloseReason::NoLogin(limit));
                }
            }
            Phase::Deciding { .. } => {}
            Phase::Open(open) => open.expire(now, &mut self.desk),
        }
        match self.desk.link.handle_timeout(now) {
            Ok(()) => {}
            Err(why @ CloseReason::SlowFrame(_)) => self.give_up(why),
            Err(why) => self.close(why),
        }
    }

    /// Ends the connection for a reason that the peer is told: what is not whole is dropped.
    pub fn give_up(&mut self, why: CloseReason) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        let header = Header { id: 0, respond: false };
        let class = match why {
            CloseReason::Disconnected => Class::Jms,
            _ => Class::ResourceAllocation,
        };
        self.desk.except(header, class, &why.to_string());
        self.desk.link.inbox = Inbox::default();
        self.close(why);
    }

    /// Appends what is to be written; false when there is nothing.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.desk.link.transmit(out)
    }

    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<BrokerEvent> {
        self.desk.events.pop_front()
    }

    /// When [`Broker::handle_timeout`] is to be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let own = match &self.phase {
            Phase::Closed => return None,
            Phase::Greeting | Phase::Login => Some(self.started + self.desk.settings.limits.login),
            Phase::Deciding { .. } => None,
            Phase::Open(open) => open.deadline(self.desk.settings.limits.transaction_age),
        };
        earliest(own, self.desk.link.deadline())
    }

    /// The login is good; goes on with what came behind it.
    pub fn accept_login(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Deciding { header, connection } => {
                self.desk.answer_if_wanted(header);
                self.phase = Phase::Open(Box::new(Open::new(connection)));
                self.run_inbox();
            }
            other => self.phase = other,
        }
    }

    /// The login is not good: the exception leaves and the connection is over.
    pub fn refuse_login(&mut self, class: Class, text: &str) {
        if let Phase::Deciding { header, .. } = self.phase {
            self.desk.except(header, class, text);
            self.close(CloseReason::LoginRefused);
        }
    }

    /// The messages of that ticket are on disk: the Response or ProducerAck leaves.
    pub fn stored(&mut self, ticket: Ticket) {
        self.desk.stored(ticket);
        self.go_on();
    }

    /// The messages of that ticket are not stored and will not be: the exception leaves.
    pub fn failed(&mut self, ticket: Ticket, class: Class, text: &str) {
        self.desk.failed(ticket, class, text);
        self.go_on();
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

    /// Bytes of memory that only the peer can set free: in open transactions, or waiting for the
    /// rest of their frame.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        let transactions = match &self.phase {
            Phase::Open(open) => open.held(),
            Phase::Greeting | Phase::Login | Phase::Deciding { .. } | Phase::Closed => 0,
        };
        let skipped = self.skip.as_ref().map_or(0, Skip::held);
        transactions + skipped + self.desk.link.inbox.held()
    }

    /// False while the socket is not to be read: too much is unanswered, or a login is being
    /// decided and enough waits behind it. Tell [`Broker::set_reading`] about the change.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        let deciding = matches!(self.phase, Phase::Deciding { .. });
        let waits = deciding && self.desk.link.inbox.len() >= MAX_WAITING;
        !self.is_full() && !waits
    }

    /// As much is unanswered as may be; what came behind it waits as it came.
    fn is_full(&self) -> bool {
        let (messages, bytes) = self.unanswered();
        let limits = &self.desk.settings.limits;
        messages >= limits.unanswered_messages || bytes >= limits.unanswered_bytes
    }

    /// Something was answered: there may be room for what waits.
    fn go_on(&mut self) {
        if matches!(self.phase, Phase::Open(_)) && !self.desk.link.inbox.is_empty() {
            self.run_inbox();
        }
    }

    /// The shell stopped or resumed reading: the peer's silence does not count meanwhile.
    pub fn set_reading(&mut self, now: Duration, reading: bool) {
        self.desk.link.set_reading(now, reading);
    }

    /// What was agreed, once the peer has greeted.
    #[must_use]
    pub fn agreed(&self) -> Option<&Agreed> {
        self.desk.link.agreed()
    }

    fn run_inbox(&mut self) {
        let mut inbox = std::mem::take(&mut self.desk.link.inbox);
        let used = self.run(inbox.bytes());
        inbox.consume(used);
        self.desk.link.inbox = inbox;
        self.desk.link.came(used > 0);
    }

    /// Works off whole frames; says how many bytes they were.
    fn run(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        loop {
            if let Some(skip) = &mut self.skip {
                rest = skip.take(rest);
                if !skip.is_over() {
                    return bytes.len();
                }
                self.handle_skipped();
            }
            let limit = match self.phase {
                Phase::Greeting => MAX_GREETING,
                Phase::Login => self.desk.settings.limits.frame_before_login,
                Phase::Open(_) if self.is_full() => return bytes.len() - rest.len(),
                Phase::Open(_) => self.desk.settings.limits.frame,
                Phase::Deciding { .. } => return bytes.len() - rest.len(),
                Phase::Closed => return bytes.len(),
            };
            match frame::split(rest, limit) {
                Ok(None) => return bytes.len() - rest.len(),
                Ok(Some((frame, behind))) => {
                    rest = behind;
                    if let Err(why) = self.handle_frame(frame) {
                        self.close(why);
                    }
                }
                Err(error) => match Skip::begin(rest, limit) {
                    Some((skip, behind)) if matches!(self.phase, Phase::Open(_)) => {
                        rest = behind;
                        self.skip = Some(skip);
                    }
                    _ => self.close(error.into()),
                },
            }
        }
    }

    /// A frame above the limit has come to its end. A message is stored with its head, so that
    /// whoever waits for the answer gets one; anything else is refused.
    fn handle_skipped(&mut self) {
        let (Some(skip), Phase::Open(open)) = (self.skip.take(), &mut self.phase) else { return };
        let (head, size) = (skip.head(), skip.size());
        let error = Malformed { what: "a frame above the limit", at: 0 };
        match command::decode_cut(head, self.desk.link.version()) {
            Some((header, message)) => {
                open.handle_message(header, &message, Some(size), &mut self.desk);
            }
            None => {
                if let Err(why) = self.handle_unreadable(head, error) {
                    self.close(why);
                }
            }
        }
    }

    /// A frame whose end is known and whose content is not: its command is refused, so that nobody
    /// sends it again for ever.
    fn handle_unreadable(&mut self, frame: &[u8], error: Malformed) -> Result<(), CloseReason> {
        match (&mut self.phase, command::header(frame)) {
            (Phase::Open(open), Some((kind, header))) => {
                open.refuse_unreadable(kind, header, error, &mut self.desk);
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    fn handle_frame(&mut self, frame: &[u8]) -> Result<(), CloseReason> {
        if matches!(self.phase, Phase::Greeting) {
            self.desk.link.greet(frame)?;
            self.desk.introduce();
            self.phase = Phase::Login;
            return Ok(());
        }
        let (header, command) = match command::decode(frame, self.desk.link.version()) {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(()),
            Err(error) => return self.handle_unreadable(frame, error),
        };
        match command {
            Command::KeepAliveInfo => {
                if header.respond {
                    self.desk.link.say(&Command::KeepAliveInfo);
                }
                Ok(())
            }
            Command::ShutdownInfo => Err(CloseReason::Goodbye),
            command => match &mut self.phase {
                Phase::Open(open) => {
                    open.handle(header, command, &mut self.desk);
                    Ok(())
                }
                _ => self.handle_login(header, command),
            },
        }
    }

    fn handle_login(&mut self, header: Header, command: Command<'_>) -> Result<(), CloseReason> {
        match command {
            Command::ConnectionInfo(info) => {
                self.phase = Phase::Deciding { header, connection: info.connection.0.clone() };
                self.desk.events.push_back(BrokerEvent::Login {
                    user: info.user,
                    password: info.password,
                    client_id: info.client_id,
                    connection_id: info.connection.0,
                    reconnect: info.failover_reconnect,
                });
                Ok(())
            }
            Command::ConnectionControl { .. } => {
                self.desk.answer_if_wanted(header);
                Ok(())
            }
            _ => Err(CloseReason::Unexpected),
        }
    }

    fn close(&mut self, why: CloseReason) {
        self.phase = Phase::Closed;
        self.skip = None;
        self.desk.pending.clear();
        self.desk.events.push_back(BrokerEvent::Closed { why });
    }
}
