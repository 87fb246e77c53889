//! What a share of a batch writes into a file, as `core/rs` has made it: rows in, nothing is
//! decided here.

use std::collections::BTreeMap;

use rs::integrity::Gap;
use rs::share::{CallLine, Cause, Changes, EventRow, KeptRow, LetterRow, Settled};
use rs::{Key, Trace};
use rusqlite::{Connection, params};

use super::{hanging, marks};
use crate::store::{Day, StoreError};

/// Room for the numbers of one day's letters; those of the main file begin with 1.
pub(super) const LETTERS_PER_DAY: i64 = 10_000_000;

/// Writes everything; `day`: into a day's file, else into the main one.
pub(super) fn save(
    db: &Connection,
    day: Option<Day>,
    changes: &Changes,
    now_ms: i64,
) -> Result<(), StoreError> {
    for (_, id_key) in &changes.gone {
        if day.is_some() {
            let event = "DELETE FROM rs_call_event WHERE id_key = ?1
                AND no = (SELECT event_no FROM rs_fact_ledger WHERE id_key = ?1)";
            db.execute(event, [id_key])?;
            for table in ["rs_sq_call", "rs_sq_failure"] {
                db.execute(&format!("DELETE FROM {table} WHERE id_key = ?1"), [id_key])?;
            }
        }
        db.execute("DELETE FROM rs_kept_record WHERE id_key = ?1", [id_key])?;
    }
    changes.calls.iter().try_for_each(|call| self::call(db, call))?;
    let events = changes.events.iter().map(|row| Ok((row.id_key, event(db, row)?)));
    let events: BTreeMap<Key, i64> = events.collect::<Result<_, StoreError>>()?;
    match day {
        Some(_) => ledger_of_day(db, changes, &events)?,
        None => ledger(db, changes)?,
    }
    hanging::save(db, changes)?;
    changes.kept.iter().try_for_each(|row| kept(db, row))?;
    changes.letters.iter().try_for_each(|row| letter(db, day, row))?;
    books(db, changes)?;
    marks::of_facts(db, day, &changes.marks, now_ms)?;
    marks::latest(db, &changes.latest)
}

fn ledger(db: &Connection, changes: &Changes) -> Result<(), StoreError> {
    for row in &changes.ledger {
        let insert = "INSERT INTO rs_fact_ledger VALUES (?1, ?2, ?3)";
        let values = params![row.id_key, row.content_hash, row.received_ms];
        db.prepare_cached(insert)?.execute(values)?;
    }
    for row in &changes.replaced {
        let update = "UPDATE rs_fact_ledger SET content_hash = ?2 WHERE id_key = ?1";
        db.prepare_cached(update)?.execute(params![row.id_key, row.content_hash])?;
    }
    Ok(())
}

/// The same with the rows of events.
fn ledger_of_day(
    db: &Connection,
    changes: &Changes,
    events: &BTreeMap<Key, i64>,
) -> Result<(), StoreError> {
    for row in &changes.ledger {
        let insert = "INSERT INTO rs_fact_ledger VALUES (?1, ?2, ?3, ?4)";
        let event = events.get(&row.id_key);
        let values = params![row.id_key, row.content_hash, row.received_ms, event];
        db.prepare_cached(insert)?.execute(values)?;
    }
    for row in &changes.replaced {
        let update = "UPDATE rs_fact_ledger SET content_hash = ?2, event_no = ?3 WHERE id_key = ?1";
        let values = params![row.id_key, row.content_hash, events.get(&row.id_key)];
        db.prepare_cached(update)?.execute(values)?;
    }
    Ok(())
}

