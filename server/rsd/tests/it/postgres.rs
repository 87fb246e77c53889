//! PostgreSQL of Debian, started by the test in a directory of its own, on a port of its own.

mod accounts;
mod busy;
mod erasing;
mod hang;
mod lease;
mod password;
mod race;
mod server;
mod steps;
mod tls;
mod uris;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Stdio};

pub(crate) use self::server::Server;
use self::server::command;

impl Server {
    /// One that takes nobody but `rs` without a password.
    fn strict() -> Self {
        let all = "host all rs 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        Self::set(|data| {
            std::fs::write(data.join("pg_hba.conf"), all).unwrap();
            Vec::new()
        })
    }

    /// Runs SQL as the owner in a session that stays.
    pub(crate) fn session(&self, sql: &str) -> Session {
        let mut psql = command("psql")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "rs", "-AtXq"])
            .arg("postgres")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(psql.stdin.as_mut().unwrap(), "{sql};").unwrap();
        let said = BufReader::new(psql.stdout.take().unwrap());
        Session { psql, said }
    }
}

/// A session that stays as long as this does.
pub(crate) struct Session {
    psql: Child,
    said: BufReader<ChildStdout>,
}

impl Session {
    /// What it says next.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // its input ends, and so does it
        drop(self.psql.stdin.take());
        let _ended = self.psql.wait();
    }
}
