//! CPU per call, failures and answer times at fixed rates.

use std::time::Duration;

use anyhow::Result;

use super::call::{Calls, Via};
use super::plan::Plan;
use super::sipp::Callers;
use super::system::{System, Tools};
use super::{median, told};

/// One turn of one system under one load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) system: System,
    pub(super) via: Via,
    /// Calls per second: wanted, and ended in the measured time.
    pub(super) wanted: u32,
    pub(super) reached: f64,
    /// User and system time of the system's processes per call that ended.
    pub(super) cpu_us: f64,
    /// Of all calls of the turn.
    pub(super) failed: f64,
    pub(super) retransmissions: f64,
    /// From INVITE to 200.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// All loads, the systems in alternation.
pub(super) fn run(tools: &Tools, plan: &Plan) -> Vec<Sample> {
    let mut samples = Vec::new();
    for turn in 1..=plan.alternations {
        for (via, wanted) in plan.loads() {
            for system in plan.systems.iter().copied().filter(|system| plan.plays(*system, turn)) {
                let sample = one(tools, plan, system, via, wanted);
                if told(turn, sample, &mut samples) {
                    tell_median(&samples);
                }
            }
        }
    }
    samples
}

/// The median so far of what was measured last.
fn tell_median(samples: &[Sample]) {
    let Some(Sample { system, via, wanted, .. }) = samples.last() else { return };
    let same = |one: &&Sample| (&one.system, &one.via, &one.wanted) == (system, via, wanted);
    let costs: Vec<f64> = samples.iter().filter(same).map(|one| one.cpu_us).collect();
    let (turns, cost) = (costs.len(), median(costs));
    eprintln!(
        "{} {wanted} calls/s, {}: median of {turns} is {cost:.0} µs per call",
        via.name(),
        system.name()
    );
}

fn one(tools: &Tools, plan: &Plan, system: System, via: Via, wanted: u32) -> Result<Sample> {
    let running = system.start(tools, via)?;
    let (warm, seconds) = (f64::from(plan.warm), f64::from(plan.seconds));
    // The measured time ends before the calls do.
    let calls = Calls::short(via, wanted, plan.warm + plan.seconds + 2);
    let mut callers = Callers::start(&tools.files, running.sip, calls)?;
    let begun = callers.wait_for(warm)?;
    let before = running.server.cpu_us()?;
    let ended = callers.wait_for(begun.seconds + seconds)?;
    let cpu = running.server.cpu_us()? - before;
    let all = callers.finish(Duration::from_secs(20))?;
    let (p50_ms, p99_ms) = callers.answers(begun.seconds)?;
    let done = ended.succeeded - begun.succeeded;
    Ok(Sample {
        system,
        via,
        wanted,
        reached: done / (ended.seconds - begun.seconds),
        cpu_us: cpu / done,
        failed: f64::from(calls.count) - all.succeeded,
        retransmissions: all.retransmissions,
        p50_ms,
        p99_ms,
    })
}
