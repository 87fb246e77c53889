//! Requests inside dialogs: the way is in the token (rm.md §1.4, §1.8, §2.6, §2.7).

use std::time::Duration;

use serde_json::json;

use crate::world::{CALLER, Dialog, MCP1, World, all, header, invite, objects, reply, settings};

#[test]
fn a_re_invite_goes_both_ways_and_renews_the_target() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "re");
    let again = up
        .caller
        .request("INVITE", "10.0.0.2:5090", "re1")
        .replace("Contact: <sip:10.0.0.2:5090>", "Contact: <sip:10.0.0.2:5099>");
    world.udp(CALLER, &again);
    assert!(world.wire.iter().any(|sent| sent.text.starts_with("SIP/2.0 100 ")));
    let forwarded = world.take(MCP1);
    assert!(forwarded.starts_with("INVITE sip:mcp@10.0.0.11:5070 SIP/2.0\r\n"), "{forwarded}");
    assert!(all(&forwarded, "Record-Route").is_empty() && all(&forwarded, "Route").is_empty());
    assert!(header(&forwarded, "X-Genesys-GVP-Session-ID").is_empty());
    world.udp(MCP1, &reply(&forwarded, 200, "", "Contact: <sip:mcp@10.0.0.11:5070>\r\n"));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    world.udp(CALLER, &up.caller.request("ACK", "10.0.0.2:5090", "reack"));
    assert!(world.take(MCP1).starts_with("ACK "));
    assert_eq!(world.phase("start").len(), 1);

    // the callee now speaks to the new target; what is not the learnt one needs trust
    up.callee.target = "sip:10.0.0.2:5099".to_owned();
    world.udp(MCP1, &up.callee.request("INFO", MCP1, "info"));
    let info = world.take("10.0.0.2:5099");
    assert!(info.starts_with("INFO sip:10.0.0.2:5099 SIP/2.0\r\n"));
    world.udp("10.0.0.2:5099", &reply(&info, 200, "", ""));
    assert!(world.take(MCP1).starts_with("SIP/2.0 200 "));
}

#[test]
fn a_failed_re_invite_leaves_the_call_up() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "fail");
    world.udp(CALLER, &up.caller.request("INVITE", "10.0.0.2:5090", "re"));
    let forwarded = world.take(MCP1);
    world.udp(MCP1, &reply(&forwarded, 488, "", ""));
    assert!(world.take(MCP1).starts_with("ACK "));
    assert!(world.take(CALLER).starts_with("SIP/2.0 488 "));
    assert!(world.ends().is_empty());
    assert!(world.hang_up(&mut up, "bye").is_some());
}

/// Both targets are those of the accepted re-INVITE: that is where BYEs of our own go.
#[test]
fn what_a_re_invite_has_told_is_kept() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "told");
    let again = up.caller.request("INVITE", "10.0.0.2:5090", "re");
    let moved = "Contact: <sip:10.0.0.2:5099>";
    world.udp(CALLER, &again.replace("Contact: <sip:10.0.0.2:5090>", moved));
    let forwarded = world.take(MCP1);
    world.udp(MCP1, &reply(&forwarded, 200, "", "Contact: <sip:mcp@10.0.0.11:5071>\r\n"));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    world.run(Duration::from_secs(6 * 3600));
    let (to_server, to_caller) = (world.take("10.0.0.11:5071"), world.take("10.0.0.2:5099"));
    assert!(to_server.starts_with("BYE sip:mcp@10.0.0.11:5071 "), "{to_server}");
    assert!(to_caller.starts_with("BYE sip:10.0.0.2:5099 "), "{to_caller}");
    assert!(header(&to_server, "To").ends_with(";tag=to-told"), "each its own: {to_server}");
}

#[test]
fn a_100_is_told_to_nobody_and_every_other_provisional_begins_timer_c_anew() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "c");
    world.udp(CALLER, &up.caller.request("INVITE", "10.0.0.2:5090", "re"));
    let forwarded = world.take(MCP1);
    world.udp(MCP1, &reply(&forwarded, 100, "", ""));
    assert!(!world.wire.iter().any(|sent| sent.text.starts_with("SIP/2.0 100 ")));
    let almost = settings().timers.c.saturating_sub(Duration::from_secs(1));
    for _ in 0..2 {
        world.run(almost);
        assert!(world.try_take(MCP1).is_none(), "no CANCEL yet");
        world.udp(MCP1, &reply(&forwarded, 183, "", ""));
        assert!(world.take(CALLER).starts_with("SIP/2.0 183 "));
    }
    world.run(almost + Duration::from_secs(2));
    assert!(world.take(MCP1).starts_with("CANCEL "));
}

