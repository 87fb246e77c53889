//! What an operator asks of a node and does to it over HTTP (rm.md §10).

use crate::node::{Node, objects};
use crate::peer::{Caller, udp_media};

const INVITE: &str = r#"{"uri":"sip:18005550100@rm","source":"127.0.0.1"}"#;

fn with_tokens() -> Node {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens");
    std::fs::write(&path, "alpha reader\nomega operator\n").unwrap();
    let more = format!("  http_tokens_file: {}", path.display());
    Node::in_dir(dir, &objects(&[], 1), &more)
}

#[test]
fn a_reader_asks_and_an_operator_does() {
    let node = with_tokens();
    let (reader, operator) = ("Authorization: Bearer alpha\r\n", "Authorization: Bearer omega\r\n");
    let gone = "DELETE /v1/calls/0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596";
    let explain = "POST /v1/explain";
    for (what, token, body, expected) in [
        ("GET /v1/limits", "", "", 401),
        (explain, "", INVITE, 401),
        (gone, "", "", 401),
        ("GET /v1/limits", reader, "", 200),
        (explain, reader, INVITE, 200),
        (gone, reader, "", 403),
        (gone, operator, "", 404),
        (explain, operator, INVITE, 200),
        ("POST /v1/calls", operator, "", 405),
        ("GET /v1/alarms", "", "", 401),
        ("GET /v1/alarms", reader, "", 200),
        ("GET /v1/log", reader, "", 200),
        ("PUT /v1/log", reader, "{\"level\":\"debug\"}", 403),
        ("PUT /v1/log", operator, "{\"level\":\"debug\"}", 200),
        ("POST /v1/config/reload", reader, "", 403),
        ("POST /v1/config/reload", operator, "", 409),
    ] {
        let (status, answer) = node.ask(what, token, body);
        assert_eq!(status, expected, "{what} {token}: {answer}");
        let problem = answer.contains("\"type\":\"urn:ringmaster:");
        assert_eq!(problem, expected >= 400, "{what} {token}: {answer}");
    }
    node.stop();
}

#[test]
fn a_call_is_explained_and_bad_questions_are_told_where() {
    let (media, _) = udp_media();
    let node = Node::with(&objects(&[(media, "udp")], 100));
    node.until_media(1);
    let (status, answer) = node.ask("POST /v1/explain", "", INVITE);
    assert_eq!(status, 200, "{answer}");
    for part in [
        "\"outcome\":\"forward\"",
        "\"config_rev\":7",
        "\"name\":\"mcp-0\"",
        "\"verdict\":\"chosen\"",
        "\"took_us\":",
        "<sip:rm-***@",
    ] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    assert_eq!(node.get("/v1/calls").1, "{\"calls\":[],\"cursor\":null}");
    let deep = format!("{{\"headers\":{}", "{\"a\":".repeat(1000));
    let wide = format!("{{\"uri\":\"{}\"}}", "x".repeat(70_000));
    for (body, expected, part) in [
        ("", 400, "body: EOF while parsing a value at line 1 column 0"),
        ("{\"uri\":5}", 400, "invalid type: integer `5`, expected a string at line 1 column 8"),
        ("{\"colour\":\"red\"}", 400, "unknown field `colour`"),
        ("{\"uri\":\"nonsense\"}", 400, "uri, from, to or headers: "),
        (&deep, 400, "invalid type: map, expected a string"),
        (&wide, 413, "a body has at most 65536 bytes"),
    ] {
        let (status, answer) = node.ask("POST /v1/explain", "", body);
        assert_eq!(status, expected, "{answer}");
        assert!(answer.contains(part), "{part} in {answer}");
    }
    node.stop();
}

#[test]
fn limits_tenants_and_numbers_of_the_configuration() {
    let (media, _) = udp_media();
    let node = Node::with(&objects(&[(media, "udp")], 4));
    node.until_media(1);
    let mut caller = Caller::udp(node.udp(), "one");
    assert!(caller.invite("18005550100").starts_with("SIP/2.0 200 "));
    let limits = node.get("/v1/limits").1;
    for part in
        ["\"kind\":\"tenant\"", "\"name\":\"acme\"", "\"limit\":4", "\"used\":1", "\"cursor\":null"]
    {
        assert!(limits.contains(part), "{part} in {limits}");
    }
    for (tenant, legs) in [("acme", 1.0), ("Environment", 0.0)] {
        let labels = format!("rmTenantName=\"{tenant}\"");
        let found = node.labelled("rmTenantCurrentInboundCalls", &labels);
        assert!((found - legs).abs() < 0.5, "{tenant}: {found}");
    }
    assert!(node.get("/v1/limits?used=25").1.contains("acme"));
    assert!(!node.get("/v1/limits?used=26").1.contains("acme"));
    let tenants = node.get("/v1/tenants?limit=1").1;
    assert!(tenants.contains("Environment") && tenants.contains("\"cursor\":\"7.1\""), "{tenants}");
    let tenants = node.get("/v1/tenants?limit=1&cursor=7.1").1;
    assert!(tenants.contains("\"path\":\"Environment/acme\""), "{tenants}");
    assert!(tenants.contains("\"cursor\":null"), "{tenants}");
    let tenant = node.get("/v1/tenants/acme").1;
    assert!(tenant.contains("\"profiles\":[{") && tenant.contains("\"name\":\"main\""), "{tenant}");
    let did = node.get("/v1/dids/+1-800-555-0100").1;
    assert!(did.contains("\"group\":\"numbers\"") && did.contains("\"profile\":\"main\""), "{did}");
    for (path, expected) in [
        ("/v1/tenants/nobody", 404),
        ("/v1/tenants/%ff", 400),
        ("/v1/dids/4711", 404),
        ("/v1/tenants?cursor=6.1", 409),
        ("/v1/tenants?cursor=x", 400),
        ("/v1/limits?limit=0", 400),
        ("/v1/limits?tenant=nobody", 404),
    ] {
        let (status, answer) = node.get(path);
        assert_eq!(status, expected, "{path}: {answer}");
        assert!(answer.contains("urn:ringmaster:"), "{path}: {answer}");
    }
    caller.bye();
    node.stop();
}

