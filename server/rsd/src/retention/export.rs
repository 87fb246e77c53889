//! What goes is written into files before (spec rs.md §10): one for each kind and day.
//!
//! ```text
//! pages ─► part ─► on disk ─► named ─► manifest likewise ─► did anything come since?
//! ```
//! What has a manifest is whole. Of a run that is stopped nothing stays, and the next one begins
//! anew; what is written twice is in two files, and who reads both has it once. What is written is
//! known to the database by the stamp of its day (`rs_export_run`): a drop that fails is tried
//! again without another file, by whichever Reporting Server, and what came meanwhile is written
//! before anything goes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use config::settings::{Export as Settings, ExportKind as Kind};
use model::time::Millis;
use rs::export::{self, Component};
use rs::key;
use rs::retention::{Due, What};
use serde_json::{Value, json};

use super::file::{File, Whole};
use crate::store::custody::{Audit, Letter, LetterFilter, Place};
use crate::store::exporting::{ExportRun, ExportState, Stamp};
use crate::store::keeping::Lease;
use crate::store::{Day, ObjectKind, Store, StoreError};

/// Calls, events or letters of one page.
const PAGE: u32 = 500;
/// Letters of one page, which have bodies as long as a record may be.
const LETTERS: usize = 16;
/// A day that gets records meanwhile is written so often in a run.
const TRIES: u32 = 3;
/// Rows about a day that are looked at, the newest ones.
const RUNS: u32 = 100;

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
}

/// Under which lease a run writes, and what time it is, ms since 1970 UTC.
#[derive(Clone, Copy)]
pub struct Under<'l> {
    /// The lease of the purge: another's holder writes nothing down any more.
    pub lease: &'l Lease,
    /// The clock.
    pub now: &'l dyn Fn() -> i64,
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
type To<'t> = (&'t dyn Store, Under<'t>);

impl Export {
    /// Files as `rs.export.before_purge` says. `name`: `rs.name`, whom the records name as their
    /// producer; `holder`: of this process alone.
    #[must_use]
    pub const fn new(settings: Settings, name: String, holder: String) -> Self {
        Self { settings, name, holder }
    }

