//! What goes is written into files before (spec rs.md §10): one for each kind and day.
//!
//! ```text
//! pages ─► part ─► on disk ─► named ─► manifest likewise ─► did anything come since?
//! ```
//! What has a manifest is whole. Of a run that is stopped nothing stays, and the next one begins
//! anew; what is written twice is in two files, and who reads both has it once. What is written is
//! known by the stamp of its day: a drop that fails is tried again without another file, and what
//! came meanwhile is written before anything goes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use config::settings::{Export as Settings, ExportKind as Kind};
use model::time::Millis;
use rs::export::{self, Component};
use rs::key;
use rs::retention::{Due, What};
use serde_json::{Value, json};

use super::file::File;
use crate::store::custody::{Letter, LetterFilter, Place};
use crate::store::exporting::Stamp;
use crate::store::{Day, ObjectKind, Store, StoreError};

/// Calls, events or letters of one page.
const PAGE: u32 = 500;
/// Letters of one page, which have bodies of up to 1 MiB.
const LETTERS: usize = 16;
/// A day that gets records meanwhile is written so often in a run.
const TRIES: u32 = 3;
/// Days and kinds that are known to be written, at most.
const WRITTEN: usize = 4096;

/// What is about to go.
#[derive(Clone, Copy, Debug)]
pub enum Leaving<'l> {
    /// All facts of a day.
    Facts(Day),
    /// Rows of a day.
    Due(Day, &'l [Due]),
    /// Dead letters that were received before.
    Letters(i64),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is written down, or nobody wants it: it may go.
    Whole,
    /// The run ended meanwhile.
    CutOff,
    /// It stays, and why.
    Not(String),
}

/// The files.
#[derive(Debug)]
pub struct Export {
    settings: Settings,
    name: String,
    holder: String,
    /// What the days held when they were written.
    written: Mutex<BTreeMap<(Day, Kind), Stamp>>,
}

/// Why a file is not whole.
enum Failed {
    CutOff,
    Store(StoreError),
    File(PathBuf, std::io::Error),
    /// Records of the day still come.
    Moves,
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

type Next<'n> = &'n mut dyn FnMut() -> Option<u32>;

impl Export {
    /// Files as `rs.export.before_purge` says. `name`: `rs.name`, whom the records name as their
    /// producer; `holder`: of this process alone.
    #[must_use]
    pub const fn new(settings: Settings, name: String, holder: String) -> Self {
        Self { settings, name, holder, written: Mutex::new(BTreeMap::new()) }
    }

    /// Writes down what is wanted of it, and has not gone yet. `next` as for a run.
    ///
    /// # Errors
    /// The database is away, or another's. What it cannot read keeps only this day.
    pub fn keep(
        &self,
        store: &dyn Store,
        leaving: &Leaving<'_>,
        next: Next<'_>,
    ) -> Result<Kept, StoreError> {
        let done = match leaving {
            Leaving::Facts(day) => {
                let all = || Ok(vec![Kind::Cdr, Kind::Events, Kind::Var]);
                self.settled(store, *day, all, next)
            }
            Leaving::Due(day, due) => self.settled(store, *day, || kinds(store, *day, due), next),
            Leaving::Letters(before_ms) => self.letters(store, *before_ms, next),
        };
        match done {
            Ok(()) => Ok(Kept::Whole),
            Err(Failed::CutOff) => Ok(Kept::CutOff),
            // one state or trace that cannot be read must not keep all other days
            Err(Failed::Store(error @ (StoreError::State(_) | StoreError::Files(_)))) => {
                Ok(Kept::Not(error.reason()))
            }
            Err(Failed::Store(error)) => Err(error),
            Err(Failed::File(path, error)) => Ok(Kept::Not(format!("{}: {error}", path.display()))),
            Err(Failed::Moves) => Ok(Kept::Not("records of it still come".to_owned())),
        }
    }

    /// Writes these kinds of a day until nothing comes meanwhile. What it held at the last look is
    /// in files.
    fn settled(
        &self,
        store: &dyn Store,
        day: Day,
        kinds: impl Fn() -> Result<Vec<Kind>, StoreError>,
        next: Next<'_>,
    ) -> Result<(), Failed> {
        if self.settings.kinds.iter().all(|kind| *kind == Kind::DeadLetters) {
            return Ok(());
        }
        for _ in 0..TRIES {
            let stamp = store.exporting().stamp(day)?;
            let missing = self.missing(day, kinds()?, stamp);
            if missing.is_empty() {
                return Ok(());
            }
            for kind in missing {
                self.day(store, day, kind, next)?;
                self.know(day, kind, stamp);
            }
        }
        let stamp = store.exporting().stamp(day)?;
        if self.missing(day, kinds()?, stamp).is_empty() { Ok(()) } else { Err(Failed::Moves) }
    }

    /// Which of these are wanted and not written as the day is now.
    fn missing(&self, day: Day, kinds: Vec<Kind>, stamp: Stamp) -> Vec<Kind> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let is_missing = |kind: &Kind| {
            self.settings.kinds.contains(kind) && written.get(&(day, *kind)) != Some(&stamp)
        };
        kinds.into_iter().filter(is_missing).collect()
    }

