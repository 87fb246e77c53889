//! The calls that a share touches: facts merge into their states, and at the end each becomes its
//! row once. Calls of other components borrow from RM's of the same GUID (rs.md §2.9 rule 7),
//! whichever came first.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;

use super::changes::{CallLine, DayKey, SessionKey, TenantLine};
use super::lending::{Lenders, Lending};
use super::objects::{Mention, ObjectKind, Objects};
use super::reading::StoredCall;
use super::sessions::{self, Session};
use crate::correlate::Lender;
use crate::erase::Numbers;
use crate::fact::CallFact;
use crate::key::{self, Day};
use crate::merge::{CallState, DecodeError, Trace};
use crate::row::{CallRow, Named, flag};
use crate::var::VarRows;

/// A GUID on a day.
pub(super) type DayGuid = (Day, String);

#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    /// As they were read.
    stored: BTreeMap<DayKey, StoredCall>,
    touched: BTreeMap<DayKey, Touched>,
    /// Read for the sake of others, and as they were.
    idle: BTreeMap<DayKey, (Touched, CallRow)>,
    /// Calls that a fact was told of.
    told: BTreeSet<DayKey>,
    pub(super) lending: Lending,
    /// What the touched calls are now.
    rows: BTreeMap<DayKey, CallRow>,
    /// Sessions with events of ports.
    with_ports: BTreeSet<SessionKey>,
    /// Sessions of which an event of a port goes.
    lost_ports: BTreeSet<SessionKey>,
}

#[derive(Clone, Debug)]
struct Touched {
    state: CallState,
    last_fact_ms: i64,
    boot: Option<i64>,
    row_version: i64,
    trace: Trace,
    /// What it was, and what it is, without anything borrowed; `None`: it was not, it borrows
    /// nothing.
    before: Option<Box<CallRow>>,
    plain: Option<Box<CallRow>>,
    /// What it lent.
    lent: Option<Lender>,
}

/// How a call changes, for the marks of its bins.
pub(super) struct Turn<'c> {
    pub(super) at: DayKey,
    /// Without anything borrowed.
    pub(super) before: Option<&'c CallRow>,
    pub(super) after: &'c CallRow,
    /// What it borrows is something else than before.
    pub(super) borrows_anew: bool,
}

impl Calls {
    /// Some that were asked for.
    pub(super) fn found(&mut self, calls: Vec<StoredCall>) {
        self.stored.extend(calls.into_iter().map(|call| ((call.day, call.call_key), call)));
    }

    /// Takes one fact, which came then and from that start. Of a record that another content of its
    /// id replaces, the start stays: its component did tell of the call then.
    pub(super) fn tell(
        &mut self,
        at: DayKey,
        call: &CallFact,
        (received_ms, boot): (i64, Option<i64>),
    ) -> Result<(), DecodeError> {
        self.told.insert(at);
        let touched = self.touch(at)?;
        touched.last_fact_ms = touched.last_fact_ms.max(received_ms);
        touched.boot = touched.boot.max(boot);
        let change = touched.state.apply(call);
        if change.trace != Trace::Same {
            touched.trace = change.trace;
        }
        if change.lends {
            let guid = call.values.guid.clone();
            guid.into_iter().for_each(|guid| self.lending.change((at.0, guid)));
        }
        Ok(())
    }

    /// Erases a call if it tells one of these numbers, or without them whatever it tells, and gives
    /// what is left; one that cannot be read stays.
    pub(super) fn erase(&mut self, at: DayKey, numbers: Option<&Numbers>) -> Option<CallRow> {
        let mut touched = self.stored.get(&at).map(Touched::known)?.ok()?;
        let erased = match numbers {
            Some(numbers) => touched.state.erase_of(numbers),
            None => {
                touched.state.erase();
                true
            }
        };
        let row = erased.then(|| touched.state.row(None));
        if erased {
            touched.trace = Trace::Gone;
            self.touched.insert(at, touched);
        }
        row
    }

    /// What is left of a record that a newcomer replaces: its fact as JSON.
    pub(super) fn body(&mut self, at: DayKey, id: &str) -> Result<Vec<u8>, DecodeError> {
        let fact = self.touch(at)?.state.fact(id).map(serde_json::to_vec);
        Ok(fact.and_then(Result::ok).unwrap_or_default())
    }