fn call(db: &Connection, call: &CallLine) -> Result<(), StoreError> {
    let row = &call.row;
    let key = row.call_key;
    db.prepare_cached(UPSERT)?.execute(params![
        key,
        row.is_live(),
        call.row_version,
        call.last_fact_ms,
        row.started_ms,
        row.answered_ms,
        row.ended_ms,
        row.duration_ms,
        row.component_type,
        call.component_id,
        row.session_id,
        row.guid,
        row.leg,
        row.epoch,
        row.call_type,
        call.tenant_id,
        call.profile_id,
        row.service,
        row.dn,
        row.local_uri,
        row.remote_uri,
        row.call_id,
        row.call_uuid,
        row.resource_group,
        row.resource_name,
        row.resource_dbid,
        row.resource_address,
        row.attempts,
        row.end_state,
        row.sip_status,
        row.reason,
        row.policy,
        row.profile_usage,
        row.profile_burst,
        row.asr_used,
        row.tts_used,
        row.media,
        row.origin,
        row.parent_key,
        row.sq_failed,
        row.config_rev,
        row.flags,
        row.extra,
        call.boot,
    ])?;
    db.prepare_cached("INSERT OR REPLACE INTO rs_call_fact_state VALUES (?1, ?2)")?
        .execute(params![key, call.state])?;
    trace(db, call)?;
    lists(db, call)
}

fn trace(db: &Connection, call: &CallLine) -> Result<(), StoreError> {
    let key = &call.row.call_key;
    match &call.trace {
        Trace::Same => {}
        Trace::New(steps) => {
            let packed = zstd::bulk::compress(steps.as_bytes(), 3).map_err(StoreError::Files)?;
            db.prepare_cached("INSERT OR REPLACE INTO rs_call_trace VALUES (?1, ?2)")?
                .execute(params![key, packed])?;
        }
        Trace::Gone => {
            db.prepare_cached("DELETE FROM rs_call_trace WHERE call_key = ?1")?.execute([key])?;
        }
    }
    Ok(())
}

const UPSERT: &str = "INSERT OR REPLACE INTO rs_call (
    call_key, live, row_version, last_fact_ms, started_ms, answered_ms, ended_ms, duration_ms,
    component_type, component_id, session_id, guid, leg, epoch, call_type, tenant_id, profile_id,
    service, dn, local_uri, remote_uri, call_id, call_uuid, resource_group, resource_name,
    resource_dbid, resource_address, attempts, end_state, sip_status, reason, policy,
    profile_usage, profile_burst, asr_used, tts_used, media, origin, parent_key, sq_failed,
    config_rev, flags, extra, boot)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
    ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38,
    ?39, ?40, ?41, ?42, ?43, ?44)";

/// What hangs on a call, in place of what is there.
fn lists(db: &Connection, call: &CallLine) -> Result<(), StoreError> {
    let (row, key) = (&call.row, call.row.call_key);
    if call.row_version > 1 {
        for table in ["rs_call_tenant", "rs_call_owner"] {
            let delete = format!("DELETE FROM {table} WHERE call_key = ?1");
            db.prepare_cached(&delete)?.execute([key])?;
        }
    }
    for tenant in &call.tenants {
        let insert = "INSERT INTO rs_call_tenant VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (id, depth) = (tenant.tenant_id, tenant.depth);
        let values = params![key, id, row.started_ms, depth, tenant.usage, tenant.burst];
        db.prepare_cached(insert)?.execute(values)?;
    }
    for (n, (component_id, from_ms)) in (1_u32..).zip(&call.owners) {
        let insert = "INSERT INTO rs_call_owner VALUES (?1, ?2, ?3, ?4)";
        db.prepare_cached(insert)?.execute(params![key, n, component_id, from_ms])?;
    }
    hanging::var(db, call)
}

/// Gives the number of its row.
fn event(db: &Connection, row: &EventRow) -> Result<i64, StoreError> {
    let number = db
        .prepare_cached(
            "INSERT INTO rs_call_event (id_key, call_ref, guid, component_id, session_id, time_ms,
           seq, level, log_id, label, text, extra)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .insert(params![
            row.id_key,
            row.call_ref,
            row.guid,
            row.component_id,
            row.session_id,
            row.time_ms,
            row.seq,
            row.level,
            row.log_id,
            row.label,
            row.text,
            row.extra,
        ])?;
    Ok(number)
}