#[test]
fn a_forged_token_gets_481_and_changes_nothing() {
    let mut world = World::new();
    let up = world.up("18005550100", "forged");
    let logs = |world: &World| world.logs.iter().filter(|(id, _)| *id == 20104).count();
    let mut forge = |edit: &dyn Fn(&mut Dialog), branch: &str| {
        let mut dialog = up.caller.clone();
        edit(&mut dialog);
        let bye = dialog.request("BYE", "10.0.0.2:5090", branch);
        world.udp(CALLER, &bye);
        assert!(world.try_take(MCP1).is_none(), "{branch}");
        world.take(CALLER)
    };
    // another tag, so that the leg is not found by its dialog either
    let stranger = |dialog: &mut Dialog| {
        dialog.local = dialog.local.replace("from-forged", "other");
    };
    let one_bit = forge(
        &|dialog| {
            stranger(dialog);
            let at = dialog.routes[0].find("rm-").unwrap() + 30;
            let letter = if &dialog.routes[0][at..=at] == "A" { "B" } else { "A" };
            dialog.routes[0].replace_range(at..=at, letter);
        },
        "bit",
    );
    assert!(one_bit.starts_with("SIP/2.0 481 "));
    assert_eq!(header(&one_bit, "Warning"), "399 rm-1 \"bad-token\"");
    let other_call = forge(&|dialog| dialog.call_id = "other@x".to_owned(), "call");
    assert_eq!(header(&other_call, "Warning"), "399 rm-1 \"bad-token\"");
    let bare = forge(
        &|dialog| {
            stranger(dialog);
            dialog.routes[0] = "sip:rm-0@10.0.0.5:5060;lr".to_owned();
        },
        "bare",
    );
    assert_eq!(header(&bare, "Warning"), "399 rm-1 \"no-dialog\"");
    let foreign = forge(
        &|dialog| {
            stranger(dialog);
            dialog.routes.clear();
        },
        "foreign",
    );
    assert!(foreign.starts_with("SIP/2.0 403 "));
    assert_eq!(logs(&world), 2);
    assert!(world.ends().is_empty());
    assert_eq!(world.proxy.status().legs, 1);
}

#[test]
fn a_bad_token_of_a_known_dialog_is_forgiven() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "known");
    let at = up.caller.routes[0].find("rm-").unwrap() + 30;
    up.caller.routes[0].replace_range(at..=at, "-");
    assert!(world.hang_up(&mut up, "bye").unwrap().starts_with("SIP/2.0 200 "));
    assert_eq!(world.ends().len(), 1);
}

#[test]
fn a_caller_that_keeps_no_routes_reaches_what_was_learnt() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "lazy");
    up.caller.routes.clear();
    up.caller.target = "sip:18005550100@10.0.0.5:5060".to_owned();
    world.udp(CALLER, &up.caller.request("BYE", "10.0.0.2:5090", "bye"));
    let bye = world.take(MCP1);
    assert!(bye.starts_with("BYE sip:mcp@10.0.0.11:5070 SIP/2.0\r\n"), "{bye}");
}

#[test]
fn a_strict_router_before_us_is_repaired() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "strict");
    let target = std::mem::take(&mut up.caller.target);
    up.caller.target = up.caller.routes.remove(0);
    up.caller.routes.push(target);
    world.udp(CALLER, &up.caller.request("BYE", "10.0.0.2:5090", "bye"));
    let bye = world.take(MCP1);
    assert!(bye.starts_with("BYE sip:mcp@10.0.0.11:5070 SIP/2.0\r\n"), "{bye}");
    assert!(all(&bye, "Route").is_empty());
}

