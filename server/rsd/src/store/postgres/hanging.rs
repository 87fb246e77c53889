//! What hangs on calls: reports of voice applications and quality.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;
use rs::Day;
use rs::limits::{HELD_PER_BYTE, ROW_BYTES};
use rs::share::{CallLine, Changes, Found, QualityRow, SessionKey, SessionName, Wants};
use rs::var::{self, Report, VarActionRow, VarCallRow, VarCustomRow, VarRows};
use tokio_postgres::Row;

use super::link::{Link, Uid};
use super::load::{self, signed, uid};
use super::save::column;
use crate::store::StoreError;

/// Calls, reports, quality and ports of sessions: four statements for each day and way to name
/// them.
pub(super) fn load(link: &mut Link, wants: &Wants, found: &mut Found) -> Result<(), StoreError> {
    for (at, group) in &groups(&wants.session_calls) {
        calls(link, *at, group, found)?;
        if found.is_cut() {
            return Ok(());
        }
    }
    for (at, group) in &groups(&wants.sessions) {
        of_group(link, *at, group, found)?;
        if found.is_cut() {
            return Ok(());
        }
    }
    Ok(())
}

/// Sessions of one day.
#[derive(Default)]
pub(super) struct Group<'s> {
    pub(super) components: Vec<i64>,
    pub(super) names: Vec<&'s str>,
}

/// Sessions by day, and by whether GUIDs name them.
pub(super) fn groups(sessions: &BTreeSet<SessionKey>) -> BTreeMap<(Day, bool), Group<'_>> {
    let mut groups: BTreeMap<(Day, bool), Group<'_>> = BTreeMap::new();
    for (day, component, name) in sessions {
        let (by_guid, name) = match name {
            SessionName::Id(id) => (false, id),
            SessionName::Guid(guid) => (true, guid),
        };
        let group = groups.entry((*day, by_guid)).or_default();
        group.components.push(*component);
        group.names.push(name);
    }
    groups
}

/// Sessions, as `w`.
const WANTED: &str = "unnest($2::bigint[], $3::text[] COLLATE \"C\") AS w (component, name)";

fn calls(
    link: &mut Link,
    (day, by_guid): (Day, bool),
    Group { components, names }: &Group<'_>,
    found: &mut Found,
) -> Result<(), StoreError> {
    let name = if by_guid { "guid" } else { "session_id" };
    // no fact names a call of RM
    let which = format!(
        "(component_id, {name}) IN (SELECT component, name FROM {WANTED})
         AND component_type <> $4"
    );
    let rm = i16::from(ComponentType::Rm.number());
    load::calls(link, day, &which, &[&signed(day), components, names, &rm], found)
}

fn of_group(
    link: &mut Link,
    (day, by_guid): (Day, bool),
    group: &Group<'_>,
    found: &mut Found,
) -> Result<(), StoreError> {
    let which = match by_guid {
        false => "t.session_id = w.name",
        true => "t.session_id = '' AND t.guid = w.name",
    };
    let Group { components, names } = group;
    let at = signed(day);
    // each session by its index, which `OFFSET` makes sure of
    let sql = format!(
        "SELECT id_key, time_ms, seq, label, text, component, name
         FROM (SELECT e.*, w.component, w.name,
             sum(own) OVER (ROWS UNBOUNDED PRECEDING) AS so_far
           FROM {WANTED}
           CROSS JOIN LATERAL (SELECT id_key, time_ms, seq, label, text,
               {ROW_BYTES} + octet_length(coalesce(text, '')) AS own FROM rs_call_event t
             WHERE t.day = $1 AND t.component_id = w.component AND {which}
               AND t.label LIKE 'com.genesyslab.var.%' OFFSET 0) e) r
         WHERE so_far - own <= $4::bigint"
    );
    let rows = link.query(&sql, &[&at, components, names, &load::most(found)])?;
    for row in &rows {
        found.put_report((day, row.get(5), named(row.get(6), by_guid)), report(row));
    }
    if found.is_cut() {
        return Ok(());
    }
    let sql = format!(
        "{} FROM {WANTED}
           JOIN rs_sq_call t ON t.day = $1 AND t.component_id = w.component AND {which}) q
         WHERE so_far - own <= $4::bigint",
        summed()
    );
    let rows = link.query(&sql, &[&at, components, names, &load::most(found)])?;
    rows.iter().for_each(|row| found.put_quality(quality_row(day, row)));
    if found.is_cut() {
        return Ok(());
    }
    let sql = format!(
        "SELECT w.component, w.name FROM {WANTED}
         CROSS JOIN LATERAL (SELECT FROM rs_call_event t
           WHERE t.day = $1 AND t.component_id = w.component AND {which}
             AND t.log_id IN ('asr_open', 'asr_close', 'tts_open', 'tts_close') LIMIT 1) e"
    );
    let rows = link.query(&sql, &[&at, components, names])?;
    found.ports.extend(rows.iter().map(|row| (day, row.get(0), named(row.get(1), by_guid))));
    Ok(())
}

