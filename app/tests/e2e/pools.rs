//! Media servers that die or are full, with real peers.

use crate::calls::{healthy, objects_at};
use crate::platform::{Site, eventually};
use crate::player::Play;
use crate::sipp::{Media, Via};
use crate::{http, report};

fn state(site: &Site, name: &str) -> String {
    let one = http::json(site.rm_http(), &format!("/v1/resources/mcp/{name}"));
    one["state"].as_str().unwrap().to_owned()
}

/// Scenarios 24 and 25: the server is killed with a call up; its caller gets a BYE, others go on at
/// the other server, and it is back as soon as it answers again.
#[test]
fn calls_of_a_media_server_that_is_killed_are_ended_and_recorded() {
    let (first, second) = (Media::start(), Media::start());
    let objects = objects_at(&[first.address, second.address], "{}");
    let objects = objects.replace(
        "monitor: { interval: 1s, timeout: 500ms, down_after: 5 }",
        "release_after: 500ms\n  monitor: { interval: 1s, timeout: 500ms, down_after: 5, \
         recovery_interval: 1s }",
    );
    let site = Site::new(&objects);
    let _rs = site.start_rs();
    let rm = site.start_rm();
    healthy(&site, 2);
    let script = "> INVITE; < 180; < 200; > ACK; < BYE; > 200";
    // the server rings at once: there may be no 100
    let play = |name, script| Play { lossy: true, ..Play::new(name, script, Via::Udp) };
    let caller = play("orphan", script).call(site.sip(), "18005550100");
    let up = || http::json(site.rm_http(), "/v1/calls?state=up")["calls"].as_array().unwrap().len();
    eventually("a call is up", up, |calls| *calls == 1);
    let address = first.address;
    drop(first);
    eventually("it is dead", || state(&site, "mcp-1"), |state| state == "dead");
    caller.finish();
    let cdrs = report::exactly(site.rm_http(), site.rs_http(), 1);
    assert_eq!(
        (cdrs[0]["end-state"].as_str(), cdrs[0]["reason"].as_str()),
        ("SYSTEM_ERROR", "resource-dead")
    );
    let line = rm.line_with(" 20408 ");
    assert!(line.contains("resource=mcp-1") && line.contains("calls=1"), "{line}");
    let script = "> INVITE; < 180; < 200; > ACK; > BYE; < 200";
    play("other", script).call(site.sip(), "18005550100").finish();
    let _again = Media::start_at(address);
    eventually("it is back", || state(&site, "mcp-1"), |state| state == "healthy");
}
