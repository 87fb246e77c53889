//! A thread that works in the background and is waited for at the end, but not for ever: one that
//! hangs in a call to the database ends with the process, whose spool keeps what it did not store.

use std::io;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A call that answers at all does so within this.
const GRACE: Duration = Duration::from_secs(3);

/// The thread.
pub(crate) struct Background {
    thread: JoinHandle<()>,
    /// Its other end goes when the work is over, however that ends.
    ended: Mutex<Receiver<()>>,
}

impl Background {
    /// Starts it.
    ///
    /// # Errors
    /// There are no threads.
    pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (alive, ended) = mpsc::sync_channel::<()>(1);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _alive = alive;
            work();
        })?;
        Ok(Self { thread, ended: Mutex::new(ended) })
    }

    /// Waits until it has ended, somewhat longer than what it was given for that; false: it hangs.
    pub(crate) fn end(self, given: Duration) -> bool {
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(given + GRACE) == Err(mpsc::RecvTimeoutError::Timeout) {
            return false;
        }
        // a panic was told where it happened
        let _ended = self.thread.join();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_hangs_is_left_to_itself() {
        let (go, wait) = mpsc::sync_channel::<()>(1);
        let (begun, has_begun) = mpsc::sync_channel(1);
        let work = move || {
            begun.send(()).unwrap();
            let _told = wait.recv();
        };
        let hanging = Background::start("hangs", work).unwrap();
        has_begun.recv().unwrap();
        assert!(!hanging.end(Duration::ZERO));
        drop(go);
        let panics = Background::start("panics", || panic!("as it is to")).unwrap();
        assert!(panics.end(Duration::ZERO));
    }
}
