//! Sends of one connection that the spool has not taken yet, each kind in the order in which it
//! came. CDRs go before the others: while those are held back, CDRs still come (rs.md §1.4), also
//! behind them on one connection.

use std::collections::VecDeque;
use std::time::Duration;

use openwire::Ticket;

use super::arrival::Arrival;
use super::gate::Priority;

pub(super) struct Parked {
    pub(super) ticket: Ticket,
    pub(super) since: Duration,
    pub(super) arrival: Arrival,
}

#[derive(Default)]
pub(super) struct Queue {
    cdrs: VecDeque<Parked>,
    others: VecDeque<Parked>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.cdrs.is_empty() && self.others.is_empty()
    }

    /// Whether one of the same kind waits: then this one waits behind it.
    pub(super) fn is_before(&self, one: &Parked) -> bool {
        !if is_first(one) { &self.cdrs } else { &self.others }.is_empty()
    }

    pub(super) fn push_back(&mut self, one: Parked) {
        self.of(&one).push_back(one);
    }

    /// One that was taken out waits on.
    pub(super) fn push_front(&mut self, one: Parked) {
        self.of(&one).push_front(one);
    }

    /// The oldest of a kind.
    pub(super) fn pop(&mut self, first: bool) -> Option<Parked> {
        if first { self.cdrs.pop_front() } else { self.others.pop_front() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Parked> {
        self.cdrs.iter().chain(&self.others)
    }

    /// Forgets all of them; how many messages those were.
    pub(super) fn clear(&mut self) -> usize {
        let messages = self.iter().map(|one| one.arrival.messages()).sum();
        *self = Self::default();
        messages
    }

    fn of(&mut self, one: &Parked) -> &mut VecDeque<Parked> {
        if is_first(one) { &mut self.cdrs } else { &mut self.others }
    }
}

fn is_first(one: &Parked) -> bool {
    one.arrival.priority() == Priority::First
}
