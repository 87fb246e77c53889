//! Kinds `or.*`: figures that a producer computes itself (rs.md §2.6).

use serde::{Serialize, Serializer};

use super::cdr::ObjectRef;
use super::word::{Basis, CallType, Dimension, Measure};
use crate::time::Millis;

/// `or.arrivals`: calls that began in a bin.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Arrivals {
    /// Start of the bin, a whole minute.
    #[serde(serialize_with = "whole_seconds")]
    pub bin_start: Millis,
    /// 60 or 300.
    pub bin_seconds: u64,
    /// Whether the figures stand for themselves.
    pub basis: Basis,
    /// At most 1000; more go into further records of the bin.
    pub values: Vec<Arrival>,
}

/// Arrivals of one object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Arrival {
    /// What the object is.
    pub dim: Dimension,
    /// Its DBID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dbid: Option<u32>,
    /// Its name; a number, a service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_type: Option<CallType>,
    /// Calls.
    pub count: u64,
    /// Of these refused.
    pub rejected: u64,
    /// Durations of the calls that ended in the bin, in ms.
    pub duration_ms: u64,
}

/// `or.peaks`: concurrency in a bin.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Peaks {
    /// Start of the bin, a whole minute.
    #[serde(serialize_with = "whole_seconds")]
    pub bin_start: Millis,
    /// 60 or 300.
    pub bin_seconds: u64,
    /// Whether the figures stand for themselves.
    pub basis: Basis,
    /// What is counted.
    pub measure: Measure,
    /// At most 1000.
    pub values: Vec<Peak>,
}

/// Concurrency of one object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Peak {
    /// What the object is.
    pub dim: Dimension,
    /// Its DBID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dbid: Option<u32>,
    /// Its name; a number, a service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_type: Option<CallType>,
    /// Level at the start of the bin.
    pub level_start: u64,
    /// Highest level.
    pub peak: u64,
    /// When it was first reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_time: Option<Millis>,
    /// Changes of the level: (ms since the bin's start, how much); empty where it did not change.
    /// `None` with basis `cdr` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deltas: Option<Vec<(u64, i64)>>,
}

/// `or.outbound`: absolute totals of today.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Outbound {
    /// One per tenant and profile.
    pub values: Vec<OutboundTotal>,
}

/// Outbound calls of one tenant and profile.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct OutboundTotal {
    /// The tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<ObjectRef>,
    /// The profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<ObjectRef>,
    /// Waiting.
    pub queued: u64,
    /// Done well.
    pub successful: u64,
    /// Done badly.
    pub failed: u64,
}

/// `or.snmp`: latest figures of a component's MIB.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Snmp {
    /// Names are exact in case.
    pub values: Vec<SnmpValue>,
}

/// One figure.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SnmpValue {
    /// Name of the object.
    pub name: String,
    /// Its value as text.
    pub value: String,
}

/// `or.integrity`: the books of a producer's minute.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Integrity {
    /// Start of the minute.
    #[serde(serialize_with = "whole_seconds")]
    pub minute: Millis,
    /// Records of rs.md §2.2 begun: RM's legs, attempts included.
    pub calls_in: u64,
    /// Ends made.
    pub records_out: u64,
    /// Calls taken over.
    pub adopted_in: u64,
    /// Calls given away or lost to another owner.
    pub handed_out: u64,
    /// Calls not ended.
    pub in_progress: u64,
    /// Of `records_out` refused.
    pub rejected: u64,
    /// Last sequence of each stream.
    pub streams: Streams,
    /// Records that wait in the producer's spool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool_depth: Option<u64>,
    /// Time of the oldest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool_oldest: Option<Millis>,
}

/// Last sequence per stream; absent = none sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Streams {
    /// Of `cdr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cdr: Option<u64>,
    /// Of `event`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<u64>,
    /// Of `or`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub or: Option<u64>,
    /// Of `sq`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sq: Option<u64>,
}

/// A bin's start is a whole minute, so its fraction says nothing: `2026-11-22T10:00:00Z`.
pub(super) fn whole_seconds<S: Serializer>(time: &Millis, to: S) -> Result<S::Ok, S::Error> {
    let text = time.to_string();
    match text.strip_suffix(".000Z") {
        Some(seconds) => to.collect_str(&format_args!("{seconds}Z")),
        None => to.serialize_str(&text),
    }
}
