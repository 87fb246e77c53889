//! Medians as tables.

use super::call::Via;
use super::held::Held;
use super::knee::Knee;
use super::load::Sample;
use super::median;
use super::plan::Plan;
use super::system::System;

/// A rate counts as reached from this share on; below, its cost is not compared.
const REACHED: f64 = 0.97;

/// One line per transport, rate and system. The ratio is to Kamailio with `tlsf`.
pub(super) fn load(plan: &Plan, samples: &[Sample]) -> String {
    let mut table = format!(
        "Medians of the turns, each measured for {} s after {} s of the same load.\n\n",
        plan.seconds, plan.warm
    );
    table.push_str(
        "| transport | calls/s wanted | system | turns | reached | CPU per call | to Kamailio | \
         failed | sent again | answer p50 | p99 |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut done: Vec<(Via, u32)> = Vec::new();
    for sample in samples {
        let key = (sample.via, sample.wanted);
        if done.contains(&key) {
            continue;
        }
        done.push(key);
        let of = |system: System| -> Vec<&Sample> {
            let same = |one: &&Sample| (one.via, one.wanted) == key && one.system == system;
            samples.iter().filter(same).collect()
        };
        for system in System::ALL.into_iter().filter(|system| !of(*system).is_empty()) {
            table.push_str(&line(key, system, &of(system), &of(System::Tlsf)));
        }
    }
    table
}

fn line((via, wanted): (Via, u32), system: System, own: &[&Sample], other: &[&Sample]) -> String {
    let of = |samples: &[&Sample], value: fn(&Sample) -> f64| {
        median(samples.iter().map(|sample| value(sample)))
    };
    let full = |samples| of(samples, |one| one.reached) >= f64::from(wanted) * REACHED;
    let cpu = of(own, |one| one.cpu_us);
    let ratio = cpu / of(other, |one| one.cpu_us);
    let ratio = if full(own) && full(other) && ratio.is_finite() {
        format!("{ratio:.2}")
    } else {
        String::from("–")
    };
    format!(
        "| {} | {wanted} | {} | {} | {:.0} | {cpu:.0} µs | {ratio} | {:.0} | {:.0} | {:.0} ms | \
         {:.0} ms |\n",
        via.name(),
        system.name(),
        own.len(),
        of(own, |one| one.reached),
        of(own, |one| one.failed),
        of(own, |one| one.retransmissions),
        of(own, |one| one.p50_ms),
        of(own, |one| one.p99_ms),
    )
}

/// One line per transport and system.
pub(super) fn knee(knees: &[Knee]) -> String {
    let mut table = String::from(
        "| transport | system | turns | highest calls/s without failure | half as much again: \
         succeeded/s | failed | answer p99 |\n|---|---|---|---|---|---|---|\n",
    );
    for via in [Via::Udp, Via::Tcp] {
        for system in System::ALL {
            let own: Vec<&Knee> =
                knees.iter().filter(|one| one.via == via && one.system == system).collect();
            if own.is_empty() {
                continue;
            }
            let of = |value: fn(&Knee) -> f64| median(own.iter().map(|knee| value(knee)));
            table.push_str(&format!(
                "| {} | {} | {} | {:.0} | {:.0} | {:.1} % | {:.0} ms |\n",
                via.name(),
                system.name(),
                own.len(),
                of(|one| f64::from(one.highest)),
                of(|one| one.beyond),
                of(|one| one.failed_share * 100.0),
                of(|one| one.p99_ms),
            ));
        }
    }
    table
}

/// The same of systems that had a share.
pub(super) fn share(plan: &Plan, knees: &[Knee]) -> String {
    format!("With {} % of one processor for the system:\n\n{}", plan.quota, knee(knees))
}

/// One line per system.
pub(super) fn held(plan: &Plan, held: &[Held]) -> String {
    let mut table = format!(
        "One turn.\n\n\
         | system | memory per call with {} calls up | shared memory in use, per call |\n\
         |---|---|---|\n",
        plan.held
    );
    for system in System::ALL {
        let own: Vec<&Held> = held.iter().filter(|one| one.system == system).collect();
        if own.is_empty() {
            continue;
        }
        let pss = median(own.iter().map(|one| one.pss));
        let shared = median(own.iter().filter_map(|one| one.shared));
        let shared = if shared.is_nan() { String::from("–") } else { format!("{shared:.0} B") };
        table.push_str(&format!("| {} | {pss:.0} B | {shared} |\n", system.name()));
    }
    table
}
