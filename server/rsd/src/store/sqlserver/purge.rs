//! What goes from the tables, slice by slice, in the transaction of the caller.

use rs::retention::{Due, What, Which};
use rs::{Day, Key};
use tiberius::ToSql;

use super::failure::Failure;
use super::link::{Cells, Link};
use super::row::{int, keys};
use super::statement::{Statement, keeping as sql};
use crate::store::bins::Table;
use crate::store::keeping::Aged;

/// A slice of what is due.
pub(super) async fn due(link: &mut Link, day: Day, due: &Due, most: u32) -> Result<u64, Failure> {
    let what = Whose::of(day, due, most);
    match due.what {
        What::Cdr => {
            let keys = what.over(link, sql::OVER).await?;
            calls(link, day, keys.as_deref()).await
        }
        What::Events => what.run(link, sql::EVENTS_PLAIN).await,
        What::Var => {
            let mut gone = 0;
            if let Some(keys) = what.over(link, sql::OVER_REPORTED).await? {
                let reports = [sql::CALLS_VAR_ACTION, sql::CALLS_VAR_CUSTOM, sql::CALLS_VAR_CALL];
                for statement in reports {
                    gone += link.run(statement, &[&keys]).await?;
                }
            }
            Ok(gone + what.run(link, sql::EVENTS_REPORT).await?)
        }
    }
}

/// Whether a slice of it would delete anything.
pub(super) async fn is_due(link: &mut Link, day: Day, due: &Due) -> Result<bool, Failure> {
    let what = Whose::of(day, due, 1);
    Ok(match due.what {
        What::Cdr => what.over(link, sql::OVER).await?.is_some(),
        What::Events => what.any(link, sql::DUE_EVENTS).await?,
        What::Var => {
            what.over(link, sql::OVER_REPORTED).await?.is_some()
                || what.any(link, sql::DUE_REPORTS).await?
        }
    })
}

/// What is due as the statements take it.
struct Whose {
    day: i32,
    before_ms: i64,
    most: i64,
    which: i32,
    tenant: Option<i64>,
    profile: Option<i64>,
}

impl Whose {
    fn of(day: Day, due: &Due, most: u32) -> Self {
        let (which, [tenant, profile]) = match due.which {
            Which::All => (0, [None, None]),
            Which::Of { tenant, profile } => (1, [tenant, profile]),
            Which::Loose => (2, [None, None]),
        };
        let (day, most) = (int(day), i64::from(most));
        Self { day, before_ms: due.before_ms, most, which, tenant, profile }
    }

    fn values(&self) -> [&dyn ToSql; 6] {
        let Self { day, before_ms, most, which, tenant, profile } = self;
        [day, before_ms, most, which, tenant, profile]
    }

    async fn run(&self, link: &mut Link, statement: Statement) -> Result<u64, Failure> {
        link.run(statement, &self.values()).await
    }

    async fn any(&self, link: &mut Link, statement: Statement) -> Result<bool, Failure> {
        Ok(!link.ask(statement, &self.values(), |_| Ok(())).await?.is_empty())
    }

    /// Calls that are over, as JSON; `None`: there is none.
    async fn over(&self, link: &mut Link, statement: Statement) -> Result<Option<String>, Failure> {
        if self.which == 2 {
            return Ok(None);
        }
        let read = |cells: &Cells<'_>| Ok((cells.day(0)?, cells.key(1)?));
        let found: Vec<(Day, Key)> = link.ask(statement, &self.values(), read).await?;
        let some = !found.is_empty();
        Ok(some.then(|| keys(found.iter().map(|(day, key)| (*day, key)))))
    }
}

/// These calls with all that hangs on them.
async fn calls(link: &mut Link, day: Day, keys: Option<&str>) -> Result<u64, Failure> {
    let Some(keys) = keys else { return Ok(0) };
    let mut gone = 0;
    for statement in [sql::SESSIONS_EVENT, sql::SESSIONS_QUALITY] {
        gone += link.run(statement, &[&keys, &int(day)]).await?;
    }
    for statement in sql::CALLS {
        gone += link.run(statement, &[&keys]).await?;
    }
    Ok(gone)
}

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
