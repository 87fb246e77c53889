//! What hangs on the calls of a session without naming one: reports of a voice application and
//! quality (rs.md §2.5, §2.7). All of a session is read whenever anything of it changes, so that
//! rows are the same whatever came first (rs.md §2.9).
//!
//! A fact lies on the day of its own time, which need not be its call's: after midnight, or a
//! minute before the call. So it belongs to a call of its day, the day before or the day after.
//! Whatever changes on a day changes calls two days around, at most: one to the fact, and one on
//! to another call that it is taken from or given to.

use std::collections::{BTreeMap, BTreeSet};

use model::record::{ComponentType, Record};

use super::changes::{DayKey, EventRow, FailureLine, QualityRow, SessionKey, SessionName};
use super::moves::Moves;
use super::objects::{Mention, ObjectKind, Objects};
use super::reading::Found;
use crate::correlate::{Candidate, owner};
use crate::fact::{CallFact, EventFact, Object};
use crate::key::{self, Day, Key};
use crate::quality::{self, QualityFact};
use crate::rollup::PORT_EVENTS;
use crate::row::{CallRow, Named};
use crate::var::{Evaluated, Report, Rule, VarRows, evaluate};

/// A session as facts name it, before its component's id is known.
pub(super) type Session = (Day, Named, SessionName);

/// The sessions of a share.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    /// New here.
    reports: BTreeMap<DayKey, (Session, Report)>,
    quality: BTreeMap<DayKey, (Session, QualityFact)>,
    /// As they were stored.
    stored_reports: BTreeMap<DayKey, (SessionKey, Report)>,
    stored_quality: BTreeMap<DayKey, (SessionKey, QualityFact)>,
    /// Records that another one takes the place of.
    gone: BTreeSet<DayKey>,
    /// Something of these changes.
    touched: BTreeSet<Session>,
    /// Of those, the ones of which may have changed what is not known here.
    again: BTreeSet<Session>,
    /// Likewise, with the ids of their components.
    revisited: BTreeSet<SessionKey>,
}

/// What came of them.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) var: BTreeMap<DayKey, VarRows>,
    pub(super) failures: Vec<FailureLine>,
    pub(super) ignored: BTreeMap<Rule, u64>,
}

/// What hangs on one call.
#[derive(Default)]
struct Hanging<'s> {
    /// With whether they are new here.
    reports: Vec<(&'s Report, bool)>,
    quality: Vec<&'s QualityFact>,
}

/// A session on any day: component and name.
type Name = (i64, SessionName);

/// Calls with their rows, by session.
type Calls<'r> = BTreeMap<Name, Vec<(DayKey, &'r CallRow)>>;

impl Sessions {
    pub(super) fn told_event(&mut self, at: DayKey, event: &EventFact) {
        if let Some(report) = event.report(at.1) {
            let session = of_report(at.0, event);
            self.touched.insert(session.clone());
            self.reports.insert(at, (session, report));
        }
    }

    /// What a record says of quality, if it does.
    pub(super) fn told_quality(&mut self, at: DayKey, record: &Record) {
        if let Some(fact) = QualityFact::of(record) {
            let session = of_quality(at.0, &fact);
            self.touched.insert(session.clone());
            self.quality.insert(at, (session, fact));
        }
    }

    /// Something of the session of a report may have changed.
    pub(super) fn touch_event(&mut self, day: Day, event: &EventFact) {
        if event.is_report() {
            self.touch_again(of_report(day, event));
        }
    }

    pub(super) fn touch_quality(&mut self, day: Day, record: &Record) {
        if let Some(fact) = QualityFact::of(record) {
            self.touch_again(of_quality(day, &fact));
        }
    }

    /// Of these sessions.
    pub(super) fn touch(&mut self, sessions: impl Iterator<Item = Session>) {
        self.touched.extend(sessions);
    }

    /// Of a call of another component than RM, by both of its names.
    pub(super) fn touch_call(&mut self, day: Day, call: &CallFact) {
        if call.component_type == ComponentType::Rm.number() {
            return;
        }
        let guid = call.values.guid.clone().map(SessionName::Guid);
        for name in guid.into_iter().chain([SessionName::Id(call.session_id.clone())]) {
            self.touch_again((day, Named::from(&call.component), name));
        }
    }

    /// Of one that is erased: what is left of it, and of what was said in its session, is written.
    pub(super) fn erased(&mut self, day: Day, row: &CallRow) {
        if !is_rm(row) {
            names(row).for_each(|name| self.touch_again((day, row.component.clone(), name)));
        }
    }

