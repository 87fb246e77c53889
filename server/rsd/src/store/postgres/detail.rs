//! One call with all that hangs on it, and the books: the reader's questions that are no list.

use std::collections::BTreeMap;

use model::record::{CallGuid, ComponentType};
use rs::correlate::Candidate;
use rs::report::Call;
use rs::share::SessionName;
use rs::{CallState, Day, Key};
use tokio_postgres::Row;

use super::hanging;
use super::link::{Uid, Values};
use super::load::{signed, uid, unsigned};
use super::read::{Reader, as_id};
use crate::store::said::{MOST_CALLS, Place, Search};
use crate::store::{CallName, Event, Events, Leg, StoreError, days_of_guid, days_of_key};

impl Reader<'_> {
    /// The legs of a call, RM's first, earliest first.
    pub(super) fn detail(&mut self, name: &CallName, events: bool) -> Result<Vec<Leg>, StoreError> {
        let keys = match name {
            CallName::Guid(guid) => self.keys_of_guid(guid)?,
            CallName::Key(key) => {
                let days: Vec<i32> = days_of_key(key).into_iter().map(signed).collect();
                let sql = "SELECT day, call_key FROM rs_call
                    WHERE day = ANY($1) AND call_key = $2 ORDER BY day";
                let rows = self.link.query(sql, &[&days, &Uid(*key)])?;
                rows.iter().map(|row| (unsigned(row.get(0)), uid(row, 1))).collect()
            }
        };
        let calls = self.calls(&keys)?;
        let mut legs = Vec::new();
        for ((day, _), call) in keys.into_iter().zip(calls) {
            legs.push(self.leg(day, call, events)?);
        }
        Ok(legs)
    }

    fn keys_of_guid(&mut self, guid: &CallGuid) -> Result<Vec<(Day, Key)>, StoreError> {
        let text = guid.to_string();
        let mut days: Vec<i32> = days_of_guid(guid).into_iter().map(signed).collect();
        let apart = "SELECT day FROM rs_call_day WHERE guid = $1";
        days.extend(self.link.query(apart, &[&text])?.iter().map(|row| row.get::<_, i32>(0)));
        let sql = "SELECT day, call_key FROM rs_call WHERE day = ANY($1) AND guid = $2
            ORDER BY component_type <> $3, started_ms, coalesce(leg, 0), call_key";
        let rm = i16::from(ComponentType::Rm.number());
        let rows = self.link.query(sql, &[&days, &text, &rm])?;
        Ok(rows.iter().map(|row| (unsigned(row.get(0)), uid(row, 1))).collect())
    }

    fn leg(&mut self, day: Day, call: Call, events: bool) -> Result<Leg, StoreError> {
        let at = (signed(day), Uid(call.key));
        let sql = "SELECT c.parent_key, c.extra::text, s.state, t.steps FROM rs_call c
            LEFT JOIN rs_call_fact_state s USING (day, call_key)
            LEFT JOIN rs_call_trace t USING (day, call_key)
            WHERE c.day = $1 AND c.call_key = $2";
        let rows = self.link.query(sql, &[&at.0, &at.1])?;
        let row = rows.first();
        let parent = row.and_then(|row| row.get::<_, Option<Uid>>(0)).map(|uid| uid.0);
        let extra = row.and_then(|row| row.get::<_, Option<String>>(1)).map(|text| plain(&text));
        let state: Option<&[u8]> = row.and_then(|row| row.get(2));
        let missing = match state {
            Some(bytes) => CallState::decode(bytes)?.missing(),
            None => Vec::new(),
        };
        let trace = match row.and_then(|row| row.get::<_, Option<&[u8]>>(3)) {
            Some(packed) => {
                let bytes = zstd::stream::decode_all(packed).map_err(StoreError::Files)?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => None,
        };
        let var = hanging::read(self.link, at)?;
        let events = if events { self.said(day, &call)? } else { Events::default() };
        Ok(Leg { call, parent, extra, missing, trace, events, var })
    }

    /// What was said in a call that lies on this day.
    fn said(&mut self, day: Day, call: &Call) -> Result<Events, StoreError> {
        let mut search = Search::new(day, call);
        for name in Search::names(call) {
            let calls = self.calls_of(&search, call, &name)?;
            for place in search.places(&name, &calls) {
                if let Some((times, most)) = search.left(&place) {
                    search.add(self.events(call, &place, (*times.start(), *times.end(), most))?);
                }
            }
        }
        Ok(search.end())
    }

    /// The calls of a session among which a call looks for what is its own.
    fn calls_of(
        &mut self,
        search: &Search,
        call: &Call,
        name: &SessionName,
    ) -> Result<Vec<Candidate>, StoreError> {
        let days: Vec<i32> = search.candidates().into_iter().map(signed).collect();
        let [Some(first), Some(last)] = [days.first(), days.last()] else { return Ok(Vec::new()) };
        let (which, name) = match name {
            SessionName::Id(id) => ("session_id = $3", id),
            SessionName::Guid(guid) => ("guid = $3", guid),
        };
        let sql = format!(
            "SELECT day, call_key, started_ms, ended_ms FROM rs_call
             WHERE day = ANY($1) AND day BETWEEN $6 AND $7 AND component_id = $2 AND {which}
             ORDER BY abs(started_ms - $4), call_key LIMIT $5"
        );
        let component = i64::from(call.component.id);
        let near_ms = i64::try_from(call.started.0).unwrap_or(i64::MAX);
        // days in an array leave out no partition, the first and the last one do
        let values: Values<'_> = &[&days, &component, name, &near_ms, &MOST_CALLS, first, last];
        let rows = self.link.query(&sql, values)?;
        let candidate = |row: &Row| Candidate {
            day: unsigned(row.get(0)),
            call_key: uid(row, 1),
            started_ms: row.get(2),
            ended_ms: row.get(3),
        };
        Ok(rows.iter().map(candidate).collect())
    }

    /// Events of a session in these times: so many, the first ones.
    fn events(
        &mut self,
        call: &Call,
        place: &Place,
        (from_ms, to_ms, most): (i64, i64, i64),
    ) -> Result<Vec<Event>, StoreError> {
        let (which, name) = match &place.name {
            SessionName::Id(id) => ("session_id = $3", id),
            // an event that names no session hangs on the GUID alone
            SessionName::Guid(guid) => ("session_id = '' AND guid = $3", guid),
        };
        let sql = format!(
            "SELECT time_ms, seq, level, log_id, label, text, component_id, session_id, extra
             FROM rs_call_event WHERE day = ANY($1) AND day BETWEEN $7 AND $8
               AND component_id = $2 AND {which} AND time_ms BETWEEN $4 AND $5
             ORDER BY time_ms, seq LIMIT $6"
        );
        let days: Vec<i32> = place.days.iter().copied().map(signed).collect();
        let [Some(first), Some(last)] = [days.iter().min(), days.iter().max()] else {
            return Ok(Vec::new());
        };
        let component = i64::from(call.component.id);
        let values: Values<'_> = &[&days, &component, name, &from_ms, &to_ms, &most, first, last];
        let rows = self.link.query(&sql, values)?;
        let event = |row: &Row| Event {
            time_ms: row.get(0),
            seq: row.get(1),
            level: u8::try_from(row.get::<_, i16>(2)).unwrap_or_default(),
            log_id: row.get(3),
            label: row.get(4),
            text: row.get(5),
            component_id: as_id(row.get(6)),
            component: Some(call.component.name.clone()),
            session_id: row.get(7),
            extra: row.get(8),
        };
        Ok(rows.iter().map(event).collect())
    }

    pub(super) fn dead_letters(&mut self) -> Result<BTreeMap<String, u64>, StoreError> {
        let sql = "SELECT code, count(*) FROM rs_dead_letter WHERE state = 'open' GROUP BY code";
        let rows = self.link.query(sql, &[])?;
        let count = |row: &Row| (row.get(0), row.get::<_, i64>(1).cast_unsigned());
        Ok(rows.iter().map(count).collect())
    }
}

/// JSON as it was before `jsonb` took it apart: without blanks, members sorted.
fn plain(text: &str) -> String {
    match serde_json::from_str::<BTreeMap<String, serde_json::Value>>(text) {
        Ok(members) => {
            let members = members.iter().map(|(key, value)| {
                let key = serde_json::Value::from(&**key);
                format!("{key}:{}", model::record::canonical(value))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Err(_) => text.to_owned(),
    }
}