#[test]
fn a_drained_node_stays_and_is_drained_after_a_restart_too() {
    let (media, _) = udp_media();
    let text = objects(&[(media, "udp")], 4);
    let node = Node::with(&text);
    node.until_media(1);
    let mut up = Caller::udp(node.udp(), "up");
    assert!(up.invite("18005550100").starts_with("SIP/2.0 200 "));
    assert_eq!(node.ask("POST /v1/node/drain", "", ""), (200, "{\"legs\":1}".to_owned()));
    assert_eq!(node.get("/ready").0, 503);
    assert!((node.metric("ringmaster_rm_draining") - 1.0).abs() < 0.5);
    let refused = Caller::udp(node.udp(), "new").invite("18005550100");
    assert!(refused.starts_with("SIP/2.0 503 ") && refused.contains("node-draining"), "{refused}");
    assert!(up.bye().starts_with("SIP/2.0 200 "));

    let dir = node.stop();
    let rm = crate::node::start(crate::node::settings(dir.path(), ""), &text).unwrap();
    let node = Node { rm, dir };
    assert_eq!(node.get("/ready").0, 503);
    assert_eq!(node.ask("POST /v1/node/undrain", "", ""), (200, "{\"legs\":0}".to_owned()));
    node.until("it is ready", || node.get("/ready").0 == 200);
    node.until_media(1);
    let mut new = Caller::udp(node.udp(), "again");
    assert!(new.invite("18005550100").starts_with("SIP/2.0 200 "));
    new.bye();
    let dir = node.stop();
    Node::in_dir(dir, &text, "").stop();
}

#[test]
fn an_operator_ends_a_call() {
    let (media, seen) = udp_media();
    let node = Node::with(&objects(&[(media, "udp")], 4));
    node.until_media(1);
    let mut caller = Caller::udp(node.udp(), "ended");
    assert!(caller.invite("18005550100").starts_with("SIP/2.0 200 "));
    let calls = node.get("/v1/calls?call_id=ended").1;
    let guid = calls.split("\"session\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let bad = node.ask(&format!("DELETE /v1/calls/{guid}?leg=1"), "", "");
    assert_eq!(bad.0, 400, "{}", bad.1);
    let ended = node.ask(&format!("DELETE /v1/calls/{guid}"), "", "");
    assert_eq!(ended, (202, "{\"legs\":1}".to_owned()));
    node.until("the media server has a BYE", || {
        seen.lock().unwrap().iter().any(|request| request.starts_with("BYE "))
    });
    assert_eq!(node.get(&format!("/v1/calls/{guid}")).0, 404);
    let cut = node.labelled("ringmaster_rm_calls_cut_total", "why=\"operator\"");
    assert!((cut - 1.0).abs() < 0.5);
    node.stop();
}

#[test]
fn a_call_that_is_ended_is_told_whether_or_not_its_client_waits() {
    const CALLS: u32 = 20;
    let (media, _) = udp_media();
    let node = Node::with(&objects(&[(media, "udp")], CALLS));
    node.until_media(1);
    for number in 0..CALLS {
        let name = format!("left{number}");
        let mut caller = Caller::udp(node.udp(), &name);
        assert!(caller.invite("18005550100").starts_with("SIP/2.0 200 "));
        let calls = node.get(&format!("/v1/calls?call_id={name}")).1;
        let guid = calls.split("\"session\":\"").nth(1).unwrap().split('"').next().unwrap();
        // a request whose client has gone before it was read is none: then it is sent again
        node.until("it has ended", || {
            node.ask_and_go(&format!("DELETE /v1/calls/{guid}"));
            node.get(&format!("/v1/calls/{guid}")).0 == 404
        });
    }
    let cut = || node.labelled("ringmaster_rm_calls_cut_total", "why=\"operator\"");
    let told = || node.labelled("ringmaster_log_messages_total", "level=\"NOTE\",log_id=\"10801\"");
    node.until("each is told", || [cut(), told()] == [f64::from(CALLS); 2]);
    node.stop();
}