/// RFC 3261 §16.6 step 6: a next hop without `lr` finds itself in the Request-URI, and what stood
/// there goes to the end of the routes.
#[test]
fn a_strict_router_behind_us_is_obeyed() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "behind");
    let cases = [
        // loose, with and without a value
        (&["sip:10.0.0.9;lr"][..], "sip:mcp@10.0.0.11:5070", &["<sip:10.0.0.9;lr>"][..]),
        (&["sip:10.0.0.9;lr=on"], "sip:mcp@10.0.0.11:5070", &["<sip:10.0.0.9;lr=on>"]),
        // strict, alone and before others
        (&["sip:10.0.0.9"], "sip:10.0.0.9", &["<sip:mcp@10.0.0.11:5070>"]),
        (
            &["sip:10.0.0.9;x=1", "sip:p@10.0.0.8;lr"],
            "sip:10.0.0.9;x=1",
            &["<sip:p@10.0.0.8;lr>", "<sip:mcp@10.0.0.11:5070>"],
        ),
    ];
    for (number, (entries, uri, routes)) in cases.into_iter().enumerate() {
        let mut dialog = up.caller.clone();
        dialog.routes.extend(entries.iter().map(|one| (*one).to_owned()));
        world.udp(CALLER, &dialog.request("INFO", "10.0.0.2:5090", &format!("i{number}")));
        let info = world.take("10.0.0.9:5060");
        assert_eq!(info.lines().next().unwrap(), format!("INFO {uri} SIP/2.0"));
        assert_eq!(all(&info, "Route"), routes, "{entries:?}");
    }
    assert!(world.hang_up(&mut up, "bye").is_some());
}

/// RFC 3261 §16.4 with both halves of a double Record-Route: the strict router before us has put
/// one into the Request-URI, and the other one stands on top of the routes.
#[test]
fn a_strict_router_before_us_is_repaired_with_a_double_record_route() {
    let mut world = World::new();
    let flow = sip::transport::Flow {
        transport: sip::transport::Transport::Tcp,
        listener: 1,
        remote: crate::world::address("10.0.0.2:40000"),
        conn: Some(sip::transport::ConnId(7)),
    };
    world.packet(flow, &invite("18005550100", "d").replace("/UDP ", "/TCP "));
    let forwarded = world.take(MCP1);
    let contact = "Contact: <sip:mcp@10.0.0.11:5070>\r\n";
    world.udp(MCP1, &reply(&forwarded, 200, "t", contact));
    let answer = world.take("10.0.0.2:40000");
    let mut dialog = Dialog::of_caller(&answer);
    assert_eq!(dialog.routes.len(), 2);
    let target = std::mem::replace(&mut dialog.target, dialog.routes[0].clone());
    dialog.routes.remove(0);
    dialog.routes.push(target);
    let bye = dialog.request("BYE", "10.0.0.2:5090", "bye").replace("/UDP ", "/TCP ");
    world.packet(flow, &bye);
    let bye = world.take(MCP1);
    assert!(bye.starts_with("BYE sip:mcp@10.0.0.11:5070 SIP/2.0\r\n"), "{bye}");
    assert!(all(&bye, "Route").is_empty(), "{bye}");
}

/// Names and parameters of Route values outlive both kinds of strict router (RFC 3261 §16.4, §16.6
/// step 6), over several lines and commas.
#[test]
fn route_values_keep_their_bytes() {
    let mut world = World::new();
    let up = world.up("18005550100", "bytes");
    let mut dialog = up.caller.clone();
    let own = dialog.routes.remove(0);
    let with = |dialog: &mut Dialog, branch: &str, lines: &str| {
        let text = dialog.request("INFO", "10.0.0.2:5090", branch);
        text.replace("Max-Forwards", &format!("{lines}Max-Forwards"))
    };
    // a strict one behind us
    let kept = "\"Next, \\\"hop\\\"\" <sip:p@10.0.0.8;lr>;x=\"a,b\"";
    let lines = format!("Route: <{own}>, <sip:10.0.0.9>\r\nRoute : {kept}, <sip:q@10.0.0.7>\r\n");
    world.udp(CALLER, &with(&mut dialog, "behind", &lines));
    let info = world.take("10.0.0.9:5060");
    assert!(info.starts_with("INFO sip:10.0.0.9 SIP/2.0\r\n"), "{info}");
    let expected = [&format!("{kept}, <sip:q@10.0.0.7>"), "<sip:mcp@10.0.0.11:5070>"];
    assert_eq!(all(&info, "Route"), expected);
    // a strict one before us, and a loose one behind
    let target = std::mem::replace(&mut dialog.target, own);
    let lines = format!("Route: <sip:10.0.0.9;lr>;y, {kept}\r\nRoute: <{target}>;z=1\r\n");
    world.udp(CALLER, &with(&mut dialog, "before", &lines));
    let info = world.take("10.0.0.9:5060");
    assert!(info.starts_with("INFO sip:mcp@10.0.0.11:5070 SIP/2.0\r\n"), "{info}");
    assert_eq!(all(&info, "Route"), [format!("<sip:10.0.0.9;lr>;y, {kept}")]);
}

