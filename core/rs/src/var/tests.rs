//! The rules of rs.md §2.5, one by one, in both spellings, and all of them over any order.

use model::record::{Arrived, Body, NOTES_BYTES, Record, VarResult};
use model::time::Millis;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Evaluated, PREFIX, Report, Rule, evaluate};
use crate::fact::{EventFact, Fact, Told};
use crate::limits::{ACTIONS_PER_CALL, REPORTS_PER_CALL, VARIABLES_PER_CALL};
use crate::merge::CallState;
use crate::row::CallRow;

const BEGIN: i64 = 1_795_341_600_000; // 2026-11-22T10:00:00Z
const END: i64 = BEGIN + 600_000;

fn fact(body: &Value) -> Fact {
    let arrived = Arrived { at: Millis::parse("2026-11-23T12:00:00Z").unwrap(), message_id: None };
    let (record, notes) = Record::read(body.to_string().as_bytes(), &arrived).unwrap();
    Fact::of(&record, &notes)
}

fn event(body: &Value) -> EventFact {
    let arrived = Arrived { at: Millis::parse("2026-11-23T12:00:00Z").unwrap(), message_id: None };
    let (record, notes) = Record::read(body.to_string().as_bytes(), &arrived).unwrap();
    match (&record.body, Fact::of(&record, &notes).told) {
        (Body::Var(var), _) => EventFact::of_var(&record, var),
        (_, Told::Event(event)) => *event,
        (_, other) => panic!("{other:?} is no event"),
    }
}

/// A call of a media server; `more`: fields of its end, none = in progress.
fn call(more: Option<Value>) -> CallRow {
    let mut record = json!({
        "schema": 1, "kind": "cdr", "id": "mcp-1:S/cdr.start/0", "time": "2026-11-22T10:00:00Z",
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "phase": "start", "session_id": "S", "started_at": "2026-11-22T10:00:00Z",
        "call_type": "INBOUND", "local_uri": "sip:l", "remote_uri": "sip:r",
    });
    if let Some(more) = more {
        record["phase"] = json!("end");
        record["ended_at"] = json!("2026-11-22T10:10:00Z");
        record["end_state"] = json!("APP_END");
        for (key, value) in more.as_object().unwrap() {
            record[key] = value.clone();
        }
    }
    let Told::Call(call) = fact(&record).told else { panic!("a call") };
    let mut state = CallState::new([1; 16]);
    state.apply(&call);
    state.row(None)
}

/// Reports in the order of the list, one a second.
fn script(lines: &[(&str, &str)]) -> Vec<Report> {
    (1..)
        .zip(lines)
        .map(|(n, (label, text))| Report {
            time_ms: BEGIN + n * 1000,
            number: n,
            id_key: i128::from(n).to_be_bytes(),
            label: (*label).to_owned(),
            text: (*text).to_owned(),
        })
        .collect()
}

fn evaluated(lines: &[(&str, &str)]) -> Evaluated {
    evaluate(&call(Some(json!({}))), &script(lines))
}

fn ignored(evaluated: &Evaluated) -> Vec<(&'static str, u32)> {
    evaluated.ignored.iter().map(|(rule, count)| (rule.as_str(), *count)).collect()
}

/// Number, parent, action, start and end in seconds, result.
type Action<'r> = (u32, Option<u32>, &'r str, i64, Option<i64>, Option<u8>);

fn actions(evaluated: &Evaluated) -> Vec<Action<'_>> {
    let seconds = |ms: i64| (ms - BEGIN) / 1000;
    let rows = evaluated.rows.actions.iter();
    rows.map(|row| {
        let (action, end) = (&*row.action, row.ended_ms.map(seconds));
        (row.n, row.parent_n, action, seconds(row.started_ms), end, row.result)
    })
    .collect()
}

const SUCCESS: Option<u8> = Some(1);
const FAILED: Option<u8> = Some(2);
const UNKNOWN: Option<u8> = Some(3);
const REJECTED: Option<u8> = Some(4);

