//! Reads kind `cdr` (rs.md §2.2).

use serde_json::Value;

use super::fields::{Fields, Log};
use super::shape::{
    dbid, flag, guid, int, leg, list, name, number, object_ref, status, text, text_bytes, time,
    word,
};
use super::sq::failure;
use crate::config::Service;
use crate::record::cdr::{
    Cdr, Media, Owner, Parent, Policy, Ports, Profile, Resource, Sq, Tenant, TraceStep, Usage,
};
use crate::record::limits::{
    CALL_ID_CHARS, DN_CHARS, FAILURES, LIST_LEN, NAME_CHARS, NOTES_BYTES, REASON_CHARS,
    SESSION_CHARS, TRACE_BYTES, TRACE_STEPS, URI_CHARS, WORD_CHARS,
};
use crate::record::refusal::Refusal;
use crate::record::word::{
    CallType, ComponentType, EndState, Phase, Scope, Stage, VarResult, Verdict,
};
use crate::time::Millis;

pub(super) fn cdr(
    component: ComponentType,
    fields: &mut Fields<'_>,
    log: &mut Log,
) -> Result<Cdr, Refusal> {
    let phase = fields.required(log, "phase", word(Phase::parse))?;
    let session_id = fields.required(log, "session_id", name(SESSION_CHARS))?;
    let started_at = fields.required(log, "started_at", time)?;
    let call_type = fields.required(log, "call_type", word(CallType::parse))?;
    let mut cdr = Cdr::new(phase, session_id, started_at, call_type);
    identity(component, &mut cdr, fields, log)?;
    end(&mut cdr, fields, log)?;
    cdr.local_uri = fields.required(log, "local_uri", text(URI_CHARS))?;
    cdr.remote_uri = fields.required(log, "remote_uri", text(URI_CHARS))?;
    cdr.parent = fields.optional(log, "parent", parent);
    cdr.owners = fields.optional(log, "owners", list(LIST_LEN, owner)).unwrap_or_default();
    cdr.answered_at = fields.optional(log, "answered_at", time);
    cdr.tenant = fields.optional(log, "tenant", tenant);
    cdr.usage = fields.optional(log, "usage", list(LIST_LEN, usage)).unwrap_or_default();
    cdr.profile = fields.optional(log, "profile", profile);
    cdr.service = fields.optional(log, "service", word(Service::parse));
    cdr.dn = fields.optional(log, "dn", text(DN_CHARS));
    cdr.call_id = fields.optional(log, "call_id", text(CALL_ID_CHARS));
    cdr.call_uuid = fields.optional(log, "call_uuid", text(CALL_ID_CHARS));
    cdr.resource = fields.optional(log, "resource", resource);
    cdr.sip_status = fields.optional(log, "sip_status", status);
    cdr.policy = fields.optional(log, "policy", policy);
    cdr.media = fields.optional(log, "media", media);
    // REJECTED is RS's to say
    let result = |text: &str| VarResult::parse(text).filter(|of| *of != VarResult::Rejected);
    cdr.result = fields.optional(log, "result", word(result));
    cdr.result_reason = fields.optional(log, "result_reason", text(REASON_CHARS));
    cdr.notes = fields.optional(log, "notes", text_bytes(NOTES_BYTES));
    cdr.sq = fields.optional(log, "sq", quality);
    cdr.origin = fields.optional(log, "origin", text(REASON_CHARS));
    cdr.trace = fields.optional(log, "trace", trace).unwrap_or_default();
    Ok(cdr)
}

/// What makes the call's key: RM must send all of it.
fn identity(
    component: ComponentType,
    cdr: &mut Cdr,
    fields: &mut Fields<'_>,
    log: &mut Log,
) -> Result<(), Refusal> {
    if component == ComponentType::Rm {
        cdr.guid = Some(fields.required(log, "guid", guid)?);
        cdr.leg = Some(fields.required(log, "leg", leg)?);
        cdr.epoch = fields.required(log, "epoch", int)?;
    } else {
        cdr.guid = fields.optional(log, "guid", guid);
        cdr.leg = fields.optional(log, "leg", leg);
        cdr.epoch = fields.optional(log, "epoch", int).unwrap_or_default();
    }
    Ok(())
}

/// How and when it ended: required of an `end`.
fn end(cdr: &mut Cdr, fields: &mut Fields<'_>, log: &mut Log) -> Result<(), Refusal> {
    cdr.reason = fields.optional(log, "reason", text(REASON_CHARS));
    let (ended_at, state) = if cdr.phase == Phase::End {
        let ended_at = fields.required(log, "ended_at", time)?;
        (Some(ended_at), Some(fields.required(log, "end_state", name(WORD_CHARS))?))
    } else {
        (
            fields.optional(log, "ended_at", time),
            fields.optional(log, "end_state", name(WORD_CHARS)),
        )
    };
    cdr.ended_at = ended_at.map(|ended_at| {
        log.notes.end_corrected |= ended_at < cdr.started_at;
        Millis::max(ended_at, cdr.started_at)
    });
    if let Some(state) = state {
        let known = EndState::parse(&state);
        cdr.end_state = Some(known.unwrap_or(EndState::Unknown));
        if known.is_none() {
            // rs.md §2.3: the text goes into the reason, before the one that was sent
            let both = match &cdr.reason {
                Some(reason) => format!("{state}: {reason}"),
                None => state,
            };
            let fits = both.chars().count() <= REASON_CHARS;
            log.notes.truncated |= !fits;
            cdr.reason = Some(both.chars().take(REASON_CHARS).collect());
        }
    }
    Ok(())
}

