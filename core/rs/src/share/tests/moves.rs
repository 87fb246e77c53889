//! Many facts of quality of one session, whose calls are told bit by bit: the rows of their
//! failures are those of the last word, whatever was written before.

use super::*;

fn call(phase: &str, started: u64, time: u64, more: Value) -> Message {
    let mut told = json!({"started_at": at(started),
        "id": format!("mcp-1:A/cdr.{phase}/{started}{time:03}")});
    for (key, value) in more.as_object().unwrap() {
        told[key] = value.clone();
    }
    mcp(phase, "A", time, told)
}

fn served(number: u64, time: u64, failures: usize) -> Message {
    let failure = json!({"time": at(time), "type": "FETCH", "text": "t"});
    let record = json!({
        "schema": 1, "kind": "sq.call", "id": format!("mcp-1:A/sq/0.{number}"), "time": at(time),
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "session_id": "A", "failed": true, "failures": vec![failure; failures],
    });
    Message(record.to_string(), None)
}

/// Three calls of one session id, two of which overlap; GUID, profile and tenant come late, are
/// lent, or are another one's.
fn records() -> Vec<Message> {
    let tenant = |name: &str, dbid: u32| json!({"tenant": {"name": name, "dbid": dbid}});
    let mut own = tenant("beta", 103);
    own["profile"] = json!({"name": "own"});
    vec![
        rm("start", 1, 1, 0, tenant("acme", 102)),
        rm("update", 1, 2, 7, json!({"profile": {"name": "lent"}})),
        call("start", 1, 1, json!({})),
        call("update", 1, 6, json!({ "guid": GUID })),
        call("end", 1, 40, json!({})),
        call("start", 4, 4, json!({"profile": {"name": "other"}})),
        call("end", 4, 12, json!({"guid": "9F000000-0000-4000-8000-000000000003"})),
        call("start", 200, 200, json!({})),
        call("end", 200, 260, own),
        served(1, 2, 1),
        served(2, 8, 2),
        served(3, 11, 3),
        served(4, 30, 1),
        served(5, 150, 2),
        served(6, 210, 2),
        // two contents of one id, of different lengths
        served(7, 9, 3),
        served(7, 205, 1),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn failures_show_the_last_word(
        order in Just((0..records().len()).collect::<Vec<usize>>()).prop_shuffle(),
        split in 1..6_usize,
    ) {
        let records = records();
        let order: Vec<&Message> = order.iter().map(|index| &records[*index]).collect();
        let expected = stored(&records.iter().collect::<Vec<_>>(), 100).seen();
        for seen in [stored(&order, split).seen(), stored_by_day(&order, split).seen()] {
            prop_assert_eq!(seen.iter().zip(&expected).find(|(seen, of)| seen != of), None);
        }
    }
}

#[test]
fn each_failure_is_of_the_call_that_it_fits() {
    let mut tables = Tables::default();
    let records = records();
    records.iter().for_each(|record| _ = tables.apply(&[record]));
    let mut shown: Vec<(i64, Option<String>)> = Vec::new();
    for line in tables.failures.values() {
        let profile = line.row.profile.as_ref().and_then(|of| of.name.clone());
        shown.push((line.row.time_ms % 3_600_000 / 1000, profile));
    }
    shown.sort();
    shown.dedup();
    let lent = |second| (second, Some("lent".to_owned()));
    let other = |second| (second, Some("other".to_owned()));
    let own = |second| (second, Some("own".to_owned()));
    let all = [lent(2), other(8), other(11), lent(30), own(150), own(210)];
    let of: Vec<_> = shown.iter().filter(|(second, _)| ![9, 205].contains(second)).collect();
    assert_eq!(of, all.iter().collect::<Vec<_>>());
}
