//! One suite for all stores: the same records, in batches, with restarts and replays between them,
//! and then every question there is; the answers are those of SQLite, word by word.
//!
//! `cargo xtask conformance --database URL` runs it against any server.

#[path = "../../src/store/sqlite/tests/made.rs"]
mod made;
mod annex;
mod bin_questions;
mod bins;
mod cuts;
pub(crate) mod custody;
mod epochs;
pub(crate) mod erasing;
mod export;
mod figures;
mod follower;
mod midnight;
pub(crate) mod keeping;
mod latest;
mod much;
mod own;
mod questions;
mod reports;
mod reused;
mod rollups;
mod said;
mod slices;
mod stories;
mod views;

use model::time::Millis;
use rsd::store::postgres::{Beside, Parts, Postgres, Target};
use rsd::store::sqlite::Sqlite;
use rsd::store::{Arrival, Books, BooksAsked, FIGURES, Store};

use self::follower::Follower;
pub(crate) use self::follower::changed;
pub(crate) use self::questions::answers;
use self::stories::{Step, stories};
use crate::postgres::Server;
use crate::sqlserver::suite::sql_server;
use crate::tds::StandIn;

pub(crate) const NOW: Millis = Millis(1_795_344_000_000);
/// Of erased numbers.
pub(crate) const SECRET: rs::erase::Secret = [7; 32];

/// Opens the same database, each time anew.
type Open<'o> = &'o dyn Fn() -> Box<dyn Store>;

/// Answers, and rows of bins.
fn told(steps: &[Step], open: Open<'_>) -> (Vec<String>, Vec<String>) {
    let mut store = open();
    let mut follower = Follower::of(&*store);
    let mut told = Vec::new();
    for step in steps {
        match step {
            Step::Apply(batch) => {
                let applied = store.apply(batch, NOW).unwrap();
                let changed = changed(&*store, &applied);
                let counts = (applied.seq, applied.stored, applied.duplicates, applied.dead);
                told.push(format!("{counts:?} {changed:?}"));
                follower.follow(&*store, applied);
            }
            Step::Restart => {
                drop(store);
                store = open();
                follower = Follower::of(&*store);
                told.push(format!("at {}", store.applied_seq().unwrap()));
            }
        }
    }
    follower.answers_as(&*store);
    told.extend(answers(&*store));
    let mut rolled = bins::answers(&*store);
    rolled.extend(bin_questions::answers(&*store));
    told.extend(custody::answers(&*store));
    (told, rolled)
}

/// The batch of a story.
pub(crate) fn story() -> Vec<Arrival> {
    let story = stories().into_iter().next().unwrap().1;
    let Some(Step::Apply(batch)) = story.into_iter().next() else {
        panic!("a story begins with a batch")
    };
    batch
}

/// What is born twice at once: the same call, two legs that lend to each other, a call and what its
/// application reported, a stream of a producer. For each of two writers a batch.
pub(crate) fn birth() -> Vec<(&'static str, [Vec<Arrival>; 2])> {
    let pair = |one: &[made::Made], other: &[made::Made]| {
        [one, other].map(|records| made::arrivals(records, 1, 4))
    };
    let leg = made::rm(1, 10);
    let own = made::mcp("E1DE", 10);
    vec![
        ("a call", pair(&[leg.start()], &[leg.end(70)])),
        ("two legs", pair(&[leg.end(70)], &[own.clone().guid(1).end(69), made::var("E1DE", 15)])),
        ("a report", pair(&[own.end(69)], &[made::var("E1DE", 15)])),
        ("a stream", pair(&[made::rm(2, 20).start()], &[made::rm(3, 30).start()])),
    ]
}

pub(crate) fn postgres(url: &str, schema: &str) -> Box<dyn Store> {
    let beside = Beside { schema: Some(schema.to_owned()), ..Beside::default() };
    let parts = Parts {
        target: Target::read(url, beside).unwrap(),
        rs_name: "rs-1".to_owned(),
        spool_id: "1".to_owned(),
        readers: 8,
        secret: SECRET,
    };
    Box::new(Postgres::new(parts, NOW).unwrap())
}

