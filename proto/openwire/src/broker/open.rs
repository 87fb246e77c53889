//! A connection after its login: every command of the producer's side.
//!
//! Obeys the response flag, never the command's type. Any number of requests may be unanswered;
//! the order among answers is free. A replay comes with its old number and is answered by it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::desk::{Answer, Desk};
use super::{BrokerEvent, Inbound, Note};
use crate::body::{Body, MessageKind};
use crate::command::{Command, Header, Step};
use crate::id::TransactionId;
use crate::id::{ConsumerId, Destination, DestinationKind, ObjectId, ProducerId, SessionId};
use crate::limits::MESSAGE_OVERHEAD;
use crate::map::{self, Map, Value};
use crate::message::Message;
use crate::refusal::Refusal;
use crate::transaction::{Committed, Transactions};
use crate::wire::{Malformed, Reader, kind};

#[derive(Debug)]
pub(super) struct Open {
    connection: String,
    sessions: BTreeSet<SessionId>,
    /// Each with its window.
    producers: BTreeMap<ProducerId, i32>,
    advisories: BTreeSet<ConsumerId>,
    transactions: Transactions<TransactionId>,
}

impl Open {
    pub(super) fn new(connection: String) -> Self {
        Self {
            connection,
            sessions: BTreeSet::new(),
            producers: BTreeMap::new(),
            advisories: BTreeSet::new(),
            transactions: Transactions::default(),
        }
    }

    pub(super) fn deadline(&self, age: Duration) -> Option<Duration> {
        self.transactions.deadline(age)
    }

    pub(super) fn held(&self) -> usize {
        self.transactions.held()
    }

    pub(super) fn expire(&mut self, now: Duration, desk: &mut Desk) {
        for messages in self.transactions.expire(now, desk.settings.limits.transaction_age) {
            desk.events.push_back(BrokerEvent::Note(Note::Expired(messages)));
        }
    }

    pub(super) fn handle(&mut self, header: Header, command: Command<'_>, desk: &mut Desk) {
        let handled = match command {
            Command::Message(message) => {
                return self.handle_message(header, &message, None, desk);
            }
            Command::TransactionInfo { transaction, step, .. } => {
                return self.handle_step(header, transaction, step, desk);
            }
            Command::ConnectionInfo(info) if info.connection.0 == self.connection => Ok(()),
            Command::ConnectionInfo(_) => Err(Refusal::SecondLogin),
            Command::SessionInfo(id) => self.open_session(id, desk),
            Command::ProducerInfo { id, destination, window } => {
                self.open_producer(id, destination, window, desk)
            }
            Command::ConsumerInfo { id, destination } => self.subscribe(id, destination, desk),
            Command::DestinationInfo { destination } => declare(destination, desk),
            Command::RemoveInfo(id) => {
                self.remove(&id);
                Ok(())
            }
            Command::Other(kind) => other(kind),
            Command::BrokerInfo { .. }
            | Command::ConnectionControl { .. }
            | Command::ConnectionError(_)
            | Command::ProducerAck { .. }
            | Command::Response { .. }
            | Command::ExceptionResponse { .. }
            | Command::KeepAliveInfo
            | Command::ShutdownInfo => Ok(()),
        };
        match handled {
            Ok(()) => desk.answer_if_wanted(header),
            Err(refusal) => desk.refuse(header, refusal),
        }
    }

    /// Refuses a command that cannot be read. If it was a message for whose answer nobody waits,
    /// no transaction that is open can be shown to be whole any more.
    pub(super) fn refuse_unreadable(
        &mut self,
        kind: u8,
        header: Header,
        error: Malformed,
        desk: &mut Desk,
    ) {
        let refusal = Refusal::Unreadable(error);
        if MessageKind::from_type(kind).is_some() && !header.respond {
            self.transactions.refuse_all(&refusal.to_string());
        }
        desk.refuse(header, refusal);
    }

    fn open_session(&mut self, id: SessionId, desk: &Desk) -> Result<(), Refusal> {
        let limit = desk.settings.limits.sessions;
        if self.sessions.len() >= limit && !self.sessions.contains(&id) {
            return Err(Refusal::TooMany("sessions", limit));
        }
        self.sessions.insert(id);
        Ok(())
    }

