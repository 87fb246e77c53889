//! The configuration of a simulated platform: example 1 of rm.md §4.3, and what a node is told at
//! its start.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use model::config::Document;
use model::id::{BootEpoch, Dbid, NodeId, Revision};
use model::snapshot::Snapshot;
use model::tree::{Key, Node, Position, Value};
use rm::{Keys, Listener, Match, Peer, Role, Settings, SipTimers};
use serde_json::{Value as Json, json};
use sip::transport::Transport;

/// Port of the monitor.
pub const MONITOR: u16 = 5064;

/// Example 1: tenant acme with a profile, numbers, and these media servers of 500 places.
#[must_use]
pub fn example_1(servers: &[(&str, SocketAddr)]) -> Json {
    let resources: Vec<Json> = servers
        .iter()
        .zip(310..)
        .map(|((name, address), dbid)| {
            json!({"name": name, "address": format!("sip:{address}"), "capacity": 500,
                "dbid": dbid})
        })
        .collect();
    json!([
        {"kind": "Tenant", "name": "acme", "dbid": 102, "spec": {
            "default_profile": "IVRAppDefault",
            "policy": {"usage_limit": 100, "burst": {"level2": 120, "level3": 150}}}},
        {"kind": "IvrProfile", "name": "IVRAppDefault", "tenant": "acme", "dbid": 205, "spec": {
            "service": "voicexml",
            "initial_page_url": "http://apps.acme.example/start.vxml?lang=en"}},
        {"kind": "DidGroup", "name": "acme-numbers", "tenant": "acme", "spec": {
            "profile": "IVRAppDefault",
            "dids": ["18005550100", "18005550200-18005550299", "1900*"]}},
        {"kind": "ResourceGroup", "name": "mcp", "spec": {
            "services": ["voicexml", "msml", "conference", "announcement", "media"],
            "resources": resources}}
    ])
}

/// The `spec` of the object of this kind and name; `Null` if there is none.
pub fn spec<'o>(objects: &'o mut Json, kind: &str, name: &str) -> Option<&'o mut Json> {
    let mut all = objects.as_array_mut()?.iter_mut();
    let object = all.find(|object| object["kind"] == kind && object["name"] == name)?;
    object.get_mut("spec")
}

/// The snapshot of these objects.
///
/// # Errors
/// They are not valid; why.
pub fn snapshot(objects: &Json, revision: u64) -> Result<Arc<Snapshot>, String> {
    let all = objects.as_array().map_or(&[][..], Vec::as_slice);
    let documents: Vec<Document> = all
        .iter()
        .zip(1..)
        .map(|(object, number)| Document { file: None, number, size: 0, root: node(object) })
        .collect();
    let built = Snapshot::build(&documents, Revision(revision));
    let (snapshot, _) = built.map_err(|problems| format!("{problems:?}"))?;
    Ok(Arc::new(snapshot))
}

fn node(json: &Json) -> Node {
    let at = Position { line: 1, column: 1 };
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(yes) => Value::Bool(*yes),
        Json::Number(number) => Value::Int(number.as_i64().unwrap_or(i64::MAX)),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(list) => Value::Seq(list.iter().map(node).collect()),
        Json::Object(map) => {
            let entry =
                |(key, value): (&String, &Json)| (Key { text: key.clone(), at }, node(value));
            Value::Map(map.iter().map(entry).collect())
        }
    };
    Node { value, at }
}

/// A key of the cluster, by its id.
#[must_use]
pub fn key(id: u8) -> (u8, [u8; 32]) {
    (id, core::array::from_fn(|at| u8::try_from(at).unwrap_or_default().wrapping_mul(id)))
}

/// A node at this address: UDP and TCP on 5060, the monitor on 5064; the caller is its SIP Server.
///
/// # Errors
/// Never; the key ring is made from constants.
pub fn settings(
    name: &str,
    number: u16,
    ip: IpAddr,
    caller: SocketAddr,
) -> Result<Settings, String> {
    let listener = |transport, port: u16| Listener {
        transport,
        bound: SocketAddr::new(ip, port),
        advertise: (ip.to_string(), port),
        via: (ip.to_string(), port),
    };
    let peer = Peer {
        name: "sip-server".to_owned(),
        matches: vec![Match::Socket(caller)],
        names: Vec::new(),
        role: Role::SipServer,
        allow_route: false,
        trusted_headers: true,
        priority: false,
        session_expires: None,
        notify_failures: true,
        rate: None,
    };
    Ok(Settings {
        name: name.to_owned(),
        node_id: NodeId(number),
        boot: BootEpoch(1),
        application_dbid: Some(Dbid(300 + u32::from(number))),
        listeners: vec![
            listener(Transport::Udp, 5060),
            listener(Transport::Tcp, 5060),
            listener(Transport::Udp, MONITOR),
        ],
        monitor_listener: 2,
        domains: Vec::new(),
        peers: vec![peer],
        routes: Vec::new(),
        keys: Keys::new(&[key(1)]).ok_or("no key ring")?,
        seed: [1, 2, 3, 4],
        application: name.to_owned(),
        options: rm::Options { trace_sample: 1, ..rm::Options::default() },
        timers: SipTimers::default(),
    })
}
