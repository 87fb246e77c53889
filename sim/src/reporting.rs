//! The Reporting Server: brokers at the door, and behind them the ledger and the calls as
//! `core/rs` makes them, in maps instead of a database.
//!
//! What a broker was given is on its disk some time later, and answered then. When it goes down,
//! of what was not answered yet some is stored and some is not: the sender cannot know.

use std::collections::BTreeMap;
use std::time::Duration;

use model::chance::Chance;
use model::record::{Arrived, Body as RecordBody, ContentHash, Phase, Record};
use model::time::{Millis, Now};
use openwire::{Body, Broker, BrokerEvent, BrokerSettings, Inbound, Ticket};
use rs::{CallRow, CallState, Fact, Key, Told};

use crate::network::{Conn, Packet};
use crate::seed;

/// Something that waits for the disk.
struct Waiting {
    conn: Conn,
    ticket: Ticket,
    messages: Vec<Inbound>,
}

/// One end record as it arrived first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// `<GUID>.<leg id>`.
    pub session: String,
    /// The owner's epoch.
    pub epoch: u64,
    /// Facts come from a token.
    pub rebuilt: bool,
}

/// The Reporting Server.
pub struct Reporting {
    /// How long a message takes to its disk.
    pub disk: Duration,
    up: bool,
    brokers: BTreeMap<Conn, Broker>,
    waiting: BTreeMap<(Duration, u64), Waiting>,
    number: u64,
    chance: Chance,
    ledger: BTreeMap<Key, ContentHash>,
    /// Ids of all records, with how often each arrived.
    arrived: BTreeMap<String, u64>,
    calls: BTreeMap<Key, CallState>,
    ends: Vec<End>,
    /// By producer, boot and stream: the highest sequence, and how many.
    sequences: BTreeMap<(String, u64, String), (u64, u64)>,
    fault: Option<String>,
}

