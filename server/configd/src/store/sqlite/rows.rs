//! Rows as they come out of the file.

use model::id::{Dbid, Revision};
use model::time::Millis;
use rusqlite::types::{FromSql, Type};
use rusqlite::{Error, Row, Transaction};

use crate::store::{
    AuditRow, ChangeRow, ClientRow, ObjectRow, Record, RevisionRow, StoreError, TokenRow, above,
};

pub(super) const OBJECTS: &str = "SELECT kind, dbid, tenant_dbid, name, name_key, revision, \
    enabled, doc FROM object ORDER BY kind, dbid";
pub(super) const COUNTERS: &str = "SELECT kind, next FROM dbid_counter ORDER BY kind";
pub(super) const GONE: &str = "SELECT kind, dbid FROM dbid_gone ORDER BY kind, dbid";
pub(super) const TOKENS: &str = "SELECT id, name, hash, role, tenants, created_ms, expires_ms, \
    last_used_ms FROM token ORDER BY id";
pub(super) const CLIENTS: &str = "SELECT name, source, seen_ms, report FROM client ORDER BY name";
const REVISIONS: &str = "SELECT revision, time_ms, actor, token_id, source, user_agent, message, \
    changes, digest FROM revision ORDER BY revision";
const CHANGES: &str = "SELECT revision, seq, op, kind, dbid, before, after, was, \"is\" \
    FROM change ORDER BY revision, seq";
const AUDIT: &str = "SELECT seq, time_ms, actor, token_id, role, source, action, objects, \
    outcome, problem, revision, request_id FROM audit ORDER BY seq";

