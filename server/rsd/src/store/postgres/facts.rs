//! Facts for the rollup job: the calls that touch a bin with what hangs on them, each table in one
//! question for each day.
//!
//! Parents of partitions have no statistics, so that the planner would rather read all days than
//! look up a thousand keys: one day is asked at a time, which leaves one partition when the
//! statement begins, and `LATERAL … OFFSET 0` is not flattened: each key is sought.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;
use rs::rollup::{
    ActionFacts, Bin, CallFacts, KeptFacts, OWN_BIN_MS, PORT_EVENTS, Question, Stored, Which,
    own_kinds,
};
use rs::{Key, key};
use tokio_postgres::Row;

use super::bin_rows::small;
use super::link::{Link, Values};
use super::load::{by_day, signed, uid, unsigned};
use super::owned;
use crate::store::{Day, StoreError};

type Calls = BTreeMap<(Day, Key), CallFacts>;
type Keys = BTreeSet<(Day, Key)>;

/// What is found of a question.
pub(super) fn facts(link: &mut Link, question: &Question) -> Result<Stored, StoreError> {
    let mut calls = Calls::new();
    for day in &question.days {
        match &question.which {
            Which::Covering(at_ms) => covering(link, *day, *at_ms, &mut calls)?,
            Which::Touching(bin) => touching(link, *day, *bin, &mut calls)?,
        }
    }
    if let Which::Touching(bin) = &question.which {
        let keys = elsewhere(link, &question.days, *bin)?;
        of_keys(link, &keys, &mut calls)?;
    }
    let legs = other_legs(link, &calls)?;
    of_keys(link, &legs, &mut calls)?;
    hang(link, &mut calls)?;
    let kept = kept(link, &question.which)?;
    let mut stored = Stored { calls: calls.into_values().collect(), kept, ..Stored::default() };
    stored.ports = owned::ports(link, &stored.of_ports(question.all_ports))?;
    stored.failures = owned::failures(link, &stored.of_failures())?;
    stored.candidates = owned::candidates(link, &stored.of_candidates())?;
    Ok(stored)
}

/// Columns of a call.
const CALL: &str = "call_key, component_type, component_id, guid, call_type, profile_id, service,
    dn, started_ms, answered_ms, ended_ms, end_state, asr_used, tts_used, media::text, sq_failed,
    session_id";

fn put_calls(
    link: &mut Link,
    day: Day,
    sql: &str,
    values: Values<'_>,
    calls: &mut Calls,
) -> Result<(), StoreError> {
    let word = |row: &Row, at| row.get::<_, Option<i16>>(at).map(|_| small(row, at));
    let call = |row: &Row| CallFacts {
        day,
        call_key: uid(row, 0),
        component_type: small(row, 1),
        component_id: row.get(2),
        guid: row.get(3),
        call_type: small(row, 4),
        profile_id: row.get(5),
        service: word(row, 6),
        dn: row.get(7),
        started_ms: row.get(8),
        answered_ms: row.get(9),
        ended_ms: row.get(10),
        end_state: word(row, 11),
        asr_used: row.get(12),
        tts_used: row.get(13),
        media: row.get(14),
        sq_failed: row.get(15),
        session_id: row.get(16),
        ..CallFacts::default()
    };
    link.each(sql, values, |row| {
        let call = call(row);
        calls.insert((day, call.call_key), call);
    })
}

/// The calls of a day that are there at an instant.
fn covering(link: &mut Link, day: Day, at_ms: i64, calls: &mut Calls) -> Result<(), StoreError> {
    // each half has an index
    for half in ["ended_ms >= $2", "live"] {
        let sql =
            format!("SELECT {CALL} FROM rs_call WHERE day = $1 AND started_ms < $2 AND {half}");
        put_calls(link, day, &sql, &[&signed(day), &at_ms], calls)?;
    }
    Ok(())
}

/// The calls of a day that begin or end in a bin.
fn touching(link: &mut Link, day: Day, bin: Bin, calls: &mut Calls) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT {CALL} FROM rs_call WHERE day = $1
           AND (started_ms >= $2 AND started_ms < $3 OR ended_ms >= $2 AND ended_ms < $3)"
    );
    put_calls(link, day, &sql, &[&signed(day), &bin.start_ms, &bin.end_ms], calls)
}

