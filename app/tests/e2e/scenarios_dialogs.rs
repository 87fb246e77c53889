//! Scenarios of rm.md §14 about dialogs: forged tokens, a rotation of keys under calls, and calls
//! that name another one.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::held::{ANSWERS, SHORT, call, header, hold};
use crate::hops::next;
use crate::http;
use crate::platform::{CALLER, Process, Site, eventually};
use crate::player::Play;
use crate::report;
use crate::sipp::{Media, Plan, Via};
use crate::tenants::{Tenant, places};

const FORGED: &str = "3201";
const KEYS: &str = "3301";
const PINNED: &str = "5801";

#[test]
fn scenarios_32_33_and_58() {
    let [forged, keys] = places();
    let pinned: [SocketAddr; 2] = places();
    let group = "services: [voicexml], try_timeout: 30s, port_capacity: 1";
    let tenants = [
        Tenant::new("forged", FORGED, &[forged]).objects(),
        Tenant::new("keys", KEYS, &[keys]).objects(),
        Tenant { group, ..Tenant::new("pinned", PINNED, &pinned) }.objects(),
    ];
    let site = Site::new(&tenants.concat());
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let keyed = settings.replacen("rm-1\n", "rm-1\n  cluster: { key_file: keys }\n", 1);
    site.write("settings.yaml", &keyed);
    site.write("keys", &key(1));
    let _rs = site.start_rs();
    let rm = site.start_rm();
    scenario_32_forged_tokens_get_481_and_change_nothing(&site, &rm, forged);
    scenario_58_a_call_that_names_another_goes_to_its_server(&site, pinned);
    scenario_33_a_rotation_of_keys_fails_no_request(&site, &rm, keys);
}

/// A line of the file of keys.
fn key(id: u8) -> String {
    format!("{id} {}\n", format!("{id:02x}").repeat(32))
}

/// The route with some bits of one letter of its token turned over.
fn forged_route(route: &str, letter: usize, bits: usize) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = route.find("sip:rm-").unwrap() + "sip:rm-".len() + letter;
    let value = LETTERS.find(&route[at..=at]).unwrap() ^ bits;
    format!("{}{}{}", &route[..at], &LETTERS[value..=value], &route[at + 1..])
}

