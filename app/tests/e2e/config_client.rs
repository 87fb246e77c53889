//! RM and RS as clients of a Config Server: away, back, behind, of another version (ops.md §1.10).

use std::time::Duration;

use crate::calls::{healthy, objects, objects_at};
use crate::config_stand::Stand;
use crate::http;
use crate::platform::{Process, Site, eventually, now, run};
use crate::report;
use crate::sipp::{Media, Plan};

const NUMBER: [&str; 1] = ["18005550100"];

fn ready(site: &Site) -> u16 {
    http::get(site.rm_http(), "/ready").map_or(0, |answer| answer.status)
}

fn more(name: &str) -> String {
    format!("kind: Tenant\nname: {name}\n")
}

/// RM without waiting for `ready`.
fn spawn(site: &Site, part: &str) -> Process {
    let process = Process::spawn(&site.path("."), &[part, "-c", "settings.yaml"]);
    let http = if part == "rm" { site.rm_http() } else { site.rs_http() };
    eventually(
        "it answers",
        || http::get(http, "/live").map_or(0, |answer| answer.status),
        |s| *s == 200,
    );
    process
}

/// Without server and cache RM says so to its callers, and RS is ready at once.
#[test]
fn a_first_start_waits_for_the_server_and_says_so() {
    let media = Media::start();
    let stand = Stand::of(&objects(&[&media], "{}"));
    let site = Site::new("");
    stand.settles(&site);
    let _rs = site.start_rs();
    let rm = spawn(&site, "rm");
    assert_eq!(ready(&site), 503);
    let why = http::get(site.rm_http(), "/ready").unwrap().body;
    assert!(why.contains("the Config Server has not answered"), "{why}");
    Plan::new(site.sip(), &NUMBER, 3).refused(&site.path("."), 503).run();
    let refused = "ringmaster_rm_answers_total{code=\"503\",reason=\"node-not-ready\"}";
    eventually("refusals", || http::counted(site.rm_http(), refused), |n| *n == Some(3.0));
    assert_eq!(http::get(site.rm_http(), "/startup").unwrap().status, 503);
    let rs = http::json(site.rs_http(), "/ready");
    assert_eq!(rs["checks"]["config"]["detail"], "no snapshot yet");

    stand.start();
    rm.wait_for("ready");
    assert!(rm.line_with(" 20602 ").contains("server=http://127.0.0.1:"));
    assert_eq!((ready(&site), site.revision()), (200, Some(1)));
    healthy(&site, 1);
    Plan::new(site.sip(), &NUMBER, 3).run();
    let connected = "ringmaster_config_client_connected{component=\"rm\"}";
    eventually("connected", || http::metric(site.rm_http(), connected), |n| *n == 1.0);
    let server = || http::json(site.rm_http(), "/v1/config")["server"].clone();
    assert_eq!(server(), stand.url());
    stand.stop();
    eventually("nobody is listened to", server, serde_json::Value::is_null);
}

/// `config.server` of another process is asked, and none is started here.
#[test]
fn standalone_uses_the_config_server_that_it_is_given() {
    let stand = Stand::of(&objects_at(&["127.0.0.3:9"], "{}"));
    let site = Site::new("");
    stand.settles(&site);
    stand.start();
    let (code, _, told) = run(&site.path("."), &["standalone", "--demo", "-c", "settings.yaml"]);
    assert!(code == 2 && told.contains("leave config.server out"), "{code}: {told}");
    // another address with the port at which its own server would listen is another server too
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let port = stand.url().rsplit_once(':').unwrap().1.to_owned();
    let own = format!("config_server: {{ listen: \"127.0.0.9:{port}\" }}");
    site.write("settings.yaml", &format!("{settings}{own}\n"));
    let both = Process::spawn(&site.path("."), &["standalone", "-c", "settings.yaml"]);
    eventually("it is ready", || ready(&site), |status| *status == 200);
    site.until_revision(1);
    // a revision is in force before its server is listened to
    let server = || http::json(site.rm_http(), "/v1/config")["server"].clone();
    eventually("its server is listened to", server, |server| *server == stand.url());
    assert!(!both.output().contains("config_server"), "{}", both.output());
}

/// With what was kept both are ready at once, and go on for as long as it takes.
#[test]
fn scenario_52_with_a_cache_nothing_waits_and_a_lost_server_is_told() {
    let media = Media::start();
    let stand = Stand::of(&objects(&[&media], "{}"));
    let site = Site::new("");
    stand.settles(&site);
    stand.start();
    let rs = site.start_rs();
    let mut rm = site.start_rm();
    site.until_revision(1);
    stand.change(&more("beta"));
    site.until_revision(2);
    rm.signal("TERM");
    assert!(rm.wait(Duration::from_secs(60)).success());
    rs.kill();
    stand.stop();

    let rs = site.start_rs();
    let begun = now();
    let rm = site.start_rm();
    assert_eq!(http::json(site.rm_http(), "/v1/config")["from"], "cache");
    assert_eq!(site.revision(), Some(2));
    healthy(&site, 1);
    Plan::new(site.sip(), &NUMBER, 20).run();
    let status = http::json(site.rm_http(), "/ready");
    assert_eq!(status["checks"]["config"]["ok"], true, "{status}");
    let lost = rm.line_with(" 20601 ");
    assert!(now() - begun >= Duration::from_secs(30), "not before 30 s: {lost}");
    assert!(
        lost.contains("alarm=RMConfigServerConnectionLost") && lost.contains("age=30s"),
        "{lost}"
    );
    assert!(rs.line_with(" 31201 ").contains("alarm=RS-CONFIG-LOST"));
    let alarm =
        |name| http::metric(site.rm_http(), &format!("ringmaster_rm_alarm{{name=\"{name}\"}}"));
    assert_eq!(alarm("RMConfigServerConnectionLost"), 1.0);
    assert_eq!(http::metric(site.rs_http(), "rs_alarm{name=\"RS-CONFIG-LOST\"}"), 1.0);
    Plan::new(site.sip(), &NUMBER, 20).run();

    stand.change(&more("gamma"));
    stand.start();
    site.until_revision(3);
    rm.line_with(" 20602 ");
    assert_eq!(alarm("RMConfigServerConnectionLost"), 0.0);
    eventually(
        "RS knows too",
        || http::metric(site.rs_http(), "rs_alarm{name=\"RS-CONFIG-LOST\"}"),
        |n| *n == 0.0,
    );
    report::exactly(site.rm_http(), site.rs_http(), 40);
}

