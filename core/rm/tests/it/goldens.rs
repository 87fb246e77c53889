//! The examples of rm.md §5.4, byte for byte: what comes from the caller and what the resource
//! gets. `rm-T`, `BRANCH` and `GUID` stand for what each run makes anew.

use std::net::SocketAddr;

use serde_json::{Value, json};
use sip::transport::{Flow, Transport};

use crate::platform::invite_to;
use crate::world::{CALLER, MCP1, Sent, World, address, header, reply, settings};

/// Example 1 with its addresses, and what the other examples presume.
fn example() -> Value {
    let mcp = |name: &str, at: &str, dbid: u32| {
        json!({"name": name, "address": format!("sip:{at};transport=tcp"), "capacity": 500,
            "dbid": dbid})
    };
    let mut documents = crate::world::objects();
    documents[3]["spec"]["resources"] =
        json!([mcp("mcp-1", "10.0.0.11:5070", 310), mcp("mcp-2", "10.0.0.12:5070", 311)]);
    documents[3]["spec"]["capabilities"] = json!({"codec": ["opus"]});
    let kind = "IvrProfile";
    let own = |name: &str| json!({"kind": kind, "name": name, "tenant": "acme"});
    let profile = |name: &str, spec: &Value| {
        let mut one = own(name);
        one["spec"] = spec.clone();
        one
    };
    let more = [
        profile("media", &json!({"service": "media"})),
        profile("phones", &json!({"service": "announcement", "play": "http://a.example/hi.wav"})),
        profile(
            "scripted",
            &json!({"service": "voicexml", "initial_page_url": "http://a.example/x",
            "parameters": {"cti": {"scriptid": {"fixed": "main"}}}}),
        ),
        json!({"kind": "DidGroup", "name": "phones", "tenant": "acme",
            "spec": {"profile": "phones", "dids": ["8001"]}}),
        json!({"kind": "DidGroup", "name": "scripted", "tenant": "acme",
            "spec": {"profile": "scripted", "dids": ["18005550101"]}}),
        json!({"kind": "ResourceGroup", "name": "ctic", "spec": {
            "services": ["cti"], "monitor": {"method": "none"},
            "resources": [{"name": "ctic-1", "address": "sip:10.0.0.31:5080", "dbid": 331}]}}),
        json!({"kind": "ResourceGroup", "name": "pstn-gw", "tenant": "acme", "spec": {
            "services": ["gateway"], "use_cti": 2, "monitor": {"method": "none"},
            "resources": [{"name": "gw-1", "address": "sip:10.0.9.1:5060", "dbid": 332}]}}),
    ];
    documents.as_array_mut().unwrap().extend(more);
    documents
}

/// A packet by UDP from the SIP Server.
fn flow(from: &str) -> Flow {
    let remote: SocketAddr = address(from);
    Flow { transport: Transport::Udp, listener: 0, remote, conn: None }
}

/// What a run makes anew, masked.
fn masked(text: &str) -> String {
    let guid = header(text, "X-Genesys-GVP-Session-ID").split(';').next().unwrap();
    let text = if guid.is_empty() { text.to_owned() } else { text.replace(guid, "GUID") };
    let line = |line: &str| {
        let line = match line.split_once(";branch=z9hG4bK-rm") {
            Some((head, branch)) => {
                let digits = branch.chars().take_while(char::is_ascii_hexdigit).count();
                assert_eq!(digits, 28, "{line}");
                format!("{head};branch=BRANCH{}", &branch[digits..])
            }
            None => line.to_owned(),
        };
        match line.split_once("<sip:rm-").filter(|(_, rest)| !rest.starts_with("0@")) {
            Some((head, rest)) => {
                let (token, tail) = rest.split_once('@').unwrap();
                assert_eq!(token.len(), 94, "{line}");
                format!("{head}<sip:rm-T@{tail}")
            }
            None => line,
        }
    };
    text.split("\r\n").map(line).collect::<Vec<_>>().join("\n")
}

/// The INVITE of a golden file, and what it must become.
fn golden(text: &str) -> (String, String) {
    let (comes, leaves) = text.split_once("---\n").unwrap();
    (comes.replace('\n', "\r\n"), leaves.to_owned())
}

fn sent(world: &mut World, from: &str, text: &str) -> Sent {
    world.packet(flow(from), text);
    world.take_invite().expect("an INVITE leaves")
}

#[test]
fn voicexml_by_number() {
    let (comes, leaves) = golden(include_str!("testdata/golden/a-voicexml.txt"));
    let mut world = World::with(&example(), settings());
    let sent = sent(&mut world, CALLER, &comes);
    assert_eq!(masked(&sent.text), leaves);
    assert_eq!((sent.flow.transport, sent.flow.remote), (Transport::Tcp, address(MCP1)));
}