fn scenario_32_forged_tokens_get_481_and_change_nothing(
    site: &Site,
    rm: &Process,
    place: SocketAddr,
) {
    let media = Play::new("forged", ANSWERS, Via::Udp).answer_at(place, place);
    let held = hold(site, &Play::new("forged", "", Via::Udp), FORGED);
    let call_id = &*held.player.call_id;
    let ok = &held.player.received("SIP/2.0 200 ")[0];
    let (route, to) = (header(ok, "Record-Route"), header(ok, "To"));
    let socket = UdpSocket::bind((CALLER, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let own = socket.local_addr().unwrap();
    for (what, route, call_id) in [
        ("bit", forged_route(route, 30, 1), call_id),
        ("call", route.to_owned(), "other@127.0.0.2"),
        // the second byte is the number of the key
        ("key", forged_route(route, 2, 0b10_0000), call_id),
    ] {
        let bye = format!(
            "BYE sip:media@{place} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{what}\r\n\
             Route: {route}\r\nFrom: <sip:x@127.0.0.2>;tag=stranger\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: 2 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(bye.as_bytes(), site.sip()).unwrap();
        let (answer, _) = next(&socket, "SIP/2.0 ");
        assert!(answer.starts_with("SIP/2.0 481 "), "{what}: {answer}");
        assert_eq!(header(&answer, "Warning"), "399 rm-1 \"bad-token\"", "{what}");
    }
    let line = rm.line_with(" 20104 ");
    assert!(
        line.contains("WARN") && line.contains("reason=bad-token status=481 source=127.0.0.2:"),
        "{line}"
    );
    let told = "ringmaster_log_messages_total{level=\"WARN\",log_id=\"20104\"}";
    assert_eq!(http::counted(site.rm_http(), told), Some(3.0));
    let shown = http::json(site.rm_http(), &format!("/v1/calls/{}", held.session));
    assert_eq!(shown["leg"][0]["state"], "up", "{shown}");
    assert_eq!(media.received("BYE ").len(), 0, "nothing is forwarded");
    held.hang_up(site);
    media.finish();
    let all = report::completed(site.rs_http());
    assert!(all.iter().all(|cdr| cdr["call-id"] != "other@127.0.0.2"), "{all:#?}");
}

fn scenario_33_a_rotation_of_keys_fails_no_request(site: &Site, rm: &Process, place: SocketAddr) {
    let media = Media::start_at(place);
    let numbers = [KEYS];
    let hold_each = Duration::from_secs(1);
    let half = Plan { rate: 50, hold: hold_each, ..Plan::new(site.sip(), &numbers, 500) };
    let rotate = |lines: &str, known: &str| {
        site.write("keys", lines);
        rm.signal("HUP");
        rm.line_with(known);
    };
    let old = half.start();
    eventually("calls under the old key", || media.answered().len(), |calls| *calls > 0);
    rotate(&(key(1) + &key(2)), "[1, 2]");
    rotate(&(key(2) + &key(1)), "[2, 1]");
    let new = half.start();
    let last = hold(site, &Play::new("last", "", Via::Udp), KEYS);
    let route = &last.player.received("SIP/2.0 200 ")[0];
    assert!(header(route, "Record-Route").starts_with("<sip:rm-AQI"), "the new one signs: {route}");
    old.finish();
    rotate(&key(2), "[2]");
    last.hang_up(site);
    new.finish();
    let of_keys = || {
        let all = report::completed(site.rs_http()).into_iter();
        let all = all.filter(|cdr| cdr.get("tenant/name").is_some_and(|name| name == "keys"));
        all.map(|cdr| (cdr["end-state"].clone(), cdr["reason"].clone())).collect::<Vec<_>>()
    };
    let ends = eventually("all calls in the report", of_keys, |ends| ends.len() >= 1_001);
    assert_eq!(ends.len(), 1_001);
    assert!(ends.iter().all(|(state, reason)| state == "USER_END" && reason == "normal"));
}

fn scenario_58_a_call_that_names_another_goes_to_its_server(site: &Site, at: [SocketAddr; 2]) {
    let one = Play::new("pinned-1", ANSWERS, Via::Udp).answer_at(at[0], at[0]);
    let four = Play { calls: 4, ..Play::new("pinned-2", ANSWERS, Via::Udp) };
    let other = four.answer_at(at[1], at[1]);
    let first = hold(site, &Play::new("full-1", "", Via::Udp), PINNED);
    let named = hold(site, &Play::new("full-2", "", Via::Udp), PINNED);
    assert_eq!((first.server(), named.server()), ("pinned-1", "pinned-2"));
    let no_place = Play::new("no-place", "> INVITE; < 480; > ACK", Via::Udp);
    assert_eq!(call(site, &no_place, PINNED)["reason"], "resource-full");

    let ok = &named.player.received("SIP/2.0 200 ")[0];
    let tag = |name: &str| header(ok, name).rsplit(";tag=").next().unwrap().to_owned();
    let (call_id, from, to) = (&named.player.call_id, tag("From"), tag("To"));
    for (name, value) in [
        ("Replaces", format!("{call_id};to-tag={to};from-tag={from}")),
        ("Join", format!("{call_id};to-tag={to};from-tag={from}")),
        ("Target-Dialog", format!("{call_id};local-tag={to};remote-tag={from}")),
    ] {
        let lines = format!("{name}: {value}\n");
        let cdr = call(site, &Play { lines: &lines, ..Play::new(name, SHORT, Via::Udp) }, PINNED);
        assert_eq!(cdr["resource/name"], "pinned-2", "{name}: {cdr:#?}");
        let leg = report::leg(site.rs_http(), &cdr["call-id"]);
        assert_eq!(leg["extra"]["placed_by"], "pin", "{name}: {leg:#}");
        let came = other.received("INVITE ");
        assert_eq!(header(came.last().unwrap(), name), value, "it passes as it came");
    }
    first.hang_up(site);
    named.hang_up(site);
    one.finish();
    other.finish();
}
