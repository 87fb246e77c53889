//! What a share of a batch writes, as `core/rs` has made it: one statement a table, its rows as
//! arrays. Nothing is decided here.

use rs::integrity::Gap;
use rs::share::{CallLine, Cause, Changes, LedgerRow, Settled};
use rs::{Key, Trace};
use tokio_postgres::types::ToSql;

use super::call::upsert;
use super::custody::note;
use super::link::{Link, Uid};
use super::load::{by_day, signed};
use super::{hanging, marks};
use crate::store::StoreError;
use crate::store::custody::retried;

/// What hangs on a call that is written again.
const HANGING: [&str; 5] =
    ["rs_call_tenant", "rs_call_owner", "rs_var_call", "rs_var_action", "rs_var_custom"];

/// One column of many rows.
pub(super) fn column<R, T: ToSql + Sync>(
    rows: impl IntoIterator<Item = R>,
    value: impl Fn(R) -> T,
) -> Vec<T> {
    rows.into_iter().map(value).collect()
}

/// Writes everything but what came of retries, in an open transaction.
pub(super) fn save(link: &mut Link, changes: &Changes, now_ms: i64) -> Result<(), StoreError> {
    ledger(link, changes)?;
    for (day, keys) in by_day(&changes.gone) {
        for table in ["rs_call_event", "rs_kept_record", "rs_sq_call", "rs_sq_failure"] {
            let sql = format!("DELETE FROM {table} WHERE day = $1 AND id_key = ANY($2)");
            link.execute(&sql, &[&signed(day), &keys])?;
        }
    }
    if !changes.calls.is_empty() {
        upsert(link, &changes.calls)?;
        states(link, &changes.calls)?;
        lists(link, &changes.calls)?;
    }
    events(link, changes)?;
    hanging::quality(link, changes)?;
    kept(link, changes)?;
    letters(link, changes)?;
    books(link, changes)?;
    marks::put(link, changes.marks.iter().copied(), now_ms)?;
    marks::latest(link, &changes.latest)
}

fn ledger(link: &mut Link, changes: &Changes) -> Result<(), StoreError> {
    let statements = [
        (
            &changes.ledger,
            "INSERT INTO rs_fact_ledger
             SELECT * FROM unnest($1::integer[], $2::uuid[], $3::uuid[], $4::bigint[])",
        ),
        (
            &changes.replaced,
            "UPDATE rs_fact_ledger l SET content_hash = n.content_hash
             FROM unnest($1::integer[], $2::uuid[], $3::uuid[], $4::bigint[])
               AS n (day, id_key, content_hash, received_ms)
             WHERE l.day = n.day AND l.id_key = n.id_key",
        ),
    ];
    for (rows, sql) in statements {
        if rows.is_empty() {
            continue;
        }
        // in the order of keys, so that two writers never wait for each other
        let mut rows: Vec<&LedgerRow> = rows.iter().collect();
        rows.sort_by_key(|row| (row.day, row.id_key));
        link.execute(
            sql,
            &[
                &column(&rows, |row| signed(row.day)),
                &column(&rows, |row| Uid(row.id_key)),
                &column(&rows, |row| Uid(row.content_hash)),
                &column(&rows, |row| row.received_ms),
            ],
        )?;
    }
    Ok(())
}

fn states(link: &mut Link, calls: &[CallLine]) -> Result<(), StoreError> {
    link.execute(
        "INSERT INTO rs_call_fact_state
         SELECT * FROM unnest($1::integer[], $2::uuid[], $3::bytea[])
         ON CONFLICT (day, call_key) DO UPDATE SET state = excluded.state",
        &[
            &column(calls, |call| signed(call.day)),
            &column(calls, |call| Uid(call.row.call_key)),
            &column(calls, |call| &*call.state),
        ],
    )?;
    traces(link, calls)
}

