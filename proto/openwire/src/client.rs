//! The sending end of one connection: RM's publisher towards RS, ActiveMQ Classic or Artemis.
//!
//! Five verbs, no socket, no clock; one value per TCP connection. The caller keeps what it sent
//! until [`ClientEvent::Acknowledged`], and after a loss makes a new value with the same
//! `connection_id`, `attempt` + 1, and sends it again with the same sequences: brokers that
//! de-duplicate need both, and the record ids absorb the rest. On the call's way: stage 11, queue.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use crate::body::{MessageKind, write_text};
use crate::command::{self, Command, ConnectionInfo, Exception, Header, Secret, Step};
use crate::failover::Referral;
use crate::frame;
use crate::id::{ConnectionId, Destination, MessageId, ProducerId, SessionId, TransactionId};
use crate::limits::{Limits, MAX_IN_FLIGHT};
use crate::link::{CloseReason, Link, earliest};
use crate::map::{self, Value};
use crate::message::Message;
use crate::negotiation::{Agreed, Greeting};
use crate::wire::Writer;

/// The session: one is enough.
const SESSION: i64 = 1;

/// What the sending end is told at the start.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// JMS client id; brokers let one connection have it. Without one it is the connection's id,
    /// for ActiveMQ lets nobody in who has none.
    pub client_id: Option<String>,
    /// `ID:host-port-time-n:m`: one for the whole run of the process, the same on reconnects.
    pub connection_id: String,
    /// The user, where the broker wants one.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// 0 for the first connection of this run, then counted up.
    pub attempt: u32,
    /// Frame size, login time and inactivity are used.
    pub limits: Limits,
}

/// A record to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Outbound<'a> {
    /// The record's id: correlation id, property `recordId`, and Artemis' duplicate id.
    pub record_id: &'a str,
    /// Property `recordKind`.
    pub kind: &'a str,
    /// Property `recordSchema`.
    pub schema: u32,
    /// JSON in UTF-8; sent as a text message.
    pub body: &'a [u8],
    /// producerSequenceId: grows for each queue, and is the same when the record is sent again. A
    /// broker that has stored a higher one drops this record, and says that it has it.
    pub sequence: u64,
}

/// What happened at the sending end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// Logged in: [`Client::send`] and [`Client::send_transaction`] work from now on.
    Ready,
    /// The broker has it on disk.
    Acknowledged {
        /// As given to the send.
        tag: u64,
    },
    /// The broker refused a send or a commit, or (without tag) the login or something
    /// unconfirmed.
    Refused {
        /// As given to the send.
        tag: Option<u64>,
        /// Java name of the exception.
        class: String,
        /// Its text.
        text: String,
    },
    /// The broker tells of others ([`crate::Failover::referred`] knows what to do).
    Referred(Referral),
    /// The last event; what is unacknowledged has to be sent again on another connection.
    Closed {
        /// Why.
        why: CloseReason,
    },
}

/// Why a send did not even start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not logged in yet, or closed.
    #[error("not logged in")]
    NotReady,
    /// [`MAX_IN_FLIGHT`] requests wait for answers.
    #[error("too many unanswered sends")]
    Full,
    /// The peer does not take frames of this size.
    #[error("a message above the broker's limit")]
    TooLarge,
}

/// The sending end of one connection.
#[derive(Debug)]
pub struct Client {
    settings: ClientSettings,
    link: Link,
    phase: Phase,
    events: VecDeque<ClientEvent>,
    in_flight: VecDeque<InFlight>,
    last_command: i32,
    last_transaction: u32,
    /// Queues whose producer the broker has been told of.
    producers: Vec<String>,
    started: Duration,
    properties: Vec<u8>,
    content: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The peer's WireFormatInfo is awaited.
    Greeting,
    /// The answer to ConnectionInfo is awaited.
    Login(i32),
    Ready,
    Closed,
}

