//! Scenario 18: the facts of a thousand calls of two epochs, in many orders and with repetitions,
//! are the same rows in each.

use serde_json::json;

use super::*;

const CALLS: u64 = 1000;
const ORDERS: usize = 10;
/// Records of a frame, and frames of a batch.
const FRAME: usize = 50;
const BATCH: usize = 20;

/// A record of another epoch or phase than its own.
fn turned(record: &Made, phase: &str, epoch: u64, number: u64) -> Made {
    let mut record: serde_json::Value = serde_json::from_str(&record.body()).unwrap();
    let id = record["id"].as_str().unwrap().to_owned();
    let (call, _) = id.split_once("/cdr.").unwrap();
    record["id"] = json!(format!("{call}/cdr.{phase}/{epoch}.1.{number}"));
    record["phase"] = json!(phase);
    record["epoch"] = json!(epoch);
    record["reason"] = json!(format!("{phase} {epoch} {number}"));
    // not of the books: they count each sequence once
    record["producer"] = json!({"name": "rm-1"});
    Made::of(&record)
}

/// Start, three updates and the end of each; every second call was taken over by another node,
/// which had presumed its end.
fn thousand_calls() -> Vec<Made> {
    let mut story = Vec::new();
    for n in 1..=CALLS {
        // some of them over midnight
        let start = 80_000 + n * 7;
        let call = rm(n, start).tenant("acme", Some(102)).profile("main", Some(189)).dn("1800");
        let (first, last) = (call.start(), call.end(start + 60 + n));
        let second = 1 + n % 2;
        story.push(turned(&first, "start", 1, 1));
        story.extend((2..5).map(|number| turned(&first, "update", second, number)));
        if second == 2 {
            let presumed = call.end(start + 30);
            let presumed = presumed.body().replace("USER_END", "INTERRUPTED");
            story.push(turned(&Made::text(&presumed), "end", 1, 5));
        }
        story.push(turned(&last, "end", second, 6));
    }
    story
}

/// Rows of calls and what hangs on them, of all days; versions count the ways to them.
fn rows(dir: &Path) -> Vec<String> {
    let tables = [
        "rs_call",
        "rs_call_tenant",
        "rs_call_owner",
        "rs_call_fact_state",
        "rs_call_trace",
        "rs_fact_ledger",
    ];
    let mut all = Vec::new();
    for day in ["20261122", "20261123"] {
        let file = Connection::open(dir.join(format!("days/{day}.db"))).unwrap();
        for table in tables {
            let mut statement = file.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let mut found = statement.query([]).unwrap();
            while let Some(row) = found.next().unwrap() {
                let columns = names.iter().filter(|name| *name != "row_version");
                let values: Vec<Value> =
                    columns.map(|name| row.get::<_, Value>(&**name).unwrap()).collect();
                all.push(format!("{day} {table} {values:?}"));
            }
        }
    }
    all.sort_unstable();
    all
}

#[test]
fn a_thousand_calls_of_two_epochs_are_the_same_rows_in_any_order() {
    let mut chance = model::chance::Chance::new([18, 1, 1, 1]);
    let mut expected: Option<Vec<String>> = None;
    for order in 0..ORDERS {
        let mut story = thousand_calls();
        let again: Vec<Made> = story.iter().skip(order).step_by(7).cloned().collect();
        story.extend(again);
        for at in (1..story.len()).rev() {
            let other = usize::try_from(chance.below(at as u64 + 1)).unwrap();
            story.swap(at, other);
        }
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let mut stored = 0;
        for batch in split(arrivals(&story, 1, FRAME), BATCH) {
            stored += store.apply(&batch, NOW).unwrap().stored;
        }
        assert_eq!(stored, CALLS * 5 + CALLS / 2, "each once");
        let found = rows(dir.path());
        let expected = expected.get_or_insert_with(|| found.clone());
        let differs = found.iter().zip(&*expected).find(|(found, expected)| found != expected);
        assert_eq!((differs, found.len()), (None, expected.len()), "order {order}");
    }
    let ended = |row: &&String| row.contains(" rs_call [") && row.contains("end 2 6");
    let rows = expected.unwrap();
    assert_eq!(rows.iter().filter(ended).count() as u64, CALLS / 2, "by the second epoch");
}
