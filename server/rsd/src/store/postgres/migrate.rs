//! Brings the database to the schema of this version: numbered steps, forward only, one
//! transaction each, with a checksum (spec rs.md §3.4). A schema beyond the next one is refused.
//!
//! RS takes the steps itself where its account may create; else it waits until the owner's account
//! has taken them. Several may try at once: one does it, under a lock.

use super::link::Link;
use crate::store::{StoreError, schema, words};

/// Steps in order, from 1.
pub(super) const STEPS: &[&str] = &[
    include_str!("../../../migrations/postgres/0001.sql"),
    include_str!("../../../migrations/postgres/0002.sql"),
    include_str!("../../../migrations/postgres/0003.sql"),
    include_str!("../../../migrations/postgres/0004.sql"),
    include_str!("../../../migrations/postgres/0005.sql"),
    include_str!("../../../migrations/postgres/0006.sql"),
    include_str!("../../../migrations/postgres/0007.sql"),
    include_str!("../../../migrations/postgres/0008.sql"),
    include_str!("../../../migrations/postgres/0009.sql"),
    include_str!("../../../migrations/postgres/0010.sql"),
    include_str!("../../../migrations/postgres/0011.sql"),
    include_str!("../../../migrations/postgres/0012.sql"),
    include_str!("../../../migrations/postgres/0013.sql"),
];

/// The lock that one runner holds.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7237405, 0)";
const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS rs_schema_version (
    version integer PRIMARY KEY, applied_ms bigint NOT NULL,
    checksum text NOT NULL, rs_version text NOT NULL)";

/// Whether this account may take steps: the owner of what is there, else whoever may create.
const MAY: &str = "SELECT coalesce(
      (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = versions),
      has_schema_privilege(home, 'CREATE'),
      has_database_privilege(current_database(), 'CREATE')), home IS NOT NULL
    FROM (SELECT to_regnamespace($1)::oid AS home,
      to_regclass('rs_schema_version')::oid AS versions) there";

/// Takes the steps that the database lacks.
pub(super) fn migrate(link: &mut Link, schema: &str, now_ms: i64) -> Result<(), StoreError> {
    if version(link)? == STEPS.len() {
        return Ok(());
    }
    let rows = link.once(MAY, &[&schema])?;
    let (may, there) = rows.first().map_or((false, false), |row| (row.get(0), row.get(1)));
    if !may {
        let text = "its schema is not of this version, and this account may not make it: \
            rs-init does, as the owner";
        return Err(StoreError::Unavailable(text.into()));
    }
    loop {
        link.batch(&format!("BEGIN; {LOCK}"))?;
        if !there {
            link.batch(&format!("CREATE SCHEMA IF NOT EXISTS {schema}"))?;
        }
        link.batch(VERSIONS)?;
        // another may have taken some in the meantime
        let next = (1_i32..).zip(STEPS).nth(version(link)?);
        match next {
            Some((number, step)) => {
                link.batch(step)?;
                link.execute(
                    "INSERT INTO rs_schema_version VALUES ($1, $2, $3, $4)",
                    &[&number, &now_ms, &checksum(step), &env!("CARGO_PKG_VERSION")],
                )?;
            }
            None => link.batch(&words::insert())?,
        }
        link.batch("COMMIT")?;
        if next.is_none() {
            return Ok(());
        }
    }
}

/// How many of these steps the database has taken.
fn version(link: &mut Link) -> Result<usize, StoreError> {
    let there = "SELECT to_regclass('rs_schema_version') IS NOT NULL";
    let there = link.once(there, &[])?;
    if there.first().is_none_or(|row| !row.get::<_, bool>(0)) {
        return Ok(0);
    }
    let rows = "SELECT version, checksum, rs_version FROM rs_schema_version ORDER BY version";
    let rows = link.once(rows, &[])?;
    let file = || "the database".to_owned();
    for (number, row) in (1_i32..).zip(&rows) {
        let version = i64::from(number);
        match usize::try_from(number).ok().and_then(|number| STEPS.get(number - 1)) {
            None if schema::is_next(row.get(2)) => {}
            None => return Err(StoreError::Newer { file: file(), version }),
            Some(step) if row.get::<_, String>(1) != checksum(step) => {
                return Err(StoreError::Changed { file: file(), version });
            }
            Some(_) => {}
        }
    }
    Ok(rows.len().min(STEPS.len()))
}

fn checksum(step: &str) -> String {
    blake3::hash(step.as_bytes()).to_hex().to_string()
}
