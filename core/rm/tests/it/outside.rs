//! Calls to the outside without a gateway (rm.md §3.6, `rm/allow-direct-outbound`): the table
//! testdata/outside.txt, and the life of such a call.

use std::time::Duration;

use rm::{Input, Question};
use serde_json::{Value, json};
use sip::locate::{Choice, Failure, Goal, Targets};
use sip::transport::Transport;
use sip::uri::Uri;

use crate::platform::invite_to;
use crate::tables::cases;
use crate::world::{
    CALLER, Dialog, MCP1, MCP2, Sent, World, address, header, objects, reply, settings,
};

/// A host outside.
const HOST: &str = "198.51.100.7:5060";

/// Example 1 with dialling rules, and gateways that belong to somebody.
fn platform(gateways: &str) -> Value {
    let mut documents = objects();
    documents[0]["spec"]["policy"]["dialing_rules"] =
        json!(["reject ^1900", "translate ^0([1-9].*)$ -> 49$1"]);
    let north = json!({"kind": "Tenant", "name": "north", "spec": {"parent": "acme"}});
    documents.as_array_mut().unwrap().push(north);
    let (tenant, shared) = match gateways {
        "none" => return documents,
        "own" => ("Environment", "own"),
        tenant => (tenant, "tree"),
    };
    let group = json!({"kind": "ResourceGroup", "name": "carriers", "tenant": tenant, "spec": {
        "services": ["gateway"], "shared": shared, "monitor": {"method": "none"},
        "resources": [{"name": "carrier", "address": "sip:192.0.2.10"}]}});
    documents.as_array_mut().unwrap().push(group);
    documents
}

fn world(allowed: bool, gateways: &str) -> World {
    let mut settings = settings();
    settings.options.direct_outbound = allowed;
    World::with(&platform(gateways), settings)
}

/// A call for this Request-URI, under acme.
fn call(uri: &str, from: &str) -> String {
    invite_to(&format!("{uri};gvp-tenant-id=acme"), from, "out", "X-Genesys-UData_a: b\r\n")
}

/// The same by a media server, and how it leaves.
fn sent(world: &mut World) -> Sent {
    world.udp(MCP1, &call("sip:alice@198.51.100.7", MCP1));
    world.take_flow(HOST).expect("it leaves")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap()
}

#[test]
fn the_table() {
    for case in cases(include_str!("testdata/outside.txt"), 27) {
        let [allowed, gateways, from, uri, goes_to @ .., last] = &case[..] else {
            panic!("{case:?}")
        };
        let mut world = world(*allowed == "yes", gateways);
        let from = if *from == "mcp" { MCP1 } else { CALLER };
        world.udp(from, &call(uri, from));
        let (to, told) = match world.take_invite() {
            Some(sent) => {
                let first = sent.text.lines().next().unwrap();
                let told = first.strip_prefix("INVITE ").unwrap().trim_end_matches(" SIP/2.0");
                // of a call to a media server the service alone is of interest
                let user = told.trim_start_matches("sip:").split('@').next().unwrap();
                let told = if user == *last { user } else { told };
                (format!("{} {}", sent.flow.transport, sent.flow.remote), told.to_owned())
            }
            None => {
                let answer = world.take(from);
                let reason = header(&answer, "Warning").split('"').nth(1).unwrap();
                ("-".to_owned(), format!("{} {reason}", status(&answer)))
            }
        };
        let expected = match goes_to {
            ["-", code] => ("-".to_owned(), format!("{code} {last}")),
            goes_to => (goes_to.join(" "), (*last).to_owned()),
        };
        assert_eq!((to, told), expected, "{case:?}");
        world.proxy.invariant().unwrap();
    }
}

/// Where the tries of a record went, and what was answered.
fn told_tries(record: &Value) -> Vec<(String, Value)> {
    let tries = record["tries"].as_array().into_iter().flatten();
    tries
        .map(|one| (one["resource"].as_str().unwrap().to_owned(), one["sip_status"].clone()))
        .collect()
}

