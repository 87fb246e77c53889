//! BYEs of RM itself to parties that are host names (rm.md §1.2, §2.7): they wait for the name of
//! their next hop, and who cannot be told of its end is logged and counted.

use std::time::Duration;

use rm::{CallFilter, Input};
use sip::locate::Failure;

use crate::names::{answer, resolve};
use crate::world::{CALLER, Dialog, MCP1, MCP2, World, all, header, invite, reply};

/// Who the caller is, and the media server.
const CLIENT: &str = "sip:client.voice.test:5090";
const SERVER: &str = "sip:media.voice.test:5070";

/// A call that is up, both sides of which name themselves by a host.
fn up(world: &mut World, call: &str, ttl: u64) -> Dialog {
    let named = "Contact: <sip:c@client.voice.test:5090>";
    let text = invite("18005550100", call).replace("Contact: <sip:10.0.0.2:5090>", named);
    world.udp(CALLER, &text);
    let (at, forwarded) = server_takes(world);
    let named = "Contact: <sip:mcp@media.voice.test:5070>\r\n";
    world.udp(at, &reply(&forwarded, 200, "t", named));
    let mut caller = Dialog::of_caller(&world.take(CALLER));
    world.udp(CALLER, &caller.request("ACK", "10.0.0.2:5090", call));
    resolve(world, SERVER, &[MCP1], ttl);
    assert!(server_takes(world).1.starts_with("ACK "));
    caller
}

/// What came to a media server, and to which.
fn server_takes(world: &mut World) -> (&'static str, String) {
    let taken = [MCP1, MCP2].into_iter().find_map(|at| Some((at, world.try_take(at)?)));
    taken.expect("a media server gets it")
}

fn hang_up(world: &mut World) {
    let guid = world.proxy.calls(&CallFilter::default(), None, 10).calls[0].session;
    world.input(Input::HangUp { guid, leg: None });
}

/// The BYEs to this address, without those that were sent again.
fn byes(world: &mut World, to: &str) -> Vec<String> {
    let mut found: Vec<String> = std::iter::from_fn(|| world.try_take(to)).collect();
    found.retain(|one| one.starts_with("BYE "));
    found.dedup();
    found
}

fn unsent(world: &World) -> (u64, usize) {
    let counted = world.proxy.counters().dropped.get("own-bye").copied().unwrap_or(0);
    (counted, world.logs.iter().filter(|(id, _)| *id == 20504).count())
}

#[test]
fn both_sides_are_told_once_their_names_are_known_and_the_record_waits_for_neither() {
    let mut world = World::new();
    up(&mut world, "c", 60);
    // the name of the called side is as unknown again as that of the caller
    world.run(Duration::from_secs(61));
    world.asked.clear();
    hang_up(&mut world);
    assert_eq!(world.asked, [CLIENT, SERVER]);
    assert_eq!((world.ends().len(), world.proxy.status().legs), (1, 0), "the leg has ended");
    assert!(byes(&mut world, CALLER).is_empty() && byes(&mut world, MCP2).is_empty());
    resolve(&mut world, CLIENT, &[CALLER], 60);
    resolve(&mut world, SERVER, &[MCP2], 60);
    world.run(Duration::ZERO);
    for (to, target) in [(CALLER, "sip:c@client.voice.test:5090"), (MCP2, "sip:mcp@media")] {
        let told = byes(&mut world, to);
        assert_eq!(told.len(), 1, "{to}");
        assert!(told[0].starts_with(&format!("BYE {target}")), "{}", told[0]);
        assert_eq!(header(&told[0], "Reason"), "SIP;cause=480;text=\"operator\"");
        assert_eq!(all(&told[0], "Via").len(), 1);
        world.udp(to, &reply(&told[0], 200, "", ""));
    }
    assert_eq!(unsent(&world), (0, 0));
    // known now: nothing waits
    up(&mut world, "again", 60);
    hang_up(&mut world);
    assert_eq!(byes(&mut world, CALLER).len(), 1);
    world.run(Duration::from_secs(40));
    world.proxy.invariant().unwrap();
}