/// The examples that differ from the first in their start line and in what is told besides.
#[test]
fn the_other_start_lines() {
    let tenant = "gvp-tenant-id=9350e2fc-a1dd-4c65-8d40-1f75a2e080dd";
    for (name, from, comes, leaves) in [
        (
            "b",
            CALLER,
            format!("sip:msml@10.0.0.5;{tenant};media-service=media"),
            "sip:msml@10.0.0.11:5070;transport=tcp",
        ),
        (
            "d",
            CALLER,
            "sip:annc@10.0.0.5;play=http://a.example/hi.wav;gvp.rm.resource-req=codec%3Dopus;\
             gvp-tenant-id=acme"
                .to_owned(),
            "sip:annc@10.0.0.11:5070;transport=tcp;play=http://a.example/hi.wav",
        ),
        (
            "f",
            "10.0.9.1:5060",
            "sip:18005550101@10.0.0.5".to_owned(),
            "sip:18005550101@10.0.0.31:5080;scriptid=main",
        ),
    ] {
        let mut world = World::with(&example(), settings());
        let sent = sent(&mut world, from, &invite_to(&comes, from, name, ""));
        let first = sent.text.lines().next().unwrap();
        assert_eq!(first, format!("INVITE {leaves} SIP/2.0"), "({name})");
        let id = header(&sent.text, "X-Genesys-GVP-Session-ID");
        assert_eq!(id.contains(";gvp.rm.datanodes=1;gvp.rm.cti-call=1;"), name == "f", "{id}");
    }
}

#[test]
fn the_far_end_of_a_phone() {
    let mut world = World::with(&example(), settings());
    let phone = "<sip:7013@cucm;x-farend;x-refci=24432480>";
    let text = invite_to("sip:8001@10.0.0.5", CALLER, "g", "").replacen(
        "<sip:+4930123@10.0.0.2>",
        phone,
        1,
    );
    let sent = sent(&mut world, CALLER, &text);
    let expected = "INVITE sip:annc@10.0.0.11:5070;transport=tcp;\
        record=CUCM/call-24432480-at-7013-on-2026-01-01(2) SIP/2.0";
    assert_eq!(sent.text.lines().next().unwrap(), expected);
}
/// Example (e): a call to the outside that joins the session of a media server.
#[test]
fn outbound_of_a_media_server() {
    let documents = json!([
        {"kind": "Tenant", "name": "reseller", "dbid": 110},
        {"kind": "Tenant", "name": "north", "dbid": 111,
            "spec": {"parent": "reseller", "default_profile": "north-main"}},
        {"kind": "IvrProfile", "name": "north-main", "tenant": "north", "dbid": 206, "spec": {
            "service": "voicexml", "initial_page_url": "https://vxml.north.example/main"}},
        {"kind": "ResourceGroup", "name": "mcp", "tenant": "reseller", "spec": {
            "services": ["voicexml"],
            "resources": [{"name": "mcp-1", "address": "sip:10.0.0.11:5070", "dbid": 310}]}},
        {"kind": "ResourceGroup", "name": "carriers", "tenant": "reseller", "spec": {
            "services": ["gateway"], "monitor": {"method": "none"},
            "resources": [{"name": "c1", "address": "sip:192.0.2.10", "dbid": 312}]}}
    ]);
    let mut world = World::with(&documents, settings());
    let first = sent(
        &mut world,
        CALLER,
        &invite_to("sip:dialog@10.0.0.5;gvp-tenant-id=north", CALLER, "first", ""),
    );
    world.udp(MCP1, &reply(&first.text, 200, "t", "Contact: <sip:dialog@10.0.0.11:5070>\r\n"));
    world.take(CALLER);
    let id = header(&first.text, "X-Genesys-GVP-Session-ID");
    assert!(id.ends_with(";gvp.rm.datanodes=1;gvp.rm.tenant-id=1.110.111_north-main"), "{id}");
    let (comes, leaves) = golden(include_str!("testdata/golden/e-outbound.txt"));
    let guid = id.split(';').next().unwrap();
    let sent = sent(&mut world, MCP1, &comes.replace("GUID", guid));
    assert_eq!(masked(&sent.text), leaves);
    assert_eq!(sent.flow.remote, address("192.0.2.10:5060"));
}

/// Example (c): the second party of a conference goes to the server of the first.
#[test]
fn second_party_of_a_conference() {
    let mut documents = example();
    let servers = documents[3]["spec"]["resources"].as_array_mut().unwrap();
    servers[0]["state"] = "draining".into();
    let mut world = World::with(&documents, settings());
    let uri = "sip:conf=team7@10.0.0.5;confmaxsize=20;gvp-tenant-id=acme";
    sent(&mut world, CALLER, &invite_to(uri, CALLER, "c1", ""));
    let servers = documents[3]["spec"]["resources"].as_array_mut().unwrap();
    servers[0]["state"] = "enabled".into();
    world.input(rm::Input::Snapshot(crate::world::snapshot(&documents)));
    for call in ["c2", "c3"] {
        let sent = sent(&mut world, CALLER, &invite_to(uri, CALLER, call, ""));
        let expected = "INVITE sip:conf=team7@10.0.0.12:5070;transport=tcp;confmaxsize=20 SIP/2.0";
        assert_eq!(sent.text.lines().next().unwrap(), expected);
        let route = masked(header(&sent.text, "Record-Route"));
        let expected = "<sip:rm-T@10.0.0.5:5060;lr;transport=tcp;gvp.rm.datanodes=1;\
            confinstid=2026-01-01-10.0.0.5:5060;idtag=00410001>";
        assert_eq!(route, expected);
    }
}
