//! Resources that leave the configuration while somebody still waits for something of theirs.

use std::time::Duration;

use serde_json::json;

use crate::world::{
    CALLER, Dialog, MCP1, MCP2, World, header, invite, objects, reply, settings, snapshot,
};

/// mcp-1 is given up and answers late; when that is ended it leaves, and another resource comes. A
/// second dialog of the late answer is ended as well, and takes no place on the newcomer.
#[test]
fn a_late_answer_takes_no_place_on_who_came_meanwhile() {
    let mut world = World::new();
    world.udp(CALLER, &invite("18005550100", "late"));
    let first = world.take(MCP1);
    world.run(Duration::from_secs(2));
    let second = world.take(MCP2);
    world.udp(MCP2, &reply(&second, 603, "t2", ""));
    while world.try_take(MCP1).is_some() {}
    let ends_late = |world: &mut World, tag: &str| {
        world.udp(MCP1, &reply(&first, 200, tag, "Contact: <sip:mcp@10.0.0.11:5070>\r\n"));
        assert!(world.take(MCP1).starts_with("ACK "));
        let bye = world.take(MCP1);
        assert!(bye.starts_with("BYE "), "{bye}");
        bye
    };
    let bye = ends_late(&mut world, "one");
    world.udp(MCP1, &reply(&bye, 200, "", ""));
    assert_eq!(world.proxy.resources()[0].used, 0);
    let mut documents = objects();
    documents[3]["spec"]["resources"][0] =
        json!({"name": "mcp-9", "address": "sip:10.0.0.19:5070", "capacity": 500});
    world.input(rm::Input::Snapshot(snapshot(&documents)));
    ends_late(&mut world, "two");
    let used = |world: &World| world.proxy.resources().iter().map(|one| one.used).sum::<usize>();
    assert_eq!(used(&world), 0, "{:?}", world.proxy.resources());
    world.run(Duration::from_secs(40));
    assert_eq!(used(&world), 0);
}

/// Nothing goes to an address of this machine unless somebody is declared there: calls that are up
/// on a media server count, also when the configuration has it no longer, or elsewhere.
#[test]
fn calls_on_a_server_of_this_machine_that_has_left_or_moved_go_on() {
    const HERE: &str = "127.0.0.11:5070";
    let with = |address: Option<&str>| {
        let mut documents = objects();
        documents[3]["spec"]["resources"] = match address {
            Some(address) => json!([{"name": "mcp-1", "address": address, "dbid": 310}]),
            None => json!([{"name": "mcp-9", "address": "sip:10.0.0.19:5070"}]),
        };
        documents
    };
    for after in [None, Some("sip:127.0.0.12:5070")] {
        let mut world = World::with(&with(Some("sip:127.0.0.11:5070")), settings());
        world.udp(CALLER, &invite("18005550100", "here"));
        let forwarded = world.take(HERE);
        world.udp(HERE, &reply(&forwarded, 200, "t", "Contact: <sip:mcp@127.0.0.11:5070>\r\n"));
        let mut caller = Dialog::of_caller(&world.take(CALLER));
        world.udp(CALLER, &caller.request("ACK", CALLER, "ack"));
        assert!(world.take(HERE).starts_with("ACK "));
        world.input(rm::Input::Snapshot(snapshot(&with(after))));
        world.udp(CALLER, &caller.request("BYE", CALLER, "bye"));
        let bye = world.take(HERE);
        world.udp(HERE, &reply(&bye, 200, "", ""));
        assert!(world.take(CALLER).starts_with("SIP/2.0 200 "), "{after:?}");
        assert_eq!(world.ends().len(), 1);
        // nobody is there any more
        let mut stray = Dialog { target: "sip:mcp@127.0.0.11:5070".to_owned(), ..caller };
        world.udp(CALLER, &stray.request("BYE", CALLER, "stray"));
        let refused = world.take(CALLER);
        assert!(refused.starts_with("SIP/2.0 403 "), "{refused}");
        assert_eq!(header(&refused, "CSeq"), "3 BYE");
    }
}
