//! The ingest listener over real TCP and a real spool: what is answered is on disk, what is not
//! taken waits, and whoever speaks something else is told so.

use std::collections::BTreeSet;
use std::time::Duration;

use openwire::{ClientEvent, OFFER};
use rsd::entry::{Body, Transport};
use rsd::ingest::Priority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) mod frames;
mod heavy;
pub(crate) mod house;
mod leaving;
mod raw;
mod room;
mod slow;

use frames::Frames;
use house::{House, Options, Sender, record, within};

const CDR: &str = "ringmaster.cdr";
const EVENT: &str = "ringmaster.event";

#[tokio::test]
async fn sends_and_transactions_are_on_disk_when_they_are_answered() {
    let house = House::open(Options::default()).await;
    let mut sender = Sender::connect(house.address(), 1, 0).await;
    sender.client.send(CDR, 1, &record("r1", 1)).unwrap();
    assert_eq!(sender.next().await, ClientEvent::Acknowledged { tag: 1 });
    let entries = house.entries();
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((entry.transport, entry.user.as_deref()), (Transport::Openwire, Some("rm")));
    assert_eq!(entry.messages[0].queue, CDR);
    // connection, session, the producer of the queue, sequence
    let id = entry.messages[0].message_id.as_deref().unwrap();
    assert!(id.starts_with("ID:test-1:1:1:") && id.ends_with(":1"), "{id}");
    assert_eq!(entry.messages[0].fallback_id.as_deref(), Some("r1"));
    assert_eq!(entry.messages[0].body, Body::Text("{\"id\":\"r1\"}".to_owned()));
    let properties = &entry.messages[0].properties;
    assert!(properties.contains(&("recordSchema".to_owned(), "1".to_owned())), "{properties:?}");

    let records: Vec<_> = (2..258).map(|sequence| record("rn", sequence)).collect();
    sender.client.send_transaction(EVENT, 2, &records).unwrap();
    sender.client.send_transaction(EVENT, 3, &records[..1]).unwrap();
    assert_eq!(sender.next().await, ClientEvent::Acknowledged { tag: 2 });
    assert_eq!(sender.next().await, ClientEvent::Acknowledged { tag: 3 });
    let entries = house.entries();
    assert_eq!(entries.iter().map(|entry| entry.messages.len()).collect::<Vec<_>>(), [1, 256, 1]);

    let counters = &house.parts.counters;
    assert_eq!(counters.stored(CDR, Transport::Openwire), (1, 11));
    assert_eq!(counters.stored(EVENT, Transport::Openwire), (257, 257 * 11));
    assert_eq!(counters.connections(Transport::Openwire), 1);
    assert_eq!(counters.unconfirmed_sends(), 0);
    drop(sender);
    within(|| counters.connections(Transport::Openwire) == 0).await;
    // a new start finds the same
    let (dir, stored) = house.close().await;
    let house = House::open(Options { dir: Some(dir), ..Options::default() }).await;
    assert_eq!(house.entries(), stored);
}

/// The answer is lost with the connection; the same records come again over a new one.
#[tokio::test]
async fn a_resend_after_a_lost_answer_is_answered() {
    let house = House::open(Options::default()).await;
    let mut first = Sender::connect(house.address(), 1, 0).await;
    first.client.send(CDR, 1, &record("r1", 1)).unwrap();
    first.client.send_transaction(CDR, 2, &[record("r2", 2), record("r3", 3)]).unwrap();
    first.flush().await;
    within(|| house.entries().len() == 2).await;
    drop(first);

    let mut second = Sender::connect(house.address(), 1, 1).await;
    second.client.send(CDR, 1, &record("r1", 1)).unwrap();
    second.client.send_transaction(CDR, 2, &[record("r2", 2), record("r3", 3)]).unwrap();
    assert_eq!(second.next().await, ClientEvent::Acknowledged { tag: 1 });
    assert_eq!(second.next().await, ClientEvent::Acknowledged { tag: 2 });
    let ids: Vec<_> = house
        .entries()
        .iter()
        .flat_map(|entry| entry.messages.iter().map(|message| message.message_id.clone().unwrap()))
        .collect();
    assert_eq!(ids[..3], ids[3..], "the same message ids: the ledger drops the second ones");
}

