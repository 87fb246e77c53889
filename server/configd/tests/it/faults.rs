//! Stores that do less than they say: the suite has to find each of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use configd::Refusal;
use configd::books::{Event, Revisions};
use configd::store::sqlite::Sqlite;
use configd::store::{
    AuditQuery, AuditRow, ChangeRow, Commit, Keep, Loaded, Notes, Record, Replaced, RevisionQuery,
    RevisionRow, Store, StoreError, Stored, TokenRow,
};
use model::id::Revision;
use model::time::Millis;

use crate::conformance::SUITE;
use crate::house::{House, Make, tenant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    ForgetsDeletes,
    ForgetsCounters,
    ForgetsNumbersThatAreGone,
    ForgetsWhatChanged,
    OverwritesOthers,
    MixesUpTheOrder,
    IgnoresTheActor,
    LosesLastUse,
    LosesLines,
    ChangesLines,
    KeepsRevokedTokens,
    KeepsEverything,
    KeepsTooLittle,
    BacksUpHalf,
    RestoresOver,
    /// None: it only may be away.
    Nothing,
}

const FAULTS: [Fault; 15] = [
    Fault::ForgetsDeletes,
    Fault::ForgetsCounters,
    Fault::ForgetsNumbersThatAreGone,
    Fault::ForgetsWhatChanged,
    Fault::OverwritesOthers,
    Fault::MixesUpTheOrder,
    Fault::IgnoresTheActor,
    Fault::LosesLastUse,
    Fault::LosesLines,
    Fault::ChangesLines,
    Fault::KeepsRevokedTokens,
    Fault::KeepsEverything,
    Fault::KeepsTooLittle,
    Fault::BacksUpHalf,
    Fault::RestoresOver,
];

#[test]
fn the_suite_finds_every_fault() {
    for fault in FAULTS {
        let make: Make = Arc::new(move |dir: &Path| {
            let inner = Sqlite::open(dir, Millis(0)).unwrap();
            Box::new(Faulty { inner, fault, lines: AtomicU64::new(0), away: Arc::default() })
        });
        let found =
            SUITE.iter().any(|(_, part)| catch_unwind(AssertUnwindSafe(|| part(&make))).is_err());
        assert!(found, "{fault:?} was not found");
    }
}

/// Reads and watches go on from memory, writes wait for the store; both ends are told once.
#[test]
fn a_store_that_is_away_takes_no_change_and_keeps_nobody_from_reading() {
    let (house, away) = away();
    house.apply(&tenant("acme", 1));
    let mut watcher = house.books().watch(Some(Revision(0))).unwrap();
    away.store(REFUSES, Ordering::Relaxed);
    for _ in 0..3 {
        let refusal = house.refused(&tenant("acme", 2));
        assert_eq!(refusal, Refusal::StoreUnavailable);
    }
    let all = Revisions { limit: 9, ..Revisions::default() };
    assert_eq!(
        house.run(house.books().revisions(all, &configd::who::Scope::default())).unwrap().len(),
        1
    );
    assert!(house.books().is_read_only(), "to be read is not enough");
    assert_eq!((house.revision(), house.shown().len()), (1, 2));
    assert_eq!(house.change(&mut watcher).0, 1);
    away.store(WORKS, Ordering::Relaxed);
    house.apply(&tenant("acme", 2));
    assert!(!house.books().is_read_only());
    assert_eq!(house.change(&mut watcher).0, 2);
    let lines = house.lines();
    let told = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!((told("store away"), told("store back")), (1, 1), "{lines:#?}");
    assert_eq!(told("no space left"), 1, "the reason is told");
}

/// A change that is on disk although the store said no: the books go on from what is there.
#[test]
fn what_is_on_disk_counts() {
    let (house, away) = away();
    house.apply(&tenant("acme", 1));
    let mut watcher = house.books().watch(None).unwrap();
    away.store(LIES, Ordering::Relaxed);
    assert_eq!(house.refused(&tenant("acme", 2)), Refusal::StoreUnavailable);
    away.store(WORKS, Ordering::Relaxed);
    assert_eq!(house.refused(&tenant("acme", 3)), Refusal::StoreUnavailable);
    assert_eq!(house.revision(), 2, "the second one is there");
    assert!(matches!(house.run(watcher.next()), Event::Resync(Revision(2))));
    house.apply(&tenant("acme", 3));
    assert_eq!((house.revision(), house.change(&mut watcher).0), (3, 3));
}

/// A change that panics is answered, and the books go on from what is on disk.
#[test]
fn a_change_that_panics_holds_up_no_other() {
    let (house, away) = away();
    house.apply(&tenant("acme", 1));
    away.store(PANICS, Ordering::Relaxed);
    assert_eq!(house.refused(&tenant("acme", 2)), Refusal::StoreUnavailable);
    away.store(WORKS, Ordering::Relaxed);
    house.apply(&tenant("acme", 3));
    assert_eq!(house.revision(), 2);
    let lines = house.lines();
    let told = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!((told(" 10003 "), told("a commit that panics")), (1, 1), "{lines:#?}");
    assert_eq!(told("goes on from the store"), 1, "{lines:#?}");
}

/// Where that is not known they end, and nobody waits for a writer that is no more.
#[test]
fn books_that_cannot_go_on_take_nothing() {
    let (house, away) = away();
    house.apply(&tenant("acme", 1));
    away.store(BREAKS, Ordering::Relaxed);
    assert_eq!(house.refused(&tenant("acme", 2)), Refusal::StoreUnavailable);
    house.run(house.books().ended());
    away.store(WORKS, Ordering::Relaxed);
    assert_eq!(house.refused(&tenant("acme", 3)), Refusal::Busy);
    assert_eq!(house.revision(), 1);
    assert!(house.lines().iter().any(|line| line.contains(" 10003 ") && line.contains("stops")));
}

