//! Questions that read the calls of more than a day (rs.md §8): few of them at once, of one user
//! and of all, and never all readers of the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::time::Millis;
use rs::{Filter, Refused};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Shared;
use super::access::Asker;
use super::answer::timed_out;
use super::limits::{HEAVY, HEAVY_AGAIN, HEAVY_EACH, HEAVY_READERS, QUESTION};

/// How many each has under way: by user, or by address where there is none.
#[derive(Debug)]
pub(super) struct Heavy {
    each: Mutex<HashMap<String, u32>>,
    /// Those that may be at the database.
    readers: Arc<Semaphore>,
}

impl Default for Heavy {
    fn default() -> Self {
        Self { each: Mutex::default(), readers: Arc::new(Semaphore::new(HEAVY_READERS)) }
    }
}

/// One that is under way, as long as it lives.
#[derive(Clone, Debug)]
pub(super) struct Place {
    _one: Arc<One>,
    _reader: Arc<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct One {
    of: Arc<Heavy>,
    who: String,
}

impl Heavy {
    fn under_way(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.each.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more; `None`: this one has as many as one may have, or all have.
    fn place(self: &Arc<Self>, who: String) -> Option<One> {
        let mut under_way = self.under_way();
        let (all, own) = (under_way.values().sum::<u32>(), under_way.get(&who));
        let own = own.copied().unwrap_or_default();
        if all >= HEAVY || own >= HEAVY_EACH {
            return None;
        }
        under_way.insert(who.clone(), own + 1);
        Some(One { of: Arc::clone(self), who })
    }

    /// Waits until it may be at the database, too; `None`: it never will.
    async fn reading(&self, one: One) -> Option<Place> {
        let reader = Arc::clone(&self.readers).acquire_owned().await.ok()?;
        Some(Place { _one: Arc::new(one), _reader: Arc::new(reader) })
    }
}

impl Drop for One {
    fn drop(&mut self) {
        let mut under_way = self.of.under_way();
        if let Some(own) = under_way.get_mut(&self.who) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                under_way.remove(&self.who);
            }
        }
    }
}

impl Shared {
    /// A place for a list, if it reads much.
    ///
    /// # Errors
    /// `rate-limit`: there is none.
    pub(super) async fn heavy_place(
        &self,
        asker: &Asker,
        filter: &Filter,
        now: Millis,
    ) -> Result<Option<Place>, Refused> {
        if filter.is_heavy(now) { self.heavy_one(asker).await.map(Some) } else { Ok(None) }
    }

    /// A place for a question that reads much.
    ///
    /// # Errors
    /// `rate-limit`: there is none. `query-timeout`: others took too long.
    pub(super) async fn heavy_one(&self, asker: &Asker) -> Result<Place, Refused> {
        let who = asker.user.clone().unwrap_or_else(|| asker.address.ip().to_string());
        let one = self.heavy.place(who).ok_or_else(|| {
            let text = format!(
                "of lists of more than a day, unions and numbers {HEAVY_EACH} of one user and \
                 {HEAVY} in all are answered at once"
            );
            Refused::other(429, "rate-limit", text).in_seconds(HEAVY_AGAIN)
        })?;
        let place = tokio::time::timeout(QUESTION, self.heavy.reading(one)).await;
        place.ok().flatten().ok_or_else(timed_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::limits::READERS;

    #[test]
    fn four_of_one_and_sixteen_of_all() {
        let heavy = Arc::<Heavy>::default();
        let take = |who: u32, most: usize| -> Vec<Arc<One>> {
            (0..most).map_while(|_| heavy.place(who.to_string()).map(Arc::new)).collect()
        };
        let mut first = take(1, 10);
        assert_eq!(first.len(), 4);
        let others: Vec<_> = (2..5).flat_map(|who| take(who, 10)).collect();
        assert_eq!((others.len(), take(5, 10).len()), (12, 0));
        let last = first.pop().unwrap();
        let shared = last.clone();
        drop(last);
        assert_eq!(take(5, 10).len(), 0, "somebody has it still");
        drop(shared);
        let fifth = take(5, 10);
        assert_eq!((fifth.len(), take(1, 10).len()), (1, 0));
        drop((first, others, fifth));
        assert_eq!(heavy.under_way().len(), 0);
    }

    #[tokio::test]
    async fn one_reader_is_left_for_what_is_not_heavy() {
        let heavy = Arc::<Heavy>::default();
        let one = |who: usize| heavy.place(who.to_string()).unwrap();
        let mut reading = Vec::new();
        for who in 0..READERS - 1 {
            reading.push(heavy.reading(one(who)).await.unwrap());
        }
        let mut waits = Box::pin(heavy.reading(one(99)));
        tokio::select! {
            biased;
            _ = &mut waits => panic!("all readers are taken"),
            () = std::future::ready(()) => {}
        }
        // as long as somebody has it
        let copy = reading[3].clone();
        drop(reading.remove(3));
        assert_eq!(heavy.readers.available_permits(), 0);
        drop(copy);
        assert!(waits.await.is_some());
    }
}