/// From the INVITE to the BYE, with the records of it; nothing internal leaves.
#[test]
fn a_call_and_its_end() {
    let mut world = world(true, "none");
    let sent = sent(&mut world);
    assert!(!sent.text.contains("X-Genesys"), "{}", sent.text);
    world.udp(HOST, &reply(&sent.text, 180, "t", ""));
    assert!(world.take(MCP1).starts_with("SIP/2.0 180 "));
    let contact = format!("<sip:alice@{HOST}>");
    world.udp(HOST, &reply(&sent.text, 200, "t", &format!("Contact: {contact}\r\n")));
    let answer = world.take(MCP1);
    assert_eq!(status(&answer), "200");
    let mut caller = Dialog::of_caller(&answer);
    world.udp(MCP1, &caller.request("ACK", MCP1, "a"));
    assert!(world.take(HOST).starts_with("ACK "));
    let start = world.phase("start")[0];
    let told = ["call_type", "service", "placed_by"].map(|name| start[name].as_str().unwrap());
    assert_eq!(told, ["OUTBOUND", "gateway", "outside"]);
    assert_eq!(start["resource"], Value::Null);
    assert_eq!(told_tries(start), [(HOST.to_owned(), json!(200))]);
    let mut callee = Dialog::of_callee(&sent.text, "t", &contact);
    world.udp(HOST, &callee.request("BYE", HOST, "b"));
    let bye = world.take(MCP1);
    assert!(bye.starts_with("BYE "), "{bye}");
    world.udp(MCP1, &reply(&bye, 200, "x", ""));
    assert_eq!(status(&world.take(HOST)), "200");
    assert_eq!(world.ends()[0]["reason"], "normal");
    assert_eq!(world.proxy.status().legs, 0);
    world.proxy.invariant().unwrap();
}

/// There is nobody else to be asked: what the host says goes back, but for a 503.
#[test]
fn failures() {
    for (code, told, reason) in
        [(486, "486", "forwarded"), (500, "500", "forwarded"), (503, "480", "hunt-failed")]
    {
        let mut world = world(true, "none");
        let sent = sent(&mut world);
        world.udp(HOST, &reply(&sent.text, code, "t", ""));
        assert_eq!(status(&world.take(MCP1)), told);
        let end = world.ends()[0];
        assert_eq!(end["reason"], reason);
        assert_eq!(told_tries(end), [(HOST.to_owned(), json!(code))]);
        let counted = &world.proxy.counters().tries["outside"]["outside"];
        assert_eq!(counted.values().sum::<u64>(), 1, "{counted:?}");
        assert!(world.proxy.resources().iter().all(|one| one.state == "healthy"));
    }
    let mut silent = world(true, "none");
    sent(&mut silent);
    silent.run(Duration::from_millis(31_999));
    silent.wire.retain(|sent| sent.flow.remote != address(HOST));
    assert_eq!(silent.try_take(MCP1), None);
    silent.run(Duration::from_millis(1));
    assert_eq!(status(&silent.take(MCP1)), "408");
    assert_eq!(told_tries(silent.ends()[0]), [(HOST.to_owned(), Value::Null)]);
    let mut broken = world(true, "none");
    let flow = sent(&mut broken).flow;
    broken.input(Input::FlowFailed { flow });
    assert_eq!(status(&broken.take(MCP1)), "502");
    assert_eq!(broken.ends()[0]["reason"], "next-hop");
}

/// Who was not waited for any longer, and answers nevertheless, is told too.
#[test]
fn a_late_answer() {
    let mut world = world(true, "none");
    let sent = sent(&mut world);
    world.run(Duration::from_secs(32));
    world.wire.clear();
    let contact = format!("Contact: <sip:alice@{HOST}>\r\n");
    world.udp(HOST, &reply(&sent.text, 200, "t", &contact));
    assert!(world.take(HOST).starts_with("ACK "));
    assert!(world.take(HOST).starts_with("BYE "));
    let mut late = world.records.iter().filter(|one| one.json["log_id"] == "late-answer");
    assert_eq!(late.next().unwrap().json["text"], format!("{HOST}|200"));
    assert_eq!(world.proxy.counters().late_answers["outside"][&200], 1);
    world.proxy.invariant().unwrap();
}