/// RFC 5057 §5: what a failure ends, by method, and what the record says of it. The table is that
/// of `dialog::effect`; here a row of each kind goes through.
#[test]
fn a_failure_ends_the_leg_as_far_as_it_reaches() {
    for (method, status, by_caller, end) in [
        ("INVITE", 481, true, Some(("APP_END", "no-dialog"))),
        ("INVITE", 404, true, Some(("APP_END", "no-dialog"))),
        ("UPDATE", 410, false, Some(("USER_END", "no-dialog"))),
        ("INFO", 481, true, Some(("APP_END", "no-dialog"))),
        ("MESSAGE", 604, false, Some(("USER_END", "no-dialog"))),
        ("INVITE", 408, true, Some(("TIMEOUT", "refresh-failed"))),
        ("INVITE", 501, true, Some(("APP_END", "no-dialog"))),
        ("UPDATE", 501, true, None),
        ("INFO", 405, true, None),
        ("INFO", 408, true, None),
        ("NOTIFY", 481, false, None),
        ("REFER", 404, false, None),
        ("INVITE", 488, true, None),
        ("INVITE", 491, true, None),
        ("INVITE", 500, true, None),
        ("UPDATE", 503, true, None),
    ] {
        let mut world = World::new();
        let mut up = world.up("18005550100", "f");
        let (from, to, text) = if by_caller {
            (CALLER, MCP1, up.caller.request(method, "10.0.0.2:5090", "asks"))
        } else {
            (MCP1, CALLER, up.callee.request(method, MCP1, "asks"))
        };
        world.udp(from, &text);
        let passed = world.take(to);
        world.udp(to, &reply(&passed, status, "", ""));
        let what = format!("{method} {status}");
        let heard = world.try_take(from);
        let silent = status == 408 && method != "INVITE";
        let answer = heard.map(|answer| answer[8..11].to_owned());
        let told = if status == 503 { 500 } else { status };
        assert_eq!(answer, (!silent).then(|| told.to_string()), "{what}");
        let found =
            world.ends().first().map(|end| (end["end_state"].clone(), end["reason"].clone()));
        let end = end.map(|(state, reason)| (state.into(), reason.into()));
        assert_eq!(found, end, "{what}");
        assert_eq!(world.proxy.status().legs, usize::from(end.is_none()), "{what}");
        while world.try_take(to).is_some() {}
        // its BYE is passed on whatever became of the leg, and makes no second record
        assert!(world.hang_up(&mut up, "bye").unwrap().starts_with("SIP/2.0 200 "), "{what}");
        assert_eq!(world.ends().len(), 1, "{what}");
    }
}

/// A refresh that nobody answers is a time-out, whoever notices (RFC 5057 §5.2); one that could not
/// be sent is not. While a BYE is under way only its end counts.
#[test]
fn a_refresh_without_answer_ends_the_leg_and_one_that_was_not_sent_does_not() {
    for (method, heard) in [("INVITE", Some("408")), ("UPDATE", None)] {
        let mut world = World::new();
        let mut up = world.up("18005550100", "r");
        world.udp(CALLER, &up.caller.request(method, "10.0.0.2:5090", "asks"));
        world.run(Duration::from_secs(33));
        assert_eq!(world.try_take(CALLER).map(|text| text[8..11].to_owned()).as_deref(), heard);
        let end = world.ends()[0];
        assert_eq!(
            (&end["end_state"], &end["reason"]),
            (&"TIMEOUT".into(), &"refresh-failed".into())
        );
    }
    let mut world = World::new();
    let mut up = world.up("18005550100", "t");
    world.udp(CALLER, &up.caller.request("UPDATE", "10.0.0.2:5090", "asks"));
    let sent = world.take_flow(MCP1).unwrap();
    world.input(rm::Input::FlowFailed { flow: sent.flow });
    assert!(world.take(CALLER).starts_with("SIP/2.0 502 "));
    assert!(world.ends().is_empty());
    world.udp(CALLER, &up.caller.request("INFO", "10.0.0.2:5090", "i"));
    let info = world.take(MCP1);
    world.udp(CALLER, &up.caller.request("BYE", "10.0.0.2:5090", "b"));
    let bye = world.take(MCP1);
    world.udp(MCP1, &reply(&info, 481, "", ""));
    assert!(world.ends().is_empty());
    world.udp(MCP1, &reply(&bye, 200, "", ""));
    assert_eq!(world.ends()[0]["reason"], "normal");
}

