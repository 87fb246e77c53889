//! `ringmaster delete`: a platform object, and with `--cascade` what needs it.

use std::io::{BufRead, IsTerminal, Write};

use reqwest::Method;
use serde_json::Value;

use super::apply;
use crate::ask::{Daemon, segment};
use crate::cli;
use crate::exit::{Exit, Failure};

pub(crate) fn run(args: &cli::Delete) -> Result<(), Failure> {
    let server = Daemon::config_server(&args.from)?;
    if args.cascade && !args.yes && !args.dry_run && std::io::stdin().is_terminal() {
        ask(&send(&server, args, true)?)?;
    }
    let answer = send(&server, args, args.dry_run)?;
    apply::show(&answer, &args.from);
    Ok(())
}

fn send(server: &Daemon<'_>, args: &cli::Delete, dry_run: bool) -> Result<Value, Failure> {
    let path = format!("/v1/objects/{}/{}", args.kind.name(), segment(&args.name)?);
    let query = [
        ("tenant", args.tenant.as_deref()),
        ("cascade", args.cascade.then_some("true")),
        ("dry_run", dry_run.then_some("true")),
        ("message", args.message.as_deref()),
    ];
    server.send(Method::DELETE, &path, &query, None, "diff")
}

/// Somebody at a terminal says whether several may go.
fn ask(preview: &Value) -> Result<(), Failure> {
    let going = preview["diff"].as_array().into_iter().flatten();
    let going: Vec<&Value> = going.filter(|object| object["op"] == "delete").collect();
    if going.len() < 2 {
        return Ok(());
    }
    for object in &going {
        let text = |name: &str| object[name].as_str().unwrap_or("-").to_owned();
        eprintln!("- {} {}/{}", text("kind"), text("tenant"), text("name"));
    }
    eprint!("delete these {} objects? [y/N] ", going.len());
    let mut answer = String::new();
    let told =
        std::io::stderr().flush().and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    match told {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::new(Exit::No, "nothing is deleted")),
    }
}
