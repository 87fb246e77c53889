//! Compressed bodies that may be large are inflated, and handed to the spool, beside the threads
//! that carry bytes: of some kibibytes come mebibytes, and all other connections would wait for
//! them. What came behind on the same connection waits its turn; few are inflated at once, in the
//! order in which they came.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};

use super::Parts;
use super::connection::Parked;
use super::desk::NotTaken;

/// An arrival that is being inflated; gone with this value.
pub(super) struct Unpacking {
    task: JoinHandle<Option<Unpacked>>,
    /// Of its messages, and bytes of theirs as they came.
    pub(super) messages: usize,
    pub(super) held: usize,
}

/// One that was inflated, and what the spool said.
pub(super) struct Unpacked {
    pub(super) parked: Parked,
    pub(super) taken: Result<u64, NotTaken>,
}

impl Unpacking {
    pub(super) fn begin(mut parked: Parked, places: &Arc<Semaphore>, parts: Parts) -> Self {
        let (messages, held) = (parked.arrival.messages(), parked.arrival.held());
        let places = Arc::clone(places);
        let task = tokio::spawn(async move {
            // the semaphore is never closed
            let place = places.acquire_owned().await.ok()?;
            let inflating = spawn_blocking(move || {
                let taken = parked.arrival.hand(&parts);
                drop(place);
                Unpacked { parked, taken }
            });
            inflating.await.ok()
        });
        Self { task, messages, held }
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
