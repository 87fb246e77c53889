//! What a share of a batch writes, as `core/rs` has made it: many rows in bulk through temporary
//! tables, few one by one.

use rs::integrity::Gap;
use rs::share::{CallLine, Cause, Changes, EventRow, FailureLine, LedgerRow, Settled};
use rs::{Day, Key, Trace};
use tiberius::{ToSql, TokenRow};

use super::custody::note;
use super::failure::Failure;
use super::link::Link;
use super::marks;
use super::row::{int, key, keys, row};
use super::statement::keeping::CALLS_TRACE;
use super::statement::save::{self as sql, STAGED, Staged};
use super::statement::{Statement, custody};
use crate::store::custody::retried;

/// The driver's bulk takes no longer value; such a one goes alone.
pub(super) const BULK_BYTES: usize = 60_000;

/// Makes the temporary tables of a new connection.
pub(super) async fn prepare(link: &mut Link) -> Result<(), Failure> {
    for staged in STAGED {
        link.batch(staged.make).await?;
    }
    Ok(())
}

/// Writes everything but what came of retries.
pub(super) async fn save(link: &mut Link, changes: &Changes, now_ms: i64) -> Result<(), Failure> {
    ledger(link, changes).await?;
    for (day, id_key) in &changes.gone {
        let values: [&dyn ToSql; 2] = [&int(*day), &&id_key[..]];
        link.run(sql::EVENT_GONE, &values).await?;
        link.run(sql::KEPT_GONE, &values).await?;
        link.run(sql::QUALITY_GONE, &values).await?;
        link.run(sql::FAILURE_GONE, &values).await?;
    }
    calls(link, &changes.calls).await?;
    if stage(link, &sql::EVENT, changes.events.iter().map(event)).await? {
        link.run(sql::EVENT.insert, &[]).await?;
    }
    records(link, changes).await?;
    books(link, changes).await?;
    marks::put(link, changes.marks.iter().copied(), now_ms).await?;
    marks::latest(link, &changes.latest).await
}

/// Puts rows into an empty temporary table; false: there are none.
pub(super) async fn stage<'r>(
    link: &mut Link,
    staged: &Staged,
    rows: impl Iterator<Item = TokenRow<'r>>,
) -> Result<bool, Failure> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(false);
    }
    link.batch(staged.clear).await?;
    link.load(staged.table, rows).await?;
    Ok(true)
}

/// Brings the rows that are there up to date, and adds the others.
pub(super) async fn put<'r>(
    link: &mut Link,
    staged: &Staged,
    rows: impl Iterator<Item = TokenRow<'r>>,
) -> Result<(), Failure> {
    if stage(link, staged, rows).await? {
        link.run(staged.update, &[]).await?;
        link.run(staged.insert, &[]).await?;
    }
    Ok(())
}

/// New ids, and those that another content has now.
async fn ledger(link: &mut Link, changes: &Changes) -> Result<(), Failure> {
    if stage(link, &sql::LEDGER, changes.replaced.iter().map(ledger_row)).await? {
        link.run(sql::LEDGER.update, &[]).await?;
    }
    if stage(link, &sql::LEDGER, changes.ledger.iter().map(ledger_row)).await? {
        let new = link.ask(sql::LEDGER_NEW, &[], |cells| cells.key(1)).await?;
        if new.len() != changes.ledger.len() {
            let (new, all) = (new.len(), changes.ledger.len());
            let text = format!("{new} new records of {all}: the others came from elsewhere");
            return Err(Failure::Unexpected(text));
        }
    }
    Ok(())
}

fn ledger_row(of: &LedgerRow) -> TokenRow<'_> {
    row![int(of.day), &of.id_key[..], &of.content_hash[..], of.received_ms]
}

