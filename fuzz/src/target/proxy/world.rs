//! One Proxy, and everything around it that is not SIP: time, disk, configuration, restarts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use model::config::Document;
use model::id::{BootEpoch, NodeId, Revision};
use model::snapshot::Snapshot;
use model::time::Now;
use rm::{Event, FrameKind, Input, Keys, Listener, Match, NodeState, Peer, Proxy, Role, Settings};
use sip::limits::Limits;
use sip::locate::{Failure, Goal, Target, Targets};
use sip::parse::parse;
use sip::transport::Transport;

use super::parties::{Parties, address};

/// The platform; `@objects N` changes it.
const OBJECTS: &str = include_str!("objects.yaml");

pub(super) struct World {
    pub(super) proxy: Proxy,
    pub(super) now: Now,
    pub(super) parties: Parties,
    disk: bool,
    /// The last packet was no message.
    malformed: bool,
    made: u64,
    boot: u32,
    /// Open frames of the spool: key and packed leg.
    open: BTreeMap<[u8; 22], Vec<u8>>,
    /// Names that were asked for and not answered.
    asked: Vec<Goal>,
}

impl World {
    pub(super) fn new() -> Self {
        let now = super::start();
        let mut world = Self {
            proxy: Proxy::new(settings(1), snapshot(0), now),
            now,
            parties: Parties::default(),
            disk: true,
            malformed: false,
            made: 0,
            boot: 1,
            open: BTreeMap::new(),
            asked: Vec::new(),
        };
        world.ready();
        world
    }

    fn ready(&mut self) {
        self.input(Input::State(NodeState::Ready));
        self.wait(Duration::from_millis(200));
    }

    pub(super) fn input(&mut self, input: Input<'_>) {
        self.malformed = match &input {
            Input::Packet { bytes, .. } => parse(bytes, &Limits::DEFAULT).is_err(),
            Input::Broken { .. } => true,
            _ => false,
        };
        self.proxy.handle_input(self.now, input);
        self.drain();
    }

    /// Time passes; what is due is done when it is due.
    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while let Some((at, _)) = self.proxy.poll_timeout().filter(|(at, _)| *at <= end.mono) {
            self.now = self.now.plus(at.saturating_sub(self.now.mono));
            self.proxy.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        loop {
            let mut out = Vec::new();
            while let Some(sent) = self.proxy.poll_transmit(&mut out) {
                let bytes = out.split_off(out.len() - sent.len);
                // an answer to what was no message repeats what was wrong with it
                let fine = parse(&bytes, &Limits::DEFAULT).is_ok()
                    || self.malformed && bytes.starts_with(b"SIP/2.0 ");
                assert!(fine, "we send SIP: {}", String::from_utf8_lossy(&bytes));
                self.parties.hear(sent.flow, bytes);
            }
            let mut durable = None;
            let mut bytes = Vec::new();
            while let Some(event) = self.proxy.poll_event(&mut bytes) {
                self.event(event, &std::mem::take(&mut bytes), &mut durable);
            }
            if let Some(no) = durable.filter(|_| self.disk) {
                self.proxy.handle_input(self.now, Input::Durable { no });
                continue;
            }
            let replies = self.parties.replies();
            if replies.is_empty() {
                return;
            }
            for (flow, bytes) in replies {
                self.proxy.handle_input(
                    self.now,
                    Input::Packet { flow, bytes: &bytes, age: Duration::ZERO },
                );
            }
        }
    }

    fn event(&mut self, event: Event, bytes: &[u8], durable: &mut Option<u64>) {
        match event {
            Event::Record { no, frame, key, json, block, .. } => {
                let (json, rest) = bytes.split_at(json);
                assert_eq!(rest.len(), block);
                assert_eq!(no, self.made + 1, "record numbers have no gap");
                self.made = no;
                *durable = Some(no);
                let arrived = model::record::Arrived { at: self.now.wall, message_id: None };
                let read = model::record::Record::read(json, &arrived);
                assert!(read.is_ok(), "our record is one: {}", String::from_utf8_lossy(json));
                match frame {
                    FrameKind::Data => {}
                    FrameKind::Open => drop(self.open.insert(key, rest.to_vec())),
                    FrameKind::Close => drop(self.open.remove(&key)),
                }
            }
            Event::Forget { key } => drop(self.open.remove(&key)),
            // without an answer the engine's own limit of time ends the question
            Event::Resolve { goal } => self.asked.push(goal),
            Event::Discover { .. } | Event::Log { .. } | Event::Alias { .. } => {}
        }
    }

    pub(super) fn disk(&mut self, works: bool) {
        self.disk = works;
        if works {
            self.input(Input::Durable { no: self.made });
        }
    }

    /// The name service answers whatever is open.
    pub(super) fn names(&mut self, side: &str) {
        for goal in std::mem::take(&mut self.asked) {
            let transport = goal.transport.unwrap_or(Transport::Udp);
            let target = Target { transport, remote: address(side) };
            let nowhere = side == "nothing";
            let found = if nowhere { Err(Failure::Nothing) } else { Ok(Targets::one(target)) };
            self.input(Input::Resolved { goal, found, ttl: Duration::from_secs(60) });
        }
    }

    pub(super) fn drops(&mut self, packets: u64) {
        self.input(Input::KernelDrops { packets });
    }

