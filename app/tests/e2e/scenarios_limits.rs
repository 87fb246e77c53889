//! Scenarios of rm.md §14 about what tenants may do: 11, 12, 13 and 14.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::platform::eventually;
use crate::player::Play;
use crate::scenarios_stage::{ANSWERED, Stage, assert_refused, call_id, events, stage, steps};
use crate::sipp::{Callers, Plan, Via};
use crate::wire::{Message, first};
use crate::{http, report};

const REFUSED: &str = "> INVITE; < 480; > ACK";

/// So many calls of a tenant at once, up.
fn hold(stage: &Stage, tenant: &str, number: &str, calls: u32) -> Callers {
    let hold = Duration::from_secs(20);
    let callers = Plan { hold, ..Plan::new(stage.sip, &[number], calls) }.start();
    let all = u64::from(calls);
    eventually("all calls up", || stage.sessions(tenant), |sessions| *sessions == all);
    callers
}

/// Calls of a tenant that the report has in full.
fn completed(stage: &Stage, tenant: &str, count: usize) -> Vec<report::Cdr> {
    let path = format!("/api/v1/calls?state=completed&tenant={tenant}&limit=1000");
    let calls = || http::json(stage.rs_http, &path)["items"].as_array().unwrap().len();
    eventually("calls in the report", calls, |calls| *calls == count);
    // while calls of other scenarios end, what moves on to the next page is read twice
    let all = report::completed(stage.rs_http).into_iter();
    let own = all.filter(|cdr| cdr.get("tenant/name").is_some_and(|name| name == tenant));
    let own: BTreeMap<String, report::Cdr> =
        own.map(|cdr| (cdr["session-id"].clone(), cdr)).collect();
    assert_eq!(own.len(), count, "and no more");
    own.into_values().collect()
}

#[test]
fn scenario_11_levels_in_records_and_one_alarm() {
    let stage = stage();
    let media = stage.serve("crowd-1");
    let held = hold(&stage, "crowd", "18005551100", 150);
    let crowd = "kind=\"tenant\",object=\"crowd\"";
    let used = format!("ringmaster_rm_usage{{{crowd}}}");
    assert_eq!(http::counted(stage.rm_http, &used), Some(150.0));
    let most = format!("ringmaster_rm_limit{{{crowd},level=\"3\"}}");
    assert_eq!(http::counted(stage.rm_http, &most), Some(150.0));
    let alarm = "ringmaster_rm_alarm{name=\"RMPolicyViolation\"}";
    assert_eq!(http::counted(stage.rm_http, alarm), Some(0.0));
    for name in ["over-1", "over-2", "over-3"] {
        let got = stage.call(name, REFUSED, "18005551100");
        assert_eq!(first(&got, "SIP/2.0 480 ").header("Retry-After"), Some("5"));
        assert_refused(&stage, name, &got, 480, "usage-limit");
        assert!(media.messages(&call_id(name)).is_empty());
    }
    assert_eq!(http::counted(stage.rm_http, alarm), Some(1.0));
    let lines = stage.logged(20301, "tenant crowd usage_limit 150/150");
    assert!(lines.iter().all(|line| line.contains("status=480")), "{lines:#?}");
    let raised: Vec<bool> =
        lines.iter().map(|line| line.contains("alarm=RMPolicyViolation")).collect();
    assert_eq!(raised, [true, false, false], "{lines:#?}");
    held.finish();

    let mut levels: BTreeMap<String, usize> = BTreeMap::new();
    for cdr in completed(&stage, "crowd", 153) {
        let level = cdr.get("tenant/burst-tenant").unwrap_or(&cdr["reason"]);
        *levels.entry(level.clone()).or_default() += 1;
    }
    let expected = [("1", 100), ("2", 20), ("3", 30), ("usage-limit", 3)];
    assert_eq!(levels, expected.map(|(level, count)| (level.to_owned(), count)).into());
    let burst = "ringmaster_rm_burst_total{tenant=\"crowd\",level=\"3\"}";
    assert_eq!(http::counted(stage.rm_http, burst), Some(30.0));
}