/// A story of the jobs that keep a database.
type Kept = (&'static str, fn(&dyn Store));

const KEPT: [Kept; 29] = [
    ("erased", erasing::a_number),
    ("forgotten", erasing::a_call),
    ("sixty_days", keeping::sixty_days),
    ("annexed", annex::annexed),
    ("orphans", keeping::orphans),
    ("of_one_tenant", keeping::of_one_tenant),
    ("only_of_its_own_call", keeping::only_of_its_own_call),
    ("only_its_own", keeping::only_its_own),
    ("slices", slices::behind_one_another),
    ("slices_apart", slices::of_the_days_beside),
    ("pressure", keeping::pressure),
    ("at_work", keeping::at_work),
    ("true_end", epochs::true_end),
    ("own", own::figures),
    ("own_ids", own::ids),
    ("reused", reused::figures),
    ("said", said::in_its_own_call),
    ("so_much", said::so_much),
    ("much", much::sessions_at_once),
    ("cuts", cuts::of_each_kind),
    ("ports", much::ports_of_one_guid),
    ("reports", reports::of_each_call),
    ("figures", figures::figures),
    ("own_days", figures::own),
    ("tables", figures::tables),
    ("round_trip", export::round_trip),
    ("known", export::known),
    ("export_days", export::days),
    ("export_once", export::once),
];

#[test]
fn files_keep_what_they_are_told_to_keep() {
    for (_, story) in KEPT {
        let dir = tempfile::tempdir().unwrap();
        story(&Sqlite::new(dir.path().to_owned(), NOW));
    }
    let dirs = std::cell::RefCell::new(Vec::new());
    let files = |_: &str| -> Box<dyn Store> {
        let dir = tempfile::tempdir().unwrap();
        let store = Sqlite::new(dir.path().to_owned(), NOW);
        dirs.borrow_mut().push(dir);
        Box::new(store)
    };
    midnight::in_any_order(&files);
    midnight::of_one_leg(&files);
    midnight::of_one_name(&files);
}

/// `database` opens the one of a story.
pub(crate) fn run(database: &dyn Fn(&str) -> Box<dyn Store>) {
    for (name, steps) in stories() {
        let dir = tempfile::tempdir().unwrap();
        let sqlite = || -> Box<dyn Store> { Box::new(Sqlite::new(dir.path().to_owned(), NOW)) };
        let (expected, bins) = told(&steps, &sqlite);
        let (answers, rolled) = told(&steps, &|| database(name));
        assert_eq!(rolled.len(), bins.len(), "{name}");
        for (answer, expected) in rolled.iter().zip(&bins) {
            assert_eq!(answer, expected, "{name}");
        }
        assert_eq!(answers.len(), expected.len(), "{name}");
        for (answer, expected) in answers.iter().zip(&expected) {
            assert_eq!(answer, expected, "{name}");
        }
    }
    for (name, story) in KEPT {
        story(&*database(name));
    }
    midnight::in_any_order(database);
    midnight::of_one_leg(database);
    midnight::of_one_name(database);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "not a setting of the product")]
fn all_stores_give_the_same_answers() {
    match std::env::var("RINGMASTER_CONFORMANCE_DATABASE") {
        Ok(url) => {
            let fresh = format!("conformance_{}", std::process::id());
            let open = if url.starts_with("sqlserver://") { sql_server } else { postgres };
            run(&|name| open(&url, &format!("{fresh}_{name}")));
        }
        Err(_) => {
            let server = Server::start();
            run(&|name| postgres(&server.url(), &format!("story_{name}")));
        }
    }
}

