//! The decision trace of a call: candidates, verdicts, reasons, in the order taken (rm.md §9.5).
//!
//! Bounded while it is written: what is over the limits becomes one last step `cut`. All texts lie
//! in one buffer, and a trace that is cleared keeps its memory for the next call.

use std::fmt::{Display, Write};

use model::record::{Object, Stage, TraceStep, Verdict};
use model::time::Millis;

use crate::limits;

/// A step as a stage tells it.
#[derive(Clone, Copy)]
pub(crate) struct Step<'s> {
    pub(crate) stage: Stage,
    pub(crate) candidate: &'s dyn Display,
    pub(crate) verdict: Verdict,
    pub(crate) reason: &'s dyn Display,
    pub(crate) figures: Figures,
}

/// What a step may tell besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) state: Option<&'static str>,
    pub(crate) used: Option<u64>,
    pub(crate) limit: Option<u64>,
    pub(crate) rank: Option<u64>,
    pub(crate) until: Option<Millis>,
}

/// A step without figures.
pub(crate) fn step<'s>(
    stage: Stage,
    candidate: &'s dyn Display,
    verdict: Verdict,
    reason: &'s dyn Display,
) -> Step<'s> {
    Step { stage, candidate, verdict, reason, figures: Figures::default() }
}

/// A step as it is kept: where its texts begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    stage: Stage,
    verdict: Verdict,
    candidate: (usize, usize),
    reason: usize,
    figures: Figures,
}

/// All steps of one call so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    steps: Vec<Kept>,
    texts: String,
    groups: usize,
    candidates: usize,
    cut: u64,
}

impl Trace {
    /// Adds a step if there is room.
    pub(crate) fn push(&mut self, entry: Step<'_>) {
        let start = self.texts.len();
        // writing to a String cannot fail
        let _ = write!(self.texts, "{}", entry.candidate);
        let end = self.texts.len();
        if !self.has_room(&entry, start) {
            self.texts.truncate(start);
            self.cut += 1;
            return;
        }
        let _ = write!(self.texts, "{}", entry.reason);
        if self.texts.len() > limits::TRACE_BYTES {
            self.texts.truncate(start);
            self.cut += 1;
            return;
        }
        let Step { stage, verdict, figures, .. } = entry;
        let reason = self.texts.len();
        self.steps.push(Kept { stage, verdict, candidate: (start, end), reason, figures });
    }

    /// Whether one more of this kind may be told; its candidate stands from `start` on.
    fn has_room(&mut self, entry: &Step<'_>, start: usize) -> bool {
        if entry.stage == Stage::Place {
            let group = self.texts.get(start..).is_some_and(|text| text.starts_with("group "));
            let (number, most) = if group {
                (&mut self.groups, limits::TRACE_GROUPS)
            } else {
                (&mut self.candidates, limits::TRACE_CANDIDATES)
            };
            *number += 1;
            if *number > most && entry.verdict != Verdict::Chosen {
                return false;
            }
        }
        // one place is kept for the cut itself
        self.steps.len() + 1 < limits::TRACE_STEPS
    }

    /// Forgets everything but its memory.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.texts.clear();
        (self.groups, self.candidates, self.cut) = (0, 0, 0);
    }

    /// The steps, with the cut at their end if there was one.
    pub(crate) fn write(&self, cdr: &mut Object<'_>) {
        let last = (self.cut > 0).then_some(None);
        let steps = self.steps.iter().map(Some).chain(last);
        cdr.list("trace", steps, |out, kept| match kept {
            Some(kept) => self.write_step(kept, out),
            None => {
                out.text("stage", Stage::Place.as_str());
                out.text("candidate", "");
                out.text("verdict", Verdict::Cut.as_str());
                out.shown("reason", self.cut);
            }
        });
    }

    /// The same steps for a view.
    pub(crate) fn shown(&self) -> Vec<TraceStep> {
        let text = |from, to| self.texts.get(from..to).unwrap_or_default().to_owned();
        let shown = |kept: &Kept| {
            let (start, end) = kept.candidate;
            let Figures { state, used, limit, rank, until } = kept.figures;
            TraceStep {
                stage: kept.stage,
                candidate: text(start, end),
                verdict: kept.verdict,
                reason: text(end, kept.reason),
                state: state.map(str::to_owned),
                used,
                limit,
                rank,
                until,
            }
        };
        let cut = (self.cut > 0).then(|| TraceStep {
            stage: Stage::Place,
            candidate: String::new(),
            verdict: Verdict::Cut,
            reason: self.cut.to_string(),
            state: None,
            used: None,
            limit: None,
            rank: None,
            until: None,
        });
        self.steps.iter().map(shown).chain(cut).collect()
    }

    fn write_step(&self, kept: &Kept, out: &mut Object<'_>) {
        let (start, end) = kept.candidate;
        let text = |from, to| self.texts.get(from..to).unwrap_or_default();
        out.text("stage", kept.stage.as_str());
        out.text("candidate", text(start, end));
        out.text("verdict", kept.verdict.as_str());
        out.text("reason", text(end, kept.reason));
        let Figures { state, used, limit, rank, until } = kept.figures;
        out.some("state", state);
        for (name, figure) in [("used", used), ("limit", limit), ("rank", rank)] {
            if let Some(figure) = figure {
                out.number(name, figure);
            }
        }
        if let Some(until) = until {
            out.shown("until", until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Trace, step};
    use model::record::{Object, Stage, Verdict};
    use serde_json::Value;

    fn steps(trace: &Trace) -> Vec<Value> {
        let mut json = Vec::new();
        Object::write(&mut json, |object| trace.write(object));
        let json: Value = serde_json::from_slice(&json).unwrap();
        json["trace"].as_array().unwrap().clone()
    }

    #[test]
    fn what_is_over_the_limit_is_counted_in_one_last_step() {
        let mut trace = Trace::default();
        for i in 0..40 {
            let candidate = format!("mcp-{i}");
            trace.push(step(Stage::Place, &candidate, Verdict::Skipped, &"full"));
        }
        trace.push(step(Stage::Place, &"mcp-40", Verdict::Chosen, &"round-robin"));
        let shown = serde_json::to_value(trace.shown()).unwrap();
        let steps = steps(&trace);
        assert_eq!(shown.as_array(), Some(&steps), "a view tells what a record does");
        assert_eq!(steps.len(), 18);
        assert_eq!(steps[16]["candidate"], "mcp-40");
        assert_eq!((&steps[17]["verdict"], &steps[17]["reason"]), (&"cut".into(), &"24".into()));
    }

    #[test]
    fn long_texts_are_cut_too() {
        let mut trace = Trace::default();
        let long = "x".repeat(1000);
        for _ in 0..9 {
            trace.push(step(Stage::Select, &long, Verdict::Passed, &""));
        }
        assert_eq!(steps(&trace).len(), 5);
        trace.clear();
        assert_eq!(trace, Trace::default());
    }
}
