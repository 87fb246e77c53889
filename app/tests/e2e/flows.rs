//! The call flows of a SIP network, each as three scripts' worth of truth: what the caller sees,
//! what the media servers see, and what RM's account and the report say afterwards.
//!
//! One table; each test runs it whole, with other transports in front of RM and behind it.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use crate::capture::Watch;
use crate::http;
use crate::kamailio::{Kamailio, Routing};
use crate::platform::{MEDIA, Site, eventually, free_port, loopback};
use crate::player::{Play, Player};
use crate::report::{self, Cdr};
use crate::secure::{self, Authority, Tunnel};
use crate::sipp::Via;

/// One way in which a call may go.
struct Flow {
    name: &'static str,
    caller: &'static str,
    /// The media servers in the order in which RM tries them. An empty script must stay untouched.
    media: &'static [&'static str],
    /// What the report says: end state, reason, final status.
    record: (&'static str, &'static str, &'static str),
    /// Each try: the server, counted from 1, and its outcome.
    tries: &'static [&'static str],
}

impl Flow {
    fn meets_silence(&self) -> bool {
        self.tries.iter().any(|one| one.ends_with("timeout"))
    }
}

/// A try of RM that nobody answers is given up after this. Where nobody is silent it is not,
/// however busy the machine may be.
const TRY: &str = "3s";
const TRY_ELSEWHERE: &str = "30s";

/// The servers of flows that take calls and are silent.
const SILENT: [&str; 3] = ["next-after-silence-1", "silence-everywhere-1", "silence-everywhere-2"];

const ANSWER: &str = "> INVITE; < 180; < 200; > ACK; > BYE; < 200";
const ANSWERING: &str = "< INVITE; > 180; > 200; < ACK; < BYE; > 200";
const USER: (&str, &str, &str) = ("USER_END", "normal", "200");
const APP: (&str, &str, &str) = ("APP_END", "normal", "200");
const FIRST: &[&str] = &["1 200"];