    fn touch_again(&mut self, session: Session) {
        self.touched.insert(session.clone());
        self.again.insert(session);
    }

    pub(super) fn revisit(&mut self, session: SessionKey) {
        self.revisited.insert(session);
    }

    /// Nothing of this record stays.
    pub(super) fn forget(&mut self, at: DayKey) {
        self.reports.remove(&at);
        self.quality.remove(&at);
        self.stored_reports.remove(&at);
        self.stored_quality.remove(&at);
        self.gone.insert(at);
    }

    /// A row of a record that goes: its session is another one perhaps. Gives it back if the row
    /// tells of a port.
    pub(super) fn lost_event(&mut self, row: &EventRow) -> Option<SessionKey> {
        let session = (row.day, row.component_id, name(&row.session_id, row.guid.as_deref()));
        self.revisited.insert(session.clone());
        PORT_EVENTS.contains(&&*row.log_id).then_some(session)
    }

    /// Likewise, of one that told of quality.
    pub(super) fn lost_quality(&mut self, row: &QualityRow) {
        let session = name(&row.session_id, row.guid.as_deref());
        self.revisited.insert((row.day, row.component_id, session));
    }

    /// The sessions of which something changes. A component without an id has nothing stored.
    pub(super) fn changing(&self, objects: &Objects) -> BTreeSet<SessionKey> {
        let touched = self.touched.iter().filter_map(|session| key(session, objects));
        touched.chain(self.revisited.iter().cloned()).collect()
    }

    /// Those, and the sessions of calls that change for another reason.
    pub(super) fn changed(
        &self,
        calls: impl Iterator<Item = Session>,
        objects: &Objects,
    ) -> BTreeSet<SessionKey> {
        let mut all = self.changing(objects);
        all.extend(calls.filter_map(|session| key(&session, objects)));
        all
    }

    /// Something that is stored tells of quality.
    pub(super) fn has_stored_quality(&self) -> bool {
        !self.stored_quality.is_empty()
    }

    /// The keys of the facts of quality that were stored, with their sessions.
    pub(super) fn stored_quality(&self) -> impl Iterator<Item = (Key, SessionKey)> {
        self.stored_quality.iter().map(|((_, id_key), (session, _))| (*id_key, session.clone()))
    }

    /// The reports that were stored, with their sessions.
    pub(super) fn stored_reports(&self) -> impl Iterator<Item = (&Report, SessionKey)> {
        self.stored_reports.values().map(|(session, report)| (report, session.clone()))
    }

    pub(super) fn found(&mut self, found: &mut Found) {
        for (session, report) in std::mem::take(&mut found.reports) {
            let at = (session.0, report.id_key);
            if !self.gone.contains(&at) {
                self.stored_reports.insert(at, (session, report));
            }
        }
        for row in std::mem::take(&mut found.quality) {
            let at = (row.day, row.id_key);
            if let (Some(fact), false) = (QualityFact::decode(&row.fact), self.gone.contains(&at)) {
                let session = name(&row.session_id, row.guid.as_deref());
                self.stored_quality.insert(at, ((row.day, row.component_id, session), fact));
            }
        }
    }

    /// Components whose ids are needed before sessions can be asked for.
    pub(super) fn components(
        &self,
        calls: impl Iterator<Item = Session>,
        objects: &Objects,
    ) -> BTreeSet<Mention> {
        let touched = self.touched.iter().map(|(_, component, _)| component.clone());
        let components = touched.chain(calls.map(|(_, component, _)| component));
        let unknown = |named: Named| named.unknown(ObjectKind::Component, objects);
        components.filter_map(unknown).collect()
    }

