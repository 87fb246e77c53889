//! Erasure in the tables: day by day, table by table, in slices. A slice is looked at without a
//! lock; only if something of it tells the number no batch is stored while it is changed.

use std::borrow::Cow;

use rs::erase::{
    Erased, Number, NumberHash, Numbers, SEAL, Secret, body_without, kept_without, newest, seal,
};
use rs::quality::QualityFact;
use rs::report::Call;
use rs::share::{Batch, Objects, Share};
use rs::{CallState, Day, Key};
use tiberius::{ColumnData, ToSql};

use super::failure::Failure;
use super::forgetting::forget;
use super::keeping::next_day;
use super::link::{Cells, Link};
use super::row::int;
use super::save::{self, one};
use super::statement::erasing as sql;
use super::statement::{Statement, accounts};
use super::{SqlServer, apply, custody, dims};
use crate::store::StoreError;
use crate::store::custody::Audit;
use crate::store::erasing::{Erasing, Erasure, LATE_MS, LETTER_ROWS, Place};

/// Rows of a slice.
const ROWS: i64 = 500;
/// Calls of a slice.
const CALLS: i64 = 100;

/// A table that is searched: its statements, its key, and its columns that may hold a number.
struct Table {
    keys: Statement,
    rows: Statement,
    mask: Statement,
    /// Of one whose key is a name: a row goes whole when that holds a number.
    gone: Option<Statement>,
    key: &'static [Kind],
    texts: &'static [Kind],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    Bytes,
    /// Of quality.
    Fact,
    /// A record that is kept whole.
    Kept,
}

use Kind::{Bytes, Fact, Kept, Text};

macro_rules! table {
    ($keys:ident, $rows:ident, $mask:ident, $key:expr, $texts:expr) => {
        table!($keys, $rows, $mask, None, $key, $texts)
    };
    ($keys:ident, $rows:ident, $mask:ident, $gone:expr, $key:expr, $texts:expr) => {
        Table {
            keys: sql::$keys,
            rows: sql::$rows,
            mask: sql::$mask,
            gone: $gone,
            key: $key,
            texts: $texts,
        }
    };
}

/// What is not by day. Texts of figures: they are by the key, which stays.
const WHOLE: &[Table] = &[
    table!(LETTER_KEYS, LETTER_ROWS, LETTER_MASK, &[Kind::Number], &[Text, Bytes, Text]),
    table!(TEXT_KEYS, TEXT_ROWS, TEXT_MASK, &[Kind::Number], &[Text]),
    table!(SNMP_KEYS, SNMP_ROWS, SNMP_MASK, Some(sql::SNMP_GONE), &[Kind::Number, Text], &[Text]),
];
const BY_DAY: &[Table] = &[
    table!(KEPT_KEYS, KEPT_ROWS, KEPT_MASK, &[Bytes], &[Kept]),
    table!(EVENT_KEYS, EVENT_ROWS, EVENT_MASK, &[Bytes], &[Text, Text, Text]),
    table!(OUTCOME_KEYS, OUTCOME_ROWS, OUTCOME_MASK, &[Bytes], &[Text, Text]),
    table!(ACTION_KEYS, ACTION_ROWS, ACTION_MASK, &[Bytes, Kind::Number], &[Text, Text, Text]),
    table!(CUSTOM_KEYS, CUSTOM_ROWS, CUSTOM_MASK, Some(sql::CUSTOM_GONE), &[Bytes, Text], &[Text]),
    table!(QUALITY_KEYS, QUALITY_ROWS, QUALITY_MASK, &[Bytes], &[Fact]),
    table!(FAILURE_KEYS, FAILURE_ROWS, FAILURE_MASK, &[Bytes], &[Text]),
];

/// What a slice found.
#[derive(Clone, Copy, Default)]
struct Found {
    calls: i64,
    rows: i64,
    /// Nothing is left to be searched.
    ended: bool,
}

impl Erasing for SqlServer {
    fn begin(&self, number: &Number, line: &Audit) -> Result<i64, StoreError> {
        let NumberHash { digits, hash } = number.hash(&self.secret);
        Ok(self.write(async |link| {
            link.begin().await?;
            // what is stored from now on is searched
            known(link, sql::SEAL_ALONE, &self.secret).await?;
            let values: [&dyn ToSql; 4] = [&digits, &&hash[..], &line.time_ms, &&[][..]];
            link.run(sql::ERASURE_INSERT, &values).await?;
            let no = put_seal(link, &self.secret).await?;
            custody::note(link, &line.about(no)).await?;
            link.commit().await?;
            Ok(no)
        })?)
    }