/// Begins a question for columns that [`quality_row`] reads, and what they come to with those of
/// the rows before.
fn summed() -> String {
    let own = format!("({ROW_BYTES} + {HELD_PER_BYTE} * octet_length(t.fact)::bigint)");
    format!(
        "SELECT * FROM (
           SELECT t.id_key, t.session_id, t.guid, t.time_ms, t.failed, t.fact, t.component_id,
             {own} AS own, sum({own}) OVER (ROWS UNBOUNDED PRECEDING) AS so_far"
    )
}

/// Quality by the key of its record.
pub(super) fn quality_by_key(
    link: &mut Link,
    (day, keys): (Day, &[Uid]),
    found: &mut Found,
) -> Result<(), StoreError> {
    let sql = format!(
        "{} FROM rs_sq_call t WHERE day = $1 AND id_key = ANY($2)) q
         WHERE so_far - own <= $3::bigint",
        summed()
    );
    let rows = link.query(&sql, &[&signed(day), &keys, &load::most(found)])?;
    rows.iter().for_each(|row| found.put_quality(quality_row(day, row)));
    Ok(())
}

fn quality_row(day: Day, row: &Row) -> QualityRow {
    QualityRow {
        day,
        id_key: uid(row, 0),
        component_id: row.get(6),
        session_id: row.get(1),
        guid: row.get(2),
        time_ms: row.get(3),
        failed: row.get(4),
        fact: row.get(5),
    }
}

pub(super) fn named(name: String, by_guid: bool) -> SessionName {
    if by_guid { SessionName::Guid(name) } else { SessionName::Id(name) }
}

fn report(row: &Row) -> Report {
    let label: &str = row.get(3);
    Report {
        id_key: uid(row, 0),
        time_ms: row.get(1),
        number: row.get(2),
        label: label.strip_prefix(var::PREFIX).unwrap_or_default().to_owned(),
        text: row.get::<_, Option<String>>(4).unwrap_or_default(),
    }
}

/// What voice applications reported of calls.
pub(super) fn reports(link: &mut Link, calls: &[CallLine]) -> Result<(), StoreError> {
    let of: Vec<_> = calls.iter().filter_map(|of| Some((of, of.var.call.as_ref()?))).collect();
    if !of.is_empty() {
        link.execute(
            "INSERT INTO rs_var_call SELECT * FROM unnest($1::integer[], $2::uuid[],
               $3::smallint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])",
            &[
                &column(&of, |(call, _)| signed(call.day)),
                &column(&of, |(call, _)| Uid(call.row.call_key)),
                &column(&of, |(_, row)| row.result.map(i16::from)),
                &column(&of, |(_, row)| row.reason.as_deref()),
                &column(&of, |(_, row)| row.notes.as_deref()),
                &column(&of, |(_, row)| i64::from(row.actions)),
                &column(&of, |(_, row)| i64::from(row.ignored)),
            ],
        )?;
    }
    let actions = calls.iter().flat_map(|of| of.var.actions.iter().map(move |row| (of, row)));
    let of: Vec<_> = actions.collect();
    if !of.is_empty() {
        link.execute(
            "INSERT INTO rs_var_action SELECT * FROM unnest($1::integer[], $2::uuid[],
               $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
               $8::smallint[], $9::text[], $10::text[], $11::boolean[])",
            &[
                &column(&of, |(call, _)| signed(call.day)),
                &column(&of, |(call, _)| Uid(call.row.call_key)),
                &column(&of, |(_, row)| i64::from(row.n)),
                &column(&of, |(_, row)| &*row.action),
                &column(&of, |(_, row)| row.parent_n.map(i64::from)),
                &column(&of, |(_, row)| row.started_ms),
                &column(&of, |(_, row)| row.ended_ms),
                &column(&of, |(_, row)| row.result.map(i16::from)),
                &column(&of, |(_, row)| row.reason.as_deref()),
                &column(&of, |(_, row)| row.notes.as_deref()),
                &column(&of, |(_, row)| row.is_last),
            ],
        )?;
    }
    let custom = calls.iter().flat_map(|of| of.var.custom.iter().map(move |row| (of, row)));
    let of: Vec<_> = custom.collect();
    if !of.is_empty() {
        link.execute(
            "INSERT INTO rs_var_custom SELECT * FROM unnest($1::integer[], $2::uuid[],
               $3::text[], $4::text[])",
            &[
                &column(&of, |(call, _)| signed(call.day)),
                &column(&of, |(call, _)| Uid(call.row.call_key)),
                &column(&of, |(_, row)| &*row.name),
                &column(&of, |(_, row)| &*row.value),
            ],
        )?;
    }
    Ok(())
}

