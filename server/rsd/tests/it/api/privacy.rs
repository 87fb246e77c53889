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

/// Every field of a call that may tell of a person, as it is sent and as it is shown; and some that
/// name the call, an object or a machine of the platform and are shown as they came.
const FIELDS: [(&str, &str, &str); 26] = [
    ("/local_uri", "sip:2301@gvp.example", "sip:2**1@gvp.example"),
    ("/remote_uri", "sip:+4930777002@10.9.1.5", "sip:+49******02@10.9.1.5"),
    ("/dn", "4930777003", "49******03"),
    ("/call_id", "4930777004-a@caller-7.example", "49******04-a@***"),
    ("/resource/address", "sip:4930777005@10.9.0.11:5070", "sip:49******05@10.9.0.11:5070"),
    ("/reason", "asked 4930777006 or tel:2306", "asked 49******06 or tel:2**6"),
    ("/ani", "2307", "2**7"),
    ("/dialled", "2308", "2**8"),
    ("/x_list", "from 4930777009", "from 49******09"),
    ("/x_more/call_id", "b@caller-8.example", "b@***"),
    ("/x_more/4930777011", "of 4930777011", r#""49******11":"of 49******11""#),
    ("/x_more/caller_id", "4930777012", "49******12"),
    ("/source/address", "10.9.1.5:5090", "10.9.1.5:5090"),
    ("/trace/0/candidate", "sip:2314@gw", "sip:2**4@gw"),
    ("/trace/0/reason", "did 4930777015", "did 49******15"),
    ("/call_uuid", "UUID4930777016", "UUID4930777016"),
    ("ev/text", "said 4930777017", "said 49******17"),
    ("ev/label", "to 4930777018", "to 49******18"),
    ("ev/x_more", "4930777019", "49******19"),
    ("ev/CallNotes", "call 4930777020", "call 49******20"),
    ("ev/CallResult", "SUCCESS|told 4930777021", "told 49******21"),
    ("ev/CustomVar", "n 4930777022|v 4930777023", r#""n 49******22":"v 49******23""#),
    ("ev/ActionStart", "ask-4930777024", "ask-49******24"),
    ("ev/ActionEnd", "ask-4930777024|FAILED|for 4930777025", "for 49******25"),
    ("ev/ActionNotes", "ask-4930777024|at 4930777026", "at 49******26"),
    ("ev/session_id", "E1DE00B6-1001D4A8", "E1DE00B6-1001D4A8"),
];

/// A call whose every field has a number of its own.
fn told() -> Vec<String> {
    let mut end: Value = serde_json::from_str(&golden(&[RM[1]])[0]).unwrap();
    (end["x_more"], end["source"]) = (json!({}), json!({}));
    end["trace"] = json!([{"stage": "select", "verdict": "chosen"}]);
    let mut all = Vec::new();
    for (no, (field, sent, _)) in FIELDS.into_iter().enumerate() {
        let Some(of_event) = field.strip_prefix("ev/") else {
            let (parent, name) = field.rsplit_once('/').unwrap();
            end.pointer_mut(parent).unwrap()[name] = json!(sent);
            continue;
        };
        let no = u64::try_from(no).unwrap();
        let mut event: Value = serde_json::from_str(&event(60 + no, "log", "")).unwrap();
        match of_event {
            "text" | "label" | "x_more" | "session_id" => event[of_event] = json!(sent),
            report => {
                event["label"] = json!(format!("com.genesyslab.var.{report}"));
                event["text"] = json!(sent);
            }
        }
        all.push(event.to_string());
    }
    all.push(end.to_string());
    all
}

#[test]
fn no_way_out_shows_a_field_that_tells_of_a_person() {
    let mut house = House::in_dir(tempfile::tempdir().unwrap(), |settings| {
        settings.rs.privacy.mask = Mask::All;
    });
    let mut stream = house.stream(&[]);
    house.send(&golden(&MCP));
    house.send(&told());
    let mut shown = shown(&house);
    shown.push(stream.next().1);
    let all = shown.concat();
    for (field, sent, expected) in FIELDS {
        assert!(all.contains(expected), "{field}: {all}");
        for document in shown.iter().filter(|_| sent != expected) {
            // words without digits tell nothing
            let told = |said: &&str| said.contains("77") || said.contains('@') || said.len() == 4;
            for said in sent.split('|').filter(told).filter(|said| !expected.contains(said)) {
                assert!(!document.contains(said), "{field}: {document}");
            }
        }
    }
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
