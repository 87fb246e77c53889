//! The thread that makes the spare segment ahead and gives up old ones, so that neither ever
//! stands between a record and its sync. A spare is a zero-filled file (or a recycled one whose
//! header was zeroed); its bytes are there, so a full disk is seen here and not inside a group.
//!
//! One spare is made as soon as there is none. The segment before is given up a little later: it is
//! kept as a second one, so that a spool that keeps up fills its files once and then recycles them.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::format::FRAMES_AT;
use crate::fs::{File, FileSystem};
use crate::limits::{FILL_SLICE, SEGMENTS, SMALL_SEGMENT, SPARES};
use crate::recovery::{Blank, file_name};

/// Wait after a failure, before the same is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Hand-over between driver and maker. Bounded by the number of segments on disk.
#[derive(Default)]
struct Desk {
    old: VecDeque<Blank>,
    spares: Vec<Blank>,
    closing: bool,
    last_serial: u64,
}

pub(crate) struct Maker {
    fs: Arc<dyn FileSystem>,
    dir: PathBuf,
    /// Of a large spool.
    most_bytes: u64,
    segment_bytes: AtomicU64,
    desk: Mutex<Desk>,
    wake: Condvar,
}

impl Maker {
    pub(crate) fn new(
        fs: Arc<dyn FileSystem>,
        dir: PathBuf,
        (most_bytes, limit): (u64, u64),
        last_serial: u64,
    ) -> Self {
        let desk = Mutex::new(Desk { last_serial, ..Desk::default() });
        let segment_bytes = AtomicU64::new(most_bytes);
        let maker = Self { fs, dir, most_bytes, segment_bytes, desk, wake: Condvar::new() };
        maker.fit(limit);
        maker
    }

    /// Segments from now on are such that the limit has room for some.
    pub(crate) fn fit(&self, limit: u64) {
        let most = (limit / SEGMENTS).max(SMALL_SEGMENT) / 4096 * 4096;
        self.segment_bytes.store(most.min(self.most_bytes), Ordering::Relaxed);
    }

    fn segment_bytes(&self) -> u64 {
        self.segment_bytes.load(Ordering::Relaxed)
    }

    /// Gives a segment up. In the order of the calls, each durably before the next.
    pub(crate) fn retire(&self, old: Blank) {
        self.desk().old.push_back(old);
        self.wake.notify_one();
    }

    /// Gives up one whose sync failed: it is no spare, whatever its size.
    pub(crate) fn discard(&self, bad: Blank) {
        self.retire(Blank { bytes: 0, ..bad });
    }

    /// A segment of at least so many bytes: the spare, else a small one made now.
    pub(crate) fn take(&self, at_least: u64, small: u64) -> io::Result<Blank> {
        let mut desk = self.desk();
        if let Some(spare) = desk.spares.pop_if(|spare| spare.bytes >= at_least) {
            self.wake.notify_one();
            return Ok(spare);
        }
        let serial = next_serial(&mut desk);
        drop(desk);
        let bytes = at_least.max(small.min(self.segment_bytes())).next_multiple_of(4096);
        make(&*self.fs, &self.dir, serial, bytes)
    }

    pub(crate) fn close(&self) {
        self.desk().closing = true;
        self.wake.notify_all();
    }

    /// The thread; `news` is called when there is a spare or room again.
    pub(crate) fn run(&self, news: &dyn Fn()) {
        loop {
            let mut desk = self.desk();
            while desk.is_idle() {
                desk = self.wake.wait(desk).unwrap_or_else(PoisonError::into_inner);
            }
            if desk.closing {
                return;
            }
            drop(desk);
            if self.turn().is_ok() {
                news();
            } else {
                let wait = self.wake.wait_timeout_while(self.desk(), RETRY, |desk| !desk.closing);
                drop(wait);
            }
        }
    }

    /// Does the next thing, if there is one.
    pub(crate) fn turn(&self) -> io::Result<()> {
        let mut desk = self.desk();
        if let Some(old) = desk.old.pop_front() {
            let keep = desk.spares.len() < SPARES && old.bytes == self.segment_bytes();
            drop(desk);
            let done = self.give_up(&old, keep);
            let mut desk = self.desk();
            match done {
                Ok(()) if keep => desk.spares.push(old),
                Ok(()) => {}
                Err(_) => desk.old.push_front(old),
            }
            done
        } else if desk.spares.is_empty() {
            let serial = next_serial(&mut desk);
            drop(desk);
            let spare = make(&*self.fs, &self.dir, serial, self.segment_bytes())?;
            self.desk().spares.push(spare);
            Ok(())
        } else {
            Ok(())
        }
    }

    /// Zeroes the header, so that no start reads the old frames; or removes the file.
    fn give_up(&self, old: &Blank, keep: bool) -> io::Result<()> {
        if keep {
            let header = vec![0; usize::try_from(FRAMES_AT).unwrap_or(0)];
            old.file.write_all_at(&header, 0)?;
            return old.file.sync_data();
        }
        match self.fs.remove(&self.dir.join(&old.name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.fs.sync_dir(&self.dir),
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn is_idle(&self) -> bool {
        !self.closing && self.old.is_empty() && !self.spares.is_empty()
    }
}

fn next_serial(desk: &mut Desk) -> u64 {
    desk.last_serial += 1;
    desk.last_serial
}

/// A new file full of zeros, durable with its name.
fn make(fs: &dyn FileSystem, dir: &Path, serial: u64, bytes: u64) -> io::Result<Blank> {
    let name = file_name(serial);
    let path = dir.join(&name);
    let filled = fs.create(&path).and_then(|file| {
        fill(&*file, bytes)?;
        fs.sync_dir(dir)?;
        Ok(file)
    });
    match filled {
        Ok(file) => Ok(Blank { name, file, bytes }),
        Err(error) => {
            // a part of a file is of no use; if it stays, the next start removes it
            let _left_behind = fs.remove(&path);
            Err(error)
        }
    }
}

fn fill(file: &dyn File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; FILL_SLICE];
    let mut at = 0;
    while at < bytes {
        let slice = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(FILL_SLICE);
        file.write_all_at(&zeros[..slice], at)?;
        at += slice as u64;
        if at.is_multiple_of(8 * FILL_SLICE as u64) || at >= bytes {
            file.sync_data()?;
        }
    }
    Ok(())
}