    /// Writes down what is wanted of it, and has not gone yet. `next` as for a run.
    ///
    /// # Errors
    /// The database is away, or another's. What it cannot read keeps only this day.
    pub fn keep(
        &self,
        store: &dyn Store,
        under: Under<'_>,
        leaving: &Leaving<'_>,
        next: Next<'_>,
    ) -> Result<Kept, StoreError> {
        let to = (store, under);
        let done = match leaving {
            Leaving::Facts(day) => {
                let all = || Ok(vec![Kind::Cdr, Kind::Events, Kind::Var]);
                self.settled(to, *day, all, next)
            }
            Leaving::Due(day, due) => self.settled(to, *day, || kinds(store, *day, due), next),
            Leaving::Letters(before_ms) => self.letters(to, *before_ms, next),
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
        to @ (store, _): To<'_>,
        day: Day,
        kinds: impl Fn() -> Result<Vec<Kind>, StoreError>,
        next: Next<'_>,
    ) -> Result<(), Failed> {
        if self.settings.kinds.iter().all(|kind| *kind == Kind::DeadLetters) {
            return Ok(());
        }
        for _ in 0..TRIES {
            let stamp = store.exporting().stamp(day)?;
            let missing = self.missing(store, day, kinds()?, stamp)?;
            if missing.is_empty() {
                return Ok(());
            }
            for kind in missing {
                self.day(to, (day, kind), stamp, next)?;
            }
        }
        let stamp = store.exporting().stamp(day)?;
        let missing = self.missing(store, day, kinds()?, stamp)?;
        if missing.is_empty() { Ok(()) } else { Err(Failed::Moves) }
    }

    /// Which of these are wanted and not written as the day is now.
    fn missing(
        &self,
        store: &dyn Store,
        day: Day,
        mut kinds: Vec<Kind>,
        stamp: Stamp,
    ) -> Result<Vec<Kind>, StoreError> {
        kinds.retain(|kind| self.settings.kinds.contains(kind));
        if !kinds.is_empty() {
            let known = store.exporting().exports(Some(day), RUNS)?;
            let is_it = |run: &ExportRun, kind: Kind| {
                run.state == ExportState::Done && run.kind == kind.as_str() && run.stamp == stamp
            };
            kinds.retain(|kind| !known.iter().any(|run| is_it(run, *kind) && self.has(run)));
        }
        Ok(kinds)
    }

    /// Whether its file, if there were lines, is in our directory: what is in that of another
    /// server is not here when we drop the day.
    fn has(&self, run: &ExportRun) -> bool {
        match (&run.file, &run.blake3) {
            (None, _) => true,
            (Some(file), Some(blake3)) => File::is_there(&self.settings.dir, file, blake3),
            (Some(_), None) => false,
        }
    }

    fn day(
        &self,
        to @ (store, _): To<'_>,
        (day, kind): (Day, Kind),
        stamp: Stamp,
        next: Next<'_>,
    ) -> Result<(), Failed> {
        let dir = &self.settings.dir;
        let left = File::find(dir, (kind, day), &stamp)
            .map_err(|error| Failed::File(dir.clone(), error))?;
        self.noted(to, (day, kind), stamp, || {
            if let Some(whole) = left {
                return Ok(whole);
            }
            let mut file = self.open(kind, day)?;
            match kind {
                Kind::Cdr => self.calls(store, day, &mut file, next)?,
                Kind::Events => self.events(store, (day, false), &mut file, next)?,
                Kind::Var => self.events(store, (day, true), &mut file, next)?,
                Kind::DeadLetters => {}
            }
            close(file, &stamp)
        })
    }

    /// Writes a file, and tells the database that it is begun and how it ended.
    fn noted(
        &self,
        (store, under): To<'_>,
        (day, kind): (Day, Kind),
        stamp: Stamp,
        write: impl FnOnce() -> Result<Whole, Failed>,
    ) -> Result<(), Failed> {
        let mut run = ExportRun {
            day,
            kind: kind.as_str().to_owned(),
            by: self.name.clone(),
            state: ExportState::Running,
            stamp,
            rows: 0,
            blake3: None,
            first: None,
            last: None,
            file: None,
            started_ms: (under.now)(),
            ended_ms: None,
        };
        store.exporting().begin_export(under.lease, &run)?;
        let written = write();
        run.ended_ms = Some((under.now)());
        match written {
            Ok(Whole { file, rows, blake3, first, last }) => {
                run =
                    ExportRun { state: ExportState::Done, rows, blake3, first, last, file, ..run };
                let line = run.file.is_some().then(|| told(&run));
                Ok(store.exporting().end_export(under.lease, &run, line.as_ref())?)
            }
            Err(failed) => {
                let cut_off = matches!(failed, Failed::CutOff);
                run.state = if cut_off { ExportState::Stopped } else { ExportState::Failed };
                // where that is not possible either, the next one that begins ends it
                let _ended = store.exporting().end_export(under.lease, &run, None);
                Err(failed)
            }
        }
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
    fn letters(&self, to: To<'_>, before_ms: i64, next: Next<'_>) -> Result<(), Failed> {
        if !self.settings.kinds.contains(&Kind::DeadLetters) {
            return Ok(());
        }
        let mut before_ms = before_ms;
        loop {
            next().ok_or(Failed::CutOff)?;
            let filter = LetterFilter { to_ms: Some(before_ms), ..LetterFilter::default() };
            let newest = to.0.custody().letters(&filter, false, None, 1)?;
            let Some(newest) = newest.first() else { return Ok(()) };
            let day = key::day(Millis(u64::try_from(newest.received_ms).unwrap_or_default()));
            self.noted(to, (day, Kind::DeadLetters), Stamp::default(), || {
                self.letters_of(to.0, day, before_ms, next)
            })?;
            before_ms = key::start_ms(day);
        }
    }

    /// Those that were received on a day, and before this instant.
    fn letters_of(
        &self,
        store: &dyn Store,
        day: Day,
        before_ms: i64,
        next: Next<'_>,
    ) -> Result<Whole, Failed> {
        let (from_ms, to_ms) = (Some(key::start_ms(day)), Some(before_ms));
        let filter = LetterFilter { from_ms, to_ms, ..LetterFilter::default() };
        let (mut after, mut file) = (None::<Place>, self.open(Kind::DeadLetters, day)?);
        loop {
            next().ok_or(Failed::CutOff)?;
            let page = store.custody().letters(&filter, true, after, LETTERS)?;
            let Some(last) = page.last() else { return close(file, &Stamp::default()) };
            after = Some(Place { time_ms: last.received_ms, no: last.no });
            for letter in &page {
                write(&mut file, &line(letter))?;
            }
        }
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

fn close(file: File, held: &Stamp) -> Result<Whole, Failed> {
    let path = file.path().clone();
    file.close(held).map_err(|error| Failed::File(path, error))
}

/// The line of the audit log: what left the database by the job, and where it is.
fn told(run: &ExportRun) -> Audit {
    let ExportRun { day, kind, by, rows, file, .. } = run;
    Audit {
        no: 0,
        time_ms: run.ended_ms.unwrap_or(run.started_ms),
        user: None,
        address: "-".to_owned(),
        action: "export".to_owned(),
        object: format!("{kind}/{day}"),
        detail: json!({"by": by, "file": file, "rows": rows}).to_string(),
        outcome: "done".to_owned(),
    }
}
