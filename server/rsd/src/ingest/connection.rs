//! One connection: moves bytes, hands messages to the spool, lets answers leave.
//!
//! The machine of its protocol decides; this is the loop around it, and what it needs of the world:
//! socket, spool, durable sequence, clock. A turn is: answers, parked sends, events, write, then
//! wait for whatever comes first.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openwire::{BrokerEvent, Class, CloseReason, Inbound, Note, Ticket};
use tokio::io::{Interest, Ready};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::desk::NotTaken;
use super::limits::{FAREWELL, OUT_BYTES, READ_BYTES, RETRY, STOP};
use super::registry::Place;
use super::socket::Socket;
use super::wire::Wire;
use super::{Shared, message};
use crate::backlog::Part;
use crate::entry::Entry;

thread_local! {
    /// One read buffer per worker thread, not per connection: ten thousand may be idle.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

pub(super) struct Connection {
    socket: Socket,
    peer: SocketAddr,
    shared: Arc<Shared>,
    wire: Wire,
    user: Option<String>,
    place: Option<Place>,
    go: Arc<Notify>,
    /// Handed to the spool, in order of sequence.
    waiting: VecDeque<Waiting>,
    /// Not taken by the spool yet.
    parked: VecDeque<Parked>,
    out: Vec<u8>,
    written: usize,
    held: usize,
    reading: bool,
    end: Option<End>,
}

struct Waiting {
    seq: u64,
    ticket: Ticket,
    since: Duration,
    /// To be counted when answered.
    parts: Vec<Part>,
}

struct Parked {
    ticket: Ticket,
    since: Duration,
    entry: Entry,
}

/// Why the loop ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The machine is done: what is left to be said is said.
    Said,
    /// The socket is gone, or a newcomer has this connection's id.
    Gone,
}

