//! Full is a designed state: what the endpoint does at each of its limits.
#![expect(clippy::panic, reason = "a test helper fails its test")]

use std::time::Duration;

use sip::endpoint::{
    ClientOptions, Counters, Endpoint, Received, ServerId, Timers, TransactionEvent,
};
use sip::limits::Limits;
use sip::transport::Transport::Udp;

use crate::allocation::allocations;
use crate::wire::{flow, ms, request, response};

const NOW: Duration = Duration::ZERO;

fn endpoint(pending: usize, finished: usize) -> Endpoint {
    let limits = Limits {
        pending_transactions: pending,
        finished_transactions: finished,
        ..Limits::DEFAULT
    };
    Endpoint::new(limits, Timers::default(), 1)
}

fn take(endpoint: &mut Endpoint, bytes: &[u8]) -> Option<ServerId> {
    match endpoint.handle_input(NOW, flow(Udp, 5060), bytes) {
        Received::Request { id, .. } => Some(id),
        Received::Overload { message } => {
            assert_eq!(message.raw(), bytes);
            None
        }
        other => panic!("{other:?}"),
    }
}

fn transmits(endpoint: &mut Endpoint) -> usize {
    let mut out = Vec::new();
    std::iter::from_fn(|| endpoint.poll_transmit(&mut out)).count()
}

#[test]
fn beyond_the_pending_ones_a_request_leaves_no_state() {
    let mut endpoint = endpoint(2, 10);
    let invite = request("INVITE", Udp, 5060, "z9hG4bK0");
    let id = take(&mut endpoint, &invite).unwrap();
    let ours = request("OPTIONS", Udp, 5060, "z9hG4bKours");
    endpoint.request(NOW, flow(Udp, 5060), &ours, ClientOptions::default());
    endpoint.respond(NOW, id, 100, &response(&invite, 100));
    transmits(&mut endpoint);
    let more = request("OPTIONS", Udp, 5060, "z9hG4bK1");
    for _ in 0..2 {
        assert_eq!(take(&mut endpoint, &more), None);
    }
    assert_eq!((endpoint.pending(), endpoint.finished()), (2, 0));
    assert_eq!((transmits(&mut endpoint), endpoint.counters().overloads), (0, 2));
    // What belongs to a transaction goes on.
    endpoint.handle_input(NOW, flow(Udp, 5060), &invite);
    assert_eq!(transmits(&mut endpoint), 1);
    let cancel = request("CANCEL", Udp, 5060, "z9hG4bK0");
    let received = endpoint.handle_input(NOW, flow(Udp, 5060), &cancel);
    assert!(matches!(received, Received::Cancel { .. }));
    endpoint.respond(NOW, id, 487, &response(&invite, 487));
    assert!(take(&mut endpoint, &more).is_some());
}

#[test]
fn beyond_the_finished_ones_the_oldest_is_forgotten() {
    let mut endpoint = endpoint(10, 3);
    let requests: Vec<Vec<u8>> =
        (0..5).map(|n| request("OPTIONS", Udp, 5060, &format!("z9hG4bK{n}"))).collect();
    let ids: Vec<ServerId> =
        requests.iter().map(|bytes| take(&mut endpoint, bytes).unwrap()).collect();
    for n in [3, 1, 4, 0, 2] {
        endpoint.respond(NOW, ids[n], 200, &response(&requests[n], 200));
    }
    assert_eq!((endpoint.pending(), endpoint.finished()), (0, 3));
    assert_eq!(endpoint.counters(), Counters { forgotten: 2, ..Counters::default() });
    for n in [3, 1] {
        assert_eq!(
            endpoint.poll_event(),
            Some(TransactionEvent::ServerEnded { id: ids[n] }),
            "{n}"
        );
        assert!(take(&mut endpoint, &requests[n]).is_some(), "a late copy is new");
    }
    assert_eq!(endpoint.poll_event(), None);
}

