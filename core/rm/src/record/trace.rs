//! The decision trace of a call: candidates, verdicts, reasons, in the order taken (rm.md §9.5).
//!
//! Bounded while it is written: what is over the limits becomes one last step `cut`.

use model::record::{Stage, TraceStep, Verdict};

use crate::limits;

/// A step without figures.
pub(crate) fn step(
    stage: Stage,
    candidate: impl Into<String>,
    verdict: Verdict,
    reason: impl Into<String>,
) -> TraceStep {
    TraceStep {
        stage,
        candidate: candidate.into(),
        verdict,
        reason: reason.into(),
        state: None,
        used: None,
        limit: None,
        rank: None,
        until: None,
    }
}

/// All steps of one call so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    steps: Vec<TraceStep>,
    groups: usize,
    candidates: usize,
    bytes: usize,
    cut: usize,
}

impl Trace {
    /// Adds a step if there is room.
    pub(crate) fn push(&mut self, entry: TraceStep) {
        let group = entry.candidate.starts_with("group ");
        if entry.stage == Stage::Place {
            let (number, most) = if group {
                (&mut self.groups, limits::TRACE_GROUPS)
            } else {
                (&mut self.candidates, limits::TRACE_CANDIDATES)
            };
            *number += 1;
            if *number > most && entry.verdict != Verdict::Chosen {
                self.cut += 1;
                return;
            }
        }
        let bytes = entry.candidate.len() + entry.reason.len();
        // one place is kept for the cut itself
        if self.steps.len() + 1 >= limits::TRACE_STEPS || self.bytes + bytes > limits::TRACE_BYTES {
            self.cut += 1;
            return;
        }
        self.bytes += bytes;
        self.steps.push(entry);
    }

    /// The steps, with the cut at their end if there was one.
    pub(crate) fn steps(&self) -> Vec<TraceStep> {
        let mut steps = self.steps.clone();
        if self.cut > 0 {
            steps.push(step(Stage::Place, "", Verdict::Cut, self.cut.to_string()));
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::{Trace, step};
    use model::record::{Stage, Verdict};

    #[test]
    fn what_is_over_the_limit_is_counted_in_one_last_step() {
        let mut trace = Trace::default();
        for i in 0..40 {
            trace.push(step(Stage::Place, format!("mcp-{i}"), Verdict::Skipped, "full"));
        }
        trace.push(step(Stage::Place, "mcp-40", Verdict::Chosen, "round-robin"));
        let steps = trace.steps();
        assert_eq!(steps.len(), 18);
        assert_eq!(steps[16].candidate, "mcp-40");
        assert_eq!((steps[17].verdict, steps[17].reason.as_str()), (Verdict::Cut, "24"));
    }

    #[test]
    fn long_texts_are_cut_too() {
        let mut trace = Trace::default();
        for _ in 0..9 {
            trace.push(step(Stage::Select, "x".repeat(1000), Verdict::Passed, ""));
        }
        assert_eq!(trace.steps().len(), 5);
    }
}
