//! Ending another thread's wait: a non-blocking pipe, at most one byte in it.
//!
//! Whoever hands something over puts it into its queue first and then calls [`Waker::wake`]; the
//! engine calls [`WakeReceiver::drain`] first and then looks into the queues. In that order no
//! hand-over is missed, and a thousand wakes cost one system call.

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The waking end; clones wake the same receiver.
#[derive(Debug, Clone)]
pub struct Waker {
    shared: Arc<Shared>,
}

/// The waiting end: a descriptor for the poller.
#[derive(Debug)]
pub struct WakeReceiver {
    reader: PipeReader,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pending: AtomicBool,
    writer: PipeWriter,
}

/// A connected pair.
///
/// # Errors
/// When the process has no descriptor left.
pub fn pair() -> io::Result<(Waker, WakeReceiver)> {
    let (reader, writer) = io::pipe()?;
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let shared = Arc::new(Shared { pending: AtomicBool::new(false), writer });
    Ok((Waker { shared: Arc::clone(&shared) }, WakeReceiver { reader, shared }))
}

impl Waker {
    /// Ends the receiver's present or next wait. Never blocks.
    pub fn wake(&self) {
        if !self.shared.pending.swap(true, Ordering::SeqCst) {
            // A full pipe already wakes, and a receiver that is gone needs no waking.
            let _ = (&self.shared.writer).write(&[1]);
        }
    }
}

impl WakeReceiver {
    /// Makes the next [`Waker::wake`] count again. To be called before the queues are looked into.
    pub fn drain(&mut self) {
        // There is at most one byte, and what is read too early or not at all only wakes again.
        let _ = self.reader.read(&mut [0; 16]);
        self.shared.pending.store(false, Ordering::SeqCst);
    }
}

impl AsFd for WakeReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poller::{Interest, Poller, Token};
    use std::time::Duration;

    #[test]
    fn many_wakes_are_one_and_the_next_counts_again() {
        let (waker, mut receiver) = pair().unwrap();
        let mut poller = Poller::new().unwrap();
        let mut ready = Vec::new();
        poller.add(&receiver, Token(1), Interest::Read).unwrap();
        for _ in 0..2 {
            for _ in 0..100_000 {
                waker.wake();
            }
            poller.wait(Some(Duration::from_secs(5)), &mut ready).unwrap();
            assert_eq!(ready.len(), 1);
            receiver.drain();
            poller.wait(Some(Duration::ZERO), &mut ready).unwrap();
            assert_eq!(ready.len(), 0);
        }
    }

    #[test]
    fn wakes_a_wait_of_another_thread() {
        let (waker, mut receiver) = pair().unwrap();
        let waiting = std::thread::spawn(move || {
            let mut poller = Poller::new().unwrap();
            let mut ready = Vec::new();
            poller.add(&receiver, Token(1), Interest::Read).unwrap();
            poller.wait(Some(Duration::from_secs(30)), &mut ready).unwrap();
            receiver.drain();
            ready.len()
        });
        waker.wake();
        assert_eq!(waiting.join().unwrap(), 1);
    }
}
