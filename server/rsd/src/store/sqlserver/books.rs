//! The books: what came, what was told, what was stored; and the open dead letters.

use std::collections::{BTreeMap, BTreeSet};

use rs::Intervals;
use rs::integrity::{Gap, Stored, Told, beginnings};
use tiberius::ToSql;

use super::failure::Failure;
use super::link::{Cells, Link};
use super::statement::ask as sql;
use crate::store::{Books, BooksAsked, StreamBooks};

/// The books.
pub(super) async fn books(link: &mut Link, asked: &BooksAsked) -> Result<Books, Failure> {
    let [before, to] = asked.told();
    let from = asked.minutes.0;
    let name = asked.producer.as_ref();
    let streams = match (asked.heard_ms, name) {
        (None, _) => Vec::new(),
        (Some(since), None) => link.ask(sql::STREAMS, &[&since], stream).await?,
        (Some(since), Some(name)) => link.ask(sql::STREAMS_OF, &[&since, name], stream).await?,
    };
    let told = match name {
        None => link.ask(sql::TOLD, &[&before, &to], told).await?,
        Some(name) => link.ask(sql::TOLD_OF, &[&before, &to, name], told).await?,
    };
    let stored = match name {
        None => link.ask(sql::STORED, &[&from, &to], stored).await?,
        Some(name) => link.ask(sql::STORED_OF, &[&from, &to, name], stored).await?,
    };
    let mut first = BTreeMap::new();
    for (producer, boot) in beginnings(&told, from) {
        let values: [&dyn ToSql; 2] = [&producer, &boot];
        let found = link.ask(sql::FIRST, &values, |cells| cells.some(0, Cells::number)).await?;
        first.extend(found.first().map(|minute| ((producer, boot), *minute)));
    }
    let figure = |cells: &Cells<'_>| {
        let value = 0_u64.saturating_add_signed(cells.some(1, Cells::number)?);
        Ok((cells.some(0, Cells::text)?, value))
    };
    let mut figures = BTreeMap::new();
    for of in asked.figures {
        let rows = match name {
            None => link.ask(sql::FIGURES, &[of], figure).await?,
            Some(name) => link.ask(sql::FIGURES_OF, &[of, name], figure).await?,
        };
        let rows = rows.into_iter();
        figures.extend(rows.map(|(producer, value)| (((*of).to_owned(), producer), value)));
    }
    Ok(Books { streams, told, stored, first, figures })
}

/// What all producers together told of each minute.
pub(super) async fn sums(link: &mut Link, (from, to): (i64, i64)) -> Result<Vec<Told>, Failure> {
    let sum = |cells: &Cells<'_>| {
        let number = |at| cells.some(at, Cells::number);
        let (minute_ms, in_progress) = (number(0)?, number(3)?);
        let (calls_in, records_out) = (number(1)?, number(2)?);
        Ok(Told { minute_ms, calls_in, records_out, in_progress, ..Told::default() })
    };
    link.ask(sql::SUMS, &[&from, &to], sum).await
}

/// Names of producers after this one.
pub(super) async fn producers(
    link: &mut Link,
    after: &str,
    limit: u32,
) -> Result<Vec<String>, Failure> {
    let values: [&dyn ToSql; 2] = [&after, &i64::from(limit)];
    let name = |cells: &Cells<'_>| cells.some(0, Cells::text);
    let mut names: BTreeSet<String> =
        link.ask(sql::NUMBERED, &values, name).await?.into_iter().collect();
    names.extend(link.ask(sql::COUNTED, &values, name).await?);
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(names.into_iter().take(most).collect())
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
