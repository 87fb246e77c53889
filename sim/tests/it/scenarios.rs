//! Scenarios of rm.md §14 that need one node, wait long, or have a tight tolerance. The number in
//! a name is the scenario's.

use std::time::Duration;

use model::record::EndState;
use rm::{Input, NodeState, ResourceView};
use rs::CallRow;
use serde_json::json;
use sim::agent::text::{all, header, reason};
use sim::objects;
use sim::world::{Setup, World};
use sim::{Call, Manner};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn number(number: &str) -> Call {
    Call { number: number.to_owned(), ..Call::default() }
}

/// A call to acme's number that its caller ends after so long.
pub(crate) fn held(hold: Duration) -> Call {
    Call { hold: Some(hold), ..number("18005550100") }
}

pub(crate) fn world() -> World {
    World::new(Setup::example_1(1)).unwrap()
}

pub(crate) fn resource(world: &World, name: &str) -> ResourceView {
    let all = world.nodes[0].proxy().unwrap().resources();
    all.into_iter().find(|one| one.name == name).unwrap()
}

/// The one row of a call.
pub(crate) fn row(world: &World, call: &str) -> CallRow {
    let [row] = <[CallRow; 1]>::try_from(world.report.rows_of(call)).unwrap();
    row
}

/// When a party heard this for the first time.
pub(crate) fn first(world: &mut World, who: &str, what: &str) -> Duration {
    let heard = world.agent(who).heard_of(what).next();
    heard.unwrap_or_else(|| panic!("{who} never heard {what}")).at
}

pub(crate) fn count(world: &mut World, who: &str, what: &str) -> usize {
    world.agent(who).heard_of(what).count()
}

pub(crate) fn logged(world: &World, id: u16) -> usize {
    world.logs.iter().filter(|one| one.id == id).count()
}

/// Nothing is left of any call, and the report says what happened.
pub(crate) fn all_is_over(world: &mut World) {
    let over = |world: &World| {
        let status = world.nodes[0].proxy().unwrap().status();
        (status.sessions, status.legs) == (0, 0) && world.nodes[0].is_published()
    };
    assert!(world.run_until(40 * SECOND, over).unwrap(), "something is left");
    world.run(SECOND).unwrap();
    world.truth.compare(&world.report).unwrap();
}

#[test]
fn scenario_20_a_silent_server_is_given_up_after_two_seconds() {
    let mut world = world();
    world.agent("mcp-1").manner = Some(Manner::silent());
    let call = world.place(0, held(5 * SECOND));
    world.run(3 * SECOND).unwrap();
    let wait = first(&mut world, "mcp-2", "INVITE") - first(&mut world, "mcp-1", "INVITE");
    assert!(wait.abs_diff(2 * SECOND) <= ms(100), "{wait:?}");
    assert_eq!(resource(&world, "mcp-1").last_error.as_deref(), Some("timeout"));
    all_is_over(&mut world);
    let row = row(&world, &call);
    assert_eq!((row.resource_name.as_deref(), row.attempts), (Some("mcp-2"), Some(2)));
    assert!(row.extra.unwrap().contains("\"reason\":\"timeout\""));
}

#[test]
fn scenario_24_probes_tell_a_dead_server_and_its_return() {
    let mut world = world();
    assert_eq!(resource(&world, "mcp-1").state, "healthy");
    world.agent("mcp-1").alive = None;
    let dead = |world: &World| resource(world, "mcp-1").state == "dead";
    assert!(world.run_until(12 * SECOND, dead).unwrap());
    world.agent("mcp-1").alive = Some((200, ""));
    let back = |world: &World| resource(world, "mcp-1").state == "healthy";
    assert!(world.run_until(4 * SECOND, back).unwrap(), "{:?}", resource(&world, "mcp-1"));
}

/// Fifty calls on mcp-1, which then dies; mcp-2 takes none.
fn dies_with_calls(on_dead: &str) -> World {
    let mut setup = Setup::example_1(1);
    let group = objects::spec(&mut setup.objects, "ResourceGroup", "mcp").unwrap();
    group["on_dead"] = json!(on_dead);
    group["resources"][1]["state"] = json!("disabled");
    let mut world = World::new(setup).unwrap();
    for _ in 0..50 {
        world.place(0, number("18005550100"));
    }
    world.run(SECOND).unwrap();
    assert_eq!(resource(&world, "mcp-1").used, 50);
    let now = world.now.mono;
    world.agent("mcp-1").power_off(now);
    let dead = |world: &World| resource(world, "mcp-1").state == "dead";
    assert!(world.run_until(12 * SECOND, dead).unwrap());
    // release_after is 15 s
    world.run(14 * SECOND).unwrap();
    assert_eq!(world.nodes[0].proxy().unwrap().status().legs, 50);
    world.run(2 * SECOND).unwrap();
    world
}

