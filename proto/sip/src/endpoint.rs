//! The transaction layer as one machine with five verbs (stage 3 of a call's way).
//!
//! Between the transport, which moves bytes, and the user of transactions (the proxy core), which
//! decides. It answers repeated requests with the last response before any work is done,
//! acknowledges failures, answers CANCEL and repeats what UDP may have lost; the proxy sees each
//! request once and each answer that matters. It makes no 100 Trying, chooses no destination and
//! reads no header but those that name a transaction.
//!
//! **Contract:** mutate once (`handle_*`, `respond`, `request`, `cancel`, `send`), then drain
//! `poll_transmit` and `poll_event` until each says `None`; then wait until `poll_timeout` at the
//! latest. Who has no time for all events leaves the rest here ([`Endpoint::has_news`]).
//! LIFECYCLE.md draws the four machines.

mod drive;
mod invariant;
mod late;
pub(crate) mod outbox;
mod receive;
mod signature;

use std::collections::VecDeque;
use std::time::Duration;

use crate::buffers::Buffers;
use crate::limits::Limits;
use crate::message::Message;
use crate::parse::ParseError;
use crate::slots::SlotId;
use crate::transaction::bounds::{DEADLINES_PER_CALL, RESEND_WORK};
use crate::transaction::deadline::Deadlines;
use crate::transaction::table::Table;
use crate::transaction::{Class, Machine, Phase, Verdict, Whose};
use crate::transport::Flow;
use late::Late;
use outbox::Outbox;
use signature::Signature;

pub use late::LostAnswer;

pub use crate::transaction::Absorbed;
pub use crate::transaction::timer::Timers;

/// Names one server transaction. Stale after its end event: every verb then ignores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerId(pub(crate) SlotId);

impl ServerId {
    /// Names no transaction: for a request that has not come over a wire.
    pub const NONE: Self = Self(SlotId::NOWHERE);
}

/// Names one client transaction. Stale after its end event: every verb then ignores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(pub(crate) SlotId);

/// What one packet turned out to be.
#[derive(Debug)]
pub enum Received<'a> {
    /// The first copy of any request but ACK and CANCEL. Answer it with [`Endpoint::respond`].
    Request {
        /// The transaction it opened.
        id: ServerId,
        /// The request.
        message: Message<'a>,
    },
    /// An ACK to a 2xx, or to nothing we know: it belongs to no transaction.
    Ack {
        /// The ACK.
        message: Message<'a>,
    },
    /// A CANCEL whose INVITE still waits for its final response. Its 200 is queued.
    Cancel {
        /// The INVITE to give up; answer that with 487.
        invite: ServerId,
        /// The CANCEL.
        message: Message<'a>,
    },
    /// A provisional response, the first final one, or any 2xx to an INVITE (RFC 6026 §7.2).
    Response {
        /// The transaction it answers; it may just have ended.
        id: ClientId,
        /// The response.
        message: Message<'a>,
    },
    /// A response without a transaction, or a 2xx after a failure of the same INVITE.
    Stray {
        /// The response. Whether its top Via is ours is for the proxy to judge.
        message: Message<'a>,
    },
    /// A new request while no further transaction may begin. No state was made: answer with
    /// [`Endpoint::send`] and forget it.
    Overload {
        /// The request.
        message: Message<'a>,
    },
    /// Done with, nobody above needs to know.
    Absorbed(Absorbed),
    /// Not SIP as we accept it. Answered without state where that is possible.
    Refused(ParseError),
}

/// How one request is to be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientOptions {
    /// Instead of Timer B (INVITE: until any response) or F (others: until the final one).
    /// `None`: 64·T1.
    pub timeout: Option<Duration>,
}

/// One message to put on the wire: its `len` bytes were appended to the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// Where to. A stream flow without connection: connect to the address first.
    pub flow: Flow,
    /// How many bytes, never 0.
    pub len: usize,
}