#[test]
fn a_script_with_everything_in_it() {
    let evaluated = evaluated(&[
        ("ActionStart", "login"),
        ("ActionStart", "pin|parentID=login"),
        ("ActionNotes", "pin|first try"),
        ("ActionEnd", "pin|FAILED|two tries | three"),
        ("ActionStart", "pin|parentID=login"),
        ("ActionNotes", "pin|second"),
        ("ActionEnd", "pin|SUCCESS"),
        ("CustomVar", "plan|gold|and more"),
        ("CustomVar", "plan|silver"),
        ("CallNotes", "hello"),
        ("CallNotes", "world"),
        ("CallResult", "FAILED|no"),
        ("CallResult", "SUCCESS|balance told"),
    ]);
    assert_eq!(ignored(&evaluated), []);
    let expected = [
        (1, None, "login", 1, Some(600), UNKNOWN),
        (2, Some(1), "pin", 2, Some(4), FAILED),
        (3, Some(1), "pin", 5, Some(7), SUCCESS),
    ];
    assert_eq!(actions(&evaluated), expected);
    let rows = evaluated.rows;
    let reasons: Vec<_> = rows.actions.iter().map(|row| row.reason.as_deref()).collect();
    assert_eq!(reasons, [None, Some("two tries | three"), None]);
    let notes: Vec<_> = rows.actions.iter().map(|row| row.notes.as_deref()).collect();
    assert_eq!(notes, [None, Some("first try"), Some("second")]);
    let last: Vec<_> = rows.actions.iter().map(|row| row.is_last).collect();
    assert_eq!(last, [false, false, true]);
    let custom: Vec<_> = rows.custom.iter().map(|row| (&*row.name, &*row.value)).collect();
    assert_eq!(custom, [("plan", "silver")]);
    let of_call = rows.call.unwrap();
    assert_eq!((of_call.result, of_call.reason.as_deref()), (SUCCESS, Some("balance told")));
    assert_eq!((of_call.notes.as_deref(), of_call.actions), (Some("hello\nworld"), 3));
}

/// rs.md §14, scenario 25: what breaks a rule changes no figure and is counted.
#[test]
fn what_breaks_a_rule_is_counted_and_nothing_else() {
    let long = "x".repeat(65);
    let cases: [(&str, &str, &str); 19] = [
        ("ActionStart", "child|parentID=nobody", "parent"),
        ("ActionStart", "", "action_id"),
        ("ActionStart", "a b", "action_id"),
        ("ActionStart", "a|b", "action_id"),
        ("ActionStart", &long, "action_id"),
        ("ActionStart", "a|parentID=b c", "action_id"),
        ("ActionEnd", "login|SUCCESS", "not_open"),
        ("ActionEnd", "nobody|SUCCESS", "not_open"),
        ("ActionEnd", "login", "result"),
        ("ActionEnd", "login|success", "result"),
        ("ActionEnd", "login|REJECTED", "result"),
        ("ActionNotes", "nobody|text", "not_started"),
        ("ActionNotes", "|text", "action_id"),
        ("CallResult", "", "result"),
        ("CallResult", "REJECTED", "result"),
        ("CustomVar", "|value", "name"),
        ("CustomVar", &long, "name"),
        ("Something", "text", "label"),
        ("", "text", "label"),
    ];
    let good = [("ActionStart", "login"), ("ActionEnd", "login|SUCCESS")];
    let expected = evaluated(&good).rows;
    for (label, text, rule) in cases {
        let with = evaluated(&[good[0], good[1], (label, text)]);
        assert_eq!(ignored(&with), [(rule, 1)], "{label} {text}");
        let mut rows = with.rows;
        rows.call.as_mut().unwrap().ignored = 0;
        assert_eq!(rows, expected, "{label} {text}");
    }
}

#[test]
fn notes_are_full_at_their_limit_between_characters() {
    let (first, second) = ("a".repeat(4000), "ü".repeat(100));
    let evaluated = evaluated(&[
        ("CallNotes", &first),
        ("CallNotes", &second),
        ("CallNotes", "no room"),
        ("CallNotes", ""),
    ]);
    assert_eq!(ignored(&evaluated), [("notes_full", 2)]);
    let notes = evaluated.rows.call.unwrap().notes.unwrap();
    assert_eq!(notes, format!("{first}\n{}", "ü".repeat(47)));
    assert!(notes.len() <= NOTES_BYTES, "{}", notes.len());
}

#[test]
fn reasons_and_values_are_cut() {
    let long = "ü".repeat(300);
    let (result, value) = (format!("SUCCESS|{long}"), format!("name|{long}"));
    let rows = evaluated(&[("CallResult", &result), ("CustomVar", &value)]).rows;
    let cut = "ü".repeat(256);
    assert_eq!(rows.call.unwrap().reason.as_ref(), Some(&cut));
    assert_eq!(rows.custom[0].value, cut);
}