#[derive(Debug, Clone, Copy)]
struct InFlight {
    command: i32,
    tag: u64,
}

impl Client {
    /// A connection that was just made.
    #[must_use]
    pub fn new(settings: ClientSettings, now: Duration) -> Self {
        let ours = Greeting::ours(settings.limits.frame, settings.limits.inactivity);
        Self {
            settings,
            link: Link::new(ours, now),
            phase: Phase::Greeting,
            events: VecDeque::new(),
            in_flight: VecDeque::new(),
            last_command: 0,
            last_transaction: 0,
            producers: Vec::new(),
            started: now,
            properties: Vec::new(),
            content: Vec::new(),
        }
    }

    /// Bytes from the socket, in any chunks. Ignored after the end.
    pub fn handle_input(&mut self, now: Duration, bytes: &[u8]) {
        self.link.heard(now);
        if self.phase == Phase::Closed {
            return;
        }
        self.link.inbox.push(bytes);
        let mut inbox = std::mem::take(&mut self.link.inbox);
        let used = self.run(inbox.bytes());
        inbox.consume(used);
        self.link.inbox = inbox;
    }

    /// The moment that [`Client::poll_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.link.now = now;
        if self.phase == Phase::Closed {
            return;
        }
        let limit = self.settings.limits.login;
        if self.phase != Phase::Ready && now >= self.started + limit {
            self.close(CloseReason::NoLogin(limit));
        } else if let Err(why) = self.link.handle_timeout(now) {
            self.close(why);
        }
    }

    /// Appends what is to be written; false when there is nothing.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.link.transmit(out)
    }

    /// The next event, in order.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// When [`Client::handle_timeout`] is to be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let login = (self.phase != Phase::Ready).then(|| self.started + self.settings.limits.login);
        match self.phase {
            Phase::Closed => None,
            _ => earliest(login, self.link.deadline()),
        }
    }

    /// One persistent send; [`ClientEvent::Acknowledged`] with the tag follows.
    ///
    /// # Errors
    /// Nothing was sent.
    pub fn send(&mut self, queue: &str, tag: u64, message: &Outbound<'_>) -> Result<(), SendError> {
        self.check_ready()?;
        self.announce(queue);
        let mark = self.link.mark();
        let command = self.write_message(queue, message, None, true);
        self.check_size(mark)?;
        self.in_flight.push_back(InFlight { command, tag });
        Ok(())
    }

    /// One local transaction; [`ClientEvent::Acknowledged`] with the tag follows when the commit
    /// is answered. No messages: nothing happens but the answer.
    ///
    /// # Errors
    /// Nothing was sent.
    pub fn send_transaction(
        &mut self,
        queue: &str,
        tag: u64,
        messages: &[Outbound<'_>],
    ) -> Result<(), SendError> {
        self.check_ready()?;
        self.announce(queue);
        let start = self.link.mark();
        self.last_transaction = self.last_transaction.wrapping_add(1);
        // Unique over the reconnects of one connection id.
        let value = (i64::from(self.settings.attempt) << 32) | i64::from(self.last_transaction);
        let connection = self.settings.connection_id.clone();
        let transaction = TransactionId::Local { connection, value };
        self.step(&transaction, Step::Begin, false);
        for message in messages {
            let mark = self.link.mark();
            self.write_message(queue, message, Some(&transaction), false);
            if let Err(error) = self.check_size(mark) {
                self.link.take_back(start);
                return Err(error);
            }
        }
        let command = self.step(&transaction, Step::Commit, true);
        self.in_flight.push_back(InFlight { command, tag });
        Ok(())
    }

    /// Sends and commits without an answer.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Says goodbye; what is written afterwards is the last. The caller then closes the socket.
    pub fn shutdown(&mut self) {
        if self.phase != Phase::Closed && self.link.agreed().is_some() {
            self.command(&Command::ShutdownInfo, false);
            self.close(CloseReason::Goodbye);
        }
    }

    /// What was agreed, once the peer has greeted.
    #[must_use]
    pub fn agreed(&self) -> Option<&Agreed> {
        self.link.agreed()
    }

    fn check_ready(&self) -> Result<(), SendError> {
        match self.phase {
            Phase::Ready if self.in_flight.len() >= MAX_IN_FLIGHT => Err(SendError::Full),
            Phase::Ready => Ok(()),
            _ => Err(SendError::NotReady),
        }
    }

    /// A producer for each queue, before its first message.
    fn announce(&mut self, queue: &str) {
        if self.producers.iter().any(|known| known == queue) {
            return;
        }
        self.producers.push(queue.to_owned());
        let id = self.producer(queue);
        self.command(&Command::ProducerInfo { id, destination: None, window: 0 }, false);
    }

    /// Takes back what was written since the mark if the peer would not take it.
    fn check_size(&mut self, mark: usize) -> Result<(), SendError> {
        let limit = self.link.agreed().map_or(u64::MAX, |agreed| agreed.peer_max_frame);
        let size = self.link.mark() - mark;
        if u64::try_from(size).is_ok_and(|size| size <= limit) {
            return Ok(());
        }
        self.link.take_back(mark);
        Err(SendError::TooLarge)
    }

    fn command(&mut self, command: &Command<'_>, respond: bool) -> i32 {
        self.last_command = self.last_command.wrapping_add(1);
        self.link.send(Header { id: self.last_command, respond }, command);
        self.last_command
    }

    fn step(&mut self, transaction: &TransactionId, step: Step, respond: bool) -> i32 {
        let connection = ConnectionId(self.settings.connection_id.clone());
        let transaction = Some(transaction.clone());
        self.command(&Command::TransactionInfo { connection, transaction, step }, respond)
    }

    fn write_message(
        &mut self,
        queue: &str,
        message: &Outbound<'_>,
        transaction: Option<&TransactionId>,
        respond: bool,
    ) -> i32 {
        let mut properties = std::mem::take(&mut self.properties);
        let mut content = std::mem::take(&mut self.content);
        properties.clear();
        content.clear();
        map::write(
            &[
                ("recordId", Value::Text(message.record_id.to_owned())),
                ("recordKind", Value::Text(message.kind.to_owned())),
                ("recordSchema", Value::Int(i32::try_from(message.schema).unwrap_or(i32::MAX))),
                ("_AMQ_DUPL_ID", Value::Text(message.record_id.to_owned())),
            ],
            &mut Writer::new(&mut properties, 1),
        );
        // A record is text; to see that is several times faster than to look for what is none.
        let body = std::str::from_utf8(message.body).map(Cow::Borrowed);
        let body = body.unwrap_or_else(|_| String::from_utf8_lossy(message.body));
        write_text(&body, &mut content);
        let producer = self.producer(queue);
        let wire = Message {
            kind: MessageKind::Text,
            producer: Some(producer.clone()),
            destination: Some(Destination::queue(queue)),
            transaction: transaction.cloned(),
            id: MessageId {
                text_view: None,
                producer,
                sequence: i64::try_from(message.sequence).unwrap_or(i64::MAX),
                broker_sequence: 0,
            },
            correlation_id: Some(message.record_id.to_owned()),
            persistent: true,
            priority: 4,
            timestamp: 0,
            content: Some(&content),
            properties: Some(&properties),
            compressed: false,
        };
        let command = self.command(&Command::Message(Box::new(wire)), respond);
        self.properties = properties;
        self.content = content;
        command
    }

    /// Its number is made of the queue's name: the same on the next connection, whatever is sent
    /// there first (FNV-1a).
    fn producer(&self, queue: &str) -> ProducerId {
        let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let value = i64::from(queue.bytes().fold(0x811c_9dc5, mix));
        let connection = self.settings.connection_id.clone();
        ProducerId { connection, session: SESSION, value }
    }

    fn run(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while self.phase != Phase::Closed {
            match frame::split(rest, self.settings.limits.frame) {
                Ok(None) => return bytes.len() - rest.len(),
                Ok(Some((frame, behind))) => {
                    rest = behind;
                    if let Err(why) = self.handle_frame(frame) {
                        self.close(why);
                    }
                }
                Err(error) => self.close(error.into()),
            }
        }
        bytes.len()
    }

    fn handle_frame(&mut self, frame: &[u8]) -> Result<(), CloseReason> {
        if self.phase == Phase::Greeting {
            self.link.greet(frame)?;
            self.login();
            return Ok(());
        }
        let Some((header, command)) = command::decode(frame, self.link.version())? else {
            return Ok(());
        };
        match command {
            Command::KeepAliveInfo if header.respond => self.link.say(&Command::KeepAliveInfo),
            Command::Response { correlation } => self.handle_response(correlation),
            Command::ExceptionResponse { correlation, exception } => {
                return self.handle_exception(correlation, exception);
            }
            Command::ConnectionError(exception) => self.refused(None, exception),
            Command::ShutdownInfo => return Err(CloseReason::Goodbye),
            Command::ConnectionControl { close, referral, .. } => {
                if referral != Referral::default() {
                    self.events.push_back(ClientEvent::Referred(referral));
                }
                if close {
                    return Err(CloseReason::Goodbye);
                }
            }
            // Whatever else a broker says of itself asks nothing of a producer.
            _ => {}
        }
        Ok(())
    }

    fn login(&mut self) {
        let fault_tolerant = true; // Artemis de-duplicates only for such clients
        let failover_reconnect = self.settings.attempt > 0;
        if failover_reconnect {
            let referral = Referral::default();
            let control = Command::ConnectionControl { close: false, fault_tolerant, referral };
            self.command(&control, false);
        }
        let connection = self.settings.connection_id.clone();
        let client_id = self.settings.client_id.clone().or_else(|| Some(connection.clone()));
        let info = ConnectionInfo {
            connection: ConnectionId(connection),
            client_id,
            password: self.settings.password.clone(),
            user: self.settings.user.clone(),
            fault_tolerant,
            failover_reconnect,
        };
        self.phase = Phase::Login(self.command(&Command::ConnectionInfo(info), true));
    }

    fn handle_response(&mut self, correlation: i32) {
        match self.phase {
            Phase::Login(command) if command == correlation => {
                let connection = self.settings.connection_id.clone();
                let session = SessionId { connection, value: SESSION };
                self.command(&Command::SessionInfo(session), false);
                self.phase = Phase::Ready;
                self.events.push_back(ClientEvent::Ready);
            }
            _ => {
                if let Some(tag) = self.land(correlation) {
                    self.events.push_back(ClientEvent::Acknowledged { tag });
                }
            }
        }
    }

    fn handle_exception(
        &mut self,
        correlation: i32,
        exception: Option<Exception>,
    ) -> Result<(), CloseReason> {
        match self.phase {
            Phase::Login(command) if command == correlation => {
                self.refused(None, exception);
                Err(CloseReason::LoginRefused)
            }
            _ => {
                let tag = self.land(correlation);
                self.refused(tag, exception);
                Ok(())
            }
        }
    }

    fn refused(&mut self, tag: Option<u64>, exception: Option<Exception>) {
        let (class, text) =
            exception.map_or_else(Default::default, |exception| (exception.class, exception.text));
        self.events.push_back(ClientEvent::Refused { tag, class, text });
    }

    /// Answers mostly come in order.
    fn land(&mut self, correlation: i32) -> Option<u64> {
        let at = self.in_flight.iter().position(|waiting| waiting.command == correlation)?;
        self.in_flight.remove(at).map(|landed| landed.tag)
    }

    fn close(&mut self, why: CloseReason) {
        self.phase = Phase::Closed;
        self.events.push_back(ClientEvent::Closed { why });
    }
}