    fn open_producer(
        &mut self,
        id: ProducerId,
        destination: Option<Destination>,
        window: i32,
        desk: &Desk,
    ) -> Result<(), Refusal> {
        let limit = desk.settings.limits.producers;
        if destination.as_ref().is_some_and(|destination| !is_ingest(destination, desk)) {
            return Err(Refusal::Destination(destination));
        }
        if self.producers.len() >= limit && !self.producers.contains_key(&id) {
            return Err(Refusal::TooMany("producers", limit));
        }
        self.producers.insert(id, window);
        Ok(())
    }

    fn subscribe(
        &mut self,
        id: ConsumerId,
        destination: Option<Destination>,
        desk: &Desk,
    ) -> Result<(), Refusal> {
        let limit = desk.settings.limits.advisories;
        if !destination.as_ref().is_some_and(Destination::is_advisory) {
            return Err(Refusal::Consumer(destination));
        }
        if self.advisories.len() >= limit && !self.advisories.contains(&id) {
            return Err(Refusal::TooMany("advisory subscriptions", limit));
        }
        self.advisories.insert(id);
        Ok(())
    }

    fn remove(&mut self, id: &ObjectId) {
        match id {
            ObjectId::Connection(_) => {
                self.sessions.clear();
                self.producers.clear();
                self.advisories.clear();
                self.transactions.clear();
            }
            ObjectId::Session(id) => {
                self.sessions.remove(id);
                self.producers.retain(|producer, _| producer.session != id.value);
                self.advisories.retain(|consumer| consumer.session != id.value);
            }
            ObjectId::Producer(id) => {
                self.producers.remove(id);
            }
            ObjectId::Consumer(id) => {
                self.advisories.remove(id);
            }
        }
    }

    /// `cut`: the bytes that its frame announced, when only its head is here.
    pub(super) fn handle_message(
        &mut self,
        header: Header,
        message: &Message<'_>,
        cut: Option<usize>,
        desk: &mut Desk,
    ) {
        let refused = match &message.destination {
            Some(destination) if is_ingest(destination, desk) => None,
            other => Some(Refusal::Destination(other.clone())),
        };
        let window = self.window(header, message, cut);
        let Some(transaction) = &message.transaction else {
            if let Some(refusal) = refused {
                return desk.refuse(header, refusal);
            }
            if message.persistent && !header.respond {
                desk.events.push_back(BrokerEvent::Note(Note::UnconfirmedSend));
            }
            let inbound = inbound(message, cut.is_some(), desk);
            let bytes = inbound.weight();
            return desk.store(vec![inbound], bytes, Answer { header, window });
        };
        if *transaction == TransactionId::Xa {
            return desk.refuse(header, Refusal::Xa);
        }
        if !self.transactions.contains(transaction) {
            return desk.refuse(header, Refusal::UnknownTransaction);
        }
        if let Some(refusal) = refused {
            self.transactions.refuse(transaction, &refusal.to_string());
            desk.events.push_back(BrokerEvent::Note(Note::Refused(refusal)));
        } else {
            let inbound = inbound(message, cut.is_some(), desk);
            self.transactions.add(transaction, inbound, &desk.settings.limits);
        }
        // Inside a transaction an answer promises nothing: the commit's does. The window opens at
        // once, for a transaction may be larger than it.
        desk.answer_if_wanted(header);
        if let Some((producer, size)) = window {
            desk.link.say(&Command::ProducerAck { producer, size });
        }
    }

    /// What its ProducerAck will free: only a send without Response counts in the window.
    fn window(
        &self,
        header: Header,
        message: &Message<'_>,
        cut: Option<usize>,
    ) -> Option<(ProducerId, i32)> {
        let producer = message.producer.as_ref().filter(|_| !header.respond)?;
        let window = self.producers.get(producer).filter(|window| **window > 0)?;
        let size = i32::try_from(window_size(message, cut)).unwrap_or(*window);
        Some((producer.clone(), size))
    }

