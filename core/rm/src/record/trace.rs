//! The decision trace of a call: candidates, verdicts, reasons, in the order taken (rm.md §9.5).
//!
//! Bounded while it is written: what is over the limits becomes one last step `cut`. What every
//! call has to tell is kept as numbers of the snapshot (`later`) and put into words when somebody
//! reads it, for hardly any trace is read. All other texts lie in one buffer, and a trace that is
//! cleared keeps its memory for the next call.

mod later;

use std::cell::Cell;
use std::fmt::{self, Display, Write};
use std::ops::Range;
use std::sync::Arc;

use model::config::DidGroupIx;
use model::record::{Object, Stage, TraceStep, Verdict};
use model::snapshot::Snapshot;
use model::time::Millis;

use crate::limits;
use crate::pool::Shown;
pub(crate) use later::Later;

/// A step as a stage tells it.
#[derive(Clone, Copy)]
pub(crate) struct Step<'s> {
    pub(crate) stage: Stage,
    pub(crate) candidate: Word<'s>,
    pub(crate) verdict: Verdict,
    pub(crate) reason: Word<'s>,
    pub(crate) figures: Figures,
}

/// A text of a step.
#[derive(Clone, Copy)]
pub(crate) enum Word<'s> {
    /// Printed at once.
    Shown(&'s dyn Display),
    /// Put into words when the trace is read.
    Later(Later),
    /// The number group that a called number was found in, by this pattern.
    Did(&'s str, DidGroupIx),
}

impl<'s, T: Display> From<&'s T> for Word<'s> {
    fn from(text: &'s T) -> Self {
        Self::Shown(text)
    }
}

impl From<Later> for Word<'_> {
    fn from(later: Later) -> Self {
        Self::Later(later)
    }
}

/// What a step may tell besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) state: Option<Shown>,
    pub(crate) used: Option<u64>,
    pub(crate) limit: Option<u64>,
    pub(crate) rank: Option<u64>,
    pub(crate) until: Option<Millis>,
}

/// A step without figures.
pub(crate) fn step<'s>(
    stage: Stage,
    candidate: impl Into<Word<'s>>,
    verdict: Verdict,
    reason: impl Into<Word<'s>>,
) -> Step<'s> {
    let (candidate, reason) = (candidate.into(), reason.into());
    Step { stage, candidate, verdict, reason, figures: Figures::default() }
}

/// A step as it is kept.
#[derive(Clone, Copy, Debug)]
struct Kept {
    stage: Stage,
    verdict: Verdict,
    candidate: Text,
    reason: Text,
    figures: Figures,
}

/// A text as it is kept.
#[derive(Clone, Copy, Debug)]
enum Text {
    /// Where it begins and ends among the texts.
    Here(u32, u32),
    Later(Later),
    /// Where the pattern begins and ends, and the group.
    Did(u32, u32, DidGroupIx),
}

/// All steps of one call so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    steps: Vec<Kept>,
    texts: String,
    /// What the numbers in it are of.
    snapshot: Option<Arc<Snapshot>>,
    groups: usize,
    candidates: usize,
    cut: u64,
}

impl Trace {
    /// From here on numbers are of this snapshot.
    pub(crate) fn reads(&mut self, snapshot: &Arc<Snapshot>) {
        if self.snapshot.as_ref().is_some_and(|own| Arc::ptr_eq(own, snapshot)) {
            return;
        }
        self.settle();
        self.snapshot = Some(Arc::clone(snapshot));
    }

    /// Puts all into words, for it is kept longer than a snapshot should be.
    pub(crate) fn settle(&mut self) {
        let Some(snapshot) = self.snapshot.take() else { return };
        let texts = &mut self.texts;
        let all = self.steps.iter_mut().flat_map(|kept| [&mut kept.candidate, &mut kept.reason]);
        for text in all {
            let from = end(texts);
            // writing to a String cannot fail
            let _ = match *text {
                Text::Here(..) => continue,
                Text::Later(later) => write!(texts, "{}", later.of(&snapshot)),
                Text::Did(start, end, group) => {
                    texts.push_str("did ");
                    texts.extend_from_within(range(start, end));
                    write!(texts, " of {}", snapshot.did_group(group).name)
                }
            };
            *text = Text::Here(from, end(texts));
        }
    }

    /// Adds a step if there is room.
    pub(crate) fn push(&mut self, entry: Step<'_>) {
        let start = self.texts.len();
        let candidate = self.keep(entry.candidate);
        if !self.has_room(&entry, start) {
            self.texts.truncate(start);
            self.cut += 1;
            return;
        }
        let reason = self.keep(entry.reason);
        if self.texts.len() > limits::TRACE_BYTES {
            self.texts.truncate(start);
            self.cut += 1;
            return;
        }
        let Step { stage, verdict, figures, .. } = entry;
        self.steps.push(Kept { stage, verdict, candidate, reason, figures });
    }

    fn keep(&mut self, word: Word<'_>) -> Text {
        match word {
            Word::Shown(text) => self.here(text),
            Word::Later(later) => Text::Later(later),
            Word::Did(pattern, group) => {
                let start = end(&self.texts);
                self.texts.push_str(pattern);
                Text::Did(start, end(&self.texts), group)
            }
        }
    }

    fn here(&mut self, text: &dyn Display) -> Text {
        let start = end(&self.texts);
        // writing to a String cannot fail
        let _ = write!(self.texts, "{text}");
        Text::Here(start, end(&self.texts))
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
        self.snapshot = None;
        (self.groups, self.candidates, self.cut) = (0, 0, 0);
    }