    fn forget(&self, legs: &[Call], line: &Audit) -> Result<(), StoreError> {
        Ok(self.write(async |link| forget(link, &self.secret, legs, line).await)?)
    }

    fn erasures(&self, limit: usize) -> Result<Vec<Erasure>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let erasure = |cells: &Cells<'_>| {
            let number = |at| cells.some(at, Cells::number);
            Ok(Erasure {
                no: number(0)?,
                requested_ms: number(1)?,
                ended_ms: cells.number(2)?,
                calls: number(3)?,
                rows: number(4)?,
                day: number(5)?,
            })
        };
        Ok(self.read(async |link| link.ask(sql::ERASURES, &[&limit], erasure).await)?)
    }

    fn go_on(&self, now_ms: i64) -> Result<bool, StoreError> {
        Ok(self.write(async |link| slice(link, &self.secret, now_ms).await)?)
    }
}

/// The newest erasure; an error if its secret is another.
pub(super) async fn known(
    link: &mut Link,
    statement: Statement,
    secret: &Secret,
) -> Result<i64, Failure> {
    let sealed = link.ask(statement, &[&SEAL], |cells| cells.some(0, Cells::text)).await?;
    newest(secret, sealed.first().map(String::as_str)).map_err(Failure::Secret)
}

/// Seals the newest erasure; gives its number.
pub(super) async fn put_seal(link: &mut Link, secret: &Secret) -> Result<i64, Failure> {
    let no = link.ask(sql::ERASURE_NEWEST, &[], |cells| cells.some(0, Cells::number)).await?;
    let no = no.first().copied().unwrap_or(0);
    let values: [&dyn ToSql; 2] = [&SEAL, &seal(secret, no)];
    one(link, [accounts::NOTE_UPDATE, accounts::NOTE_INSERT], &values).await?;
    Ok(no)
}

/// The newest erasure, held until the transaction ends.
pub(super) async fn held(link: &mut Link, secret: &Secret) -> Result<i64, Failure> {
    known(link, sql::SEAL_TOGETHER, secret).await
}

/// What records that come must not tell.
pub(super) async fn erased(link: &mut Link, secret: &Secret) -> Result<Erased, Failure> {
    let one = |cells: &Cells<'_>| {
        let requested_ms: i64 = cells.some(2, Cells::number)?;
        Ok((hash(cells, 0)?, requested_ms.saturating_add(LATE_MS)))
    };
    Ok(Erased::of(link.ask(sql::ERASED, &[], one).await?, *secret))
}

fn hash(cells: &Cells<'_>, at: usize) -> Result<NumberHash, Failure> {
    Ok(NumberHash { digits: cells.some(at, Cells::word)?, hash: cells.key(at + 1)? })
}

async fn slice(link: &mut Link, secret: &Secret, now_ms: i64) -> Result<bool, Failure> {
    let place = |cells: &Cells<'_>| {
        Ok(Place {
            no: cells.some(0, Cells::number)?,
            number: hash(cells, 1)?,
            day: cells.day(3)?,
            stage: usize::try_from(cells.some(4, Cells::number)?).unwrap_or(0),
            after: cells.some(5, Cells::bytes)?,
            changed: 0,
        })
    };
    let Some(before) = link.ask(sql::ERASURE_NEXT, &[], place).await?.pop() else {
        return Ok(false);
    };
    let numbers = Numbers::of([before.number], *secret);
    let mut objects = Objects::default();
    let mut place = before.clone();
    let mut work = Work { numbers: &numbers, erased: None, now_ms };
    let mut found = part(link, &mut place, &work, &mut objects).await?.unwrap_or_default();
    let changes = found.calls + found.rows > 0;
    if changes {
        found = loop {
            link.begin().await?;
            // none of its numbers would be found with another secret
            known(link, sql::SEAL_ALONE, secret).await?;
            work.erased = Some(erased(link, secret).await?);
            place = before.clone();
            if let Some(found) = part(link, &mut place, &work, &mut objects).await? {
                break found;
            }
        };
    }
    progress(link, &before, &place, found, now_ms).await?;
    if changes {
        link.commit().await?;
    }
    Ok(true)
}

/// What is searched for; with `erased` it is erased, too, in the caller's transaction.
struct Work<'w> {
    numbers: &'w Numbers,
    erased: Option<Erased>,
    now_ms: i64,
}

