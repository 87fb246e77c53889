//! The engine: five verbs, and the one sentence of a call.
//!
//! `handle_input`, `handle_timeout`, then drain `poll_transmit` and `poll_event` until both say
//! `None`, then wait until `poll_timeout`. One engine thread, no globals, no lock. What happens to
//! a request is in the stage modules; here is only the order.

mod dispatch;
mod due;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use model::chance::Chance;
use model::config::Options;
use model::did::DidIndex;
use model::id::{BootEpoch, Guid};
use model::map::Map;
use model::snapshot::Snapshot;
use model::time::Now;
use sip::buffers::Buffers;
use sip::endpoint::{Absorbed, ClientId, Endpoint, Received, ServerId};
use sip::locate::Target;
use sip::message::Message;
use sip::parse::ParseError;
use sip::transport::{Flow, Transport};
use slab::Slab;

use crate::admit::strangers::{Bucket, Strangers};
use crate::admit::{Request, Sources, Way};
use crate::alarm::Alarms;
use crate::counters::Counters;
use crate::dialog::{Relay, hold::Held};
use crate::discovery::Discovery;
use crate::forward::draft::Draft;
use crate::forward::response::Answered;
use crate::forward::size::UdpOnly;
use crate::forward::through::Onward;
use crate::forward::{Hunt, branch, routes, watch::Watch};
use crate::heads::Heads;
use crate::input::{Input, NodeState};
use crate::limits::{PENDING, PENDING_RESERVE, WATCHES};
use crate::log;
use crate::output::{Event, Events};
use crate::overload::Overload;
use crate::policy::Usage;
use crate::pool::Pool;
use crate::record::{Minutes, Recorder, Story};
use crate::reject::{No, Reason};
use crate::release::Releases;
use crate::resolve::{Book, Waiting};
use crate::session::{Farewells, Lingering, Names, Table, join};
use crate::settings::{Settings, SipTimers};
use crate::timer::Timers;

/// One engine: all calls of one thread.
#[derive(Debug)]
pub struct Proxy {
    pub(crate) settings: Settings,
    pub(crate) options: Options,
    pub(crate) discovery: Discovery,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) state: NodeState,
    pub(crate) limits: sip::limits::Limits,
    pub(crate) endpoint: Endpoint,
    pub(crate) chance: Chance,
    pub(crate) sources: Sources,
    pub(crate) names: Names,
    pub(crate) usage: Usage,
    pub(crate) alarms: Alarms,
    pub(crate) pool: Pool,
    pub(crate) table: Table,
    pub(crate) lingering: Lingering,
    pub(crate) hunts: Slab<Hunt>,
    pub(crate) relays: Slab<Relay>,
    pub(crate) watches: Slab<Watch>,
    /// So many at once.
    pub(crate) most_watches: usize,
    pub(crate) book: Book,
    pub(crate) udp_only: UdpOnly,
    /// Requests that wait for a name, in the order of their arrival.
    pub(crate) waiting: VecDeque<Waiting>,
    /// Watched tries by their transaction numbers.
    pub(crate) watched: Map<u64, usize>,
    pub(crate) clients: Map<ClientId, ClientUse>,
    pub(crate) servers: Map<ServerId, ServerUse>,
    pub(crate) held: VecDeque<Held>,
    /// Number of the newest record that is on disk.
    pub(crate) durable: u64,
    /// Calls that are ended because of their resource.
    pub(crate) releases: Releases,
    pub(crate) farewells: Farewells,
    /// Behind which session legs are looked for that are up on resources which have come; `None`:
    /// all are where they belong.
    pub(crate) returns: Option<Option<Guid>>,
    pub(crate) timers: Timers,
    pub(crate) overload: Overload,
    pub(crate) strangers: Strangers,
    /// By the index of the peer.
    pub(crate) peer_rates: Vec<Bucket>,
    /// Numbers whose calls are not refused by limits, and not shed.
    pub(crate) priority: DidIndex,
    /// For texts that are needed while one packet is looked at.
    pub(crate) scratch: String,
    pub(crate) recorder: Recorder,
    pub(crate) minutes: Minutes,
    /// Stories of calls that are up, of those whose record has the trace.
    pub(crate) stories: Map<usize, Story>,
    /// The log prints each of them.
    pub(crate) tells_decisions: bool,
    pub(crate) events: Events,
    pub(crate) counters: Counters,
    /// For what has to be kept of messages.
    pub(crate) buffers: Buffers,
    /// The message in the making.
    pub(crate) draft: Draft,
    /// Transaction number of the latest branch; each start has its own (RFC 3261 §8.1.1.7).
    pub(crate) branches: u64,
    /// Groups that had no resource lately: when the next log line may be made, and how often it
    /// had happened at the last one.
    pub(crate) unsaid: BTreeMap<String, (Duration, u64)>,
    /// What has passed lately.
    pub(crate) heads: Heads,
    /// The latest `now`, for views.
    pub(crate) seen: Now,
    /// CSeq of the latest probe.
    pub(crate) probes: u32,
    /// Number of the latest leg of sessions that were made again.
    pub(crate) remade: u16,
}

