//! Facts for the rollup job: the calls that touch a bin with what hangs on them, each table in one
//! question.
//!
//! Parents of partitions have no statistics, so that the planner would rather read all days than
//! look up a thousand keys. `LATERAL … OFFSET 0` is not flattened: each key is sought in its day.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;
use rs::Key;
use rs::rollup::{
    ActionFacts, CallFacts, KeptFacts, OWN_BIN_MS, PORT_EVENTS, Question, Stored, Which, own_kinds,
};
use tokio_postgres::Row;

use super::bin_rows::small;
use super::link::{Link, Uid, Values};
use super::load::{signed, uid, unsigned};
use super::save::column;
use crate::store::{Day, StoreError};

type Calls = BTreeMap<(Day, Key), CallFacts>;

/// What is found of a question.
pub(super) fn facts(link: &mut Link, question: &Question) -> Result<Stored, StoreError> {
    let days: Vec<i32> = question.days.iter().map(|day| signed(*day)).collect();
    let mut keys = touching(link, &days, &question.which)?;
    keys.extend(other_legs(link, &keys)?);
    let keys: Vec<(Day, Key)> = keys.into_iter().collect();
    let mut calls = calls(link, &keys)?;
    hang(link, &keys, &mut calls)?;
    ports(link, &keys, (&days, question.all_ports), &mut calls)?;
    let kept = kept(link, &question.which)?;
    let calls = calls.into_values().map(|mut call| {
        call.ports.sort();
        call
    });
    Ok(Stored { calls: calls.collect(), kept })
}

/// Keys of the calls of these days that touch a bin, or are there at an instant.
fn touching(
    link: &mut Link,
    days: &[i32],
    which: &Which,
) -> Result<BTreeSet<(Day, Key)>, StoreError> {
    let rows = match which {
        Which::Covering(at_ms) => {
            // each half has an index
            let sql = "SELECT day, call_key FROM rs_call
                  WHERE day = ANY($1) AND ended_ms >= $2 AND started_ms < $2
                UNION ALL SELECT day, call_key FROM rs_call
                  WHERE day = ANY($1) AND live AND started_ms < $2";
            link.query(sql, &[&days, at_ms])?
        }
        Which::Touching(bin) => {
            let sql = "
                SELECT day, call_key FROM rs_call
                  WHERE day = ANY($1) AND started_ms >= $2 AND started_ms < $3
                UNION SELECT day, call_key FROM rs_call
                  WHERE day = ANY($1) AND ended_ms >= $2 AND ended_ms < $3
                UNION SELECT day, call_key FROM rs_call_owner
                  WHERE day = ANY($1) AND from_ms >= $2 AND from_ms < $3
                UNION SELECT c.day, c.call_key
                  FROM (SELECT DISTINCT component_id, session_id FROM rs_call_event
                    WHERE day = ANY($1) AND log_id = ANY($4) AND time_ms >= $2 AND time_ms < $3
                      AND (session_id <> '' OR guid IS NULL)) e
                  CROSS JOIN LATERAL (SELECT day, call_key FROM rs_call c
                    WHERE c.day = ANY($1) AND c.component_id = e.component_id
                      AND c.session_id = e.session_id OFFSET 0) c
                UNION SELECT c.day, c.call_key
                  FROM (SELECT DISTINCT component_id, guid FROM rs_call_event
                    WHERE day = ANY($1) AND log_id = ANY($4) AND time_ms >= $2 AND time_ms < $3
                      AND session_id = '') e
                  CROSS JOIN LATERAL (SELECT day, call_key FROM rs_call c
                    WHERE c.day = ANY($1) AND c.component_id = e.component_id
                      AND c.guid = e.guid OFFSET 0) c";
            let events: Values<'_> = &[&days, &bin.start_ms, &bin.end_ms, &&PORT_EVENTS[..]];
            link.query(sql, events)?
        }
    };
    Ok(rows.iter().map(|row| (unsigned(row.get(0)), uid(row, 1))).collect())
}

