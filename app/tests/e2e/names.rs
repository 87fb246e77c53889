//! Media servers and next hops by host name, through a real name server: which one gets a call,
//! what happens when it, or the name server, is gone.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::calls::{healthy, objects_at};
use crate::dns::{Dnsmasq, domain};
use crate::http;
use crate::platform::{MEDIA, Site, eventually, free_port, loopback, run};
use crate::player::{Play, Player};
use crate::report;
use crate::secure::{self, Authority, Tunnel};
use crate::sipp::{Media, Plan, Via};

const NAME: &str = "voice.test";
const NUMBER: &[&str] = &["18005550100"];
const PAGE: &str = include_str!("../../../docs/operate/names.md");

/// RM with one media server of this name, and a name server.
fn site(name: &str, dns: &Dnsmasq) -> Site {
    site_with(&objects_at(&[name], "{}"), dns)
}

fn site_with(objects: &str, dns: &Dnsmasq) -> Site {
    let site = Site::new(objects);
    dns.tell(&site);
    site
}

/// The same where media servers are not asked for their health: each plays one script.
fn unprobed(objects: &str) -> String {
    objects.replace("interval: 1s, timeout: 500ms, down_after: 5", "method: none")
}

fn only(servers: &[&Media], ranks: &[(u16, u16)]) -> Vec<String> {
    let servers: Vec<_> = servers
        .iter()
        .zip(ranks)
        .map(|(one, (priority, weight))| (*priority, *weight, one.address))
        .collect();
    domain(NAME, Via::Udp, &servers)
}

fn failovers(site: &Site, reason: &str) -> f64 {
    let name = format!("ringmaster_rm_address_failovers_total{{reason=\"{reason}\"}}");
    http::counted(site.rm_http(), &name).unwrap_or_default()
}

fn resource(site: &Site) -> serde_json::Value {
    http::json(site.rm_http(), "/v1/resources")["resources"][0].clone()
}

#[test]
fn calls_go_to_the_first_target_and_to_the_second_when_it_is_gone_unseen_by_the_caller() {
    let (first, second) = (Media::start(), Media::start());
    let dns = Dnsmasq::start(&only(&[&first, &second], &[(10, 0), (20, 0)]));
    // probes come too rarely to tell
    let objects = objects_at(&[NAME], "{}").replace("interval: 1s", "interval: 60s");
    let site = site_with(&objects, &dns);
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    healthy(&site, 1);
    Plan::new(site.sip(), NUMBER, 10).run();
    assert_eq!((first.answered().len(), second.answered().len()), (10, 0));
    drop(first);
    Plan::new(site.sip(), NUMBER, 10).run();
    assert_eq!(second.answered().len(), 10);
    assert!(failovers(&site, "transport") >= 1.0);
    assert_eq!(resource(&site)["state"], "healthy");
    for cdr in report::exactly(site.rm_http(), site.rs_http(), 20) {
        assert_eq!((&*cdr["resource/name"], &*cdr["sip-status"]), ("mcp-1", "200"));
        let path = format!("/api/v1/calls/{}?include=trace,events", cdr["gvp-guid"]);
        let call = http::json(site.rs_http(), &path);
        let tries = call["legs"][0]["extra"]["tries"].as_array().map_or(1, Vec::len);
        assert_eq!(tries, 1, "another address is no other try: {call:#}");
    }
}

#[test]
fn weights_share_the_calls_of_one_priority() {
    let (most, few, none) = (Media::start(), Media::start(), Media::start());
    let ranks = [(10, 90), (10, 10), (20, 100)];
    let dns = Dnsmasq::start(&only(&[&most, &few, &none], &ranks));
    let site = site(NAME, &dns);
    let _rm = site.start_rm();
    healthy(&site, 1);
    Plan::new(site.sip(), NUMBER, 200).run();
    let count = [&most, &few, &none].map(|one| one.answered().len());
    // 180 and 20 are likely; these bounds are missed once in many thousand runs
    assert!((150..=197).contains(&count[0]), "{count:?}");
    assert_eq!((count[0] + count[1], count[2]), (200, 0));
}

