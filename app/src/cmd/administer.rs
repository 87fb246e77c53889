//! `ringmaster drain`, `enable`, `disable`, `reset`: what an operator wants of a media server.

use reqwest::Method;
use serde_json::{Value, json};

use super::resources;
use crate::ask;
use crate::cli;
use crate::exit::{Exit, Failure};

pub(crate) fn drain(args: &cli::Drain) -> Result<(), Failure> {
    let body = args.deadline.as_ref().map(|deadline| json!({ "deadline": deadline }));
    change(&args.which, "drain", body.as_ref())
}

/// Without further ado.
pub(crate) fn run(args: &cli::Which, action: &str) -> Result<(), Failure> {
    change(args, action, None)
}

fn change(args: &cli::Which, action: &str, body: Option<&Value>) -> Result<(), Failure> {
    let rm = ask::Daemon::new(&args.from)?;
    let answer = rm.json("/v1/resources", &[], "resources")?;
    let all = answer["resources"].as_array().cloned().unwrap_or_default();
    let name = args.name.as_str();
    let found = all.iter().find(|one| one["name"] == name).and_then(|one| one["group"].as_str());
    let Some(group) = found else {
        return Err(Failure::new(Exit::NotFound, format!("{name}: no media server of this name")));
    };
    let path = format!("/v1/resources/{group}/{name}/{action}");
    let resource = rm.send(Method::POST, &path, &[], body, "name")?;
    resources::show(&[resource], args.from.output);
    Ok(())
}
