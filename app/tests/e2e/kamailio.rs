//! Debian's Kamailio as the SIP Server in front of RM, and as a proxy between RM and media servers.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use crate::calls::{healthy, objects};
use crate::daemon::Daemon;
use crate::flows::{self, Way};
use crate::platform::{Site, eventually, loopback};
use crate::player::is_bound;
use crate::secure::Authority;
use crate::sipp::{Media, Plan, Via};
use crate::{http, report};

/// How it writes itself into the route of a dialog.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Routing {
    /// `;lr`
    Lr,
    /// `;lr=on`
    LrOn,
    /// A strict router of RFC 2543.
    Strict,
}

/// Its listeners at one address.
const LISTEN: &str = "listen=udp:IP:5060\nlisten=tcp:IP:5060\nlisten=tls:IP:5061\n";

/// A running Kamailio with an address of its own; ended with the value.
pub(crate) struct Kamailio {
    pub(crate) address: SocketAddr,
    _daemon: Daemon,
}

impl Kamailio {
    /// Sends calls to `next`, which it asks by OPTIONS.
    pub(crate) fn to(next: &str, routing: Routing, authority: &Authority) -> Self {
        Self::start(&[loopback().ip()], next, routing, "", authority)
    }

    /// At many addresses, behind each of which is a place of its own.
    pub(crate) fn before(places: &[(IpAddr, String)], authority: &Authority) -> Self {
        let mut lines = String::new();
        for (ip, place) in places {
            writeln!(lines, "if ($Ri == \"{ip}\") {{ $du = \"{place}\"; t_relay(); exit; }}")
                .unwrap();
        }
        let own: Vec<IpAddr> = places.iter().map(|(ip, _)| *ip).collect();
        Self::start(&own, "sip:127.0.0.1:9", Routing::Lr, &lines, authority)
    }

    fn start(
        own: &[IpAddr],
        next: &str,
        routing: Routing,
        places: &str,
        authority: &Authority,
    ) -> Self {
        let address = SocketAddr::new(own[0], 5060);
        let certificate = authority.issue(&format!("kamailio-{}", own[0]), own);
        let dir = tempfile::tempdir().unwrap();
        let strict = if routing == Routing::Strict { "" } else { "##" };
        let listeners: String =
            own.iter().map(|ip| LISTEN.replace("IP", &ip.to_string())).collect();
        let lr = if routing == Routing::LrOn { "1" } else { "0" };
        let text = include_str!("scenarios/kamailio.cfg")
            .replace("##STRICT", strict)
            .replace("\"enable_full_lr\", LR", &format!("\"enable_full_lr\", {lr}"))
            .replace("ADDRESS", &address.to_string())
            .replace("DIR", &dir.path().display().to_string())
            .replace("#LISTEN#", &listeners)
            .replace("CERT", &certificate.cert.display().to_string())
            .replace("KEY", &certificate.key.display().to_string())
            .replace("CA_FILE", &authority.ca().display().to_string())
            .replace("#PLACES#", places);
        write(dir.path(), "kamailio.cfg", &text);
        write(dir.path(), "next.list", &format!("1 {next}\n"));
        let is_up = |ip: &IpAddr| {
            is_bound((*ip, 5060).into(), Via::Udp) && is_bound((*ip, 5061).into(), Via::Tcp)
        };
        Self { address, _daemon: Daemon::start(dir, 128, || own.iter().all(is_up)) }
    }
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

#[test]
fn every_flow_with_kamailio_in_front() {
    flows::run(&Way { in_front: Some(Routing::Lr), ..Way::plain(Via::Udp, Via::Udp) });
}

#[test]
fn every_flow_with_kamailio_in_front_that_says_lr_on_and_tcp_behind() {
    flows::run(&Way { in_front: Some(Routing::LrOn), ..Way::plain(Via::Udp, Via::Tcp) });
}

#[test]
fn every_flow_with_a_strict_router_in_front() {
    flows::run(&Way { in_front: Some(Routing::Strict), ..Way::plain(Via::Udp, Via::Udp) });
}

#[test]
fn every_flow_with_kamailio_behind() {
    flows::run(&Way { behind_kamailio: true, ..Way::plain(Via::Tcp, Via::Udp) });
}

#[test]
fn every_flow_between_two_kamailios_over_tcp() {
    let in_front = Some(Routing::LrOn);
    flows::run(&Way { in_front, behind_kamailio: true, ..Way::plain(Via::Tcp, Via::Tcp) });
}

#[test]
fn kamailio_calls_no_rm_that_is_draining() {
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    let _rs = site.start_rs();
    let mut rm = site.start_rm();
    healthy(&site, 1);
    let authority = Authority::new();
    let kamailio = Kamailio::to(&format!("sip:{}", site.sip()), Routing::Lr, &authority);
    let numbers = ["18005550100"];
    let hold = Duration::from_secs(20);
    let held = Plan { hold, ..Plan::new(kamailio.address, &numbers, 1) }.start();
    let metric = |name: &str| http::metric(site.rm_http(), &format!("ringmaster_rm_{name}"));
    eventually("a call up", || metric("sessions"), |sessions| *sessions == 1.0);
    rm.signal("TERM");
    // Kamailio asks every second; the second time it has been told.
    let options = "ringmaster_rm_requests_total{stack=\"proxy\",method=\"OPTIONS\"}";
    let asked = || http::counted(site.rm_http(), options).unwrap_or(0.0);
    let before = asked();
    eventually("OPTIONS of Kamailio", asked, |now| *now >= before + 2.0);
    Plan::new(kamailio.address, &numbers, 1).refused(&site.path("."), 503).run();
    assert_eq!(metric("requests_total{stack=\"proxy\",method=\"INVITE\"}"), 1.0);
    // What is up goes on to its end.
    held.finish();
    assert_eq!(rm.wait(Duration::from_secs(60)).code(), Some(0), "{}", rm.output());
    assert_eq!(report::applied(site.rs_http(), 1)[0]["end-state"], "USER_END");
}
