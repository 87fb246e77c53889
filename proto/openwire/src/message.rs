//! A message on the wire: types 23 to 29, all with the same fields.
//!
//! Content and properties stay borrowed from the frame; what they hold is read by `body.rs` and
//! `map.rs`. Fields that only a dispatching broker fills are run over.

use crate::body::MessageKind;
use crate::id::{Destination, MessageId, ProducerId, TransactionId};
use crate::wire::{Malformed, Reader, Writer, kind};

/// A message without its command header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// What its content is.
    pub kind: MessageKind,
    /// Who sends it.
    pub producer: Option<ProducerId>,
    /// Where to.
    pub destination: Option<Destination>,
    /// The transaction that it is part of.
    pub transaction: Option<TransactionId>,
    /// Producer and sequence; the same on a replay.
    pub id: MessageId,
    /// JMSCorrelationID.
    pub correlation_id: Option<String>,
    /// Delivery mode.
    pub persistent: bool,
    /// JMSPriority, 0 to 9.
    pub priority: u8,
    /// JMSTimestamp, ms since 1970; 0 when not given.
    pub timestamp: i64,
    /// The content, as its kind and `compressed` say.
    pub content: Option<&'a [u8]>,
    /// A primitive map.
    pub properties: Option<&'a [u8]>,
    /// The content is a zlib stream.
    pub compressed: bool,
}

impl<'a> Message<'a> {
    pub(crate) fn read(kind: MessageKind, reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut message = Self::read_fields(kind, reader)?;
        message.content = reader.bytes()?;
        message.properties = reader.bytes()?;
        if reader.boolean()? {
            return Err(reader.malformed("a data structure, which clients do not send"));
        }
        if reader.boolean()? {
            return Err(reader.malformed("a target consumer, which clients do not send"));
        }
        message.compressed = reader.boolean()?;
        // What follows is filled by brokers: redelivery counter, path, arrival, user and times.
        Ok(message)
    }

    /// Of a frame whose end is not there: what stands before the content, and of the content as
    /// much as there is.
    pub(crate) fn read_cut(kind: MessageKind, reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut message = Self::read_fields(kind, reader)?;
        if reader.boolean()? {
            let length = usize::try_from(reader.int()?).unwrap_or(0);
            message.content = Some(reader.take(length.min(reader.left()))?);
        }
        Ok(message)
    }

    /// Up to the content.
    fn read_fields(kind: MessageKind, reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let producer = read_producer(reader)?;
        let destination = Destination::read(reader)?;
        let transaction = TransactionId::read(reader)?;
        Destination::read(reader)?; // original destination
        let id = MessageId::read(reader)?;
        TransactionId::read(reader)?; // original transaction
        reader.string()?; // group id
        reader.int()?; // group sequence
        let correlation_id = reader.string()?;
        let persistent = reader.boolean()?;
        reader.long()?; // expiration
        let priority = reader.byte()?;
        Destination::read(reader)?; // reply to
        let timestamp = reader.long()?;
        reader.string()?; // type
        Ok(Self {
            kind,
            producer,
            destination,
            transaction,
            id,
            correlation_id,
            persistent,
            priority,
            timestamp,
            content: None,
            properties: None,
            compressed: false,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        match &self.producer {
            Some(producer) => producer.write(writer),
            None => writer.absent(),
        }
        Destination::write(self.destination.as_ref(), writer);
        TransactionId::write(self.transaction.as_ref(), writer);
        writer.absent(); // original destination
        self.id.write(writer);
        writer.absent(); // original transaction
        writer.string(None); // group id
        writer.int(0); // group sequence
        writer.string(self.correlation_id.as_deref());
        writer.boolean(self.persistent);
        writer.long(0); // expiration
        writer.byte(self.priority);
        writer.absent(); // reply to
        writer.long(self.timestamp);
        writer.string(None); // type
        writer.bytes(self.content);
        writer.bytes(self.properties);
        writer.absent(); // data structure
        writer.absent(); // target consumer
        writer.boolean(self.compressed);
        writer.int(0); // redelivery counter
        writer.absent(); // broker path
        writer.long(0); // arrival
        writer.string(None); // user id
        writer.boolean(false); // received by a bridge
        if writer.since(2) {
            writer.boolean(false); // droppable
        }
        if writer.since(3) {
            writer.absent(); // cluster
            writer.long(0); // broker in time
            writer.long(0); // broker out time
        }
        if writer.since(10) {
            writer.boolean(false); // first of its group for the consumer
        }
    }
}

fn read_producer(reader: &mut Reader<'_>) -> Result<Option<ProducerId>, Malformed> {
    let mut ahead = reader.clone();
    match ahead.nested()? {
        None => {
            *reader = ahead;
            Ok(None)
        }
        Some(kind::PRODUCER_ID) => ProducerId::read(reader).map(Some),
        Some(_) => Err(reader.malformed("no producer id")),
    }
}
