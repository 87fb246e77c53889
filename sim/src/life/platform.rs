//! The platform of the random lives: a tree of tenants with limits of every kind, media servers,
//! gateways with and without CTI, a connector, a recorder. Its limits are low, so that they
//! are met.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::agent::Manner;
use crate::world::server;
use model::chance::Chance;
use model::did::Pattern;

use super::habits;

/// A gateway whose calls go to their profiles at once.
pub(super) const GATEWAY: &str = "gw-1";
/// A gateway whose calls are shown to the connector first.
pub(super) const CTI_GATEWAY: &str = "gw-cti";
/// A peer of which no call is refused by a limit.
pub(super) const EMERGENCY: &str = "emergency";
/// A number alike.
pub(super) const PRIORITY_NUMBER: &str = "1999";
/// How many media servers there are: the first of [`PARTIES`].
pub(super) const SERVERS: usize = 3;

/// Who is called, where, and how it takes its calls.
pub(super) type Party = (&'static str, SocketAddr, fn(&mut Chance) -> Manner);

/// All of them.
pub(super) const PARTIES: [Party; 11] = [
    ("mcp-1", server(11), habits::media),
    ("mcp-2", server(12), habits::media),
    ("mcp-3", server(13), habits::media),
    (GATEWAY, server(21), habits::gateway),
    (CTI_GATEWAY, server(22), habits::gateway),
    ("ctic-1", server(31), habits::connector),
    ("rec-1", server(41), habits::recorder),
    ("rec-1", server(42), habits::recorder),
    (EMERGENCY, SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3)), 5090), habits::gateway),
    ("host-1", HOST, habits::gateway),
    ("host-2", FAR, habits::gateway),
];

/// Hosts outside: one that is called by its address, and one by its name.
const HOST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 5060);
const FAR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 8)), 5062);

const FAR_AGAIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9)), 5062);

/// Where the hosts of these names move to, with all their calls.
pub(super) const MOVES: [(&str, SocketAddr); 2] =
    [("mcp-2.example", server(14)), ("far.example", FAR_AGAIN)];

/// Where names lead.
pub(super) const NAMES: [(&str, &[SocketAddr]); 3] = [
    ("mcp-2.example", &[server(12)]),
    ("rec.example", &[server(41), server(42)]),
    ("far.example", &[FAR]),
];

/// Capacities of the media servers.
const CAPACITIES: [u32; SERVERS] = [9, 11, 14];

/// Calls that nobody ends are cut soon; calls to the outside may leave without a gateway.
pub(super) fn settings(settings: &mut rm::Settings) {
    let options = &mut settings.options;
    options.no_timer_lifetime = Duration::from_secs(60);
    options.orphan_lifetime = Duration::from_secs(60);
    options.direct_outbound = true;
    options.priority_numbers = Pattern::parse(PRIORITY_NUMBER).into_iter().collect();
    settings.timers.c = Duration::from_secs(40);
    let at = PARTIES.iter().find(|(name, ..)| *name == EMERGENCY).map(|(_, at, _)| *at);
    let own = settings.peers.first().cloned().map(|server| rm::Peer {
        name: EMERGENCY.to_owned(),
        matches: at.map(rm::Match::Socket).into_iter().collect(),
        priority: true,
        notify_failures: false,
        ..server
    });
    settings.peers.extend(own);
}

/// The same, and a hunt is over before everybody was asked.
pub(super) fn hasty(settings: &mut rm::Settings) {
    self::settings(settings);
    settings.options.max_hunt = Duration::from_secs(3);
}

/// The whole configuration; `by_tcp`: whose address says so.
pub(super) fn objects(by_tcp: &BTreeSet<&str>) -> Json {
    let mut all = tenants();
    for (name, tenant, service, numbers, policy) in profiles() {
        let page = (service == "voicexml").then_some("http://apps.example/start.vxml?lang=en");
        let play = (service == "announcement").then_some("http://apps.example/hi.wav");
        let mut spec = json!({"service": service, "policy": policy});
        for (key, value) in [("initial_page_url", page), ("play", play)] {
            if let Some(value) = value {
                spec[key] = json!(value);
            }
        }
        all.push(json!({"kind": "IvrProfile", "name": name, "tenant": tenant, "spec": spec}));
        all.push(json!({"kind": "DidGroup", "name": name, "tenant": tenant,
            "spec": {"profile": name, "dids": numbers}}));
    }
    all.extend(groups(by_tcp));
    Json::Array(all)
}

