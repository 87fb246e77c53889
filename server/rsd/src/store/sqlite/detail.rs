//! One call with all that hangs on it, and the books: the reader's questions that are no list.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use model::record::{CallGuid, ComponentType};
use rs::Key;
use rs::correlate::Candidate;
use rs::report::Call;
use rs::share::SessionName;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::dims::name_of;
use super::hanging;
use super::load;
use super::owned::{of_calls, of_facts};
use super::purge;
use super::read::Reader;
use crate::store::said::{MOST_CALLS, Search};
use crate::store::{
    CallName, Day, Event, Events, Leg, ObjectKind, StoreError, days_of_guid, days_of_key,
};

impl Reader {
    /// The legs of a call, RM's first, earliest first.
    pub(super) fn detail(&mut self, name: &CallName, events: bool) -> Result<Vec<Leg>, StoreError> {
        let mut legs = Vec::new();
        match name {
            CallName::Guid(guid) => {
                for day in self.days_of_guid(guid)? {
                    if self.is_hidden(day)? {
                        continue;
                    }
                    for key in self.keys_of_guid(day, &guid.to_string())? {
                        legs.extend(self.leg(day, &key, events)?);
                    }
                }
            }
            CallName::Key(key) => {
                for day in days_of_key(key) {
                    if self.is_hidden(day)? {
                        continue;
                    }
                    legs.extend(self.leg(day, key, events)?);
                }
            }
        }
        legs.sort_by_key(|Leg { call, .. }| {
            let Call { component, started, leg, key, .. } = call;
            (component.kind != ComponentType::Rm, *started, leg.map_or(0, |leg| leg.0), *key)
        });
        Ok(legs)
    }

    /// The days where the records of a GUID may be.
    pub(super) fn days_of_guid(&self, guid: &CallGuid) -> Result<BTreeSet<Day>, StoreError> {
        let mut days = days_of_guid(guid);
        days.extend(load::days_of(&self.main, &guid.to_string())?);
        Ok(days)
    }

    /// Whether the day is going, and so none of its calls is shown.
    fn is_hidden(&mut self, day: Day) -> Result<bool, StoreError> {
        self.find_with(day)?.map_or(Ok(false), purge::is_hidden)
    }

    fn leg(&mut self, day: Day, key: &Key, events: bool) -> Result<Option<Leg>, StoreError> {
        let Some(call) = self.call(day, key)? else { return Ok(None) };
        let Some(db) = self.find(day)? else { return Ok(None) };
        let trace = "SELECT steps FROM rs_call_trace WHERE call_key = ?1";
        let trace: Option<Vec<u8>> = db.query_row(trace, [key], |row| row.get(0)).optional()?;
        let trace = match trace {
            Some(packed) => {
                let bytes = zstd::stream::decode_all(&*packed).map_err(StoreError::Files)?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => None,
        };
        let rest = "SELECT parent_key, extra FROM rs_call WHERE call_key = ?1";
        let (parent, extra) = db.query_row(rest, [key], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let missing = load::state(db, key)?.map_or_else(Vec::new, |state| state.missing());
        let var = hanging::read_var(db, key)?;
        let events = if events { self.said(day, &call)? } else { Events::default() };
        Ok(Some(Leg { call, parent, extra, missing, trace, events, var }))
    }

    /// What was said in a call that lies on this day.
    fn said(&mut self, day: Day, call: &Call) -> Result<Events, StoreError> {
        let component = i64::from(call.component.id);
        let called = name_of(&self.main, ObjectKind::Component, component)?;
        let mut search = Search::new(day, call);
        for name in Search::names(call) {
            let calls = self.calls_of(&search, call, &name)?;
            for place in search.places(&name, &calls) {
                for day in &place.days {
                    let Some((times, most)) = search.left(&place) else { break };
                    let Some(db) = self.find(*day)? else { continue };
                    let asked = (component, called.as_deref(), times, most);
                    search.add(events(db, &place.name, asked)?);
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
        let (which, name) = of_calls(name);
        let sql = format!(
            "SELECT call_key, started_ms, ended_ms FROM rs_call WHERE {which}
             ORDER BY abs(started_ms - ?3), call_key LIMIT ?4"
        );
        let component = i64::from(call.component.id);
        let near_ms = i64::try_from(call.started.0).unwrap_or(i64::MAX);
        let mut calls = Vec::new();
        for day in search.candidates() {
            let Some(db) = self.find(day)? else { continue };
            let mut statement = db.prepare_cached(&sql)?;
            let read = |row: &Row<'_>| {
                let (call_key, started_ms, ended_ms) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Candidate { day, call_key, started_ms, ended_ms })
            };
            let rows = statement.query_map(params![component, name, near_ms, MOST_CALLS], read)?;
            calls.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(calls)
    }

    pub(super) fn find(&mut self, day: Day) -> Result<Option<&mut Connection>, StoreError> {
        let now_ms = self.now_ms;
        self.days.find(day, now_ms)
    }

    pub(super) fn dead_letters(&mut self) -> Result<BTreeMap<String, u64>, StoreError> {
        let sql = "SELECT code, count(*) FROM rs_dead_letter WHERE state = 'open' GROUP BY code";
        let mut letters = BTreeMap::new();
        let mut add = |db: &Connection| -> Result<(), StoreError> {
            let mut statement = db.prepare_cached(sql)?;
            for row in statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))? {
                let (code, count) = row?;
                *letters.entry(code).or_default() += count.cast_unsigned();
            }
            Ok(())
        };
        add(&self.main)?;
        for day in self.all_days()? {
            self.days.ask(day, self.now_ms, |db| add(db))?;
        }
        Ok(letters)
    }

    pub(super) fn find_with(&mut self, day: Day) -> Result<Option<&Connection>, StoreError> {
        Ok(self.find(day)?.map(|db| &*db))
    }
}

/// Events of a session by its component, whose name this is, in these times: so many, the first
/// ones.
fn events(
    db: &Connection,
    name: &SessionName,
    (component, called, times, most): (i64, Option<&str>, RangeInclusive<i64>, i64),
) -> Result<Vec<Event>, StoreError> {
    let (which, name) = of_facts(name);
    let sql = format!(
        "SELECT t.time_ms, t.seq, t.level, t.log_id, t.label, t.text, t.component_id, t.session_id,
           t.extra
         FROM rs_call_event t WHERE {which} AND t.time_ms BETWEEN ?3 AND ?4
         ORDER BY t.time_ms, t.seq LIMIT ?5"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let values = params![component, name, times.start(), times.end(), most];
    let rows = statement.query_map(values, |row| {
        Ok(Event {
            time_ms: row.get(0)?,
            seq: row.get(1)?,
            level: row.get(2)?,
            log_id: row.get(3)?,
            label: row.get(4)?,
            text: row.get(5)?,
            component_id: row.get(6)?,
            component: called.map(ToOwned::to_owned),
            session_id: row.get(7)?,
            extra: row.get(8)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
