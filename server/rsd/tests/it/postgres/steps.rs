//! Steps of the schema on a server.

use rsd::store::Store as _;

use super::Server;
use super::race::rs;

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
