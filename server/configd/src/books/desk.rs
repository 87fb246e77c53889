//! The desk of the writer: the store, the state that readers see, and who has to be told.
//!
//! Only the writer's thread changes anything here; readers take the state and go. A revision is on
//! disk before it is seen by anybody.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::id::Revision;
use model::time::Millis;
use telemetry::log::Log;
use tokio::sync::{Semaphore, watch};

use super::clients::Reporter;
use super::prepare::{Prepared, Stamp};
use super::queue::{Job, Queue, Turn};
use super::state::State;
use super::tokens::Tokens;
use super::watch::Ring;
use super::{Clocks, History, lock};
use crate::change::{Change, Item};
use crate::limits::{COMPACT_EVERY, KEEP_AUDIT, LAZY};
use crate::refusal::Refusal;
use crate::store::{
    AuditRow, ChangeRow, ClientRow, Commit, Keep, Notes, ObjectRow, RevisionRow, Store, StoreError,
    Stored,
};
use crate::who::{Who, tenant_key};
use model::config::Set;

/// How the writer is called, as a thread and in the log.
pub(super) const WRITER: &str = "config-writer";

/// What the writer works on and readers look at.
pub(super) struct Desk {
    pub(super) store: Box<dyn Store>,
    pub(super) clocks: Clocks,
    pub(super) log: Log,
    pub(super) history: History,
    pub(super) states: watch::Sender<Arc<State>>,
    pub(super) closing: watch::Sender<bool>,
    /// Turns true when the writer is no more.
    pub(super) ended: watch::Sender<bool>,
    pub(super) ring: Mutex<Ring>,
    /// Memory for those who resume.
    pub(super) resuming: Arc<Semaphore>,
    pub(super) queue: Queue,
    pub(super) tokens: Mutex<Tokens>,
    /// Told with each token that is revoked.
    pub(super) revoked: watch::Sender<()>,
    pub(super) clients: Mutex<BTreeMap<String, ClientRow>>,
    /// Who reported for each client since the start, and when.
    pub(super) reporters: Mutex<BTreeMap<String, Reporter>>,
    /// States of earlier revisions that somebody asked for.
    pub(super) earlier: Mutex<VecDeque<Arc<State>>>,
    pub(super) away: AtomicBool,
    /// When the books were opened, monotonic.
    pub(super) begun: Duration,
    /// When the writer turned last, monotonic.
    pub(super) turned: Mutex<Duration>,
}

impl Desk {
    /// The current state.
    pub(super) fn now(&self) -> Arc<State> {
        Arc::clone(&self.states.borrow())
    }

    /// The thread of the writer: until the queue is closed and empty.
    pub(super) fn run(&self) {
        let _over = Over(self);
        let (mut compacted, mut noted) = (None, self.mono());
        loop {
            *lock(&self.turned) = self.mono();
            let (turn, audit) = self.queue.next();
            self.note(&Notes { audit, ..Notes::default() });
            let now = self.mono();
            if compacted.is_none_or(|last| now.saturating_sub(last) >= COMPACT_EVERY) {
                compacted = Some(now);
                self.compact();
            }
            if now.saturating_sub(noted) >= LAZY {
                noted = now;
                self.note(&self.queue.lazy());
            }
            match turn {
                Turn::Job(job) => {
                    if !self.carry_out(job) {
                        break;
                    }
                }
                Turn::Idle => {}
                Turn::End => break,
            }
        }
        self.note(&self.queue.lazy());
    }

    /// Does a job. Of one that panics counts what is on disk, and who asked hears
    /// `store-unavailable`. False: that cannot be read, and the books do not go on.
    fn carry_out(&self, job: Job) -> bool {
        let era = self.now().era;
        let Err(cause) = catch_unwind(AssertUnwindSafe(|| job(self))) else { return true };
        let again = catch_unwind(AssertUnwindSafe(|| self.reload(era + 1)));
        let goes_on = matches!(again, Ok(Ok(())));
        let outcome = if goes_on { "goes on from the store" } else { "stops" };
        let fields = [("part", WRITER), ("error", said(&*cause)), ("outcome", outcome)];
        self.log.emit(10003, None, &fields);
        goes_on
    }

