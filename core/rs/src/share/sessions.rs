//! What hangs on the calls of a session without naming one: reports of a voice application and
//! quality (rs.md §2.5, §2.7). All of a session is read whenever anything of it changes, so that
//! rows are the same whatever came first (rs.md §2.9).

use std::collections::{BTreeMap, BTreeSet};

use model::record::{ComponentType, Record};

use super::changes::{DayKey, FailureLine, Found, QualityRow, SessionKey, SessionName};
use super::objects::{Mention, ObjectKind, Objects};
use crate::correlate::{Candidate, owner};
use crate::fact::{EventFact, Object};
use crate::key::Day;
use crate::quality::{self, QualityFact};
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

/// Calls with their rows, by session.
type Calls<'r> = BTreeMap<SessionKey, Vec<(DayKey, &'r CallRow)>>;

impl Sessions {
    pub(super) fn told_event(&mut self, at: DayKey, event: &EventFact) {
        if let Some(report) = event.report(at.1) {
            let session = name(&event.session_id, event.guid.as_deref());
            self.reports.insert(at, ((at.0, event.component.clone(), session), report));
        }
    }

    /// What a record says of quality, if it does.
    pub(super) fn told_quality(&mut self, at: DayKey, record: &Record) {
        if let Some(fact) = QualityFact::of(record) {
            let session = name(&fact.session_id, fact.guid.as_deref());
            self.quality.insert(at, ((at.0, Named::from(&fact.component), session), fact));
        }
    }

    /// Nothing of this record stays.
    pub(super) fn forget(&mut self, at: DayKey) {
        self.reports.remove(&at);
        self.quality.remove(&at);
        self.gone.insert(at);
    }

    /// The sessions to be read, with those of the calls that change. A component without an id has
    /// nothing stored.
    pub(super) fn wants(
        &self,
        calls: impl Iterator<Item = Session>,
        objects: &Objects,
    ) -> BTreeSet<SessionKey> {
        let reports = self.reports.values().map(|(session, _)| session);
        let quality = self.quality.values().map(|(session, _)| session);
        let own = reports.chain(quality).filter_map(|session| key(session, objects));
        own.chain(calls.filter_map(|session| key(&session, objects))).collect()
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
        let reports = self.reports.values().map(|((_, component, _), _)| component.clone());
        let quality = self.quality.values().map(|((_, component, _), _)| component.clone());
        let components = reports.chain(quality).chain(calls.map(|(_, component, _)| component));
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

    /// What the calls' rows become: `sq_failed` is put into them, the rest comes out.
    pub(super) fn finish(
        &self,
        touched: &BTreeSet<SessionKey>,
        rows: &mut BTreeMap<DayKey, CallRow>,
        objects: &Objects,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let calls = of_sessions(rows, objects);
        let (reports, quality) = (self.all_reports(objects), self.all_quality(objects));
        let mut hanging: BTreeMap<DayKey, Hanging<'_>> = BTreeMap::new();
        for session in touched {
            let calls = calls.get(session).map_or(&[][..], Vec::as_slice);
            let candidates: Vec<_> = calls.iter().map(|(_, row)| candidate(row)).collect();
            let call_at = |time_ms: i64| {
                let call_key = owner(&candidates, time_ms);
                calls.iter().find(|(_, row)| Some(row.call_key) == call_key)
            };
            for (report, new) in reports.get(session).into_iter().flatten() {
                if let Some((at, _)) = call_at(report.time_ms) {
                    hanging.entry(*at).or_default().reports.push((report, *new));
                }
            }
            for (at, fact) in quality.get(session).into_iter().flatten() {
                let call = call_at(fact.time_ms);
                if let Some((at, _)) = call {
                    hanging.entry(*at).or_default().quality.push(fact);
                }
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

    /// All reports by session; whether each is new here.
    fn all_reports(&self, objects: &Objects) -> BTreeMap<SessionKey, Vec<(&Report, bool)>> {
        let mut all: BTreeMap<SessionKey, Vec<_>> = BTreeMap::new();
        let stored = self.stored_reports.iter().filter(|(at, _)| !self.reports.contains_key(at));
        for (session, report) in stored.map(|(_, stored)| stored) {
            all.entry(session.clone()).or_default().push((report, false));
        }
        for (session, report) in self.reports.values() {
            if let Some(session) = key(session, objects) {
                all.entry(session).or_default().push((report, true));
            }
        }
        all
    }

    fn all_quality(&self, objects: &Objects) -> BTreeMap<SessionKey, Vec<(DayKey, &QualityFact)>> {
        let mut all: BTreeMap<SessionKey, Vec<_>> = BTreeMap::new();
        let stored = self.stored_quality.iter().filter(|(at, _)| !self.quality.contains_key(at));
        for (at, (session, fact)) in stored {
            all.entry(session.clone()).or_default().push((*at, fact));
        }
        for (at, (session, fact)) in &self.quality {
            if let Some(session) = key(session, objects) {
                all.entry(session).or_default().push((*at, fact));
            }
        }
        all
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
fn of_sessions<'r>(rows: &'r BTreeMap<DayKey, CallRow>, objects: &Objects) -> Calls<'r> {
    let mut calls = Calls::new();
    for (at, row) in rows {
        if is_rm(row) {
            continue;
        }
        let component_id = id(ObjectKind::Component, &row.component, objects);
        let guid = row.guid.clone().map(SessionName::Guid);
        for name in guid.into_iter().chain([SessionName::Id(row.session_id.clone())]) {
            calls.entry((at.0, component_id, name)).or_default().push((*at, row));
        }
    }
    calls
}

fn is_rm(row: &CallRow) -> bool {
    row.component_type == ComponentType::Rm.number()
}

fn candidate(row: &CallRow) -> Candidate {
    let CallRow { call_key, started_ms, ended_ms, .. } = *row;
    Candidate { call_key, started_ms, ended_ms }
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

fn key((day, component, name): &Session, objects: &Objects) -> Option<SessionKey> {
    let id = objects.id(ObjectKind::Component, component.dbid, component.name.as_deref())?;
    Some((*day, id, name.clone()))
}

fn id(kind: ObjectKind, named: &Named, objects: &Objects) -> i64 {
    objects.id(kind, named.dbid, named.name.as_deref()).unwrap_or(0)
}

/// Which calls a session means, of those that were found.
pub(super) fn is_of(
    sessions: &BTreeSet<SessionKey>,
    day: Day,
    row: &CallRow,
    objects: &Objects,
) -> bool {
    let component_id = id(ObjectKind::Component, &row.component, objects);
    let named = |name: SessionName| sessions.contains(&(day, component_id, name));
    named(SessionName::Id(row.session_id.clone()))
        || row.guid.clone().is_some_and(|guid| named(SessionName::Guid(guid)))
}
