//! Both machines against each other, in virtual time and in any chunks.

use std::time::Duration;

use openwire::{
    Body, Broker, BrokerEvent, BrokerSettings, Class, Client, ClientEvent, ClientSettings, Command,
    Greeting, Header, Inbound, Limits, Outbound, Referral, SendError, Ticket, Value, encode,
};

fn settings(attempt: u32) -> ClientSettings {
    ClientSettings {
        client_id: Some("rm-1".to_owned()),
        connection_id: "ID:rm-1-5060-1795333967696-1:1".to_owned(),
        user: Some("rm".to_owned()),
        password: Some(openwire::Secret::new("secret".to_owned())),
        attempt,
        limits: Limits::default(),
    }
}

fn record(sequence: u64) -> Outbound<'static> {
    Outbound {
        record_id: "a/b/cdr.start/1.1",
        kind: "cdr",
        schema: 1,
        body: "{\"name\":\"\u{1F600} \u{0}\"}".as_bytes(),
        sequence,
    }
}

struct Pair {
    client: Client,
    broker: Broker,
    now: Duration,
    chunk: usize,
    stores: Vec<(Ticket, Vec<Inbound>)>,
    client_events: Vec<ClientEvent>,
    broker_events: Vec<String>,
    reconnect: bool,
}

impl Pair {
    fn new(attempt: u32, chunk: usize) -> Self {
        Self {
            client: Client::new(settings(attempt), Duration::ZERO),
            broker: Broker::new(BrokerSettings::new("test"), Duration::ZERO),
            now: Duration::ZERO,
            chunk,
            stores: Vec::new(),
            client_events: Vec::new(),
            broker_events: Vec::new(),
            reconnect: false,
        }
    }

    fn ready(chunk: usize) -> Self {
        let mut pair = Self::new(0, chunk);
        pair.run();
        assert_eq!(pair.events(), [ClientEvent::Ready]);
        pair
    }

    /// Carries bytes until both are silent.
    fn run(&mut self) {
        loop {
            let mut bytes = Vec::new();
            let to_broker = self.client.poll_transmit(&mut bytes);
            for chunk in bytes.chunks(self.chunk) {
                self.broker.handle_input(self.now, chunk);
            }
            self.drain();
            bytes.clear();
            let to_client = self.broker.poll_transmit(&mut bytes);
            for chunk in bytes.chunks(self.chunk) {
                self.client.handle_input(self.now, chunk);
            }
            self.client_events.extend(std::iter::from_fn(|| self.client.poll_event()));
            if !to_broker && !to_client {
                return;
            }
        }
    }

    fn drain(&mut self) {
        while let Some(event) = self.broker.poll_event() {
            match event {
                BrokerEvent::Login { password, reconnect, user, client_id, .. } => {
                    assert_eq!(user.as_deref(), Some("rm"));
                    assert_eq!(client_id.as_deref(), Some("rm-1"));
                    self.reconnect = reconnect;
                    if password.unwrap().reveal() == "secret" {
                        self.broker.accept_login();
                    } else {
                        self.broker.refuse_login(Class::Security, "who are you");
                    }
                }
                BrokerEvent::Store { ticket, messages } => self.stores.push((ticket, messages)),
                other => self.broker_events.push(format!("{other:?}")),
            }
        }
    }

    fn store_all(&mut self) -> Vec<Inbound> {
        let stores = std::mem::take(&mut self.stores);
        let mut stored = Vec::new();
        for (ticket, messages) in stores {
            self.broker.stored(ticket);
            stored.extend(messages);
        }
        self.run();
        stored
    }

    fn events(&mut self) -> Vec<ClientEvent> {
        std::mem::take(&mut self.client_events)
    }

    /// Lets time pass; both ends hear each other.
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let due = self.client.poll_timeout().into_iter().chain(self.broker.poll_timeout());
            let Some(due) = due.min().filter(|due| *due <= until) else { break };
            self.now = self.now.max(due);
            self.client.handle_timeout(self.now);
            self.broker.handle_timeout(self.now);
            self.run();
        }
        self.now = until;
    }
}

