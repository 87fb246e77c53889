//! `ringmaster calls`: calls in progress, or one with its legs.

use serde_json::Value;

use crate::ask;
use crate::cli::{self, Output};
use crate::exit::{Exit, Failure};
use crate::table;

/// RM gives at most so many per page.
const PAGE: &str = "1000";

pub(crate) fn run(args: &cli::Calls) -> Result<(), Failure> {
    let rm = ask::Daemon::new(&args.from)?;
    match &args.guid {
        Some(guid) => one(args, &rm, guid),
        None => list(args, &rm),
    }
}

fn list(args: &cli::Calls, rm: &ask::Daemon<'_>) -> Result<(), Failure> {
    let mut calls = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let query = [
            ("tenant", args.tenant.as_deref()),
            ("profile", args.profile.as_deref()),
            ("resource", args.resource.as_deref()),
            ("limit", Some(PAGE)),
            ("cursor", cursor.as_deref()),
        ];
        let page = rm.json("/v1/calls", &query, "calls")?;
        calls.extend(page["calls"].as_array().cloned().unwrap_or_default());
        match page["cursor"].as_str() {
            Some(next) if cursor.as_deref() == Some(next) => {
                let text = "/v1/calls: the same page again and again";
                return Err(Failure::new(Exit::PeerAway, text));
            }
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    match args.from.output {
        Output::Json => println!("{}", Value::Array(calls)),
        Output::Name => calls.iter().for_each(|call| println!("{}", text(call, "session"))),
        Output::Table => {
            let columns = ["session", "tenant", "profile", "legs", "started"];
            let rows: Vec<Vec<String>> = calls
                .iter()
                .map(|call| columns.iter().map(|column| text(call, column)).collect())
                .collect();
            let header = ["SESSION", "TENANT", "PROFILE", "LEGS", "STARTED"];
            print!("{}", table::render(&header, &rows));
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
            let shown = serde_json::to_string_pretty(&call).unwrap_or_else(|_| call.to_string());
            println!("{shown}");
        }
    }
    Ok(())
}

/// A member as a cell: text without quotes, `-` when absent.
pub(super) fn text(value: &Value, member: &str) -> String {
    match &value[member] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
