//! Indexes of URIs (`rs.database_uri_indexes`): that searches read by them, who makes them, and
//! what is left by a crash.

use rs::Filter;
use rs::query::{Party, Uri};
use rsd::store::keeping::{Indexed, Keeping as _};
use rsd::store::postgres::{Beside, Parts, Postgres, Target};
use rsd::store::{Lists as _, Unit};

use super::Server;
use super::accounts;
use crate::api::house::House;
use crate::conformance::{NOW, SECRET};

/// Questions to the server, each a new session; a test that asks so often fails.
const TRIES: u32 = 1000;
/// Those of all days.
const OF_ALL: &str = "SELECT c.relname, i.indisvalid FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'rs_call'::regclass AND c.relname LIKE '%\\_uri' ORDER BY 1";
const BOTH: &str = "rs_call_local_uri|t\nrs_call_remote_uri|t";
/// Those of partitions that are like them, part of them or not.
const OF_DAYS: &str = "SELECT count(*) FROM pg_index i
    WHERE pg_get_indexdef(i.indexrelid) LIKE '%(lower(%\\_uri), started\\_ms)'
      AND i.indrelid <> 'rs_call'::regclass";

fn open(server: &Server, user: &str, wanted: bool) -> Postgres {
    let beside = Beside { user: Some(user.to_owned()), ..Beside::default() };
    let target = Target::read(&server.url(), beside).unwrap();
    let (rs_name, spool_id) = ("rs-1".to_owned(), "1".to_owned());
    let parts = Parts { target, rs_name, spool_id, readers: 2, secret: SECRET };
    Postgres::new(parts, NOW).unwrap().with_uri_indexes(wanted)
}

/// How many steps it takes until all is as it is wanted. A session that has ended may be at it for
/// a moment longer.
fn steps(store: &Postgres) -> usize {
    let mut made = 0;
    for _ in 0..TRIES {
        match store.index_uris().unwrap() {
            Indexed::All => return made,
            Indexed::Elsewhere => std::thread::yield_now(),
            Indexed::More => made += 1,
        }
    }
    panic!("somebody else is at it for ever");
}

/// Twenty thousand calls on each of two days, from and to as many numbers.
fn fill(server: &Server) {
    server.sql(
        "SELECT rs_make_day(20261122), rs_make_day(20261123);
         INSERT INTO rs_call (day, call_key, live, row_version, last_fact_ms, started_ms,
           component_type, component_id, session_id, epoch, call_type, local_uri, remote_uri, flags)
         SELECT 20261122 + n % 2, md5(n::text)::uuid, false, 1, 1, 1795300000000 + n, 0, 1,
           n::text, 0, 0, 'SIP:' || n || '@pbx.example', 'sip:+49' || n || '@example.org', 0
         FROM generate_series(1, 40000) n;
         ANALYZE rs_call",
    );
}

/// How often an index of URIs was read by.
fn scans(server: &Server) -> u64 {
    let scans = "SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_all_indexes
        WHERE indexrelid IN (SELECT i.indexrelid FROM pg_index i
          WHERE pg_get_indexdef(i.indexrelid) LIKE '%(lower(%\\_uri), started\\_ms)')";
    server.sql(scans).parse().unwrap()
}

/// Searches that find one call each: by a whole URI, the beginning of one, the number in it.
fn searches() -> [Filter; 3] {
    let uri = |text: &str, prefix| Uri { text: text.to_owned(), prefix };
    [
        Filter { remote_uris: vec![uri("sip:+49777@example.org", false)], ..Filter::default() },
        Filter { local_uris: vec![uri("sip:7778@", true)], ..Filter::default() },
        Filter {
            party: Some(Party { number: "49778".to_owned(), prefix: false }),
            ..Filter::default()
        },
    ]
}

