//! What hangs on calls, as SQL writes and reads it: reports of voice applications and quality.

use rs::Key;
use rs::share::{CallLine, Changes, FailureLine};
use rs::var::{VarActionRow, VarCallRow, VarCustomRow, VarRows};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::StoreError;

/// New rows of `sq_call`, and rows of `sq_failure` in place of what is there.
pub(super) fn save(db: &Connection, changes: &Changes) -> Result<(), StoreError> {
    for row in &changes.quality {
        let insert = "INSERT INTO rs_sq_call VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        db.prepare_cached(insert)?.execute(params![
            row.id_key,
            row.component_id,
            row.session_id,
            row.guid,
            row.time_ms,
            row.failed,
            row.fact,
        ])?;
    }
    changes.failures.iter().try_for_each(|line| failure(db, line))
}

fn failure(db: &Connection, line: &FailureLine) -> Result<(), StoreError> {
    let row = &line.row;
    db.prepare_cached(
        "INSERT OR REPLACE INTO rs_sq_failure
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        row.failure_key,
        row.id_key,
        row.time_ms,
        line.component_id,
        row.session_id,
        row.guid,
        line.profile_id,
        line.tenant_id,
        row.kind,
        row.latency_type,
        row.value_ms,
        row.threshold_ms,
        row.text,
    ])?;
    Ok(())
}

/// The rows of `var_call`, `var_action` and `var_custom` of one call.
pub(super) fn var(db: &Connection, call: &CallLine) -> Result<(), StoreError> {
    let key = call.row.call_key;
    if call.row_version > 1 {
        for table in ["rs_var_call", "rs_var_action", "rs_var_custom"] {
            let delete = format!("DELETE FROM {table} WHERE call_key = ?1");
            db.prepare_cached(&delete)?.execute([key])?;
        }
    }
    if let Some(row) = &call.var.call {
        let insert = "INSERT INTO rs_var_call VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![key, row.result, row.reason, row.notes, row.actions, row.ignored];
        db.prepare_cached(insert)?.execute(values)?;
    }
    for row in &call.var.actions {
        let insert = "INSERT INTO rs_var_action
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        db.prepare_cached(insert)?.execute(params![
            key,
            row.n,
            row.action,
            row.parent_n,
            row.started_ms,
            row.ended_ms,
            row.result,
            row.reason,
            row.notes,
            row.is_last,
        ])?;
    }
    for row in &call.var.custom {
        let insert = "INSERT INTO rs_var_custom VALUES (?1, ?2, ?3)";
        db.prepare_cached(insert)?.execute(params![key, row.name, row.value])?;
    }
    Ok(())
}

/// What `var_call`, `var_action` and `var_custom` have of one call.
pub(super) fn read_var(db: &Connection, key: &Key) -> Result<VarRows, StoreError> {
    let call =
        "SELECT result, reason, notes, actions, ignored FROM rs_var_call WHERE call_key = ?1";
    let call = db.prepare_cached(call)?.query_row([key], |row| {
        Ok(VarCallRow {
            result: row.get(0)?,
            reason: row.get(1)?,
            notes: row.get(2)?,
            actions: row.get(3)?,
            ignored: row.get(4)?,
        })
    });
    let mut actions = db.prepare_cached(
        "SELECT n, action, parent_n, started_ms, ended_ms, result, reason, notes, is_last
         FROM rs_var_action WHERE call_key = ?1 ORDER BY n",
    )?;
    let actions = actions.query_map([key], |row| {
        Ok(VarActionRow {
            n: row.get(0)?,
            action: row.get(1)?,
            parent_n: row.get(2)?,
            started_ms: row.get(3)?,
            ended_ms: row.get(4)?,
            result: row.get(5)?,
            reason: row.get(6)?,
            notes: row.get(7)?,
            is_last: row.get(8)?,
        })
    })?;
    let mut custom = db.prepare_cached(
        "SELECT name, value FROM rs_var_custom WHERE call_key = ?1 ORDER BY name",
    )?;
    let custom = custom
        .query_map([key], |row| Ok(VarCustomRow { name: row.get(0)?, value: row.get(1)? }))?;
    Ok(VarRows {
        call: call.optional()?,
        actions: actions.collect::<Result<_, _>>()?,
        custom: custom.collect::<Result<_, _>>()?,
    })
}
