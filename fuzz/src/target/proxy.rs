//! `rm::Proxy`: any script leaves it sound after each step and empty at the end.
//!
//! ```text
//! @from SIDE udp|tcp    a packet, or bytes of a stream: the text; `$token` is a sealed user part,
//!                       `$route` the Record-Route, `$branch` the branch last seen on the wire
//! @answer SIDE CODE     the last request sent to that side gets an answer; the text: more headers
//! @dialog SIDE METHOD   a request inside the dialog of that side; the text: more headers
//! @cancel               the caller gives its last INVITE up
//! @again                the last packet comes again
//! @wait MS              time passes
//! @fail SIDE            the flow to that side fails
//! @names SIDE           all names that were asked for lead to that side; `nothing`: nowhere
//! @drops N              the kernel has lost so many datagrams
//! @state ready|draining|starting     @objects 0…5     @disk on|off     @look
//! @restart              kill -9, and a start from the spool; @block: with the text as a packed leg
//! ```

mod parties;
mod world;

use model::time::Now;
use std::time::Duration;

use super::script::{Step, steps};
use world::World;

const STEPS: usize = 120;
/// Longer than any call, watch, hold, tombstone and timer of these settings: the lifetimes are
/// one minute, and what ends then may say BYE to somebody silent.
const LONG: Duration = Duration::from_secs(400);

pub(super) fn run(data: &[u8]) {
    let mut world = World::new();
    for step in steps(data, STEPS) {
        act(&mut world, &step);
        assert_eq!(world.proxy.invariant(), Ok(()), "after {}", step.name());
    }
    finish(&mut world);
}

/// `rm::Proxy::restore`: bytes that should be the packed leg of an open frame, and nothing else. They
/// are refused, or a call that goes on, outlives one more start, and ends.
pub(super) fn block(data: &[u8]) {
    let mut world = World::new();
    let refused = world.restart(Some(data)) == 1;
    assert_eq!(world.proxy.invariant(), Ok(()));
    world.look();
    if refused {
        let status = world.proxy.status();
        assert_eq!((status.sessions, status.legs), (0, 0), "read whole or not at all");
        return;
    }
    world.restart(None);
    world.look();
    finish(&mut world);
}

fn act(world: &mut World, step: &Step<'_>) {
    match step.name() {
        "from" => world.from(step.word(0), step.word(1) == "tcp", step.message()),
        "answer" => {
            let code = u16::try_from(step.number(1, 699)).unwrap_or(0).max(100);
            world.answer(step.word(0), code, &step.message());
        }
        "dialog" => world.in_dialog(step.word(0), step.word(1), &step.message()),
        "cancel" => world.cancel(),
        "again" => world.again(),
        "wait" => world.wait(Duration::from_millis(step.number(0, 400_000))),
        "fail" => world.fail(step.word(0)),
        "state" => world.state(step.word(0)),
        "objects" => world.configure(step.number(0, 5)),
        "names" => world.names(step.word(0)),
        "drops" => world.drops(step.number(0, 1_000_000)),
        "disk" => world.disk(step.word(0) != "off"),
        "look" => world.look(),
        "restart" => _ = world.restart(None),
        "block" => _ = world.restart(Some(step.text)),
        _ => {}
    }
}

/// Nobody speaks any more, the disk works: time alone must end every call and empty every set.
fn finish(world: &mut World) {
    world.disk(true);
    world.wait(LONG);
    if world.proxy.status().legs > 0 {
        // the called side has chosen its own session timer: the longest call is the bound; without
        // media servers there are no probes all that time
        world.configure(5);
        world.wait(rm::limits::MAX_CALL_DURATION);
    }
    let status = world.proxy.status();
    assert_eq!((status.sessions, status.legs), (0, 0), "no call stays");
    assert_eq!(status.transactions_pending, 0, "no transaction stays open");
    world.wait(LONG);
    let status = world.proxy.status();
    assert!(status.transactions_finished <= world.probes(), "none is remembered for ever");
    let used: usize = world.proxy.resources().iter().map(|one| one.used).sum();
    assert_eq!(used, 0, "no place stays taken");
    assert_eq!(world.proxy.invariant(), Ok(()));
    world.closed();
}

/// The start of virtual time.
fn start() -> Now {
    Now { mono: Duration::from_secs(1000), wall: model::time::Millis(1_767_225_600_000) }
}
