//! How long the write-ahead logs of the files are, as each commit tells, and whose turn it is: a
//! log begins anew only if nobody has written into it while its end was moved, so batches wait for
//! that. Only the book; `checkpoint` moves.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::store::Day;
use crate::store::checkpoints::Due;

/// A day's file; `None`: the main one.
pub(super) type File = Option<Day>;

/// Pages of a log from which on it is moved, and those from which on batches wait for that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    pub(super) long: i64,
    pub(super) longest: i64,
}

impl Default for Lengths {
    /// 128 MiB: a batch of 2000 records changes thousands of pages, of which the next batches
    /// change most again. And twice that: what came while as much was moved.
    fn default() -> Self {
        Self { long: 16_384, longest: 32_768 }
    }
}

/// Seconds without a commit after which a log is moved that is not long.
const CALM: u32 = 2;
/// The same of one that somebody reads, who may do so for long.
const CALMEST: u32 = 64;

/// The logs that hold something.
#[derive(Debug)]
pub(super) struct Logs {
    lengths: Lengths,
    state: Mutex<State>,
    turn: Condvar,
}

#[derive(Debug, Default)]
struct State {
    logs: BTreeMap<File, Log>,
    at_work: Option<AtWork>,
}

/// Of one file.
#[derive(Clone, Copy, Debug)]
struct Log {
    pages: i64,
    commits: u64,
    /// It is moved when it has so many pages.
    due: i64,
    /// Seconds since the last commit, and how many of them there are to be.
    calm: u32,
    calm_enough: u32,
}

/// The log that is being moved.
#[derive(Clone, Copy, Debug)]
struct AtWork {
    file: File,
    /// No batch begins.
    alone: bool,
}

/// What a checkpoint did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    /// Commits before it.
    pub(super) commits: u64,
    /// It got to the end of the log.
    pub(super) whole: bool,
}

impl Logs {
    pub(super) fn new(lengths: Lengths) -> Self {
        Self { lengths, state: Mutex::default(), turn: Condvar::new() }
    }

    /// A commit has brought a log to so many pages. True: nobody has moved it for far too long.
    pub(super) fn grew(&self, file: File, pages: i64) -> bool {
        let mut state = self.state();
        let new = Log { pages, commits: 0, due: self.lengths.long, calm: 0, calm_enough: CALM };
        let log = state.logs.entry(file).or_insert(new);
        if pages < log.pages {
            // it has begun anew
            *log = Log { commits: log.commits, ..new };
        }
        log.pages = pages;
        log.commits += 1;
        log.calm = 0;
        let too_long = pages >= self.lengths.longest && pages >= log.due;
        too_long && state.at_work.is_none_or(|at_work| at_work.file != file)
    }

    /// Whether a log holds something.
    pub(super) fn has(&self, file: File) -> bool {
        self.state().logs.contains_key(&file)
    }

    /// Those that are to be moved now.
    pub(super) fn due(&self, due: Due) -> Vec<File> {
        let mut state = self.state();
        let is_due = |log: &mut Log| {
            if due == Due::Calm {
                log.calm = log.calm.saturating_add(1);
            }
            due == Due::All || log.pages >= log.due || log.calm >= log.calm_enough
        };
        let files = state.logs.iter_mut().filter_map(|(file, log)| is_due(log).then_some(*file));
        files.collect()
    }

