//! The table `rs_call`: its columns, written once for all statements.

use rs::share::CallLine;

use super::link::{Link, Uid};
use super::load::signed;
use super::save::{column, optional};
use crate::store::StoreError;

const UPSERT: &str = "INSERT INTO rs_call (
    day, call_key, live, row_version, last_fact_ms, started_ms, answered_ms, ended_ms,
    duration_ms, component_type, component_id, session_id, guid, leg, epoch, call_type,
    tenant_id, profile_id, service, dn, local_uri, remote_uri, call_id, call_uuid,
    resource_group, resource_name, resource_dbid, resource_address, attempts, end_state,
    sip_status, reason, policy, profile_usage, profile_burst, asr_used, tts_used, media, origin,
    parent_key, sq_failed, config_rev, flags, extra, boot)
  SELECT
    day, call_key, live, row_version, last_fact_ms, started_ms, answered_ms, ended_ms,
    duration_ms, component_type, component_id, session_id, guid, leg, epoch, call_type,
    tenant_id, profile_id, service, dn, local_uri, remote_uri, call_id, call_uuid,
    resource_group, resource_name, resource_dbid, resource_address, attempts, end_state,
    sip_status, reason, policy::jsonb, profile_usage, profile_burst, asr_used, tts_used,
    media::jsonb, origin, parent_key, sq_failed, config_rev, flags, extra::jsonb, boot
  FROM unnest(
    $1::integer[], $2::uuid[], $3::boolean[], $4::bigint[], $5::bigint[], $6::bigint[],
    $7::bigint[], $8::bigint[], $9::bigint[], $10::smallint[], $11::bigint[], $12::text[],
    $13::text[], $14::bigint[], $15::bigint[], $16::smallint[], $17::bigint[], $18::bigint[],
    $19::smallint[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[],
    $25::text[], $26::text[], $27::bigint[], $28::text[], $29::bigint[], $30::smallint[],
    $31::integer[], $32::text[], $33::text[], $34::bigint[], $35::smallint[], $36::boolean[],
    $37::boolean[], $38::text[], $39::text[], $40::uuid[], $41::boolean[], $42::bigint[],
    $43::bigint[], $44::text[], $45::bigint[])
    AS n (
    day, call_key, live, row_version, last_fact_ms, started_ms, answered_ms, ended_ms,
    duration_ms, component_type, component_id, session_id, guid, leg, epoch, call_type,
    tenant_id, profile_id, service, dn, local_uri, remote_uri, call_id, call_uuid,
    resource_group, resource_name, resource_dbid, resource_address, attempts, end_state,
    sip_status, reason, policy, profile_usage, profile_burst, asr_used, tts_used, media, origin,
    parent_key, sq_failed, config_rev, flags, extra, boot)
  ON CONFLICT (day, call_key) DO UPDATE SET
    live = excluded.live, row_version = excluded.row_version, last_fact_ms =
    excluded.last_fact_ms, started_ms = excluded.started_ms, answered_ms = excluded.answered_ms,
    ended_ms = excluded.ended_ms, duration_ms = excluded.duration_ms, component_type =
    excluded.component_type, component_id = excluded.component_id, session_id =
    excluded.session_id, guid = excluded.guid, leg = excluded.leg, epoch = excluded.epoch,
    call_type = excluded.call_type, tenant_id = excluded.tenant_id, profile_id =
    excluded.profile_id, service = excluded.service, dn = excluded.dn, local_uri =
    excluded.local_uri, remote_uri = excluded.remote_uri, call_id = excluded.call_id, call_uuid
    = excluded.call_uuid, resource_group = excluded.resource_group, resource_name =
    excluded.resource_name, resource_dbid = excluded.resource_dbid, resource_address =
    excluded.resource_address, attempts = excluded.attempts, end_state = excluded.end_state,
    sip_status = excluded.sip_status, reason = excluded.reason, policy = excluded.policy,
    profile_usage = excluded.profile_usage, profile_burst = excluded.profile_burst, asr_used =
    excluded.asr_used, tts_used = excluded.tts_used, media = excluded.media, origin =
    excluded.origin, parent_key = excluded.parent_key, sq_failed = excluded.sq_failed,
    config_rev = excluded.config_rev, flags = excluded.flags, extra = excluded.extra,
    boot = excluded.boot";

/// Writes calls, each in place of its row.
pub(super) fn upsert(link: &mut Link, calls: &[CallLine]) -> Result<(), StoreError> {
    link.execute(
        UPSERT,
        &[
            &column(calls, |call| signed(call.day)),
            &column(calls, |call| Uid(call.row.call_key)),
            &column(calls, |call| call.row.is_live()),
            &column(calls, |call| call.row_version),
            &column(calls, |call| call.last_fact_ms),
            &column(calls, |call| call.row.started_ms),
            &column(calls, |call| call.row.answered_ms),
            &column(calls, |call| call.row.ended_ms),
            &column(calls, |call| call.row.duration_ms),
            &column(calls, |call| i16::from(call.row.component_type)),
            &column(calls, |call| call.component_id),
            &column(calls, |call| &*call.row.session_id),
            &column(calls, |call| call.row.guid.as_deref()),
            &column(calls, |call| call.row.leg.map(i64::from)),
            &column(calls, |call| call.row.epoch),
            &column(calls, |call| i16::from(call.row.call_type)),
            &column(calls, |call| call.tenant_id),
            &column(calls, |call| call.profile_id),
            &column(calls, |call| call.row.service.map(i16::from)),
            &column(calls, |call| call.row.dn.as_deref()),
            &column(calls, |call| &*call.row.local_uri),
            &column(calls, |call| &*call.row.remote_uri),
            &column(calls, |call| call.row.call_id.as_deref()),
            &column(calls, |call| call.row.call_uuid.as_deref()),
            &column(calls, |call| call.row.resource_group.as_deref()),
            &column(calls, |call| call.row.resource_name.as_deref()),
            &column(calls, |call| call.row.resource_dbid.map(i64::from)),
            &column(calls, |call| call.row.resource_address.as_deref()),
            &column(calls, |call| call.row.attempts),
            &column(calls, |call| call.row.end_state.map(i16::from)),
            &column(calls, |call| call.row.sip_status.map(i32::from)),
            &column(calls, |call| call.row.reason.as_deref()),
            &column(calls, |call| call.row.policy.as_deref()),
            &column(calls, |call| call.row.profile_usage),
            &column(calls, |call| call.row.profile_burst.map(i16::from)),
            &column(calls, |call| call.row.asr_used),
            &column(calls, |call| call.row.tts_used),
            &column(calls, |call| call.row.media.as_deref()),
            &column(calls, |call| call.row.origin.as_deref()),
            &column(calls, |call| optional(call.row.parent_key.as_ref())),
            &column(calls, |call| call.row.sq_failed),
            &column(calls, |call| call.row.config_rev),
            &column(calls, |call| i64::from(call.row.flags)),
            &column(calls, |call| call.row.extra.as_deref()),
            &column(calls, |call| call.boot),
        ],
    )?;
    Ok(())
}