/// Keys of all legs of RM of the sessions of these legs: of the same day, and of others where the
/// GUID does not say its time.
fn other_legs(
    link: &mut Link,
    keys: &BTreeSet<(Day, Key)>,
) -> Result<BTreeSet<(Day, Key)>, StoreError> {
    let sql = "WITH found AS (
          SELECT DISTINCT k.day, c.guid FROM unnest($1::integer[], $2::uuid[]) k (day, call_key)
          CROSS JOIN LATERAL (SELECT guid FROM rs_call c
            WHERE c.day = k.day AND c.call_key = k.call_key
              AND c.component_type = $3 AND c.guid IS NOT NULL OFFSET 0) c)
        SELECT f.day, c.call_key FROM (
          SELECT day, guid FROM found
          UNION SELECT o.day, o.guid FROM found CROSS JOIN LATERAL (
            SELECT day, guid FROM rs_call_day o WHERE o.guid = found.guid OFFSET 0) o) f
        CROSS JOIN LATERAL (SELECT call_key FROM rs_call c
          WHERE c.day = f.day AND c.guid = f.guid AND c.component_type = $3 OFFSET 0) c";
    let rm = i16::from(ComponentType::Rm.number());
    let (days, keys) = arrays(keys);
    let rows = link.query(sql, &[&days, &keys, &rm])?;
    Ok(rows.iter().map(|row| (unsigned(row.get(0)), uid(row, 1))).collect())
}

fn arrays<'k>(keys: impl IntoIterator<Item = &'k (Day, Key)>) -> (Vec<i32>, Vec<Uid>) {
    keys.into_iter().map(|(day, key)| (signed(*day), Uid(*key))).unzip()
}

/// Rows that hang on calls: each begins with the call's day and key.
fn each(
    link: &mut Link,
    keys: &[(Day, Key)],
    sql: &str,
    calls: &mut Calls,
    put: impl Fn(&mut CallFacts, &Row),
) -> Result<(), StoreError> {
    let (days, keys) = arrays(keys);
    for row in link.query(sql, &[&days, &keys])? {
        if let Some(call) = calls.get_mut(&(unsigned(row.get(0)), uid(&row, 1))) {
            put(call, &row);
        }
    }
    Ok(())
}

fn calls(link: &mut Link, keys: &[(Day, Key)]) -> Result<Calls, StoreError> {
    let sql = "SELECT k.day, k.call_key, component_type, component_id, guid, call_type, profile_id,
          service, dn, started_ms, answered_ms, ended_ms, end_state, asr_used, tts_used,
          media::text, sq_failed
        FROM unnest($1::integer[], $2::uuid[]) k (day, call_key)
        CROSS JOIN LATERAL (SELECT * FROM rs_call c
          WHERE c.day = k.day AND c.call_key = k.call_key OFFSET 0) c";
    let (days, keys) = arrays(keys);
    let rows = link.query(sql, &[&days, &keys])?;
    let word = |row: &Row, at| row.get::<_, Option<i16>>(at).map(|_| small(row, at));
    let call = |row: &Row| CallFacts {
        day: unsigned(row.get(0)),
        call_key: uid(row, 1),
        component_type: small(row, 2),
        component_id: row.get(3),
        guid: row.get(4),
        call_type: small(row, 5),
        profile_id: row.get(6),
        service: word(row, 7),
        dn: row.get(8),
        started_ms: row.get(9),
        answered_ms: row.get(10),
        ended_ms: row.get(11),
        end_state: word(row, 12),
        asr_used: row.get(13),
        tts_used: row.get(14),
        media: row.get(15),
        sq_failed: row.get(16),
        ..CallFacts::default()
    };
    Ok(rows.iter().map(call).map(|call| ((call.day, call.call_key), call)).collect())
}

