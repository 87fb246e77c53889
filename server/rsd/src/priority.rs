//! Threads that must not take a core from ingest (rs.md §1.2).

/// The lowest there is: the rollup job.
pub(crate) const LOWEST: i32 = 19;
/// Of what is left, more than twice the share of the lowest: the applier, and who moves logs for it
/// (ADR 82). Ingest has thirty times as much.
pub(crate) const APPLY: i32 = 15;
/// Below ingest and HTTP, above the applier: somebody waits for the answer.
pub(crate) const LOW: i32 = 10;

/// Lowers the calling thread. Refused: then it runs as it is.
pub(crate) fn lower(nice: i32) {
    let _refused = rustix::process::setpriority_process(Some(rustix::thread::gettid()), nice);
}