    /// Names that the new facts need ids for.
    pub(super) fn unknown<'s>(
        &'s self,
        objects: &'s Objects,
    ) -> impl Iterator<Item = Mention> + 's {
        self.quality.values().flat_map(|(_, fact)| {
            let of = |kind: ObjectKind, object: &Object| Named::from(object).unknown(kind, objects);
            let profile = fact.profile.iter().filter_map(move |it| of(ObjectKind::Profile, it));
            let tenant = fact.tenant.iter().filter_map(move |it| of(ObjectKind::Tenant, it));
            profile.chain(tenant).chain(of(ObjectKind::Component, &fact.component))
        })
    }

    /// New rows of `sq_call`.
    pub(super) fn rows(&self, objects: &Objects) -> Vec<QualityRow> {
        let rows = self.quality.iter().map(|(at, (_, fact))| QualityRow {
            day: at.0,
            id_key: at.1,
            component_id: id(ObjectKind::Component, &Named::from(&fact.component), objects),
            session_id: fact.session_id.clone(),
            guid: fact.guid.clone(),
            time_ms: fact.time_ms,
            failed: fact.failed,
            fact: fact.encode(),
        });
        rows.collect()
    }

    /// What the calls' rows become: `sq_failed` is put into them, the rest comes out. `beside`:
    /// calls that do not change here. `changed`: their sessions; `only`: rows of other days are
    /// another share's matter. Of failures come out those that show otherwise than before.
    pub(super) fn finish(
        &self,
        rows: &mut BTreeMap<DayKey, CallRow>,
        beside: &BTreeMap<DayKey, &CallRow>,
        moves: &Moves,
        (changed, only): (&BTreeSet<SessionKey>, Option<Day>),
        objects: &Objects,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let calls =
            of_sessions(rows.iter().chain(beside.iter().map(|(at, row)| (at, *row))), objects);
        let (reports, quality) = (self.all_reports(objects), self.all_quality(objects));
        let again = self.again(objects);
        let mut hanging: BTreeMap<DayKey, Hanging<'_>> = BTreeMap::new();
        let call_at = |of: &Name, day: Day, time_ms: i64| {
            let calls = calls.get(of)?;
            let candidates: Vec<_> = calls.iter().map(candidate).collect();
            let owner = owner(&candidates, day, time_ms)?;
            calls.iter().find(|(at, _)| *at == owner)
        };
        for (of, day, report, new) in &reports {
            if let Some((at, _)) = call_at(of, *day, report.time_ms) {
                hanging.entry(*at).or_default().reports.push((report, *new));
            }
        }
        for (of, at, fact) in quality {
            let call = call_at(&of, at.0, fact.time_ms);
            if let Some((at, _)) = call {
                hanging.entry(*at).or_default().quality.push(fact);
            }
            let is_in = |sessions: &BTreeSet<SessionKey>| {
                let on = |day| sessions.contains(&(day, of.0, of.1.clone()));
                key::beside(at.0).into_iter().any(on)
            };
            let moves = || {
                let calls = calls.get(&of).map(Vec::as_slice).unwrap_or_default();
                moves.has(calls, (at.0, fact.time_ms), call.map(|(at, _)| *at))
            };
            let changes = self.quality.contains_key(&at) || is_in(&again);
            if (changes || is_in(changed) && moves()) && only.is_none_or(|day| day == at.0) {
                let lines = fact.rows(at.1, call.map(|(_, row)| *row));
                outcome.failures.extend(lines.map(|row| line(at.0, row, objects)));
            }
        }
        for (at, row) in rows.iter_mut().filter(|(_, row)| !is_rm(row)) {
            let Hanging { reports, quality } = hanging.remove(at).unwrap_or_default();
            let now = evaluate(row, reports.iter().map(|(report, _)| *report));
            let before = reports.iter().filter(|(_, new)| !new).map(|(report, _)| *report);
            if !now.ignored.is_empty() {
                outcome.count(&now, &evaluate(row, before));
            }
            outcome.var.insert(*at, now.rows);
            row.sq_failed = quality::failed(row.sq_failed, quality);
        }
        outcome
    }

    /// The sessions of which everything is made again.
    fn again(&self, objects: &Objects) -> BTreeSet<SessionKey> {
        let again = self.again.iter().filter_map(|session| key(session, objects));
        again.chain(self.revisited.iter().cloned()).collect()
    }

    /// What lies on other days than this one and hangs together with what changes here.
    pub(super) fn beside(
        &self,
        (changed, only): (&BTreeSet<SessionKey>, Day),
        calls: &BTreeMap<DayKey, &CallRow>,
        objects: &Objects,
    ) -> BTreeSet<(Day, SessionKey)> {
        let quality = self.stored_quality.values().map(|(session, _)| session.clone());
        let calls = calls.iter().flat_map(|(at, row)| {
            let component = id(ObjectKind::Component, &row.component, objects);
            names(row).map(move |name| (at.0, component, name))
        });
        let there = quality.chain(calls).filter(|(day, ..)| *day != only);
        let of = |(day, component, name): SessionKey| {
            key::around(day).into_iter().filter_map(move |of| {
                let session = (of, component, name.clone());
                changed.contains(&session).then_some((day, session))
            })
        };
        there.flat_map(of).collect()
    }

    /// All reports with their sessions and days; whether each is new here.
    fn all_reports(&self, objects: &Objects) -> Vec<(Name, Day, &Report, bool)> {
        let stored = self.stored_reports.iter().filter(|(at, _)| !self.reports.contains_key(at));
        let stored = stored.map(|(_, ((day, component, name), report))| {
            ((*component, name.clone()), *day, report, false)
        });
        let new = self.reports.values().filter_map(|(session, report)| {
            let (day, component, name) = key(session, objects)?;
            Some(((component, name), day, report, true))
        });
        stored.chain(new).collect()
    }

    fn all_quality(&self, objects: &Objects) -> Vec<(Name, DayKey, &QualityFact)> {
        let stored = self.stored_quality.iter().filter(|(at, _)| !self.quality.contains_key(at));
        let stored = stored
            .map(|(at, ((_, component, name), fact))| ((*component, name.clone()), *at, fact));
        let new = self.quality.iter().filter_map(|(at, (session, fact))| {
            let (_, component, name) = key(session, objects)?;
            Some(((component, name), *at, fact))
        });
        stored.chain(new).collect()
    }
}

