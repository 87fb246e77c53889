//! The monitor's look at the books of the producers, and at what else only the database knows.
//!
//! A look costs more the more producers there are, so the pause after it grows with it, and older
//! minutes are looked at as far as there is time.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use model::record::ComponentType;
use model::time::Millis;
use rs::Filter;
use rs::integrity::judge;
use rs::query::Progress;
use rs::rollup::State;
use tokio::sync::watch;

use super::Monitor;
use crate::alarms::{BookWatch, GONE_MS, SLICE_MS, Slices, standings};
use crate::crew::Worker;
use crate::jobs::look_at_bins;
use crate::store::custody::ms;
use crate::store::keeping::Jobs;
use crate::store::{BooksAsked, Store, StoreError, StreamBooks, Unit};

/// Between two looks, at least.
const PAUSE: Duration = Duration::from_secs(10);
/// So many times as long as the look took, if that is more.
const REST: u32 = 30;
/// After so long no more of the older minutes are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Slices of minutes that are looked at in any case: the newest.
const ALWAYS: usize = 2;
/// The figure that counts ids with two contents.
const CONFLICT: &str = "id_conflict";

/// What is in the database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stock {
    /// Open dead letters.
    pub(crate) letters: u64,
    /// Calls in progress.
    pub(crate) live: BTreeMap<ComponentType, u64>,
    /// What its jobs are at, those of this process among them.
    pub(crate) jobs: Jobs,
    /// When the last purge began that left nothing to do, of whichever process.
    pub(crate) retained_ms: Option<i64>,
}

impl Stock {
    fn of(store: &dyn Store, holder: &str, now: Millis) -> Result<Self, StoreError> {
        let state = store.bins().map(|bins| bins.meta()).transpose()?;
        let mut stock = Self {
            letters: store.dead_letters()?.values().sum(),
            live: BTreeMap::new(),
            jobs: store.keeping().jobs(holder, ms(now))?,
            retained_ms: state.and_then(|meta| State::of(&meta).retained_ms),
        };
        for kind in ComponentType::ALL {
            let progress = Progress::Live;
            let filter = Filter { progress, component_type: Some(*kind), ..Filter::default() };
            stock.live.insert(*kind, store.count(&filter, Unit::Leg, now)?);
        }
        Ok(stock)
    }
}

impl Monitor {
    /// Looks again and again until the end. While the database is away everything stays as it was
    /// found.
    pub(crate) async fn keep_books(self: Arc<Self>, mut closed: watch::Receiver<bool>) {
        let (mut watch, started_ms) = (BookWatch::default(), ms(self.clock.now().wall));
        let mut slices = Slices::default();
        loop {
            let own = Arc::clone(&self);
            let began = self.clock.mono();
            let looking = tokio::task::spawn_blocking(move || {
                let seen = own.look_at_books(&mut slices);
                (slices, seen)
            });
            let seen;
            (slices, seen) = match looking.await {
                Ok(looked) => looked,
                Err(error) => {
                    slices = Slices::default();
                    let pause = self.watched.crew.failed(Worker::Books, error);
                    tokio::time::sleep(pause.unwrap_or(PAUSE)).await;
                    continue;
                }
            };
            if let Ok((streams, conflicts, now)) = seen {
                let now_ms = ms(now);
                let found = standings(&streams, &slices, now_ms);
                self.tell(watch.look(&found, conflicts, (started_ms, now_ms)));
                *self.standings.lock().unwrap_or_else(PoisonError::into_inner) = found;
            }
            let took = self.clock.mono().saturating_sub(began);
            tokio::select! {
                () = tokio::time::sleep(PAUSE.max(took * REST)) => {}
                _ = closed.changed() => return,
            }
        }
    }

    /// Streams that are heard or have a gap, conflicts so far, and when that was; minutes go into
    /// their slices.
    fn look_at_books(&self, slices: &mut Slices) -> Result<Seen, StoreError> {
        let store = &*self.watched.store;
        let now = self.clock.now();
        let now_ms = ms(now.wall);
        let asked = BooksAsked {
            producer: None,
            minutes: (0, 0),
            heard_ms: Some(now_ms - GONE_MS),
            figures: &[CONFLICT],
        };
        let books = store.books(&asked)?;
        for (at, from_ms) in slices.order(now_ms).into_iter().enumerate() {
            if at >= ALWAYS && self.clock.mono().saturating_sub(now.mono) > LOOK {
                break;
            }
            let minutes = (from_ms, from_ms + SLICE_MS);
            let asked = BooksAsked { minutes, heard_ms: None, figures: &[], ..asked.clone() };
            let books = store.books(&asked)?;
            let judged = judge(&books.told, &books.stored, &books.first, from_ms, now_ms);
            slices.judged(from_ms, &judged);
        }
        look_at_bins(&self.watched.jobs, store, &|| ms(self.clock.now().wall))?;
        let stock = Stock::of(store, &self.watched.holder, now.wall)?;
        *self.stock.lock().unwrap_or_else(PoisonError::into_inner) = stock;
        Ok((books.streams, books.figures.values().sum(), now.wall))
    }
}

type Seen = (Vec<StreamBooks>, u64, Millis);
