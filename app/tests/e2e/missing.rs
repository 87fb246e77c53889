//! Scenario 36 of rs.md: a producer loses records with its spool and starts again. RS names exactly
//! these, its alarms and its proof say so, and all of it is over when they come after all. The
//! proof is then made and verified by the commands of docs/operate/proof.md.

use std::process::Command;

use serde_json::{Value, json};

use crate::http;
use crate::platform::{Site, eventually, wall};
use crate::postgres::Server;

const PAGE: &str = include_str!("../../../docs/operate/proof.md");
const MINUTE: u64 = 60_000;
const DAY: u64 = 1440 * MINUTE;

/// What one start of the producer made in one minute: ten calls.
struct Start {
    boot: u64,
    minute: u64,
}

impl Start {
    fn record(&self, kind: &str, id: &str, (stream, seq): (&str, u64), own: &Value) -> Value {
        let boot = self.boot;
        let mut record = json!({
            "schema": 1, "kind": kind, "id": format!("mcp-1:{boot}-{seq}/{id}"),
            "time": time(self.minute + 30_000),
            "producer": {"name": "mcp-1", "boot": boot, "seq": seq, "stream": stream},
            "component": {"name": "mcp-1", "type": "MCP"},
        });
        record.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        record
    }

    fn end(&self, seq: u64) -> Value {
        let own = json!({
            "phase": "end", "session_id": format!("{}-{seq}", self.boot),
            "started_at": time(self.minute + seq), "ended_at": time(self.minute + 30_000),
            "call_type": "INBOUND", "local_uri": "sip:a", "remote_uri": "sip:b",
            "end_state": "USER_END",
        });
        self.record("cdr", "cdr.end/0", ("cdr", seq), &own)
    }

    fn books(&self) -> Value {
        let own = json!({
            "minute": time(self.minute), "calls_in": 10, "records_out": 10, "in_progress": 0,
            "rejected": 0, "streams": {"cdr": 10, "or": 1},
        });
        self.record("or.integrity", "or.integrity/0", ("or", 1), &own)
    }
}

fn time(ms: u64) -> String {
    model::time::Millis(ms).to_string()
}

fn send(site: &Site, records: &[Value]) {
    let json = "Content-Type: application/json\r\n";
    let body = Value::from(records.to_vec()).to_string();
    let answer = http::ask(site.rs_http(), "POST", "/api/v1/records", json, &body).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("\"dead_lettered\":[]"), "{}", answer.body);
    eventually("applied", || http::metric(site.rs_http(), "rsQueueSize"), |size| *size == 0.0);
}

fn alarm(site: &Site, name: &str) -> f64 {
    http::metric(site.rs_http(), &format!("rs_alarm{{name=\"{name}\"}}"))
}

/// The one producer, with the gaps of each stream by start and stream.
fn gaps(site: &Site, from: u64) -> (Value, Vec<(u64, String, Value)>) {
    let path = format!("/api/v1/integrity?from={}&producer=mcp-1", time(from));
    let found = http::json(site.rs_http(), &path)["items"][0].clone();
    let streams = found["streams"].as_array().unwrap().iter();
    let gaps = streams.filter(|stream| stream["gaps"] != json!([])).map(|stream| {
        let gap = &stream["gaps"][0];
        let ends = json!([gap["from"], gap["to"], stream["gaps"].as_array().unwrap().len()]);
        (stream["boot"].as_u64().unwrap(), stream["stream"].as_str().unwrap().to_owned(), ends)
    });
    let gaps = gaps.collect();
    (found, gaps)
}