#[test]
fn searches_read_by_the_index_which_comes_and_goes_with_the_setting() {
    let server = Server::start();
    let store = open(&server, "rs", false);
    assert_eq!((steps(&store), server.sql(OF_ALL)), (0, String::new()));
    fill(&server);
    // a session tells at its end by what it has read
    let found = |filter: &Filter| {
        let own = open(&server, "rs", false);
        own.list(filter, Unit::Leg, None, 20, NOW).unwrap().len()
    };
    assert_eq!(searches().each_ref().map(found), [1; 3]);
    assert_eq!(scans(&server), 0);

    let with = open(&server, "rs", true);
    assert_eq!(steps(&with), 8, "two of all days, and of three partitions each");
    assert_eq!((server.sql(OF_ALL), server.sql(OF_DAYS)), (BOTH.to_owned(), "6".to_owned()));
    for filter in &searches() {
        let before = scans(&server);
        assert_eq!(found(filter), 1);
        assert!((0..TRIES).any(|_| scans(&server) > before), "{filter:?}");
    }
    server.sql("SELECT rs_make_day(20261124)");
    assert_eq!((server.sql(OF_DAYS), steps(&with)), ("8".to_owned(), 0), "a new day has its own");

    assert_eq!(steps(&store), 2);
    assert_eq!((server.sql(OF_ALL), server.sql(OF_DAYS)), (String::new(), "0".to_owned()));
}

#[test]
fn what_a_crash_has_left_is_made_again_or_dropped() {
    let server = Server::start();
    let (with, without) = (open(&server, "rs", true), open(&server, "rs", false));
    assert_eq!(steps(&without), 0);
    server.sql("SELECT rs_make_day(20261122)");
    let broken = "UPDATE pg_index SET indisvalid = false
        WHERE indexrelid = 'rs_call_20261122_remote_uri'::regclass";
    let half = || {
        assert_eq!(with.index_uris().unwrap(), Indexed::More, "of all days");
        let alone = "CREATE INDEX rs_call_20261122_remote_uri
            ON rs_call_20261122 (lower(remote_uri), started_ms)";
        server.sql(alone);
        server.sql(broken);
    };
    half();
    assert_eq!(steps(&with), 5);
    assert_eq!((server.sql(OF_ALL), server.sql(OF_DAYS)), (BOTH.to_owned(), "4".to_owned()));
    assert_eq!(steps(&without), 2);
    half();
    assert_eq!(steps(&without), 2, "that of all days, and what was no part of it");
    assert_eq!((server.sql(OF_ALL), server.sql(OF_DAYS)), (String::new(), "0".to_owned()));
}

#[test]
fn one_is_at_it_and_a_question_holds_it_up_not_the_other_way_round() {
    let server = Server::start();
    let store = open(&server, "rs", true);
    let mut other = server.session("SELECT pg_advisory_lock(7237405, 4)");
    other.line();
    assert_eq!(store.index_uris().unwrap(), Indexed::Elsewhere);
    drop(other);
    assert_eq!(steps(&store), 4);
    let mut reads = server.session("BEGIN; SELECT count(*) FROM rs_call");
    assert_eq!(reads.line(), "0");
    let waits = open(&server, "rs", false).index_uris().unwrap_err();
    assert!(waits.reason().contains("lock timeout"), "{}", waits.reason());
    drop(reads);
    assert_eq!(steps(&open(&server, "rs", false)), 2);
}

#[test]
fn the_owner_s_account_makes_them_and_a_writer_says_that_it_may_not() {
    let server = Server::start();
    accounts::make(&server, "public");
    assert_eq!((server.sql(OF_ALL), server.sql(OF_DAYS)), (BOTH.to_owned(), "2".to_owned()));
    assert_eq!(steps(&open(&server, "writer", true)), 0);
    let refused = open(&server, "writer", false).index_uris().unwrap_err();
    assert!(refused.reason().contains("rs-init"), "{}", refused.reason());
}

#[test]
fn a_reporting_server_makes_them_beside_its_work() {
    let server = Server::start();
    let url = server.url();
    let dir = tempfile::tempdir().unwrap();
    let house = House::in_dir(dir, |settings| settings.rs.database.url = Some(url));
    let is_there = "SELECT to_regclass('rs_call') IS NOT NULL";
    house.until(|_| server.sql(is_there) == "t" && server.sql(OF_ALL) == BOTH);
}
