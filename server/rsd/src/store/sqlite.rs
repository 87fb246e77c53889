//! The embedded store on SQLite: `{data_dir}/rs/rs.db` and `{data_dir}/rs/days/YYYYMMDD.db`
//! (spec rs.md §3.3). One writer, a few readers, each with connections of its own.
//!
//! Files are opened by whoever needs them first, and by the applier until they can be: records are
//! taken meanwhile. Nothing is read before the writer has ended what a kill left half done.

mod aside;
mod bin_rows;
mod bins;
mod books;
mod cache;
mod checkpoint;
mod custody;
mod detail;
mod dims;
mod due;
mod erasing;
mod exporting;
mod facts;
mod files;
mod filter;
mod forgetting;
mod glance;
mod hanging;
mod keeping;
mod load;
mod logs;
mod marks;
mod migrate;
mod news;
mod owned;
mod part;
mod purge;
mod read;
mod readers;
mod remove;
mod save;
#[cfg(test)]
mod tests;
mod uris;
mod views;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::time::Millis;
use rs::integrity::Told;
use rs::report::Call;
use rs::{Day, Filter, Key};

pub use self::views::sql_views;

use self::aside::Aside;
use self::bins::Roller;
use self::files::Layout;
use self::keeping::Keeper;
use self::marks::Marked;
use self::read::Reader;
use self::readers::Readers;
use self::write::Writer;
use super::bins::Bins;
use super::checkpoints::Checkpoints;
use super::custody::Custody;
use super::erasing::Erasing;
use super::exporting::Exporting;
use super::keeping::{Judge, Keeping};
use super::{
    Applied, Arrival, Books, BooksAsked, CallName, Item, Leg, Lists, Mention, Object, ObjectKind,
    Page, Position, Seen, Store, StoreError, Unit,
};

/// The store.
pub struct Sqlite {
    layout: Layout,
    writer: Mutex<Option<Writer>>,
    door: Mutex<Door>,
    /// A batch has met the damage of the main file: the next one that is stored shows its end.
    met: AtomicBool,
    readers: Readers,
    keeper: Mutex<Option<Keeper>>,
    judge: Judge,
    opened_ms: i64,
    marked: Arc<Marked>,
    /// The connections of the rollup job, which write beside the applier.
    job: Mutex<Option<Roller>>,
    /// Held by whoever moves a log.
    moving: Mutex<()>,
    /// Up to this day the indexes of URIs are as they are wanted.
    indexed: Mutex<Day>,
}

/// Whether the files can be used.
#[derive(Clone, Default)]
enum Door {
    /// Nobody has needed them yet.
    #[default]
    Untried,
    Open,
    /// Why not. The applier alone tries again; others would wait for what it waits for.
    Shut(String),
}

impl Sqlite {
    /// The files below `dir` (`{data_dir}/rs`), which are opened or made when they are needed:
    /// they may be away now.
    #[must_use]
    pub fn new(dir: PathBuf, now: Millis) -> Self {
        let marked = Arc::<Marked>::default();
        Self {
            layout: Layout::new(dir, Aside::new(Arc::clone(&marked))),
            writer: Mutex::default(),
            door: Mutex::default(),
            met: AtomicBool::default(),
            readers: Readers::default(),
            keeper: Mutex::default(),
            judge: Judge::default(),
            opened_ms: i64::try_from(now.0).unwrap_or(i64::MAX),
            marked,
            job: Mutex::default(),
            moving: Mutex::default(),
            indexed: Mutex::default(),
        }
    }

