//! The receiving end of STOMP, frame by frame (`spec/rs.md` §1.5), in golden bytes of both sides.

use std::time::Duration;

use openwire::{
    Body, BrokerEvent, BrokerSettings, Inbound, Note, OFFER, Refusal, Stomp, Ticket, Value,
};
use proptest::prelude::*;

const CDR: &str = "ringmaster.cdr";

/// Says bytes to the receiving end and keeps what comes out.
struct Peer {
    stomp: Stomp,
    now: Duration,
    logins: Vec<(Option<String>, Option<String>, Option<String>)>,
    stores: Vec<(Ticket, Vec<Inbound>)>,
    notes: Vec<Note>,
    closed: Option<String>,
}

impl Peer {
    fn new() -> Self {
        Self::with(BrokerSettings::new("test"))
    }

    fn with(settings: BrokerSettings) -> Self {
        Self {
            stomp: Stomp::new(settings, "ID:s-1".to_owned(), Duration::ZERO),
            now: Duration::ZERO,
            logins: Vec::new(),
            stores: Vec::new(),
            notes: Vec::new(),
            closed: None,
        }
    }

    /// Logged in with that version.
    fn open(version: &str) -> Self {
        let mut peer = Self::new();
        peer.say(&format!("CONNECT\naccept-version:{version}\nhost:x\n\n\0"));
        assert!(peer.said().starts_with(&format!("CONNECTED\nversion:{version}\n")));
        peer
    }

    fn say(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.stomp.handle_input(self.now, bytes);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(event) = self.stomp.poll_event() {
            match event {
                BrokerEvent::Login { user, password, client_id, .. } => {
                    let password = password.map(|secret| secret.reveal().to_owned());
                    self.logins.push((user, password, client_id));
                    self.stomp.accept_login();
                }
                BrokerEvent::Store { ticket, messages } => self.stores.push((ticket, messages)),
                BrokerEvent::Note(note) => self.notes.push(note),
                BrokerEvent::Closed { why } => {
                    assert_eq!(self.closed, None, "closed once");
                    self.closed = Some(why.to_string());
                }
            }
        }
    }

    /// What was written since, with `^@` for NUL.
    fn said(&mut self) -> String {
        let mut out = Vec::new();
        self.stomp.poll_transmit(&mut out);
        String::from_utf8(out).unwrap().replace('\0', "^@")
    }

    fn store_all(&mut self) -> Vec<Vec<Inbound>> {
        let stores = std::mem::take(&mut self.stores);
        let all = stores.into_iter().map(|(ticket, messages)| {
            self.stomp.stored(ticket);
            messages
        });
        let all = all.collect();
        self.drain();
        all
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.stomp.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.stomp.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }
}

fn error(text: &str, receipt: &str) -> String {
    let escaped = text.replace(':', "\\c");
    let receipt = if receipt.is_empty() { "" } else { &format!("receipt-id:{receipt}\n") };
    let length = text.len();
    format!(
        "ERROR\nmessage:{escaped}\ncontent-type:text/plain\ncontent-length:{length}\n\
         {receipt}\n{text}^@"
    )
}

#[test]
fn logins_by_version() {
    let server = format!("Ringmaster/{}", env!("CARGO_PKG_VERSION"));
    let modern = format!("session:ID:s-1\nheart-beat:1000,10000\nserver:{server}\n\n^@");
    for (said, version, answer) in [
        ("CONNECT\n\n\0", "1.0", "session:ID:s-1\n\n^@"),
        ("STOMP\naccept-version:1.0,1.1,1.2\n\n\0", "1.2", &modern),
        ("\r\n\nCONNECT\r\naccept-version:1.1,3.0\r\nhost:a\r\n\r\n\0\n", "1.1", &modern),
    ] {
        let mut peer = Peer::new();
        peer.say(said);
        assert_eq!(peer.said(), format!("CONNECTED\nversion:{version}\n{answer}"), "{said:?}");
        assert_eq!(peer.logins, [(None, None, None)]);
    }
    let mut peer = Peer::new();
    peer.say("CONNECT\nlogin: rm\npasscode: s e\nclient-id: c\n\n\0");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(peer.logins, [(text("rm"), text("s e"), text("c"))], "1.0 trims");
    let mut peer = Peer::new();
    peer.say("CONNECT\naccept-version:1.2\nlogin:a\\c\npasscode: s\n\n\0");
    assert_eq!(peer.logins, [(text("a\\c"), text(" s"), None)], "a login is not escaped");

    let mut peer = Peer::new();
    peer.say("CONNECT\naccept-version:2.0\n\n\0");
    assert!(peer.said().starts_with("ERROR\nversion:1.0,1.1,1.2\ncontent-type:text/plain\n"));
    assert!(peer.closed.unwrap().contains("no version of STOMP"));
}

