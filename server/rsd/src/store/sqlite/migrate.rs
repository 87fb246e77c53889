//! Brings a file to the schema of this version: numbered steps, forward only, one transaction
//! each, with a checksum (spec rs.md §3.4). A file of a schema beyond the next one is refused.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::{StoreError, schema, words};

/// One step.
pub(super) struct Migration {
    version: i64,
    sql: &'static str,
}

/// Steps of the main file.
pub(super) const MAIN: &[Migration] = &[
    Migration { version: 1, sql: include_str!("../../../migrations/sqlite/main-0001.sql") },
    Migration { version: 2, sql: include_str!("../../../migrations/sqlite/main-0002.sql") },
    Migration { version: 3, sql: include_str!("../../../migrations/sqlite/main-0003.sql") },
    Migration { version: 4, sql: include_str!("../../../migrations/sqlite/main-0004.sql") },
    Migration { version: 5, sql: include_str!("../../../migrations/sqlite/main-0005.sql") },
    Migration { version: 6, sql: include_str!("../../../migrations/sqlite/main-0006.sql") },
    Migration { version: 7, sql: include_str!("../../../migrations/sqlite/main-0007.sql") },
    Migration { version: 8, sql: include_str!("../../../migrations/sqlite/main-0008.sql") },
];

/// Steps of a day's file.
pub(super) const DAY: &[Migration] = &[
    Migration { version: 1, sql: include_str!("../../../migrations/sqlite/day-0001.sql") },
    Migration { version: 2, sql: include_str!("../../../migrations/sqlite/day-0002.sql") },
    Migration { version: 3, sql: include_str!("../../../migrations/sqlite/day-0003.sql") },
    Migration { version: 4, sql: include_str!("../../../migrations/sqlite/day-0004.sql") },
    Migration { version: 5, sql: include_str!("../../../migrations/sqlite/day-0005.sql") },
    Migration { version: 6, sql: include_str!("../../../migrations/sqlite/day-0006.sql") },
    Migration { version: 7, sql: include_str!("../../../migrations/sqlite/day-0007.sql") },
    Migration { version: 8, sql: include_str!("../../../migrations/sqlite/day-0008.sql") },
    Migration { version: 9, sql: include_str!("../../../migrations/sqlite/day-0009.sql") },
    Migration { version: 10, sql: include_str!("../../../migrations/sqlite/day-0010.sql") },
];

/// Takes the steps that the file lacks.
pub(super) fn migrate(
    db: &mut Connection,
    steps: &[Migration],
    name: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS rs_schema_version (
           version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL,
           checksum TEXT NOT NULL, rs_version TEXT NOT NULL) STRICT",
    )?;
    for step in check(db, steps, name)? {
        // an index over a whole day is sorted on disk: memory has no bound
        db.pragma_update(None, "temp_store", "FILE")?;
        let transaction = db.transaction()?;
        transaction.execute_batch(step.sql)?;
        let there = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'rs_word')";
        if transaction.query_row(there, [], |row| row.get(0))? {
            transaction.execute_batch(&words::insert())?;
        }
        transaction.execute(
            "INSERT INTO rs_schema_version VALUES (?1, ?2, ?3, ?4)",
            params![step.version, now_ms, step.checksum(), env!("CARGO_PKG_VERSION")],
        )?;
        transaction.commit()?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
    }
    Ok(())
}

impl Migration {
    fn checksum(&self) -> String {
        blake3::hash(self.sql.as_bytes()).to_hex().to_string()
    }
}

