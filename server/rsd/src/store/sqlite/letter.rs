//! Dead letters: what could not be stored, kept whole, and the figures beside them. The same table
//! in the main file and in the day files (spec rs.md §2.8).

use rusqlite::{Connection, params};

use super::prepare::Item;
use crate::store::{Day, StoreError};

/// Room for the numbers of one day's letters; those of the main file begin with 1.
const PER_DAY: i64 = 10_000_000;

/// Why a message became one.
pub(super) struct Cause<'c> {
    pub(super) code: &'c str,
    pub(super) field: &'c str,
    pub(super) text: &'c str,
}

/// Writes one. `body`: another than the message's (of a loser that had been stored before).
pub(super) fn write(
    db: &Connection,
    day: Option<Day>,
    item: &Item<'_>,
    cause: &Cause<'_>,
    body: Option<&[u8]>,
) -> Result<(), StoreError> {
    let base = day.map_or(0, |day| i64::from(day) * PER_DAY);
    let producer = item.read.as_ref().ok().map(|good| good.producer());
    let message = item.message;
    let properties: Vec<_> = message.properties.iter().collect();
    let properties = serde_json::to_string(&properties).unwrap_or_default();
    db.prepare_cached(
        "INSERT INTO rs_dead_letter (no, seq, received_ms, queue, transport, user, peer,
           message_id, properties, body, code, field, text, producer)
         VALUES (ifnull((SELECT max(no) FROM rs_dead_letter), ?1) + 1,
           ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        base,
        i64::try_from(item.seq).unwrap_or(i64::MAX),
        item.received_ms(),
        message.queue,
        item.entry.transport.as_str(),
        item.entry.user,
        item.entry.peer.to_string(),
        message.message_id,
        properties,
        body.unwrap_or_else(|| item.dead_body()),
        cause.code,
        cause.field,
        cause.text,
        producer,
    ])?;
    Ok(())
}

/// Adds to a figure of this file.
pub(super) fn figure(db: &Connection, name: &str, producer: &str) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO rs_figure VALUES (?1, ?2, 1)
         ON CONFLICT (name, producer) DO UPDATE SET value = value + 1",
    )?
    .execute([name, producer])?;
    Ok(())
}