/// RFC 4320: before its end nothing but 100 is said to a request that is no INVITE, and never 408.
#[test]
fn no_provisional_answer_and_no_408_to_anything_but_invite() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "n");
    world.udp(CALLER, &up.caller.request("INFO", "10.0.0.2:5090", "i"));
    let info = world.take(MCP1);
    for status in [100, 180, 183, 199] {
        world.udp(MCP1, &reply(&info, status, "", ""));
        assert!(world.try_take(CALLER).is_none(), "{status}");
    }
    world.udp(MCP1, &reply(&info, 200, "", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    // a BYE whose end somebody else has noticed: it ends the call, and is not answered
    world.udp(CALLER, &up.caller.request("BYE", "10.0.0.2:5090", "b"));
    let bye = world.take(MCP1);
    world.udp(MCP1, &reply(&bye, 408, "", ""));
    assert!(world.try_take(CALLER).is_none());
    assert_eq!(world.ends()[0]["end_state"], "USER_END");
}

#[test]
fn where_a_request_may_not_go() {
    let mut world = World::new();
    let up = world.up("18005550100", "away");
    for (target, from, code, word) in [
        ("sip:media.example:5070", "192.0.2.99:5060", 403, "relay-refused"),
        ("sip:224.0.0.1", CALLER, 403, "relay-refused"),
        ("sip:0.0.0.0", CALLER, 403, "relay-refused"),
        ("sip:127.0.0.1:22", CALLER, 403, "relay-refused"),
        ("sip:192.0.2.50", "192.0.2.99:5060", 403, "relay-refused"),
        ("sip:10.0.0.11;transport=sctp", CALLER, 502, "next-hop"),
    ] {
        let mut dialog = up.caller.clone();
        dialog.target = target.to_owned();
        world.udp(from, &dialog.request("INFO", from, &format!("i{}", target.len())));
        let answer = world.take(from);
        assert!(answer.starts_with(&format!("SIP/2.0 {code} ")), "{target}: {answer}");
        assert_eq!(header(&answer, "Warning"), format!("399 rm-1 \"{word}\""), "{target}");
    }
    assert!(world.asked.is_empty(), "no name is asked for on behalf of a stranger");
    // nor for a source that is known and not trusted: a carrier, or one that only probes
    for (role, headers) in [(rm::Role::Gateway, false), (rm::Role::Probe, true)] {
        let mut known = settings();
        let rule = rm::Match::parse("192.0.2.99").unwrap();
        let name = "known".to_owned();
        known.peers.push(rm::Peer {
            name,
            matches: vec![rule],
            role,
            trusted_headers: headers,
            ..known.peers[0].clone()
        });
        let mut world = World::with(&objects(), known);
        let mut dialog = world.up("18005550100", "k").caller;
        dialog.target = "sip:192.0.2.50".to_owned();
        world.udp("192.0.2.99:5060", &dialog.request("INFO", "192.0.2.99:5060", "known"));
        let answer = world.take("192.0.2.99:5060");
        assert_eq!(header(&answer, "Warning"), "399 rm-1 \"relay-refused\"", "{role:?}");
        assert!(world.try_take("192.0.2.50:5060").is_none());
    }
    // a `sips:` target by a route that has no TLS
    let mut dialog = up.caller.clone();
    dialog.target = "sips:mcp@10.0.0.11".to_owned();
    dialog.routes.push("sip:10.0.0.77:5070;lr".to_owned());
    world.udp(CALLER, &dialog.request("INFO", "10.0.0.2:5090", "secure"));
    assert_eq!(header(&world.take(CALLER), "Warning"), "399 rm-1 \"next-hop\"");
    assert!(world.try_take("10.0.0.77:5070").is_none());
    // a trusted source may, and what was learnt is open to everyone with the token
    let mut dialog = up.caller.clone();
    dialog.target = "sip:10.0.0.77:5070".to_owned();
    world.udp(CALLER, &dialog.request("INFO", "10.0.0.2:5090", "trusted"));
    assert!(world.try_take("10.0.0.77:5070").is_some());
    let mut dialog = up.caller.clone();
    world.udp("192.0.2.99:5060", &dialog.request("INFO", "192.0.2.99:5060", "learnt"));
    assert!(world.try_take(MCP1).is_some());
}

#[test]
fn an_unknown_party_ends_the_leg_and_a_silent_bye_too() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "u1");
    world.udp(CALLER, &up.caller.request("BYE", "10.0.0.2:5090", "b1"));
    let bye = world.take(&up.server);
    world.udp(&up.server.clone(), &reply(&bye, 481, "", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 481 "));
    assert_eq!(world.ends().len(), 1);

    let mut up = world.up("18005550100", "u2");
    world.udp(CALLER, &up.caller.request("BYE", "10.0.0.2:5090", "b2"));
    let ended = world.now.wall;
    world.run(Duration::from_secs(33));
    assert_eq!(world.ends().len(), 2);
    assert_eq!(world.ends()[1]["ended_at"], ended.to_string(), "the time of the BYE");
    assert!(world.try_take(CALLER).is_none(), "no 408 to a BYE");
}

/// Who does not know the dialog any more gets no BYE: a refresh that it refuses ends the leg.
#[test]
fn a_481_to_a_refresh_ends_the_leg() {
    for method in ["INVITE", "UPDATE"] {
        let mut world = World::new();
        let mut up = world.up("18005550100", "gone");
        world.udp(CALLER, &up.caller.request(method, "10.0.0.2:5090", "refresh"));
        let forwarded = world.take(MCP1);
        world.udp(MCP1, &reply(&forwarded, 481, "", ""));
        assert!(world.take(CALLER).starts_with("SIP/2.0 481 "), "{method}");
        assert_eq!(world.ends().len(), 1, "{method}");
        assert_eq!(world.ends()[0]["end_state"], "APP_END", "{method}: the called side is gone");
    }
}

#[test]
fn a_challenged_bye_ends_nothing_and_the_next_one_does() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "who");
    for (code, ends) in [(401, 0), (407, 0), (302, 0), (200, 1)] {
        world.udp(CALLER, &up.caller.request("BYE", "10.0.0.2:5090", &format!("b{code}")));
        let bye = world.take(MCP1);
        world.udp(MCP1, &reply(&bye, code, "", ""));
        assert!(world.take(CALLER).starts_with(&format!("SIP/2.0 {code} ")));
        assert_eq!(world.ends().len(), ends, "{code}");
    }
}

