//! Session timers as a proxy handles them (RFC 4028 §8, rm.md §2.6, scenario 35).

use std::time::Duration;

use crate::world::{CALLER, MCP1, World, all, header, invite, objects, reply, settings};

const CONTACT: &str = "Contact: <sip:mcp@10.0.0.11:5070>\r\n";

/// A world whose peer and group ask for these intervals (`-`: nothing).
fn asking(peer: &str, group: &str) -> World {
    let (mut own, mut documents) = (settings(), objects());
    own.peers[0].session_expires = peer.parse().ok();
    if group != "-" {
        documents[3]["spec"]["session_expires"] = format!("{group}s").into();
    }
    World::with(&documents, own)
}

fn with(lines: &str, call: &str) -> String {
    invite("18005550100", call).replace("Content-Type", &format!("{lines}Content-Type"))
}

fn lines(columns: &[&str; 3]) -> String {
    let names = ["Session-Expires", "Min-SE", "Supported"];
    let given = names.iter().zip(columns).filter(|(_, value)| **value != "-");
    given.map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

#[test]
fn the_table_of_requests() {
    for case in crate::tables::cases(include_str!("testdata/session-timer.txt"), 21) {
        let [expires, least, supported, peer, group, out, out_least] = case[..] else {
            panic!("{case:?}")
        };
        let shown = |text: &str, name: &str| match all(text, name)[..] {
            [] => "-".to_owned(),
            [one] => one.to_owned(),
            _ => panic!("{name} twice: {text}"),
        };
        // an INVITE, then an UPDATE in a dialog that knows nothing of timers yet
        let said = lines(&[expires, least, supported]);
        for method in ["INVITE", "UPDATE"] {
            let mut world = asking(peer, group);
            if method == "INVITE" {
                world.udp(CALLER, &with(&said, "t"));
            } else {
                let mut up = world.up("18005550100", "t");
                let update = up.caller.request("UPDATE", "10.0.0.2:5090", "u");
                world.udp(CALLER, &update.replace("Contact:", &format!("{said}Contact:")));
            }
            if let Some(forwarded) = world.try_take(MCP1) {
                let found = (shown(&forwarded, "Session-Expires"), shown(&forwarded, "Min-SE"));
                assert_eq!(found, (out.to_owned(), out_least.to_owned()), "{method} {case:?}");
                continue;
            }
            let answer = world.take(CALLER);
            assert_eq!(("422", out), (&answer[8..11], "422"), "{method} {case:?}");
            assert_eq!(header(&answer, "Min-SE"), out_least, "{case:?}");
            assert_eq!(header(&answer, "Warning"), "399 rm-1 \"min-se\"");
            assert!(world.ends().is_empty(), "no record");
        }
    }
}

#[test]
fn other_requests_are_left_alone() {
    let mut world = asking("300", "300");
    let mut up = world.up("18005550100", "o");
    let info = up.caller.request("INFO", "10.0.0.2:5090", "info");
    let said = "Session-Expires: 5\r\nSupported: timer\r\nContact:";
    world.udp(CALLER, &info.replace("Contact:", said));
    let info = world.take(MCP1);
    assert_eq!(all(&info, "Session-Expires"), ["5"]);
}

#[test]
fn an_asked_for_timer_ends_the_leg_of_a_caller_that_vanishes() {
    for (said, group) in [("Session-Expires: 90\r\n", "-"), ("", "90")] {
        let mut world = asking("-", group);
        world.udp(CALLER, &with(said, "v"));
        let forwarded = world.take(MCP1);
        assert_eq!(header(&forwarded, "Session-Expires"), "90");
        let timer = format!("{CONTACT}Session-Expires: 90;refresher=uas\r\n");
        world.udp(MCP1, &reply(&forwarded, 200, "t", &timer));
        let answer = world.take(CALLER);
        assert_eq!(all(&answer, "Session-Expires"), ["90;refresher=uas"], "as it came");
        world.run(Duration::from_millis(121_999));
        assert!(world.ends().is_empty());
        world.run(Duration::from_millis(1));
        assert_eq!(world.ends()[0]["reason"], "session-timer");
    }
    // without both no header is added, and no timer runs
    let mut world = asking("-", "-");
    world.udp(CALLER, &with("", "v"));
    let forwarded = world.take(MCP1);
    assert!(all(&forwarded, "Session-Expires").is_empty() && all(&forwarded, "Min-SE").is_empty());
    world.udp(MCP1, &reply(&forwarded, 200, "t", CONTACT));
    assert!(all(&world.take(CALLER), "Session-Expires").is_empty());
    world.run(Duration::from_secs(3600));
    assert!(world.ends().is_empty());
}

/// RFC 4028 §8.2: the called side does not know timers; a caller that does is told to refresh.
#[test]
fn a_caller_that_knows_timers_gets_one_from_the_proxy() {
    let timer = "Session-Expires: 600\r\nSupported: 100rel, timer\r\n";
    let mut world = asking("-", "-");
    world.udp(CALLER, &with(timer, "g"));
    let forwarded = world.take(MCP1);
    world.udp(MCP1, &reply(&forwarded, 183, "t", ""));
    assert!(all(&world.take(CALLER), "Session-Expires").is_empty(), "only the 2xx agrees");
    let answer = reply(&forwarded, 200, "t", &format!("{CONTACT}Require: 100rel\r\n"));
    for _ in 0..2 {
        world.udp(MCP1, &answer);
        let answer = world.take(CALLER);
        assert_eq!(all(&answer, "Session-Expires"), ["600;refresher=uac"], "repeated alike");
        assert_eq!(all(&answer, "Require"), ["100rel, timer"]);
    }
    world.run(Duration::from_millis(631_999));
    assert!(world.ends().is_empty());
    world.run(Duration::from_millis(1));
    assert_eq!(world.ends()[0]["reason"], "session-timer");

    // one that does not is not bothered, and there is no timer
    let mut world = asking("-", "600");
    world.udp(CALLER, &with("", "n"));
    let forwarded = world.take(MCP1);
    world.udp(MCP1, &reply(&forwarded, 200, "t", CONTACT));
    let answer = world.take(CALLER);
    assert!(all(&answer, "Session-Expires").is_empty() && all(&answer, "Require").is_empty());
    world.run(Duration::from_secs(700));
    assert!(world.ends().is_empty());
}

#[test]
fn only_a_refresh_restarts_the_timer_and_one_without_an_interval_ends_it() {
    let timer = "Session-Expires: 90;refresher=uac\r\n";
    let mut world = World::new();
    let mut up = world.up_with("18005550100", "r", timer);
    world.run(Duration::from_secs(80));
    world.udp(CALLER, &up.caller.request("INFO", "10.0.0.2:5090", "info"));
    let info = world.take(MCP1);
    world.udp(MCP1, &reply(&info, 200, "", ""));
    world.take(CALLER);
    world.run(Duration::from_secs(42));
    assert_eq!(world.ends()[0]["reason"], "session-timer", "INFO is no refresh");

    let mut up = world.up_with("18005550100", "s", timer);
    let server = up.server.clone();
    world.udp(CALLER, &up.caller.request("INVITE", "10.0.0.2:5090", "re"));
    let again = world.take(&server);
    world.udp(&server, &reply(&again, 200, "", &format!("Contact: <sip:mcp@{server}>\r\n")));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    world.run(Duration::from_secs(3600));
    assert_eq!(world.ends().len(), 1);
}
