//! Scenarios of rm.md §14 about what is told: explain says what the call then gets and changes
//! nothing, and the metrics agree with what the API says.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::held::{ANSWERS, SHORT, call, hold, short};
use crate::http;
use crate::platform::{self, CALLER, Site, eventually};
use crate::player::Play;
use crate::report;
use crate::sipp::{Media, Via};
use crate::tenants::{Tenant, places};

const PLACED: &str = "4801";
const FULL: &str = "4811";
const SILENT: &str = "4820";
const NOBODY: &str = "4807";
const FIGURES: &str = "5401";
const BROKEN: &str = "5402";

#[test]
fn scenarios_48_and_54() {
    let placed: [SocketAddr; 2] = places();
    let silent: [SocketAddr; 2] = places();
    let [full, figures, broken] = places();
    let objects = [
        "---\nkind: Application\nname: rm-1\nspec:\n  type: resource-manager\n  \
         options: { records: { trace-sample: 1 } }\n"
            .to_owned(),
        Tenant::new("placed", PLACED, &placed).objects(),
        Tenant { spec: "{ policy: { usage_limit: 1 } }", ..Tenant::new("full", FULL, &[full]) }
            .objects(),
        // one that is given up soon and is not well again soon, and another in its place
        Tenant {
            group: "services: [voicexml], preference: 1, quarantine: 60s",
            ..Tenant::new("silent", SILENT, &silent[..1])
        }
        .objects(),
        format!(
            "---\nkind: ResourceGroup\nname: next\ntenant: silent\n\
             spec: {{ services: [voicexml], preference: 2, try_timeout: 30s, \
               monitor: {{ method: none }}, \
               resources: [{{ name: silent-2, address: \"sip:{}\" }}] }}\n",
            silent[1]
        ),
        Tenant::new("figures", FIGURES, &[figures]).objects(),
        Tenant::new("broken", BROKEN, &[broken]).objects(),
    ];
    let site = Site::new(&objects.concat());
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    scenario_48_explain_says_what_the_call_gets(&site, placed, full, silent);
    scenario_54_the_metrics_say_what_the_api_says(&site, figures, broken);
}

/// What explain says of a call to `number`, asked twice; nothing has changed by asking.
fn explained(site: &Site, number: &str) -> Value {
    let uri = format!("sip:{number}@{}", site.sip());
    let question = json!({"uri": uri, "source": CALLER.to_string(), "from": "sip:x@127.0.0.2"});
    let state = || {
        let paths = ["/v1/resources", "/v1/limits", "/v1/calls", "/v1/tenants"];
        let ledger = http::metric(site.rm_http(), "ringmaster_rm_ledger_in_total");
        (paths.map(|path| http::json(site.rm_http(), path)), ledger)
    };
    let ask = || {
        let mut told = http::post(site.rm_http(), "/v1/explain", &question);
        told.as_object_mut().unwrap().remove("took_us");
        told
    };
    let before = state();
    let told = ask();
    let again = ask();
    for name in ["outcome", "code", "reason", "tenant", "profile", "policy", "resource"] {
        assert_eq!(told[name], again[name], "{name}");
    }
    assert_eq!(timeless(&told["trace"]), timeless(&again["trace"]));
    assert_eq!(state(), before, "no state is changed");
    told
}

/// The decision in the trace of a record: the tries come behind it.
fn decision(leg: &Value) -> Vec<Value> {
    let steps = leg["trace"].as_array().unwrap_or_else(|| panic!("trace of {leg:#}")).iter();
    let steps: Vec<Value> = steps.filter(|step| step["stage"] != "forward").cloned().collect();
    let chosen = |step: &Value| step["stage"] == "place" && step["verdict"] == "chosen";
    let first = steps.iter().position(chosen);
    steps.into_iter().take(first.map_or(usize::MAX, |at| at + 1)).collect()
}

/// A trace without the time at which a quarantine ends: it is told to the millisecond.
fn timeless(trace: &Value) -> Value {
    let mut trace = trace.clone();
    for step in trace.as_array_mut().unwrap() {
        step.as_object_mut().unwrap().remove("until");
    }
    trace
}

/// Asks, then calls: winner and trace are the same, which are given back.
fn same(site: &Site, name: &str, script: &str, number: &str) -> Value {
    let told = explained(site, number);
    let cdr = call(site, &Play::new(name, script, Via::Udp), number);
    let leg = report::leg(site.rs_http(), &cdr["call-id"]);
    assert_eq!(timeless(&told["trace"]), timeless(&json!(decision(&leg))), "{name}");
    if told["outcome"] == "reject" {
        assert_eq!(
            (told["reason"].as_str(), &told["code"].to_string()),
            (Some(&*cdr["reason"]), &cdr["sip-status"])
        );
    }
    told
}

