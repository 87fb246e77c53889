//! A connection after its login: SEND, transactions, DISCONNECT, and what is not offered.

use std::time::Duration;

use super::desk::Desk;
use super::frame::Frame;
use crate::body::Body;
use crate::broker::{Inbound, Note};
use crate::id::{Destination, DestinationKind};
use crate::link::CloseReason;
use crate::map::{Map, Value};
use crate::refusal::Refusal;
use crate::transaction::{Committed, Transactions};

/// Headers that mean something to the protocol; the others are properties of the message.
const PROTOCOL: [&str; 6] =
    ["destination", "content-length", "content-type", "receipt", "transaction", "correlation-id"];

#[derive(Debug)]
pub(super) struct Open {
    session: String,
    /// Messages so far: the last part of their ids.
    sent: u64,
    transactions: Transactions<String>,
}

/// Whether the connection goes on.
#[derive(Debug)]
pub(super) enum Handled {
    Stay,
    Leave { receipt: Option<String> },
}

impl Open {
    pub(super) fn new(session: &str) -> Self {
        let transactions = Transactions::default();
        Self { session: session.to_owned(), sent: 0, transactions }
    }

    pub(super) fn deadline(&self, age: Duration) -> Option<Duration> {
        self.transactions.deadline(age)
    }

    pub(super) fn held(&self) -> usize {
        self.transactions.held()
    }

    pub(super) fn expire(&mut self, now: Duration, desk: &mut Desk) {
        for messages in self.transactions.expire(now, desk.settings.limits.transaction_age) {
            desk.note(Note::Expired(messages));
        }
    }

    pub(super) fn handle(&mut self, frame: Frame, desk: &mut Desk) -> Result<Handled, CloseReason> {
        let receipt = frame.raw("receipt").map(str::to_owned);
        let refused = |frame: &Frame| frame.raw("destination").map(destination);
        match frame.command.as_str() {
            "SEND" => self.send(frame, receipt, desk),
            "BEGIN" => self.begin(transaction(&frame)?, receipt.as_deref(), desk),
            "COMMIT" => self.commit(&transaction(&frame)?, receipt, desk),
            "ABORT" => {
                // Of an unknown transaction nothing is here: that is what an abort wants.
                self.transactions.commit(&transaction(&frame)?);
                desk.receipt(receipt.as_deref());
            }
            "SUBSCRIBE" => {
                desk.refuse(receipt.as_deref(), Refusal::Consumer(refused(&frame)));
            }
            "ACK" => desk.refuse(receipt.as_deref(), Refusal::Frame("ACK")),
            "NACK" => desk.refuse(receipt.as_deref(), Refusal::Frame("NACK")),
            "UNSUBSCRIBE" => desk.refuse(receipt.as_deref(), Refusal::Frame("UNSUBSCRIBE")),
            "DISCONNECT" => return Ok(Handled::Leave { receipt }),
            "CONNECT" | "STOMP" => {
                return Err(CloseReason::NoFrame("a second login"));
            }
            _ => return Err(CloseReason::NoFrame("a command that is none")),
        }
        Ok(Handled::Stay)
    }

    fn send(&mut self, frame: Frame, receipt: Option<String>, desk: &mut Desk) {
        let sent_to = frame.raw("destination").map(destination);
        let queue = match sent_to {
            Some(Destination { kind: DestinationKind::Queue, name })
                if desk.settings.queues.contains(&name) =>
            {
                Ok(name)
            }
            other => Err(Refusal::Destination(other)),
        };
        let Some(transaction) = frame.raw("transaction").map(str::to_owned) else {
            match queue {
                Err(refusal) => desk.refuse(receipt.as_deref(), refusal),
                Ok(queue) => {
                    let message = self.inbound(queue, frame);
                    let bytes = message.weight();
                    desk.store(vec![message], bytes, receipt);
                }
            }
            return;
        };
        if !self.transactions.contains(&transaction) {
            return desk.refuse(receipt.as_deref(), Refusal::UnknownTransaction);
        }
        match queue {
            Err(refusal) => {
                self.transactions.refuse(&transaction, &refusal.to_string());
                desk.note(Note::Refused(refusal));
            }
            Ok(queue) => {
                let message = self.inbound(queue, frame);
                self.transactions.add(&transaction, message, &desk.settings.limits);
            }
        }
        // Inside a transaction a receipt promises nothing: the commit's does.
        desk.receipt(receipt.as_deref());
    }

    fn begin(&mut self, id: String, receipt: Option<&str>, desk: &mut Desk) {
        let limits = desk.settings.limits;
        if self.transactions.begin(id, desk.now, &limits) {
            desk.receipt(receipt);
        } else {
            desk.refuse(receipt, Refusal::TooMany("open transactions", limits.transactions));
        }
    }

    fn commit(&mut self, id: &String, receipt: Option<String>, desk: &mut Desk) {
        match self.transactions.commit(id) {
            Committed::Messages(messages, _) if messages.is_empty() => {
                desk.receipt(receipt.as_deref());
            }
            Committed::Messages(messages, bytes) => desk.store(messages, bytes, receipt),
            Committed::Refused(why) => {
                desk.refuse(receipt.as_deref(), Refusal::TransactionRefused(why));
            }
            Committed::Unknown => desk.refuse(receipt.as_deref(), Refusal::UnknownTransaction),
        }
    }

    fn inbound(&mut self, queue: String, frame: Frame) -> Inbound {
        self.sent += 1;
        let own = |name: &str| frame.raw(name).map(str::to_owned);
        let properties = frame.headers().filter(|(name, _)| !PROTOCOL.contains(name));
        let properties: Map = properties
            .map(|(name, value)| (name.to_owned(), Value::Text(value.to_owned())))
            .collect();
        Inbound {
            queue,
            message_id: format!("{}:{}", self.session, self.sent),
            correlation_id: own("correlation-id"),
            record_id: own("recordId"),
            persistent: frame.raw("persistent") == Some("true"),
            timestamp: 0,
            properties,
            body: Body::Bytes(frame.body),
        }
    }
}

/// `/queue/NAME`, `/topic/NAME` and so on; without a prefix a queue.
fn destination(text: &str) -> Destination {
    let kinds = [
        ("/queue/", DestinationKind::Queue),
        ("/topic/", DestinationKind::Topic),
        ("/temp-queue/", DestinationKind::TempQueue),
        ("/temp-topic/", DestinationKind::TempTopic),
    ];
    let found = kinds.iter().find_map(|(prefix, kind)| Some((*kind, text.strip_prefix(prefix)?)));
    let (kind, name) = found.unwrap_or((DestinationKind::Queue, text));
    Destination { kind, name: name.to_owned() }
}

fn transaction(frame: &Frame) -> Result<String, CloseReason> {
    let named = frame.raw("transaction").filter(|name| !name.is_empty()).map(str::to_owned);
    named.ok_or(CloseReason::NoFrame("no transaction is named"))
}
