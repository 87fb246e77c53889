//! Indexes of URIs (`rs.database_uri_indexes`, spec rs.md §3.2): made and dropped beside running
//! work, a partition at a time, outside of any transaction (§3.4). Never by a step of the schema,
//! which all else waits for.
//!
//! Searches compare URIs in lower case, so that is what is indexed. A day that is made later gets
//! its index from the one of all days; what a crash has left half made is dropped and made again.

use super::link::Link;
use super::{Postgres, STEP};
use crate::store::StoreError;
use crate::store::keeping::Indexed;

/// An index of all days, and its column.
const INDEXES: [(&str, &str); 2] =
    [("rs_call_remote_uri", "remote_uri"), ("rs_call_local_uri", "local_uri")];
/// Held by the one that is at it, until its connection ends. Nobody waits for it: who waits has a
/// snapshot, and the index would wait for that.
const LOCK: &str = "SELECT pg_try_advisory_lock(7237405, 4)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(7237405, 4)";
/// Who wants a table alone holds up all others as long as it waits for a question to end. Less
/// than `deadlock_timeout`, so that where a batch waits for it in turn it is this that gives up.
const GENTLY: &str = "SET lock_timeout TO '500ms'";
/// A partition of fewer bytes has its index in a moment, in which its writers wait. Concurrently
/// it would wait for a batch, which may wait for the partition of days far from today.
const SMALL: i64 = 2 << 20;
/// Whether this account may make indexes: the owner.
const MAY: &str = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class
    WHERE oid = to_regclass('rs_call')";
const IS_THERE: &str = "SELECT to_regclass($1::text) IS NOT NULL";
/// A partition whose index is not part of that of all days, whether it has one of its own, and its
/// bytes: the one of days far from today first, then the newest.
const LACKING: &str = "SELECT p.relname::text, i.indisvalid, pg_relation_size(p.oid)
    FROM pg_inherits t
    JOIN pg_class p ON p.oid = t.inhrelid
    LEFT JOIN pg_class x ON x.relnamespace = p.relnamespace
      AND x.relname::text = p.relname::text || $2::text
    LEFT JOIN pg_index i ON i.indexrelid = x.oid AND i.indrelid = p.oid
    WHERE t.inhparent = to_regclass('rs_call') AND NOT EXISTS (
      SELECT FROM pg_inherits a JOIN pg_index b ON b.indexrelid = a.inhrelid
      WHERE a.inhparent = to_regclass($1::text) AND b.indrelid = p.oid)
    ORDER BY p.relname DESC LIMIT 1";
/// An index of a partition.
const LEFT: &str = "SELECT x.relname::text FROM pg_inherits t
    JOIN pg_class p ON p.oid = t.inhrelid
    JOIN pg_class x ON x.relnamespace = p.relnamespace
      AND x.relname::text = p.relname::text || $1::text
    JOIN pg_index i ON i.indexrelid = x.oid AND i.indrelid = p.oid
    WHERE t.inhparent = to_regclass('rs_call') LIMIT 1";

impl Postgres {
    /// The same, with indexes of URIs or without.
    #[must_use]
    pub fn with_uri_indexes(mut self, wanted: bool) -> Self {
        self.uri_indexes = wanted;
        self
    }

    /// Takes one step on a connection of its own, which may wait as long as an index takes.
    pub(super) fn index(&self) -> Result<Indexed, StoreError> {
        // the schema is made by the writer
        self.write(|_| Ok(()))?;
        step(&mut self.connect(STEP)?, self.uri_indexes)
    }
}

/// Makes, or drops, the index of one more partition. After an error the connection is not used
/// again: it may hold the lock.
pub(super) fn step(link: &mut Link, wanted: bool) -> Result<Indexed, StoreError> {
    if next(link, wanted)?.is_empty() {
        return Ok(Indexed::All);
    }
    if !tells(link, MAY)? {
        let done = if wanted { "lacks" } else { "has" };
        let text = format!(
            "the database {done} indexes of URIs against rs.database_uri_indexes, and this \
             account may not change that: rs-init does, as the owner"
        );
        return Err(StoreError::Rejected(text.into()));
    }
    if !tells(link, LOCK)? {
        return Ok(Indexed::Elsewhere);
    }
    // another may have taken the step in the meantime
    for statement in next(link, wanted)? {
        link.batch(&statement)?;
    }
    link.batch(&format!("SET lock_timeout TO {}", STEP.as_millis()))?;
    link.batch(UNLOCK)?;
    Ok(Indexed::More)
}

/// The statements of the next step; none: all is as it is wanted.
fn next(link: &mut Link, wanted: bool) -> Result<Vec<String>, StoreError> {
    for (index, column) in INDEXES {
        let statements =
            if wanted { making(link, index, column)? } else { dropping(link, index, column)? };
        if !statements.is_empty() {
            return Ok(statements);
        }
    }
    Ok(Vec::new())
}

fn making(link: &mut Link, index: &str, column: &str) -> Result<Vec<String>, StoreError> {
    if !is_there(link, index)? {
        let make = format!("CREATE INDEX {index} ON ONLY rs_call (lower({column}), started_ms)");
        return Ok(vec![GENTLY.into(), make]);
    }
    let rows = link.once(LACKING, &[&index, &format!("_{column}")])?;
    let Some(row) = rows.first() else { return Ok(Vec::new()) };
    let (part, own): (String, Option<bool>) = (row.get(0), row.get(1));
    let small = row.get::<_, i64>(2) < SMALL;
    let (gently, way) = if small { (Some(GENTLY), "") } else { (None, "CONCURRENTLY ") };
    let name = format!("{part}_{column}");
    let mut statements: Vec<String> = gently.map(Into::into).into_iter().collect();
    if own == Some(false) {
        statements.push(format!("DROP INDEX {way}{name}"));
    }
    if own != Some(true) {
        statements
            .push(format!("CREATE INDEX {way}{name} ON {part} (lower({column}), started_ms)"));
        // of what is indexed nothing was known
        statements.push(format!("ANALYZE {part}"));
    }
    let attach = format!("ALTER INDEX {index} ATTACH PARTITION {name}");
    statements.extend([GENTLY.into(), attach]);
    Ok(statements)
}

fn dropping(link: &mut Link, index: &str, column: &str) -> Result<Vec<String>, StoreError> {
    if is_there(link, index)? {
        return Ok(vec![GENTLY.into(), format!("DROP INDEX {index}")]);
    }
    let rows = link.once(LEFT, &[&format!("_{column}")])?;
    let name = rows.first().map(|row| row.get::<_, String>(0));
    Ok(name.map(|name| format!("DROP INDEX CONCURRENTLY {name}")).into_iter().collect())
}

fn is_there(link: &mut Link, index: &str) -> Result<bool, StoreError> {
    Ok(link.once(IS_THERE, &[&index])?.first().is_some_and(|row| row.get(0)))
}

fn tells(link: &mut Link, sql: &str) -> Result<bool, StoreError> {
    Ok(link.once(sql, &[])?.first().is_some_and(|row| row.get(0)))
}