fn traces(link: &mut Link, calls: &[CallLine]) -> Result<(), StoreError> {
    let gone = calls.iter().filter(|call| call.trace == Trace::Gone);
    for (day, keys) in by_day(&gone.map(|call| (call.day, call.row.call_key)).collect()) {
        let sql = "DELETE FROM rs_call_trace WHERE day = $1 AND call_key = ANY($2)";
        link.execute(sql, &[&signed(day), &keys])?;
    }
    let (mut traced, mut steps) = (Vec::new(), Vec::new());
    for call in calls {
        if let Trace::New(trace) = &call.trace {
            steps.push(zstd::bulk::compress(trace.as_bytes(), 3).map_err(StoreError::Files)?);
            traced.push(call);
        }
    }
    if !traced.is_empty() {
        link.execute(
            "INSERT INTO rs_call_trace
             SELECT * FROM unnest($1::integer[], $2::uuid[], $3::bytea[])
             ON CONFLICT (day, call_key) DO UPDATE SET steps = excluded.steps",
            &[
                &column(&traced, |call| signed(call.day)),
                &column(&traced, |call| Uid(call.row.call_key)),
                &steps,
            ],
        )?;
    }
    Ok(())
}

/// What hangs on calls, in place of what is there.
fn lists(link: &mut Link, calls: &[CallLine]) -> Result<(), StoreError> {
    let known = calls.iter().filter(|call| call.row_version > 1);
    for (day, keys) in by_day(&known.map(|call| (call.day, call.row.call_key)).collect()) {
        for table in HANGING {
            let sql = format!("DELETE FROM {table} WHERE day = $1 AND call_key = ANY($2)");
            link.execute(&sql, &[&signed(day), &keys])?;
        }
    }
    let tenants: Vec<_> = calls
        .iter()
        .flat_map(|call| call.tenants.iter().map(move |tenant| (call, tenant)))
        .collect();
    if !tenants.is_empty() {
        link.execute(
            "INSERT INTO rs_call_tenant SELECT * FROM unnest($1::integer[], $2::uuid[],
               $3::bigint[], $4::bigint[], $5::integer[], $6::bigint[], $7::smallint[])",
            &[
                &column(&tenants, |(call, _)| signed(call.day)),
                &column(&tenants, |(call, _)| Uid(call.row.call_key)),
                &column(&tenants, |(_, tenant)| tenant.tenant_id),
                &column(&tenants, |(call, _)| call.row.started_ms),
                &column(&tenants, |(_, tenant)| tenant.depth.cast_signed()),
                &column(&tenants, |(_, tenant)| tenant.usage),
                &column(&tenants, |(_, tenant)| tenant.burst.map(i16::from)),
            ],
        )?;
    }
    let owners: Vec<_> = calls
        .iter()
        .flat_map(|call| (1_i32..).zip(&call.owners).map(move |(n, owner)| (call, n, owner)))
        .collect();
    if !owners.is_empty() {
        link.execute(
            "INSERT INTO rs_call_owner SELECT * FROM unnest($1::integer[], $2::uuid[],
               $3::integer[], $4::bigint[], $5::bigint[])",
            &[
                &column(&owners, |(call, ..)| signed(call.day)),
                &column(&owners, |(call, ..)| Uid(call.row.call_key)),
                &column(&owners, |(_, n, _)| *n),
                &column(&owners, |(.., owner)| owner.0),
                &column(&owners, |(.., owner)| owner.1),
            ],
        )?;
    }
    hanging::reports(link, calls)
}

