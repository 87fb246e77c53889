//! The books: one ordered history of small transactions over all objects (ops.md §1).
//!
//! ```text
//!   transact, rollback, tokens ──► queue of 64 ──► writer thread ──► store (on disk)
//!                                                       │
//!   now, find, dry runs ◄──────── state ◄───────────────┤
//!   watchers ◄── ring of the newest changes ◄───────────┘
//! ```
//! Reads take the state that is in memory; they never wait for the store or the writer, but those
//! of the history. What is answered as done is on disk.

mod admin;
mod audit;
mod backup;
mod clients;
mod dbid;
mod desk;
mod entry;
mod faults;
mod history;
mod open;
mod prepare;
mod queue;
mod rename;
mod resolve;
mod restorable;
mod state;
mod tokens;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use model::time::Now;
use tokio::sync::oneshot;

pub use admin::{AdminError, FirstAdmin};
pub use audit::{role_of, role_word};
pub use backup::Restored;
pub use entry::{Entry, Meta};
pub use history::Revisions;
pub use open::{OpenError, Parts, Seeded};
pub use state::State;
pub use tokens::{NewToken, Token};
pub use watch::{Event, Held, Told, Watcher};

use crate::refusal::Refusal;
use crate::transaction::{Outcome, Transaction};
use crate::who::Who;
use desk::Desk;
use prepare::Stamp;

/// Both clocks. What is written has the time of the wall; what lies apart is measured by the
/// monotonic one, for the wall's is set by people and by other machines.
pub type Clocks = Arc<dyn Fn() -> Now + Send + Sync>;

/// How much of the history is kept: the newest revisions, and all that are not older.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct History {
    /// `config_server.history.keep_revisions`
    pub revisions: u64,
    /// `config_server.history.keep`
    pub age: Duration,
}

/// The front of the books; clones are of the same books.
#[derive(Clone)]
pub struct Books {
    desk: Arc<Desk>,
    _writer: Arc<Writer>,
}

/// The writer's thread: ends with the last clone of the books, or when they are closed.
struct Writer {
    desk: Arc<Desk>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Writer {
    fn close(&self) {
        self.desk.closing.send_replace(true);
        self.desk.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // a writer that panicked has told so on its own
            let _ = thread.join();
        }
    }
}

impl Books {
    /// The current state.
    #[must_use]
    pub fn now(&self) -> Arc<State> {
        self.desk.now()
    }

    /// Whether the store is away: reads and watches go on, changes are refused.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.desk.away.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// How long ago something was, as [`Told::stored`] says it.
    #[must_use]
    pub fn elapsed(&self, since: Duration) -> Duration {
        self.desk.mono().saturating_sub(since)
    }

    /// How long ago the writer turned last; with nothing to do it turns every ten seconds.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.desk.mono().saturating_sub(*lock(&self.desk.turned))
    }

    /// Carries out a transaction: all of it becomes one revision, on disk before this returns, or
    /// nothing does. One that changes nothing makes no revision. A dry run says the same, and
    /// neither waits for the writer nor holds him up.
    ///
    /// # Errors
    /// Why not, with every problem of the first stage that has any.
    pub async fn transact(&self, transaction: Transaction, who: &Who) -> Result<Outcome, Refusal> {
        let who = who.clone();
        if transaction.dry_run {
            return self.read(move |desk| desk.dry_run(&transaction, &who)).await;
        }
        let about = audit::objects(&transaction);
        let waiting = self.write({
            let who = who.clone();
            move |desk| desk.transact(&transaction, &who)
        });
        let answer = waiting.await;
        if let Err(refusal @ Refusal::Busy) = &answer {
            self.desk.refused("transaction", about, refusal, &who);
        }
        answer
    }

    /// Stops: what waits is done, watchers hear `bye`, later changes are refused. Waits for the
    /// writer, so it is not for a task of a runtime.
    pub fn close(&self) {
        self._writer.close();
    }

    /// Waits until the writer is no more: it was closed, or it broke.
    pub async fn ended(&self) {
        let mut ended = self.desk.ended.subscribe();
        // its sender is on our own desk
        let _ended = ended.wait_for(|ended| *ended).await;
    }

    /// Lets the writer do something.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Desk) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.desk.queue.push(Box::new(move |desk| {
            // whoever asked may have gone
            let _ = reply.send(work(desk));
        }))?;
        answer.await.unwrap_or(Err(Refusal::StoreUnavailable))
    }

    /// Does something that may wait for the disk or take long, beside the writer.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Desk) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let desk = Arc::clone(&self.desk);
        let done = tokio::task::spawn_blocking(move || work(&desk)).await;
        done.unwrap_or(Err(Refusal::StoreUnavailable))
    }
}

/// What is under a lock here is whole whenever it is let go, also by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    fn transact(&self, transaction: &Transaction, who: &Who) -> Result<Outcome, Refusal> {
        let state = self.now();
        let stamp = Stamp::next(&state, self.time(), who);
        let done = prepare::transaction(&state, transaction, who, &stamp).and_then(|prepared| {
            if !prepared.items.is_empty() {
                self.commit(&prepared, &stamp, ("transaction", &transaction.message), who)?;
            }
            Ok(prepared)
        });
        let about = || audit::objects(transaction);
        match done {
            Ok(prepared) => {
                if prepared.items.is_empty() {
                    let line = self.line("transaction", who);
                    self.noted(crate::store::AuditRow { objects: about(), ..line });
                }
                Ok(prepared.outcome(false))
            }
            Err(refusal) => {
                self.refused("transaction", about(), &refusal, who);
                Err(refusal)
            }
        }
    }

    fn dry_run(&self, transaction: &Transaction, who: &Who) -> Result<Outcome, Refusal> {
        let state = self.now();
        let stamp = Stamp::next(&state, self.time(), who);
        let about = audit::objects(transaction);
        match prepare::transaction(&state, transaction, who, &stamp) {
            Ok(prepared) => {
                let line = self.line("dry-run", who);
                self.noted(crate::store::AuditRow { objects: about, ..line });
                Ok(prepared.outcome(true))
            }
            Err(refusal) => {
                self.refused("dry-run", about, &refusal, who);
                Err(refusal)
            }
        }
    }
}