/// What a client transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientUse {
    /// Current try of a hunt.
    Hunt(usize),
    /// An INVITE that was answered: further 2xx go back as the first one.
    Answered(Answered),
    /// A request inside a dialog, or one without session.
    Relay(usize),
    /// A try that was given up.
    Watch(usize),
    /// OPTIONS of a resource.
    Probe(usize),
    /// NOTIFY about a dead resource.
    Notice(usize),
    /// A BYE of our own that can go to further addresses.
    Farewell(usize),
    /// A request of our own; its answer frees the place of a watch, or nothing.
    Absorb(Option<usize>),
}

/// What a server transaction waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerUse {
    Hunt(usize),
    Relay(usize),
}

/// What came back from the spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Legs that are up again.
    pub legs: usize,
    /// Blocks that could not be read.
    pub refused: usize,
}

impl Proxy {
    /// A new engine in state [`NodeState::Starting`]; resources are probed from now on.
    #[must_use]
    pub fn new(mut settings: Settings, snapshot: Arc<Snapshot>, now: Now) -> Self {
        let own = snapshot.application(&settings.application).map(|own| own.options.timers);
        settings.timers = settings.timers.with(own.unwrap_or(settings.options.timers));
        let mut chance = Chance::new(settings.seed);
        let seed = chance.next_u64();
        let limits = sip::limits::Limits {
            pending_transactions: PENDING + PENDING_RESERVE,
            ..sip::limits::Limits::DEFAULT
        };
        let SipTimers { t1, t2, t4, trying, .. } = settings.timers;
        let timers = sip::endpoint::Timers { t1, t2, t4, trying };
        let mut proxy = Self {
            options: settings.options.clone(),
            state: NodeState::Starting,
            limits,
            endpoint: Endpoint::new(limits, timers, seed)
                .signed(crate::answer::SERVER, &settings.name)
                .known_as(settings.listeners.iter().map(|listener| listener.via.clone())),
            sources: Sources::new(&snapshot, seed),
            names: Names::default(),
            usage: Usage::new(seed),
            alarms: Alarms::default(),
            pool: Pool::new(seed),
            table: Table::new(seed),
            lingering: Lingering::new(seed),
            hunts: Slab::new(),
            relays: Slab::new(),
            watches: Slab::new(),
            most_watches: WATCHES,
            book: Book::new(seed),
            discovery: Discovery::new(Arc::clone(&snapshot)),
            udp_only: UdpOnly::default(),
            waiting: VecDeque::new(),
            watched: Map::new(seed),
            clients: Map::new(seed),
            servers: Map::new(seed),
            held: VecDeque::new(),
            durable: 0,
            releases: Releases::default(),
            farewells: Farewells::default(),
            returns: None,
            timers: Timers::new(seed),
            overload: Overload::new(settings.listeners.len()),
            strangers: Strangers::new(seed),
            peer_rates: vec![Bucket::default(); settings.peers.len()],
            priority: DidIndex::default(),
            scratch: String::new(),
            recorder: Recorder::default(),
            minutes: Minutes::new(seed, now.wall),
            stories: Map::new(seed),
            tells_decisions: false,
            events: Events::default(),
            counters: Counters::default(),
            buffers: Buffers::default(),
            draft: Draft::default(),
            branches: first_branch(settings.boot),
            probes: 0,
            remade: join::first_remade(now),
            unsaid: BTreeMap::new(),
            heads: Heads::new(0, 0, now.wall),
            seen: now,
            snapshot: Arc::clone(&snapshot),
            chance,
            settings,
        };
        proxy.reconfigure(now, snapshot);
        proxy.begin_minutes(now);
        proxy
    }

