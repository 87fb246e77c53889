//! Threads that must not take a core from ingest (rs.md §1.2).

/// The lowest there is: the applier.
pub(crate) const LOWEST: i32 = 19;
/// Below ingest and HTTP, above the applier: somebody waits for the answer.
pub(crate) const LOW: i32 = 10;

/// Lowers the calling thread. Refused: then it runs as it is.
pub(crate) fn lower(nice: i32) {
    let _refused = rustix::process::setpriority_process(Some(rustix::thread::gettid()), nice);
}