fn events(link: &mut Link, changes: &Changes) -> Result<(), StoreError> {
    let rows = &changes.events;
    if rows.is_empty() {
        return Ok(());
    }
    link.execute(
        "INSERT INTO rs_call_event SELECT * FROM unnest($1::integer[], $2::uuid[], $3::uuid[],
           $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::smallint[],
           $10::text[], $11::text[], $12::text[], $13::text[])",
        &[
            &column(rows, |row| signed(row.day)),
            &column(rows, |row| Uid(row.id_key)),
            &column(rows, |row| Uid(row.call_ref)),
            &column(rows, |row| row.guid.as_deref()),
            &column(rows, |row| row.component_id),
            &column(rows, |row| &*row.session_id),
            &column(rows, |row| row.time_ms),
            &column(rows, |row| row.seq),
            &column(rows, |row| i16::from(row.level)),
            &column(rows, |row| &*row.log_id),
            &column(rows, |row| row.label.as_deref()),
            &column(rows, |row| row.text.as_deref()),
            &column(rows, |row| row.extra.as_deref()),
        ],
    )?;
    Ok(())
}

fn kept(link: &mut Link, changes: &Changes) -> Result<(), StoreError> {
    let rows = &changes.kept;
    if rows.is_empty() {
        return Ok(());
    }
    link.execute(
        "INSERT INTO rs_kept_record SELECT * FROM unnest($1::integer[], $2::uuid[],
           $3::smallint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[],
           $9::bigint[])",
        &[
            &column(rows, |row| signed(row.day)),
            &column(rows, |row| Uid(row.id_key)),
            &column(rows, |row| i16::from(row.kind)),
            &column(rows, |row| &*row.id),
            &column(rows, |row| row.component_id),
            &column(rows, |row| row.time_ms),
            &column(rows, |row| row.received_ms),
            // U+0000 is no text of PostgreSQL's, and JSON writes it as an escape
            &column(rows, |row| row.body.replace('\0', "")),
            &column(rows, |row| row.bin_ms),
        ],
    )?;
    Ok(())
}

fn letters(link: &mut Link, changes: &Changes) -> Result<(), StoreError> {
    let rows = &changes.letters;
    if rows.is_empty() {
        return Ok(());
    }
    link.execute(
        "INSERT INTO rs_dead_letter (seq, received_ms, queue, transport, user_name, peer,
           message_id, properties, body, code, field, text, producer, letter_key)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[],
           $6::text[], $7::text[], $8::text[], $9::bytea[], $10::text[], $11::text[],
           $12::text[], $13::text[], $14::uuid[])",
        &[
            &column(rows, |row| row.seq),
            &column(rows, |row| row.received_ms),
            &column(rows, |row| &*row.queue),
            &column(rows, |row| row.transport),
            &column(rows, |row| row.user.as_deref()),
            &column(rows, |row| &*row.peer),
            &column(rows, |row| row.message_id.as_deref()),
            &column(rows, |row| &*row.properties),
            &column(rows, |row| &*row.body),
            &column(rows, |row| row.code),
            &column(rows, |row| &*row.field),
            &column(rows, |row| &*row.text),
            &column(rows, |row| row.producer.as_deref()),
            &column(rows, |row| Uid(row.letter_key)),
        ],
    )?;
    Ok(())
}

/// What came of retries, in all shares: of several of one letter the last one counts.
pub(super) fn settle(link: &mut Link, mut settled: Vec<Settled>) -> Result<(), StoreError> {
    settled.sort_by_key(|settled| settled.retries);
    for line in retried(&settled) {
        note(link, &line)?;
    }
    for Settled { no, retries, refused, .. } in &settled {
        let retries = i32::try_from(*retries).unwrap_or(i32::MAX);
        match refused {
            None => link.execute(
                "UPDATE rs_dead_letter SET state = 'retried', retries = $2
                 WHERE no = $1 AND state = 'open'",
                &[no, &retries],
            )?,
            Some(Cause { code, field, text }) => link.execute(
                "UPDATE rs_dead_letter SET retries = $2, code = $3, field = $4, text = $5
                 WHERE no = $1",
                &[no, &retries, code, field, text],
            )?,
        };
    }
    Ok(())
}

