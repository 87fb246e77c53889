//! Commands of the producer's side, both ways: frame ↔ struct, by the field table of
//! `spec/openwire.md` §3.4 with the gates of the agreed version.
//!
//! What a command means is the machines' business (`broker.rs`, `client.rs`). A command that is
//! not offered is read only as far as its refusal needs it; surplus bytes of a frame are ignored.

use crate::body::MessageKind;
use crate::failover::Referral;
use crate::id::TransactionId;
use crate::id::{ConnectionId, ConsumerId, Destination, ObjectId, ProducerId, SessionId};
use crate::message::Message;
use crate::wire::{Malformed, Reader, Writer, kind};

/// What every command begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The sender's number of the command; repeated on a replay.
    pub id: i32,
    /// A Response (or ExceptionResponse) is wanted.
    pub respond: bool,
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Chosen by the client.
    pub connection: ConnectionId,
    /// JMS client id.
    pub client_id: Option<String>,
    /// The password, in clear.
    pub password: Option<Secret>,
    /// The user.
    pub user: Option<String>,
    /// The client fails over and replays.
    pub fault_tolerant: bool,
    /// This is a reconnect.
    pub failover_reconnect: bool,
}

/// A text that Debug does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Steps of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// 0
    Begin,
    /// 2: the only commit of a local transaction.
    Commit,
    /// 4
    Rollback,
    /// Prepare, commit in two phases, recover, forget, end: distributed transactions only.
    Distributed(u8),
}

impl Step {
    const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Begin,
            2 => Self::Commit,
            4 => Self::Rollback,
            other => Self::Distributed(other),
        }
    }

    const fn to_byte(self) -> u8 {
        match self {
            Self::Begin => 0,
            Self::Commit => 2,
            Self::Rollback => 4,
            Self::Distributed(other) => other,
        }
    }
}

/// A Java exception without its stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Name of its class; never loaded by anyone here.
    pub class: String,
    /// Its text.
    pub text: String,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// Type 2; the peer's name of itself.
    BrokerInfo {
        /// Id of the broker.
        id: String,
        /// Name of the broker.
        name: String,
    },
    /// Type 3.
    ConnectionInfo(ConnectionInfo),
    /// Type 4.
    SessionInfo(SessionId),
    /// Type 5, as far as its refusal needs it.
    ConsumerInfo {
        /// Its id.
        id: ConsumerId,
        /// What it wants to read.
        destination: Option<Destination>,
    },
    /// Type 6.
    ProducerInfo {
        /// Its id.
        id: ProducerId,
        /// Absent: each message names its own.
        destination: Option<Destination>,
        /// Bytes that may be without a ProducerAck; 0: no window.
        window: i32,
    },
    /// Type 7.
    TransactionInfo {
        /// Its connection.
        connection: ConnectionId,
        /// Which; absent only for recover.
        transaction: Option<TransactionId>,
        /// What to do with it.
        step: Step,
    },
    /// Type 8.
    DestinationInfo {
        /// What is declared or removed.
        destination: Option<Destination>,
    },
    /// Type 12.
    RemoveInfo(ObjectId),
    /// Type 10.
    KeepAliveInfo,
    /// Type 11.
    ShutdownInfo,
    /// Type 16: an error that answers no request.
    ConnectionError(Option<Exception>),
    /// Type 18.
    ConnectionControl {
        /// The sender is about to close.
        close: bool,
        /// The sender fails over.
        fault_tolerant: bool,
        /// Where a client may go instead.
        referral: Referral,
    },
    /// Type 19.
    ProducerAck {
        /// Whose window.
        producer: ProducerId,
        /// Bytes that are free again.
        size: i32,
    },
    /// Types 23 to 29.
    Message(Box<Message<'a>>),
    /// Type 30, and 32 to 34, whose data nobody asked for.
    Response {
        /// Number of the answered command.
        correlation: i32,
    },
    /// Type 31.
    ExceptionResponse {
        /// Number of the answered command.
        correlation: i32,
        /// What went wrong.
        exception: Option<Exception>,
    },
    /// Everything else, by its type.
    Other(u8),
}

