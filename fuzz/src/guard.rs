//! What catches a crash, a hang and a flood of memory, and leaves the input in a file.
//!
//! A panic ends in `caught`. An input that runs on, or takes memory without end, cannot be
//! stopped from inside: a second thread sees it, writes the file and ends the process.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::exit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::corpus;

/// One input may take this long, on a machine that has other work: then it is a hang.
const PATIENCE: Duration = Duration::from_secs(20);
/// The whole process may take this much, in bytes.
const MEMORY: u64 = 2 << 30;
const GLANCE: Duration = Duration::from_millis(500);
/// Bytes of a page of memory, on every machine that this runs on.
const PAGE: u64 = 4096;

/// What runs now.
#[derive(Default)]
struct Now {
    target: &'static str,
    input: Vec<u8>,
    number: u64,
}

/// The thread that watches, and what it looks at.
#[derive(Clone, Default)]
pub struct Guard {
    now: Arc<Mutex<Now>>,
}

impl Guard {
    /// Starts to watch; crashes go to files in `artifacts`.
    #[must_use]
    pub fn start(artifacts: PathBuf) -> Self {
        let guard = Self::default();
        let watched = guard.clone();
        std::thread::spawn(move || watched.watch(&artifacts));
        guard
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one input. `Err` is what the panic said.
    pub fn run(&self, target: &crate::target::Target, input: &[u8]) -> Result<(), String> {
        {
            let mut now = self.now();
            now.number += 1;
            now.target = target.name;
            now.input.clear();
            now.input.extend_from_slice(input);
        }
        let result = caught(|| (target.run)(input));
        self.now().target = "";
        result
    }

    #[expect(clippy::print_stderr, reason = "the last words of a process that must end")]
    fn watch(&self, artifacts: &std::path::Path) {
        let (mut last, mut waited) = (0, Duration::ZERO);
        loop {
            std::thread::sleep(GLANCE);
            let now = self.now();
            if now.number != last || now.target.is_empty() {
                (last, waited) = (now.number, Duration::ZERO);
            } else {
                waited += GLANCE;
            }
            let memory = resident();
            if waited < PATIENCE && memory < MEMORY {
                continue;
            }
            let file = corpus::keep_artifact(artifacts, now.target, &now.input);
            eprintln!("{}: {} s, {} MiB: stopped", now.target, waited.as_secs(), memory >> 20);
            eprintln!("{}", replay(now.target, &file));
            exit(2);
        }
    }
}

/// How a crash is seen again.
#[must_use]
pub fn replay(target: &str, file: &std::path::Path) -> String {
    format!("replay it: cargo xtask fuzz {target} --replay {}", file.display())
}

/// Runs it; what a panic said, with its place, is an error.
pub fn caught(run: impl FnOnce()) -> Result<(), String> {
    let said: Arc<Mutex<String>> = Arc::default();
    let place = Arc::clone(&said);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        *place.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
    }));
    let result = catch_unwind(AssertUnwindSafe(run));
    std::panic::set_hook(before);
    result.map_err(|panic: Box<dyn Any + Send>| {
        drop(panic);
        said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    })
}

/// Memory of this process in bytes; 0 where the kernel does not tell.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * PAGE
}
