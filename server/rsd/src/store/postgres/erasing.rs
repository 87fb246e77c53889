//! Erasure in the tables: day by day, table by table, in slices. A slice is looked at without a
//! lock; only if something of it tells the number no batch is stored while it is changed. What was
//! changed is written anew at the end of its day, so that no dead row has the number.

use rs::erase::{Erased, Number, NumberHash, Numbers, SEAL, Secret, newest, seal};
use rs::report::Call;
use rs::share::{Batch, Objects};
use rs::{CallState, Key};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::keeping::next_day;
use super::link::{Link, Uid};
use super::load::{signed, uid, unsigned};
use super::masking::{BY_DAY, OF_CALLS, Table, WHOLE, count, keyed, texts, traces};
use super::write::Part;
use super::{Busy, Postgres, STEP, custody, lock};
use crate::store::StoreError;
use crate::store::custody::Audit;
use crate::store::erasing::{Erasing, Erasure, LATE_MS, Place};

/// Batches hold it together; who erases, alone.
pub(super) const TOGETHER: &str = "SELECT pg_advisory_lock_shared(7237405, 5)";
/// The same until a transaction ends.
pub(super) const BESIDE: &str = "SELECT pg_advisory_xact_lock_shared(7237405, 5)";
pub(super) const ALONE: &str = "SELECT pg_advisory_xact_lock(7237405, 5)";
/// Others wait behind who waits for it: no longer than this.
const PATIENCE: &str = "SET lock_timeout TO '10s'";

/// The connections of who erases.
pub(super) struct Eraser {
    pub(super) link: Link,
    /// Where objects are learned.
    pub(super) second: Link,
    pub(super) objects: Objects,
}

/// What a slice found.
#[derive(Clone, Copy, Default)]
pub(super) struct Found {
    pub(super) calls: i64,
    pub(super) rows: i64,
    /// Nothing is left to be searched.
    pub(super) ended: bool,
}

impl Erasing for Postgres {
    fn begin(&self, number: &Number, line: &Audit) -> Result<i64, StoreError> {
        // the schema is made by the writer
        self.write(|_| Ok(()))?;
        self.read(|reader| {
            let link = &mut *reader.link;
            link.batch("BEGIN")?;
            // what is stored from now on is searched
            link.query(ALONE, &[])?;
            known(link, &self.secret)?;
            let NumberHash { digits, hash } = number.hash(&self.secret);
            let insert = "INSERT INTO rs_erasure (digits, hash, requested_ms)
                VALUES ($1, $2, $3) RETURNING no";
            let rows = link.query(insert, &[&i16::from(digits), &Uid(hash), &line.time_ms])?;
            let no = rows.first().map_or(0, |row| row.get(0));
            put_seal(link, &self.secret, no)?;
            custody::note(link, &line.about(no))?;
            link.batch("COMMIT")?;
            Ok(no)
        })
    }

    fn forget(&self, legs: &[Call], line: &Audit) -> Result<(), StoreError> {
        let _busy = Busy::new(&self.busy, 2);
        self.eraser()?.forget(&self.secret, legs, line)
    }

    fn erasures(&self, limit: usize) -> Result<Vec<Erasure>, StoreError> {
        let sql = "SELECT no, requested_ms, ended_ms, calls, rows, day FROM rs_erasure
            WHERE digits > 0 ORDER BY no DESC LIMIT $1";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.read(|reader| reader.link.query(sql, &[&limit]))?;
        let erasure = |row: &Row| Erasure {
            no: row.get(0),
            requested_ms: row.get(1),
            ended_ms: row.get(2),
            calls: row.get(3),
            rows: row.get(4),
            day: row.get::<_, i32>(5).into(),
        };
        Ok(rows.iter().map(erasure).collect())
    }

    fn go_on(&self, now_ms: i64) -> Result<bool, StoreError> {
        let mut held = lock(&self.eraser);
        let mut eraser = match held.take() {
            Some(eraser) if eraser.link.is_open() && eraser.second.is_open() => eraser,
            _ => self.eraser()?,
        };
        let _busy = Busy::new(&self.busy, 2);
        let more = eraser.slice(&self.secret, now_ms)?;
        // one that met an error is made anew, and one that has nothing to do is not kept
        if more {
            *held = Some(eraser);
        }
        Ok(more)
    }
}