#[test]
fn a_receipt_comes_after_the_store() {
    let mut peer = Peer::open("1.2");
    peer.say("SEND\ndestination:/queue/ringmaster.cdr\nreceipt:a\\cb\nrecordId:r\\n1\n\n{}\0");
    assert_eq!(peer.said(), "", "not before it is stored");
    assert_eq!(peer.stomp.unanswered().0, 1);
    let stored = peer.store_all();
    assert_eq!(peer.said(), "RECEIPT\nreceipt-id:a\\cb\n\n^@");
    let message = &stored[0][0];
    assert_eq!((message.queue.as_str(), message.message_id.as_str()), (CDR, "ID:s-1:1"));
    assert_eq!(message.body, Body::Bytes(b"{}".to_vec()));
    assert_eq!(message.record_id.as_deref(), Some("r\n1"));
    assert_eq!(message.properties, [("recordId".to_owned(), Value::Text("r\n1".to_owned()))]);

    // with a length a body may hold anything; without a receipt nothing is said
    peer.raw(
        b"SEND\ndestination:ringmaster.sq\ncorrelation-id:c\npersistent:true\n\
                content-length:3\n\n\0\n\0\0\n",
    );
    let stored = peer.store_all();
    assert_eq!(stored[0][0].body, Body::Bytes(b"\0\n\0".to_vec()));
    assert_eq!(stored[0][0].message_id, "ID:s-1:2");
    assert_eq!(stored[0][0].correlation_id.as_deref(), Some("c"));
    assert!(stored[0][0].persistent);
    assert_eq!((peer.said().as_str(), peer.stomp.unanswered()), ("", (0, 0)));

    peer.say("SEND\ndestination:ringmaster.cdr\nreceipt:9\n\n{}\0");
    let (ticket, _) = peer.stores.pop().unwrap();
    peer.stomp.failed(ticket, "too large");
    assert_eq!(peer.said(), error("too large", "9"));
    peer.stomp.stored(ticket);
    assert_eq!((peer.said().as_str(), peer.closed), ("", None), "answered once");
}

#[test]
fn transactions_are_whole_or_absent() {
    let mut peer = Peer::open("1.1");
    let send = |transaction: &str, receipt: &str| {
        format!("SEND\ndestination:{CDR}\ntransaction:{transaction}\nreceipt:{receipt}\n\n{{}}\0\n")
    };
    peer.say("BEGIN\ntransaction:t\n\n\0BEGIN\ntransaction:u\nreceipt:0\n\n\0");
    peer.say(&(send("t", "1") + &send("u", "2") + &send("t", "3")));
    let receipts: Vec<_> = (0..4).map(|id| format!("RECEIPT\nreceipt-id:{id}\n\n^@")).collect();
    assert_eq!(peer.said(), receipts.concat(), "inside, a receipt promises nothing");
    assert_eq!(peer.stores.len(), 0);
    peer.say("COMMIT\ntransaction:t\nreceipt:4\n\n\0ABORT\ntransaction:u\nreceipt:5\n\n\0");
    assert_eq!(peer.said(), "RECEIPT\nreceipt-id:5\n\n^@");
    let stored = peer.store_all();
    let ids: Vec<_> = stored[0].iter().map(|message| message.message_id.as_str()).collect();
    assert_eq!((stored.len(), ids), (1, vec!["ID:s-1:1", "ID:s-1:3"]));
    assert_eq!(peer.said(), "RECEIPT\nreceipt-id:4\n\n^@");

    // empty, unknown, after a refused message, without a name
    peer.say("BEGIN\ntransaction:v\n\n\0COMMIT\ntransaction:v\nreceipt:6\n\n\0");
    assert_eq!(peer.said(), "RECEIPT\nreceipt-id:6\n\n^@");
    let unknown = Refusal::UnknownTransaction.to_string();
    peer.say("COMMIT\ntransaction:v\nreceipt:7\n\n\0");
    assert_eq!(peer.said(), error(&unknown, "7"));
    peer.say(&send("v", "8"));
    assert_eq!(peer.said(), error(&unknown, "8"));
    peer.say("ABORT\ntransaction:v\nreceipt:9\n\n\0");
    assert_eq!(peer.said(), "RECEIPT\nreceipt-id:9\n\n^@");
    peer.say("BEGIN\ntransaction:w\n\n\0SEND\ndestination:orders\ntransaction:w\n\n{}\0");
    peer.say("COMMIT\ntransaction:w\n\n\0");
    assert!(peer.said().contains("nothing of it was stored\\c queue orders\\c ringmaster takes"));
    assert_eq!((peer.stores.len(), &peer.closed), (0, &None));
    peer.say("BEGIN\n\n\0");
    assert!(peer.closed.unwrap().contains("no transaction is named"));
}