    /// The calls that a fact was told of have rows now.
    pub(super) fn make_rows(&mut self) {
        for (at, touched) in &self.touched {
            self.rows.entry(*at).or_insert_with(|| touched.state.row(None));
        }
    }

    /// GUIDs whose calls are to be read: they borrow and lend, and legs of RM are one session;
    /// `changed`: sessions of which something changes; `only`: those that borrow are made again on
    /// that day alone.
    pub(super) fn guids(
        &self,
        changed: &BTreeSet<SessionKey>,
        only: Option<Day>,
        objects: &Objects,
    ) -> BTreeSet<DayGuid> {
        let rows = self.rows.iter().map(|(at, row)| (at.0, row));
        let here = rows.chain(self.borrowing(changed, objects));
        let here = here.filter_map(|(day, row)| Some((day, row.guid.clone()?)));
        let lenders = self.borrowing(changed, objects).flat_map(|(day, row)| {
            let guid = row.guid.as_deref();
            let days = guid.map(|guid| self.lending.lenders((day, guid))).unwrap_or_default();
            days.into_iter().filter_map(move |day| Some((day, guid?.to_owned())))
        });
        here.chain(lenders).chain(self.lending.borrowers(only)).collect()
    }

    /// GUIDs of which is to be asked where their calls lie.
    pub(super) fn apart(
        &self,
        changed: &BTreeSet<SessionKey>,
        objects: &Objects,
    ) -> BTreeSet<String> {
        let borrowing = self.borrowing(changed, objects);
        self.lending.unknown(borrowing.filter_map(|(_, row)| row.guid.as_ref()))
    }

    /// The calls that may borrow, with their days: those that change, and those that something of
    /// a changing session may hang on. What the others borrow nobody asks, or each of them would
    /// bring those of the days beside.
    fn borrowing(
        &self,
        changed: &BTreeSet<SessionKey>,
        objects: &Objects,
    ) -> impl Iterator<Item = (Day, &CallRow)> {
        let idle = self.idle.iter().map(|(at, (_, row))| (at, row));
        let beside = idle.filter(move |(at, row)| is_meant(changed, **at, row, objects));
        let rows = self.rows.iter().chain(beside).map(|(at, row)| (at.0, row));
        rows.filter(|(_, row)| !is_rm(row))
    }

    /// These sessions have events of ports.
    pub(super) fn have_ports(&mut self, sessions: Vec<SessionKey>) {
        self.with_ports.extend(sessions);
    }

    /// Whether events told of ports of a call's session.
    pub(super) fn has_ports(&self, at: DayKey, row: &CallRow, objects: &Objects) -> bool {
        is_meant(&self.with_ports, at, row, objects)
    }

    /// An event of a port of these sessions goes, or may have gone on another day.
    pub(super) fn lose_ports(&mut self, sessions: impl IntoIterator<Item = SessionKey>) {
        self.lost_ports.extend(sessions);
    }

    /// Whether one went that a call may have had.
    pub(super) fn lost_ports(&self, at: DayKey, row: &CallRow, objects: &Objects) -> bool {
        is_meant(&self.lost_ports, at, row, objects)
    }