#[test]
fn a_discarded_request_leaves_no_state() {
    let mut endpoint = endpoint(10, 10);
    let bytes = request("INVITE", Udp, 5060, "z9hG4bKd");
    let id = take(&mut endpoint, &bytes).unwrap();
    endpoint.discard(id);
    endpoint.send(flow(Udp, 5060), &response(&bytes, 503));
    assert_eq!((endpoint.pending(), endpoint.poll_timeout()), (0, None));
    assert_eq!((transmits(&mut endpoint), endpoint.poll_event()), (1, None));
    let id = take(&mut endpoint, &bytes).unwrap();
    endpoint.respond(NOW, id, 486, &response(&bytes, 486));
    endpoint.discard(id);
    assert_eq!(endpoint.finished(), 1, "what was answered stays");
}

#[test]
fn a_burst_of_deadlines_is_spread_over_calls() {
    let mut endpoint = endpoint(10_000, 10);
    for n in 0..600 {
        let bytes = request("OPTIONS", Udp, 5060, &format!("z9hG4bK{n}"));
        endpoint.request(NOW, flow(Udp, 5060), &bytes, ClientOptions::default());
    }
    assert_eq!(transmits(&mut endpoint), 600);
    let mut left = 600;
    while left > 0 {
        assert_eq!(endpoint.poll_timeout().unwrap().0, ms(500));
        endpoint.handle_timeout(ms(500));
        let sent = transmits(&mut endpoint);
        assert!((1..=64).contains(&sent), "{sent}");
        left -= sent;
    }
    assert_eq!(endpoint.poll_timeout().unwrap().0, ms(1_500));
    assert_eq!(endpoint.invariant(), Ok(()));
}

#[test]
fn time_never_runs_backwards() {
    let mut endpoint = endpoint(10, 10);
    for (n, now) in [ms(10_000), ms(2_000)].into_iter().enumerate() {
        let bytes = request("BYE", Udp, 5060, &format!("z9hG4bK{n}"));
        endpoint.request(now, flow(Udp, 5060), &bytes, ClientOptions::default());
    }
    transmits(&mut endpoint);
    assert_eq!(endpoint.poll_timeout().unwrap().0, ms(10_500));
    endpoint.handle_timeout(ms(10_500));
    assert_eq!(transmits(&mut endpoint), 2);
}

#[test]
fn a_repeated_request_and_its_answer_take_no_memory() {
    let mut endpoint = endpoint(10, 10);
    let bytes = request("OPTIONS", Udp, 5060, &format!("z9hG4bK{}", "long".repeat(30)));
    let id = take(&mut endpoint, &bytes).unwrap();
    endpoint.respond(NOW, id, 200, &response(&bytes, 200));
    let mut out = Vec::with_capacity(4096);
    let mut round = || {
        endpoint.handle_input(NOW, flow(Udp, 5060), &bytes);
        while endpoint.poll_transmit(&mut out).is_some() {}
        out.clear();
    };
    round();
    assert_eq!(allocations(round), 0);
}

#[test]
fn a_call_takes_no_memory_but_what_it_is_given() {
    let mut endpoint = endpoint(100, 1);
    let mut out = Vec::with_capacity(8192);
    let mut calls = (0..40).map(|n| {
        let invite = request("INVITE", Udp, 5060, &format!("z9hG4bKin{n}"));
        let sent = request("INVITE", Udp, 5060, &format!("z9hG4bKout{n}"));
        let (answer, passed) = (response(&sent, 200), response(&invite, 200));
        (invite, sent, answer, passed)
    });
    let mut call = |(invite, sent, answer, passed): (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>)| {
        let id = take(&mut endpoint, &invite).unwrap();
        endpoint.request(NOW, flow(Udp, 5070), &sent, ClientOptions::default());
        endpoint.handle_input(NOW, flow(Udp, 5070), &answer);
        endpoint.respond(NOW, id, 200, &passed);
        while endpoint.poll_transmit(&mut out).is_some() {}
        while endpoint.poll_event().is_some() {}
        out.clear();
    };
    calls.by_ref().take(20).for_each(&mut call);
    let rest: Vec<_> = calls.collect();
    assert_eq!(allocations(|| rest.into_iter().for_each(&mut call)), 0);
}
