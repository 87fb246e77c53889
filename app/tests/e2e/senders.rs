//! Producers that send until they are told to end, over connections that may break at any moment:
//! our OpenWire client, STOMP, stock ActiveMQ clients in Java, stomp.py, and HTTP.
//!
//! What got no answer is sent again with the same ids, or, as a producer that is lost would leave
//! it, never. Where nothing may break, a producer that meets an error ends the test.

mod openwire;
mod programs;
mod stomp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use model::chance::Chance;

use crate::book::{Book, Pen, RECORDS, Send};
use crate::http;

pub(crate) use programs::{java, python};

/// Sends that are under way at once on one connection.
const WINDOW: usize = 8;
/// Pause after a connection that was refused or broke.
const BREATH: Duration = Duration::from_millis(20);
/// Pause of a steady producer after each answer: the load is then bounded, however long it lasts.
const PACE: Duration = Duration::from_millis(30);

/// What all senders share.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) book: Arc<Book>,
    pub(crate) broker: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) seed: u64,
    /// Told to send nothing new.
    pub(crate) over: Arc<AtomicBool>,
    /// No connection breaks, and nothing is refused.
    pub(crate) steady: bool,
}

impl Order {
    fn breathe(&self) {
        if self.steady {
            std::thread::sleep(PACE);
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// There is more to send: a call that has begun is told to its end.
    fn goes_on(&self, pen: &Pen) -> bool {
        !self.is_over() || pen.within()
    }

    fn chance(&self, number: u32) -> Chance {
        Chance::new([self.seed, u64::from(number), 3, 4])
    }
}

/// Nothing new is sent when this is gone: when the test ends, in whichever way.
pub(crate) struct Over(pub(crate) Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How many records the next send has at most: half of all have one.
fn most(chance: &mut Chance) -> u32 {
    let most = if chance.below(2) == 0 { 1 } else { 2 + chance.below(u64::from(RECORDS) - 2) };
    u32::try_from(most).unwrap()
}

/// The number of a send.
fn tag_of(send: &Send) -> u64 {
    send.name.rsplit('.').next().unwrap().parse().unwrap()
}

/// One connection of a protocol. `None` of each: it is gone.
trait Line: Sized {
    /// A transaction may go to several queues.
    const MIXED: bool;

    fn connect(broker: SocketAddr, name: &str, attempt: u32) -> Option<Self>;

    /// Hands one over, as a message or as a transaction.
    fn send(&mut self, tag: u64, send: &Send) -> Option<()>;

    /// The next acknowledgement; nothing for a moment: `Some(None)`.
    fn answer(&mut self) -> Option<Option<u64>>;
}

/// A thread that sends over OpenWire with our own client.
pub(crate) fn openwire(order: Order, number: u32) -> JoinHandle<()> {
    std::thread::spawn(move || {
        over::<openwire::Openwire>(&order, &format!("wire-{number}"), number)
    })
}

/// A thread that sends over STOMP.
pub(crate) fn stomp(order: Order, number: u32) -> JoinHandle<()> {
    std::thread::spawn(move || over::<stomp::Stomp>(&order, &format!("stomp-{number}"), number))
}

/// Messages one by one, several under way, and transactions.
fn over<L: Line>(order: &Order, name: &str, number: u32) {
    let (mut pen, mut chance) = (Pen::new(name, number, L::MIXED), order.chance(number));
    let mut unanswered: Vec<Send> = Vec::new();
    for attempt in 0.. {
        if !order.goes_on(&pen) && unanswered.is_empty() {
            return;
        }
        assert!(attempt == 0 || !order.steady, "{name}: its connection broke");
        // half of what got no answer is lost with its producer
        unanswered.retain(|_| order.is_over() || chance.below(2) == 0);
        if let Some(mut line) = L::connect(order.broker, name, attempt) {
            // how it ended does not matter: the next one goes on
            let _ended = work(order, &mut line, (&mut pen, &mut chance), &mut unanswered);
        }
        std::thread::sleep(BREATH);
    }
}

/// Until the connection breaks (`None`), or all is answered and it is over.
fn work(
    order: &Order,
    line: &mut impl Line,
    (pen, chance): (&mut Pen, &mut Chance),
    unanswered: &mut Vec<Send>,
) -> Option<()> {
    for send in &*unanswered {
        line.send(tag_of(send), send)?;
    }
    loop {
        while order.goes_on(pen) && unanswered.len() < WINDOW {
            let send = pen.send(&order.book, most(chance));
            let sent = line.send(tag_of(&send), &send);
            unanswered.push(send);
            sent?;
        }
        if unanswered.is_empty() {
            return Some(());
        }
        if let Some(tag) = line.answer()? {
            let at = unanswered.iter().position(|send| tag_of(send) == tag);
            let Some(at) = at else { panic!("an answer to nothing: {tag}") };
            order.book.acknowledged(&unanswered.remove(at));
            order.breathe();
        }
    }
}

/// A thread that sends over HTTP: arrays and lines.
pub(crate) fn http(order: Order, number: u32) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let name = format!("http-{number}");
        let (mut pen, mut chance) = (Pen::new(&name, number, true), order.chance(number));
        while order.goes_on(&pen) {
            let send = pen.send(&order.book, most(&mut chance));
            let records: Vec<&str> = send.records.iter().map(|record| &*record.body).collect();
            let (kind, body) = match chance.below(2) {
                0 => ("json", format!("[{}]", records.join(","))),
                _ => ("x-ndjson", records.join("\n")),
            };
            let head = format!("Content-Type: application/{kind}\r\n");
            let mut stored = posted(&order, &head, &body);
            assert!(stored || !order.steady, "{name}: no answer");
            while !stored && chance.below(3) > 0 {
                std::thread::sleep(BREATH);
                stored = posted(&order, &head, &body);
            }
            if stored {
                order.book.acknowledged(&send);
            }
            order.breathe();
        }
    })
}

fn posted(order: &Order, head: &str, body: &str) -> bool {
    let Ok(answer) = http::ask(order.http, "POST", "/api/v1/records", head, body) else {
        return false;
    };
    let fine = answer.status == 200 || !order.steady && [0, 503].contains(&answer.status);
    assert!(fine, "{}: {}", answer.status, answer.body);
    let good = answer.status != 200 || answer.body.contains("\"dead_lettered\":[]");
    assert!(good, "{}", answer.body);
    answer.status == 200
}

/// Nothing came within the time of a read.
fn is_silence(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
