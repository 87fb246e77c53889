//! The thread that carries out what the machine says: takes what was handed over, writes, syncs,
//! answers. It decides nothing. Locks are held for moments and never over a call to the disk.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::catalog::{Catalog, OnDisk};
use crate::damage::{Unreadable, Ward};
use crate::entry::{Entry, Key, Kind};
use crate::format::{self, FRAMES_AT, MARK_OFFSET, read_frame};
use crate::fs::{File, FileSystem};
use crate::intake::Intake;
use crate::limits::STARTER_BYTES;
use crate::machine::open::Place;
use crate::machine::{Machine, Step};
use crate::maker::Maker;
use crate::recovery::Blank;
use crate::spool::{Hooks, OpenError, State, Synced};

/// What handle, driver, maker and readers share.
pub(crate) struct Shared {
    intake: Mutex<Intake>,
    wake: Condvar,
    pub(crate) durable: AtomicU64,
    catalog: Mutex<Catalog>,
    pub(crate) maker: Maker,
    pub(crate) ward: Ward,
}

impl Shared {
    pub(crate) fn new(
        intake: Intake,
        durable: u64,
        catalog: Catalog,
        maker: Maker,
        ward: Ward,
    ) -> Self {
        Self {
            intake: Mutex::new(intake),
            wake: Condvar::new(),
            durable: AtomicU64::new(durable),
            catalog: Mutex::new(catalog),
            maker,
            ward,
        }
    }

    pub(crate) fn intake(&self) -> MutexGuard<'_, Intake> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the driver, if it sleeps.
    pub(crate) fn nudge(&self, intake: MutexGuard<'_, Intake>) {
        let asleep = intake.asleep;
        drop(intake);
        if asleep {
            self.wake.notify_one();
        }
    }
}

pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    pub(crate) machine: Machine,
    pub(crate) hooks: Hooks,
    pub(crate) fs: Arc<dyn FileSystem>,
    pub(crate) dir: PathBuf,
    pub(crate) cursors: usize,
    pub(crate) buffer: Vec<u8>,
    /// Files without records that the start found: given up, or used, as soon as a new segment
    /// stands, for until then they may be what says where an older one ends.
    pub(crate) blanks: Vec<Blank>,
    /// Held as long as the thread lives: the directory is ours.
    pub(crate) lock: Box<dyn Send + Sync>,
}

impl Driver {
    /// The new segment of a start, with its header on disk before anything else happens. Where the
    /// disk has no room for it the spool starts nevertheless, for what it holds can be read: it is
    /// full, and asks again.
    pub(crate) fn begin(&mut self) -> Result<(), OpenError> {
        self.take_release();
        match self.blank(0) {
            Ok(blank) => self.adopt(blank),
            Err(error) if is_full(&error) => {
                self.machine.handle_no_segment((self.hooks.clock)());
                self.publish();
                return Ok(());
            }
            Err(error) => return Err(OpenError::Io(error)),
        }
        self.buffer.clear();
        self.machine.write_header(&mut self.buffer);
        let newest = self.shared.catalog().locate(u64::MAX);
        let Some((segment, _)) = newest else { return Ok(()) };
        segment.file.write_all_at(&self.buffer, 0).map_err(OpenError::Io)?;
        segment.file.sync_data().map_err(OpenError::Io)?;
        self.fs.sync_dir(&self.dir).map_err(OpenError::Io)?;
        self.give_up_blanks();
        Ok(())
    }

    /// A file for the next segment: where none can be made one that the start found.
    fn blank(&mut self, at_least: u64) -> io::Result<Blank> {
        self.shared.maker.take(at_least, STARTER_BYTES).or_else(|error| {
            let fits = |blank: &Blank| blank.bytes > FRAMES_AT.max(at_least);
            let at = self.blanks.iter().position(fits);
            at.map(|at| self.blanks.remove(at)).ok_or(error)
        })
    }

    fn give_up_blanks(&mut self) {
        self.blanks.drain(..).for_each(|blank| self.shared.maker.retire(blank));
    }

    /// The thread: until closed and drained, or closed and stuck.
    pub(crate) fn run(mut self) {
        loop {
            self.sleep();
            if self.turn() {
                self.shared.intake().status.state = State::Closed;
                drop(self.lock);
                return;
            }
        }
    }

