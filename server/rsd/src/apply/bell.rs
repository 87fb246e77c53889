//! Wakes the applier: rung by the spool's thread when frames are durable, and to stop. Ringing
//! never blocks.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The bell; rings that nobody waited for are kept as one.
#[derive(Debug, Default)]
pub struct Bell {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    rung: bool,
    /// Told to stop once nothing is left; pauses still allowed.
    stopping: Option<Duration>,
}

impl Bell {
    /// There is something to read.
    pub fn ring(&self) {
        self.state().rung = true;
        self.wake.notify_one();
    }

    /// To end when nothing is left, or when pauses would last longer than this.
    pub(crate) fn stop(&self, at_most: Duration) {
        self.state().stopping = Some(at_most);
        self.wake.notify_one();
    }

    /// Told to stop: the time that is left for pauses.
    pub(crate) fn stopping(&self) -> Option<Duration> {
        self.state().stopping
    }

    /// Until the next ring, at most so long.
    pub(crate) fn wait(&self, at_most: Duration) {
        let silent = |state: &mut State| !state.rung && state.stopping.is_none();
        let waited = self.wake.wait_timeout_while(self.state(), at_most, silent);
        waited.unwrap_or_else(PoisonError::into_inner).0.rung = false;
    }

    /// The same whether it rings or not; a ring is kept.
    pub(super) fn rest(&self, at_most: Duration) {
        let goes_on = |state: &mut State| state.stopping.is_none();
        let rested = self.wake.wait_timeout_while(self.state(), at_most, goes_on);
        drop(rested.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits whether it rings or not; false: there is no time left, the applier is to end.
    pub(crate) fn pause(&self, length: Duration) -> bool {
        let waited =
            self.wake.wait_timeout_while(self.state(), length, |state| state.stopping.is_none());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let Some(left) = state.stopping else { return true };
        let Some(left) = left.checked_sub(length) else { return false };
        state.stopping = Some(left);
        drop(state);
        std::thread::sleep(length);
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
