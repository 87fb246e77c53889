//! The ledger: every record exactly once, whatever arrives how often (spec rs.md §2.8). A key
//! begins with a time that the record repeats unchanged, so a replay meets it in the same file.

use model::record::ContentHash;
use rs::Key;
use rusqlite::{Connection, params};

use crate::store::StoreError;

/// What the ledger says to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Never seen.
    New,
    /// Stored, the same content.
    Duplicate,
    /// Stored with another content of greater hash: the newcomer takes its place.
    Replaces,
    /// Stored with another content of smaller hash: the newcomer loses.
    Loses,
}

/// Asks and notes in one step.
pub(super) fn enter(
    db: &Connection,
    id_key: &Key,
    hash: &ContentHash,
    received_ms: i64,
) -> Result<Verdict, StoreError> {
    let new = db
        .prepare_cached("INSERT OR IGNORE INTO rs_fact_ledger VALUES (?1, ?2, ?3)")?
        .execute(params![id_key, hash, received_ms])?;
    if new == 1 {
        return Ok(Verdict::New);
    }
    let stored: ContentHash = db
        .prepare_cached("SELECT content_hash FROM rs_fact_ledger WHERE id_key = ?1")?
        .query_row([id_key], |row| row.get(0))?;
    if stored == *hash {
        return Ok(Verdict::Duplicate);
    }
    if stored < *hash {
        return Ok(Verdict::Loses);
    }
    db.prepare_cached("UPDATE rs_fact_ledger SET content_hash = ?2 WHERE id_key = ?1")?
        .execute(params![id_key, hash])?;
    Ok(Verdict::Replaces)
}
