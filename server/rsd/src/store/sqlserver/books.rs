//! The books: what came, what was told, what was stored; and the open dead letters.

use std::collections::BTreeMap;

use rs::Intervals;
use tiberius::ToSql;

use super::failure::Failure;
use super::link::{Cells, Link};
use super::statement::ask as sql;
use crate::store::{Books, MinuteBooks, StreamBooks};

/// The books of minutes in `[from, to)`.
pub(super) async fn books(link: &mut Link, from: i64, to: i64) -> Result<Books, Failure> {
    let bounds: [&dyn ToSql; 2] = [&from, &to];
    let mut minutes: BTreeMap<(i64, String), MinuteBooks> = BTreeMap::new();
    for told in link.ask(sql::TOLD, &bounds, told).await? {
        minutes.insert((told.minute_ms, told.producer.clone()), told);
    }
    let stored = |cells: &Cells<'_>| {
        let minute_ms = cells.some(1, Cells::number)?;
        Ok((cells.some(0, Cells::text)?, minute_ms, cells.some(2, Cells::number)?))
    };
    for (producer, minute_ms, count) in link.ask(sql::STORED, &bounds, stored).await? {
        let at = (minute_ms, producer.clone());
        let books = minutes.entry(at);
        let empty = || MinuteBooks { producer, minute_ms, ..MinuteBooks::default() };
        books.or_insert_with(empty).stored += count.cast_unsigned();
    }
    let figure = |cells: &Cells<'_>| {
        let name = (cells.some(0, Cells::text)?, cells.some(1, Cells::text)?);
        Ok((name, cells.some(2, Cells::number)?.cast_unsigned()))
    };
    let figures = link.ask(sql::FIGURES, &[], figure).await?.into_iter().collect();
    let flag = i64::from(rs::row::flag::DOUBLE_END);
    let double = link.ask(sql::DOUBLE_ENDS, &[&flag], |cells| cells.some(0, Cells::number)).await?;
    Ok(Books {
        streams: link.ask(sql::STREAMS, &[], stream).await?,
        minutes: minutes.into_values().collect(),
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
    })
}

fn told(cells: &Cells<'_>) -> Result<MinuteBooks, Failure> {
    let number = |at| cells.some(at, Cells::number);
    let count = |at| Ok::<_, Failure>(number(at)?.cast_unsigned());
    Ok(MinuteBooks {
        producer: cells.some(0, Cells::text)?,
        minute_ms: number(1)?,
        calls_in: count(2)?,
        records_out: count(3)?,
        adopted_in: count(4)?,
        handed_out: count(5)?,
        rejected: count(6)?,
        in_progress: count(7)?,
        stored: 0,
        told: true,
    })
}
