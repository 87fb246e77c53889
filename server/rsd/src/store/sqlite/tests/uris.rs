//! Indexes of URIs: which searches use them, and which days have them.

use rs::query::{Party, Uri};
use rusqlite::params_from_iter;

use super::*;
use crate::store::condition::Condition;
use crate::store::keeping::{Indexed, Keeping as _};
use crate::store::sqlite::read::newest;

const DAYS: [Day; 2] = [20_261_122, 20_261_123];

/// Searches for a caller: by the whole URI, by its beginning, by the number in it.
fn searches() -> [Filter; 4] {
    let uri = |prefix| Uri { text: "sip:alice@example.org".to_owned(), prefix };
    let party = |prefix| Some(Party { number: "4930".to_owned(), prefix });
    [
        Filter { remote_uris: vec![uri(false)], ..Filter::default() },
        Filter { local_uris: vec![uri(true)], ..Filter::default() },
        Filter { party: party(false), ..Filter::default() },
        Filter { party: party(true), ..Filter::default() },
    ]
}

/// How SQLite goes about the search on a day.
fn plan(dir: &Path, day: Day, filter: &Filter) -> String {
    let mut main = Connection::open(dir.join("rs.db")).unwrap();
    let db = Connection::open(dir.join(format!("days/{day}.db"))).unwrap();
    let condition = Condition::of(&mut main, filter, Unit::Leg, NOW).unwrap();
    let sql = format!("EXPLAIN QUERY PLAN {}", newest(&condition, 20));
    let mut plan = db.prepare(&sql).unwrap();
    let lines = plan.query_map(params_from_iter(condition.values()), |row| row.get(3)).unwrap();
    lines.collect::<Result<Vec<String>, _>>().unwrap().join("\n")
}

/// Whether each search on a day, of all of it or some hours, reads by an index of URIs alone.
fn uses(dir: &Path, day: Day) -> [bool; 4] {
    let reads = |filter: &Filter| {
        let plan = plan(dir, day, filter);
        let by_uri = plan.contains("_uri (<expr>");
        let others = ["SCAN", "rs_call_started"].iter().any(|way| plan.contains(way));
        assert_ne!(by_uri, others, "{plan}");
        by_uri
    };
    searches().map(|filter| {
        let (after, before) = (Some(Millis(NOW.0 - 7_200_000)), Some(NOW));
        let hours = Filter { started_after: after, started_before: before, ..filter.clone() };
        assert_eq!(reads(&filter), reads(&hours), "{filter:?}");
        reads(&filter)
    })
}

fn with(dir: &Path, wanted: bool) -> Sqlite {
    Sqlite::new(dir.to_owned(), NOW).with_uri_indexes(wanted)
}

fn steps(store: &Sqlite) -> Vec<Indexed> {
    let mut steps = Vec::new();
    while steps.last() != Some(&Indexed::All) {
        steps.push(store.index_uris().unwrap());
    }
    steps
}

#[test]
fn searches_read_by_the_index_which_comes_and_goes_with_the_setting() {
    use Indexed::{All, More};
    let dir = tempfile::tempdir().unwrap();
    let at = |day| uses(dir.path(), day);
    let store = with(dir.path(), false);
    store
        .apply(&arrivals(&[rm(1, 10).end(70), rm(2, 86_400 + 10).end(86_500)], 1, 2), NOW)
        .unwrap();
    assert_eq!(store.days().unwrap(), DAYS);
    assert_eq!(steps(&store), [All]);
    assert_eq!(DAYS.map(at), [[false; 4], [false; 4]]);
    drop(store);

    let store = with(dir.path(), true);
    assert_eq!(steps(&store), [More, More, All], "a day in each");
    assert_eq!(DAYS.map(at), [[true; 4], [true; 4]]);
    assert_eq!(store.count(&searches()[0], Unit::Leg, NOW).unwrap(), 0);
    // a crash between two days, and one of them half made by somebody
    let db = Connection::open(dir.path().join("days/20261122.db")).unwrap();
    db.execute_batch("DROP INDEX rs_call_local_uri").unwrap();
    drop((store, db));
    assert_eq!(steps(&with(dir.path(), true)), [More, All]);
    assert_eq!(DAYS.map(at), [[true; 4], [true; 4]]);

    assert_eq!(steps(&with(dir.path(), false)), [More, More, All]);
    assert_eq!(DAYS.map(at), [[false; 4], [false; 4]]);
}

#[test]
fn a_new_day_is_made_as_it_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let store = with(dir.path(), true);
    store.apply(&arrivals(&[rm(1, 10).end(70)], 1, 1), NOW).unwrap();
    assert_eq!(uses(dir.path(), DAYS[0]), [true; 4]);
    assert_eq!(steps(&store), [Indexed::All]);
}
