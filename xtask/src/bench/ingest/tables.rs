//! Medians as a table.

use super::Sample;
use super::plan::Plan;
use super::system::System;
use crate::bench::proxy::median;

/// One line per number of producers and system; ratios are to ActiveMQ and to the endpoint that
/// stores nothing.
pub(super) fn ingest(plan: &Plan, samples: &[Sample], syncs: &[f64]) -> String {
    let mut table = format!(
        "Medians of {} turns, each measured for {} s after {} s of the same load. The disk beside \
         it: {:.0} synced writes of 1 KiB a second.\n\n",
        plan.turns,
        plan.seconds,
        plan.warm,
        median(syncs.iter().copied())
    );
    table.push_str(
        "| producers | system | messages/s | to ActiveMQ | to `null` | p50 | p99 | CPU per \
         message | memory | listens again after |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for producers in &plan.producers {
        let of = |system: System| -> Vec<&Sample> {
            let own = |one: &&Sample| one.producers == *producers && one.system == system;
            samples.iter().filter(own).collect()
        };
        let rate = |system| median(of(system).iter().map(|one| one.load.rate));
        for system in &plan.systems {
            let own = of(*system);
            if own.is_empty() {
                continue;
            }
            let of = |value: fn(&Sample) -> f64| median(own.iter().map(|one| value(one)));
            let own_rate = rate(*system);
            table.push_str(&format!(
                "| {producers} | {} | {own_rate:.0} | {} | {} | {:.2} ms | {:.1} ms | {:.0} µs | \
                 {:.0} MiB | {:.2} s |\n",
                system.name(),
                ratio(own_rate, rate(System::Activemq)),
                ratio(own_rate, rate(System::Null)),
                of(|one| one.load.p50_ms),
                of(|one| one.load.p99_ms),
                of(|one| one.cpu_us),
                of(|one| one.memory) / f64::from(1 << 20),
                of(|one| one.back),
            ));
        }
    }
    table
}

fn ratio(own: f64, other: f64) -> String {
    let ratio = own / other;
    if ratio.is_finite() { format!("{ratio:.2}") } else { String::from("–") }
}