#[test]
fn an_ack_is_heard_too() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "ack");
    world.run(Duration::from_secs(5 * 3600));
    world.udp(CALLER, &up.caller.request("ACK", "10.0.0.2:5090", "again"));
    assert!(world.take(MCP1).starts_with("ACK "));
    world.run(Duration::from_secs(5 * 3600));
    assert!(world.ends().is_empty(), "six hours of silence have not passed");
    world.run(Duration::from_secs(3600));
    assert_eq!(world.ends().len(), 1);
}

#[test]
fn crossing_byes_make_one_record() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "cross");
    world.udp(CALLER, &up.caller.request("BYE", "10.0.0.2:5090", "b1"));
    world.udp(MCP1, &up.callee.request("BYE", MCP1, "b2"));
    let (to_server, to_caller) = (world.take(MCP1), world.take(CALLER));
    world.disk = false;
    world.udp(MCP1, &reply(&to_server, 200, "", ""));
    world.udp(CALLER, &reply(&to_caller, 200, "", ""));
    assert!(world.try_take(MCP1).is_none() && world.try_take(CALLER).is_none(), "no record yet");
    let no = world.made;
    world.input(rm::Input::Durable { no });
    assert!(world.take(MCP1).starts_with("SIP/2.0 200 "));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    assert_eq!(world.ends().len(), 1);
    assert_eq!(world.ends()[0]["end_state"], "USER_END", "who was first");
}

#[test]
fn an_agreed_session_timer_is_watched_and_refreshed() {
    let mut world = World::new();
    let timer = "Session-Expires: 90;refresher=uac\r\n";
    let mut up = world.up_with("18005550100", "timer", timer);
    world.run(Duration::from_secs(80));
    world.udp(CALLER, &up.caller.request("UPDATE", "10.0.0.2:5090", "update"));
    let update = world.take(MCP1);
    world.udp(MCP1, &reply(&update, 200, "", timer));
    world.take(CALLER);
    world.run(Duration::from_millis(121_999));
    assert!(world.ends().is_empty());
    world.run(Duration::from_millis(1));
    let end = world.ends()[0];
    assert_eq!(
        (end["end_state"].as_str(), end["reason"].as_str()),
        (Some("TIMEOUT"), Some("session-timer"))
    );
    assert!(world.try_take(MCP1).is_none() && world.try_take(CALLER).is_none(), "no BYE");
}