impl Postgres {
    fn eraser(&self) -> Result<Eraser, StoreError> {
        self.write(|_| Ok(()))?;
        let (mut link, second) = (self.connect(STEP)?, self.connect(STEP)?);
        link.batch(PATIENCE)?;
        Ok(Eraser { link, second, objects: Objects::default() })
    }
}

/// The newest erasure; an error if its secret is another.
pub(super) fn known(link: &mut Link, secret: &Secret) -> Result<i64, StoreError> {
    let sealed = link.query("SELECT value FROM rs_meta WHERE key = $1", &[&SEAL])?;
    let sealed = sealed.first().map(|row| row.get::<_, String>(0));
    Ok(newest(secret, sealed.as_deref())?)
}

pub(super) fn put_seal(link: &mut Link, secret: &Secret, newest: i64) -> Result<(), StoreError> {
    let note = "INSERT INTO rs_meta VALUES ($1, $2)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    link.execute(note, &[&SEAL, &seal(secret, newest)])?;
    Ok(())
}

/// What records that come must not tell, and the newest erasure of it, unless it is `have`.
pub(super) fn news(
    link: &mut Link,
    secret: &Secret,
    have: i64,
) -> Result<Option<(Erased, i64)>, StoreError> {
    let newest = known(link, secret)?;
    if newest == have {
        return Ok(None);
    }
    Ok(Some((erased(link, secret)?, newest)))
}

/// What records that come must not tell.
pub(super) fn erased(link: &mut Link, secret: &Secret) -> Result<Erased, StoreError> {
    let rows = link.query("SELECT digits, hash, requested_ms FROM rs_erasure", &[])?;
    let one = |row: &Row| (hash(row, 0), row.get::<_, i64>(2).saturating_add(LATE_MS));
    Ok(Erased::of(rows.iter().map(one).collect(), *secret))
}

fn hash(row: &Row, at: usize) -> NumberHash {
    let digits = u8::try_from(row.get::<_, i16>(at)).unwrap_or_default();
    NumberHash { digits, hash: uid(row, at + 1) }
}

impl Eraser {
    fn slice(&mut self, secret: &Secret, now_ms: i64) -> Result<bool, StoreError> {
        let Some(before) = place(&mut self.link)? else { return Ok(false) };
        // none of its numbers would be found with another secret
        known(&mut self.link, secret)?;
        let numbers = Numbers::of([before.number], *secret);
        let mut place = before.clone();
        let mut found = self.part(&mut place, &numbers, None, now_ms)?;
        let changes = found.calls + found.rows > 0;
        if changes {
            self.link.batch("BEGIN")?;
            self.link.query(ALONE, &[])?;
            let erased = erased(&mut self.link, secret)?;
            place = before.clone();
            found = self.part(&mut place, &numbers, Some(&erased), now_ms)?;
        }
        progress(&mut self.link, &before, &place, found, now_ms)?;
        if changes {
            self.link.batch("COMMIT")?;
        }
        Ok(true)
    }

    /// A slice: what is found; with `erased` it is erased, too, in the caller's transaction.
    fn part(
        &mut self,
        place: &mut Place,
        numbers: &Numbers,
        erased: Option<&Erased>,
        now_ms: i64,
    ) -> Result<Found, StoreError> {
        let tables = tables(place);
        let behind = place.stage.checked_sub(tables.len());
        if let Some(table) = tables.get(place.stage) {
            return texts(&mut self.link, place, table, numbers, erased.is_some());
        }
        match behind {
            Some(0) if place.day != 0 => self.calls(place, numbers, erased, now_ms),
            Some(1) if place.day != 0 => traces(&mut self.link, place, numbers, erased.is_some()),
            _ => Ok(Found { ended: self.close(place)?, ..Found::default() }),
        }
    }

