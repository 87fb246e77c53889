//! The protocols that are spoken on the listener, as one: the same verbs, events and tickets.

use std::time::Duration;

use openwire::{Broker, BrokerEvent, Class, CloseReason, Stomp, Ticket};

use crate::entry::Transport;

/// The receiving end of one connection.
pub(super) enum Wire {
    Openwire(Box<Broker>),
    Stomp(Box<Stomp>),
}

/// Hands a verb to whichever it is.
macro_rules! either {
    ($self:ident, $end:ident => $verb:expr) => {
        match $self {
            Self::Openwire($end) => $verb,
            Self::Stomp($end) => $verb,
        }
    };
}

impl Wire {
    pub(super) const fn transport(&self) -> Transport {
        match self {
            Self::Openwire(_) => Transport::Openwire,
            Self::Stomp(_) => Transport::Stomp,
        }
    }

    pub(super) fn handle_input(&mut self, now: Duration, bytes: &[u8]) {
        either!(self, end => end.handle_input(now, bytes));
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        either!(self, end => end.handle_timeout(now));
    }

    pub(super) fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        either!(self, end => end.poll_transmit(out))
    }

    pub(super) fn poll_event(&mut self) -> Option<BrokerEvent> {
        either!(self, end => end.poll_event())
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        either!(self, end => end.poll_timeout())
    }

    pub(super) fn accept_login(&mut self) {
        either!(self, end => end.accept_login());
    }

    pub(super) fn refuse_login(&mut self, class: Class, text: &str) {
        match self {
            Self::Openwire(end) => end.refuse_login(class, text),
            Self::Stomp(end) => end.refuse_login(text),
        }
    }

    pub(super) fn stored(&mut self, ticket: Ticket) {
        either!(self, end => end.stored(ticket));
    }

    pub(super) fn failed(&mut self, ticket: Ticket, class: Class, text: &str) {
        match self {
            Self::Openwire(end) => end.failed(ticket, class, text),
            Self::Stomp(end) => end.failed(ticket, text),
        }
    }

    pub(super) fn unanswered(&self) -> (usize, usize) {
        either!(self, end => end.unanswered())
    }

    pub(super) fn held(&self) -> usize {
        either!(self, end => end.held())
    }

    pub(super) fn unfinished(&self) -> usize {
        either!(self, end => end.unfinished())
    }

    pub(super) fn give_up(&mut self, why: CloseReason) {
        either!(self, end => end.give_up(why));
    }

    pub(super) fn wants_input(&self) -> bool {
        either!(self, end => end.wants_input())
    }

    pub(super) fn set_reading(&mut self, now: Duration, reading: bool) {
        either!(self, end => end.set_reading(now, reading));
    }
}
