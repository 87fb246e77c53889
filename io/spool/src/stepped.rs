//! The spool without threads, for the simulator: its user says when the disk turns and how long a
//! sync takes. Everything but the threads is what the daemons run.

use std::sync::Arc;
use std::time::Duration;

use crate::driver::{Driver, Shared};
use crate::fs::{File, FileSystem};
use crate::spool::{Hooks, OpenError, Recovered, Settings, Spool};

/// A spool that moves only in [`Self::turn`]. Dropped, it writes no more: a crash.
pub struct Stepped {
    spool: Spool,
    shared: Arc<Shared>,
    driver: Driver,
    /// Written, and synced at this time.
    under_way: Option<(Arc<dyn File>, Duration)>,
    sync: Duration,
}

impl Stepped {
    /// Opens or makes the spool, as [`Spool::open`] does.
    ///
    /// # Errors
    /// As there.
    pub fn open(
        settings: Settings,
        fs: Arc<dyn FileSystem>,
        hooks: Hooks,
    ) -> Result<(Self, Recovered), OpenError> {
        let (shared, driver, recovered) = Spool::assemble(settings, fs, hooks)?;
        let spool = Spool::without_threads(Arc::clone(&shared));
        let (under_way, sync) = (None, Duration::ZERO);
        Ok((Self { spool, shared, driver, under_way, sync }, recovered))
    }

    /// The handle that a user holds.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// How long syncs take that begin from now on.
    pub fn set_sync(&mut self, sync: Duration) {
        self.sync = sync;
    }

    /// What the threads would do by now: end the sync that is over, begin the next write. While a
    /// sync is under way nothing else happens, as on a disk.
    pub fn turn(&mut self) {
        let now = (self.driver.hooks.clock)();
        if let Some((file, due)) = self.under_way.take() {
            if now < due {
                self.under_way = Some((file, due));
                return;
            }
            self.end(&*file);
        }
        let closing = self.driver.gather();
        if let Some(file) = self.driver.write(closing) {
            if self.sync.is_zero() {
                self.end(&*file);
            } else {
                self.under_way = Some((file, now + self.sync));
            }
        }
        self.driver.mark(closing);
        self.driver.report();
        // one that fails is tried again in the next turn
        let _later = self.shared.maker.turn();
    }

    /// When [`Self::turn`] has something to do at the latest; a time that is over: at once.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match &self.under_way {
            Some((_, due)) => Some(*due),
            None if self.shared.intake().dirty => Some(Duration::ZERO),
            None => self.driver.machine.poll_timeout(),
        }
    }

    fn end(&mut self, file: &dyn File) {
        self.driver.settle(file.sync_data().is_ok());
        self.driver.report();
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::entry::{Entry, Kind};
    use crate::fs::faulty::FaultyFs;

    fn open(fs: &FaultyFs, clock: &Arc<AtomicU64>) -> (Stepped, Recovered) {
        let now = Arc::clone(clock);
        let hooks = Hooks {
            clock: Box::new(move || Duration::from_millis(now.load(Ordering::Relaxed))),
            on_durable: Box::new(|_| {}),
            on_sync: Box::new(|_| {}),
            carry: Box::new(<[u8]>::to_vec),
        };
        let settings =
            Settings { segment_bytes: 64 << 10, ..Settings::new(PathBuf::from("/s"), 1 << 20, 1) };
        Stepped::open(settings, Arc::new(fs.clone()), hooks).unwrap()
    }

    #[test]
    fn nothing_is_durable_before_its_sync_and_a_crash_before_it_may_lose_it() {
        let (fs, clock) = (FaultyFs::new(7), Arc::new(AtomicU64::new(0)));
        let (mut stepped, _) = open(&fs, &clock);
        stepped.set_sync(Duration::from_millis(40));
        let entry =
            || vec![Entry { kind: Kind::Data, key: None, payload: vec![1; 4000], records: 1 }];
        let first = stepped.spool().append(entry(), true).unwrap();
        assert_eq!(stepped.poll_timeout(), Some(Duration::ZERO));
        stepped.turn();
        assert_eq!(stepped.poll_timeout(), Some(Duration::from_millis(40)));
        clock.store(39, Ordering::Relaxed);
        stepped.turn();
        assert_eq!(stepped.spool().durable(), 0);
        clock.store(40, Ordering::Relaxed);
        stepped.turn();
        assert_eq!(stepped.spool().durable(), first);
        stepped.spool().append(entry(), true).unwrap();
        stepped.turn();
        drop(stepped);
        let (_, recovered) = open(&fs.restart(), &clock);
        assert_eq!(recovered.last_seq, first, "torn: eight sectors rarely all arrive");
    }
}
