//! Lists and calls: positions first, then the rows of a page by their keys, then the names of
//! their objects, each in one question a day or kind.

use std::collections::{BTreeMap, BTreeSet};

use model::id::LegId;
use model::record::{CallType, ComponentType, EndState};
use model::time::Millis;
use rs::report::{Application, Call, Component, Resource, TenantOf, legs_of_session, service};
use rs::row::flag;
use rs::{Day, Filter, Key};
use tokio_postgres::Row;

use super::filter::{numbered, values};
use super::link::{Link, Uid};
use super::load::{signed, uid, unsigned};
use super::objects::names;
use crate::store::condition::Condition;
use crate::store::{Item, ObjectKind, Page, Position, StoreError, Unit};

/// A connection that answers questions.
pub(super) struct Reader<'l> {
    pub(super) link: &'l mut Link,
}

/// Where a hit stands, and its day.
type Hit = (Position, Day);

impl<'l> Reader<'l> {
    pub(super) const fn new(link: &'l mut Link) -> Self {
        Self { link }
    }

    pub(super) fn page(
        &mut self,
        filter: &Filter,
        page: u32,
        page_size: u32,
        now: Millis,
    ) -> Result<Page, StoreError> {
        let condition = Condition::of(self.link, filter, Unit::Leg, now)?;
        let skip = u64::from(page.saturating_sub(1)) * u64::from(page_size);
        let hits = self.hits(&condition, skip, page_size)?;
        let keys: Vec<_> = hits.iter().map(|(position, day)| (*day, position.call_key)).collect();
        let calls = self.calls(&keys)?;
        Ok(Page { calls, records: self.count_of(&condition)? })
    }

    pub(super) fn list(
        &mut self,
        filter: &Filter,
        unit: Unit,
        after: Option<Position>,
        limit: u32,
        now: Millis,
    ) -> Result<Vec<Item>, StoreError> {
        let mut condition = Condition::of(self.link, filter, unit, now)?;
        condition.after(after);
        let hits = self.hits(&condition, 0, limit)?;
        let keys: Vec<_> = hits.iter().map(|(position, day)| (*day, position.call_key)).collect();
        let calls = self.calls(&keys)?;
        let sessions = match unit {
            Unit::Leg => BTreeMap::new(),
            Unit::Guid => self.sessions(&hits, &calls, filter.scope.as_deref())?,
        };
        let items = hits.into_iter().zip(calls).map(|((position, day), call)| {
            let session = call.guid.clone().and_then(|guid| sessions.get(&(day, guid)));
            let legs = session.cloned().unwrap_or_else(|| vec![call]);
            Item { position, legs }
        });
        Ok(items.collect())
    }

    pub(super) fn count(
        &mut self,
        filter: &Filter,
        unit: Unit,
        now: Millis,
    ) -> Result<u64, StoreError> {
        let condition = Condition::of(self.link, filter, unit, now)?;
        self.count_of(&condition)
    }

    /// Calls in progress and the ended legs of their sessions, at most so many.
    pub(super) fn in_progress(&mut self, most: usize) -> Result<Vec<(Day, Key)>, StoreError> {
        let sql = "SELECT day, call_key FROM rs_call WHERE live
            UNION SELECT o.day, o.call_key FROM rs_call c
              JOIN rs_call o ON o.day = c.day AND o.guid = c.guid WHERE c.live
            LIMIT $1";
        let rows = self.link.query(sql, &[&i64::try_from(most).unwrap_or(i64::MAX)])?;
        Ok(rows.iter().map(|row| (unsigned(row.get(0)), uid(row, 1))).collect())
    }