#[test]
fn scenario_25_calls_of_a_dead_server_are_ended() {
    let mut world = dies_with_calls("bye");
    let byes: Vec<String> = world.caller().heard_of("BYE").map(|one| one.text.clone()).collect();
    assert_eq!(byes.len(), 50);
    let why = |bye: &&String| header(bye, "Reason") == "SIP;cause=503;text=\"resource-dead\"";
    assert_eq!(byes.iter().filter(why).count(), 50, "{}", byes[0]);
    assert_eq!(resource(&world, "mcp-1").used, 0);
    all_is_over(&mut world);
    let rows: Vec<CallRow> = world.report.rows().collect();
    let dead = |row: &&CallRow| {
        row.reason.as_deref() == Some("resource-dead")
            && row.end_state == Some(EndState::SystemError.number())
    };
    assert_eq!((rows.len(), rows.iter().filter(dead).count()), (50, 50));
}

#[test]
fn scenario_26_the_sip_server_is_told_of_calls_of_a_dead_server_and_ends_them() {
    let mut world = dies_with_calls("notify");
    let told: Vec<String> = world.caller().heard_of("NOTIFY").map(|one| one.text.clone()).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].matches("\"call_id\"").count(), 50);
    assert_eq!(header(&told[0], "Event"), "ringmaster-resource");
    assert_eq!(count(&mut world, "sip-server", "BYE"), 0);
    assert_eq!(world.nodes[0].proxy().unwrap().status().legs, 50);
    let now = world.now.mono;
    world.caller().hang_up_all(now);
    all_is_over(&mut world);
    assert_eq!(world.report.rows().count(), 50);
}

#[test]
fn scenario_35_a_session_timer_ends_what_nobody_refreshes() {
    let timer = "Supported: timer\r\nSession-Expires: 90\r\n";
    let agreed = "Require: timer\r\nSession-Expires: 90;refresher=uac\r\n";
    let gone = Some(2 * SECOND);
    let mut world = world();
    world
        .agents
        .iter_mut()
        .for_each(|agent| agent.manner = Some(Manner::answers(200).with(agreed)));
    let call = Call { lines: timer.to_owned(), vanish: gone, ..number("18005550100") };
    let by_caller = world.place(0, call);
    world.run(130 * SECOND).unwrap();
    let ended = |world: &World, call: &str| {
        let row = row(world, call);
        let up = row.ended_ms.unwrap() - row.answered_ms.unwrap();
        assert!((up - 122_000).abs() <= 1000, "{up} ms");
        assert_eq!(row.end_state, Some(EndState::Timeout.number()));
        assert_eq!(row.reason.as_deref(), Some("session-timer"));
    };
    ended(&world, &by_caller);
    assert_eq!(count(&mut world, "mcp-1", "BYE") + count(&mut world, "mcp-2", "BYE"), 0);

    // without: no header is added
    world.agents.iter_mut().for_each(|agent| agent.manner = Some(Manner::answers(200)));
    world.agents.iter_mut().for_each(|agent| agent.heard.clear());
    world.place(0, held(SECOND));
    world.run(3 * SECOND).unwrap();
    let invites: Vec<String> = world
        .agents
        .iter()
        .flat_map(|one| one.heard_of("INVITE"))
        .map(|one| one.text.clone())
        .collect();
    assert_eq!(invites.len(), 1);
    assert!(all(&invites[0], "Session-Expires").next().is_none());

    // by the group: the caller says nothing of it but that it knows timers
    let mut objects = world.objects.clone();
    objects::spec(&mut objects, "ResourceGroup", "mcp").unwrap()["session_expires"] = json!("90s");
    world.configure(objects).unwrap();
    world
        .agents
        .iter_mut()
        .for_each(|agent| agent.manner = Some(Manner::answers(200).with(agreed)));
    let lines = "Supported: timer\r\n".to_owned();
    let by_group = world.place(0, Call { lines, vanish: gone, ..number("18005550100") });
    world.run(130 * SECOND).unwrap();
    ended(&world, &by_group);
}