    fn calls(
        &mut self,
        place: &mut Place,
        numbers: &Numbers,
        erased: Option<&Erased>,
        now_ms: i64,
    ) -> Result<Found, StoreError> {
        let rows = keyed(&mut self.link, place, ("rs_call_fact_state", "state"))?;
        if rows.is_empty() {
            return Ok(Found::default());
        }
        // one that cannot be read stays
        let told = rows
            .iter()
            .filter(|row| CallState::decode(row.get(1)).is_ok_and(|state| state.tells(numbers)));
        let keys: Vec<Key> = told.map(|row| uid(row, 0)).collect();
        let found = Found { calls: count(keys.len()), ..Found::default() };
        let (Some(erased), false) = (erased, keys.is_empty()) else { return Ok(found) };
        let mut batch = Batch::default();
        batch.erase(erased);
        let Self { link, second, objects } = self;
        let day = place.day;
        let mut part = Part::new(link, second, objects, &batch, now_ms);
        part.run(|share| keys.iter().for_each(|key| share.erase((day, *key), Some(numbers))))?;
        let hanging = BY_DAY.iter().map(|table| table.name).filter(|name| name.contains("_var_"));
        for name in OF_CALLS.into_iter().chain(hanging).chain(["rs_sq_failure"]) {
            place.changed |= bit(place, name);
        }
        Ok(found)
    }

    /// Writes anew what was changed, table by table, then turns to the next day; true: none is.
    fn close(&mut self, place: &mut Place) -> Result<bool, StoreError> {
        let link = &mut self.link;
        if place.changed == 0 {
            let next = next_day(link, signed(place.day))?;
            if let Some(day) = next {
                place.turn(unsigned(day));
            }
            return Ok(next.is_none());
        }
        let Some(name) = written(place.day).find(|name| place.changed & bit(place, name) != 0)
        else {
            place.changed = 0;
            return Ok(false);
        };
        if place.after.is_empty() {
            // who began to read before this may still see what was there before
            let rows = link.query("SELECT txid_current()", &[])?;
            place.after = rows.first().map_or(0, |row| row.get::<_, i64>(0)).to_be_bytes().into();
            return Ok(false);
        }
        let since = <[u8; 8]>::try_from(&*place.after).map_or(0, i64::from_be_bytes);
        let sql = "SELECT rs_write_anew($1, $2, $3)";
        let rows = link.query(sql, &[&name, &signed(place.day), &since])?;
        if !rows.first().is_some_and(|row| row.get(0)) {
            let text = "what is erased is still read by somebody who began before";
            return Err(StoreError::Unavailable(text.into()));
        }
        place.changed &= !bit(place, name);
        Ok(false)
    }
}

fn tables(place: &Place) -> &'static [Table] {
    if place.day == 0 { WHOLE } else { BY_DAY }
}

/// The tables that may be changed, each a bit.
fn written(day: rs::Day) -> impl Iterator<Item = &'static str> {
    let (tables, calls) = if day == 0 { (WHOLE, &[][..]) } else { (BY_DAY, &OF_CALLS[..]) };
    tables.iter().map(|table| table.name).chain(calls.iter().copied())
}

pub(super) fn bit(place: &Place, name: &str) -> i64 {
    written(place.day).position(|of| of == name).map_or(0, |at| 1 << at)
}

fn place(link: &mut Link) -> Result<Option<Place>, StoreError> {
    let sql = "SELECT no, digits, hash, day, stage, after, changed FROM rs_erasure
        WHERE ended_ms IS NULL ORDER BY no LIMIT 1";
    let rows = link.query(sql, &[])?;
    Ok(rows.first().map(|row| Place {
        no: row.get(0),
        number: hash(row, 1),
        day: unsigned(row.get(3)),
        stage: usize::try_from(row.get::<_, i32>(4)).unwrap_or(0),
        after: row.get(5),
        changed: row.get(6),
    }))
}

/// Notes how far it has come, unless another Reporting Server has done this slice meanwhile.
fn progress(
    link: &mut Link,
    before: &Place,
    place: &Place,
    found: Found,
    now_ms: i64,
) -> Result<(), StoreError> {
    let ended_ms = found.ended.then_some(now_ms);
    let stage = |of: &Place| i32::try_from(of.stage).unwrap_or(i32::MAX);
    let sql = "UPDATE rs_erasure SET day = $2, stage = $3, after = $4, changed = $5,
          calls = calls + $6, rows = rows + $7, ended_ms = $8
        WHERE no = $1 AND ended_ms IS NULL AND day = $9 AND stage = $10 AND after = $11
          AND changed = $12";
    let values: [&(dyn ToSql + Sync); 12] = [
        &place.no,
        &signed(place.day),
        &stage(place),
        &place.after,
        &place.changed,
        &found.calls,
        &found.rows,
        &ended_ms,
        &signed(before.day),
        &stage(before),
        &before.after,
        &before.changed,
    ];
    link.execute(sql, &values)?;
    Ok(())
}
