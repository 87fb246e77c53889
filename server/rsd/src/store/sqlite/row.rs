//! A call's row and what belongs to it, as SQL writes it: `core/rs` makes the row, this file only
//! puts ids for names and numbers for words.

use rs::CallRow;
use rusqlite::{Connection, params};

use crate::store::{ObjectKind, StoreError};

/// Finds or makes the id of an object: kind, DBID, name.
pub(super) type IdOf<'i> =
    dyn FnMut(ObjectKind, Option<u32>, Option<&str>) -> Result<Option<i64>, StoreError> + 'i;

/// Replaces everything that the call's row says. `state`: its facts, as `core/rs` encodes them.
pub(super) fn write(
    db: &Connection,
    row: &CallRow,
    state: &[u8],
    last_fact_ms: i64,
    id_of: &mut IdOf<'_>,
) -> Result<(), StoreError> {
    let component = &row.component;
    let component_id = id_of(ObjectKind::Component, component.dbid, component.name.as_deref())?;
    let tenant_id = match &row.tenant {
        Some(tenant) => id_of(ObjectKind::Tenant, tenant.dbid, tenant.name.as_deref())?,
        None => None,
    };
    let profile_id = match &row.profile {
        Some(profile) => id_of(ObjectKind::Profile, profile.dbid, profile.name.as_deref())?,
        None => None,
    };
    db.prepare_cached(UPSERT)?.execute(params![
        row.call_key,
        row.is_live(),
        last_fact_ms,
        row.started_ms,
        row.answered_ms,
        row.ended_ms,
        row.duration_ms,
        row.component_type,
        component_id.unwrap_or(0),
        row.session_id,
        row.guid,
        row.leg,
        row.epoch,
        row.call_type,
        tenant_id,
        profile_id,
        row.service,
        row.dn,
        row.local_uri,
        row.remote_uri,
        row.call_id,
        row.call_uuid,
        row.resource_group,
        row.resource_name,
        row.resource_dbid,
        row.resource_address,
        row.attempts,
        row.end_state,
        row.sip_status,
        row.reason,
        row.policy,
        row.profile_usage,
        row.profile_burst,
        row.asr_used,
        row.tts_used,
        row.media,
        row.origin,
        row.parent_key,
        row.sq_failed,
        row.config_rev,
        row.flags,
        row.extra,
    ])?;
    db.prepare_cached("INSERT OR REPLACE INTO rs_call_fact_state VALUES (?1, ?2)")?
        .execute(params![row.call_key, state])?;
    write_lists(db, row, id_of)
}

const UPSERT: &str = "INSERT OR REPLACE INTO rs_call (
    call_key, live, row_version, last_fact_ms, started_ms, answered_ms, ended_ms, duration_ms,
    component_type, component_id, session_id, guid, leg, epoch, call_type, tenant_id, profile_id,
    service, dn, local_uri, remote_uri, call_id, call_uuid, resource_group, resource_name,
    resource_dbid, resource_address, attempts, end_state, sip_status, reason, policy,
    profile_usage, profile_burst, asr_used, tts_used, media, origin, parent_key, sq_failed,
    config_rev, flags, extra)
  VALUES (?1, ?2, ifnull((SELECT row_version FROM rs_call WHERE call_key = ?1), 0) + 1, ?3, ?4,
    ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
    ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42)";

fn write_lists(db: &Connection, row: &CallRow, id_of: &mut IdOf<'_>) -> Result<(), StoreError> {
    let key = row.call_key;
    db.prepare_cached("DELETE FROM rs_call_tenant WHERE call_key = ?1")?.execute([key])?;
    for tenant in &row.tenants {
        let id = id_of(ObjectKind::Tenant, tenant.tenant.dbid, tenant.tenant.name.as_deref())?;
        // a path that names a tenant twice counts it once, at its upper place
        let insert = "INSERT OR IGNORE INTO rs_call_tenant VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        if let Some(id) = id {
            let (depth, usage, burst) = (tenant.depth, tenant.usage, tenant.burst);
            db.prepare_cached(insert)?.execute(params![
                key,
                id,
                row.started_ms,
                depth,
                usage,
                burst
            ])?;
        }
    }
    db.prepare_cached("DELETE FROM rs_call_owner WHERE call_key = ?1")?.execute([key])?;
    for owner in &row.owners {
        let (dbid, name) = (owner.component.dbid, owner.component.name.as_deref());
        let id = id_of(ObjectKind::Component, dbid, name)?.unwrap_or(0);
        db.prepare_cached("INSERT INTO rs_call_owner VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![key, owner.n, id, owner.from_ms])?;
    }
    match &row.outcome {
        Some(outcome) => {
            db.prepare_cached("INSERT OR REPLACE INTO rs_var_call VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![key, outcome.result, outcome.reason, outcome.notes])?;
        }
        None => {
            db.prepare_cached("DELETE FROM rs_var_call WHERE call_key = ?1")?.execute([key])?;
        }
    }
    Ok(())
}
