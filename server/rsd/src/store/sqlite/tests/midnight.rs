//! Sessions over midnight in two files: wherever the power goes between two commits, the calls of
//! both borrow from the legs of RM that lend to them.

use super::made::midnight;
use super::*;

/// What calls borrow, and what hangs on them, of both days; and where calls of GUIDs lie.
fn borrowed(dir: &Path) -> Vec<String> {
    let main = Connection::open(dir.join("rs.db")).unwrap();
    let days = ["20261122", "20261123"].map(|day| dir.join(format!("days/{day}.db")));
    let days = days.map(|path| Connection::open(path).unwrap());
    let calls = "SELECT session_id, guid, started_ms, tenant_id, profile_id, sq_failed FROM rs_call
        ORDER BY call_key";
    let tenants = "SELECT call_key, tenant_id, depth FROM rs_call_tenant ORDER BY 1, 2";
    let failures = "SELECT session_id, tenant_id, profile_id FROM rs_sq_failure ORDER BY 1";
    let mut found = rows(&main, "SELECT guid, day FROM rs_call_day ORDER BY 1, 2");
    for day in &days {
        found.extend([calls, tenants, failures].into_iter().flat_map(|sql| rows(day, sql)));
    }
    found
}

fn rows(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let values = (0..columns).map(|at| row.get::<_, Value>(at));
        Ok(format!("{:?}", values.collect::<Result<Vec<_>, _>>()?))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// After a crash the records come again in other batches than before.
#[test]
fn a_call_borrows_over_midnight_wherever_the_power_goes() {
    let whole = tempfile::tempdir().unwrap();
    open(whole.path()).apply(&arrivals(&midnight(), 1, 1), NOW).unwrap();
    let expected = borrowed(whole.path());
    let late = expected.iter().find(|row| row.starts_with("[Text(\"E3\")"));
    assert!(late.unwrap().contains("Integer(103), Integer(190)"), "{late:?}");
    let backward: Vec<Made> = midnight().into_iter().rev().collect();
    for (order, story) in [midnight(), backward].iter().enumerate() {
        for (before, after) in [(100, 1), (7, 100)] {
            for fault in 0..60 {
                let dir = tempfile::tempdir().unwrap();
                let mut store = open(dir.path());
                set_fault(&store, Some(fault));
                let frames = arrivals(story, 1, 1);
                let mut crashed = false;
                for batch in split(frames.clone(), before) {
                    if store.apply(&batch, NOW).is_err() {
                        crashed = true;
                        break;
                    }
                }
                drop(store);
                store = open(dir.path());
                let applied = store.applied_seq().unwrap();
                let rest: Vec<_> = frames.into_iter().filter(|it| it.seq > applied).collect();
                for batch in split(rest, after) {
                    store.apply(&batch, NOW).unwrap();
                }
                assert_eq!(borrowed(dir.path()), expected, "{order} {before} {after} {fault}");
                if !crashed {
                    break;
                }
            }
        }
    }
}
