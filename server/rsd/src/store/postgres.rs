//! The store on PostgreSQL 13 or later (spec rs.md §3.3): one database, facts partitioned by day.
//!
//! The trait is synchronous, the driver is not: connections live on a runtime of this store, and
//! each step is waited for by the thread that asks. One thread writes, on two connections; the
//! rollup job has one, readers have up to eight of their own. A connection that met an error is
//! dropped.

mod accounts;
mod bin_rows;
mod bins;
mod books;
mod call;
mod custody;
mod detail;
mod due;
mod erasing;
mod exporting;
mod facts;
mod failure;
mod filter;
mod forgetting;
mod hanging;
mod keeping;
mod link;
mod load;
mod marks;
mod masking;
mod migrate;
mod objects;
mod owned;
mod purge;
mod read;
mod save;
mod target;
mod tls;
mod uris;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::time::Millis;
use rs::erase::Secret;
use rs::integrity::Told;
use rs::report::Call;
use rs::{Day, Filter, Key};
use tokio::runtime::Runtime;

use self::erasing::Eraser;
use self::link::Link;
use self::read::Reader;
use self::write::{Place, Writer};
use super::bins::Bins;
use super::custody::Custody;
use super::erasing::Erasing;
use super::exporting::Exporting;
use super::keeping::{Judge, Keeping};
use super::{
    Applied, Arrival, Books, BooksAsked, CallName, Connections, Item, Leg, Lists, Mention, Object,
    ObjectKind, Page, Password, Position, Store, StoreError, Unit,
};

pub use accounts::{Account, Accounts, init};
pub use target::{BadTarget, Beside, Target};

/// A question's statement.
const QUESTION: Duration = Duration::from_secs(30);
/// Connections of the writer.
const WRITERS: usize = 2;
/// A statement of a batch.
const WRITE: Duration = Duration::from_secs(120);
/// For thousands of keys the planner would rather read the whole day, with every batch again.
const INDEXED: &str = "SET enable_seqscan TO off; SET random_page_cost TO 1";
/// A step of the schema, which may make indexes of all that is stored.
const STEP: Duration = Duration::from_secs(7200);

/// What a store is made of.
pub struct Parts {
    /// Where the database is.
    pub target: Target,
    /// Name of this RS: with the spool's id, whose place in it is kept.
    pub rs_name: String,
    /// Id of the spool's directory: a new one begins at 0.
    pub spool_id: String,
    /// Connections kept for questions.
    pub readers: usize,
    /// What hashes of erased numbers are made with: the same for all of one database.
    pub secret: Secret,
}

/// The store.
pub struct Postgres {
    target: Target,
    /// Of the target's account.
    password: Option<Password>,
    place: Place,
    most_readers: usize,
    writer: Mutex<Option<Writer>>,
    readers: Mutex<Vec<Link>>,
    /// Of the jobs that keep the database.
    jobs: Mutex<Option<Link>>,
    judge: Judge,
    /// The connection of the rollup job, which writes beside the applier.
    job: Mutex<Option<Link>>,
    secret: Secret,
    /// Whether calls have indexes of their URIs.
    uri_indexes: bool,
    /// The connections of who erases.
    eraser: Mutex<Option<Eraser>>,
    busy: AtomicUsize,
    /// Drives the connections; away only while it is dropped.
    runtime: Option<Runtime>,
    now: Mutex<i64>,
    /// What the server says it is.
    server: Mutex<Option<String>>,
}

impl Postgres {
    /// A store that connects when it is asked first: the database may be away now.
    ///
    /// # Errors
    /// No thread.
    pub fn new(parts: Parts, now: Millis) -> io::Result<Self> {
        let Parts { target, rs_name, spool_id, readers, secret } = parts;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()?;
        Ok(Self {
            target,
            password: None,
            place: Place { rs_name, spool_id },
            most_readers: readers,
            writer: Mutex::new(None),
            readers: Mutex::new(Vec::new()),
            jobs: Mutex::new(None),
            judge: Judge::default(),
            job: Mutex::new(None),
            secret,
            uri_indexes: false,
            eraser: Mutex::new(None),
            busy: AtomicUsize::new(0),
            runtime: Some(runtime),
            now: Mutex::new(i64::try_from(now.0).unwrap_or(i64::MAX)),
            server: Mutex::default(),
        })
    }

    /// The same, with a password that is asked for before each connection.
    #[must_use]
    pub fn with_password(mut self, password: Option<Password>) -> Self {
        self.password = password;
        self
    }

    fn connect(&self, limit: Duration) -> Result<Link, StoreError> {
        let Some(runtime) = &self.runtime else {
            return Err(StoreError::Unavailable("the store is closed".into()));
        };
        let target = match &self.password {
            Some(password) => &self.target.with_password(&password()),
            None => &self.target,
        };
        Link::open(runtime.handle(), target, limit)
    }

    /// Connects for what asks by key, of a table of any size.
    fn connect_indexed(&self) -> Result<Link, StoreError> {
        let mut link = self.connect(WRITE)?;
        link.batch(INDEXED)?;
        Ok(link)
    }

