//! What became of the records of a file: the figures and dead letters of their producer before and
//! after.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use net::Clock;
use rsd::retention::Written;
use serde_json::Value;

use crate::ask::{Daemon, Question};
use crate::cli::FromRs;
use crate::exit::{Exit, Failure};

/// Letters of a page.
const PAGE: &str = "1000";
/// Between two looks at the queue.
const LOOK: Duration = Duration::from_millis(200);

/// As it was before.
pub(super) struct Tally<'t> {
    from: &'t FromRs,
    producer: &'t str,
    duplicates: u64,
    /// The newest dead letter, and when it was received.
    newest: Option<(u64, String)>,
}

/// What became of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    stored: u64,
    there: u64,
    pub(super) dead: u64,
    codes: BTreeMap<String, u64>,
}

impl<'t> Tally<'t> {
    pub(super) fn begin(from: &'t FromRs, producer: &'t str) -> Result<Self, Failure> {
        let page = page(from, &[("producer", Some(producer)), ("limit", Some("1"))])?;
        let newest = page["items"].get(0).and_then(|letter| {
            Some((letter["no"].as_u64()?, letter["received_at"].as_str()?.to_owned()))
        });
        let duplicates = Figures::ask(from)?.duplicates(producer);
        Ok(Self { from, producer, duplicates, newest })
    }

    /// Waits until the database has what was sent, and counts.
    pub(super) fn end(self, file: &Written) -> Result<Told, Failure> {
        let figures = self.applied(file)?;
        let there = figures.duplicates(self.producer).saturating_sub(self.duplicates);
        let codes = self.letters()?;
        let dead = codes.values().sum();
        let stored = file.rows.saturating_sub(there).saturating_sub(dead);
        Ok(Told { stored, there, dead, codes })
    }

    /// Until nothing waits for the database, or nothing that is as old as what was sent last.
    fn applied(&self, file: &Written) -> Result<Figures, Failure> {
        let sent = Clock::start();
        let (mut since, mut least) = (Duration::ZERO, u64::MAX);
        loop {
            let elapsed = sent.mono();
            let figures = Figures::ask(self.from)?;
            let (waiting, lag) = (figures.whole("rsQueueSize "), figures.whole(LAG));
            // a lag is told to the second
            if waiting == 0 || Duration::from_secs(lag + 1) <= elapsed {
                return Ok(figures);
            }
            if waiting < least {
                (least, since) = (waiting, elapsed);
            }
            if elapsed.saturating_sub(since) >= self.from.timeout {
                let text = format!(
                    "{}: all of it is on the server's disk, but {waiting} records wait for its \
                     database; import it again later to see what became of it",
                    file.path().display()
                );
                return Err(Failure::new(Exit::Conflict, text));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Dead letters that are new, by their codes.
    fn letters(&self) -> Result<BTreeMap<String, u64>, Failure> {
        let received = self.newest.as_ref().map(|(_, received)| received.as_str());
        let mut codes = BTreeMap::new();
        let mut cursor: Option<String> = None;
        loop {
            let producer = Some(self.producer);
            let page = page(
                self.from,
                &[
                    ("producer", producer),
                    ("from", received),
                    ("limit", Some(PAGE)),
                    ("cursor", cursor.as_deref()),
                ],
            )?;
            for letter in page["items"].as_array().into_iter().flatten() {
                if self.newest.as_ref().is_none_or(|(no, _)| letter["no"].as_u64() > Some(*no)) {
                    let code = letter["code"].as_str().unwrap_or_default();
                    *codes.entry(code.to_owned()).or_default() += 1;
                }
            }
            match page["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(codes),
            }
        }
    }
}

fn page(from: &FromRs, query: &[(&str, Option<&str>)]) -> Result<Value, Failure> {
    Daemon::reporting_server(from)?.json("/api/v1/dead-letters", query, "items")
}

/// How long the oldest record waits.
const LAG: &str = "rs_apply_lag_seconds ";

/// `/metrics`
struct Figures(String);

impl Figures {
    fn ask(from: &FromRs) -> Result<Self, Failure> {
        let question = Question { path: "/metrics", ..Question::default() };
        let text = Daemon::reporting_server(from)?.text(question)?;
        if text.contains(LAG) {
            return Ok(Self(text));
        }
        let text = format!("{}/metrics: this is no answer of a Reporting Server", from.rs);
        Err(Failure::new(Exit::PeerAway, text))
    }

    /// The value of a sample without its fraction; of one that is not there 0.
    fn whole(&self, sample: &str) -> u64 {
        let value = self.0.lines().find_map(|line| line.strip_prefix(sample));
        let whole = value.and_then(|value| value.trim().split('.').next());
        whole.and_then(|whole| whole.parse().ok()).unwrap_or(0)
    }

    fn duplicates(&self, producer: &str) -> u64 {
        let name = producer.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        self.whole(&format!("rs_apply_duplicates_total{{producer=\"{name}\"}} "))
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, there, dead, codes } = self;
        write!(f, "stored {stored}, there already {there}, dead letters {dead}")?;
        let codes: Vec<String> = codes.iter().map(|(code, n)| format!("{n} {code}")).collect();
        if codes.is_empty() { Ok(()) } else { write!(f, " ({})", codes.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_by_their_whole_names() {
        let text = "rsQueueSizes 9\nrsQueueSize 3\nrs_apply_lag_seconds 1.75\n\
                    rs_apply_duplicates_total{producer=\"a\\\"b\"} 7\n";
        let figures = Figures(text.to_owned());
        assert_eq!((figures.whole("rsQueueSize "), figures.whole(LAG)), (3, 1));
        assert_eq!((figures.duplicates("a\"b"), figures.duplicates("a")), (7, 0));
    }

    #[test]
    fn what_became_of_them_is_one_line() {
        let told = |codes: &[(&str, u64)]| {
            let codes: BTreeMap<_, _> = codes.iter().map(|(c, n)| ((*c).to_owned(), *n)).collect();
            let dead = codes.values().sum();
            Told { stored: 1, there: 2, dead, codes }.to_string()
        };
        assert_eq!(told(&[]), "stored 1, there already 2, dead letters 0");
        let two = told(&[("bad_time", 1), ("expired_partition", 4)]);
        assert!(two.ends_with(", dead letters 5 (1 bad_time, 4 expired_partition)"), "{two}");
    }
}
