//! Kinds `sq.*`: quality of service (rs.md §2.7).

use std::collections::BTreeMap;

use serde::Serialize;

use super::cdr::ObjectRef;
use super::guid::CallGuid;
use super::limits::BUCKET;
use super::or::whole_seconds;
use super::word::FailureType;
use crate::time::Millis;

/// Samples below it have a bucket of their own, ms.
pub const EXACT_MS: u64 = 32;
/// From here on all samples have one bucket, ms.
pub const BEYOND_MS: u64 = 1 << 24;

/// The bucket of a sample in ms (rs.md §4.7).
#[must_use]
pub fn bucket(ms: u64) -> u16 {
    let number = if ms < EXACT_MS {
        ms
    } else if ms >= BEYOND_MS {
        u64::from(BUCKET)
    } else {
        let e = u64::from(ms.ilog2());
        EXACT_MS + (e - 5) * 16 + ((ms >> (e - 4)) & 15)
    };
    u16::try_from(number).unwrap_or(BUCKET)
}

/// `sq.latency`: response times of one type in a bin, as samples or as a sketch.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Latency {
    /// Such as `PAGE_FETCH`; unknown ones are kept.
    #[serde(rename = "type")]
    pub kind: String,
    /// Start of the bin.
    #[serde(serialize_with = "whole_seconds")]
    pub bin_start: Millis,
    /// At most 3600.
    pub bin_seconds: u64,
    /// Milliseconds, at most 1000; empty when there is a sketch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<u64>,
    /// The histogram of rs.md §4.7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sketch: Option<Sketch>,
    /// The profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<ObjectRef>,
    /// The tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<ObjectRef>,
}

/// Sums and buckets of integer milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Sketch {
    /// Samples.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// Sum of their squares.
    pub sumsq: u64,
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
    /// Bucket (0–336) → samples in it.
    pub hist: BTreeMap<u16, u64>,
}

/// `sq.call`: whether a call was served well.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SqCall {
    /// Session at the component.
    pub session_id: String,
    /// GUID of the platform call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guid: Option<CallGuid>,
    /// The profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<ObjectRef>,
    /// The tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<ObjectRef>,
    /// Whether it was served badly.
    pub failed: bool,
    /// What went wrong.
    pub failures: Vec<Failure>,
}

/// One failure.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Failure {
    /// When.
    pub time: Millis,
    /// What kind.
    #[serde(rename = "type")]
    pub kind: FailureType,
    /// Of `LATENCY`: which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_type: Option<String>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_ms: Option<u64>,
    /// How long it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold_ms: Option<u64>,
    /// Text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}
