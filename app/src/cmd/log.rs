//! `ringmaster log`: what is logged, or another level for a while, or for a part of the lines.

use reqwest::Method;
use serde_json::{Map, Value};

use super::calls::text;
use crate::ask;
use crate::cli::{self, Output};
use crate::exit::Failure;
use crate::table;

pub(crate) fn run(args: &cli::Log) -> Result<(), Failure> {
    let rm = ask::Daemon::new(&args.from)?;
    let answer = match &args.level {
        Some(level) => rm.send(Method::PUT, "/v1/log", &[], Some(&wanted(args, level)), "level")?,
        None => rm.json("/v1/log", &[], "level")?,
    };
    match args.from.output {
        Output::Json => println!("{answer}"),
        Output::Name => println!("{}", text(&answer, "level")),
        Output::Table => print!("{}", table::of_filled(&["level", "until", "of"], &rows(&answer))),
    }
    Ok(())
}

fn wanted(args: &cli::Log, level: &str) -> Value {
    let given = |all: &[(&str, &Option<String>)]| -> Map<String, Value> {
        let given = all.iter().filter_map(|(name, value)| Some((*name, (*value).clone()?)));
        given.map(|(name, value)| (name.to_owned(), value.into())).collect()
    };
    let only = given(&[
        ("tenant", &args.tenant),
        ("profile", &args.profile),
        ("session", &args.session),
        ("call_id", &args.call_id),
        ("peer", &args.peer),
    ]);
    let mut wanted = given(&[("for", &args.time)]);
    wanted.insert("level".to_owned(), level.into());
    if !only.is_empty() {
        wanted.insert("match".to_owned(), only.into());
    }
    wanted.into()
}

/// The usual level, and below it what is wanted for a while.
fn rows(answer: &Value) -> Vec<Value> {
    let mut rows = vec![answer.clone()];
    let mut raised = answer["raised"].clone();
    if raised.is_object() {
        let only = raised["match"].as_object().into_iter().flatten();
        let only: Vec<_> =
            only.map(|(name, value)| format!("{name} {}", table::cell(value))).collect();
        raised["of"] = if only.is_empty() { Value::Null } else { only.join(", ").into() };
        rows.push(raised);
    }
    rows
}
