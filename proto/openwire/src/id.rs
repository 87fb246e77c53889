//! Ids and destinations: the nested objects that commands carry.
//!
//! They have no command header. Trap of the protocol: a producer's id is (value, session), a
//! consumer's (session, value).

use std::fmt;

use crate::wire::{Malformed, Reader, Writer, kind};

/// `ID:host-port-time-n:m`, chosen by the client; the same over its failover reconnects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub String);

/// A session of a connection; −1 is the connection's own for advisories.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId {
    /// Its connection.
    pub connection: String,
    /// Its number in the connection.
    pub value: i64,
}

/// A producer of a session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProducerId {
    /// Its connection.
    pub connection: String,
    /// Its session.
    pub session: i64,
    /// Its number in the session.
    pub value: i64,
}

/// A consumer of a session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsumerId {
    /// Its connection.
    pub connection: String,
    /// Its session.
    pub session: i64,
    /// Its number in the session.
    pub value: i64,
}

/// What a RemoveInfo may remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectId {
    /// A whole connection.
    Connection(ConnectionId),
    /// A session with its producers and consumers.
    Session(SessionId),
    /// A producer.
    Producer(ProducerId),
    /// A consumer.
    Consumer(ConsumerId),
}

/// Producer and sequence; equal on a replay. Displayed as JMSMessageID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageId {
    /// A foreign id, as other brokers give it; from version 10 on.
    pub text_view: Option<String>,
    /// Who sent it.
    pub producer: ProducerId,
    /// The producer's number of it.
    pub sequence: i64,
    /// The broker's number of it; 0 from a client.
    pub broker_sequence: i64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text_view {
            return f.write_str(text);
        }
        let ProducerId { connection, session, value } = &self.producer;
        write!(f, "{connection}:{session}:{value}:{}", self.sequence)
    }
}

/// A transaction's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionId {
    /// One of the client's own.
    Local {
        /// Its connection.
        connection: String,
        /// Its number in the connection.
        value: i64,
    },
    /// A distributed one: refused.
    Xa,
}

/// The four kinds of destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationKind {
    /// Point to point.
    Queue,
    /// Publish and subscribe.
    Topic,
    /// A queue that dies with its connection.
    TempQueue,
    /// A topic that dies with its connection.
    TempTopic,
}

/// A named destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Queue, topic or a temporary one.
    pub kind: DestinationKind,
    /// The physical name.
    pub name: String,
}

impl Destination {
    /// A queue of that name.
    #[must_use]
    pub fn queue(name: &str) -> Self {
        Self { kind: DestinationKind::Queue, name: name.to_owned() }
    }

    /// True for the topics on which brokers announce things; clients subscribe to them by
    /// themselves.
    #[must_use]
    pub fn is_advisory(&self) -> bool {
        self.kind == DestinationKind::Topic && self.name.starts_with("ActiveMQ.Advisory.")
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        let kind = match reader.nested()? {
            None => return Ok(None),
            Some(kind::QUEUE) => DestinationKind::Queue,
            Some(kind::TOPIC) => DestinationKind::Topic,
            Some(kind::TEMP_QUEUE) => DestinationKind::TempQueue,
            Some(kind::TEMP_TOPIC) => DestinationKind::TempTopic,
            Some(_) => return Err(reader.malformed("no destination")),
        };
        Ok(Some(Self { kind, name: reader.string()?.unwrap_or_default() }))
    }

    pub(crate) fn write(destination: Option<&Self>, writer: &mut Writer<'_>) {
        let Some(destination) = destination else { return writer.absent() };
        writer.nested(match destination.kind {
            DestinationKind::Queue => kind::QUEUE,
            DestinationKind::Topic => kind::TOPIC,
            DestinationKind::TempQueue => kind::TEMP_QUEUE,
            DestinationKind::TempTopic => kind::TEMP_TOPIC,
        });
        writer.string(Some(&destination.name));
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            DestinationKind::Queue => "queue ",
            DestinationKind::Topic => "topic ",
            DestinationKind::TempQueue => "temporary queue ",
            DestinationKind::TempTopic => "temporary topic ",
        })?;
        f.write_str(crate::text::prefix(&self.name, crate::limits::MAX_QUOTED))
    }
}

