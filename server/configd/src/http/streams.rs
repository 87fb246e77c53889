//! Places for answers that are made while they are sent, each with a thread: snapshots, backups.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::limits;
use crate::refusal::Refusal;

/// All places, and those of each address that has some.
pub(super) struct Streams {
    all: Arc<Semaphore>,
    own: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

/// A place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Default for Streams {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(limits::STREAMS)), own: Mutex::default() }
    }
}

impl Streams {
    /// A place for somebody at this address, when there is one soon.
    ///
    /// # Errors
    /// `busy`.
    pub(super) async fn place(&self, address: &str) -> Result<Place, Refusal> {
        let own = self.own(address);
        let place = async {
            // neither semaphore is ever closed
            let own = own.acquire_owned().await.ok()?;
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Place { _own: own, _all: all })
        };
        let place = timeout(limits::STREAM_WAIT, place).await;
        place.ok().flatten().ok_or(Refusal::Full("too many snapshots and backups are being sent"))
    }

    fn own(&self, address: &str) -> Arc<Semaphore> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        // who has no place and waits for none is not remembered
        own.retain(|_, places| Arc::strong_count(places) > 1);
        let places = own.entry(address.to_owned());
        Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(limits::STREAMS_OWN))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_does_not_take_the_places_of_others() {
        let streams = Streams::default();
        let mut places = Vec::new();
        for _ in 0..limits::STREAMS_OWN {
            places.push(streams.place("a").await.unwrap());
        }
        let refused = streams.place("a").await.unwrap_err();
        assert_eq!((refused.entry().status, refused.entry().name), (503, "busy"));
        assert!(!refused.to_string().contains("changes"), "{refused}");
        streams.place("b").await.unwrap();
        places.pop();
        streams.place("a").await.unwrap();
        places.clear();
        drop(streams.place("b").await);
        assert_eq!(streams.own.lock().unwrap().len(), 1);
    }
}
