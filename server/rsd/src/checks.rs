//! What a start has looked at, one line of the log each (rs.md §9). What a start is refused for is
//! told by its error.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use model::time::Millis;
use telemetry::Log;

use crate::machine::{self, Clamped, OTHER_DESCRIPTORS};

/// A certificate that is valid for less is to be renewed (rs.md §12).
const RENEW: Duration = Duration::from_secs(14 * 86_400);

/// A clock that is further from the newest record is looked at: either it is wrong, or nothing has
/// come for so long.
const DAY: Duration = Duration::from_secs(86_400);

/// What was found.
pub(crate) struct Found<'f> {
    /// `{data_dir}/rs`
    pub(crate) dir: &'f Path,
    /// Limits as this machine keeps them.
    pub(crate) clamped: &'f Clamped,
    /// How long the certificates are valid, where there are any.
    pub(crate) certificates: Option<Duration>,
    /// Where HTTP listens.
    pub(crate) http: SocketAddr,
    /// Which database has answered, and has a schema that is known.
    pub(crate) database: Option<&'f str>,
    /// Start of the five minutes of its newest record, if there is one.
    pub(crate) newest: Option<i64>,
    /// What the clock says.
    pub(crate) now: Millis,
}

impl Found<'_> {
    /// A line for each check.
    pub(crate) fn tell(&self, log: &Log) {
        let line = |check: &str, outcome: &str, detail: &str| line(log, check, outcome, detail);
        let dir = self.dir.display();
        match machine::network_file_system(self.dir) {
            Some(kind) => {
                line("data_dir", "warning", &format!("{dir} is on {kind}"));
                log.emit(31106, None, &[("directory", &dir.to_string()), ("file_system", kind)]);
            }
            None => line("data_dir", "ok", &format!("{dir} can be written")),
        }
        let Clamped { files, connections, .. } = self.clamped;
        let detail = format!(
            "{files} may be open, for {connections} connections of producers and \
             {OTHER_DESCRIPTORS} besides"
        );
        let outcome = if self.clamped.lacks_files() { "clamped" } else { "ok" };
        line("open_files", outcome, &detail);
        let beyond: Vec<String> = self.clamped.beyond.iter().map(ToString::to_string).collect();
        match beyond.is_empty() {
            true => line("limits", "ok", "as set"),
            false => line("limits", "clamped", &beyond.join("; ")),
        }
        if let Some(left) = self.certificates {
            let outcome = if left < RENEW { "warning" } else { "ok" };
            let days = left.as_secs() / 86_400;
            line("certificate", outcome, &format!("valid for {days} days"));
        }
        line("http", "ok", &format!("listens on {}", self.http));
        match self.database {
            Some(server) => line("database", "ok", &format!("it answers: {server}")),
            None => line("database", "warning", "it does not answer yet"),
        }
        if let Some(newest) = self.newest {
            let newest = Millis(u64::try_from(newest).unwrap_or_default());
            let far = newest.0.abs_diff(self.now.0) > DAY.as_secs() * 1000;
            let outcome = if far { "warning" } else { "ok" };
            let detail = format!("it is {}, the newest record is of {newest}", self.now);
            line("clock", outcome, &detail);
        }
    }
}

/// Producers can come, or are not to.
pub(crate) fn broker(address: Option<SocketAddr>, log: &Log) {
    let listens = |address| format!("listens on {address}");
    let detail = address.map_or_else(|| "takes no records".to_owned(), listens);
    line(log, "broker", "ok", &detail);
}

/// A database that had not answered at the start does.
pub(crate) fn answers_now(server: &str, log: &Log) {
    line(log, "database", "ok", &format!("it answers now: {server}"));
}

fn line(log: &Log, check: &str, outcome: &str, detail: &str) {
    log.emit(31107, None, &[("check", check), ("outcome", outcome), ("detail", detail)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Beyond;

    /// 2026-11-27T10:00:00Z.
    const NOW: i64 = 1_795_773_600_000;

    #[test]
    fn each_check_has_a_line_with_what_came_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let told = |beyond: &[Beyond], days: Option<u64>, database: bool, newest: Option<i64>| {
            let (log, lines) = Log::capture(|| Millis(0));
            let clamped = &Clamped {
                files: 1024,
                connections: 512,
                spool_bytes: 8,
                memory: 8,
                caches: 8,
                beyond: beyond.to_vec(),
            };
            let certificates = days.map(|days| Duration::from_secs(days * 86_400));
            let http = SocketAddr::from(([127, 0, 0, 1], 8080));
            let (newest, now) =
                (newest.map(|ago: i64| NOW - ago * 1000), Millis(NOW.unsigned_abs()));
            let database = database.then_some("SQLite 3");
            Found { dir: dir.path(), clamped, certificates, http, database, newest, now }
                .tell(&log);
            broker(Some(SocketAddr::from(([127, 0, 0, 1], 61616))), &log);
            log.flush();
            lines.lines()
        };
        let all = told(&[], Some(20), true, Some(86_000));
        assert_eq!(all.len(), 8, "{all:?}");
        assert!(all.iter().all(|line| line.contains(" 31107 ") && line.contains("outcome=ok")));
        for expected in [
            "check=open_files outcome=ok detail=\"1024 may be open, for 512 connections",
            "check=broker outcome=ok detail=\"listens on 127.0.0.1:61616\"",
        ] {
            assert!(all.iter().any(|line| line.contains(expected)), "{expected}: {all:?}");
        }
        let spool = Beyond::of("rs.spool.limit", 9, 8);
        let connections = Beyond::of("rs.broker_limits.connections", 600, 512);
        let all = told(&[spool, connections], Some(13), false, None);
        for expected in [
            "check=open_files outcome=clamped detail=\"1024 may be open",
            "check=limits outcome=clamped detail=\"rs.spool.limit is 9",
            "check=certificate outcome=warning detail=\"valid for 13 days",
            "check=database outcome=warning",
        ] {
            assert!(all.iter().any(|line| line.contains(expected)), "{expected}: {all:?}");
        }
        assert_eq!(told(&[], None, true, None).len(), 6);
        for ago in [-87_000, 87_000] {
            let all = told(&[], None, true, Some(ago));
            assert!(all.iter().any(|line| line.contains("check=clock outcome=warning")), "{all:?}");
        }
    }
}