fn expect(reader: &mut Reader<'_>, kind: u8, what: &'static str) -> Result<(), Malformed> {
    match reader.nested()? {
        Some(found) if found == kind => Ok(()),
        _ => Err(reader.malformed(what)),
    }
}

impl ConnectionId {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        expect(reader, kind::CONNECTION_ID, "no connection id")?;
        Ok(Self(reader.string()?.unwrap_or_default()))
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.nested(kind::CONNECTION_ID);
        writer.string(Some(&self.0));
    }
}

impl SessionId {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        expect(reader, kind::SESSION_ID, "no session id")?;
        Self::fields(reader)
    }

    fn fields(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { connection: reader.string()?.unwrap_or_default(), value: reader.long()? })
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.nested(kind::SESSION_ID);
        writer.string(Some(&self.connection));
        writer.long(self.value);
    }
}

impl ProducerId {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        expect(reader, kind::PRODUCER_ID, "no producer id")?;
        Self::fields(reader)
    }

    fn fields(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let connection = reader.string()?.unwrap_or_default();
        let value = reader.long()?;
        Ok(Self { connection, value, session: reader.long()? })
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.nested(kind::PRODUCER_ID);
        writer.string(Some(&self.connection));
        writer.long(self.value);
        writer.long(self.session);
    }
}

impl ConsumerId {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        expect(reader, kind::CONSUMER_ID, "no consumer id")?;
        Self::fields(reader)
    }

    fn fields(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let connection = reader.string()?.unwrap_or_default();
        let session = reader.long()?;
        Ok(Self { connection, session, value: reader.long()? })
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.nested(kind::CONSUMER_ID);
        writer.string(Some(&self.connection));
        writer.long(self.session);
        writer.long(self.value);
    }
}

impl ObjectId {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match reader.nested()? {
            Some(kind::CONNECTION_ID) => {
                Self::Connection(ConnectionId(reader.string()?.unwrap_or_default()))
            }
            Some(kind::SESSION_ID) => Self::Session(SessionId::fields(reader)?),
            Some(kind::PRODUCER_ID) => Self::Producer(ProducerId::fields(reader)?),
            Some(kind::CONSUMER_ID) => Self::Consumer(ConsumerId::fields(reader)?),
            _ => return Err(reader.malformed("nothing that can be removed")),
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Connection(id) => id.write(writer),
            Self::Session(id) => id.write(writer),
            Self::Producer(id) => id.write(writer),
            Self::Consumer(id) => id.write(writer),
        }
    }
}

impl MessageId {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        expect(reader, kind::MESSAGE_ID, "no message id")?;
        Ok(Self {
            text_view: if reader.since(10) { reader.string()? } else { None },
            producer: ProducerId::read(reader)?,
            sequence: reader.long()?,
            broker_sequence: reader.long()?,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.nested(kind::MESSAGE_ID);
        if writer.since(10) {
            writer.string(self.text_view.as_deref());
        }
        self.producer.write(writer);
        writer.long(self.sequence);
        writer.long(self.broker_sequence);
    }
}

impl TransactionId {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        Ok(match reader.nested()? {
            None => None,
            Some(kind::LOCAL_TRANSACTION_ID) => {
                let value = reader.long()?;
                Some(Self::Local { value, connection: ConnectionId::read(reader)?.0 })
            }
            Some(kind::XA_TRANSACTION_ID) => {
                reader.int()?;
                reader.bytes()?;
                reader.bytes()?;
                Some(Self::Xa)
            }
            Some(_) => return Err(reader.malformed("no transaction id")),
        })
    }

    /// Only local ones are ever written.
    pub(crate) fn write(transaction: Option<&Self>, writer: &mut Writer<'_>) {
        match transaction {
            Some(Self::Local { connection, value }) => {
                writer.nested(kind::LOCAL_TRANSACTION_ID);
                writer.long(*value);
                ConnectionId(connection.clone()).write(writer);
            }
            Some(Self::Xa) | None => writer.absent(),
        }
    }
}
