//! What the kernel had no room for, asked once a second on a thread of its own: the engine is told,
//! and `/metrics` counts (rm.md §1.9, ops.md §5.1).
//!
//! It decides nothing. A reading that a busy engine cannot take goes with the next one.

use crate::error::StartError;
use crate::inbox::{Inbox, Input};
use crate::limits::DROPS_EVERY;
use crate::listeners::{Bound, Socket};
use crate::running::spawn;
use net::udp::KernelDrops;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Datagrams lost since the start, by stack.
#[derive(Debug, Default)]
pub(crate) struct DropCounters {
    proxy: AtomicU64,
    monitor: AtomicU64,
}

impl DropCounters {
    /// Stack and number.
    pub(crate) fn all(&self) -> [(&'static str, u64); 2] {
        [("proxy", &self.proxy), ("monitor", &self.monitor)]
            .map(|(stack, count)| (stack, count.load(Ordering::Relaxed)))
    }
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct DropWatch {
    thread: Option<JoinHandle<()>>,
    stop: Option<SyncSender<()>>,
}

impl DropWatch {
    /// Watches the UDP sockets of a node; the monitor's is the last.
    pub(crate) fn start(
        bound: &[Bound],
        counters: Arc<DropCounters>,
        inbox: Inbox,
    ) -> Result<Self, StartError> {
        let sockets = bound.iter().filter_map(|bound| match &bound.socket {
            Socket::Udp(socket) => Some(socket),
            Socket::Tcp(_) | Socket::Tls(_) => None,
        });
        let monitor = sockets.clone().count().saturating_sub(1);
        let drops = KernelDrops::of(sockets).map_err(StartError::descriptors)?;
        let (stop, stopped) = sync_channel(1);
        let run = move || watch(drops, monitor, &counters, &inbox, &stopped);
        Ok(Self { thread: Some(spawn("rm-drops", run)?), stop: Some(stop) })
    }
}

impl Drop for DropWatch {
    fn drop(&mut self) {
        self.stop = None;
        // A panic there has been reported by its hook; nothing hangs on this thread.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn watch(
    mut drops: KernelDrops,
    monitor: usize,
    counters: &DropCounters,
    inbox: &Inbox,
    stopped: &Receiver<()>,
) {
    let mut packets = 0;
    while stopped.recv_timeout(DROPS_EVERY) == Err(RecvTimeoutError::Timeout) {
        drops.read(|socket, lost| {
            let counter = if socket == monitor { &counters.monitor } else { &counters.proxy };
            counter.fetch_add(lost, Ordering::Relaxed);
            packets += lost;
        });
        if inbox.send(Input::KernelDrops { packets }).is_ok() {
            packets = 0;
        }
    }
}
