//! Options of Application objects while RM and RS run: what counts at once, what waits for a
//! restart, and what is no option at all (ops.md §1.2, §1.10; rs.md §9).

use std::time::Duration;

use serde_json::{Value, json};

use crate::calls::{healthy, objects};
use crate::config_stand::Stand;
use crate::http;
use crate::platform::{Site, eventually};
use crate::report;
use crate::sipp::{Media, Plan};

const NUMBER: [&str; 1] = ["18005550100"];

fn application(name: &str, kind: &str, options: &str) -> String {
    format!("kind: Application\nname: {name}\nspec: {{ type: {kind}, options: {options} }}\n")
}

fn config(site: &Site) -> Value {
    http::json(site.rm_http(), "/v1/config")
}

fn level(site: &Site) -> Value {
    http::json(site.rm_http(), "/v1/log")["level"].clone()
}

/// A status that the next call gets, and the level of the log: at once. A timer waits for a
/// restart and says so; GVP's listener is nothing but a warning; a renamed object is missed.
#[test]
fn what_rm_takes_at_once_and_what_it_tells_to_wait() {
    let media = Media::start();
    let stand = Stand::of(&objects(&[&media], "{}"));
    let site = Site::new("");
    stand.settles(&site);
    stand.start();
    let mut rm = site.start_rm();
    site.until_revision(1);
    healthy(&site, 1);
    assert_eq!((&config(&site)["application"], &level(&site)), (&Value::Null, &json!("info")));
    let nobody = ["18005559999"];
    Plan::new(site.sip(), &nobody, 1).refused(&site.path("."), 404).run();

    let listening = |rm: &crate::platform::Process| {
        rm.output().lines().filter(|line| line.starts_with("listening ")).count()
    };
    let before = listening(&rm);
    stand.change(&application(
        "rm-1",
        "resource-manager",
        "{ rm: { profile-not-found-respcode: 410 }, log: { verbose: debug }, \
           proxy: { sip.timer.t1: 700, sip.transport.0: \"transport0 udp:any:5999\" } }",
    ));
    site.until_revision(2);
    let waits = || config(&site)["restart_required"].clone();
    assert_eq!(
        eventually("it waits", waits, |all| *all != json!([])),
        json!(["proxy/sip.timer.t1"])
    );
    assert_eq!((&config(&site)["application"], &level(&site)), (&json!("rm-1"), &json!("debug")));
    let strange = rm.line_with(" 20605 ");
    assert!(strange.contains("proxy/sip.transport.0") && strange.contains("rm.sip.listen"));
    assert!(rm.line_with(" 20609 ").contains("options=proxy/sip.timer.t1"));
    let reported = || {
        let all = stand.reports();
        all.into_iter().find(|report| report["restart_required"] == json!(["proxy/sip.timer.t1"]))
    };
    eventually("the server is told", reported, Option::is_some);
    Plan::new(site.sip(), &nobody, 1).refused(&site.path("."), 410).run();
    Plan::new(site.sip(), &NUMBER, 3).run();

    // a start takes it; nobody listens anywhere else
    rm.signal("TERM");
    assert!(rm.wait(Duration::from_secs(60)).success());
    let rm = site.start_rm();
    assert_eq!((config(&site)["restart_required"].clone(), listening(&rm)), (json!([]), before));

    // the object of this node has another name now
    stand.delete("Application", "rm-1");
    site.until_revision(3);
    assert!(rm.line_with(" 20610 ").contains("application=rm-1"));
    assert_eq!((&config(&site)["application"], &level(&site)), (&Value::Null, &json!("info")));
    assert_eq!(config(&site)["restart_required"], json!(["proxy/sip.timer.t1"]));
    Plan::new(site.sip(), &nobody, 1).refused(&site.path("."), 404).run();
}

/// Reports, their pages, the queue on disk and the log of RS: at once, and back to the settings.
#[test]
fn what_rs_takes_at_once() {
    let media = Media::start();
    let stand = Stand::of(&objects(&[&media], "{}"));
    let site = Site::new("");
    stand.settles(&site);
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let settings = settings.replace("rs:\n  name: rs-1", "rs:\n  name: rs-1\n  application: rs");
    site.write("settings.yaml", &settings);
    stand.start();
    let rs = site.start_rs();
    let _rm = site.start_rm();
    healthy(&site, 1);
    Plan::new(site.sip(), &NUMBER, 7).run();
    report::exactly(site.rm_http(), site.rs_http(), 7);
    let page = || http::get(site.rs_http(), "/ems-rs/HIST/CDRs/RM/details").unwrap();
    let limit = || http::metric(site.rs_http(), "rs_spool_limit_bytes");
    let (whole, usual) = (page(), limit());
    assert_eq!(whole.status, 200);
    let calls = |body: &str| body.matches("<cdr ").count();
    assert_eq!(calls(&whole.body), 7, "{}", whole.body);

    stand.change(&application(
        "rs",
        "reporting-server",
        "{ cdr: { page-size: 3 }, messaging: { activemq.diskStoreUsageLimit: 100 mb } }",
    ));
    eventually("pages of three", || calls(&page().body), |found| *found == 3);
    eventually("another limit", limit, |bytes| *bytes == f64::from(100 << 20));
    stand.change(&application(
        "rs",
        "reporting-server",
        "{ reporting: { rs.exposerestapis: \"false\" }, log: { verbose: standard } }",
    ));
    eventually("no reports", || page().status, |status| *status == 404);
    eventually("the limit of the settings", limit, |bytes| (*bytes - usual).abs() < 1.0);
    assert_eq!(http::get(site.rs_http(), "/ems-rs/readiness").unwrap().status, 200);
    stand.change(&application(
        "rs",
        "reporting-server",
        "{ dbmp: { rs.db.retention.cdr.default: 90, schedule: \"04:15\" } }",
    ));
    let kept = || {
        let shown = http::json(site.rs_http(), "/api/v1/retention");
        let at = shown["next_run"].as_str().unwrap().ends_with("T04:15:00.000Z");
        (shown["cdr"].as_u64(), at)
    };
    eventually("other days", kept, |kept| *kept == (Some(90), true));
    stand.delete("Application", "rs");
    eventually("the days of the settings", kept, |kept| *kept == (Some(40), false));
    assert!(rs.line_with(" 31209 ").contains("application=rs"));
    eventually("reports again", || page().status, |status| *status == 200);
    assert_eq!(calls(&page().body), 7);
    // notices were not printed in between
    rs.line_with("config applied revision=4");
    assert!(!rs.output().contains("config applied revision=3"), "{}", rs.output());
}