    /// How the calls that are touched change.
    pub(super) fn turns(&self) -> impl Iterator<Item = Turn<'_>> {
        let lent = self.lenders(true);
        let lends = self.lenders(false);
        self.rows.iter().filter_map(move |(at, row)| {
            let touched = self.touched.get(at)?;
            let guid = row.guid.as_ref().filter(|_| !is_rm(row));
            let of = |all: &Lenders| all.of(guid?, at.0).cloned();
            let what = |lender: Option<Lender>| lender.map(|it| (it.tenant, it.profile));
            let unknown = guid.is_some_and(|guid| self.lending.is_of_another(guid));
            Some(Turn {
                at: *at,
                before: touched.before.as_deref(),
                after: touched.plain.as_deref().unwrap_or(row),
                borrows_anew: unknown || what(of(&lent)) != what(of(&lends)),
            })
        })
    }

    /// Counts calls that have two ends of one epoch now and had not before, or the other way
    /// round, by the names of their components.
    pub(super) fn count_doubled(&self, figures: &mut BTreeMap<(&'static str, String), i64>) {
        let is = |row: &CallRow| i64::from(row.flags & flag::DOUBLE_END != 0);
        for (at, row) in &self.rows {
            let Some(touched) = self.touched.get(at) else { continue };
            let more = is(row) - touched.before.as_deref().map_or(0, is);
            if more != 0 {
                let name = row.component.name.clone().unwrap_or_default();
                *figures.entry(("double_end", name)).or_default() += more;
            }
        }
    }

    /// The legs of RM of each GUID of which one changes: as they were, and as they are.
    pub(super) fn legs(&self) -> BTreeMap<DayGuid, (Vec<&CallRow>, Vec<&CallRow>)> {
        let mut legs: BTreeMap<DayGuid, (Vec<_>, Vec<_>)> = BTreeMap::new();
        for (at, row) in self.rows.iter().filter(|(_, row)| is_rm(row)) {
            let Some(touched) = self.touched.get(at) else { continue };
            let of = legs.entry((at.0, row.guid.clone().unwrap_or_default())).or_default();
            of.0.extend(touched.before.as_deref());
            of.1.push(row);
        }
        for (at, (_, row)) in self.idle.iter().filter(|(_, (_, row))| is_rm(row)) {
            if let Some(of) = legs.get_mut(&(at.0, row.guid.clone().unwrap_or_default())) {
                of.0.push(row);
                of.1.push(row);
            }
        }
        legs
    }

    /// The sessions of the calls that change, so that what hangs on them is read.
    pub(super) fn sessions(&self) -> impl Iterator<Item = Session> {
        self.rows.iter().filter(|(_, row)| !is_rm(row)).flat_map(of)
    }

    /// Components of calls that were found and do not change, as far as their ids are not known:
    /// a session that another one's record changes may be theirs.
    pub(super) fn strangers<'c>(
        &'c self,
        objects: &'c Objects,
    ) -> impl Iterator<Item = Mention> + 'c {
        let beside = self.idle.values().map(|(_, row)| row).filter(|row| !is_rm(row));
        beside.filter_map(|row| row.component.unknown(ObjectKind::Component, objects))
    }

    /// Of those, the calls that a fact was told of.
    pub(super) fn told(&self) -> impl Iterator<Item = Session> {
        let told = self.rows.iter().filter(|(at, _)| self.told.contains(at));
        told.filter(|(_, row)| !is_rm(row)).flat_map(of)
    }

    /// More calls were found. One whose facts cannot be read stays as it is: it is no fault of the
    /// records that it hangs together with.
    pub(super) fn found_more(&mut self, calls: Vec<StoredCall>) {
        for call in calls {
            let at = (call.day, call.call_key);
            let is_known = self.touched.contains_key(&at) || self.idle.contains_key(&at);
            if !is_known && let Ok(touched) = Touched::read(&call) {
                let row = touched.state.row(None);
                self.idle.insert(at, (touched, row));
            }
        }
    }

    /// The state and the row of one that was found and does not change.
    pub(super) fn idle(&self, at: DayKey) -> Option<(&CallState, &CallRow)> {
        self.idle.get(&at).map(|(touched, row)| (&touched.state, row))
    }

    /// Rows of calls that were found, as far as they were made.
    pub(super) fn known(&self) -> impl Iterator<Item = (&DayKey, &CallRow)> {
        self.rows.iter().chain(self.idle.iter().map(|(at, (_, row))| (at, row)))
    }

    /// The calls that something of these sessions may belong to are made again, and those that
    /// borrow something else than before; `only`: of that day. Their components are known.
    pub(super) fn wake(
        &mut self,
        changing: &BTreeSet<SessionKey>,
        only: Option<Day>,
        objects: &Objects,
    ) {
        let changes = |at: &DayKey, row: &CallRow| {
            let guid = row.guid.as_ref();
            let borrows = || guid.is_some_and(|guid| self.lending.has_changed(guid, at.0));
            let here = only.is_none_or(|day| day == at.0);
            here && !is_rm(row) && (is_meant(changing, *at, row, objects) || borrows())
        };
        let idle = std::mem::take(&mut self.idle);
        for (at, (mut touched, row)) in idle {
            if changes(&at, &row) {
                touched.before = Some(Box::new(row.clone()));
                self.touched.insert(at, touched);
                self.rows.insert(at, row);
            } else {
                self.idle.insert(at, (touched, row));
            }
        }
    }

    /// All calls that lend have been found: the rows of those that borrow are made, also of those
    /// that do not change and something of these sessions hangs on, which may borrow from them.
    pub(super) fn lend(&mut self, changed: &BTreeSet<SessionKey>, objects: &Objects) {
        let lenders = self.lenders(false);
        let lender = |at: &DayKey, row: &CallRow| lenders.of(row.guid.as_deref()?, at.0);
        for (at, row) in self.rows.iter_mut().filter(|(_, row)| !is_rm(row)) {
            let lender = lender(at, row);
            if let Some(touched) = self.touched.get_mut(at).filter(|_| lender.is_some()) {
                let lent = touched.state.row(lender);
                touched.plain = Some(Box::new(std::mem::replace(row, lent)));
            }
        }
        for (at, (touched, row)) in self.idle.iter_mut().filter(|(_, (_, row))| !is_rm(row)) {
            if let Some(lender) = lender(at, row)
                && is_meant(changed, *at, row, objects)
            {
                *row = touched.state.row(Some(lender));
            }
        }
    }

    /// Who lends to the calls of each GUID, or who did before.
    fn lenders(&self, before: bool) -> Lenders {
        let mut lenders = Lenders::default();
        let idle = self.idle.values().map(|(touched, row)| (touched, row, false));
        let rows = self.rows.iter();
        let changing = rows.filter_map(|(at, row)| Some((self.touched.get(at)?, row, before)));
        for (touched, row, before) in idle.chain(changing) {
            let lender = if before { touched.lent.clone() } else { touched.state.lender() };
            if let (Some(guid), Some(lender)) = (&row.guid, lender) {
                lenders.put(guid, lender);
            }
        }
        lenders
    }

    /// Names in the rows whose ids are not known; what hangs on a call may show its own.
    pub(super) fn unknown<'c>(
        &'c self,
        objects: &'c Objects,
    ) -> impl Iterator<Item = Mention> + 'c {
        let beside = self.idle.values().map(|(_, row)| row).filter(|row| !is_rm(row));
        let named = self.rows.values().chain(beside).flat_map(named);
        named.filter_map(|(kind, named)| named.unknown(kind, objects))
    }

    /// The rows, for what hangs on them, and those of calls that do not change.
    pub(super) fn rows(&mut self) -> (&mut BTreeMap<DayKey, CallRow>, BTreeMap<DayKey, &CallRow>) {
        let idle = self.idle.iter().map(|(at, (_, row))| (*at, row)).collect();
        (&mut self.rows, idle)
    }

    /// Ended legs that do not change, of sessions of which one that does is in progress.
    pub(super) fn ended_beside(&self) -> BTreeSet<DayKey> {
        let of = |at: &DayKey, row: &CallRow| Some((at.0, row.guid.clone()?));
        let live = self.rows.iter().filter(|(_, row)| row.is_live());
        let live: BTreeSet<DayGuid> = live.filter_map(|(at, row)| of(at, row)).collect();
        let ended = self.idle.iter().filter(|(_, (_, row))| !row.is_live());
        let beside = |(at, (_, row)): &(&DayKey, &(Touched, CallRow))| {
            of(at, row).is_some_and(|session| live.contains(&session))
        };
        ended.filter(beside).map(|(at, _)| *at).collect()
    }

    /// The rows with the ids of their objects.
    pub(super) fn lines(
        self,
        mut var: BTreeMap<DayKey, VarRows>,
        objects: &Objects,
    ) -> Vec<CallLine> {
        let Self { mut touched, rows, .. } = self;
        let lines = rows.into_iter().filter_map(|(at, row)| {
            let touched = touched.remove(&at)?;
            let id = |kind, named: &Named| objects.id(kind, named.dbid, named.name.as_deref());
            let profile = row.profile.as_ref();
            Some(CallLine {
                day: at.0,
                component_id: id(ObjectKind::Component, &row.component).unwrap_or(0),
                tenant_id: row.tenant.as_ref().and_then(|named| id(ObjectKind::Tenant, named)),
                profile_id: profile.and_then(|profile| {
                    objects.id(ObjectKind::Profile, profile.dbid, profile.name.as_deref())
                }),
                tenants: tenants(&row, objects),
                owners: row
                    .owners
                    .iter()
                    .map(|owner| {
                        (id(ObjectKind::Component, &owner.component).unwrap_or(0), owner.from_ms)
                    })
                    .collect(),
                state: touched.state.encode(),
                trace: touched.trace,
                last_fact_ms: touched.last_fact_ms,
                boot: touched.boot,
                row_version: touched.row_version + 1,
                var: var.remove(&at).unwrap_or_default(),
                row,
            })
        });
        lines.collect()
    }

    fn touch(&mut self, at: DayKey) -> Result<&mut Touched, DecodeError> {
        use std::collections::btree_map::Entry;
        match self.touched.entry(at) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(empty) => {
                self.idle.remove(&at);
                Ok(empty.insert(match self.stored.get(&at) {
                    Some(stored) => Touched::known(stored)?,
                    None => Touched::new(at),
                }))
            }
        }
    }
}

