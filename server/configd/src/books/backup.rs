//! All tables as lines of JSON, and back (ops.md §1.9).
//!
//! ```text
//! {"format":"ringmaster-backup/1","revision":42}
//! {"table":"head","revision":42,"digest":"sha256:…"}
//! {"table":"object",…}            … every row of every table, all of one revision
//! {"end":true,"digest":"sha256:…"}     SHA-256 over every byte before this line
//! ```
//! A backup holds hashes of tokens, never tokens. A line is at most 64 MiB long.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::PoisonError;

use config::settings::Access;
use model::config::Kind;
use model::id::Revision;
use model::time::Millis;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::Books;
use super::desk::{Desk, row};
use super::history::between;
use super::open;
use super::restorable::{Reading, Restorable};
use super::state::State;
use super::tokens::{Admins, Tokens};
use crate::limits::MAX_BACKUP_LINE;
use crate::refusal::Refusal;
use crate::store::{AuditRow, BOOKS, Record, Replaced, RevisionRow, StoreError};
use crate::who::Who;

/// What the first line says.
const FORMAT: &str = "ringmaster-backup/1";
/// Lines that wait for a slow reader.
const LINES: usize = 256;

/// What a restore made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The new revision, above those of the backup and of this server.
    pub revision: Revision,
    /// Objects in it.
    pub objects: usize,
}

impl Books {
    /// All tables as lines, each with its line break; the last one ends with `"end":true`. An
    /// answer without it is not whole.
    ///
    /// # Errors
    /// `forbidden` to all but admins of all tenants.
    pub fn backup(&self, who: &Who) -> Result<mpsc::Receiver<String>, Refusal> {
        who.needs(Access::Admin)?;
        who.needs_all_tenants()?;
        let (lines, reader) = mpsc::channel(LINES);
        let (desk, who) = (std::sync::Arc::clone(&self.desk), who.clone());
        tokio::task::spawn_blocking(move || desk.backup(&lines, &who));
        Ok(reader)
    }

    /// Replaces everything but the audit by a backup, as a new revision behind all that the backup
    /// and this server have; the longer one of their histories goes on. The tokens are those of the
    /// backup afterwards, the one of who restores among them or not; where the admins of the backup
    /// have all run out, it is.
    ///
    /// # Errors
    /// `conflict` where there are revisions and `replace` is not said, `malformed` for what is no
    /// whole backup or lets nobody in, `invalid` for objects that this version does not accept;
    /// nothing has changed then.
    pub async fn restore<R: Read + Seek + Send + 'static>(
        &self,
        backup: R,
        replace: bool,
        who: &Who,
    ) -> Result<Restored, Refusal> {
        let who = who.clone();
        self.write(move |desk| {
            let done = desk.restore(backup, replace, &who);
            if let Err(refusal) = &done {
                desk.refused("restore", Vec::new(), refusal, &who);
            }
            done
        })
        .await
    }
}

impl Desk {
    fn backup(&self, lines: &mpsc::Sender<String>, who: &Who) {
        let mut hash = Sha256::new();
        let mut send = |line: Json| {
            let line = format!("{line}\n");
            hash.update(line.as_bytes());
            lines.blocking_send(line).map_err(|_| StoreError::Records("gone".to_owned()))
        };
        let dumped = self.store.dump(&mut |record| {
            if let Record::Head { revision, .. } = &record {
                send(json!({"format": FORMAT, "revision": revision}))?;
            }
            send(serde_json::to_value(&record).unwrap_or_default())
        });
        // who reads no further is no fault of the store
        if matches!(dumped, Err(StoreError::Records(_))) || self.asked(dumped).is_err() {
            return;
        }
        self.noted(self.line("backup", who));
        let digest = model::config::Digest(hash.finalize().into());
        let end = json!({"end": true, "digest": digest});
        // a reader that has gone needs no end
        let _ = lines.blocking_send(format!("{end}\n"));
    }

    fn restore<R: Read + Seek>(
        &self,
        mut backup: R,
        replace: bool,
        who: &Who,
    ) -> Result<Restored, Refusal> {
        who.needs(Access::Admin)?;
        who.needs_all_tenants()?;
        let now = self.now();
        let empty = now.revision == Revision(0);
        if !empty && !replace {
            let text = format!("the store is at revision {}: say replace=true", now.revision);
            return Err(Refusal::Conflict(text));
        }
        let Restorable { state, admins } = check(&mut backup, self.time())?;
        backup.rewind().map_err(unreadable)?;
        let replacing = Replacing { goes_on: !empty && now.revision >= state.revision, empty };
        let revision = Revision(now.revision.max(state.revision).0 + 1);
        let restored = Restored { revision, objects: state.set.len() };
        let audit = AuditRow { revision: Some(revision), ..self.line("restore", who) };
        let mut last = replacing.last(&now, &state, &audit, who);
        if admins == Admins::Past {
            // nobody else could log in
            let own = who.token.as_ref().map(|id| self.store.token(id)).transpose();
            last.extend(self.asked(own)?.flatten().map(Record::Token));
        }
        last.push(Record::Audit(audit.clone()));
        let kept = |record: &Result<Record, StoreError>| replacing.takes(record);
        let mut records = Lines::of(backup).filter(kept).chain(last.into_iter().map(Ok));
        self.stored(self.store.replace(replacing.what(), &mut records))?;
        self.log_audit(&audit);
        self.reload(now.era + 1)?;
        Ok(restored)
    }

