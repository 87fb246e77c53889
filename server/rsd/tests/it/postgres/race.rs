//! Two Reporting Servers on one database, at the same moment at what belongs together.

use std::thread;
use std::time::Duration;

use rsd::store::postgres::{Beside, Parts, Postgres, Target};
use rsd::store::sqlite::Sqlite;
use rsd::store::{Arrival, Store};

use super::Server;
use crate::conformance::{NOW, SECRET, answers, birth};

/// Looks at whether both wait; a test that needs more fails.
const LOOKS: u32 = 3000;

pub(super) fn rs(server: &Server, name: &str) -> Postgres {
    let target = Target::read(&server.url(), Beside::default()).unwrap();
    let (rs_name, spool_id) = (name.to_owned(), name.to_owned());
    Postgres::new(Parts { target, rs_name, spool_id, readers: 2, secret: SECRET }, NOW).unwrap()
}

/// Stores both at once: whoever comes to the end of its transaction waits there until the other
/// waits too, at the end or for the first.
fn race(server: &Server, stores: &[Postgres; 2], batches: [Vec<Arrival>; 2]) {
    thread::scope(|scope| {
        let [first, second] = batches;
        let [one, other] = stores;
        let mut gate = server.session("SELECT pg_advisory_lock(4711); SELECT 'shut'");
        assert_eq!(gate.line(), "");
        assert_eq!(gate.line(), "shut");
        let writers = [
            scope.spawn(move || one.apply(&first, NOW).unwrap()),
            scope.spawn(move || other.apply(&second, NOW).unwrap()),
        ];
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE application_name = 'ringmaster' AND wait_event_type = 'Lock'";
        let both = (0..LOOKS).any(|_| {
            thread::sleep(Duration::from_millis(10));
            server.sql(waiting) == "2"
        });
        drop(gate);
        for writer in writers {
            writer.join().unwrap();
        }
        assert!(both, "both came to a point where they wait");
    });
}

#[test]
fn what_two_servers_bear_at_once_is_as_if_one_had_done_it() {
    for (name, batches) in birth() {
        let server = Server::start();
        let stores = [rs(&server, "rs-1"), rs(&server, "rs-2")];
        for store in &stores {
            assert_eq!(store.applied_seq().unwrap(), 0);
        }
        // the days are made, so that nobody waits for that
        stores[0].apply(&[], NOW).unwrap();
        server.sql("SELECT rs_make_day(20261122)");
        server.sql(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END $$",
        );
        server.sql(
            "CREATE TRIGGER wait BEFORE INSERT OR UPDATE ON rs_spool_cursor
             FOR EACH ROW EXECUTE FUNCTION wait()",
        );
        race(&server, &stores, batches.clone());
        let dir = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::new(dir.path().to_owned(), NOW);
        let [first, mut second] = batches;
        let behind = first.len() as u64;
        second.iter_mut().for_each(|arrival| arrival.seq += behind);
        sqlite.apply(&first, NOW).unwrap();
        sqlite.apply(&second, NOW).unwrap();
        assert_eq!(answers(&stores[0]), answers(&sqlite), "{name}");
    }
}
