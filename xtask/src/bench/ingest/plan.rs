//! What is measured how often: the options of `bench ingest`.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::system::System;

/// Options.
#[derive(Clone)]
pub(super) struct Plan {
    /// `--turns`: how often each system is measured with each number of producers.
    pub(super) turns: usize,
    /// `--seconds`: how long a turn is measured.
    pub(super) seconds: u32,
    /// `--warm`: how long the same load goes on before.
    pub(super) warm: u32,
    /// `--producers`: connections, each sending when it has its answer.
    pub(super) producers: Vec<u32>,
    /// `--systems`
    pub(super) systems: Vec<System>,
    /// `--store`: not the endpoint is measured but what comes into the database.
    pub(super) store: bool,
    /// `--steady`: the whole server on a full database, for minutes.
    pub(super) steady: bool,
    /// `--rate`: messages a second of all its producers.
    pub(super) rate: u32,
    /// `--outage`: seconds without its database, at a fifth of the rate.
    pub(super) outage: u32,
    /// `--unapplied`: records that wait when it is killed.
    pub(super) unapplied: u32,
    /// `--cluster`: the directory of the PostgreSQL server that is stopped for that.
    pub(super) cluster: Option<PathBuf>,
    /// `--database`: a server instead of files; the same one is filled only once.
    pub(super) database: Option<String>,
    /// `--seed`: calls that are in the database before.
    pub(super) seed: u64,
    /// `--backlog`: records that have waited for it.
    pub(super) backlog: u64,
    /// `--write`: the table goes into the page of figures.
    pub(super) write: bool,
}

impl Plan {
    pub(super) fn parse(args: &[String]) -> Result<Self> {
        let mut plan = Self {
            turns: 5,
            seconds: 10,
            warm: 3,
            producers: vec![1, 10, 50],
            systems: System::ALL.to_vec(),
            store: false,
            steady: false,
            rate: 5000,
            outage: 0,
            unapplied: 0,
            cluster: None,
            database: None,
            seed: 10_000_000,
            backlog: 600_000,
            write: false,
        };
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            match arg {
                "--write" => plan.write = true,
                "--store" => plan.store = true,
                "--steady" => plan.steady = true,
                "--null" => plan.systems = vec![System::Ringmaster, System::Null],
                _ => {}
            }
            if matches!(arg, "--write" | "--store" | "--steady" | "--null") {
                continue;
            }
            let value = args.next().with_context(|| format!("{arg} needs a value"))?;
            match arg {
                "--turns" => plan.turns = value.parse()?,
                "--seconds" => plan.seconds = value.parse()?,
                "--warm" => plan.warm = value.parse()?,
                "--database" => plan.database = Some(value.to_owned()),
                "--rate" => plan.rate = value.parse()?,
                "--outage" => plan.outage = value.parse()?,
                "--unapplied" => plan.unapplied = value.parse()?,
                "--cluster" => plan.cluster = Some(value.into()),
                "--seed" => plan.seed = value.parse()?,
                "--backlog" => plan.backlog = value.parse()?,
                "--producers" => {
                    plan.producers = value.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                "--systems" => {
                    let all: Option<_> = value.split(',').map(System::parse).collect();
                    plan.systems = all.context("activemq, ringmaster, spool, null")?;
                }
                _ => bail!("there is no option {arg}"),
            }
        }
        Ok(plan)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { turns, seconds, warm, producers, systems, .. } = self;
        let each = usize::try_from(seconds + warm).unwrap_or(0) + 4;
        let all = turns * producers.len() * systems.len() * each;
        write!(f, "{turns} turns of {seconds} s after {warm} s: about {} minutes", all / 60 + 1)
    }
}