impl Outcome {
    /// Counts what is ignored that was not before; a report that is none any more takes nothing
    /// back, since counters only grow.
    fn count(&mut self, now: &Evaluated, before: &Evaluated) {
        for (rule, count) in &now.ignored {
            let before = before.ignored.get(rule).copied().unwrap_or_default();
            let more = self.ignored.entry(*rule).or_default();
            *more += u64::from(count.saturating_sub(before));
        }
        self.ignored.retain(|_, count| *count > 0);
    }
}

/// The calls by the sessions that facts may name them with.
fn of_sessions<'r>(
    rows: impl Iterator<Item = (&'r DayKey, &'r CallRow)>,
    objects: &Objects,
) -> Calls<'r> {
    let mut calls = Calls::new();
    for (at, row) in rows.filter(|(_, row)| !is_rm(row)) {
        let component_id = id(ObjectKind::Component, &row.component, objects);
        for name in names(row) {
            calls.entry((component_id, name)).or_default().push((*at, row));
        }
    }
    calls
}

/// The sessions to be read: those that change and those of the calls that do, with the days around.
pub(super) fn around(changed: BTreeSet<SessionKey>) -> BTreeSet<SessionKey> {
    let days = |(day, component, name): SessionKey| {
        key::around(day).into_iter().map(move |day| (day, component, name.clone()))
    };
    changed.into_iter().flat_map(days).collect()
}

/// The names that facts may mean a call with.
pub(super) fn names(row: &CallRow) -> impl Iterator<Item = SessionName> + use<> {
    let guid = row.guid.clone().map(SessionName::Guid);
    guid.into_iter().chain([SessionName::Id(row.session_id.clone())])
}

fn is_rm(row: &CallRow) -> bool {
    row.component_type == ComponentType::Rm.number()
}

pub(super) fn candidate((at, row): &(DayKey, &CallRow)) -> Candidate {
    let CallRow { started_ms, ended_ms, .. } = **row;
    Candidate { day: at.0, call_key: at.1, started_ms, ended_ms }
}

fn line(day: Day, row: quality::FailureRow, objects: &Objects) -> FailureLine {
    let of = |kind, named: &Option<Named>| {
        named.as_ref().map(|named| id(kind, named, objects)).filter(|id| *id != 0)
    };
    FailureLine {
        day,
        component_id: id(ObjectKind::Component, &row.component, objects),
        profile_id: of(ObjectKind::Profile, &row.profile),
        tenant_id: of(ObjectKind::Tenant, &row.tenant),
        row,
    }
}

/// A session of facts: by its id, by the GUID where only that is known.
fn name(session_id: &str, guid: Option<&str>) -> SessionName {
    match guid {
        Some(guid) if session_id.is_empty() => SessionName::Guid(guid.to_owned()),
        _ => SessionName::Id(session_id.to_owned()),
    }
}

/// The session of a report.
pub(super) fn of_report(day: Day, event: &EventFact) -> Session {
    (day, event.component.clone(), name(&event.session_id, event.guid.as_deref()))
}

/// The session of a fact of quality.
pub(super) fn of_quality(day: Day, fact: &QualityFact) -> Session {
    (day, Named::from(&fact.component), name(&fact.session_id, fact.guid.as_deref()))
}

pub(super) fn key((day, component, name): &Session, objects: &Objects) -> Option<SessionKey> {
    let id = objects.id(ObjectKind::Component, component.dbid, component.name.as_deref())?;
    Some((*day, id, name.clone()))
}

fn id(kind: ObjectKind, named: &Named, objects: &Objects) -> i64 {
    objects.id(kind, named.dbid, named.name.as_deref()).unwrap_or(0)
}
