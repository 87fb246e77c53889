//! The first look into the books: all objects come into memory and are checked again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread;

use model::config::{Document, Kind};
use model::id::{Dbid, Revision};
use model::schema::Problem;
use model::time::Millis;
use telemetry::log::Log;
use tokio::sync::watch;

use super::dbid::Counters;
use super::desk::{Desk, WRITER, object_row};
use super::entry::{Entry, Meta};
use super::history::document;
use super::queue::Queue;
use super::state::State;
use super::tokens::Tokens;
use super::watch::Ring;
use super::{Books, Clocks, History, Writer};
use crate::limits::MAX_REVISION;
use crate::refusal::Refusal;
use crate::store::{BOOKS, Loaded, ObjectRow, Record, Replaced, Store, StoreError};
use crate::transaction::{Operation, Outcome, Transaction, When};
use crate::who::Who;
use model::config::Set;

/// What the books need.
pub struct Parts {
    /// Where they are kept.
    pub store: Box<dyn Store>,
    /// How much of the history is kept.
    pub history: History,
    /// The clocks.
    pub clocks: Clocks,
    /// The log.
    pub log: Log,
}

/// Why the books cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object of the store that this version does not accept.
    #[error("the stored objects are not valid: {}", first(.0))]
    Invalid(Vec<Problem>),
    /// The store does not hold together.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// No thread can be started.
    #[error("no thread left")]
    Thread(#[source] io::Error),
}

impl OpenError {
    /// The exit code of ops.md §2: 78 for what another version has to open, else 8.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Store(StoreError::Newer { .. } | StoreError::Changed(_)) | Self::Invalid(_) => 78,
            Self::Store(_) | Self::Damaged(_) | Self::Thread(_) => 8,
        }
    }
}

fn first(problems: &[Problem]) -> String {
    problems.first().map(ToString::to_string).unwrap_or_default()
}

/// What became of `config_server.seed`.
#[derive(Debug)]
pub enum Seeded {
    /// It made the first revision.
    Applied(Outcome),
    /// The store has revisions; its objects are as the seed has them.
    Same,
    /// The store has revisions, and differs: the seed is ignored.
    Ignored,
}

impl Books {
    /// Opens the books of a store, and starts the writer.
    ///
    /// # Errors
    /// The store, or what it holds.
    pub fn open(parts: Parts) -> Result<Self, OpenError> {
        let Parts { store, history, clocks, log } = parts;
        let mut loaded = store.load()?;
        if loaded.head.is_none() {
            found(&*store, loaded.books, clocks().wall)?;
            loaded = store.load()?;
        }
        let state = state(&loaded)?;
        let clients = loaded.clients.iter().map(|row| (row.name.clone(), row.clone())).collect();
        let begun = clocks().mono;
        let desk = Arc::new(Desk {
            store,
            clocks,
            log,
            history,
            tokens: Mutex::new(Tokens::of(&loaded.tokens, &state.set)),
            states: watch::Sender::new(Arc::new(state)),
            closing: watch::Sender::new(false),
            ended: watch::Sender::new(false),
            ring: Mutex::new(Ring::default()),
            resuming: super::watch::resuming(),
            queue: Queue::default(),
            revoked: watch::Sender::new(()),
            clients: Mutex::new(clients),
            reporters: Mutex::default(),
            earlier: Mutex::new(VecDeque::new()),
            away: AtomicBool::new(false),
            begun,
            turned: Mutex::new(begun),
        });
        let run = Arc::clone(&desk);
        let thread = thread::Builder::new().name(WRITER.to_owned());
        let thread = thread.spawn(move || run.run()).map_err(OpenError::Thread)?;
        let writer = Writer { desk: Arc::clone(&desk), thread: Mutex::new(Some(thread)) };
        Ok(Self { desk, _writer: Arc::new(writer) })
    }