const FLOWS: &[Flow] = &[
    Flow { name: "plain", caller: ANSWER, media: &[ANSWERING], record: USER, tries: FIRST },
    Flow {
        name: "bye-by-media",
        caller: "> INVITE; < 180; < 200; > ACK; < BYE; > 200",
        media: &["< INVITE; > 180; > 200; < ACK; > BYE; < 200"],
        record: APP,
        tries: FIRST,
    },
    Flow {
        name: "hold-and-back",
        caller: "> INVITE; < 180; < 200; > ACK; wait 100; > INVITE hold; < 200 hold; > ACK; \
                 wait 100; > INVITE; < 200; > ACK; > BYE; < 200",
        media: &["< INVITE; > 180; > 200; < ACK; < INVITE hold; > 200 hold; < ACK; \
                  < INVITE; > 200; < ACK; < BYE; > 200"],
        record: USER,
        tries: FIRST,
    },
    Flow {
        name: "re-invite-by-media",
        caller: "> INVITE; < 180; < 200; > ACK; < INVITE hold; > 200 hold; < ACK; \
                 < INVITE; > 200; < ACK; > BYE; < 200",
        media: &["< INVITE; > 180; > 200; < ACK; > INVITE hold; < 200 hold; > ACK; wait 100; \
                  > INVITE; < 200; > ACK; < BYE; > 200"],
        record: USER,
        tries: FIRST,
    },
    Flow {
        name: "re-invite-refused",
        caller: "> INVITE; < 180; < 200; > ACK; wait 100; > INVITE; < 491; > ACK; > BYE; < 200",
        media: &["< INVITE; > 180; > 200; < ACK; < INVITE; > 491; < ACK; < BYE; > 200"],
        record: USER,
        tries: FIRST,
    },
    Flow {
        name: "re-invite-into-nothing",
        caller: "> INVITE; < 180; < 200; > ACK; wait 100; > INVITE; < 481; > ACK",
        media: &["< INVITE; > 180; > 200; < ACK; < INVITE; > 481; < ACK"],
        record: ("APP_END", "no-dialog", "200"),
        tries: FIRST,
    },
    Flow {
        name: "update",
        caller: "> INVITE; < 180; < 200; > ACK; wait 100; > UPDATE hold; < 200 hold; \
                 < UPDATE; > 200; wait 100; > BYE; < 200",
        media: &["< INVITE; > 180; > 200; < ACK; < UPDATE hold; > 200 hold; \
                  > UPDATE; < 200; < BYE; > 200"],
        record: USER,
        tries: FIRST,
    },
    Flow {
        name: "info",
        caller: "> INVITE; < 180; < 200; > ACK; wait 100; > INFO; < 200; < INFO; > 200; < BYE; \
                 > 200",
        media: &["< INVITE; > 180; > 200; < ACK; < INFO; > 200; wait 200; > INFO; < 200; > BYE; \
                  < 200"],
        record: APP,
        tries: FIRST,
    },
    Flow {
        name: "early-media",
        caller: "> INVITE; < 183; < 200; > ACK; > BYE; < 200",
        media: &["< INVITE; > 183; wait 200; > 200; < ACK; < BYE; > 200"],
        record: USER,
        tries: FIRST,
    },
    Flow {
        name: "early-media-prack-update",
        caller: "> INVITE; < 183 rel; > PRACK; < 200; > UPDATE hold; < 200 hold; < 200; > ACK; \
                 > BYE; < 200",
        media: &["< INVITE; > 183 rel; < PRACK; > 200; < UPDATE hold; > 200 hold; wait 100; \
                  > 200; < ACK; < BYE; > 200"],
        record: USER,
        tries: FIRST,
    },
    Flow {
        name: "transfer",
        caller: "> INVITE; < 180; < 200; > ACK; < REFER; > 202; < BYE; > 200",
        media: &["< INVITE; > 180; > 200; < ACK; > REFER; < 202; > BYE; < 200"],
        record: ("TRANSFERRED", "normal", "200"),
        tries: FIRST,
    },
    Flow {
        name: "moved",
        caller: "> INVITE; < 302; > ACK",
        media: &["< INVITE; > 302; < ACK", ""],
        record: ("REJECTED", "forwarded", "302"),
        tries: &["1 302"],
    },
    Flow {
        name: "not-found",
        caller: "> INVITE; < 404; > ACK",
        media: &["< INVITE; > 404; < ACK", ""],
        record: ("REJECTED", "forwarded", "404"),
        tries: &["1 404"],
    },
    Flow {
        name: "busy-everywhere",
        caller: "> INVITE; < 486; > ACK",
        media: &["< INVITE; > 486; < ACK", "< INVITE; > 480; < ACK"],
        record: ("REJECTED", "forwarded", "486"),
        tries: &["1 486", "2 480"],
    },
    Flow {
        name: "declined",
        caller: "> INVITE; < 603; > ACK",
        media: &["< INVITE; > 603; < ACK", ""],
        record: ("REJECTED", "forwarded", "603"),
        tries: &["1 603"],
    },
    Flow {
        name: "busy-after-180",
        caller: "> INVITE; < 180; < 486; > ACK",
        media: &["< INVITE; > 180; > 486; < ACK", ""],
        record: ("REJECTED", "forwarded", "486"),
        tries: &["1 486"],
    },
    Flow {
        name: "next-after-480",
        caller: ANSWER,
        media: &["< INVITE; > 480; < ACK", ANSWERING],
        record: USER,
        tries: &["1 480", "2 200"],
    },
    Flow {
        name: "next-after-503",
        caller: ANSWER,
        media: &["< INVITE; > 503; < ACK", "< INVITE; > 500; < ACK", ANSWERING],
        record: USER,
        tries: &["1 503", "2 500", "3 200"],
    },
    Flow {
        name: "next-after-silence",
        caller: "> INVITE slow; < 180; < 200; > ACK; > BYE; < 200",
        media: &["< INVITE; wait 10000", ANSWERING],
        record: USER,
        tries: &["1 timeout", "2 200"],
    },
    Flow {
        name: "silence-everywhere",
        caller: "> INVITE slow; < 480; > ACK",
        media: &["< INVITE; wait 10000", "< INVITE; wait 10000"],
        record: ("REJECTED", "hunt-failed", "480"),
        tries: &["1 timeout", "2 timeout"],
    },
    Flow {
        name: "late-200",
        caller: ANSWER,
        media: &["< INVITE; wait 10000; > 200; < ACK; < BYE; > 200", ANSWERING],
        record: USER,
        tries: &["1 timeout", "2 200"],
    },
    Flow {
        name: "late-180",
        caller: "> INVITE; < 180; < 200; > ACK; wait 9000; > BYE; < 200",
        media: &["< INVITE; wait 10000; > 180; < CANCEL; > 200; > 487; < ACK", ANSWERING],
        record: USER,
        tries: &["1 timeout", "2 200"],
    },
    Flow {
        name: "cancel-before-180",
        caller: "> INVITE; > CANCEL; < 180 maybe of INVITE; < 200; < 180 maybe; < 487; > ACK",
        media: &["< INVITE; wait 300; > 180; < CANCEL; > 200; > 487; < ACK", ""],
        record: ("CANCELLED", "cancelled", "487"),
        tries: &["1 487"],
    },
    Flow {
        name: "cancel-after-180",
        caller: "> INVITE; < 180; > CANCEL; < 200; < 487; > ACK",
        media: &["< INVITE; > 180; < CANCEL; > 200; > 487; < ACK", ""],
        record: ("CANCELLED", "cancelled", "487"),
        tries: &["1 487"],
    },
    Flow {
        name: "cancel-crosses-200",
        caller: "> INVITE; < 180; > CANCEL; < 200; < 200; > ACK; > BYE; < 200",
        media: &["< INVITE; > 180; < CANCEL; > 200; > 200; < ACK; < BYE; > 200", ""],
        record: USER,
        tries: FIRST,
    },
    Flow {
        name: "never-acknowledged",
        caller: "> INVITE; < 180; < 200; < BYE; > 200",
        media: &["< INVITE; > 180; > 200 once; wait 300; > BYE; < 200"],
        record: APP,
        tries: FIRST,
    },
];