#[test]
fn a_record_is_acknowledged_when_it_is_stored() {
    for chunk in [1, 2, 7, 64, 1 << 20] {
        let mut pair = Pair::ready(chunk);
        pair.client.send("ringmaster.cdr", 42, &record(5)).unwrap();
        pair.run();
        assert_eq!(pair.events(), [], "not before");
        let stored = pair.store_all();
        assert_eq!(pair.events(), [ClientEvent::Acknowledged { tag: 42 }]);
        let [inbound] = &stored[..] else { panic!("{stored:?}") };
        assert_eq!(inbound.queue, "ringmaster.cdr");
        assert_eq!(inbound.message_id, "ID:rm-1-5060-1795333967696-1:1:1:2552244576:5");
        assert_eq!(inbound.record_id.as_deref(), Some("a/b/cdr.start/1.1"));
        assert_eq!(inbound.correlation_id.as_deref(), Some("a/b/cdr.start/1.1"));
        assert!(inbound.persistent);
        assert_eq!(inbound.body, Body::Text("{\"name\":\"\u{1F600} \u{0}\"}".to_owned()));
        let property = |name: &str| openwire::map::get(&inbound.properties, name).cloned().unwrap();
        assert_eq!(property("recordKind"), Value::Text("cdr".to_owned()));
        assert_eq!(property("recordSchema"), Value::Int(1));
        assert_eq!(property("_AMQ_DUPL_ID"), Value::Text("a/b/cdr.start/1.1".to_owned()));
        assert_eq!(pair.broker_events, Vec::<String>::new(), "no unconfirmed send");
    }
}

#[test]
fn a_transaction_is_acknowledged_once_and_is_whole() {
    for chunk in [1, 100, 1 << 20] {
        let mut pair = Pair::ready(chunk);
        let records: Vec<_> = (1..=256).map(record).collect();
        pair.client.send_transaction("ringmaster.event", 1, &records).unwrap();
        pair.client.send_transaction("ringmaster.event", 2, &records[..2]).unwrap();
        pair.run();
        assert_eq!(pair.client.in_flight(), 2);
        assert_eq!(pair.stores.iter().map(|(_, all)| all.len()).collect::<Vec<_>>(), [256, 2]);
        assert_eq!(pair.store_all().len(), 258);
        let acknowledged = [1, 2].map(|tag| ClientEvent::Acknowledged { tag });
        assert_eq!(pair.events(), acknowledged);
        assert_eq!(pair.client.in_flight(), 0);
    }
}

#[test]
fn a_reconnect_says_so_and_keeps_its_ids() {
    let mut first = Pair::ready(64);
    first.client.send("ringmaster.cdr", 1, &record(9)).unwrap();
    first.run();
    let lost = first.store_all();
    assert!(!first.reconnect);

    let mut second = Pair::new(1, 64);
    assert_eq!(second.client.send("ringmaster.cdr", 1, &record(9)), Err(SendError::NotReady));
    second.run();
    assert!(second.reconnect);
    assert_eq!(second.events(), [ClientEvent::Ready]);
    second.client.send("ringmaster.cdr", 1, &record(9)).unwrap();
    second.run();
    assert_eq!(second.store_all(), lost, "the same message, id and all");
    assert_eq!(second.events(), [ClientEvent::Acknowledged { tag: 1 }]);
}