    /// The steps, with the cut at their end if there was one.
    pub(crate) fn write(&self, cdr: &mut Object<'_>) {
        let cut = Cell::new(self.cut);
        cdr.list("trace", self.within(&cut), |out, kept| match kept {
            Some(kept) => self.write_step(kept, out),
            None => {
                out.text("stage", Stage::Place.as_str());
                out.text("candidate", "");
                out.text("verdict", Verdict::Cut.as_str());
                out.shown("reason", cut.get());
            }
        });
    }

    /// The same steps for a view.
    pub(crate) fn shown(&self) -> Vec<TraceStep> {
        let cut = Cell::new(self.cut);
        let shown = |kept: Option<&Kept>| match kept {
            Some(kept) => self.shown_step(kept),
            None => TraceStep {
                stage: Stage::Place,
                candidate: String::new(),
                verdict: Verdict::Cut,
                reason: cut.get().to_string(),
                state: None,
                used: None,
                limit: None,
                rank: None,
                until: None,
            },
        };
        self.within(&cut).map(shown).collect()
    }

    /// The steps whose texts fit, then None if any was cut; `cut` is counted up to how many were.
    fn within<'t>(&'t self, cut: &'t Cell<u64>) -> impl Iterator<Item = Option<&'t Kept>> {
        let mut bytes = 0;
        let fits = move |kept: &&Kept| {
            let all = bytes + self.length(kept.candidate) + self.length(kept.reason);
            let fits = all <= limits::TRACE_BYTES;
            if fits {
                bytes = all;
            } else {
                cut.set(cut.get() + 1);
            }
            fits
        };
        let last = std::iter::once(None).filter(|_| cut.get() > 0);
        self.steps.iter().filter(fits).map(Some).chain(last)
    }

    fn length(&self, text: Text) -> usize {
        let mut length = Length(0);
        if let Text::Here(start, end) = text {
            return range(start, end).len();
        }
        // counting cannot fail
        let _ = write!(length, "{}", self.text(text));
        length.0
    }

    fn shown_step(&self, kept: &Kept) -> TraceStep {
        let Figures { state, used, limit, rank, until } = kept.figures;
        TraceStep {
            stage: kept.stage,
            candidate: self.text(kept.candidate).to_string(),
            verdict: kept.verdict,
            reason: self.text(kept.reason).to_string(),
            state: state.map(|state| state.as_str().to_owned()),
            used,
            limit,
            rank,
            until,
        }
    }

    fn write_step(&self, kept: &Kept, out: &mut Object<'_>) {
        out.text("stage", kept.stage.as_str());
        out.printed("candidate", self.text(kept.candidate));
        out.text("verdict", kept.verdict.as_str());
        out.printed("reason", self.text(kept.reason));
        let Figures { state, used, limit, rank, until } = kept.figures;
        out.some("state", state.map(Shown::as_str));
        for (name, figure) in [("used", used), ("limit", limit), ("rank", rank)] {
            if let Some(figure) = figure {
                out.number(name, figure);
            }
        }
        if let Some(until) = until {
            out.shown("until", until);
        }
    }

    fn text(&self, text: Text) -> Printed<'_> {
        Printed { trace: self, text }
    }
}

/// A text, put into words.
struct Printed<'t> {
    trace: &'t Trace,
    text: Text,
}

impl Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here = |start, end| self.trace.texts.get(range(start, end)).unwrap_or_default();
        let snapshot = self.trace.snapshot.as_deref();
        match (self.text, snapshot) {
            (Text::Here(start, end), _) => f.write_str(here(start, end)),
            (Text::Later(later), Some(snapshot)) => later.of(snapshot).fmt(f),
            (Text::Did(start, end, group), Some(snapshot)) => {
                write!(f, "did {} of {}", here(start, end), snapshot.did_group(group).name)
            }
            (Text::Later(_) | Text::Did(..), None) => {
                debug_assert!(false, "numbers of no snapshot");
                Ok(())
            }
        }
    }
}

/// Where a text ends: there are few bytes of them (`limits.rs`).
fn end(texts: &str) -> u32 {
    u32::try_from(texts.len()).unwrap_or(u32::MAX)
}

const fn range(start: u32, end: u32) -> Range<usize> {
    start as usize..end as usize
}

/// Counts what is printed.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Later, Trace, step};
    use crate::limits;
    use model::id::Revision;
    use model::record::{Object, Stage, Verdict};
    use model::snapshot::{ENVIRONMENT, Level, Snapshot};
    use serde_json::Value;
    use std::sync::Arc;

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
        assert_eq!(trace.shown(), []);
    }

    #[test]
    fn what_is_put_into_words_later_reads_the_same_and_has_the_same_limits() {
        let (snapshot, _) = Snapshot::build(&[], Revision(7)).unwrap();
        let snapshot = Arc::new(snapshot);
        let mut trace = Trace::default();
        trace.reads(&snapshot);
        let root = Later::Level(Level::Tenant(ENVIRONMENT));
        let long = "x".repeat(limits::TRACE_BYTES - 30);
        trace.push(step(Stage::Authorise, root, Verdict::Passed, Later::Word("fits")));
        trace.push(step(Stage::Select, &long, Verdict::Passed, &""));
        trace.push(step(Stage::Authorise, root, Verdict::Passed, Later::Word("does not")));
        let before = steps(&trace);
        let told: Vec<_> = before.iter().map(|one| one["candidate"].clone()).collect();
        assert_eq!(told, ["tenant Environment", long.as_str(), ""]);
        assert_eq!(before[0]["reason"], "fits");
        assert_eq!((&before[2]["verdict"], &before[2]["reason"]), (&"cut".into(), &"1".into()));
        assert_eq!(serde_json::to_value(trace.shown()).unwrap().as_array(), Some(&before));
        trace.settle();
        assert_eq!(steps(&trace), before);
    }
}