/// What a store that is away does with a commit.
const WORKS: u64 = 0;
const REFUSES: u64 = 1;
const LIES: u64 = 2;
const PANICS: u64 = 3;
/// It panics, and does not say what it has.
const BREAKS: u64 = 4;

fn away() -> (House, Arc<AtomicU64>) {
    let away = Arc::new(AtomicU64::new(WORKS));
    let flag = Arc::clone(&away);
    let make: Make = Arc::new(move |dir: &Path| {
        let inner = Sqlite::open(dir, Millis(0)).unwrap();
        let (fault, away) = (Fault::Nothing, Arc::clone(&flag));
        Box::new(Faulty { inner, fault, lines: AtomicU64::new(0), away })
    });
    (House::new(&make), away)
}

struct Faulty {
    inner: Sqlite,
    fault: Fault,
    lines: AtomicU64,
    away: Arc<AtomicU64>,
}

impl Faulty {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }
}

impl Store for Faulty {
    fn load(&self) -> Result<Loaded, StoreError> {
        if self.away.load(Ordering::Relaxed) == BREAKS {
            return Err(StoreError::Unavailable("gone".into()));
        }
        self.inner.load()
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut commit = commit.clone();
        if self.is(Fault::ForgetsDeletes) {
            commit.objects.retain(|stored| matches!(stored, Stored::Put(_)));
        }
        if self.is(Fault::ForgetsCounters) {
            commit.counters.clear();
        }
        if self.is(Fault::ForgetsNumbersThatAreGone) {
            commit.gone.clear();
        }
        if self.is(Fault::ForgetsWhatChanged) {
            commit.changes.clear();
        }
        let full = || StoreError::Unavailable("no space left".into());
        let away = self.away.load(Ordering::Relaxed);
        if away == REFUSES {
            return Err(full());
        }
        assert!(away != PANICS && away != BREAKS, "a commit that panics");
        match self.inner.commit(&commit) {
            Ok(()) if away == LIES => Err(full()),
            Err(StoreError::Moved(_)) if self.is(Fault::OverwritesOthers) => Ok(()),
            answer => answer,
        }
    }

    fn revisions(&self, query: &RevisionQuery) -> Result<Vec<RevisionRow>, StoreError> {
        let mut query = query.clone();
        if self.is(Fault::IgnoresTheActor) {
            query.actor = None;
        }
        self.inner.revisions(&query)
    }

    fn changes(&self, from: Revision, to: Revision) -> Result<Vec<ChangeRow>, StoreError> {
        let mut rows = self.inner.changes(from, to)?;
        if self.is(Fault::MixesUpTheOrder) {
            rows.reverse();
            for row in &mut rows {
                row.revision = Revision(from.0 + to.0 - row.revision.0);
            }
        }
        Ok(rows)
    }

    fn last_dbid(&self, kind: &str, tenant: &str, name: &str) -> Result<Option<u32>, StoreError> {
        self.inner.last_dbid(kind, tenant, name)
    }

    fn compact(&self, keep: &Keep) -> Result<Option<Revision>, StoreError> {
        let mut keep = *keep;
        if self.is(Fault::KeepsEverything) {
            keep.newest = u64::MAX;
        }
        if self.is(Fault::KeepsTooLittle) {
            keep.since = Millis(u64::MAX);
        }
        self.inner.compact(&keep)
    }

    fn token(&self, id: &str) -> Result<Option<TokenRow>, StoreError> {
        self.inner.token(id)
    }

    fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        self.inner.tokens()
    }

    fn put_token(&self, token: &TokenRow, audit: &AuditRow) -> Result<(), StoreError> {
        self.inner.put_token(token, audit)
    }

    fn delete_token(&self, id: &str, audit: &AuditRow) -> Result<(), StoreError> {
        let id = if self.is(Fault::KeepsRevokedTokens) { "" } else { id };
        self.inner.delete_token(id, audit)
    }

    fn note(&self, notes: &Notes) -> Result<(), StoreError> {
        if self.away.load(Ordering::Relaxed) == REFUSES {
            return Err(StoreError::Unavailable("no space left".into()));
        }
        let mut notes = notes.clone();
        if self.is(Fault::LosesLastUse) {
            notes.used.clear();
        }
        if self.is(Fault::LosesLines) {
            let lines = &self.lines;
            notes.audit.retain(|_| lines.fetch_add(1, Ordering::Relaxed) % 3 != 2);
        }
        self.inner.note(&notes)
    }

    fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
        let mut lines = self.inner.audit(query)?;
        if self.is(Fault::ChangesLines) {
            lines.iter_mut().for_each(|line| line.problem = None);
        }
        Ok(lines)
    }

    fn dump(
        &self,
        each: &mut dyn FnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.inner.dump(&mut |record| match record {
            Record::DbidGone { .. } if self.is(Fault::BacksUpHalf) => Ok(()),
            record => each(record),
        })
    }

    fn replace(
        &self,
        what: Replaced,
        records: &mut dyn Iterator<Item = Result<Record, StoreError>>,
    ) -> Result<(), StoreError> {
        if !self.is(Fault::RestoresOver) {
            return self.inner.replace(what, records);
        }
        // what was there stays beside what comes
        let mut both: Vec<Result<Record, StoreError>> = Vec::new();
        self.inner.dump(&mut |record| {
            if matches!(record, Record::Object(_)) {
                both.push(Ok(record));
            }
            Ok(())
        })?;
        let mut all = both.into_iter().chain(records);
        self.inner.replace(what, &mut all)
    }
}