impl Connection {
    pub(super) fn new(socket: Socket, peer: SocketAddr, shared: Arc<Shared>, wire: Wire) -> Self {
        Self {
            socket,
            peer,
            shared,
            wire,
            user: None,
            place: None,
            go: Arc::new(Notify::new()),
            waiting: VecDeque::new(),
            parked: VecDeque::new(),
            out: Vec::new(),
            written: 0,
            held: 0,
            reading: true,
            end: None,
        }
    }

    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut durable = self.shared.parts.durable.subscribe();
        let mut stop_by = None;
        let go = Arc::clone(&self.go);
        while self.end.is_none() {
            self.turn(*durable.borrow_and_update(), stop_by.is_some());
            let now = self.shared.parts.clock.mono();
            let stopped = stop_by.is_some_and(|by| self.waiting.is_empty() || now >= by);
            if self.end.is_some() || stopped {
                break;
            }
            let deadline = self.wire.poll_timeout().map(|due| due.saturating_sub(now));
            let pause = stop_by.is_some() || !self.parked.is_empty() || !self.reading;
            let interest = self.interest();
            tokio::select! {
                ready = self.socket.ready(interest) => self.handle_ready(ready),
                _ = durable.changed(), if !self.waiting.is_empty() => {}
                () = sleep(deadline.unwrap_or(RETRY)), if deadline.is_some() => {
                    self.wire.handle_timeout(self.shared.parts.clock.mono());
                }
                () = sleep(RETRY), if pause => {}
                () = go.notified() => self.end = Some(End::Gone),
                _ = stop.changed(), if stop_by.is_none() => stop_by = Some(now + STOP),
            }
        }
        self.finish().await;
    }

    fn turn(&mut self, durable: u64, stopping: bool) {
        self.answer(durable);
        if stopping {
            self.parked.clear();
        } else {
            self.unpark();
        }
        while let Some(event) = self.wire.poll_event() {
            self.handle_event(event);
        }
        self.wire.poll_transmit(&mut self.out);
        self.write();
        self.account();
        let reading = !stopping && self.may_read();
        if reading != self.reading {
            self.reading = reading;
            self.wire.set_reading(self.shared.parts.clock.mono(), reading);
        }
    }

    /// What the disk has is answered and counted.
    fn answer(&mut self, durable: u64) {
        while let Some(waiting) = self.waiting.pop_front_if(|first| first.seq <= durable) {
            self.wire.stored(waiting.ticket);
            let parts = &self.shared.parts;
            parts.answered(self.wire.transport(), &waiting.parts, waiting.since);
        }
    }

    fn handle_event(&mut self, event: BrokerEvent) {
        match event {
            BrokerEvent::Login { user, client_id, connection_id, .. } => {
                self.login(user, client_id.as_deref(), &connection_id);
            }
            BrokerEvent::Store { ticket, messages } => self.take(ticket, messages),
            BrokerEvent::Note(Note::UnconfirmedSend) => {
                self.shared.parts.counters.unconfirmed_send();
            }
            BrokerEvent::Note(Note::Expired(_)) => {
                self.log(32002, "a transaction that was open too long is rolled back");
            }
            BrokerEvent::Note(Note::Refused(refusal)) => {
                self.log(32002, &refusal.to_string());
            }
            BrokerEvent::Closed { why } => {
                match why {
                    CloseReason::Goodbye => {}
                    why => self.log(32002, &why.to_string()),
                }
                self.end = Some(End::Said);
            }
        }
    }

    fn log(&self, number: u16, what: &str) {
        let peer = self.peer.to_string();
        self.shared.parts.log.emit(number, None, &[("peer", &peer), ("what", what)]);
    }

    fn login(&mut self, user: Option<String>, client: Option<&str>, connection: &str) {
        if !self.shared.settings.anonymous {
            self.shared.parts.counters.login_failed();
            let text = "this listener needs a user, and none is configured";
            return self.wire.refuse_login(Class::Security, text);
        }
        let entered = self.shared.registry.enter(connection, client, Arc::clone(&self.go));
        match entered {
            Ok(place) => {
                self.place = Some(place);
                self.user = user;
                self.log(32001, client.unwrap_or(connection));
                self.wire.accept_login();
            }
            Err(_taken) => {
                self.shared.parts.counters.login_failed();
                let text = "another connection has this client id";
                self.wire.refuse_login(Class::InvalidClientId, text);
            }
        }
    }

    fn take(&mut self, ticket: Ticket, messages: Vec<Inbound>) {
        let now = self.shared.parts.clock.now();
        let entry = Entry {
            received: now.wall.0,
            transport: self.wire.transport(),
            user: self.user.clone(),
            peer: self.peer,
            messages: messages.into_iter().map(message::message).collect(),
        };
        let parked = Parked { ticket, since: now.mono, entry };
        if !self.parked.is_empty() {
            self.parked.push_back(parked);
        } else if let Some(parked) = self.append(parked) {
            self.parked.push_back(parked);
        }
    }

    /// Tries the oldest parked sends again, in order.
    fn unpark(&mut self) {
        while let Some(parked) = self.parked.pop_front() {
            if let Some(parked) = self.append(parked) {
                return self.parked.push_front(parked);
            }
        }
    }

    /// Hands one arrival to the spool; gives it back when there is no room.
    fn append(&mut self, parked: Parked) -> Option<Parked> {
        match self.shared.parts.store(&parked.entry) {
            Ok(seq) => {
                let Parked { ticket, since, entry } = parked;
                let parts = entry.parts();
                self.waiting.push_back(Waiting { seq, ticket, since, parts });
                None
            }
            Err(NotTaken::Later) => Some(parked),
            Err(NotTaken::Never) => self.refuse(&parked, "larger than what can be kept at once"),
        }
    }

    fn refuse(&mut self, parked: &Parked, text: &str) -> Option<Parked> {
        self.wire.failed(parked.ticket, Class::ResourceAllocation, text);
        self.log(32002, text);
        None
    }

    fn may_read(&self) -> bool {
        let limit = self.shared.settings.limits.memory;
        let all = self.shared.held.load(Ordering::Relaxed);
        let open = usize::try_from(self.shared.parts.counters.open_connections());
        // short of memory, those that hold more than their share wait
        let heavy = all > limit && self.held > limit / open.unwrap_or(1).max(1);
        self.wire.wants_input() && self.out.len() - self.written < OUT_BYTES && !heavy
    }

    fn account(&mut self) {
        let held = self.wire.held();
        let all = &self.shared.held;
        all.fetch_add(held, Ordering::Relaxed);
        all.fetch_sub(self.held, Ordering::Relaxed);
        self.held = held;
    }

    fn interest(&self) -> Option<Interest> {
        match (self.reading, self.written < self.out.len()) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        }
    }

    fn handle_ready(&mut self, ready: io::Result<Ready>) {
        match ready {
            Ok(ready) if ready.is_readable() && self.reading => self.read(),
            Ok(_) => {}
            Err(_) => self.end = Some(End::Gone),
        }
    }

    fn read(&mut self) {
        let read = READ.with_borrow_mut(|buffer| {
            let count = self.socket.try_read(buffer)?;
            self.wire.handle_input(self.shared.parts.clock.mono(), &buffer[..count]);
            Ok(count)
        });
        match read {
            Ok(0) => self.end = Some(End::Gone),
            Ok(_) => {}
            Err(error) => self.survive(&error),
        }
    }

    fn write(&mut self) {
        if let Err(error) = self.socket.flush() {
            self.survive(&error);
        }
        while self.written < self.out.len() {
            match self.socket.try_write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) => {
                    self.survive(&error);
                    break;
                }
            }
        }
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
            if self.out.capacity() > READ_BYTES {
                self.out = Vec::new();
            }
        }
    }

    fn survive(&mut self, error: &io::Error) {
        if error.kind() != io::ErrorKind::WouldBlock {
            self.end = Some(End::Gone);
        }
    }

    async fn finish(mut self) {
        self.shared.held.fetch_sub(self.held, Ordering::Relaxed);
        if let Some(place) = self.place.take() {
            self.shared.registry.leave(&place);
        }
        if self.end == Some(End::Gone) {
            return;
        }
        let Self { socket, out, written, .. } = self;
        // Whoever does not take the last answers in time goes without them.
        let _ = timeout(FAREWELL, socket.leave(&out[written..])).await;
    }
}
