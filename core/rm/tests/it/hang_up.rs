//! An operator ends a call: BYE to both sides, and a record that says so (rm.md §2.7).

use model::id::Guid;
use rm::Input;

use crate::world::{CALLER, MCP1, World, header, invite, reply};

fn only(world: &World) -> Guid {
    world.proxy.calls(&rm::CallFilter::default(), None, 10).calls[0].session
}

#[test]
fn a_call_that_is_up_gets_a_bye_on_both_sides() {
    let mut world = World::new();
    let up = world.up("18005550100", "h");
    let guid = only(&world);
    assert_eq!(world.proxy.to_hang_up(guid, None), Some(1));
    world.input(Input::HangUp { guid, leg: None });
    for to in [CALLER, up.server.as_str()] {
        let bye = world.take(to);
        assert!(bye.starts_with("BYE "), "{bye}");
        assert_eq!(header(&bye, "Reason"), "SIP;cause=480;text=\"operator\"");
        world.udp(to, &reply(&bye, 200, "", ""));
    }
    let end = world.ends()[0];
    assert_eq!(end["end_state"], "OPERATOR_END");
    assert_eq!((&end["reason"], &end["sip_status"]), (&"operator".into(), &200.into()));
    assert_eq!(world.proxy.counters().calls_cut["operator"], 1);
    assert_eq!(world.proxy.status().legs, 0);
    assert!(world.proxy.resources().iter().all(|one| one.used == 0));
    assert_eq!(world.proxy.to_hang_up(guid, None), None);
}

#[test]
fn one_that_still_rings_is_refused_and_its_server_gets_cancel() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "r"));
    let forwarded = world.take(MCP1);
    world.udp(MCP1, &reply(&forwarded, 180, "t", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 180 "));
    let guid = only(&world);
    world.input(Input::HangUp { guid, leg: None });
    let answer = world.take(CALLER);
    assert!(answer.starts_with("SIP/2.0 480 "), "{answer}");
    assert_eq!(header(&answer, "Warning"), "399 rm-1 \"operator\"");
    let cancel = world.take(MCP1);
    assert!(cancel.starts_with("CANCEL "), "{cancel}");
    let end = world.ends()[0];
    assert_eq!((&end["end_state"], &end["reason"]), (&"OPERATOR_END".into(), &"operator".into()));
    assert!(world.proxy.counters().rejected.is_empty());
    // what crosses is acknowledged and ended, and nothing of it goes upstream
    world.udp(MCP1, &reply(&forwarded, 200, "t", "Contact: <sip:mcp@10.0.0.11:5070>\r\n"));
    let after: Vec<String> = std::iter::from_fn(|| world.try_take(MCP1)).collect();
    assert!(after.iter().any(|text| text.starts_with("ACK ")), "{after:?}");
    assert!(after.iter().any(|text| text.starts_with("BYE ")), "{after:?}");
    assert!(world.try_take(CALLER).is_none());
}

#[test]
fn one_that_was_not_answered_at_all_is_over_too() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "s"));
    let forwarded = world.take(MCP1);
    let guid = only(&world);
    world.input(Input::HangUp { guid, leg: None });
    assert!(world.take(CALLER).starts_with("SIP/2.0 480 "));
    assert!(world.try_take(MCP1).is_none(), "nothing has come, so there is nothing to cancel");
    world.udp(MCP1, &reply(&forwarded, 180, "t", ""));
    assert!(world.take(MCP1).starts_with("CANCEL "));
}

/// RFC 3261 §9.1: a 100 permits the CANCEL; without it the INVITE would run on at the server.
#[test]
fn one_that_has_said_100_alone_gets_cancel_at_once() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "t"));
    let forwarded = world.take(MCP1);
    world.udp(MCP1, &reply(&forwarded, 100, "t", ""));
    let guid = only(&world);
    world.input(Input::HangUp { guid, leg: None });
    assert!(world.take(CALLER).starts_with("SIP/2.0 480 "));
    let cancel = world.take(MCP1);
    assert!(cancel.starts_with("CANCEL "), "{cancel}");
    assert_eq!(header(&cancel, "Reason"), "SIP;cause=480;text=\"operator\"");
    world.udp(MCP1, &reply(&cancel, 200, "t", ""));
    world.udp(MCP1, &reply(&forwarded, 487, "t", ""));
    assert!(world.take(MCP1).starts_with("ACK "));
    assert!(world.proxy.resources().iter().all(|one| one.used == 0));
    assert!(world.try_take(CALLER).is_none());
}

#[test]
fn a_leg_is_named_by_its_id() {
    let mut world = World::new();
    world.up("18005550100", "l");
    let guid = only(&world);
    let leg = world.proxy.call(guid).unwrap().leg[0].id;
    let other = model::id::LegId(leg.0 + 1);
    assert_eq!(world.proxy.to_hang_up(guid, Some(other)), None);
    world.input(Input::HangUp { guid, leg: Some(other) });
    assert_eq!(world.proxy.status().legs, 1);
    world.input(Input::HangUp { guid, leg: Some(leg) });
    assert_eq!(world.proxy.status().legs, 0);
}
