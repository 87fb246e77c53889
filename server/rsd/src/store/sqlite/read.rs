//! Answers questions over the day files, newest first. Each reader has connections of its own, so
//! it never blocks the writer and is never blocked by it (spec rs.md §3.3).

use model::id::LegId;
use model::record::{CallType, ComponentType, EndState};
use model::time::Millis;
use rs::report::{Application, Call, Component, Resource, TenantOf, legs_of_session, service};
use rs::row::flag;
use rs::{Filter, Key};
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use super::dims::name_of;
use super::files::{Days, Layout};
use crate::store::condition::Condition;
use crate::store::{Day, Item, ObjectKind, Page, Position, StoreError, Unit};

/// One set of connections.
pub(super) struct Reader {
    pub(super) main: Connection,
    pub(super) days: Days,
    pub(super) now_ms: i64,
}

/// A hit of a list: where it stands, and its day.
type Hit = (Position, Day);

impl Reader {
    pub(super) fn open(layout: Layout, most_days: usize, now_ms: i64) -> Result<Self, StoreError> {
        let main = layout.open_main(now_ms)?;
        Ok(Self { main, days: Days::new(layout, most_days), now_ms })
    }

    pub(super) fn page(
        &mut self,
        filter: &Filter,
        page: u32,
        page_size: u32,
        now: Millis,
    ) -> Result<Page, StoreError> {
        let condition = Condition::of(&mut self.main, filter, Unit::Leg, now)?;
        let days = self.days_for(filter)?;
        let skip = usize::try_from(page.saturating_sub(1)).unwrap_or(0) * as_usize(page_size);
        let hits = self.hits(&days, &condition, skip + as_usize(page_size))?;
        let mut calls = Vec::new();
        for (position, day) in hits.into_iter().skip(skip) {
            calls.extend(self.call(day, &position.call_key)?);
        }
        Ok(Page { calls, records: self.count_in(&days, &condition)? })
    }

    pub(super) fn list(
        &mut self,
        filter: &Filter,
        unit: Unit,
        after: Option<Position>,
        limit: u32,
        now: Millis,
    ) -> Result<Vec<Item>, StoreError> {
        let mut condition = Condition::of(&mut self.main, filter, unit, now)?;
        condition.after(after);
        let mut days = self.days_for(filter)?;
        if let Some(after) = after {
            days.retain(|day| day.first_ms <= after.started_ms);
        }
        let mut items = Vec::new();
        for (position, day) in self.hits(&days, &condition, as_usize(limit))? {
            let Some(call) = self.call(day, &position.call_key)? else { continue };
            let legs = match (unit, &call.guid) {
                (Unit::Guid, Some(guid)) => {
                    let guid = guid.clone();
                    self.session(day, &guid, filter.scope.as_deref())?
                }
                _ => vec![call],
            };
            items.push(Item { position, legs });
        }
        Ok(items)
    }

    pub(super) fn count(
        &mut self,
        filter: &Filter,
        unit: Unit,
        now: Millis,
    ) -> Result<u64, StoreError> {
        let condition = Condition::of(&mut self.main, filter, unit, now)?;
        let days = self.days_for(filter)?;
        self.count_in(&days, &condition)
    }

    /// A call of a day, with the names of its objects.
    pub(super) fn call(&mut self, day: Day, key: &Key) -> Result<Option<Call>, StoreError> {
        let Self { main, days, now_ms } = self;
        let Some(db) = days.find(day, *now_ms)? else { return Ok(None) };
        let raw = db
            .prepare_cached(&format!("{SELECT} WHERE call_key = ?1"))?
            .query_row([key], Raw::of)
            .optional()?;
        raw.map(|raw| raw.named(main, db)).transpose()
    }