    /// One turn without sleeping; true: closed, and nothing left that could be written.
    pub(crate) fn turn(&mut self) -> bool {
        let closing = self.gather();
        if let Some(file) = self.write(closing) {
            self.settle(file.sync_data().is_ok());
        }
        self.mark(closing);
        self.report();
        let stuck = self.machine.is_broken() || self.machine.is_without_room();
        closing && (self.machine.is_drained() || stuck)
    }

    /// What users have handed over since the last turn; true: closing.
    pub(crate) fn gather(&mut self) -> bool {
        let closing = self.take_input();
        self.take_release();
        if !closing {
            self.clean();
        }
        closing
    }

    /// Gives up what nobody needs, and tells the figures.
    pub(crate) fn report(&mut self) {
        self.retire();
        self.publish();
    }

    /// Sleeps until there is something to do.
    fn sleep(&mut self) {
        let mut intake = self.shared.intake();
        loop {
            let now = (self.hooks.clock)();
            let due = self.machine.poll_timeout().map(|at| at.saturating_sub(now));
            if intake.dirty || intake.closing || due.is_some_and(|wait| wait.is_zero()) {
                return;
            }
            intake.asleep = true;
            intake = match due {
                Some(wait) => {
                    let waited = self.shared.wake.wait_timeout(intake, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.shared.wake.wait(intake).unwrap_or_else(PoisonError::into_inner),
            };
            intake.asleep = false;
        }
    }

    /// Takes over what was appended; true: closing.
    fn take_input(&mut self) -> bool {
        let now = (self.hooks.clock)();
        let mut intake = self.shared.intake();
        // told before all that asks the disk: one that hangs lets nothing be told
        intake.status.busy_since = Some(now);
        let closing = intake.closing;
        let batches = intake.drain(closing);
        if std::mem::take(&mut intake.again) {
            self.machine.handle_again();
        }
        drop(intake);
        for batch in batches {
            self.machine.handle_input(now, batch);
        }
        closing
    }

    fn take_release(&mut self) {
        let intake = self.shared.intake();
        let cursors = intake.cursors();
        let (mut released, limit) = (intake.released, intake.status.limit);
        drop(intake);
        if self.cursors > 0 {
            let lowest = cursors[..self.cursors].iter().map(|cursor| cursor.unwrap_or(0)).min();
            released = lowest.unwrap_or(0);
        }
        self.machine.handle_release(released, cursors);
        self.machine.set_limit(limit);
    }

    /// Writes what is due; gives the file whose sync then makes it safe, and whose outcome
    /// `settle` is to be told. What could not be written is settled already.
    pub(crate) fn write(&mut self, flush: bool) -> Option<Arc<dyn File>> {
        let step = loop {
            self.buffer.clear();
            let now = (self.hooks.clock)();
            match self.machine.poll_write(now, flush, &mut self.buffer) {
                Step::Segment { at_least } => match self.blank(at_least) {
                    Ok(blank) => self.adopt(blank),
                    Err(_) => self.machine.handle_no_segment(now),
                },
                step => break step,
            }
        };
        let Step::Write { segment, offset } = step else { return None };
        let file = self.shared.catalog().get(segment).map(|segment| Arc::clone(&segment.file));
        let written = file.filter(|file| file.write_all_at(&self.buffer, offset).is_ok());
        if written.is_none() {
            self.settle(false);
        }
        written
    }

    /// The outcome of a write and its sync.
    pub(crate) fn settle(&mut self, good: bool) {
        let now = (self.hooks.clock)();
        if let Some((took, frames)) = self.machine.under_way(now) {
            (self.hooks.on_sync)(Synced { took, frames, good });
        }
        self.machine.handle_synced(now, good);
        if good {
            self.give_up_blanks();
        }
        let (appends, bytes) = self.machine.poll_settled();
        let mut intake = self.shared.intake();
        intake.settled(appends, bytes);
        intake.status.failed_syncs += u64::from(!good);
        // what was carried is safe now: the next step of the cleaning
        intake.dirty |= appends > 0 && self.machine.wants_cleaning();
        drop(intake);
        while let Some(seq) = self.machine.poll_durable() {
            if let Some(end) = self.machine.end() {
                self.shared.catalog().grown(end);
            }
            self.shared.durable.store(seq, Ordering::Release);
            (self.hooks.on_durable)(seq);
        }
    }

    /// Puts the mark on disk when it is due.
    pub(crate) fn mark(&mut self, closing: bool) {
        self.buffer.clear();
        let now = (!closing).then(|| (self.hooks.clock)());
        let Some(segment) = self.machine.poll_mark(now, &mut self.buffer) else { return };
        let file = self.shared.catalog().get(segment).map(|segment| Arc::clone(&segment.file));
        // without it the spool is as safe as it was before: the next group says the same
        let _written = file.map(|file| file.write_all_at(&self.buffer, MARK_OFFSET));
    }

    /// Makes a file the newest segment.
    fn adopt(&mut self, blank: Blank) {
        let segment = self.machine.handle_segment(blank.bytes);
        self.shared.catalog().push(OnDisk {
            name: blank.name,
            file: blank.file,
            number: segment.number,
            first_seq: segment.first_seq,
            last_seq: segment.last_seq,
            seed: segment.seed,
            bytes: blank.bytes,
            end: FRAMES_AT,
        });
    }

    fn retire(&mut self) {
        while let Some(number) = self.machine.poll_discard() {
            self.take_out(number).into_iter().for_each(|bad| self.shared.maker.discard(bad));
        }
        while let Some(number) = self.machine.poll_retire() {
            self.take_out(number).into_iter().for_each(|old| self.shared.maker.retire(old));
        }
    }

    fn take_out(&self, number: u64) -> Option<Blank> {
        let OnDisk { name, file, bytes, .. } = self.shared.catalog().remove(number)?;
        Some(Blank { name, file, bytes })
    }

    /// Carries open frames of an old segment forward. Reading and the user's `carry` happen
    /// outside the lock; then, under it, everything appended so far is taken over first, so that
    /// no carried frame can follow a `close` of its key.
    fn clean(&mut self) {
        let Some(clean) = self.machine.poll_clean() else { return };
        let mut entries = Vec::new();
        for (key, place) in &clean.frames {
            let payload = self.read_open(*key, *place);
            if payload.is_none() {
                self.machine.handle_lost(*key, *place);
                self.lost(*place);
            }
            let payload = payload.map(|payload| (self.hooks.carry)(&payload));
            entries.push(payload.map(|payload| Entry {
                kind: Kind::Carried,
                key: Some(*key),
                payload,
                records: 0,
            }));
        }
        let now = (self.hooks.clock)();
        let mut intake = self.shared.intake();
        for batch in intake.drain(false) {
            self.machine.handle_input(now, batch);
        }
        let newest = self.machine.still_newest(&clean.frames);
        let carried: Vec<Entry> = entries
            .into_iter()
            .zip(newest)
            .filter_map(|(entry, newest)| entry.filter(|_| newest))
            .collect();
        if !carried.is_empty() {
            intake.put_own(carried);
            for batch in intake.drain(false) {
                self.machine.handle_input(now, batch);
            }
        }
    }

    fn read_open(&self, key: Key, place: Place) -> Option<Vec<u8>> {
        let segment = self.shared.catalog().get(place.segment).cloned()?;
        let mut bytes = vec![0; usize::try_from(place.bytes).ok()?];
        let mut at = 0;
        while at < bytes.len() {
            match segment.file.read_at(&mut bytes[at..], place.offset + at as u64) {
                Ok(0) | Err(_) => return None,
                Ok(read) => at += read,
            }
        }
        let frame = read_frame(&bytes, format::crc_seed(segment.seed))?;
        (frame.key == Some(key)).then(|| frame.payload.to_vec())
    }

    /// An open frame that cannot be read; which sequence it had is not known any more.
    fn lost(&self, place: Place) {
        let Some(segment) = self.shared.catalog().get(place.segment).cloned() else { return };
        self.shared.ward.admit(&Unreadable {
            name: &segment.name,
            number: segment.number,
            file: &*segment.file,
            offset: place.offset,
            bytes: place.bytes,
            lost: (0, 0),
        });
    }

    fn publish(&self) {
        let mut intake = self.shared.intake();
        intake.rest = self.machine.rest();
        let status = &mut intake.status;
        status.durable = self.shared.durable.load(Ordering::Acquire);
        status.bytes = self.machine.bytes();
        status.segments = self.machine.segment_count();
        status.open_keys = self.machine.open_keys();
        status.released = self.machine.released();
        status.busy_since = self.machine.busy_since();
        status.state = if self.machine.is_broken() {
            State::Broken
        } else if self.machine.is_without_room() {
            State::DiskFull
        } else {
            State::Open
        };
    }
}

/// No space, quota used up, or the largest file that this process may write.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