/// Calls and what hangs on them, in place of what is there.
async fn calls(link: &mut Link, calls: &[CallLine]) -> Result<(), Failure> {
    put(link, &sql::CALL, calls.iter().map(call)).await?;
    if calls.iter().any(|call| call.row_version > 1) {
        for unhang in sql::UNHANG {
            link.run(unhang, &[]).await?;
        }
    }
    let (small, large): (Vec<_>, Vec<_>) =
        calls.iter().partition(|call| call.state.len() <= BULK_BYTES);
    let states =
        small.iter().map(|call| row![int(call.day), &call.row.call_key[..], &call.state[..]]);
    put(link, &sql::STATE, states).await?;
    for call in large {
        let values: [&dyn ToSql; 3] = [&int(call.day), &&call.row.call_key[..], &&call.state[..]];
        one(link, [sql::STATE_UPDATE_ONE, sql::STATE_INSERT_ONE], &values).await?;
    }
    traces(link, calls).await?;
    hang(link, calls).await
}

/// Takes traces away.
pub(super) async fn without_traces(link: &mut Link, of: &[(Day, Key)]) -> Result<(), Failure> {
    if !of.is_empty() {
        let of = keys(of.iter().map(|(day, key)| (*day, key)));
        link.run(CALLS_TRACE, &[&of]).await?;
    }
    Ok(())
}

async fn traces(link: &mut Link, calls: &[CallLine]) -> Result<(), Failure> {
    let gone = calls.iter().filter(|call| call.trace == Trace::Gone);
    let gone: Vec<_> = gone.map(|call| (call.day, call.row.call_key)).collect();
    without_traces(link, &gone).await?;
    let mut traces = Vec::new();
    for call in calls {
        if let Trace::New(trace) = &call.trace {
            let packed = zstd::bulk::compress(trace.as_bytes(), 3).map_err(|error| {
                Failure::Unexpected(format!("no trace that could be packed: {error}"))
            })?;
            traces.push((call.day, call.row.call_key, packed));
        }
    }
    let traces = traces.iter().map(|(day, key, packed)| row![int(*day), &key[..], &packed[..]]);
    put(link, &sql::TRACE, traces).await
}

async fn hang(link: &mut Link, calls: &[CallLine]) -> Result<(), Failure> {
    let tenants = calls.iter().flat_map(|call| {
        call.tenants.iter().map(|tenant| {
            let (key, started_ms) = (&call.row.call_key[..], call.row.started_ms);
            row![
                int(call.day),
                key,
                tenant.tenant_id,
                started_ms,
                int(tenant.depth),
                tenant.usage,
                tenant.burst,
            ]
        })
    });
    if stage(link, &sql::CALL_TENANT, tenants).await? {
        link.run(sql::CALL_TENANT.insert, &[]).await?;
    }
    let owners = calls.iter().flat_map(|call| {
        (1..).zip(&call.owners).map(|(n, (component_id, from_ms))| {
            row![int(call.day), &call.row.call_key[..], int(n), *component_id, *from_ms]
        })
    });
    if stage(link, &sql::CALL_OWNER, owners).await? {
        link.run(sql::CALL_OWNER.insert, &[]).await?;
    }
    reports(link, calls).await
}

/// What voice applications reported.
async fn reports(link: &mut Link, calls: &[CallLine]) -> Result<(), Failure> {
    let outcomes = calls.iter().filter_map(|call| {
        let of = call.var.call.as_ref()?;
        let (reason, notes) = (of.reason.as_deref(), of.notes.as_deref());
        let counts = [of.actions, of.ignored].map(i64::from);
        let key = &call.row.call_key[..];
        Some(row![int(call.day), key, of.result, reason, notes, counts[0], counts[1]])
    });
    if stage(link, &sql::OUTCOME, outcomes).await? {
        link.run(sql::OUTCOME.insert, &[]).await?;
    }
    let actions = calls.iter().flat_map(|call| {
        call.var.actions.iter().map(|of| {
            row![
                int(call.day),
                &call.row.call_key[..],
                i64::from(of.n),
                of.action.as_str(),
                of.parent_n.map(i64::from),
                of.started_ms,
                of.ended_ms,
                of.result,
                of.reason.as_deref(),
                of.notes.as_deref(),
                of.is_last,
            ]
        })
    });
    if stage(link, &sql::VAR_ACTION, actions).await? {
        link.run(sql::VAR_ACTION.insert, &[]).await?;
    }
    let custom = calls.iter().flat_map(|call| {
        let (day, key) = (int(call.day), &call.row.call_key[..]);
        call.var.custom.iter().map(move |of| row![day, key, of.name.as_str(), of.value.as_str()])
    });
    if stage(link, &sql::VAR_CUSTOM, custom).await? {
        link.run(sql::VAR_CUSTOM.insert, &[]).await?;
    }
    Ok(())
}