/// Keys of the calls of these days that change their owner in a bin, and of those that events of
/// ports there may mean, which may lie on the day beside.
fn elsewhere(link: &mut Link, days: &BTreeSet<Day>, bin: Bin) -> Result<Keys, StoreError> {
    let mut keys = Keys::new();
    for day in days {
        let owners = "SELECT call_key FROM rs_call_owner
            WHERE day = $1 AND from_ms >= $2 AND from_ms < $3";
        let rows = link.query(owners, &[&signed(*day), &bin.start_ms, &bin.end_ms])?;
        keys.extend(rows.iter().map(|row| (*day, uid(row, 0))));
        for of_day in key::beside(*day) {
            let sql = "SELECT c.call_key
                  FROM (SELECT DISTINCT component_id, session_id FROM rs_call_event
                    WHERE day = $2 AND log_id = ANY($5) AND time_ms >= $3 AND time_ms < $4
                      AND (session_id <> '' OR guid IS NULL)) e
                  CROSS JOIN LATERAL (SELECT call_key FROM rs_call c
                    WHERE c.day = $1 AND c.component_id = e.component_id
                      AND c.session_id = e.session_id OFFSET 0) c
                UNION SELECT c.call_key
                  FROM (SELECT DISTINCT component_id, guid FROM rs_call_event
                    WHERE day = $2 AND log_id = ANY($5) AND time_ms >= $3 AND time_ms < $4
                      AND session_id = '') e
                  CROSS JOIN LATERAL (SELECT call_key FROM rs_call c
                    WHERE c.day = $1 AND c.component_id = e.component_id
                      AND c.guid = e.guid OFFSET 0) c";
            let (of, at) = (signed(of_day), signed(*day));
            let values: Values<'_> = &[&of, &at, &bin.start_ms, &bin.end_ms, &&PORT_EVENTS[..]];
            let rows = link.query(sql, values)?;
            keys.extend(rows.iter().map(|row| (of_day, uid(row, 0))));
        }
    }
    Ok(keys)
}