    /// Watches so many tries that were given up at once, instead of [`WATCHES`].
    #[must_use]
    pub fn watching(self, most: usize) -> Self {
        Self { most_watches: most, ..self }
    }

    /// Takes in one thing that happened. Drain both polls afterwards.
    pub fn handle_input(&mut self, now: Now, input: Input<'_>) {
        self.clock(now);
        match input {
            Input::Packet { flow, bytes, age } => {
                self.keep_received(flow, age, bytes);
                self.waited(now, flow, age);
                self.on_packet(now, flow, bytes);
            }
            Input::KernelDrops { packets } => self.on_kernel_drops(now, packets),
            Input::Broken { flow, bytes, error } => {
                self.keep_received(flow, Duration::ZERO, bytes);
                self.on_broken(now, flow, bytes, error);
            }
            Input::Verified { flow, names } => self.sources.verified(&self.settings, flow, names),
            Input::FlowFailed { flow } => {
                self.sources.gone(flow);
                // a stream may end in peace, an error of the network is one
                if flow.transport == Transport::Udp {
                    self.book.away.note(now.mono, Target::of(flow));
                }
                self.endpoint.handle_flow_failed(now.mono, flow);
            }
            Input::ConnectFailed { flow } => self.on_connect_failed(now, flow),
            Input::Snapshot(snapshot) => self.reconfigure(now, snapshot),
            Input::Discovered { listing, found } => self.on_discovered(now, &listing, &found),
            Input::Keys(keys) => self.settings.keys = *keys,
            Input::Durable { no } => self.on_durable(now, no),
            Input::State(state) => self.state = state,
            Input::Administer { resource, will } => self.administer(now, resource, will),
            Input::TellDecisions(tell) => self.tells_decisions = tell,
            Input::HangUp { guid, leg } => self.hang_up(now, guid, leg),
            Input::Resolved { goal, found, ttl } => self.on_resolved(now, &goal, found, ttl),
        }
        self.settle_transactions(now, 0);
        self.check();
    }

