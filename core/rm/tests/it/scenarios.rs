//! Acceptance scenarios of rm.md §14 that are about whose call it is and what it carries, by their
//! numbers. 45 is in `cti`, 46 in `joining`.

use model::chance::Chance;
use model::config::Document;
use model::id::Revision;
use model::snapshot::Snapshot;
use serde_json::{Value, json};
use sip::uri::unescape;

use crate::platform::{self, caller, invite_to};
use crate::world::{CALLER, World, header, invite, node, objects, reply, settings, snapshot};

/// The first line of what the media server gets.
fn forwarded(world: &mut World, text: &str) -> String {
    world.udp(CALLER, text);
    let sent = world.take_invite().expect("an INVITE leaves");
    world.udp(&sent.flow.remote.to_string(), &reply(&sent.text, 603, "t", ""));
    sent.text.lines().next().unwrap().to_owned()
}

/// Why a profile was chosen, of the latest record.
fn reason(world: &World) -> String {
    let trace = world.ends().last().unwrap()["trace"].clone();
    let select = trace.as_array().unwrap().iter().find(|step| step["stage"] == "select");
    select.unwrap()["reason"].as_str().unwrap().to_owned()
}

#[test]
fn scenario_2_the_trace_names_the_pattern() {
    let mut world = World::new();
    forwarded(&mut world, &invite("19001234567", "a"));
    assert_eq!(reason(&world), "did 1900* of acme-numbers");
    forwarded(&mut world, &invite("18005550100", "b"));
    assert_eq!(reason(&world), "did 18005550100 of acme-numbers");
}

#[test]
fn scenario_3_exact_before_range_before_prefix() {
    let mut world = World::new();
    let patterns = ["18005550150", "18005550140-18005550160", "180055501*"];
    for (removed, expected) in patterns.iter().enumerate() {
        let mut documents = objects();
        documents[2]["spec"]["dids"] = patterns[removed..].into();
        world.input(rm::Input::Snapshot(snapshot(&documents)));
        forwarded(&mut world, &invite("18005550150", &format!("c{removed}")));
        assert_eq!(reason(&world), format!("did {expected} of acme-numbers"));
    }
}

#[test]
fn scenario_4_numbers_of_two_tenants_may_not_overlap() {
    let mut documents = objects();
    let more = [
        json!({"kind": "Tenant", "name": "other"}),
        json!({"kind": "IvrProfile", "name": "p", "tenant": "other", "spec": {"service": "media"}}),
        json!({"kind": "DidGroup", "name": "theirs", "tenant": "other",
            "spec": {"profile": "p", "dids": ["180055501*"]}}),
    ];
    documents.as_array_mut().unwrap().extend(more);
    let documents: Vec<Document> = documents
        .as_array()
        .unwrap()
        .iter()
        .zip(1..)
        .map(|(object, number)| Document { file: None, number, size: 0, root: node(object) })
        .collect();
    let problems = Snapshot::build(&documents, Revision(43)).unwrap_err();
    let told: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    let text = "DID \"180055501*\" of group \"theirs\" overlaps \"18005550100\" of tenant \"acme\"";
    assert_eq!(told, [text]);
}

#[test]
fn scenario_5_an_alias_names_the_tenant_and_leaves_the_uri() {
    let mut world = World::new();
    let alias = "9350e2fc-a1dd-4c65-8d40-1f75a2e080dd";
    let uri = format!("sip:0@10.0.0.5;gvp-tenant-id={alias};x=1");
    let first = forwarded(&mut world, &invite_to(&uri, CALLER, "a", ""));
    assert!(!first.contains("gvp-tenant-id") && first.contains(";x=1;"), "{first}");
    assert_eq!(world.ends()[0]["tenant"]["name"], "acme");
}

#[test]
fn scenario_6_a_profile_nobody_has_leads_to_the_default_not_to_the_number() {
    let mut world = platform::ready();
    let uri = "sip:493055@10.0.0.5;gvp-tenant-id=acme.nope";
    forwarded(&mut world, &invite_to(uri, CALLER, "a", ""));
    let end = world.ends()[0];
    assert_eq!(
        (&end["profile"]["name"], &end["selected_by"]),
        (&"IVRAppDefault".into(), &"default".into())
    );
    let (_, fields) = world.logs.iter().find(|(id, _)| *id == 20201).expect("it is told");
    assert!(fields.contains(&("profile", "nope".to_owned())), "{fields:?}");
}

