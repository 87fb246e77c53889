//! What is asked of a server before it is used: its version, and that readers do not wait for
//! writers (spec rs.md §3.3).

use super::failure::Failure;
use super::link::{Cells, Link};
use super::statement::schema as statement;

/// SQL Server 2016, the first with `OPENJSON`.
const OLDEST: i64 = 13;
/// The level of a database at which it may be used.
const COMPATIBILITY: i64 = 130;

/// A server and a database that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Its version, as it says it.
    pub version: String,
}

impl Fit {
    /// Asks the server.
    ///
    /// # Errors
    /// [`Failure::Unfit`] tells what is wrong, and what to do about it.
    pub async fn check(link: &mut Link) -> Result<Self, Failure> {
        let read = |cells: &Cells<'_>| {
            let number = |at| cells.some(at, Cells::number);
            Ok((number(0)?, cells.some(1, Cells::text)?, number(2)?, number(3)?))
        };
        let answer = link.ask(statement::SERVER, &[], read).await?;
        let Some((major, version, snapshot, level)) = answer.into_iter().next() else {
            return Err(Failure::Unexpected("nothing about its own database".to_owned()));
        };
        let unfit = |text: String| Err(Failure::Unfit(text));
        if major < OLDEST {
            return unfit(format!("SQL Server {version} is too old: 2016 (13) is the oldest"));
        }
        if level < COMPATIBILITY {
            return unfit(format!(
                "the database has compatibility level {level}, {COMPATIBILITY} is needed: \
                 ALTER DATABASE … SET COMPATIBILITY_LEVEL = {COMPATIBILITY}"
            ));
        }
        if snapshot == 0 {
            return unfit(
                "READ_COMMITTED_SNAPSHOT is off, so that readers would wait for writers: \
                 ALTER DATABASE … SET READ_COMMITTED_SNAPSHOT ON"
                    .to_owned(),
            );
        }
        Ok(Self { version })
    }
}