#[test]
fn silence_without_a_timer_and_the_longest_call_end_with_bye_both_ways() {
    let mut world = World::new();
    world.up("18005550100", "quiet");
    world.run(Duration::from_secs(6 * 3600));
    let (to_server, to_caller) = (world.take(MCP1), world.take(CALLER));
    assert!(to_server.starts_with("BYE sip:mcp@10.0.0.11:5070 SIP/2.0\r\n"), "{to_server}");
    assert!(to_caller.starts_with("BYE sip:10.0.0.2:5090 SIP/2.0\r\n"), "{to_caller}");
    assert_eq!((header(&to_server, "CSeq"), header(&to_caller, "CSeq")), ("2 BYE", "1 BYE"));
    assert!(header(&to_caller, "From").ends_with(";tag=to-quiet"));
    assert!(header(&to_server, "Reason").contains("no-timer"));
    assert_eq!(world.ends()[0]["reason"], "no-timer");
    world.udp(MCP1, &reply(&to_server, 481, "", ""));
    world.udp(CALLER, &reply(&to_caller, 200, "", ""));

    let mut up = world.up("18005550100", "long");
    for hour in 0..11 {
        world.run(Duration::from_secs(3600));
        world.udp(CALLER, &up.caller.request("INFO", "10.0.0.2:5090", &format!("h{hour}")));
        let info = world.take(&up.server);
        world.udp(&up.server.clone(), &reply(&info, 200, "", ""));
        world.take(CALLER);
    }
    world.run(Duration::from_secs(3600));
    assert!(world.take(CALLER).starts_with("BYE "));
    let end = world.ends()[1];
    assert_eq!(
        (end["end_state"].as_str(), end["reason"].as_str()),
        (Some("MAX_DURATION"), Some("max-duration"))
    );
    assert_eq!(world.proxy.counters().calls_cut["duration"], 2);
}

#[test]
fn a_transfer_is_a_refer_that_was_accepted_before_the_bye() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "refer");
    world.udp(MCP1, &up.callee.request("REFER", MCP1, "refer"));
    let refer = world.take(CALLER);
    world.udp(CALLER, &reply(&refer, 202, "", ""));
    world.take(MCP1);
    assert!(world.hang_up(&mut up, "bye").is_some());
    assert_eq!(world.ends()[0]["end_state"], "TRANSFERRED");
}

/// RFC 3261 §16.3: an ACK has hops and may loop as any request, but nobody can be told.
#[test]
fn an_ack_without_hops_or_in_a_loop_is_dropped() {
    let mut world = World::new();
    let mut up = world.up("18005550100", "ack");
    let ack = up.caller.request("ACK", "10.0.0.2:5090", "again");
    world.udp(CALLER, &ack.replace("Max-Forwards: 70", "Max-Forwards: 0"));
    assert!(world.try_take(MCP1).is_none());
    assert_eq!(world.proxy.counters().dropped["hops"], 1);
    world.udp(CALLER, &ack);
    let passed = world.take(MCP1);
    // it comes back as it left, and from then on as it was before
    world.udp(CALLER, &passed);
    let second = world.take(MCP1);
    world.udp(CALLER, &second);
    assert!(world.try_take(MCP1).is_none());
    assert_eq!(world.proxy.counters().dropped["loop"], 1);
}

/// What a source without trust may not say outside a dialog it may not say inside (rm.md §13.4).
#[test]
fn internal_headers_of_the_untrusted_pass_in_no_dialog() {
    for trusted in [true, false] {
        let mut settings = settings();
        settings.peers[0].role = rm::Role::Gateway;
        settings.peers[0].trusted_headers = trusted;
        let mut world = World::with(&objects(), settings);
        let mut up = world.up("18005550100", "internal");
        let lines =
            "x-genesys-gvp-Session-data : x\r\nX-Genesys-RM-Foo: 1\r\nX-Genesys-Other: 2\r\n";
        let info = up.caller.request("INFO", CALLER, "info");
        world.udp(CALLER, &info.replace("Max-Forwards", &format!("{lines}Max-Forwards")));
        let passed = world.take(MCP1);
        assert!(passed.contains("X-Genesys-Other: 2\r\n"), "{passed}");
        for internal in ["Session-data : x", "X-Genesys-RM-Foo: 1"] {
            assert_eq!(passed.contains(internal), trusted, "{passed}");
        }
    }
}

