//! Power that fails at a thousand points of an apply: the set is the old or the new one, digest
//! proven, revisions have no hole, and what was acknowledged is there (ops.md §1.11, scenario 13).
//!
//! A life of random transactions is lived once, and the files are kept as they are before and after
//! each. What a disk may hold in between is made of the two, sector by sector: of the log
//! everything up to a byte, or any part, since nothing orders writes before they are synced; of the
//! database, which is only written when the log is safe, any part. Each such image is opened.
//! `RINGMASTER_TEST_SEED` lives another life.

use std::fs;
use std::path::Path;

use configd::Books;
use configd::store::sqlite::Sqlite;
use configd::store::{RevisionQuery, Store as _};
use model::chance::Chance;
use model::id::Revision;
use model::time::Millis;
use tempfile::TempDir;

use crate::crash::{open, random};
use crate::house::admin;

/// Points at which the power fails, at least.
const POINTS: usize = 1_000;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
/// Images of one transaction whose log is half written, and of one that is moved to the database.
const TORN: usize = 3;
const MOVED: usize = 10;

/// Both files.
#[derive(Clone, Default)]
struct Disk {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Disk {
    fn read(dir: &Path) -> Self {
        let read = |name: &str| fs::read(dir.join(name)).unwrap_or_default();
        Self { database: read("config.db"), log: read("config.db-wal") }
    }

    fn write(&self, dir: &Path) {
        // what is left of an image before would belong to it
        for name in ["config.db-shm", "config.db-wal", "config.db"] {
            let _gone = fs::remove_file(dir.join(name));
        }
        fs::write(dir.join("config.db"), &self.database).unwrap();
        fs::write(dir.join("config.db-wal"), &self.log).unwrap();
    }
}

#[test]
fn scenario_13_power_that_fails_leaves_the_old_set_or_the_new_one() {
    let seed = std::env::var_os("RINGMASTER_TEST_SEED");
    let seed = seed.map_or(20_261_126, |seed| seed.to_str().unwrap().parse().unwrap());
    let mut chance = Chance::new([seed, 7, 8, 9]);
    let (home, image) = (memory(), memory());
    let books = open(home.path());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut digests = vec![books.now().digest.to_string()];
    let mut before = Disk::read(home.path());
    let (mut points, mut moved, mut old) = (0, 0, 0);
    while points < POINTS || moved < MOVED {
        let transaction = random(&books, &mut chance);
        let done = runtime.block_on(books.transact(transaction, &admin()));
        if !done.is_ok_and(|outcome| outcome.changed > 0) {
            continue;
        }
        let after = Disk::read(home.path());
        digests.push(books.now().digest.to_string());
        let newest = digests.len() - 1;
        let mut fails = |disk: &Disk, least: usize| {
            disk.write(image.path());
            let there = check(image.path(), &digests);
            assert!((least..=newest).contains(&there), "seed {seed}: {there} of {newest}");
            points += 1;
            there
        };
        for torn in 0..TORN {
            let log = match torn {
                0 => cut(&before.log, &after.log, &mut chance),
                _ => mixed(&before.log, &after.log, &mut chance),
            };
            let there = fails(&Disk { log, ..before.clone() }, newest - 1);
            old += usize::from(there < newest);
        }
        // the log is synced before the change is acknowledged
        fails(&Disk { log: after.log.clone(), ..before.clone() }, newest);
        if before.database != after.database {
            for _ in 0..MOVED {
                let database = mixed(&before.database, &after.database, &mut chance);
                fails(&Disk { database, ..after.clone() }, newest);
                moved += 1;
            }
        }
        before = after;
    }
    assert!(old > POINTS / 4, "the log is torn where it matters: {old} of {points}");
}

/// A directory for files that no power fails for: what a disk does is done here.
fn memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// Written up to some byte of what differs.
fn cut(old: &[u8], new: &[u8], chance: &mut Chance) -> Vec<u8> {
    let differs: Vec<usize> = sectors(old, new).collect();
    let Some((first, last)) = differs.first().zip(differs.last()) else { return new.to_vec() };
    let (first, end) = (first * SECTOR, new.len().min((last + 1) * SECTOR));
    let at = first + usize::try_from(chance.below((end - first) as u64)).unwrap();
    let rest = old.get(at..).unwrap_or_default();
    new.iter().take(at).chain(rest).copied().collect()
}

/// Of the sectors that differ some are the old ones. A file that was not that long yet has nothing
/// there.
fn mixed(old: &[u8], new: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut mixed = new.to_vec();
    for sector in sectors(old, new) {
        if chance.below(4) == 0 {
            let place = sector * SECTOR..new.len().min((sector + 1) * SECTOR);
            let was = old.get(place.start..).unwrap_or_default();
            for (at, byte) in mixed[place].iter_mut().enumerate() {
                *byte = was.get(at).copied().unwrap_or(0);
            }
        }
    }
    mixed
}

/// The sectors that differ.
fn sectors(old: &[u8], new: &[u8]) -> impl Iterator<Item = usize> {
    let pieces = new.chunks(SECTOR).enumerate();
    pieces.filter_map(|(at, piece)| {
        let was = old.get(at * SECTOR..at * SECTOR + piece.len());
        (was != Some(piece)).then_some(at)
    })
}

/// The revision that is there; opening proves that the objects have the digest of the head.
fn check(dir: &Path, digests: &[String]) -> usize {
    let books: Books = open(dir);
    let now = books.now();
    let there = usize::try_from(now.revision.0).unwrap();
    assert_eq!(digests.get(there), Some(&now.digest.to_string()), "of revision {there}");
    let store = Sqlite::open(dir, Millis(0)).unwrap();
    let all = RevisionQuery { limit: usize::MAX >> 1, ..RevisionQuery::default() };
    let rows = store.revisions(&all).unwrap();
    let numbers = rows.iter().rev().map(|row| row.revision.0);
    assert!(numbers.eq(1..=now.revision.0), "a hole");
    let last = Revision(now.revision.0);
    let changes = store.changes(last, last).unwrap().len() as u64;
    assert!(rows.first().is_none_or(|row| row.changes == changes), "half a revision");
    there
}
