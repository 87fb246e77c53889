//! The highest rate without a failure, and what happens half as much again beyond it.

use std::time::Duration;

use anyhow::Result;

use super::call::{Calls, Via};
use super::plan::Plan;
use super::quota::Quota;
use super::sipp::Callers;
use super::system::{Running, System, Tools};
use super::told;

/// Seconds of calls at each rate; the look at what succeeded comes just before their end.
const SECONDS: u32 = 8;
/// The first rate, and by how much it is raised at least.
const FIRST: u32 = 2000;
const STEP: u32 = 500;
/// Higher rates are not tried: SIPp is then the limit.
const LAST: u32 = 12_000;
/// A rate counts as reached from this share on.
const REACHED: f64 = 0.97;

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
    // A share is a step to half the height.
    let (first, step) = if share.is_some() { (FIRST / 2, STEP / 2) } else { (FIRST, STEP) };
    let highest = highest(&start(tools, system, via, share)?, tools, via, [first, step])?;
    // Fresh, so that what was left of the rate before does not count.
    let fresh = start(tools, system, via, share)?;
    let rate = highest.max(first) * 3 / 2;
    let outcome = try_rate(tools, &fresh.running, via, rate)?;
    Ok(Knee {
        system,
        via,
        highest,
        beyond: outcome.per_second,
        failed_share: outcome.failed / f64::from(rate * SECONDS),
        p99_ms: outcome.p99_ms,
    })
}

/// In large steps up to the first failure, from the last good rate on in small ones.
fn highest(held: &Held, tools: &Tools, via: Via, [first, step]: [u32; 2]) -> Result<u32> {
    let mut highest = 0;
    for step in [step * 2, step] {
        for rate in (first.max(highest + step)..=LAST).step_by(usize::try_from(step)?) {
            let outcome = try_rate(tools, &held.running, via, rate)?;
            if outcome.failed > 0.0 || outcome.per_second < f64::from(rate) * REACHED {
                break;
            }
            highest = rate;
        }
    }
    Ok(highest)
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

fn try_rate(tools: &Tools, running: &Running, via: Via, rate: u32) -> Result<Outcome> {
    let calls = Calls::short(via, rate, SECONDS);
    let mut callers = Callers::start(&tools.files, running.sip, calls)?;
    let placed = callers.wait_for(f64::from(SECONDS - 1))?;
    let all = callers.finish(Duration::from_secs(40))?;
    let hold = f64::from(calls.hold_ms) / 1000.0;
    Ok(Outcome {
        per_second: placed.succeeded / (placed.seconds - hold),
        failed: f64::from(calls.count) - all.succeeded,
        p99_ms: callers.answers(0.0)?.1,
    })
}
