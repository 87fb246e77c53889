//! Erasure at a real server: as a writer who owns nothing, through a server that dies in the
//! middle, with two keys; and what is left of the number in tables and in the bytes of its files.

use std::path::Path;

use rsd::store::postgres::{Beside, Parts, Postgres, Target};
use rsd::store::{Store, StoreError};

use super::Server;
use super::accounts::make;
use crate::conformance::custody::line;
use crate::conformance::erasing::{NUMBER, begin, everywhere, fill, shown, to_its_end};
use crate::conformance::{NOW, SECRET};

/// One RS with an account.
fn rs(server: &Server, user: &str, name: &str, secret: [u8; 32]) -> Postgres {
    let beside = Beside { user: Some(user.to_owned()), ..Beside::default() };
    let target = Target::read(&server.url().replace("rs@", ""), beside).unwrap();
    let (rs_name, spool_id) = (name.to_owned(), name.to_owned());
    Postgres::new(Parts { target, rs_name, spool_id, readers: 2, secret }, NOW).unwrap()
}

/// Tables with a row that tells the number, in text or in bytes.
fn telling(server: &Server) -> Vec<String> {
    let names = "SELECT table_name FROM information_schema.tables
        WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
    let hex: String = NUMBER.bytes().map(|byte| format!("{byte:02x}")).collect();
    let tells = |name: &&str| {
        let sql = format!("SELECT count(*) FROM {name} t WHERE t::text ~ '{NUMBER}|{hex}'");
        server.sql(&sql) != "0"
    };
    server.sql(names).lines().filter(tells).map(str::to_owned).collect()
}

/// Files of the server with the number in their bytes, but for its log of changes.
fn files(dir: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "pg_wal" {
            all.extend(files(&path));
        } else if path.is_file() {
            // one that is gone meanwhile tells nothing
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(NUMBER.len()).any(|part| part == NUMBER.as_bytes()) {
                all.push(path.display().to_string());
            }
        }
    }
    all
}

#[test]
fn nothing_of_a_number_is_left_in_the_tables_and_files_of_a_server_that_dies_meanwhile() {
    let mut server = Server::start();
    make(&server, "public");
    let store = rs(&server, "writer", "rs-1", SECRET);
    fill(&store);
    everywhere::fill(&store);
    // samples of what stands there
    server.sql("ANALYZE; CHECKPOINT");
    assert!(telling(&server).len() >= 8, "{:?}", telling(&server));
    assert!(!files(&server.data()).is_empty());
    begin(&store);
    let mut slices = 0;
    for deaths in 1..4 {
        for _ in 0..9 {
            slices += u32::from(store.erasing().go_on(0).unwrap());
        }
        server.stop();
        let away = store.erasing().go_on(0).unwrap_err();
        assert!(matches!(away, StoreError::Unavailable(_)), "{away:?}");
        server.run();
        assert!(slices > 0, "{deaths}");
    }
    let other = rs(&server, "writer", "rs-1", SECRET);
    assert!(to_its_end(&other) > 0, "it had come to its end before");
    assert_eq!(telling(&server), Vec::<String>::new());
    assert!(!shown(&other).contains(NUMBER));
    let done = other.erasing().erasures(1).unwrap().remove(0);
    let calls = 6 + everywhere::CALLS;
    assert_eq!((done.calls, done.ended_ms.is_some()), (calls, true), "{done:?}");
    everywhere::fill_late(&other);
    assert_eq!(telling(&server), Vec::<String>::new());
    // dead samples are the server's, as the page for operators says
    server.sql("VACUUM FULL pg_statistic");
    server.sql("CHECKPOINT");
    assert_eq!(files(&server.data()), Vec::<String>::new());
}

/// Dead rows that somebody may still read would be written anew with the others: somebody with a
/// snapshot, and somebody who has changed something and is idle, with none.
#[test]
fn an_erasure_does_not_end_while_somebody_may_still_read_what_was_there() {
    for (table, begun) in [
        ("rs_schema_version", "BEGIN ISOLATION LEVEL REPEATABLE READ"),
        ("other", "BEGIN; INSERT INTO other VALUES (1)"),
    ] {
        let server = Server::start();
        make(&server, "public");
        server.sql("CREATE TABLE other (a int)");
        let store = rs(&server, "writer", "rs-1", SECRET);
        fill(&store);
        let mut held = server.session(&format!("{begun}; SELECT 'at ' || count(*) FROM {table}"));
        assert!(held.line().starts_with("at "));
        begin(&store);
        let stuck = (0..200).find_map(|_| store.erasing().go_on(0).err()).expect(begun);
        assert!(stuck.reason().contains("still read"), "{}", stuck.reason());
        assert!(store.erasing().go_on(0).is_err());
        assert_eq!(store.erasing().erasures(1).unwrap()[0].ended_ms, None);
        drop(held);
        // its end is seen a moment later
        let on = |_: &u32| !matches!(store.erasing().go_on(0), Ok(false));
        assert!((0..10_000).take_while(on).count() < 10_000);
        server.sql("CHECKPOINT");
        assert_eq!(files(&server.data()), Vec::<String>::new());
    }
}

#[test]
fn two_reporting_servers_of_one_database_need_one_key() {
    let server = Server::start();
    let (one, other) = (rs(&server, "rs", "rs-1", SECRET), rs(&server, "rs", "rs-2", [8; 32]));
    let batch = crate::conformance::story();
    one.apply(&batch, NOW).unwrap();
    other.apply(&batch, NOW).unwrap();
    begin(&one);
    let number = rs::erase::Number::of(NUMBER).unwrap();
    for refused in [
        other.apply(&batch, NOW).unwrap_err(),
        other.erasing().go_on(0).unwrap_err(),
        other.erasing().begin(&number, &line("erasure")).unwrap_err(),
    ] {
        assert!(matches!(refused, StoreError::Secret(_)), "{refused:?}");
        assert!(refused.reason().contains("copy it from another Reporting Server"));
    }
    // a batch of another RS is searched for it, too
    let same = rs(&server, "rs", "rs-2", SECRET);
    fill(&same);
    assert!(!shown(&same).contains(NUMBER));
    to_its_end(&one);
    assert_eq!(telling(&server), Vec::<String>::new());
}

#[test]
fn no_failure_of_a_forgotten_call_tells_its_text() {
    let server = Server::start();
    make(&server, "public");
    let store = rs(&server, "writer", "rs-1", SECRET);
    everywhere::over_midnight(&store);
    let texts = "SELECT count(*), count(text) FROM rs_sq_failure";
    assert_eq!(server.sql(texts), "2|2");
    everywhere::forget_all(&store);
    assert_eq!(server.sql(texts), "2|0");
}
