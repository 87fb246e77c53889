//! Calls that RM refuses: the answer, the record with its reason, the log line that says why.

use std::time::Duration;

use crate::calls::{healthy, objects, objects_at};
use crate::flows::nothing_is_left;
use crate::platform::{Site, eventually};
use crate::player::Play;
use crate::report::{self, Cdr};
use crate::sipp::{Media, Plan, Via};
use crate::{http, platform};

fn only(cdrs: &[Cdr], reason: &str) -> Cdr {
    let found: Vec<&Cdr> = cdrs.iter().filter(|cdr| cdr["reason"] == reason).collect();
    assert_eq!(found.len(), 1, "{reason} in {cdrs:?}");
    assert_eq!(found[0]["end-state"], "REJECTED");
    assert!(!found[0].contains_key("answer"));
    found[0].clone()
}

#[test]
fn a_call_over_the_limit_gets_the_configured_code() {
    let media = Media::start();
    let policy = "{ usage_limit: 2, respcodes: { usage_limit: 486 } }";
    let site = Site::new(&objects(&[&media], policy));
    let _rs = site.start_rs();
    let rm = site.start_rm();
    healthy(&site, 1);
    let numbers = ["18005550100"];
    let held = Plan { hold: Duration::from_secs(20), ..Plan::new(site.sip(), &numbers, 2) }.start();
    let up = || http::json(site.rm_http(), "/v1/calls")["calls"].as_array().unwrap().len();
    eventually("two calls up", up, |calls| *calls == 2);
    Plan::new(site.sip(), &numbers, 1).refused(&site.path("."), 486).run();
    held.finish();
    // The places are free again.
    Plan::new(site.sip(), &numbers, 2).run();
    let cdrs = report::exactly(site.rm_http(), site.rs_http(), 5);
    assert_eq!(cdrs.len(), 5);
    let cdr = only(&cdrs, "usage-limit");
    assert_eq!(cdr["sip-status"], "486");
    assert_eq!(cdr["tenant/name"], "acme");
    let line = rm.line_with(" 20301 ");
    let whose = ["call_id=", "tenant=acme", "profile=acme-main"];
    for part in ["usage limit", "status=486", "tenant acme usage_limit 2/2"].iter().chain(&whose) {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn at_debug_for_one_tenant_the_next_call_has_its_decision_and_its_refusal_in_the_log() {
    let site = Site::new(&objects_at(&["127.0.0.1:9"], "{ usage_limit: 0 }"));
    let _rs = site.start_rs();
    let rm = site.start_rm();
    let log = |args: &[&str]| {
        let rm = site.rm_http().to_string();
        let all = [&["log"], args, &["--rm", &rm]].concat();
        let (code, out, errors) = platform::run(&site.path("."), &all);
        assert_eq!(code, 0, "{out}{errors}");
    };
    log(&["critical"]);
    log(&["debug", "--tenant", "acme"]);
    // the engine is idle, and nothing but the call wakes it
    Plan::new(site.sip(), &["18005550100"], 1).refused(&site.path("."), 480).run();
    let decision = rm.line_with(" 20210 ");
    assert!(decision.contains("tenant=acme") && decision.contains("usage_limit"), "{decision}");
    assert!(rm.line_with(" 20301 ").contains("tenant=acme"));
}

#[test]
fn a_call_with_every_media_server_down_gets_the_no_resource_code() {
    let address = {
        let media = Media::start();
        media.address
    };
    let objects = format!(
        "kind: IvrProfile\nname: main\nspec: {{ service: voicexml, \
         initial_page_url: \"http://a.example/\" }}\n---\n\
         kind: DidGroup\nname: numbers\nspec: {{ profile: main, dids: [\"18005550100\"] }}\n---\n\
         kind: ResourceGroup\nname: mcp\nspec:\n  services: [voicexml]\n  \
           monitor: {{ interval: 400ms, timeout: 200ms, down_after: 2 }}\n  \
           noresource_response_code: 603\n  resources:\n    \
           - {{ name: mcp-1, address: \"sip:{address}\" }}\n"
    );
    let site = Site::new(&objects);
    let _rs = site.start_rs();
    let rm = site.start_rm();
    let state = || {
        let resources = http::json(site.rm_http(), "/v1/resources");
        resources["resources"][0]["state"].as_str().unwrap().to_owned()
    };
    eventually("the media server is dead", state, |state| state == "dead");
    Plan::new(site.sip(), &["18005550100"], 1).refused(&site.path("."), 603).run();
    let cdr = only(&report::exactly(site.rm_http(), site.rs_http(), 1), "resource-dead");
    assert_eq!(cdr["sip-status"], "603");
    let line = rm.line_with(" 20401 ");
    assert!(
        line.contains("EROR") && line.contains("reason=resource-dead") && line.contains("=mcp"),
        "{line}"
    );
    let ready = platform::run(&site.path("."), &["rm", "-c", "settings.yaml", "--probe", "ready"]);
    assert_eq!(ready.0, 0, "RM stays ready without media: callers get a proper answer");
}

#[test]
fn a_call_that_rings_for_too_long_is_cancelled_and_ends_with_408() {
    let media = "< INVITE; > 180; < CANCEL; > 200; > 487; < ACK";
    let media = Play::new("rings", media, Via::Udp).answer();
    let objects = objects_at(&[media.address], "{}");
    let application = "---\nkind: Application\nname: rm-1\nspec:\n  type: resource-manager\n  \
                       options: { proxy: { sip.timer.c: 2000 } }\n";
    let unprobed = objects.replace("interval: 1s, timeout: 500ms, down_after: 5", "method: none");
    let site = Site::new(&(unprobed + application));
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    let caller = Play::new("rings", "> INVITE; < 180; < 408; > ACK", Via::Udp);
    caller.call(site.sip(), "18005550100").finish();
    media.finish();
    nothing_is_left(&site, 1);
    let cdr = &report::exactly(site.rm_http(), site.rs_http(), 1)[0];
    let found = [&cdr["end-state"], &cdr["reason"], &cdr["sip-status"]];
    assert_eq!(found, ["NO_ANSWER", "no-answer", "408"], "{cdr:#?}");
    assert!(!cdr.contains_key("answer"), "{cdr:#?}");
}
