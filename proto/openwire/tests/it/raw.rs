//! The receiving end, command by command (`spec/openwire.md` §4, `spec/rs.md` §1.5).

use std::time::Duration;

use openwire::{
    Body, BrokerSettings, Command, Destination, DestinationKind, Note, OFFER, ObjectId, Refusal,
    SessionId, Step, kind,
};

use crate::golden;
use crate::peer::{ID, Peer, Said, login, message, producer, send, step, transaction};

const JMS: &str = "javax.jms.JMSException";
const CDR: &str = "ringmaster.cdr";

fn field(text: &str) -> Vec<u8> {
    let mut field = vec![1];
    field.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
    field.extend_from_slice(text.as_bytes());
    field
}

fn consumer(kind: u8, name: &str) -> Vec<u8> {
    let mut fields = vec![1, kind::CONSUMER_ID];
    fields.extend(field(ID));
    fields.extend_from_slice(&[0; 16]); // session, value
    fields.extend_from_slice(&[0, 1, kind]); // no browser
    fields.extend(field(name));
    fields.extend_from_slice(&[0; 40]); // prefetch and so on
    fields
}

#[test]
fn a_send_is_answered_after_the_store_by_its_own_number() {
    let mut peer = Peer::open(12, "5.17.2");
    peer.tell(7, true, &send(message(CDR, 1, b"{}")));
    assert_eq!(peer.said(), [], "not before it is stored");
    assert_eq!(peer.broker.unanswered().0, 1);
    let stored = peer.store_all();
    assert_eq!(stored[0][0].queue, CDR);
    assert_eq!(stored[0][0].message_id, "ID:test-1:1:1:1:1");
    assert_eq!(stored[0][0].body, Body::Bytes(b"{}".to_vec()));
    assert_eq!(peer.said(), [Said::Response(7)]);
    assert_eq!(peer.broker.unanswered(), (0, 0));
    // a replay, same number and same id, is answered like the first
    peer.tell(7, true, &send(message(CDR, 1, b"{}")));
    peer.store_all();
    assert_eq!(peer.said(), [Said::Response(7)]);
    assert_eq!(peer.notes, []);
}

#[test]
fn answers_come_in_the_order_of_the_disk() {
    let mut peer = Peer::open(12, "5.17.2");
    for id in 2..5 {
        peer.tell(id, true, &send(message(CDR, i64::from(id), b"{}")));
    }
    let tickets: Vec<_> = peer.stores.iter().map(|(ticket, _)| *ticket).collect();
    peer.broker.stored(tickets[2]);
    peer.broker.stored(tickets[0]);
    peer.broker.stored(tickets[0]);
    peer.broker.failed(tickets[1], openwire::Class::ResourceAllocation, "disk");
    let class = "javax.jms.ResourceAllocationException".to_owned();
    let failed = Said::Exception(3, class, "disk".to_owned());
    assert_eq!(peer.said(), [Said::Response(4), Said::Response(2), failed]);
}

#[test]
fn what_is_not_offered_is_refused_and_the_connection_goes_on() {
    let mut peer = Peer::open(12, "5.17.2");
    let temporary = Destination { kind: DestinationKind::TempQueue, name: format!("{ID}:1") };
    let topic = Destination { kind: DestinationKind::Topic, name: "news".to_owned() };
    let refused =
        |id: i32, what: &str| [Said::Exception(id, JMS.to_owned(), format!("{what}: {OFFER}"))];

    peer.tell_raw(kind::CONSUMER_INFO, 2, true, &consumer(kind::QUEUE, CDR));
    assert_eq!(peer.said(), refused(2, "consumer on queue ringmaster.cdr"));
    for (id, destination, what) in [
        (3, Destination::queue("orders"), "queue orders"),
        (
            4,
            Destination::queue("ringmaster.cdr,ringmaster.sq"),
            "queue ringmaster.cdr,ringmaster.sq",
        ),
        (5, Destination::queue("ringmaster.*"), "queue ringmaster.*"),
        (6, temporary.clone(), "temporary queue ID:test-1:1:1"),
        (7, topic, "topic news"),
    ] {
        let destination = Some(destination);
        let info =
            Command::ProducerInfo { id: producer(9), destination: destination.clone(), window: 0 };
        peer.tell(id, true, &info);
        assert_eq!(peer.said(), refused(id, what));
        let mut to_it = message(CDR, 1, b"{}");
        to_it.destination = destination;
        peer.tell(id, true, &send(to_it.clone()));
        assert_eq!(peer.said(), refused(id, what));
        peer.tell(id, false, &send(to_it));
        let error = Said::Error(JMS.to_owned(), format!("{what}: {OFFER}"));
        assert_eq!(peer.said(), [error], "without an answer wanted, an error of the connection");
    }
    let mut fields = vec![1, kind::CONNECTION_ID];
    fields.extend(field(ID));
    fields.extend_from_slice(&[1, kind::TEMP_QUEUE]);
    fields.extend(field(&temporary.name));
    fields.extend_from_slice(&[0; 10]);
    peer.tell_raw(kind::DESTINATION_INFO, 8, true, &fields);
    assert_eq!(peer.said(), refused(8, "temporary queue ID:test-1:1:1"));
    peer.tell_raw(kind::REMOVE_SUBSCRIPTION_INFO, 9, true, b"whatever");
    assert_eq!(peer.said(), refused(9, "subscription"));
    peer.tell_raw(77, 10, true, b"whatever");
    let unknown = format!("command type 77 is not known; {OFFER}");
    assert_eq!(peer.said(), [Said::Exception(10, JMS.to_owned(), unknown)]);

    assert_eq!(peer.stores, []);
    peer.tell(11, true, &send(message(CDR, 1, b"{}")));
    assert_eq!(peer.store_all().len(), 1);
    assert_eq!(peer.said(), [Said::Response(11)]);
    assert_eq!(peer.closed, None);
}

