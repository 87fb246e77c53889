//! What a backup has to hold before it may take the place of what is in force (ops.md §1.9).
//!
//! It is checked while it is read, row by row: what the store would not take, or not give back, and
//! what would let nobody in any more, is told here, and nothing has changed then.

use std::collections::{BTreeMap, BTreeSet};

use model::config::Kind;
use model::id::{Dbid, Revision};
use model::time::Millis;

use super::dbid::numbers;
use super::entry::Entry;
use super::open::{self, OpenError};
use super::state::State;
use super::tokens::{Admins, Tokens};
use crate::refusal::Refusal;
use crate::store::{BOOKS, ChangeRow, Loaded, ObjectRow, Record, RevisionRow};

/// A backup that can be restored.
pub(super) struct Restorable {
    /// What it holds.
    pub(super) state: State,
    /// Who is let in by it.
    pub(super) admins: Admins,
}

/// What has been read of a backup.
#[derive(Default)]
pub(super) struct Reading {
    loaded: Loaded,
    /// Numbers of objects and of resources.
    numbers: BTreeSet<(Kind, Dbid)>,
    /// Of each revision the changes that it says to have, and those that have come.
    revisions: BTreeMap<Revision, (u64, u64)>,
    /// The digest that the last revision tells.
    told: Option<(Revision, String)>,
    /// The digest of each object after the last change of it.
    last: BTreeMap<(Kind, Dbid), Option<[u8; 32]>>,
}

impl Reading {
    /// The next record.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn take(&mut self, record: Record) -> Result<(), String> {
        match record {
            Record::Head { .. } if self.loaded.head.is_some() => {
                return Err("it has two heads".to_owned());
            }
            Record::Head { revision, digest } => self.loaded.head = Some((revision, digest)),
            Record::Object(row) => self.object(row)?,
            Record::DbidCounter { kind, next } => self.loaded.counters.push((kind, next)),
            Record::DbidGone { kind, dbid } => self.loaded.gone.push((kind, dbid)),
            Record::Revision(row) => self.revision(row)?,
            Record::Change(row) => self.change(&row)?,
            Record::Token(row) => self.loaded.tokens.push(row),
            Record::Meta { key, value } if key == BOOKS => self.loaded.books = Some(value),
            Record::Audit(_) | Record::Client(_) | Record::Meta { .. } => {}
        }
        Ok(())
    }

    fn object(&mut self, row: ObjectRow) -> Result<(), String> {
        let what = || format!("{} with dbid {}", row.kind, row.dbid);
        let entry = entry(&row.doc, &row.kind, row.dbid)
            .ok_or_else(|| format!("the object of {} is another one, or cannot be read", what()))?;
        if row.name != entry.object.key.name {
            return Err(format!("{} has two names", what()));
        }
        for (kind, dbid) in numbers(&entry.object) {
            if !self.numbers.insert((kind, dbid)) {
                return Err(format!("dbid {dbid} of {kind} is there twice"));
            }
        }
        self.loaded.objects.push(row);
        Ok(())
    }

    fn revision(&mut self, row: RevisionRow) -> Result<(), String> {
        let last = self.told.as_ref().map(|(last, _)| *last);
        if last.is_some_and(|last| row.revision.0.checked_sub(1) != Some(last.0)) {
            return Err(format!("a hole before revision {}", row.revision));
        }
        self.loaded.oldest.get_or_insert(row.revision);
        self.revisions.insert(row.revision, (row.changes, 0));
        self.told = Some((row.revision, row.digest));
        Ok(())
    }

    fn change(&mut self, row: &ChangeRow) -> Result<(), String> {
        let what = || format!("change {} of revision {}", row.seq, row.revision);
        let Some((_, come)) = self.revisions.get_mut(&row.revision) else {
            return Err(format!("{}, which is not in the history", what()));
        };
        if u64::from(row.seq) != *come {
            return Err(format!("{} is there twice, or one before it is missing", what()));
        }
        *come += 1;
        let read = |text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => entry(text, &row.kind, row.dbid)
                .map(Some)
                .ok_or_else(|| format!("{}: its object is another one, or cannot be read", what())),
        };
        let (before, after) = (read(&row.before)?, read(&row.after)?);
        let fits = match row.op.as_str() {
            "create" => before.is_none() && after.is_some(),
            "delete" => before.is_some() && after.is_none(),
            "update" | "rename" => before.is_some() && after.is_some(),
            _ => false,
        };
        let Some(number) = before.as_ref().or(after.as_ref()).map(Entry::number).filter(|_| fits)
        else {
            return Err(format!("{}: no object, or not those of \"{}\"", what(), row.op));
        };
        let digest = |entry: Option<Entry>| entry.map(|entry| entry.object.digest);
        let was = self.last.insert(number, digest(after));
        if was.is_some_and(|was| was != digest(before)) {
            return Err(format!("{} does not follow from the change before it", what()));
        }
        Ok(())
    }

    /// All of it has come.
    ///
    /// # Errors
    /// `malformed` for what does not hold together, `invalid` for objects that this version does
    /// not accept.
    pub(super) fn end(self, now: Millis) -> Result<Restorable, Refusal> {
        let malformed = |text: String| Refusal::Malformed(format!("not a whole backup: {text}"));
        self.whole().map_err(malformed)?;
        let state = open::state(&self.loaded).map_err(|error| match error {
            OpenError::Invalid(problems) => Refusal::Invalid(problems),
            other => malformed(other.to_string()),
        })?;
        self.ends_with(&state).map_err(malformed)?;
        if let Some((kind, dbid)) =
            self.numbers.iter().find(|(k, d)| state.counters.is_gone(*k, *d))
        {
            return Err(malformed(format!("dbid {dbid} of {kind} is in use, and gone for ever")));
        }
        if let Some((kind, next, dbid)) = state.counters.behind(&self.numbers) {
            let text = format!("the next dbid of {kind} is {next}, and {dbid} has been given out");
            return Err(malformed(text));
        }
        let admins = Tokens::of(&self.loaded.tokens, &state.set).admins(now);
        if admins == Admins::None {
            let text = "it has no admin token for all tenants: nobody could log in afterwards";
            return Err(malformed(text.to_owned()));
        }
        Ok(Restorable { state, admins })
    }

    fn whole(&self) -> Result<(), String> {
        let short = self.revisions.iter().find(|(_, (told, come))| told != come);
        if let Some((revision, (told, come))) = short {
            return Err(format!("revision {revision} has {come} of its {told} changes"));
        }
        let head = self.loaded.head.as_ref();
        let at = head.map(|(revision, _)| *revision).unwrap_or_default();
        let last = self.told.as_ref().map(|(revision, _)| *revision).unwrap_or_default();
        if head.is_none() || last != at {
            return Err("no history up to its head".to_owned());
        }
        if self.told.is_some() && self.told.as_ref() != head {
            return Err(format!("revision {at} and the head have two digests"));
        }
        Ok(())
    }

    /// Whether the history ends with the objects.
    fn ends_with(&self, state: &State) -> Result<(), String> {
        let other = self.last.iter().find(|((kind, dbid), last)| {
            state.set.by_dbid(*kind, *dbid).map(|object| object.digest) != **last
        });
        other.map_or(Ok(()), |((kind, dbid), _)| {
            Err(format!("{kind} with dbid {dbid} is not what its last change made of it"))
        })
    }
}

/// What is written in a row, if it is of the kind and number of the row.
fn entry(text: &str, kind: &str, dbid: u32) -> Option<Entry> {
    let entry = Entry::read(text)?;
    let (own, number) = entry.number();
    (own.as_str() == kind && number.0 == dbid).then_some(entry)
}