/// Reads one frame, from its type byte on. A null command (type 0) is `None`.
///
/// # Errors
/// The frame does not hold what its type says.
pub fn decode(frame: &[u8], version: i32) -> Result<Option<(Header, Command<'_>)>, Malformed> {
    let mut reader = Reader::new(frame, version);
    let kind = reader.byte()?;
    if kind == kind::NULL || kind == kind::WIRE_FORMAT_INFO {
        return Ok(None); // a greeting after the first one says nothing new
    }
    let header = Header { id: reader.int()?, respond: reader.boolean()? };
    Ok(Some((header, fields(kind, &mut reader)?)))
}

/// Type and header of a frame whose content cannot be read; `None`: not even they can.
pub(crate) fn header(frame: &[u8]) -> Option<(u8, Header)> {
    let mut reader = Reader::new(frame, 1);
    let kind = reader.byte().ok()?;
    Some((kind, Header { id: reader.int().ok()?, respond: reader.boolean().ok()? }))
}

/// Reads a message whose end is not there; `None`: it is none, or its fields cannot be read.
pub(crate) fn decode_cut(head: &[u8], version: i32) -> Option<(Header, Message<'_>)> {
    let mut reader = Reader::new(head, version);
    let kind = MessageKind::from_type(reader.byte().ok()?)?;
    let header = Header { id: reader.int().ok()?, respond: reader.boolean().ok()? };
    Some((header, Message::read_cut(kind, &mut reader).ok()?))
}

fn fields<'a>(kind: u8, reader: &mut Reader<'a>) -> Result<Command<'a>, Malformed> {
    if let Some(kind) = MessageKind::from_type(kind) {
        return Ok(Command::Message(Box::new(Message::read(kind, reader)?)));
    }
    Ok(match kind {
        kind::BROKER_INFO => read_broker_info(reader)?,
        kind::CONNECTION_INFO => Command::ConnectionInfo(read_connection_info(reader)?),
        kind::SESSION_INFO => Command::SessionInfo(SessionId::read(reader)?),
        kind::CONSUMER_INFO => {
            let id = ConsumerId::read(reader)?;
            reader.boolean()?; // browser
            Command::ConsumerInfo { id, destination: Destination::read(reader)? }
        }
        kind::PRODUCER_INFO => read_producer_info(reader)?,
        kind::TRANSACTION_INFO => Command::TransactionInfo {
            connection: ConnectionId::read(reader)?,
            transaction: TransactionId::read(reader)?,
            step: Step::from_byte(reader.byte()?),
        },
        kind::DESTINATION_INFO => {
            ConnectionId::read(reader)?;
            Command::DestinationInfo { destination: Destination::read(reader)? }
        }
        kind::REMOVE_INFO => Command::RemoveInfo(ObjectId::read(reader)?),
        kind::KEEP_ALIVE_INFO => Command::KeepAliveInfo,
        kind::SHUTDOWN_INFO => Command::ShutdownInfo,
        kind::CONNECTION_ERROR => Command::ConnectionError(read_exception(reader)?),
        kind::CONNECTION_CONTROL => {
            let close = reader.boolean()?;
            let exit = reader.boolean()?;
            let fault_tolerant = reader.boolean()?;
            let referral = read_referral(reader)?;
            Command::ConnectionControl { close: close || exit, fault_tolerant, referral }
        }
        kind::PRODUCER_ACK => {
            Command::ProducerAck { producer: ProducerId::read(reader)?, size: reader.int()? }
        }
        kind::RESPONSE
        | kind::DATA_RESPONSE
        | kind::DATA_ARRAY_RESPONSE
        | kind::INTEGER_RESPONSE => Command::Response { correlation: reader.int()? },
        kind::EXCEPTION_RESPONSE => Command::ExceptionResponse {
            correlation: reader.int()?,
            exception: read_exception(reader)?,
        },
        other => Command::Other(other),
    })
}

