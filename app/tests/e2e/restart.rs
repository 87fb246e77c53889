//! kill -9 of RM and of RS while calls are up: nothing lost, nothing twice.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::calls::{healthy, objects};
use crate::platform::{Site, eventually, run};
use crate::sipp::{Media, Plan};
use crate::{http, report};

fn calls_up(site: &Site) -> usize {
    http::json(site.rm_http(), "/v1/calls")["calls"].as_array().unwrap().len()
}

#[test]
fn twenty_calls_survive_the_kill_of_rm() {
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{ usage_limit: 20 }"));
    let _rs = site.start_rs();
    let rm = site.start_rm();
    healthy(&site, 1);
    let numbers = ["18005550100"];
    let hold = Duration::from_secs(25);
    let callers = Plan { hold, ..Plan::new(site.sip(), &numbers, 20) }.start();
    eventually("20 calls up", || calls_up(&site), |calls| *calls == 20);
    // The start frames are written within 10 ms of an answer, on a busy machine later, and a crash
    // before that may cost them. What RS has acknowledged was on RM's disk.
    let acknowledged =
        || http::metric(site.rm_http(), "ringmaster_rm_records_acked_total{kind=\"cdr\"}");
    eventually("20 starts on disk", acknowledged, |records| *records == 20.0);
    eventually("20 ACKs seen", || media.answered().len(), |answered| *answered == 20);
    rm.kill();

    let _rm = site.start_rm();
    assert_eq!(calls_up(&site), 20, "the calls are back before RM is ready");
    let url = format!("http://{}", site.rm_http());
    let (code, table, _) = run(&site.path("."), &["calls", "--rm", &url]);
    assert_eq!((code, table.lines().count()), (0, 21), "{table}");
    healthy(&site, 1);
    Plan::new(site.sip(), &numbers, 1).refused(&site.path("."), 480).run();
    callers.finish();
    eventually("no call left", || calls_up(&site), |calls| *calls == 0);

    let cdrs = report::exactly(site.rm_http(), site.rs_http(), 21);
    let complete: Vec<_> = cdrs.iter().filter(|cdr| cdr["reason"] == "normal").collect();
    assert_eq!((cdrs.len(), complete.len()), (21, 20));
    let sessions: BTreeSet<&str> = complete.iter().map(|cdr| cdr["session-id"].as_str()).collect();
    assert_eq!(sessions.len(), 20, "none twice");
    for cdr in complete {
        assert_eq!(cdr["epoch"], "2", "adopted after the restart: {cdr:?}");
        assert_eq!(cdr["end-state"], "USER_END");
        for attribute in ["start", "answer", "end", "tenant/name", "application/name"] {
            assert!(cdr.contains_key(attribute), "{attribute} of {cdr:?}");
        }
        assert!(cdr["answer"].trim_end_matches('Z') < cdr["end"].trim_end_matches('Z'));
    }
}

#[test]
fn calls_go_on_while_rs_is_killed_and_restarted() {
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    let rs = site.start_rs();
    let _rm = site.start_rm();
    healthy(&site, 1);
    let numbers = ["18005550100"];
    let plan =
        Plan { rate: 25, hold: Duration::from_secs(1), ..Plan::new(site.sip(), &numbers, 200) };
    let callers = plan.start();
    let mut rs = Some(rs);
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(1500));
        rs.take().unwrap().kill();
        std::thread::sleep(Duration::from_millis(400));
        rs = Some(site.start_rs());
    }
    callers.finish();
    let cdrs = report::exactly(site.rm_http(), site.rs_http(), 200);
    let sessions: BTreeSet<&str> = cdrs.iter().map(|cdr| cdr["session-id"].as_str()).collect();
    assert_eq!((cdrs.len(), sessions.len()), (200, 200));
    assert!(cdrs.iter().all(|cdr| cdr["end-state"] == "USER_END" && cdr.contains_key("answer")));
}
