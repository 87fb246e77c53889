//! `ringmaster limits`: every limit of tenants and profiles, and how much of it is used.

use serde_json::{Value, json};

use super::calls::text;
use crate::ask;
use crate::cli::{self, Output};
use crate::exit::Failure;
use crate::table;

pub(crate) fn run(args: &cli::Limits) -> Result<(), Failure> {
    let used = args.used.map(|percent| percent.to_string());
    let query = [("tenant", args.tenant.as_deref()), ("used", used.as_deref())];
    let limits = ask::Daemon::new(&args.from)?.pages("/v1/limits", &query, "limits")?;
    match args.from.output {
        Output::Json => println!("{}", Value::Array(limits)),
        Output::Name => limits.iter().for_each(|limit| println!("{}", text(limit, "name"))),
        Output::Table => {
            let limits: Vec<Value> = limits.into_iter().map(with_share).collect();
            let columns =
                ["kind", "tenant", "name", "rule", "used", "limit", "level2", "level3", "share"];
            print!("{}", table::of(&columns, &limits));
        }
    }
    Ok(())
}

/// How much of level 1 is used, in percent.
fn with_share(mut limit: Value) -> Value {
    let figures = (limit["used"].as_u64(), limit["limit"].as_u64());
    if let (Some(used), Some(most @ 1..)) = figures {
        limit["share"] = json!(format!("{}%", used.saturating_mul(100) / most));
    }
    limit
}
