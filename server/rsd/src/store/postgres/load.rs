//! What a share of a batch asks of the tables: many rows a question, day by day, so that only the
//! partitions of these days are opened. Calls are locked in the order of their keys.

use std::collections::{BTreeMap, BTreeSet};

use rs::integrity::Gap;
use rs::limits::{CALL_BYTES, HELD_PER_BYTE, ROW_BYTES};
use rs::share::{DayKey, EventRow, Found, Mention, Objects, Share, StoredCall, StreamRow, Wants};
use rs::{Day, Intervals, Key};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::facts::kept_row;
use super::hanging;
use super::link::{Link, Uid};
use crate::store::StoreError;

/// Reads until the share wants nothing more; else the objects that it wants to be learned first.
pub(super) fn ask(
    link: &mut Link,
    share: &mut Share<'_>,
    objects: &Objects,
) -> Result<BTreeSet<Mention>, StoreError> {
    while let Some(wants) = share.wants(objects) {
        if !wants.mentions.is_empty() {
            return Ok(wants.mentions);
        }
        share.found(load(link, &wants)?, objects)?;
    }
    Ok(BTreeSet::new())
}

fn load(link: &mut Link, wants: &Wants) -> Result<Found, StoreError> {
    let mut found = Found::of(wants);
    for (day, keys) in by_day(&wants.ledger) {
        let sql = "SELECT id_key, content_hash FROM rs_fact_ledger
            WHERE day = $1 AND id_key = ANY($2)";
        let rows = link.query(sql, &[&signed(day), &keys])?;
        let hash = |row: &Row| ((day, uid(row, 0)), uid(row, 1));
        found.ledger.extend(rows.iter().map(hash));
    }
    for (day, keys) in by_day(&wants.calls) {
        calls(link, day, "call_key = ANY($2)", &[&signed(day), &keys], &mut found)?;
        if found.is_cut() {
            return Ok(found);
        }
    }
    let mut guids: BTreeMap<Day, Vec<&str>> = BTreeMap::new();
    for (day, guid) in &wants.guids {
        guids.entry(*day).or_default().push(guid);
    }
    for (day, guids) in guids {
        calls(link, day, "guid = ANY($2)", &[&signed(day), &guids], &mut found)?;
        if found.is_cut() {
            return Ok(found);
        }
    }
    if !wants.call_days.is_empty() {
        let guids: Vec<&str> = wants.call_days.iter().map(|guid| &**guid).collect();
        let sql = "SELECT guid, day FROM rs_call_day WHERE guid = ANY($1)";
        let rows = link.query(sql, &[&guids])?;
        found.call_days.extend(rows.iter().map(|row| (row.get(0), unsigned(row.get(1)))));
    }
    hanging::load(link, wants, &mut found)?;
    if found.is_cut() {
        return Ok(found);
    }
    if !wants.letters.is_empty() {
        let keys: Vec<Uid> = wants.letters.iter().map(|key| Uid(*key)).collect();
        let sql = "SELECT letter_key FROM rs_dead_letter WHERE letter_key = ANY($1)";
        found.letters = link.query(sql, &[&keys])?.iter().map(|row| uid(row, 0)).collect();
    }
    for (day, keys) in by_day(&wants.events) {
        let sql = "SELECT id_key, call_ref, guid, component_id, session_id, time_ms, seq, level,
            log_id, label, text, extra FROM rs_call_event WHERE day = $1 AND id_key = ANY($2)";
        let rows = link.query(sql, &[&signed(day), &keys])?;
        found.events.extend(rows.iter().map(|row| event(day, row)));
    }
    for (day, keys) in by_day(&wants.quality) {
        hanging::quality_by_key(link, (day, &keys), &mut found)?;
        if found.is_cut() {
            return Ok(found);
        }
    }
    for (day, keys) in by_day(&wants.kept) {
        let sql = format!(
            "SELECT component_id, received_ms, id, body, id_key
             FROM (SELECT *, sum(own) OVER (ROWS UNBOUNDED PRECEDING) AS so_far
               FROM (SELECT *, {ROW_BYTES} + octet_length(body) AS own
                 FROM rs_kept_record WHERE day = $1 AND id_key = ANY($2)) AS w) AS k
             WHERE so_far - own <= $3::bigint"
        );
        let rows = link.query(&sql, &[&signed(day), &keys, &most(&found)])?;
        rows.iter().for_each(|row| found.put_kept((day, uid(row, 4)), kept_row(row)));
        if found.is_cut() {
            return Ok(found);
        }
    }
    streams(link, wants, &mut found)?;
    Ok(found)
}