    fn count_of(&mut self, condition: &Condition) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM rs_call c{}", numbered(condition));
        let rows = self.link.once(&sql, &values(condition))?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).cast_unsigned()))
    }

    /// Newest start first.
    fn hits(
        &mut self,
        condition: &Condition,
        skip: u64,
        most: u32,
    ) -> Result<Vec<Hit>, StoreError> {
        let sql = format!(
            "SELECT c.started_ms, c.call_key, c.day FROM rs_call c{}
             ORDER BY c.started_ms DESC, c.call_key DESC LIMIT {most} OFFSET {skip}",
            numbered(condition)
        );
        let rows = self.link.once(&sql, &values(condition))?;
        let hit = |row: &Row| {
            let position = Position { started_ms: row.get(0), call_key: uid(row, 1) };
            (position, unsigned(row.get(2)))
        };
        Ok(rows.iter().map(hit).collect())
    }

    /// The legs that show each session, first one first.
    fn sessions(
        &mut self,
        hits: &[Hit],
        calls: &[Call],
        scope: Option<&[u32]>,
    ) -> Result<BTreeMap<(Day, String), Vec<Call>>, StoreError> {
        let mut guids: BTreeMap<Day, BTreeSet<&str>> = BTreeMap::new();
        for ((_, day), call) in hits.iter().zip(calls) {
            guids.entry(*day).or_default().extend(call.guid.as_deref());
        }
        let mut keys = Vec::new();
        for (day, guids) in guids {
            let guids: Vec<&str> = guids.into_iter().collect();
            let sql = "SELECT call_key FROM rs_call WHERE day = $1 AND guid = ANY($2)
                ORDER BY component_type <> $3, started_ms, coalesce(leg, 0), call_key";
            let rm = i16::from(ComponentType::Rm.number());
            let rows = self.link.query(sql, &[&signed(day), &guids, &rm])?;
            keys.extend(rows.iter().map(|row| (day, uid(row, 0))));
        }
        let mut sessions: BTreeMap<(Day, String), Vec<Call>> = BTreeMap::new();
        let days: Vec<Day> = keys.iter().map(|(day, _)| *day).collect();
        for (day, call) in days.into_iter().zip(self.calls(&keys)?) {
            if let Some(guid) = call.guid.clone() {
                sessions.entry((day, guid)).or_default().push(call);
            }
        }
        sessions.values_mut().for_each(|legs| legs_of_session(legs, scope));
        Ok(sessions)
    }

    /// Calls with the names of their objects, in the order of these keys.
    pub(super) fn calls(&mut self, keys: &[(Day, Key)]) -> Result<Vec<Call>, StoreError> {
        let mut days: BTreeMap<Day, Vec<Uid>> = BTreeMap::new();
        for (day, key) in keys {
            days.entry(*day).or_default().push(Uid(*key));
        }
        let mut found: BTreeMap<(Day, Key), Raw> = BTreeMap::new();
        for (day, keys) in days {
            let sql = format!("{SELECT} WHERE day = $1 AND call_key = ANY($2)");
            for row in self.link.query(&sql, &[&signed(day), &keys])? {
                let raw = Raw::of(&row);
                found.insert((day, raw.call.key), raw);
            }
            let tenants = "SELECT call_key, tenant_id, usage, burst FROM rs_call_tenant
                WHERE day = $1 AND call_key = ANY($2) ORDER BY call_key, depth";
            for row in self.link.query(tenants, &[&signed(day), &keys])? {
                if let Some(raw) = found.get_mut(&(day, uid(&row, 0))) {
                    raw.tenants.push((row.get(1), row.get(2), row.get(3)));
                }
            }
        }
        let names = self.names(found.values())?;
        let calls = keys.iter().filter_map(|at| found.get(at).cloned());
        Ok(calls.map(|raw| raw.named(&names)).collect())
    }

    fn names<'r>(&mut self, calls: impl Iterator<Item = &'r Raw>) -> Result<Names, StoreError> {
        let (mut components, mut profiles, mut tenants) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for raw in calls {
            components.insert(i64::from(raw.call.component.id));
            profiles.extend(raw.profile);
            tenants.extend(raw.tenants.iter().map(|tenant| tenant.0));
        }
        Ok(Names {
            components: names(self.link, ObjectKind::Component, &components)?,
            profiles: names(self.link, ObjectKind::Profile, &profiles)?,
            tenants: names(self.link, ObjectKind::Tenant, &tenants)?,
        })
    }
}