/// What the called side sends later may come first: the BYE passes its 2xx, which is there when the
/// caller answers, or not even then. A 2xx of another dialog of the same INVITE is not meant.
#[test]
fn a_bye_that_is_answered_before_the_2xx_ends_the_call_that_it_meant() {
    for (code, tag, expected) in [(200, "t", 0), (481, "t", 0), (200, "other", 1), (401, "t", 1)] {
        let mut world = World::new();
        world.udp(CALLER, &invite("18005550100", "fast"));
        let asked = world.take(MCP1);
        let contact = "Contact: <sip:mcp@10.0.0.11:5070>\r\n";
        world.udp(MCP1, &reply(&asked, 180, "t", contact));
        assert!(world.take(CALLER).starts_with("SIP/2.0 180 "));
        let mut callee = Dialog::of_callee(&asked, "t", "<sip:mcp@10.0.0.11:5070>");
        world.udp(MCP1, &callee.request("BYE", MCP1, "early"));
        let over = world.now.wall.to_string();
        let passed = world.take(CALLER);
        world.run(Duration::from_millis(300));
        world.udp(CALLER, &reply(&passed, code, "", ""));
        let answer = world.take(MCP1);
        assert!(answer.starts_with(&format!("SIP/2.0 {code} ")), "{answer}");
        assert_eq!(world.proxy.status().legs, 1, "the INVITE has its own end");
        world.run(Duration::from_secs(2));
        world.udp(MCP1, &reply(&asked, 200, tag, contact));
        let answer = world.take(CALLER);
        assert!(answer.starts_with("SIP/2.0 200 "));
        assert_eq!(world.proxy.status().legs, expected, "{code} {tag}");
        assert_eq!((world.phase("start").len(), world.ends().len()), (1, 1 - expected));
        if expected == 0 {
            let end = world.ends()[0];
            assert_eq!((&end["reason"], &end["end_state"]), (&"normal".into(), &"APP_END".into()));
            // since its BYE, which no call outlasts
            assert_eq!((&end["answered_at"], &end["ended_at"]), (&json!(over), &json!(over)));
            assert_eq!(world.phase("start")[0]["answered_at"], over);
            assert_eq!(world.proxy.resources()[0].used, 0);
            // the caller, who has a 2xx now, says what it wants of it, and nothing comes to life
            let mut caller = Dialog::of_caller(&answer);
            world.udp(CALLER, &caller.request("ACK", CALLER, "ack"));
            assert!(world.take(MCP1).starts_with("ACK "));
            world.udp(CALLER, &caller.request("BYE", CALLER, "late"));
            let bye = world.take(MCP1);
            world.udp(MCP1, &reply(&bye, 481, "", ""));
            assert!(world.take(CALLER).starts_with("SIP/2.0 481 "));
            assert_eq!((world.proxy.status().legs, world.ends().len()), (0, 1));
        }
        world.proxy.invariant().unwrap();
    }
}

#[test]
fn a_bye_that_overtakes_the_2xx_ends_the_call() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "fast"));
    let asked = world.take(MCP1);
    let contact = "Contact: <sip:mcp@10.0.0.11:5070>\r\n";
    world.udp(MCP1, &reply(&asked, 180, "t", contact));
    assert!(world.take(CALLER).starts_with("SIP/2.0 180 "));
    let mut callee = Dialog::of_callee(&asked, "t", "<sip:mcp@10.0.0.11:5070>");
    world.udp(MCP1, &callee.request("BYE", MCP1, "early"));
    let passed = world.take(CALLER);
    assert!(passed.starts_with("BYE "), "{passed}");
    world.run(Duration::from_millis(100));
    let answered = world.now.wall.to_string();
    world.udp(MCP1, &reply(&asked, 200, "t", contact));
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    assert_eq!(world.proxy.status().legs, 1);
    world.run(Duration::from_millis(300));
    world.udp(CALLER, &reply(&passed, 200, "", ""));
    assert_eq!(world.proxy.status().legs, 0);
    let end = world.ends()[0];
    assert_eq!((&end["reason"], &end["end_state"]), (&"normal".into(), &"APP_END".into()));
    assert_eq!((&end["answered_at"], &end["ended_at"]), (&json!(answered), &json!(answered)));
    assert_eq!(world.proxy.resources()[0].used, 0);
}
