//! `kill -9` at any moment: each transaction is there whole or not at all, revisions have no hole,
//! and whatever was acknowledged is there (ops.md §1.11).
//!
//! The test starts itself anew as a child that does transactions and tells of each that came to
//! its end; the child is killed at a moment that a seed chooses, and what it left is checked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use configd::Books;
use configd::books::{History, Parts};
use configd::store::sqlite::Sqlite;
use configd::store::{RevisionQuery, RevisionRow, Store as _};
use configd::transaction::Transaction;
use model::chance::Chance;
use model::config::Kind;
use model::id::Revision;
use model::time::Millis;
use telemetry::log::Log;

use crate::house::{START, admin, delete, documents_of, group, profile, puts, still, tenant};

/// Names the directory to a child.
const CHILD: &str = "RINGMASTER_TEST_CRASH";
/// Transactions that have to be acknowledged in all.
const TRANSACTIONS: usize = 1_000;
/// Kills at least.
const KILLS: u64 = 60;

#[test]
fn a_killed_server_has_each_transaction_whole_or_not_at_all() {
    if let Some(place) = std::env::var_os(CHILD) {
        return work(Path::new(&place));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut chance = Chance::new([20_261_126, 1, 2, 3]);
    let mut acknowledged = BTreeMap::new();
    let (mut kills, mut there) = (0, 0);
    while acknowledged.len() < TRANSACTIONS || kills < KILLS {
        let mut child = start(dir.path(), chance.below(1 << 32));
        let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
        // somewhere within the transactions that follow, or within its start
        let (most, late) = (chance.below(60), Duration::from_micros(chance.below(4_000)));
        if most == 0 {
            std::thread::sleep(late * 20);
            child.0.kill().unwrap();
        }
        let mut seen = 0;
        for line in lines {
            let Ok(line) = line else { break };
            let Some(told) = line.strip_prefix("done ") else { continue };
            let (revision, digest) = told.split_once(' ').unwrap();
            acknowledged.insert(revision.parse::<u64>().unwrap(), digest.to_owned());
            seen += 1;
            if seen == most {
                std::thread::sleep(late);
                child.0.kill().unwrap();
            }
        }
        drop(child);
        kills += 1;
        assert!(kills < 20 * KILLS, "only {} transactions", acknowledged.len());
        there = check(dir.path(), &acknowledged, there, &mut chance);
    }
}

/// A child that is killed also when the test fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // one that has gone already needs no kill
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(dir: &Path, seed: u64) -> Killed {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("crash::a_killed_server_has_each_transaction_whole_or_not_at_all")
        .env(CHILD, dir.join(format!("books+{seed}")))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Killed(child.unwrap())
}

/// The child: transactions until it is killed, 200 at most.
fn work(place: &Path) {
    let seed: u64 = place.to_str().unwrap().rsplit_once('+').unwrap().1.parse().unwrap();
    let mut chance = Chance::new([seed, 4, 5, 6]);
    let books = open(place.parent().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut out = std::io::stdout();
    for _ in 0..200 {
        let transaction = random(&books, &mut chance);
        let done = runtime.block_on(books.transact(transaction, &admin()));
        let now = books.now();
        if done.is_ok_and(|outcome| outcome.changed > 0) {
            writeln!(out, "done {} {}", now.revision, now.digest).unwrap();
            out.flush().unwrap();
        }
    }
}

pub(crate) fn open(dir: &Path) -> Books {
    Books::open(Parts {
        store: Box::new(Sqlite::open(dir, Millis(0)).unwrap()),
        history: History { revisions: 100_000, age: Duration::ZERO },
        clocks: still(START),
        log: Log::silent(|| Millis(0)),
    })
    .unwrap()
}

pub(crate) fn random(books: &Books, chance: &mut Chance) -> Transaction {
    let mut below = |limit: u64| u32::try_from(chance.below(limit)).unwrap();
    let tenants: Vec<String> =
        (0..=below(4)).map(|at| tenant(&format!("t{}-{at}", below(6)), below(1_000))).collect();
    let mut transaction = puts(&documents_of(&tenants));
    match below(4) {
        0 => {
            let own = profile("Environment", &format!("p{}", below(20)));
            transaction.operations.extend(puts(&own).operations);
        }
        1 => {
            let names: Vec<String> =
                (0..=below(3)).map(|at| format!("m{}", below(9) + at * 10)).collect();
            let resources: Vec<(&str, u32)> =
                names.iter().zip(5_000..).map(|(name, port)| (name.as_str(), port)).collect();
            transaction.operations.extend(puts(&group("g", &resources)).operations);
        }
        2 => {
            let now = books.now();
            let kind = Kind::IvrProfile;
            let gone = now.set.objects().find(|object| object.key.kind == kind);
            let gone = gone.map(|object| delete(kind, &object.key.tenant, &object.key.name));
            transaction.operations.extend(gone);
        }
        _ => {}
    }
    transaction
}

/// Opening proves that the objects have the digest of the head; the rest is proved here.
fn check(
    dir: &Path,
    acknowledged: &BTreeMap<u64, String>,
    before: u64,
    chance: &mut Chance,
) -> u64 {
    let books = open(dir);
    let now = books.now();
    let last = acknowledged.last_key_value().map_or(0, |(revision, _)| *revision).max(before);
    // the one that was on its way when the child was killed may be there, too
    assert!(
        now.revision.0 == last || now.revision.0 == last + 1,
        "{} is there, and there should be {last}",
        now.revision
    );
    let store = Sqlite::open(dir, Millis(0)).unwrap();
    let all = RevisionQuery { limit: usize::MAX >> 1, ..RevisionQuery::default() };
    let rows: Vec<RevisionRow> = store.revisions(&all).unwrap().into_iter().rev().collect();
    assert!(rows.iter().map(|row| row.revision.0).eq(1..=now.revision.0), "a hole");
    assert!(rows.last().is_none_or(|row| row.digest == now.digest.to_string()));
    for row in &rows {
        let told = acknowledged.get(&row.revision.0);
        assert!(told.is_none_or(|digest| *digest == row.digest), "{row:?}");
    }
    let from = Revision(now.revision.0.saturating_sub(30).max(1));
    let mut counts: BTreeMap<Revision, u64> = BTreeMap::new();
    for change in store.changes(from, now.revision).unwrap() {
        *counts.entry(change.revision).or_default() += 1;
    }
    for row in rows.iter().filter(|row| row.revision >= from) {
        assert_eq!(counts.get(&row.revision), Some(&row.changes), "{row:?}");
    }
    if now.revision.0 > 0 {
        let to = Revision(1 + chance.below(now.revision.0));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let at = runtime.block_on(books.at(to)).unwrap();
        let row = rows.iter().find(|row| row.revision == to).unwrap();
        assert_eq!(at.digest.to_string(), row.digest, "{to} of {}", now.revision);
    }
    now.revision.0
}
