//! What an operator types: explain, limits, calls, and the end of a call.

use std::time::Duration;

use crate::calls::{healthy, objects, objects_at};
use crate::platform::{self, Site, eventually};
use crate::player::Play;
use crate::sipp::{Media, Plan, Via};
use crate::{http, report};

/// Exit code and output of a command that asks this site's RM.
fn ask(site: &Site, args: &[&str]) -> (i32, String) {
    let rm = site.rm_http().to_string();
    let mut all = args.to_vec();
    all.extend(["--rm", &rm]);
    let (code, out, errors) = platform::run(&site.path("."), &all);
    assert!(out.is_empty() || errors.is_empty(), "{args:?}: {errors}");
    (code, out + &errors)
}

#[test]
fn a_refused_call_is_explained_on_one_screen() {
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{ usage_limit: 2 }"));
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    healthy(&site, 1);
    let numbers = ["18005550234"];
    let held = Plan { hold: Duration::from_secs(15), ..Plan::new(site.sip(), &numbers, 2) }.start();
    let up = || http::json(site.rm_http(), "/v1/calls?state=up")["calls"].as_array().unwrap().len();
    eventually("two calls up", up, |calls| *calls == 2);

    let (code, screen) = ask(&site, &["explain", "sip:+18005550234@rm"]);
    assert_eq!(code, 1, "{screen}");
    let dbid = |kind: &str, name: &str| {
        let tenant = http::json(site.rm_http(), "/v1/tenants/acme");
        match kind {
            "tenant" => tenant["dbid"].to_string(),
            _ => {
                let all = tenant["profiles"].as_array().unwrap().clone();
                all.iter().find(|one| one["name"] == name).unwrap()["dbid"].to_string()
            }
        }
    };
    let (tenant, profile) = (dbid("tenant", "acme"), dbid("profile", "acme-main"));
    let head = format!(
        "refused 480 usage-limit: tenant acme usage_limit 2/2; Retry-After 5\n\
         limit     tenant acme ({tenant}): usage_limit, 2 of 2 in use\n\
         caller    127.0.0.1:5060, sip-server\n\
         tenant    acme ({tenant})\n\
         profile   acme-main ({profile}), by did\n\
         service   voicexml\n\
         revision  1\n\n"
    );
    let reason = "did 18005550200-18005550299 of acme-numbers";
    let steps = [
        ["STAGE", "CANDIDATE", "VERDICT", "REASON", "USED", "LIMIT"],
        ["select", "profile acme-main", "chosen", reason, "-", "-"],
        ["authorise", "tenant acme", "refused", "usage_limit", "2", "2"],
    ];
    let line = |[stage, candidate, verdict, reason, used, limit]: [&str; 6]| {
        format!("{stage:<11}{candidate:<19}{verdict:<9}{reason:<45}{used:<6}{limit}\n")
    };
    assert_eq!(screen, head + &steps.map(line).concat());

    let (code, limits) = ask(&site, &["limits", "--used", "100"]);
    assert_eq!(code, 0, "{limits}");
    let row = limits.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(row, ["tenant", "acme", "acme", "usage_limit", "2", "2", "-", "-", "100%"]);
    held.finish();
}

