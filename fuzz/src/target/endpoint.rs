//! `sip::endpoint`: any script leaves it sound after each step and empty at the end.
//!
//! ```text
//! @in udp|tcp      a packet arrives: the text
//! @request udp|tcp a request leaves: the text; `$branch` is a fresh branch
//! @respond CODE    the latest open request is answered with this status
//! @discard         … or forgotten
//! @cancel          the latest request of ours is given up
//! @fail udp|tcp    the flow fails
//! @wait MS         time passes
//! ```

use std::time::Duration;

use sip::endpoint::{ClientId, ClientOptions, Endpoint, Received, ServerId, Timers};
use sip::limits::Limits;
use sip::parse::parse;
use sip::print::response;
use sip::transport::{Flow, Transport};

use super::script::{Step, flow, messages, replace, steps};

const STEPS: usize = 200;
/// Longer than all timers of a transaction, one behind the other.
const LONG: Duration = Duration::from_secs(200);

struct Machine {
    endpoint: Endpoint,
    now: Duration,
    servers: Vec<(ServerId, Vec<u8>)>,
    clients: Vec<ClientId>,
}

pub(super) fn run(data: &[u8]) {
    let limits = Limits { pending_transactions: 6, finished_transactions: 4, ..Limits::DEFAULT };
    let mut machine = Machine {
        endpoint: Endpoint::new(limits, Timers::default(), 3),
        now: Duration::ZERO,
        servers: Vec::new(),
        clients: Vec::new(),
    };
    for step in steps(data, STEPS) {
        machine.step(&step);
        machine.drain();
        assert_eq!(machine.endpoint.invariant(), Ok(()));
    }
    machine.finish();
}

impl Machine {
    fn step(&mut self, step: &Step<'_>) {
        let flow = flow(([10, 0, 0, 9], 5060).into(), step.word(0) == "tcp");
        match step.name() {
            "in" if flow.transport == Transport::Udp => self.packet(flow, &step.message()),
            "in" => self.stream(flow, &step.message()),
            "request" => {
                let mut text = step.message();
                let branch = format!("z9hG4bK{}", self.clients.len());
                replace(&mut text, b"$branch", branch.as_bytes());
                let options = ClientOptions::default();
                self.clients.push(self.endpoint.request(self.now, flow, &text, options));
            }
            "respond" => self.respond(u16::try_from(step.number(0, 699)).unwrap_or(0)),
            "discard" => {
                if let Some((id, _)) = self.servers.pop() {
                    self.endpoint.discard(id);
                }
            }
            "cancel" => {
                if let Some(id) = self.clients.last() {
                    self.endpoint.cancel(self.now, *id, None);
                }
            }
            "fail" => self.endpoint.handle_flow_failed(self.now, flow),
            "wait" => self.wait(Duration::from_millis(step.number(0, 100_000))),
            _ => {}
        }
    }

    fn packet(&mut self, flow: Flow, bytes: &[u8]) {
        let received = self.endpoint.handle_input(self.now, flow, bytes);
        if let Received::Request { id, message } = received {
            self.servers.push((id, message.raw().to_vec()));
        }
    }

    fn stream(&mut self, flow: Flow, bytes: &[u8]) {
        let (messages, broken) = messages(bytes);
        messages.iter().for_each(|message| self.packet(flow, message));
        if let Some((rest, error)) = broken {
            self.endpoint.handle_broken(self.now, flow, &rest, error);
        }
    }

    fn respond(&mut self, code: u16) {
        let Some((id, request)) = self.servers.last() else { return };
        let Ok(message) = parse(request, &Limits::DEFAULT) else { return };
        let Some(to) = self.endpoint.flow_of(*id) else { return };
        let code = code.max(100);
        let mut bytes = Vec::new();
        response(&message, code, "Any", Some("here"), &[], to, &mut bytes);
        self.endpoint.respond(self.now, *id, code, &bytes);
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.endpoint.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        let mut out = Vec::new();
        while let Some(transmit) = self.endpoint.poll_transmit(&mut out) {
            assert_eq!(transmit.len, out.len(), "what is sent has its length");
            out.clear();
        }
        while self.endpoint.poll_event().is_some() {}
    }

    /// Answers or forgets whatever is open; then time alone must empty the endpoint.
    fn finish(&mut self) {
        while !self.servers.is_empty() {
            self.respond(500);
            if let Some((id, _)) = self.servers.pop() {
                self.endpoint.discard(id);
            }
        }
        for id in std::mem::take(&mut self.clients) {
            self.endpoint.cancel(self.now, id, None);
        }
        self.drain();
        self.wait(LONG);
        assert_eq!((self.endpoint.pending(), self.endpoint.finished()), (0, 0), "it is empty");
        assert_eq!(self.endpoint.poll_timeout(), None, "nothing is due");
    }
}