/// All rows of a question without parameters.
pub(super) fn all<T>(
    db: &Transaction<'_>,
    sql: &str,
    read: impl Fn(&Row<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, StoreError> {
    let mut ask = db.prepare_cached(sql)?;
    let found = ask.query_map([], read)?;
    found.map(|row| row.map_err(StoreError::from)).collect()
}

/// All tables, the head first.
pub(super) fn dump(
    db: &Transaction<'_>,
    each: &mut dyn FnMut(Record) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let head = "SELECT revision, digest FROM head";
    table(db, head, each, |row| {
        Ok(Record::Head { revision: revision(row, 0)?, digest: row.get(1)? })
    })?;
    let meta = "SELECT key, value FROM meta ORDER BY key";
    table(db, meta, each, |row| Ok(Record::Meta { key: row.get(0)?, value: row.get(1)? }))?;
    table(db, COUNTERS, each, |row| {
        numbered(row).map(|(kind, next)| Record::DbidCounter { kind, next })
    })?;
    table(db, GONE, each, |row| numbered(row).map(|(kind, dbid)| Record::DbidGone { kind, dbid }))?;
    table(db, OBJECTS, each, |row| object(row).map(Record::Object))?;
    table(db, REVISIONS, each, |row| revision_row(row).map(Record::Revision))?;
    table(db, CHANGES, each, |row| change(row).map(Record::Change))?;
    table(db, TOKENS, each, |row| token(row).map(Record::Token))?;
    table(db, CLIENTS, each, |row| client(row).map(Record::Client))?;
    table(db, AUDIT, each, |row| audit(row).map(Record::Audit))
}

fn table(
    db: &Transaction<'_>,
    sql: &str,
    each: &mut dyn FnMut(Record) -> Result<(), StoreError>,
    read: impl Fn(&Row<'_>) -> Result<Record, Error>,
) -> Result<(), StoreError> {
    let mut ask = db.prepare_cached(sql)?;
    let mut rows = ask.query([])?;
    while let Some(row) = rows.next()? {
        each(read(row)?)?;
    }
    Ok(())
}

pub(super) fn revision(row: &Row<'_>, at: usize) -> Result<Revision, Error> {
    Ok(Revision(row.get::<_, i64>(at)?.cast_unsigned()))
}

pub(super) fn numbered(row: &Row<'_>) -> Result<(String, u32), Error> {
    Ok((row.get(0)?, row.get(1)?))
}

pub(super) fn object(row: &Row<'_>) -> Result<ObjectRow, Error> {
    Ok(ObjectRow {
        kind: row.get(0)?,
        dbid: row.get(1)?,
        tenant_dbid: row.get(2)?,
        name: row.get(3)?,
        name_key: row.get(4)?,
        revision: revision(row, 5)?,
        enabled: row.get(6)?,
        doc: row.get(7)?,
    })
}

pub(super) fn revision_row(row: &Row<'_>) -> Result<RevisionRow, Error> {
    Ok(RevisionRow {
        revision: revision(row, 0)?,
        time: time(row, 1)?,
        actor: row.get(2)?,
        token_id: row.get(3)?,
        source: row.get(4)?,
        user_agent: row.get(5)?,
        message: row.get(6)?,
        changes: row.get::<_, i64>(7)?.cast_unsigned(),
        digest: row.get(8)?,
    })
}

pub(super) fn change(row: &Row<'_>) -> Result<ChangeRow, Error> {
    Ok(ChangeRow {
        revision: revision(row, 0)?,
        seq: row.get(1)?,
        op: row.get(2)?,
        kind: row.get(3)?,
        dbid: row.get(4)?,
        before: row.get(5)?,
        after: row.get(6)?,
        was: tenants(row, 7)?,
        is: tenants(row, 8)?,
    })
}

pub(super) fn token(row: &Row<'_>) -> Result<TokenRow, Error> {
    Ok(TokenRow {
        id: row.get(0)?,
        name: row.get(1)?,
        hash: row.get(2)?,
        role: row.get(3)?,
        tenants: list(row, 4)?,
        created_at: time(row, 5)?,
        expires_at: optional(row, 6)?,
        last_used_at: optional(row, 7)?,
    })
}

pub(super) fn audit(row: &Row<'_>) -> Result<AuditRow, Error> {
    Ok(AuditRow {
        seq: row.get::<_, i64>(0)?.cast_unsigned(),
        time: time(row, 1)?,
        actor: row.get(2)?,
        token_id: row.get(3)?,
        role: row.get(4)?,
        source: row.get(5)?,
        action: row.get(6)?,
        objects: list(row, 7)?,
        outcome: row.get(8)?,
        problem: row.get(9)?,
        revision: row.get::<_, Option<i64>>(10)?.map(|number| Revision(number.cast_unsigned())),
        request_id: row.get(11)?,
    })
}

pub(super) fn client(row: &Row<'_>) -> Result<ClientRow, Error> {
    let (name, source, report) = (row.get(0)?, row.get(1)?, row.get(3)?);
    Ok(ClientRow { name, source, seen_at: time(row, 2)?, report })
}

fn time(row: &Row<'_>, at: usize) -> Result<Millis, Error> {
    Ok(Millis(row.get::<_, i64>(at)?.cast_unsigned()))
}

fn optional(row: &Row<'_>, at: usize) -> Result<Option<Millis>, Error> {
    Ok(row.get::<_, Option<i64>>(at)?.map(|time| Millis(time.cast_unsigned())))
}

fn tenants(row: &Row<'_>, at: usize) -> Result<Vec<Dbid>, Error> {
    let text = String::column_result(row.get_ref(at)?)?;
    above(&mut serde_json::Deserializer::from_str(&text)).map_err(|error| unreadable(at, error))
}

fn list(row: &Row<'_>, at: usize) -> Result<Vec<String>, Error> {
    let text = String::column_result(row.get_ref(at)?)?;
    serde_json::from_str(&text).map_err(|error| unreadable(at, error))
}

fn unreadable(at: usize, error: serde_json::Error) -> Error {
    Error::FromSqlConversionFailure(at, Type::Text, Box::new(error))
}
