//! Begins, steps and ends transactions, and keeps the tables in line with what the machines say.

use std::time::Duration;

use super::{ClientId, Endpoint, ServerId, TransactionEvent};
use crate::method::Method;
use crate::slots::SlotId;
use crate::transaction::bounds::FAILURES_PER_CALL;
use crate::transaction::chain::Link;
use crate::transaction::client_invite::{self, Step};
use crate::transaction::deadline::Armed;
use crate::transaction::key::Key;
use crate::transaction::timer::Timer;
use crate::transaction::{
    Desk, Machine, Phase, Transaction, Verdict, Whose, client_other, hop, key,
};
use crate::transport::Flow;

impl Endpoint {
    /// Opens a client transaction; see [`Endpoint::request`].
    pub(super) fn begin_client(
        &mut self,
        flow: Flow,
        bytes: &[u8],
        timeout: Option<Duration>,
        whose: Whose,
    ) -> SlotId {
        let identity = hop::identity(bytes);
        let (method, branch) = identity.unwrap_or((Method::Other(""), b""));
        key::client(&mut self.scratch, method, branch);
        let is_invite = method == Method::Invite;
        let hash = self.table.hash(&self.scratch);
        let usable = identity.is_some() && self.table.find(hash, &self.scratch).is_none();
        let id = self.enter(hash, flow, 0, whose);
        self.table.members.join(&mut self.table.slots, id.index);
        self.step(id.index, |_, desk| {
            if !usable {
                let nothing = client_other::State::Terminated;
                return (Machine::ClientOther(nothing), Verdict::Failed);
            }
            let machine = if is_invite {
                Machine::ClientInvite(client_invite::State::start(bytes, timeout, desk))
            } else {
                Machine::ClientOther(client_other::State::start(bytes, timeout, desk))
            };
            (machine, Verdict::Quiet)
        });
        id
    }

    /// Puts a transaction under the key in `scratch` into the tables; a step must start it.
    pub(super) fn enter(&mut self, hash: u64, flow: Flow, reply_port: u16, whose: Whose) -> SlotId {
        let transaction = Transaction {
            key: Key::from_slice(&self.scratch),
            flow,
            reply_port,
            whose,
            origin: None,
            machine: Machine::Stepping,
            armed: Armed::NOTHING,
            age: Link::LOOSE,
            peers: Link::LOOSE,
            is_member: false,
        };
        self.table.insert(hash, transaction)
    }

