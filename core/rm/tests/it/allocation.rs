//! What a call costs in heap memory: allocations per message, and bytes while it is held.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::counting::heap;
use crate::line::{Call, Line};
use crate::world::{CALLER, address, header, reply};

/// Allocations of each step of a call, in order.
type Steps = Vec<(&'static str, usize)>;

impl Line {
    /// Feeds one message in and counts.
    fn step(
        &mut self,
        steps: &mut Steps,
        what: &'static str,
        from: std::net::SocketAddr,
        text: &str,
    ) {
        let (before, _) = heap();
        self.feed(from, text.as_bytes());
        steps.push((what, heap().0 - before));
    }

    /// A call with everything that happens to one every day, and each request twice.
    fn whole(&mut self, name: &str) -> Steps {
        let (mut steps, mut call) = (Steps::with_capacity(32), Call::new(name));
        let caller = address(CALLER);
        let invite = call.invite();
        self.step(&mut steps, "INVITE", caller, &invite);
        call.placed(self);
        let server = call.server();
        self.step(&mut steps, "INVITE again", caller, &invite);
        self.step(&mut steps, "100", server, &call.answer(100));
        self.step(&mut steps, "180", server, &call.answer(180));
        self.step(&mut steps, "183", server, &call.answer(183));
        self.step(&mut steps, "200", server, &call.answer(200));
        call.answered(self);
        self.step(&mut steps, "200 again", server, &call.answer(200));
        let ack = call.request("ACK");
        self.step(&mut steps, "ACK", caller, &ack);
        self.step(&mut steps, "ACK again", caller, &ack);
        for (method, answer) in [("INFO", "200 to INFO"), ("INVITE", "200 to re-INVITE")] {
            let request = call.request(method);
            self.step(&mut steps, method, caller, &request);
            let ok = call.ok(self);
            self.step(&mut steps, answer, server, &ok);
            self.step(&mut steps, "request again", caller, &request);
        }
        self.step(&mut steps, "ACK to re-INVITE", caller, &call.request("ACK"));
        let bye = call.request("BYE");
        self.step(&mut steps, "BYE", caller, &bye);
        let ok = call.ok(self);
        self.step(&mut steps, "200 to BYE", server, &ok);
        assert!(self.last().1.starts_with("SIP/2.0 200 "));
        self.step(&mut steps, "BYE again", caller, &bye);
        steps
    }

    /// What happens to fewer: a call that its server refuses, one that its caller gives up while it
    /// rings, and a message without a call.
    fn unusual(&mut self, name: &str) -> Steps {
        let (mut steps, caller) = (Steps::with_capacity(32), address(CALLER));
        let mut refused = Call::new(&format!("{name}-r"));
        let invite = refused.invite();
        self.step(&mut steps, "INVITE", caller, &invite);
        refused.placed(self);
        self.step(&mut steps, "404", refused.server(), &refused.answer(404));
        let answer = self.upstream("404", caller);
        self.step(&mut steps, "ACK to 404", caller, &ack_to(&invite, &answer));

        let mut given_up = Call::new(&format!("{name}-c"));
        let invite = given_up.invite();
        self.step(&mut steps, "INVITE", caller, &invite);
        given_up.placed(self);
        let server = given_up.server();
        self.step(&mut steps, "180", server, &given_up.answer(180));
        self.step(&mut steps, "CANCEL", caller, &invite.replace("INVITE", "CANCEL"));
        let ok = reply(&self.latest(|to| to == server).1, 200, "9f1c1a2b3c", "");
        self.step(&mut steps, "200 to CANCEL", server, &ok);
        self.step(&mut steps, "487", server, &given_up.answer(487));
        let answer = self.upstream("487", caller);
        self.step(&mut steps, "ACK to 487", caller, &ack_to(&invite, &answer));

        let mut message = Call::new(&format!("{name}-m"));
        let text = message.invite().replace("INVITE", "MESSAGE");
        self.step(&mut steps, "MESSAGE", caller, &text);
        message.placed(self);
        let ok = message.ok(self);
        self.step(&mut steps, "200 to MESSAGE", message.server(), &ok);
        self.upstream("200", caller);
        steps
    }

    /// The latest of what this step has sent to the caller, which must be this answer.
    fn upstream(&self, code: &str, caller: std::net::SocketAddr) -> String {
        let answer = self.latest(|to| to == caller).1;
        assert!(answer.starts_with(&format!("SIP/2.0 {code} ")), "{answer}");
        answer
    }
}

/// The ACK of a caller to a failure.
fn ack_to(invite: &str, answer: &str) -> String {
    let to = format!("To: {}\r\n", header(invite, "To"));
    let tagged = format!("To: {}\r\n", header(answer, "To"));
    assert!(invite.contains(&to) && tagged.contains(";tag="), "{answer}");
    invite.replace("INVITE", "ACK").replace(&to, &tagged)
}

#[test]
fn nor_does_what_happens_to_fewer() {
    let mut line = Line::new().remembering();
    for n in 0..1_000 {
        line.unusual(&format!("warm-{n:06}"));
        line.run(Duration::from_millis(125));
    }
    for n in 0..100 {
        let steps = line.unusual(&format!("call-{n:06}"));
        let taken: Vec<_> = steps.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(taken, [], "round {n}");
        line.run(Duration::from_millis(500));
    }
}

#[test]
fn no_message_of_a_call_takes_any() {
    // all tables have held more than they will, and what they gave back is given back
    let mut line = Line::new().remembering();
    for (calls, gap) in [(1_600, 125), (200, 500)] {
        for n in 0..calls {
            line.whole(&format!("warm-{n:06}"));
            line.run(Duration::from_millis(gap));
        }
    }
    for n in 0..200 {
        let steps = line.whole(&format!("call-{n:06}"));
        let taken: Vec<_> = steps.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(taken, [], "call {n}");
        let (before, _) = heap();
        line.run(Duration::from_millis(500));
        assert_eq!(heap().0 - before, 0, "timers after call {n}");
    }
}

/// What a refused INVITE takes, and the ACK to its answer.
fn refused(line: &mut Line, from: &str, name: &str, code: &str) -> Steps {
    let (mut steps, from) = (Steps::with_capacity(4), address(from));
    let invite = Call::new(name).invite();
    line.step(&mut steps, "INVITE", from, &invite);
    let (to, answer) = line.last();
    assert!(to == from && answer.starts_with(&format!("SIP/2.0 {code} ")), "{answer}");
    line.step(&mut steps, "INVITE again", from, &invite);
    let ack = ack_to(&invite, &answer);
    assert!(ack.contains(";tag=rm"), "{ack}");
    line.step(&mut steps, "ACK", from, &ack);
    steps
}

/// After some that may take what they keep, none takes any.
fn none_taken(mut refused: impl FnMut(usize) -> Steps) {
    for n in 0..300 {
        let taken: Vec<_> = refused(n).into_iter().filter(|(_, count)| *count > 0).collect();
        assert!(n < 100 || taken.is_empty(), "{n}: {taken:?}");
    }
}

#[test]
fn what_is_shed_takes_none() {
    let mut line = Line::new().remembering();
    line.kernel_drops(1_000_000);
    none_taken(|n| refused(&mut line, CALLER, &format!("shed-{n:04}"), "503"));
    assert_eq!(line.proxy.overload_state(), 2);
    // the engine looks at its queues, over and over
    line.run(Duration::from_millis(100));
    let (before, _) = heap();
    line.run(Duration::from_millis(200));
    assert!(line.proxy.overload_state() > 0);
    line.run(Duration::from_secs(5));
    assert_eq!((line.proxy.overload_state(), heap().0 - before), (0, 0));
}

#[test]
fn what_is_beyond_a_rate_takes_none() {
    let mut line = Line::with(|settings| settings.peers[0].rate = NonZeroU32::new(1));
    for n in 0..2 {
        line.feed(address(CALLER), Call::new(&format!("first-{n}")).invite().as_bytes());
    }
    none_taken(|n| refused(&mut line, CALLER, &format!("peer-{n:04}"), "503"));

    // a stranger beyond its rate is told once a second, and then not heard
    let mut line = Line::new().remembering();
    let stranger = "203.0.113.9:5060";
    none_taken(|n| {
        line.run(Duration::from_secs(60));
        let within = Call::new(&format!("within-{n:04}")).invite();
        for _ in 0..20 {
            line.feed(address(stranger), within.as_bytes());
        }
        refused(&mut line, stranger, &format!("told-{n:04}"), "503")
    });
}

/// Calls held at once; enough that what exists once does not count.
const HELD: usize = 4_000;

#[test]
fn a_held_call_takes_little_memory() {
    let mut line = Line::new().remembering();
    line.whole("warm");
    line.run(Duration::from_secs(100));
    let (_, before) = heap();
    let mut calls = 0;
    for n in 0..HELD {
        let (mut steps, mut call) = (Steps::new(), Call::new(&format!("held-{n:06}")));
        let caller = address(CALLER);
        line.step(&mut steps, "INVITE", caller, &call.invite());
        call.placed(&line);
        line.step(&mut steps, "200", call.server(), &call.answer(200));
        call.answered(&line);
        line.step(&mut steps, "ACK", caller, &call.request("ACK"));
        line.run(Duration::from_millis(2));
        calls += 1;
    }
    line.run(Duration::from_secs(40));
    assert_eq!((line.proxy.status().legs, calls), (HELD, HELD));
    let each = (heap().1 - before).cast_unsigned() / HELD;
    println!("{each} bytes a held call");
    assert!(each <= 1_536, "{each} bytes a held call");
}