#[test]
fn what_is_not_offered_is_said_and_the_connection_stays() {
    let mut peer = Peer::open("1.2");
    for (frame, text) in [
        ("SUBSCRIBE\nid:0\ndestination:/queue/ringmaster.cdr", "consumer on queue ringmaster.cdr"),
        ("SUBSCRIBE\nid:0\ndestination:/topic/ActiveMQ.x", "consumer on topic ActiveMQ.x"),
        ("SUBSCRIBE\nid:0", "consumer"),
        ("UNSUBSCRIBE\nid:0", "UNSUBSCRIBE"),
        ("ACK\nid:0", "ACK"),
        ("NACK\nid:0", "NACK"),
        ("SEND\ndestination:orders", "queue orders"),
        ("SEND\ndestination:/topic/ringmaster.cdr", "topic ringmaster.cdr"),
        ("SEND\ndestination:/temp-queue/x", "temporary queue x"),
        ("SEND\ndestination:ringmaster.cdr,ringmaster.or", "queue ringmaster.cdr,ringmaster.or"),
        ("SEND", "no destination"),
    ] {
        let text = format!("{text}: {OFFER}");
        peer.say(&format!("{frame}\n\n\0"));
        assert_eq!(peer.said(), error(&text, ""));
        peer.say(&format!("{frame}\nreceipt:r\n\n\0"));
        assert_eq!(peer.said(), error(&text, "r"));
    }
    assert_eq!((peer.notes.len(), peer.stores.len()), (22, 0));
    peer.say("SEND\ndestination:ringmaster.cdr\nreceipt:1\n\n{}\0");
    peer.store_all();
    assert_eq!(peer.said(), "RECEIPT\nreceipt-id:1\n\n^@");
    assert_eq!(peer.closed, None);
}

#[test]
fn a_disconnect_is_answered_when_all_is_stored() {
    let mut peer = Peer::open("1.2");
    peer.say("SEND\ndestination:ringmaster.cdr\n\n{}\0DISCONNECT\nreceipt:bye\n\n\0SEND\n\n\0");
    assert_eq!((peer.said().as_str(), &peer.closed), ("", &None));
    assert_eq!(peer.store_all().len(), 1);
    assert_eq!(peer.said(), "RECEIPT\nreceipt-id:bye\n\n^@");
    assert_eq!(peer.closed.as_deref(), Some("closed by the peer"));
    let mut peer = Peer::open("1.0");
    peer.say("DISCONNECT\n\n\0");
    assert_eq!(peer.closed.as_deref(), Some("closed by the peer"));
}

#[test]
fn what_is_no_stomp_is_the_end() {
    for (said, text) in [
        ("SEND\ndestination:ringmaster.cdr\n\n\0", "the first frame is CONNECT or STOMP"),
        ("connect\n\n\0", "the first frame is CONNECT or STOMP"),
        ("CONNECT\naccept-version:3.0\n\n\0", "no version of STOMP"),
        ("CONNECT\nx\n", "a header without a name and a colon"),
        (&format!("CONNECT\n\n{}", "x".repeat(64 << 10)), "a frame above the limit"),
    ] {
        let mut peer = Peer::new();
        peer.say(said);
        let answer = peer.said();
        assert!(answer.starts_with("ERROR\n"), "{said}");
        assert_eq!(answer.matches("^@").count(), 1, "told once: {answer}");
        assert!(peer.closed.as_ref().unwrap().contains(text), "{:?}", peer.closed);
        peer.say("CONNECT\n\n\0");
        assert_eq!(peer.said(), "", "nothing more is heard");
    }
    for (said, text) in [
        ("CONNECT\naccept-version:1.2\n\n\0", "a second login"),
        ("MESSAGE\n\n\0", "a command that is none"),
        ("SEND\ndestination:ringmaster.cdr\\t\n\n\0", "an escape that is none"),
        ("SEND\ncontent-length:8388609\n\n", "a frame above the limit"),
        ("SEND\ncontent-length:1\n\nab", "no NUL behind the body"),
    ] {
        let mut peer = Peer::open("1.2");
        peer.say(said);
        assert!(peer.said().starts_with("ERROR\n"), "{said}");
        let closed = peer.closed.as_ref().unwrap();
        assert!(closed.contains(text) && !closed.contains("byte 0"), "{closed}");
    }
    for head in ["content-length:8388609\n\n", &format!("\n{}", "x".repeat(8 << 20))] {
        let mut peer = Peer::open("1.2");
        peer.say(&format!("SEND\ndestination:{CDR}\nreceipt:a\\cb\n{head}"));
        let (said, text) = (peer.said(), "a frame above the limit");
        assert!(said.starts_with("ERROR\n") && said.contains(text), "{said}");
        assert!(said.contains("\nreceipt-id:a\\cb\n"), "whose it is: {said}");
    }
    let mut peer = Peer::open("1.2");
    let most = format!("SEND\ndestination:{CDR}\n\n{}\0", "x".repeat((8 << 20) - 64));
    peer.say(&most);
    assert_eq!((peer.stores.len(), peer.closed), (1, None));
}

