//! Metrics of every process: build, start, CPU, memory, open files (ops.md §5).

use model::time::Millis;

use crate::log::Log;
use crate::log_id::find;
use crate::names;
use crate::prometheus::{Exposition, Kind};

/// Clock ticks per second of `/proc/self/stat`; fixed at 100 on every Linux that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE_BYTES: f64 = 4096.0;

/// Writes the families that every process has.
pub fn families(out: &mut Exposition, component: &str, node: &str, start: Millis, log: &Log) {
    out.family(names::BUILD_INFO, Kind::Gauge, "version and part, always 1");
    let version = env!("CARGO_PKG_VERSION");
    let commit = option_env!("RINGMASTER_COMMIT").unwrap_or("unknown");
    let labels =
        [("version", version), ("commit", commit), ("component", component), ("node", node)];
    out.sample(&labels, 1.0);
    out.family(names::START_TIME_SECONDS, Kind::Gauge, "start, seconds since 1970");
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double exactly")]
    let start_seconds = start.0 as f64 / 1000.0;
    out.sample(&[], start_seconds);
    let figures = Figures::read();
    for (name, kind, help, value) in [
        (names::PROCESS_CPU_SECONDS, Kind::Counter, "CPU time used", figures.cpu_seconds),
        (names::PROCESS_RESIDENT_BYTES, Kind::Gauge, "resident memory", figures.resident_bytes),
        (names::PROCESS_OPEN_FDS, Kind::Gauge, "open file descriptors", figures.open_fds),
        (names::PROCESS_MAX_FDS, Kind::Gauge, "limit of file descriptors", figures.max_fds),
    ] {
        if let Some(value) = value {
            out.family(name, kind, help);
            out.sample(&[], value);
        }
    }
    log_families(out, log);
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn log_families(out: &mut Exposition, log: &Log) {
    out.family(names::LOG_MESSAGES_TOTAL, Kind::Counter, "events by id, printed or not");
    for (number, count) in log.counts() {
        if count > 0 {
            let id = number.to_string();
            out.sample(&[("level", find(number).level.token()), ("log_id", &id)], count as f64);
        }
    }
    out.family(names::LOG_LOST_TOTAL, Kind::Counter, "lines the writer could not take");
    out.sample(&[], log.lost() as f64);
}

/// What `/proc/self` tells; absent where it cannot be read.
struct Figures {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
}

impl Figures {
    fn read() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The command name may hold blanks; fields are counted behind its closing bracket.
        let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let field = |n: usize| after.split_whitespace().nth(n).and_then(|f| f.parse::<f64>().ok());
        #[expect(clippy::cast_precision_loss, reason = "a count of descriptors is small")]
        let open_fds = std::fs::read_dir("/proc/self/fd").ok().map(|dir| dir.count() as f64);
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let max_fds = limits
            .lines()
            .find(|line| line.starts_with("Max open files"))
            .and_then(|line| line.split_whitespace().nth(3))
            .and_then(|soft| soft.parse().ok());
        Self {
            cpu_seconds: field(11).zip(field(12)).map(|(u, s)| (u + s) / TICKS_PER_SECOND),
            resident_bytes: field(21).map(|pages| pages * PAGE_BYTES),
            open_fds,
            max_fds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prometheus::Format;

    #[test]
    fn every_family_of_a_process_is_there() {
        let log = Log::silent(|| Millis(0));
        log.emit(20002, None, &[]);
        let mut out = Exposition::new(Format::Text);
        families(&mut out, "rm", "rm-1", Millis(1_000), &log);
        let text = out.finish();
        for part in [
            "ringmaster_build_info{version=",
            "ringmaster_start_time_seconds 1\n",
            "process_cpu_seconds_total ",
            "process_resident_memory_bytes ",
            "process_open_fds ",
            "process_max_fds ",
            "ringmaster_log_messages_total{level=\"NOTE\",log_id=\"20002\"} 1",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}
