//! The store on SQL Server ≥ 2016 (spec rs.md §3.3): one database, keys that begin with the day.
//!
//! What is run is a [`Statement`] of one list, which an independent parser of T-SQL reads in the
//! tests. The driver's futures must not be dropped in the middle of a read: time-outs are its own,
//! and a connection that met an error or a time-out is closed, never used again.

mod accounts;
mod apply;
mod bin_rows;
mod bins;
mod books;
mod check;
mod custody;
mod detail;
mod dims;
mod due;
mod erasing;
mod exporting;
mod facts;
mod failure;
mod filter;
mod forgetting;
mod keeping;
mod link;
mod load;
mod marks;
mod migrate;
mod owned;
mod pool;
mod purge;
mod read;
mod row;
mod save;
mod statement;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::time::Millis;
use net::Clock;
use rs::erase::{Erased, Secret};
use rs::integrity::Told;
use rs::report::Call;
use rs::share::{Counts, Mention, ObjectKind, Objects};
use rs::{Day, Filter, Key};
use tokio::runtime::{Builder, Runtime};

use self::apply::{Attempt, Done, End, Work};
use self::pool::Pool;
use super::bins::Bins;
use super::custody::Custody;
use super::erasing::Erasing;
use super::exporting::Exporting;
use super::keeping::{Judge, Keeping};
use super::{
    Applied, Arrival, Books, BooksAsked, CallName, Connections, Item, Leg, Lists, Object, Page,
    Password, Position, Store, StoreError, Unit, prepare,
};

pub use accounts::{Accounts, Login, init};
pub use check::Fit;
pub use failure::Failure;
pub use link::{Cells, Link, Times};
pub use migrate::batches;
pub use statement::Statement;
pub use target::{BadTarget, Encrypt, Target};

/// What a store is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The database.
    pub target: Target,
    /// How long what may take.
    pub times: Times,
    /// Connections for batches, at most.
    pub writers: usize,
    /// Connections for questions, at most.
    pub readers: usize,
    /// The name of this Reporting Server.
    pub name: String,
    /// The id of its spool.
    pub spool: String,
    /// The process's clock.
    pub clock: Clock,
    /// What hashes of erased numbers are made with: the same for all of one database.
    pub secret: Secret,
}

/// The store.
pub struct SqlServer {
    /// `None`: it is being dropped.
    runtime: Option<Runtime>,
    writers: Pool,
    readers: Pool,
    objects: Mutex<Objects>,
    judge: Judge,
    name: String,
    spool: String,
    clock: Clock,
    secret: Secret,
    /// What records that come must not tell, and the newest erasure of it.
    erased: Mutex<(Erased, i64)>,
    /// What the server says it is.
    server: Mutex<Option<Fit>>,
}

impl SqlServer {
    /// A store that connects when it is asked.
    ///
    /// # Errors
    /// The machine has no descriptor left.
    pub fn new(parts: Parts) -> io::Result<Self> {
        let Parts { target, times, writers, readers, name, spool, clock, secret } = parts;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let pool = |most| Pool::new(target.clone(), times, clock, most);
        let (writers, readers) = (pool(writers), pool(readers));
        Ok(Self {
            runtime: Some(runtime),
            writers,
            readers,
            objects: Mutex::default(),
            judge: Judge::default(),
            name,
            spool,
            clock,
            secret,
            erased: Mutex::default(),
            server: Mutex::default(),
        })
    }

    /// The same, with a password that is asked for before each connection.
    #[must_use]
    pub fn with_password(mut self, password: Option<Password>) -> Self {
        self.writers.password.clone_from(&password);
        self.readers.password = password;
        self
    }

    fn runtime(&self) -> Result<&Runtime, Failure> {
        self.runtime.as_ref().ok_or(Failure::TimeOut("it is closed"))
    }

    fn read<T>(
        &self,
        work: impl AsyncFnOnce(&mut Link) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let now_ms = ms(self.clock.now().wall);
        let fresh = async |link: &mut Link| self.ready(link, now_ms).await;
        self.readers.with(self.runtime()?, fresh, work)
    }

    fn write<T>(
        &self,
        work: impl AsyncFnOnce(&mut Link) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let now_ms = ms(self.clock.now().wall);
        let fresh = async |link: &mut Link| {
            self.ready(link, now_ms).await?;
            save::prepare(link).await
        };
        self.writers.with(self.runtime()?, fresh, work)
    }

    /// A server that will do, with the schema of this version; made if this login may make it.
    async fn ready(&self, link: &mut Link, now_ms: i64) -> Result<(), Failure> {
        let fit = Fit::check(link).await?;
        *self.fit() = Some(fit);
        if !migrate::is_migrated(link).await? {
            migrate::migrate(link, now_ms).await?;
        }
        Ok(())
    }

