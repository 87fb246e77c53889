//! `ringmaster rs import`: what the purge has written into files goes the way of any record again
//! (rs.md §10). All files are looked through before the first record is sent.

mod tally;

use std::path::Path;
use std::time::Duration;

use model::time::Millis;
use net::Clock;
use reqwest::Method;
use rsd::retention::{Unread, Written};

use crate::ask::{self, Daemon, Question};
use crate::cli::{FromRs, RsImport};
use crate::exit::{Exit, Failure};
use tally::Tally;

const PATH: &str = "/api/v1/records";
/// They are believed to have been stored before.
const IMPORT: [(&str, Option<&str>); 1] = [("import", Some("true"))];
/// Records and bytes of one request; a server takes 10,000 and 10 MiB.
const RECORDS: usize = 2000;
const BYTES: usize = 4 << 20;
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        let exit = match unread {
            Unread::Disk { .. } => Exit::Local,
            Unread::Unfit { .. } => Exit::Invalid,
        };
        Self::new(exit, unread.to_string())
    }
}

pub(super) fn run(args: &RsImport) -> Result<(), Failure> {
    let checked = args.files.iter().map(|path| Written::check(path));
    let files = checked.collect::<Result<Vec<_>, _>>()?;
    let from = &args.from;
    if !args.older {
        check_age(from, &files)?;
    }
    for file in &files {
        let tally = Tally::begin(from, &file.producer)?;
        send(from, file)?;
        let told = tally.end(file)?;
        println!("{}: {told}", file.path().display());
        if told.dead > 0 {
            let text = format!(
                "{}: {} of its records are dead letters now, see /api/v1/dead-letters; files \
                 behind it were not sent",
                file.path().display(),
                told.dead
            );
            return Err(Failure::new(Exit::Invalid, text));
        }
    }
    Ok(())
}

/// A server makes dead letters of what is older than it keeps.
fn check_age(from: &FromRs, files: &[Written]) -> Result<(), Failure> {
    let ages = files.iter().filter_map(|file| Some((file.oldest?, file.path())));
    let oldest: Option<(Millis, &Path)> = ages.min();
    let Some((oldest, path)) = oldest else { return Ok(()) };
    let kept = Daemon::reporting_server(from)?.json("/api/v1/retention", &[], "cdr_before")?;
    let before = kept["cdr_before"].as_str().and_then(Millis::parse).unwrap_or_default();
    if oldest >= before {
        return Ok(());
    }
    let text = format!(
        "{}: it has what was over at {oldest}, and the server keeps what ended since {before}; the \
         rest would be dead letters. Raise rs.retention.cdr first; for days of a tenant or a \
         profile that are longer say --older",
        path.display()
    );
    Err(Failure::new(Exit::Invalid, text))
}

fn send(from: &FromRs, file: &Written) -> Result<(), Failure> {
    let (mut batch, mut records) = (String::new(), 0);
    file.records(&mut |line| {
        batch.push_str(line);
        batch.push('\n');
        records += 1;
        if records < RECORDS && batch.len() < BYTES {
            return Ok(());
        }
        records = 0;
        post(from, std::mem::take(&mut batch))
    })?;
    if batch.is_empty() { Ok(()) } else { post(from, batch) }
}

/// One request; while there is no room, or nobody answers, the same again: ids make it count once.
fn post(from: &FromRs, body: String) -> Result<(), Failure> {
    let (clock, body) = (Clock::start(), body.into_bytes());
    loop {
        let body = Some(("application/x-ndjson", body.clone()));
        let (method, query) = (Method::POST, &IMPORT[..]);
        let question = Question { method, path: PATH, query, body, ..Question::default() };
        let answer = Daemon::reporting_server(from)?.whole(question);
        let failure = match answer {
            Ok((200, _)) => return Ok(()),
            Ok((status, text)) => {
                let problem = serde_json::from_str(&text).unwrap_or_default();
                let failure = ask::told(status, PATH, &problem);
                if !matches!(status, 429 | 503) {
                    return Err(failure);
                }
                failure
            }
            Err(failure) if failure.exit == Exit::PeerAway => failure,
            Err(failure) => return Err(failure),
        };
        if clock.mono() >= from.timeout {
            return Err(failure);
        }
        std::thread::sleep(PAUSE);
    }
}
