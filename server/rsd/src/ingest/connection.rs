//! One connection: moves bytes, hands messages to the spool, lets answers leave.
//!
//! The machine of its protocol decides; this is the loop around it, and what it needs of the world:
//! socket, spool, durable sequence, clock. A turn is: answers, parked sends, events, write, then
//! wait for whatever comes first. When the peer has said its last, what it sent is still stored
//! and answered.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use openwire::{BrokerEvent, Class, CloseReason, Inbound, Note, Ticket};
use tokio::io::{Interest, Ready};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Shared;
use super::arrival::{Arrival, Sender};
use super::desk::NotTaken;
use super::limits::{FAREWELL, LEFT, OUT_BYTES, READ_BYTES, REFUSED, RETRY, STOP};
use super::login::{Deciding, Login};
use super::parked::{Parked, Queue};
use super::registry::Place;
use super::roster::{Guest, Member, Seat};
use super::socket::Socket;
use super::unpack::{Unpacked, Unpacking};
use super::wire::Wire;
use crate::backlog::Part;
use crate::entry::Transport;

thread_local! {
    /// One read buffer per worker thread, not per connection: ten thousand may be idle.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

pub(super) struct Connection {
    pub(super) socket: Socket,
    pub(super) peer: SocketAddr,
    pub(super) shared: Arc<Shared>,
    pub(super) wire: Wire,
    pub(super) user: Option<String>,
    /// Names of producers that the user is bound to.
    pub(super) produces: Vec<String>,
    pub(super) deciding: Option<Deciding>,
    pub(super) place: Option<Place>,
    pub(super) member: Arc<Member>,
    /// In the roster.
    _seat: Seat,
    /// Handed to the spool, in order of sequence.
    waiting: VecDeque<Waiting>,
    /// Not taken by the spool yet.
    parked: Queue,
    /// What stands before them.
    unpacking: Option<Unpacking>,
    /// Those are not tried before: what was inflated in vain is not inflated again at once.
    not_before: Duration,
    out: Vec<u8>,
    written: usize,
    held: usize,
    /// It has been told that this peer asks for no answers.
    unconfirmed: bool,
    reading: bool,
    /// The peer sends nothing more; until then what it sent is tried.
    leaving: Option<Duration>,
    /// The socket takes nothing more.
    is_gone: bool,
    /// Before we end it the peer may do so itself.
    grace: Duration,
}

struct Waiting {
    seq: u64,
    ticket: Ticket,
    since: Duration,
    /// To be counted when answered.
    parts: Vec<Part>,
}

impl Connection {
    pub(super) fn new(socket: Socket, peer: SocketAddr, shared: Arc<Shared>, wire: Wire) -> Self {
        let now = shared.parts.clock.now();
        let (transport, is_secure) = (wire.transport(), socket.is_secure());
        let guest = Guest { peer, transport, is_secure, since: now.wall };
        let (member, seat) = shared.parts.roster.join(guest, now.mono);
        Self {
            socket,
            peer,
            shared,
            member,
            _seat: seat,
            wire,
            user: None,
            produces: Vec::new(),
            deciding: None,
            place: None,
            waiting: VecDeque::new(),
            parked: Queue::default(),
            unpacking: None,
            not_before: Duration::ZERO,
            out: Vec::new(),
            written: 0,
            held: 0,
            unconfirmed: false,
            reading: true,
            leaving: None,
            is_gone: false,
            grace: Duration::ZERO,
        }
    }

    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut durable = self.shared.parts.durable.subscribe();
        let mut stop_by = None;
        let member = Arc::clone(&self.member);
        loop {
            self.turn(*durable.borrow_and_update(), stop_by.is_some());
            let now = self.shared.parts.clock.mono();
            let stopped = stop_by.is_some_and(|by| self.waiting.is_empty() || now >= by);
            // what is on its way into the spool is there in a moment, and counts
            if (stopped || self.is_over(now)) && self.is_let_go() {
                break;
            }
            let deadline = self.wire.poll_timeout().map(|due| due.saturating_sub(now));
            let pause = stop_by.is_some() || !self.parked.is_empty() || !self.reading;
            let interest = self.interest();
            tokio::select! {
                verdict = Deciding::decided(&mut self.deciding) => self.decide(verdict),
                unpacked = Unpacking::done(&mut self.unpacking) => self.unpacked(unpacked),
                ready = self.socket.ready(interest) => self.handle_ready(ready),
                _ = durable.changed(), if !self.waiting.is_empty() => {}
                () = sleep(deadline.unwrap_or(RETRY)), if deadline.is_some() => {
                    self.wire.handle_timeout(self.shared.parts.clock.mono());
                }
                () = sleep(RETRY), if pause => {}
                () = member.told() => self.end(),
                _ = stop.changed(), if stop_by.is_none() => stop_by = Some(now + STOP),
            }
        }
        self.finish().await;
    }

    fn turn(&mut self, durable: u64, stopping: bool) {
        self.answer(durable);
        if stopping {
            self.abandon();
        } else {
            self.unpark();
        }
        while let Some(event) = self.wire.poll_event() {
            self.handle_event(event);
        }
        self.wire.poll_transmit(&mut self.out);
        self.write();
        if self.leaving.is_some() && self.shared.memory.is_short() {
            self.abandon();
        }
        self.account();
        let reading = !stopping && self.may_read();
        if reading != self.reading {
            self.reading = reading;
            let now = self.shared.parts.clock.mono();
            self.wire.set_reading(now, reading);
            self.member.set_reading(now, reading);
        }
    }

    /// The peer sends nothing more.
    fn leave(&mut self) {
        let until = self.shared.parts.clock.mono() + LEFT;
        self.leaving.get_or_insert(until);
        // whoever comes back under its name must not wait for the rest
        if let Some(place) = self.place.take() {
            self.shared.registry.leave(&place);
        }
    }

    /// The socket takes nothing more either.
    fn lose(&mut self) {
        self.is_gone = true;
        self.leave();
    }

    /// Another connection has this one's name or needs its memory, or an operator ends it.
    fn end(&mut self) {
        let Some(why) = self.member.ends() else { return self.lose() };
        self.abandon();
        self.wire.give_up(why);
    }

    fn is_over(&self, now: Duration) -> bool {
        let taken = self.parked.is_empty() && self.unpacking.is_none();
        let done = self.waiting.is_empty() && taken && self.deciding.is_none();
        self.leaving.is_some_and(|until| done || now >= until)
    }

    /// What is held back is not tried any more; what is on its way into the spool stays.
    fn abandon(&mut self) {
        let parked = self.parked.clear();
        let given_up = self.unpacking.take_if(|one| one.give_up()).map(|one| one.messages);
        self.abandoned(parked + given_up.unwrap_or(0));
    }

    /// Nothing is on its way into the spool any more.
    fn is_let_go(&mut self) -> bool {
        self.abandon();
        self.unpacking.is_none()
    }

    fn abandoned(&self, messages: usize) {
        if messages > 0 {
            self.shared.parts.counters.abandon(messages);
            let what = "were held back and are not stored: whoever waits for an answer resends";
            self.log(32002, &format!("{messages} messages {what}"));
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
            BrokerEvent::Login { user, password, client_id, connection_id, .. } => {
                let login = Login { client: client_id, connection: connection_id };
                self.login(user, password, login);
            }
            BrokerEvent::Store { ticket, messages } => self.take(ticket, messages),
            BrokerEvent::Note(Note::UnconfirmedSend) => {
                self.shared.parts.counters.unconfirmed_send();
                if !std::mem::replace(&mut self.unconfirmed, true) {
                    self.log(32003, "persistent sends without the response flag");
                }
            }
            BrokerEvent::Note(Note::Expired(_)) => {
                self.log(32002, "a transaction that was open too long is rolled back");
            }
            BrokerEvent::Note(Note::Refused(refusal)) => {
                self.log(32002, &refusal.to_string());
            }
            BrokerEvent::Note(Note::PropertiesLost(why)) => {
                self.log(32002, &format!("properties of a message are left out: {why}"));
            }
            BrokerEvent::Closed { why } => {
                if why != CloseReason::Goodbye {
                    self.log(32002, &why.to_string());
                }
                let is_openwire = self.wire.transport() == Transport::Openwire;
                if is_openwire && why == CloseReason::LoginRefused {
                    self.grace = REFUSED;
                }
                self.leave();
            }
        }
    }

    pub(super) fn log(&self, number: u16, what: &str) {
        let peer = self.peer.to_string();
        self.shared.parts.log.emit(number, None, &[("peer", &peer), ("what", what)]);
    }

    fn take(&mut self, ticket: Ticket, messages: Vec<Inbound>) {
        let now = self.shared.parts.clock.now();
        self.member.took(now.mono, messages.len());
        let (transport, user, peer) = (self.wire.transport(), self.user.clone(), self.peer);
        let produces = self.produces.clone();
        let record = self.shared.settings.limits.now().record;
        let sender = Sender { received: now.wall, transport, user, peer, produces, record };
        let parked = Parked { ticket, since: now.mono, arrival: Arrival::new(sender, messages) };
        if self.parked.is_before(&parked) || self.unpacking.is_some() {
            self.parked.push_back(parked);
        } else if let Some(parked) = self.append(parked) {
            self.parked.push_back(parked);
        }
    }

    /// Tries the oldest parked sends again, in order, CDRs first.
    fn unpark(&mut self) {
        if self.shared.parts.clock.mono() < self.not_before {
            return;
        }
        for cdrs in [true, false] {
            while self.unpacking.is_none()
                && let Some(parked) = self.parked.pop(cdrs)
            {
                if let Some(parked) = self.append(parked) {
                    self.parked.push_front(parked);
                    break;
                }
            }
        }
    }

    /// Hands one arrival to the spool, or has it inflated before; gives it back when there is no
    /// room.
    fn append(&mut self, mut parked: Parked) -> Option<Parked> {
        let parts = &self.shared.parts;
        if !parked.arrival.is_heavy() {
            let taken = parked.arrival.hand(parts);
            return self.handed(parked, taken);
        }
        match parked.arrival.may_come(parts) {
            Ok(()) => {
                let places = &self.shared.unpackers;
                self.unpacking = Some(Unpacking::begin(parked, places, parts.clone()));
                None
            }
            Err(why) => self.handed(parked, Err(why)),
        }
    }

    /// One was inflated and handed to the spool.
    fn unpacked(&mut self, unpacked: Option<Unpacked>) {
        let messages = self.unpacking.take().map_or(0, |one| one.messages);
        let Some(Unpacked { parked, taken }) = unpacked else {
            self.log(32002, "an arrival is lost with the thread that inflated it");
            self.abandoned(messages);
            return self.lose();
        };
        if let Some(parked) = self.handed(parked, taken) {
            self.not_before = self.shared.parts.clock.mono() + RETRY;
            self.parked.push_front(parked);
        }
    }

    fn handed(&mut self, parked: Parked, taken: Result<u64, NotTaken>) -> Option<Parked> {
        match taken {
            Ok(seq) => {
                let Parked { ticket, since, arrival } = parked;
                let parts = arrival.parts();
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
        self.leaving.is_none()
            && self.wire.wants_input()
            && self.out.len() - self.written < OUT_BYTES
            && self.room() > 0
    }

    /// Bytes that may be read: short of memory, those that hold more than their share wait.
    fn room(&self) -> usize {
        let open = self.shared.parts.counters.open_connections();
        self.shared.memory.room(self.held, usize::try_from(open).unwrap_or(1))
    }

    fn account(&mut self) {
        let mut held = self.wire.held();
        if self.leaving.is_some() {
            // a machine that is closed has forgotten them
            let parked = self.parked.iter().map(|parked| parked.arrival.held());
            let unpacking = self.unpacking.iter().map(|unpacking| unpacking.held);
            held = held.max(parked.chain(unpacking).sum());
        }
        let unfinished = self.wire.unfinished();
        self.shared.memory.account(&self.member, self.held, held, unfinished);
        self.member.owes(self.wire.unanswered());
        self.held = held;
    }

    fn interest(&self) -> Option<Interest> {
        if self.is_gone {
            return None;
        }
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
            Err(_) => self.lose(),
        }
    }

    fn read(&mut self) {
        let most = self.room().clamp(1, READ_BYTES);
        let read = READ.with_borrow_mut(|buffer| {
            let count = self.socket.try_read(&mut buffer[..most])?;
            let now = self.shared.parts.clock.mono();
            self.member.heard(now, count);
            self.wire.handle_input(now, &buffer[..count]);
            Ok(count)
        });
        match read {
            Ok(0) => self.leave(),
            Ok(_) => {}
            Err(error) => self.survive(&error),
        }
    }

    fn write(&mut self) {
        if self.is_gone {
            self.out.clear();
            self.written = 0;
            return;
        }
        if let Err(error) = self.socket.flush() {
            self.survive(&error);
        }
        while self.written < self.out.len() && !self.is_gone {
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
            self.lose();
        }
    }

    async fn finish(mut self) {
        self.abandon();
        self.leave();
        self.shared.memory.leave(&self.member, self.held);
        if self.is_gone {
            return;
        }
        let Self { socket, out, written, wire, grace, .. } = self;
        drop(wire);
        // Whoever does not take the last answers in time goes without them.
        let _ = timeout(grace + FAREWELL, socket.leave(&out[written..], grace)).await;
    }
}
