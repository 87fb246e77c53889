//! Brings the file to the schema of this version: numbered steps, forward only, one transaction
//! each, with a checksum. A file of a newer schema is refused (ops.md §1.9).

use model::time::Millis;
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::whole;
use crate::store::StoreError;

/// One step.
pub(super) struct Step {
    version: i64,
    sql: &'static str,
}

/// All steps.
pub(super) const STEPS: &[Step] = &[
    Step { version: 1, sql: include_str!("../../../migrations/sqlite/0001.sql") },
    Step { version: 2, sql: include_str!("../../../migrations/sqlite/0002.sql") },
];

/// Takes the steps that the file lacks.
pub(super) fn migrate(db: &mut Connection, steps: &[Step], now: Millis) -> Result<(), StoreError> {
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY,
           applied_ms INTEGER NOT NULL, checksum TEXT NOT NULL, executable TEXT NOT NULL) STRICT",
    )?;
    let newest = "SELECT max(version) FROM schema_version";
    let found: i64 = db.query_row(newest, [], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0);
    let known = steps.last().map_or(0, |step| step.version);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for step in steps {
        let taken = "SELECT checksum FROM schema_version WHERE version = ?1";
        let taken: Option<String> =
            db.query_row(taken, [step.version], |row| row.get(0)).optional()?;
        let hash = Sha256::digest(step.sql.as_bytes());
        let checksum: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        match taken {
            Some(taken) if taken == checksum => {}
            Some(_) => return Err(StoreError::Changed(step.version)),
            None => {
                let transaction = db.transaction()?;
                transaction.execute_batch(step.sql)?;
                transaction.execute(
                    "INSERT INTO schema_version VALUES (?1, ?2, ?3, ?4)",
                    params![step.version, whole(now.0), checksum, env!("CARGO_PKG_VERSION")],
                )?;
                transaction.commit()?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Step = Step { version: 1, sql: "CREATE TABLE a (b INTEGER)" };
    const TWO: Step = Step { version: 2, sql: "ALTER TABLE a ADD COLUMN c TEXT" };
    const TWO_CHANGED: Step = Step { version: 2, sql: "ALTER TABLE a ADD COLUMN d" };

    #[test]
    fn forward_once_and_never_over_something_unknown() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db, &[ONE], Millis(5)).unwrap();
        migrate(&mut db, &[ONE, TWO], Millis(6)).unwrap();
        migrate(&mut db, &[ONE, TWO], Millis(7)).unwrap();
        db.execute("INSERT INTO a (b, c) VALUES (1, 'x')", []).unwrap();
        let applied = "SELECT group_concat(applied_ms) FROM schema_version";
        let applied: String = db.query_row(applied, [], |row| row.get(0)).unwrap();
        assert_eq!(applied, "5,6");
        let newer = migrate(&mut db, &[ONE], Millis(8)).unwrap_err();
        let told = "store schema 2 is newer than this executable knows (1)";
        assert_eq!(newer.to_string(), told);
        let changed = migrate(&mut db, &[ONE, TWO_CHANGED], Millis(8));
        assert!(matches!(changed, Err(StoreError::Changed(2))), "{changed:?}");
    }

    #[test]
    fn the_shipped_steps_run_and_number_without_gap() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db, STEPS, Millis(5)).unwrap();
        let numbers = STEPS.iter().map(|step| step.version);
        assert!(numbers.eq(1..=i64::try_from(STEPS.len()).unwrap()));
    }
}
