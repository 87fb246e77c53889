//! What an operator wants of media servers over HTTP, and that it outlasts a restart (rm.md §7.11).

use crate::node::{Node, objects};
use crate::peer::{Caller, udp_media};
use std::fs;

#[test]
fn a_drain_outlasts_a_restart_and_a_reset_ends_it() {
    let (media, _) = udp_media();
    let objects = objects(&[(media, "udp")], 4);
    let node = Node::with(&objects);
    node.until_media(1);
    let one = "/v1/resources/mcp/mcp-0";
    assert!(node.get(one).1.contains("\"admin\":\"enabled\""));
    let (status, answer) = node.ask(&format!("POST {one}/drain"), "", "{\"deadline\":\"1h\"}");
    assert_eq!(status, 200, "{answer}");
    for part in ["\"state\":\"draining\"", "\"admin\":\"draining\"", "\"deadline\":\"20"] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    let mut caller = Caller::udp(node.udp(), "refused");
    let answer = caller.invite("18005550100");
    assert!(answer.contains("resource-draining"), "{answer}");

    let dir = node.stop();
    let node = Node::in_dir(dir, &objects, "");
    let again = node.get(one).1;
    assert!(again.contains("\"admin\":\"draining\"") && again.contains("\"deadline\""), "{again}");
    assert_eq!(node.ask(&format!("POST {one}/enable"), "", "").0, 200);
    assert!(!node.get(one).1.contains("\"deadline\""));
    assert_eq!(node.ask(&format!("POST {one}/disable"), "", "").0, 200);
    let (status, answer) = node.ask(&format!("POST {one}/reset"), "", "");
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("\"admin\":\"enabled\""), "{answer}");
    node.until_media(1);
    let dir = node.stop();
    assert_eq!(fs::read_to_string(dir.path().join("rm/resources")).unwrap(), "[]");
}

#[test]
fn a_reader_changes_nothing_and_bad_changes_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens");
    fs::write(&path, "alpha reader\nomega operator\n").unwrap();
    let more = format!("  http_tokens_file: {}", path.display());
    let (media, _) = udp_media();
    let node = Node::in_dir(dir, &objects(&[(media, "udp")], 1), &more);
    let (reader, operator) = ("Authorization: Bearer alpha\r\n", "Authorization: Bearer omega\r\n");
    for (what, token, body, expected) in [
        ("GET /v1/resources/mcp/mcp-0", reader, "", 200),
        ("GET /v1/resources/mcp/mcp-9", reader, "", 404),
        ("GET /v1/resources/other/mcp-0", reader, "", 404),
        ("POST /v1/resources/mcp/mcp-0/drain", "", "", 401),
        ("POST /v1/resources/mcp/mcp-0/drain", reader, "", 403),
        ("POST /v1/resources/mcp/mcp-9/drain", operator, "", 404),
        ("POST /v1/resources/mcp/mcp-0/drain", operator, "{\"deadline\":\"soon\"}", 400),
        ("POST /v1/resources/mcp/mcp-0/drain", operator, "{\"deadline\":\"721h\"}", 400),
        ("POST /v1/resources/mcp/mcp-0/drain", operator, "{\"when\":\"1h\"}", 400),
        ("POST /v1/resources/mcp/mcp-0/sleep", operator, "", 404),
        ("DELETE /v1/resources/mcp/mcp-0", operator, "", 405),
        ("POST /v1/resources/mcp/mcp-0/drain", operator, "{}", 200),
    ] {
        let (status, answer) = node.ask(what, token, body);
        assert_eq!(status, expected, "{what} {body}: {answer}");
        let problem = answer.contains("\"type\":\"urn:ringmaster:");
        assert_eq!(problem, expected >= 400, "{what} {body}: {answer}");
    }
    node.stop();
}

#[test]
fn a_change_is_kept_whether_or_not_its_client_waits() {
    let (media, _) = udp_media();
    let node = Node::with(&objects(&[(media, "udp")], 1));
    let kept = || fs::read_to_string(node.dir.path().join("rm/resources")).unwrap_or_default();
    let mark = node.dir.path().join("rm/drained");
    let wait = |what: &str| assert_eq!(node.ask(&format!("POST /v1/{what}"), "", "").0, 200);
    for _ in 0..5 {
        // a request whose client has gone before it was read is none: then it is sent again
        node.until("the media server drains", || {
            node.ask_and_go("POST /v1/resources/mcp/mcp-0/drain");
            node.get("/v1/resources/mcp/mcp-0").1.contains("\"admin\":\"draining\"")
        });
        node.until("the will is kept", || kept().contains("draining"));
        // one at a time: when this one is answered, those before have ended too
        wait("resources/mcp/mcp-0/enable");
        node.until("the node drains", || {
            node.ask_and_go("POST /v1/node/drain");
            node.get("/ready").0 == 503
        });
        node.until("the node is marked", || mark.exists());
        wait("node/undrain");
    }
    node.stop();
}

#[test]
fn what_cannot_be_kept_is_done_and_told() {
    let (media, _) = udp_media();
    let node = Node::with(&objects(&[(media, "udp")], 1));
    node.until_media(1);
    // a directory where the file is written first
    fs::create_dir(node.dir.path().join("rm/resources.new")).unwrap();
    let (status, answer) = node.ask("POST /v1/resources/mcp/mcp-0/drain", "", "");
    assert_eq!(status, 500, "{answer}");
    assert!(answer.contains("urn:ringmaster:not-kept"), "{answer}");
    assert!(node.get("/v1/resources/mcp/mcp-0").1.contains("\"admin\":\"draining\""));
    node.stop();
}
