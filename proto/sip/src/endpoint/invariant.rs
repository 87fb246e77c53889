//! What is true between any two calls of an endpoint; a full look at all transactions.

use super::Endpoint;
use crate::transaction::{Machine, Phase, Transaction, client_invite, client_other, server_invite};

/// Endpoints with more transactions are not looked through after every call, even in debug.
#[cfg(debug_assertions)]
const CHECKED_ALWAYS: usize = 32;

impl Endpoint {
    /// Looks whether the tables, the deadlines and the states agree.
    ///
    /// # Errors
    ///
    /// What does not hold. Costs time in proportion to the number of transactions: for tests.
    pub fn invariant(&self) -> Result<(), &'static str> {
        let table = &self.table;
        let (mut finished, mut members, mut armed, mut origins) = (0, 0, 0, 0);
        for (index, transaction) in table.slots.iter() {
            if table.find(table.hash(&transaction.key), &transaction.key) != Some(index) {
                return Err("a transaction is not found by its key");
            }
            finished += usize::from(transaction.machine.phase() == Phase::Finished);
            members += usize::from(transaction.is_member);
            armed += transaction.armed.count();
            origins += usize::from(transaction.origin.is_some());
            fits(transaction)?;
        }
        let holds = [
            (table.indexed() == table.slots.len(), "the index and the places differ in number"),
            (origins == table.originated(), "the index of origins and the marks differ"),
            (finished == table.finished(), "the chain of finished ones and the states differ"),
            (finished <= self.limits.finished_transactions, "too many finished ones"),
            (members == table.members.total(), "the chains of addresses and the marks differ"),
            (armed == self.deadlines.len(), "a deadline is armed that no transaction holds"),
            (self.deadlines.sorted(), "a lane of deadlines is not sorted"),
            (
                self.deadlines.owners().all(|owner| table.slots.at(owner).is_some()),
                "a deadline belongs to a dead transaction",
            ),
        ];
        holds.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(*what))
    }

    #[cfg(debug_assertions)]
    pub(super) fn check(&self) {
        if self.table.slots.len() <= CHECKED_ALWAYS {
            debug_assert_eq!(self.invariant(), Ok(()));
        }
    }

    #[cfg(not(debug_assertions))]
    pub(super) const fn check(&self) {}
}

/// What the state of one transaction demands of it.
fn fits(transaction: &Transaction) -> Result<(), &'static str> {
    let machine = &transaction.machine;
    let phase = machine.phase();
    if phase == Phase::Over || matches!(machine, Machine::Stepping) {
        return Err("a transaction that is over is still there");
    }
    let waits_for_the_user = matches!(
        machine,
        Machine::ServerInvite(_) | Machine::ClientInvite(client_invite::State::Proceeding { .. })
    );
    let open_ended = phase == Phase::Pending && waits_for_the_user;
    if !open_ended && !transaction.armed.has_end() {
        return Err("a transaction can never end");
    }
    let repeats = matches!(
        machine,
        Machine::ClientInvite(client_invite::State::Calling { .. })
            | Machine::ClientOther(
                client_other::State::Trying { .. } | client_other::State::Proceeding { .. }
            )
            | Machine::ServerInvite(server_invite::State::Completed { .. })
    );
    let unreliable = !transaction.flow.transport.is_stream();
    // a 100 may wait there, on any transport
    let may_wait = matches!(
        machine,
        Machine::ServerInvite(server_invite::State::Proceeding { last: Some(_) })
    );
    if !may_wait && transaction.armed.has_resend() != (repeats && unreliable) {
        return Err("something is repeated that should not be, or the other way round");
    }
    if machine.is_client() && transaction.is_member != (phase == Phase::Pending) {
        return Err("a client transaction is not found by its address while it is pending");
    }
    Ok(())
}
