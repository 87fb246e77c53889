//! Scenarios of rm.md §14 about what gateways and strangers try: to be relayed, to have somebody
//! else hit, to name what only the platform may name, and methods that are no calls.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::held::{ANSWERS, SHORT, ended, header};
use crate::hops::next;
use crate::http;
use crate::platform::{CALLER, Site, free_port, now};
use crate::player::{Play, Player};
use crate::report::{self, Cdr};
use crate::sipp::Via;
use crate::tenants::{Tenant, places};

const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
const VICTIM: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 10));

const RELAY: &str = "3801";
const GATE: &str = "3901";
const FULL: &str = "5901";
const BARRED: &str = "5902";

#[test]
fn scenarios_38_39_and_59() {
    let gateway = SocketAddr::new(GATEWAY, free_port(GATEWAY));
    let [relay, gate, other, barred] = places();
    let full: [SocketAddr; 2] = places();
    let objects = [
        Tenant::new("relay", RELAY, &[relay]).objects(),
        Tenant::new("gate", GATE, &[gate]).objects(),
        format!(
            "---\nkind: ResourceGroup\nname: gw\ntenant: gate\nspec:\n  services: [gateway]\n  \
             monitor: {{ method: none }}\n  \
             resources: [{{ name: gw-1, address: \"sip:{gateway}\" }}]\n"
        ),
        Tenant::new("other", "4711", &[other]).objects(),
        Tenant { spec: "{ policy: { usage_limit: 0 } }", ..Tenant::new("full", FULL, &full) }
            .objects(),
        Tenant {
            spec: "{ policy: { services: { voicexml: { allowed: false } } } }",
            ..Tenant::new("barred", BARRED, &[barred])
        }
        .objects(),
    ];
    let site = Site::new(&objects.concat());
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let peers = format!("peers: [{{ name: s, match: [\"{CALLER}\"], role: sip-server }}]");
    let settings = settings.replace("sip: { listen", &format!("sip: {{ {peers}, listen"));
    site.write("settings.yaml", &settings);
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    scenario_38_nothing_is_relayed_and_nobody_is_hit(&site, gateway, relay);
    scenario_39_internal_headers_of_a_gateway_reach_no_media_server(&site, gateway, gate);
    scenario_59_no_calls_pass_limits_but_no_bans(&site, full);
}

fn bind(at: SocketAddr) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(at).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let own = socket.local_addr().unwrap();
    (socket, own)
}

