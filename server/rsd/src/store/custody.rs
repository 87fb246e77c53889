//! What an operator asks of the database beside reports: dead letters and the audit log
//! (spec rs.md §2.8, §6). A part of [`super::Store`].

use std::collections::BTreeMap;

use model::time::Millis;
use rs::share::{Retrier, Settled};
use rs::{Day, key};
use serde_json::json;

use super::StoreError;

/// State of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterState {
    /// Nobody has done anything about it.
    Open,
    /// Its record was taken after all.
    Retried,
    /// An operator has thrown it away; it stays readable.
    Deleted,
}

impl LetterState {
    /// As the table has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Retried => "retried",
            Self::Deleted => "deleted",
        }
    }

    /// The state of this word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Retried, Self::Deleted].into_iter().find(|state| state.as_str() == text)
    }
}

/// Which dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterFilter {
    /// Of this code.
    pub code: Option<String>,
    /// Of this producer.
    pub producer: Option<String>,
    /// In this state.
    pub state: Option<LetterState>,
    /// Received at this time or later.
    pub from_ms: Option<i64>,
    /// Received before.
    pub to_ms: Option<i64>,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its number.
    pub no: i64,
    /// When it was received.
    pub received_ms: i64,
    /// The ingest queue.
    pub queue: String,
    /// How it came.
    pub transport: String,
    /// Who was logged in.
    pub user: Option<String>,
    /// Address of the peer.
    pub peer: String,
    /// JMSMessageID.
    pub message_id: Option<String>,
    /// Properties as a JSON array of pairs.
    pub properties: String,
    /// The body: whole if it holds a record, else its first 64 KiB; empty where only
    /// `bytes` was asked for.
    pub body: Vec<u8>,
    /// Bytes of it.
    pub bytes: u64,
    /// Why it is one.
    pub code: String,
    /// Which field.
    pub field: String,
    /// In words.
    pub text: String,
    /// Of which producer, where that could be read.
    pub producer: Option<String>,
    /// How often it was tried again.
    pub retries: u32,
    /// Its state.
    pub state: LetterState,
}

/// Where a list by time stands: newest first, then the greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Time of the item.
    pub time_ms: i64,
    /// Its number.
    pub no: i64,
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Its number; of a new one 0.
    pub no: i64,
    /// When.
    pub time_ms: i64,
    /// Who; `None`: nobody was logged in.
    pub user: Option<String>,
    /// From where.
    pub address: String,
    /// What was done: `dead-letter.retry`, `dead-letter.delete` …
    pub action: String,
    /// To what.
    pub object: String,
    /// More about it, as JSON.
    pub detail: String,
    /// `done` or `refused`.
    pub outcome: String,
}

impl Audit {
    /// The same about the object of this number.
    pub(super) fn about(&self, no: i64) -> Self {
        Self { object: no.to_string(), ..self.clone() }
    }
}

/// Which lines of the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this user.
    pub user: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// At this time or later.
    pub from_ms: Option<i64>,
    /// Before.
    pub to_ms: Option<i64>,
}

/// What a database does for operators.
pub trait Custody: Send + Sync {
    /// Dead letters after a place, newest first, with their bodies or without.
    fn letters(
        &self,
        filter: &LetterFilter,
        bodies: bool,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError>;

    /// One dead letter.
    fn letter(&self, no: i64) -> Result<Option<Letter>, StoreError>;

    /// Letters behind a number, by their numbers, with their bodies, at most so many.
    fn letters_behind(&self, no: i64, limit: usize) -> Result<Vec<Letter>, StoreError>;

    /// Leaves nothing of a letter but these properties, its code and its field.
    fn unsay(&self, no: i64, properties: &str) -> Result<(), StoreError>;

    /// Throws a letter away: its state is `deleted`. False: there is none, and no line. What comes
    /// of a retry, and its line, is written with the batch that brings it (`rs::share::Settled`).
    fn delete(&self, no: i64, line: &Audit) -> Result<bool, StoreError>;

    /// Adds a line to the audit log about what is not in the database; what is has its line in its
    /// own transaction.
    fn note(&self, line: &Audit) -> Result<(), StoreError>;

    /// The statement that was made of this day (`2026-11-22`).
    fn proof(&self, day: &str) -> Result<Option<String>, StoreError>;

    /// Keeps a statement, unless the day has one.
    fn keep_proof(&self, day: &str, statement: &str) -> Result<(), StoreError>;

    /// Lines of the audit log after a place, newest first.
    fn audit(
        &self,
        filter: &AuditFilter,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Audit>, StoreError>;
}

/// A time as a column has it.
pub fn ms(time: Millis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

/// The day of a line of the audit log.
pub(crate) fn audit_day(time_ms: i64) -> Day {
    key::day(Millis(u64::try_from(time_ms).unwrap_or_default()))
}

/// The lines of the audit log about dead letters that were tried again: one of each request, or of
/// each hundred of its letters.
pub(super) fn retried<'s>(settled: impl IntoIterator<Item = &'s Settled>) -> Vec<Audit> {
    let mut requests = BTreeMap::<&Retrier, [Vec<i64>; 2]>::new();
    for Settled { no, refused, by, .. } in settled {
        let [stored, failed] = requests.entry(by).or_default();
        if refused.is_none() { stored.push(*no) } else { failed.push(*no) }
    }
    for numbers in requests.values_mut().flatten() {
        numbers.sort_unstable();
    }
    let line = |(by, [stored, failed]): (&Retrier, [Vec<i64>; 2])| Audit {
        no: 0,
        time_ms: by.at_ms,
        user: by.user.clone(),
        address: by.peer.clone(),
        action: "dead-letter.retry".to_owned(),
        object: match [&*stored, &*failed].concat()[..] {
            [one] => one.to_string(),
            ref more => format!("{} letters", more.len()),
        },
        detail: json!({"stored": stored, "failed": failed}).to_string(),
        outcome: if failed.is_empty() { "done" } else { "refused" }.to_owned(),
    };
    requests.into_iter().map(line).collect()
}

/// The name under which the statement of a day is kept.
pub(super) fn proof_of(day: &str) -> String {
    format!("proof.{day}")
}
