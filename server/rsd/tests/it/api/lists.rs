//! `/api/v1/calls`: lists, cursors, one call.

use model::time::Millis;
use serde_json::{Value, json};

use super::house::{House, Made, after, now};

const SINCE: &str = "from=2026-11-22T00:00:00Z";

fn member<'v>(list: &'v Value, name: &str) -> Vec<&'v str> {
    list["items"].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap()).collect()
}

/// Calls that ended within the last minutes; a greater number began later.
fn calls(numbers: impl Iterator<Item = u32>, base: Millis) -> Vec<String> {
    let made = numbers.map(|number| Made {
        number,
        started: after(base, u64::from(number) * 10),
        ended: Some(after(base, u64::from(number) * 10 + 5)),
        remote_uri: "sip:a@b",
    });
    made.map(|made| made.record()).collect()
}

#[test]
fn one_item_per_session_or_per_leg() {
    let house = House::with_golden_records();
    let list = house.json(&format!("/api/v1/calls?{SINCE}"));
    let guids = member(&list, "guid");
    let first = "01A202B2-C578-7487-A7D5-BA32B23886C4";
    let expected =
        ["01A202B4-2491-7C10-8F02-5B7E90C1D2E3", first, "01A202A0-7580-7D3E-9A44-11D2C3B4A596"];
    assert_eq!((guids, &list["next"]), (expected.to_vec(), &Value::Null));
    let key = list["items"][1]["key"].as_str().unwrap();
    assert_eq!(
        list["items"][1],
        json!({
            "guid": first, "key": key, "state": "completed",
            "started_at": "2026-11-22T10:00:00.120Z", "answered_at": "2026-11-22T10:00:00.180Z",
            "ended_at": "2026-11-22T10:01:07.730Z", "duration_ms": 67610, "call_type": "INBOUND",
            "tenant": {"id": 102, "name": "acme"}, "profile": {"id": 189, "name": "acme-main"},
            "dn": "18005550100", "local_uri": "sip:18005550100@gvp.example",
            "remote_uri": "sip:+4930123@gw.example",
            "session_id": format!("{first}.00690001"), "service": "voicexml",
            "end_state": "USER_END", "sip_status": 200, "reason": "normal", "resource": "mcp-1",
            "legs_count": 1,
        })
    );
    let sessions = |query: &str| {
        let list = house.json(&format!("/api/v1/calls?{SINCE}&{query}"));
        member(&list, "session_id").iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sessions("legs=true").len(), 4);
    assert_eq!(sessions("component=mcp-1"), ["E1DE00B6-1001D4A8"]);
    assert_eq!(sessions("component=103"), [format!("{}.00690003", expected[2])]);
    assert_eq!(sessions("end_state=REJECTED"), [format!("{}.00690002", expected[0])]);
    assert_eq!(sessions("tenant=acme").len(), 3);
    assert_eq!(sessions("profile=189&dn=1800*").len(), 3);
    assert_eq!(sessions("min_duration=100000").len(), 1);
    assert_eq!(sessions("to=2026-11-22T10:00:00.120Z").len(), 1);
    for (query, count) in [
        ("call_id=a84b4c76e66710@gw.example", 1),
        ("sip_status=200&legs=true", 2),
        ("number=%2B4930123", 1),
        ("number=4930123", 1),
        ("number=18005550100", 3),
        ("number=1800*", 3),
        ("number=493012", 0),
        ("number=493012*", 3),
        ("number=%25", 0),
    ] {
        assert_eq!(sessions(query).len(), count, "{query}");
    }
    for nothing in ["tenant=nobody", "component=7", "dn=1801*", "state=live", "call_uuid=x"] {
        assert!(sessions(nothing).is_empty(), "{nothing}");
    }
    // without a time it is the last 24 hours, unless one call is named
    assert_eq!(house.json("/api/v1/calls")["items"], json!([]));
    assert_eq!(member(&house.json(&format!("/api/v1/calls?guid={first}")), "guid"), [first]);
}