/// What hangs on calls.
fn hang(link: &mut Link, keys: &[(Day, Key)], calls: &mut Calls) -> Result<(), StoreError> {
    let tenants = "SELECT k.day, k.call_key, tenant_id
        FROM unnest($1::integer[], $2::uuid[]) k (day, call_key)
        CROSS JOIN LATERAL (SELECT * FROM rs_call_tenant t
          WHERE t.day = k.day AND t.call_key = k.call_key OFFSET 0) t
        ORDER BY 1, 2, depth";
    each(link, keys, tenants, calls, |call, row| call.tenants.push(row.get(2)))?;
    let owners = "SELECT k.day, k.call_key, component_id, from_ms
        FROM unnest($1::integer[], $2::uuid[]) k (day, call_key)
        CROSS JOIN LATERAL (SELECT * FROM rs_call_owner t
          WHERE t.day = k.day AND t.call_key = k.call_key OFFSET 0) t
        ORDER BY 1, 2, n";
    each(link, keys, owners, calls, |call, row| call.owners.push((row.get(2), row.get(3))))?;
    let rm = ComponentType::Rm.number();
    let of_others = |key: &&(Day, Key)| calls.get(*key).is_some_and(|of| of.component_type != rm);
    let others: Vec<(Day, Key)> = keys.iter().filter(of_others).copied().collect();
    let word = |row: &Row, at| row.get::<_, Option<i16>>(at).map(|_| small(row, at));
    let told = "SELECT k.day, k.call_key, result, reason
        FROM unnest($1::integer[], $2::uuid[]) k (day, call_key)
        CROSS JOIN LATERAL (SELECT * FROM rs_var_call t
          WHERE t.day = k.day AND t.call_key = k.call_key OFFSET 0) t";
    each(link, &others, told, calls, |call, row| {
        (call.result, call.reason) = (word(row, 2), row.get(3));
    })?;
    let actions = "SELECT k.day, k.call_key, action, started_ms, ended_ms, result, is_last
        FROM unnest($1::integer[], $2::uuid[]) k (day, call_key)
        CROSS JOIN LATERAL (SELECT * FROM rs_var_action t
          WHERE t.day = k.day AND t.call_key = k.call_key OFFSET 0) t
        ORDER BY 1, 2, n";
    each(link, &others, actions, calls, |call, row| {
        call.actions.push(ActionFacts {
            action: row.get(2),
            started_ms: row.get(3),
            ended_ms: row.get(4),
            result: word(row, 5),
            is_last: row.get(6),
        });
    })?;
    // a failure names the session, or the GUID alone
    let failures = "SELECT k.day, k.call_key, f.time_ms, f.type
        FROM unnest($1::integer[], $2::uuid[]) k (day, call_key)
        CROSS JOIN LATERAL (SELECT component_id, session_id, guid FROM rs_call c
          WHERE c.day = k.day AND c.call_key = k.call_key AND c.sq_failed OFFSET 0) c
        CROSS JOIN LATERAL (SELECT time_ms, type FROM rs_sq_failure f
          WHERE f.day = k.day AND f.component_id = c.component_id
            AND (f.session_id = c.session_id OR f.session_id = '' AND f.guid = c.guid) OFFSET 0) f
        ORDER BY f.time_ms, f.type";
    each(link, &others, failures, calls, |call, row| {
        call.failures.push((row.get(2), small(row, 3)));
    })
}

/// Events of ports, of the days that are asked for.
fn ports(
    link: &mut Link,
    keys: &[(Day, Key)],
    (days, all): (&[i32], bool),
    calls: &mut Calls,
) -> Result<(), StoreError> {
    let rm = ComponentType::Rm.number();
    let wanted = |key: &&(Day, Key)| {
        let of = calls.get(*key);
        of.is_some_and(|of| of.component_type != rm && (all || of.media.is_none()))
    };
    let keys: Vec<(Day, Key)> = keys.iter().filter(wanted).copied().collect();
    let sql = "SELECT k.day, k.call_key, e.time_ms, e.log_id
        FROM unnest($1::integer[], $2::uuid[]) k (day, call_key)
        CROSS JOIN LATERAL (SELECT component_id, session_id, guid FROM rs_call c
          WHERE c.day = k.day AND c.call_key = k.call_key OFFSET 0) c
        CROSS JOIN LATERAL (SELECT time_ms, log_id, seq FROM rs_call_event e
          WHERE e.day = ANY($3) AND e.component_id = c.component_id
            AND (e.session_id = c.session_id OR e.session_id = '' AND e.guid = c.guid)
            AND e.log_id IN ('asr_open', 'asr_close', 'tts_open', 'tts_close') OFFSET 0) e
        ORDER BY e.time_ms, e.seq";
    let values: Values<'_> =
        &[&column(&keys, |(day, _)| signed(*day)), &column(&keys, |(_, key)| Uid(*key)), &days];
    for row in link.query(sql, values)? {
        if let Some(call) = calls.get_mut(&(unsigned(row.get(0)), uid(&row, 1))) {
            call.ports.push((row.get(2), row.get(3)));
        }
    }
    Ok(())
}

/// Producers' own figures.
fn kept(link: &mut Link, which: &Which) -> Result<Vec<KeptFacts>, StoreError> {
    let (from_ms, to_ms) = match which {
        Which::Touching(bin) => (bin.start_ms - OWN_BIN_MS, bin.end_ms),
        Which::Covering(at_ms) => (at_ms - OWN_BIN_MS, *at_ms),
    };
    let sql = "SELECT component_id, received_ms, body FROM rs_kept_record
        WHERE bin_ms >= $1 AND bin_ms < $2 AND kind = ANY($3) ORDER BY received_ms, day, id_key";
    let kinds: Vec<i16> = own_kinds().map(i16::from).to_vec();
    let rows = link.query(sql, &[&from_ms, &to_ms, &kinds])?;
    let kept = |row: &Row| KeptFacts {
        component_id: row.get::<_, Option<i64>>(0).unwrap_or(0),
        received_ms: row.get(1),
        body: row.get(2),
    };
    Ok(rows.iter().map(kept).collect())
}