    fn fit(&self) -> MutexGuard<'_, Option<Fit>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn erased(&self) -> MutexGuard<'_, (Erased, i64)> {
        self.erased.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the numbers out of the batch that are erased since.
    fn erase(&self, work: &mut Work<'_>) -> Result<(), Failure> {
        let secret = &self.secret;
        let known = self.read(async |link| {
            let newest = erasing::held(link, secret).await?;
            Ok((erasing::erased(link, secret).await?, newest))
        })?;
        work.batch.erase(&known.0);
        work.erased = known.1;
        *self.erased() = known;
        Ok(())
    }

    fn applied(&self) -> Result<u64, Failure> {
        let statement = statement::load::APPLIED;
        self.read(async |link| load::cursor(link, statement, &self.name, &self.spool).await)
    }

    /// Stores the batch; tells what changed, and how far the spool has been applied.
    fn store(&self, work: &mut Work<'_>) -> Result<(Done, u64), Failure> {
        self.write(async |link| work.meet(link).await)?;
        loop {
            match self.write(async |link| work.attempt(link, usize::MAX, End::Commit).await) {
                Ok(Attempt::Done(done, applied)) => return Ok((*done, applied)),
                Ok(Attempt::Learn(wanted)) => {
                    self.write(async |link| work.learn(link, wanted).await)?;
                }
                Ok(Attempt::Erase) => self.erase(work)?,
                Err(failure) if failure.is_poison() => self.refuse(work, failure)?,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Finds the first item that the database refuses: half by half, and nothing stays.
    fn refuse(&self, work: &mut Work<'_>, mut failure: Failure) -> Result<(), Failure> {
        let items = work.items(self.applied()?);
        let (mut good, mut bad) = (0, items.len());
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            match self.write(async |link| work.attempt(link, middle, End::Undo).await) {
                Ok(Attempt::Done(..)) => good = middle,
                Ok(Attempt::Learn(wanted)) => {
                    self.write(async |link| work.learn(link, wanted).await)?;
                }
                Ok(Attempt::Erase) => self.erase(work)?,
                Err(again) if again.is_poison() => (bad, failure) = (middle, again),
                Err(failure) => return Err(failure),
            }
        }
        match items.get(good) {
            Some(item) if !work.refused.contains_key(item) => {
                work.refused.insert(*item, StoreError::from(failure).reason());
                Ok(())
            }
            _ => Err(failure),
        }
    }
}

impl Lists for SqlServer {
    fn objects(&self, kind: ObjectKind) -> Result<Vec<Object>, StoreError> {
        Ok(self.read(async |link| dims::all(link, kind).await)?)
    }

    fn list(
        &self,
        filter: &Filter,
        unit: Unit,
        after: Option<Position>,
        limit: u32,
        now: Millis,
    ) -> Result<Vec<Item>, StoreError> {
        Ok(self.read(async |link| read::list(link, filter, unit, after, limit, now).await)?)
    }

    fn count(&self, filter: &Filter, unit: Unit, now: Millis) -> Result<u64, StoreError> {
        Ok(self.read(async |link| read::count(link, filter, unit, now).await)?)
    }
}

impl Store for SqlServer {
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
        self.fit().as_ref().map(|fit| format!("SQL Server {}", fit.version))
    }

    fn applied_seq(&self) -> Result<u64, StoreError> {
        Ok(self.applied()?)
    }

    fn apply(&self, arrivals: &[Arrival], now: Millis) -> Result<Applied, StoreError> {
        let last = arrivals.last().map_or(0, |arrival| arrival.seq);
        let mut objects = self.objects();
        let (known, erased) = self.erased().clone();
        let mut batch = prepare::batch(arrivals, &self.judge);
        batch.erase(&known);
        let mut work = Work {
            batch,
            objects: &mut objects,
            last,
            now_ms: ms(now),
            name: &self.name,
            spool: &self.spool,
            refused: BTreeMap::new(),
            secret: &self.secret,
            erased,
        };
        let (done, seq) = self.store(&mut work)?;
        let Done { counts: Counts { stored, duplicates, dead, ignored }, tally, .. } = done;
        let changed = done.changed.into_values().collect();
        let ended = done.ended.into_iter().collect();
        Ok(Applied { seq, changed, ended, stored, duplicates, dead, ignored, tally })
    }

    fn know(&self, platform: &BTreeSet<Mention>, now: Millis) -> Result<(), StoreError> {
        let news = rs::share::news(&rs::rollup::Tables::aliases(self)?, platform);
        let mut objects = self.objects();
        objects.doubt(&news);
        let known = &mut *objects;
        Ok(self.write(async |link| dims::learn(link, known, &news, ms(now)).await)?)
    }

    fn calls(&self, keys: &[(Day, Key)]) -> Result<Vec<Call>, StoreError> {
        Ok(self.read(async |link| read::calls(link, keys.iter().copied()).await)?)
    }

    fn in_progress(&self, most: usize) -> Result<Vec<(Day, Key)>, StoreError> {
        Ok(self.read(async |link| read::in_progress(link, most).await)?)
    }

    fn page(
        &self,
        filter: &Filter,
        page: u32,
        page_size: u32,
        now: Millis,
    ) -> Result<Page, StoreError> {
        Ok(self.read(async |link| read::page(link, filter, page, page_size, now).await)?)
    }

    fn call(&self, name: &CallName, events: bool) -> Result<Vec<Leg>, StoreError> {
        Ok(self.read(async |link| detail::call(link, name, events).await)?)
    }

    fn dead_letters(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        Ok(self.read(async |link| books::letters(link).await)?)
    }

    fn books(&self, asked: &BooksAsked) -> Result<Books, StoreError> {
        Ok(self.read(async |link| books::books(link, asked).await)?)
    }

    fn sums(&self, minutes: (i64, i64)) -> Result<Vec<Told>, StoreError> {
        Ok(self.read(async |link| books::sums(link, minutes).await)?)
    }

    fn producers(&self, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        Ok(self.read(async |link| books::producers(link, after, limit).await)?)
    }

    fn connections(&self) -> Connections {
        let (writers, readers) = (self.writers.connections(), self.readers.connections());
        Connections { busy: writers.busy + readers.busy, idle: writers.idle + readers.idle }
    }
}

impl Drop for SqlServer {
    /// Also where a runtime must not wait.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn ms(time: Millis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
