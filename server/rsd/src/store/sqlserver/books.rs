//! The books: what came, what was told, what was stored; and the open dead letters.

use std::collections::BTreeMap;

use rs::Intervals;
use rs::integrity::{Gap, MINUTE_MS, Stored, Told};
use tiberius::ToSql;

use super::failure::Failure;
use super::link::{Cells, Link};
use super::statement::ask as sql;
use crate::store::{Books, StreamBooks};

/// The books of minutes in `[from, to)`.
pub(super) async fn books(link: &mut Link, from: i64, to: i64) -> Result<Books, Failure> {
    let bounds: [&dyn ToSql; 2] = [&from, &to];
    let before = from.saturating_sub(MINUTE_MS);
    let with_before: [&dyn ToSql; 2] = [&before, &to];
    let first = |cells: &Cells<'_>| {
        let start = (cells.some(0, Cells::text)?, cells.some(1, Cells::number)?);
        Ok((start, cells.some(2, Cells::number)?))
    };
    let figure = |cells: &Cells<'_>| {
        let name = (cells.some(0, Cells::text)?, cells.some(1, Cells::text)?);
        Ok((name, cells.some(2, Cells::number)?.cast_unsigned()))
    };
    let figures = link.ask(sql::FIGURES, &[], figure).await?.into_iter().collect();
    let flag = i64::from(rs::row::flag::DOUBLE_END);
    let double = link.ask(sql::DOUBLE_ENDS, &[&flag], |cells| cells.some(0, Cells::number)).await?;
    Ok(Books {
        streams: link.ask(sql::STREAMS, &[], stream).await?,
        told: link.ask(sql::TOLD, &with_before, told).await?,
        stored: link.ask(sql::STORED, &bounds, stored).await?,
        first: link.ask(sql::FIRST, &[], first).await?.into_iter().collect(),
        figures,
        double_end: double.first().copied().unwrap_or(0).cast_unsigned(),
    })
}

/// Open dead letters by code.
pub(super) async fn letters(link: &mut Link) -> Result<BTreeMap<String, u64>, Failure> {
    let read = |cells: &Cells<'_>| {
        Ok((cells.some(0, Cells::text)?, cells.some(1, Cells::number)?.cast_unsigned()))
    };
    Ok(link.ask(sql::LETTERS, &[], read).await?.into_iter().collect())
}

fn stream(cells: &Cells<'_>) -> Result<StreamBooks, Failure> {
    let number = |at| cells.some(at, Cells::number);
    Ok(StreamBooks {
        producer: cells.some(0, Cells::text)?,
        boot: number(1)?.cast_unsigned(),
        stream: cells.some(2, Cells::word)?,
        received: Intervals::decode(&cells.some(3, Cells::bytes)?),
        max_seq: number(4)?.cast_unsigned(),
        announced_seq: number(5)?.cast_unsigned(),
        duplicates: number(6)?.cast_unsigned(),
        seen_ms: (number(7)?, number(8)?),
        gaps: Gap::decode(&cells.bytes(9)?.unwrap_or_default()),
    })
}

fn told(cells: &Cells<'_>) -> Result<Told, Failure> {
    let number = |at| cells.some(at, Cells::number);
    Ok(Told {
        producer: cells.some(0, Cells::text)?,
        boot: number(1)?,
        minute_ms: number(2)?,
        calls_in: number(3)?,
        records_out: number(4)?,
        adopted_in: number(5)?,
        handed_out: number(6)?,
        rejected: number(7)?,
        in_progress: number(8)?,
    })
}

fn stored(cells: &Cells<'_>) -> Result<Stored, Failure> {
    let number = |at| cells.some(at, Cells::number);
    let producer = cells.some(0, Cells::text)?;
    Ok(Stored { producer, boot: number(1)?, minute_ms: number(2)?, stored: number(3)? })
}
