//! The flows of RFC 3261 §17 and RFC 6026 between two endpoints, each as the story that the users
//! of both sides hear. One hop takes 10 ms; `a` asks, `b` answers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test helper fails its test")]

use sip::endpoint::ServerId;
use sip::transport::Transport::{self, Tcp, Udp};

use crate::pair::{Net, Pair, What};
use crate::wire::{ms, request, response};

const BRANCH: &str = "z9hG4bKflow";

struct Call {
    pair: Pair,
    transport: Transport,
}

impl Call {
    fn new(transport: Transport) -> Self {
        Self { pair: Pair::new(transport, Net::default(), 1), transport }
    }

    fn bytes(&self, method: &str) -> Vec<u8> {
        request(method, self.transport, 5060, BRANCH)
    }

    /// `a` asks; the story up to the request at `b` is checked, its id comes back.
    fn asked(&mut self, method: &str) -> ServerId {
        let bytes = self.bytes(method);
        self.pair.ask(0, bytes);
        let heard = self.pair.next(ms(10)).unwrap();
        let What::Request(id) = heard.what else { panic!("{heard:?}") };
        assert_eq!((heard.at, heard.side), (ms(10), 1));
        id
    }

    fn answer(&mut self, id: ServerId, method: &str, code: u16) {
        let bytes = response(&self.bytes(method), code);
        self.pair.respond(1, id, code, bytes);
    }

    /// `a` acknowledges a 2xx, end to end: a branch of its own.
    fn acknowledge(&mut self) {
        let ack = request("ACK", self.transport, 5060, "z9hG4bKack");
        self.pair.send(0, &ack);
    }

    #[track_caller]
    fn story(&mut self, until: u64, expected: &[&str]) {
        assert_eq!(self.pair.story(ms(until)), expected);
    }

    #[track_caller]
    fn rest(&mut self, expected: &[&str]) {
        self.story(1_000_000, expected);
        assert!(self.pair.is_empty());
    }
}

#[test]
fn an_invite_is_answered_and_acknowledged() {
    for transport in [Udp, Tcp] {
        let mut call = Call::new(transport);
        let id = call.asked("INVITE");
        call.answer(id, "INVITE", 100);
        call.story(100, &["20 a 100 INVITE"]);
        call.answer(id, "INVITE", 180);
        call.story(1_000, &["110 a 180 INVITE"]);
        call.answer(id, "INVITE", 200);
        call.story(1_500, &["1010 a 200 INVITE"]);
        call.acknowledge();
        call.rest(&["1510 b ACK", "33000 b ServerEnded", "33010 a ClientEnded"]);
    }
}

#[test]
fn a_refused_invite_is_acknowledged_hop_by_hop() {
    let mut call = Call::new(Udp);
    let id = call.asked("INVITE");
    call.answer(id, "INVITE", 404);
    call.rest(&[
        "20 a 404 INVITE",
        "30 b AckToFailure ACK",
        "5030 b ServerEnded",
        "32020 a ClientEnded",
    ]);
    let mut call = Call::new(Tcp);
    let id = call.asked("INVITE");
    call.answer(id, "INVITE", 404);
    call.rest(&[
        "20 a 404 INVITE",
        "20 a ClientEnded",
        "30 b AckToFailure ACK",
        "30 b ServerEnded",
    ]);
}

#[test]
fn a_lost_ack_is_sent_again() {
    let mut call = Call::new(Udp);
    call.pair.lose.push((0, "ACK"));
    let id = call.asked("INVITE");
    call.answer(id, "INVITE", 486);
    call.rest(&[
        "20 a 486 INVITE",
        "520 a Retransmission 486 INVITE",
        "530 b AckToFailure ACK",
        "5530 b ServerEnded",
        "32020 a ClientEnded",
    ]);
}

#[test]
fn a_lost_100_is_drawn_out_by_the_next_invite() {
    let mut call = Call::new(Udp);
    call.pair.lose.push((1, "100 INVITE"));
    let id = call.asked("INVITE");
    call.answer(id, "INVITE", 100);
    call.story(1_999, &["510 b Retransmission INVITE", "520 a 100 INVITE"]);
}