#[test]
fn a_new_address_is_seen_when_the_old_one_has_lived_its_time() {
    let (former, next) = (Media::start(), Media::start());
    let mut dns = Dnsmasq::start(&only(&[&former], &[(10, 0)]));
    let site = site(NAME, &dns);
    let rm = site.start_rm();
    healthy(&site, 1);
    Plan::new(site.sip(), NUMBER, 5).run();
    dns.serve(&only(&[&next], &[(10, 0)]));
    let line = rm.line_with(&format!("{}", next.address));
    assert!(line.contains(" 20119 "), "{line}");
    Plan::new(site.sip(), NUMBER, 5).run();
    assert_eq!((former.answered().len(), next.answered().len()), (5, 5));
}

#[test]
fn a_name_that_does_not_exist_takes_no_call_until_it_does() {
    let media = Media::start();
    let mut dns = Dnsmasq::start(&[]);
    let site = site(NAME, &dns);
    let rm = site.start_rm();
    eventually("it is dead", || resource(&site)["state"].clone(), |state| *state == "dead");
    assert_eq!(resource(&site)["last_error"], "sip:voice.test: nothing");
    assert!(rm.line_with(" 20118 ").contains("sip:voice.test"));
    Plan::new(site.sip(), NUMBER, 1).refused(&site.path("."), 480).run();
    dns.serve(&only(&[&media], &[(10, 0)]));
    healthy(&site, 1);
    Plan::new(site.sip(), NUMBER, 5).run();
    assert_eq!(media.answered().len(), 5);
}

#[test]
fn known_names_serve_on_when_the_name_server_is_gone_and_unknown_ones_are_refused() {
    let mut dns = Dnsmasq::away();
    // "where" is in the answer of the media server, a name that nobody has asked for before
    let play = Play {
        contact: Some("where.test:5070"),
        ..Play::new("nameless", "< INVITE; > 200 once", Via::Udp)
    };
    let media = play.answer();
    dns.serve(&domain(NAME, Via::Udp, &[(10, 0, media.address)]));
    let site = site_with(&unprobed(&objects_at(&[NAME], "{}")), &dns);
    let _rm = site.start_rm();
    healthy(&site, 1);
    dns.stop();
    let stale = || http::metric(site.rm_http(), "ringmaster_rm_name_stale_seconds");
    eventually("the answer is old", stale, |age| *age > 2.0);
    // The call is set up by the old answer; its BYE needs a name that is not known.
    let caller = "> INVITE; < 200; > ACK; > BYE once; < 502";
    Play::new("nameless", caller, Via::Udp).call(site.sip(), NUMBER[0]).finish();
    media.finish();
    let answers = "ringmaster_rm_answers_total{code=\"502\",reason=\"next-hop\"}";
    assert_eq!(http::metric(site.rm_http(), answers), 1.0);
    assert_eq!(resource(&site)["state"], "healthy");
}

#[test]
fn requests_inside_a_dialog_follow_a_host_name_and_pass_over_an_address_that_is_gone() {
    let own = Play::reserve();
    let gone = SocketAddr::new(loopback().ip(), own.port());
    let contact = format!("media.test:{}", own.port());
    // Of two addresses a name server tells now the one, now the other first.
    let hosts = [own.ip(), gone.ip()].map(|ip| format!("--host-record=media.test,{ip}"));
    let dns = Dnsmasq::start(&hosts);
    let script = "< INVITE; > 180; > 200; < ACK; < INVITE hold; > 200 hold; < ACK; \
                  < INFO; > 200; < BYE; > 200";
    let play = Play { contact: Some(&contact), ..Play::new("named", script, Via::Udp) };
    let media = play.answer_at(own, own);
    // Both addresses are a media server's, else nothing may be sent there.
    let places = [own.to_string(), gone.to_string()];
    let site = site_with(&unprobed(&objects_at(&places, "{}")), &dns);
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    healthy(&site, 2);
    let caller = "> INVITE; < 180; < 200; > ACK; wait 800; > INVITE hold; < 200 hold; > ACK; \
                  wait 800; > INFO; < 200; > BYE; < 200";
    Play::new("named", caller, Via::Udp).call(site.sip(), NUMBER[0]).finish();
    media.finish();
    let cdr = &report::exactly(site.rm_http(), site.rs_http(), 1)[0];
    assert_eq!((&*cdr["end-state"], &*cdr["sip-status"]), ("USER_END", "200"));
}

