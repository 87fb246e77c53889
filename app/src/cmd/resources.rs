//! `ringmaster resources`: media servers, their state and their load.

use serde_json::{Value, json};

use super::calls::text;
use crate::ask;
use crate::cli::{self, Output};
use crate::exit::Failure;
use crate::table;

pub(crate) fn run(args: &cli::Resources) -> Result<(), Failure> {
    let query = [("group", args.group.as_deref())];
    let answer = ask::Daemon::new(&args.from)?.json("/v1/resources", &query, "resources")?;
    let resources = answer["resources"].as_array().cloned().unwrap_or_default();
    show(&resources, args.from.output);
    Ok(())
}

/// How many calls are left, since when, and until when they may stay, only where somebody waits
/// for that.
pub(super) fn show(resources: &[Value], output: Output) {
    match output {
        Output::Json => println!("{}", json!(resources)),
        Output::Name => {
            resources.iter().for_each(|resource| println!("{}", text(resource, "name")))
        }
        Output::Table => {
            let mut shown = resources.to_vec();
            for resource in shown.iter_mut().filter(|one| one["admin"] == "enabled") {
                resource["oldest"] = Value::Null;
            }
            let columns = [
                "group", "name", "address", "state", "admin", "used", "capacity", "total",
                "oldest", "deadline",
            ];
            print!("{}", table::of_filled(&columns, &shown));
        }
    }
}
