//! `ringmaster token`: who may use the Config Server (ops.md §1.12).

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::ask::{Daemon, Question, segment};
use crate::cli::{self, FromServer, Shape, TokenCommand};
use crate::exit::{Exit, Failure};
use crate::table;

pub(crate) fn run(args: &cli::Token) -> Result<(), Failure> {
    match &args.command {
        TokenCommand::Create(args) => create(args),
        TokenCommand::List { from } => list(from),
        TokenCommand::Revoke { id, from } => revoke(id, from),
    }
}

fn create(args: &cli::TokenCreate) -> Result<(), Failure> {
    // before the token is made: it is told only once
    let mut file = args.out.as_deref().map(new_file).transpose()?;
    let server = Daemon::config_server(&args.from)?;
    let mut body = json!({ "name": args.name, "role": args.role });
    if !args.tenants.is_empty() {
        body["tenants"] = json!(args.tenants);
    }
    if let Some(expires) = &args.expires {
        body["expires_in"] = json!(expires);
    }
    let made = server.send(Method::POST, "/v1/tokens", &[], Some(&body), "token");
    let made = made.inspect_err(|_| {
        // nothing was made: the file that waits for it goes again
        args.out.as_deref().map(std::fs::remove_file);
    })?;
    let secret = made["token"].as_str().unwrap_or_default();
    if let (Some(file), Some(path)) = (&mut file, &args.out) {
        writeln!(file, "{secret}").map_err(|error| local(path, &error))?;
        if !args.from.quiet {
            println!("{}: token {}", path.display(), table::cell(&made["id"]));
        }
        return Ok(());
    }
    match args.from.output {
        Shape::Json => println!("{made}"),
        Shape::Yaml => print!("{}", config::yaml::print(&made)),
        Shape::Table | Shape::Name => println!("{secret}"),
    }
    Ok(())
}

fn list(from: &FromServer) -> Result<(), Failure> {
    let answer = Daemon::config_server(from)?.json("/v1/tokens", &[], "items")?;
    let tokens = answer["items"].as_array().cloned().unwrap_or_default();
    match from.output {
        Shape::Json => println!("{}", json!(tokens)),
        Shape::Yaml => print!("{}", config::yaml::print(&json!(tokens))),
        Shape::Name => tokens.iter().for_each(|token| println!("{}", table::cell(&token["id"]))),
        Shape::Table => {
            let rows: Vec<Value> = tokens.iter().map(row).collect();
            print!("{}", table::of(&["id", "name", "role", "tenants", "expires", "used"], &rows));
        }
    }
    Ok(())
}

fn revoke(id: &str, from: &FromServer) -> Result<(), Failure> {
    let path = format!("/v1/tokens/{}", segment(id)?);
    let question = Question { method: Method::DELETE, path: &path, ..Question::default() };
    Daemon::config_server(from)?.text(question)?;
    if !from.quiet {
        println!("{id}: revoked");
    }
    Ok(())
}

fn row(token: &Value) -> Value {
    let tenants = token["tenants"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let tenants: Vec<&str> = tenants.collect();
    json!({
        "id": token["id"],
        "name": token["name"],
        "role": token["role"],
        "tenants": if tenants.is_empty() { Value::Null } else { json!(tenants.join(",")) },
        "expires": token["expires_at"],
        "used": token["last_used_at"],
    })
}

fn new_file(path: &Path) -> Result<std::fs::File, Failure> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|error| local(path, &error))
}

fn local(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Local, format!("{}: {error}", path.display()))
}