const SELECT: &str = "SELECT call_key, started_ms, answered_ms, ended_ms, component_type,
    component_id, session_id, guid, leg, epoch, call_type, profile_id, service, dn, local_uri,
    remote_uri, call_id, call_uuid, resource_group, resource_name, resource_address, attempts,
    end_state, sip_status, reason, profile_usage, profile_burst, config_rev, flags FROM rs_call";

type ById = BTreeMap<i64, (String, Option<u8>)>;

struct Names {
    components: ById,
    profiles: ById,
    tenants: ById,
}

/// A row as it lies in the table, objects by id.
#[derive(Clone)]
struct Raw {
    call: Call,
    profile: Option<i64>,
    profile_usage: Option<u64>,
    profile_burst: Option<u8>,
    /// Id, usage, burst.
    tenants: Vec<(i64, Option<i64>, Option<i16>)>,
}

impl Raw {
    fn of(row: &Row) -> Self {
        let time = |ms: i64| Millis(u64::try_from(ms).unwrap_or(0));
        let number = |name: &str| row.get::<_, Option<i64>>(name).map(i64::cast_unsigned);
        let word = |name: &str| small(row.get(name));
        let resource = Resource {
            group: row.get("resource_group"),
            name: row.get("resource_name"),
            address: row.get("resource_address"),
            attempts: number("attempts"),
        };
        let kind = word("component_type").and_then(ComponentType::from_number);
        let call_type = word("call_type").and_then(CallType::from_number);
        let status: Option<i32> = row.get("sip_status");
        let leg: Option<i64> = row.get("leg");
        let call = Call {
            key: uid(row, 0),
            session_id: row.get("session_id"),
            guid: row.get("guid"),
            call_type: call_type.unwrap_or(CallType::Unknown),
            started: time(row.get("started_ms")),
            answered: row.get::<_, Option<i64>>("answered_ms").map(time),
            ended: row.get::<_, Option<i64>>("ended_ms").map(time),
            dn: row.get("dn"),
            local_uri: row.get("local_uri"),
            remote_uri: row.get("remote_uri"),
            service: word("service").and_then(service),
            end_state: word("end_state").and_then(EndState::from_number),
            sip_status: status.and_then(|status| u16::try_from(status).ok()),
            call_id: row.get("call_id"),
            call_uuid: row.get("call_uuid"),
            reason: row.get("reason"),
            leg: leg.and_then(|leg| u32::try_from(leg).ok()).map(LegId),
            epoch: row.get::<_, i64>("epoch").cast_unsigned(),
            config_rev: number("config_rev"),
            component: Component {
                id: as_id(row.get("component_id")),
                name: String::new(),
                kind: kind.unwrap_or(ComponentType::Other),
            },
            application: None,
            tenants: Vec::new(),
            resource: Some(resource).filter(|resource| *resource != Resource::default()),
            led: row.get::<_, i64>("flags") & i64::from(flag::LED) != 0,
        };
        Self {
            call,
            profile: row.get("profile_id"),
            profile_usage: number("profile_usage"),
            profile_burst: word("profile_burst"),
            tenants: Vec::new(),
        }
    }

    fn named(self, names: &Names) -> Call {
        let name = |of: &ById, id: i64| {
            of.get(&id).map_or_else(|| id.to_string(), |(name, _)| name.clone())
        };
        let mut call = self.call;
        call.component.name = name(&names.components, i64::from(call.component.id));
        call.application = self.profile.map(|id| Application {
            id: as_id(id),
            name: name(&names.profiles, id),
            service: names.profiles.get(&id).and_then(|(_, number)| *number).and_then(service),
            usage: self.profile_usage,
            burst: self.profile_burst,
        });
        let tenants = self.tenants.into_iter().map(|(id, usage, burst)| TenantOf {
            id: as_id(id),
            name: name(&names.tenants, id),
            usage: usage.map(i64::cast_unsigned),
            burst: small(burst),
        });
        call.tenants = tenants.collect();
        call
    }
}

fn small(number: Option<i16>) -> Option<u8> {
    number.and_then(|number| u8::try_from(number).ok())
}

pub(super) fn as_id(id: i64) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}