    /// Begins to move a log.
    pub(super) fn begin(&self, file: File) -> Turn<'_> {
        self.state().at_work = Some(AtWork { file, alone: false });
        Turn { logs: self, file }
    }

    /// Before a batch: waits while the end of a log is moved, or one that is far too long.
    pub(super) fn give_way(&self) {
        let waited = self.turn.wait_while(self.state(), |state| self.holds_up(state));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn holds_up(&self, state: &State) -> bool {
        let Some(AtWork { file, alone }) = state.at_work else { return false };
        let pages = state.logs.get(&file).map_or(0, |log| log.pages);
        alone || pages >= self.lengths.longest
    }

    /// A checkpoint has ended. A log that it did not get to the end of is tried again when it has
    /// grown, or after a longer calm: who reads it may do so for long.
    pub(super) fn moved(&self, file: File, moved: Moved) {
        let mut state = self.state();
        let Some(log) = state.logs.get_mut(&file) else { return };
        if moved.whole && log.commits == moved.commits {
            state.logs.remove(&file);
            return;
        }
        log.due = self.lengths.long.max(log.pages + self.lengths.long / 4);
        if !moved.whole {
            log.calm = 0;
            log.calm_enough = (log.calm_enough * 2).min(CALMEST);
        }
    }

    /// The same of one that could not be moved.
    pub(super) fn failed(&self, file: File) {
        self.moved(file, Moved { commits: 0, whole: false });
    }

    pub(super) fn commits(&self, file: File) -> u64 {
        self.state().logs.get(&file).map_or(0, |log| log.commits)
    }

    /// There is no such file any more.
    pub(super) fn forget(&self, file: File) {
        self.state().logs.remove(&file);
    }

    /// The files are closed: others may lie there next time.
    pub(super) fn forget_all(&self) {
        self.state().logs.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who moves a log, until this is dropped.
pub(super) struct Turn<'l> {
    logs: &'l Logs,
    file: File,
}

impl Turn<'_> {
    /// Whether its end is worth that batches wait: it is long.
    pub(super) fn is_long(&self) -> bool {
        let state = self.logs.state();
        state.logs.get(&self.file).is_some_and(|log| log.pages >= self.logs.lengths.long)
    }

    /// From now on no batch begins; one may still be at work.
    pub(super) fn alone(&self) {
        self.logs.state().at_work = Some(AtWork { file: self.file, alone: true });
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.logs.state().at_work = None;
        self.logs.turn.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};

    use super::*;

    const DAY: File = Some(20_261_122);

    fn logs() -> Logs {
        Logs::new(Lengths { long: 100, longest: 200 })
    }

    fn tried(logs: &Logs, file: File, whole: bool) {
        logs.moved(file, Moved { commits: logs.commits(file), whole });
    }

    #[test]
    fn a_log_is_moved_when_it_is_long_or_nobody_writes() {
        let logs = logs();
        assert!(!logs.grew(DAY, 99) && !logs.grew(None, 100));
        assert_eq!(logs.due(Due::Long), [None]);
        assert_eq!(logs.due(Due::All), [None, DAY]);
        assert_eq!(logs.due(Due::Calm), [None]);
        assert_eq!(logs.due(Due::Calm), [None, DAY]);
        tried(&logs, None, true);
        tried(&logs, DAY, true);
        assert!(logs.due(Due::All).is_empty() && !logs.has(DAY));
    }

    #[test]
    fn one_that_is_read_is_not_tried_at_each_commit_nor_each_second() {
        let logs = logs();
        let mut tries = Vec::new();
        for pages in 1..=300 {
            let by_the_writer = logs.grew(DAY, pages);
            assert!(pages >= 200 || !by_the_writer);
            if by_the_writer || !logs.due(Due::Long).is_empty() {
                tries.push(pages);
                tried(&logs, DAY, false);
            }
        }
        assert_eq!(tries, [100, 125, 150, 175, 200, 225, 250, 275, 300]);
        tries.clear();
        for second in 1..=300 {
            if !logs.due(Due::Calm).is_empty() {
                tries.push(second);
                tried(&logs, DAY, false);
            }
        }
        assert_eq!(tries, [64, 128, 192, 256]);
        // who read it is gone: the next commit begins it anew
        assert!(!logs.grew(DAY, 1) && logs.due(Due::Long).is_empty());
        assert!(!logs.grew(DAY, 100));
        assert_eq!(logs.due(Due::Long), [DAY]);
    }

    #[test]
    fn what_is_written_meanwhile_stays_to_be_moved() {
        let logs = logs();
        logs.grew(DAY, 150);
        let moved = Moved { commits: logs.commits(DAY), whole: true };
        logs.grew(DAY, 3);
        logs.moved(DAY, moved);
        assert_eq!(logs.due(Due::All), [DAY]);
    }

    #[test]
    fn whoever_commits_moves_one_that_nobody_has_moved() {
        let logs = logs();
        assert!(!logs.grew(DAY, 199) && logs.grew(DAY, 200));
        let turn = logs.begin(DAY);
        assert!(!logs.grew(DAY, 201), "somebody is at it");
        assert!(logs.grew(None, 201), "not at this one");
        drop(turn);
        assert!(logs.grew(DAY, 202));
    }

    #[test]
    fn a_batch_waits_for_the_end_of_a_log_and_for_one_that_is_far_too_long() {
        let logs = logs();
        let holds_up = |turn: Turn<'_>| {
            let holds_up = logs.holds_up(&logs.state());
            drop(turn);
            assert!(!logs.holds_up(&logs.state()));
            holds_up
        };
        logs.grew(DAY, 150);
        assert!(!holds_up(logs.begin(DAY)), "it goes on beside");
        let turn = logs.begin(DAY);
        turn.alone();
        assert!(holds_up(turn));
        logs.grew(DAY, 200);
        assert!(holds_up(logs.begin(DAY)));
        assert!(!holds_up(logs.begin(None)), "another file's");
    }

    #[test]
    fn one_that_waits_goes_on_when_the_turn_is_over() {
        let (logs, over) = (Arc::new(logs()), Arc::<AtomicBool>::default());
        let turn = logs.begin(DAY);
        turn.alone();
        let (tell, begun) = mpsc::sync_channel(1);
        let batch = {
            let (logs, over) = (Arc::clone(&logs), Arc::clone(&over));
            std::thread::spawn(move || {
                tell.send(()).unwrap();
                logs.give_way();
                over.load(Ordering::SeqCst)
            })
        };
        begun.recv().unwrap();
        over.store(true, Ordering::SeqCst);
        drop(turn);
        assert!(batch.join().unwrap(), "it did not wait");
    }
}
