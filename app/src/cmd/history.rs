//! `ringmaster history` and `rollback`: who changed what when, and back again.

use reqwest::Method;
use serde_json::{Value, json};

use super::apply;
use crate::ask::Daemon;
use crate::cli::{self, Shape};
use crate::exit::Failure;
use crate::table;

pub(crate) fn run(args: &cli::History) -> Result<(), Failure> {
    let server = Daemon::config_server(&args.from)?;
    let object = args.kind.zip(args.name.as_deref());
    let object = object.map(|(kind, name)| format!("{}/{name}", kind.name()));
    let limit = args.limit.to_string();
    let query = [
        ("limit", Some(limit.as_str())),
        ("object", object.as_deref()),
        ("tenant", args.tenant.as_deref()),
    ];
    let answer = server.json("/v1/revisions", &query, "items")?;
    let revisions = answer["items"].as_array().cloned().unwrap_or_default();
    match args.from.output {
        Shape::Json => println!("{}", json!(revisions)),
        Shape::Yaml => print!("{}", config::yaml::print(&json!(revisions))),
        Shape::Name => revisions.iter().for_each(|one| println!("{}", one["revision"])),
        Shape::Table => {
            let rows: Vec<Value> = revisions.iter().map(row).collect();
            print!("{}", table::of(&["rev", "time", "actor", "changes", "message"], &rows));
        }
    }
    Ok(())
}

pub(crate) fn rollback(args: &cli::Rollback) -> Result<(), Failure> {
    let path = format!("/v1/revisions/{}/rollback", args.revision);
    let dry_run = args.dry_run.then_some("true");
    let query = [("dry_run", dry_run), ("message", args.message.as_deref())];
    let server = Daemon::config_server(&args.from)?;
    let answer = server.send(Method::POST, &path, &query, None, "changed")?;
    apply::show(&answer, &args.from);
    Ok(())
}

fn row(revision: &Value) -> Value {
    json!({
        "rev": revision["revision"],
        "time": revision["time"],
        "actor": revision["actor"],
        "changes": revision["changes"],
        "message": revision["message"],
    })
}
