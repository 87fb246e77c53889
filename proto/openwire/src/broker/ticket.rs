//! Answers that wait for the disk, by ticket. Tickets grow, and mostly come back in order.

use std::collections::VecDeque;

use crate::command::Header;
use crate::id::ProducerId;

/// Names one send or one commit that is being stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What leaves when it is stored.
#[derive(Debug)]
pub(super) struct Answer {
    /// A Response, if its flag asks for one.
    pub(super) header: Header,
    /// A ProducerAck, with the bytes that become free.
    pub(super) window: Option<(ProducerId, i32)>,
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    last: u64,
    waiting: VecDeque<Waiting>,
    messages: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    messages: usize,
    bytes: usize,
    answer: Answer,
}

impl Pending {
    pub(super) fn put(&mut self, messages: usize, bytes: usize, answer: Answer) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        self.messages += messages;
        self.bytes += bytes;
        self.waiting.push_back(Waiting { ticket, messages, bytes, answer });
        ticket
    }

    /// `None` for a ticket that is unknown or was answered.
    pub(super) fn take(&mut self, ticket: Ticket) -> Option<Answer> {
        let at = self.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket).ok()?;
        let taken = self.waiting.remove(at)?;
        self.messages -= taken.messages;
        self.bytes -= taken.bytes;
        Some(taken.answer)
    }

    pub(super) fn load(&self) -> (usize, usize) {
        (self.messages, self.bytes)
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.messages = 0;
        self.bytes = 0;
    }
}