#[test]
fn times() {
    let seconds = Duration::from_secs;
    let mut peer = Peer::new();
    peer.say("CONN");
    peer.wait(seconds(10));
    assert_eq!(peer.closed.as_deref(), Some("no login within 10s"));

    let mut peer = Peer::new();
    peer.say("CONNECT\naccept-version:1.2\nheart-beat:10000,4000\n\n\0");
    peer.said();
    peer.wait(seconds(2));
    assert_eq!(peer.said(), "\n", "half of what it wants");
    peer.wait(seconds(18));
    peer.say("\n");
    peer.wait(seconds(29));
    assert_eq!(peer.closed, None);
    // while the shell does not read, the peer's silence is no fault of the peer
    peer.stomp.set_reading(peer.now, false);
    peer.wait(seconds(300));
    peer.stomp.set_reading(peer.now, true);
    assert_eq!(peer.closed, None);
    peer.wait(seconds(30));
    assert_eq!(peer.closed.as_deref(), Some("nothing heard for 30s"));

    let mut peer = Peer::open("1.0");
    peer.say("BEGIN\ntransaction:t\n\n\0SEND\ndestination:ringmaster.or\ntransaction:t\n\n{}\0");
    peer.wait(seconds(599));
    assert_eq!(peer.notes, []);
    peer.wait(seconds(1));
    assert_eq!(peer.notes, [Note::Expired(1)]);
    peer.wait(seconds(36_000));
    assert_eq!((peer.said().as_str(), peer.closed), ("", None), "no heart-beats were agreed");
}

#[test]
fn a_frame_has_its_time() {
    let seconds = Duration::from_secs;
    let mut peer = Peer::open("1.2");
    let half = format!("SEND\ndestination:{CDR}\ncontent-length:80000\n\n{}", "x".repeat(300));
    peer.say(&half);
    assert!(peer.stomp.unfinished() >= half.len());
    peer.wait(seconds(29));
    peer.say("x");
    // the time in which the shell does not read is the shell's
    peer.stomp.set_reading(peer.now, false);
    peer.wait(seconds(300));
    peer.stomp.set_reading(peer.now, true);
    peer.wait(seconds(29));
    assert_eq!(peer.closed, None);
    peer.wait(seconds(1));
    let why = "a frame did not come whole within 30s";
    assert_eq!((peer.said(), peer.closed.as_deref()), (error(why, ""), Some(why)));
    assert_eq!(peer.stomp.held(), 0);

    // whole frames in a row are no slow one, wherever the pieces end
    let mut peer = Peer::open("1.2");
    let frame = format!("SEND\ndestination:{CDR}\n\n{{}}\0");
    let bytes = frame.repeat(5);
    for piece in bytes.as_bytes().chunks(frame.len() - 3) {
        peer.raw(piece);
        peer.wait(seconds(20));
    }
    assert_eq!((peer.stores.len(), peer.closed), (5, None));
}

#[test]
fn limits_of_a_connection() {
    let mut settings = BrokerSettings::new("test");
    settings.limits.transactions = 1;
    settings.limits.transaction_messages = 1;
    settings.limits.unanswered_messages = 2;
    let mut peer = Peer::with(settings);
    peer.say("CONNECT\naccept-version:1.2\n\n\0");
    peer.said();
    peer.say("BEGIN\ntransaction:a\n\n\0BEGIN\ntransaction:b\nreceipt:1\n\n\0");
    assert_eq!(peer.said(), error("more than 1 open transactions on one connection", "1"));
    let inside = "SEND\ndestination:ringmaster.or\ntransaction:a\n\n{}\0";
    peer.say(inside);
    assert!(peer.stomp.held() > 1024);
    peer.say(inside);
    peer.say("COMMIT\ntransaction:a\nreceipt:2\n\n\0");
    assert!(peer.said().contains("more than 1 messages"));
    assert_eq!(peer.stomp.held(), 0);
    for number in 0..2 {
        assert!(peer.stomp.wants_input(), "{number}");
        peer.say("SEND\ndestination:ringmaster.or\n\n{}\0");
    }
    assert!(!peer.stomp.wants_input());
    peer.store_all();
    assert!(peer.stomp.wants_input());
}

