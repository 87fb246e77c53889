//! Scenarios of rm.md §14 about calls that belong on one media server: the legs of a conference,
//! and both recordings of a phone.

use std::net::SocketAddr;

use crate::held::{ANSWERS, SHORT, call, header, hold, short};
use crate::http;
use crate::platform::{self, Site};
use crate::player::Play;
use crate::report;
use crate::sipp::{Media, Via};
use crate::tenants::{Tenant, places};

const ROOMS: &str = "2701";
const PHONES: &str = "4601";

#[test]
fn scenarios_27_28_and_46() {
    let rooms: [SocketAddr; 2] = places();
    let phones: [SocketAddr; 2] = places();
    let objects = [
        Tenant {
            spec: "{ default_profile: rooms }",
            group: "services: [voicexml, conference], try_timeout: 30s",
            ..Tenant::new("rooms", ROOMS, &rooms)
        }
        .objects(),
        "---\nkind: Tenant\nname: guests\nspec: { parent: rooms }\n".to_owned(),
        Tenant {
            profile: "{ service: announcement, play: \"http://apps.example/hi.wav\" }",
            group: "services: [announcement], try_timeout: 30s",
            ..Tenant::new("phones", PHONES, &phones)
        }
        .objects(),
    ];
    let site = Site::new(&objects.concat());
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    let servers = rooms.map(Media::start_at);
    scenario_27_all_legs_of_a_conference_are_on_one_server(&site, &servers);
    scenario_28_a_conference_grows_on_a_draining_server(&site);
    scenario_46_both_recordings_of_a_phone_are_on_one_server(&site, phones);
}

/// A leg of conference `room` of a tenant.
fn joins<'a>(name: &'a str, uri: &'a str) -> Play<'a> {
    Play { uri, ..Play::new(name, SHORT, Via::Udp) }
}

const OWN: &str = "sip:[number]@[remote_ip]:[remote_port];gvp-tenant-id=rooms";
const GUESTS: &str = "sip:[number]@[remote_ip]:[remote_port];gvp-tenant-id=guests";

fn scenario_27_all_legs_of_a_conference_are_on_one_server(site: &Site, servers: &[Media; 2]) {
    // round robin goes on with mcp-2
    assert_eq!(short(site, "before", ROOMS)["resource/name"], "rooms-1");
    let first = hold(site, &joins("first", OWN), "conf=team7");
    assert_eq!(first.server(), "rooms-2");
    let ten = Play { calls: 10, ..joins("join", OWN) }.call(site.sip(), "conf=team7");
    ten.finish();
    for number in 1..=10 {
        let cdr = report::of_call(site.rs_http(), &format!("join-{number}@127.0.0.2"));
        assert_eq!(cdr["resource/name"], "rooms-2", "{cdr:#?}");
        let leg = report::leg(site.rs_http(), &cdr["call-id"]);
        let told = (&leg["service"], &leg["extra"]["conference"], &leg["extra"]["placed_by"]);
        assert_eq!(told, (&"conference".into(), &"team7".into(), &"pin".into()), "{leg:#}");
    }
    let joined =
        |media: &Media| media.answered().iter().filter(|id| id.starts_with("join-")).count();
    assert_eq!(servers.each_ref().map(joined), [0, 10]);

    let elsewhere = call(site, &joins("guest", GUESTS), "conf=team7");
    assert_eq!(elsewhere["resource/name"], "rooms-1", "another tenant, another conference");
    assert_eq!(elsewhere["tenant/name"], "guests");
    let ok = &first.player.received("SIP/2.0 200 ")[0];
    let route = header(ok, "Record-Route");
    assert!(route.contains(&format!("-{};idtag=", site.sip())), "{route}");
    assert!(route.contains(";confinstid="), "{route}");
    first.hang_up(site);
}

fn scenario_28_a_conference_grows_on_a_draining_server(site: &Site) {
    let first = hold(site, &joins("eight", OWN), "conf=team8");
    let (holder, rm) = (first.server(), site.rm_http().to_string());
    let drained = platform::run(&site.path("."), &["drain", holder, "--rm", &rm]);
    assert_eq!(drained.0, 0, "{drained:?}");
    let state = || {
        let one = http::json(site.rm_http(), &format!("/v1/resources/rooms/{holder}"));
        one["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(), "draining");
    let joined = call(site, &joins("grows", OWN), "conf=team8");
    assert_eq!(joined["resource/name"], holder);
    for name in ["new-1", "new-2"] {
        assert_ne!(short(site, name, ROOMS)["resource/name"], holder, "{name}");
    }
    // a conference that is not its own is a new call
    let other = call(site, &joins("new-3", OWN), "conf=team9");
    assert_ne!(other["resource/name"], holder);
    let holder = holder.to_owned();
    first.hang_up(site);
    let enabled = platform::run(&site.path("."), &["enable", &holder, "--rm", &rm]);
    assert_eq!(enabled.0, 0, "{enabled:?}");
}

fn scenario_46_both_recordings_of_a_phone_are_on_one_server(site: &Site, at: [SocketAddr; 2]) {
    let servers = at.map(|place| {
        Play { calls: 2, ..Play::new("phones", ANSWERS, Via::Udp) }.answer_at(place, place)
    });
    let from = |refci: u32, end: &str| format!("sip:7013@cucm.example;{end};x-refci={refci}");
    let near = |name, refci| {
        let from = from(refci, "x-nearend");
        hold(site, &Play { from: Some(&from), ..Play::new(name, "", Via::Udp) }, PHONES)
    };
    let near = [near("near-1", 1), near("near-2", 2)];
    assert_ne!(near[0].server(), near[1].server(), "two phones, in turn");
    for (near, name, refci) in [(&near[1], "far-2", 2), (&near[0], "far-1", 1)] {
        let from = from(refci, "x-farend");
        let far = Play { from: Some(&from), ..Play::new(name, SHORT, Via::Udp) };
        assert_eq!(call(site, &far, PHONES)["resource/name"], near.server(), "{name}");
    }
    for held in near {
        held.hang_up(site);
    }
    for (server, refci) in servers.into_iter().zip(1..) {
        let came = server.received("INVITE ");
        server.finish();
        assert_eq!(came.len(), 2);
        for (text, suffix) in came.iter().zip(["", "(2)"]) {
            let line = text.lines().next().unwrap();
            let (_, record) = line.split_once(";record=").unwrap();
            let own = format!("CUCM/call-{refci}-at-7013-on-20");
            let date = record.strip_prefix(&*own).unwrap_or_else(|| panic!("{own} in {line}"));
            let (date, rest) = date.split_at("yy-mm-dd".len());
            let shape = date.replace(|digit: char| digit.is_ascii_digit(), "9");
            assert_eq!((&*shape, rest), ("99-99-99", &*format!("{suffix} SIP/2.0")), "{line}");
        }
    }
}
