//! Resources that leave the configuration while somebody still waits for something of theirs.

use std::time::Duration;

use serde_json::json;

use crate::world::{CALLER, MCP1, MCP2, World, invite, objects, reply, snapshot};

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