    fn know(&self, day: Day, kind: Kind, stamp: Stamp) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert((day, kind), stamp);
        if written.len() > WRITTEN {
            // the oldest day, which has gone first
            written.pop_first();
        }
    }

    fn day(&self, store: &dyn Store, day: Day, kind: Kind, next: Next<'_>) -> Result<(), Failed> {
        let mut file = self.open(kind, day)?;
        match kind {
            Kind::Cdr => self.calls(store, day, &mut file, next)?,
            Kind::Events => self.events(store, (day, false), &mut file, next)?,
            Kind::Var => self.events(store, (day, true), &mut file, next)?,
            Kind::DeadLetters => {}
        }
        close(file)
    }

    fn open(&self, kind: Kind, day: Day) -> Result<File, Failed> {
        let Settings { dir, format, zstd, .. } = &self.settings;
        File::create(dir, (kind, day), *format, *zstd, &self.holder)
            .map_err(|error| Failed::File(dir.clone(), error))
    }

    fn calls(
        &self,
        store: &dyn Store,
        day: Day,
        file: &mut File,
        next: Next<'_>,
    ) -> Result<(), Failed> {
        let mut after = rs::Key::default();
        loop {
            let most = next().ok_or(Failed::CutOff)?.min(PAGE);
            let page = store.exporting().calls_of(day, &after, most)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.call_key;
            for told in &page {
                for record in told.state.records(told.trace.as_deref(), &self.name) {
                    write(file, &record)?;
                }
            }
        }
    }

    fn events(
        &self,
        store: &dyn Store,
        (day, reports): (Day, bool),
        file: &mut File,
        next: Next<'_>,
    ) -> Result<(), Failed> {
        let known = components(store)?;
        let nobody = Component::default();
        let mut after = rs::Key::default();
        loop {
            let most = next().ok_or(Failed::CutOff)?.min(PAGE);
            let page = store.exporting().events_of(day, &after, reports, most)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            for (_, event) in &page {
                let component = known.get(&event.component_id).unwrap_or(&nobody);
                write(file, &export::event(event, component, &self.name))?;
            }
        }
    }

    /// Letters by the day on which they were received, the newest first.
    fn letters(&self, store: &dyn Store, before_ms: i64, next: Next<'_>) -> Result<(), Failed> {
        if !self.settings.kinds.contains(&Kind::DeadLetters) {
            return Ok(());
        }
        let filter = LetterFilter { to_ms: Some(before_ms), ..LetterFilter::default() };
        let (mut after, mut open): (Option<Place>, Option<(Day, File)>) = (None, None);
        loop {
            next().ok_or(Failed::CutOff)?;
            let page = store.custody().letters(&filter, true, after, LETTERS)?;
            let Some(last) = page.last() else { break };
            after = Some(Place { time_ms: last.received_ms, no: last.no });
            for letter in &page {
                let day = key::day(Millis(u64::try_from(letter.received_ms).unwrap_or_default()));
                let mut file = match open.take() {
                    Some((of, file)) if of == day => file,
                    other => {
                        other.map_or(Ok(()), |(_, file)| close(file))?;
                        self.open(Kind::DeadLetters, day)?
                    }
                };
                write(&mut file, &line(letter))?;
                open = Some((day, file));
            }
        }
        open.map_or(Ok(()), |(_, file)| close(file))
    }
}

/// Which kinds these rows are of, if there are any.
fn kinds(store: &dyn Store, day: Day, due: &[Due]) -> Result<Vec<Kind>, StoreError> {
    let mut kinds = Vec::new();
    for due in due {
        let of: &[Kind] = match due.what {
            What::Cdr => &[Kind::Cdr, Kind::Events, Kind::Var],
            What::Events => &[Kind::Events],
            What::Var => &[Kind::Var],
        };
        if of.iter().all(|kind| kinds.contains(kind)) {
            continue;
        }
        if store.exporting().is_due(day, due)? {
            kinds.extend(of);
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

fn components(store: &dyn Store) -> Result<BTreeMap<i64, Component>, StoreError> {
    let known = store.objects(ObjectKind::Component)?.into_iter().map(|object| {
        let dbid = Some(object.id).filter(|_| !object.synthetic);
        (i64::from(object.id), Component { name: object.name, dbid, kind: object.kind })
    });
    Ok(known.collect())
}

/// A letter as it is written down; not a record, so not to be read back.
fn line(letter: &Letter) -> Value {
    let properties: Value = serde_json::from_str(&letter.properties).unwrap_or_default();
    json!({
        "kind": "dead_letter", "id": letter.no,
        "received_at": Millis(u64::try_from(letter.received_ms).unwrap_or_default()),
        "queue": letter.queue, "transport": letter.transport, "user": letter.user,
        "peer": letter.peer, "message_id": letter.message_id, "properties": properties,
        "bytes": letter.bytes, "code": letter.code, "field": letter.field, "text": letter.text,
        "producer": letter.producer, "retries": letter.retries,
        "state": letter.state.as_str(), "body": String::from_utf8_lossy(&letter.body),
    })
}

fn write(file: &mut File, line: &Value) -> Result<(), Failed> {
    file.write(line).map_err(|error| Failed::File(file.path().clone(), error))
}

fn close(file: File) -> Result<(), Failed> {
    let path = file.path().clone();
    file.close().map_err(|error| Failed::File(path, error))
}