#[test]
fn scenario_7_no_match_and_no_default() {
    let mut world = World::new();
    world.udp(CALLER, &invite("5", "a"));
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 404 "), "{answer}");
    assert_eq!(header(&answer, "Warning"), "399 rm-1 \"no-profile\"");
    let end = world.ends()[0];
    assert_eq!((&end["reason"], &end["sip_status"]), (&"no-profile".into(), &404.into()));
    assert!(world.has_log(20201));
}

#[test]
fn scenario_8_profile_by_header_and_tenant_by_parameter() {
    let mut world = platform::ready();
    let line = "X-Genesys-gsw-ivr-profile-name: media\r\n";
    forwarded(&mut world, &invite_to("sip:0@10.0.0.5;gvp-tenant-id=north", CALLER, "a", line));
    let end = world.ends()[0];
    let found = (&end["tenant"]["name"], &end["profile"]["name"], &end["selected_by"]);
    assert_eq!(found, (&"north".into(), &"media".into(), &"headers".into()));
}

#[test]
fn scenario_9_fixed_replaces_and_default_does_not() {
    let mut world = World::new();
    let uri = "sip:18005550100@10.0.0.5;gvp.appmodule=mine;lang=fr";
    let first = forwarded(&mut world, &invite_to(uri, CALLER, "a", ""));
    assert!(first.contains(";gvp.appmodule=VXML-NG") && !first.contains("mine"), "{first}");
    assert!(first.contains(";lang=fr") && !first.contains(";lang=en"), "{first}");
}

#[test]
fn scenario_10_a_page_is_escaped_and_decodes_to_itself() {
    let page = "http://a.example/x.vxml?a=1;b=%20&c=[1]#d";
    let mut documents = objects();
    documents[1]["spec"]["initial_page_url"] = page.into();
    let mut world = World::with(&documents, settings());
    let first = forwarded(&mut world, &invite("18005550100", "a"));
    let escaped = "http://a.example/x.vxml%3Fa%3D1%3Bb%3D%2520&c%3D[1]%23d";
    let found = first.split(";voicexml=").nth(1).unwrap().split(';').next().unwrap();
    assert_eq!((found, unescape(found).as_ref()), (escaped, page));
}

#[test]
fn scenario_39_internal_headers_of_a_gateway_reach_no_media_server() {
    let mut world = platform::ready();
    let lines = "X-Genesys-GVP-Session-ID : 0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596\r\n\
        x-genesys-gvp-session-data: callsession=x\r\n\
        X-GENESYS-RM-Application-dbid\t:\r\n 7\r\n\
        x-genesys-gsw-ivr-profile-name :\r\n north-main\r\n\
        X-Genesys-Gsw-ivr-profile-ID: 205\r\n\
        x-genesys-strict-location: enforce\r\n\
        x-Genesys-geo-location: berlin\r\n\
        X-Other: stays\r\n";
    let from = caller("gw-acme");
    world.udp(from, &invite_to("sip:18005550100@10.0.0.5", from, "a", lines));
    let text = world.take_invite().unwrap().text;
    let lower = text.to_lowercase();
    for name in ["gsw-ivr", "strict-location", "geo-location", "0193f2a0", "callsession=x"] {
        assert!(!lower.contains(name), "{name}: {text}");
    }
    for name in ["x-genesys-gvp-session-id", "x-genesys-gvp-session-data", "application-dbid"] {
        assert_eq!(lower.matches(name).count(), 1, "only our own {name}: {text}");
    }
    assert!(text.contains("\r\nX-Other: stays\r\n") && text.contains("X-Genesys-CallUUID: 0UJD"));
}

/// Printable text of up to `most` characters.
fn printable(chance: &mut Chance, most: u64) -> String {
    let one = |chance: &mut Chance| char::from(b' ' + u8::try_from(chance.below(95)).unwrap());
    (0..chance.below(most)).map(|_| one(chance)).collect()
}