fn parent(value: &Value, log: &mut Log) -> Result<Parent, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let parent = Parent {
        component: fields.required(log, "component", object_ref)?,
        session_id: fields.required(log, "session_id", name(SESSION_CHARS))?,
    };
    fields.finish(log);
    Ok(parent)
}

fn owner(value: &Value, log: &mut Log) -> Result<Owner, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let owner = Owner {
        component: fields.required(log, "component", object_ref)?,
        from: fields.required(log, "from", time)?,
    };
    fields.finish(log);
    Ok(owner)
}

fn tenant(value: &Value, log: &mut Log) -> Result<Tenant, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let tenant = Tenant {
        name: fields.optional(log, "name", name(NAME_CHARS)),
        dbid: fields.optional(log, "dbid", dbid),
        path: fields.optional(log, "path", list(LIST_LEN, object_ref)).unwrap_or_default(),
    };
    fields.finish(log);
    if tenant.name.is_none() && tenant.dbid.is_none() {
        return Err(log.fault("missing_field", "name or dbid"));
    }
    Ok(tenant)
}

fn usage(value: &Value, log: &mut Log) -> Result<Usage, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let usage = Usage {
        scope: fields.required(log, "scope", word(Scope::parse))?,
        dbid: fields.optional(log, "dbid", dbid),
        name: fields.required(log, "name", name(NAME_CHARS))?,
        usage: fields.optional(log, "usage", int),
        burst: fields.optional(log, "burst", |value, log| match int(value, log)? {
            1 => Ok(1),
            2 => Ok(2),
            3 => Ok(3),
            _ => Err(log.fault("bad_value", "1, 2 or 3")),
        }),
    };
    fields.finish(log);
    Ok(usage)
}

fn profile(value: &Value, log: &mut Log) -> Result<Profile, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let profile = Profile {
        name: fields.optional(log, "name", name(NAME_CHARS)),
        dbid: fields.optional(log, "dbid", dbid),
        service: fields.optional(log, "service", word(Service::parse)),
    };
    fields.finish(log);
    if profile.name.is_none() && profile.dbid.is_none() {
        return Err(log.fault("missing_field", "name or dbid"));
    }
    Ok(profile)
}

fn resource(value: &Value, log: &mut Log) -> Result<Resource, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let resource = Resource {
        group: fields.optional(log, "group", text(NAME_CHARS)),
        name: fields.optional(log, "name", text(NAME_CHARS)),
        dbid: fields.optional(log, "dbid", dbid),
        address: fields.optional(log, "address", text(URI_CHARS)),
        attempts: fields.optional(log, "attempts", int),
    };
    fields.finish(log);
    Ok(resource)
}

fn policy(value: &Value, log: &mut Log) -> Result<Policy, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let policy = Policy {
        rule: fields.required(log, "rule", name(WORD_CHARS))?,
        scope: fields.optional(log, "scope", word(Scope::parse)),
        dbid: fields.optional(log, "dbid", dbid),
        name: fields.optional(log, "name", text(NAME_CHARS)),
        limit: fields.optional(log, "limit", int),
        usage: fields.optional(log, "usage", int),
    };
    fields.finish(log);
    Ok(policy)
}

fn media(value: &Value, log: &mut Log) -> Result<Media, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let codecs = fields.optional(log, "codecs", list(LIST_LEN, name(WORD_CHARS)));
    let media = Media {
        asr: fields.optional(log, "asr", ports),
        tts: fields.optional(log, "tts", ports),
        codecs: codecs.unwrap_or_default(),
        packets_lost: fields.optional(log, "packets_lost", int),
        jitter_ms: fields.optional(log, "jitter_ms", number),
        mos: fields.optional(log, "mos", number),
    };
    fields.finish(log);
    Ok(media)
}

fn ports(value: &Value, log: &mut Log) -> Result<Ports, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let ports = Ports {
        used: fields.required(log, "used", flag)?,
        sessions: fields.optional(log, "sessions", int),
        engine: fields.optional(log, "engine", text(WORD_CHARS)),
        duration_ms: fields.optional(log, "duration_ms", int),
    };
    fields.finish(log);
    Ok(ports)
}

fn quality(value: &Value, log: &mut Log) -> Result<Sq, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let failures = fields.optional(log, "failures", list(FAILURES, failure));
    let sq = Sq {
        failed: fields.required(log, "failed", flag)?,
        failures: failures.unwrap_or_default(),
    };
    fields.finish(log);
    Ok(sq)
}

fn trace(value: &Value, log: &mut Log) -> Result<Vec<TraceStep>, Refusal> {
    let mut steps = list(TRACE_STEPS, step)(value, log)?;
    while serde_json::to_vec(&steps).is_ok_and(|json| json.len() > TRACE_BYTES) {
        steps.truncate(steps.len() / 2);
        log.notes.truncated = true;
    }
    Ok(steps)
}

fn step(value: &Value, log: &mut Log) -> Result<TraceStep, Refusal> {
    let mut fields = Fields::of(value, log)?;
    let step = TraceStep {
        stage: fields.required(log, "stage", word(Stage::parse))?,
        candidate: fields.required(log, "candidate", text(REASON_CHARS))?,
        verdict: fields.required(log, "verdict", word(Verdict::parse))?,
        reason: fields.required(log, "reason", text(REASON_CHARS))?,
        state: fields.optional(log, "state", text(WORD_CHARS)),
        used: fields.optional(log, "used", int),
        limit: fields.optional(log, "limit", int),
        rank: fields.optional(log, "rank", int),
        until: fields.optional(log, "until", time),
    };
    fields.finish(log);
    Ok(step)
}