    /// The next message to put on the wire, appended to `out`. Call until `None`.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<sip::endpoint::Transmit> {
        let before = out.len();
        let transmit = self.endpoint.poll_transmit(out)?;
        self.keep_sent(transmit.flow, out.get(before..).unwrap_or_default());
        Some(transmit)
    }

    /// The next fact for the shell; the bytes of a record are appended to `out`. Call until
    /// `None`.
    pub fn poll_event(&mut self, out: &mut Vec<u8>) -> Option<Event> {
        self.events.pop(out)
    }

    /// The configuration in force.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What the transaction layer has counted.
    #[must_use]
    pub fn transaction_counters(&self) -> sip::endpoint::Counters {
        self.endpoint.counters()
    }

    fn on_packet(&mut self, now: Now, flow: Flow, bytes: &[u8]) {
        let source = self.sources.of(&self.settings, flow);
        if !self.is_heard(now, flow, source, bytes) {
            return;
        }
        let answered = self.endpoint.counters().refused;
        match self.endpoint.handle_input(now.mono, flow, bytes) {
            Received::Request { id, message } => {
                self.note_alias(flow, &message);
                self.unswapped(&message, |proxy, message| {
                    proxy.on_request(&Request { now, id, flow, message, source, hash: 0 });
                });
            }
            Received::Ack { message } => {
                *self.counters.requests.entry(("proxy", "ACK")).or_default() += 1;
                self.unswapped(&message, |proxy, message| proxy.on_ack(now, flow, message));
            }
            Received::Cancel { invite, message } => {
                *self.counters.requests.entry(("proxy", "CANCEL")).or_default() += 1;
                self.counters.answer(200, "ok", false);
                self.on_cancel(now, invite, &message);
            }
            Received::Response { id, message } => self.on_response(now, id, &message),
            Received::Stray { message } => {
                if !self.on_stray(now, &message) {
                    self.counters.dropped("stray");
                }
            }
            Received::Overload { message } => self.refuse_overload(now, flow, &message),
            Received::Absorbed(Absorbed::ForeignVia) => self.counters.dropped("foreign-via"),
            Received::Absorbed(Absorbed::UnmatchedCancel) => {
                self.counters.answer(481, Reason::NoDialog.word(), false);
            }
            Received::Absorbed(Absorbed::Unanswerable) => self.counters.dropped("multicast"),
            Received::Absorbed(_) => {}
            Received::Refused(error) => {
                self.note_fault(now, flow, source);
                self.unreadable(flow, error, answered);
            }
        }
    }

    /// The far end of a stream under TLS asks for it to be used both ways (RFC 5923).
    fn note_alias(&mut self, flow: Flow, message: &Message<'_>) {
        let via = message.top_via();
        if flow.transport == Transport::Tls && via.params.get("alias").is_some() {
            let port = via.port.unwrap_or(flow.transport.default_port());
            self.events.push(Event::Alias { flow, port });
        }
    }

    /// A request as its sender meant it, whatever a strict router before us has made of it.
    fn unswapped(&mut self, message: &Message<'_>, then: impl FnOnce(&mut Self, &Message<'_>)) {
        let bytes = routes::before_strict(&self.settings, message);
        let limits = self.limits;
        let repaired = bytes.as_ref().and_then(|bytes| sip::parse::parse(bytes, &limits).ok());
        then(self, repaired.as_ref().unwrap_or(message));
    }

    fn on_broken(&mut self, now: Now, flow: Flow, bytes: &[u8], error: ParseError) {
        let answered = self.endpoint.counters().refused;
        if let Received::Refused(error) = self.endpoint.handle_broken(now.mono, flow, bytes, error)
        {
            let source = self.sources.of(&self.settings, flow);
            self.note_fault(now, flow, source);
            self.unreadable(flow, error, answered);
        }
    }

    /// Counts and tells what could not be read; `answered` is what the endpoint had counted before.
    fn unreadable(&mut self, flow: Flow, error: ParseError, answered: u64) {
        if self.endpoint.counters().refused > answered {
            self.counters.answer(error.status, Reason::Malformed.word(), false);
        }
        let transport = flow.transport.as_str();
        *self.counters.parse_errors.entry(transport).or_default() += 1;
        let fields = vec![("source", flow.remote.to_string()), ("error", error.to_string())];
        self.log(log::PARSE_ERROR, None, fields);
    }

    fn on_request(&mut self, request: &Request<'_, '_>) {
        let monitor = request.flow.listener == self.settings.monitor_listener;
        self.count_request(request, monitor);
        if self.ration(request) {
            return;
        }
        if monitor {
            self.refuse(request, &No::new(Reason::UntrustedSource, "monitor"));
            return;
        }
        if self.shed(request) {
            return;
        }
        let hash = branch::loop_hash(&self.settings.keys, request.message);
        let request = &Request { hash, ..*request };
        if request.is_invite() {
            self.trying(request);
        }
        self.pass(request);
    }

    /// Through the gate, and the way that it shows.
    pub(crate) fn pass(&mut self, request: &Request<'_, '_>) {
        let done = match self.gate(request) {
            Ok(Way::Dialog) => self.on_dialog(request),
            Ok(Way::Call) => return self.on_invite(request),
            Ok(Way::Single) => self.on_single(request),
            Ok(Way::Answer) => {
                self.answer_options(request);
                Ok(())
            }
            Err(no) => Err(no),
        };
        if let Err(no) = done {
            self.refuse(request, &no);
        }
    }

    /// One call, as one sentence: admit, select, authorise, place (`decide`), forward. It is
    /// remembered from `begin` on, and recorded when it is answered or refused.
    fn on_invite(&mut self, request: &Request<'_, '_>) {
        let mut source = match self.admit(request) {
            Ok(source) => source,
            Err(no) => return self.refuse(request, &no),
        };
        let ahead = match self.onward(request) {
            Ok(Onward::Known(ahead)) => ahead,
            Ok(Onward::Name(goal)) => return self.wait_for_name(request, goal),
            Err(no) => return self.refuse(request, &no),
        };
        source.priority = source.priority || self.is_priority_number(request.message);
        let Some(mut call) = self.remember(request, source, ahead) else {
            return self.refuse(request, &Reason::Internal.into());
        };
        let decided = self.decide(request, &mut call);
        self.count_in(request.now, call.leg, true);
        let carried = decided.and_then(|pick| self.forward(request, &mut call, pick));
        if let Err(no) = carried {
            self.refuse_call(request, call, &no);
        }
    }
}

/// Behind which transaction number a start begins: none of it was that of an earlier one, whose
/// requests a server may still remember.
fn first_branch(boot: BootEpoch) -> u64 {
    u64::from(boot.0) << 32
}