/// An INVITE; `vias` are its Via lines, and `lines` what else it says.
fn invite(uri: &str, name: &str, vias: &str, lines: &str) -> String {
    format!(
        "INVITE {uri} SIP/2.0\r\n{vias}{lines}From: <sip:x@127.0.0.9>;tag={name}\r\n\
         To: <{uri}>\r\nCall-ID: {name}\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\
         Contact: <sip:x@127.0.0.9>\r\nX-Untouched:  as ; it=\"is\"\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// A Via line of a caller.
fn via(at: SocketAddr, branch: &str) -> String {
    format!("Via: SIP/2.0/UDP {at};branch=z9hG4bK{branch}\r\n")
}

/// The refusal of this call, which is acknowledged.
fn refusal(socket: &UdpSocket, site: &Site, request: &str) -> String {
    socket.send_to(request.as_bytes(), site.sip()).unwrap();
    let (call_id, vias) = (header(request, "Call-ID"), header(request, "Via"));
    loop {
        let (answer, _) = next(socket, "SIP/2.0 ");
        if header(&answer, "Call-ID") == call_id && !answer.starts_with("SIP/2.0 1") {
            let (uri, _) = request["INVITE ".len()..].split_once(' ').unwrap();
            let ack = format!(
                "ACK {uri} SIP/2.0\r\nVia: {vias}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {call_id}\r\n\
                 CSeq: 1 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
                header(request, "From"),
                header(&answer, "To")
            );
            socket.send_to(ack.as_bytes(), site.sip()).unwrap();
            return answer;
        }
    }
}

/// All that comes to a socket in a while: messages and bytes.
fn heard(socket: &UdpSocket, long: Duration) -> (usize, usize) {
    let (end, mut heard) = (now() + long, (0, 0));
    while now() < end {
        if let Ok((bytes, _)) = socket.recv_from(&mut [0; 65_536]) {
            heard = (heard.0 + 1, heard.1 + bytes);
        }
    }
    heard
}

fn scenario_38_nothing_is_relayed_and_nobody_is_hit(
    site: &Site,
    gateway: SocketAddr,
    place: SocketAddr,
) {
    let rm = site.sip();
    let (socket, own) = bind(gateway);
    let number = format!("sip:{RELAY}@{rm}");
    let foreign = format!("sip:{RELAY}@192.0.2.77");
    let routes = format!("Route: <sip:{rm};lr>, <sip:192.0.2.77;lr>\r\n");
    for (name, uri, lines, word) in [
        ("preloaded", &number, &*routes, "preloaded-route"),
        ("foreign", &foreign, "", "relay-refused"),
    ] {
        let answer = refusal(&socket, site, &invite(uri, name, &via(own, name), lines));
        assert!(answer.starts_with("SIP/2.0 403 "), "{name}: {answer}");
        assert_eq!(header(&answer, "Warning"), format!("399 rm-1 \"{word}\""), "{name}");
        let word = format!("ringmaster_rm_answers_total{{code=\"403\",reason=\"{word}\"}}");
        assert_eq!(http::counted(site.rm_http(), &word), Some(1.0), "{name}");
    }

    // Via names somebody else: who has asked is answered, with no more than twice its bytes
    let (stranger, _) = bind(SocketAddr::new(STRANGER, 0));
    let (victim, named) = bind(SocketAddr::new(VICTIM, 0));
    let mut sent = 0;
    for number_of in 0..100 {
        let name = format!("spoofed-{number_of}");
        let text = invite(&number, &name, &via(named, &name), "");
        sent += stranger.send_to(text.as_bytes(), rm).unwrap();
    }
    let (messages, bytes) = heard(&stranger, Duration::from_secs(2));
    assert!(messages > 0 && messages <= 100 && bytes <= 2 * sent, "{messages}, {bytes} of {sent}");
    assert_eq!(heard(&victim, Duration::from_millis(200)), (0, 0));

    // what comes back by another proxy is a loop
    let media = Play::new("relay", "< INVITE; > 603; < ACK", Via::Udp).answer_at(place, place);
    let (caller, own) = bind(SocketAddr::new(CALLER, 0));
    let first = refusal(&caller, site, &invite(&number, "loop", &via(own, "first"), ""));
    assert!(first.starts_with("SIP/2.0 603 "), "{first}");
    let forwarded = &media.received("INVITE ")[0];
    media.finish();
    let vias: String = forwarded
        .lines()
        .filter(|line| line.starts_with("Via: "))
        .map(|v| format!("{v}\r\n"))
        .collect();
    let vias = via(own, "back") + &vias;
    let back = refusal(&caller, site, &invite(&number, "loop", &vias, ""));
    assert!(back.starts_with("SIP/2.0 482 "), "{back}");
    assert_eq!(header(&back, "Warning"), "399 rm-1 \"loop\"");
}

fn scenario_39_internal_headers_of_a_gateway_reach_no_media_server(
    site: &Site,
    gateway: SocketAddr,
    place: SocketAddr,
) {
    let media = Play::new("gate", ANSWERS, Via::Udp).answer_at(place, place);
    let lines = "X-Genesys-GVP-Session-ID : 0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596\n\
                 x-genesys-gvp-session-data: callsession=x\n\
                 X-GENESYS-RM-Application-dbid\t:[fold]7\n\
                 x-genesys-gsw-ivr-profile-name :[fold]other\n\
                 X-Genesys-Gsw-ivr-profile-ID: 205\n\
                 x-genesys-strict-location: enforce\n\
                 x-Genesys-geo-location: berlin\n\
                 X-Other: stays\n";
    let play = Play { lines, ..Play::new("gate", SHORT, Via::Udp) };
    let cdr = ended(site, play.call_from(gateway, site.sip(), GATE));
    assert_eq!((&*cdr["application/name"], &*cdr["resource/name"]), ("gate", "gate-1"));
    let came = &media.received("INVITE ")[0];
    let lower = came.to_lowercase();
    for name in ["gsw-ivr", "strict-location", "geo-location", "0193f2a0", "callsession=x"] {
        assert!(!lower.contains(name), "{name}: {came}");
    }
    for name in ["x-genesys-gvp-session-id", "x-genesys-gvp-session-data", "application-dbid"] {
        assert_eq!(lower.matches(name).count(), 1, "only our own {name}: {came}");
    }
    assert_eq!(header(came, "X-Other"), "stays");
    media.finish();
}

fn scenario_59_no_calls_pass_limits_but_no_bans(site: &Site, at: [SocketAddr; 2]) {
    let metric = |name: &str| http::metric(site.rm_http(), name);
    let before = metric("ringmaster_rm_ledger_in_total");
    // each gets what it waits for, and nothing else
    let play = |name, script| Play { lossy: true, ..Play::new(name, script, Via::Udp) };
    let servers = [
        play("full-1", "< MESSAGE; > 200").answer_at(at[0], at[0]),
        play("full-2", "< NEWMETHOD; > 200").answer_at(at[1], at[1]),
    ];
    for (number, method, code) in [
        (FULL, "MESSAGE", 200),
        (FULL, "NEWMETHOD", 200),
        (FULL, "REFER", 405),
        (FULL, "PUBLISH", 405),
        (BARRED, "MESSAGE", 403),
        (BARRED, "NEWMETHOD", 403),
        (BARRED, "REFER", 405),
        (BARRED, "PUBLISH", 405),
    ] {
        let (name, script) = (format!("{method}-{number}"), format!("> {method}; < {code}"));
        let caller = Play::new(&name, &script, Via::Udp).call(site.sip(), number);
        caller.finish();
    }
    servers.into_iter().for_each(Player::finish);
    assert_eq!(metric("ringmaster_rm_sessions"), 0.0);
    assert_eq!(metric("ringmaster_rm_ledger_in_total"), before, "no leg");
    let all = report::completed(site.rs_http());
    let own =
        |cdr: &Cdr| cdr.get("tenant/name").is_some_and(|name| name == "full" || name == "barred");
    assert!(!all.iter().any(own), "no record: {all:#?}");
}