    /// Applies `config_server.seed` where there is no revision yet.
    ///
    /// # Errors
    /// As of a transaction.
    pub async fn seed(&self, documents: Vec<Document>) -> Result<Seeded, Refusal> {
        let put = |document| Operation::Put { document, when: When::Always, rename_from: None };
        let fresh = self.now().revision == Revision(0);
        let transaction = Transaction {
            message: "seed".to_owned(),
            operations: documents.into_iter().map(put).collect(),
            dry_run: !fresh,
            ..Transaction::default()
        };
        let outcome = self.transact(transaction, &Who::server("seed")).await;
        if fresh {
            return outcome.map(Seeded::Applied);
        }
        // a seed that would not be accepted any more differs too
        if outcome.is_ok_and(|outcome| outcome.changed == 0) {
            return Ok(Seeded::Same);
        }
        self.desk.log.emit(40003, None, &[]);
        Ok(Seeded::Ignored)
    }
}

/// A new store: `Environment` is there, and nothing has ever changed.
fn found(store: &dyn Store, books: Option<String>, now: Millis) -> Result<(), OpenError> {
    let set = Set::default();
    let meta = Arc::new(Meta {
        revision: Revision(0),
        created_at: now,
        created_by: "local".to_owned(),
        updated_at: now,
        updated_by: "local".to_owned(),
    });
    let row =
        |object| object_row(&Entry { object: Arc::clone(object), meta: Arc::clone(&meta) }, &set);
    let head = Record::Head { revision: Revision(0), digest: set.digest().to_string() };
    let objects: Vec<_> = set.objects().map(|object| Ok(Record::Object(row(object)))).collect();
    let books = books.map(|value| Ok(Record::Meta { key: BOOKS.to_owned(), value }));
    let first = std::iter::once(Ok(head)).chain(books);
    store.replace(Replaced::All, &mut first.chain(objects))?;
    Ok(())
}

/// The state that a store holds, checked again.
pub(super) fn state(loaded: &Loaded) -> Result<State, OpenError> {
    let Some((revision, told)) = &loaded.head else {
        return Err(OpenError::Damaged("it has no head".to_owned()));
    };
    if revision.0 >= MAX_REVISION {
        return Err(OpenError::Damaged(format!("no revision comes behind {revision}")));
    }
    let entries: Vec<Entry> = loaded.objects.iter().map(entry).collect::<Result<_, _>>()?;
    let documents = (1..).zip(&entries).map(|(number, entry)| document(entry, number)).collect();
    let changed = Set::default().change(documents, &[], &[]).map_err(OpenError::Invalid)?;
    let digest = changed.set.digest();
    if digest.to_string() != *told {
        let text = format!("the objects of revision {revision} have {digest}, not {told}");
        return Err(OpenError::Damaged(text));
    }
    let metas = entries.iter().map(|entry| (entry.number(), Arc::clone(&entry.meta))).collect();
    Ok(State {
        revision: *revision,
        books: loaded.books.as_deref().map(Arc::from),
        oldest: loaded.oldest.unwrap_or(Revision(revision.0 + 1)),
        set: changed.set,
        digest,
        metas: Arc::new(metas),
        counters: counters(loaded)?,
        era: 0,
    })
}

fn entry(row: &ObjectRow) -> Result<Entry, OpenError> {
    Entry::read(&row.doc).ok_or_else(|| {
        OpenError::Damaged(format!("{} with dbid {} cannot be read", row.kind, row.dbid))
    })
}

fn counters(loaded: &Loaded) -> Result<Counters, OpenError> {
    let kind = |text: &String| {
        Kind::parse(text).ok_or_else(|| OpenError::Damaged(format!("\"{text}\" is no kind")))
    };
    let mut next = BTreeMap::new();
    for (text, number) in &loaded.counters {
        next.insert(kind(text)?, *number);
    }
    let mut gone = BTreeSet::new();
    for (text, number) in &loaded.gone {
        gone.insert((kind(text)?, Dbid(*number)));
    }
    Ok(Counters::of(next, gone))
}