/// A slice; `None`: objects had to be learned first, and the transaction is undone.
async fn part(
    link: &mut Link,
    place: &mut Place,
    work: &Work<'_>,
    objects: &mut Objects,
) -> Result<Option<Found>, Failure> {
    let tables = if place.day == 0 { WHOLE } else { BY_DAY };
    if let Some(table) = tables.get(place.stage) {
        return texts(link, place, table, work).await.map(Some);
    }
    match place.stage - tables.len() {
        0 if place.day != 0 => calls(link, place, work, objects).await,
        1 if place.day != 0 => traces(link, place, work).await.map(Some),
        _ => {
            let next = next_day(link, int(place.day)).await?;
            if let Some(day) = next {
                place.turn(day);
            }
            Ok(Some(Found { ended: next.is_none(), ..Found::default() }))
        }
    }
}

async fn progress(
    link: &mut Link,
    before: &Place,
    place: &Place,
    found: Found,
    now_ms: i64,
) -> Result<(), Failure> {
    let stage = |of: &Place| i32::try_from(of.stage).unwrap_or(i32::MAX);
    let values: [&dyn ToSql; 10] = [
        &place.no,
        &int(place.day),
        &stage(place),
        &place.after.as_slice(),
        &found.calls,
        &found.rows,
        &found.ended.then_some(now_ms),
        &int(before.day),
        &stage(before),
        &before.after.as_slice(),
    ];
    link.run(sql::ERASURE_PROGRESS, &values).await?;
    Ok(())
}

/// The next calls of a day with one column; none: the table is done.
async fn keyed(
    link: &mut Link,
    place: &mut Place,
    statement: Statement,
) -> Result<Vec<(Key, Vec<u8>)>, Failure> {
    // no call has the key that is all zeros
    let after = Key::try_from(&*place.after).unwrap_or_default();
    let read = |cells: &Cells<'_>| Ok((cells.key(0)?, cells.some(1, Cells::bytes)?));
    let rows = link.ask(statement, &[&int(place.day), &&after[..], &CALLS], read).await?;
    match rows.last() {
        Some((key, _)) => place.after = key.to_vec(),
        None => place.next(),
    }
    Ok(rows)
}

async fn calls(
    link: &mut Link,
    place: &mut Place,
    work: &Work<'_>,
    objects: &mut Objects,
) -> Result<Option<Found>, Failure> {
    let rows = keyed(link, place, sql::STATES_NEXT).await?;
    // one that cannot be read stays
    let told = rows
        .iter()
        .filter(|(_, state)| CallState::decode(state).is_ok_and(|state| state.tells(work.numbers)));
    let told: Vec<Key> = told.map(|(key, _)| *key).collect();
    let found = Found { calls: count(told.len()), ..Found::default() };
    let (Some(erased), false) = (&work.erased, told.is_empty()) else { return Ok(Some(found)) };
    let at: Vec<(Day, Key)> = told.iter().map(|key| (place.day, *key)).collect();
    let done = put(link, &at, (erased, Some(work.numbers)), objects, work.now_ms).await?;
    Ok(done.then_some(found))
}

/// Erases calls that tell one of the numbers, without numbers all of them;
/// false: objects had to be learned first, and the transaction is undone.
pub(super) async fn put(
    link: &mut Link,
    at: &[(Day, Key)],
    (erased, numbers): (&Erased, Option<&Numbers>),
    objects: &mut Objects,
    now_ms: i64,
) -> Result<bool, Failure> {
    let mut batch = Batch::default();
    batch.erase(erased);
    let mut share = Share::new(&batch, None);
    at.iter().for_each(|at| share.erase(*at, numbers));
    if let Some(wanted) = apply::put(link, share, objects, now_ms, drop).await? {
        link.rollback().await?;
        dims::learn(link, objects, &wanted, now_ms).await?;
        return Ok(false);
    }
    Ok(true)
}

/// Traces of other calls: one that tells the number goes.
async fn traces(link: &mut Link, place: &mut Place, work: &Work<'_>) -> Result<Found, Failure> {
    let rows = keyed(link, place, sql::TRACES_NEXT).await?;
    let tells = |(_, steps): &&(Key, Vec<u8>)| {
        // one that cannot be read any more is of no use to anybody
        zstd::stream::decode_all(&**steps).map_or(true, |steps| work.numbers.are_in(&steps))
    };
    let told = rows.iter().filter(tells).map(|(key, _)| (place.day, *key));
    let told: Vec<(Day, Key)> = told.collect();
    if work.erased.is_some() {
        save::without_traces(link, &told).await?;
    }
    Ok(Found { rows: count(told.len()), ..Found::default() })
}