#[test]
fn advisories_are_accepted_and_what_follows_a_consumer_is_ignored() {
    let mut peer = Peer::open(12, "5.17.2");
    let topic = "ActiveMQ.Advisory.TempQueue,ActiveMQ.Advisory.TempTopic";
    peer.tell_raw(kind::CONSUMER_INFO, 2, true, &consumer(kind::TOPIC, topic));
    peer.tell_raw(kind::MESSAGE_ACK, 3, false, b"");
    peer.tell_raw(kind::MESSAGE_PULL, 4, false, b"");
    peer.tell_raw(kind::CONSUMER_CONTROL, 5, true, b"");
    assert_eq!(peer.said(), [Said::Response(2), Said::Response(5)]);
    assert_eq!(peer.notes, []);
}

#[test]
fn six_and_later_get_jakarta() {
    for (provider, class) in [
        ("5.17.2", JMS),
        ("6.1.0", "jakarta.jms.JMSException"),
        ("10.0", "jakarta.jms.JMSException"),
        ("", JMS),
    ] {
        let mut peer = Peer::open(12, provider);
        peer.tell(2, true, &send(message("orders", 1, b"{}")));
        let said = peer.said();
        assert!(matches!(&said[..], [Said::Exception(2, name, _)] if name == class), "{said:?}");
    }
}

#[test]
fn windows_open_after_the_store_but_at_once_inside_a_transaction() {
    let mut peer = Peer::open(12, "5.17.2");
    let info = Command::ProducerInfo { id: producer(1), destination: None, window: 5000 };
    peer.tell(2, true, &info);
    assert_eq!(peer.said(), [Said::Response(2)]);
    peer.tell(3, false, &send(message(CDR, 1, b"0123456789")));
    assert_eq!(peer.said(), []);
    assert_eq!(peer.notes, [Note::UnconfirmedSend]);
    peer.store_all();
    assert_eq!(peer.said(), [Said::Ack(1, 1034)]);

    peer.tell(4, false, &step(1, Step::Begin));
    let mut inside = message(CDR, 2, b"0123456789");
    inside.transaction = Some(transaction(1));
    peer.tell(5, false, &send(inside));
    assert_eq!(peer.said(), [Said::Ack(1, 1034)]);
    assert_eq!(peer.stores, []);
    // with a Response wanted the client does not count it
    peer.tell(6, true, &send(message(CDR, 3, b"0123456789")));
    peer.store_all();
    assert_eq!(peer.said(), [Said::Response(6)]);
    assert_eq!(peer.notes, [Note::UnconfirmedSend]);
}

