//! The highest rate without a failure, and what happens half as much again beyond it.

use std::time::Duration;

use anyhow::Result;

use super::call::{Calls, Via};
use super::plan::Plan;
use super::quota::Quota;
use super::sipp::Callers;
use super::system::{Running, System, Tools};
use super::told;

/// How the knee of a system with the whole machine is sought, …
const WHOLE: Search = Search { first: 2000, step: 500, seconds: 8 };
/// … and with a share: lower, and for so long that no buffer hides what cannot be
/// served, while the beginning of an overload counts as what it is: a beginning.
const SHARE: Search = Search { first: 500, step: 250, seconds: 20 };
/// Higher rates are not tried: SIPp is then the limit.
const LAST: u32 = 12_000;
/// A rate counts as reached from this share on.
const REACHED: f64 = 0.97;

/// Rates in calls per second.
#[derive(Clone, Copy)]
struct Search {
    /// The first rate, and by how much it is raised at least.
    first: u32,
    step: u32,
    /// Seconds of calls at each rate; the look at what succeeded comes just before their end.
    seconds: u32,
}

/// One turn of one system.
#[derive(Debug, Clone, Copy)]
pub(super) struct Knee {
    pub(super) system: System,
    pub(super) via: Via,
    /// Calls per second.
    pub(super) highest: u32,
    /// Half as much again: succeeded per second, failed of all, answer time.
    pub(super) beyond: f64,
    pub(super) failed_share: f64,
    pub(super) p99_ms: f64,
}

/// All systems in alternation, with a share of one processor in percent or with what they can get.
pub(super) fn run(tools: &Tools, plan: &Plan, share: Option<u32>) -> Vec<Knee> {
    let mut knees = Vec::new();
    for turn in 1..=plan.knees {
        for via in &plan.vias {
            for system in plan.systems.iter().filter(|system| plan.plays(**system, turn)) {
                told(turn, one(tools, *system, *via, share), &mut knees);
            }
        }
    }
    knees
}

fn one(tools: &Tools, system: System, via: Via, share: Option<u32>) -> Result<Knee> {
    let search = if share.is_some() { SHARE } else { WHOLE };
    let highest = search.highest(&start(tools, system, via, share)?, tools, via)?;
    // Fresh, so that what was left of the rate before does not count.
    let fresh = start(tools, system, via, share)?;
    let rate = highest.max(search.first) * 3 / 2;
    let outcome = search.try_rate(tools, &fresh.running, via, rate)?;
    Ok(Knee {
        system,
        via,
        highest,
        beyond: outcome.per_second,
        failed_share: outcome.failed / f64::from(rate * search.seconds),
        p99_ms: outcome.p99_ms,
    })
}

impl Search {
    /// In large steps up to the first failure, from the last good rate on in small ones.
    fn highest(self, held: &Held, tools: &Tools, via: Via) -> Result<u32> {
        let Self { first, step, .. } = self;
        let mut highest = 0;
        for step in [step * 2, step] {
            for rate in (first.max(highest + step)..=LAST).step_by(usize::try_from(step)?) {
                let outcome = self.try_rate(tools, &held.running, via, rate)?;
                if outcome.failed > 0.0 || outcome.per_second < f64::from(rate) * REACHED {
                    break;
                }
                highest = rate;
            }
        }
        Ok(highest)
    }

    fn try_rate(self, tools: &Tools, running: &Running, via: Via, rate: u32) -> Result<Outcome> {
        let calls = Calls::short(via, rate, self.seconds);
        let mut callers = Callers::start(&tools.files, running.sip, calls)?;
        let placed = callers.wait_for(f64::from(self.seconds - 1))?;
        let all = callers.finish(Duration::from_secs(40))?;
        let hold = f64::from(calls.hold_ms) / 1000.0;
        Ok(Outcome {
            per_second: placed.succeeded / (placed.seconds - hold),
            failed: f64::from(calls.count) - all.succeeded,
            p99_ms: callers.answers(0.0)?.1,
        })
    }
}

/// A system and its share, if it has one, which outlives it.
struct Held {
    running: Running,
    _share: Option<Quota>,
}

fn start(tools: &Tools, system: System, via: Via, share: Option<u32>) -> Result<Held> {
    let running = system.start(tools, via)?;
    let share = share.map(|share| Quota::hold(&running.server, share)).transpose()?;
    Ok(Held { running, _share: share })
}

/// What came of a rate.
struct Outcome {
    /// Calls that succeeded while calls were placed.
    per_second: f64,
    failed: f64,
    p99_ms: f64,
}
