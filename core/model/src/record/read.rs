//! The tolerant reader (rs.md §2.1, §2.8): a JSON value in, a record or a refusal out.
//!
//! Not a derived deserialiser: numbers may come as text, null is absent, an optional field of a
//! wrong type is set aside in `extra._bad`, long text is cut, unknown fields are kept. Only a
//! missing or senseless *required* field costs the record. Input never panics here, whatever it
//! is; the body's time of arrival is an input, so that reading it again gives the same.

mod cdr;
mod event;
mod fields;
mod json;
mod or;
mod shape;
mod sq;

use serde_json::Value;

use super::hash::content_hash;
use super::limits::{ID_BYTES, NAME_CHARS};
use super::refusal::{Notes, Refusal};
use super::word::{ComponentType, Kind, Stream};
use super::{Body, Component, Producer, Record};
use crate::time::Millis;
use fields::{Fields, Log};
use shape::{int, name, text, time, word};

/// What is known of a body before it is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Arrived<'m> {
    /// When it arrived: `bad_time` is judged by it.
    pub at: Millis,
    /// The message's property `recordId`, else its JMSCorrelationID: the id of a body without.
    pub message_id: Option<&'m str>,
}

/// Reads one message body.
pub(super) fn bytes(body: &[u8], arrived: &Arrived<'_>) -> Result<(Record, Notes), Refusal> {
    let mut log = Log::new(arrived.at);
    let value = json::parse(body, &mut log)?;
    record(&value, arrived, log)
}

/// The JSON of a body.
pub(super) fn json_of(body: &[u8]) -> Option<Value> {
    json::parse(body, &mut Log::new(Millis::default())).ok()
}

fn record(value: &Value, arrived: &Arrived<'_>, mut log: Log) -> Result<(Record, Notes), Refusal> {
    let Value::Object(object) = value else {
        return Err(log.fault("not_an_object", "a record is one JSON object"));
    };
    log.notes.content_hash = content_hash(object);
    let log = &mut log;
    let mut fields = Fields::new(object);
    let kind = fields.required(log, "kind", |value, log| match value.as_str() {
        Some(text) => {
            Kind::parse(text).ok_or_else(|| log.fault("unknown_kind", "none of the ten kinds"))
        }
        None => Err(log.fault("bad_type", "a kind is text")),
    })?;
    let schema = fields.required(log, "schema", |value, log| match int(value, log)? {
        0 => Err(log.fault("bad_value", "versions begin with 1")),
        version => Ok(version),
    })?;
    let id = id(&mut fields, log, arrived.message_id)?;
    let at = fields.required(log, "time", time)?;
    let producer = fields.required(log, "producer", producer)?;
    log.notes.unsequenced = producer.seq.is_none();
    let component = fields.required(log, "component", component)?;
    let config_rev = fields.optional(log, "config_rev", int);
    let body = body(kind, &component, &mut fields, log)?;
    fields.finish(log);
    let extra = log.extra();
    let record = Record { schema, id, time: at, producer, component, config_rev, body, extra };
    Ok((record, std::mem::take(&mut log.notes)))
}

fn body(
    kind: Kind,
    component: &Component,
    fields: &mut Fields<'_>,
    log: &mut Log,
) -> Result<Body, Refusal> {
    Ok(match kind {
        Kind::Cdr => Body::Cdr(Box::new(cdr::cdr(component.kind, fields, log)?)),
        Kind::CallEvent => Body::Event(event::call_event(fields, log)?),
        Kind::Var => Body::Var(event::var(fields, log)?),
        Kind::Arrivals => Body::Arrivals(or::arrivals(fields, log)?),
        Kind::Peaks => Body::Peaks(or::peaks(fields, log)?),
        Kind::Outbound => Body::Outbound(or::outbound(fields, log)?),
        Kind::Snmp => Body::Snmp(or::snmp(fields, log)?),
        Kind::Integrity => Body::Integrity(or::integrity(fields, log)?),
        Kind::Latency => Body::Latency(sq::latency(fields, log)?),
        Kind::SqCall => Body::SqCall(sq::call(fields, log)?),
    })
}

/// The id of the body, else of the message (rs.md §2.1).
fn id(fields: &mut Fields<'_>, log: &mut Log, message_id: Option<&str>) -> Result<String, Refusal> {
    let sent = match fields.take("id") {
        Some(value) => value.as_str().ok_or_else(|| log.fault_at("id", "bad_type", "text"))?,
        None => {
            log.notes.id_from_message = true;
            message_id.ok_or_else(|| {
                log.fault_at("id", "missing_field", "neither the record nor the message has one")
            })?
        }
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:/@|+%-".contains(&b);
    if sent.is_empty() || sent.len() > ID_BYTES || !sent.bytes().all(allowed) {
        let expected = "1 to 300 characters of A-Z a-z 0-9 . _ : / @ | + % -";
        return Err(log.fault_at("id", "bad_id", expected));
    }
    Ok(sent.to_owned())
}

fn producer(value: &Value, log: &mut Log) -> Result<Producer, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let producer = Producer {
        name: fields.required(log, "name", name(NAME_CHARS))?,
        boot: fields.optional(log, "boot", int),
        seq: fields.optional(log, "seq", shape::from_one),
        stream: fields.optional(log, "stream", word(Stream::parse)),
    };
    fields.finish(log);
    Ok(producer)
}

fn component(value: &Value, log: &mut Log) -> Result<Component, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let component = Component {
        name: fields.required(log, "name", name(NAME_CHARS))?,
        kind: fields.required(log, "type", word(ComponentType::parse))?,
        dbid: fields.optional(log, "dbid", shape::dbid),
    };
    fields.finish(log);
    Ok(component)
}

/// GUID and session id of a record that hangs on a call: one of them is required.
fn call_of(
    fields: &mut Fields<'_>,
    log: &mut Log,
) -> Result<(Option<super::CallGuid>, Option<String>), Refusal> {
    let guid = fields.optional(log, "guid", shape::guid);
    let session_id = fields.optional(log, "session_id", text(super::limits::SESSION_CHARS));
    let session_id = session_id.filter(|id| !id.is_empty());
    if guid.is_none() && session_id.is_none() {
        return Err(log.fault_at("session_id", "missing_field", "session_id or guid"));
    }
    Ok((guid, session_id))
}

#[cfg(test)]
mod tests;