#[test]
fn every_limit_counts_what_is_beyond() {
    let actions: Vec<_> = (0..=ACTIONS_PER_CALL).map(|n| format!("a{n}")).collect();
    let lines: Vec<_> = actions.iter().map(|action| ("ActionStart", &**action)).collect();
    let full = evaluated(&lines);
    assert_eq!(ignored(&full), [("too_many_actions", 1)]);
    assert_eq!(full.rows.actions.len(), ACTIONS_PER_CALL);

    let variables: Vec<_> = (0..=VARIABLES_PER_CALL).map(|n| format!("v{n}|x")).collect();
    let mut lines: Vec<_> = variables.iter().map(|text| ("CustomVar", &**text)).collect();
    lines.push(("CustomVar", "v0|later"));
    let full = evaluated(&lines);
    assert_eq!(ignored(&full), [("too_many_variables", 1)]);
    assert_eq!(full.rows.custom.len(), VARIABLES_PER_CALL);
    assert_eq!(full.rows.custom[0].value, "later");

    let lines = vec![("CallNotes", ""); REPORTS_PER_CALL + 2];
    assert_eq!(ignored(&evaluated(&lines)), [("too_many_reports", 2)]);
}

/// rs.md §14, scenario 26, and what the media server's own record says.
#[test]
fn the_result_of_a_call() {
    let said = script(&[("CallResult", "FAILED|said")]);
    let result = |row: &CallRow, reports: &[Report]| {
        let call = evaluate(row, reports).rows.call;
        call.map(|call| (call.result, call.reason))
    };
    let text = |text: &str| Some(text.to_owned());
    let over = call(Some(json!({})));
    assert_eq!(result(&over, &[]), Some((UNKNOWN, None)));
    assert_eq!(result(&over, &said), Some((FAILED, text("said"))));
    let own = call(Some(json!({"result": "SUCCESS", "result_reason": "own"})));
    assert_eq!(result(&own, &said), Some((SUCCESS, text("own"))));
    let refused = call(Some(json!({"end_state": "REJECTED", "sip_status": 480})));
    assert_eq!(result(&refused, &[]), Some((REJECTED, None)));
    let live = call(None);
    assert_eq!(result(&live, &[]), None);
    assert_eq!(result(&live, &said), Some((FAILED, text("said"))));
    let other = CallRow { component_type: 3, ..over };
    assert_eq!(result(&other, &[]), None, "only media servers have a result without saying so");
}

#[test]
fn the_last_result_is_that_of_the_highest_number() {
    let mut reports = script(&[("CallResult", "FAILED"), ("CallResult", "SUCCESS")]);
    reports[0].number = 9;
    let rows = evaluate(&call(Some(json!({}))), &reports).rows;
    assert_eq!(rows.call.unwrap().result, Some(VarResult::Failed.number()));
}

#[test]
fn a_call_in_progress_has_open_actions() {
    let live = evaluate(&call(None), &script(&[("ActionStart", "login")]));
    assert_eq!(actions(&live), [(1, None, "login", 1, None, None)]);
    assert_eq!(live.rows.call.unwrap().result, None);
    let mut late = script(&[("ActionStart", "late")]);
    late[0].time_ms = END + 5000;
    let late = evaluate(&call(Some(json!({}))), &late);
    assert_eq!(actions(&late), [(1, None, "late", 605, Some(605), UNKNOWN)]);
}

#[test]
fn both_spellings_say_the_same() {
    let record = |n: u32, more: Value| {
        let mut record = json!({
            "schema": 1, "kind": "var", "id": format!("mcp-1:S/var/0.{n}"),
            "time": format!("2026-11-22T10:00:{n:02}Z"), "producer": {"name": "mcp-1"},
            "component": {"name": "mcp-1", "type": "MCP"}, "session_id": "S",
        });
        for (key, value) in more.as_object().unwrap() {
            record[key] = value.clone();
        }
        event(&record)
    };
    let label =
        |label: &str, text: &str| json!({"label": format!("{PREFIX}{label}"), "text": text});
    let pairs = [
        (json!({"verb": "action_start", "action": "a"}), label("ActionStart", "a")),
        (
            json!({"verb": "action_start", "action": "b", "parent": "a"}),
            label("ActionStart", "b|parentID=a"),
        ),
        (
            json!({"verb": "action_end", "action": "b", "result": "FAILED", "reason": "x|y"}),
            label("ActionEnd", "b|FAILED|x|y"),
        ),
        (json!({"verb": "call_result", "result": "SUCCESS"}), label("CallResult", "SUCCESS")),
        (json!({"verb": "call_notes", "text": "n|n"}), label("CallNotes", "n|n")),
        (
            json!({"verb": "action_notes", "action": "a", "text": "n|n"}),
            label("ActionNotes", "a|n|n"),
        ),
        (json!({"verb": "custom", "name": "k", "value": "v|v"}), label("CustomVar", "k|v|v")),
        (json!({"verb": "call_result"}), label("CallResult", "")),
        (json!({"verb": "action_start", "action": "a|b"}), label("ActionStart", "a / b")),
        // the kind says that it is a report
        (json!({"label": "ActionStart", "text": "a"}), label("ActionStart", "a")),
        (json!({"label": "mine", "text": "a"}), label("mine", "a")),
    ];
    let long = |field: &str, verb: &str| json!({"verb": verb, field: "x".repeat(90)});
    for fields in [long("action", "action_start"), long("name", "custom")] {
        let report = record(59, fields).report([3; 16]).unwrap();
        assert_eq!(ignored(&evaluate(&call(None), &[report])).len(), 1, "none of its beginning");
    }
    for (n, (fields, text)) in (1..).zip(pairs) {
        let (structured, text) = (record(n, fields), record(n, text));
        assert_eq!(structured, text);
        assert!(structured.report([3; 16]).is_some());
        let mut both = json!({"verb": "call_notes", "text": "wins", "label": format!("{PREFIX}X")});
        both["result"] = json!("SUCCESS");
        assert_eq!(record(n, both).label.as_deref(), Some("com.genesyslab.var.CallNotes"));
    }
}