/// Keys of all legs of RM of the sessions of these legs: of the same day, and of others where the
/// GUID does not say its time.
fn other_legs(link: &mut Link, calls: &Calls) -> Result<Keys, StoreError> {
    let rm = ComponentType::Rm.number();
    let mut guids: BTreeMap<Day, BTreeSet<String>> = BTreeMap::new();
    for call in calls.values().filter(|call| call.component_type == rm) {
        if let Some(guid) = &call.guid {
            guids.entry(call.day).or_default().insert(guid.clone());
        }
    }
    let all: BTreeSet<&str> = guids.values().flatten().map(|guid| &**guid).collect();
    let named = "SELECT o.day, o.guid FROM unnest($1::text[]) g (guid)
        CROSS JOIN LATERAL (SELECT day, guid FROM rs_call_day o
          WHERE o.guid = g.guid COLLATE \"C\" OFFSET 0) o";
    let rows = match all.is_empty() {
        true => Vec::new(),
        false => link.query(named, &[&all.into_iter().collect::<Vec<_>>()])?,
    };
    for row in &rows {
        guids.entry(unsigned(row.get(0))).or_default().insert(row.get(1));
    }
    let mut keys = Keys::new();
    for (day, guids) in guids {
        let sql = "SELECT c.call_key FROM unnest($2::text[]) g (guid)
            CROSS JOIN LATERAL (SELECT call_key FROM rs_call c
              WHERE c.day = $1 AND c.guid = g.guid COLLATE \"C\" AND c.component_type = $3
              OFFSET 0) c";
        let guids: Vec<String> = guids.into_iter().collect();
        let rows = link.query(sql, &[&signed(day), &guids, &i16::from(rm)])?;
        keys.extend(rows.iter().map(|row| (day, uid(row, 0))));
    }
    Ok(keys)
}

/// Adds the calls of these keys that are not known yet.
fn of_keys(link: &mut Link, keys: &Keys, calls: &mut Calls) -> Result<(), StoreError> {
    let missing: Keys = keys.iter().filter(|key| !calls.contains_key(*key)).copied().collect();
    for (day, keys) in by_day(&missing) {
        let sql = format!(
            "SELECT c.* FROM unnest($2::uuid[]) k (call_key)
             CROSS JOIN LATERAL (SELECT {CALL} FROM rs_call c
               WHERE c.day = $1 AND c.call_key = k.call_key OFFSET 0) c"
        );
        put_calls(link, day, &sql, &[&signed(day), &keys], calls)?;
    }
    Ok(())
}

/// Rows that hang on calls: each begins with the call's key.
fn each(
    link: &mut Link,
    keys: &Keys,
    sql: &str,
    calls: &mut Calls,
    put: impl Fn(&mut CallFacts, &Row),
) -> Result<(), StoreError> {
    for (day, keys) in by_day(keys) {
        link.each(sql, &[&signed(day), &keys], |row| {
            if let Some(call) = calls.get_mut(&(day, uid(row, 0))) {
                put(call, row);
            }
        })?;
    }
    Ok(())
}

/// What hangs on calls.
fn hang(link: &mut Link, calls: &mut Calls) -> Result<(), StoreError> {
    let all: Keys = calls.keys().copied().collect();
    let tenants = "SELECT k.call_key, tenant_id FROM unnest($2::uuid[]) k (call_key)
        CROSS JOIN LATERAL (SELECT tenant_id FROM rs_call_tenant t
          WHERE t.day = $1 AND t.call_key = k.call_key ORDER BY depth OFFSET 0) t";
    each(link, &all, tenants, calls, |call, row| call.tenants.push(row.get(1)))?;
    let owners = "SELECT k.call_key, component_id, from_ms FROM unnest($2::uuid[]) k (call_key)
        CROSS JOIN LATERAL (SELECT component_id, from_ms FROM rs_call_owner t
          WHERE t.day = $1 AND t.call_key = k.call_key ORDER BY n OFFSET 0) t";
    each(link, &all, owners, calls, |call, row| call.owners.push((row.get(1), row.get(2))))?;
    let others = of_others(calls);
    let word = |row: &Row, at| row.get::<_, Option<i16>>(at).map(|_| small(row, at));
    let told = "SELECT k.call_key, result, reason FROM unnest($2::uuid[]) k (call_key)
        CROSS JOIN LATERAL (SELECT result, reason FROM rs_var_call t
          WHERE t.day = $1 AND t.call_key = k.call_key OFFSET 0) t";
    each(link, &others, told, calls, |call, row| {
        (call.result, call.reason) = (word(row, 1), row.get(2));
    })?;
    let actions = "SELECT k.call_key, action, started_ms, ended_ms, result, is_last
        FROM unnest($2::uuid[]) k (call_key)
        CROSS JOIN LATERAL (SELECT * FROM rs_var_action t
          WHERE t.day = $1 AND t.call_key = k.call_key ORDER BY n OFFSET 0) t";
    each(link, &others, actions, calls, |call, row| {
        call.actions.push(ActionFacts {
            action: row.get(1),
            started_ms: row.get(2),
            ended_ms: row.get(3),
            result: word(row, 4),
            is_last: row.get(5),
        });
    })?;
    Ok(())
}

/// Keys of those that are not RM's.
fn of_others(calls: &Calls) -> Keys {
    let rm = ComponentType::Rm.number();
    let others = calls.iter().filter(|(_, call)| call.component_type != rm);
    others.map(|(key, _)| *key).collect()
}

/// Producers' own figures.
fn kept(link: &mut Link, which: &Which) -> Result<Vec<KeptFacts>, StoreError> {
    let (from_ms, to_ms) = match which {
        Which::Touching(bin) => (bin.start_ms - OWN_BIN_MS, bin.end_ms),
        Which::Covering(at_ms) => (at_ms - OWN_BIN_MS, *at_ms),
    };
    let sql = "SELECT component_id, received_ms, id, body FROM rs_kept_record
        WHERE bin_ms >= $1 AND bin_ms < $2 AND kind = ANY($3) ORDER BY received_ms, day, id_key";
    let kinds: Vec<i16> = own_kinds().map(i16::from).to_vec();
    let rows = link.query(sql, &[&from_ms, &to_ms, &kinds])?;
    Ok(rows.iter().map(kept_row).collect())
}

/// Component, time of arrival, id and body.
pub(super) fn kept_row(row: &Row) -> KeptFacts {
    KeptFacts {
        component_id: row.get::<_, Option<i64>>(0).unwrap_or(0),
        received_ms: row.get(1),
        id: row.get(2),
        body: row.get(3),
    }
}