#[test]
fn a_cursor_goes_on_where_it_was_while_calls_come_in() {
    let mut house = House::open();
    let base = Millis(now().0 - 600_000);
    house.send(&calls(0..25, base));
    let mut seen = Vec::new();
    let mut page = house.json("/api/v1/calls?limit=10&state=completed");
    let mut later = 25;
    loop {
        seen.extend(member(&page, "guid").iter().map(|guid| (*guid).to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        house.send(&calls(later..later + 5, base));
        later += 5;
        page = house.json(&format!("/api/v1/calls?state=completed&limit=10&cursor={next}"));
    }
    let expected: Vec<String> = (0..25)
        .rev()
        .map(|number| Made { number, started: base, ended: None, remote_uri: "" }.guid())
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(house.json("/api/v1/calls?limit=1000")["items"].as_array().unwrap().len(), 35);
    // of another list, or made up
    let page = house.json("/api/v1/calls?limit=10");
    let next = page["next"].as_str().unwrap();
    let mismatch = (400, "cursor-mismatch".to_owned());
    assert_eq!(house.refusal(&format!("/api/v1/calls?dn=1&cursor={next}")), mismatch);
    assert_eq!(house.refusal("/api/v1/calls?cursor=0123"), mismatch);
    assert_eq!(house.refusal(&format!("/api/v1/live/calls?cursor={next}")), mismatch);
}

#[test]
fn one_call_with_its_legs_and_its_trace() {
    let house = House::with_golden_records();
    let guid = "01A202B2-C578-7487-A7D5-BA32B23886C4";
    let call = house.json(&format!("/api/v1/calls/{guid}?include=trace,events"));
    assert_eq!((&call["guid"], &call["state"]), (&guid.into(), &"completed".into()));
    assert_eq!(call["tenant"], json!({"id": 102, "name": "acme", "path": ["Environment", "acme"]}));
    let [rm, mcp] = &call["legs"].as_array().unwrap()[..] else { panic!("{call}") };
    assert_eq!(rm["component"], json!({"id": 101, "name": "rm-1", "type": "RM"}));
    assert_eq!(
        (&rm["leg"], &rm["epoch"], &rm["parent"]),
        (&"00690001".into(), &1.into(), &Value::Null)
    );
    assert_eq!(
        rm["trace"][1],
        json!({
            "stage": "place", "candidate": "mcp-1", "verdict": "chosen", "reason": "least-used",
            "used": 12, "limit": 500,
        })
    );
    assert_eq!(rm["extra"]["selected_by"], "did");
    assert_eq!((&mcp["component"]["type"], &mcp["end_state"]), (&"MCP".into(), &"APP_END".into()));
    assert_eq!(mcp["parent"], rm["key"]);
    assert_eq!(call["integrity"], json!({"complete": true, "missing": []}));
    let integrity = |guid: &str| house.json(&format!("/api/v1/calls/{guid}"))["integrity"].clone();
    // refused: it has only an end; taken over: its start was lost with the first owner
    let refused = integrity("01A202B4-2491-7C10-8F02-5B7E90C1D2E3");
    assert_eq!(refused, json!({"complete": true, "missing": []}));
    let adopted = integrity("01A202A0-7580-7D3E-9A44-11D2C3B4A596");
    assert_eq!(adopted, json!({"complete": false, "missing": ["start"]}));
    let key = rm["key"].as_str().unwrap();
    let leg = house.json(&format!("/api/v1/calls/{key}"));
    assert_eq!(leg["legs"].as_array().unwrap().len(), 1);
    assert_eq!(leg["legs"][0]["key"], key);
    assert!(leg["legs"][0].get("trace").is_none());
    let unknown = (404, "no-such-call".to_owned());
    assert_eq!(house.refusal("/api/v1/calls/01A202B2-0000-7000-8000-000000000000"), unknown);
    assert_eq!(house.refusal("/api/v1/calls/%ff"), unknown);
    let of = format!("/api/v1/calls/{guid}");
    assert_eq!(house.refusal(&format!("{of}?include=all")), (400, "bad-enum".to_owned()));
    assert_eq!(house.refusal(&format!("{of}?x=1")), (400, "unknown-parameter".to_owned()));
}

#[test]
fn refusals_have_their_codes() {
    let house = House::open();
    for (query, code) in [
        ("colour=red", "unknown-parameter"),
        ("limit=0", "bad-integer"),
        ("limit=1001", "bad-integer"),
        ("min_duration=-1", "bad-integer"),
        ("sip_status=99", "bad-integer"),
        ("from=today", "bad-datetime"),
        ("state=busy", "bad-enum"),
        ("service=fax", "bad-enum"),
        ("legs=maybe", "bad-enum"),
        ("limit=1&limit=2", "duplicate-parameter"),
        ("from=2026-11-23&to=2026-11-22", "from-not-before-to"),
    ] {
        let refusal = house.refusal(&format!("/api/v1/calls?{query}"));
        assert_eq!(refusal, (400, code.to_owned()), "{query}");
    }
    let refusal = house.refusal("/api/v1/live/calls?state=completed");
    assert_eq!(refusal, (400, "unknown-parameter".to_owned()));
    assert_eq!(house.refusal("/api/v1/nothing"), (404, "no-such-path".to_owned()));
    let refused = house.ask("DELETE", "/api/v1/calls", &[]);
    assert_eq!((refused.status, &*refused.code()), (405, "method"));
    assert_eq!(house.json("/api/v1/calls?dn=%ff%zz%00")["items"], json!([]));
}

#[test]
fn a_database_that_fails_is_told_to_the_log_and_not_to_the_asker() {
    let house = House::with_golden_records();
    let db = rusqlite::Connection::open(house.dir.path().join("rs/rs.db")).unwrap();
    db.execute_batch("DROP TABLE rs_dim_tenant").unwrap();
    let answer = house.get("/api/v1/calls?tenant=acme");
    assert_eq!((answer.status, &*answer.code()), (503, "database-unavailable"));
    assert!(answer.head.contains("retry-after: 30"), "{}", answer.head);
    assert!(!answer.body.contains("rs_dim") && !answer.body.contains("SQL"), "{}", answer.body);
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    let id = problem["request_id"].as_str().unwrap();
    let told =
        |line: &String| line.contains("36001") && line.contains(id) && line.contains("rs_dim");
    house.until(|house| house.lines.lines().iter().any(told));
    assert_eq!(house.get("/ready").status, 200);
}
