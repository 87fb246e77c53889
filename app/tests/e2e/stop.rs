//! Ctrl-C and SIGTERM: a clean end, spools flushed.

use std::time::Duration;

use crate::calls::{healthy, objects};
use crate::platform::{Site, eventually};
use crate::sipp::{Media, Plan};
use crate::{http, report};

#[test]
fn ctrl_c_stops_both_daemons_with_0_and_nothing_is_lost() {
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    let mut rm = site.start_rm();
    healthy(&site, 1);
    // No RS yet: the records wait in RM's spool.
    Plan::new(site.sip(), &["18005550100"], 50).run();
    rm.signal("INT");
    assert_eq!(rm.wait(Duration::from_secs(60)).code(), Some(0), "{}", rm.output());
    let mut rs = site.start_rs();
    let _rm = site.start_rm();
    report::exactly(site.rm_http(), site.rs_http(), 50);
    rs.signal("INT");
    assert_eq!(rs.wait(Duration::from_secs(60)).code(), Some(0), "{}", rs.output());
}

#[test]
fn sigterm_lets_calls_finish_and_takes_no_new_ones() {
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    let _rs = site.start_rs();
    let mut rm = site.start_rm();
    healthy(&site, 1);
    let numbers = ["18005550100"];
    let hold = Duration::from_secs(20);
    let callers = Plan { hold, ..Plan::new(site.sip(), &numbers, 5) }.start();
    let up = || http::json(site.rm_http(), "/v1/calls")["calls"].as_array().unwrap().len();
    eventually("5 calls up", up, |calls| *calls == 5);
    rm.signal("TERM");
    let ready = || http::get(site.rm_http(), "/ready").unwrap().status;
    eventually("not ready while draining", ready, |status| *status == 503);
    assert_eq!(http::get(site.rm_http(), "/live").unwrap().status, 200);
    Plan::new(site.sip(), &numbers, 1).refused(&site.path("."), 503).run();
    callers.finish();
    assert_eq!(rm.wait(Duration::from_secs(90)).code(), Some(0), "{}", rm.output());
    // A draining node's refusals leave no record.
    let cdrs = report::applied(site.rs_http(), 5);
    assert!(cdrs.iter().all(|cdr| cdr["end-state"] == "USER_END"));
}

#[test]
fn sighup_has_rm_read_its_key_file_again() {
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let keyed = settings.replacen("rm-1\n", "rm-1\n  cluster: { key_file: keys }\n", 1);
    site.write("settings.yaml", &keyed);
    let line = |id: u8| format!("{id} {}\n", "0f".repeat(32));
    site.write("keys", &line(1));
    let mut rm = site.start_rm();
    // it has said something: a run whose capture is empty has shown nothing
    healthy(&site, 1);
    site.write("keys", "0f0f\n");
    rm.signal("HUP");
    let refused = rm.line_with(" 20603 ");
    assert!(refused.contains("keys:1: ") && !refused.contains("0f0f"), "{refused}");
    site.write("keys", &(line(2) + &line(1)));
    rm.signal("HUP");
    rm.line_with("[2, 1]");
    rm.signal("INT");
    assert_eq!(rm.wait(Duration::from_secs(60)).code(), Some(0), "{}", rm.output());
}

#[test]
fn a_second_signal_ends_at_once_and_calls_stay_up() {
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let mut rm = site.start_rm();
        healthy(&site, 1);
        let up = || http::json(site.rm_http(), "/v1/calls")["calls"].as_array().unwrap().len();
        let before = up();
        let hold = Duration::from_secs(60);
        let callers = Plan { hold, ..Plan::new(site.sip(), &["18005550100"], 3) }.start();
        eventually("3 more calls up", up, |calls| *calls == before + 3);
        // SIGTERM waits for them; whatever comes second does not.
        rm.signal("TERM");
        rm.line_with(" 20010 ");
        rm.signal(name);
        assert_eq!(rm.wait(Duration::from_secs(60)).code(), Some(code), "{}", rm.output());
        drop(callers);
        let rm = site.start_rm();
        assert_eq!(up(), before + 3, "found again");
        rm.kill();
    }
}