/// reseller over north and south; other stands for itself.
fn tenants() -> Vec<Json> {
    let tenant = |name: &str, parent: &str, profile: Option<&str>, policy: Json| {
        json!({"kind": "Tenant", "name": name, "spec": {
            "parent": parent, "default_profile": profile, "policy": policy}})
    };
    vec![
        json!({"kind": "Tenant", "name": "Environment", "spec": {"policy": {"usage_limit": 40}}}),
        tenant(
            "reseller",
            "Environment",
            None,
            json!({"usage_limit": 22, "burst": {"level2": 25, "level3": 28},
                "inbound_usage_limit": 24, "outbound_usage_limit": 4,
                "children": {"north": {"usage_limit": 8, "burst": {"level2": 10, "level3": 12},
                    "services": {"conference": {"usage_limit": 6}}}}}),
        ),
        tenant(
            "north",
            "reseller",
            Some("north-main"),
            json!({"usage_limit": 30, "burst": {"level2": 35},
                "services": {"voicexml": {"usage_limit": 10}, "gateway": {"per_session": 1}},
                "dialing_rules": ["reject ^0900", "translate ^0([1-9]) -> 49$1"]}),
        ),
        tenant(
            "south",
            "reseller",
            Some("south-main"),
            json!({"inbound_usage_limit": 12, "rate_limit": 8,
                "services": {"recordingserver": {"usage_limit": 2, "per_session": 1}}}),
        ),
        tenant(
            "other",
            "Environment",
            Some("other-main"),
            json!({"services": {"announcement": {"allowed": false}},
                "outbound_allowed": false, "recording_allowed": false}),
        ),
        // no gateway is its own: its calls to the outside go straight there
        tenant(
            "west",
            "Environment",
            Some("west-main"),
            json!({"outbound_usage_limit": 4, "services": {"gateway": {"per_session": 2}}}),
        ),
    ]
}

/// Profiles with tenant, service, numbers and policy.
fn profiles() -> [(&'static str, &'static str, &'static str, Json, Json); 7] {
    [
        (
            "north-main",
            "north",
            "voicexml",
            json!(["1001", "1100-1199", PRIORITY_NUMBER]),
            json!({}),
        ),
        ("south-main", "south", "voicexml", json!(["2001"]), json!({"usage_limit": 7})),
        ("south-extra", "south", "voicexml", json!(["20*"]), json!({"usage_limit": 3})),
        ("south-tones", "south", "announcement", json!(["2900"]), json!({})),
        ("other-main", "other", "voicexml", json!(["3001"]), json!({"usage_limit": 5})),
        ("other-tones", "other", "announcement", json!(["3900"]), json!({})),
        ("west-main", "west", "voicexml", json!(["4001"]), json!({})),
    ]
}

fn groups(by_tcp: &BTreeSet<&str>) -> Vec<Json> {
    let address = |name: &str| {
        let own = PARTIES.iter().find(|(one, ..)| *one == name).map(|(_, at, _)| *at);
        let named = NAMES.iter().find(|(_, leads)| leads.first().copied() == own);
        let tcp = if by_tcp.contains(name) { ";transport=tcp" } else { "" };
        match (named, own) {
            (Some((name, _)), _) => format!("sip:{name}{tcp}"),
            (None, own) => own.map_or_else(String::new, |at| format!("sip:{at}{tcp}")),
        }
    };
    let servers: Vec<Json> = PARTIES
        .iter()
        .zip(CAPACITIES)
        .map(|((name, ..), capacity)| {
            json!({"name": name, "address": address(name), "capacity": capacity})
        })
        .collect();
    let gateway = |name: &str, use_cti: u8| {
        json!({"kind": "ResourceGroup", "name": name, "tenant": "reseller", "spec": {
            "services": ["gateway"], "use_cti": use_cti, "on_dead": "none",
            "resources": [{"name": name, "address": address(name), "capacity": 12}]}})
    };
    vec![
        json!({"kind": "ResourceGroup", "name": "mcp", "spec": {
            "services": ["voicexml", "msml", "conference", "announcement", "media"],
            "on_dead": "bye", "scheme": "least-used", "resources": servers}}),
        gateway(GATEWAY, 0),
        gateway(CTI_GATEWAY, 2),
        json!({"kind": "ResourceGroup", "name": "ctic", "spec": {
            "services": ["cti"], "fail_over_cti_handling": "answer",
            "resources": [{"name": "ctic-1", "address": address("ctic-1")}]}}),
        json!({"kind": "ResourceGroup", "name": "recorders", "spec": {
            "services": ["recordingserver"], "on_dead": "notify",
            "resources": [{"name": "rec-1", "address": address("rec-1"), "capacity": 6}]}}),
    ]
}