/// A slice of one table, in the order of the first column of its key, with all rows of the last.
async fn texts(
    link: &mut Link,
    place: &mut Place,
    table: &Table,
    work: &Work<'_>,
) -> Result<Found, Failure> {
    let Some(first) = table.key.first().copied() else { return Ok(Found::default()) };
    let day = int(place.day);
    let after = match (first, <[u8; 8]>::try_from(&*place.after)) {
        (Kind::Number, number) => Cell::Number(number.map_or(i64::MIN, i64::from_be_bytes)),
        (_, _) if place.after.is_empty() => Cell::Bytes(Some(Key::default().to_vec())),
        (_, _) => Cell::Bytes(Some(place.after.clone())),
    };
    let read = |cells: &Cells<'_>| Cell::read(cells, 0, first);
    let rows = if table.texts.contains(&Bytes) { LETTER_ROWS } else { ROWS };
    let upto = link.ask(table.keys, &[&day, &after, &rows], read).await?.pop();
    let Some(upto) = upto else {
        place.next();
        return Ok(Found::default());
    };
    let read = |cells: &Cells<'_>| {
        let kinds = table.key.iter().chain(table.texts).enumerate();
        kinds.map(|(at, kind)| Cell::read(cells, at, *kind)).collect::<Result<Vec<Cell>, _>>()
    };
    let rows = link.ask(table.rows, &[&day, &after, &upto], read).await?;
    place.after = match upto {
        Cell::Number(number) => number.to_be_bytes().to_vec(),
        other @ (Cell::Text(_) | Cell::Bytes(_)) => other.bytes().unwrap_or_default(),
    };
    let mut found = Found::default();
    for mut row in rows {
        let mut names = row.iter().take(table.key.len());
        let is_named = names.any(|cell| match cell {
            Cell::Text(Some(name)) => work.numbers.are_in(name.as_bytes()),
            Cell::Text(None) | Cell::Number(_) | Cell::Bytes(_) => false,
        });
        if let Some(gone) = table.gone.filter(|_| is_named) {
            found.rows += 1;
            if work.erased.is_some() {
                let keys = row.iter().take(table.key.len()).map(|cell| cell as &dyn ToSql);
                let values: Vec<&dyn ToSql> = std::iter::once(&day as _).chain(keys).collect();
                link.run(gone, &values).await?;
            }
            continue;
        }
        let texts = row.iter_mut().skip(table.key.len()).zip(table.texts);
        let told = texts.map(|(cell, kind)| usize::from(cell.wipe(*kind, work.numbers)));
        if told.sum::<usize>() == 0 {
            continue;
        }
        found.rows += 1;
        if work.erased.is_some() {
            let mut values: Vec<&dyn ToSql> = vec![&day];
            values.extend(row.iter().map(|cell| cell as &dyn ToSql));
            link.run(table.mask, &values).await?;
        }
    }
    Ok(found)
}

/// A value of a row.
enum Cell {
    Number(i64),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Cell {
    fn read(cells: &Cells<'_>, at: usize, kind: Kind) -> Result<Self, Failure> {
        Ok(match kind {
            Kind::Number => Self::Number(cells.some(at, Cells::number)?),
            Text | Kept => Self::Text(cells.text(at)?),
            Bytes | Fact => Self::Bytes(cells.bytes(at)?),
        })
    }

    fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) | Self::Text(_) => None,
        }
    }

    /// Takes the numbers out of it; true: there was one.
    fn wipe(&mut self, kind: Kind, numbers: &Numbers) -> bool {
        let without = match self {
            Self::Text(Some(text)) if kind == Kept => {
                kept_without(numbers, text).map(|text| Self::Text(Some(text)))
            }
            Self::Text(Some(text)) => numbers.without(text).map(|text| Self::Text(Some(text))),
            Self::Bytes(Some(bytes)) if kind == Fact => {
                // one that cannot be read stays
                let fact = QualityFact::decode(bytes);
                let fact = fact.and_then(|mut fact| fact.wipe(numbers).then_some(fact));
                fact.map(|fact| Self::Bytes(Some(fact.encode())))
            }
            // of a dead letter
            Self::Bytes(Some(bytes)) => {
                body_without(numbers, bytes).map(|bytes| Self::Bytes(Some(bytes)))
            }
            Self::Number(_) | Self::Text(None) | Self::Bytes(None) => None,
        };
        let found = without.is_some();
        if let Some(without) = without {
            *self = without;
        }
        found
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> ColumnData<'_> {
        match self {
            Self::Number(number) => ColumnData::I64(Some(*number)),
            Self::Text(text) => ColumnData::String(text.as_deref().map(Cow::Borrowed)),
            Self::Bytes(bytes) => ColumnData::Binary(bytes.as_deref().map(Cow::Borrowed)),
        }
    }
}

fn count(many: usize) -> i64 {
    i64::try_from(many).unwrap_or(i64::MAX)
}
