//! The engine and what hangs on it: packets go into the proxy, its messages into the outbox, its
//! records into the journal, its log lines to telemetry.
//!
//! After each input everything is drained, as the five verbs ask for. It reads no clock: the turn
//! has one time, which the event loop sets.

use crate::figures::Figures;
use crate::inbox::{Administered, Change as Wanted, Query};
use crate::journal::Journal;
use crate::limits::SLICE_TIME;
use crate::mirror::{Counts, Mirror};
use crate::rate::Rate;
use crate::transport::{Arrival, Engine as Sink, Outbox};
use model::id::Guid;
use model::time::Now;
use net::Clock;
use net::dns::{Answer, Asker, Listed};
use rm::heads::Direction;
use rm::journal::Change;
use rm::{CallFilter, CallSlice, Event, Input, Proxy};
use sip::locate::{Failure, Goal};
use sip::transport::Flow;
use std::time::Duration;
use telemetry::Log;

/// One engine with its outlets.
pub(crate) struct Engine {
    proxy: Proxy,
    asker: Asker,
    outbox: Outbox,
    /// Bytes of the record in hand.
    record: Vec<u8>,
    journal: Journal,
    /// Where `rm.hep` is set.
    mirror: Option<Mirror>,
    log: Log,
    now: Now,
    calls: Rate,
    /// Messages of this turn.
    arrived: u64,
    /// Of the messages of this turn the longest wait.
    queue_age: Duration,
    /// When there was nothing to do for the last time: no byte of a stream has waited for longer.
    idle: Duration,
}

impl Engine {
    pub(crate) fn new(
        proxy: Proxy,
        asker: Asker,
        (journal, mirror): (Journal, Option<Mirror>),
        log: Log,
        now: Now,
    ) -> Self {
        let mut engine = Self {
            proxy,
            asker,
            outbox: Outbox::default(),
            record: Vec::new(),
            journal,
            mirror,
            log,
            now,
            calls: Rate::default(),
            arrived: 0,
            queue_age: Duration::ZERO,
            idle: now.mono,
        };
        // A restore has left records to be written, the configuration names to be asked for.
        engine.drain();
        engine
    }

    /// A turn begins: this is its time. `idle`: there was nothing to do before.
    pub(crate) fn begin(&mut self, now: Now, idle: bool) {
        self.now = now;
        if idle {
            self.idle = now.mono;
        }
        self.arrived = 0;
        self.queue_age = Duration::ZERO;
    }

    /// One input, and everything that follows from it.
    pub(crate) fn input(&mut self, input: Input<'_>) {
        self.proxy.handle_input(self.now, input);
        self.drain();
    }

    /// What is due by now.
    pub(crate) fn timers(&mut self) {
        if self.proxy.poll_timeout().is_some_and(|(due, _)| due <= self.now.mono) {
            self.proxy.handle_timeout(self.now);
            self.drain();
        }
        self.calls.observe(self.now.mono, self.proxy.counters().ledger_in);
    }

    /// More was due at the beginning of this turn than it took.
    pub(crate) fn is_behind(&self) -> bool {
        self.proxy.poll_timeout().is_some_and(|(due, _)| due <= self.now.mono)
    }

    /// Records that are on disk release the answers that wait for them.
    pub(crate) fn durable(&mut self, seq: u64) {
        if let Some(no) = self.journal.durable(seq) {
            self.input(Input::Durable { no });
        }
    }

    /// The next answer of the name service; false when there is none.
    pub(crate) fn resolved(&mut self) -> bool {
        let Some(Answer { goal, found }) = self.asker.answer() else { return false };
        let ttl = found.as_ref().map_or(Duration::ZERO, |found| found.ttl);
        self.input(Input::Resolved { goal, found: found.map(|found| found.targets), ttl });
        true
    }

    /// The next answer about who is behind a name; false when there is none.
    pub(crate) fn discovered(&mut self) -> bool {
        let Some(Listed { listing, found }) = self.asker.listed() else { return false };
        self.input(Input::Discovered { listing, found });
        true
    }

    /// The records of this turn go to the spool.
    pub(crate) fn commit(&mut self) -> Change {
        self.journal.commit(self.now.mono)
    }

    /// The copies of this turn go to the mirror.
    pub(crate) fn mirror(&mut self) {
        if let Some(mirror) = &mut self.mirror {
            mirror.flush();
        }
    }

    /// What the mirror has counted.
    pub(crate) fn mirrored(&self) -> Counts {
        self.mirror.as_ref().map(Mirror::counts).unwrap_or_default()
    }

    /// The last records go to the spool.
    pub(crate) fn finish(&mut self) {
        self.journal.finish(self.now.mono);
    }