fn kept(db: &Connection, row: &KeptRow) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO rs_kept_record
           (id_key, kind, id, component_id, time_ms, received_ms, body, bin_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        row.id_key,
        row.kind,
        row.id,
        row.component_id,
        row.time_ms,
        row.received_ms,
        row.body,
        row.bin_ms,
    ])?;
    Ok(())
}

/// The day whose file has the letter; `None`: the main file.
pub(super) fn day_of(no: i64) -> Option<Day> {
    let day = Day::try_from(no / LETTERS_PER_DAY).unwrap_or_default();
    (day > 0).then_some(day)
}

/// What came of a retry; the same again changes nothing.
pub(super) fn settle(db: &Connection, settled: &Settled) -> Result<(), StoreError> {
    let Settled { no, retries, refused, .. } = settled;
    match refused {
        None => {
            let stored = "UPDATE rs_dead_letter SET state = 'retried', retries = ?2
                WHERE no = ?1 AND state = 'open'";
            db.prepare_cached(stored)?.execute(params![no, retries])?;
        }
        Some(Cause { code, field, text }) => {
            let refused = "UPDATE rs_dead_letter SET retries = ?2, code = ?3, field = ?4, text = ?5
                WHERE no = ?1";
            db.prepare_cached(refused)?.execute(params![no, retries, code, field, text])?;
        }
    }
    Ok(())
}

fn letter(db: &Connection, day: Option<Day>, row: &LetterRow) -> Result<(), StoreError> {
    let base = day.map_or(0, |day| i64::from(day) * LETTERS_PER_DAY);
    db.prepare_cached(
        "INSERT INTO rs_dead_letter (no, seq, received_ms, queue, transport, user, peer,
           message_id, properties, body, code, field, text, producer, letter_key)
         VALUES (ifnull((SELECT max(no) FROM rs_dead_letter), ?1) + 1,
           ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        base,
        row.seq,
        row.received_ms,
        row.queue,
        row.transport,
        row.user,
        row.peer,
        row.message_id,
        row.properties,
        row.body,
        row.code,
        row.field,
        row.text,
        row.producer,
        row.letter_key,
    ])?;
    Ok(())
}

fn books(db: &Connection, changes: &Changes) -> Result<(), StoreError> {
    for ((name, producer), value) in &changes.figures {
        db.prepare_cached(
            "INSERT INTO rs_figure VALUES (?1, ?2, ?3)
             ON CONFLICT (name, producer) DO UPDATE SET value = value + ?3",
        )?
        .execute(params![name, producer, value])?;
    }
    for ((producer, boot, minute_ms), stored) in &changes.stored_minutes {
        db.prepare_cached(
            "INSERT INTO rs_stored_minute VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (producer, boot, minute_ms) DO UPDATE SET stored = stored + ?4",
        )?
        .execute(params![producer, boot, minute_ms, stored])?;
    }
    for ((producer, boot, stream), row) in &changes.streams {
        db.prepare_cached(
            "INSERT OR REPLACE INTO rs_producer_stream
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            producer,
            boot,
            stream,
            row.received.encode(),
            row.max_seq.cast_signed(),
            row.announced_seq.cast_signed(),
            row.duplicates.cast_signed(),
            row.first_ms,
            row.last_ms,
            Gap::encode(&row.gaps),
        ])?;
    }
    for ((producer, boot, minute_ms), row) in &changes.minutes {
        db.prepare_cached(
            "INSERT OR REPLACE INTO rs_integrity_minute
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            producer,
            boot,
            minute_ms,
            row.calls_in,
            row.records_out,
            row.adopted_in,
            row.handed_out,
            row.rejected,
            row.in_progress,
        ])?;
    }
    for (guid, day) in &changes.call_days {
        db.prepare_cached("INSERT OR IGNORE INTO rs_call_day VALUES (?1, ?2)")?
            .execute(params![guid, day])?;
    }
    Ok(())
}
