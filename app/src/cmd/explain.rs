//! `ringmaster explain`: which way an INVITE would go if it came now, and why.
//!
//! One screen: what becomes of it, who it is for, and each step of the decision.

use std::fmt::Write;
use std::fs;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::calls::STEP;
use crate::ask;
use crate::cli::{self, Output};
use crate::exit::{Exit, Failure};
use crate::table::{self, cell};

pub(crate) fn run(args: &cli::Explain) -> Result<(), Failure> {
    let rm = ask::Daemon::new(&args.from_rm)?;
    let question = question(args)?;
    let answer = rm.send(Method::POST, "/v1/explain", &[], Some(&question), "outcome")?;
    let forward = answer["outcome"] == "forward";
    match args.from_rm.output {
        Output::Json => println!("{answer}"),
        Output::Name if forward => println!("{}", cell(&answer["resource"]["name"])),
        Output::Name => println!("{}", cell(&answer["reason"])),
        Output::Table => print!("{}", screen(&answer, args.request)),
    }
    if forward { Ok(()) } else { Err(Failure::new(Exit::No, "")) }
}

fn question(args: &cli::Explain) -> Result<Value, Failure> {
    let mut question = Map::new();
    if let Some(path) = &args.message {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::new(Exit::Local, format!("{}: {error}", path.display())))?;
        question.insert("message".to_owned(), text.into());
    }
    let given =
        [("uri", &args.uri), ("from", &args.from), ("to", &args.to), ("source", &args.source)];
    for (name, value) in given {
        if let Some(value) = value {
            question.insert(name.to_owned(), value.as_str().into());
        }
    }
    if !args.header.is_empty() {
        let headers = args.header.iter().map(|(name, value)| (name.clone(), value.clone().into()));
        question.insert("headers".to_owned(), Value::Object(headers.collect()));
    }
    if !args.assume.is_empty() {
        let states = args.assume.iter().map(|(name, state)| (name.clone(), state.clone().into()));
        let states: Map<String, Value> = states.collect();
        question.insert("assume".to_owned(), json!({ "resources": states }));
    }
    Ok(Value::Object(question))
}

fn screen(answer: &Value, request: bool) -> String {
    let mut out = headline(answer);
    // writing to a String cannot fail
    let mut line = |name: &str, text: Option<String>| {
        let _ = text.map(|text| writeln!(out, "{name:<9} {text}"));
    };
    line("limit", limit(&answer["policy"]));
    line("caller", Some(caller(&answer["source"])));
    line("tenant", named(&answer["tenant"]));
    let by = answer["selected_by"].as_str().map(|by| format!(", by {by}")).unwrap_or_default();
    line("profile", named(&answer["profile"]).map(|profile| profile + &by));
    line("service", answer["service"].as_str().map(str::to_owned));
    line("revision", Some(cell(&answer["config_rev"])));
    let steps = answer["trace"].as_array().cloned().unwrap_or_default();
    if !steps.is_empty() {
        let _ = write!(out, "\n{}", table::of_filled(&STEP, &steps));
    }
    if let Some(text) = answer["request"].as_str().filter(|_| request) {
        let _ = write!(out, "\n{}", text.trim_end().replace("\r\n", "\n"));
        out.push('\n');
    }
    out
}

/// What becomes of it.
fn headline(answer: &Value) -> String {
    let resource = &answer["resource"];
    if !resource.is_null() {
        return format!(
            "forward to {}/{}, {}: {}\n",
            cell(&resource["group"]),
            cell(&resource["name"]),
            cell(&resource["address"]),
            cell(&resource["placed_by"]),
        );
    }
    let subject = answer["subject"].as_str().map(|text| format!(": {text}")).unwrap_or_default();
    let retry = answer["retry_after"].as_u64();
    let retry = retry.map(|seconds| format!("; Retry-After {seconds}")).unwrap_or_default();
    format!("refused {} {}{subject}{retry}\n", cell(&answer["code"]), cell(&answer["reason"]))
}

/// Which limit of whom, and which number of which.
fn limit(policy: &Value) -> Option<String> {
    let rule = policy["rule"].as_str()?;
    let whose = format!("{} {}", cell(&policy["scope"]), named(policy)?);
    match (policy["usage"].as_u64(), policy["limit"].as_u64()) {
        (Some(used), Some(limit)) => Some(format!("{whose}: {rule}, {used} of {limit} in use")),
        _ => Some(format!("{whose}: {rule}")),
    }
}

fn caller(source: &Value) -> String {
    let address = cell(&source["address"]);
    match (source["name"].as_str(), source["role"].as_str()) {
        (Some(name), Some(role)) => format!("{name}, {address}, {role}"),
        (None, Some(role)) => format!("{address}, {role}"),
        _ => format!("{address}, unknown"),
    }
}

fn named(object: &Value) -> Option<String> {
    Some(format!("{} ({})", object["name"].as_str()?, object["dbid"]))
}
