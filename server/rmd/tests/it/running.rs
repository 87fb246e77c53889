//! What is changed while a node runs: its configuration and its log; and what it says is wrong.

use crate::node::{Node, objects, settings, start};
use crate::peer::{Caller, udp_media};
use std::fs;
use std::process::Command;
use std::thread;

/// A node whose objects stand in a file.
fn with_file(text: &str) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("objects.yaml");
    fs::write(&file, text).unwrap();
    let mut settings = settings(dir.path(), "");
    settings.config_file = Some(file);
    let node = Node { rm: start(settings, text).unwrap(), dir };
    node.until("it is ready", || node.get("/ready").0 == 200);
    node
}

#[test]
fn a_file_is_read_again_as_a_whole_or_not_at_all() {
    let (media, _) = udp_media();
    let text = objects(&[(media, "udp")], 4);
    let node = with_file(&text);
    node.until_media(1);
    let mut up = Caller::udp(node.udp(), "up");
    assert!(up.invite("18005550100").starts_with("SIP/2.0 200 "));
    let file = node.dir.path().join("objects.yaml");

    fs::write(&file, text.replace("18005550100", "18005550777")).unwrap();
    let (status, answer) = node.ask("POST /v1/config/reload", "", "");
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("\"rev\":2"), "{answer}");
    let config = node.get("/v1/config").1;
    assert!(config.contains("\"rejected\":null") && config.contains("\"rev\":2"), "{config}");
    let refused = Caller::udp(node.udp(), "old").invite("18005550100");
    assert!(refused.starts_with("SIP/2.0 404 "), "{refused}");
    assert!(Caller::udp(node.udp(), "new").invite("18005550777").starts_with("SIP/2.0 200 "));

    let broken = text.replace("usage_limit: 4", "usage_limit: many, colour: red");
    fs::write(&file, broken).unwrap();
    let (status, answer) = node.ask("POST /v1/config/reload", "", "");
    assert_eq!(status, 422, "{answer}");
    for part in ["urn:ringmaster:invalid", "2 errors", "E101", "E102", "\"line\":3"] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    let config = node.get("/v1/config").1;
    assert!(config.contains("\"rev\":2") && config.contains("objects.yaml:3:"), "{config}");
    let alarms = node.get("/v1/alarms").1;
    assert!(alarms.contains("\"name\":\"RMConfigRejected\""), "{alarms}");
    let gauge = |node: &Node| node.labelled("ringmaster_rm_alarm", "name=\"RMConfigRejected\"");
    assert!((gauge(&node) - 1.0).abs() < 0.5);
    assert!((node.metric("ringmaster_rm_config_rejected_total") - 1.0).abs() < 0.5);
    assert!(Caller::udp(node.udp(), "still").invite("18005550777").starts_with("SIP/2.0 200 "));

    fs::write(&file, &text).unwrap();
    assert_eq!(node.ask("POST /v1/config/reload", "", "").0, 200);
    assert!(gauge(&node) < 0.5 && node.get("/v1/config").1.contains("\"rejected\":null"));
    assert!(up.bye().starts_with("SIP/2.0 200 "), "what was up has not noticed");
    node.stop();
}

#[test]
fn without_a_file_there_is_nothing_to_read_again() {
    let node = Node::with(&objects(&[], 1));
    let (status, answer) = node.ask("POST /v1/config/reload", "", "");
    assert_eq!(status, 409, "{answer}");
    assert!(answer.contains("urn:ringmaster:no-file"), "{answer}");
    node.stop();
}

#[test]
fn a_reload_goes_on_without_its_client_and_there_is_one_at_a_time() {
    let text = objects(&[], 4);
    let node = with_file(&text);
    let file = node.dir.path().join("objects.yaml");
    fs::write(&file, format!("{text}# another\n")).unwrap();
    // a request whose client has gone before it was read is none: then it is sent again
    node.until("a reload has come to its end", || {
        node.ask_and_go("POST /v1/config/reload");
        !node.get("/v1/config").1.contains("\"rev\":1,")
    });
    node.until("another may begin", || node.ask("POST /v1/config/reload", "", "").0 == 200);

    // large enough that two who ask at once meet
    let numbers: String = (0..40_000).map(|n| format!(", \"1900{n:07}\"")).collect();
    let large = text.replace("\"18005550100\"", &format!("\"18005550100\"{numbers}"));
    fs::write(file, large).unwrap();
    let answers = thread::scope(|scope| {
        let ask = || node.ask("POST /v1/config/reload", "", "");
        [scope.spawn(ask), scope.spawn(ask)].map(|asked| asked.join().unwrap())
    });
    let second = answers.iter().find(|(status, _)| *status == 409);
    let (_, answer) = second.unwrap_or_else(|| panic!("{answers:?}"));
    let told = "urn:ringmaster:reloading";
    assert!(answer.contains(told) && answer.contains("its outcome is in the log"), "{answer}");
    assert!(answers.iter().any(|(status, _)| *status == 200), "{answers:?}");
    node.stop();
}