fn resolve(world: &mut World, name: &str, to: &[&str]) {
    let choice = |(rank, remote): (u32, &&str)| Choice {
        transport: Transport::Udp,
        rank,
        weight: 0,
        addresses: vec![address(remote)],
    };
    let found = Targets::of((0..).zip(to).map(choice).collect()).ok_or(Failure::Nothing);
    let goal = Goal::of_uri(&Uri::parse(name).unwrap()).unwrap();
    world.input(Input::Resolved { goal, found, ttl: Duration::from_secs(300) });
}

/// A name is resolved before the call is begun; all its addresses are tried.
#[test]
fn a_host_name() {
    const NAME: &str = "sip:b.example";
    let other = "198.51.100.8:5060";
    let mut world = world(true, "none");
    world.udp(MCP1, &call("sip:alice@b.example", MCP1));
    assert_eq!((world.asked.len(), world.proxy.status().legs), (1, 0));
    resolve(&mut world, NAME, &[HOST, other]);
    let first = world.take_flow(HOST).unwrap();
    assert!(first.text.starts_with("INVITE sip:alice@b.example SIP/2.0"), "{}", first.text);
    world.input(Input::FlowFailed { flow: first.flow });
    let second = world.take(other);
    world.udp(other, &reply(&second, 200, "t", &format!("Contact: <sip:a@{other}>\r\n")));
    assert_eq!(status(&world.take(MCP1)), "200");
    let told = format!("{other} b.example");
    assert_eq!(told_tries(world.phase("start")[0]), [(told, json!(200))]);
}

/// Who gives up while the name is looked up is remembered as a leg of its session, and its record
/// tells no service: none was selected yet.
#[test]
fn given_up_before_the_host_is_known() {
    let mut world = world(true, "none");
    world.up("18005550100", "one");
    let guid = world.phase("start")[0]["guid"].as_str().unwrap().to_owned();
    let session = format!("X-Genesys-GVP-Session-ID: {guid}\r\n");
    let call = invite_to("sip:alice@b.example", MCP1, "out", &session);
    world.udp(MCP1, &call);
    assert_eq!((world.asked.len(), world.proxy.status().legs), (1, 1));
    let cancel = call.replace("1 INVITE", "1 CANCEL").replacen("INVITE", "CANCEL", 1);
    world.udp(MCP1, &cancel);
    let end = world.ends()[0];
    assert_eq!((&end["guid"], &end["reason"]), (&json!(guid), &json!("cancelled")));
    assert_eq!((&end["service"], &end["selected_by"]), (&Value::Null, &Value::Null));
    assert_eq!(end["profile"]["name"], "IVRAppDefault");
    world.proxy.invariant().unwrap();
}

/// A resource among the addresses of a name is not called.
#[test]
fn a_host_name_of_a_resource() {
    for (to, expected) in [(&[MCP2, HOST][..], ""), (&[MCP2], "403")] {
        let mut world = world(true, "none");
        world.udp(MCP1, &call("sip:dialog@b.example:5070", MCP1));
        resolve(&mut world, "sip:b.example:5070", to);
        assert!(world.try_take(MCP2).is_none());
        let answer = world.try_take(MCP1).unwrap_or_default();
        assert_eq!(answer.split(' ').nth(1).unwrap_or_default(), expected, "{to:?}");
        assert_eq!(world.try_take(HOST).is_some(), expected.is_empty());
        world.proxy.invariant().unwrap();
    }
}

/// A name that leads nowhere matters only where no gateway takes the call.
#[test]
fn a_host_name_that_leads_nowhere() {
    for (gateways, expected) in [("none", "502"), ("acme", "")] {
        let mut world = world(true, gateways);
        world.udp(MCP1, &call("sip:alice@b.example", MCP1));
        resolve(&mut world, "sip:b.example", &[]);
        let answer = world.try_take(MCP1).unwrap_or_default();
        assert_eq!(answer.split(' ').nth(1).unwrap_or_default(), expected, "{gateways}");
        assert_eq!(world.try_take("192.0.2.10:5060").is_some(), expected.is_empty());
    }
    // where everybody has gateways nobody is asked for it
    let mut world = world(true, "Environment");
    world.udp(MCP1, &call("sip:alice@b.example", MCP1));
    assert!(world.asked.is_empty() && world.try_take("192.0.2.10:5060").is_some());
}

