//! Sends that are much larger than they look, and those that are larger than they may be.

use std::time::Duration;

use openwire::{ClientEvent, Command, MessageKind};
use rsd::entry::Transport;

use super::frames::Frames;
use super::house::{House, Options, Sender, record, within};
use super::raw::Raw;
use super::{CDR, EVENT};

/// Of some kibibytes come 24 MiB: whoever sends a small record meanwhile does not wait for them.
#[tokio::test]
async fn a_small_record_overtakes_what_is_inflated() {
    let house = House::open(Options { segment: 32 << 20, ..Options::default() }).await;
    let mut heavy = Raw::login(house.address(), 1).await;
    let mut small = Sender::connect(house.address(), 2, 0).await;
    let last = || house.parts.spool.status().last_seq;
    let mut overtaken = 0;
    for round in 1..=4 {
        let before = last();
        heavy.blanks(round, 24);
        heavy.flush().await;
        let tag = u64::try_from(round).unwrap();
        small.client.send(CDR, tag, &record("r1", tag)).unwrap();
        assert_eq!(small.next().await, ClientEvent::Acknowledged { tag });
        overtaken += u32::from(last() == before + 1);
        assert_eq!(heavy.answers(1).await, [round]);
        assert_eq!(last(), before + 2);
    }
    assert!(overtaken > 0);
}

/// What is sent behind it on the same connection stays behind it, and is stored with it when the
/// sender goes at once.
#[tokio::test]
async fn what_is_inflated_keeps_its_place() {
    let house = House::open(Options::default()).await;
    let mut heavy = Raw::login(house.address(), 1).await;
    for commit in [2, 4] {
        heavy.blanks(commit, 3);
        let light = heavy.message(9, MessageKind::Bytes, b"{}");
        heavy.tell(commit + 1, true, &Command::Message(Box::new(light)));
    }
    assert_eq!(heavy.answers(4).await, [2, 3, 4, 5]);
    heavy.blanks(6, 3);
    heavy.flush().await;
    drop(heavy);
    let counters = &house.parts.counters;
    within(|| counters.connections(Transport::Openwire) == 0).await;
    let entries = house.entries();
    let lens: Vec<_> = entries.iter().map(|entry| entry.messages.len()).collect();
    assert_eq!(lens, [3, 1, 3, 1, 3]);
    assert_eq!(counters.abandoned(), 0);
}

/// At the stop what is being inflated is in the spool and answered, or counted as abandoned, and
/// never both.
#[tokio::test]
async fn what_is_inflated_at_the_stop_counts_once() {
    for pause in [0, 5, 10, 20, 40, 80, 160] {
        let house = House::open(Options { segment: 32 << 20, ..Options::default() }).await;
        let mut heavy = Raw::login(house.address(), 1).await;
        heavy.blanks(2, 24);
        heavy.flush().await;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let (_dir, parts) = house.stop().await;
        let stored = if parts.spool.status().last_seq > 0 { 24 } else { 0 };
        let (answered, _) = parts.counters.stored("ringmaster.sq", Transport::Openwire);
        let abandoned = parts.counters.abandoned();
        assert_eq!(answered, stored, "after {pause} ms");
        assert!(abandoned == 24 - stored || (abandoned, stored) == (0, 0), "after {pause} ms");
    }
}

/// Two are inflated at once; the others wait for their turn, and all are answered.
#[tokio::test]
async fn more_than_there_are_places_wait_and_go_on() {
    let house = House::open(Options { segment: 32 << 20, ..Options::default() }).await;
    let mut peers = Vec::new();
    for number in 1..=6 {
        let mut peer = Raw::login(house.address(), number).await;
        peer.blanks(2, 6);
        peer.flush().await;
        peers.push(peer);
    }
    for peer in &mut peers {
        assert_eq!(peer.answers(1).await, [2]);
    }
    let entries = house.entries();
    assert_eq!(entries.iter().map(|entry| entry.messages.len()).collect::<Vec<_>>(), [6; 6]);
    assert_eq!(house.parts.counters.abandoned(), 0);
}

/// One that was inflated and finds no room waits with all that came behind it, while others are
/// served; when there is room it goes on.
#[tokio::test]
async fn a_heavy_arrival_without_room_waits_and_goes_on() {
    let limit = 16 << 20;
    let house = House::open(Options { limit, ..Options::default() }).await;
    let spool = &house.parts.spool;
    let mut cdr = Sender::connect(house.address(), 9, 0).await;
    let body = format!("{{\"pad\":\"{}\"}}", "x".repeat(500_000));
    let mut sent = 0;
    while spool.status().bytes < limit / 100 * 70 {
        sent += 1;
        let mut large = record("large", sent);
        large.body = body.as_bytes();
        cdr.client.send(CDR, sent, &large).unwrap();
        cdr.next().await;
    }
    let mut heavy = Raw::login(house.address(), 1).await;
    heavy.blanks(2, 8);
    let light = heavy.message(9, MessageKind::Bytes, b"{}");
    heavy.tell(3, true, &Command::Message(Box::new(light)));
    heavy.is_read(4).await;
    // it is tried again and again; whoever has room in the meantime is served
    for _ in 0..10 {
        sent += 1;
        cdr.client.send(CDR, sent, &record("r1", sent)).unwrap();
        assert_eq!(cdr.next().await, ClientEvent::Acknowledged { tag: sent });
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let here = || -> Vec<usize> {
        let mut entries = house.entries();
        entries.retain(|entry| entry.messages[0].queue == "ringmaster.sq");
        entries.iter().map(|entry| entry.messages.len()).collect()
    };
    assert!(here().is_empty());
    spool.release(spool.durable());
    assert_eq!(heavy.answers(2).await, [2, 3]);
    assert_eq!(here(), [8, 1]);
    assert_eq!(house.parts.counters.abandoned(), 0);
}

/// A frame above the limit ends a connection of STOMP, as 1.2 demands: its sender is told which
/// one it was and why, the log too, and what was sent before it is stored.
#[tokio::test]
async fn a_frame_above_the_limit_is_told_before_the_end() {
    let house = House::open(Options::default()).await;
    for (round, tail) in (1..).zip(["content-length:9000000\n\n", "\n"]) {
        let mut peer = Frames::login(house.address()).await;
        peer.say(&format!("SEND\ndestination:{EVENT}\nreceipt:first\n\n{{}}\0")).await;
        assert_eq!(peer.next().await, "RECEIPT\nreceipt-id:first\n\n");
        let body = "x".repeat(9_000_000);
        peer.try_say(&format!("SEND\ndestination:{EVENT}\nreceipt:large\n{tail}{body}\0")).await;
        let told = peer.next().await;
        assert!(told.starts_with("ERROR\n") && told.contains("a frame above the limit"), "{told}");
        assert!(told.contains("\nreceipt-id:large\n"), "{told}");
        assert_eq!(peer.next().await, "", "closed");
        let lines = house.log_lines();
        let told = lines.iter().filter(|line| line.contains("a frame above the limit")).count();
        assert_eq!(told, round, "{lines:?}");
    }
    assert_eq!(house.entries().len(), 2);
}