/// What happened to a transaction besides messages. For every id handed out comes exactly one
/// event, and it is the last thing heard of that id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionEvent {
    /// Timer B or F fired, or no final response came 64·T1 after a CANCEL (RFC 3261 §9.1).
    Timeout {
        /// The client transaction, gone now.
        id: ClientId,
    },
    /// Its flow failed before a final response.
    TransportFailed {
        /// The client transaction, gone now.
        id: ClientId,
    },
    /// Over as it should be, or forgotten because too many finished ones were remembered.
    ClientEnded {
        /// The client transaction, gone now.
        id: ClientId,
    },
    /// Over as it should be, or forgotten because too many finished ones were remembered; for a
    /// non-INVITE also: never answered within 64·T1.
    ServerEnded {
        /// The server transaction, gone now.
        id: ServerId,
    },
    /// Timer H fired: the failure response to an INVITE was never acknowledged.
    ServerTimeout {
        /// The server transaction, gone now.
        id: ServerId,
    },
}

/// What the endpoint has counted since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Requests and responses that had been received before.
    pub retransmissions_in: u64,
    /// Requests and responses sent again.
    pub retransmissions_out: u64,
    /// Requests that could not be parsed, and were answered.
    pub refused: u64,
    /// Finished transactions dropped before their timer, because there were too many.
    pub forgotten: u64,
    /// New requests turned into [`Received::Overload`].
    pub overloads: u64,
}

/// The transaction layer of one node: all transactions, their deadlines, what is to leave.
#[derive(Debug)]
pub struct Endpoint {
    limits: Limits,
    timers: Timers,
    /// The latest `now`; time never runs backwards here.
    now: Duration,
    table: Table,
    deadlines: Deadlines,
    outbox: Outbox,
    events: VecDeque<TransactionEvent>,
    counters: Counters,
    signature: Signature,
    /// What stands in our Vias; empty: not looked at.
    sent_by: Vec<(String, u16)>,
    /// The key being looked up; kept so that looking up never allocates.
    scratch: Vec<u8>,
    /// For what has to be kept of messages.
    buffers: Buffers,
    late: Late,
}

impl Endpoint {
    /// An endpoint without transactions. `seed` keeps peers from choosing where keys lie in the
    /// tables; two endpoints with the same seed and inputs do exactly the same.
    #[must_use]
    pub fn new(limits: Limits, timers: Timers, seed: u64) -> Self {
        Self {
            limits,
            timers,
            now: Duration::ZERO,
            table: Table::new(seed),
            deadlines: Deadlines::new(&timers),
            outbox: Outbox::default(),
            events: VecDeque::new(),
            counters: Counters::default(),
            signature: Signature::default(),
            sent_by: Vec::new(),
            scratch: Vec::new(),
            buffers: Buffers::default(),
            late: Late::default(),
        }
    }

