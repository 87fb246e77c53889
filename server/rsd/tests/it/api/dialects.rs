//! Scenario 39: some thousands of facts in any order, and every document that is made of them, byte
//! for byte the same whatever the database is.

use std::time::Duration;

use config::Settings;
use model::chance::Chance;
use model::time::Millis;
use serde_json::{Value, json};

use super::database;
use super::figures_house::{BASE_MS, Leg, comes_to, record_end, record_start, send};
use super::house::House;
use crate::postgres::Server;
use crate::sqlserver::daemon;
use crate::tds::{Endpoint, Identity, Settings as Tds, StandIn};

/// Sessions, of which each has up to eight facts.
const SESSIONS: u64 = 490;
/// The stand-in of SQL Server reads its rows one by one.
const FEW: u64 = 60;

fn time(ms: i64) -> Value {
    json!(Millis(ms.cast_unsigned()))
}

/// What a media server tells of a session of RM.
fn media(number: u64, guid: &Value, start: i64, end: i64) -> Vec<Value> {
    let session = format!("S{number}");
    let own = |kind: &str, id: &str, at: i64, more: Value| {
        let mut record = json!({
            "schema": 1, "kind": kind, "id": format!("mcp-1:{session}/{id}"), "time": time(at),
            "producer": {"name": "mcp-1"}, "session_id": session, "guid": guid,
            "component": {"name": "mcp-1", "type": "MCP", "dbid": 310},
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    };
    let cdr = json!({"phase": "start", "started_at": time(start), "call_type": "INBOUND",
        "local_uri": "sip:dialog@mcp-1", "remote_uri": format!("sip:+49301{number}@gw.example"),
        "profile": {"name": "acme-main", "dbid": 189}, "service": "voicexml"});
    let mut over = cdr.clone();
    let ends = ["USER_END", "APP_END", "SYSTEM_ERROR", "UNKNOWN"];
    over["phase"] = json!("end");
    over["ended_at"] = time(end);
    over["end_state"] = json!(ends[usize::try_from(number % 4).unwrap()]);
    over["media"] = json!({"asr": {"used": number.is_multiple_of(2)}});
    let result = ["SUCCESS", "FAILED"][usize::try_from(number % 2).unwrap()];
    let reason = format!("reason {}", number % 5);
    let failed = number.is_multiple_of(9);
    vec![
        own("cdr", "cdr.start/0", start, cdr),
        own("cdr", "cdr.end/0", end, over),
        own("call.event", "ev/0.1", start + 1, json!({"level": "METRIC", "log_id": "asr_open"})),
        own("call.event", "ev/0.2", end - 1, json!({"level": "METRIC", "log_id": "asr_close"})),
        own(
            "var",
            "var/0.3",
            end - 2,
            json!({"verb": "call_result", "result": result,
            "reason": reason}),
        ),
        own("sq.call", "sq/0.1", end, json!({"failed": failed, "failures": []})),
    ]
}

/// Facts of so many sessions in one of many orders: some not over, some of two legs.
fn facts(sessions: u64) -> Vec<Value> {
    let mut facts = Vec::new();
    for number in 1..=sessions {
        let start = BASE_MS + i64::try_from(number * 37_511 % 14_400_000).unwrap();
        let end = start + 5_000 + i64::try_from(number * 7_919 % 600_000).unwrap();
        let mut leg = Leg::new(number, start);
        leg.node = 1 + u32::try_from(number % 2).unwrap();
        let first = record_start(&leg);
        facts.extend(media(number, &first["guid"], start + 20, end - 20));
        facts.push(first);
        if !number.is_multiple_of(11) {
            facts.push(record_end(&leg, end));
        }
    }
    let mut chance = Chance::new([39, 1, 1, 1]);
    for at in (1..facts.len()).rev() {
        facts.swap(at, usize::try_from(chance.below(at as u64 + 1)).unwrap());
    }
    facts
}

/// A server that has them all, with the bins of Berlin.
fn filled(facts: &[Value], database: impl FnOnce(&mut Settings)) -> House {
    let house = House::in_dir(tempfile::tempdir().unwrap(), |settings| {
        settings.rs.rollup.time_zone = Some("Europe/Berlin".to_owned());
        settings.rs.rollup.delay = Duration::from_millis(50);
        database(settings);
    });
    facts.chunks(500).for_each(|some| send(&house, some));
    comes_to(&house, &facts.len().to_string(), |house| house.metric("rs_apply_records_total"));
    house
}

const DAY: &str = "from=2026-11-22T00:00:00Z&to=2026-11-23T00:00:00Z";

/// What is asked: the reports, the lists, some calls, and figures of all sorts.
fn questions(guids: &[String]) -> Vec<String> {
    let since = "started-from=2026-11-22T00:00:00Z&started-to=2026-11-23T00:00:00Z";
    let mut paths = Vec::new();
    for component in ["RM", "MCP"] {
        for more in ["", "&app-id=189", "&tenant-id=102", "&dn=1800*", "&duration-min=300000"] {
            let own = format!("{component}/details?{since}{more}");
            paths.push(format!("/ems-rs/HIST/CDRs/{own}"));
            paths.push(format!("/ems-rs/HIST/CDRs/{own}&page-size=50&page=2"));
        }
        paths.push(format!("/ems-rs/RT/CDRs/{component}/details?{since}"));
    }
    for more in ["", "&legs=true", "&state=live", "&component=mcp-1", "&end_state=APP_END"] {
        paths.push(format!("/api/v1/calls?{DAY}&limit=1000{more}"));
    }
    for figure in ["arrivals", "peaks", "durations", "quality", "var", "actions"] {
        for granularity in ["HOUR", "DAY", "MONTH"] {
            for dim in ["all", "tenant", "profile", "component"] {
                let asked = format!("{DAY}&granularity={granularity}&dim={dim}");
                paths.push(format!("/api/v1/series/{figure}?{asked}"));
            }
        }
    }
    let calls = guids.iter().map(|guid| format!("/api/v1/calls/{guid}?include=trace,events,var"));
    paths.extend(calls);
    paths
}

/// The document without what tells of the question and its moment; of a refusal its status. A call
/// that is not over grows longer from one question to the next.
fn document(house: &House, path: &str) -> String {
    let answer = house.get(path);
    if answer.status != 200 {
        return answer.status.to_string();
    }
    if let Some((_, body)) = answer.body.split_once("</manifest>") {
        return if path.contains("/RT/") { without_durations(body) } else { body.to_owned() };
    }
    let mut told: Value = serde_json::from_str(&answer.body).unwrap();
    let items = told.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten();
    for live in items.filter(|item| item["state"] == "live") {
        live["duration_ms"] = Value::Null;
    }
    told.to_string()
}

fn without_durations(body: &str) -> String {
    let mut parts = body.split(" duration=\"");
    let first = parts.next().unwrap_or_default().to_owned();
    first + &parts.filter_map(|part| Some(part.split_once('"')?.1)).collect::<String>()
}

fn same(sessions: u64, database: impl FnOnce(&mut Settings)) {
    let facts = facts(sessions);
    let (expected, house) = (filled(&facts, |_| {}), filled(&facts, database));
    let arrived = |house: &House| {
        let path = format!("/api/v1/series/arrivals?{DAY}&granularity=DAY&count=sessions");
        let days = house.json(&path)["series"][0]["values"].as_array().unwrap().clone();
        days.iter().filter_map(Value::as_u64).sum::<u64>()
    };
    comes_to(&expected, &sessions, arrived);
    let of = |number: &u64| {
        let session = format!("S{number}");
        let fact = facts.iter().find(|fact| fact["session_id"] == *session).unwrap();
        fact["guid"].as_str().unwrap().to_owned()
    };
    let guids: Vec<String> = [1, 7, 9, sessions / 2, sessions].iter().map(of).collect();
    let questions = questions(&guids);
    // the last bins of either may still be in the making
    comes_to(&house, &None, |house| {
        let told = questions.iter().map(|path| (path, document(&expected, path)));
        let mut differ = told.map(|(path, told)| (path, told, document(house, path)));
        differ.find(|(_, one, other)| one != other)
    });
    let good = questions.iter().filter(|path| document(&expected, path).len() > 3).count();
    assert!(good > 60, "{good} of {}", questions.len());
    let calls = document(&expected, &format!("/api/v1/calls?{DAY}&limit=1000&legs=true"));
    let calls: Value = serde_json::from_str(&calls).unwrap();
    assert_eq!(calls["items"].as_array().unwrap().len() as u64, 2 * sessions, "each call once");
}

#[test]
fn thousands_of_facts_give_the_same_documents_on_postgresql() {
    let server = Server::start();
    same(SESSIONS, database::on(&server));
}

#[test]
fn facts_give_the_same_documents_in_sql_server_s_dialect() {
    let engine = StandIn::new();
    let endpoint =
        Endpoint::start(Tds::secure(Identity::new()), move |request| engine.answer(request));
    let dir = tempfile::tempdir().unwrap();
    same(FEW, daemon::on(&endpoint, dir.path()));
}
