//! Dead letters and the audit log.

use tiberius::ToSql;

use super::SqlServer;
use super::failure::Failure;
use super::link::{Cells, Link};
use super::row::int;
use super::statement::Statement;
use super::statement::accounts::{NOTE, NOTE_INSERT};
use super::statement::custody as sql;
use crate::store::StoreError;
use crate::store::custody::{
    Audit, AuditFilter, Custody, Letter, LetterFilter, LetterState, Place, audit_day, proof_of,
};

impl Custody for SqlServer {
    fn letters(
        &self,
        filter: &LetterFilter,
        bodies: bool,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        Ok(self.read(async |link| letters(link, filter, bodies, after, limit).await)?)
    }

    fn letter(&self, no: i64) -> Result<Option<Letter>, StoreError> {
        let found = self.read(async |link| link.ask(sql::LETTER, &[&no], letter).await)?;
        Ok(found.into_iter().next())
    }

    fn letters_behind(&self, no: i64, limit: usize) -> Result<Vec<Letter>, StoreError> {
        let values: [&dyn ToSql; 2] = [&no, &most(limit)];
        Ok(self.read(async |link| link.ask(sql::LETTERS_BEHIND, &values, letter).await)?)
    }

    fn unsay(&self, no: i64, properties: &str) -> Result<(), StoreError> {
        let values: [&dyn ToSql; 3] = [&no, &properties, &&[][..]];
        self.write(async |link| link.run(sql::LETTER_UNSAY, &values).await)?;
        Ok(())
    }

    fn delete(&self, no: i64, line: &Audit) -> Result<bool, StoreError> {
        let values: [&dyn ToSql; 1] = [&no];
        Ok(self.write(async |link| with_line(link, sql::LETTER_DELETE, &values, line).await)?)
    }

    fn note(&self, line: &Audit) -> Result<(), StoreError> {
        Ok(self.write(async |link| note(link, line).await)?)
    }

    fn proof(&self, day: &str) -> Result<Option<String>, StoreError> {
        let text = |cells: &Cells<'_>| cells.some(0, Cells::text);
        let found = self.read(async |link| link.ask(NOTE, &[&proof_of(day)], text).await)?;
        Ok(found.into_iter().next())
    }

    fn keep_proof(&self, day: &str, statement: &str) -> Result<(), StoreError> {
        let name = proof_of(day);
        self.write(async |link| link.run(NOTE_INSERT, &[&name, &statement]).await)?;
        Ok(())
    }

    fn audit(
        &self,
        filter: &AuditFilter,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Audit>, StoreError> {
        let AuditFilter { user, action, from_ms, to_ms } = filter;
        let (time_ms, no) = (after.map(|place| place.time_ms), after.map(|place| place.no));
        let most = most(limit);
        let values: [&dyn ToSql; 7] = [user, action, from_ms, to_ms, &time_ms, &no, &most];
        Ok(self.read(async |link| link.ask(sql::AUDIT, &values, line).await)?)
    }
}

/// Adds a line to the audit log.
pub(super) async fn note(link: &mut Link, line: &Audit) -> Result<(), Failure> {
    let Audit { time_ms, user, address, action, object, detail, outcome, .. } = line;
    let day = int(audit_day(*time_ms));
    let values: [&dyn ToSql; 8] = [&day, time_ms, user, address, action, object, detail, outcome];
    link.run(sql::NOTE_AUDIT, &values).await?;
    Ok(())
}

/// A change of one statement with its line, in one transaction; false: it changes nothing, and
/// there is no line.
pub(super) async fn with_line(
    link: &mut Link,
    change: Statement,
    values: &[&dyn ToSql],
    line: &Audit,
) -> Result<bool, Failure> {
    link.begin().await?;
    let found = link.run(change, values).await? > 0;
    if found {
        note(link, line).await?;
    }
    link.commit().await?;
    Ok(found)
}

async fn letters(
    link: &mut Link,
    filter: &LetterFilter,
    bodies: bool,
    after: Option<Place>,
    limit: usize,
) -> Result<Vec<Letter>, Failure> {
    let LetterFilter { code, producer, state, from_ms, to_ms } = filter;
    let state = state.map(LetterState::as_str);
    let (time_ms, no) = (after.map(|place| place.time_ms), after.map(|place| place.no));
    let most = most(limit);
    let values: [&dyn ToSql; 8] = [code, producer, &state, from_ms, to_ms, &time_ms, &no, &most];
    let statement = if bodies { sql::LETTERS_WHOLE } else { sql::LETTER_HEADS };
    link.ask(statement, &values, letter).await
}

fn letter(cells: &Cells<'_>) -> Result<Letter, Failure> {
    let text = |at| cells.some(at, Cells::text);
    Ok(Letter {
        no: cells.some(0, Cells::number)?,
        received_ms: cells.some(1, Cells::number)?,
        queue: text(2)?,
        transport: text(3)?,
        user: cells.text(4)?,
        peer: text(5)?,
        message_id: cells.text(6)?,
        properties: text(7)?,
        body: cells.some(8, Cells::bytes)?,
        code: text(9)?,
        field: text(10)?,
        text: text(11)?,
        producer: cells.text(12)?,
        retries: cells.some(13, Cells::id)?,
        state: LetterState::parse(&text(14)?).unwrap_or(LetterState::Open),
        bytes: cells.some(15, Cells::number)?.cast_unsigned(),
    })
}

fn line(cells: &Cells<'_>) -> Result<Audit, Failure> {
    let text = |at| cells.some(at, Cells::text);
    Ok(Audit {
        no: cells.some(0, Cells::number)?,
        time_ms: cells.some(1, Cells::number)?,
        user: cells.text(2)?,
        address: text(3)?,
        action: text(4)?,
        object: text(5)?,
        detail: text(6)?,
        outcome: text(7)?,
    })
}

/// Of the rows of one answer; the statement takes no greater number.
fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
