//! What goes from the tables, slice by slice, in the transaction of the caller.

use rs::Day;
use tiberius::ToSql;

use super::failure::Failure;
use super::link::Link;
use super::row::int;
use super::statement::{Statement, keeping as sql};
use crate::store::bins::Table;
use crate::store::keeping::Aged;

/// A slice of a day's facts, unless a call has come that keeps them.
pub(super) async fn facts(
    link: &mut Link,
    day: Day,
    last_ms: i64,
    most: u32,
) -> Result<u64, Failure> {
    let late = link.ask(sql::FACTS_LATE, &[&int(day), &last_ms], |_| Ok(())).await?;
    if !late.is_empty() {
        return Ok(0);
    }
    for statement in sql::FACTS {
        let rows = link.run(statement, &[&int(day), &i64::from(most)]).await?;
        if rows > 0 {
            return Ok(rows);
        }
    }
    Ok(0)
}

/// A slice of what is older.
pub(super) async fn aged(
    link: &mut Link,
    aged: Aged,
    before_ms: i64,
    most: u32,
) -> Result<u64, Failure> {
    let statements: &[Statement] = match aged {
        Aged::Letters => &[sql::AGED_LETTER],
        Aged::Minutes => &[sql::AGED_MINUTE, sql::AGED_STORED],
        Aged::Streams => &[sql::AGED_STREAM],
        Aged::Failures => &[sql::AGED_FAILURE],
        Aged::Audit => &[sql::AGED_AUDIT],
        Aged::Exports => &[sql::AGED_EXPORT],
        // they are in the days
        Aged::Apart => &[],
        Aged::Bins(table, of) => {
            let statement = match table {
                Table::Counts => sql::AGED_COUNTS,
                Table::Levels => sql::AGED_LEVELS,
                Table::Outcomes => sql::AGED_OUTCOMES,
                Table::Actions => sql::AGED_ACTIONS,
                Table::Quality => sql::AGED_QUALITY,
                Table::Latencies => sql::AGED_LATENCIES,
            };
            let values: [&dyn ToSql; 3] = [&before_ms, &i64::from(most), &of.number()];
            return link.run(statement, &values).await;
        }
    };
    let mut gone = 0;
    for statement in statements {
        gone += link.run(*statement, &[&before_ms, &i64::from(most)]).await?;
    }
    Ok(gone)
}
