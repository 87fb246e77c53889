//! What a start has looked at, one line of the log each (rs.md §9). What a start is refused for is
//! told by its error.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use telemetry::Log;

use crate::machine::{self, Beyond};

/// A certificate that is valid for less is to be renewed (rs.md §12).
const RENEW: Duration = Duration::from_secs(14 * 86_400);

/// What was found.
pub(crate) struct Found<'f> {
    /// `{data_dir}/rs`
    pub(crate) dir: &'f Path,
    /// Limits that this machine cannot keep.
    pub(crate) beyond: &'f [Beyond],
    /// How long the certificates are valid, where there are any.
    pub(crate) certificates: Option<Duration>,
    /// Where HTTP listens.
    pub(crate) http: SocketAddr,
    /// The database has answered, and its schema is one that is known.
    pub(crate) database: bool,
}

impl Found<'_> {
    /// A line for each check.
    pub(crate) fn tell(&self, log: &Log) {
        let line = |check: &str, outcome: &str, detail: &str| {
            log.emit(31107, None, &[("check", check), ("outcome", outcome), ("detail", detail)]);
        };
        let dir = self.dir.display();
        match machine::network_file_system(self.dir) {
            Some(kind) => {
                line("data_dir", "warning", &format!("{dir} is on {kind}"));
                log.emit(31106, None, &[("directory", &dir.to_string()), ("file_system", kind)]);
            }
            None => line("data_dir", "ok", &format!("{dir} can be written")),
        }
        let beyond: Vec<String> = self.beyond.iter().map(ToString::to_string).collect();
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
            true => line("database", "ok", "it answers"),
            false => line("database", "warning", "it does not answer yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_has_a_line_with_what_came_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let told = |beyond: &[Beyond], days: Option<u64>, database: bool| {
            let (log, lines) = Log::capture(|| model::time::Millis(0));
            let certificates = days.map(|days| Duration::from_secs(days * 86_400));
            let http = SocketAddr::from(([127, 0, 0, 1], 8080));
            Found { dir: dir.path(), beyond, certificates, http, database }.tell(&log);
            log.flush();
            lines.lines()
        };
        let all = told(&[], Some(20), true);
        assert_eq!(all.len(), 5, "{all:?}");
        assert!(all.iter().all(|line| line.contains(" 31107 ") && line.contains("outcome=ok")));
        let beyond = Beyond { key: "rs.spool.limit", asked: 9, most: 8 };
        let all = told(&[beyond], Some(13), false);
        for expected in [
            "check=limits outcome=clamped detail=\"rs.spool.limit is 9",
            "check=certificate outcome=warning detail=\"valid for 13 days",
            "check=database outcome=warning",
        ] {
            assert!(all.iter().any(|line| line.contains(expected)), "{expected}: {all:?}");
        }
        assert_eq!(told(&[], None, true).len(), 4);
    }
}