/// A revision of a later version changes nothing; who rejected what is told, and the next good one
/// is taken.
#[test]
fn a_revision_that_is_not_valid_here_is_refused_as_a_whole() {
    let media = Media::start();
    let stand = Stand::of(&objects(&[&media], "{}"));
    let site = Site::new("");
    stand.settles(&site);
    stand.start();
    let rm = site.start_rm();
    site.until_revision(1);
    healthy(&site, 1);
    let plan = Plan { rate: 50, ..Plan::new(site.sip(), &NUMBER, 400) };
    let callers = plan.start();
    let odd = serde_json::json!({ "kind": "Tenant", "name": "acme", "dbid": 101, "enabled": false,
        "spec": { "colour": "blue" } });
    stand.put_odd(odd);
    let line = rm.line_with(" 20603 ");
    assert!(line.contains("revision=2") && line.contains("colour"), "{line}");
    assert!(line.contains("alarm=RMConfigRejected"), "{line}");
    let rejected = "ringmaster_config_client_rejected_revision{component=\"rm\"}";
    assert_eq!(http::metric(site.rm_http(), rejected), 2.0);
    let config = http::json(site.rm_http(), "/v1/config");
    assert_eq!(config["rev"], 1, "{config}");
    assert!(config["rejected"]["errors"][0].as_str().unwrap().contains("E101"), "{config}");
    let told = || {
        let all = stand.reports();
        all.into_iter().find(|report| report["rejected"]["revision"] == 2)
    };
    let report = eventually("it is reported", told, Option::is_some).unwrap();
    assert_eq!((&report["component"], &report["applied"]), (&"rm".into(), &1.into()));
    assert!(report["rejected"]["reason"].as_str().unwrap().contains("colour"), "{report}");

    stand.change(&more("beta"));
    site.until_revision(3);
    callers.finish();
    let config = http::json(site.rm_http(), "/v1/config");
    assert_eq!(config["rejected"], serde_json::Value::Null);
    assert_eq!(http::metric(site.rm_http(), rejected), 0.0);
}

/// A history that was cut is healed by a snapshot; no call is refused meanwhile.
#[test]
fn a_cut_history_costs_no_call() {
    let media = Media::start();
    let stand = Stand::of(&objects(&[&media], "{}"));
    let site = Site::new("");
    stand.settles(&site);
    stand.start();
    let _rm = site.start_rm();
    site.until_revision(1);
    healthy(&site, 1);
    let callers = Plan { rate: 50, ..Plan::new(site.sip(), &NUMBER, 300) }.start();
    for round in 0..5 {
        let before = stand.asked("GET /v1/snapshot");
        stand.compact();
        eventually("a snapshot", || stand.asked("GET /v1/snapshot"), |count| *count > before);
        stand.change(&more(&format!("tenant-{round}")));
        site.until_revision(round + 2);
    }
    callers.finish();
}

/// `config.file` is read again by itself, and a broken one changes nothing.
#[test]
fn a_changed_file_is_taken_by_itself() {
    let media = Media::start();
    let text = objects(&[&media], "{}");
    let site = Site::new(&text);
    let rm = site.start_rm();
    site.write("platform.yaml", &format!("{text}---\n{}", more("beta")));
    site.until_revision(2);
    site.write("platform.yaml", "kind: Tenant\nname: [\n");
    assert!(rm.line_with(" 20603 ").contains("platform.yaml:2:"));
    assert_eq!(site.revision(), Some(2));
    site.write("platform.yaml", &text);
    site.until_revision(3);
    healthy(&site, 1);
    Plan::new(site.sip(), &NUMBER, 5).run();
}

/// Without Config Server, Reporting Server and media servers a node that was configured once is
/// ready, and says that it is worse off than it should be.
#[test]
fn a_node_with_nothing_around_it_is_ready_and_degraded() {
    let media = Media::start();
    let stand = Stand::of(&objects(&[&media], "{}"));
    let site = Site::new("");
    stand.settles(&site);
    stand.start();
    let mut rm = site.start_rm();
    site.until_revision(1);
    healthy(&site, 1);
    rm.signal("TERM");
    assert!(rm.wait(Duration::from_secs(60)).success());
    stand.stop();
    drop(media);

    let _rm = site.start_rm();
    // that nobody is there it finds out one after the other
    let ready = || http::json(site.rm_http(), "/ready");
    let ready = eventually("degraded", ready, |ready| ready["status"] == "degraded");
    assert_eq!(ready["revision"], 1, "{ready}");
    assert_eq!(http::get(site.rm_http(), "/live").unwrap().status, 200);
    assert_eq!(http::get(site.rm_http(), "/startup").unwrap().status, 200);
}
