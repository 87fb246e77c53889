//! What cannot be read, or is too large: it is answered, so that no client sends it again for ever,
//! and the connection goes on. And what is held in memory of the rest.

use std::time::Duration;

use openwire::{Body, BrokerSettings, Class, MessageKind, Note, Step, encode, kind};

use crate::peer::{Peer, Said, message, send, step, transaction};

const CDR: &str = "ringmaster.cdr";
const LIMIT: usize = 8 * 1024 * 1024;

/// A frame with a message of that many bytes of text.
fn large(id: i32, respond: bool, bytes: usize, inside: Option<i64>) -> Vec<u8> {
    let mut content = u32::try_from(bytes).unwrap().to_be_bytes().to_vec();
    content.resize(bytes + 4, b'x');
    let mut message = message(CDR, 9, b"");
    message.kind = MessageKind::Text;
    message.content = Some(&content);
    message.correlation_id = Some("c-9".to_owned());
    message.transaction = inside.map(transaction);
    let mut frame = Vec::new();
    encode(openwire::Header { id, respond }, &send(message), 12, &mut frame);
    frame
}

fn cut(body: &Body) -> &[u8] {
    let Body::Cut(head) = body else { panic!("{body:?}") };
    head
}

#[test]
fn a_frame_above_the_limit_is_stored_with_its_head() {
    let mut peer = Peer::open(12, "5.17.2");
    for chunk in large(7, true, LIMIT + 1, None).chunks(60_000) {
        peer.raw(chunk);
        assert!(peer.broker.held() < 300_000, "{}", peer.broker.held());
        peer.now += Duration::from_secs(1); // slower than a frame that is held may be
    }
    peer.tell(8, true, &send(message(CDR, 10, b"{}")));
    let stored = peer.store_all();
    let [first, next] = &stored[..] else { panic!("{}", stored.len()) };
    assert_eq!((&*first[0].queue, first[0].correlation_id.as_deref()), (CDR, Some("c-9")));
    assert_eq!(first[0].message_id, "ID:test-1:1:1:1:9");
    let head = cut(&first[0].body);
    assert!(head.len() > 64 * 1024 && head.iter().all(|byte| *byte == b'x'));
    assert_eq!(next[0].body, Body::Bytes(b"{}".to_vec()));
    assert_eq!(peer.said(), [Said::Response(7), Said::Response(8)]);
    assert_eq!(peer.closed, None);
    assert_eq!(peer.broker.held(), 0);
}

#[test]
fn inside_a_transaction_it_is_part_of_it() {
    let mut peer = Peer::open(12, "5.17.2");
    peer.tell(2, false, &step(1, Step::Begin));
    peer.raw(&large(3, false, LIMIT, Some(1)));
    peer.tell(4, true, &step(1, Step::Commit));
    let stored = peer.store_all();
    assert!(cut(&stored[0][0].body).len() > 64 * 1024);
    assert_eq!(peer.said(), [Said::Response(4)]);
}

#[test]
fn what_is_no_message_is_refused_and_nonsense_is_the_end() {
    let mut peer = Peer::open(12, "5.17.2");
    peer.tell_raw(kind::SESSION_INFO, 5, true, &vec![0; LIMIT]);
    let text =
        "the command cannot be read: a frame above the limit at byte 0 of the frame".to_owned();
    assert_eq!(peer.said(), [Said::Exception(5, "javax.jms.JMSException".to_owned(), text)]);
    assert_eq!(peer.closed, None);
    peer.raw(b"GET / HTTP/1.1\r\n");
    assert!(peer.closed.unwrap().contains("a frame above the limit"));
}

#[test]
fn a_message_that_cannot_be_read_is_refused() {
    let mut peer = Peer::open(12, "5.17.2");
    peer.tell_raw(kind::TEXT_MESSAGE, 5, true, &[1, kind::PRODUCER_ID, 1]);
    let said = peer.said();
    let [Said::Exception(5, _, text)] = &said[..] else { panic!("{said:?}") };
    assert!(text.starts_with("the command cannot be read: "), "{text}");

    // nobody waits for its answer: what is open may lack it, what begins later does not
    peer.tell(6, false, &step(1, Step::Begin));
    let mut inside = message(CDR, 1, b"{}");
    inside.transaction = Some(transaction(1));
    peer.tell(7, false, &send(inside));
    peer.tell_raw(kind::TEXT_MESSAGE, 8, false, &[1, kind::PRODUCER_ID, 1]);
    peer.tell(9, true, &step(1, Step::Commit));
    let said = peer.said();
    let [Said::Error(..), Said::Exception(9, class, _)] = &said[..] else { panic!("{said:?}") };
    assert_eq!(class, Class::TransactionRolledBack.java_name(false));
    peer.tell(10, true, &send(message(CDR, 2, b"{}")));
    assert_eq!(peer.store_all().len(), 1);
    assert_eq!((peer.said(), peer.closed), (vec![Said::Response(10)], None));
}

#[test]
fn properties_that_cannot_be_read_are_left_out() {
    let mut peer = Peer::open(12, "5.17.2");
    let mut odd = message(CDR, 1, b"{}");
    odd.properties = Some(b"\0\0\0\x01\0\x01a\x63");
    peer.tell(2, true, &send(odd));
    let stored = peer.store_all();
    assert_eq!(
        (&stored[0][0].properties, &stored[0][0].body),
        (&vec![], &Body::Bytes(b"{}".to_vec()))
    );
    assert_eq!((peer.said(), peer.closed), (vec![Said::Response(2)], None));
    assert!(matches!(peer.notes[..], [Note::PropertiesLost(_)]), "{:?}", peer.notes);
}

#[test]
fn properties_weigh_what_they_take() {
    let mut properties = 4000_u32.to_be_bytes().to_vec();
    properties.extend([0; 3 * 4000]); // no name, no value
    let mut peer = Peer::open(12, "5.17.2");
    let mut many = message(CDR, 1, b"{}");
    many.properties = Some(&properties);
    peer.tell(2, false, &send(many));
    assert!(peer.broker.unanswered().1 > 4000 * 50, "{:?}", peer.broker.unanswered());
}

/// One read may bring far more messages than may be unanswered: the others wait as they came.
#[test]
fn no_more_is_worked_off_than_may_be_unanswered() {
    let mut settings = BrokerSettings::new("test");
    settings.limits.unanswered_bytes = 5000;
    let mut peer = Peer::with(settings).login(12, "5.17.2");
    let mut bytes = Vec::new();
    for id in 2..22 {
        let header = openwire::Header { id, respond: true };
        encode(header, &send(message(CDR, i64::from(id), b"{}")), 12, &mut bytes);
    }
    peer.raw(&bytes);
    let (mut rounds, mut stored) = (0, 0);
    while stored < 20 {
        assert!(peer.stores.len() <= 5, "{}", peer.stores.len());
        stored += peer.store_all().len();
        peer.raw(b"");
        rounds += 1;
        assert!(rounds < 30, "{stored}");
    }
    assert_eq!((stored, peer.said().len()), (20, 20));
}