#[test]
fn transactions_are_whole_or_absent() {
    let mut peer = Peer::open(12, "5.17.2");
    let inside = |value, sequence| {
        let mut inside = message(CDR, sequence, b"{}");
        inside.transaction = Some(transaction(value));
        send(inside)
    };
    peer.tell(2, false, &step(1, Step::Begin));
    peer.tell(3, false, &step(2, Step::Begin));
    for sequence in 1..4 {
        peer.tell(4, false, &inside(1, sequence));
        peer.tell(4, false, &inside(2, sequence + 10));
    }
    peer.tell(5, true, &step(1, Step::Commit));
    peer.tell(6, true, &step(2, Step::Rollback));
    assert_eq!(peer.said(), [Said::Response(6)]);
    let stored = peer.store_all();
    let ids: Vec<_> = stored[0].iter().map(|inbound| inbound.message_id.as_str()).collect();
    assert_eq!(ids, ["ID:test-1:1:1:1:1", "ID:test-1:1:1:1:2", "ID:test-1:1:1:1:3"]);
    assert_eq!(stored.len(), 1);
    assert_eq!(peer.said(), [Said::Response(5)]);

    // empty, unknown, twice
    peer.tell(7, false, &step(3, Step::Begin));
    peer.tell(8, true, &step(3, Step::Commit));
    assert_eq!(peer.said(), [Said::Response(8)]);
    peer.tell(9, true, &step(3, Step::Commit));
    let class = "javax.jms.TransactionRolledBackException".to_owned();
    let text = Refusal::UnknownTransaction.to_string();
    assert_eq!(peer.said(), [Said::Exception(9, class.clone(), text.clone())]);
    peer.tell(10, true, &step(3, Step::Rollback));
    assert_eq!(peer.said(), [Said::Response(10)]);
    peer.tell(11, true, &inside(3, 9));
    assert_eq!(peer.said(), [Said::Exception(11, class, text)]);
    assert_eq!(peer.stores, []);
}

#[test]
fn a_refused_message_costs_its_transaction() {
    let mut peer = Peer::open(12, "5.17.2");
    peer.tell(2, false, &step(1, Step::Begin));
    for (sequence, queue) in [(1, CDR), (2, "orders"), (3, CDR)] {
        let mut inside = message(queue, sequence, b"{}");
        inside.transaction = Some(transaction(1));
        peer.tell(3, false, &send(inside));
    }
    peer.tell(4, true, &step(1, Step::Commit));
    let said = peer.said();
    let [Said::Exception(4, class, text)] = &said[..] else { panic!("{said:?}") };
    assert_eq!(class, "javax.jms.TransactionRolledBackException");
    assert!(text.contains("queue orders") && text.contains(OFFER), "{text}");
    assert_eq!(peer.stores, []);
}

#[test]
fn distributed_transactions_are_refused() {
    let mut peer = Peer::open(12, "5.17.2");
    let mut fields = vec![1, kind::CONNECTION_ID];
    fields.extend(field(ID));
    let mut xa = fields.clone();
    xa.extend_from_slice(&[1, kind::XA_TRANSACTION_ID, 0, 0, 0, 1]);
    xa.extend_from_slice(&[1, 0, 0, 0, 1, b'g', 1, 0, 0, 0, 1, b'b']);
    for (id, what) in [(2, 0), (3, 1), (4, 3), (5, 7)] {
        let mut xa = xa.clone();
        xa.push(what);
        peer.tell_raw(kind::TRANSACTION_INFO, id, true, &xa);
    }
    fields.extend_from_slice(&[0, 5]); // recover, of no transaction
    peer.tell_raw(kind::TRANSACTION_INFO, 6, true, &fields);
    peer.tell(7, true, &step(1, Step::Distributed(1)));
    let expected: Vec<_> =
        (2..8).map(|id| Said::Exception(id, JMS.to_owned(), Refusal::Xa.to_string())).collect();
    assert_eq!(peer.said(), expected);
    assert_eq!(peer.closed, None);
}

/// As many records as a transaction may hold, each of a KiB.
#[test]
fn what_one_message_takes_of_memory_is_not_counted_as_its_content() {
    static BODY: [u8; 1024] = [b' '; 1024];
    let mut peer = Peer::with(BrokerSettings::new("test")).login(12, "5.17.2");
    peer.tell(1, false, &step(1, Step::Begin));
    for id in 0..10_000 {
        let mut inside = message(CDR, 1, &BODY);
        inside.transaction = Some(transaction(1));
        peer.tell(2 + id, false, &send(inside));
    }
    peer.tell(20_000, true, &step(1, Step::Commit));
    let stored = peer.store_all();
    assert_eq!(stored.iter().map(Vec::len).collect::<Vec<_>>(), [10_000]);
}

