//! A day that somebody reads for long keeps no other from going.

use rsd::store::Store;

use super::Server;
use super::race::rs;
use crate::conformance::NOW;
use crate::conformance::keeping::{fill, whole_run};

#[test]
fn a_day_that_is_read_waits_and_the_others_go() {
    let server = Server::start();
    let store = rs(&server, "rs-1");
    store.apply(&[], NOW).unwrap();
    fill(&store);
    let mut reader = server.session("BEGIN; SELECT count(*) > 0 FROM rs_call_20261123");
    assert_eq!(reader.line(), "t");
    let report = whole_run(&store);
    assert_eq!((report.gone.len(), report.finished), (19, false), "{report:?}");
    let blocked: Vec<_> = report.blocked.iter().map(|(day, why)| format!("{day} {why}")).collect();
    assert!(
        blocked.len() == 1 && blocked[0].starts_with("20261123 somebody holds what "),
        "{blocked:?}"
    );
    drop(reader);
    let report = whole_run(&store);
    assert_eq!((report.gone, report.finished), (vec![20_261_123], true));
}