    /// When the next turn is due at the latest, if at any time.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let proxy = self.proxy.poll_timeout().map(|(due, _reason)| due);
        proxy.into_iter().chain(self.journal.poll_timeout()).min()
    }

    /// Answers a question of another thread, unless that has gone away.
    pub(crate) fn answer(
        &mut self,
        query: Query,
        clock: &Clock,
        figures: impl FnOnce(&Self) -> Figures,
    ) {
        // An asker that waits no longer has dropped its end; the answer then is nobody's.
        match query {
            Query::Status(reply) => {
                let _ = reply.send((self.proxy.status(), self.calls.per_second()));
            }
            Query::Calls { filter, after, limit, reply } => {
                let slice = self.calls(&filter, after, limit, clock);
                let _ = reply.send((filter, slice));
            }
            Query::Heads { number, mut bytes, reply } => {
                let segments = self.proxy.heads(number, &mut bytes);
                let _ = reply.send((bytes, segments));
            }
            Query::HangUp { guid, leg, reply } => {
                let legs = self.proxy.to_hang_up(guid, leg);
                if legs.is_some() {
                    self.input(Input::HangUp { guid, leg });
                }
                let _ = reply.send(legs);
            }
            Query::Used(sets, reply) => {
                let _ = reply.send(self.proxy.used(&sets));
            }
            Query::Inbound(tenants, reply) => {
                let _ = reply.send(self.proxy.inbound(&tenants));
            }
            Query::Explain(question, reply) => {
                let _ = reply.send(self.proxy.explain(self.now, &question).map(Box::new));
            }
            Query::Call(guid, reply) => {
                let _ = reply.send(self.proxy.call(guid));
            }
            Query::Resource { group, name, change, reply } => {
                let _ = reply.send(self.administered(&group, &name, change));
            }
            Query::Alarms(part, reply) => {
                let _ = reply.send(self.proxy.alarms(self.now, part));
            }
            Query::Resources(reply) => {
                let _ = reply.send(self.proxy.resources());
            }
            Query::Figures(reply) => {
                let _ = reply.send(Box::new(figures(self)));
            }
        }
    }

    /// As much of a list as fits into its share of a turn.
    fn calls(
        &self,
        filter: &CallFilter,
        after: Option<Guid>,
        limit: usize,
        clock: &Clock,
    ) -> CallSlice {
        let until = clock.mono() + SLICE_TIME;
        let mut slice = self.proxy.calls(filter, after, limit);
        while let Some(after) = slice.next.filter(|_| slice.calls.len() < limit)
            && clock.mono() < until
        {
            let more = self.proxy.calls(filter, Some(after), limit - slice.calls.len());
            slice.calls.extend(more.calls);
            slice.next = more.next;
        }
        slice
    }

    /// A resource, after a change.
    fn administered(
        &mut self,
        group: &str,
        name: &str,
        change: Option<Wanted>,
    ) -> Option<Administered> {
        self.proxy.resource(group, name)?;
        if let Some(change) = change {
            let will = match change {
                Wanted::Will(will) => Some(will),
                Wanted::Reset => None,
            };
            self.input(Input::Administer { resource: name, will });
        }
        let resource = self.proxy.resource(group, name)?;
        let wills = self.proxy.wills().map(|(name, will)| (name.to_owned(), will)).collect();
        Some(Administered { resource, wills })
    }

    pub(crate) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Messages that came in this turn.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived
    }

    pub(crate) fn queue_age(&self) -> Duration {
        self.queue_age
    }

    /// The turn's time since 1970.
    fn wall(&self) -> Duration {
        Duration::from_millis(self.now.wall.0)
    }

    /// Something has come, at this time if the kernel has told it.
    fn came(&mut self, received: Option<Duration>, flow: Flow, bytes: &[u8]) {
        let wall = self.wall();
        if let Some(mirror) = &mut self.mirror {
            mirror.copy(received.unwrap_or(wall), Direction::In, flow, bytes);
        }
    }

    /// Everything that the proxy has to say. A name that cannot be asked for is answered at once,
    /// which may have it say more.
    fn drain(&mut self) {
        let mut unasked = Vec::new();
        loop {
            self.pour(&mut unasked);
            let Some(goal) = unasked.pop() else { return };
            let (found, ttl) = (Err(Failure::Unanswered), Duration::ZERO);
            self.proxy.handle_input(self.now, Input::Resolved { goal, found, ttl });
        }
    }

    fn pour(&mut self, unasked: &mut Vec<Goal>) {
        let wall = self.wall();
        while let Some(transmit) = self.proxy.poll_transmit(&mut self.outbox.bytes) {
            let bytes = self.outbox.push(transmit.flow, transmit.len);
            if let Some(mirror) = &mut self.mirror {
                mirror.copy(wall, Direction::Out, transmit.flow, bytes);
            }
        }
        while let Some(event) = self.proxy.poll_event(&mut self.record) {
            let left = self.journal.take(event, &self.record);
            self.record.clear();
            match left {
                Some(Event::Log { id, session, fields }) => {
                    let session = session.map(|guid| guid.to_string());
                    let fields: Vec<_> =
                        fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    self.log.emit(id, session.as_deref(), &fields);
                }
                Some(Event::Resolve { goal }) => {
                    if !self.asker.ask(goal.clone()) {
                        unasked.push(goal);
                    }
                }
                Some(Event::Discover { listing }) => {
                    // what nobody takes is failed by the engine when its time is over
                    let _ = self.asker.list(listing);
                }
                Some(Event::Alias { flow, port }) => self.outbox.aliases.push((flow, port)),
                Some(Event::Record { .. } | Event::Forget { .. }) | None => {}
            }
        }
    }
}

impl Sink for Engine {
    fn arrived(&mut self, arrival: Arrival<'_>) {
        self.arrived += 1;
        match arrival {
            Arrival::Packet { flow, bytes, received } => {
                // The turn's time is its beginning: what came later has waited for nothing.
                let (wall, mono) = (self.wall(), self.now.mono);
                let waited = || mono.saturating_sub(self.idle);
                let age = received.map_or_else(waited, |at| wall.saturating_sub(at));
                self.queue_age = self.queue_age.max(age);
                self.came(received, flow, bytes);
                self.input(Input::Packet { flow, bytes, age });
            }
            Arrival::Broken { flow, bytes, error } => {
                self.came(None, flow, bytes);
                self.input(Input::Broken { flow, bytes, error });
            }
            Arrival::Verified { flow, names } => self.input(Input::Verified { flow, names }),
            Arrival::Failed(flow) => self.input(Input::FlowFailed { flow }),
            Arrival::Unopened(flow) => self.input(Input::ConnectFailed { flow }),
        }
    }

    fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }
}
