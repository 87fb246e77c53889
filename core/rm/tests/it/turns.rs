//! What happens to many legs at once is done in slices, and what comes between two of them is
//! served (rm.md §1.9).

use std::time::Duration;

use rm::{FrameKind, Input};
use serde_json::{Value, json};

use crate::world::{
    CALLER, MCP1, MCP2, Up, World, address, header, invite, objects, settings, snapshot,
};

/// Calls that are up: some slices of any kind.
const CALLS: usize = 300;

/// Both servers, which are not probed, or none of them.
fn documents(servers: bool) -> Value {
    let mut all = objects();
    all[0]["spec"]["policy"] = json!({"usage_limit": 10_000});
    all[3]["spec"]["monitor"] = json!({"method": "none"});
    if !servers {
        all.as_array_mut().unwrap().truncate(3);
    }
    all
}

fn many() -> (World, Vec<Up>) {
    let mut world = World::with(&documents(true), settings());
    let calls = (0..CALLS).map(|number| world.up("18005550100", &format!("c{number}"))).collect();
    (world, calls)
}

/// The same node after a kill -9.
fn again(before: &World, servers: bool) -> World {
    let mut own = settings();
    (own.boot, own.seed) = (model::id::BootEpoch(2), [9; 4]);
    let mut world = World::cold(&documents(servers), own);
    let open = before.records.iter().filter(|one| one.frame == FrameKind::Open);
    let restored = world.proxy.restore(world.now, open.map(|one| one.block.as_slice()));
    assert_eq!(restored.legs, CALLS);
    world.ready();
    world
}

/// Until something of this reason is the next to be done.
fn until(world: &mut World, reason: &str) {
    while let Some((at, next)) = world.proxy.poll_timeout()
        && next != reason
    {
        world.now = world.now.plus(at.saturating_sub(world.now.mono));
        world.fire();
    }
    let at = world.proxy.poll_timeout().map(|(at, _)| at).unwrap();
    world.now = world.now.plus(at.saturating_sub(world.now.mono));
}

/// One turn after the other, until nothing is due: how many.
fn turns(world: &mut World) -> usize {
    let mut turns = 0;
    while world.is_due() {
        world.fire();
        turns += 1;
        assert_eq!(world.proxy.invariant(), Ok(()));
    }
    turns
}

fn used(world: &World) -> usize {
    world.proxy.resources().iter().map(|one| one.used).sum()
}

/// End records of a call.
fn ends<'w>(world: &'w World, up: &Up) -> Vec<&'w Value> {
    world.ends().into_iter().filter(|end| end["call_id"] == up.caller.call_id.as_str()).collect()
}

#[test]
fn while_all_legs_end_calls_come_and_end_and_a_configuration_comes() {
    let lived = || {
        let (old, mut calls) = many();
        let mut world = again(&old, true);
        until(&mut world, "leg-expiry");
        world.fire();
        let first = world.ends().len();
        assert!(first > 0 && first < CALLS / 4 && world.is_due(), "{first}");
        assert_eq!((world.proxy.status().legs, used(&world)), (CALLS - first, CALLS - first));

        // a call comes, and stays
        let new = world.up("18005550100", "new");
        // one of those whose turn has not come ends as usual, one that has ended is passed on
        let gone = |world: &World, up: &Up| !ends(world, up).is_empty();
        let (ended, waiting): (Vec<_>, Vec<_>) = calls.iter_mut().partition(|up| gone(&world, up));
        let (ended, waiting) = (ended.into_iter().next(), waiting.into_iter().next_back());
        let (ended, waiting) = (ended.unwrap(), waiting.unwrap());
        let answer = world.hang_up(waiting, "usual").unwrap();
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        let answer = world.hang_up(ended, "late").unwrap();
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        world.input(Input::Snapshot(snapshot(&documents(true))));
        assert!(world.is_due());

        assert!(turns(&mut world) > 2);
        assert_eq!((world.proxy.status().legs, used(&world)), (1, 1));
        assert!(ends(&world, &new).is_empty());
        assert_eq!(ends(&world, waiting)[0]["end_state"], "USER_END");
        let interrupted =
            world.ends().iter().filter(|end| end["end_state"] == "INTERRUPTED").count();
        assert_eq!(interrupted, CALLS - 1);
        for up in &calls {
            assert_eq!(ends(&world, up).len(), 1, "{}", up.caller.call_id);
        }
        // what they leave behind is forgotten, in slices too
        world.run(Duration::from_secs(100));
        assert_eq!(world.proxy.invariant(), Ok(()));
        world.records.iter().map(|one| one.text.clone()).collect::<Vec<_>>()
    };
    assert!(lived() == lived(), "the same seed, the same turns");
}

