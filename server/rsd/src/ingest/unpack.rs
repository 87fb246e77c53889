//! Compressed bodies that may be large are inflated, and handed to the spool, beside the threads
//! that carry bytes: of some kibibytes come mebibytes, and all other connections would wait for
//! them. What came behind on the same connection waits its turn; few are inflated at once, in the
//! order in which they came.
//!
//! Whoever gives one up and whoever hands it to the spool agree on which of both it is: it is
//! counted as abandoned, or it is in the spool and answered, never both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};

use super::Parts;
use super::desk::NotTaken;
use super::parked::Parked;
use crate::crew::Worker;

/// An arrival that is being inflated; gone with this value.
pub(super) struct Unpacking {
    task: JoinHandle<Option<Unpacked>>,
    /// Set by whoever comes first: it goes to the spool, or it is given up.
    decided: Arc<AtomicBool>,
    /// Of its messages, and bytes of theirs as they came.
    pub(super) messages: usize,
    pub(super) held: usize,
}

/// One that was inflated, and what the spool said.
pub(super) struct Unpacked {
    pub(super) parked: Parked,
    pub(super) taken: Result<u64, NotTaken>,
}

/// First to say what becomes of it.
fn decides(decided: &AtomicBool) -> bool {
    !decided.swap(true, Ordering::SeqCst)
}

impl Unpacking {
    pub(super) fn begin(mut parked: Parked, places: &Arc<Semaphore>, parts: Parts) -> Self {
        let (messages, held) = (parked.arrival.messages(), parked.arrival.held());
        let (places, crew) = (Arc::clone(places), Arc::clone(&parts.crew));
        let decided = Arc::<AtomicBool>::default();
        let own = Arc::clone(&decided);
        let task = tokio::spawn(async move {
            // the semaphore is never closed
            let place = places.acquire_owned().await.ok()?;
            let inflating = spawn_blocking(move || {
                let taken = match parked.arrival.unpack(&parts) {
                    Ok(()) if decides(&own) => parked.arrival.store(&parts),
                    // given up meanwhile, and counted
                    Ok(()) => return None,
                    Err(why) => Err(why),
                };
                drop(place);
                Some(Unpacked { parked, taken })
            });
            match inflating.await {
                Ok(unpacked) => unpacked,
                Err(error) => {
                    crew.lost(Worker::Connection, error);
                    None
                }
            }
        });
        Self { task, decided, messages, held }
    }

    /// Gives it up, unless it is on its way into the spool: then it is there in a moment.
    pub(super) fn give_up(&self) -> bool {
        decides(&self.decided)
    }

    /// Waits for it; `None`: it is lost with a thread that has panicked.
    pub(super) async fn done(this: &mut Option<Self>) -> Option<Unpacked> {
        match this {
            Some(unpacking) => (&mut unpacking.task).await.ok().flatten(),
            None => std::future::pending().await,
        }
    }
}

impl Drop for Unpacking {
    fn drop(&mut self) {
        self.task.abort();
    }
}