impl Touched {
    fn new((_, key): DayKey) -> Self {
        Self::of(CallState::new(key), (0, None), 0)
    }

    fn read(stored: &StoredCall) -> Result<Self, DecodeError> {
        let state = CallState::decode(&stored.state)?;
        Ok(Self::of(state, (stored.last_fact_ms, stored.boot), stored.row_version))
    }

    /// One that is to change.
    fn known(stored: &StoredCall) -> Result<Self, DecodeError> {
        let mut touched = Self::read(stored)?;
        touched.before = Some(Box::new(touched.state.row(None)));
        touched.lent = touched.state.lender();
        Ok(touched)
    }

    const fn of(
        state: CallState,
        (last_fact_ms, boot): (i64, Option<i64>),
        row_version: i64,
    ) -> Self {
        let (trace, before, plain, lent) = (Trace::Same, None, None, None);
        Self { state, last_fact_ms, boot, row_version, trace, before, plain, lent }
    }
}

/// The sessions that facts may mean a call with.
fn of((at, row): (&DayKey, &CallRow)) -> impl Iterator<Item = Session> + use<> {
    let (day, component) = (at.0, row.component.clone());
    sessions::names(row).map(move |name| (day, component.clone(), name))
}

/// Whether something of these sessions may belong to a call: it lies at most a day away.
fn is_meant(sessions: &BTreeSet<SessionKey>, at: DayKey, row: &CallRow, objects: &Objects) -> bool {
    let Named { dbid, name } = &row.component;
    let id = objects.id(ObjectKind::Component, *dbid, name.as_deref()).unwrap_or(0);
    sessions::names(row).any(|name| {
        let on = |day| sessions.contains(&(day, id, name.clone()));
        key::around(at.0).into_iter().any(on)
    })
}