/// A media server that plays, or an address at which nothing may arrive.
enum Server {
    Playing(Player, SocketAddr),
    Quiet { udp: UdpSocket, tcp: TcpListener, address: SocketAddr },
}

impl Server {
    /// `contact`: where RM reaches it, if not directly.
    fn start(name: &str, script: &str, via: Via, contact: Option<SocketAddr>) -> Self {
        if !script.is_empty() {
            let own = Play::reserve();
            let player = Play::new(name, script, via).answer_at(own, contact.unwrap_or(own));
            return Self::Playing(player, own);
        }
        let address = SocketAddr::new(MEDIA, free_port(MEDIA));
        let (udp, tcp) = (UdpSocket::bind(address).unwrap(), TcpListener::bind(address).unwrap());
        udp.set_nonblocking(true).unwrap();
        tcp.set_nonblocking(true).unwrap();
        Self::Quiet { udp, tcp, address }
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Playing(_, own) => *own,
            Self::Quiet { address, .. } => *address,
        }
    }

    fn finish(self) {
        match self {
            Self::Playing(player, _) => player.finish(),
            Self::Quiet { udp, tcp, address } => {
                assert!(udp.recv(&mut [0; 100]).is_err(), "a packet came to {address}");
                assert!(tcp.accept().is_err(), "a connection came to {address}");
            }
        }
    }
}

/// Each flow has a tenant with a number and media servers of its own.
fn objects(way: &Way, servers: &[Vec<SocketAddr>]) -> String {
    let mut objects = Vec::new();
    for ((number, flow), servers) in way.flows().zip(servers) {
        let name = flow.name;
        let mut text = format!(
            "kind: Tenant\nname: {name}\nspec: {{}}\n---\n\
             kind: IvrProfile\nname: {name}\ntenant: {name}\nspec:\n  service: voicexml\n  \
               initial_page_url: \"http://apps.example/{name}.vxml\"\n---\n\
             kind: DidGroup\nname: {name}\ntenant: {name}\n\
             spec: {{ profile: {name}, dids: [\"{number}\"] }}\n"
        );
        // those that are given up come first
        for (preference, patience) in [(1, TRY), (2, TRY_ELSEWHERE)] {
            let given_up = |at: usize| flow.tries.contains(&&*format!("{at} timeout"));
            let own = (1..).zip(servers).filter(|(at, _)| given_up(*at) == (patience == TRY));
            let own: String = own
                .map(|(at, address)| {
                    let uri = format!("sip:{address}{}", way.behind.param());
                    format!("    - {{ name: {name}-{at}, address: \"{uri}\" }}\n")
                })
                .collect();
            if !own.is_empty() {
                write!(
                    text,
                    "---\nkind: ResourceGroup\nname: {name}-{preference}\ntenant: {name}\n\
                     spec:\n  services: [voicexml]\n  preference: {preference}\n  \
                       monitor: {{ method: none }}\n  try_timeout: {patience}\n  \
                       resources:\n{own}"
                )
                .unwrap();
            }
        }
        objects.push(text);
    }
    objects.join("---\n")
}

/// What lies between the callers and the media servers.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) front: Via,
    pub(crate) behind: Via,
    /// A Kamailio in front of RM.
    pub(crate) in_front: Option<Routing>,
    /// A Kamailio between RM and the media servers. Since it says 100, there is no silence then.
    pub(crate) behind_kamailio: bool,
}

impl Way {
    /// RM alone.
    pub(crate) fn plain(front: Via, behind: Via) -> Self {
        Self { front, behind, in_front: None, behind_kamailio: false }
    }