#[test]
fn a_name_with_an_ipv6_address_is_reached_there() {
    let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let media = Media::start_at(SocketAddr::new(six, free_port(six)));
    let dns = Dnsmasq::start(&only(&[&media], &[(10, 0)]));
    let site = site(NAME, &dns);
    let text = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let listen = format!("listen: [\"udp:[::1]:{}\", ", free_port(six));
    site.write("settings.yaml", &text.replacen("listen: [", &listen, 1));
    let _rm = site.start_rm();
    healthy(&site, 1);
    Plan::new(site.sip(), NUMBER, 10).run();
    assert_eq!(media.answered().len(), 10);
}

/// A media server under TLS that shows a certificate for `name`, and where it is.
fn secured(authority: &Authority, name: &str, script: &str) -> (Player, Tunnel) {
    let (own, shown) = (Play::reserve(), Via::Tls.at(loopback()));
    let server = Play::new(name, script, Via::Tls).answer_at(own, shown);
    let certificate = authority.issue_for(name, &[format!("DNS:{name}")]);
    (server, Tunnel::before(own, shown, &certificate))
}

#[test]
fn under_tls_the_name_of_the_resource_must_be_proven_and_another_is_passed_over() {
    let authority = Authority::new();
    // Its certificate is good, but that of somebody else.
    let (untouched, other) = secured(&authority, "other.test", "< INVITE; > 200");
    let script = "< INVITE; > 180; > 200; < ACK; < BYE; > 200";
    let (right, tunnel) = secured(&authority, NAME, script);
    let dns = Dnsmasq::start(&domain(NAME, Via::Tls, &[(10, 0, other.near), (20, 0, tunnel.near)]));
    let site = site_with(&unprobed(&objects_at(&["voice.test;transport=tls"], "{}")), &dns);
    secure::add_listener(&site, &authority);
    let rm = site.start_rm();
    healthy(&site, 1);
    let caller = "> INVITE; < 180; < 200; > ACK; > BYE; < 200";
    Play::new("secure", caller, Via::Udp).call(site.sip(), NUMBER[0]).finish();
    right.finish();
    assert_eq!(untouched.log("messages.log"), "");
    let line = rm.line_with(" 20121 ");
    for part in [
        other.near.to_string().as_str(),
        "not valid for name \\\"voice.test\\\"; certificate is only valid for other.test",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert_eq!(failovers(&site, "transport"), 1.0);
}

#[test]
fn under_tls_a_next_hop_must_prove_the_host_name_of_the_contact() {
    for (proven, end) in [("media.test", "< 200"), ("other.test", "< 502")] {
        let authority = Authority::new();
        let (own, far, near) = (Play::reserve(), Via::Tls.at(loopback()), Via::Tls.at(loopback()));
        let media = if end == "< 200" {
            "< INVITE; > 200; < ACK; < BYE; > 200"
        } else {
            "< INVITE; > 200 once"
        };
        let play = Play { contact: Some("media.test:5061"), ..Play::new("hop", media, Via::Tls) };
        let media = play.answer_at(own, far);
        // Calls come by the one door, what follows inside the dialog goes to the other.
        let shown = authority.issue_for("door", &[format!("DNS:{NAME}")]);
        let _door = Tunnel::before(own, far, &shown);
        let shown = authority.issue_for("hop", &[format!("DNS:{proven}")]);
        let _hop = Tunnel::before(own, near, &shown);
        let mut records = domain(NAME, Via::Tls, &[(10, 0, far)]);
        records.push(format!("--host-record=media.test,{}", near.ip()));
        let dns = Dnsmasq::start(&records);
        // Some media server is at the next hop's address, else nothing may be sent there.
        let places = ["voice.test;transport=tls".to_owned(), format!("{}:9", near.ip())];
        let site = site_with(&unprobed(&objects_at(&places, "{}")), &dns);
        secure::add_listener(&site, &authority);
        let rm = site.start_rm();
        healthy(&site, 2);
        let caller = format!("> INVITE; < 200; > ACK; wait 300; > BYE once; {end}");
        Play::new("hop", &caller, Via::Udp).call(site.sip(), NUMBER[0]).finish();
        media.finish();
        if proven != "media.test" {
            let line = rm.line_with(" 20121 ");
            assert!(line.contains("not valid for name \\\"media.test\\\""), "{line}");
        }
    }
}

/// The blocks of the page in one language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(fence.as_str()).skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn the_page_about_names_works_as_it_is_written() {
    let (first, second) = (Media::start(), Media::start());
    let mut dns = Dnsmasq::away();
    let ports = |text: &str| {
        text.replace("127.0.0.1:5353", &dns.address.to_string())
            .replace("listen-address=127.0.0.1", &format!("listen-address={}", dns.address.ip()))
            .replace("port=5353", &format!("port={}", dns.address.port()))
            .replace(",5070,", &format!(",{},", first.address.port()))
            .replace(",5071,", &format!(",{},", second.address.port()))
    };
    let [zone] = blocks("conf")[..] else { panic!("one zone") };
    let [serve, start, see] = blocks("sh")[..] else { panic!("three blocks of commands") };
    let [settings, resource] = blocks("yaml")[..] else { panic!("settings and a resource") };
    assert_eq!(first.address.ip(), MEDIA);
    assert_eq!(zone.matches(&MEDIA.to_string()).count(), 2);

    let objects = objects_at(&["replaced"], "{}");
    let line = objects.lines().find(|line| line.contains("replaced")).unwrap().to_owned();
    let site = Site::new(&objects.replace(&line, resource.trim_end()));
    let zone = site.write("zone.conf", &ports(zone));
    let text = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    site.write("settings.yaml", &text.replacen("rm:\n", &ports(settings), 1));
    let options: Vec<&str> = serve.split_whitespace().collect();
    assert_eq!(options, ["dnsmasq", "--no-daemon", "--conf-file=zone.conf"]);
    dns.run(&[format!("--conf-file={}", zone.display())], &[]);

    let (code, out, err) = run(&site.path("."), &["check", "settings.yaml", "platform.yaml"]);
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    assert_eq!(start.trim(), "ringmaster rm -c settings.yaml");
    let _rm = site.start_rm();
    healthy(&site, 1);
    let words: BTreeMap<&str, &str> = see.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(words["ringmaster"], "resources");
    let (code, out, err) =
        run(&site.path("."), &["resources", "--rm", &format!("http://{}", site.rm_http())]);
    assert!(
        code == 0 && out.contains("mcp.voice.example") && out.contains("healthy"),
        "{out}{err}"
    );
    assert!(words["curl"].contains("http://127.0.0.1:8300/metrics"), "{see}");
    let metrics = http::get(site.rm_http(), "/metrics").unwrap().body;
    for named in PAGE.split('`').filter(|word| word.starts_with("ringmaster_rm_name")) {
        assert!(metrics.contains(named.split('{').next().unwrap()), "{named}");
    }
    Plan::new(site.sip(), NUMBER, 5).run();
    assert_eq!((first.answered().len(), second.answered().len()), (5, 0));
}