fn read_broker_info<'a>(reader: &mut Reader<'_>) -> Result<Command<'a>, Malformed> {
    let id = match reader.nested()? {
        Some(kind::BROKER_ID) => reader.string()?.unwrap_or_default(),
        None => String::new(),
        Some(_) => return Err(reader.malformed("no broker id")),
    };
    reader.string()?; // its address
    if reader.boolean()? {
        // Peers of a network of brokers are whole BrokerInfos; the name behind them is not worth
        // the recursion.
        return Ok(Command::BrokerInfo { id, name: String::new() });
    }
    Ok(Command::BrokerInfo { id, name: reader.string()?.unwrap_or_default() })
}

fn read_connection_info(reader: &mut Reader<'_>) -> Result<ConnectionInfo, Malformed> {
    let connection = ConnectionId::read(reader)?;
    let client_id = reader.string()?;
    let password = reader.string()?.map(Secret::new);
    let user = reader.string()?;
    reader.skip_broker_ids()?;
    reader.boolean()?; // of a broker's master
    reader.boolean()?; // manageable
    if reader.since(2) {
        reader.boolean()?; // of the client's master
    }
    let gated = reader.since(6);
    let fault_tolerant = gated && reader.boolean()?;
    let failover_reconnect = gated && reader.boolean()?;
    Ok(ConnectionInfo { connection, client_id, password, user, fault_tolerant, failover_reconnect })
}

fn read_producer_info<'a>(reader: &mut Reader<'_>) -> Result<Command<'a>, Malformed> {
    let id = ProducerId::read(reader)?;
    let destination = Destination::read(reader)?;
    reader.skip_broker_ids()?;
    if reader.since(2) {
        reader.boolean()?; // dispatch without waiting
    }
    let window = if reader.since(3) { reader.int()? } else { 0 };
    Ok(Command::ProducerInfo { id, destination, window })
}

fn read_referral(reader: &mut Reader<'_>) -> Result<Referral, Malformed> {
    reader.boolean()?; // resume
    reader.boolean()?; // suspend
    if !reader.since(6) {
        return Ok(Referral::default());
    }
    let connected = reader.string()?.unwrap_or_default();
    let to = reader.string()?.unwrap_or_default();
    Ok(Referral { to, connected, rebalance: reader.boolean()? })
}

fn read_exception(reader: &mut Reader<'_>) -> Result<Option<Exception>, Malformed> {
    if !reader.boolean()? {
        return Ok(None);
    }
    let class = reader.string()?.unwrap_or_default();
    Ok(Some(Exception { class, text: reader.string()?.unwrap_or_default() }))
}

