//! Every timer A–M at its exact instants: one endpoint, a script of what happens to it, and the
//! whole list of what leaves it and what it says.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test helper fails its test")]

use std::time::Duration;

use sip::endpoint::{
    ClientId, ClientOptions, Endpoint, Received, ServerId, Timers, TransactionEvent,
};
use sip::limits::Limits;
use sip::transport::Transport::{self, Tcp, Udp};

use crate::wire::{flow, ms, request, response, short};

/// What the script does.
#[derive(Clone, Copy)]
enum Do {
    /// We send a request.
    Send(&'static str),
    /// The same, with a time limit of its own, in milliseconds.
    SendFor(&'static str, u64),
    /// The peer answers our request of that method.
    Answer(&'static str, u16),
    /// A request of the peer comes.
    Come(&'static str),
    /// We answer it.
    Respond(u16),
    /// We give up our INVITE.
    Cancel,
    /// The flow fails.
    FlowFailed,
}
use Do::{Answer, Cancel, Come, FlowFailed, Respond, Send, SendFor};

struct Play {
    endpoint: Endpoint,
    transport: Transport,
    /// How many times longer everything takes than the script says.
    scale: u32,
    client: Option<ClientId>,
    server: Option<ServerId>,
    seen: Vec<(u64, String)>,
}

/// Plays the script, then waits until nothing is left to wait for.
fn play(
    transport: Transport,
    timers: Timers,
    scale: u32,
    script: &[(u64, Do)],
) -> Vec<(u64, String)> {
    let endpoint = Endpoint::new(Limits::DEFAULT, timers, 1);
    let (client, server, seen) = (None, None, Vec::new());
    let mut play = Play { endpoint, transport, scale, client, server, seen };
    for (at, what) in script {
        let now = ms(*at) * scale;
        play.wait(now);
        play.act(now, *what);
        play.drain(now);
    }
    play.wait(ms(1_000_000) * scale);
    assert_eq!((play.endpoint.pending(), play.endpoint.finished()), (0, 0));
    play.seen
}

impl Play {
    fn wait(&mut self, until: Duration) {
        while let Some((at, reason)) = self.endpoint.poll_timeout() {
            if at > until {
                return;
            }
            assert!(!reason.is_empty());
            self.endpoint.handle_timeout(at);
            self.drain(at);
        }
    }

    fn act(&mut self, now: Duration, what: Do) {
        let flow = flow(self.transport, 5060);
        match what {
            Send(method) | SendFor(method, _) => {
                let limit = if let SendFor(_, limit) = what { Some(ms(limit)) } else { None };
                let timeout = limit.map(|limit| limit * self.scale);
                let bytes = request(method, self.transport, 9, "z9hG4bKa");
                let options = ClientOptions { timeout };
                self.client = Some(self.endpoint.request(now, flow, &bytes, options));
            }
            Answer(method, code) => {
                let bytes = response(&request(method, self.transport, 9, "z9hG4bKa"), code);
                self.come(now, &bytes);
            }
            Come(method) => self.come(now, &request(method, self.transport, 5060, "z9hG4bKb")),
            Respond(code) => {
                let bytes = response(&request("INVITE", self.transport, 5060, "z9hG4bKb"), code);
                self.endpoint.respond(now, self.server.unwrap(), code, &bytes);
            }
            Cancel => self.endpoint.cancel(now, self.client.unwrap(), None),
            FlowFailed => self.endpoint.handle_flow_failed(now, flow),
        }
    }

    fn come(&mut self, now: Duration, bytes: &[u8]) {
        let what = match self.endpoint.handle_input(now, flow(self.transport, 5060), bytes) {
            Received::Request { id, .. } => {
                self.server = Some(id);
                "up request".to_owned()
            }
            Received::Response { id, message } => {
                assert_eq!(Some(id), self.client);
                format!("up {}", message.status().unwrap())
            }
            Received::Cancel { invite, .. } => {
                assert_eq!(Some(invite), self.server);
                "up CANCEL".to_owned()
            }
            Received::Ack { .. } => "up ACK".to_owned(),
            Received::Stray { .. } => "stray".to_owned(),
            Received::Absorbed(absorbed) => format!("{absorbed:?}"),
            other => panic!("{other:?}"),
        };
        self.note(now, what);
    }

    fn drain(&mut self, now: Duration) {
        let mut out = Vec::new();
        while let Some(transmit) = self.endpoint.poll_transmit(&mut out) {
            assert_eq!(transmit.flow, flow(self.transport, 5060));
            assert_eq!(transmit.len, out.len());
            self.note(now, format!("> {}", short(&out)));
            out.clear();
        }
        while let Some(event) = self.endpoint.poll_event() {
            let what = match event {
                TransactionEvent::Timeout { .. } => "timeout",
                TransactionEvent::TransportFailed { .. } => "failed",
                TransactionEvent::ClientEnded { .. } | TransactionEvent::ServerEnded { .. } => {
                    "ended"
                }
                TransactionEvent::ServerTimeout { .. } => "no ack",
            };
            self.note(now, what.to_owned());
        }
        self.endpoint.invariant().unwrap();
    }

    fn note(&mut self, now: Duration, what: String) {
        self.seen.push((u64::try_from((now / self.scale).as_millis()).unwrap(), what));
    }
}

/// With the base times of RFC 3261, and with others: everything follows from them.
fn check(name: &str, transport: Transport, script: &[(u64, Do)], expected: &[(u64, &str)]) {
    let Timers { t1, t2, t4, .. } = Timers::default();
    for scale in [1, 3] {
        let timers = Timers { t1: t1 * scale, t2: t2 * scale, t4: t4 * scale, ..Timers::default() };
        let seen = play(transport, timers, scale, script);
        let seen: Vec<(u64, &str)> = seen.iter().map(|(at, what)| (*at, what.as_str())).collect();
        assert_eq!(seen, expected, "{name}, {scale} times T1, T2 and T4");
    }
}

/// `what` at each of the instants.
fn at<'a>(instants: &[u64], what: &'a str) -> Vec<(u64, &'a str)> {
    instants.iter().map(|at| (*at, what)).collect()
}

const DOUBLING: [u64; 7] = [0, 500, 1500, 3500, 7500, 15_500, 31_500];
const CAPPED: [u64; 11] =
    [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];

#[test]
fn timer_a_doubles_and_b_ends() {
    let mut expected = at(&DOUBLING, "> INVITE");
    expected.push((32_000, "timeout"));
    check("A and B", Udp, &[(0, Send("INVITE"))], &expected);
    check("B", Tcp, &[(0, Send("INVITE"))], &[(0, "> INVITE"), (32_000, "timeout")]);
    let mut expected = at(&DOUBLING[..4], "> INVITE");
    expected.push((3_700, "timeout"));
    check("B of its own length", Udp, &[(0, SendFor("INVITE", 3_700))], &expected);
}

#[test]
fn timer_d_repeats_the_ack_to_a_failure() {
    let script = [
        (0, Send("INVITE")),
        (100, Answer("INVITE", 486)),
        (200, Answer("INVITE", 486)),
        (300, Answer("INVITE", 180)),
        (400, Answer("INVITE", 200)),
        (32_099, Answer("INVITE", 486)),
        (32_101, Answer("INVITE", 486)),
    ];
    let expected = [
        (0, "> INVITE"),
        (100, "up 486"),
        (100, "> ACK"),
        (200, "Retransmission"),
        (200, "> ACK"),
        (300, "LateProvisional"),
        (400, "stray"),
        (32_099, "Retransmission"),
        (32_099, "> ACK"),
        (32_100, "ended"),
        (32_101, "stray"),
    ];
    check("D", Udp, &script, &expected);
    let expected = [(0, "> INVITE"), (100, "up 486"), (100, "> ACK"), (100, "ended")];
    check("D is 0", Tcp, &script[..2], &expected);
}

/// RFC 3261 §17.1.1.2: "at least 32 seconds for unreliable transports", however short T1 is.
#[test]
fn timer_d_is_never_shorter_than_32_s() {
    let timers = Timers { t1: ms(100), ..Timers::default() };
    let seen = play(Udp, timers, 1, &[(0, Send("INVITE")), (50, Answer("INVITE", 486))]);
    assert_eq!(seen.last(), Some(&(32_050, "ended".to_owned())));
}

/// The base times stand alone: T2 is no multiple of T1, and T4 none of either.
#[test]
fn timers_e_k_and_i_follow_t2_and_t4() {
    let timers = Timers { t1: ms(500), t2: ms(2_700), t4: ms(7_100), ..Timers::default() };
    let script = [(0, Send("BYE")), (100, Answer("BYE", 100)), (4_000, Answer("BYE", 200))];
    let ends = |seen: &[(u64, String)], what: &str| {
        let of = seen.iter().filter(|(_, one)| one == what);
        of.map(|(at, _)| *at).collect::<Vec<_>>()
    };
    let seen = play(Udp, timers, 1, &script);
    assert_eq!((ends(&seen, "> BYE"), ends(&seen, "ended")), (vec![0, 500, 3_200], vec![11_100]));
    let script = [(0, Come("INVITE")), (0, Respond(486)), (6_000, Come("ACK"))];
    let seen = play(Udp, timers, 1, &script);
    let expected = (vec![0, 500, 1_500, 3_500], vec![13_100]);
    assert_eq!((ends(&seen, "> 486 INVITE"), ends(&seen, "ended")), expected);
}

#[test]
fn timer_e_doubles_to_t2_and_f_ends() {
    let mut expected = at(&CAPPED, "> OPTIONS");
    expected.push((32_000, "timeout"));
    check("E and F", Udp, &[(0, Send("OPTIONS"))], &expected);
    check("F", Tcp, &[(0, Send("BYE"))], &[(0, "> BYE"), (32_000, "timeout")]);
    let expected = [(0, "> BYE"), (500, "> BYE"), (1_500, "> BYE"), (2_000, "timeout")];
    check("F of its own length", Udp, &[(0, SendFor("BYE", 2_000))], &expected);
}

#[test]
fn timer_e_stays_at_t2_after_a_provisional() {
    let script = [(0, Send("BYE")), (600, Answer("BYE", 100)), (6_000, Answer("BYE", 200))];
    let expected = [
        (0, "> BYE"),
        (500, "> BYE"),
        (600, "up 100"),
        (1_500, "> BYE"),
        (5_500, "> BYE"),
        (6_000, "up 200"),
        (11_000, "ended"),
    ];
    check("E in Proceeding, K", Udp, &script, &expected);
    let mut expected = at(&[0, 500], "> BYE");
    expected.push((600, "up 100"));
    expected.extend(at(&[1_500, 5_500, 9_500, 13_500, 17_500, 21_500, 25_500, 29_500], "> BYE"));
    expected.push((32_000, "timeout"));
    check("F in Proceeding", Udp, &script[..2], &expected);
}

#[test]
fn timer_k_absorbs_repeated_answers() {
    let script = [
        (0, Send("BYE")),
        (10, Answer("BYE", 200)),
        (20, Answer("BYE", 200)),
        (30, Answer("BYE", 100)),
        (5_009, Answer("BYE", 481)),
        (5_011, Answer("BYE", 200)),
    ];
    let expected = [
        (0, "> BYE"),
        (10, "up 200"),
        (20, "Retransmission"),
        (30, "LateProvisional"),
        (5_009, "Retransmission"),
        (5_010, "ended"),
        (5_011, "stray"),
    ];
    check("K", Udp, &script, &expected);
    let expected = [(0, "> BYE"), (10, "up 200"), (10, "ended"), (20, "stray")];
    check("K is 0", Tcp, &script[..3], &expected);
}

#[test]
fn timer_g_doubles_to_t2_and_h_ends() {
    let mut expected = vec![(0, "up request")];
    expected.extend(at(&CAPPED, "> 486 INVITE"));
    expected.push((32_000, "no ack"));
    check("G and H", Udp, &[(0, Come("INVITE")), (0, Respond(486))], &expected);
    let expected = [(0, "up request"), (0, "> 486 INVITE"), (32_000, "no ack")];
    check("H", Tcp, &[(0, Come("INVITE")), (0, Respond(486))], &expected);
}

#[test]
fn timer_i_absorbs_repeated_acks() {
    let script = [
        (0, Come("INVITE")),
        (0, Respond(486)),
        (100, Come("INVITE")),
        (600, Come("ACK")),
        (700, Come("ACK")),
        (800, Come("INVITE")),
        (900, Respond(200)),
        (5_599, Come("ACK")),
        (5_601, Come("ACK")),
    ];
    let expected = [
        (0, "up request"),
        (0, "> 486 INVITE"),
        (100, "Retransmission"),
        (100, "> 486 INVITE"),
        (500, "> 486 INVITE"),
        (600, "AckToFailure"),
        (700, "AckToFailure"),
        (800, "Retransmission"),
        (5_599, "AckToFailure"),
        (5_600, "ended"),
        (5_601, "up ACK"),
    ];
    check("I", Udp, &script, &expected);
    let script = [(0, Come("INVITE")), (0, Respond(486)), (10, Come("ACK"))];
    let expected = [(0, "up request"), (0, "> 486 INVITE"), (10, "AckToFailure"), (10, "ended")];
    check("I is 0", Tcp, &script, &expected);
}

#[test]
fn an_invite_again_draws_out_the_last_response_until_its_ack() {
    let script = [
        (0, Come("INVITE")),
        (10, Come("INVITE")),
        (20, Respond(180)),
        (30, Come("INVITE")),
        (40, Respond(486)),
        (50, Come("INVITE")),
        (60, Come("ACK")),
        (70, Come("INVITE")),
    ];
    let expected = [
        (0, "up request"),
        (10, "Retransmission"),
        (20, "> 180 INVITE"),
        (30, "Retransmission"),
        (30, "> 180 INVITE"),
        (40, "> 486 INVITE"),
        (50, "Retransmission"),
        (50, "> 486 INVITE"),
        (60, "AckToFailure"),
        (70, "Retransmission"),
        (5_060, "ended"),
    ];
    check("INVITE in each state", Udp, &script, &expected);
}

#[test]
fn timer_j_answers_repeated_requests() {
    let script = [
        (0, Come("BYE")),
        (50, Come("BYE")),
        (100, Respond(100)),
        (150, Come("BYE")),
        (200, Respond(200)),
        (250, Respond(500)),
        (300, Come("BYE")),
        (32_199, Come("BYE")),
    ];
    let expected = [
        (0, "up request"),
        (50, "Retransmission"),
        (100, "> 100 INVITE"),
        (150, "Retransmission"),
        (150, "> 100 INVITE"),
        (200, "> 200 INVITE"),
        (300, "Retransmission"),
        (300, "> 200 INVITE"),
        (32_199, "Retransmission"),
        (32_199, "> 200 INVITE"),
        (32_200, "ended"),
    ];
    check("J", Udp, &script, &expected);
    let expected = [(0, "up request"), (5, "> 200 INVITE"), (5, "ended")];
    check("J is 0", Tcp, &[(0, Come("BYE")), (5, Respond(200))], &expected);
}

#[test]
fn no_408_and_no_early_provisional_leaves_for_a_non_invite() {
    let script = [(0, Come("BYE")), (10, Respond(180)), (20, Respond(408)), (30, Come("BYE"))];
    let expected = [(0, "up request"), (30, "Retransmission"), (32_020, "ended")];
    check("RFC 4320", Udp, &script, &expected);
    let expected = [(0, "up request"), (20, "ended")];
    check("RFC 4320 on a stream", Tcp, &script[..3], &expected);
}

#[test]
fn a_request_that_nobody_answers_does_not_stay() {
    for transport in [Udp, Tcp] {
        let expected = [(0, "up request"), (32_000, "ended")];
        check("unanswered", transport, &[(0, Come("INFO"))], &expected);
    }
}

#[test]
fn timer_l_absorbs_late_invites_and_passes_further_2xx_and_acks() {
    let script = [
        (0, Come("INVITE")),
        (0, Respond(100)),
        (10, Come("INVITE")),
        (20, Respond(200)),
        (30, Come("INVITE")),
        (520, Respond(200)),
        (530, Come("ACK")),
        (540, Respond(486)),
        (550, Respond(180)),
        (32_019, Come("INVITE")),
    ];
    let expected = [
        (0, "up request"),
        (0, "> 100 INVITE"),
        (10, "Retransmission"),
        (10, "> 100 INVITE"),
        (20, "> 200 INVITE"),
        (30, "Retransmission"),
        (520, "> 200 INVITE"),
        (530, "up ACK"),
        (32_019, "Retransmission"),
        (32_020, "ended"),
    ];
    check("L", Udp, &script, &expected);
    check("L on a stream", Tcp, &script, &expected);
}

#[test]
fn timer_m_passes_every_2xx() {
    let script = [
        (0, Send("INVITE")),
        (100, Answer("INVITE", 180)),
        (5_000, Answer("INVITE", 200)),
        (5_500, Answer("INVITE", 200)),
        (5_600, Answer("INVITE", 180)),
        (5_700, Answer("INVITE", 486)),
        (36_999, Answer("INVITE", 200)),
        (37_001, Answer("INVITE", 200)),
    ];
    let expected = [
        (0, "> INVITE"),
        (100, "up 180"),
        (5_000, "up 200"),
        (5_500, "up 200"),
        (5_600, "LateProvisional"),
        (5_700, "LateFinal"),
        (36_999, "up 200"),
        (37_000, "ended"),
        (37_001, "stray"),
    ];
    check("M", Udp, &script, &expected);
    check("M on a stream", Tcp, &script, &expected);
}

#[test]
fn a_cancel_waits_for_the_first_provisional() {
    let script = [
        (0, Send("INVITE")),
        (10, Cancel),
        (20, Cancel),
        (600, Answer("INVITE", 100)),
        (610, Answer("CANCEL", 200)),
        (620, Answer("INVITE", 487)),
    ];
    let expected = [
        (0, "> INVITE"),
        (500, "> INVITE"),
        (600, "up 100"),
        (600, "> CANCEL"),
        (610, "CancelAnswer"),
        (620, "up 487"),
        (620, "> ACK"),
        (32_620, "ended"),
    ];
    check("CANCEL before 1xx", Udp, &script, &expected);
    let expected = [(0, "> INVITE"), (32_000, "timeout")];
    check("CANCEL, never a 1xx", Tcp, &script[..3], &expected);
}

#[test]
fn a_cancel_without_final_response_times_out() {
    let script = [(0, Send("INVITE")), (100, Answer("INVITE", 183)), (1_000, Cancel)];
    let expected = [(0, "> INVITE"), (100, "up 183"), (1_000, "> CANCEL"), (33_000, "timeout")];
    check("64·T1 on a stream", Tcp, &script, &expected);
    let mut expected = vec![(0, "> INVITE"), (100, "up 183")];
    let cancels: Vec<u64> = CAPPED.iter().map(|at| at + 1_000).collect();
    expected.extend(at(&cancels, "> CANCEL"));
    expected.push((33_000, "timeout"));
    check("64·T1", Udp, &script, &expected);
    let script = [
        (0, Send("INVITE")),
        (100, Answer("INVITE", 183)),
        (1_000, Cancel),
        (1_100, Answer("CANCEL", 200)),
        (1_200, Answer("CANCEL", 200)),
        (1_300, Answer("INVITE", 183)),
        (2_000, Answer("INVITE", 200)),
        (2_001, Cancel),
    ];
    let expected = [
        (0, "> INVITE"),
        (100, "up 183"),
        (1_000, "> CANCEL"),
        (1_100, "CancelAnswer"),
        (1_200, "CancelAnswer"),
        (1_300, "up 183"),
        (2_000, "up 200"),
        (34_000, "ended"),
    ];
    check("200 crosses the CANCEL", Udp, &script, &expected);
}

#[test]
fn a_peers_cancel_is_answered_at_once_and_again() {
    let script = [
        (0, Come("CANCEL")),
        (1, Come("INVITE")),
        (1, Respond(180)),
        (10, Come("CANCEL")),
        (20, Come("CANCEL")),
        (30, Respond(487)),
        (40, Come("ACK")),
        (50, Come("CANCEL")),
    ];
    let expected = [
        (0, "UnmatchedCancel"),
        (0, "> 481 CANCEL"),
        (1, "up request"),
        (1, "> 180 INVITE"),
        (10, "up CANCEL"),
        (10, "> 200 CANCEL"),
        (20, "Retransmission"),
        (20, "> 200 CANCEL"),
        (30, "> 487 INVITE"),
        (40, "AckToFailure"),
        (50, "Retransmission"),
        (50, "> 200 CANCEL"),
        (5_040, "ended"),
    ];
    check("CANCEL from a peer", Udp, &script, &expected);
    let script = [(0, Come("INVITE")), (1, Respond(200)), (2, Come("CANCEL"))];
    let expected = [
        (0, "up request"),
        (1, "> 200 INVITE"),
        (2, "LateCancel"),
        (2, "> 200 CANCEL"),
        (32_001, "ended"),
    ];
    check("CANCEL after 200", Udp, &script, &expected);
    check("CANCEL after 200 on a stream", Tcp, &script, &expected);
}

#[test]
fn a_failed_flow_fails_what_waits_on_it() {
    let script = [(0, Send("INVITE")), (10, FlowFailed), (20, FlowFailed)];
    let expected = [(0, "> INVITE"), (10, "failed")];
    check("unsent", Udp, &script, &expected);
    check("unsent on a stream", Tcp, &script, &expected);
    let script = [(0, Send("INVITE")), (10, Answer("INVITE", 180)), (20, FlowFailed), (30, Cancel)];
    let expected = [(0, "> INVITE"), (10, "up 180"), (20, "failed")];
    check("ringing on a stream", Tcp, &script, &expected);
    let script = [
        (0, Send("INVITE")),
        (10, Answer("INVITE", 180)),
        (20, FlowFailed),
        (30, Answer("INVITE", 200)),
    ];
    let expected = [(0, "> INVITE"), (10, "up 180"), (30, "up 200"), (32_030, "ended")];
    check("ringing on UDP: nothing was under way", Udp, &script, &expected);
    let script = [(0, Send("BYE")), (10, Answer("BYE", 100)), (20, FlowFailed)];
    let expected = [(0, "> BYE"), (10, "up 100"), (20, "failed")];
    check("non-INVITE", Udp, &script, &expected);
    check("non-INVITE on a stream", Tcp, &script, &expected);
}

/// RFC 3261 §17.2.1: a 100 is for what takes long. One that waits is spared by whatever is better,
/// leaves at once when the INVITE comes again, and when it is due.
#[test]
fn a_100_waits_for_a_better_answer() {
    let timers = Timers { trying: ms(5), ..Timers::default() };
    let of = |script: &[(u64, Do)]| {
        let end = (10_000, Respond(200));
        play(Udp, timers, 1, &script.iter().copied().chain([end]).collect::<Vec<_>>())
    };
    let (come, trying) = ((0, Come("INVITE")), (0, Respond(100)));
    let seen = of(&[come, trying, (40, Respond(180)), (50, Come("INVITE"))]);
    let sent = |seen: &[(u64, String)]| {
        let sent = seen.iter().filter(|(at, one)| *at < 10_000 && one.starts_with("> "));
        sent.cloned().collect::<Vec<_>>()
    };
    let expected = |all: &[(u64, &str)]| {
        all.iter().map(|(at, one)| (*at, format!("> {one} INVITE"))).collect::<Vec<_>>()
    };
    assert_eq!(sent(&seen), expected(&[(5, "100"), (40, "180"), (50, "180")]));
    for (better, text) in [(180, "180"), (200, "200"), (486, "486")] {
        let seen = of(&[come, trying, (4, Respond(better)), (100, Respond(100))]);
        let once: Vec<_> = sent(&seen).into_iter().filter(|(at, _)| *at < 500).collect();
        assert_eq!(once, expected(&[(4, text)]));
    }
    let seen = of(&[come, trying, (2, Come("INVITE")), (40, Respond(180))]);
    assert_eq!(sent(&seen), expected(&[(2, "100"), (40, "180")]));
    let seen = of(&[come, (3, Respond(100)), (20, Respond(100))]);
    assert_eq!(sent(&seen), expected(&[(8, "100")]));
}