    /// The time as it is written.
    pub(super) fn time(&self) -> Millis {
        (self.clocks)().wall
    }

    /// The time as it passes, since some moment before the start.
    pub(super) fn mono(&self) -> Duration {
        (self.clocks)().mono
    }

    /// Stores what is prepared, and tells everybody.
    pub(super) fn commit(
        &self,
        prepared: &Prepared,
        stamp: &Stamp,
        (action, message): (&str, &str),
        who: &Who,
    ) -> Result<(), Refusal> {
        let told = Told::of(prepared, stamp, message);
        let audit = AuditRow {
            objects: objects(&prepared.items),
            revision: Some(stamp.revision),
            ..self.line(action, who)
        };
        let commit = told.commit(prepared, who, audit.clone());
        let answer = self.store.commit(&commit);
        if matches!(answer, Err(StoreError::Moved(_))) {
            // one that seemed to fail did not: what is on disk counts, and who asked asks again
            self.reload(prepared.state.era + 1)?;
        }
        self.stored(answer)?;
        self.log_audit(&audit);
        self.ring().push(told.change, told.json, self.mono());
        self.show(prepared.state.clone());
        Ok(())
    }

    /// Makes a state the current one.
    pub(super) fn show(&self, state: State) {
        self.states.send_replace(Arc::new(state));
    }

    pub(super) fn ring(&self) -> std::sync::MutexGuard<'_, Ring> {
        lock(&self.ring)
    }

    /// What the store answered to a write; that it is away, and back, is told once.
    pub(super) fn stored<T>(&self, answer: Result<T, StoreError>) -> Result<T, Refusal> {
        match answer {
            Ok(done) => {
                if self.away.swap(false, Ordering::Relaxed) {
                    self.log.emit(40102, None, &[]);
                }
                Ok(done)
            }
            Err(error) => {
                if !self.away.swap(true, Ordering::Relaxed) {
                    let mut text = error.to_string();
                    let mut source = std::error::Error::source(&error);
                    while let Some(cause) = source {
                        text.push_str(": ");
                        text.push_str(&cause.to_string());
                        source = cause.source();
                    }
                    self.log.emit(40101, None, &[("error", &text)]);
                }
                Err(Refusal::StoreUnavailable)
            }
        }
    }

    /// What the store answered to a question: that it can be read does not mean that it is back.
    pub(super) fn asked<T>(&self, answer: Result<T, StoreError>) -> Result<T, Refusal> {
        answer.or_else(|error| self.stored(Err(error)))
    }

    /// Writes notes; what cannot be written is lost, and the log says that the store is away.
    fn note(&self, notes: &Notes) {
        if !notes.is_empty() {
            // the answer is in the log
            let _ = self.stored(self.store.note(notes));
        }
    }

    /// Forgets what need not be kept.
    pub(super) fn compact(&self) {
        let now = self.time();
        let before = |age: Duration| {
            Millis(now.0.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)))
        };
        let keep = Keep {
            newest: self.history.revisions,
            since: before(self.history.age),
            audit_since: before(KEEP_AUDIT),
        };
        let Ok(oldest) = self.stored(self.store.compact(&keep)) else { return };
        let state = self.now();
        let oldest = oldest.unwrap_or(Revision(state.revision.0 + 1));
        if oldest != state.oldest {
            self.show(State { oldest, ..State::clone(&state) });
        }
    }
}

/// The end of the writer, however it comes: nobody waits for him any more.
struct Over<'d>(&'d Desk);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.log.emit(10003, None, &[("part", WRITER), ("outcome", "stops")]);
        }
        self.0.queue.abandon();
        self.0.ended.send_replace(true);
    }
}

