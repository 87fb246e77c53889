//! Connections for one use: writers or readers. One is lent for a piece of work and given back
//! when that is done; after an error it is closed instead.

use std::sync::{Mutex, PoisonError};

use net::Clock;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::failure::Failure;
use super::link::{Link, Times};
use super::target::Target;
use crate::store::{Connections, Password};

/// Connections that are open and not in use, and how many there may be.
pub(super) struct Pool {
    target: Target,
    /// Of the target's login.
    pub(super) password: Option<Password>,
    times: Times,
    clock: Clock,
    most: usize,
    places: Semaphore,
    idle: Mutex<Vec<Link>>,
}

impl Pool {
    /// At most so many at once; who wants one more waits.
    pub(super) fn new(target: Target, times: Times, clock: Clock, most: usize) -> Self {
        let idle = Mutex::default();
        let (password, places) = (None, Semaphore::new(most));
        Self { target, password, times, clock, most, places, idle }
    }

    fn target(&self) -> Target {
        let target = self.target.clone();
        match &self.password {
            Some(password) => Target { password: password(), ..target },
            None => target,
        }
    }

    /// How many are at work, and how many wait.
    pub(super) fn connections(&self) -> Connections {
        let busy = self.most.saturating_sub(self.places.available_permits());
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).len();
        Connections { busy, idle }
    }

    /// Works with a connection. `fresh` prepares a new one.
    pub(super) fn with<T>(
        &self,
        runtime: &Runtime,
        fresh: impl AsyncFnOnce(&mut Link) -> Result<(), Failure>,
        work: impl AsyncFnOnce(&mut Link) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        runtime.block_on(async {
            let place = self.places.acquire().await;
            let _place = place.map_err(|_| Failure::TimeOut("its connections are closed"))?;
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let worked = timeout(self.times.work, async {
                let mut link = match idle {
                    Some(link) => link,
                    None => {
                        let target = self.target();
                        let mut link = Link::open(&target, self.times, self.clock).await?;
                        fresh(&mut link).await?;
                        link
                    }
                };
                // the future owns the connection: both end together
                let done = work(&mut link).await?;
                Ok::<_, Failure>((done, link))
            });
            let late = |_| Failure::TimeOut("all the work of a batch");
            let worked = worked.await.map_err(late).flatten();
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let (done, link) = worked.inspect_err(|_| {
                // what ended this connection may have ended those that wait
                idle.clear();
            })?;
            idle.push(link);
            Ok(done)
        })
    }
}