#[test]
fn a_lost_invite_is_sent_again() {
    let mut call = Call::new(Udp);
    call.pair.lose.extend([(0, "INVITE"), (0, "INVITE")]);
    let bytes = call.bytes("INVITE");
    call.pair.ask(0, bytes);
    call.story(2_000, &["1510 b INVITE"]);
}

#[test]
fn a_lost_200_is_the_users_to_repeat() {
    let mut call = Call::new(Udp);
    call.pair.lose.push((1, "200 INVITE"));
    let id = call.asked("INVITE");
    call.answer(id, "INVITE", 180);
    call.answer(id, "INVITE", 200);
    call.story(510, &["20 a 180 INVITE"]);
    call.answer(id, "INVITE", 200);
    call.story(600, &["520 a 200 INVITE"]);
    call.answer(id, "INVITE", 200);
    call.acknowledge();
    call.rest(&["610 a 200 INVITE", "610 b ACK", "32010 b ServerEnded", "32520 a ClientEnded"]);
}

#[test]
fn an_invite_that_comes_after_its_200_is_no_new_call() {
    let mut call = Call::new(Udp);
    let id = call.asked("INVITE");
    call.answer(id, "INVITE", 200);
    call.story(100, &["20 a 200 INVITE"]);
    let late = call.bytes("INVITE");
    call.pair.send(0, &late);
    call.story(200, &["110 b Retransmission INVITE"]);
}

#[test]
fn cancel_after_a_provisional() {
    let mut call = Call::new(Udp);
    let bytes = call.bytes("INVITE");
    let client = call.pair.ask(0, bytes);
    let Some(What::Request(id)) = call.pair.next(ms(10)).map(|heard| heard.what) else { panic!() };
    call.answer(id, "INVITE", 180);
    call.story(100, &["20 a 180 INVITE"]);
    call.pair.cancel(0, client);
    call.story(110, &["110 b CANCEL"]);
    call.answer(id, "INVITE", 487);
    call.rest(&[
        "120 a CancelAnswer 200 CANCEL",
        "120 a 487 INVITE",
        "130 b AckToFailure ACK",
        "5130 b ServerEnded",
        "32120 a ClientEnded",
    ]);
}

#[test]
fn cancel_before_a_provisional_waits_for_it() {
    let mut call = Call::new(Tcp);
    let bytes = call.bytes("INVITE");
    let client = call.pair.ask(0, bytes);
    call.pair.cancel(0, client);
    let Some(What::Request(id)) = call.pair.next(ms(10)).map(|heard| heard.what) else { panic!() };
    call.story(300, &[]);
    call.answer(id, "INVITE", 180);
    call.story(400, &["310 a 180 INVITE", "320 b CANCEL", "330 a CancelAnswer 200 CANCEL"]);
    call.answer(id, "INVITE", 487);
    call.rest(&[
        "410 a 487 INVITE",
        "410 a ClientEnded",
        "420 b AckToFailure ACK",
        "420 b ServerEnded",
    ]);
}

#[test]
fn a_200_that_crosses_the_cancel_goes_up() {
    let mut call = Call::new(Udp);
    let bytes = call.bytes("INVITE");
    let client = call.pair.ask(0, bytes);
    let Some(What::Request(id)) = call.pair.next(ms(10)).map(|heard| heard.what) else { panic!() };
    call.answer(id, "INVITE", 180);
    call.story(100, &["20 a 180 INVITE"]);
    call.answer(id, "INVITE", 200);
    call.pair.cancel(0, client);
    call.rest(&[
        "110 a 200 INVITE",
        "110 b LateCancel CANCEL",
        "120 a CancelAnswer 200 CANCEL",
        "32100 b ServerEnded",
        "32110 a ClientEnded",
    ]);
}

#[test]
fn a_non_invite_over_udp_and_tcp() {
    let mut call = Call::new(Udp);
    call.pair.lose.push((1, "200 BYE"));
    let id = call.asked("BYE");
    call.answer(id, "BYE", 200);
    call.rest(&[
        "510 b Retransmission BYE",
        "520 a 200 BYE",
        "5520 a ClientEnded",
        "32010 b ServerEnded",
    ]);
    let mut call = Call::new(Tcp);
    let id = call.asked("BYE");
    call.answer(id, "BYE", 200);
    call.rest(&["10 b ServerEnded", "20 a 200 BYE", "20 a ClientEnded"]);
}
