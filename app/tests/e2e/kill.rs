//! kill -9 of RS at random moments while producers send whole calls (rs.md §14, 5 and 6): of what
//! was acknowledged every record is in the database once and every call on the lists once, and
//! every transaction is whole or absent.
//!
//! The same after cuts of the power (`power`).
//!
//! `cargo xtask kill` runs many of them, on files or against the server of a URL.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use model::chance::Chance;

use crate::book::Book;
use crate::calls::{healthy, objects};
use crate::platform::{Process, Site, eventually, now, say, told, wall};
use crate::postgres::Server;
use crate::power::Power;
use crate::senders::{self, Order, Over};
use crate::sipp::{Media, Plan};
use crate::stored::Database;
use crate::{http, report};

/// Kills of a run in CI, on files and on PostgreSQL.
const KILLS: u32 = 8;
const KILLS_OF_SERVER: u32 = 4;
const CUTS: u32 = 4;
/// Producers of each kind.
const PRODUCERS: u32 = 4;
/// Producers by the beginnings of their names.
const KINDS: [&str; 5] = ["wire", "http", "stomp", "java", "python"];
/// Java clients, in one process.
const JAVA: usize = 10;
/// Clients of stomp.py, and sends that each has under way.
const PYTHON: u32 = 2;
const WINDOW: usize = 4;
/// Calls of RM for each kill.
const CALLS: u32 = 6;

#[test]
fn what_was_acknowledged_survives_every_kill() {
    killed(kills(KILLS), told("RINGMASTER_KILL_DATABASE"), false);
}

#[test]
fn so_it_does_every_power_cut() {
    killed(kills(CUTS), None, true);
}

#[test]
fn so_it_does_on_postgresql() {
    let database = Server::start();
    killed(kills(KILLS_OF_SERVER), Some(database.url()), false);
}

/// How many there are to be, unless told otherwise.
fn kills(usual: u32) -> u32 {
    told("RINGMASTER_KILLS").map_or(usual, |kills| kills.parse().unwrap())
}

/// So many kills under load, on files or on the server of a URL; or as many cuts of the power.
fn killed(kills: u32, database: Option<String>, cuts: bool) {
    let seed = told("RINGMASTER_KILL_SEED").map_or_else(|| wall().0, |seed| seed.parse().unwrap());
    say(format_args!("{kills} kills, RINGMASTER_KILL_SEED={seed}"));
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    let database = match database {
        Some(url) => {
            let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
            site.write("settings.yaml", &format!("{settings}  database: \"{url}\"\n"));
            Database::Server(url)
        }
        None => Database::Days(site.path("data/rs/days")),
    };
    let power = cuts.then(|| Power::of(&site));
    let rs = spawned(&site, power.as_ref());
    rs.wait_for("ready");
    let rm = site.start_rm();
    healthy(&site, 1);
    let calls = CALLS * kills;
    let numbers = ["18005550100"];
    let callers = Plan { rate: 8, ..Plan::new(site.sip(), &numbers, calls) }.start();

    let order = Order {
        book: Arc::new(Book::default()),
        broker: site.broker(),
        http: site.rs_http(),
        seed,
        over: Arc::new(AtomicBool::new(false)),
        steady: false,
    };
    let over = Over(Arc::clone(&order.over));
    let producers: Vec<_> = (1..=PRODUCERS)
        .flat_map(|n| {
            [
                senders::openwire(order.clone(), n),
                senders::http(order.clone(), n + PRODUCERS),
                senders::stomp(order.clone(), n + 2 * PRODUCERS),
            ]
        })
        .chain([senders::java(order.clone(), 1 + 3 * PRODUCERS, JAVA)])
        .chain((2..2 + PYTHON).map(|n| senders::python(order.clone(), n + 3 * PRODUCERS, WINDOW)))
        .collect();
    for kind in KINDS {
        eventually(kind, || order.book.count_of(kind), |count| *count > 0);
    }
    let (rs, slowest) = kill_at_random(&site, (rs, power), &order, kills);
    callers.finish();
    drop(over);
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    let (acknowledged, unasked) = order.book.check(site.rs_http(), &database);
    say(format_args!(
        "{} sends of {acknowledged} records acknowledged, {unasked} more records in sends that are \
         whole without an answer; listening again after {slowest:?} at most",
        order.book.count(),
    ));
    let by_kind = KINDS.map(|kind| format!("{kind} {}", order.book.count_of(kind)));
    say(format_args!("by kind: {}", by_kind.join(", ")));
    report::exactly(site.rm_http(), site.rs_http(), usize::try_from(calls).unwrap());
    let letters = http::json(site.rs_http(), "/api/v1/dead-letters");
    assert_eq!(letters["items"].as_array().map(Vec::len), Some(0), "{letters}");
    assert_eq!(http::metric(site.rs_http(), "rs_spool_damaged_total"), 0.0);
    assert!(!copies(&site.path("data/rs/spool/quarantine")), "a kill damages nothing");
    drop((rm, rs));
}

/// Kills RS so often and starts it again, while the book grows; RS, and the slowest of
/// these starts.
fn kill_at_random(
    site: &Site,
    (mut rs, mut power): (Process, Option<Power>),
    order: &Order,
    kills: u32,
) -> (Process, Duration) {
    let mut chance = Chance::new([order.seed, 1, 2, 3]);
    let mut slowest = Duration::ZERO;
    let mut kill = |rs: Process, chance: &mut Chance| {
        rs.kill();
        if let Some(power) = &mut power {
            power.cut(chance);
        }
        spawned(site, power.as_ref())
    };
    for _ in 0..kills {
        let before = order.book.count();
        eventually("it goes on", || order.book.count(), |count| *count > before);
        std::thread::sleep(Duration::from_millis(chance.below(400)));
        rs = kill(rs, &mut chance);
        if chance.below(4) == 0 {
            // killed again before it is up
            std::thread::sleep(Duration::from_millis(chance.below(300)));
            rs = kill(rs, &mut chance);
        }
        let start = now();
        rs.wait_for("ready");
        slowest = slowest.max(start.elapsed());
    }
    (rs, slowest)
}

/// RS, not yet ready.
fn spawned(site: &Site, power: Option<&Power>) -> Process {
    match power {
        Some(power) => power.spawn(site),
        None => Process::spawn(&site.path("."), &["rs", "-c", "settings.yaml"]),
    }
}

fn copies(quarantine: &Path) -> bool {
    std::fs::read_dir(quarantine).is_ok_and(|mut files| files.next().is_some())
}
