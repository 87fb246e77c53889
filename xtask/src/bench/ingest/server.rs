//! The whole server on a database that is full: how it is started and killed, and what it tells.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::system;
use crate::bench::http::request;
use crate::bench::proxy::now;
use crate::bench::proxy::process::Process;
use crate::bench::proxy::site::{Folder, free};

/// Where its records go.
pub(super) enum Database {
    /// Files in this directory.
    Files(PathBuf),
    /// A server.
    Url(String),
}

/// It runs.
pub(super) struct Server {
    program: PathBuf,
    settings: PathBuf,
    folder: Folder,
    pub(super) process: Process,
    pub(super) address: SocketAddr,
    http: SocketAddr,
    /// From its start until it listened, s.
    pub(super) took: f64,
}

/// What it tells of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// Age of the oldest record that is not in the database, s.
    pub(super) lag: f64,
    /// Records that are not.
    pub(super) waiting: f64,
    /// Records stored since its start.
    pub(super) stored: f64,
    /// Resident memory, MiB.
    pub(super) memory: f64,
}

impl Server {
    /// Starts it with a spool of its own, and waits until it listens.
    pub(super) fn start(program: &Path, database: &Database) -> Result<Self> {
        let (folder, ip) = (Folder::new()?, IpAddr::V4(Ipv4Addr::LOCALHOST));
        let (address, http) = (free(ip)?, free(ip)?);
        let data = folder.path().join("data");
        fs::create_dir_all(&data)?;
        let database = match database {
            Database::Files(dir) => {
                std::os::unix::fs::symlink(dir, data.join("rs"))?;
                "sqlite"
            }
            Database::Url(url) => url,
        };
        folder.write("objects.yaml", "kind: Tenant\nname: acme\nspec: {}\n")?;
        let text = format!(
            "config: {{ file: objects.yaml }}\ndata_dir: data\n\
             rs: {{ broker: \"{address}\", http: \"{http}\", database: \"{database}\", \
             spool: {{ dir: spool, limit: 16GiB }} }}\n"
        );
        let settings = folder.write("settings.yaml", &text)?;
        let begin = now();
        let process = started(program, &settings, &folder, address)?;
        let (took, program) = (begin.elapsed().as_secs_f64(), program.to_owned());
        Ok(Self { program, settings, folder, process, address, http, took })
    }

    /// Kills it and starts it again on what it had.
    pub(super) fn killed_and_back(self) -> Result<Self> {
        let Self { program, settings, folder, process, address, http, .. } = self;
        process.kill()?;
        let begin = now();
        let process = started(&program, &settings, &folder, address)?;
        let took = begin.elapsed().as_secs_f64();
        Ok(Self { program, settings, folder, process, address, http, took })
    }

    pub(super) fn told(&self) -> Result<Told> {
        let text = request(self.http.port(), "GET", "/metrics", "")?;
        Ok(Told {
            lag: sum(&text, "rs_apply_lag_seconds"),
            waiting: sum(&text, "rs_queue_depth"),
            stored: sum(&text, "rs_apply_records_total"),
            memory: self.process.pss()? / f64::from(1 << 20),
        })
    }
}

fn started(
    program: &Path,
    settings: &Path,
    folder: &Folder,
    address: SocketAddr,
) -> Result<Process> {
    let mut command = Command::new(program);
    command.args(["rs", "-c"]).arg(settings).current_dir(folder.path());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    system::begun(command, address).context("RS")
}

/// All rows of a metric.
fn sum(text: &str, name: &str) -> f64 {
    let rows = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        (rest.starts_with('{') || rest.starts_with(' ')).then(|| rest.rsplit_once(' '))?
    });
    rows.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
}