    fn handle_step(
        &mut self,
        header: Header,
        transaction: Option<TransactionId>,
        step: Step,
        desk: &mut Desk,
    ) {
        let id = match transaction {
            Some(id @ TransactionId::Local { .. }) => id,
            Some(TransactionId::Xa) | None => return desk.refuse(header, Refusal::Xa),
        };
        match step {
            Step::Begin => {
                let limits = desk.settings.limits;
                if self.transactions.begin(id, desk.link.now, &limits) {
                    desk.answer_if_wanted(header);
                } else {
                    let limit = limits.transactions;
                    desk.refuse(header, Refusal::TooMany("open transactions", limit));
                }
            }
            Step::Commit => match self.transactions.commit(&id) {
                Committed::Messages(messages, _) if messages.is_empty() => {
                    desk.answer_if_wanted(header);
                }
                Committed::Messages(messages, bytes) => {
                    desk.store(messages, bytes, Answer { header, window: None });
                }
                Committed::Refused(why) => {
                    desk.refuse(header, Refusal::TransactionRefused(why));
                }
                Committed::Unknown => desk.refuse(header, Refusal::UnknownTransaction),
            },
            // Of an unknown transaction nothing is here: that is what a rollback wants.
            Step::Rollback => {
                self.transactions.commit(&id);
                desk.answer_if_wanted(header);
            }
            Step::Distributed(_) => desk.refuse(header, Refusal::Xa),
        }
    }
}

fn is_ingest(destination: &Destination, desk: &Desk) -> bool {
    destination.kind == DestinationKind::Queue && desk.settings.queues.contains(&destination.name)
}

/// Declaring an ingest queue changes nothing; anything else cannot be made or removed.
fn declare(destination: Option<Destination>, desk: &Desk) -> Result<(), Refusal> {
    match destination {
        Some(destination) if is_ingest(&destination, desk) => Ok(()),
        other => Err(Refusal::Destination(other)),
    }
}

/// Commands of the consumer's side: what follows a refused consumer is ignored; what would be a
/// request of its own is refused.
fn other(kind: u8) -> Result<(), Refusal> {
    match kind {
        kind::MESSAGE_ACK
        | kind::MESSAGE_PULL
        | kind::CONSUMER_CONTROL
        | kind::CONTROL_COMMAND
        | kind::FLUSH_COMMAND => Ok(()),
        kind::REMOVE_SUBSCRIPTION_INFO => Err(Refusal::Subscription),
        other => Err(Refusal::UnknownCommand(other)),
    }
}

fn inbound(message: &Message<'_>, is_cut: bool, desk: &mut Desk) -> Inbound {
    let properties = message.properties.map(|bytes| map::read(&mut Reader::new(bytes, 1)));
    let properties = properties.unwrap_or_else(|| Ok(Map::new())).unwrap_or_else(|error| {
        desk.events.push_back(BrokerEvent::Note(Note::PropertiesLost(error)));
        Map::new()
    });
    let queue = message.destination.as_ref().map(|queue| queue.name.clone());
    let (kind, content) = (message.kind, message.content);
    Inbound {
        queue: queue.unwrap_or_default(),
        message_id: message.id.to_string(),
        correlation_id: message.correlation_id.clone(),
        record_id: map::get(&properties, "recordId").and_then(Value::as_text).map(str::to_owned),
        persistent: message.persistent,
        timestamp: message.timestamp,
        properties,
        body: match is_cut {
            true => Body::from_cut(kind, content),
            false => Body::from_message(kind, message.compressed, content),
        },
    }
}

/// At least the client's own estimate. Java counts a text that it has not encoded yet by its
/// UTF-16 units, two bytes each.
fn window_size(message: &Message<'_>, cut: Option<usize>) -> usize {
    let content = message.content.map_or(0, <[u8]>::len);
    let text = if message.kind == MessageKind::Text { content } else { 0 };
    let properties = message.properties.map_or(0, <[u8]>::len);
    let whole = MESSAGE_OVERHEAD + content + properties + text;
    cut.map_or(whole, |size| MESSAGE_OVERHEAD + 2 * size)
}
