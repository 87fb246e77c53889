//! The name service, away from the engine thread: goals in, targets with their lifetime out.
//!
//! Carries out the questions that `sip::locate` asks, through a resolver on a thread of its own.
//! Nothing is remembered here and nothing decided: how long an answer is used, what happens without
//! one and who fails over is the engine's. Both queues are bounded: a full one of goals is told to
//! the asker, a full one of answers holds the lookups back.

mod ask;
mod read;

pub use read::records;

use crate::limits::{DNS_LISTINGS, DNS_LISTINGS_AT_ONCE, DNS_LOOKUPS, DNS_QUEUE};
use crate::{Clock, Waker};
use ask::Asked;
use sip::locate::{Failure, Goal, Listing, Member, Spoken, Targets};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What became of one goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// As it was asked.
    pub goal: Goal,
    /// Where it leads, or why nowhere.
    pub found: Result<Found, Failure>,
}

/// Where a goal leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// At least one target.
    pub targets: Targets,
    /// The shortest TTL of all records that led there, as it came.
    pub ttl: Duration,
}

/// What became of one listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// As it was asked.
    pub listing: Listing,
    /// Who is there, or why nobody is known.
    pub found: Result<Vec<Member>, Failure>,
}

/// The engine's end: asks, and takes answers. Dropped, it ends the resolver.
#[derive(Debug)]
pub struct Asker {
    goals: mpsc::Sender<Goal>,
    answers: mpsc::Receiver<Answer>,
    listings: mpsc::Sender<Listing>,
    listed: mpsc::Receiver<Listed>,
}

/// The resolver's end, to be run on a thread of its own.
#[derive(Debug)]
pub struct Resolver {
    goals: mpsc::Receiver<Goal>,
    answers: mpsc::Sender<Answer>,
    listings: mpsc::Receiver<Listing>,
    listed: mpsc::Sender<Listed>,
    waker: Waker,
    spoken: Spoken,
    servers: Vec<SocketAddr>,
    clock: Clock,
}

/// A resolver for nodes that speak `spoken`, and the end that asks it. `waker` is woken for every
/// answer. Without `servers` those of the system (`/etc/resolv.conf`) and its hosts file answer.
#[must_use]
pub fn resolver(
    spoken: Spoken,
    servers: Vec<SocketAddr>,
    waker: Waker,
    clock: Clock,
) -> (Asker, Resolver) {
    let (goals, asked) = mpsc::channel(DNS_QUEUE);
    let (answers, answered) = mpsc::channel(DNS_QUEUE);
    let (listings, to_list) = mpsc::channel(DNS_LISTINGS);
    let (listed, lists) = mpsc::channel(DNS_LISTINGS);
    let resolver = Resolver {
        goals: asked,
        answers,
        listings: to_list,
        listed,
        waker,
        spoken,
        servers,
        clock,
    };
    (Asker { goals, answers: answered, listings, listed: lists }, resolver)
}

impl Asker {
    /// Hands a goal over; false when the queue is full or the resolver has ended. Never blocks.
    #[must_use]
    pub fn ask(&self, goal: Goal) -> bool {
        self.goals.try_send(goal).is_ok()
    }

    /// The next answer, if there is one. Never blocks.
    pub fn answer(&mut self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }

    /// Wants to know who is behind a name; false and never blocking as for a goal. Calls do not
    /// wait behind it: it has a queue of its own.
    #[must_use]
    pub fn list(&self, listing: Listing) -> bool {
        self.listings.try_send(listing).is_ok()
    }

    /// The next listing that has come, if there is one. Never blocks.
    pub fn listed(&mut self) -> Option<Listed> {
        self.listed.try_recv().ok()
    }
}

impl Resolver {
    /// Answers until the asker is gone.
    ///
    /// # Errors
    /// When no runtime can be made: the process has no descriptor left.
    pub fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.serve());
        Ok(())
    }

    async fn serve(mut self) {
        let mut asked = Asked::new(self.servers, self.clock);
        let (mut lookups, mut listings) = (JoinSet::new(), JoinSet::new());
        loop {
            tokio::select! {
                goal = self.goals.recv(), if lookups.len() < DNS_LOOKUPS => {
                    let Some(goal) = goal else { return };
                    let (servers, spoken) = (asked.servers(), self.spoken);
                    let (answers, waker) = (self.answers.clone(), self.waker.clone());
                    lookups.spawn(async move {
                        let found = ask::lookup(servers, &goal, spoken).await;
                        // An asker that is gone needs no answer.
                        let _ = answers.send(Answer { goal, found }).await;
                        waker.wake();
                    });
                }
                Some(listing) = self.listings.recv(), if listings.len() < DNS_LISTINGS_AT_ONCE => {
                    let (servers, spoken) = (asked.servers(), self.spoken);
                    let (listed, waker) = (self.listed.clone(), self.waker.clone());
                    listings.spawn(async move {
                        let found = ask::list(servers, &listing, spoken).await;
                        let _ = listed.send(Listed { listing, found }).await;
                        waker.wake();
                    });
                }
                Some(_) = lookups.join_next() => {}
                Some(_) = listings.join_next() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