#[tokio::test]
async fn many_senders_at_once_lose_nothing() {
    let house = House::open(Options::default()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20 {
        let address = house.address();
        tasks.spawn(async move {
            let mut sender = Sender::connect(address, number, 0).await;
            for sequence in 0..50 {
                let id = format!("{number}-{sequence}");
                sender.client.send(CDR, sequence, &record(&id, sequence)).unwrap();
                assert_eq!(sender.next().await, ClientEvent::Acknowledged { tag: sequence });
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let entries = house.entries();
    let mut ids: Vec<_> =
        entries.iter().map(|entry| entry.messages[0].fallback_id.clone().unwrap()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((entries.len(), ids.len()), (1000, 1000));
}

/// From 90 % on events wait, then everything; nothing is refused, keep-alives flow, and when space
/// returns all is answered.
#[tokio::test]
async fn a_full_spool_is_back_pressure() {
    let small = Options { limit: 1 << 20, segment: 64 << 10, ..Options::default() };
    let house = House::open(small).await;
    let gate = &house.parts.gate;
    let body = format!("{{\"pad\":\"{}\"}}", "x".repeat(8000));
    let large = |sequence| {
        let mut large = record("large", sequence);
        large.body = body.as_bytes();
        large
    };
    let mut cdr = Sender::connect(house.address(), 1, 0).await;
    let mut events = Sender::connect_impatient(house.address(), 2).await;
    let mut sequence = 0;
    while gate.lets_in(Priority::Third) {
        sequence += 1;
        cdr.client.send(CDR, sequence, &large(sequence)).unwrap();
        assert_eq!(cdr.next().await, ClientEvent::Acknowledged { tag: sequence });
    }
    events.client.send(EVENT, 1, &record("e1", 1)).unwrap();
    events.flush().await;
    assert!(gate.held_back(Priority::Second) && !gate.held_back(Priority::First));
    sequence += 1;
    cdr.client.send(CDR, sequence, &large(sequence)).unwrap();
    assert_eq!(cdr.next().await, ClientEvent::Acknowledged { tag: sequence });

    for _ in 0..40 {
        sequence += 1;
        cdr.client.send(CDR, sequence, &large(sequence)).unwrap();
    }
    let mut answered = 0;
    while !gate.held_back(Priority::First) {
        answered += cdr.quiet(Duration::from_millis(300)).await.len();
        assert!(answered < 40, "the spool is full");
    }
    answered += cdr.quiet(Duration::from_millis(300)).await.len();
    // an inactivity of four seconds was agreed with this one: only keep-alives keep it up
    assert_eq!(events.quiet(Duration::from_secs(10)).await, []);

    let taken = house.entries();
    assert!(taken.iter().all(|entry| entry.messages[0].queue == CDR), "the event is held back");
    let before = taken.len();
    house.parts.spool.release(house.parts.spool.durable());
    assert_eq!(events.next().await, ClientEvent::Acknowledged { tag: 1 });
    for _ in answered..40 {
        let ClientEvent::Acknowledged { .. } = cdr.next().await else { panic!("refused") };
    }
    assert!(!gate.held_back(Priority::Third));
    assert!(before > 100);
    let lines = house.log_lines();
    assert!(lines.iter().any(|line| line.contains(" 32101 ")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains(" 32102 ")), "{lines:?}");
}

#[tokio::test]
async fn stopping_answers_the_group_in_flight() {
    let house = House::open(Options::default()).await;
    let address = house.address();
    let mut sender = Sender::connect(address, 1, 0).await;
    for sequence in 1..=200 {
        sender.client.send(CDR, sequence, &record("r", sequence)).unwrap();
    }
    sender.flush().await;
    within(|| house.parts.spool.status().last_seq > 0).await;
    let (_dir, stored) = house.close().await;
    let mut answered = 0;
    loop {
        match sender.next().await {
            ClientEvent::Acknowledged { .. } => answered += 1,
            ClientEvent::Closed { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answered, stored.len(), "what was taken was answered");
    assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
}

#[tokio::test]
async fn the_probe_leaves_no_trace_and_others_are_told() {
    let house = House::open(Options::default()).await;
    for _ in 0..10 {
        drop(TcpStream::connect(house.address()).await.unwrap());
    }
    for (said, answer) in
        [(&b"GET / HTTP/1.1\r\n\r\n"[..], "127.0.0.1:8080"), (b"AMQP\0\x01\0\0", "AMQP")]
    {
        let mut stream = TcpStream::connect(house.address()).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        assert!(String::from_utf8_lossy(&heard).contains(answer), "{heard:?}");
    }
    within(|| house.parts.counters.refused_connections() == 2).await;
    let mut sender = Sender::connect(house.address(), 1, 0).await;
    sender.client.send(CDR, 1, &record("r", 1)).unwrap();
    assert_eq!(sender.next().await, ClientEvent::Acknowledged { tag: 1 });
    let lines = house.log_lines();
    let refused = lines.iter().filter(|line| line.contains(" 32002 ")).count();
    assert_eq!((refused, lines.len()), (2, 3), "the probes said nothing: {lines:?}");
}

/// Frames and transactions of STOMP on the same port; what is sent and left without a word is
/// stored too.
#[tokio::test]
async fn stomp_is_spoken_as_well() {
    let house = House::open(Options::default()).await;
    let mut peer = Frames::connect(house.address()).await;
    peer.say("STOMP\naccept-version:1.2\nlogin:rm\npasscode:x\n\n\0").await;
    let connected = peer.next().await;
    assert!(connected.starts_with("CONNECTED\nversion:1.2\nsession:ID:rs-1-"), "{connected}");
    peer.say("\nSEND\ndestination:/queue/ringmaster.cdr\nreceipt:1\n\n{\"id\":\"s1\"}\0").await;
    assert_eq!(peer.next().await, "RECEIPT\nreceipt-id:1\n\n");
    let entries = house.entries();
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((entry.transport, entry.user.as_deref()), (Transport::Stomp, Some("rm")));
    assert_eq!(entry.messages[0].body, Body::Text("{\"id\":\"s1\"}".to_owned()));

    let inside = "SEND\ndestination:ringmaster.event\ntransaction:t\nrecordId:r\n\n{}\0";
    peer.say(&format!("BEGIN\ntransaction:t\n\n\0{inside}{inside}")).await;
    peer.say("COMMIT\ntransaction:t\nreceipt:2\n\n\0SUBSCRIBE\nid:0\ndestination:a\n\n\0").await;
    let refused = format!("message:consumer on queue a\\c {OFFER}\n");
    let mut both = [peer.next().await, peer.next().await];
    both.sort();
    assert!(both[0].contains(&refused), "{both:?}");
    assert_eq!(both[1], "RECEIPT\nreceipt-id:2\n\n");
    peer.say("SEND\ndestination:ringmaster.sq\n\n{}\0DISCONNECT\nreceipt:3\n\n\0").await;
    assert_eq!(peer.next().await, "RECEIPT\nreceipt-id:3\n\n");
    assert_eq!(peer.next().await, "", "closed");

    let entries = house.entries();
    assert_eq!(entries.iter().map(|entry| entry.messages.len()).collect::<Vec<_>>(), [1, 2, 1]);
    assert_eq!(entries[1].messages[0].fallback_id.as_deref(), Some("r"));
    let ids: BTreeSet<_> =
        entries.iter().flat_map(|entry| &entry.messages).map(|one| &one.message_id).collect();
    assert_eq!(ids.len(), 4, "no two messages have one id: {ids:?}");
    let counters = &house.parts.counters;
    assert_eq!(counters.stored(EVENT, Transport::Stomp).0, 2);
    within(|| counters.connections(Transport::Stomp) == 0).await;
    assert_eq!(counters.unconfirmed_sends(), 0);
}

#[tokio::test]
async fn limits_of_connections() {
    let house = House::open(Options { per_address: 3, ..Options::default() }).await;
    let mut kept = Vec::new();
    for number in 0..3 {
        kept.push(Sender::connect(house.address(), number, 0).await);
    }
    let mut fourth = TcpStream::connect(house.address()).await.unwrap();
    let mut heard = Vec::new();
    // closed at once, by an end or a reset
    let _ = fourth.read_to_end(&mut heard).await;
    assert_eq!(heard, b"");
    kept.pop();
    within(|| house.parts.counters.connections(Transport::Openwire) == 2).await;
    Sender::connect(house.address(), 9, 0).await;
}

#[tokio::test]
async fn logins() {
    let house = House::open(Options::default()).await;
    let mut old = Sender::connect(house.address(), 1, 0).await;
    let mut new = Sender::connect(house.address(), 1, 1).await;
    let ClientEvent::Closed { .. } = old.next().await else { panic!("the newcomer wins") };
    new.client.send(CDR, 1, &record("r", 1)).unwrap();
    assert_eq!(new.next().await, ClientEvent::Acknowledged { tag: 1 });
    let mut settings = house::settings(2, 0);
    settings.client_id = house::settings(1, 0).client_id;
    let mut thief = Sender::over(house.address(), settings).await;
    let ClientEvent::Refused { tag: None, class, .. } = thief.next().await else { panic!() };
    assert_eq!(class, "javax.jms.InvalidClientIDException");

    let house = House::open(Options { anonymous: false, ..Options::default() }).await;
    let mut refused = Sender::over(house.address(), house::settings(1, 0)).await;
    let ClientEvent::Refused { tag: None, class, .. } = refused.next().await else { panic!() };
    assert_eq!(class, "java.lang.SecurityException");
    let mut refused = Frames::connect(house.address()).await;
    refused.say("STOMP\naccept-version:1.2\nlogin:rm\npasscode:x\n\n\0").await;
    let said = refused.next().await;
    assert!(said.starts_with("ERROR\nmessage:this listener needs a user"), "{said}");
    assert_eq!(refused.next().await, "", "closed");
    assert_eq!(house.parts.counters.logins_failed(), 2);
    let lines = house.log_lines();
    let told = lines.iter().filter(|line| line.contains(" 32002 ")).count();
    assert_eq!(told, 2, "{lines:?}");
}

/// Messages as other clients send them, down to what can be no record: all answered, all kept.
#[tokio::test]
async fn whatever_comes_is_kept() {
    let house = House::open(Options::default()).await;
    raw::send_all_kinds(house.address()).await;
    let bodies: Vec<_> =
        house.entries().into_iter().flat_map(|entry| entry.messages).map(|m| m.body).collect();
    let [text, bytes, rubbish, large, inflated, map] = &bodies[..] else { panic!("{bodies:?}") };
    assert_eq!(*text, Body::Text("{\"a\":\"€ \u{0} \u{1F600}\"}".to_owned()));
    assert_eq!(*bytes, Body::Text("{}".to_owned()));
    assert!(matches!(rubbish, Body::NotUtf8(raw) if raw.0 == [0xff]));
    assert!(matches!(large, Body::TooLarge(raw) if raw.0.len() == 64 * 1024));
    assert_eq!(*inflated, Body::Text("{\"z\":1}".to_owned()));
    assert!(matches!(map, Body::Unreadable { kind, .. } if kind == "map message"));
    assert_eq!(house.parts.counters.unconfirmed_sends(), 1);
}