    pub(super) fn state(&mut self, word: &str) {
        let state = match word {
            "ready" => NodeState::Ready,
            "draining" => NodeState::Draining,
            _ => NodeState::Starting,
        };
        self.input(Input::State(state));
    }

    pub(super) fn configure(&mut self, number: u64) {
        self.input(Input::Snapshot(snapshot(number)));
    }

    /// What the HTTP port asks.
    pub(super) fn look(&self) {
        let status = self.proxy.status();
        let (mut shown, mut after) = (0, None);
        loop {
            let slice = self.proxy.calls(&rm::CallFilter::default(), after, 3);
            assert!(slice.calls.len() <= 3 && (slice.next.is_none() || slice.next > after));
            shown += slice.calls.len();
            after = slice.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(shown, status.sessions, "all calls are shown, slice by slice");
        let _ = (self.proxy.counters(), self.proxy.transaction_counters());
    }

    /// kill -9, and a start from the open frames; `other` is one more that nobody wrote. How many
    /// were refused.
    pub(super) fn restart(&mut self, other: Option<&[u8]>) -> usize {
        self.boot += 1;
        self.proxy = Proxy::new(settings(self.boot), snapshot(0), self.now);
        self.made = 0;
        self.asked.clear();
        let open: Vec<Vec<u8>> = self.open.values().cloned().collect();
        let blocks = open.iter().map(Vec::as_slice).chain(other);
        let restored = self.proxy.restore(self.now, blocks);
        assert!(restored.refused <= usize::from(other.is_some()), "what was written is read");
        assert!(restored.legs >= open.len());
        self.drain();
        self.ready();
        restored.refused
    }

    /// Every open frame was closed. A leg from a packed leg that nobody wrote has no frame.
    pub(super) fn closed(&self) {
        assert!(self.open.is_empty(), "an open frame stays");
    }

    /// Transactions of probes that may just have ended.
    pub(super) fn probes(&self) -> usize {
        self.proxy.resources().len() * 8
    }
}

fn settings(boot: u32) -> Settings {
    let listener = |transport, port: u16| Listener {
        transport,
        bound: SocketAddr::from(([10, 0, 0, 5], port)),
        advertise: ("10.0.0.5".to_owned(), port),
        via: ("10.0.0.5".to_owned(), port),
    };
    let peer = |name: &str, role| Peer {
        name: name.to_owned(),
        matches: Match::parse(if role == Role::Gateway { "10.0.0.3" } else { "10.0.0.2" })
            .into_iter()
            .collect(),
        names: Vec::new(),
        role,
        allow_route: false,
        trusted_headers: role == Role::SipServer,
        priority: false,
        session_expires: (role == Role::Gateway).then_some(120),
        notify_failures: role == Role::SipServer,
        rate: None,
    };
    let options = rm::Options {
        trace_sample: 1,
        no_timer_lifetime: Duration::from_secs(60),
        orphan_lifetime: Duration::from_secs(60),
        ..rm::Options::default()
    };
    Settings {
        name: "rm-1".to_owned(),
        node_id: NodeId(1),
        boot: BootEpoch(boot),
        application_dbid: None,
        listeners: vec![
            listener(Transport::Udp, 5060),
            listener(Transport::Tcp, 5060),
            listener(Transport::Udp, 5064),
        ],
        monitor_listener: 2,
        domains: vec!["gvp.example".to_owned()],
        peers: vec![peer("sip-server", Role::SipServer), peer("gateway", Role::Gateway)],
        routes: Vec::new(),
        keys: keys(),
        seed: [u64::from(boot), 2, 3, 4],
        application: "rm-1".to_owned(),
        options,
        timers: rm::SipTimers { trying: Duration::from_millis(5), ..rm::SipTimers::default() },
    }
}

fn keys() -> Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    let ring = KEYS.get_or_init(|| match Keys::new(&[(1, [7; 32])]) {
        Some(keys) => keys,
        None => unreachable!("one key is a ring"),
    });
    ring.clone()
}

/// The platform in one of six states.
fn snapshot(number: u64) -> Arc<Snapshot> {
    static ALL: OnceLock<Vec<Arc<Snapshot>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let first = OBJECTS.to_owned();
        let draining = first.replace("state: enabled", "state: draining");
        let full = first.replace("usage_limit: 100", "usage_limit: 1");
        let short = first.split("      - { name: mcp-2").next().unwrap_or_default().to_owned();
        let named = first.replace("10.0.0.11:5070", "mcp.example");
        let bare = first.split("---\nkind: ResourceGroup").next().unwrap_or_default().to_owned();
        let texts = [first, draining, full, short, named, bare];
        texts.iter().zip(1..).map(|(text, at)| build(text, at)).collect()
    });
    let at = usize::try_from(number).unwrap_or(0).min(all.len() - 1);
    Arc::clone(&all[at])
}

fn build(text: &str, revision: u64) -> Arc<Snapshot> {
    let documents: Vec<Document> = config::objects::from_text(text, None).unwrap_or_default();
    match Snapshot::build(&documents, Revision(revision)) {
        Ok((snapshot, _)) => Arc::new(snapshot),
        Err(problems) => unreachable!("the platform of the target is valid: {problems:?}"),
    }
}
