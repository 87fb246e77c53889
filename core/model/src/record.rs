//! The record: an immutable fact that a component tells the Reporting Server (rs.md §2).
//!
//! One type, one writer and one tolerant reader for everybody. A record is one JSON object in
//! UTF-8; the writer prints fields in the order of the examples of rs.md §2.2, so that the same
//! facts are always the same bytes. The reader takes what other producers send and refuses only
//! what lacks a required field. Nothing here merges, counts or knows a database: that is
//! `core/rs`. On the call's way this is what stage 10 writes and stage 13 reads.

mod word;
mod cdr;
mod event;
mod guid;
mod hash;
mod limits;
mod object;
mod or;
mod read;
mod refusal;
mod sq;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::time::Millis;

pub use cdr::{
    Cdr, Media, ObjectRef, Owner, Parent, Policy, Ports, Profile, Resource, Sq, Tenant, TraceStep,
    Usage,
};
pub use event::{CallEvent, Var};
pub use guid::CallGuid;
pub use hash::{ContentHash, canonical, content_hash};
pub use limits::*;
pub use object::Object;
pub use or::{
    Arrival, Arrivals, Integrity, Outbound, OutboundTotal, Peak, Peaks, Snmp, SnmpValue, Streams,
};
pub use read::Arrived;
pub use refusal::{Notes, Refusal};
pub use sq::{BEYOND_MS, EXACT_MS, Failure, Latency, Sketch, SqCall, bucket};
pub use word::{
    Basis, CallType, ComponentType, Dimension, EndState, FailureType, Kind, Level, Measure, Phase,
    Scope, SelectedBy, Stage, Stream, UpdateReason, VarResult, Verb, Verdict,
};

/// One record of any kind. Field meanings and limits: rs.md §2.1.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Version of the format, [`SCHEMA`] when written here; greater ones are read too.
    pub schema: u64,
    /// Deterministic id, unique for all time; at most 300 characters of `[A-Za-z0-9._:/@|+%-]`.
    pub id: String,
    /// When the reporter made it; of events and VAR: when it happened.
    pub time: Millis,
    /// The process that sends it, and its place in that process's stream.
    pub producer: Producer,
    /// The component that it is about.
    pub component: Component,
    /// Configuration revision in force; RM: that of the session.
    pub config_rev: Option<u64>,
    /// The facts, by kind.
    pub body: Body,
    /// Fields that this version does not know, and `_bad`: optional ones of a wrong type.
    pub extra: Map<String, Value>,
}

/// The facts of a record, one variant per kind.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// `cdr`: start, update or end of a call (rs.md §2.2).
    Cdr(Box<Cdr>),
    /// `call.event`: something happened in a call (rs.md §2.4).
    Event(CallEvent),
    /// `var`: a voice application's reporting (rs.md §2.5).
    Var(Var),
    /// `or.arrivals`: calls counted by the producer (rs.md §2.6).
    Arrivals(Arrivals),
    /// `or.peaks`: concurrency measured by the producer (rs.md §2.6).
    Peaks(Peaks),
    /// `or.outbound`: an SSG's totals of today (rs.md §2.6).
    Outbound(Outbound),
    /// `or.snmp`: latest figures of a component (rs.md §2.6).
    Snmp(Snmp),
    /// `or.integrity`: the books of a producer's minute (rs.md §2.6).
    Integrity(Integrity),
    /// `sq.latency`: response times of one type (rs.md §2.7).
    Latency(Latency),
    /// `sq.call`: whether a call was served well (rs.md §2.7).
    SqCall(SqCall),
}

/// Who sends a record (rs.md §2.1). `boot` and `seq` prove that none is missing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Producer {
    /// The process's stable name, at most 128 characters.
    pub name: String,
    /// Grows with every start of the process; absent in simple tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<u64>,
    /// From 1 without gap per name, boot and stream; absent = unsequenced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The stream that `seq` counts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
}

/// What a record is about (rs.md §2.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Component {
    /// Its stable name, at most 128 characters.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ComponentType,
    /// Its object's DBID, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dbid: Option<u32>,
}

impl Record {
    /// The kind of its body.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.body {
            Body::Cdr(_) => Kind::Cdr,
            Body::Event(_) => Kind::CallEvent,
            Body::Var(_) => Kind::Var,
            Body::Arrivals(_) => Kind::Arrivals,
            Body::Peaks(_) => Kind::Peaks,
            Body::Outbound(_) => Kind::Outbound,
            Body::Snmp(_) => Kind::Snmp,
            Body::Integrity(_) => Kind::Integrity,
            Body::Latency(_) => Kind::Latency,
            Body::SqCall(_) => Kind::SqCall,
        }
    }

    /// Appends the record as one JSON object without line ends; the same record is always the
    /// same bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        match &self.body {
            Body::Cdr(body) => self.write_body(body.as_ref(), out),
            Body::Event(body) => self.write_body(body, out),
            Body::Var(body) => self.write_body(body, out),
            Body::Arrivals(body) => self.write_body(body, out),
            Body::Peaks(body) => self.write_body(body, out),
            Body::Outbound(body) => self.write_body(body, out),
            Body::Snmp(body) => self.write_body(body, out),
            Body::Integrity(body) => self.write_body(body, out),
            Body::Latency(body) => self.write_body(body, out),
            Body::SqCall(body) => self.write_body(body, out),
        }
    }

    /// Reads one message body (rs.md §2.8). `arrived` tells when it came, and the id that the
    /// message itself carried.
    ///
    /// # Errors
    /// [`Refusal`] with the code of a dead letter; it names the field.
    pub fn read(body: &[u8], arrived: &Arrived<'_>) -> Result<(Self, Notes), Refusal> {
        read::bytes(body, arrived)
    }

    /// The JSON of a body as [`Record::read`] takes it, with what is no text or no number mended;
    /// `None` if it is none.
    #[must_use]
    pub fn json_of(body: &[u8]) -> Option<Value> {
        read::json_of(body)
    }

    fn write_body<B: Serialize>(&self, body: &B, out: &mut Vec<u8>) {
        let wire = Wire {
            schema: self.schema,
            kind: self.kind(),
            id: &self.id,
            time: self.time,
            producer: &self.producer,
            component: &self.component,
            config_rev: self.config_rev,
            body,
            extra: &self.extra,
        };
        let written = serde_json::to_writer(out, &wire);
        // a Vec takes every byte, and every key of a record is text
        debug_assert!(written.is_ok(), "a record has become unwritable: {written:?}");
    }
}

/// The queue that records of a kind belong on (rs.md §1.3).
#[must_use]
pub const fn queue(kind: Kind) -> &'static str {
    kind.stream().queue()
}

/// The order of the top-level fields on the wire.
#[derive(Serialize)]
struct Wire<'r, B> {
    schema: u64,
    kind: Kind,
    id: &'r str,
    time: Millis,
    producer: &'r Producer,
    component: &'r Component,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_rev: Option<u64>,
    #[serde(flatten)]
    body: &'r B,
    #[serde(flatten)]
    extra: &'r Map<String, Value>,
}

#[cfg(test)]
mod tests;
