//! `ringmaster calls`: calls in progress, or one with its legs, its messages, or its end.

mod ladder;

use reqwest::Method;
use serde_json::Value;

use crate::ask;
use crate::cli::{self, Output};
use crate::exit::Failure;
use crate::table;

/// What a step of a decision tells.
pub(super) const STEP: [&str; 8] =
    ["stage", "candidate", "verdict", "reason", "state", "used", "limit", "until"];

pub(crate) fn run(args: &cli::Calls) -> Result<(), Failure> {
    let rm = ask::Daemon::new(&args.from)?;
    match &args.guid {
        Some(guid) if args.end => end(args, &rm, guid),
        Some(guid) if args.sip => ladder::run(args, &rm, guid),
        Some(guid) => one(args, &rm, guid),
        None => list(args, &rm),
    }
}

fn list(args: &cli::Calls, rm: &ask::Daemon<'_>) -> Result<(), Failure> {
    let query = [
        ("tenant", args.tenant.as_deref()),
        ("profile", args.profile.as_deref()),
        ("resource", args.resource.as_deref()),
        ("state", args.state.as_deref()),
        ("older_than", args.older_than.as_deref()),
        ("call_id", args.call_id.as_deref()),
    ];
    let calls = rm.pages("/v1/calls", &query, "calls")?;
    match args.from.output {
        Output::Json => println!("{}", Value::Array(calls)),
        Output::Name => calls.iter().for_each(|call| println!("{}", text(call, "session"))),
        Output::Table => {
            let columns = ["session", "tenant", "profile", "legs", "started"];
            print!("{}", table::of(&columns, &calls));
        }
    }
    Ok(())
}

fn one(args: &cli::Calls, rm: &ask::Daemon<'_>, guid: &str) -> Result<(), Failure> {
    let call = rm.json(&format!("/v1/calls/{guid}"), &[], "session")?;
    match args.from.output {
        Output::Json => println!("{call}"),
        Output::Name => println!("{}", text(&call, "session")),
        Output::Table => {
            println!("session   {}", text(&call, "session"));
            println!("tenant    {}", text(&call, "tenant"));
            println!("profile   {}", text(&call, "profile"));
            println!("started   {}", text(&call, "started"));
            println!("revision  {}", text(&call, "config_rev"));
            println!();
            let legs = call["leg"].as_array().cloned().unwrap_or_default();
            let columns = [
                "id",
                "state",
                "service",
                "resource",
                "selected_by",
                "placed_by",
                "answered",
                "call_id",
            ];
            print!("{}", table::of(&columns, &legs));
            for leg in legs.iter().filter(|leg| leg["trace"].is_array()) {
                let steps = leg["trace"].as_array().cloned().unwrap_or_default();
                print!("\n{}", table::of_filled(&STEP, &steps));
            }
        }
    }
    Ok(())
}

fn end(args: &cli::Calls, rm: &ask::Daemon<'_>, guid: &str) -> Result<(), Failure> {
    let query = [("leg", args.leg.as_deref())];
    let answer = rm.send(Method::DELETE, &format!("/v1/calls/{guid}"), &query, None, "legs")?;
    match args.from.output {
        Output::Json => println!("{answer}"),
        Output::Name => println!("{guid}"),
        Output::Table => println!("{guid}: {} ended", table::counted(&answer["legs"], "leg")),
    }
    Ok(())
}

/// A member as a cell: text without quotes, `-` when absent.
pub(super) fn text(value: &Value, member: &str) -> String {
    table::cell(&value[member])
}