/// A whole session.
fn conversation() -> Vec<u8> {
    let text = "CONNECT\naccept-version:1.1,1.2\nhost:h\nlogin:rm\npasscode:s\nheart-beat:0,0\n\n\0\
        SEND\r\ndestination:/queue/ringmaster.cdr\r\nreceipt:1\r\n\r\n{\"a\":1}\0\n\
        SEND\ndestination:ringmaster.or\ncontent-length:4\nrecordId:r\\c1\n\n{\0\0}\0\n\n\
        BEGIN\ntransaction:t\n\n\0SEND\ndestination:ringmaster.sq\ntransaction:t\n\n{}\0\
        COMMIT\ntransaction:t\nreceipt:2\n\n\0SUBSCRIBE\nid:0\ndestination:a\n\n\0\
        DISCONNECT\nreceipt:3\n\n\0";
    text.as_bytes().to_vec()
}

/// Everything that comes out of it: events and bytes.
fn play(bytes: &[u8], cuts: &[usize]) -> (Vec<String>, Vec<u8>) {
    let mut stomp = Stomp::new(BrokerSettings::new("test"), "ID:s-1".to_owned(), Duration::ZERO);
    let (mut events, mut tickets, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let (mut rest, mut cuts) = (bytes, cuts.iter().cycle());
    while !rest.is_empty() {
        let cut = cuts.next().map_or(rest.len(), |cut| (*cut).clamp(1, rest.len()));
        let (chunk, behind) = rest.split_at(cut);
        rest = behind;
        stomp.handle_input(Duration::ZERO, chunk);
        while let Some(event) = stomp.poll_event() {
            events.push(format!("{event:?}"));
            match event {
                BrokerEvent::Login { .. } => stomp.accept_login(),
                BrokerEvent::Store { ticket, .. } => tickets.push(ticket),
                BrokerEvent::Note(_) | BrokerEvent::Closed { .. } => {}
            }
        }
    }
    // the disk is slow: its answers come last, however the bytes were cut
    for ticket in tickets {
        stomp.stored(ticket);
    }
    events.extend(std::iter::from_fn(|| stomp.poll_event()).map(|event| format!("{event:?}")));
    stomp.poll_transmit(&mut out);
    (events, out)
}

#[test]
fn the_conversation_is_understood() {
    let (events, out) = play(&conversation(), &[]);
    let kinds: Vec<_> = events.iter().map(|event| event.split(' ').next().unwrap()).collect();
    let refused = "Note(Refused(Consumer(Some(Destination";
    assert_eq!(kinds, ["Login", "Store", "Store", "Store", refused, "Closed"]);
    let text = String::from_utf8(out).unwrap();
    let said: Vec<_> = text.split('\0').map(|frame| frame.split('\n').next().unwrap()).collect();
    assert_eq!(said, ["CONNECTED", "ERROR", "RECEIPT", "RECEIPT", "RECEIPT", ""]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_change_nothing(cuts in prop::collection::vec(1_usize..60, 1..20)) {
        let bytes = conversation();
        prop_assert_eq!(play(&bytes, &cuts), play(&bytes, &[]));
    }

    #[test]
    fn changed_bytes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cuts in prop::collection::vec(1_usize..60, 1..20),
    ) {
        let mut bytes = conversation();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert_eq!(play(&bytes, &cuts), play(&bytes, &[]));
    }

    /// Whatever stands in a header comes back in the receipt as it was, in every version.
    #[test]
    fn receipts_are_given_back(id in "[^\0\r]{1,20}", twelve in any::<bool>()) {
        let escaped = id.replace('\\', "\\\\").replace('\n', "\\n").replace(':', "\\c");
        let mut peer = Peer::open(if twelve { "1.2" } else { "1.1" });
        peer.say(&format!("SEND\ndestination:{CDR}\nreceipt:{escaped}\n\n{{}}\0"));
        peer.store_all();
        prop_assert_eq!(peer.said(), format!("RECEIPT\nreceipt-id:{escaped}\n\n^@"));
    }

    #[test]
    fn rubbish_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        play(&bytes, &[]);
        let mut behind = b"CONNECT\n\n\0".to_vec();
        behind.extend_from_slice(&bytes);
        play(&behind, &[13]);
    }
}