    /// Many calls. A file is locked once for all of its own: to lock it for each statement takes
    /// longer than the statement. After an error these connections are not used again.
    pub(super) fn calls(&mut self, keys: &[(Day, Key)]) -> Result<Vec<Call>, StoreError> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        let mut calls = Vec::with_capacity(keys.len());
        self.main.execute_batch("BEGIN")?;
        for keys in keys.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((day, _)) = keys.first() else { continue };
            let Some(db) = self.days.find(*day, self.now_ms)? else { continue };
            db.execute_batch("BEGIN")?;
            for (day, key) in keys {
                calls.extend(self.call(*day, key)?);
            }
            if let Some(db) = self.days.find(*day, self.now_ms)? {
                db.execute_batch("COMMIT")?;
            }
        }
        self.main.execute_batch("COMMIT")?;
        Ok(calls)
    }

    /// Calls in progress and the ended legs of their sessions, at most so many.
    pub(super) fn in_progress(&mut self, most: usize) -> Result<Vec<(Day, Key)>, StoreError> {
        let sql = format!(
            "SELECT call_key FROM rs_call WHERE live = 1
             UNION SELECT o.call_key FROM rs_call c JOIN rs_call o ON o.guid = c.guid
               WHERE c.live = 1 LIMIT {most}"
        );
        let mut keys = Vec::new();
        for day in self.live_days()? {
            // a damaged day holds up none of the others, as in lists
            let found = self.days.ask(day, self.now_ms, |db| {
                let mut statement = db.prepare(&sql)?;
                let keys = statement.query_map([], |row| Ok((day, row.get(0)?)))?;
                Ok(keys.collect::<Result<Vec<_>, _>>()?)
            })?;
            keys.extend(found.unwrap_or_default());
            keys.truncate(most);
        }
        Ok(keys)
    }

    fn live_days(&self) -> Result<Vec<Day>, StoreError> {
        let mut statement = self.main.prepare_cached("SELECT DISTINCT day FROM rs_live_key")?;
        let days = statement.query_map([], |row| row.get(0))?;
        Ok(days.collect::<Result<_, _>>()?)
    }

    /// The legs that show a session, first one first.
    fn session(
        &mut self,
        day: Day,
        guid: &str,
        scope: Option<&[u32]>,
    ) -> Result<Vec<Call>, StoreError> {
        let mut legs = Vec::new();
        for key in self.keys_of_guid(day, guid)? {
            legs.extend(self.call(day, &key)?);
        }
        legs_of_session(&mut legs, scope);
        Ok(legs)
    }

    pub(super) fn keys_of_guid(&mut self, day: Day, guid: &str) -> Result<Vec<Key>, StoreError> {
        let Some(db) = self.days.find(day, self.now_ms)? else { return Ok(Vec::new()) };
        let rm = ComponentType::Rm.number();
        let mut statement = db.prepare_cached(
            "SELECT call_key FROM rs_call WHERE guid = ?1
             ORDER BY component_type <> ?2, started_ms, ifnull(leg, 0), call_key",
        )?;
        let keys = statement.query_map(params![guid, rm], |row| row.get(0))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// The first `most` hits over all days, newest start first. Days may overlap: a session of
    /// one day may have legs that begin the next.
    fn hits(
        &mut self,
        days: &[Span],
        condition: &Condition,
        most: usize,
    ) -> Result<Vec<Hit>, StoreError> {
        let sql = newest(condition, most);
        let mut hits: Vec<Hit> = Vec::new();
        for span in days {
            let oldest = hits.get(most.saturating_sub(1));
            if oldest.is_some_and(|(oldest, _)| span.last_ms < oldest.started_ms) {
                break;
            }
            let Some(db) = self.days.find(span.day, self.now_ms)? else { continue };
            let mut statement = db.prepare(&sql)?;
            let rows = statement.query_map(params_from_iter(condition.values()), |row| {
                Ok(Position { started_ms: row.get(0)?, call_key: row.get(1)? })
            })?;
            for position in rows {
                hits.push((position?, span.day));
            }
            hits.sort_by(|a, b| b.cmp(a));
            hits.truncate(most);
        }
        Ok(hits)
    }

    fn count_in(&mut self, days: &[Span], condition: &Condition) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM rs_call c{}", condition.sql());
        let mut records = 0;
        for span in days {
            let Some(db) = self.days.find(span.day, self.now_ms)? else { continue };
            let mut statement = db.prepare(&sql)?;
            let values = params_from_iter(condition.values());
            records += statement.query_row(values, |row| row.get::<_, i64>(0))?.cast_unsigned();
        }
        Ok(records)
    }

    /// All days that have a file which can be read.
    pub(super) fn all_days(&self) -> Result<Vec<Day>, StoreError> {
        self.days.whole()
    }

    /// The days that may hold what a filter asks for, the newest last start first.
    fn days_for(&self, filter: &Filter) -> Result<Vec<Span>, StoreError> {
        let spans =
            "SELECT day, first_ms, last_ms FROM rs_day_span ORDER BY last_ms DESC, day DESC";
        let mut statement = self.main.prepare_cached(spans)?;
        let spans = statement.query_map([], |row| {
            Ok(Span { day: row.get(0)?, first_ms: row.get(1)?, last_ms: row.get(2)? })
        })?;
        let mut spans: Vec<Span> = spans.collect::<Result<_, _>>()?;
        let ms = |time: Millis| i64::try_from(time.0).unwrap_or(i64::MAX);
        if let Some(after) = filter.started_after {
            spans.retain(|span| span.last_ms > ms(after));
        }
        // a call cannot end before it starts
        for before in [filter.started_before, filter.ended_before].into_iter().flatten() {
            spans.retain(|span| span.first_ms < ms(before));
        }
        if filter.progress == rs::query::Progress::Live {
            let live = self.live_days()?;
            spans.retain(|span| live.contains(&span.day));
        }
        if let Some(guid) = &filter.guid {
            let days = self.days_of_guid(guid)?;
            spans.retain(|span| days.contains(&span.day));
        }
        Ok(spans)
    }
}