#[test]
fn scenario_12_the_override_of_the_parent_refuses() {
    let stage = stage();
    let media = stage.serve("north-1");
    let held = hold(&stage, "north", "18005551200", 300);
    let got = stage.call("north-301", REFUSED, "18005551200");
    assert_refused(&stage, "north-301", &got, 480, "usage-limit");
    assert!(media.messages(&call_id("north-301")).is_empty());
    let leg = stage.leg("north-301");
    assert_eq!(leg["tenant"]["name"], "north");
    let refused = "refused tenant reseller: children.north.usage_limit";
    assert_eq!(steps(&leg, "authorise").last().unwrap(), refused, "{leg:#}");
    let violation = "reseller|children.north.usage_limit|300|300";
    assert_eq!(events(&leg, "policy-violation"), [violation]);
    held.finish();
    assert_eq!(media.answered().len(), 300);
}

#[test]
fn scenario_13_the_grandparent_is_named() {
    let stage = stage();
    let script = "< INVITE; > 180; > 200; < ACK; < BYE; > 200";
    let own = stage.at("holding-1");
    let media = Play::new("pages", script, Via::Udp).answer_at(own, own);
    let got = stage.call("scripts", "> INVITE; < 403; > ACK", "18005551302");
    assert_refused(&stage, "scripts", &got, 403, "service-forbidden");
    let leg = stage.leg("scripts");
    let found = [&leg["tenant"]["name"], &leg["profile"]["name"], &leg["service"]];
    assert_eq!(found, ["shop", "shop-scripts", "ccxml"]);
    let refused = "refused tenant holding: services.ccxml.allowed";
    assert_eq!(steps(&leg, "authorise").last().unwrap(), refused, "{leg:#}");
    assert_eq!(events(&leg, "policy-violation"), ["holding|services.ccxml.allowed|0|0"]);
    let lines = stage.logged(20304, leg["guid"].as_str().unwrap());
    assert!(lines[0].contains("tenant holding"), "{lines:#?}");

    // another service of the same tenant is served there
    stage.call("pages", ANSWERED, "18005551301");
    let heard = media.played();
    let invites: Vec<&Message> = heard.iter().filter(|one| one.is("INVITE ")).collect();
    assert_eq!(invites.len(), 1, "{invites:#?}");
    assert_eq!(invites[0].header("Call-ID"), Some(call_id("pages").as_str()));
}

#[test]
fn scenario_14_dialling_rules() {
    let stage = stage();
    let gateway = "< INVITE; > 180; > 200; < ACK; < BYE; > 200";
    let (media, carrier) = (stage.at("outward-1"), stage.at("carrier-1"));
    let dial = |name: &str, script: &str, uri: &str| {
        let uri = format!("sip:{uri};gvp-tenant-id=outward.dials");
        let caller = Play { uri: &uri, ..Play::new(name, script, Via::Udp) };
        caller.call_from(media, stage.sip, "0").played()
    };
    // the first is another tenant's number too: only the host says that it leads out
    let got = dial("dial-1900", "> INVITE; < 403; > ACK", "19005550100@carrier.example");
    assert_refused(&stage, "dial-1900", &got, 403, "dialing-rule");
    let leg = stage.leg("dial-1900");
    let refused = "refused profile dials: dialing_rules";
    assert_eq!(steps(&leg, "authorise").last().unwrap(), refused, "{leg:#}");
    assert!(!stage.logged(20306, leg["guid"].as_str().unwrap()).is_empty());

    for (name, dialled, number) in
        [("dial-030", "030456789", "4930456789"), ("dial-49", "+4930456789", "+4930456789")]
    {
        let server = Play::new(name, gateway, Via::Udp).answer_at(carrier, carrier);
        dial(name, ANSWERED, &format!("{dialled}@[remote_ip]:[remote_port]"));
        let heard = server.played();
        let invite = first(&heard, "INVITE ");
        assert_eq!(invite.start(), format!("INVITE sip:{number}@{carrier} SIP/2.0"));
        assert!(!invite.text.contains("X-Genesys-"), "{}", invite.text);
        let leg = stage.leg(name);
        let found = [&leg["call_type"], &leg["service"], &leg["dn"], &leg["resource"]];
        let dn = number.trim_start_matches('+');
        assert_eq!(found, ["OUTBOUND", "gateway", dn, "carrier-1"], "{leg:#}");
        assert_eq!(leg["extra"]["dialled"], dialled.trim_start_matches('+'), "{leg:#}");
        assert_eq!(
            (&leg["tenant"]["name"], &leg["end_state"]),
            (&"outward".into(), &"APP_END".into())
        );
    }
}
