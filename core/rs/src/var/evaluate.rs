//! The rules of rs.md §2.5 over all reports of one call.

use std::collections::BTreeMap;

use model::record::{ComponentType, EndState, NOTES_BYTES, VarResult};

use super::grammar::{self, Outcome, Said};
use super::{Report, Rule, VarActionRow, VarCallRow, VarCustomRow, VarRows};
use crate::limits::{ACTIONS_PER_CALL, REPORTS_PER_CALL, VARIABLES_PER_CALL};
use crate::row::CallRow;

/// What came of the reports.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Evaluated {
    /// The call's rows.
    pub rows: VarRows,
    /// Reports that changed nothing, by the rule that they broke.
    pub ignored: BTreeMap<Rule, u32>,
}

/// The rows of a call from all of its reports, in whatever order they are given.
#[must_use]
pub fn evaluate<'r>(row: &CallRow, reports: impl IntoIterator<Item = &'r Report>) -> Evaluated {
    let mut sorted: Vec<&Report> = reports.into_iter().collect();
    sorted.sort_unstable();
    sorted.dedup_by_key(|report| report.id_key);
    let mut state = State::default();
    for (at, report) in sorted.iter().enumerate() {
        let said =
            if at < REPORTS_PER_CALL { grammar::read(report) } else { Err(Rule::TooManyReports) };
        if let Err(rule) = said.and_then(|said| state.take(report, said)) {
            let count = state.ignored.entry(rule).or_default();
            *count = count.saturating_add(1);
        }
    }
    state.finish(row, sorted.is_empty())
}

#[derive(Default)]
struct State<'r> {
    actions: Vec<VarActionRow>,
    custom: BTreeMap<&'r str, &'r str>,
    /// Number in the id and time, and what was said.
    result: Option<((i64, i64), Outcome<'r>)>,
    notes: Option<String>,
    ignored: BTreeMap<Rule, u32>,
}

impl<'r> State<'r> {
    fn take(&mut self, report: &Report, said: Said<'r>) -> Result<(), Rule> {
        match said {
            Said::ActionStart { action, parent } => self.start(report.time_ms, action, parent),
            Said::ActionEnd { action, outcome } => {
                let open = |row: &&mut VarActionRow| row.ended_ms.is_none() && row.action == action;
                let row = self.actions.iter_mut().rev().find(open).ok_or(Rule::NotOpen)?;
                row.ended_ms = Some(report.time_ms);
                row.result = Some(outcome.result.number());
                row.reason = outcome.reason.map(ToOwned::to_owned);
                Ok(())
            }
            Said::CallResult(outcome) => {
                let rank = (report.number, report.time_ms);
                if self.result.as_ref().is_none_or(|(last, _)| *last <= rank) {
                    self.result = Some((rank, outcome));
                }
                Ok(())
            }
            Said::CallNotes(text) => append(&mut self.notes, text),
            Said::ActionNotes { action, text } => {
                let started = |row: &&mut VarActionRow| row.action == action;
                let row = self.actions.iter_mut().rev().find(started).ok_or(Rule::NotStarted)?;
                append(&mut row.notes, text)
            }
            Said::Custom { name, value } => {
                if self.custom.len() >= VARIABLES_PER_CALL && !self.custom.contains_key(name) {
                    return Err(Rule::TooManyVariables);
                }
                self.custom.insert(name, value);
                Ok(())
            }
        }
    }

    fn start(&mut self, time_ms: i64, action: &str, parent: Option<&str>) -> Result<(), Rule> {
        let instance = |id: &str| self.actions.iter().rev().find(|row| row.action == id);
        let parent_n = match parent {
            Some(parent) => Some(instance(parent).ok_or(Rule::Parent)?.n),
            None => None,
        };
        if self.actions.len() >= ACTIONS_PER_CALL {
            return Err(Rule::TooManyActions);
        }
        let n = u32::try_from(self.actions.len() + 1).unwrap_or(u32::MAX);
        self.actions.push(VarActionRow {
            n,
            action: action.to_owned(),
            parent_n,
            started_ms: time_ms,
            ended_ms: None,
            result: None,
            reason: None,
            notes: None,
            is_last: false,
        });
        Ok(())
    }

    fn finish(mut self, row: &CallRow, silent: bool) -> Evaluated {
        if let Some(ended_ms) = row.ended_ms {
            for action in self.actions.iter_mut().filter(|action| action.ended_ms.is_none()) {
                // one that is said to begin after the call's end has no time left
                action.ended_ms = Some(ended_ms.max(action.started_ms));
                action.result = Some(VarResult::Unknown.number());
            }
        }
        if let Some(last) = self.actions.last_mut() {
            last.is_last = true;
        }
        let counts = row.component_type == ComponentType::Mcp.number() && !row.is_live();
        let call = (!silent || row.outcome.is_some() || counts).then(|| self.call(row));
        let custom = self.custom.iter().map(|(name, value)| VarCustomRow {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        });
        let rows = VarRows { call, custom: custom.collect(), actions: self.actions };
        Evaluated { rows, ignored: self.ignored }
    }

    /// A refused call is `REJECTED`; else what the media server's own record says goes before
    /// what the application reported, and a call that is over without either is `UNKNOWN`.
    fn call(&self, row: &CallRow) -> VarCallRow {
        let own = row.outcome.as_ref();
        let said = self.result.as_ref().map(|(_, outcome)| outcome);
        let said = said.map(|said| (said.result.number(), said.reason.map(ToOwned::to_owned)));
        let own_result = own.and_then(|own| Some((own.result?, own.reason.clone())));
        let unknown = (!row.is_live()).then(|| (VarResult::Unknown.number(), None));
        let rejected = row.end_state == Some(EndState::Rejected.number());
        let (result, reason) = match own_result.or(said).or(unknown) {
            Some((_, reason)) if rejected => (Some(VarResult::Rejected.number()), reason),
            Some((result, reason)) => (Some(result), reason),
            None => (None, None),
        };
        VarCallRow {
            result,
            reason,
            notes: own.and_then(|own| own.notes.clone()).or_else(|| self.notes.clone()),
            actions: u32::try_from(self.actions.len()).unwrap_or(u32::MAX),
            ignored: self.ignored.values().fold(0, |sum, count| sum.saturating_add(*count)),
        }
    }
}

/// Appends to notes on a line of its own, as much as fits.
fn append(notes: &mut Option<String>, text: &str) -> Result<(), Rule> {
    let all = notes.get_or_insert_default();
    let line = usize::from(!all.is_empty());
    let room = NOTES_BYTES.saturating_sub(all.len() + line);
    let fits = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
    if !fits.is_empty() {
        all.push_str(if line == 1 { "\n" } else { "" });
        all.push_str(fits);
    }
    if all.is_empty() {
        *notes = None;
    }
    if fits.len() == text.len() { Ok(()) } else { Err(Rule::NotesFull) }
}