fn streams(link: &mut Link, wants: &Wants, found: &mut Found) -> Result<(), StoreError> {
    if wants.streams.is_empty() {
        return Ok(());
    }
    let producers: Vec<&str> = wants.streams.iter().map(|key| &*key.0).collect();
    let boots: Vec<i64> = wants.streams.iter().map(|key| key.1).collect();
    let numbers: Vec<i16> = wants.streams.iter().map(|key| i16::from(key.2)).collect();
    let sql = "SELECT s.producer, s.boot, s.stream, received, max_seq, announced_seq, duplicates,
          first_ms, last_ms, gaps
        FROM unnest($1::text[], $2::bigint[], $3::smallint[]) AS w (producer, boot, stream)
        JOIN rs_producer_stream s ON s.producer = w.producer COLLATE \"C\" AND s.boot = w.boot
          AND s.stream = w.stream
        ORDER BY s.producer, s.boot, s.stream FOR UPDATE OF s";
    let rows = link.query(sql, &[&producers, &boots, &numbers])?;
    found.streams.extend(rows.iter().map(|row| {
        let number = u8::try_from(row.get::<_, i16>(2)).unwrap_or(u8::MAX);
        ((row.get(0), row.get(1), number), stream(row))
    }));
    Ok(())
}

/// Columns from the fourth on.
pub(super) fn stream(row: &Row) -> StreamRow {
    StreamRow {
        received: Intervals::decode(row.get(3)),
        max_seq: row.get::<_, i64>(4).cast_unsigned(),
        announced_seq: row.get::<_, i64>(5).cast_unsigned(),
        duplicates: row.get::<_, i64>(6).cast_unsigned(),
        first_ms: row.get(7),
        last_ms: row.get(8),
        gaps: Gap::decode(row.get(9)),
    }
}

/// Bytes that may be found yet. A question adds up what its rows have and ends with the first that
/// goes beyond, which cuts the answer: an answer of any size would be kept whole by the client.
pub(super) fn most(found: &Found) -> i64 {
    i64::try_from(found.bytes_left()).unwrap_or(i64::MAX)
}

/// Calls of a day with their states, locked in the order of their keys. Two questions: of a join of
/// partitioned tables, whose parents have no statistics, the planner expects a thousand times the
/// rows, and reads the whole day in its order. So it would with a limit, but for the part that is
/// materialized.
pub(super) fn calls(
    link: &mut Link,
    day: Day,
    which: &str,
    values: &[&(dyn ToSql + Sync)],
    found: &mut Found,
) -> Result<(), StoreError> {
    let sql = format!(
        "WITH wanted AS MATERIALIZED (
           SELECT call_key, guid, last_fact_ms, row_version, boot FROM rs_call
           WHERE day = $1 AND {which} ORDER BY call_key FOR UPDATE)
         SELECT * FROM wanted LIMIT ${}",
        values.len() + 1
    );
    let left = i64::try_from(found.calls_left()).unwrap_or(i64::MAX);
    let rows = link.query(&sql, &[values, &[&left]].concat())?;
    if rows.len() >= found.calls_left() {
        found.cut();
        return Ok(());
    }
    if rows.is_empty() {
        return Ok(());
    }
    let keys: Vec<Uid> = rows.iter().map(|row| Uid(uid(row, 0))).collect();
    let sql = format!(
        "SELECT call_key, state
         FROM (SELECT call_key, state, octet_length(state) AS own,
             sum({CALL_BYTES} + {HELD_PER_BYTE} * octet_length(state)::bigint)
               OVER (ROWS UNBOUNDED PRECEDING) AS so_far
           FROM rs_call_fact_state WHERE day = $1 AND call_key = ANY($2)) AS s
         WHERE so_far - {CALL_BYTES} - {HELD_PER_BYTE} * own::bigint <= $3::bigint"
    );
    let states = link.query(&sql, &[&signed(day), &keys, &most(found)])?;
    let states: BTreeMap<Key, &[u8]> = states.iter().map(|row| (uid(row, 0), row.get(1))).collect();
    for row in &rows {
        let call_key = uid(row, 0);
        let Some(state) = states.get(&call_key).map(|state| state.to_vec()) else { continue };
        found.put_call(StoredCall {
            day,
            call_key,
            guid: row.get(1),
            state,
            last_fact_ms: row.get(2),
            row_version: row.get(3),
            boot: row.get(4),
        });
    }
    Ok(())
}

pub(super) fn event(day: Day, row: &Row) -> EventRow {
    EventRow {
        day,
        id_key: uid(row, 0),
        call_ref: uid(row, 1),
        guid: row.get(2),
        component_id: row.get(3),
        session_id: row.get(4),
        time_ms: row.get(5),
        seq: row.get(6),
        level: u8::try_from(row.get::<_, i16>(7)).unwrap_or_default(),
        log_id: row.get(8),
        label: row.get(9),
        text: row.get(10),
        extra: row.get(11),
    }
}

pub(super) fn by_day(keys: &BTreeSet<DayKey>) -> BTreeMap<Day, Vec<Uid>> {
    let mut days: BTreeMap<Day, Vec<Uid>> = BTreeMap::new();
    for (day, key) in keys {
        days.entry(*day).or_default().push(Uid(*key));
    }
    days
}

pub(super) fn uid(row: &Row, column: usize) -> Key {
    row.get::<_, Uid>(column).0
}

/// A day as the column has it.
pub(super) fn signed(day: Day) -> i32 {
    i32::try_from(day).unwrap_or(i32::MAX)
}

pub(super) fn unsigned(day: i32) -> Day {
    Day::try_from(day).unwrap_or_default()
}
