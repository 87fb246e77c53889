//! The lease of the job (spec rs.md §4.10): of several RS on one database one makes bins, under a
//! fence that each of its transactions checks.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use net::Clock;

use crate::store::bins::LEASE;
use crate::store::custody::ms;
use crate::store::keeping::Lease;
use crate::store::{Store, StoreError};

/// How long it is taken for.
const LEASE_MS: i64 = 30_000;
/// It is renewed so often,
const RENEW: Duration = Duration::from_secs(10);
/// and a holder that cannot for so long stops by itself.
const GIVE_UP: Duration = Duration::from_secs(20);

/// The lease, while it is ours.
pub(super) struct Tenure {
    store: Arc<dyn Store>,
    /// Of this process alone.
    holder: String,
    clock: Clock,
    /// Its fence, and when it was taken or renewed last.
    held: Cell<Option<(u64, Duration)>>,
}

impl Tenure {
    pub(super) fn new(store: Arc<dyn Store>, holder: String, clock: Clock) -> Self {
        Self { store, holder, clock, held: Cell::new(None) }
    }

    /// Takes it, or renews it where that is due: its fence; `None`: another has it.
    pub(super) fn take(&self) -> Result<Option<u64>, StoreError> {
        if let Some((fence, since)) = self.held.get()
            && self.clock.mono().saturating_sub(since) < RENEW
        {
            return Ok(Some(fence));
        }
        // it runs from before the question
        let now = self.clock.now();
        let now_ms = ms(now.wall);
        let keeping = self.store.keeping();
        let lease = keeping.take_lease(LEASE, &self.holder, now_ms, now_ms + LEASE_MS)?;
        self.held.set(lease.map(|lease| (lease.fence, now.mono)));
        Ok(self.held.get().map(|(fence, _)| fence))
    }

    /// Whether work under this fence goes on.
    pub(super) fn lasts(&self, fence: u64) -> bool {
        match self.take() {
            Ok(held) => held == Some(fence),
            Err(_) => self
                .held
                .get()
                .is_some_and(|(_, since)| self.clock.mono().saturating_sub(since) < GIVE_UP),
        }
    }

    /// It has turned out to be another's.
    pub(super) fn lost(&self) {
        self.held.set(None);
    }

    /// Gives it back, so that another need not wait. Where that cannot be, it ends by itself.
    pub(super) fn end(&self) -> Result<(), StoreError> {
        match self.held.take() {
            Some((fence, _)) => self.store.keeping().end_lease(&Lease { name: LEASE, fence }),
            None => Ok(()),
        }
    }
}
