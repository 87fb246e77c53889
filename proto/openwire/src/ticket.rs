//! Answers that wait for the disk, by ticket. Tickets grow, and mostly come back in order.

use std::collections::VecDeque;

/// Names one send or one commit that is being stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What is being stored; `A` is what leaves then.
#[derive(Debug)]
pub(crate) struct Pending<A> {
    last: u64,
    waiting: VecDeque<Waiting<A>>,
    messages: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting<A> {
    ticket: Ticket,
    messages: usize,
    bytes: usize,
    answer: A,
}

impl<A> Default for Pending<A> {
    fn default() -> Self {
        Self { last: 0, waiting: VecDeque::new(), messages: 0, bytes: 0 }
    }
}

impl<A> Pending<A> {
    pub(crate) fn put(&mut self, messages: usize, bytes: usize, answer: A) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        self.messages += messages;
        self.bytes += bytes;
        self.waiting.push_back(Waiting { ticket, messages, bytes, answer });
        ticket
    }

    /// `None` for a ticket that is unknown or was answered.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<A> {
        let at = self.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket).ok()?;
        let taken = self.waiting.remove(at)?;
        self.messages -= taken.messages;
        self.bytes -= taken.bytes;
        Some(taken.answer)
    }

    pub(crate) fn load(&self) -> (usize, usize) {
        (self.messages, self.bytes)
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.messages = 0;
        self.bytes = 0;
    }
}
