//! What every state of the receiving end writes with: the link, the events and the answers that
//! wait for the disk.

use std::collections::VecDeque;
use std::time::Duration;

use super::{BrokerEvent, BrokerSettings, Inbound, Note};
use crate::command::{Command, Exception, Header};
use crate::id::ProducerId;
use crate::link::Link;
use crate::negotiation::{Agreed, Greeting};
use crate::refusal::{Class, Refusal};
use crate::ticket::{Pending, Ticket};

/// What leaves when something is stored.
#[derive(Debug)]
pub(super) struct Answer {
    /// A Response, if its flag asks for one.
    pub(super) header: Header,
    /// A ProducerAck, with the bytes that become free.
    pub(super) window: Option<(ProducerId, i32)>,
}

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) settings: BrokerSettings,
    pub(super) link: Link,
    pub(super) events: VecDeque<BrokerEvent>,
    pub(super) pending: Pending<Answer>,
}

impl Desk {
    pub(super) fn new(settings: BrokerSettings, now: Duration) -> Self {
        let ours = Greeting::ours(settings.limits.frame, settings.limits.inactivity);
        Self {
            settings,
            link: Link::new(ours, now),
            events: VecDeque::new(),
            pending: Pending::default(),
        }
    }

    /// BrokerInfo, right after the greetings.
    pub(super) fn introduce(&mut self) {
        let name = self.settings.name.clone();
        self.link.say(&Command::BrokerInfo { id: format!("ID:{name}"), name });
    }

    /// A Response, if the flag asks for one; never by the command's type.
    pub(super) fn answer_if_wanted(&mut self, header: Header) {
        if header.respond {
            self.link.say(&Command::Response { correlation: header.id });
        }
    }

    /// The exception as the answer, or without one wanted as an error of the connection.
    pub(super) fn except(&mut self, header: Header, class: Class, text: &str) {
        let jakarta = self.link.agreed().is_some_and(|agreed: &Agreed| agreed.jakarta);
        let class = class.java_name(jakarta).to_owned();
        let exception = Some(Exception { class, text: text.to_owned() });
        self.link.say(&if header.respond {
            Command::ExceptionResponse { correlation: header.id, exception }
        } else {
            Command::ConnectionError(exception)
        });
    }

    pub(super) fn refuse(&mut self, header: Header, refusal: Refusal) {
        self.except(header, refusal.class(), &refusal.to_string());
        self.events.push_back(BrokerEvent::Note(Note::Refused(refusal)));
    }

    /// Gives messages out to be stored; the answer waits.
    pub(super) fn store(&mut self, messages: Vec<Inbound>, bytes: usize, answer: Answer) {
        let ticket = self.pending.put(messages.len(), bytes, answer);
        self.events.push_back(BrokerEvent::Store { ticket, messages });
    }

    pub(super) fn stored(&mut self, ticket: Ticket) {
        let Some(answer) = self.pending.take(ticket) else { return };
        self.answer_if_wanted(answer.header);
        if let Some((producer, size)) = answer.window {
            self.link.say(&Command::ProducerAck { producer, size });
        }
    }

    pub(super) fn failed(&mut self, ticket: Ticket, class: Class, text: &str) {
        let Some(answer) = self.pending.take(ticket) else { return };
        self.except(answer.header, class, text);
    }
}
