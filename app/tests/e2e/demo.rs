//! `standalone --demo`: everything in one process, on free ports, with calls that show up.

use std::net::SocketAddr;

use crate::http;
use crate::platform::{Process, eventually};

#[test]
fn the_demo_places_calls_and_shows_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Process::spawn(dir.path(), &["standalone", "--demo", "--cps", "10"]);
    demo.wait_for("ready");
    // What is printed behind `ready` tells where to look.
    let dashboard = eventually(
        "the dashboard's address",
        || {
            let output = demo.output();
            let line = output.lines().find(|line| line.contains("dashboard"))?.to_owned();
            let address = line.split("http://").nth(1)?.trim().trim_end_matches('/').to_owned();
            address.parse::<SocketAddr>().ok()
        },
        Option::is_some,
    )
    .unwrap();
    let count = |state: &str| {
        let path = format!("/api/v1/calls?state={state}&limit=1000");
        http::json(dashboard, &path)["items"].as_array().unwrap().len()
    };
    eventually("calls in progress", || count("live"), |calls| *calls >= 5);
    eventually("finished calls", || count("completed"), |calls| *calls >= 5);
    let page = http::get(dashboard, "/").unwrap();
    assert_eq!(page.status, 200);
    assert!(page.body.contains("data-testid"), "{}", page.body);
    for part in ["ringmaster calls", "sip:"] {
        assert!(demo.output().contains(part), "{part} in:\n{}", demo.output());
    }
    demo.signal("INT");
    let status = demo.wait(std::time::Duration::from_secs(60));
    assert_eq!(status.code(), Some(0), "{}", demo.output());
}
