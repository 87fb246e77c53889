//! Scenarios of rm.md §14 about calls that go another way than usual: past CTI connectors that
//! refuse or are away, and to a media server that has moved.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::held::{ANSWERS, SHORT, ended, header, hold, short};
use crate::http;
use crate::platform::{Site, free_port};
use crate::player::Play;
use crate::report;
use crate::scenarios_numbers::reload;
use crate::sipp::Via;
use crate::tenants::{Tenant, places};

const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6));
const ASKED: &str = "4501";
const AWAY: &str = "4502";
const MOVED: &str = "5101";

/// A gateway whose calls go to connectors, and these: `spec` says what if all fail.
fn cti(tenant: &str, gateway: SocketAddr, spec: &str, connectors: &[SocketAddr]) -> String {
    let connectors: String = (1..)
        .zip(connectors)
        .map(|(n, at)| format!("{{ name: {tenant}-cti-{n}, address: \"sip:{at}\" }}, "))
        .collect();
    format!(
        "---\nkind: ResourceGroup\nname: {tenant}-gw\ntenant: {tenant}\n\
         spec: {{ services: [gateway], use_cti: 2, monitor: {{ method: none }}, \
           resources: [{{ name: {tenant}-gw, address: \"sip:{gateway}\" }}] }}\n---\n\
         kind: ResourceGroup\nname: {tenant}-cti\ntenant: {tenant}\n\
         spec: {{ services: [cti], try_timeout: 30s, monitor: {{ method: none }}{spec}, \
           resources: [{connectors}] }}\n"
    )
}

#[test]
fn scenarios_45_and_51() {
    let gateways = [(); 2].map(|()| SocketAddr::new(GATEWAY, free_port(GATEWAY)));
    let [asked, refuses, away, nobody, broken, old, new] = places();
    let script = ", fail_over_cti_handling: \"script;voicexml;http://apps.example/nocti.vxml?a=1\"";
    let moved = |place| Tenant::new("moved", MOVED, &[place]).objects();
    let others = [
        Tenant::new("asked", ASKED, &[asked]).objects(),
        cti("asked", gateways[0], "", &[refuses]),
        Tenant::new("away", AWAY, &[away]).objects(),
        cti("away", gateways[1], script, &[nobody, broken]),
    ];
    let others = others.concat();
    let site = Site::new(&(others.clone() + &moved(old)));
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    scenario_45_a_connector_that_says_404(&site, gateways[0], refuses, asked);
    scenario_45_all_connectors_are_away(&site, gateways[1], broken, away);
    scenario_51_another_address_hurts_no_call(&site, old, new, || {
        site.write("platform.yaml", &(others.clone() + &moved(new)));
    });
}

/// The INVITE that a media server got, of a session that is marked.
fn marked(invite: &str, page: &str) {
    let line = invite.lines().next().unwrap();
    assert!(line.starts_with("INVITE sip:dialog@"), "{line}");
    assert!(line.contains(&format!(";voicexml={page}")), "{line}");
    let session = header(invite, "X-Genesys-GVP-Session-ID");
    assert!(session.contains(";gvp.rm.cti-call=1;"), "{session}");
}

fn scenario_45_a_connector_that_says_404(
    site: &Site,
    gateway: SocketAddr,
    connector: SocketAddr,
    media: SocketAddr,
) {
    let refuses = "< INVITE; > 404; < ACK";
    let refuses = Play::new("refuses", refuses, Via::Udp).answer_at(connector, connector);
    let answers = Play::new("asked", ANSWERS, Via::Udp).answer_at(media, media);
    let caller = Play::new("asks", SHORT, Via::Udp).call_from(gateway, site.sip(), ASKED);
    let cdr = ended(site, caller);
    let invite = &refuses.received("INVITE ")[0];
    assert!(invite.starts_with(&format!("INVITE sip:{ASKED}@{connector}")), "{invite}");
    marked(&answers.received("INVITE ")[0], "http://apps.example/start.vxml");
    refuses.finish();
    answers.finish();
    assert_eq!((&*cdr["resource/name"], &*cdr["application/name"]), ("asked-1", "asked"));
    let leg = report::leg(site.rs_http(), &cdr["call-id"]);
    assert_eq!((&leg["service"], &leg["extra"]["cti"]), (&"voicexml".into(), &true.into()));
    assert_eq!(tries(&leg), ["asked-cti-1 404", "asked-1 200"], "{leg:#}");
}

fn scenario_45_all_connectors_are_away(
    site: &Site,
    gateway: SocketAddr,
    connector: SocketAddr,
    media: SocketAddr,
) {
    // of the two, nobody listens at the address of one
    let broken = "< INVITE; > 500; < ACK";
    let broken = Play::new("broken", broken, Via::Udp).answer_at(connector, connector);
    let answers = Play::new("away", ANSWERS, Via::Udp).answer_at(media, media);
    let caller = Play::new("script", SHORT, Via::Udp).call_from(gateway, site.sip(), AWAY);
    let cdr = ended(site, caller);
    marked(&answers.received("INVITE ")[0], "http://apps.example/nocti.vxml%3Fa%3D1");
    broken.finish();
    answers.finish();
    let leg = report::leg(site.rs_http(), &cdr["call-id"]);
    assert_eq!(leg["extra"]["cti"], true, "{leg:#}");
    assert_eq!(tries(&leg), ["away-cti-1 transport", "away-cti-2 500", "away-1 200"], "{leg:#}");
}

/// Each try of a leg: where, and what came of it.
fn tries(leg: &serde_json::Value) -> Vec<String> {
    let all = leg["extra"]["tries"].as_array().unwrap_or_else(|| panic!("tries of {leg:#}"));
    let told = |one: &serde_json::Value| {
        let outcome = one["sip_status"].as_u64().map(|code| code.to_string());
        let outcome = outcome.unwrap_or_else(|| one["reason"].as_str().unwrap().to_owned());
        format!("{} {outcome}", one["resource"].as_str().unwrap())
    };
    all.iter().map(told).collect()
}

/// The address changes by a reload of the configuration, under a call.
fn scenario_51_another_address_hurts_no_call(
    site: &Site,
    old: SocketAddr,
    new: SocketAddr,
    edit: impl Fn(),
) {
    let before = Play::new("old", ANSWERS, Via::Udp).answer_at(old, old);
    let up = hold(site, &Play::new("stays", "", Via::Udp), MOVED);
    edit();
    let (code, out, errors) = reload(site);
    assert!(code == 0 && out.starts_with("revision 2 of "), "{out}{errors}");
    let load = || {
        let one = http::json(site.rm_http(), "/v1/resources/moved/moved-1");
        (one["used"].as_u64().unwrap(), one["address"].as_str().unwrap().to_owned())
    };
    assert_eq!(load(), (1, format!("sip:{new}")), "the load is unbroken");
    let after = Play::new("new", ANSWERS, Via::Udp).answer_at(new, new);
    let cdr = short(site, "moves", MOVED);
    assert_eq!(cdr["resource/name"], "moved-1");
    after.finish();
    assert_eq!(up.hang_up(site)["resource/name"], "moved-1");
    before.finish();
    assert_eq!(load().0, 0);
}