    /// Lends the writer; one that met an error is made anew next time.
    fn write<T>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut place = lock(&self.writer);
        let mut writer = match place.take() {
            Some(writer) => writer,
            None => {
                let mut link = self.connect(STEP)?;
                let version = link.once("SHOW server_version", &[])?;
                let version = version.first().map(|row| row.try_get::<_, String>(0)).transpose()?;
                *lock(&self.server) = version.map(|version| format!("PostgreSQL {version}"));
                migrate::migrate(&mut link, &self.target.schema, *lock(&self.now))?;
                let (link, second) = (self.connect_indexed()?, self.connect_indexed()?);
                Writer::new(link, second, self.place.clone(), self.secret)
            }
        };
        let _busy = Busy::new(&self.busy, WRITERS);
        let done = work(&mut writer)?;
        *place = Some(writer);
        Ok(done)
    }

    /// Lends a connection for questions; one that met an error is not used again.
    fn read<T>(
        &self,
        ask: impl FnOnce(&mut Reader<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = || lock(&self.readers).pop();
        let mut link = loop {
            match idle() {
                Some(link) if link.is_open() => break link,
                Some(_) => {}
                None => break self.connect(QUESTION)?,
            }
        };
        let busy = Busy::new(&self.busy, 1);
        let answer = ask(&mut Reader::new(&mut link))?;
        drop(busy);
        let mut readers = lock(&self.readers);
        if readers.len() < self.most_readers {
            readers.push(link);
        }
        Ok(answer)
    }
}

/// Counts connections at work while it lives.
struct Busy<'c> {
    count: &'c AtomicUsize,
    connections: usize,
}

impl<'c> Busy<'c> {
    fn new(count: &'c AtomicUsize, connections: usize) -> Self {
        count.fetch_add(connections, Ordering::Relaxed);
        Self { count, connections }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(self.connections, Ordering::Relaxed);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // the last holder may be a task of another runtime, which must not wait
            runtime.shutdown_background();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lists for Postgres {
    fn objects(&self, kind: ObjectKind) -> Result<Vec<Object>, StoreError> {
        self.read(|reader| objects::objects(reader.link, kind))
    }

    fn list(
        &self,
        filter: &Filter,
        unit: Unit,
        after: Option<Position>,
        limit: u32,
        now: Millis,
    ) -> Result<Vec<Item>, StoreError> {
        self.read(|reader| reader.list(filter, unit, after, limit, now))
    }

    fn count(&self, filter: &Filter, unit: Unit, now: Millis) -> Result<u64, StoreError> {
        self.read(|reader| reader.count(filter, unit, now))
    }
}

impl Store for Postgres {
    fn bins(&self) -> Option<&dyn Bins> {
        Some(self)
    }

    fn custody(&self) -> &dyn Custody {
        self
    }

    fn keeping(&self) -> &dyn Keeping {
        self
    }

    fn erasing(&self) -> &dyn Erasing {
        self
    }

    fn exporting(&self) -> &dyn Exporting {
        self
    }

    fn server(&self) -> Option<String> {
        lock(&self.server).clone()
    }

    fn applied_seq(&self) -> Result<u64, StoreError> {
        self.write(Writer::applied_seq)
    }

    fn apply(&self, batch: &[Arrival], now: Millis) -> Result<Applied, StoreError> {
        *lock(&self.now) = i64::try_from(now.0).unwrap_or(i64::MAX);
        self.write(|writer| writer.apply(batch, &self.judge, now))
    }

    fn know(&self, platform: &BTreeSet<Mention>, now: Millis) -> Result<(), StoreError> {
        self.write(|writer| writer.know(platform, now))
    }

    fn calls(&self, keys: &[(Day, Key)]) -> Result<Vec<Call>, StoreError> {
        self.read(|reader| reader.calls(keys))
    }

    fn in_progress(&self, most: usize) -> Result<Vec<(Day, Key)>, StoreError> {
        self.read(|reader| reader.in_progress(most))
    }

    fn page(
        &self,
        filter: &Filter,
        page: u32,
        page_size: u32,
        now: Millis,
    ) -> Result<Page, StoreError> {
        self.read(|reader| reader.page(filter, page, page_size, now))
    }

    fn call(&self, name: &CallName, events: bool) -> Result<Vec<Leg>, StoreError> {
        self.read(|reader| reader.detail(name, events))
    }

    fn dead_letters(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        self.read(|reader| reader.dead_letters())
    }

    fn books(&self, asked: &BooksAsked) -> Result<Books, StoreError> {
        self.read(|reader| reader.books(asked))
    }

    fn sums(&self, minutes: (i64, i64)) -> Result<Vec<Told>, StoreError> {
        self.read(|reader| reader.sums(minutes))
    }

    fn producers(&self, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.read(|reader| reader.producers(after, limit))
    }

    fn connections(&self) -> Connections {
        let writer = match self.writer.try_lock() {
            Ok(writer) if writer.is_some() => WRITERS,
            // at work, and counted there
            _ => 0,
        };
        // one at work is counted there
        let job = self.job.try_lock().is_ok_and(|job| job.is_some());
        let idle = lock(&self.readers).len() + writer + usize::from(job);
        Connections { busy: self.busy.load(Ordering::Relaxed), idle }
    }
}
