//! Producers that send until they are told to end, over connections that break at any moment: our
//! OpenWire client and HTTP.
//!
//! What got no answer is sent again with the same ids, or, as a producer that is lost would leave
//! it, never.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use model::chance::Chance;
use net::Clock;
use openwire::{Client, ClientEvent, ClientSettings, Limits, Outbound};

use crate::book::{Book, Pen, RECORDS, Send};
use crate::http;

/// Sends that are under way at once on one OpenWire connection.
const WINDOW: usize = 8;
/// Pause after a connection that was refused or broke.
const BREATH: Duration = Duration::from_millis(20);

/// What all senders share.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) book: Arc<Book>,
    pub(crate) broker: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) seed: u64,
    /// Told to send nothing new.
    pub(crate) over: Arc<AtomicBool>,
}

impl Order {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn chance(&self, number: u32) -> Chance {
        Chance::new([self.seed, u64::from(number), 3, 4])
    }
}

/// A thread that sends over OpenWire: messages one by one, several under way, and transactions.
pub(crate) fn openwire(order: Order, number: u32) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let name = format!("wire-{number}");
        let (mut pen, mut chance) = (Pen::new(&name, number), order.chance(number));
        let mut unanswered: Vec<Send> = Vec::new();
        for attempt in 0.. {
            if order.is_over() && unanswered.is_empty() {
                return;
            }
            // half of what got no answer is lost with its producer
            unanswered.retain(|_| order.is_over() || chance.below(2) == 0);
            if let Some(mut line) = Line::connect(order.broker, &name, attempt) {
                line.work(&order, (&mut pen, &mut chance), &mut unanswered);
            }
            std::thread::sleep(BREATH);
        }
    })
}

struct Line {
    stream: TcpStream,
    client: Client,
    clock: Clock,
    sequence: u64,
}

impl Line {
    fn connect(broker: SocketAddr, name: &str, attempt: u32) -> Option<Self> {
        let stream = TcpStream::connect(broker).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(100))).ok()?;
        let clock = Clock::start();
        let settings = ClientSettings {
            client_id: None,
            connection_id: format!("ID:{name}-{attempt}:1"),
            user: None,
            password: None,
            attempt,
            limits: Limits::default(),
        };
        let client = Client::new(settings, clock.mono());
        let mut line = Self { stream, client, clock, sequence: 0 };
        loop {
            match line.event()? {
                Some(ClientEvent::Ready) => return Some(line),
                Some(ClientEvent::Closed { .. }) => return None,
                Some(_) | None => {}
            }
        }
    }

    /// Until the connection breaks, or all is answered and it is over.
    fn work(
        &mut self,
        order: &Order,
        (pen, chance): (&mut Pen, &mut Chance),
        unanswered: &mut Vec<Send>,
    ) {
        for send in &*unanswered {
            self.send(send);
        }
        loop {
            while !order.is_over() && unanswered.len() < WINDOW {
                let events = if chance.below(2) == 0 { 1 } else { 2 + chance.below(18) };
                let send = pen.send(&order.book, u32::try_from(events).unwrap().min(RECORDS));
                self.send(&send);
                unanswered.push(send);
            }
            if unanswered.is_empty() {
                return;
            }
            match self.event() {
                Some(Some(ClientEvent::Acknowledged { tag })) => {
                    let at = unanswered.iter().position(|send| tag_of(send) == tag).unwrap();
                    pen.acknowledged(&order.book, &unanswered.remove(at));
                }
                Some(Some(ClientEvent::Closed { .. })) | None => return,
                Some(Some(other)) => panic!("{other:?}"),
                Some(None) => {}
            }
        }
    }

    fn send(&mut self, send: &Send) {
        let mut all = Vec::new();
        for (id, body) in &send.records {
            self.sequence += 1;
            let (sequence, body) = (self.sequence, body.as_bytes());
            all.push(Outbound { record_id: id, kind: "call.event", schema: 1, body, sequence });
        }
        let (queue, tag) = ("ringmaster.event", tag_of(send));
        match &all[..] {
            [one] => self.client.send(queue, tag, one).unwrap(),
            all => self.client.send_transaction(queue, tag, all).unwrap(),
        }
    }

    /// What happens next; `None`: the connection is gone; nothing for a moment: `Some(None)`.
    fn event(&mut self) -> Option<Option<ClientEvent>> {
        if let Some(event) = self.client.poll_event() {
            return Some(Some(event));
        }
        let mut bytes = Vec::new();
        if self.client.poll_transmit(&mut bytes) {
            self.stream.write_all(&bytes).ok()?;
        }
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(read) => self.client.handle_input(self.clock.mono(), &buffer[..read]),
            Err(error) if is_silence(&error) => self.client.handle_timeout(self.clock.mono()),
            Err(_) => return None,
        }
        Some(self.client.poll_event())
    }
}

fn is_silence(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// The number of a send.
fn tag_of(send: &Send) -> u64 {
    send.name.rsplit('.').next().unwrap().parse().unwrap()
}

/// A thread that sends over HTTP: arrays and lines.
pub(crate) fn http(order: Order, number: u32) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let name = format!("http-{number}");
        let (mut pen, mut chance) = (Pen::new(&name, number), order.chance(number));
        while !order.is_over() {
            let events = u32::try_from(1 + chance.below(u64::from(RECORDS))).unwrap();
            let send = pen.send(&order.book, events);
            let records: Vec<&str> = send.records.iter().map(|(_, body)| &**body).collect();
            let (kind, body) = match chance.below(2) {
                0 => ("json", format!("[{}]", records.join(","))),
                _ => ("x-ndjson", records.join("\n")),
            };
            let head = format!("Content-Type: application/{kind}\r\n");
            let mut stored = posted(&order, &head, &body);
            while !stored && chance.below(3) > 0 {
                std::thread::sleep(BREATH);
                stored = posted(&order, &head, &body);
            }
            if stored {
                pen.acknowledged(&order.book, &send);
            }
        }
    })
}

fn posted(order: &Order, head: &str, body: &str) -> bool {
    let Ok(answer) = http::ask(order.http, "POST", "/api/v1/records", head, body) else {
        return false;
    };
    assert!([0, 200, 503].contains(&answer.status), "{}: {}", answer.status, answer.body);
    let good = answer.status != 200 || answer.body.contains("\"dead_lettered\":[]");
    assert!(good, "{}", answer.body);
    answer.status == 200
}
