//! Scenarios of rm.md §14 about whose call it is: 2, 5, 6, 7 and 8.

use crate::http;
use crate::player::Play;
use crate::scenarios_stage::{ANSWERED, Stage, assert_refused, stage, steps};
use crate::sipp::Via;

/// Calls this Request-URI, with these header lines, and is answered.
fn call(stage: &Stage, name: &str, uri: &str, lines: &str) {
    let caller = Play { uri, lines, ..Play::new(name, ANSWERED, Via::Udp) };
    stage.play(&caller, "0");
}

/// Tenant, profile and how they were found, as the record of the call has them.
fn found(stage: &Stage, name: &str) -> [String; 3] {
    let leg = stage.leg(name);
    let how = &leg["extra"]["selected_by"];
    [&leg["tenant"]["name"], &leg["profile"]["name"], how].map(|one| one.as_str().unwrap().into())
}

#[test]
fn scenario_2_the_trace_names_the_pattern() {
    let stage = stage();
    for (number, pattern) in [
        ("19001234567", "1900*"),
        ("18005550100", "18005550100"),
        ("18005550234", "18005550200-18005550299"),
    ] {
        let name = format!("pattern-{number}");
        stage.call(&name, ANSWERED, number);
        assert_eq!(found(&stage, &name), ["acme", "main", "did"]);
        let leg = stage.leg(&name);
        assert_eq!(leg["dn"], number);
        let chosen = format!("chosen profile main: did {pattern} of acme-numbers");
        assert_eq!(steps(&leg, "select"), [chosen]);
    }
}

#[test]
fn scenario_5_an_alias_names_the_tenant_and_leaves_the_uri() {
    let stage = stage();
    let alias = "9350e2fc-a1dd-4c65-8d40-1f75a2e080dd";
    let uri = format!("sip:nobody@[remote_ip]:[remote_port];gvp-tenant-id={alias};x=1");
    call(&stage, "alias", &uri, "");
    assert_eq!(found(&stage, "alias"), ["acme", "main", "default"]);
    let invite = stage.invite("alias");
    let start = invite.start();
    assert!(start.contains(";x=1") && start.contains("main.vxml"), "{start}");
    assert!(!invite.text.contains("gvp-tenant-id"), "{}", invite.text);
    assert!(!invite.text.contains(alias), "{}", invite.text);
}

#[test]
fn scenario_6_a_profile_nobody_has_leads_to_the_default_not_to_the_number() {
    let stage = stage();
    stage.call("known-number", ANSWERED, "18005550300");
    assert_eq!(found(&stage, "known-number"), ["acme", "other", "did"]);
    let uri = "sip:18005550300@[remote_ip]:[remote_port];gvp-tenant-id=acme.nope";
    call(&stage, "unknown-profile", uri, "");
    assert_eq!(found(&stage, "unknown-profile"), ["acme", "main", "default"]);
    let invite = stage.invite("unknown-profile");
    assert!(invite.start().contains("/main.vxml"), "{}", invite.start());
    let line = &stage.logged(20201, "profile=nope")[0];
    assert!(line.contains("WARN"), "{line}");
}

#[test]
fn scenario_7_no_match_and_no_default() {
    let stage = stage();
    let got = stage.call("no-match", "> INVITE; < 404; > ACK", "15550000000");
    assert_refused(&stage, "no-match", &got, 404, "no-profile");
    let leg = stage.leg("no-match");
    assert!(leg["tenant"].is_null() && leg["profile"].is_null(), "{leg:#}");
    assert!(leg["resource"].is_null(), "{leg:#}");
    let line = &stage.logged(20201, leg["guid"].as_str().unwrap())[0];
    assert!(line.contains("WARN") && line.contains("no profile"), "{line}");
    // for two minutes from now on
    let alarms = stage.alarms();
    assert!(alarms.contains(&"RMMatchingIVRTenantNotFound rm-1".to_owned()), "{alarms:?}");
    let gauge = "ringmaster_rm_alarm{name=\"RMMatchingIVRTenantNotFound\"}";
    assert_eq!(http::counted(stage.rm_http, gauge), Some(1.0));
}

#[test]
fn scenario_8_profile_by_header_and_tenant_by_parameter() {
    let stage = stage();
    let line = "X-Genesys-gsw-ivr-profile-name: other\n";
    // the number is main's, the profile is of the tenant above the one that is named
    let uri = "sip:18005550100@[remote_ip]:[remote_port];gvp-tenant-id=below";
    call(&stage, "header", uri, line);
    assert_eq!(found(&stage, "header"), ["below", "other", "headers"]);
    let invite = stage.invite("header");
    assert!(invite.start().contains("/other.vxml"), "{}", invite.start());
    assert_eq!(invite.header("X-Genesys-gsw-ivr-profile-name"), Some("other"));
    let session = invite.header("X-Genesys-GVP-Session-Data").unwrap();
    assert!(session.ends_with(";Environment/acme/below;other"), "{session}");
}