fn failure(line: &FailureLine) -> TokenRow<'_> {
    let of = &line.row;
    row![
        int(line.day),
        &of.failure_key[..],
        &of.id_key[..],
        of.time_ms,
        line.component_id,
        of.session_id.as_str(),
        of.guid.as_deref(),
        line.profile_id,
        line.tenant_id,
        of.kind,
        of.latency_type.as_deref(),
        of.value_ms,
        of.threshold_ms,
        of.text.as_deref(),
    ]
}

fn call(call: &CallLine) -> TokenRow<'_> {
    let of = &call.row;
    row![
        int(call.day),
        &of.call_key[..],
        of.is_live(),
        call.row_version,
        call.last_fact_ms,
        of.started_ms,
        of.answered_ms,
        of.ended_ms,
        of.duration_ms,
        of.component_type,
        call.component_id,
        of.session_id.as_str(),
        of.guid.as_deref(),
        of.leg.map(i64::from),
        of.epoch,
        of.call_type,
        call.tenant_id,
        call.profile_id,
        of.service,
        of.dn.as_deref(),
        of.local_uri.as_str(),
        of.remote_uri.as_str(),
        of.call_id.as_deref(),
        of.call_uuid.as_deref(),
        of.resource_group.as_deref(),
        of.resource_name.as_deref(),
        of.resource_dbid.map(i64::from),
        of.resource_address.as_deref(),
        of.attempts,
        of.end_state,
        of.sip_status.map(i32::from),
        of.reason.as_deref(),
        of.policy.as_deref(),
        of.profile_usage,
        of.profile_burst,
        of.asr_used,
        of.tts_used,
        of.media.as_deref(),
        of.origin.as_deref(),
        key(of.parent_key.as_ref()),
        of.sq_failed,
        of.config_rev,
        i64::from(of.flags),
        of.extra.as_deref(),
        call.boot,
    ]
}

fn event(of: &EventRow) -> TokenRow<'_> {
    row![
        int(of.day),
        &of.id_key[..],
        &of.call_ref[..],
        of.guid.as_deref(),
        of.component_id,
        of.session_id.as_str(),
        of.time_ms,
        of.seq,
        of.level,
        of.log_id.as_str(),
        of.label.as_deref(),
        of.text.as_deref(),
        of.extra.as_deref(),
    ]
}

/// Rows that are few, and may be large.
async fn records(link: &mut Link, changes: &Changes) -> Result<(), Failure> {
    for of in &changes.quality {
        let values: [&dyn ToSql; 8] = [
            &int(of.day),
            &&of.id_key[..],
            &of.component_id,
            &of.session_id,
            &of.guid,
            &of.time_ms,
            &of.failed,
            &of.fact,
        ];
        link.run(sql::QUALITY_INSERT, &values).await?;
    }
    put(link, &sql::FAILURE, changes.failures.iter().map(failure)).await?;
    for of in &changes.kept {
        let values: [&dyn ToSql; 9] = [
            &int(of.day),
            &&of.id_key[..],
            &of.kind,
            &of.id,
            &of.component_id,
            &of.time_ms,
            &of.received_ms,
            &of.body,
            &of.bin_ms,
        ];
        link.run(sql::KEPT_INSERT, &values).await?;
    }
    for of in &changes.letters {
        let values: [&dyn ToSql; 14] = [
            &of.seq,
            &of.received_ms,
            &of.queue,
            &of.transport,
            &of.user,
            &of.peer,
            &of.message_id,
            &of.properties,
            &of.body,
            &of.code,
            &of.field,
            &of.text,
            &of.producer,
            &&of.letter_key[..],
        ];
        link.run(sql::LETTER_INSERT, &values).await?;
    }
    Ok(())
}