/// The steps that the file lacks.
///
/// # Errors
/// It has a step of a version that this one does not work with, or knows otherwise.
pub(super) fn check<'m>(
    db: &Connection,
    steps: &'m [Migration],
    name: &str,
) -> Result<Vec<&'m Migration>, StoreError> {
    let known = steps.last().map_or(0, |step| step.version);
    let later = "SELECT version, rs_version FROM rs_schema_version WHERE version > ?1
        ORDER BY version DESC";
    let mut later = db.prepare(later)?;
    let mut later = later.query([known])?;
    while let Some(row) = later.next()? {
        if !schema::is_next(&row.get::<_, String>(1)?) {
            return Err(StoreError::Newer { file: name.to_owned(), version: row.get(0)? });
        }
    }
    let mut lacking = Vec::new();
    for step in steps {
        let taken = "SELECT checksum FROM rs_schema_version WHERE version = ?1";
        let taken: Option<String> =
            db.query_row(taken, [step.version], |row| row.get(0)).optional()?;
        match taken {
            Some(taken) if taken == step.checksum() => {}
            Some(_) => {
                return Err(StoreError::Changed { file: name.to_owned(), version: step.version });
            }
            None => lacking.push(step),
        }
    }
    Ok(lacking)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Migration = Migration { version: 1, sql: "CREATE TABLE a (b INTEGER)" };
    const TWO: Migration = Migration { version: 2, sql: "ALTER TABLE a ADD COLUMN c TEXT" };
    const TWO_CHANGED: Migration = Migration { version: 2, sql: "ALTER TABLE a ADD COLUMN d" };

    #[test]
    fn forward_once_and_never_over_something_unknown() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db, &[ONE], "f", 5).unwrap();
        migrate(&mut db, &[ONE, TWO], "f", 6).unwrap();
        migrate(&mut db, &[ONE, TWO], "f", 7).unwrap();
        db.execute("INSERT INTO a (b, c) VALUES (1, 'x')", []).unwrap();
        let applied = "SELECT group_concat(applied_ms) FROM rs_schema_version";
        let applied: String = db.query_row(applied, [], |row| row.get(0)).unwrap();
        assert_eq!(applied, "5,6");
        // an RS of the version before goes on working with it
        migrate(&mut db, &[ONE], "f", 8).unwrap();
        let beyond = "UPDATE rs_schema_version SET rs_version = '99.0.0' WHERE version = 2";
        db.execute(beyond, []).unwrap();
        let newer = migrate(&mut db, &[ONE], "f", 8);
        assert!(matches!(newer, Err(StoreError::Newer { version: 2, .. })), "{newer:?}");
        let changed = migrate(&mut db, &[ONE, TWO_CHANGED], "f", 8);
        assert!(matches!(changed, Err(StoreError::Changed { version: 2, .. })), "{changed:?}");
    }

    #[test]
    fn the_shipped_steps_run_and_number_without_gap() {
        for steps in [MAIN, DAY] {
            let mut db = Connection::open_in_memory().unwrap();
            migrate(&mut db, steps, "f", 5).unwrap();
            let numbers = steps.iter().map(|step| step.version);
            assert!(numbers.eq(1..=i64::try_from(steps.len()).unwrap()));
        }
    }

    #[test]
    fn an_event_of_a_former_schema_is_found_through_its_entry() {
        let mut db = Connection::open_in_memory().unwrap();
        let former: Vec<_> = DAY.iter().filter(|step| step.version < 3).collect();
        for Migration { version, sql } in former {
            migrate(&mut db, &[Migration { version: *version, sql }], "f", 5).unwrap();
        }
        db.execute_batch(
            "INSERT INTO rs_fact_ledger VALUES (x'01', x'02', 3), (x'04', x'05', 6);
             INSERT INTO rs_call_event (id_key, call_ref, component_id, session_id, time_ms, seq,
               level, log_id) VALUES (x'04', x'00', 1, 's', 2, 3, 4, 'l')",
        )
        .unwrap();
        migrate(&mut db, DAY, "f", 6).unwrap();
        let found = "SELECT l.id_key || e.log_id FROM rs_fact_ledger l
            JOIN rs_call_event e ON e.no = l.event_no AND e.id_key = l.id_key";
        let found: String = db.query_row(found, [], |row| row.get(0)).unwrap();
        assert_eq!(found, "\u{4}l");
    }
}
