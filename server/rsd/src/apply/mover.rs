//! Moves write-ahead logs into their files, on a thread of its own between batches (spec rs.md
//! §3.3). Told of each batch, it moves the logs that have become long; once a second also those of
//! files that nobody writes to, and at the end all of them. Which ones those are, and when a batch
//! waits for it, is the store's matter.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use net::Clock;
use telemetry::Log;

use super::{Bell, Parts};
use crate::background::Background;
use crate::crew::Worker;
use crate::priority::{APPLY, lower};
use crate::store::checkpoints::{Checkpoints, Due};

/// Between two looks for files that nobody writes to.
const LOOK: Duration = Duration::from_secs(1);

/// The running thread.
pub(super) struct Mover {
    bell: Arc<Bell>,
    thread: Background,
}

impl Mover {
    /// Starts it; `None`: the database moves its logs itself.
    ///
    /// # Errors
    /// There are no threads.
    pub(super) fn start(parts: &Parts) -> io::Result<Option<Self>> {
        let (store, log, clock) = (Arc::clone(&parts.store), parts.log.clone(), parts.clock);
        if store.checkpoints().is_none() {
            return Ok(None);
        }
        let bell = Arc::<Bell>::default();
        let (crew, told) = (Arc::clone(&parts.crew), Arc::clone(&bell));
        let work = move || {
            lower(APPLY);
            let Some(logs) = store.checkpoints() else { return };
            crew.work(
                Worker::Checkpoint,
                || run(logs, &told, &log, clock),
                |pause| told.pause(pause),
            );
        };
        Ok(Some(Self { thread: Background::start("checkpoint", work)?, bell }))
    }

    /// To be rung when a batch is stored.
    pub(super) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    /// Lets it move what is left, and ends the thread.
    pub(super) fn stop(self) {
        self.bell.stop(Duration::ZERO);
        // what is not moved is in the logs at the next start
        let _ended = self.thread.end(Duration::ZERO);
    }
}

/// Until told to stop.
fn run(logs: &dyn Checkpoints, bell: &Bell, log: &Log, clock: Clock) {
    let mut looked = clock.mono();
    loop {
        bell.wait(LOOK);
        let now = clock.mono();
        let due = if bell.stopping().is_some() {
            Due::All
        } else if now.saturating_sub(looked) >= LOOK {
            looked = now;
            Due::Calm
        } else {
            Due::Long
        };
        if let Err(error) = logs.checkpoint(due) {
            log.emit(33107, None, &[("error", &error.reason())]);
        }
        if due == Due::All {
            return;
        }
    }
}