impl Reporting {
    /// One that is up and knows nothing.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            disk: Duration::from_millis(5),
            up: true,
            brokers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            number: 0,
            chance: seed::chance(seed, 3),
            ledger: BTreeMap::new(),
            arrived: BTreeMap::new(),
            calls: BTreeMap::new(),
            ends: Vec::new(),
            sequences: BTreeMap::new(),
            fault: None,
        }
    }

    /// Down, all connections broken; or up again. Gives back whom to tell.
    pub fn set_up(&mut self, now: Now, up: bool) -> Vec<Packet> {
        self.up = up;
        if up {
            return Vec::new();
        }
        for waiting in std::mem::take(&mut self.waiting).into_values() {
            if self.chance.below(2) == 0 {
                self.store(now, &waiting.messages);
            }
        }
        let gone = std::mem::take(&mut self.brokers).into_keys();
        gone.map(|conn| Packet::Closed { conn, up: false }).collect()
    }

    /// What has come over a connection.
    pub fn arrived(&mut self, now: Now, packet: &Packet, out: &mut Vec<Packet>) {
        match packet {
            Packet::Connect(conn) if self.up => {
                let broker = Broker::new(BrokerSettings::new("rs-1"), now.mono);
                self.brokers.insert(*conn, broker);
            }
            Packet::Connect(conn) => out.push(Packet::Closed { conn: *conn, up: false }),
            Packet::Stream { conn, bytes, .. } => match self.brokers.get_mut(conn) {
                Some(broker) => broker.handle_input(now.mono, bytes),
                None => out.push(Packet::Closed { conn: *conn, up: false }),
            },
            Packet::Closed { conn, .. } => drop(self.brokers.remove(conn)),
            Packet::Datagram { .. }
            | Packet::Segment { .. }
            | Packet::Lost(_)
            | Packet::Told { .. } => {}
        }
        self.settle(now, out);
    }

    /// When it wants to be called at the latest.
    #[must_use]
    pub fn next_time(&self) -> Option<Duration> {
        let disk = self.waiting.first_key_value().map(|((at, _), _)| *at);
        disk.into_iter().chain(self.brokers.values().filter_map(Broker::poll_timeout)).min()
    }

    /// What is due by now.
    pub fn time(&mut self, now: Now, out: &mut Vec<Packet>) {
        while let Some(entry) = self.waiting.first_entry().filter(|one| one.key().0 <= now.mono) {
            let Waiting { conn, ticket, messages } = entry.remove();
            self.store(now, &messages);
            if let Some(broker) = self.brokers.get_mut(&conn) {
                broker.stored(ticket);
            }
        }
        for broker in self.brokers.values_mut() {
            if broker.poll_timeout().is_some_and(|due| due <= now.mono) {
                broker.handle_timeout(now.mono);
            }
        }
        self.settle(now, out);
    }

    /// The calls as the report shows them.
    pub fn rows(&self) -> impl Iterator<Item = CallRow> {
        self.calls.values().map(|call| call.row(None))
    }

    /// The rows of one SIP call.
    #[must_use]
    pub fn rows_of(&self, call: &str) -> Vec<CallRow> {
        self.rows().filter(|row| row.call_id.as_deref() == Some(call)).collect()
    }

    /// End records, each id once.
    #[must_use]
    pub fn ends(&self) -> &[End] {
        &self.ends
    }

    /// Whether a record with this id has arrived.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.arrived.contains_key(id)
    }

    /// Ids of all records that have arrived.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.arrived.keys().map(String::as_str)
    }

    /// Records, each id once.
    #[must_use]
    pub fn records(&self) -> usize {
        self.arrived.len()
    }

    /// Copies of records that were there already.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.arrived.values().map(|times| times - 1).sum()
    }

    /// Sequences of all producers that are missing below the highest one that has come.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.sequences.values().map(|(highest, count)| highest - count).sum()
    }

    /// What was wrong with a record, the first time.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn settle(&mut self, now: Now, out: &mut Vec<Packet>) {
        let mut closed = Vec::new();
        for (conn, broker) in &mut self.brokers {
            while let Some(event) = broker.poll_event() {
                match event {
                    BrokerEvent::Login { .. } => broker.accept_login(),
                    BrokerEvent::Store { ticket, messages } => {
                        self.number += 1;
                        let at = now.mono + self.disk;
                        let waiting = Waiting { conn: *conn, ticket, messages };
                        self.waiting.insert((at, self.number), waiting);
                    }
                    BrokerEvent::Note(_) => {}
                    BrokerEvent::Closed { .. } => closed.push(*conn),
                }
            }
            let mut bytes = Vec::new();
            if broker.poll_transmit(&mut bytes) {
                out.push(Packet::Stream { conn: *conn, up: false, bytes });
            }
        }
        for conn in closed {
            self.brokers.remove(&conn);
            out.push(Packet::Closed { conn, up: false });
        }
    }

    fn store(&mut self, now: Now, messages: &[Inbound]) {
        for message in messages {
            if let Err(fault) = self.take(now.wall, message) {
                self.fault.get_or_insert(fault);
            }
        }
    }

    /// One record into ledger and call, as the store of `server/rsd` does it.
    fn take(&mut self, now: Millis, message: &Inbound) -> Result<(), String> {
        let Body::Text(text) = &message.body else { return Err("a body without text".to_owned()) };
        let arrived = Arrived { at: now, message_id: message.record_id.as_deref() };
        let read = Record::read(text.as_bytes(), &arrived);
        let (record, notes) = read.map_err(|refusal| format!("{refusal:?}: {text}"))?;
        let fact = Fact::of(&record, &notes);
        *self.arrived.entry(record.id.clone()).or_default() += 1;
        match self.ledger.insert(fact.keys.id_key, fact.content_hash) {
            Some(known) if known == fact.content_hash => return Ok(()),
            Some(_) => return Err(format!("two records with the id {}", record.id)),
            None => {}
        }
        self.count(&record);
        if let RecordBody::Cdr(cdr) = &record.body
            && cdr.phase == Phase::End
        {
            let rebuilt = record.extra.get("rebuilt").is_some_and(|flag| *flag == true);
            let epoch = cdr.epoch;
            self.ends.push(End { session: cdr.session_id.clone(), epoch, rebuilt });
        }
        if let (Told::Call(told), Some(key)) = (&fact.told, fact.keys.call_key) {
            let call = self.calls.entry(key).or_insert_with(|| CallState::new(key));
            call.apply(told);
            rs::invariant::check(&call.row(None)).map_err(ToOwned::to_owned)?;
        }
        Ok(())
    }

    fn count(&mut self, record: &Record) {
        let producer = &record.producer;
        let (Some(boot), Some(seq)) = (producer.boot, producer.seq) else { return };
        let stream = producer.stream.map_or_else(String::new, |stream| format!("{stream:?}"));
        let entry = self.sequences.entry((producer.name.clone(), boot, stream)).or_default();
        *entry = (entry.0.max(seq), entry.1 + 1);
    }
}