fn scenario_48_explain_says_what_the_call_gets(
    site: &Site,
    placed: [SocketAddr; 2],
    full: SocketAddr,
    silent: [SocketAddr; 2],
) {
    let winner = |told: &Value| told["resource"]["name"].as_str().unwrap_or("nobody").to_owned();
    // as of scenario 1: who answers is who was told, in turn
    let servers = placed.map(Media::start_at);
    for (name, server) in [("placed-a", "placed-1"), ("placed-b", "placed-2")] {
        assert_eq!(winner(&same(site, name, SHORT, PLACED)), server);
    }
    assert_eq!(servers.each_ref().map(|media| media.answered().len()), [1, 1]);

    // 7
    let told = same(site, "nobody", "> INVITE; < 404; > ACK", NOBODY);
    assert_eq!((&told["outcome"], &told["reason"]), (&"reject".into(), &"no-profile".into()));

    // 11
    let media = Play::new("full", ANSWERS, Via::Udp).answer_at(full, full);
    let up = hold(site, &Play::new("first", "", Via::Udp), FULL);
    let told = same(site, "second", "> INVITE; < 480; > ACK", FULL);
    let policy = &told["policy"];
    let limit = [&policy["name"], &policy["rule"], &policy["usage"], &policy["limit"]];
    assert_eq!(limit, [&json!("full"), &json!("usage_limit"), &json!(1), &json!(1)]);
    up.hang_up(site);
    media.finish();

    // 20: nobody knows yet that it is silent; afterwards everybody does
    let mute = Play::new("mute", "< INVITE; wait 60000", Via::Udp).answer_at(silent[0], silent[0]);
    let answers = Play { calls: 2, ..Play::new("silent", ANSWERS, Via::Udp) };
    let answers = answers.answer_at(silent[1], silent[1]);
    let slow = "> INVITE slow; < 180; < 200; > ACK; > BYE; < 200";
    assert_eq!(winner(&same(site, "hunted", slow, SILENT)), "silent-1");
    let told = same(site, "spared", SHORT, SILENT);
    assert_eq!(winner(&told), "silent-2");
    assert!(told["trace"].to_string().contains("quarantined"), "{told:#}");
    assert_eq!(report::of_call(site.rs_http(), "hunted-1@127.0.0.2")["resource/name"], "silent-2");
    answers.finish();
    drop(mute);
}

fn scenario_54_the_metrics_say_what_the_api_says(
    site: &Site,
    figures: SocketAddr,
    broken: SocketAddr,
) {
    let metric = |name: &str| http::metric(site.rm_http(), name);
    let counts = || ["rmTotal4xxInviteSent", "rmTotal5xxInviteSent"].map(metric);
    let before = counts();
    let agrees = |used: f64, total: f64, status: &str| {
        let one = http::json(site.rm_http(), "/v1/resources/figures/figures-1");
        assert_eq!((one["used"].as_f64(), one["total"].as_f64()), (Some(used), Some(total)));
        let labelled = |name: &str| metric(&format!("{name}{{rmPRName=\"figures-1\"}}"));
        let own = ["rmPRName", "rmPRActiveCalls", "rmPRTotalCalls"].map(labelled);
        assert_eq!(own, [1.0, used, total]);
        let state = |status| {
            let series = format!("rmPRStatus{{rmPRName=\"figures-1\",rmPRStatus=\"{status}\"}}");
            http::counted(site.rm_http(), &series)
        };
        let other = if status == "AVAILABLE" { "UNAVAILABLE" } else { "AVAILABLE" };
        assert_eq!((state(status), state(other)), (Some(1.0), None));
        let inbound = metric("rmTenantCurrentInboundCalls{rmTenantName=\"figures\"}");
        assert_eq!(inbound.to_bits(), used.to_bits(), "{inbound}");
        let used = "ringmaster_rm_resource_used{group=\"figures\",resource=\"figures-1\"}";
        assert_eq!(metric(used).to_bits(), own[1].to_bits());
    };
    agrees(0.0, 0.0, "AVAILABLE");
    let _media = Media::start_at(figures);
    let held =
        ["one", "two", "three"].map(|name| hold(site, &Play::new(name, "", Via::Udp), FIGURES));
    agrees(3.0, 3.0, "AVAILABLE");
    let rm = site.rm_http().to_string();
    let run = |verb| platform::run(&site.path("."), &[verb, "figures-1", "--rm", &rm]);
    assert_eq!(run("drain").0, 0);
    agrees(3.0, 3.0, "UNAVAILABLE");
    let refused = Play::new("drained", "> INVITE; < 480; > ACK", Via::Udp);
    assert_eq!(call(site, &refused, FIGURES)["reason"], "resource-draining");
    assert_eq!(run("enable").0, 0);
    for held in held {
        held.hang_up(site);
    }
    short(site, "four", FIGURES);
    eventually("all have ended", || metric("ringmaster_rm_ledger_open"), |open| *open == 0.0);
    agrees(0.0, 4.0, "AVAILABLE");

    let script = "< INVITE; > 180; > 500; < ACK";
    let media = Play::new("broken", script, Via::Udp).answer_at(broken, broken);
    call(site, &Play::new("broken", "> INVITE; < 180; < 500; > ACK", Via::Udp), BROKEN);
    media.finish();
    assert_eq!(counts(), [before[0] + 1.0, before[1] + 1.0]);
}
