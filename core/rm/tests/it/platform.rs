//! A platform with everything that selection and rewriting know: tenants of two levels, gateways
//! with and without CTI, connectors, recorders. Who calls is named by a word in the tables.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::world::{CALLER, MCP1, Sent, World, address, invite, objects, settings};

pub(crate) const CONNECTOR: &str = "10.0.0.31:5080";
pub(crate) const CARRIER: &str = "192.0.2.10:5060";

/// Callers by name, as the tables use them.
const CALLERS: [(&str, &str); 9] = [
    ("server", CALLER),
    ("mcp", MCP1),
    ("connector", CONNECTOR),
    ("gw-env", "10.0.9.1:5060"),
    ("gw-acme", "10.0.9.2:5060"),
    ("gw-north", "10.0.9.3:5060"),
    ("gw-cti-1", "10.0.9.4:5060"),
    ("gw-cti-2", "10.0.9.5:5060"),
    ("carrier", CARRIER),
];

/// The address of a caller.
pub(crate) fn caller(name: &str) -> &'static str {
    let found = CALLERS.iter().find(|(one, _)| *one == name);
    found.expect(name).1
}

/// The name of an address.
pub(crate) fn name_of(at: SocketAddr) -> &'static str {
    CALLERS.iter().find(|(_, one)| address(one) == at).map_or("?", |(name, _)| name)
}

fn profile(name: &str, tenant: &str, spec: &Value) -> Value {
    json!({"kind": "IvrProfile", "name": name, "tenant": tenant, "spec": spec})
}

fn numbers(name: &str, tenant: &str, profile: &str, dids: &[&str]) -> Value {
    json!({"kind": "DidGroup", "name": name, "tenant": tenant,
        "spec": {"profile": profile, "dids": dids}})
}

fn gateway(name: &str, tenant: &str, at: &str, use_cti: u8) -> Value {
    json!({"kind": "ResourceGroup", "name": name, "tenant": tenant, "spec": {
        "services": ["gateway"], "use_cti": use_cti, "monitor": {"method": "none"},
        "preference": 200, "resources": [{"name": name, "address": format!("sip:{at}")}]}})
}

/// Tenants and profiles.
fn owners() -> Vec<Value> {
    let page = json!({"service": "voicexml", "initial_page_url": "http://a.example/x.vxml"});
    let mut off = profile("off", "north", &page);
    off["enabled"] = false.into();
    vec![
        json!({"kind": "Tenant", "name": "north", "dbid": 110,
            "spec": {"parent": "acme", "aliases": ["n1"], "parameters": {"voicexml": {
                "a": {"fixed": "north"},
                "b": {"default": "${dnis}.${ani}.${tenant}.${profile}"}}}}}),
        json!({"kind": "Tenant", "name": "south", "dbid": 120, "enabled": false,
            "spec": {"parent": "acme"}}),
        profile(
            "north-main",
            "north",
            &json!({"service": "voicexml", "initial_page_url": "http://a.example/x.vxml",
                "parameters": {"voicexml": {"a": {"default": "main"}}}}),
        ),
        profile("south-main", "south", &page),
        off,
        profile("media", "acme", &json!({"service": "media"})),
        profile(
            "tones",
            "acme",
            &json!({"service": "announcement",
            "play": "http://a.example/hi.wav?x=1"}),
        ),
        profile(
            "scripts",
            "acme",
            &json!({"service": "ccxml",
            "initial_page_url": "http://a.example/x.ccxml"}),
        ),
        profile("room", "acme", &json!({"service": "conference", "conference_id": "team7"})),
        profile("rooms", "acme", &json!({"service": "conference"})),
        profile(
            "berlin",
            "acme",
            &json!({"service": "record", "geo_location": "Berlin",
            "parameters": {"recordingclient": {"recdest": {"fixed": "http://r.example/berlin"}}}}),
        ),
        profile(
            "record",
            "acme",
            &json!({"service": "record",
            "parameters": {"record": {"recdest": {"fixed": "http://r.example/any"}}}}),
        ),
        profile("north-record", "north", &json!({"service": "record"})),
        profile(
            "through-cti",
            "acme",
            &json!({"service": "voicexml",
            "initial_page_url": "http://a.example/cti.vxml",
            "parameters": {"cti": {"scriptid": {"fixed": "main"}},
                "gateway": {"trunk": {"default": "a b"}}}}),
        ),
    ]
}

/// Numbers, gateways, connectors, recorders.
fn places() -> Vec<Value> {
    vec![
        numbers("n", "north", "north-main", &["49*", "4930*", "493011-493099", "493055"]),
        numbers("o", "north", "off", &["777"]),
        numbers("s", "south", "south-main", &["555"]),
        numbers("t", "acme", "tones", &["8001"]),
        numbers("c", "acme", "scripts", &["8002"]),
        numbers("r", "acme", "room", &["8003"]),
        numbers("rs", "acme", "rooms", &["8004"]),
        numbers("rec", "acme", "record", &["8005"]),
        numbers("cti", "acme", "through-cti", &["8006"]),
        gateway("gw-env", "Environment", "10.0.9.1:5060", 0),
        gateway("gw-acme", "acme", "10.0.9.2:5060", 0),
        gateway("gw-north", "north", "10.0.9.3:5060", 0),
        gateway("gw-cti-1", "acme", "10.0.9.4:5060", 1),
        gateway("gw-cti-2", "acme", "10.0.9.5:5060", 2),
        json!({"kind": "ResourceGroup", "name": "carriers", "tenant": "acme", "spec": {
            "services": ["gateway"], "monitor": {"method": "none"},
            "resources": [{"name": "carrier", "address": "sip:192.0.2.10"}]}}),
        json!({"kind": "ResourceGroup", "name": "ctic", "spec": {
            "services": ["cti"], "monitor": {"method": "none"},
            "resources": [{"name": "ctic-1", "address": "sip:10.0.0.31:5080"}]}}),
        json!({"kind": "ResourceGroup", "name": "recorders", "spec": {
            "services": ["recordingserver"], "monitor": {"method": "none"},
            "resources": [{"name": "rec-1", "address": "sip:10.0.0.41:5060"}]}}),
    ]
}

/// Example 1 of rm.md §4.3 and what is said above.
pub(crate) fn platform() -> Value {
    let mut documents = objects();
    documents.as_array_mut().unwrap().extend(owners().into_iter().chain(places()));
    documents
}

/// That platform, ready.
pub(crate) fn ready() -> World {
    World::with(&platform(), settings())
}

/// An INVITE for this Request-URI, with further header lines.
pub(crate) fn invite_to(uri: &str, from: &str, call: &str, lines: &str) -> String {
    invite("0", call)
        .replacen("sip:0@10.0.0.5:5060 SIP/2.0", &format!("{uri} SIP/2.0"), 1)
        .replacen("SIP/2.0/UDP 10.0.0.2:5090", &format!("SIP/2.0/UDP {from}"), 1)
        .replacen("Contact: <sip:10.0.0.2:5090>", &format!("Contact: <sip:{from}>"), 1)
        .replacen("Content-Type", &format!("{lines}Content-Type"), 1)
}

impl World {
    /// The next INVITE on the wire, wherever it goes.
    pub(crate) fn take_invite(&mut self) -> Option<Sent> {
        let at = self.wire.iter().position(|sent| sent.text.starts_with("INVITE "))?;
        self.wire.remove(at)
    }
}
