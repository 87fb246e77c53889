//! A raw peer of the receiving end: says what a test tells it, without a machine behind it.

use std::time::Duration;

use openwire::{
    Broker, BrokerEvent, BrokerSettings, Command, ConnectionId, ConnectionInfo, Destination,
    Greeting, Header, Inbound, Map, Message, MessageId, MessageKind, Note, ProducerId, Step,
    Ticket, TransactionId, Value, decode, encode, split,
};

pub(crate) const ID: &str = "ID:test-1:1";

/// An answer of the receiving end, as far as the tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Response(i32),
    Exception(i32, String, String),
    Error(String, String),
    Ack(i64, i32),
    KeepAlive,
}

pub(crate) struct Peer {
    pub(crate) broker: Broker,
    pub(crate) now: Duration,
    version: i32,
    heard: Vec<u8>,
    pub(crate) notes: Vec<Note>,
    pub(crate) stores: Vec<(Ticket, Vec<Inbound>)>,
    pub(crate) closed: Option<String>,
}

impl Peer {
    /// Not greeted yet.
    pub(crate) fn new() -> Self {
        Self::with(BrokerSettings::new("test"))
    }

    pub(crate) fn with(settings: BrokerSettings) -> Self {
        Self {
            broker: Broker::new(settings, Duration::ZERO),
            now: Duration::ZERO,
            version: 12,
            heard: Vec::new(),
            notes: Vec::new(),
            stores: Vec::new(),
            closed: None,
        }
    }

    /// Greeted and logged in, as that provider.
    pub(crate) fn open(version: i32, provider: &str) -> Self {
        Self::new().login(version, provider)
    }

    pub(crate) fn login(mut self, version: i32, provider: &str) -> Self {
        self.greet(version, provider);
        self.tell(1, true, &login(ID));
        assert_eq!(self.said(), [Said::Response(1)]);
        self
    }

    pub(crate) fn greet(&mut self, version: i32, provider: &str) {
        self.version = version.min(12);
        let mut bytes = Vec::new();
        greeting(version, provider).encode(&mut bytes);
        self.raw(&bytes);
        assert_eq!(self.said(), []);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.broker.handle_input(self.now, bytes);
        self.drain();
    }

    pub(crate) fn tell(&mut self, id: i32, respond: bool, command: &Command<'_>) {
        let mut bytes = Vec::new();
        encode(Header { id, respond }, command, self.version, &mut bytes);
        self.raw(&bytes);
    }

    /// A frame whose fields the crate only reads.
    pub(crate) fn tell_raw(&mut self, kind: u8, id: i32, respond: bool, fields: &[u8]) {
        let mut bytes = u32::try_from(fields.len() + 6).unwrap().to_be_bytes().to_vec();
        bytes.push(kind);
        bytes.extend_from_slice(&id.to_be_bytes());
        bytes.push(u8::from(respond));
        bytes.extend_from_slice(fields);
        self.raw(&bytes);
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.broker.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(deadline);
            self.broker.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    pub(crate) fn store_all(&mut self) -> Vec<Vec<Inbound>> {
        let stores = std::mem::take(&mut self.stores);
        stores
            .into_iter()
            .map(|(ticket, messages)| {
                self.broker.stored(ticket);
                messages
            })
            .collect()
    }

    fn drain(&mut self) {
        while let Some(event) = self.broker.poll_event() {
            match event {
                BrokerEvent::Login { .. } => self.broker.accept_login(),
                BrokerEvent::Store { ticket, messages } => self.stores.push((ticket, messages)),
                BrokerEvent::Note(note) => self.notes.push(note),
                BrokerEvent::Closed { why } => {
                    assert_eq!(self.closed, None, "closed once");
                    self.closed = Some(why.to_string());
                }
            }
        }
    }

    /// All that was answered since the last call.
    pub(crate) fn said(&mut self) -> Vec<Said> {
        self.broker.poll_transmit(&mut self.heard);
        let heard = std::mem::take(&mut self.heard);
        let mut said = Vec::new();
        let mut rest = &heard[..];
        while let Some((frame, behind)) = split(rest, 1 << 20).unwrap() {
            rest = behind;
            let Some((header, command)) = decode(frame, self.version).unwrap() else { continue };
            assert_eq!(header, Header { id: 0, respond: false });
            said.push(match command {
                Command::Response { correlation } => Said::Response(correlation),
                Command::ExceptionResponse { correlation, exception } => {
                    let exception = exception.unwrap();
                    Said::Exception(correlation, exception.class, exception.text)
                }
                Command::ConnectionError(Some(exception)) => {
                    Said::Error(exception.class, exception.text)
                }
                Command::ProducerAck { producer, size } => Said::Ack(producer.value, size),
                Command::KeepAliveInfo => Said::KeepAlive,
                Command::BrokerInfo { .. } => continue,
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(rest, b"");
        said
    }
}

pub(crate) fn greeting(version: i32, provider: &str) -> Greeting {
    let properties: Map = vec![
        ("TightEncodingEnabled".to_owned(), Value::Bool(true)),
        ("CacheEnabled".to_owned(), Value::Bool(true)),
        ("MaxInactivityDuration".to_owned(), Value::Long(30_000)),
        ("ProviderName".to_owned(), Value::Text("ActiveMQ".to_owned())),
        ("ProviderVersion".to_owned(), Value::Text(provider.to_owned())),
    ];
    Greeting { version, properties }
}

pub(crate) fn login<'a>(connection: &str) -> Command<'a> {
    Command::ConnectionInfo(ConnectionInfo {
        connection: ConnectionId(connection.to_owned()),
        client_id: None,
        password: None,
        user: None,
        fault_tolerant: false,
        failover_reconnect: false,
    })
}

pub(crate) fn producer(value: i64) -> ProducerId {
    ProducerId { connection: ID.to_owned(), session: 1, value }
}

pub(crate) fn transaction(value: i64) -> TransactionId {
    TransactionId::Local { connection: ID.to_owned(), value }
}

pub(crate) fn step<'a>(value: i64, step: Step) -> Command<'a> {
    let connection = ConnectionId(ID.to_owned());
    Command::TransactionInfo { connection, transaction: Some(transaction(value)), step }
}

/// A bytes message.
pub(crate) fn message(queue: &str, sequence: i64, content: &'static [u8]) -> Message<'static> {
    Message {
        kind: MessageKind::Bytes,
        producer: Some(producer(1)),
        destination: Some(Destination::queue(queue)),
        transaction: None,
        id: MessageId { text_view: None, producer: producer(1), sequence, broker_sequence: 0 },
        correlation_id: None,
        persistent: true,
        priority: 4,
        timestamp: 0,
        content: Some(content),
        properties: None,
        compressed: false,
    }
}

pub(crate) fn send<'a>(message: Message<'a>) -> Command<'a> {
    Command::Message(Box::new(message))
}