#[test]
fn the_dialects_have_the_same_tables_and_columns() {
    let server = Server::start();
    assert_eq!(postgres(&server.url(), "public").applied_seq().unwrap(), 0);
    let sql = "SELECT table_name || '.' || column_name FROM information_schema.columns
        JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_type = 'BASE TABLE' AND table_schema = 'public' AND table_name LIKE 'rs\\_%'
          AND table_name !~ '_(\\d{8}|other)$'";
    let postgres: std::collections::BTreeSet<String> =
        server.sql(sql).lines().map(ToOwned::to_owned).collect();
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::new(dir.path().to_owned(), NOW);
    store.apply(&story(), NOW).unwrap();
    let mut sqlite = std::collections::BTreeSet::new();
    for file in ["rs.db", "days/20261122.db"] {
        let db = rusqlite::Connection::open(dir.path().join(file)).unwrap();
        let sql = "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c
            WHERE m.type = 'table'";
        let mut columns = db.prepare(sql).unwrap();
        let columns = columns.query_map([], |row| row.get::<_, String>(0)).unwrap();
        sqlite.extend(columns.map(Result::unwrap));
    }
    // what files by day need instead of a column, and what a server needs beside it
    let files = [
        "rs_live_key.",
        "rs_day_span.",
        "rs_day_gone.",
        "rs_day_going.",
        "rs_call_event.no",
        "rs_fact_ledger.event_no",
        "rs_kept_record.no",
    ];
    let server_only = ["rs_spool_cursor.rs_name", "rs_spool_cursor.spool_id"];
    sqlite.retain(|column| !files.iter().any(|own| column.starts_with(own)));
    let servers = postgres.clone();
    let by_day = |column: &str| {
        let kept = ["rs_call_day", "rs_audit_log", "rs_dirty_bin", "rs_fact_span", "rs_day_number"];
        let kept = [&kept[..], &["rs_erasure", "rs_export_run"]].concat();
        column.strip_suffix(".day").is_some_and(|table| !kept.contains(&table))
    };
    let postgres: std::collections::BTreeSet<String> = postgres
        .into_iter()
        .filter(|column| !server_only.iter().any(|own| column.starts_with(own)))
        .filter(|column| !by_day(column))
        .map(|column| column.replace("user_name", "user"))
        .collect();
    assert_eq!(postgres.difference(&sqlite).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(sqlite.difference(&postgres).collect::<Vec<_>>(), Vec::<&String>::new());
    // notes of rs-init
    let own = ["rs_meta."];
    let sql_server: std::collections::BTreeSet<String> = StandIn::new()
        .names()
        .filter(|column| !own.iter().any(|own| column.starts_with(own)))
        // KEY is a word of T-SQL
        .map(|column| column.replace("rs_text_dim.id", "rs_text_dim.key"))
        .collect();
    let servers: std::collections::BTreeSet<String> = servers
        .into_iter()
        .filter(|column| {
            !["rs_meta.", "rs_schema_version."].iter().any(|own| column.starts_with(own))
        })
        .collect();
    assert_eq!(servers.difference(&sql_server).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(sql_server.difference(&servers).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn one_record_that_postgresql_refuses_becomes_a_letter_and_the_rest_is_stored() {
    let server = Server::start();
    let store = postgres(&server.url(), "public");
    store.apply(&made::arrivals(&[made::rm(9, 5).start()], 1, 1), NOW).unwrap();
    server.sql("ALTER TABLE rs_call ADD CONSTRAINT refuse CHECK (dn IS NULL OR dn <> '666')");
    let story: Vec<_> = (1..60)
        .map(|n| made::rm(n, 10 + n).dn(if n == 42 { "666" } else { "1" }).start())
        .collect();
    let applied = store.apply(&made::arrivals(&story, 2, 30), NOW).unwrap();
    assert_eq!((applied.seq, applied.stored, applied.dead), (3, 58, 1));
    let letters = store.dead_letters().unwrap();
    assert_eq!(letters.into_iter().collect::<Vec<_>>(), [("db_rejected".to_owned(), 1)]);
    assert_eq!(server.sql("SELECT count(*) FROM rs_call"), "59");
}

/// Another RS may have made the row in the same moment: the same again finds it. Where that is not
/// why, the record is at fault like any other (rs.md §1.4).
#[test]
fn a_row_that_postgresql_has_already_is_looked_for_once_more() {
    for (taken, stored) in [("nextval('tries') = 1", (59, 0)), ("true", (58, 1))] {
        let server = Server::start();
        let store = postgres(&server.url(), "public");
        store.apply(&made::arrivals(&[made::rm(99, 5).start()], 1, 1), NOW).unwrap();
        server.sql("CREATE SEQUENCE tries");
        server.sql(&format!(
            "CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF NEW.dn = '666' AND {taken} THEN
                 RAISE unique_violation USING MESSAGE = 'another has it';
               END IF;
               RETURN NEW; END $$"
        ));
        server.sql(
            "CREATE TRIGGER taken BEFORE INSERT ON rs_call FOR EACH ROW EXECUTE FUNCTION taken()",
        );
        let story: Vec<_> = (1..60)
            .map(|n| made::rm(n, 10 + n).dn(if n == 42 { "666" } else { "1" }).start())
            .collect();
        let applied = store.apply(&made::arrivals(&story, 2, 30), NOW).unwrap();
        assert_eq!((applied.stored, applied.dead), stored, "{taken}");
    }
}

#[test]
fn a_producer_with_a_wrong_clock_makes_no_partition_for_each_of_its_days() {
    let server = Server::start();
    let store = postgres(&server.url(), "public");
    // some years from the midnight that the records count from
    let days = 1..600;
    let story: Vec<_> =
        days.map(|day| made::mcp(&format!("S{day}"), day * 86_400 * 3).start()).collect();
    let late = Millis(NOW.0 + 365 * 86_400_000 * 6);
    let frames = made::arrivals(&story, 1, 600);
    let mut frame = frames.into_iter().next().unwrap();
    frame.entry.as_mut().unwrap().received = late.0;
    assert_eq!(store.apply(std::slice::from_ref(&frame), late).unwrap().stored, 599);
    let tables = "SELECT count(*) FROM pg_class WHERE relname ~ '^rs_call_\\d{8}$'";
    let made: u32 = server.sql(tables).parse().unwrap();
    assert!(made < 30, "{made}");
    assert_eq!(server.sql("SELECT count(*) FROM rs_call_other WHERE day < 20310101"), "500");
    assert_eq!(store.count(&rs::Filter::default(), rsd::store::Unit::Leg, late).unwrap(), 599);
    // a day that has rows there stays there
    server.sql("SELECT rs_make_day(20270101)");
    let again = Millis(NOW.0 + 41 * 86_400_000);
    frame.seq = 2;
    let applied = store.apply(&[frame], again).unwrap();
    assert_eq!((applied.stored, applied.duplicates), (0, 599));
}

#[test]
fn an_account_that_may_not_create_waits_for_the_schema_and_works_then() {
    let server = Server::start();
    server.sql("CREATE ROLE writer LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let beside = Beside { user: Some("writer".to_owned()), ..Beside::default() };
    let url = server.url().replace("rs@", "");
    let parts = Parts {
        target: Target::read(&url, beside).unwrap(),
        rs_name: "rs-1".to_owned(),
        spool_id: "1".to_owned(),
        readers: 8,
        secret: SECRET,
    };
    let writer = Postgres::new(parts, NOW).unwrap();
    let missing = writer.applied_seq().unwrap_err();
    assert!(missing.reason().contains("rs-init"), "{}", missing.reason());
    postgres(&server.url(), "public").applied_seq().unwrap();
    server.sql("SELECT rs_grant_writer('writer')");
    let batch = made::arrivals(&[made::rm(1, 10).start()], 1, 1);
    assert_eq!(writer.apply(&batch, NOW).unwrap().stored, 1);
    server.sql("INSERT INTO rs_schema_version VALUES (99, 0, 'x', 'x')");
    let newer = postgres(&server.url(), "public").applied_seq().unwrap_err();
    assert!(newer.to_string().contains("schema version"), "{newer}");
}

/// All books, of minutes in `[from, to)`.
fn books(store: &dyn Store, from: Millis, to: Millis) -> Books {
    let ms = |time: Millis| i64::try_from(time.0).unwrap_or(i64::MAX);
    let (minutes, heard_ms) = ((ms(from), ms(to)), Some(i64::MIN));
    store.books(&BooksAsked { producer: None, minutes, heard_ms, figures: &FIGURES }).unwrap()
}