/// The first hits of a day.
pub(super) fn newest(condition: &Condition, most: usize) -> String {
    format!(
        "SELECT c.started_ms, c.call_key FROM rs_call c{}
         ORDER BY c.started_ms DESC, c.call_key DESC LIMIT {most}",
        condition.sql()
    )
}

#[derive(Clone, Copy, Debug)]
struct Span {
    day: Day,
    first_ms: i64,
    last_ms: i64,
}

fn as_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

const SELECT: &str = "SELECT call_key, started_ms, answered_ms, ended_ms, component_type,
    component_id, session_id, guid, leg, epoch, call_type, profile_id, service, dn, local_uri,
    remote_uri, call_id, call_uuid, resource_group, resource_name, resource_address, attempts,
    end_state, sip_status, reason, profile_usage, profile_burst, config_rev, flags FROM rs_call";

/// A row as it lies in the file, objects by id.
struct Raw {
    call: Call,
    profile: Option<i64>,
    profile_usage: Option<u64>,
    profile_burst: Option<u8>,
}

impl Raw {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let time = |ms: i64| Millis(u64::try_from(ms).unwrap_or(0));
        let number = |value: Option<i64>| value.map(i64::cast_unsigned);
        let resource = Resource {
            group: row.get("resource_group")?,
            name: row.get("resource_name")?,
            address: row.get("resource_address")?,
            attempts: number(row.get("attempts")?),
        };
        let component_type: u8 = row.get("component_type")?;
        let call_type: u8 = row.get("call_type")?;
        let end_state: Option<u8> = row.get("end_state")?;
        let call = Call {
            key: row.get("call_key")?,
            session_id: row.get("session_id")?,
            guid: row.get("guid")?,
            call_type: CallType::from_number(call_type).unwrap_or(CallType::Unknown),
            started: time(row.get("started_ms")?),
            answered: row.get::<_, Option<i64>>("answered_ms")?.map(time),
            ended: row.get::<_, Option<i64>>("ended_ms")?.map(time),
            dn: row.get("dn")?,
            local_uri: row.get("local_uri")?,
            remote_uri: row.get("remote_uri")?,
            service: row.get::<_, Option<u8>>("service")?.and_then(service),
            end_state: end_state.and_then(EndState::from_number),
            sip_status: row.get("sip_status")?,
            call_id: row.get("call_id")?,
            call_uuid: row.get("call_uuid")?,
            reason: row.get("reason")?,
            leg: row.get::<_, Option<u32>>("leg")?.map(LegId),
            epoch: row.get::<_, i64>("epoch")?.cast_unsigned(),
            config_rev: number(row.get("config_rev")?),
            component: Component {
                id: row.get("component_id")?,
                name: String::new(),
                kind: ComponentType::from_number(component_type).unwrap_or(ComponentType::Other),
            },
            application: None,
            tenants: Vec::new(),
            resource: Some(resource).filter(|resource| *resource != Resource::default()),
            led: row.get::<_, u32>("flags")? & flag::LED != 0,
        };
        Ok(Self {
            call,
            profile: row.get("profile_id")?,
            profile_usage: number(row.get("profile_usage")?),
            profile_burst: row.get("profile_burst")?,
        })
    }

    fn named(self, main: &Connection, day: &Connection) -> Result<Call, StoreError> {
        let mut call = self.call;
        let name = |kind, id: i64| -> Result<String, StoreError> {
            Ok(name_of(main, kind, id)?.unwrap_or_else(|| id.to_string()))
        };
        call.component.name = name(ObjectKind::Component, i64::from(call.component.id))?;
        if let Some(id) = self.profile {
            let service_of = "SELECT service FROM rs_dim_profile WHERE id = ?1";
            let number: Option<Option<u8>> =
                main.prepare_cached(service_of)?.query_row([id], |row| row.get(0)).optional()?;
            call.application = Some(Application {
                id: as_id(id),
                name: name(ObjectKind::Profile, id)?,
                service: number.flatten().and_then(service),
                usage: self.profile_usage,
                burst: self.profile_burst,
            });
        }
        let mut tenants = day.prepare_cached(
            "SELECT tenant_id, usage, burst FROM rs_call_tenant WHERE call_key = ?1 ORDER BY depth",
        )?;
        let rows = tenants.query_map([call.key], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get(2)?))
        })?;
        for row in rows {
            let (id, usage, burst) = row?;
            let usage = usage.map(i64::cast_unsigned);
            let name = name(ObjectKind::Tenant, id)?;
            call.tenants.push(TenantOf { id: as_id(id), name, usage, burst });
        }
        Ok(call)
    }
}

fn as_id(id: i64) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}