#[test]
fn calls_are_listed_shown_and_ended() {
    let script = "< INVITE; wait 50; > 180; > 200; < ACK; < BYE; > 200";
    let server = Play::new("ended", script, Via::Udp).answer();
    let objects = objects_at(&[server.address], "{}");
    // a player says nothing but its script
    let site =
        Site::new(&objects.replace("interval: 1s, timeout: 500ms, down_after: 5", "method: none"));
    let _rs = site.start_rs();
    let rm = site.start_rm();
    let forwarded = ask(&site, &["explain", "sip:18005550100@rm", "-o", "name"]);
    assert_eq!(forwarded, (0, "mcp-1\n".to_owned()));
    let assumed = ["explain", "sip:18005550100@rm", "--assume", "mcp-1=dead", "-o", "name"];
    assert_eq!(ask(&site, &assumed), (1, "resource-dead\n".to_owned()));

    let script = "> INVITE; < 180; < 200; > ACK; < BYE; > 200";
    let caller = Play::new("ended", script, Via::Udp).call(site.sip(), "18005550100");
    let list = || ask(&site, &["calls", "--state", "up", "-o", "name"]).1;
    let guid = eventually("a call is up", list, |text| text.lines().count() == 1);
    let guid = guid.trim();
    let (_, shown) = ask(&site, &["calls", guid]);
    assert!(shown.contains("mcp/mcp-1") && shown.contains("round-robin"), "{shown}");
    let ended = ask(&site, &["calls", guid, "--end"]);
    assert_eq!(ended, (0, format!("{guid}: 1 leg ended\n")));
    caller.finish();
    server.finish();
    let cdrs = report::exactly(site.rm_http(), site.rs_http(), 1);
    assert_eq!(
        (cdrs[0]["end-state"].as_str(), cdrs[0]["reason"].as_str()),
        ("OPERATOR_END", "operator")
    );
    let line = rm.line_with(" 10801 ");
    assert!(line.contains("action=hang-up") && line.contains(guid), "{line}");

    for (args, code, text) in [
        (&["calls", guid][..], 4, "404: Not Found"),
        (&["calls", guid, "--end"], 4, "404"),
        (&["calls", "--state", "asleep"], 2, "state: expected trying, early, up or ending"),
        (&["explain", "nonsense"], 2, "uri, from, to or headers: "),
        (&["explain"], 2, "required"),
        (&["limits", "--tenant", "nobody"], 4, "404"),
    ] {
        let (found, out) = ask(&site, args);
        assert_eq!(found, code, "{args:?}: {out}");
        assert!(out.contains(text), "{args:?}: {out}");
    }
}

#[test]
fn a_media_server_is_drained_until_a_deadline_and_enabled_again() {
    let script = "< INVITE; wait 50; > 180; > 200; < ACK; < BYE; > 200";
    let server = Play::new("drained", script, Via::Udp).answer();
    let objects = objects_at(&[server.address], "{}");
    let site =
        Site::new(&objects.replace("interval: 1s, timeout: 500ms, down_after: 5", "method: none"));
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    let script = "> INVITE; < 180; < 200; > ACK; < BYE; > 200";
    let caller = Play::new("drained", script, Via::Udp).call(site.sip(), "18005550100");
    let list = || ask(&site, &["calls", "--state", "up", "-o", "name"]).1;
    eventually("a call is up", list, |text| text.lines().count() == 1);

    let (code, table) = ask(&site, &["drain", "mcp-1", "--deadline", "1500ms"]);
    assert_eq!(code, 0, "{table}");
    let head: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert!(head.ends_with(&["OLDEST", "DEADLINE"]), "{table}");
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((row[1], row[3], row[4], row[5]), ("mcp-1", "draining", "draining", "1"), "{table}");
    let refused = ask(&site, &["explain", "sip:18005550100@rm", "-o", "name"]);
    assert_eq!(refused, (1, "resource-draining\n".to_owned()));
    caller.finish();
    server.finish();
    let cdrs = report::exactly(site.rm_http(), site.rs_http(), 1);
    assert_eq!(
        (cdrs[0]["end-state"].as_str(), cdrs[0]["reason"].as_str()),
        ("OPERATOR_END", "operator")
    );
    for (action, state) in [("disable", "disabled"), ("enable", "healthy"), ("reset", "healthy")] {
        let (code, table) = ask(&site, &[action, "mcp-1"]);
        assert_eq!(code, 0, "{table}");
        assert!(table.lines().nth(1).unwrap().contains(state), "{action}: {table}");
    }
    let (code, out) = ask(&site, &["drain", "mcp-7"]);
    assert_eq!(
        (code, out.trim_end()),
        (4, "mcp-7: no media server of this name, and not the node")
    );
}