/// What came of retries, in all shares: of several of one letter the last one counts.
pub(super) async fn settle(link: &mut Link, mut settled: Vec<Settled>) -> Result<(), Failure> {
    settled.sort_by_key(|settled| settled.retries);
    for line in retried(&settled) {
        note(link, &line).await?;
    }
    for Settled { no, retries, refused, .. } in &settled {
        let retries = int(*retries);
        match refused {
            None => link.run(custody::LETTER_STORED, &[no, &retries]).await?,
            Some(Cause { code, field, text }) => {
                let values: [&dyn ToSql; 5] = [no, &retries, code, field, text];
                link.run(custody::LETTER_REFUSED, &values).await?
            }
        };
    }
    Ok(())
}

async fn books(link: &mut Link, changes: &Changes) -> Result<(), Failure> {
    for ((name, producer), value) in &changes.figures {
        let values: [&dyn ToSql; 3] = [name, producer, value];
        one(link, [sql::FIGURE_UPDATE, sql::FIGURE_INSERT], &values).await?;
    }
    for ((producer, boot, minute_ms), stored) in &changes.stored_minutes {
        let values: [&dyn ToSql; 4] = [producer, boot, minute_ms, stored];
        one(link, [sql::STORED_UPDATE, sql::STORED_INSERT], &values).await?;
    }
    for ((producer, boot, stream), of) in &changes.streams {
        let numbers = [of.max_seq, of.announced_seq, of.duplicates].map(u64::cast_signed);
        let (received, gaps) = (of.received.encode(), Gap::encode(&of.gaps));
        let [max_seq, announced_seq, duplicates] = &numbers;
        let values: [&dyn ToSql; 10] = [
            producer,
            boot,
            stream,
            &received,
            max_seq,
            announced_seq,
            duplicates,
            &of.first_ms,
            &of.last_ms,
            &gaps,
        ];
        one(link, [sql::STREAM_UPDATE, sql::STREAM_INSERT], &values).await?;
    }
    for ((producer, boot, minute_ms), of) in &changes.minutes {
        let values: [&dyn ToSql; 9] = [
            producer,
            boot,
            minute_ms,
            &of.calls_in,
            &of.records_out,
            &of.adopted_in,
            &of.handed_out,
            &of.rejected,
            &of.in_progress,
        ];
        one(link, [sql::MINUTE_UPDATE, sql::MINUTE_INSERT], &values).await?;
    }
    for (guid, day) in &changes.call_days {
        link.run(sql::CALL_DAY, &[guid, &int(*day)]).await?;
    }
    Ok(())
}

/// Everything of this spool up to this sequence is stored.
pub(super) async fn cursor(
    link: &mut Link,
    (name, spool): (&str, &str),
    seq: u64,
    now_ms: i64,
) -> Result<(), Failure> {
    let seq = i64::try_from(seq).unwrap_or(i64::MAX);
    let values: [&dyn ToSql; 4] = [&name, &spool, &seq, &now_ms];
    one(link, [sql::CURSOR_UPDATE, sql::CURSOR_INSERT], &values).await
}

/// Brings one row up to date, or adds it.
pub(super) async fn one(
    link: &mut Link,
    [update, insert]: [Statement; 2],
    values: &[&dyn ToSql],
) -> Result<(), Failure> {
    if link.run(update, values).await? == 0 {
        link.run(insert, values).await?;
    }
    Ok(())
}