#[test]
fn scenario_36_a_caller_gives_up_before_an_answer_in_a_hunt_and_across_a_200() {
    let mut world = world();
    world.agents.iter_mut().for_each(|agent| agent.manner = Some(Manner::silent()));
    let give_up = |patience| Call { patience: Some(patience), ..number("18005550100") };
    // before any answer: the server is not asked further, the caller gets 487
    let early = world.place(0, give_up(ms(500)));
    world.run(3 * SECOND).unwrap();
    assert_eq!(count(&mut world, "sip-server", "487 INVITE"), 1);
    // in a hunt: no further try
    world.run(60 * SECOND).unwrap();
    world.agents.iter_mut().for_each(|agent| agent.heard.clear());
    let hunting = world.place(0, give_up(ms(1000)));
    world.run(10 * SECOND).unwrap();
    let tried: Vec<&str> = world
        .agents
        .iter()
        .filter(|agent| agent.heard_of("INVITE").count() > 0)
        .map(|agent| agent.name)
        .collect();
    assert_eq!(tried.len(), 1, "{tried:?}");
    assert_eq!(count(&mut world, "sip-server", "487 INVITE"), 1);
    // across a 200: it is passed on, and the caller ends it by BYE
    world.run(60 * SECOND).unwrap();
    let late = Manner { answers: Some((ms(500), 200)), ..Manner::default() };
    world.agents.iter_mut().for_each(|agent| agent.manner = Some(late.clone()));
    world.agents.iter_mut().for_each(|agent| agent.heard.clear());
    // the 200 leaves the server at 502 ms and reaches the caller at 504 ms
    let crossing = world.place(0, give_up(ms(503)));
    world.run(2 * SECOND).unwrap();
    assert_eq!(count(&mut world, "sip-server", "200 INVITE"), 1);
    assert_eq!(count(&mut world, "sip-server", "200 BYE"), 1);
    all_is_over(&mut world);
    for call in [&early, &hunting] {
        let row = row(&world, call);
        assert_eq!(row.end_state, Some(EndState::Cancelled.number()));
        assert_eq!(row.reason.as_deref(), Some("cancelled"));
    }
    assert_eq!(row(&world, &crossing).end_state, Some(EndState::UserEnd.number()));
}

/// Ten minutes of a hundred calls a second without a broker, with a power failure in the middle.
#[test]
fn scenario_40_ten_minutes_without_a_broker_lose_no_record() {
    const CALLS: usize = 60_000;
    let mut world = world();
    (world.checks.sparse, world.promises.sparse) = (200_000, 20_000);
    world.listens = false;
    world.agents.iter_mut().for_each(|agent| agent.listens = false);
    // a spool as the daemon has it by default, which takes them all
    (world.nodes[0].spool_bytes, world.nodes[0].segment_bytes) = (1 << 30, 8 << 20);
    world.crash(0);
    world.start(0).unwrap();
    world.place(0, held(SECOND));
    world.run(3 * SECOND).unwrap();
    let before = world.report.records();
    assert!(before > 0);
    world.set_report(false);
    let began = world.time();
    for half in 0..2 {
        for _ in 0..CALLS / 2 {
            world.place(0, held(ms(200)));
            world.run(ms(10)).unwrap();
        }
        if half == 0 {
            world.crash(0);
            world.start(0).unwrap();
        }
    }
    assert_eq!(world.time() - began, 600 * SECOND);
    assert_eq!(world.report.records(), before);
    let answered = world.truth.answered();
    assert!(answered > CALLS - 30, "{answered} calls were answered");
    world.set_report(true);
    let arrived = |world: &World| world.report.records() >= world.truth.durable();
    assert!(world.run_until(300 * SECOND, arrived).unwrap(), "{} came", world.report.records());
    all_is_over(&mut world);
    let rows = world.report.rows().count();
    assert!((answered..=CALLS + 1).contains(&rows), "{rows} rows of {answered} calls");
    assert_eq!(world.report.missing(), 0, "a sequence has a gap");
    assert!(world.report.records() >= world.truth.durable());
}

#[test]
fn scenario_41_calls_go_on_over_a_full_disk() {
    let mut world = world();
    let full = world.nodes[0].fs().clone();
    // nothing is released
    world.set_report(false);
    full.set_capacity(Some(1));
    let mut made = 0;
    while world.nodes[0].backlog().0 == 0 {
        world.place(0, held(ms(200)));
        world.run(ms(20)).unwrap();
        made += 1;
        assert!(made < 5_000, "the disk never fills");
    }
    let on_full = world.place(0, held(ms(200)));
    world.run(2 * SECOND).unwrap();
    assert!(world.nodes[0].backlog().0 > 0);
    assert!(matches!(world.truth.calls()[&on_full].outcome, Some((200, _))));
    assert!(world.truth.calls()[&on_full].ended, "its BYE is answered all the same");
    let counters = world.nodes[0].proxy().unwrap().counters();
    assert!(counters.bye_answer_late > 0);
    full.set_capacity(None);
    world.set_report(true);
    all_is_over(&mut world);
    assert_eq!(world.nodes[0].backlog(), (0, 0));
    assert_eq!(world.nodes[0].dropped(), 0);
    assert_eq!(row(&world, &on_full).end_state, Some(EndState::UserEnd.number()));
}