#[test]
fn refusals_reach_the_sender() {
    let mut pair = Pair::ready(64);
    pair.client.send("orders", 1, &record(1)).unwrap();
    pair.client.send("ringmaster.cdr", 2, &record(2)).unwrap();
    pair.client.send_transaction("orders", 3, &[record(3)]).unwrap();
    pair.run();
    let (ticket, _) = pair.stores.remove(0);
    pair.broker.failed(ticket, Class::ResourceAllocation, "no room");
    pair.run();
    let refused: Vec<_> = pair
        .events()
        .into_iter()
        .map(|event| match event {
            ClientEvent::Refused { tag, class, .. } => (tag, class),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        refused,
        [
            (Some(1), "javax.jms.JMSException".to_owned()),
            (Some(3), "javax.jms.TransactionRolledBackException".to_owned()),
            (Some(2), "javax.jms.ResourceAllocationException".to_owned()),
        ]
    );
    assert_eq!(pair.client.in_flight(), 0);
}

#[test]
fn each_queue_has_a_producer_of_its_own_whatever_is_sent_first() {
    let numbers = |queues: [&str; 2]| {
        let mut pair = Pair::ready(64);
        for (tag, queue) in (1..).zip(queues) {
            pair.client.send(queue, tag, &record(tag)).unwrap();
        }
        pair.run();
        let mut numbers: Vec<_> = pair
            .store_all()
            .into_iter()
            .map(|inbound| {
                let producer = inbound.message_id.rsplit(':').nth(1).unwrap();
                (inbound.queue, producer.to_owned())
            })
            .collect();
        numbers.sort();
        numbers
    };
    let one = numbers(["ringmaster.event", "ringmaster.or"]);
    assert_eq!(one, numbers(["ringmaster.or", "ringmaster.event"]));
    assert_ne!(one[0].1, one[1].1);
}

#[test]
fn what_a_broker_tells_of_others_is_handed_on() {
    let mut client = Client::new(settings(0), Duration::ZERO);
    let mut bytes = Vec::new();
    Greeting::ours(1 << 20, Duration::from_secs(30)).encode(&mut bytes);
    let referral = |to: &str| Referral {
        to: to.to_owned(),
        connected: "tcp://a:1,tcp://b:2".to_owned(),
        rebalance: true,
    };
    for (close, referral) in
        [(false, Referral::default()), (false, referral("")), (true, referral("tcp://b:2"))]
    {
        let control = Command::ConnectionControl { close, fault_tolerant: false, referral };
        encode(Header { id: 0, respond: false }, &control, 12, &mut bytes);
    }
    client.handle_input(Duration::ZERO, &bytes);
    let events: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    let [ClientEvent::Referred(first), ClientEvent::Referred(last), ClientEvent::Closed { .. }] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((first, last), (&referral(""), &referral("tcp://b:2")));
}

#[test]
fn a_refused_login_ends_both() {
    let mut pair = Pair::new(0, 64);
    let mut settings = settings(0);
    settings.password = Some(openwire::Secret::new("guess".to_owned()));
    pair.client = Client::new(settings, Duration::ZERO);
    pair.run();
    let events = pair.events();
    let [ClientEvent::Refused { tag: None, class, text }, ClientEvent::Closed { .. }] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((class.as_str(), text.as_str()), ("java.lang.SecurityException", "who are you"));
    assert_eq!(pair.broker_events, ["Closed { why: LoginRefused }"]);
}

#[test]
fn an_idle_connection_lives_for_an_hour() {
    let mut pair = Pair::ready(64);
    pair.wait(Duration::from_secs(3600));
    assert_eq!(pair.events(), []);
    assert_eq!(pair.broker_events, Vec::<String>::new());
    pair.client.send("ringmaster.sq", 1, &record(1)).unwrap();
    pair.run();
    pair.store_all();
    assert_eq!(pair.events(), [ClientEvent::Acknowledged { tag: 1 }]);
}

#[test]
fn a_silent_broker_is_given_up() {
    let mut client = Client::new(settings(0), Duration::ZERO);
    let due = client.poll_timeout().unwrap();
    assert_eq!(due, Duration::from_secs(10));
    client.handle_timeout(due);
    let Some(ClientEvent::Closed { why }) = client.poll_event() else { panic!() };
    assert_eq!(why.to_string(), "no login within 10s");
    assert_eq!(client.poll_timeout(), None);

    let mut pair = Pair::ready(64);
    while let Some(due) = pair.client.poll_timeout() {
        pair.client.handle_timeout(due);
        pair.client.poll_transmit(&mut Vec::new());
    }
    let Some(ClientEvent::Closed { why }) = pair.client.poll_event() else { panic!() };
    assert_eq!(why.to_string(), "nothing heard for 30s");
}

#[test]
fn shutdown_is_heard() {
    let mut pair = Pair::ready(64);
    pair.client.shutdown();
    pair.run();
    assert_eq!(pair.broker_events, ["Closed { why: Goodbye }"]);
    assert_eq!(pair.client.send("ringmaster.cdr", 1, &record(1)), Err(SendError::NotReady));
}

#[test]
fn what_the_broker_does_not_take_is_not_sent() {
    let mut pair = Pair::ready(1 << 20);
    let large = vec![b' '; 8 * 1024 * 1024];
    let mut outbound = record(1);
    outbound.body = &large;
    let sent = pair.client.send("ringmaster.cdr", 1, &outbound);
    assert_eq!(sent, Err(SendError::TooLarge));
    let sent = pair.client.send_transaction("ringmaster.cdr", 1, &[record(1), outbound]);
    assert_eq!(sent, Err(SendError::TooLarge));
    let mut out = Vec::new();
    pair.client.poll_transmit(&mut out);
    assert!(out.len() < 200, "nothing of it leaves but its producer: {}", out.len());
    assert_eq!(pair.client.in_flight(), 0);
}
