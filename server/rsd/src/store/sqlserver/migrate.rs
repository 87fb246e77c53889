//! Brings a database to the schema of this version: numbered steps, forward only, one transaction
//! each, with a checksum (spec rs.md §3.4). It is the owner's matter (`rs-init`); a Reporting
//! Server that may not do it looks again and again whether it has been done.

use super::failure::Failure;
use super::link::{Cells, Link};
use super::statement::schema as statement;
use crate::store::schema;
use crate::store::words::words;

/// One step.
struct Migration {
    version: i64,
    sql: &'static str,
}

const STEPS: &[Migration] = &[
    Migration { version: 1, sql: include_str!("../../../migrations/sqlserver/0001.sql") },
    Migration { version: 2, sql: include_str!("../../../migrations/sqlserver/0002.sql") },
    Migration { version: 3, sql: include_str!("../../../migrations/sqlserver/0003.sql") },
    Migration { version: 4, sql: include_str!("../../../migrations/sqlserver/0004.sql") },
    Migration { version: 5, sql: include_str!("../../../migrations/sqlserver/0005.sql") },
    Migration { version: 6, sql: include_str!("../../../migrations/sqlserver/0006.sql") },
    Migration { version: 7, sql: include_str!("../../../migrations/sqlserver/0007.sql") },
    Migration { version: 8, sql: include_str!("../../../migrations/sqlserver/0008.sql") },
    Migration { version: 9, sql: include_str!("../../../migrations/sqlserver/0009.sql") },
    Migration { version: 10, sql: include_str!("../../../migrations/sqlserver/0010.sql") },
    Migration { version: 11, sql: include_str!("../../../migrations/sqlserver/0011.sql") },
    Migration { version: 12, sql: include_str!("../../../migrations/sqlserver/0012.sql") },
];

impl Migration {
    /// A server takes some statements only as the first of a batch; `GO` ends one.
    fn batches(&self) -> impl Iterator<Item = &'static str> {
        self.sql.split("\nGO\n")
    }

    fn checksum(&self) -> String {
        blake3::hash(self.sql.as_bytes()).to_hex().to_string()
    }
}

/// All batches of all steps, with the number of the step.
#[must_use]
pub fn batches() -> Vec<(i64, &'static str)> {
    let steps = STEPS.iter();
    steps.flat_map(|step| step.batches().map(move |batch| (step.version, batch))).collect()
}

/// Numbers of errors that say: this login may not.
const FORBIDDEN: [u32; 4] = [229, 262, 2760, 15247];

/// Takes the steps that the database lacks. Several that do so at once wait for each other.
///
/// # Errors
/// As the server answers; [`Failure::Newer`], [`Failure::Changed`]; [`Failure::Unfit`]: a login
/// that may not make it.
pub(super) async fn migrate(link: &mut Link, now_ms: i64) -> Result<(), Failure> {
    steps(link, now_ms).await.map_err(|failure| match &failure {
        Failure::Unavailable(error) if error.code().is_some_and(|no| FORBIDDEN.contains(&no)) => {
            let text = "the schema is not there, and this login may not make it: rs-init does";
            Failure::Unfit(format!("{text} ({error})"))
        }
        _ => failure,
    })
}

async fn steps(link: &mut Link, now_ms: i64) -> Result<(), Failure> {
    for step in STEPS {
        link.begin().await?;
        link.batch(statement::SCHEMA_LOCK).await?;
        link.batch(statement::SCHEMA_TABLE).await?;
        if lacks(link, step).await? {
            for batch in step.batches() {
                link.step(batch).await?;
            }
            let (checksum, by) = (step.checksum(), env!("CARGO_PKG_VERSION"));
            link.run(statement::SCHEMA_NOTE, &[&step.version, &now_ms, &checksum, &by]).await?;
        }
        link.commit().await?;
    }
    for (kind, number, word) in words() {
        link.run(statement::WORD, &[&kind, &number, &word]).await?;
    }
    Ok(())
}

/// Whether all steps have been taken, and none beyond the next schema.
///
/// # Errors
/// As the server answers; [`Failure::Newer`], [`Failure::Changed`].
pub(super) async fn is_migrated(link: &mut Link) -> Result<bool, Failure> {
    let there = link.ask(statement::SCHEMA_THERE, &[], |cells| cells.number(0)).await?;
    if there != [Some(1)] {
        return Ok(false);
    }
    for step in STEPS {
        if lacks(link, step).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn lacks(link: &mut Link, step: &Migration) -> Result<bool, Failure> {
    let text = |cells: &Cells<'_>, at| cells.some(at, Cells::text);
    let read =
        |cells: &Cells<'_>| Ok((cells.some(0, Cells::number)?, text(cells, 1)?, text(cells, 2)?));
    let taken = link.ask(statement::SCHEMA, &[], read).await?;
    let known = STEPS.last().map_or(0, |step| step.version);
    let beyond =
        |(version, _, by): &&(i64, String, String)| *version > known && !schema::is_next(by);
    if let Some((version, ..)) = taken.iter().find(beyond) {
        return Err(Failure::Newer(*version));
    }
    let version = step.version;
    match taken.iter().find(|(taken, ..)| *taken == version) {
        None => Ok(true),
        Some((_, checksum, _)) if *checksum == step.checksum() => Ok(false),
        Some(_) => Err(Failure::Changed(version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_number_without_gap_and_words_fit_their_columns() {
        let numbers = STEPS.iter().map(|step| step.version);
        assert!(numbers.eq(1..=i64::try_from(STEPS.len()).unwrap()));
        for (kind, _, word) in words() {
            assert!(kind.len() <= 16 && word.len() <= 32, "{kind} {word}");
        }
    }
}
