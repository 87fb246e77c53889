//! The log of a daemon: numbered events in, lines out (ops.md §8).
//!
//! A line is rendered by the caller and handed to a writer thread through a bounded queue, so that
//! a blocked stdout or a full disk never blocks a call. What does not fit is counted.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use model::time::Millis;

use crate::log_id::{LOG_IDS, Level, find, position};
use filter::Filter;
pub use filter::{Only, Raise};
use flood::{Bucket, Verdict};
use line::Facts;
pub use line::{Format, Redact};
pub use verbose::Verbosity;
use writer::{Message, Target};

mod filter;
mod flood;
mod line;
mod verbose;
mod writer;

/// Lines that may wait for the writer.
const QUEUE_LINES: usize = 8192;

/// Who did what: printed at every level and in every flood, or the one who turns the log off is
/// told by nothing.
const AUDIT: [u16; 2] = [10801, 40001];

/// Where lines go and how they look.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Least important level that is printed, at the beginning; `None` prints audit lines alone.
    pub level: Option<Level>,
    /// Text or JSON.
    pub format: Format,
    /// A file, or stdout.
    pub file: Option<PathBuf>,
    /// Size at which a file is rotated, bytes.
    pub max_bytes: u64,
    /// Rotated files kept.
    pub keep: u32,
    /// Masking of user parts.
    pub redact: Redact,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            level: Some(Level::Info),
            format: Format::Text,
            file: None,
            max_bytes: 100 << 20,
            keep: 10,
            redact: Redact::Partial,
        }
    }
}

/// A handle on the log; cheap to clone, one per part of the process.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
    node: Arc<str>,
    dbid: Option<u32>,
}

struct Shared {
    settings: Settings,
    filter: Filter,
    clock: fn() -> Millis,
    queue: SyncSender<Message>,
    guards: Mutex<Vec<Bucket>>,
    counts: Vec<AtomicU64>,
    lost: AtomicU64,
}

impl Log {
    /// Starts the writer thread. Fails when the file cannot be opened.
    pub fn start(settings: Settings, clock: fn() -> Millis) -> io::Result<Self> {
        let target = Target::open(&settings)?;
        Ok(Self::over(settings, clock, target))
    }

    /// A log that prints nothing, for tests; it still counts.
    #[must_use]
    pub fn silent(clock: fn() -> Millis) -> Self {
        Self::over(Settings { level: None, ..Settings::default() }, clock, Target::Nowhere)
    }

    /// A log whose lines are kept in memory, for tests.
    #[must_use]
    pub fn capture(clock: fn() -> Millis) -> (Self, Captured) {
        let lines = Captured::default();
        let settings = Settings { level: Some(Level::Trace), ..Settings::default() };
        (Self::over(settings, clock, Target::Memory(lines.clone())), lines)
    }

