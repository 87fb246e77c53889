//! What goes into the file; each function is part of one transaction of its caller.

use model::id::{Dbid, Revision};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::whole;
use crate::limits::MAX_CLIENTS;
use crate::store::{
    AuditRow, ChangeRow, ClientRow, Commit, Keep, Notes, ObjectRow, Record, Replaced, RevisionRow,
    StoreError, Stored, TokenRow,
};

/// All tables but the history and the audit, whose lines stay.
const PRESENT: [&str; 7] =
    ["head", "object", "dbid_counter", "dbid_gone", "token", "client", "meta"];
/// The history.
const HISTORY: [&str; 2] = ["revision", "change"];

pub(super) fn commit(db: &Transaction<'_>, commit: &Commit) -> Result<(), StoreError> {
    let revision = commit.revision.revision;
    let before = whole(revision.0.saturating_sub(1));
    let moved = db.execute(
        "UPDATE head SET revision = ?1, digest = ?2 WHERE revision = ?3",
        params![whole(revision.0), commit.revision.digest, before],
    )?;
    if moved != 1 {
        let head = db.query_row("SELECT revision FROM head", [], |row| row.get::<_, i64>(0));
        let head = head.optional()?.unwrap_or(0);
        return Err(StoreError::Moved(Revision(head.cast_unsigned())));
    }
    revision_row(db, &commit.revision)?;
    for row in &commit.changes {
        change(db, row)?;
    }
    for stored in &commit.objects {
        match stored {
            Stored::Put(row) => object(db, row)?,
            Stored::Delete { kind, dbid } => {
                let delete = "DELETE FROM object WHERE kind = ?1 AND dbid = ?2";
                db.prepare_cached(delete)?.execute(params![kind, dbid])?;
            }
        }
    }
    for (kind, next) in &commit.counters {
        counter(db, kind, *next)?;
    }
    for (kind, dbid) in &commit.gone {
        gone(db, kind, *dbid)?;
    }
    for (kind, dbid) in &commit.back {
        let delete = "DELETE FROM dbid_gone WHERE kind = ?1 AND dbid = ?2";
        db.prepare_cached(delete)?.execute(params![kind, dbid])?;
    }
    audit(db, &commit.audit)
}

/// A history has no hole: what goes is all below the first revision that is kept.
pub(super) fn compact(db: &Transaction<'_>, keep: &Keep) -> Result<Option<Revision>, StoreError> {
    let newest = "SELECT max(revision) FROM revision";
    let newest = db.query_row(newest, [], |row| row.get::<_, Option<i64>>(0))?;
    if let Some(newest) = newest {
        let of_count = newest.saturating_sub(whole(keep.newest.max(1)) - 1);
        let recent = "SELECT min(revision) FROM revision WHERE time_ms >= ?1";
        let recent =
            db.query_row(recent, [whole(keep.since.0)], |row| row.get::<_, Option<i64>>(0))?;
        let first = recent.map_or(of_count, |recent| recent.min(of_count));
        db.execute("DELETE FROM change WHERE revision < ?1", [first])?;
        db.execute("DELETE FROM revision WHERE revision < ?1", [first])?;
    }
    db.execute("DELETE FROM audit WHERE time_ms < ?1", [whole(keep.audit_since.0)])?;
    let oldest = "SELECT min(revision) FROM revision";
    let oldest = db.query_row(oldest, [], |row| row.get::<_, Option<i64>>(0))?;
    Ok(oldest.map(|oldest| Revision(oldest.cast_unsigned())))
}

pub(super) fn notes(db: &Transaction<'_>, notes: &Notes) -> Result<(), StoreError> {
    for line in &notes.audit {
        audit(db, line)?;
    }
    for (id, used) in &notes.used {
        let update = "UPDATE token SET last_used_ms = ?2 WHERE id = ?1";
        db.prepare_cached(update)?.execute(params![id, whole(used.0)])?;
    }
    for row in &notes.clients {
        client(db, row)?;
    }
    if !notes.clients.is_empty() {
        let newest = "SELECT name FROM client ORDER BY seen_ms DESC, name LIMIT ?1";
        let forget = format!("DELETE FROM client WHERE name NOT IN ({newest})");
        db.prepare_cached(&forget)?.execute([whole(MAX_CLIENTS as u64)])?;
    }
    Ok(())
}

