//! Records for tests, as JSON text: what producers send. Times are seconds after
//! 2026-11-22T00:00:00Z.

use model::time::Millis;
use serde_json::{Value, json};

use crate::entry::{Body, Entry, Message, Transport};
use crate::store::Arrival;

const MIDNIGHT: u64 = 1_795_305_600_000;

/// A record to be sent.
#[derive(Clone, Debug)]
pub(super) struct Made(String);

/// A call of which records are made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    record: Value,
    id: String,
    seq: u64,
}

pub(super) fn at(seconds: u64) -> Millis {
    Millis(MIDNIGHT + seconds * 1000)
}

/// A v7 GUID of the second that its session begins.
pub(super) fn guid(number: u64) -> String {
    guid_at(number, at(number * 10).0)
}

fn guid_at(number: u64, ms: u64) -> String {
    format!("{:08X}-{:04X}-7000-8000-{number:012X}", ms >> 16, ms & 0xFFFF)
}

/// A leg of RM: the session's number, its start.
pub(super) fn rm(number: u64, start: u64) -> Call {
    let guid = guid_at(number, at(start).0);
    let record = json!({
        "schema": 1, "kind": "cdr", "component": {"name": "rm-1", "type": "RM", "dbid": 101},
        "producer": {"name": "rm-1", "boot": 7, "stream": "cdr"},
        "guid": guid, "leg": "00000001", "session_id": format!("{guid}.00000001"), "epoch": 1,
        "started_at": at(start), "call_type": "INBOUND", "service": "voicexml",
        "local_uri": "sip:100@gvp.example", "remote_uri": "sip:+4930123@GW.example",
        "trace": [{"stage": "place", "candidate": "mcp-1", "verdict": "chosen",
                   "reason": "least-used"}],
    });
    Call { record, id: format!("{guid}/00000001"), seq: 2 * number + 1 }
}

/// A session of a media server that has no GUID yet.
pub(super) fn mcp(session: &str, start: u64) -> Call {
    let record = json!({
        "schema": 1, "kind": "cdr", "component": {"name": "mcp-1", "type": "MCP"},
        "producer": {"name": "mcp-1"}, "session_id": session, "started_at": at(start),
        "call_type": "INBOUND", "service": "voicexml", "local_uri": "sip:dialog@mcp-1",
        "remote_uri": "sip:+4930123@gw.example",
    });
    Call { record, id: format!("mcp-1:{session}"), seq: 0 }
}

pub(super) fn event(session: &str, time: u64, log_id: &str) -> Made {
    Made::of(&json!({
        "schema": 1, "kind": "call.event", "id": format!("mcp-1:{session}/ev/0.{time}"),
        "time": at(time), "producer": {"name": "mcp-1"},
        "component": {"name": "mcp-1", "type": "MCP"}, "session_id": session, "level": "METRIC",
        "log_id": log_id,
    }))
}

pub(super) fn var(session: &str, time: u64) -> Made {
    Made::of(&json!({
        "schema": 1, "kind": "var", "id": format!("mcp-1:{session}/var/0.{time}"),
        "time": at(time), "producer": {"name": "mcp-1"},
        "component": {"name": "mcp-1", "type": "MCP"}, "session_id": session,
        "verb": "call_result", "result": "SUCCESS",
    }))
}

/// The books of RM's minute.
pub(super) fn books(minute: u64) -> Made {
    Made::of(&json!({
        "schema": 1, "kind": "or.integrity", "id": format!("rm-1/7/or.integrity/{minute}"),
        "time": at(minute * 60 + 60),
        "producer": {"name": "rm-1", "boot": 7, "seq": 1, "stream": "or"},
        "component": {"name": "rm-1", "type": "RM", "dbid": 101}, "minute": at(minute * 60),
        "calls_in": 2, "records_out": 3, "in_progress": 0, "rejected": 0, "streams": {"cdr": 7},
    }))
}

/// GUID without a time.
pub(super) const TIMELESS: &str = "5F000000-0000-4000-8000-000000000002";

/// The GUID that carries its time of [`midnight`].
pub(super) fn timed() -> String {
    guid_at(5, at(86_390).0)
}