#[test]
fn bodies_and_unknown_headers_leave_as_they_came() {
    let numbers = ["18005550100", "8001", "8002", "8003", "8005"];
    let mut world = platform::ready();
    for seed in 0..300 {
        let mut chance = Chance::new([seed, 2, 3, 4]);
        let line = |chance: &mut Chance| {
            let blanks = ["", " ", "\t "][usize::try_from(chance.below(3)).unwrap()];
            let name = chance.below(1 << 20);
            format!("X-Some-{name:x}{blanks}: {}\r\n", printable(chance, 40))
        };
        let lines: String = (0..chance.below(6)).map(|_| line(&mut chance)).collect();
        let body = printable(&mut chance, 200);
        let number = numbers[usize::try_from(seed % 5).unwrap()];
        let call = format!("p{seed}");
        let head = invite_to(&format!("sip:{number}@10.0.0.5"), CALLER, &call, &lines);
        let (head, _) = head.split_once("Content-Length").unwrap();
        let text = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        world.udp(CALLER, &text);
        let sent = world.take_invite().unwrap_or_else(|| panic!("{text}"));
        assert!(sent.text.contains(&lines), "{text}{}", sent.text);
        assert!(sent.text.ends_with(&format!("\r\n\r\n{body}")), "{text}{}", sent.text);
        world.udp(&sent.flow.remote.to_string(), &reply(&sent.text, 603, "t", ""));
    }
}

#[test]
fn a_request_uri_that_becomes_too_long_is_refused() {
    let mut documents = objects();
    documents[1]["spec"]["parameters"]["voicexml"]["long"] = json!({"fixed": "x".repeat(2000)});
    let mut world = World::with(&documents, settings());
    world.udp(CALLER, &invite("18005550100", "a"));
    assert!(world.take(CALLER).starts_with("SIP/2.0 500 "));
    let end: &Value = world.ends()[0];
    assert_eq!((&end["reason"], &end["end_state"]), (&"internal".into(), &"SYSTEM_ERROR".into()));
    assert!(world.has_log(20901));
}

#[test]
fn facts_of_the_call_stand_in_parameters() {
    let value = "${dnis}/${ani}/${tenant}/${profile}/${uuid}/${nope}/${session}";
    let mut documents = objects();
    documents[1]["spec"]["parameters"]["voicexml"] = json!({"facts": {"fixed": value}});
    let mut world = World::with(&documents, settings());
    world.udp(CALLER, &invite("+18005550100", "a"));
    let sent = world.take_invite().unwrap().text;
    let guid = header(&sent, "X-Genesys-GVP-Session-ID").split(';').next().unwrap();
    let expected = format!(
        ";facts=18005550100/4930123/acme/IVRAppDefault/0UJDMQHH2O8QV3P8P8R2LDAES0000001/\
         $%7Bnope%7D/{guid} SIP/2.0"
    );
    assert!(sent.lines().next().unwrap().ends_with(&expected), "{sent}");
}

#[test]
fn parameters_come_down_the_tenants_and_a_tenant_id_can_be_kept() {
    let mut documents = platform::platform();
    let all = documents.as_array_mut().unwrap();
    let parameters =
        |value: &str| json!({"voicexml": {"who": {"fixed": value}, "deep": {"default": value}}});
    for (name, value) in [("acme", "acme"), ("north", "north")] {
        let one = all.iter_mut().find(|one| one["name"] == name && one["kind"] == "Tenant");
        one.unwrap()["spec"]["parameters"] = parameters(value);
    }
    let profile = all.iter_mut().find(|one| one["name"] == "north-main").unwrap();
    profile["spec"]["parameters"] = json!({"voicexml": {"who": {"fixed": "profile"}}});
    profile["spec"]["keep_tenant_id"] = true.into();
    let mut world = World::with(&documents, settings());
    let uri = "sip:493055@10.0.0.5;gvp-tenant-id=north";
    let first = forwarded(&mut world, &invite_to(uri, CALLER, "a", ""));
    let expected = "INVITE sip:dialog@10.0.0.11:5070;gvp-tenant-id=north;\
        voicexml=http://a.example/x.vxml;deep=north;who=profile SIP/2.0";
    assert_eq!(first, expected);
}

/// The platform with these options.
fn with_options(options: rm::Options) -> World {
    World::with(&platform::platform(), rm::Settings { options, ..settings() })
}