fn books(link: &mut Link, changes: &Changes) -> Result<(), StoreError> {
    let streams = &changes.streams;
    if !streams.is_empty() {
        link.execute(
            "INSERT INTO rs_producer_stream SELECT * FROM unnest($1::text[], $2::bigint[],
               $3::smallint[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[],
               $8::bigint[], $9::bigint[], $10::bytea[])
             ON CONFLICT (producer, boot, stream) DO UPDATE SET received = excluded.received,
               max_seq = excluded.max_seq, announced_seq = excluded.announced_seq,
               duplicates = excluded.duplicates, first_ms = excluded.first_ms,
               last_ms = excluded.last_ms, gaps = excluded.gaps",
            &[
                &column(streams, |((producer, ..), _)| &**producer),
                &column(streams, |((_, boot, _), _)| *boot),
                &column(streams, |((.., stream), _)| i16::from(*stream)),
                &column(streams, |(_, row)| row.received.encode()),
                &column(streams, |(_, row)| row.max_seq.cast_signed()),
                &column(streams, |(_, row)| row.announced_seq.cast_signed()),
                &column(streams, |(_, row)| row.duplicates.cast_signed()),
                &column(streams, |(_, row)| row.first_ms),
                &column(streams, |(_, row)| row.last_ms),
                &column(streams, |(_, row)| Gap::encode(&row.gaps)),
            ],
        )?;
    }
    let minutes = &changes.minutes;
    if !minutes.is_empty() {
        link.execute(
            "INSERT INTO rs_integrity_minute SELECT * FROM unnest($1::text[], $2::bigint[],
               $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
               $9::bigint[])
             ON CONFLICT (producer, boot, minute_ms) DO UPDATE SET calls_in = excluded.calls_in,
               records_out = excluded.records_out, adopted_in = excluded.adopted_in,
               handed_out = excluded.handed_out, rejected = excluded.rejected,
               in_progress = excluded.in_progress",
            &[
                &column(minutes, |((producer, ..), _)| &**producer),
                &column(minutes, |((.., minute_ms), _)| *minute_ms),
                &column(minutes, |(_, row)| row.calls_in),
                &column(minutes, |(_, row)| row.records_out),
                &column(minutes, |(_, row)| row.adopted_in),
                &column(minutes, |(_, row)| row.handed_out),
                &column(minutes, |(_, row)| row.rejected),
                &column(minutes, |(_, row)| row.in_progress),
                &column(minutes, |((_, boot, _), _)| *boot),
            ],
        )?;
    }
    counts(link, changes)
}

fn counts(link: &mut Link, changes: &Changes) -> Result<(), StoreError> {
    let (figures, stored, days) = (&changes.figures, &changes.stored_minutes, &changes.call_days);
    if !figures.is_empty() {
        link.execute(
            "INSERT INTO rs_figure SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
             ON CONFLICT (name, producer) DO UPDATE SET value = rs_figure.value + excluded.value",
            &[
                &column(figures, |((name, _), _)| *name),
                &column(figures, |((_, producer), _)| &**producer),
                &column(figures, |(_, value)| *value),
            ],
        )?;
    }
    if !stored.is_empty() {
        link.execute(
            "INSERT INTO rs_stored_minute
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
             ON CONFLICT (producer, boot, minute_ms)
             DO UPDATE SET stored = rs_stored_minute.stored + excluded.stored",
            &[
                &column(stored, |((producer, ..), _)| &**producer),
                &column(stored, |((.., minute_ms), _)| *minute_ms),
                &column(stored, |(_, count)| *count),
                &column(stored, |((_, boot, _), _)| *boot),
            ],
        )?;
    }
    if !days.is_empty() {
        link.execute(
            "INSERT INTO rs_call_day SELECT * FROM unnest($1::text[], $2::integer[])
             ON CONFLICT DO NOTHING",
            &[&column(days, |(guid, _)| &**guid), &column(days, |(_, day)| signed(*day))],
        )?;
    }
    Ok(())
}

/// An optional key.
pub(super) fn optional(key: Option<&Key>) -> Option<Uid> {
    key.copied().map(Uid)
}
