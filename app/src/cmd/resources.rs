//! `ringmaster resources`: media servers, their state and their load.

use serde_json::Value;

use super::calls::text;
use crate::ask;
use crate::cli::{self, Output};
use crate::exit::Failure;
use crate::table;

pub(crate) fn run(args: &cli::Resources) -> Result<(), Failure> {
    let query = [("group", args.group.as_deref())];
    let answer = ask::Daemon::new(&args.from)?.json("/v1/resources", &query, "resources")?;
    let resources = answer["resources"].as_array().cloned().unwrap_or_default();
    match args.from.output {
        Output::Json => println!("{}", Value::Array(resources)),
        Output::Name => {
            resources.iter().for_each(|resource| println!("{}", text(resource, "name")))
        }
        Output::Table => {
            let columns =
                ["group", "name", "address", "state", "admin", "used", "capacity", "total"];
            print!("{}", table::of(&columns, &resources));
        }
    }
    Ok(())
}
