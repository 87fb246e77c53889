//! `ringmaster token`: who may use the Config Server (ops.md §1.12).

use reqwest::Method;
use serde_json::{Value, json};

use super::private::Private;
use crate::ask::{Daemon, Question, segment};
use crate::cli::{self, FromServer, Shape, TokenCommand};
use crate::exit::Failure;
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
    let file = args.out.as_deref().map(Private::new).transpose()?;
    let server = Daemon::config_server(&args.from)?;
    let mut body = json!({ "name": args.name, "role": args.role });
    if !args.tenants.is_empty() {
        body["tenants"] = json!(args.tenants);
    }
    if let Some(expires) = &args.expires {
        body["expires_in"] = json!(expires);
    }
    let mut made = server.send(Method::POST, "/v1/tokens", &[], Some(&body), "token")?;
    let secret = made["token"].as_str().unwrap_or_default().to_owned();
    if let (Some(file), Some(path)) = (file, &args.out) {
        file.write(&format!("{secret}\n"))?;
        // who wants it in a file does not want it on a screen or in the log of a pipeline
        made["token"] = Value::Null;
        made["file"] = json!(path.display().to_string());
    }
    match args.from.output {
        Shape::Json => println!("{made}"),
        Shape::Yaml => print!("{}", config::yaml::print(&made)),
        Shape::Name if args.out.is_some() => println!("{}", table::cell(&made["id"])),
        Shape::Table if args.from.quiet && args.out.is_some() => {}
        Shape::Table if args.out.is_some() => {
            println!("{}: token {}", table::cell(&made["file"]), table::cell(&made["id"]));
        }
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
