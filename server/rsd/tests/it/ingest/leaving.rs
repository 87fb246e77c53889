//! Connections that stand in each other's way, and peers that leave before all is stored.

use std::sync::Arc;

use rsd::entry::Transport;
use rsd::ingest::Priority;

use super::frames::Frames;
use super::house::{House, Options, Sender, record, within};
use super::{CDR, EVENT};

fn send(head: &str, bytes: usize) -> String {
    let body = format!("{{\"pad\":\"{}\"}}", "x".repeat(bytes));
    format!("SEND\ndestination:{EVENT}\n{head}\n{body}\0")
}

fn is_short(line: &str) -> bool {
    line.contains(" 32002 ") && line.contains("memory is short")
}

/// Open transactions fill the memory, so that none is read to its end: some are given up for the
/// others, and told so.
#[tokio::test]
async fn transactions_that_wait_for_each_other_come_to_an_end() {
    let house = House::open(Options { memory: 1 << 20, ..Options::default() }).await;
    let mut peers = Vec::new();
    for _ in 0..8 {
        let mut peer = Frames::login(house.address()).await;
        let inside = send("transaction:t\n", 60_000).repeat(4);
        peer.try_say(&format!("BEGIN\ntransaction:t\n\n\0{inside}")).await;
        peers.push(peer);
    }
    within(|| house.log_lines().iter().any(|line| is_short(line))).await;
    for peer in &mut peers {
        peer.try_say("COMMIT\ntransaction:t\nreceipt:1\n\n\0").await;
    }
    let (mut whole, mut given_up) = (0, 0);
    for peer in &mut peers {
        let answer = peer.next().await;
        if answer.starts_with("RECEIPT\n") {
            whole += 1;
        } else {
            assert!(answer.starts_with("ERROR\nmessage:memory is short"), "{answer}");
            given_up += 1;
        }
    }
    let entries = house.entries();
    assert!(entries.iter().all(|entry| entry.messages.len() == 4));
    assert_eq!((entries.len(), whole + given_up), (whole, 8));
    assert!(whole >= 2 && given_up >= 1, "{whole} whole");
}

/// Peers that begin large frames and fall silent take the memory of all; others still get through.
#[tokio::test]
async fn whoever_begins_and_falls_silent_makes_room() {
    let house = House::open(Options { memory: 1 << 20, ..Options::default() }).await;
    let half =
        format!("{}{}", send("content-length:8000000\n", 100_000).trim_end_matches('\0'), "y");
    let mut silent = Vec::new();
    for _ in 0..20 {
        let mut peer = Frames::login(house.address()).await;
        peer.try_say(&half).await;
        silent.push(peer);
    }
    let mut honest = Frames::login(house.address()).await;
    honest.say(&send("receipt:1\n", 300_000)).await;
    assert_eq!(honest.next().await, "RECEIPT\nreceipt-id:1\n\n");
    assert!(house.log_lines().iter().any(|line| is_short(line)));
}

/// Fills the spool until events are held back.
async fn held_back() -> House {
    let small = Options { limit: 1 << 20, segment: 64 << 10, ..Options::default() };
    let house = House::open(small).await;
    let mut cdr = Sender::connect(house.address(), 1, 0).await;
    let body = format!("{{\"pad\":\"{}\"}}", "x".repeat(8000));
    let mut sequence = 0;
    while house.parts.gate.lets_in(Priority::Third) {
        sequence += 1;
        let mut large = record("large", sequence);
        large.body = body.as_bytes();
        cdr.client.send(CDR, sequence, &large).unwrap();
        cdr.next().await;
    }
    house
}

/// What cannot be done is refused at once: the sends before it have come.
async fn has_read(peer: &mut Frames) {
    peer.say("SUBSCRIBE\nid:0\ndestination:a\n\n\0").await;
    assert!(peer.next().await.starts_with("ERROR\n"));
}

#[tokio::test]
async fn what_is_held_back_outlives_its_connection() {
    let house = held_back().await;
    let mut peer = Frames::login(house.address()).await;
    peer.say(&send("", 10).repeat(5)).await;
    has_read(&mut peer).await;
    peer.say("DISCONNECT\n\n\0").await;
    drop(peer);
    let mut patient = Frames::login(house.address()).await;
    patient.say(&send("receipt:1\n", 10)).await;
    has_read(&mut patient).await;
    patient.half_close().await;
    let counters = &house.parts.counters;
    assert_eq!(counters.stored(EVENT, Transport::Stomp).0, 0);
    assert!(!house.entries().iter().any(|entry| entry.messages[0].queue == EVENT));
    house.parts.spool.release(house.parts.spool.durable());
    assert_eq!(patient.next().await, "RECEIPT\nreceipt-id:1\n\n");
    within(|| counters.stored(EVENT, Transport::Stomp).0 == 6).await;
    within(|| counters.connections(Transport::Stomp) == 0).await;
    assert_eq!(counters.abandoned(), 0);
}

/// Behind events that wait, on the same connection.
#[tokio::test]
async fn cdrs_pass_what_is_held_back() {
    let house = held_back().await;
    let mut peer = Frames::login(house.address()).await;
    for number in [1, 2, 3] {
        peer.say(&send(&format!("receipt:{number}\n"), 10)).await;
        let cdr = send(&format!("receipt:1{number}\n"), 10).replace(EVENT, CDR);
        peer.say(&cdr).await;
        assert_eq!(peer.next().await, format!("RECEIPT\nreceipt-id:1{number}\n\n"));
    }
    house.parts.spool.release(house.parts.spool.durable());
    for number in [1, 2, 3] {
        assert_eq!(peer.next().await, format!("RECEIPT\nreceipt-id:{number}\n\n"));
    }
}

#[tokio::test]
async fn what_cannot_be_stored_is_counted_and_told() {
    let house = held_back().await;
    let mut peer = Frames::login(house.address()).await;
    peer.say(&send("", 10).repeat(5)).await;
    has_read(&mut peer).await;
    let counters = Arc::clone(&house.parts.counters);
    let log = house.parts.log.clone();
    let lines = house.lines();
    house.close().await;
    assert_eq!(counters.abandoned(), 5);
    log.flush();
    let told = |line: &String| line.contains("5 messages were held back and are not stored");
    assert_eq!(lines.lines().iter().filter(|line| told(line)).count(), 1);
}

#[tokio::test]
async fn whoever_only_listens_any_more_gets_its_answers() {
    let house = House::open(Options::default()).await;
    let mut peer = Frames::connect(house.address()).await;
    let login = "CONNECT\naccept-version:1.2\nhost:x\n\n\0";
    peer.say(&format!("{login}{}", send("receipt:1\n", 10))).await;
    peer.half_close().await;
    assert!(peer.next().await.starts_with("CONNECTED\n"));
    assert_eq!(peer.next().await, "RECEIPT\nreceipt-id:1\n\n");
    assert_eq!(peer.next().await, "", "closed");
    assert_eq!(house.parts.counters.stored(EVENT, Transport::Stomp).0, 1);
}

/// The kernel asks a silent peer whether it is there: `/proc/net/tcp` shows the timer (2).
#[tokio::test]
async fn a_silent_peer_is_asked_by_the_kernel() {
    let house = House::open(Options::default()).await;
    let _peer = Frames::login(house.address()).await;
    let local = format!("0100007F:{:04X}", house.address().port());
    within(|| {
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        sockets.lines().any(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields.get(1) == Some(&local.as_str())
                && fields.get(3) == Some(&"01")
                && fields.get(5).is_some_and(|timer| timer.starts_with("02:"))
        })
    })
    .await;
}
