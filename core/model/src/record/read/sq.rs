//! Reads kinds `sq.*` (rs.md §2.7).

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::{Fields, Log};
use super::shape::{
    flag, guid, int, list, minute, name, object_ref, strict_list, text, time, up_to, word,
};
use crate::record::limits::{
    BUCKET, COUNT, FAILURES, LATENCY_BIN_SECONDS, REASON_CHARS, SAMPLES, SESSION_CHARS, WORD_CHARS,
};
use crate::record::refusal::Refusal;
use crate::record::sq::{Failure, Latency, Sketch, SqCall, bucket};
use crate::record::word::FailureType;

pub(super) fn latency(fields: &mut Fields<'_>, log: &mut Log) -> Result<Latency, Refusal> {
    let kind = fields.required(log, "type", name(WORD_CHARS))?;
    let bin_start = fields.required(log, "bin_start", minute)?;
    let bin_seconds = fields.required(log, "bin_seconds", |value, log| match int(value, log)? {
        seconds @ 1..=LATENCY_BIN_SECONDS => Ok(seconds),
        _ => Err(log.fault("bad_value", "1 to 3600")),
    })?;
    let sketch = match fields.has("sketch") && !fields.has("samples") {
        true => Some(fields.required(log, "sketch", sketch)?),
        false => fields.optional(log, "sketch", sketch),
    };
    let samples = match sketch {
        Some(_) => fields.optional(log, "samples", strict_list(SAMPLES, up_to(COUNT))),
        None => Some(fields.required(log, "samples", strict_list(SAMPLES, up_to(COUNT)))?),
    };
    Ok(Latency {
        kind,
        bin_start,
        bin_seconds,
        samples: samples.unwrap_or_default(),
        sketch,
        profile: fields.optional(log, "profile", object_ref),
        tenant: fields.optional(log, "tenant", object_ref),
    })
}

pub(super) fn call(fields: &mut Fields<'_>, log: &mut Log) -> Result<SqCall, Refusal> {
    let failures = fields.optional(log, "failures", list(FAILURES, failure));
    Ok(SqCall {
        session_id: fields.required(log, "session_id", name(SESSION_CHARS))?,
        guid: fields.optional(log, "guid", guid),
        profile: fields.optional(log, "profile", object_ref),
        tenant: fields.optional(log, "tenant", object_ref),
        failed: fields.required(log, "failed", flag)?,
        failures: failures.unwrap_or_default(),
    })
}

pub(super) fn failure(value: &Value, log: &mut Log) -> Result<Failure, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let failure = Failure {
        time: fields.required(log, "time", time)?,
        kind: fields.required(log, "type", word(FailureType::parse))?,
        latency_type: fields.optional(log, "latency_type", text(WORD_CHARS)),
        value_ms: fields.optional(log, "value_ms", int),
        threshold_ms: fields.optional(log, "threshold_ms", int),
        text: fields.optional(log, "text", text(REASON_CHARS)),
    };
    fields.finish(log);
    Ok(failure)
}

fn sketch(value: &Value, log: &mut Log) -> Result<Sketch, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let sketch = Sketch {
        count: fields.required(log, "count", up_to(COUNT))?,
        sum: fields.required(log, "sum", int)?,
        sumsq: fields.required(log, "sumsq", int)?,
        min: fields.required(log, "min", up_to(COUNT))?,
        max: fields.required(log, "max", up_to(COUNT))?,
        hist: fields.required(log, "hist", histogram)?,
    };
    fields.finish(log);
    match misfit(&sketch) {
        Some((field, expected)) => Err(log.fault_at(field, "bad_value", expected)),
        None => Ok(sketch),
    }
}

/// What of a sketch cannot be of samples that have its other parts.
fn misfit(sketch: &Sketch) -> Option<(&'static str, &'static str)> {
    let [count, sum, sumsq] = [sketch.count, sketch.sum, sketch.sumsq].map(u128::from);
    let [min, max] = [sketch.min, sketch.max].map(u128::from);
    let used = || sketch.hist.iter().filter(|(_, samples)| **samples > 0).map(|(at, _)| *at);
    // at most 337 buckets of 32 bits
    if sketch.hist.values().sum::<u64>() != sketch.count {
        return Some(("count", "the samples of all buckets"));
    }
    if count > 0 && used().next() != Some(bucket(sketch.min)) {
        return Some(("min", "in the first bucket"));
    }
    if count > 0 && used().next_back() != Some(bucket(sketch.max)) {
        return Some(("max", "in the last bucket"));
    }
    if !(count * min..=count * max).contains(&sum) {
        return Some(("sum", "from count times min to count times max"));
    }
    // the sums fit into 64 bits, the count into 32
    if sum * sum > count * sumsq || sumsq > sum * max {
        return Some(("sumsq", "the sum of the squares"));
    }
    None
}

fn histogram(value: &Value, log: &mut Log) -> Result<BTreeMap<u16, u64>, Refusal> {
    let buckets = value.as_object().ok_or_else(|| log.fault("bad_type", "an object"))?;
    let mut hist = BTreeMap::new();
    for (key, count) in buckets {
        let bucket = key.parse().ok().filter(|bucket| *bucket <= BUCKET);
        let bucket = bucket.ok_or_else(|| log.fault("bad_value", "buckets are 0 to 336"))?;
        hist.insert(bucket, up_to(COUNT)(count, log)?);
    }
    Ok(hist)
}