/// New rows of `sq_call`, and rows of `sq_failure` in place of what is there.
pub(super) fn quality(link: &mut Link, changes: &Changes) -> Result<(), StoreError> {
    let rows = &changes.quality;
    if !rows.is_empty() {
        link.execute(
            "INSERT INTO rs_sq_call SELECT * FROM unnest($1::integer[], $2::uuid[],
               $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::boolean[], $8::bytea[])",
            &[
                &column(rows, |row| signed(row.day)),
                &column(rows, |row| Uid(row.id_key)),
                &column(rows, |row| row.component_id),
                &column(rows, |row| &*row.session_id),
                &column(rows, |row| row.guid.as_deref()),
                &column(rows, |row| row.time_ms),
                &column(rows, |row| row.failed),
                &column(rows, |row| &*row.fact),
            ],
        )?;
    }
    let lines = &changes.failures;
    if lines.is_empty() {
        return Ok(());
    }
    link.execute(
        "INSERT INTO rs_sq_failure SELECT * FROM unnest($1::integer[], $2::uuid[], $3::uuid[],
           $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
           $10::smallint[], $11::text[], $12::bigint[], $13::bigint[], $14::text[])
         ON CONFLICT (day, failure_key) DO UPDATE SET component_id = excluded.component_id,
           guid = excluded.guid, profile_id = excluded.profile_id,
           tenant_id = excluded.tenant_id, text = excluded.text",
        &[
            &column(lines, |line| signed(line.day)),
            &column(lines, |line| Uid(line.row.failure_key)),
            &column(lines, |line| Uid(line.row.id_key)),
            &column(lines, |line| line.row.time_ms),
            &column(lines, |line| line.component_id),
            &column(lines, |line| &*line.row.session_id),
            &column(lines, |line| line.row.guid.as_deref()),
            &column(lines, |line| line.profile_id),
            &column(lines, |line| line.tenant_id),
            &column(lines, |line| i16::from(line.row.kind)),
            &column(lines, |line| line.row.latency_type.as_deref()),
            &column(lines, |line| line.row.value_ms),
            &column(lines, |line| line.row.threshold_ms),
            &column(lines, |line| line.row.text.as_deref()),
        ],
    )?;
    Ok(())
}

/// What voice applications reported of one call.
pub(super) fn read(link: &mut Link, (day, key): (i32, Uid)) -> Result<VarRows, StoreError> {
    let word = |row: &Row, at: usize| {
        row.get::<_, Option<i16>>(at).and_then(|number| u8::try_from(number).ok())
    };
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let sql = "SELECT result, reason, notes, actions, ignored FROM rs_var_call
        WHERE day = $1 AND call_key = $2";
    let call = link.query(sql, &[&day, &key])?;
    let sql = "SELECT n, action, parent_n, started_ms, ended_ms, result, reason, notes, is_last
        FROM rs_var_action WHERE day = $1 AND call_key = $2 ORDER BY n";
    let actions = link.query(sql, &[&day, &key])?;
    let sql = "SELECT name, value FROM rs_var_custom WHERE day = $1 AND call_key = $2
        ORDER BY name";
    let custom = link.query(sql, &[&day, &key])?;
    Ok(VarRows {
        call: call.first().map(|row| VarCallRow {
            result: word(row, 0),
            reason: row.get(1),
            notes: row.get(2),
            actions: count(row.get(3)),
            ignored: count(row.get(4)),
        }),
        actions: actions
            .iter()
            .map(|row| VarActionRow {
                n: count(row.get(0)),
                action: row.get(1),
                parent_n: row.get::<_, Option<i64>>(2).map(count),
                started_ms: row.get(3),
                ended_ms: row.get(4),
                result: word(row, 5),
                reason: row.get(6),
                notes: row.get(7),
                is_last: row.get(8),
            })
            .collect(),
        custom: custom
            .iter()
            .map(|row| VarCustomRow { name: row.get(0), value: row.get(1) })
            .collect(),
    })
}