/// What a panic said.
fn said(cause: &(dyn Any + Send)) -> &str {
    let text = cause.downcast_ref::<&str>().copied();
    text.or_else(|| cause.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic")
}

/// A revision as it is told: to the store and to the watchers.
struct Told {
    change: Change,
    json: String,
}

impl Told {
    fn of(prepared: &Prepared, stamp: &Stamp, message: &str) -> Self {
        let change = Change {
            revision: stamp.revision,
            time: stamp.time,
            actor: stamp.actor.clone(),
            message: message.to_owned(),
            digest: prepared.state.digest,
            items: prepared.items.clone(),
        };
        let json = serde_json::to_string(&change).unwrap_or_default();
        Self { change, json }
    }

    fn commit(&self, prepared: &Prepared, who: &Who, audit: AuditRow) -> Commit {
        let change = &self.change;
        let state = &prepared.state;
        let items = (0..).zip(&change.items);
        let texts = |numbers: &[(model::config::Kind, model::id::Dbid)]| {
            let text = |(kind, dbid): &(model::config::Kind, model::id::Dbid)| {
                (kind.as_str().to_owned(), dbid.0)
            };
            numbers.iter().map(text).collect()
        };
        Commit {
            revision: RevisionRow {
                revision: change.revision,
                time: change.time,
                actor: change.actor.clone(),
                token_id: who.token.clone(),
                source: who.source.clone(),
                user_agent: who.user_agent.clone(),
                message: change.message.clone(),
                changes: change.items.len() as u64,
                digest: change.digest.to_string(),
            },
            changes: items.filter_map(|(seq, item)| row(change.revision, seq, item)).collect(),
            objects: stored(&change.items, &state.set),
            counters: state
                .counters
                .next()
                .map(|(kind, next)| (kind.as_str().to_owned(), next))
                .collect(),
            gone: texts(&prepared.gone),
            back: texts(&prepared.back),
            audit,
        }
    }
}

/// A change as the store keeps it.
pub(super) fn row(revision: Revision, seq: u32, item: &Item) -> Option<ChangeRow> {
    let (kind, dbid) = item.after.as_ref().or(item.before.as_ref())?.number();
    Some(ChangeRow {
        revision,
        seq,
        op: item.op().to_owned(),
        kind: kind.as_str().to_owned(),
        dbid: dbid.0,
        before: item.before.as_ref().map(super::Entry::text),
        after: item.after.as_ref().map(super::Entry::text),
        was: item.was.clone(),
        is: item.is.clone(),
    })
}

/// Deletes before puts: a number that changes hands within one revision has one owner after it.
fn stored(items: &[Item], set: &Set) -> Vec<Stored> {
    let number = |item: &Item| item.before.as_ref().map(super::Entry::number);
    let deletes = items.iter().filter(|item| item.after.is_none()).filter_map(number);
    let deletes =
        deletes.map(|(kind, dbid)| Stored::Delete { kind: kind.as_str().to_owned(), dbid: dbid.0 });
    let puts = items.iter().filter_map(|item| item.after.as_ref());
    deletes.chain(puts.map(|entry| Stored::Put(object_row(entry, set)))).collect()
}

/// An object as the store keeps it.
pub(super) fn object_row(entry: &super::Entry, set: &Set) -> ObjectRow {
    let object = &entry.object;
    let tenant = set.get(&tenant_key(&object.key.tenant));
    ObjectRow {
        kind: object.key.kind.as_str().to_owned(),
        dbid: object.dbid.0,
        tenant_dbid: tenant.map_or(0, |tenant| tenant.dbid.0),
        name: object.key.name.clone(),
        name_key: object.key.name.to_lowercase(),
        revision: entry.meta.revision,
        enabled: object.enabled,
        doc: entry.text(),
    }
}

fn objects(items: &[Item]) -> Vec<String> {
    let keys = items.iter().filter_map(Item::key).map(ToString::to_string);
    keys.take(crate::limits::MAX_AUDIT_OBJECTS).collect()
}