#[test]
fn a_pipe_is_no_file_of_objects() {
    let node = with_file(&objects(&[], 4));
    let file = node.dir.path().join("objects.yaml");
    fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    let (status, answer) = node.ask("POST /v1/config/reload", "", "");
    assert_eq!(status, 422, "{answer}");
    assert!(answer.contains("expected a regular file or a directory"), "{answer}");
    node.stop();
}

#[test]
fn the_log_is_another_one_for_a_while() {
    let node = Node::with(&objects(&[], 1));
    let put = |body: &str| node.ask("PUT /v1/log", "", body);
    assert_eq!(node.get("/v1/log").1, "{\"level\":\"off\",\"raised\":null}");
    let (status, answer) = put(r#"{"level":"debug","for":"10m","match":{"tenant":"acme"}}"#);
    assert_eq!(status, 200, "{answer}");
    for part in ["\"level\":\"off\"", "\"match\":{\"tenant\":\"acme\"}", "\"until\":\"20"] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    assert_eq!(put(r#"{"level":"warn"}"#).1, "{\"level\":\"warn\",\"raised\":null}");
    let long = "x".repeat(60_000);
    let long = format!(r#"{{"level":"debug","match":{{"call_id":"{long}"}}}}"#);
    for (body, part) in [
        ("{}", "level"),
        (r#"{"level":"loud"}"#, "level: expected critical, error, warn, notice, info, debug, "),
        (r#"{"level":"debug","for":"soon"}"#, "for: "),
        (r#"{"level":"debug","for":"25h"}"#, "for: expected more than 0s and at most 24h"),
        (r#"{"level":"debug","match":{}}"#, "match: expected tenant, profile, session, "),
        (r#"{"level":"debug","match":{"colour":"red"}}"#, "colour"),
        (r#"{"level":"debug","match":{"tenant":""}}"#, "match: tenant: expected 1 to 256 bytes"),
        (r#"{"level":"debug","match":{"tenant":"a","peer":""}}"#, "match: peer: expected 1 to "),
        (
            r#"{"level":"debug","match":{"peer":"nobody at all"}}"#,
            "match: peer: expected the name of a peer or media server, an address or address:port",
        ),
        (r#"{"level":"debug","match":{"peer":"10.0.0"}}"#, "match: peer: expected the name of "),
        (&long, "match: call_id: expected 1 to 256 bytes"),
    ] {
        let (status, answer) = put(body);
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer.contains(part), "{body}: {answer}");
    }
    assert_eq!(node.get("/v1/log").1, "{\"level\":\"warn\",\"raised\":null}");
    node.stop();
}

#[test]
fn alarms_are_listed_page_by_page() {
    let dead = ("127.0.0.1:9".parse().unwrap(), "udp");
    let node = Node::with(&objects(&[dead, ("127.0.0.1:10".parse().unwrap(), "udp")], 1));
    let list = |query: &str| node.get(&format!("/v1/alarms{query}")).1;
    node.until("both are dead and the broker away", || {
        let all = list("");
        all.matches("RMResourceDown").count() == 2 && all.contains("RMReportingConnectionLost")
    });
    let refused = Caller::udp(node.udp(), "none").invite("4711");
    assert!(refused.starts_with("SIP/2.0 404 "), "{refused}");
    let (mut names, mut query) = (Vec::new(), "?limit=1".to_owned());
    loop {
        let page: serde_json::Value = serde_json::from_str(&list(&query)).unwrap();
        let alarms = page["alarms"].as_array().unwrap();
        assert_eq!(alarms.len(), 1, "{page}");
        names.push(format!("{} {}", alarms[0]["name"], alarms[0]["object"]).replace('"', ""));
        let Some(cursor) = page["cursor"].as_str() else { break };
        query = format!("?limit=1&cursor={cursor}");
    }
    names.retain(|name| !name.starts_with("RMReporting"));
    let expected =
        ["RMMatchingIVRTenantNotFound rm-1", "RMResourceDown mcp-0", "RMResourceDown mcp-1"];
    assert_eq!(names, expected);
    for bad in ["?limit=0", "?colour=red"] {
        assert_eq!(node.get(&format!("/v1/alarms{bad}")).0, 400, "{bad}");
    }
    node.stop();
}