/// A request that is no call goes the same way.
#[test]
fn a_message() {
    for (code, told) in [(200, "200"), (503, "480")] {
        let mut world = world(true, "none");
        let text = call("sip:alice@198.51.100.7", MCP1).replace("INVITE", "MESSAGE");
        world.udp(MCP1, &text);
        let sent = world.take(HOST);
        assert!(sent.starts_with("MESSAGE sip:alice@198.51.100.7 SIP/2.0"), "{sent}");
        assert!(!sent.contains("X-Genesys"), "{sent}");
        world.udp(HOST, &reply(&sent, code, "t", ""));
        assert_eq!(status(&world.take(MCP1)), told);
    }
}

/// Permissions and dialling rules hold for a question that leaves for a host outside, as for a
/// call; one to a gateway is passed on without.
#[test]
fn a_question() {
    for (allowed, gateways, number, expected) in [
        (true, "none", "030456789", HOST),
        (true, "none", "1900123", "403 dialing-rule"),
        (false, "none", "030456789", "403 outbound-forbidden"),
        (false, "acme", "1900123", "192.0.2.10:5060"),
    ] {
        let mut documents = platform(gateways);
        documents[0]["spec"]["policy"]["outbound_allowed"] = json!(allowed);
        let mut settings = settings();
        settings.options.direct_outbound = true;
        let mut world = World::with(&documents, settings);
        let probes = world.probed.len();
        let text = call(&format!("sip:{number}@198.51.100.7"), MCP1).replace("INVITE", "OPTIONS");
        world.udp(MCP1, &text);
        let told = match &world.probed[probes..] {
            [asked] => asked.remote.to_string(),
            _ => {
                let answer = world.take(MCP1);
                let reason = header(&answer, "Warning").split('"').nth(1).unwrap();
                format!("{} {reason}", status(&answer))
            }
        };
        assert_eq!(told, expected, "{allowed} {gateways}");
        world.proxy.invariant().unwrap();
    }
}

/// Explain tells the host; one whose name is not known yet it does not wait for.
#[test]
fn explained() {
    for (host, outcome, reason) in [
        ("198.51.100.7", "forward", None),
        ("b.example", "reject", Some("next-hop")),
        ("224.0.0.1", "reject", Some("relay-refused")),
    ] {
        let mut world = world(true, "none");
        let uri = Some(format!("sip:alice@{host};gvp-tenant-id=acme"));
        let source = Some(MCP1.to_owned());
        let question = Question { uri, source, ..Question::default() };
        let explained = world.proxy.explain(world.now, &question).unwrap();
        assert_eq!((explained.outcome, explained.reason), (outcome, reason), "{host}");
        let step = explained.trace.last().unwrap();
        assert_eq!(step.candidate, format!("host {host}"));
        assert!(world.asked.is_empty() && world.wire.is_empty());
    }
}

/// The dialog of such a call goes on after a restart.
#[test]
fn after_a_restart() {
    let mut first = world(true, "none");
    let sent = sent(&mut first);
    let contact = format!("<sip:alice@{HOST}>");
    first.udp(HOST, &reply(&sent.text, 200, "t", &format!("Contact: {contact}\r\n")));
    let mut caller = Dialog::of_caller(&first.take(MCP1));
    let mut second = world(true, "none");
    let (now, block) = (first.now, first.records.last().unwrap().block.clone());
    second.now = now;
    assert_eq!(second.proxy.restore(now, [block.as_slice()].into_iter()).legs, 1);
    second.udp(MCP1, &caller.request("BYE", MCP1, "b"));
    let bye = second.take(HOST);
    assert!(bye.starts_with("BYE sip:alice@"), "{bye}");
    second.udp(HOST, &reply(&bye, 200, "t", ""));
    assert_eq!(status(&second.take(MCP1)), "200");
    second.proxy.invariant().unwrap();
}