    /// Takes in one datagram or one framed message, and says what it is. `bytes` are borrowed by
    /// the message that comes back. Drain `poll_transmit` and `poll_event` afterwards.
    pub fn handle_input<'a>(&mut self, now: Duration, flow: Flow, bytes: &'a [u8]) -> Received<'a> {
        self.clock(now);
        let received = self.receive(flow, bytes);
        self.check();
        received
    }

    /// Says who answers: all final answers of this endpoint itself (to what cannot be parsed, to
    /// CANCEL) carry `Server: server`, and those that refuse `Warning: 399 agent "<word>"`.
    #[must_use]
    pub fn signed(mut self, server: &str, agent: &str) -> Self {
        self.signature = Signature::new(server, agent);
        self
    }

    /// Says which hosts and ports stand in our Vias: a response with any other on top is absorbed
    /// before a transaction is looked for (RFC 3261 §18.1.2).
    #[must_use]
    pub fn known_as(mut self, sent_by: impl IntoIterator<Item = (String, u16)>) -> Self {
        for one in sent_by {
            if !self.sent_by.contains(&one) {
                self.sent_by.push(one);
            }
        }
        self
    }

    /// Takes in what has come of a message whose stream broke off (`stream::Framer::rest`): it is
    /// answered like any that cannot be parsed. Drain `poll_transmit` afterwards.
    pub fn handle_broken<'a>(
        &mut self,
        now: Duration,
        flow: Flow,
        bytes: &'a [u8],
        error: ParseError,
    ) -> Received<'a> {
        self.clock(now);
        self.refuse(flow, bytes, error)
    }

    /// Fires what is due, at most a bounded number of deadlines: call again, after draining,
    /// while `poll_timeout` is not later than `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.clock(now);
        self.go_on_failing();
        let mut work = 0;
        while work < DEADLINES_PER_CALL
            && let Some((owner, timer)) = self.deadlines.pop_due(self.now)
        {
            let waiting = self.outbox.waiting();
            self.fire(owner, timer);
            work += if self.outbox.waiting() > waiting { RESEND_WORK } else { 1 };
        }
        self.check();
    }

    /// A stream was closed, could not be opened, or an ICMP error came for a datagram. Client
    /// transactions that wait on it fail; a server transaction of that stream will answer to the
    /// address of its request and the port of its Via, by a new connection (RFC 3261 §18.2.2). When
    /// that fails too the answer comes back by [`Self::poll_lost`]. Of many transactions the first
    /// ones hear of it now, the others with `handle_timeout`, which is due then.
    pub fn handle_flow_failed(&mut self, now: Duration, flow: Flow) {
        self.clock(now);
        self.fail(flow);
        self.late.failed(self.now, flow);
        self.check();
    }

    /// Answers `id` with whole response bytes of status `code`. They go where the request came
    /// from, and a copy is kept as long as they may have to be sent again. After a final response
    /// only a further 2xx to an INVITE still leaves; other calls, and those with a stale id, do
    /// nothing.
    pub fn respond(&mut self, now: Duration, id: ServerId, code: u16, bytes: &[u8]) {
        self.clock(now);
        let class = Class::of(code);
        if let Some(flow) = self.flow_of(id) {
            let waiting = self.outbox.waiting();
            self.step(id.0.index, |machine, desk| {
                let machine = match machine {
                    Machine::ServerInvite(state) if code == 100 => {
                        Machine::ServerInvite(state.on_trying(bytes, desk))
                    }
                    Machine::ServerInvite(state) => {
                        Machine::ServerInvite(state.on_respond(class, bytes, desk))
                    }
                    Machine::ServerOther(state) => {
                        Machine::ServerOther(state.on_respond(code, bytes, desk))
                    }
                    other => other,
                };
                (machine, Verdict::Quiet)
            });
            let left = self.outbox.waiting() > waiting;
            if left && class != Class::Provisional && is_new_stream(flow) {
                self.late.keep(self.now, flow, 0, bytes);
            }
        }
        self.check();
    }

    /// Whether the same request outside dialogs has come by another way, under another branch: same
    /// method, From tag, Call-ID and CSeq, not answered yet or answered with a 2xx (RFC 3261
    /// §8.2.2.2). Whether that is a copy or a spiral is for the proxy to judge.
    #[must_use]
    pub fn is_merged(&self, id: ServerId) -> bool {
        self.table.slots.get(id.0).is_some() && self.table.twin(id.0.index).is_some()
    }

    /// Forgets an unanswered request, as if it had never come: the caller refuses it with
    /// [`Self::send`] and keeps no state for it. No event follows.
    pub fn discard(&mut self, id: ServerId) {
        let transaction = self.table.slots.get(id.0);
        if transaction.is_some_and(|it| it.machine.phase() == Phase::Pending) {
            self.remove(id.0.index, Phase::Pending);
        }
        self.check();
    }

    /// Sends a request, whole bytes with our Via on top; its branch names the transaction. A
    /// request without readable branch, or whose branch is in use, fails at once
    /// ([`TransactionEvent::TransportFailed`]). ACK is no transaction: use [`Self::send`].
    pub fn request(
        &mut self,
        now: Duration,
        flow: Flow,
        bytes: &[u8],
        options: ClientOptions,
    ) -> ClientId {
        self.clock(now);
        let id = self.begin_client(flow, bytes, options.timeout, Whose::Above);
        self.check();
        ClientId(id)
    }

    /// Gives up an INVITE: CANCEL leaves at once if a provisional was seen, else when the first
    /// one comes. `reason`: header lines for it, each with CRLF; `None`: `Reason: SIP;cause=487`.
    /// The final response still comes up; if none does within 64·T1, `Timeout` does. For anything
    /// but an unanswered INVITE this does nothing.
    pub fn cancel(&mut self, now: Duration, id: ClientId, reason: Option<&[u8]>) {
        self.clock(now);
        if self.table.slots.get(id.0).is_some() {
            self.invite_step(id.0.index, |state, desk| state.on_cancel(reason, desk));
        }
        self.check();
    }

    /// Waits for the final answer to a request but INVITE for a whole Timer F from now on, whatever
    /// [`ClientOptions`] has said: somebody is there, who has answered provisionally. Does nothing
    /// before that, or for a stale id.
    pub fn wait_on(&mut self, now: Duration, id: ClientId) {
        self.clock(now);
        if self.table.slots.get(id.0).is_some() {
            self.step(id.0.index, |machine, desk| {
                let machine = match machine {
                    Machine::ClientOther(state) => Machine::ClientOther(state.on_patience(desk)),
                    other => other,
                };
                (machine, Verdict::Quiet)
            });
        }
        self.check();
    }

    /// Sends bytes outside any transaction: an ACK to a 2xx, a stateless answer.
    pub fn send(&mut self, flow: Flow, bytes: &[u8]) {
        self.outbox.push(flow, bytes);
    }

    /// The same for what `write` appends; what it leaves empty is not sent.
    pub fn send_with(&mut self, flow: Flow, write: impl FnOnce(&mut Vec<u8>)) {
        self.outbox.write(flow, write);
    }

    /// Sends an answer that was lost by another way; `ways` were tried with it. When its flow fails
    /// it comes back again.
    pub fn send_lost(&mut self, now: Duration, flow: Flow, ways: usize, bytes: &[u8]) {
        self.clock(now);
        self.outbox.push(flow, bytes);
        if is_new_stream(flow) {
            self.late.keep(self.now, flow, ways, bytes);
        }
    }

    /// The next answer that did not arrive, for RFC 3263 §5 to say where else it may go. Call until
    /// `None`.
    pub fn poll_lost(&mut self) -> Option<LostAnswer> {
        self.late.next_lost()
    }

    /// The next message to put on the wire, appended to `out`. Call until `None`.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<Transmit> {
        self.outbox.pop(out)
    }

    /// The next event. Call until `None`.
    pub fn poll_event(&mut self) -> Option<TransactionEvent> {
        self.events.pop_front()
    }

    /// Whether `poll_event` or `poll_lost` has something to say, now or after a `handle_timeout`
    /// that is due.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.events.is_empty() || self.late.has_lost() || self.table.members.is_failing()
    }

    /// When to call `handle_timeout` at the latest, and what for. Ask again after every mutation.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Duration, &'static str)> {
        if self.table.members.is_failing() {
            return Some((self.now, "flow failed"));
        }
        self.deadlines.next().map(|(at, timer)| (at, timer.reason()))
    }

    /// Where answers to `id` go; `None` when it is over.
    #[must_use]
    pub fn flow_of(&self, id: ServerId) -> Option<Flow> {
        self.table.slots.get(id.0).map(|transaction| transaction.flow)
    }

    /// Transactions without a final response, of both sides.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.table.pending()
    }

    /// Transactions with a final response that are still remembered.
    #[must_use]
    pub fn finished(&self) -> usize {
        self.table.finished()
    }

    /// What was counted since the beginning.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn clock(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }
}

/// Whether a stream must be opened first, so that what leaves may not arrive.
const fn is_new_stream(flow: Flow) -> bool {
    flow.transport.is_stream() && flow.conn.is_none()
}
