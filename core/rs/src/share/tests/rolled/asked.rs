//! Facts for a question out of tables in memory, as a database finds them: no more than is asked.

use model::record::ComponentType;

use super::*;
use crate::CallRow;
use crate::correlate::Candidate;
use crate::limits::CANDIDATES;
use crate::rollup::{
    ActionFacts, CallFacts, FailureFact, OWN_BIN_MS, PORT_EVENTS, PortFact, Which, beside,
};

/// What is found.
pub(super) fn stored(inside: &Inside, question: &Question) -> Stored {
    assert!(question.days.is_disjoint(&inside.unreadable), "{question:?}");
    let lines = inside.tables.calls.values();
    let lines = lines.filter(|line| !inside.unreadable.contains(&line.day));
    let sessions = inside.port_sessions(question);
    let is_there = |line: &&CallLine| {
        let known = question.days.contains(&line.day);
        known && is_meant(line, &question.which) || is_of(line, &sessions)
    };
    let found: Vec<_> = lines.clone().filter(is_there).collect();
    let keys: BTreeSet<DayKey> = found.iter().map(|line| (line.day, line.row.call_key)).collect();
    let guids: BTreeSet<_> = found.iter().filter_map(|line| line.row.guid.clone()).collect();
    let calls = lines.filter(|line| {
        let leg = line.row.leg.is_some();
        keys.contains(&(line.day, line.row.call_key))
            || leg && line.row.guid.as_ref().is_some_and(|guid| guids.contains(guid))
    });
    let (from_ms, to_ms) = match &question.which {
        Which::Touching(bin) => (bin.start_ms - OWN_BIN_MS, bin.end_ms),
        Which::Covering(at) => (at - OWN_BIN_MS, *at),
    };
    let kept = inside.tables.kept.values();
    let kept = kept.filter(|row| row.bin_ms.is_some_and(|at| from_ms <= at && at < to_ms));
    let calls = calls.map(facts).collect();
    let kept = kept.map(tables::facts).collect();
    let mut stored = Stored { calls, kept, ..Stored::default() };
    stored.ports = inside.ports(&stored.of_ports(question.all_ports));
    stored.failures = inside.failures(&stored.of_failures());
    stored.candidates = inside.candidates(&stored.of_candidates());
    stored
}

fn is_meant(line: &CallLine, which: &Which) -> bool {
    let CallRow { started_ms, ended_ms, .. } = line.row;
    match which {
        Which::Touching(bin) => {
            let owners = line.owners.iter().map(|(_, from)| *from);
            [started_ms].into_iter().chain(ended_ms).chain(owners).any(|at| bin.holds(at))
        }
        Which::Covering(at) => {
            let over = ended_ms.is_some_and(|ended| ended < *at);
            if started_ms < *at { !over } else { is_rm(line) }
        }
    }
}

fn is_rm(line: &CallLine) -> bool {
    line.row.component_type == ComponentType::Rm.number()
}

/// Whether a call is one of these sessions.
fn is_of(line: &CallLine, sessions: &BTreeSet<SessionKey>) -> bool {
    let guid = line.row.guid.clone().map(SessionName::Guid);
    let names = guid.into_iter().chain([SessionName::Id(line.row.session_id.clone())]);
    names.into_iter().any(|name| sessions.contains(&(line.day, line.component_id, name)))
}

fn session(row: &EventRow) -> SessionKey {
    (row.day, row.component_id, named(&row.session_id, row.guid.as_deref()))
}

impl Inside {
    /// Sessions of calls that events of a bin may mean.
    fn port_sessions(&self, question: &Question) -> BTreeSet<SessionKey> {
        let Which::Touching(bin) = &question.which else { return BTreeSet::new() };
        let events = self.tables.events.values().filter(|row| question.days.contains(&row.day));
        let events = events.filter(|row| PORT_EVENTS.contains(&&*row.log_id));
        beside(&events.filter(|row| bin.holds(row.time_ms)).map(session).collect())
    }

    fn ports(&self, sessions: &BTreeSet<SessionKey>) -> Vec<(SessionKey, PortFact)> {
        let rows = self.tables.events.values().filter(|row| PORT_EVENTS.contains(&&*row.log_id));
        let rows = rows.filter(|row| !self.unreadable.contains(&row.day));
        let facts = rows.map(|row| {
            let log_id = row.log_id.clone();
            (session(row), PortFact { time_ms: row.time_ms, seq: row.seq, log_id })
        });
        facts.filter(|(session, _)| sessions.contains(session)).collect()
    }

    fn failures(&self, sessions: &BTreeSet<SessionKey>) -> Vec<(SessionKey, FailureFact)> {
        let told = self.tables.quality.values().flat_map(|row| {
            let session = (row.day, row.component_id, named(&row.session_id, row.guid.as_deref()));
            let lines = self.tables.failures.values();
            let of = lines.filter(|line| (line.day, line.row.id_key) == (row.day, row.id_key));
            let fact =
                |line: &FailureLine| FailureFact { told_ms: row.time_ms, kind: line.row.kind };
            of.map(move |line| (session.clone(), fact(line)))
        });
        let readable = |(session, _): &(SessionKey, FailureFact)| {
            sessions.contains(session) && !self.unreadable.contains(&session.0)
        };
        told.filter(readable).collect()
    }

    fn candidates(&self, sessions: &BTreeSet<SessionKey>) -> Vec<(SessionKey, Candidate)> {
        let of = |session: &SessionKey| {
            let lines = self.tables.calls.values().filter(|line| !is_rm(line));
            let lines = lines.filter(|line| !self.unreadable.contains(&line.day));
            let lines = lines.filter(|line| is_of(line, &[session.clone()].into()));
            let mut found: Vec<_> = lines.map(|line| (session.clone(), candidate(line))).collect();
            found.sort_unstable_by_key(|(_, call)| (call.started_ms, call.call_key));
            found.truncate(CANDIDATES);
            found
        };
        sessions.iter().flat_map(of).collect()
    }
}

fn candidate(line: &CallLine) -> Candidate {
    let CallRow { call_key, started_ms, ended_ms, .. } = line.row;
    Candidate { day: line.day, call_key, started_ms, ended_ms }
}

fn facts(line: &CallLine) -> CallFacts {
    let row = &line.row;
    CallFacts {
        day: line.day,
        call_key: row.call_key,
        component_type: row.component_type,
        component_id: line.component_id,
        session_id: row.session_id.clone(),
        guid: row.guid.clone(),
        call_type: row.call_type,
        profile_id: line.profile_id,
        service: row.service,
        dn: row.dn.clone(),
        started_ms: row.started_ms,
        answered_ms: row.answered_ms,
        ended_ms: row.ended_ms,
        end_state: row.end_state,
        asr_used: row.asr_used,
        tts_used: row.tts_used,
        media: row.media.clone(),
        sq_failed: row.sq_failed,
        tenants: line.tenants.iter().map(|tenant| tenant.tenant_id).collect(),
        owners: line.owners.clone(),
        result: line.var.call.as_ref().and_then(|call| call.result),
        reason: line.var.call.as_ref().and_then(|call| call.reason.clone()),
        actions: line.var.actions.iter().map(action).collect(),
    }
}

fn action(row: &crate::var::VarActionRow) -> ActionFacts {
    ActionFacts {
        action: row.action.clone(),
        started_ms: row.started_ms,
        ended_ms: row.ended_ms,
        result: row.result,
        is_last: row.is_last,
    }
}
