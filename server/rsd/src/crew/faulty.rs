//! A store on files at which whoever asks for what is kept or rolled up panics, as long as a test
//! wants it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use model::time::Millis;
use rs::integrity::Told;
use rs::report::Call;
use rs::{Day, Filter, Key};

use crate::store::bins::Bins;
use crate::store::checkpoints::Checkpoints;
use crate::store::custody::Custody;
use crate::store::erasing::Erasing;
use crate::store::exporting::Exporting;
use crate::store::keeping::Keeping;
use crate::store::sqlite::Sqlite;
use crate::store::{
    Applied, Arrival, Books, BooksAsked, CallName, Item, Leg, Lists, Mention, Object, ObjectKind,
    Page, Position, Store, StoreError, Unit,
};

pub(super) struct Faulty {
    inner: Sqlite,
    /// So many more questions panic.
    panics: AtomicU32,
    answers: AtomicU32,
}

impl Faulty {
    pub(super) fn open(dir: PathBuf) -> Self {
        let inner = Sqlite::new(dir, Millis(1));
        Self { inner, panics: AtomicU32::new(0), answers: AtomicU32::new(0) }
    }

    /// The next so many questions panic; gives how many did not until now.
    pub(super) fn fail(&self, times: u32) -> u32 {
        self.panics.store(times, Ordering::SeqCst);
        self.answers()
    }

    /// Questions that did not.
    pub(super) fn answers(&self) -> u32 {
        self.answers.load(Ordering::SeqCst)
    }

    fn meet(&self) {
        let less = |left: u32| left.checked_sub(1);
        if self.panics.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            panic!("a fault of the test");
        }
        self.answers.fetch_add(1, Ordering::SeqCst);
    }
}

impl Lists for Faulty {
    fn objects(&self, kind: ObjectKind) -> Result<Vec<Object>, StoreError> {
        self.inner.objects(kind)
    }

    fn list(
        &self,
        of: &Filter,
        unit: Unit,
        after: Option<Position>,
        limit: u32,
        now: Millis,
    ) -> Result<Vec<Item>, StoreError> {
        self.inner.list(of, unit, after, limit, now)
    }

    fn count(&self, of: &Filter, unit: Unit, now: Millis) -> Result<u64, StoreError> {
        self.inner.count(of, unit, now)
    }
}

impl Store for Faulty {
    fn custody(&self) -> &dyn Custody {
        self.inner.custody()
    }

    fn keeping(&self) -> &dyn Keeping {
        self.meet();
        self.inner.keeping()
    }

    fn exporting(&self) -> &dyn Exporting {
        self.inner.exporting()
    }

    fn server(&self) -> Option<String> {
        self.inner.server()
    }

    fn bins(&self) -> Option<&dyn Bins> {
        self.meet();
        self.inner.bins()
    }

    fn erasing(&self) -> &dyn Erasing {
        self.inner.erasing()
    }

    fn applied_seq(&self) -> Result<u64, StoreError> {
        self.inner.applied_seq()
    }

    fn apply(&self, batch: &[Arrival], now: Millis) -> Result<Applied, StoreError> {
        self.inner.apply(batch, now)
    }

    fn know(&self, platform: &BTreeSet<Mention>, now: Millis) -> Result<(), StoreError> {
        self.inner.know(platform, now)
    }

    fn calls(&self, keys: &[(Day, Key)]) -> Result<Vec<Call>, StoreError> {
        self.inner.calls(keys)
    }

    fn in_progress(&self, most: usize) -> Result<Vec<(Day, Key)>, StoreError> {
        self.inner.in_progress(most)
    }

    fn page(&self, of: &Filter, page: u32, most: u32, now: Millis) -> Result<Page, StoreError> {
        self.inner.page(of, page, most, now)
    }

    fn call(&self, name: &CallName, events: bool) -> Result<Vec<Leg>, StoreError> {
        self.inner.call(name, events)
    }

    fn dead_letters(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        self.inner.dead_letters()
    }

    fn books(&self, asked: &BooksAsked) -> Result<Books, StoreError> {
        self.meet();
        self.inner.books(asked)
    }

    fn sums(&self, minutes: (i64, i64)) -> Result<Vec<Told>, StoreError> {
        self.inner.sums(minutes)
    }

    fn producers(&self, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.producers(after, limit)
    }

    fn checkpoints(&self) -> Option<&dyn Checkpoints> {
        self.inner.checkpoints()
    }
}
