//! Reads kinds `or.*` (rs.md §2.6).

use serde_json::Value;

use super::fields::{Fields, Log};
use super::shape::{
    dbid, int, minute, name, object_ref, strict_list, text, time, up_to, within, word,
};
use crate::record::limits::{COUNT, DELTAS, DURATIONS_MS, NAME_CHARS, VALUE_CHARS, VALUES};
use crate::record::or::{
    Arrival, Arrivals, Integrity, Outbound, OutboundTotal, Peak, Peaks, Snmp, SnmpValue, Streams,
};
use crate::record::refusal::Refusal;
use crate::record::word::{Basis, CallType, Dimension, Measure};

pub(super) fn arrivals(fields: &mut Fields<'_>, log: &mut Log) -> Result<Arrivals, Refusal> {
    Ok(Arrivals {
        bin_start: fields.required(log, "bin_start", minute)?,
        bin_seconds: fields.required(log, "bin_seconds", bin_seconds)?,
        basis: fields.required(log, "basis", word(Basis::parse))?,
        values: fields.required(log, "values", strict_list(VALUES, arrival))?,
    })
}

pub(super) fn peaks(fields: &mut Fields<'_>, log: &mut Log) -> Result<Peaks, Refusal> {
    let bin_start = fields.required(log, "bin_start", minute)?;
    let bin_seconds = fields.required(log, "bin_seconds", bin_seconds)?;
    let basis = fields.required(log, "basis", word(Basis::parse))?;
    let measure = fields.required(log, "measure", word(Measure::parse))?;
    let peak = |value: &Value, log: &mut Log| peak(basis, value, log);
    let values = fields.required(log, "values", strict_list(VALUES, peak))?;
    Ok(Peaks { bin_start, bin_seconds, basis, measure, values })
}

pub(super) fn outbound(fields: &mut Fields<'_>, log: &mut Log) -> Result<Outbound, Refusal> {
    let values = fields.required(log, "values", strict_list(VALUES, outbound_total))?;
    Ok(Outbound { values })
}

pub(super) fn snmp(fields: &mut Fields<'_>, log: &mut Log) -> Result<Snmp, Refusal> {
    Ok(Snmp { values: fields.required(log, "values", strict_list(VALUES, snmp_value))? })
}

pub(super) fn integrity(fields: &mut Fields<'_>, log: &mut Log) -> Result<Integrity, Refusal> {
    Ok(Integrity {
        minute: fields.required(log, "minute", minute)?,
        calls_in: fields.required(log, "calls_in", up_to(COUNT))?,
        records_out: fields.required(log, "records_out", up_to(COUNT))?,
        adopted_in: fields.optional(log, "adopted_in", up_to(COUNT)).unwrap_or_default(),
        handed_out: fields.optional(log, "handed_out", up_to(COUNT)).unwrap_or_default(),
        in_progress: fields.required(log, "in_progress", up_to(COUNT))?,
        rejected: fields.required(log, "rejected", up_to(COUNT))?,
        streams: fields.required(log, "streams", streams)?,
        spool_depth: fields.optional(log, "spool_depth", int),
        spool_oldest: fields.optional(log, "spool_oldest", time),
    })
}

fn bin_seconds(value: &Value, log: &mut Log) -> Result<u64, Refusal> {
    let seconds = int(value, log)?;
    if matches!(seconds, 60 | 300) { Ok(seconds) } else { Err(log.fault("bad_value", "60 or 300")) }
}

fn arrival(value: &Value, log: &mut Log) -> Result<Arrival, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let arrival = Arrival {
        dim: fields.required(log, "dim", word(Dimension::parse))?,
        dbid: fields.optional(log, "dbid", dbid),
        name: fields.optional(log, "name", name(NAME_CHARS)),
        call_type: fields.optional(log, "call_type", word(CallType::parse)),
        count: fields.required(log, "count", up_to(COUNT))?,
        rejected: fields.optional(log, "rejected", up_to(COUNT)).unwrap_or_default(),
        duration_ms: fields.optional(log, "duration_ms", up_to(DURATIONS_MS)).unwrap_or_default(),
    };
    fields.finish(log);
    Ok(arrival)
}

/// Without its changes a level that is the only source would be a wrong figure.
fn peak(basis: Basis, value: &Value, log: &mut Log) -> Result<Peak, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let changes = strict_list(DELTAS, delta);
    let deltas = match basis {
        Basis::Own => Some(fields.required(log, "deltas", changes)?),
        Basis::Cdr => fields.optional(log, "deltas", changes),
    };
    let peak = Peak {
        dim: fields.required(log, "dim", word(Dimension::parse))?,
        dbid: fields.optional(log, "dbid", dbid),
        name: fields.optional(log, "name", name(NAME_CHARS)),
        call_type: fields.optional(log, "call_type", word(CallType::parse)),
        level_start: fields.required(log, "level_start", up_to(COUNT))?,
        peak: fields.required(log, "peak", up_to(COUNT))?,
        peak_time: fields.optional(log, "peak_time", time),
        deltas,
    };
    fields.finish(log);
    Ok(peak)
}

fn delta(value: &Value, log: &mut Log) -> Result<(u64, i64), Refusal> {
    match value.as_array().map(Vec::as_slice) {
        Some([offset, change]) => Ok((up_to(COUNT)(offset, log)?, within(COUNT)(change, log)?)),
        _ => Err(log.fault("bad_type", "[ms offset, change]")),
    }
}

fn outbound_total(value: &Value, log: &mut Log) -> Result<OutboundTotal, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let total = OutboundTotal {
        tenant: fields.optional(log, "tenant", object_ref),
        profile: fields.optional(log, "profile", object_ref),
        queued: fields.required(log, "queued", int)?,
        successful: fields.required(log, "successful", int)?,
        failed: fields.required(log, "failed", int)?,
    };
    fields.finish(log);
    Ok(total)
}

fn snmp_value(value: &Value, log: &mut Log) -> Result<SnmpValue, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let figure = SnmpValue {
        name: fields.required(log, "name", name(NAME_CHARS))?,
        value: fields.required(log, "value", |value, log| match value {
            Value::Number(number) => Ok(number.to_string()),
            _ => text(VALUE_CHARS)(value, log),
        })?,
    };
    fields.finish(log);
    Ok(figure)
}

fn streams(value: &Value, log: &mut Log) -> Result<Streams, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let streams = Streams {
        cdr: fields.optional(log, "cdr", int),
        event: fields.optional(log, "event", int),
        or: fields.optional(log, "or", int),
        sq: fields.optional(log, "sq", int),
    };
    fields.finish(log);
    Ok(streams)
}
