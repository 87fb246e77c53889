//! One call with all that hangs on it, and the books: the reader's questions that are no list.

use std::collections::{BTreeMap, BTreeSet};

use model::record::{CallGuid, ComponentType};
use rs::Key;
use rs::report::Call;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::dims::name_of;
use super::hanging;
use super::load;
use super::purge;
use super::read::Reader;
use crate::store::{
    CallName, Day, Event, Leg, ObjectKind, StoreError, days_of_events, days_of_guid, days_of_key,
};

/// Events of one call that are given at once.
const MOST_EVENTS: u32 = 1000;

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
        let mut leg = Leg { call, parent, extra, missing, trace, events: Vec::new(), var };
        if events {
            for day in days_of_events(day, &leg.call) {
                leg.events.extend(self.events(day, &leg)?);
            }
            leg.events.sort_by_key(|event| (event.time_ms, event.seq));
        }
        Ok(Some(leg))
    }

    fn events(&mut self, day: Day, leg: &Leg) -> Result<Vec<Event>, StoreError> {
        let component = i64::from(leg.call.component.id);
        let name = name_of(&self.main, ObjectKind::Component, component)?;
        let Some(db) = self.find(day)? else { return Ok(Vec::new()) };
        // events of RM that name no session hang on the GUID alone
        let mut statement = db.prepare_cached(
            "SELECT time_ms, seq, level, log_id, label, text, component_id, session_id,
               extra
             FROM rs_call_event WHERE component_id = ?1 AND session_id = ?2 AND session_id <> ''
             UNION ALL
             SELECT time_ms, seq, level, log_id, label, text, component_id, session_id,
               extra
             FROM rs_call_event WHERE guid = ?3 AND session_id = '' AND component_id = ?1
             ORDER BY time_ms, seq LIMIT ?4",
        )?;
        let (session, guid) = (&leg.call.session_id, &leg.call.guid);
        let rows = statement.query_map(params![component, session, guid, MOST_EVENTS], |row| {
            Ok(Event {
                time_ms: row.get(0)?,
                seq: row.get(1)?,
                level: row.get(2)?,
                log_id: row.get(3)?,
                label: row.get(4)?,
                text: row.get(5)?,
                component_id: row.get(6)?,
                component: name.clone(),
                session_id: row.get(7)?,
                extra: row.get(8)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
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
