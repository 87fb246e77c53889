//! Numbers that are shown without their middle digits, and texts of events that are not stored.

use config::settings::Mask;
use serde_json::{Value, json};

use super::house::{House, MCP, RM, golden};

const SINCE: &str = "/api/v1/calls?from=2026-11-22T00:00:00Z";
/// Of the golden records' caller, whole and as it is shown.
const WHOLE: &str = "4930123";
const SHOWN: &str = "+4*****3";

fn event(id: u64, log_id: &str, text: &str) -> String {
    json!({
        "schema": 1, "kind": "call.event", "id": format!("mcp-1:E1DE00B6-1001D4A8/ev/0.{id}"),
        "time": "2026-11-22T10:00:20Z", "producer": {"name": "mcp-1"}, "level": "METRIC",
        "component": {"name": "mcp-1", "type": "MCP", "dbid": 310}, "log_id": log_id,
        "session_id": "E1DE00B6-1001D4A8", "text": text, "x_said": text,
    })
    .to_string()
}

fn open(mask: Mask) -> House {
    let mut house = House::in_dir(tempfile::tempdir().unwrap(), |settings| {
        settings.rs.privacy.mask = mask;
        settings.rs.privacy.drop_events = vec!["asr_*".to_owned()];
    });
    house.send(&golden(&RM));
    house.send(&golden(&MCP));
    house.send(&[event(50, "log", "said 4930123"), event(51, "asr_trace", "my name is Smith")]);
    house
}

/// All that shows calls.
fn shown(house: &House) -> Vec<String> {
    let first: Value = serde_json::from_str(&golden(&[RM[0]])[0]).unwrap();
    let one = format!("/api/v1/calls/{}?include=events,trace,var", first["guid"].as_str().unwrap());
    let report = "/ems-rs/HIST/CDRs/RM/details?started-from=2026-11-22T00:00:00Z";
    let legs = format!("{SINCE}&legs=true");
    [SINCE, &legs, &one, report].map(|path| house.get(path).body).to_vec()
}

#[test]
fn numbers_are_hidden_and_still_found() {
    let mut house = open(Mask::All);
    for text in shown(&house) {
        assert!(!text.contains(WHOLE) && text.contains(SHOWN), "{text}");
        assert!(!text.contains("18005550100"), "{text}");
    }
    let items = |path: &str| house.json(path)["items"].as_array().unwrap().len();
    for wanted in ["number=4930123", "dn=18005550100"] {
        assert!(items(&format!("{SINCE}&{wanted}")) > 0, "{wanted}");
    }
    for part in ["number=49301*", "dn=1800*"] {
        let answer = house.get(&format!("{SINCE}&{part}"));
        assert_eq!((answer.status, &*answer.code()), (403, "numbers-hidden"), "{part}");
    }
    let mut stream = house.stream(&[]);
    let mut late: Value = serde_json::from_str(&golden(&[RM[0]])[0]).unwrap();
    late["id"] = json!(late["id"].as_str().unwrap().replace("/1.1", "/2.1"));
    late["epoch"] = json!(2);
    house.send(&[late.to_string()]);
    let (_, data) = stream.next();
    assert!(data.contains(SHOWN) && !data.contains(WHOLE), "{data}");
}

#[test]
fn whoever_is_an_admin_sees_them_where_only_reporters_do_not() {
    for text in shown(&open(Mask::Reporter)) {
        assert!(text.contains(WHOLE) && !text.contains(SHOWN), "{text}");
    }
}

#[test]
fn texts_of_some_events_are_not_stored() {
    let house = open(Mask::None);
    let call = shown(&house).remove(2);
    assert!(call.contains("said 4930123") && call.contains("asr_trace"), "{call}");
    assert!(call.contains(r#""extra":{"x_said":"said 4930123"}"#), "{call}");
    assert!(!call.contains("Smith"), "{call}");
    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    for entry in std::fs::read_dir(dir.path().join("rs/days")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(5).any(|part| part == b"Smith"));
    }
}
