//! Decisions as tables of text (testdata/*.txt): selection, rewriting, and what the states of two
//! servers mean for calls.
//!
//! A line is a case; columns are separated by blanks, `-` is empty, `#` begins a comment. Every
//! runner says how many cases there are at least, so that a table that is not read shows.

use crate::platform;
use crate::world::{CALLER, MCP1, MCP2, World, header, invite, objects, settings};
use std::time::Duration;

/// The cases of a table, of which there are at least so many.
pub(crate) fn cases(text: &str, least: usize) -> Vec<Vec<&str>> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap());
    let columns = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    let cases: Vec<Vec<&str>> = columns.filter(|columns| !columns.is_empty()).collect();
    assert!(cases.len() >= least, "{} of {least} cases", cases.len());
    cases
}

/// Header lines as a table names them; `from=…` are parameters of the From URI of a phone.
pub(crate) fn with_headers(text: String, named: &str) -> String {
    let mut text = text;
    for (name, value) in named.split(',').filter_map(|one| one.split_once('=')) {
        let line = match name {
            "name" => format!("X-Genesys-gsw-ivr-profile-name: {value}\r\n"),
            "id" => format!("X-Genesys-gsw-ivr-profile-id: {value}\r\n"),
            "geo" => format!("X-Genesys-geo-location: {value}\r\n"),
            "from" => {
                let phone = format!("<sip:7013@cucm;{value}>");
                text = text.replacen("<sip:+4930123@10.0.0.2>", &phone, 1);
                continue;
            }
            _ => unreachable!("header {name}"),
        };
        text = text.replacen("Content-Type", &format!("{line}Content-Type"), 1);
    }
    text
}

/// Where a call went, as the tables name it.
fn place(at: std::net::SocketAddr) -> &'static str {
    match platform::name_of(at) {
        "?" if at == crate::world::address("10.0.0.41:5060") => "recorder",
        name => name,
    }
}

#[test]
fn selection() {
    for case in cases(include_str!("testdata/selection.txt"), 75) {
        let [from, user, parameters, headers, tenant, profile, service, by, goes_to] = case[..]
        else {
            panic!("{case:?}");
        };
        let mut world = platform::ready();
        let parameters = parameters.trim_start_matches('-');
        let host = if user.contains('@') { "" } else { "@10.0.0.5:5060" };
        let uri = format!("sip:{user}{host}{parameters}");
        let from = platform::caller(from);
        world.udp(from, &with_headers(platform::invite_to(&uri, from, "sel", ""), headers));
        if let Some(sent) = world.take_invite() {
            assert_eq!(place(sent.flow.remote), goes_to, "{case:?}");
            let at = sent.flow.remote.to_string();
            world.udp(&at, &crate::world::reply(&sent.text, 603, "t", ""));
        } else {
            let warning = format!("399 rm-1 \"{goes_to}\"");
            assert_eq!(header(&world.take(from), "Warning"), warning, "{case:?}");
        }
        let end = world.ends()[0];
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
        let found = [
            text(&end["tenant"]["name"]),
            text(&end["profile"]["name"]),
            text(&end["service"]),
            text(&end["selected_by"]),
        ];
        assert_eq!(found, [tenant, profile, service, by], "{case:?}");
    }
}

#[test]
fn rewriting() {
    for case in cases(include_str!("testdata/rewrite.txt"), 34) {
        let [from, uri, headers, expected] = case[..] else { panic!("{case:?}") };
        let mut world = platform::ready();
        let from = platform::caller(from);
        world.udp(from, &with_headers(platform::invite_to(uri, from, "rw", ""), headers));
        let sent = world.take_invite().unwrap_or_else(|| panic!("{case:?} {:?}", world.wire));
        let first = sent.text.lines().next().unwrap();
        assert_eq!(first, format!("INVITE {expected} SIP/2.0"), "{case:?}");
    }
}

#[test]
fn states() {
    for case in cases(include_str!("testdata/states.txt"), 15) {
        let [first, second, calls, by, outcome] = case[..] else { panic!("{case:?}") };
        let mut documents = objects();
        let resources = documents[3]["spec"]["resources"].as_array_mut().unwrap();
        let mut alive = Vec::new();
        for (resource, (state, address)) in
            resources.iter_mut().zip([(first, MCP1), (second, MCP2)])
        {
            match state {
                "full" => resource["capacity"] = 0.into(),
                "draining" | "disabled" => resource["state"] = state.into(),
                _ => {}
            }
            if state != "dead" {
                alive.push(crate::world::address(address));
            }
        }
        let cold = [first, second].contains(&"unknown");
        let mut world = World::cold(&documents, settings());
        world.alive = alive;
        world.input(rm::Input::State(rm::NodeState::Ready));
        if !cold {
            world.run(Duration::from_secs(8));
        }
        let mut got = Vec::new();
        for i in 0..calls.split(',').count() {
            world.udp(CALLER, &invite("18005550100", &format!("p{i}")));
            let server = [(MCP1, "1"), (MCP2, "2")].into_iter();
            let taken = server.filter_map(|(at, no)| {
                let text = world.try_take(at)?;
                world.udp(at, &crate::world::reply(&text, 603, "t", ""));
                assert!(world.take(at).starts_with("ACK "));
                Some(no)
            });
            got.push(taken.collect::<Vec<_>>().concat());
        }
        let got: Vec<&str> = got.iter().map(|one| if one.is_empty() { "-" } else { one }).collect();
        assert_eq!(got.join(","), calls, "{case:?}");
        let end = world.ends()[0];
        assert_eq!(end["placed_by"].as_str().unwrap_or("-"), by, "{case:?}");
        assert_eq!(end["reason"], outcome, "{case:?}");
    }
}