    /// The table, with each flow's number.
    fn flows(&self) -> impl Iterator<Item = (String, &'static Flow)> + Clone {
        let skip = self.behind_kamailio;
        let numbered = (0..).map(|n| format!("1800555{n:04}")).zip(FLOWS);
        numbered.filter(move |(_, flow)| !(skip && flow.meets_silence()))
    }
}

/// The media servers of all flows, and what stands in front of them.
struct Behind {
    servers: Vec<Vec<Server>>,
    /// Where RM reaches them.
    addresses: Vec<Vec<SocketAddr>>,
    _proxy: Option<Kamailio>,
    _tunnels: Vec<Tunnel>,
}

impl Behind {
    fn start(way: &Way, authority: &Authority) -> Self {
        let direct = way.behind != Via::Tls && !way.behind_kamailio;
        let of_flow = |flow: &Flow| -> Vec<_> {
            flow.media
                .iter()
                .map(|script| {
                    // A proxy puts itself into the route, a tunnel must stand in Contact.
                    let shown = (!direct).then(|| way.behind.at(loopback()));
                    let contact = shown.filter(|_| !way.behind_kamailio);
                    let via = if way.behind_kamailio { way.behind.below_tls() } else { way.behind };
                    let server = Server::start(flow.name, script, via, contact);
                    let address = shown.unwrap_or(server.address());
                    (server, address)
                })
                .collect()
        };
        let (servers, addresses): (Vec<Vec<Server>>, Vec<Vec<SocketAddr>>) =
            way.flows().map(|(_, flow)| of_flow(flow).into_iter().unzip()).unzip();
        let pairs = || servers.iter().flatten().zip(addresses.iter().flatten());
        let shown: Vec<IpAddr> = pairs().map(|(_, address)| address.ip()).collect();
        let via = way.behind.below_tls();
        let proxy = way.behind_kamailio.then(|| {
            let place = |server: &Server| format!("sip:{}{}", server.address(), via.param());
            let places: Vec<_> = pairs().map(|(one, at)| (at.ip(), place(one))).collect();
            Kamailio::before(&places, authority)
        });
        let mut tunnels = Vec::new();
        if !direct && proxy.is_none() {
            let certificate = authority.issue("media", &shown);
            for (server, address) in pairs() {
                tunnels.push(Tunnel::before(server.address(), *address, &certificate));
            }
        }
        Self { servers, addresses, _proxy: proxy, _tunnels: tunnels }
    }
}

/// Runs the whole table at once: calls of all kinds are on their way side by side.
pub(crate) fn run(way: &Way) {
    let flows = way.flows();
    let authority = Authority::new();
    let Behind { servers, addresses, _proxy, _tunnels } = Behind::start(way, &authority);
    let site = Site::new(&objects(way, &addresses));
    if [way.front, way.behind].contains(&Via::Tls) {
        secure::add_listener(&site, &authority);
    }
    let _rs = site.start_rs();
    // Where RM's words come out of socats.
    let near = loopback().ip();
    let mut clear: Vec<IpAddr> = if _tunnels.is_empty() {
        Vec::new()
    } else {
        addresses.iter().flatten().map(SocketAddr::ip).collect()
    };
    clear.extend((way.front == Via::Tls && way.in_front.is_none()).then_some(near));
    let _rm = site.start_rm_watched(Watch { clear, ..Watch::default() });
    let rm = way.front.at(site.sip());
    let in_front = way.in_front.map(|routing| {
        Kamailio::to(&format!("sip:{rm}{}", way.front.param()), routing, &authority)
    });
    let mut tunnels = Vec::new();
    let mut call = |(number, flow): (String, &'static Flow)| {
        let play = |via| Play::new(flow.name, flow.caller, via);
        match (&in_front, way.front) {
            (Some(proxy), via) => play(via.below_tls()).call(proxy.address, &number),
            (None, Via::Tls) => {
                let tunnel = Tunnel::to_rm(rm, &authority, near);
                let player = play(Via::Tls).call_by(tunnel.near, tunnel.far, &number);
                tunnels.push(tunnel);
                player
            }
            (None, via) => play(via).call(rm, &number),
        }
    };
    let callers: Vec<Player> = flows.clone().map(&mut call).collect();
    callers.into_iter().for_each(Player::finish);
    servers.into_iter().flatten().for_each(Server::finish);
    let count = flows.clone().count();
    nothing_is_left(&site, count);
    let cdrs = report::exactly(site.rm_http(), site.rs_http(), count);
    for (_, flow) in flows {
        let call_id = format!("{}-1@127.0.0.2", flow.name);
        let of_flow = cdrs.iter().find(|cdr| cdr["call-id"] == call_id);
        check(&site, way, flow, of_flow.unwrap_or_else(|| panic!("{call_id} in {cdrs:#?}")));
    }
}

