//! A queue that was set back: its last segments are lost, or it is an older copy, and neither the
//! database nor the clock told of that at the start. So the database counts as stored what has come
//! since. Nothing is passed over: all of it waits for a start that takes the queue for another one,
//! where that is possible.

use super::Work;

/// Why nothing of the queue is stored.
#[derive(Debug, thiserror::Error)]
#[error(
    "the database has frames of this queue up to {applied}, and what came since the start is above \
     {above}: the queue was set back, and all of it waits: {next}"
)]
struct SetBack {
    applied: u64,
    above: u64,
    next: &'static str,
}

impl Work {
    /// Whether it is, where nothing has been stored since the start.
    pub(super) fn is_set_back(&self, applied: u64) -> bool {
        self.counted.is_none() && applied > self.above()
    }

    /// Has the next start store all that is in it. False: told to stop.
    pub(super) fn set_back(&mut self, applied: u64) -> bool {
        self.parts.figures.failed(self.parts.clock.mono());
        let next = match (self.parts.disown)() {
            Ok(true) => "start RS again",
            Ok(false) => "copy it before RS is started again, which takes it for stored",
            Err(_) => "remove the file id of its directory, and start RS again",
        };
        let error = SetBack { applied, above: self.above(), next };
        self.failed("database", &error)
    }

    /// Sequences of what has come since the start are above this.
    fn above(&self) -> u64 {
        self.parts.found.max(self.parts.floor)
    }
}