#[test]
fn while_legs_come_back_to_a_server_calls_come_and_end_and_it_comes_again() {
    let (old, mut calls) = many();
    let mut world = again(&old, false);
    assert_eq!(used(&world), 0);
    world.input(Input::Snapshot(snapshot(&documents(true))));
    let first = used(&world);
    assert!(first > 0 && first < CALLS && world.is_due(), "{first}");
    let new = world.up("18005550100", "new");
    assert_eq!(used(&world), first + 1);
    let last = calls.last_mut().unwrap();
    assert!(world.hang_up(last, "usual").unwrap().starts_with("SIP/2.0 200 "));
    assert_eq!(world.proxy.invariant(), Ok(()));
    // it leaves and comes back before all have been looked at
    world.input(Input::Snapshot(snapshot(&documents(false))));
    world.input(Input::Snapshot(snapshot(&documents(true))));
    assert!(turns(&mut world) >= 2);
    assert_eq!((world.proxy.status().legs, used(&world)), (CALLS, CALLS));
    assert!(ends(&world, &new).is_empty() && ends(&world, calls.last().unwrap()).len() == 1);
}

#[test]
fn many_answers_that_wait_for_the_disk_leave_in_slices_and_in_order() {
    let (mut world, mut calls) = many();
    world.disk = false;
    for (number, up) in calls.iter_mut().enumerate() {
        assert_eq!(world.hang_up(up, &format!("bye{number}")), None);
    }
    let answered = |world: &mut World| {
        std::iter::from_fn(|| world.try_take(CALLER))
            .map(|answer| header(&answer, "Call-ID").to_owned())
            .collect::<Vec<_>>()
    };
    let no = world.made;
    world.input(Input::Durable { no });
    let mut all = answered(&mut world);
    assert!(!all.is_empty() && all.len() < CALLS && world.is_due(), "{}", all.len());
    while world.is_due() {
        world.fire();
        all.extend(answered(&mut world));
    }
    assert!(all.iter().eq(calls.iter().map(|up| &up.caller.call_id)));
    assert_eq!(world.proxy.counters().bye_answer_late, 0);
}

/// Calls ring at a server that is gone: one after the other goes to the next server. Who gives up
/// before it is its turn is answered, and tried nowhere.
#[test]
fn calls_of_a_server_that_is_gone_go_on_in_slices() {
    let mut world = World::with(&documents(true), settings());
    let mut rings = Vec::new();
    for number in 0..CALLS {
        let call = format!("r{number}");
        world.udp(CALLER, &invite("18005550100", &call));
        if world.try_take(MCP1).is_some() {
            rings.push(call);
        }
    }
    while world.try_take(MCP2).is_some() {}
    let flow = sip::transport::Flow {
        transport: sip::transport::Transport::Udp,
        listener: 0,
        remote: address(MCP1),
        conn: None,
    };
    world.input(Input::FlowFailed { flow });
    let tried = |world: &mut World| {
        std::iter::from_fn(|| world.try_take(MCP2))
            .filter(|text| text.starts_with("INVITE "))
            .map(|text| header(&text, "Call-ID").to_owned())
            .collect::<Vec<_>>()
    };
    let mut all = tried(&mut world);
    assert!(!all.is_empty() && all.len() < rings.len() && world.is_due(), "{}", all.len());
    assert_eq!(world.proxy.invariant(), Ok(()));
    let last = rings.pop().unwrap();
    let given_up = invite("18005550100", &last).replace("INVITE", "CANCEL");
    world.udp(CALLER, &given_up);
    assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
    while world.is_due() {
        world.fire();
        assert_eq!(world.proxy.invariant(), Ok(()));
        all.extend(tried(&mut world));
    }
    assert!(
        all.iter().eq(rings
            .iter()
            .map(|call| format!("{call}@10.1.1.5"))
            .collect::<Vec<_>>()
            .iter())
    );
    let refused = world.take(CALLER);
    assert!(refused.starts_with("SIP/2.0 487 "), "{refused}");
    assert_eq!(header(&refused, "Call-ID"), format!("{last}@10.1.1.5"));
}
