//! `ringmaster alarms`: what is wrong now, since when and how often.

use serde_json::Value;

use super::calls::text;
use crate::ask;
use crate::cli::{self, Output};
use crate::exit::Failure;
use crate::table;

pub(crate) fn run(args: &cli::Alarms) -> Result<(), Failure> {
    let alarms = ask::Daemon::new(&args.from)?.pages("/v1/alarms", &[], "alarms")?;
    match args.from.output {
        Output::Json => println!("{}", Value::Array(alarms)),
        Output::Name => alarms.iter().for_each(|alarm| println!("{}", text(alarm, "name"))),
        Output::Table => {
            let columns = ["name", "kind", "object", "since", "count", "text"];
            print!("{}", table::of(&columns, &alarms));
        }
    }
    Ok(())
}
