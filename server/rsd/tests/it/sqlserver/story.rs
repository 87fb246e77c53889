//! Frames for the tests of the store: what two producers send of a few sessions, and what is no
//! record. Times are seconds after 2026-11-22T00:00:00Z.

use model::time::Millis;
use rsd::entry::{Body, Entry, Message, Transport};
use rsd::store::Arrival;
use serde_json::{Value, json};

const MIDNIGHT: u64 = 1_795_305_600_000;

pub(crate) fn at(seconds: u64) -> Millis {
    Millis(MIDNIGHT + seconds * 1000)
}

/// A v7 GUID of that second.
pub(crate) fn guid(number: u64, second: u64) -> String {
    let ms = at(second).0;
    format!("{:08X}-{:04X}-7000-8000-{number:012X}", ms >> 16, ms & 0xFFFF)
}

/// Start and end of a leg of RM.
pub(crate) fn rm(number: u64, second: u64, tenant: &str) -> [String; 2] {
    let guid = guid(number, second);
    let path = json!([{"name": "Environment", "dbid": 1}, {"name": tenant}]);
    let record = json!({
        "schema": 1, "kind": "cdr", "component": {"name": "rm-1", "type": "RM", "dbid": 101},
        "guid": guid, "leg": "00000001", "session_id": format!("{guid}.00000001"), "epoch": 1,
        "started_at": at(second), "call_type": "INBOUND", "service": "voicexml",
        "dn": "18005550100",
        "local_uri": "sip:18005550100@gvp.example", "remote_uri": "sip:+4930123@GW.example",
        "call_id": format!("{number}@gw"), "call_uuid": format!("UUID{number}"),
        "tenant": {"name": tenant, "path": path}, "profile": {"name": "main", "dbid": 189},
        "resource": {"group": "mcp", "name": "mcp-1", "address": "sip:[::1]:5070", "attempts": 1},
        "usage": [{"scope": "tenant", "name": tenant, "usage": 7, "burst": 1}],
        "trace": [{"stage": "place", "candidate": "mcp-1", "verdict": "chosen", "reason": "é"}],
        "unknown": {"a": [1, 2]},
    });
    let phase = |phase: &str, time: u64, seq: u64, more: Value| {
        let mut record = record.clone();
        let fields = record.as_object_mut().unwrap();
        fields.insert("phase".to_owned(), json!(phase));
        fields.insert("id".to_owned(), json!(format!("{guid}/00000001/cdr.{phase}/1.1")));
        fields.insert("time".to_owned(), json!(at(time)));
        let producer = json!({"name": "rm-1", "boot": 7, "stream": "cdr", "seq": seq});
        fields.insert("producer".to_owned(), producer);
        fields.extend(more.as_object().unwrap().clone());
        record.to_string()
    };
    let end = json!({"ended_at": at(second + 60), "end_state": "USER_END", "sip_status": 200});
    [phase("start", second, 2 * number - 1, json!({})), phase("end", second + 60, 2 * number, end)]
}

/// Start, event and outcome of a session of a media server that borrows from RM.
pub(crate) fn mcp(number: u64, second: u64) -> [String; 3] {
    let session = format!("E{number:07}");
    let common = |kind: &str, id: &str, more: Value| {
        let mut record = json!({
            "schema": 1, "kind": kind, "id": format!("mcp-1:{session}/{id}"), "time": at(second),
            "component": {"name": "mcp-1", "type": "MCP"}, "producer": {"name": "mcp-1"},
            "session_id": session,
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record.to_string()
    };
    let end = json!({
        "phase": "end", "guid": guid(number, second), "started_at": at(second),
        "ended_at": at(second + 59), "end_state": "APP_END", "call_type": "INBOUND",
        "local_uri": "sip:dialog@mcp-1", "remote_uri": "sip:+4930123@gw.example",
        "result": "SUCCESS", "result_reason": "told", "notes": "one\ntwo",
    });
    let event = json!({"level": "METRIC", "log_id": "incall_begin", "text": "0:0"});
    let outcome = json!({"verb": "call_result", "result": "SUCCESS"});
    [
        common("cdr", "cdr.end/0", end),
        common("call.event", "ev/0.1", event),
        common("var", "var/0.2", outcome),
    ]
}

/// The books of RM's minute.
pub(crate) fn books() -> String {
    json!({
        "schema": 1, "kind": "or.integrity", "id": "rm-1/7/or.integrity/1", "time": at(120),
        "producer": {"name": "rm-1", "boot": 7, "seq": 1, "stream": "or"},
        "component": {"name": "rm-1", "type": "RM", "dbid": 101}, "minute": at(60),
        "calls_in": 2, "records_out": 3, "in_progress": 0, "rejected": 0, "streams": {"cdr": 9},
    })
    .to_string()
}

/// One frame of these bodies.
pub(crate) fn frame(seq: u64, bodies: &[String]) -> Arrival {
    let message = |body: &String| Message {
        queue: "ringmaster.cdr".to_owned(),
        message_id: Some(format!("ID:x:{seq}")),
        fallback_id: None,
        properties: vec![("a".to_owned(), "b".to_owned())],
        body: Body::Text(body.clone()),
    };
    let entry = Entry {
        received: at(200_000).0,
        transport: Transport::Openwire,
        user: Some("rm".to_owned()),
        peer: ([127, 0, 0, 1], 5000).into(),
        messages: bodies.iter().map(message).collect(),
        letters: Vec::new(),
        produces: Vec::new(),
    };
    Arrival { seq, entry: Some(entry) }
}

/// Batches: calls, what hangs on them, a replay, another content under a known id, and garbage.
pub(crate) fn story() -> Vec<Vec<Arrival>> {
    let [start, end] = rm(1, 10, "acme");
    let [other_start, other_end] = rm(2, 200, "beta");
    let [late, _] = rm(3, 86_390, "acme");
    let [leg, event, outcome] = mcp(1, 10);
    let changed = event.replace("0:0", "1:1");
    vec![
        vec![frame(1, &[start.clone(), leg]), frame(2, &[event.clone(), "no record".to_owned()])],
        vec![frame(3, &[end, other_start, outcome]), frame(4, &[books()])],
        vec![frame(5, &[start, event, changed]), frame(6, &[other_end, late])],
    ]
}
