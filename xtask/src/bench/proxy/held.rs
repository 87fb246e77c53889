//! Memory of calls that are up.

use anyhow::{Result, bail};

use super::call::{Calls, Via};
use super::kamailio;
use super::plan::Plan;
use super::sipp::Callers;
use super::system::{Running, System, Tools};
use super::told;

/// Calls set up per second.
const RATE: u32 = 1000;
/// Seconds from the last set-up until memory is read: longer than a transaction lives.
const REST: u32 = 40;

/// One turn of one system.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) system: System,
    /// Growth of the memory of all its processes, bytes per call.
    pub(super) pss: f64,
    /// Of Kamailio: growth of what is used of its shared memory, bytes per call.
    pub(super) shared: Option<f64>,
}

/// All systems, over UDP.
pub(super) fn run(tools: &Tools, plan: &Plan) -> Vec<Held> {
    let mut all = Vec::new();
    for system in &plan.systems {
        told(1, one(tools, plan, *system), &mut all);
    }
    all
}

fn one(tools: &Tools, plan: &Plan, system: System) -> Result<Held> {
    let running = system.start(tools, Via::Udp)?;
    let (pss, shared) = memory(&running)?;
    let set_up = plan.held.div_ceil(RATE);
    let hold_ms = (set_up + REST + 20) * 1000;
    let calls = Calls { via: Via::Udp, per_second: RATE, count: plan.held, hold_ms };
    let mut callers = Callers::start(&tools.files, running.sip, calls)?;
    let progress = callers.wait_for(f64::from(set_up + REST))?;
    let count = f64::from(plan.held);
    if progress.placed < count || progress.failed > 0.0 {
        bail!("not all calls are up: {progress:?}");
    }
    let (pss_held, shared_held) = memory(&running)?;
    Ok(Held {
        system,
        pss: (pss_held - pss) / count,
        shared: shared_held.zip(shared).map(|(held, before)| (held - before) / count),
    })
}

fn memory(running: &Running) -> Result<(f64, Option<f64>)> {
    let shared = running.control.as_deref().map(kamailio::shared_memory).transpose()?;
    Ok((running.server.pss()?, shared))
}
