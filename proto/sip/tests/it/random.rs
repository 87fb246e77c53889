//! Random sequences of everything an endpoint can be told, in any order and however senseless:
//! its invariant holds after each step, every id ends exactly once, and nothing stays for ever.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use sip::endpoint::{
    ClientId, ClientOptions, Endpoint, Received, ServerId, Timers, TransactionEvent,
};
use sip::limits::Limits;
use sip::transport::{ConnId, Flow, Transport};

use crate::wire::{flow, ms, request, response};

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Timeout,
    Come { method: usize, branch: u8, stream: bool },
    Answer { method: usize, branch: u8, code: u16, stream: bool },
    Respond { nth: usize, code: u16 },
    Discard { nth: usize },
    Send { method: usize, branch: u8, limit: Option<u64>, stream: bool },
    Cancel { nth: usize },
    Fail { stream: bool, conn: bool },
    Garbage(Vec<u8>),
}

const METHODS: [&str; 5] = ["INVITE", "ACK", "CANCEL", "BYE", "SUBSCRIBE"];
const BRANCHES: u8 = 6;

fn code() -> impl Strategy<Value = u16> {
    prop::sample::select(vec![100, 180, 200, 202, 302, 408, 486, 600])
}

fn step() -> impl Strategy<Value = Step> {
    let method = 0..METHODS.len();
    let branch = 0..BRANCHES;
    prop_oneof![
        2 => (0u64..40_000).prop_map(Step::Wait),
        3 => (0u64..700).prop_map(Step::Wait),
        2 => Just(Step::Timeout),
        6 => (method.clone(), branch.clone(), any::<bool>())
            .prop_map(|(method, branch, stream)| Step::Come { method, branch, stream }),
        6 => (method.clone(), branch.clone(), code(), any::<bool>())
            .prop_map(|(method, branch, code, stream)| Step::Answer {
                method, branch, code, stream,
            }),
        6 => (any::<usize>(), code()).prop_map(|(nth, code)| Step::Respond { nth, code }),
        1 => any::<usize>().prop_map(|nth| Step::Discard { nth }),
        5 => (method, branch, prop::option::of(0u64..5_000), any::<bool>())
            .prop_map(|(method, branch, limit, stream)| Step::Send {
                method, branch, limit, stream,
            }),
        3 => any::<usize>().prop_map(|nth| Step::Cancel { nth }),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(stream, conn)| Step::Fail { stream, conn }),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Garbage),
    ]
}

struct Machine {
    endpoint: Endpoint,
    now: Duration,
    servers: Vec<ServerId>,
    clients: Vec<ClientId>,
    ends: HashMap<String, usize>,
    discarded: usize,
}

fn transport(stream: bool) -> Transport {
    if stream { Transport::Tcp } else { Transport::Udp }
}

fn here(stream: bool) -> Flow {
    flow(transport(stream), 5060)
}

fn bytes(method: usize, branch: u8, stream: bool) -> Vec<u8> {
    // Two of the branches are those of an RFC 2543 peer.
    let cookie = if branch < 2 { "old" } else { "z9hG4bK" };
    request(METHODS[method], transport(stream), 5060, &format!("{cookie}{branch}"))
}

impl Machine {
    fn new() -> Self {
        let limits =
            Limits { pending_transactions: 6, finished_transactions: 4, ..Limits::DEFAULT };
        Self {
            endpoint: Endpoint::new(limits, Timers::default(), 3),
            now: Duration::ZERO,
            servers: Vec::new(),
            clients: Vec::new(),
            ends: HashMap::new(),
            discarded: 0,
        }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Wait(millis) => self.now += ms(millis),
            Step::Timeout => self.time_out(),
            Step::Come { method, branch, stream } => {
                self.come(stream, &bytes(method, branch, stream));
            }
            Step::Answer { method, branch, code, stream } => {
                self.come(stream, &response(&bytes(method, branch, stream), code));
            }
            Step::Respond { nth, code } => {
                if let Some(id) = pick(&self.servers, nth) {
                    let bytes = response(&bytes(0, 3, false), code);
                    self.endpoint.respond(self.now, id, code, &bytes);
                }
            }
            Step::Discard { nth } => {
                if let Some(id) = pick(&self.servers, nth) {
                    let before = self.endpoint.pending();
                    self.endpoint.discard(id);
                    self.discarded += before - self.endpoint.pending();
                }
            }
            Step::Send { method, branch, limit, stream } => {
                let options = ClientOptions { timeout: limit.map(ms) };
                let bytes = bytes(method, branch, stream);
                let id = self.endpoint.request(self.now, here(stream), &bytes, options);
                self.clients.push(id);
            }
            Step::Cancel { nth } => {
                if let Some(id) = pick(&self.clients, nth) {
                    self.endpoint.cancel(self.now, id, None);
                }
            }
            Step::Fail { stream, conn } => {
                let mut flow = here(stream);
                flow.conn = flow.conn.filter(|_| conn).or(Some(ConnId(9)).filter(|_| stream));
                self.endpoint.handle_flow_failed(self.now, flow);
            }
            Step::Garbage(bytes) => self.come(false, &bytes),
        }
        self.drain();
        assert_eq!(self.endpoint.invariant(), Ok(()));
    }

    fn come(&mut self, stream: bool, bytes: &[u8]) {
        if let Received::Request { id, .. } =
            self.endpoint.handle_input(self.now, here(stream), bytes)
        {
            self.servers.push(id);
        }
    }

    fn time_out(&mut self) {
        while self.endpoint.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
    }

    fn drain(&mut self) {
        let mut out = Vec::new();
        while let Some(transmit) = self.endpoint.poll_transmit(&mut out) {
            assert_eq!(transmit.len, out.len());
            assert!(transmit.len > 0);
            out.clear();
        }
        while let Some(event) = self.endpoint.poll_event() {
            let id = match event {
                TransactionEvent::ClientEnded { id }
                | TransactionEvent::Timeout { id }
                | TransactionEvent::TransportFailed { id } => format!("{id:?}"),
                TransactionEvent::ServerEnded { id } | TransactionEvent::ServerTimeout { id } => {
                    format!("{id:?}")
                }
            };
            *self.ends.entry(id).or_default() += 1;
        }
    }

    /// Answers and gives up whatever is open; then time alone must empty the endpoint.
    fn finish(&mut self) {
        for id in self.servers.clone() {
            let bytes = response(&bytes(0, 3, false), 500);
            self.endpoint.respond(self.now, id, 500, &bytes);
        }
        for id in self.clients.clone() {
            self.endpoint.cancel(self.now, id, None);
        }
        self.drain();
        self.now += ms(100_000);
        self.time_out();
        assert_eq!((self.endpoint.pending(), self.endpoint.finished()), (0, 0));
        assert_eq!(self.endpoint.poll_timeout(), None);
        assert!(self.ends.values().all(|count| *count == 1));
        assert_eq!(self.ends.len() + self.discarded, self.servers.len() + self.clients.len());
    }
}

fn pick<T: Copy>(from: &[T], nth: usize) -> Option<T> {
    (!from.is_empty()).then(|| from[nth % from.len()])
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_leaves_the_endpoint_sound(steps in prop::collection::vec(step(), 1..120)) {
        let mut machine = Machine::new();
        for step in steps {
            machine.apply(step);
        }
        machine.finish();
    }
}
