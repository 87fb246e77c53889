//! The embedded store on SQLite: `{data_dir}/rs/rs.db` and `{data_dir}/rs/days/YYYYMMDD.db`
//! (spec rs.md §3.3). One writer, a few readers, each with connections of its own.

mod aside;
mod bin_rows;
mod bins;
mod books;
mod custody;
mod detail;
mod dims;
mod erasing;
mod exporting;
mod facts;
mod files;
mod filter;
mod forgetting;
mod hanging;
mod keeping;
mod load;
mod marks;
mod migrate;
mod news;
mod part;
mod purge;
mod read;
mod remove;
mod save;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::time::Millis;
use rs::integrity::Told;
use rs::report::Call;
use rs::{Day, Filter, Key};

use self::aside::Aside;
use self::bins::Roller;
use self::files::Layout;
use self::keeping::Keeper;
use self::marks::Marked;
use self::read::Reader;
use self::write::Writer;
use super::bins::Bins;
use super::custody::Custody;
use super::erasing::Erasing;
use super::exporting::Exporting;
use super::keeping::{Judge, Keeping};
use super::{
    Applied, Arrival, Books, BooksAsked, CallName, Item, Leg, Mention, Object, ObjectKind, Page,
    Position, Store, StoreError, Unit,
};

/// Sets of connections kept for questions.
const READERS: usize = 8;
/// Day files that each of them holds open; with the writer's 15 and the job's one at most 64.
const OPEN_DAYS: usize = 6;

/// The store.
pub struct Sqlite {
    layout: Layout,
    writer: Mutex<Writer>,
    readers: Mutex<Vec<Reader>>,
    keeper: Mutex<Keeper>,
    judge: Judge,
    opened_ms: i64,
    marked: Arc<Marked>,
    /// The connections of the rollup job, which write beside the applier.
    job: Mutex<Option<Roller>>,
}

impl Sqlite {
    /// Opens or makes the files below `dir` (`{data_dir}/rs`).
    pub fn open(dir: PathBuf, now: Millis) -> Result<Self, StoreError> {
        let opened_ms = i64::try_from(now.0).unwrap_or(i64::MAX);
        let marked = Arc::<Marked>::default();
        let layout = Layout::make(dir, Aside::new(Arc::clone(&marked)))?;
        layout.check_whole()?;
        let writer = Mutex::new(Writer::open(layout.clone(), Arc::clone(&marked), opened_ms)?);
        let keeper = Mutex::new(Keeper::open(layout.clone(), opened_ms)?);
        let (readers, judge, job) = (Mutex::new(Vec::new()), Judge::default(), Mutex::default());
        Ok(Self { layout, writer, readers, keeper, judge, opened_ms, marked, job })
    }

    /// Remembers what it says of the main file.
    fn told<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        done.inspect_err(|error| self.layout.aside.put_main(error))
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends the jobs' connections.
    fn keep<T>(
        &self,
        work: impl FnOnce(&mut Keeper) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.told(work(&mut self.keeper.lock().unwrap_or_else(PoisonError::into_inner)))
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

    /// Lends a set of connections; one that met an error is not used again.
    fn read<T>(
        &self,
        ask: impl FnOnce(&mut Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => self.told(Reader::open(self.layout.clone(), OPEN_DAYS, self.opened_ms))?,
        };
        let answer = self.told(ask(&mut reader))?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS {
            readers.push(reader);
        }
        Ok(answer)
    }
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

impl Store for Sqlite {
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

    fn applied_seq(&self) -> Result<u64, StoreError> {
        self.told(self.writer().applied_seq())
    }

    fn highest_seq(&self) -> Result<u64, StoreError> {
        self.writer().highest_seq()
    }

    fn apply(&self, batch: &[Arrival], now: Millis) -> Result<Applied, StoreError> {
        self.told(self.writer().apply(batch, &self.judge, now))
    }

    fn know(&self, platform: &BTreeSet<Mention>, now: Millis) -> Result<(), StoreError> {
        self.writer().know(platform, now)
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

    fn call(&self, name: &CallName, events: bool) -> Result<Vec<Leg>, StoreError> {
        self.read(|reader| reader.detail(name, events))
    }

    fn objects(&self, kind: ObjectKind) -> Result<Vec<Object>, StoreError> {
        self.read(|reader| dims::objects(&reader.main, kind))
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

    fn checkpoint(&self) -> Result<(), StoreError> {
        self.writer().checkpoint()
    }

    fn damaged(&self) -> BTreeMap<Day, String> {
        self.layout.aside.all()
    }

    fn damaged_main(&self) -> Option<String> {
        self.layout.aside.main()
    }
}