/// One node.
#[test]
fn scenario_42_the_answer_to_a_bye_waits_for_the_disk_but_not_for_ever() {
    for (sync, answered, late) in [(ms(40), ms(40), 0), (SECOND, ms(250), 1)] {
        let mut world = world();
        let call = world.place(0, number("18005550100"));
        world.run(2 * SECOND).unwrap();
        world.nodes[0].sync = sync;
        let said = world.now.mono;
        world.caller().say(said, &call, "BYE");
        world.run(3 * SECOND).unwrap();
        // two hops each way, and what may have been under way
        let took = first(&mut world, "sip-server", "200 BYE") - said - ms(4);
        assert!(took >= answered && took <= answered + ms(10), "{took:?} with {sync:?}");
        let counters = world.nodes[0].proxy().unwrap().counters();
        assert_eq!(counters.bye_answer_late, late);
        assert_eq!(logged(&world, 20503), usize::try_from(late).unwrap());
        all_is_over(&mut world);
    }
}

/// That the process ends with 0 is shown with the executable.
#[test]
fn scenario_44_a_node_that_leaves_lets_its_calls_end() {
    let mut world = world();
    for _ in 0..20 {
        world.place(0, held(20 * SECOND));
    }
    world.run(SECOND).unwrap();
    world.input(0, Input::State(NodeState::Draining)).unwrap();
    let (now, rm) = (world.now.mono, world.nodes[0].address);
    world.caller().ask(now, rm, "OPTIONS");
    let refused = world.place(0, held(SECOND));
    world.run(SECOND).unwrap();
    let answer = world.caller().heard_of("503 OPTIONS").next().unwrap().text.clone();
    assert_eq!(header(&answer, "X-Ringmaster-State"), "draining");
    let answer = world.caller().heard_of("503 INVITE").next().unwrap().text.clone();
    assert_eq!((reason(&answer), header(&answer, "Retry-After")), ("node-draining", "10"));
    assert!(world.report.rows_of(&refused).is_empty());
    assert_eq!(world.nodes[0].proxy().unwrap().status().legs, 20);
    world.run(20 * SECOND).unwrap();
    all_is_over(&mut world);
    assert_eq!(count(&mut world, "sip-server", "200 BYE"), 20);
}

#[test]
fn scenario_55_what_a_given_up_server_says_late_goes_nowhere() {
    let late = [
        // a late 183 is cancelled
        Manner { rings: Some((ms(2500), 183)), ..Manner::default() },
        // a late 200 is acknowledged and ended
        Manner { answers: Some((ms(2500), 200)), ..Manner::default() },
    ];
    for (manner, heard) in late.into_iter().zip([&["CANCEL"][..], &["ACK", "BYE"]]) {
        let mut world = world();
        world.agent("mcp-1").manner = Some(manner);
        let call = world.place(0, held(10 * SECOND));
        world.run(5 * SECOND).unwrap();
        for what in heard {
            assert_eq!(count(&mut world, "mcp-1", what), 1, "{what}");
        }
        assert_eq!(count(&mut world, "sip-server", "183 INVITE"), 0);
        assert_eq!(count(&mut world, "sip-server", "200 INVITE"), 1);
        assert_eq!(count(&mut world, "sip-server", "BYE"), 0);
        assert_eq!((resource(&world, "mcp-1").used, resource(&world, "mcp-2").used), (0, 1));
        all_is_over(&mut world);
        assert_eq!(row(&world, &call).resource_name.as_deref(), Some("mcp-2"));
    }
}

#[test]
fn scenario_56_a_refused_tcp_is_remembered_for_ten_minutes() {
    let mut setup = Setup::example_1(1);
    let group = objects::spec(&mut setup.objects, "ResourceGroup", "mcp").unwrap();
    group["resources"][0]["address"] = json!("sip:10.0.0.11:5070;transport=udp");
    let mut world = World::new(setup).unwrap();
    let large = || Call { lines: format!("X-Large: {}\r\n", "x".repeat(3000)), ..held(SECOND) };
    let round = |world: &mut World| {
        let before = world.connects.len();
        for _ in 0..2 {
            world.place(0, large());
            world.run(3 * SECOND).unwrap();
        }
        world.connects[before..].iter().map(|(_, to)| *to).collect::<Vec<_>>()
    };
    let mcp_2 = sim::world::server(12);
    assert_eq!(round(&mut world), [mcp_2], "one attempt, and none for who says transport=udp");
    assert_eq!(round(&mut world), [], "it is known now");
    assert_eq!(logged(&world, 20117), 1);
    world.run(580 * SECOND).unwrap();
    assert_eq!(round(&mut world), []);
    world.run(20 * SECOND).unwrap();
    assert_eq!(round(&mut world), [mcp_2], "ten minutes are over");
    let (one, two) = (count(&mut world, "mcp-1", "INVITE"), count(&mut world, "mcp-2", "INVITE"));
    assert_eq!((one, two), (4, 4));
    all_is_over(&mut world);
}
