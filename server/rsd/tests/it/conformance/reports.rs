//! A session id that is used again fifty times on a day, each time by an application that
//! reports much: each call keeps what was reported in it, whatever comes of the others (rs.md §2.5,
//! §2.9).

use rs::Filter;
use rs::limits::{CALLS_PER_SESSION, REPORTS_PER_CALL, VARIABLES_PER_CALL};
use rs::var::VarCallRow;
use rsd::store::{CallName, Leg, Store};
use serde_json::{Value, json};

use super::NOW;
use super::made::{Made, arrivals, at, event, mcp};

const CALLS: u64 = 50;
/// Of a call, one a second.
const REPORTS: u64 = 170;
/// Names of variables in a call.
const NAMES: u64 = 20;

/// When a call begins, in seconds.
const fn start(call: u64) -> u64 {
    600 + call * 300
}

pub(super) fn report(session: &str, time: u64, label: &str, text: &str) -> Made {
    let mut record: Value = serde_json::from_str(&event(session, time, "log").body()).unwrap();
    record["label"] = json!(format!("com.genesyslab.var.{label}"));
    record["text"] = json!(text);
    Made::of(&record)
}

/// A call with its reports.
fn told(call: u64) -> Vec<Made> {
    let own = mcp("R", start(call));
    let mut all = vec![own.start()];
    let variable = |second: u64| (second, "CustomVar", format!("v{}|{second}", second % NAMES));
    let variables = (1..REPORTS).map(variable);
    for (second, label, text) in variables.chain([(REPORTS, "CallResult", "SUCCESS".to_owned())]) {
        all.push(report("R", start(call) + second, label, &text));
    }
    all.push(own.end(start(call) + 200));
    all
}

pub(super) fn of_each_call(store: &dyn Store) {
    let count = usize::try_from(CALLS).unwrap();
    assert!(count <= CALLS_PER_SESSION && usize::try_from(NAMES).unwrap() < VARIABLES_PER_CALL);
    assert!(count * usize::try_from(REPORTS).unwrap() > REPORTS_PER_CALL + 1);
    for call in 0..CALLS {
        let applied = store.apply(&arrivals(&told(call), call + 1, 200), NOW).unwrap();
        assert_eq!((applied.stored, applied.dead), (REPORTS + 2, 0));
    }
    let late = report("R", start(0) + REPORTS + 1, "CustomVar", "late|1");
    let applied = store.apply(&arrivals(&[late], CALLS + 1, 1), NOW).unwrap();
    assert_eq!((applied.stored, applied.dead), (1, 0));
    let filter = Filter { session_id: Some("R".to_owned()), ..Filter::default() };
    let calls = store.page(&filter, 1, 200, NOW).unwrap().calls;
    assert_eq!(calls.len(), count);
    for call in calls {
        let Leg { var, .. } = store.call(&CallName::Key(call.key), false).unwrap().remove(0);
        let success = Some(VarCallRow { result: Some(1), ..VarCallRow::default() });
        assert_eq!(var.call, success, "{}", call.started);
        let names = NAMES + u64::from(call.started == at(start(0)));
        assert_eq!(var.custom.len(), usize::try_from(names).unwrap(), "{}", call.started);
    }
}