    /// One step of the machine at `index`, and everything that follows from its new phase.
    pub(super) fn step(
        &mut self,
        index: u32,
        act: impl FnOnce(Machine, &mut Desk<'_>) -> (Machine, Verdict),
    ) -> Verdict {
        let Some(transaction) = self.table.slots.at_mut(index) else { return Verdict::Quiet };
        let before = transaction.machine.phase();
        let machine = std::mem::replace(&mut transaction.machine, Machine::Stepping);
        let mut desk = Desk {
            now: self.now,
            timers: &self.timers,
            flow: transaction.flow,
            owner: index,
            armed: &mut transaction.armed,
            deadlines: &mut self.deadlines,
            outbox: &mut self.outbox,
            buffers: &mut self.buffers,
            repeated: &mut self.counters.retransmissions_out,
        };
        let (machine, verdict) = act(machine, &mut desk);
        let (after, is_client) = (machine.phase(), machine.is_client());
        transaction.machine = machine;
        match (before, after) {
            (Phase::Pending, Phase::Finished) => {
                if is_client {
                    self.table.members.leave(&mut self.table.slots, index);
                }
                self.table.finish(index);
                self.forget_oldest();
            }
            (_, Phase::Over) => self.end(index, before, verdict),
            _ => {}
        }
        verdict
    }

    /// A step of an INVITE of ours, which may bring forth a CANCEL.
    pub(super) fn invite_step(
        &mut self,
        index: u32,
        act: impl FnOnce(client_invite::State, &mut Desk<'_>) -> Step,
    ) -> Verdict {
        let mut cancel = None;
        let verdict = self.step(index, |machine, desk| match machine {
            Machine::ClientInvite(state) => {
                let step = act(state, desk);
                cancel = step.cancel.map(|bytes| (desk.flow, bytes));
                (Machine::ClientInvite(step.state), step.verdict)
            }
            other => (other, Verdict::Quiet),
        });
        if let Some((flow, bytes)) = cancel {
            self.begin_client(flow, &bytes, None, Whose::Own);
            self.buffers.release(bytes);
        }
        verdict
    }

    /// A deadline came.
    pub(super) fn fire(&mut self, owner: u32, timer: Timer) {
        if let Some(transaction) = self.table.slots.at_mut(owner) {
            transaction.armed.fired(timer);
        }
        self.step(owner, |machine, desk| machine.on_timer(timer, desk));
    }

    /// A flow failed: visits the transactions of its remote address and no others.
    pub(super) fn fail(&mut self, flow: Flow) {
        self.table.members.fails(&self.table.slots, flow);
        self.go_on_failing();
    }

    /// The next transactions of flows that have failed.
    pub(super) fn go_on_failing(&mut self) {
        for _ in 0..FAILURES_PER_CALL {
            let next = self.table.members.next_failing(&self.table.slots);
            let Some((flow, index)) = next else { return };
            let Some(transaction) = self.table.slots.at(index) else { continue };
            let own = transaction.flow;
            if transaction.machine.is_client() {
                let concerned = if flow.transport.is_stream() {
                    own.conn.is_none() || own.conn == flow.conn
                } else {
                    own.listener == flow.listener
                };
                if concerned {
                    self.step(index, fail_client);
                }
            } else if own.conn == flow.conn {
                self.redirect(index);
            }
        }
    }

    /// Removes a transaction and everything that points to it.
    pub(super) fn remove(&mut self, index: u32, counted: Phase) -> Option<Transaction> {
        let mut transaction = self.table.remove(index, counted)?;
        self.deadlines.disarm_all(&mut transaction.armed);
        Some(transaction)
    }

    /// The connection of a request is gone: its answer goes by a new one (§18.2.2).
    fn redirect(&mut self, index: u32) {
        self.table.members.leave(&mut self.table.slots, index);
        if let Some(transaction) = self.table.slots.at_mut(index) {
            transaction.flow.conn = None;
            transaction.flow.remote.set_port(transaction.reply_port);
        }
    }

    fn end(&mut self, index: u32, counted: Phase, verdict: Verdict) {
        let id = self.table.slots.id_at(index);
        let transaction = self.remove(index, counted);
        let (Some(id), Some(transaction)) = (id, transaction) else { return };
        if transaction.whose == Whose::Own {
            return;
        }
        let (server, client) = (ServerId(id), ClientId(id));
        self.events.push_back(match (transaction.machine.is_client(), verdict) {
            (true, Verdict::Timeout) => TransactionEvent::Timeout { id: client },
            (true, Verdict::Failed) => TransactionEvent::TransportFailed { id: client },
            (true, _) => TransactionEvent::ClientEnded { id: client },
            (false, Verdict::Timeout) => TransactionEvent::ServerTimeout { id: server },
            (false, _) => TransactionEvent::ServerEnded { id: server },
        });
    }

    fn forget_oldest(&mut self) {
        while self.table.finished() > self.limits.finished_transactions
            && let Some(oldest) = self.table.oldest()
        {
            self.counters.forgotten += 1;
            self.end(oldest, Phase::Finished, Verdict::Quiet);
        }
    }
}

fn fail_client(machine: Machine, desk: &mut Desk<'_>) -> (Machine, Verdict) {
    match machine {
        Machine::ClientInvite(state) => {
            let (state, verdict) = state.on_flow_failed(desk);
            (Machine::ClientInvite(state), verdict)
        }
        Machine::ClientOther(state) => {
            let (state, verdict) = state.on_flow_failed();
            (Machine::ClientOther(state), verdict)
        }
        other => (other, Verdict::Quiet),
    }
}