#[test]
fn limits_of_a_transaction() {
    let mut settings = BrokerSettings::new("test");
    settings.limits.transaction_messages = 3;
    settings.limits.transaction_bytes = 7999;
    settings.limits.transactions = 2;
    let mut peer = Peer::with(settings).login(12, "5.17.2");
    let inside = |value, content| {
        let mut inside = message(CDR, 1, content);
        inside.transaction = Some(transaction(value));
        send(inside)
    };
    static LARGE: [u8; 4000] = [b' '; 4000];
    for id in 1..4 {
        peer.tell(id, true, &step(i64::from(id), Step::Begin));
    }
    let text = "more than 2 open transactions on one connection".to_owned();
    let class = "javax.jms.ResourceAllocationException".to_owned();
    assert_eq!(
        peer.said(),
        [Said::Response(1), Said::Response(2), Said::Exception(3, class, text)]
    );
    for _ in 0..4 {
        peer.tell(4, false, &inside(1, b"{}"));
    }
    peer.tell(5, false, &inside(2, &LARGE));
    peer.tell(5, false, &inside(2, &LARGE));
    peer.tell(6, true, &step(1, Step::Commit));
    peer.tell(7, true, &step(2, Step::Commit));
    let texts: Vec<_> = peer
        .said()
        .into_iter()
        .map(|said| match said {
            Said::Exception(_, _, text) => text,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(texts[0].ends_with("more than 3 messages"), "{texts:?}");
    assert!(texts[1].ends_with("more than 7999 bytes"), "{texts:?}");
    // what was refused left room for the next
    peer.tell(8, false, &step(4, Step::Begin));
    peer.tell(9, false, &inside(4, &LARGE));
    peer.tell(10, true, &step(4, Step::Commit));
    assert_eq!(peer.store_all().len(), 1);

    peer.tell(11, false, &step(5, Step::Begin));
    peer.tell(12, false, &inside(5, b"{}"));
    for _ in 0..11 {
        peer.wait(Duration::from_secs(25));
        peer.tell(13, false, &Command::KeepAliveInfo);
        peer.wait(Duration::from_secs(25));
        peer.tell(13, false, &Command::KeepAliveInfo);
    }
    assert_eq!(
        peer.notes.last(),
        Some(&Note::Refused(Refusal::TransactionRefused("more than 7999 bytes".to_owned())))
    );
    peer.wait(Duration::from_secs(29));
    peer.tell(13, false, &Command::KeepAliveInfo);
    peer.wait(Duration::from_secs(29));
    assert_eq!(peer.notes.last(), Some(&Note::Expired(1)), "after ten minutes");
    assert_eq!(peer.closed, None);
}

#[test]
fn limits_of_a_connection() {
    let mut peer = Peer::open(12, "5.17.2");
    for value in 0..258 {
        let connection = ID.to_owned();
        peer.tell(2, true, &Command::SessionInfo(SessionId { connection, value }));
        let id = producer(value);
        peer.tell(3, true, &Command::ProducerInfo { id, destination: None, window: 0 });
    }
    let refused = peer.said().iter().filter(|said| matches!(said, Said::Exception(..))).count();
    assert_eq!(refused, 4, "256 of each are let in");
    let connection = ID.to_owned();
    let id = ObjectId::Session(SessionId { connection, value: 1 });
    peer.tell(4, false, &Command::RemoveInfo(id));
    let info = Command::ProducerInfo { id: producer(999), destination: None, window: 0 };
    peer.tell(5, true, &info);
    assert_eq!(peer.said(), [Said::Response(5)], "a session takes its producers with it");
}

#[test]
fn reading_is_to_pause_when_too_much_is_unanswered() {
    let mut peer = Peer::open(12, "5.17.2");
    for sequence in 0..4096 {
        assert!(peer.broker.wants_input(), "{sequence}");
        peer.tell(2, true, &send(message(CDR, sequence, b"{}")));
    }
    assert!(!peer.broker.wants_input());
    // while the shell does not read, the peer's silence is no fault of the peer
    peer.broker.set_reading(peer.now, false);
    peer.said();
    peer.wait(Duration::from_secs(300));
    assert_eq!(peer.closed, None);
    assert_eq!(peer.said(), [Said::KeepAlive]);
    peer.broker.set_reading(peer.now, true);
    peer.store_all();
    assert!(peer.broker.wants_input());
    assert_eq!(peer.said().len(), 4096);
    peer.wait(Duration::from_secs(30));
    assert_eq!(peer.closed.as_deref(), Some("nothing heard for 30s"));
}

#[test]
fn before_the_login() {
    let mut peer = Peer::new();
    peer.wait(Duration::from_secs(10));
    assert_eq!(peer.closed.as_deref(), Some("no login within 10s"));

    let mut peer = Peer::new();
    peer.greet(12, "5.17.2");
    let referral = openwire::Referral::default();
    let control = Command::ConnectionControl { close: false, fault_tolerant: true, referral };
    peer.tell(1, true, &control);
    assert_eq!(peer.said(), [Said::Response(1)]);
    peer.tell(2, true, &send(message(CDR, 1, b"{}")));
    assert_eq!(peer.closed.as_deref(), Some("a command before the login"));
    assert_eq!(peer.stores, []);

    let mut peer = Peer::new();
    peer.greet(12, "5.17.2");
    peer.raw(&(64 * 1024 + 1_i32).to_be_bytes());
    assert!(peer.closed.unwrap().contains("a frame above the limit"));

    let mut peer = Peer::open(12, "5.17.2");
    peer.raw(&(64 * 1024 + 1_i32).to_be_bytes());
    assert_eq!(peer.closed, None);
}

#[test]
fn versions() {
    for version in [1, 9, 10, 11, 12, 13, 99] {
        let mut peer = Peer::open(version, "5.17.2");
        peer.tell(2, true, &send(message(CDR, 1, b"{}")));
        assert_eq!(peer.store_all()[0][0].message_id, "ID:test-1:1:1:1:1", "{version}");
        assert_eq!(peer.said(), [Said::Response(2)]);
    }
    for version in 2..9 {
        let mut peer = Peer::new();
        let mut greeting = Vec::new();
        crate::peer::greeting(version, "5.3").encode(&mut greeting);
        peer.raw(&greeting);
        let why = format!("wire version {version} is not spoken here (1 and 9 to 12 are)");
        assert_eq!(peer.closed, Some(why));
    }
}

#[test]
fn keep_alives() {
    let mut peer = Peer::open(12, "5.17.2");
    peer.tell(2, true, &Command::KeepAliveInfo);
    assert_eq!(peer.said(), [Said::KeepAlive], "a keep-alive, no Response");
    peer.wait(Duration::from_millis(9_999));
    assert_eq!(peer.said(), []);
    peer.wait(Duration::from_millis(1));
    assert_eq!(peer.said(), [Said::KeepAlive]);
    peer.wait(Duration::from_secs(20));
    assert_eq!(peer.closed.as_deref(), Some("nothing heard for 30s"));
    assert_eq!(peer.broker.poll_timeout(), None);
}

/// A Java client whose limit is a second sends its first keep-alive after the delay.
#[test]
fn silence_is_watched_after_the_agreed_delay() {
    let mut peer = Peer::new();
    let mut greeting = Vec::new();
    let mut greets = crate::peer::greeting(12, "5.17.2");
    greets.properties.retain(|(key, _)| key != "MaxInactivityDuration");
    for (key, millis) in
        [("MaxInactivityDuration", 1000), ("MaxInactivityDurationInitalDelay", 2000)]
    {
        greets.properties.push((key.to_owned(), openwire::Value::Long(millis)));
    }
    greets.encode(&mut greeting);
    peer.raw(&greeting);
    peer.tell(1, true, &login(ID));
    peer.wait(Duration::from_millis(2999));
    assert_eq!(peer.closed, None);
    peer.wait(Duration::from_millis(1));
    assert_eq!(peer.closed.as_deref(), Some("nothing heard for 1s"));
}

#[test]
fn a_second_login() {
    let mut peer = Peer::open(12, "5.17.2");
    peer.tell(1, true, &login(ID));
    assert_eq!(peer.said(), [Said::Response(1)], "a replay");
    peer.tell(2, true, &login("ID:other-1:1"));
    let text = "the connection is already logged in".to_owned();
    assert_eq!(peer.said(), [Said::Exception(2, JMS.to_owned(), text)]);
    peer.tell(3, false, &Command::ShutdownInfo);
    assert_eq!(peer.closed.as_deref(), Some("closed by the peer"));
    peer.raw(b"whatever comes behind it");
    assert_eq!(peer.said(), []);
}

#[test]
fn the_captured_message_is_read() {
    let mut settings = BrokerSettings::new("test");
    settings.queues.push("cap.loose".to_owned());
    let mut peer = Peer::with(settings).login(12, "5.17.2");
    peer.raw(&golden::bytes(golden::MESSAGE));
    let stored = peer.store_all();
    assert_eq!(stored[0][0].body, Body::Text("cdr-1 €".to_owned()));
    assert_eq!(stored[0][0].correlation_id.as_deref(), Some("rec-1"));
    assert_eq!(stored[0][0].properties, [("tenant".to_owned(), openwire::Value::Int(7))]);
    assert_eq!(peer.said(), [Said::Response(4)]);
}
