//! What of the calls of media servers is in the database of an RS, read by SQL past RS: the files
//! of its days, or a server.

use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value};

use crate::postgres;

/// Where RS keeps it.
pub(crate) enum Database {
    /// The folder of the files of the days.
    Days(PathBuf),
    /// The URL of a PostgreSQL.
    Server(String),
}

/// Rows of calls, events and outcomes.
pub(crate) struct Found {
    /// Marks of all records (`book`), as often as they are there.
    pub(crate) marks: Vec<String>,
    pub(crate) calls: Vec<Row>,
    /// GUIDs of calls with the outcome `SUCCESS`.
    pub(crate) outcomes: Vec<String>,
}

/// A row of a call.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) guid: String,
    /// Of one that has ended.
    pub(crate) duration_ms: Option<u64>,
}

impl Database {
    /// All that is there.
    pub(crate) fn found(&self) -> Found {
        let mut marks = self.lines("SELECT text FROM rs_call_event WHERE log_id = 'sent'");
        marks.extend(self.lines(
            "SELECT guid || '/var/0.' || CASE label WHEN 'com.genesyslab.var.ActionStart' THEN '1'
               WHEN 'com.genesyslab.var.CallResult' THEN '2' ELSE label END
             FROM rs_call_event WHERE label IS NOT NULL",
        ));
        let mut calls = Vec::new();
        for line in self.lines(
            "SELECT guid || '|' || coalesce(CAST(duration_ms AS text), '') || '|' ||
               coalesce(CAST(extra AS text), '{}')
             FROM rs_call WHERE component_type = 2",
        ) {
            let [guid, time, extra] = line.splitn(3, '|').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let extra: Map<String, Value> = serde_json::from_str(extra).unwrap();
            for (key, value) in &extra {
                assert!(key.starts_with("sent_"), "{line}");
                marks.push(value.as_str().unwrap().to_owned());
            }
            calls.push(Row { guid: guid.to_owned(), duration_ms: time.parse().ok() });
        }
        let outcomes = self.lines(
            "SELECT c.guid FROM rs_call c JOIN rs_var_call v ON v.call_key = c.call_key
             WHERE c.component_type = 2 AND v.result = 1",
        );
        Found { marks, calls, outcomes }
    }

    /// Runs SQL that gives one text a row.
    fn lines(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Days(folder) => {
                let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
                let days = files.filter(|file| file.extension().is_some_and(|end| end == "db"));
                days.flat_map(|day| lines_of(&day, sql)).collect()
            }
            Self::Server(url) => {
                let done = postgres::command("psql")
                    .args(["-AtX", "-v", "ON_ERROR_STOP=1", "-c", sql, url])
                    .output()
                    .unwrap();
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
                String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
            }
        }
    }
}

fn lines_of(day: &PathBuf, sql: &str) -> Vec<String> {
    let file = Connection::open_with_flags(day, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = file.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(|row| row.unwrap_or_else(|why| panic!("{}: {why}", day.display()))).collect()
}