pub(super) fn replace(
    db: &Transaction<'_>,
    what: Replaced,
    records: &mut dyn Iterator<Item = Result<Record, StoreError>>,
) -> Result<(), StoreError> {
    let history = HISTORY.into_iter().filter(|_| what == Replaced::All);
    for table in PRESENT.into_iter().chain(history) {
        db.execute(&format!("DELETE FROM {table}"), [])?;
    }
    for record in records {
        match record? {
            Record::Head { revision, digest } => {
                let insert = "INSERT INTO head VALUES (1, ?1, ?2)
                    ON CONFLICT (one) DO UPDATE SET revision = ?1, digest = ?2";
                db.execute(insert, params![whole(revision.0), digest])?;
            }
            Record::Object(row) => object(db, &row)?,
            Record::Revision(row) => revision_row(db, &row)?,
            Record::Change(row) => change(db, &row)?,
            Record::DbidCounter { kind, next } => counter(db, &kind, next)?,
            Record::DbidGone { kind, dbid } => gone(db, &kind, dbid)?,
            Record::Token(row) => token(db, &row)?,
            Record::Audit(row) => audit(db, &row)?,
            Record::Client(row) => client(db, &row)?,
            Record::Meta { key, value } => {
                db.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", [key, value])?;
            }
        }
    }
    Ok(())
}

fn object(db: &Transaction<'_>, row: &ObjectRow) -> Result<(), StoreError> {
    db.prepare_cached("INSERT OR REPLACE INTO object VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            row.kind,
            row.dbid,
            row.tenant_dbid,
            row.name,
            row.name_key,
            whole(row.revision.0),
            row.enabled,
            row.doc,
        ])?;
    Ok(())
}

fn revision_row(db: &Transaction<'_>, row: &RevisionRow) -> Result<(), StoreError> {
    db.prepare_cached("INSERT INTO revision VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
        .execute(params![
            whole(row.revision.0),
            whole(row.time.0),
            row.actor,
            row.token_id,
            row.source,
            row.user_agent,
            row.message,
            whole(row.changes),
            row.digest,
        ])?;
    Ok(())
}

fn change(db: &Transaction<'_>, row: &ChangeRow) -> Result<(), StoreError> {
    db.prepare_cached("INSERT INTO change VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?.execute(
        params![
            whole(row.revision.0),
            row.seq,
            row.op,
            row.kind,
            row.dbid,
            row.before,
            row.after,
            numbers(&row.was),
            numbers(&row.is),
        ],
    )?;
    Ok(())
}

fn counter(db: &Transaction<'_>, kind: &str, next: u32) -> Result<(), StoreError> {
    db.prepare_cached("INSERT OR REPLACE INTO dbid_counter VALUES (?1, ?2)")?
        .execute(params![kind, next])?;
    Ok(())
}

fn gone(db: &Transaction<'_>, kind: &str, dbid: u32) -> Result<(), StoreError> {
    db.prepare_cached("INSERT OR IGNORE INTO dbid_gone VALUES (?1, ?2)")?
        .execute(params![kind, dbid])?;
    Ok(())
}

pub(super) fn token(db: &Transaction<'_>, row: &TokenRow) -> Result<(), StoreError> {
    db.prepare_cached("INSERT OR REPLACE INTO token VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            row.id,
            row.name,
            row.hash,
            row.role,
            list(&row.tenants),
            whole(row.created_at.0),
            row.expires_at.map(|time| whole(time.0)),
            row.last_used_at.map(|time| whole(time.0)),
        ])?;
    Ok(())
}

/// Appends a line; its place is the next one.
pub(super) fn audit(db: &Transaction<'_>, row: &AuditRow) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO audit (time_ms, actor, token_id, role, source, action, objects, outcome,
           problem, revision, request_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        whole(row.time.0),
        row.actor,
        row.token_id,
        row.role,
        row.source,
        row.action,
        list(&row.objects),
        row.outcome,
        row.problem,
        row.revision.map(|revision| whole(revision.0)),
        row.request_id,
    ])?;
    Ok(())
}

fn client(db: &Transaction<'_>, row: &ClientRow) -> Result<(), StoreError> {
    db.prepare_cached("INSERT OR REPLACE INTO client VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![row.name, row.source, whole(row.seen_at.0), row.report])?;
    Ok(())
}

fn numbers(tenants: &[Dbid]) -> String {
    serde_json::json!(tenants).to_string()
}

fn list(words: &[String]) -> String {
    serde_json::Value::from(words).to_string()
}
