//! ActiveMQ's OpenWire, the producer's side of it: the loose codec and both ends of a connection;
//! and the receiving end of STOMP.
//!
//! [`Broker`] and [`Stomp`] receive records (the Reporting Server), [`Client`] sends them (the
//! Resource Manager). All are machines of five verbs: bytes, time and answers go in, bytes and
//! events come out; nothing here knows a socket or a clock. Times are [`std::time::Duration`]s
//! since an origin that the caller chooses. Facts of the wire: `spec/openwire.md`; what is offered
//! and refused: `spec/rs.md` §1.5. Stages 11 and 12 of the call's way.
#![warn(missing_docs)]

mod body;
mod broker;
mod brokers;
mod client;
mod command;
pub mod detect;
mod failover;
mod frame;
mod id;
pub mod limits;
mod link;
pub mod map;
mod message;
mod negotiation;
mod refusal;
mod stomp;
pub mod text;
mod ticket;
mod transaction;
mod wire;

pub use body::{Body, MessageKind, inflated_len, zlib_stream};
pub use broker::{Broker, BrokerEvent, BrokerSettings, Inbound, Note, QUEUES};
pub use brokers::{BrokerUri, Brokers, BrokersError, FailoverOptions};
pub use client::{Client, ClientEvent, ClientSettings, Outbound, SendError};
pub use command::{Command, ConnectionInfo, Exception, Header, Secret, Step, decode, encode};
pub use failover::{Failover, Referral};
pub use frame::{Split, split};
pub use id::{
    ConnectionId, ConsumerId, Destination, DestinationKind, MessageId, ObjectId, ProducerId,
    SessionId, TransactionId,
};
pub use limits::Limits;
pub use link::CloseReason;
pub use map::{Map, Value};
pub use message::Message;
pub use negotiation::{Agreed, Greeting, VersionRefused};
pub use refusal::{Class, OFFER, Refusal};
pub use stomp::Stomp;
pub use ticket::Ticket;
pub use wire::{Malformed, Reader, Writer, kind};
