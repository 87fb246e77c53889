//! Port 8300 as its users see it.

use crate::node::{Node, objects, settings, start};
use rmd::Stop;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn probes_lists_and_refusals() {
    let node = Node::with(&objects(&[], 1));
    for path in ["/live", "/rm/liveness", "/ready", "/rm/readiness", "/startup"] {
        let (status, body) = node.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        assert!(body.contains("\"revision\":7"), "{path}: {body}");
    }
    let ready = node.get("/ready").1;
    assert!(ready.contains("\"status\":\"degraded\""), "no media, no broker: {ready}");
    let status = node.get("/v1/status").1;
    for part in ["\"name\":\"rm-1\"", "\"state\":\"ready\"", "\"config_rev\":7", "\"legs\":0"] {
        assert!(status.contains(part), "{part} in {status}");
    }
    assert!(node.get("/v1/config").1.contains("\"source\":\"embedded\""));
    assert_eq!(node.get("/v1/calls").1, "{\"calls\":[],\"cursor\":null}");
    for (path, expected) in [
        ("/v1/calls?limit=1001", 400),
        ("/v1/calls?limit=0", 400),
        ("/v1/calls?colour=red", 400),
        ("/v1/calls?older_than=5", 400),
        ("/v1/calls?older_than=5m&state=up", 200),
        ("/v1/calls?cursor=x", 400),
        ("/v1/calls/0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596", 404),
        ("/v1/nothing", 404),
    ] {
        let (status, body) = node.get(path);
        assert_eq!(status, expected, "{path}: {body}");
        assert_eq!(body.contains("urn:ringmaster:"), expected != 200, "{path}: {body}");
    }
    node.stop();
}

#[test]
fn tokens_are_asked_for_where_there_are_some() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens");
    std::fs::write(&path, "alpha reader\n").unwrap();
    let more = format!("  http_tokens_file: {}", path.display());
    let node = Node::in_dir(dir, &objects(&[], 1), &more);
    assert_eq!(node.get("/v1/status").0, 401);
    assert_eq!(node.request("/v1/status", "Authorization: Bearer beta\r\n").0, 401);
    assert_eq!(node.request("/v1/status", "Authorization: Bearer alpha\r\n").0, 200);
    assert_eq!(node.get("/metrics").0, 200);
    node.stop();
}

#[test]
fn a_drain_is_seen_before_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let rm = start(settings(dir.path(), ""), &objects(&[], 1)).unwrap();
    let node = Node { rm, dir };
    node.until("it is ready", || node.rm.ready());
    let delay = Duration::from_secs(3600);
    node.rm.stop(Stop::Drain { delay, timeout: Duration::ZERO });
    node.until("it drains", || node.get("/ready").0 == 503);
    assert!(node.get("/ready").1.contains("draining"));
    assert_eq!(node.get("/startup").0, 200);
    assert!((node.metric("ringmaster_rm_draining") - 1.0).abs() < 0.5);
    node.stop();
}

#[test]
fn probes_are_answered_while_slow_clients_have_all_places() {
    let node = Node::with(&objects(&[], 1));
    let slow = || {
        let mut stream = TcpStream::connect(node.rm.addresses().http).unwrap();
        stream.write_all(b"GET /v1/status HTTP/1.1\r\nHost: rm\r\n").unwrap();
        stream
    };
    let slow: Vec<TcpStream> = (0..64).map(|_| slow()).collect();
    for path in ["/live", "/ready", "/metrics"] {
        assert_eq!(node.get(path).0, 200, "{path}");
    }
    // as long as there was no room only the oldest had to go
    let is_open = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let read = stream.peek(&mut [0]);
        read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    assert!(!is_open(&slow[0]) && is_open(&slow[63]));
    node.stop();
}
