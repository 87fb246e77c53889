//! Scenarios of rm.md §14 with a bound on time that is told in real time elsewhere: what the engine
//! itself waits for. The number in a name is the scenario's.

use std::net::SocketAddr;
use std::time::Duration;

use model::chance::Chance;
use sim::world::CALLER;

use crate::scenarios::{SECOND, all_is_over, first, held, ms, row, world};

/// There and back between two hosts of the network.
const ROUND: Duration = ms(2);

/// 100 within 10 ms, before anybody else has said anything.
#[test]
fn scenario_1_an_invite_is_told_at_once_that_it_is_tried() {
    let mut world = world();
    let slow = sim::Manner { answers: Some((SECOND, 200)), ..sim::Manner::default() };
    world.agents.iter_mut().for_each(|agent| agent.manner = Some(slow.clone()));
    let placed = world.now.mono;
    world.place(0, held(2 * SECOND));
    world.run(5 * SECOND).unwrap();
    let waited = |world: &mut _, what| first(world, "sip-server", what) - placed;
    assert_eq!(waited(&mut world, "100 INVITE"), ROUND);
    assert_eq!(waited(&mut world, "200 INVITE"), SECOND + 2 * ROUND);
    all_is_over(&mut world);
}

/// Media servers that say 100 and nothing more: the caller hears when the time of the hunt is over.
#[test]
fn a_hunt_that_hangs_ends_with_its_time() {
    let mut world = world();
    let hangs = sim::Manner { rings: Some((SECOND, 100)), ..sim::Manner::default() };
    world.agents.iter_mut().for_each(|agent| agent.manner = Some(hangs.clone()));
    let placed = world.now.mono;
    let call = world.place(0, held(SECOND));
    world.run(30 * SECOND).unwrap();
    assert_eq!(first(&mut world, "sip-server", "480 INVITE") - placed, 20 * SECOND + ROUND);
    assert_eq!(row(&world, &call).reason.as_deref(), Some("hunt-failed"));
    all_is_over(&mut world);
}

/// What is no message: an INVITE that is cut before its CSeq, or of which a byte is another one.
fn garbage(chance: &mut Chance) -> Vec<u8> {
    let mut bytes =
        b"INVITE sip:18005550100@10.0.0.5:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5090;\
        branch=z9hG4bKg\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: g\r\n"
            .to_vec();
    let most = bytes.len() as u64;
    let mut below = |most| usize::try_from(chance.below(most)).unwrap();
    let at = below(most);
    bytes[at] = u8::try_from(below(256)).unwrap();
    bytes.truncate(below(most) + 1);
    bytes
}

/// A hundred thousand broken messages in ten seconds, from the SIP Server's own address and from
/// strangers: a valid call among them is answered within 250 ms.
#[test]
fn scenario_37_a_valid_call_among_garbage_waits_for_nobody() {
    let mut world = world();
    world.checks.sparse = 50_000;
    let mut chance = Chance::new([37; 4]);
    let strangers: Vec<SocketAddr> =
        (1..=50).map(|host| SocketAddr::from(([198, 51, 100, host], 5060))).collect();
    let to = world.nodes[0].address;
    let mut placed = Vec::new();
    for turn in 0..10_000_usize {
        for nth in 0..10 {
            let from = if nth == 0 { CALLER } else { strangers[(turn + nth) % 50] };
            let now = world.now.mono;
            world.network.datagram(now, from, to, garbage(&mut chance));
        }
        if turn % 200 == 100 {
            placed.push((world.now.mono, world.place(0, held(ms(300)))));
        }
        world.run(ms(1)).unwrap();
    }
    all_is_over(&mut world);
    assert_eq!(placed.len(), 50);
    let errors = world.nodes[0].proxy().unwrap().counters().parse_errors["UDP"];
    assert!(errors > 10_000, "{errors} of the SIP Server alone");
    let answers: Vec<_> = world.caller().heard_of("200 INVITE").cloned().collect();
    for (at, call) in placed {
        let own = |text: &str| sim::agent::text::header(text, "Call-ID") == call;
        let answer = answers.iter().find(|heard| own(&heard.text)).unwrap();
        assert!(answer.at - at <= ms(250), "{call} waits {:?}", answer.at - at);
    }
}