/// Sessions over midnight, of a GUID that carries its time and of one that does not: calls of a
/// media server on both sides of it, which borrow from RM's leg on the other side; what hangs on
/// them on both days.
pub(super) fn midnight() -> Vec<Made> {
    let leg = rm(5, 86_390).tenant("acme", Some(102)).profile("acme-main", Some(189));
    let timeless = |number, start| rm(6, start).told(TIMELESS).leg(number, start);
    let mut all = vec![
        leg.start(),
        leg.tenant("gamma", Some(104)).end(86_500),
        timeless(1, 86_405).tenant("acme", Some(102)).end(86_520),
        timeless(2, 86_395).tenant("beta", Some(103)).profile("beta-main", Some(190)).end(86_530),
    ];
    for (n, guid) in [(1, &*timed()), (2, TIMELESS)] {
        let quality = |session: &str, time: u64, whose: Option<&str>| {
            Made::of(&json!({
                "schema": 1, "kind": "sq.call", "id": format!("mcp-1:{session}/sq/0.1"),
                "time": at(time), "producer": {"name": "mcp-1"},
                "component": {"name": "mcp-1", "type": "MCP"}, "session_id": session,
                "guid": whose, "failed": true,
                "failures": [{"time": at(time), "type": "FETCH", "text": "t"}],
            }))
        };
        let [a, b, c, d] = ["A", "B", "C", "D"].map(|name| format!("{name}{n}"));
        all.extend([
            mcp(&a, 86_402).told(guid).start(),
            mcp(&a, 86_402).told(guid).end(86_450),
            mcp(&b, 86_403).start(),
            mcp(&b, 86_403).told(guid).end(86_460),
            mcp(&c, 86_404).told(guid).start(),
            mcp(&c, 86_404).end(86_470),
            mcp(&d, 86_393).start(),
            mcp(&d, 86_393).told(guid).end(86_480),
            var(&b, 86_410),
            event(&b, 86_411, "asr_open"),
            quality(&b, 86_420, Some(guid)),
            quality(&d, 86_430, None),
        ]);
    }
    // a media server whose clock is behind: RM's only leg lies on the day after
    let late = "5F000000-0000-4000-8000-000000000003";
    all.push(mcp("E3", 86_399).told(late).end(86_420));
    let leg = rm(7, 86_401).told(late).leg(1, 86_401);
    all.push(leg.tenant("beta", Some(103)).profile("beta-main", Some(190)).end(86_430));
    all
}

impl Call {
    /// With the GUID of a session.
    pub(super) fn told(self, guid: &str) -> Self {
        self.set("guid", json!(guid))
    }

    fn set(mut self, field: &str, value: Value) -> Self {
        self.record[field] = value;
        self
    }

    pub(super) fn guid(self, number: u64) -> Self {
        self.told(&guid(number))
    }

    pub(super) fn dn(self, dn: &str) -> Self {
        self.set("dn", json!(dn))
    }

    pub(super) fn tenant(self, name: &str, dbid: Option<u32>) -> Self {
        let leaf = json!({"name": name, "dbid": dbid});
        let path = json!([{"name": "Environment", "dbid": 1}, leaf]);
        self.set("tenant", json!({"name": name, "dbid": dbid, "path": path}))
    }

    pub(super) fn profile(self, name: &str, dbid: Option<u32>) -> Self {
        self.set("profile", json!({"name": name, "dbid": dbid}))
    }

    /// Another leg of the same session.
    pub(super) fn leg(mut self, leg: u32, start: u64) -> Self {
        let guid = self.record["guid"].as_str().unwrap().to_owned();
        self.id = format!("{guid}/{leg:08X}");
        self.set("leg", json!(format!("{leg:08X}")))
            .set("session_id", json!(format!("{guid}.{leg:08X}")))
            .set("started_at", json!(at(start)))
    }

    pub(super) fn start(&self) -> Made {
        self.made("start", self.record["started_at"].clone(), 0)
    }

    pub(super) fn end(&self, end: u64) -> Made {
        let call = self.clone().set("ended_at", json!(at(end))).set("end_state", json!("USER_END"));
        call.made("end", json!(at(end)), 1)
    }

    fn made(&self, phase: &str, time: Value, later: u64) -> Made {
        let mut call = self.clone().set("phase", json!(phase)).set("time", time);
        call.record["id"] = json!(format!("{}/cdr.{phase}/1.1", self.id));
        if self.seq > 0 {
            call.record["producer"]["seq"] = json!(self.seq - 2 + later);
        }
        Made::of(&call.record)
    }
}

impl Made {
    pub(super) fn of(record: &Value) -> Self {
        Self(record.to_string())
    }

    pub(super) fn text(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(super) fn body(&self) -> String {
        self.0.clone()
    }
}

/// Frames of so many records each, from a sequence on.
pub(super) fn arrivals(story: &[Made], first_seq: u64, per_frame: usize) -> Vec<Arrival> {
    let message = |made: &Made| Message {
        queue: "ringmaster.cdr".to_owned(),
        message_id: Some("ID:x:1".to_owned()),
        fallback_id: None,
        properties: Vec::new(),
        body: Body::Text(made.0.clone()),
    };
    let frame = |messages: &[Made]| Entry {
        received: at(200_000).0,
        transport: Transport::Openwire,
        user: None,
        peer: ([127, 0, 0, 1], 5000).into(),
        messages: messages.iter().map(message).collect(),
        letters: Vec::new(),
        produces: Vec::new(),
    };
    let frames = story.chunks(per_frame).map(frame);
    (first_seq..).zip(frames).map(|(seq, entry)| Arrival { seq, entry: Some(entry) }).collect()
}

/// The frames in batches of so many.
pub(super) fn split(frames: Vec<Arrival>, per_batch: usize) -> Vec<Vec<Arrival>> {
    frames.chunks(per_batch).map(<[_]>::to_vec).collect()
}
