//! `ringmaster drain`, `enable`, `disable`, `reset`: what an operator wants of a media server, or
//! of the whole node.

use reqwest::Method;
use serde_json::{Value, json};

use super::resources;
use crate::ask;
use crate::cli::{self, Output};
use crate::exit::{Exit, Failure};
use crate::table;

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
    let Some(group) = found else { return node(args, &rm, action, body) };
    let path = format!("/v1/resources/{group}/{name}/{action}");
    let resource = rm.send(Method::POST, &path, &[], body, "name")?;
    resources::show(&[resource], args.from.output);
    Ok(())
}

/// The node itself, if that is its name: it takes no new calls, or takes them again.
fn node(
    args: &cli::Which,
    rm: &ask::Daemon<'_>,
    action: &str,
    body: Option<&Value>,
) -> Result<(), Failure> {
    let name = args.name.as_str();
    let status = rm.json("/v1/status", &[], "name")?;
    if status["name"] != name {
        let text = format!("{name}: no media server of this name, and not the node");
        return Err(Failure::new(Exit::NotFound, text));
    }
    let (path, what) = match (action, body) {
        ("drain", None) => ("/v1/node/drain", "drained"),
        ("enable", None) => ("/v1/node/undrain", "takes calls"),
        ("drain", Some(_)) => {
            let text = "a node is drained without a deadline: its calls end by themselves";
            return Err(Failure::new(Exit::Usage, text));
        }
        _ => {
            let text = format!("{action} is for media servers: a node is drained and enabled");
            return Err(Failure::new(Exit::Usage, text));
        }
    };
    let answer = rm.send(Method::POST, path, &[], None, "legs")?;
    match args.from.output {
        Output::Json => println!("{answer}"),
        Output::Name => println!("{name}"),
        Output::Table => println!("{name}: {what}, {} up", table::counted(&answer["legs"], "leg")),
    }
    Ok(())
}