/// RM's own account: so many legs have begun and ended, and nothing is held for them any more.
pub(crate) fn nothing_is_left(site: &Site, legs: usize) {
    let metric = |name: &str| http::metric(site.rm_http(), name);
    let legs = f64::from(u32::try_from(legs).unwrap());
    let ended = || metric("ringmaster_rm_ledger_out_total");
    eventually("legs that have ended", ended, |ended| *ended >= legs);
    assert_eq!(metric("ringmaster_rm_ledger_in_total"), legs);
    assert_eq!(metric("ringmaster_rm_ledger_out_total"), legs);
    assert_eq!(metric("ringmaster_rm_ledger_open"), 0.0);
    let calls = http::json(site.rm_http(), "/v1/calls");
    assert_eq!(calls["calls"].as_array().unwrap().len(), 0, "{calls}");
    // A session can be joined for some seconds behind its last leg.
    eventually("no session", || metric("ringmaster_rm_sessions"), |sessions| *sessions == 0.0);
    let used = || {
        let resources = http::json(site.rm_http(), "/v1/resources");
        let all = resources["resources"].as_array().unwrap().iter();
        let used = all.filter(|one| one["used"] != 0);
        used.map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // A server that never said a word may do so for 32 s, and keeps the place of the try so long.
    let none = |used: &Vec<String>| used.iter().all(|name| SILENT.contains(&&**name));
    eventually("no place taken", used, none);
}

fn check(site: &Site, way: &Way, flow: &Flow, cdr: &Cdr) {
    let name = flow.name;
    let (end_state, reason, status) = flow.record;
    let found = [&cdr["end-state"], &cdr["reason"], &cdr["sip-status"]];
    assert_eq!(found, [end_state, reason, status], "{name}: {cdr:#?}");
    assert_eq!(cdr["tenant/name"], name);
    let last = flow.tries.last().unwrap().split(' ').next().unwrap();
    assert_eq!(cdr["resource/name"], format!("{name}-{last}"), "{cdr:#?}");
    // Fractions are trimmed; without the Z, shorter is earlier.
    let at = |what: &str| cdr.get(what).map(|time| time.trim_end_matches('Z'));
    let (start, answer, end) = (at("start"), at("answer"), at("end"));
    assert_eq!(answer.is_some(), status == "200", "{name}: {cdr:#?}");
    assert!(start <= answer.or(start) && answer.or(start) <= end, "{name}: {cdr:#?}");

    let path = format!("/api/v1/calls/{}?include=trace,events", cdr["gvp-guid"]);
    let call = http::json(site.rs_http(), &path);
    let legs = call["legs"].as_array().unwrap();
    assert_eq!(legs.len(), 1, "{name}: {call:#}");
    assert_eq!(call["integrity"]["complete"], true, "{name}: {call:#}");
    let tries: Vec<String> = legs[0]["extra"]["tries"]
        .as_array()
        .unwrap_or_else(|| panic!("{name}: tries of {call:#}"))
        .iter()
        .map(|one| {
            let server = one["resource"].as_str().unwrap().trim_start_matches(name);
            let outcome = one["sip_status"].as_u64().map(|code| code.to_string());
            let outcome = outcome.unwrap_or_else(|| one["reason"].as_str().unwrap().to_owned());
            format!("{} {outcome}", server.trim_start_matches('-'))
        })
        .collect();
    // A proxy passes no 503 on but makes it a 500 (RFC 3261 §16.7 step 6), Kamailio too.
    let expected = |one: &&str| {
        if way.behind_kamailio { one.replace("503", "500") } else { (*one).to_owned() }
    };
    let expected: Vec<String> = flow.tries.iter().map(expected).collect();
    assert_eq!(tries, expected, "{name}: {call:#}");
    let late = call.to_string().contains("late-answer");
    assert_eq!(late, name.starts_with("late-"), "{name}: {call:#}");
}

#[test]
fn every_flow_over_udp() {
    run(&Way::plain(Via::Udp, Via::Udp));
}

#[test]
fn every_flow_over_tcp() {
    run(&Way::plain(Via::Tcp, Via::Tcp));
}

#[test]
fn every_flow_with_udp_in_front_and_tcp_behind() {
    run(&Way::plain(Via::Udp, Via::Tcp));
}

#[test]
fn every_flow_with_tcp_in_front_and_udp_behind() {
    run(&Way::plain(Via::Tcp, Via::Udp));
}
