//! A producer with a connection of its own: messages, several under way, and transactions. What
//! got no answer before its connection broke is sent again with the same ids, or never.

use std::collections::VecDeque;
use std::time::Duration;

use model::chance::Chance;
use openwire::{
    Broker, BrokerEvent, BrokerSettings, Client, ClientEvent, ClientSettings, Inbound, Limits,
    Outbound, Ticket,
};

use super::house::House;
use super::{Book, Sent};

/// Sends under way at once.
const WINDOW: usize = 4;
const QUEUE: &str = "ringmaster.event";

/// Both ends of a connection.
struct Line {
    client: Client,
    broker: Broker,
    ready: bool,
    /// Taken by the broker, not by the spool.
    parked: VecDeque<(Ticket, Vec<Inbound>)>,
}

pub(super) struct Sender {
    number: u64,
    attempt: u32,
    sends: u64,
    line: Option<Line>,
    /// Number and records of what has no answer.
    unanswered: Vec<(u64, Vec<String>)>,
}

impl Sender {
    pub(super) const fn new(number: u64) -> Self {
        Self { number, attempt: 0, sends: 0, line: None, unanswered: Vec::new() }
    }

    /// Everything is answered.
    pub(super) fn is_quiet(&self) -> bool {
        self.unanswered.is_empty()
    }

    /// The connection is gone.
    pub(super) fn lost(&mut self) {
        self.line = None;
    }

    pub(super) fn turn(
        &mut self,
        now: Duration,
        house: &mut House,
        book: &mut Book,
        chance: &mut Chance,
        sending: bool,
    ) -> Result<(), String> {
        if sending && chance.below(60) == 0 && self.line.take().is_some() {
            house.forget(self.number);
        }
        let Some(mut line) = self.line.take() else {
            self.connect(now, house, chance);
            return Ok(());
        };
        for ticket in house.answers(self.number) {
            line.broker.stored(ticket);
        }
        if line.ready && sending && self.unanswered.len() < WINDOW && chance.below(2) == 0 {
            self.send(&mut line, book, chance)?;
        }
        line.time(now);
        while line.carry(now) {}
        self.hear(&mut line, book)?;
        self.hand_over(&mut line, house, book)?;
        while line.carry(now) {}
        self.line = Some(line);
        Ok(())
    }

    fn connect(&mut self, now: Duration, house: &mut House, chance: &mut Chance) {
        house.forget(self.number);
        // some of what got no answer is lost with its producer
        self.unanswered.retain(|_| chance.below(4) > 0);
        self.attempt += 1;
        let settings = ClientSettings {
            client_id: None,
            connection_id: format!("ID:sim-{}:1", self.number),
            user: None,
            password: None,
            attempt: self.attempt,
            limits: Limits::default(),
        };
        let client = Client::new(settings, now);
        let broker = Broker::new(BrokerSettings::new("rs-1"), now);
        self.line = Some(Line { client, broker, ready: false, parked: VecDeque::new() });
    }

    fn send(
        &mut self,
        line: &mut Line,
        book: &mut Book,
        chance: &mut Chance,
    ) -> Result<(), String> {
        self.sends += 1;
        let name = format!("{}.{}", self.number, self.sends);
        let count = if chance.below(2) == 0 { 1 } else { 2 + chance.below(12) };
        let records: Vec<String> = (0..count).map(|record| format!("{name}/{record}")).collect();
        book.insert(name, Sent { records: records.clone(), ..Sent::default() });
        line.send(self.sends, &records)?;
        self.unanswered.push((self.sends, records));
        Ok(())
    }

    /// What the client is told.
    fn hear(&mut self, line: &mut Line, book: &mut Book) -> Result<(), String> {
        while let Some(event) = line.client.poll_event() {
            match event {
                ClientEvent::Ready => {
                    line.ready = true;
                    for (number, records) in &self.unanswered {
                        line.send(*number, records)?;
                    }
                }
                ClientEvent::Acknowledged { tag } => {
                    self.unanswered.retain(|(number, _)| *number != tag);
                    let name = format!("{}.{tag}", self.number);
                    book.get_mut(&name).ok_or("an answer to nothing")?.acknowledged = true;
                }
                ClientEvent::Referred(_) => {}
                ClientEvent::Refused { text, .. } => return Err(text),
                ClientEvent::Closed { why } => return Err(why.to_string()),
            }
        }
        Ok(())
    }

    /// What the broker has taken goes into the spool, in order; what has no room waits.
    fn hand_over(&self, line: &mut Line, house: &mut House, book: &mut Book) -> Result<(), String> {
        while let Some(event) = line.broker.poll_event() {
            match event {
                BrokerEvent::Login { .. } => line.broker.accept_login(),
                BrokerEvent::Store { ticket, messages } => {
                    line.parked.push_back((ticket, messages));
                }
                BrokerEvent::Note(_) => {}
                BrokerEvent::Closed { why } => return Err(why.to_string()),
            }
        }
        while let Some((ticket, messages)) = line.parked.front() {
            if !house.take(self.number, *ticket, messages, book)? {
                break;
            }
            line.parked.pop_front();
        }
        Ok(())
    }
}

impl Line {
    fn send(&mut self, number: u64, records: &[String]) -> Result<(), String> {
        let body: &[u8] = b"{}";
        let all: Vec<Outbound<'_>> = (1..)
            .zip(records)
            .map(|(n, id)| Outbound {
                record_id: id,
                kind: "call.event",
                schema: 1,
                body,
                sequence: number * 100 + n,
            })
            .collect();
        let sent = match &all[..] {
            [one] => self.client.send(QUEUE, number, one),
            all => self.client.send_transaction(QUEUE, number, all),
        };
        sent.map_err(|error| error.to_string())
    }

    /// Bytes from one end to the other; false: there were none.
    fn carry(&mut self, now: Duration) -> bool {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        self.client.poll_transmit(&mut up);
        self.broker.poll_transmit(&mut down);
        if !up.is_empty() {
            self.broker.handle_input(now, &up);
        }
        if !down.is_empty() {
            self.client.handle_input(now, &down);
        }
        !up.is_empty() || !down.is_empty()
    }

    fn time(&mut self, now: Duration) {
        if self.client.poll_timeout().is_some_and(|due| due <= now) {
            self.client.handle_timeout(now);
        }
        if self.broker.poll_timeout().is_some_and(|due| due <= now) {
            self.broker.handle_timeout(now);
        }
    }
}
