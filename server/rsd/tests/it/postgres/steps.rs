//! Steps of the schema on a server.

use rs::Filter;
use rsd::store::{Lists as _, Store as _, StoreError, Unit};

use super::Server;
use super::race::rs;
use crate::conformance::{NOW, story};

/// One transaction each (rs.md §3.4): what a step has made stays when a later one cannot be taken.
#[test]
fn steps_before_one_that_fails_are_not_taken_again() {
    let server = Server::start();
    server.sql("CREATE TABLE rs_lease (in_the_way integer)");
    let store = rs(&server, "rs-1");
    store.applied_seq().unwrap_err();
    let taken = "SELECT count(*), max(applied_ms) FROM rs_schema_version";
    let first = server.sql(taken);
    assert!(first.starts_with("3|"), "{first}");
    server.sql("DROP TABLE rs_lease");
    assert_eq!(store.applied_seq().unwrap(), 0);
    let count: u32 = server.sql("SELECT count(*) FROM rs_schema_version").parse().unwrap();
    assert!(count > 3, "{count}");
}

/// Schemas are updated first, then the servers one by one (rs.md §3.4, §11): a batch and a question
/// work with the next schema, and nothing begins with one beyond it.
#[test]
fn the_next_schema_is_worked_with_and_one_beyond_it_is_refused() {
    let server = Server::start();
    assert_eq!(rs(&server, "rs-1").applied_seq().unwrap(), 0);
    let later = |version: u32, by: &str| {
        let values = format!("({version}, 0, '', '{by}')");
        server.sql(&format!("INSERT INTO rs_schema_version VALUES {values}"));
    };
    let last: u32 = server.sql("SELECT max(version) FROM rs_schema_version").parse().unwrap();
    let own: Vec<u32> =
        env!("CARGO_PKG_VERSION").split('.').map(|number| number.parse().unwrap()).collect();
    let (next, beyond) = (own[1] + 1, own[1] + 2);
    later(last + 1, &format!("{}.{next}.0", own[0]));
    server.sql("ALTER TABLE rs_call ADD COLUMN later text");
    server.sql("CREATE TABLE rs_later (a integer)");
    let store = rs(&server, "rs-2");
    let story = story();
    assert!(store.apply(&story, NOW).unwrap().stored > 0);
    assert!(store.count(&Filter::default(), Unit::Leg, NOW).unwrap() > 0);
    let steps: u32 = server.sql("SELECT max(version) FROM rs_schema_version").parse().unwrap();
    assert_eq!(steps, last + 1, "it takes no step of its own");
    later(last + 2, &format!("{}.{beyond}.0", own[0]));
    let refused = rs(&server, "rs-3").seen().unwrap_err();
    assert!(matches!(refused, StoreError::Newer { .. }), "{refused}");
    assert!(refused.to_string().contains(&format!("version {}", last + 2)), "{refused}");
}