    /// Everything in memory anew: watchers are told to take a snapshot.
    pub(super) fn reload(&self, era: u64) -> Result<(), Refusal> {
        let loaded = self.asked(self.store.load())?;
        let state = open::state(&loaded).map_err(|_| Refusal::StoreUnavailable)?;
        *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) =
            Tokens::of(&loaded.tokens, &state.set);
        let clients = loaded.clients.into_iter().map(|row| (row.name.clone(), row)).collect();
        *self.clients.lock().unwrap_or_else(PoisonError::into_inner) = clients;
        *self.earlier.lock().unwrap_or_else(PoisonError::into_inner) = VecDeque::new();
        self.ring().clear();
        self.show(State { era, ..state });
        Ok(())
    }
}

/// How a backup takes the place of what is there.
#[derive(Clone, Copy)]
struct Replacing {
    /// The history of this server goes on, since that of the backup reaches no further: numbers of
    /// revisions that were given out are never given out again.
    goes_on: bool,
    /// There was nothing.
    empty: bool,
}

impl Replacing {
    fn what(self) -> Replaced {
        if self.goes_on { Replaced::AllButHistory } else { Replaced::All }
    }

    /// Whether a record of the backup comes into the store. The audit of a store that has one is
    /// not mixed with another one's.
    fn takes(self, record: &Result<Record, StoreError>) -> bool {
        match record {
            Ok(Record::Audit(_)) => self.empty,
            Ok(Record::Revision(_) | Record::Change(_)) => !self.goes_on,
            _ => true,
        }
    }

    /// What comes behind those of the backup: the revision of the restore, which books these are,
    /// and the numbers that this server or the one of the backup has given out.
    fn last(self, now: &State, state: &State, audit: &AuditRow, who: &Who) -> Vec<Record> {
        let revision = audit.revision.unwrap_or_default();
        let items = if self.goes_on { between(now, state) } else { Vec::new() };
        let digest = state.digest.to_string();
        let mut last = vec![
            Record::Revision(RevisionRow {
                revision,
                time: audit.time,
                actor: "restore".to_owned(),
                token_id: who.token.clone(),
                source: who.source.clone(),
                user_agent: who.user_agent.clone(),
                message: format!("restored by {}", who.actor),
                changes: items.len() as u64,
                digest: digest.clone(),
            }),
            Record::Head { revision, digest },
        ];
        let changes = (0..).zip(&items).filter_map(|(seq, item)| row(revision, seq, item));
        last.extend(changes.map(Record::Change));
        // the books are those whose history goes on
        let (first, second) = if self.goes_on { (now, state) } else { (state, now) };
        let books = first.books.as_ref().or(second.books.as_ref()).map(ToString::to_string);
        last.extend(books.map(|value| Record::Meta { key: BOOKS.to_owned(), value }));
        let counters = state.counters.joined(now, &state.set);
        let kind = |kind: Kind| kind.as_str().to_owned();
        let next = counters.next().map(|(of, next)| (kind(of), next));
        last.extend(next.map(|(kind, next)| Record::DbidCounter { kind, next }));
        let gone = counters.gone().map(|(of, dbid)| (kind(of), dbid.0));
        last.extend(gone.map(|(kind, dbid)| Record::DbidGone { kind, dbid }));
        last
    }
}

/// What a whole backup holds.
fn check(backup: &mut (impl Read + Seek), now: Millis) -> Result<Restorable, Refusal> {
    backup.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut lines = Lines::of(backup);
    let mut reading = Reading::default();
    while let Some(record) = lines.next() {
        let record = record.map_err(|error| Refusal::Malformed(error.to_string()))?;
        let taken = reading.take(record);
        taken.map_err(|text| Refusal::Malformed(not_whole(lines.number, &text)))?;
    }
    reading.end(now)
}

fn not_whole(line: u64, text: &str) -> String {
    format!("not a whole backup: line {line}: {text}")
}

fn unreadable(error: std::io::Error) -> Refusal {
    Refusal::Malformed(format!("the backup cannot be read: {error}"))
}

/// The records of a backup; ends with an error where it is not whole.
struct Lines<R> {
    reader: BufReader<R>,
    hash: Sha256,
    number: u64,
    ended: bool,
}

impl<R: Read> Lines<R> {
    fn of(reader: R) -> Self {
        Self { reader: BufReader::new(reader), hash: Sha256::new(), number: 0, ended: false }
    }

    fn line(&mut self) -> Result<String, String> {
        self.number += 1;
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(MAX_BACKUP_LINE);
        limited.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        if line.is_empty() {
            return Err("it ends before its end".to_owned());
        }
        if line.last() != Some(&b'\n') {
            return Err("it ends within a line, or a line is too long".to_owned());
        }
        String::from_utf8(line).map_err(|_| "it is not UTF-8 text".to_owned())
    }

    /// The next record; `None` at the end.
    fn record(&mut self) -> Result<Option<Record>, String> {
        loop {
            let line = self.line()?;
            let json: Json = serde_json::from_str(&line).map_err(|error| error.to_string())?;
            if json.get("end").is_some() {
                let hash = std::mem::take(&mut self.hash);
                let digest = model::config::Digest(hash.finalize().into()).to_string();
                let told = json.get("digest").and_then(Json::as_str);
                let whole = told == Some(digest.as_str());
                return if whole { Ok(None) } else { Err("its digest does not match".to_owned()) };
            }
            self.hash.update(line.as_bytes());
            if self.number == 1 {
                match json.get("format").and_then(Json::as_str) {
                    Some(FORMAT) => continue,
                    _ => return Err(format!("its first line does not say {FORMAT}")),
                }
            }
            return serde_json::from_value(json).map(Some).map_err(|error| error.to_string());
        }
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<Record, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.record();
        self.ended = !matches!(record, Ok(Some(_)));
        let number = self.number;
        record.map_err(|text| StoreError::Records(not_whole(number, &text))).transpose()
    }
}