    /// Remembers what it says of the main file.
    fn told<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        done.inspect_err(|error| self.layout.aside.put_main(error))
    }

    /// Lends the writer to the applier, which opens the files whenever they are not.
    fn apply_with<T>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = self.lend(lock(&self.writer), work);
        if let Err(error @ StoreError::Main(_)) = &done {
            self.close(error);
        }
        done
    }

    /// Lends the writer.
    fn write<T>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.ready()?;
        self.lend(lock(&self.writer), work)
    }

    fn lend<T>(
        &self,
        mut lent: MutexGuard<'_, Option<Writer>>,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let writer = lent.take().map_or_else(|| self.open_files(), Ok)?;
        self.told(work(lent.insert(writer)))
    }

    fn open_files(&self) -> Result<Writer, StoreError> {
        let Self { layout, marked, .. } = self;
        let opened = self.told(Writer::open(layout.clone(), Arc::clone(marked), self.opened_ms));
        let door = match &opened {
            Ok(_) => Door::Open,
            Err(error) => Door::Shut(error.reason()),
        };
        if opened.is_ok() {
            if !self.met.load(Ordering::Acquire) {
                layout.aside.main_is_whole();
            }
            self.readers.forget();
        }
        *lock(&self.door) = door;
        opened
    }

    /// Closes all that is open, since the main file is damaged: another may lie there next time.
    fn close(&self, error: &StoreError) {
        self.met.store(true, Ordering::Release);
        *lock(&self.door) = Door::Shut(error.reason());
        *lock(&self.writer) = None;
        self.readers.clear();
        *lock(&self.keeper) = None;
        *lock(&self.job) = None;
        self.layout.logs.forget_all();
    }

    /// Has the files opened, if nobody has tried; refuses if that was in vain.
    fn ready(&self) -> Result<(), StoreError> {
        let untried = || matches!(*lock(&self.door), Door::Untried);
        if untried() {
            let lent = lock(&self.writer);
            // somebody may have tried meanwhile
            if untried() {
                // what keeps it shut is told below
                let _tried = self.lend(lent, |_| Ok(()));
            }
        }
        let Door::Shut(why) = lock(&self.door).clone() else { return Ok(()) };
        Err(match self.layout.aside.main() {
            Some(why) => StoreError::Main(why.into()),
            None => StoreError::Unavailable(why.into()),
        })
    }

    /// Lends the jobs' connections.
    fn keep<T>(
        &self,
        work: impl FnOnce(&mut Keeper) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.ready()?;
        let mut lent = lock(&self.keeper);
        let open = || Keeper::open(self.layout.clone(), self.opened_ms);
        let keeper = self.told(lent.take().map_or_else(open, Ok))?;
        self.told(work(lent.insert(keeper)))
    }

    /// Lends them for the file of a day, which is set aside when it proves to be damaged.
    fn keep_day<T>(
        &self,
        day: Day,
        work: impl FnOnce(&mut Keeper) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.keep(|keeper| {
            let done = work(keeper);
            if let Err(error) = &done {
                keeper.days.set_aside(day, error);
            }
            done
        })
    }

    /// Lends a set of connections.
    fn read<T>(
        &self,
        ask: impl FnOnce(&mut Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.ready()?;
        let mut lent = self.readers.lend();
        let open = |days| Reader::open(self.layout.clone(), days, self.opened_ms);
        let reader = self.told(lent.reader(open))?;
        let answer = self.told(ask(reader))?;
        lent.give_back();
        Ok(answer)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let refused = [Code::ConstraintViolation, Code::TypeMismatch, Code::TooBig];
        let damaged = [Code::DatabaseCorrupt, Code::NotADatabase];
        match &error {
            rusqlite::Error::SqliteFailure(failure, _) if damaged.contains(&failure.code) => {
                Self::Damaged(error.into())
            }
            rusqlite::Error::SqliteFailure(failure, _) if !refused.contains(&failure.code) => {
                Self::Unavailable(error.into())
            }
            _ => Self::Rejected(error.into()),
        }
    }
}

impl Lists for Sqlite {
    fn objects(&self, kind: ObjectKind) -> Result<Vec<Object>, StoreError> {
        self.read(|reader| dims::objects(&reader.main, kind))
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

impl Store for Sqlite {
    fn checkpoints(&self) -> Option<&dyn Checkpoints> {
        Some(self)
    }

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
        Some(format!("SQLite {}", rusqlite::version()))
    }

    fn applied_seq(&self) -> Result<u64, StoreError> {
        self.apply_with(|writer| writer.applied_seq())
    }

    fn seen(&self) -> Result<Option<Seen>, StoreError> {
        match glance::seen(&self.layout) {
            Ok(seen) => Ok(Some(seen)),
            Err(error @ (StoreError::Newer { .. } | StoreError::Changed { .. })) => Err(error),
            // whoever opens them for work says why
            Err(_) => Ok(None),
        }
    }

    fn apply(&self, batch: &[Arrival], now: Millis) -> Result<Applied, StoreError> {
        self.layout.logs.give_way();
        let applied = self.apply_with(|writer| writer.apply(batch, &self.judge, now))?;
        if self.met.swap(false, Ordering::AcqRel) {
            self.layout.aside.main_is_whole();
        }
        Ok(applied)
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
        self.read(Reader::dead_letters)
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

    fn damaged(&self) -> BTreeMap<Day, String> {
        self.layout.aside.all()
    }

    fn damaged_main(&self) -> Option<String> {
        self.layout.aside.main()
    }
}