#[test]
fn a_log_with_the_label_is_a_report() {
    let mut record = json!({
        "schema": 1, "kind": "call.event", "id": "mcp-1:S/ev/0.7", "time": "2026-11-22T10:00:01Z",
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
        "session_id": "S", "level": "INFO", "log_id": "log",
        "label": "com.genesyslab.var.ActionStart", "text": "login",
    });
    let report = event(&record).report([3; 16]).unwrap();
    assert_eq!((report.time_ms, report.number), (BEGIN + 1000, 7));
    assert_eq!((&*report.label, &*report.text), ("ActionStart", "login"));
    record["label"] = json!("other");
    assert_eq!(event(&record).report([3; 16]), None);
}

fn any_report() -> impl Strategy<Value = (String, String)> {
    let id = prop::sample::select(vec!["a", "b", "c", "a b", ""]);
    let result = prop::sample::select(vec!["SUCCESS", "FAILED", "UNKNOWN", "REJECTED", "x"]);
    let label = prop::sample::select(vec![
        "ActionStart",
        "ActionEnd",
        "CallResult",
        "CallNotes",
        "ActionNotes",
        "CustomVar",
        "Else",
    ]);
    (label, id.clone(), result, id, any::<bool>()).prop_map(|(label, id, result, parent, more)| {
        let text = match (label, more) {
            ("ActionStart", true) => format!("{id}|parentID={parent}"),
            ("ActionEnd", _) => format!("{id}|{result}|why"),
            ("CallResult", _) => format!("{result}|{id}"),
            ("ActionNotes" | "CustomVar", _) => format!("{id}|{parent}"),
            _ => id.to_owned(),
        };
        (label.to_owned(), text)
    })
}

proptest! {
    /// Any order, repetition and split of the reports gives the same rows, byte for byte.
    #[test]
    fn order_does_not_matter(
        lines in prop::collection::vec((any_report(), 0_i64..4), 0..12),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
        over in any::<bool>(),
    ) {
        let texts: Vec<_> = lines.iter().map(|((label, text), _)| (&**label, &**text)).collect();
        let mut reports = script(&texts);
        // some of them within one millisecond
        for (report, (_, second)) in reports.iter_mut().zip(&lines) {
            report.time_ms = BEGIN + second * 1000;
        }
        let row = call(over.then(|| json!({})));
        let expected = evaluate(&row, &reports);
        let mut shuffled: Vec<&Report> = Vec::new();
        if !reports.is_empty() {
            shuffled.extend(order.iter().map(|at| at.get(&reports)));
        }
        shuffled.extend(reports.iter().rev());
        let found = evaluate(&row, shuffled);
        let bytes = |rows| serde_json::to_vec(rows).unwrap();
        prop_assert_eq!(bytes(&found.rows), bytes(&expected.rows));
        let sum: u32 = expected.ignored.values().sum();
        prop_assert_eq!(found.ignored, expected.ignored);
        prop_assert!(sum as usize <= reports.len());
    }

    /// Whatever is in a text, nothing panics, and no row is longer than its column.
    #[test]
    fn any_text(
        label in "(Action(Start|End|Notes)|C(allResult|allNotes|ustomVar))",
        text in ".{0,90}",
    ) {
        let found = evaluate(&call(Some(json!({}))), &script(&[(&label, &text), (&label, &text)]));
        let actions = found.rows.actions.iter();
        prop_assert!(actions.map(|row| row.action.chars().count()).all(|n| (1..=64).contains(&n)));
        prop_assert!(found.ignored.keys().all(|rule| Rule::ALL.contains(rule)));
    }
}
