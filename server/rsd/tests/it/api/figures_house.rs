//! Records made for figures, and how figures are asked for.

use std::fmt::Debug;
use std::time::Duration;

use model::time::Millis;
use net::Clock;
use serde_json::{Value, json};

use super::house::House;

/// 2026-11-22T10:00:00Z
pub(super) const BASE_MS: i64 = 1_795_341_600_000;
/// Longer than anything takes; a test that waits for it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A leg of RM, of tenant 102 and profile 189.
pub(super) struct Leg {
    /// Of which session, by number,
    pub(super) session: u64,
    /// which begins here, ms.
    pub(super) began: i64,
    /// The leg begins here, ms.
    pub(super) start: i64,
    /// `rm-1` or `rm-2`, whose ids are 101 and 103.
    pub(super) node: u32,
    pub(super) leg: u32,
    pub(super) call_type: &'static str,
}

impl Leg {
    pub(super) const fn new(session: u64, start: i64) -> Self {
        Self { session, began: start, start, node: 1, leg: 1, call_type: "INBOUND" }
    }

    /// A later leg of the same session.
    pub(super) const fn from(self, start: i64) -> Self {
        Self { start, ..self }
    }

    /// It, as records of it begin.
    fn record(&self, phase: &str, time: i64) -> Value {
        let Self { session, began, start, node, leg, call_type } = self;
        let guid = format!("{:08X}-{:04X}-7000-8000-{session:012X}", began >> 16, began & 0xFFFF);
        let (name, at) = (format!("rm-{node}"), |ms: i64| Millis(ms.cast_unsigned()));
        json!({
            "schema": 1, "kind": "cdr", "id": format!("{guid}/{leg:08X}/cdr.{phase}/1.1"),
            "time": at(time), "phase": phase, "producer": {"name": name},
            "component": {"name": name, "type": "RM", "dbid": 99 + 2 * node},
            "guid": guid, "leg": format!("{leg:08X}"), "session_id": format!("{guid}.{leg:08X}"),
            "epoch": 1, "started_at": at(*start), "answered_at": at(*start),
            "call_type": call_type, "dn": "18005550100", "service": "voicexml",
            "tenant": {"name": "acme", "dbid": 102, "path": [{"name": "acme", "dbid": 102}]},
            "profile": {"name": "acme-main", "dbid": 189, "service": "voicexml"},
            "local_uri": "sip:18005550100@gvp.example", "remote_uri": "sip:+4930123@gw.example",
        })
    }
}

pub(super) fn record_start(leg: &Leg) -> Value {
    leg.record("start", leg.start)
}

pub(super) fn record_end(leg: &Leg, end: i64) -> Value {
    let mut record = leg.record("end", end);
    record["ended_at"] = json!(Millis(end.cast_unsigned()));
    record["end_state"] = json!("USER_END");
    record
}

/// A Reporting Server whose bins are those of Berlin.
pub(super) fn berlin() -> House {
    House::in_dir(tempfile::tempdir().unwrap(), |settings| {
        settings.rs.rollup.time_zone = Some("Europe/Berlin".to_owned());
        settings.rs.rollup.delay = Duration::from_millis(50);
    })
}

/// Sends records in one request.
pub(super) fn send(house: &House, records: &[Value]) {
    let headers = [("Content-Type", "application/json")];
    let body = json!(records).to_string();
    let answer = house.post("/api/v1/records", &headers, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// The answer to a question for bins of `[from, to)`; `asked` begins with the granularity.
pub(super) fn series(house: &House, figure: &str, asked: &str, (from, to): (i64, i64)) -> Value {
    let text = |ms: i64| {
        let text = json!(Millis(ms.cast_unsigned()));
        text.as_str().unwrap().to_owned()
    };
    let (from, to) = (text(from), text(to));
    house.json(&format!("/api/v1/series/{figure}?from={from}&to={to}&granularity={asked}"))
}

/// A column of one object of an answer.
pub(super) fn column(answer: &Value, object: usize, name: &str) -> Value {
    answer["series"][object][name].clone()
}

/// Waits until that is what is found.
pub(super) fn comes_to<T: PartialEq + Debug>(
    house: &House,
    expected: &T,
    look: impl Fn(&House) -> T,
) {
    let clock = Clock::start();
    loop {
        let found = look(house);
        if found == *expected {
            return;
        }
        assert!(clock.mono() < PATIENCE, "expected {expected:?}, found {found:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