fn is_rm(row: &CallRow) -> bool {
    row.component_type == ComponentType::Rm.number()
}

/// All objects of a row.
fn named(row: &CallRow) -> Vec<(ObjectKind, Named)> {
    let profile = row.profile.as_ref();
    let profile = profile.map(|profile| Named { dbid: profile.dbid, name: profile.name.clone() });
    let tenants = row.tenants.iter().map(|tenant| (ObjectKind::Tenant, tenant.tenant.clone()));
    let owners = row.owners.iter().map(|owner| (ObjectKind::Component, owner.component.clone()));
    let component = (ObjectKind::Component, row.component.clone());
    let profile = profile.map(|profile| (ObjectKind::Profile, profile));
    std::iter::once(component).chain(profile).chain(tenants).chain(owners).collect()
}

fn tenants(row: &CallRow, objects: &Objects) -> Vec<TenantLine> {
    let mut seen = BTreeSet::new();
    let lines = row.tenants.iter().filter_map(|tenant| {
        let named = &tenant.tenant;
        let tenant_id = objects.id(ObjectKind::Tenant, named.dbid, named.name.as_deref())?;
        let (depth, usage, burst) = (tenant.depth, tenant.usage, tenant.burst);
        seen.insert(tenant_id).then_some(TenantLine { tenant_id, depth, usage, burst })
    });
    lines.collect()
}