#[test]
fn whose_name_leads_nowhere_or_to_what_is_forbidden_is_logged_and_counted() {
    for (at, known) in [(0, true), (1, true), (2, true), (3, false)] {
        let mut world = World::new();
        up(&mut world, "c", 300);
        hang_up(&mut world);
        match at {
            0 => resolve(&mut world, CLIENT, &[], 0),
            1 => resolve(&mut world, CLIENT, &["127.0.0.1:5090"], 60),
            2 => answer(&mut world, CLIENT, Err(Failure::Unanswered), 0),
            _ => world.run(Duration::from_millis(4999)),
        }
        assert_eq!(unsent(&world), (0, 0), "it has its turn");
        world.run(if known { Duration::ZERO } else { Duration::from_millis(1) });
        assert_eq!(unsent(&world), (1, 1), "{at}");
        assert!(byes(&mut world, CALLER).is_empty());
        assert_eq!(byes(&mut world, MCP1).len(), 1, "the other side has its own");
        assert_eq!(world.ends().len(), 1);
        // told at once while that is fresh
        up(&mut world, "next", 300);
        hang_up(&mut world);
        world.run(Duration::ZERO);
        assert_eq!(unsent(&world), (2, 2), "{at}");
    }
}

#[test]
fn who_finds_no_place_among_those_that_wait_is_logged_and_counted() {
    let mut world = World::new();
    let mut caller = up(&mut world, "c", 1);
    world.run(Duration::from_secs(2));
    for n in 0..4_096 {
        world.udp(CALLER, &caller.request("INFO", "10.0.0.2:5090", &format!("s{n}")));
    }
    hang_up(&mut world);
    assert_eq!(unsent(&world), (2, 2));
    assert_eq!((world.ends().len(), world.proxy.status().legs), (1, 0));
}

#[test]
fn the_next_address_is_tried_when_the_first_refuses_or_is_silent() {
    for silent in [false, true] {
        let mut world = World::new();
        up(&mut world, "c", 300);
        hang_up(&mut world);
        resolve(&mut world, CLIENT, &[MCP2, CALLER], 300);
        world.run(Duration::ZERO);
        let first = world.take_flow(MCP2).expect("the first address is tried first");
        if silent {
            // its share of the time for which anybody waits for an answer
            world.run(Duration::from_millis(15_999));
            assert!(byes(&mut world, CALLER).is_empty());
            world.run(Duration::from_millis(1));
        } else {
            world.input(Input::FlowFailed { flow: first.flow });
        }
        let second = byes(&mut world, CALLER);
        assert_eq!(second.len(), 1);
        assert_ne!(header(&first.text, "Via"), header(&second[0], "Via"), "another branch");
        assert_eq!(header(&first.text, "CSeq"), header(&second[0], "CSeq"));
        let why = if silent { "timeout" } else { "transport" };
        assert_eq!(world.proxy.counters().address_failovers[why], 1);
        world.udp(CALLER, &reply(&second[0], 200, "", ""));
        world.run(Duration::from_secs(60));
        assert!(byes(&mut world, CALLER).is_empty() && unsent(&world) == (0, 0));
    }
}

#[test]
fn no_other_address_is_tried_when_the_first_has_answered() {
    for code in [100, 200, 481] {
        let mut world = World::new();
        up(&mut world, "c", 300);
        hang_up(&mut world);
        resolve(&mut world, CLIENT, &[CALLER, MCP2], 300);
        world.run(Duration::ZERO);
        let told = byes(&mut world, CALLER);
        world.udp(CALLER, &reply(&told[0], code, "", ""));
        world.run(Duration::from_secs(60));
        assert!(byes(&mut world, MCP2).is_empty(), "{code}");
    }
}

/// Many that have waited for one name leave as pieces of work of their own.
#[test]
fn those_that_have_waited_do_not_leave_all_in_one_turn() {
    let mut world = World::new();
    for n in 0..100 {
        up(&mut world, &format!("c{n}"), 300);
        hang_up(&mut world);
        byes(&mut world, MCP1);
    }
    assert_eq!(world.asked.iter().filter(|one| *one == CLIENT).count(), 1);
    resolve(&mut world, CLIENT, &[CALLER], 300);
    let mut turns = Vec::new();
    while world.is_due() {
        world.fire();
        turns.push(byes(&mut world, CALLER).len());
    }
    assert_eq!(turns.iter().sum::<usize>(), 100);
    assert!(turns.iter().all(|one| *one < 50), "{turns:?}");
}