#[test]
fn what_a_lost_spool_had_is_named_until_it_comes_and_then_the_day_is_signed() {
    let database = Server::start();
    let site = Site::new("kind: Tenant\nname: acme\n");
    let now = wall().0;
    let yesterday = now - now % DAY - DAY;
    let day = time(yesterday)[..10].to_owned();
    let commands: Vec<&str> = {
        let blocks = PAGE.split("```sh\n").skip(1);
        blocks.flat_map(|block| block.split("```").next().unwrap().lines()).collect()
    };
    let (keys, verify) = commands.split_at(2);
    let run = |command: &str| {
        let command = command
            .replace("http://127.0.0.1:8080", &format!("http://{}", site.rs_http()))
            .replace("2026-11-22", &day);
        let mut shell = Command::new("sh");
        let output = shell.args(["-ec", &command]).current_dir(site.path(".")).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    keys.iter().for_each(|command| drop(run(command)));
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let more = format!("  database: \"{}\"\n  proof_key_file: proof.key\n", database.url());
    site.write("settings.yaml", &(settings + &more));
    let _rs = site.start_rs();

    // yesterday at noon, and a quarter of an hour ago after a start; six to ten are lost
    let recent = now - 13 * MINUTE;
    let starts = [(1, yesterday + DAY / 2), (2, recent - recent % MINUTE)]
        .map(|(boot, minute)| Start { boot, minute });
    for start in &starts {
        let mut records: Vec<Value> = (1..=5).map(|seq| start.end(seq)).collect();
        records.push(start.books());
        send(&site, &records);
    }
    assert_eq!(alarm(&site, "RS-GAP"), 0.0, "five minutes have not gone by");
    // nobody waits so long: the books say that they have
    let since = now - 6 * MINUTE;
    database.sql(&format!(
        "UPDATE rs_producer_stream SET gaps = overlay(gaps placing int8send({since}) from 17)
         WHERE gaps <> ''"
    ));
    let (found, missing) = gaps(&site, yesterday);
    let lost = json!([6, 10, 1]);
    let cdr = |boot| (boot, "cdr".to_owned(), lost.clone());
    assert_eq!(missing, [cdr(1), cdr(2)], "exactly these: {found:#}");
    let minutes = found["minutes"].as_array().unwrap();
    let differences: Vec<_> = minutes.iter().map(|minute| &minute["difference"]).collect();
    assert_eq!(differences, [5, 5], "{found:#}");
    for name in ["RS-GAP", "RS-UNBALANCED"] {
        eventually(name, || alarm(&site, name), |up| *up == 1.0);
    }
    assert_eq!(http::metric(site.rs_http(), "rs_integrity_gaps{producer=\"mcp-1\"}"), 2.0);
    let proof = || http::json(site.rs_http(), &format!("/api/v1/integrity/proof?day={day}"));
    let before = proof();
    assert_eq!((&before["complete"], &before["statement"]), (&json!(false), &Value::Null));
    assert_eq!(before["items"][0]["missing_records"], 10, "{before:#}");

    for start in &starts {
        send(&site, &(6..=10).map(|seq| start.end(seq)).collect::<Vec<_>>());
    }
    let (found, missing) = gaps(&site, yesterday);
    assert_eq!((missing, &found["minutes"]), (Vec::new(), &json!([])), "{found:#}");
    for name in ["RS-GAP", "RS-UNBALANCED"] {
        eventually(name, || alarm(&site, name), |up| *up == 0.0);
    }
    let said = |command: &str| run(command);
    signed(&site, (&day, yesterday + DAY / 2), verify, &said);
}

/// The day is complete: its statement is verified by the commands of the page, and stays.
fn signed(site: &Site, (day, noon): (&str, u64), verify: &[&str], run: &dyn Fn(&str) -> String) {
    let proof = || http::json(site.rs_http(), &format!("/api/v1/integrity/proof?day={day}"));
    let after = proof();
    assert_eq!((&after["complete"], &after["stands"]), (&json!(true), &json!(true)), "{after:#}");
    let said: Vec<String> = verify.iter().map(|command| run(command)).collect();
    assert_eq!(said.last().unwrap().trim(), "Signature Verified Successfully");
    let statement: Value =
        serde_json::from_str(&std::fs::read_to_string(site.path("statement")).unwrap()).unwrap();
    assert_eq!((&statement["day"], &statement["digest"]), (&json!(day), &after["digest"]));

    // what comes later changes what is there, not what was said
    let late = Start { boot: 3, minute: noon };
    send(site, &[late.end(1)]);
    let later = proof();
    assert_eq!((&later["complete"], &later["stands"]), (&json!(true), &json!(false)));
    for field in ["statement", "signature"] {
        assert_eq!(later[field], after[field], "{field}");
    }
}