/// Appends a whole frame, size included. [`Command::ConsumerInfo`], [`Command::DestinationInfo`]
/// and [`Command::Other`] are only ever read: of them nothing is written.
pub fn encode(header: Header, command: &Command<'_>, version: i32, out: &mut Vec<u8>) {
    let Some(kind) = type_of(command) else { return };
    let start = out.len();
    let mut writer = Writer::new(out, version);
    writer.int(0);
    writer.byte(kind);
    writer.int(header.id);
    writer.boolean(header.respond);
    write_fields(command, &mut writer);
    let size = i32::try_from(out.len() - start - 4).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

fn type_of(command: &Command<'_>) -> Option<u8> {
    Some(match command {
        Command::BrokerInfo { .. } => kind::BROKER_INFO,
        Command::ConnectionInfo(_) => kind::CONNECTION_INFO,
        Command::SessionInfo(_) => kind::SESSION_INFO,
        Command::ProducerInfo { .. } => kind::PRODUCER_INFO,
        Command::TransactionInfo { .. } => kind::TRANSACTION_INFO,
        Command::RemoveInfo(_) => kind::REMOVE_INFO,
        Command::KeepAliveInfo => kind::KEEP_ALIVE_INFO,
        Command::ShutdownInfo => kind::SHUTDOWN_INFO,
        Command::ConnectionError(_) => kind::CONNECTION_ERROR,
        Command::ConnectionControl { .. } => kind::CONNECTION_CONTROL,
        Command::ProducerAck { .. } => kind::PRODUCER_ACK,
        Command::Message(message) => message.kind.to_type(),
        Command::Response { .. } => kind::RESPONSE,
        Command::ExceptionResponse { .. } => kind::EXCEPTION_RESPONSE,
        Command::ConsumerInfo { .. } | Command::DestinationInfo { .. } | Command::Other(_) => {
            return None;
        }
    })
}

fn write_fields(command: &Command<'_>, writer: &mut Writer<'_>) {
    match command {
        Command::BrokerInfo { id, name } => write_broker_info(id, name, writer),
        Command::ConnectionInfo(info) => write_connection_info(info, writer),
        Command::SessionInfo(id) => id.write(writer),
        Command::ProducerInfo { id, destination, window } => {
            id.write(writer);
            Destination::write(destination.as_ref(), writer);
            writer.absent(); // broker path
            if writer.since(2) {
                writer.boolean(false); // dispatch without waiting
            }
            if writer.since(3) {
                writer.int(*window);
            }
        }
        Command::TransactionInfo { connection, transaction, step } => {
            connection.write(writer);
            TransactionId::write(transaction.as_ref(), writer);
            writer.byte(step.to_byte());
        }
        Command::RemoveInfo(id) => {
            id.write(writer);
            if writer.since(5) {
                writer.long(-1); // nothing was delivered
            }
        }
        Command::ConnectionError(exception) => {
            write_exception(exception.as_ref(), writer);
            writer.absent(); // connection id
        }
        Command::ConnectionControl { close, fault_tolerant, referral } => {
            writer.booleans(&[*close, false, *fault_tolerant, false, false]);
            if writer.since(6) {
                writer.string(Some(&referral.connected));
                writer.string(Some(&referral.to));
                writer.boolean(referral.rebalance);
            }
            if writer.since(8) {
                writer.bytes(None); // token
            }
        }
        Command::ProducerAck { producer, size } => {
            producer.write(writer);
            writer.int(*size);
        }
        Command::Message(message) => message.write(writer),
        Command::Response { correlation } => writer.int(*correlation),
        Command::ExceptionResponse { correlation, exception } => {
            writer.int(*correlation);
            write_exception(exception.as_ref(), writer);
        }
        Command::KeepAliveInfo
        | Command::ShutdownInfo
        | Command::ConsumerInfo { .. }
        | Command::DestinationInfo { .. }
        | Command::Other(_) => {}
    }
}

fn write_broker_info(id: &str, name: &str, writer: &mut Writer<'_>) {
    writer.nested(kind::BROKER_ID);
    writer.string(Some(id));
    writer.string(None); // address
    writer.absent(); // peers
    writer.string(Some(name));
    writer.booleans(&[false; 3]); // slave, master, fault tolerant
    if writer.since(2) {
        writer.booleans(&[false; 2]); // duplex, network connection
        writer.long(0); // connection id
    }
    if writer.since(3) {
        writer.string(None); // where to upload
        writer.string(None); // network properties
    }
}

fn write_connection_info(info: &ConnectionInfo, writer: &mut Writer<'_>) {
    info.connection.write(writer);
    writer.string(info.client_id.as_deref());
    writer.string(info.password.as_ref().map(Secret::reveal));
    writer.string(info.user.as_deref());
    writer.absent(); // broker path
    writer.booleans(&[false, true]); // of a broker's master, manageable
    if writer.since(2) {
        writer.boolean(true); // of the client's master
    }
    if writer.since(6) {
        writer.booleans(&[info.fault_tolerant, info.failover_reconnect]);
    }
    if writer.since(8) {
        writer.string(None); // client address
    }
}

fn write_exception(exception: Option<&Exception>, writer: &mut Writer<'_>) {
    writer.boolean(exception.is_some());
    if let Some(Exception { class, text }) = exception {
        writer.string(Some(class));
        writer.string(Some(text));
    }
}
