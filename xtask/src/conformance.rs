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
    let tests = ["conformance::", "database::"];
    let wanted = match (database, outage) {
        (Some(_), None) => &tests[..1],
        (None, Some(_)) => &tests[1..],
        _ => &tests[..],
    };
    for test in wanted {
        let test = ["test", "--locked", "--package", "ringmaster-rsd", "--test", "it", "--", test];
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
