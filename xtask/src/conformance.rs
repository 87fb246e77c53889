//! `cargo xtask conformance --database URL [--outage SECONDS]`: the stores' one suite, against any
//! server; RS over an outage of its database as long as told. CI runs the same tests against a
//! PostgreSQL that they start.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{cargo, run as step};

const USAGE: &str = "usage: cargo xtask conformance [--database URL] [--outage SECONDS]";

pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    let (mut database, mut outage) = (None, None);
    let mut args = args.iter();
    while let Some(name) = args.next() {
        let value = args.next().context(USAGE)?;
        match name.as_str() {
            "--database" => database = Some(value),
            "--outage" => outage = Some(value),
            _ => bail!("{name}: {USAGE}"),
        }
    }
    let suite = ["ringmaster-rsd", "it", "conformance::"];
    let away = [["ringmaster-rsd", "it", "database::"], ["ringmaster", "e2e", "outage::"]];
    let mut wanted = Vec::new();
    if database.is_some() || outage.is_none() {
        wanted.push(suite);
    }
    if outage.is_some() || database.is_none() {
        wanted.extend(away);
    }
    for [package, binary, test] in wanted {
        let test = ["test", "--locked", "--package", package, "--test", binary, "--", test];
        let mut command = cargo(root, &test);
        command.arg("--nocapture");
        let told =
            [("RINGMASTER_CONFORMANCE_DATABASE", database), ("RINGMASTER_OUTAGE_SECONDS", outage)];
        for (variable, value) in told {
            if let Some(value) = value {
                command.env(variable, value);
            }
        }
        step(command)?;
    }
    Ok(())
}