#[test]
fn options_of_selection() {
    use model::config::options::DnisHeader;
    let standard = || settings().options;
    let header = |dnis_header| rm::Options { dnis_header, ..standard() };
    let ids = rm::Options { ignore_ruri_tenant_dbid: false, ..standard() };
    let gateways = rm::Options { ignore_gateway_group: true, ..standard() };
    let wary = rm::Options { trust_tenant_parameter: false, ..standard() };
    let (uri, known) = ("sip:5@10.0.0.5", "sip:493055@10.0.0.5");
    let named = |name: &str| format!("{name}: <sip:493055@x>;reason=y, <sip:8001@x>\r\n");
    let (history, called, diversion) =
        (named("History-Info"), named("P-Called-Party-ID"), named("Diversion"));
    let history = history.as_str();
    for (options, from, uri, lines, tenant, by) in [
        (ids.clone(), "server", "sip:0@10.0.0.5;gvp-tenant-id=110", "", "north", "default"),
        (ids, "server", "sip:0@10.0.0.5;gvp-tenant-id=999", "", "-", "-"),
        (gateways.clone(), "gw-north", "sip:18005550100@10.0.0.5", "", "acme", "did"),
        (gateways, "gw-cti-2", "sip:18005550100@10.0.0.5", "", "acme", "did"),
        (wary.clone(), "gw-env", "sip:0@10.0.0.5;gvp-tenant-id=acme", "", "-", "-"),
        (wary, "server", "sip:0@10.0.0.5;gvp-tenant-id=acme", "", "acme", "default"),
        (header(DnisHeader::HistoryInfo), "server", uri, history, "north", "did"),
        (header(DnisHeader::PCalledPartyId), "server", uri, &called, "north", "did"),
        (header(DnisHeader::Diversion), "server", uri, &diversion, "north", "did"),
        (header(DnisHeader::Diversion), "server", known, "", "north", "did"),
        (header(DnisHeader::To), "server", known, "", "-", "-"),
    ] {
        let case = format!("{from} {uri} {lines}");
        let mut world = with_options(options);
        let from = caller(from);
        world.udp(from, &invite_to(uri, from, "o", lines));
        if let Some(sent) = world.take_invite() {
            world.udp(&sent.flow.remote.to_string(), &reply(&sent.text, 603, "t", ""));
        }
        let end = world.ends()[0];
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let found = (text(&end["tenant"]["name"]), text(&end["selected_by"]));
        assert_eq!(found, (tenant.to_owned(), by.to_owned()), "{case}");
    }
}

#[test]
fn a_session_lingers_as_long_as_it_is_told() {
    let mut world = with_options(rm::Options {
        session_linger: std::time::Duration::ZERO,
        ..settings().options
    });
    let mut up = world.up("18005550100", "one");
    let guid = world.phase("start")[0]["guid"].as_str().unwrap().to_owned();
    world.hang_up(&mut up, "b");
    let line = format!("X-Genesys-GVP-Session-ID: {guid}\r\n");
    world.udp(CALLER, &invite_to("sip:18005550100@10.0.0.5", CALLER, "two", &line));
    let text = world.take_invite().unwrap().text;
    assert!(!text.contains(&guid), "{text}");
}

#[test]
fn what_policies_pass_stands_behind_the_parameters() {
    let mut documents = objects();
    let pass = |value: &Value| json!({"pass": value});
    documents[0]["spec"]["policy"] = pass(&json!({"call-info": "a b", "speech": "tenant"}));
    documents[1]["spec"]["policy"] = pass(&json!({"speech": "profile"}));
    let mut world = World::with(&documents, settings());
    let uri = "sip:18005550100@10.0.0.5;gvp.policy.Speech=mine";
    let first = forwarded(&mut world, &invite_to(uri, CALLER, "a", ""));
    let expected = ";lang=en;gvp.policy.call-info=a%20b;gvp.policy.speech=profile SIP/2.0";
    assert!(first.ends_with(expected) && !first.contains("mine"), "{first}");
    let uri = "sip:msml@10.0.0.5;gvp-tenant-id=acme";
    let first = forwarded(&mut world, &invite_to(uri, CALLER, "b", ""));
    assert!(!first.contains("gvp.policy"), "{first}");
}
