//! One simulated end: a socket, its transactions, and the loop that feeds a part.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use net::udp::{ReceiveBatch, SendBatch, UdpSocket};
use net::{Clock, Interest, Poller, Token};
use sip::endpoint::{ClientId, ClientOptions, Endpoint, Received, ServerId, TransactionEvent};
use sip::limits::Limits;
use sip::message::Message;
use sip::print;
use sip::transaction::timer::Timers;
use sip::transport::{Flow, Transport};

/// Longest sleep, so that a stop is seen.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// Longest time after a stop for calls to be hung up.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a part does with what happens.
pub(super) trait Part {
    /// A message that the transaction layer passed up.
    fn received(&mut self, phone: &mut Phone, now: Duration, flow: Flow, received: Received<'_>);
    /// A transaction ended without an answer, or otherwise.
    fn event(&mut self, phone: &mut Phone, now: Duration, event: TransactionEvent);
    /// Does what is due; returns when it wants to be called again.
    fn tick(&mut self, phone: &mut Phone, now: Duration) -> Option<Duration>;
    /// Begins to end: no new calls, hang up the ones that are up.
    fn stop(&mut self, phone: &mut Phone, now: Duration);
    /// Nothing is left to do.
    fn done(&self) -> bool;
}

/// A socket and its transactions.
pub(super) struct Phone {
    socket: UdpSocket,
    clock: Clock,
    endpoint: Endpoint,
    out: Vec<u8>,
    batch: SendBatch,
    branches: u64,
}

impl Phone {
    fn new(socket: UdpSocket) -> Self {
        let clock = Clock::start();
        let seed = u64::from(socket.local().port()) ^ clock.now().wall.0;
        Self {
            socket,
            clock,
            endpoint: Endpoint::new(Limits::default(), Timers::default(), seed),
            out: Vec::new(),
            batch: SendBatch::new(),
            branches: 0,
        }
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.socket.local()
    }

    /// Milliseconds since 1970, to make Call-IDs differ between runs.
    pub(super) fn wall(&self) -> u64 {
        self.clock.now().wall.0
    }

    /// A branch that no other transaction has.
    pub(super) fn branch(&mut self) -> String {
        self.branches += 1;
        format!("z9hG4bK-sim{}x{}", self.local().port(), self.branches)
    }

    /// Answers a request; `body` is SDP.
    pub(super) fn respond(
        &mut self,
        now: Duration,
        id: ServerId,
        request: &Message<'_>,
        flow: Flow,
        answer: Answer<'_>,
    ) {
        let contact = format!("<sip:{}>", self.local());
        let mut bytes = Vec::with_capacity(1024);
        let phrase = print::phrase(answer.code);
        let extra = [("Contact", contact.as_str())];
        print::response(request, answer.code, phrase, answer.tag, &extra, flow, &mut bytes);
        if let Some(sdp) = answer.sdp {
            with_body(&mut bytes, sdp);
        }
        self.endpoint.respond(now, id, answer.code, &bytes);
    }

    /// Sends a request in a transaction of its own.
    pub(super) fn request(&mut self, now: Duration, to: SocketAddr, bytes: Vec<u8>) -> ClientId {
        self.endpoint.request(now, udp(to), &bytes, ClientOptions::default())
    }

    /// Sends an ACK.
    pub(super) fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        self.endpoint.send(udp(to), bytes);
    }

    fn flush(&mut self) {
        self.out.clear();
        loop {
            let start = self.out.len();
            let Some(transmit) = self.endpoint.poll_transmit(&mut self.out) else { break };
            self.batch.push(start..self.out.len(), transmit.flow.remote);
        }
        // What could not leave is sent again by its transaction.
        self.batch.flush(&self.socket, &self.out, |_| {});
    }
}

/// An answer of a simulated end.
pub(super) struct Answer<'a> {
    pub(super) code: u16,
    pub(super) tag: Option<&'a str>,
    pub(super) sdp: Option<&'a str>,
}

/// Runs a part until it is done, or stopped and done.
pub(super) fn run(
    socket: UdpSocket,
    mut part: impl Part,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    let mut phone = Phone::new(socket);
    let mut poller = Poller::new()?;
    poller.add(&phone.socket, Token(0), Interest::Read)?;
    let (mut ready, mut received) = (Vec::new(), ReceiveBatch::new());
    let mut stopped: Option<Duration> = None;
    while !part.done() {
        let now = phone.clock.mono();
        if stopped.is_none() && stop.load(Ordering::Relaxed) {
            stopped = Some(now);
            part.stop(&mut phone, now);
        }
        if stopped.is_some_and(|since| now > since + LAST_WORDS) {
            break;
        }
        let wanted = part.tick(&mut phone, now);
        phone.flush();
        let timer = phone.endpoint.poll_timeout().map(|(at, _)| at);
        let next = [wanted, timer].into_iter().flatten().min();
        let sleep = next.map_or(LONGEST_SLEEP, |at| at.saturating_sub(now).min(LONGEST_SLEEP));
        poller.wait(Some(sleep), &mut ready)?;
        turn(&mut phone, &mut part, &mut received);
    }
    Ok(())
}

fn turn(phone: &mut Phone, part: &mut impl Part, batch: &mut ReceiveBatch) {
    let now = phone.clock.mono();
    // An error is that of an earlier send (port unreachable); the next receive goes on.
    let _ = batch.receive(&phone.socket);
    for datagram in batch.datagrams() {
        let flow = udp(datagram.from);
        let received = phone.endpoint.handle_input(now, flow, datagram.bytes);
        part.received(phone, now, flow, received);
    }
    phone.endpoint.handle_timeout(now);
    while let Some(event) = phone.endpoint.poll_event() {
        part.event(phone, now, event);
    }
    phone.flush();
}

fn udp(remote: SocketAddr) -> Flow {
    Flow { transport: Transport::Udp, listener: 0, remote, conn: None }
}

/// Puts a body under a response that was printed with `Content-Length: 0` as its last line.
fn with_body(bytes: &mut Vec<u8>, sdp: &str) {
    const EMPTY: &[u8] = b"Content-Length: 0\r\n\r\n";
    if bytes.ends_with(EMPTY) {
        bytes.truncate(bytes.len() - EMPTY.len());
        let tail =
            format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
        bytes.extend_from_slice(tail.as_bytes());
    }
}