    fn over(settings: Settings, clock: fn() -> Millis, target: Target) -> Self {
        let (queue, lines) = sync_channel(QUEUE_LINES);
        writer::spawn(target, lines);
        let shared = Shared {
            filter: Filter::new(settings.level),
            settings,
            clock,
            queue,
            guards: Mutex::new(vec![Bucket::new(); LOG_IDS.len()]),
            counts: LOG_IDS.iter().map(|_| AtomicU64::new(0)).collect(),
            lost: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), node: "-".into(), dbid: None }
    }

    /// The same log, speaking for a node.
    #[must_use]
    pub fn for_node(&self, name: &str, dbid: Option<u32>) -> Self {
        Self { shared: Arc::clone(&self.shared), node: name.into(), dbid }
    }

    /// Whether a line of this id may be printed, for anybody; saves the making of fields.
    #[must_use]
    pub fn enabled(&self, number: u16) -> bool {
        self.shared.filter.may(find(number).level, self.shared.clock)
    }

    /// Prints up to another level from now on; what was wanted for a while is over.
    pub fn set_level(&self, level: Option<Level>) {
        self.shared.filter.set(level);
    }

    /// Prints up to another level for a while, or for a part of the lines.
    pub fn raise(&self, raise: Raise) {
        self.shared.filter.raise(raise);
    }

    /// The usual level, and what is wanted for a while.
    #[must_use]
    pub fn levels(&self) -> (Option<Level>, Option<Raise>) {
        self.shared.filter.shown(self.shared.clock)
    }

    /// One event. Level, module and message come from the table of ids.
    pub fn emit(&self, number: u16, session: Option<&str>, fields: &[(&str, &str)]) {
        let shared = &*self.shared;
        if let Some(counter) = position(number).and_then(|at| shared.counts.get(at)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let level = find(number).level;
        let is_audit = AUDIT.contains(&number);
        if !is_audit && !shared.filter.prints(level, shared.clock, session, fields) {
            return;
        }
        let at = (shared.clock)();
        if !is_audit && level != Level::Critical && !self.admitted(number, at) {
            return;
        }
        self.print(number, at, session, fields);
    }

    /// A text with its user parts masked as in a line, for what else is shown to people.
    #[must_use]
    pub fn masked(&self, text: &str) -> String {
        line::masked(self.shared.settings.redact, text)
    }

    /// How often each id was emitted, printed or not, in order of number.
    #[must_use]
    pub fn counts(&self) -> Vec<(u16, u64)> {
        let counts = self.shared.counts.iter().map(|count| count.load(Ordering::Relaxed));
        LOG_IDS.iter().map(|id| id.number).zip(counts).collect()
    }

    /// Lines lost because the writer could not keep up.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Waits until what was emitted so far is written.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.shared.queue.send(Message::Flush(done)).is_ok() {
            // The writer is gone only when the process ends.
            let _ = wait.recv();
        }
    }

    /// Opens the file anew, for logrotate (SIGHUP).
    pub fn reopen(&self) {
        // A full queue means that the writer is busy; the next SIGHUP will reopen.
        let _ = self.shared.queue.try_send(Message::Reopen);
    }

    fn admitted(&self, number: u16, at: Millis) -> bool {
        let Some(index) = position(number) else { return true };
        let verdict = {
            let mut guards = self.shared.guards.lock().unwrap_or_else(PoisonError::into_inner);
            guards.get_mut(index).map(|bucket| bucket.take(at.0))
        };
        match verdict {
            None | Some(Verdict::Print { suppressed: 0 }) => true,
            Some(Verdict::Print { suppressed }) => {
                self.tell_suppressed(number, at, suppressed);
                true
            }
            Some(Verdict::Hold { tell }) => {
                if let Some(suppressed) = tell {
                    self.tell_suppressed(number, at, suppressed);
                }
                false
            }
        }
    }

    fn tell_suppressed(&self, number: u16, at: Millis, count: u64) {
        let fields = [("id", number.to_string()), ("count", count.to_string())];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        self.print(10701, at, None, &fields);
    }

    fn print(&self, number: u16, at: Millis, session: Option<&str>, fields: &[(&str, &str)]) {
        let shared = &*self.shared;
        let facts = Facts { at, node: &self.node, dbid: self.dbid, session, fields };
        let text =
            line::render(shared.settings.format, shared.settings.redact, find(number), &facts);
        match shared.queue.try_send(Message::Line(text)) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                shared.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Lines of a captured log.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<String>>>);

impl Captured {
    /// All lines so far; call [`Log::flush`] first.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Millis {
        Millis(1_767_225_600_000)
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let (log, captured) = Log::capture(noon);
        let log = log.for_node("rm-1", Some(301));
        for _ in 0..500 {
            log.emit(20401, Some("GUID"), &[("group", "mcp")]);
        }
        log.emit(20901, None, &[]);
        log.flush();
        let lines = captured.lines();
        assert_eq!(lines.iter().filter(|line| line.contains(" 20401 ")).count(), 100);
        assert_eq!(lines.iter().filter(|line| line.contains(" CRIT 20901 rm-1 301 - ")).count(), 1);
        assert!(log.counts().contains(&(20401, 500)));
    }

    #[test]
    fn who_did_what_is_told_at_every_level_and_in_every_flood() {
        let (log, captured) = Log::capture(noon);
        log.set_level(None);
        log.emit(20901, None, &[]);
        for _ in 0..500 {
            log.emit(AUDIT[0], None, &[("action", "log")]);
        }
        log.flush();
        let lines = captured.lines();
        assert_eq!(lines.iter().filter(|line| line.contains(" 10801 ")).count(), 500);
        assert_eq!(lines.len(), 500);
    }

    #[test]
    fn a_file_rotates_by_size_and_keeps_what_it_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rm.log");
        let settings =
            Settings { file: Some(file.clone()), max_bytes: 400, keep: 2, ..Settings::default() };
        let log = Log::start(settings, noon).unwrap();
        for _ in 0..40 {
            log.emit(20002, None, &[("listen", "udp:127.0.0.1:5060")]);
        }
        log.flush();
        let mut names: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["rm.log", "rm.log.1", "rm.log.2"]);
        assert!(std::fs::metadata(&file).unwrap().len() <= 400 + 200);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error_at_start() {
        let settings =
            Settings { file: Some("/nonexistent/dir/rm.log".into()), ..Settings::default() };
        assert!(Log::start(settings, noon).is_err());
    }
}
