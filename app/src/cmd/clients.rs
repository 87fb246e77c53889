//! `ringmaster clients`: who runs which revision of the configuration.

use serde_json::{Value, json};

use crate::ask::Daemon;
use crate::cli::{self, Shape};
use crate::exit::Failure;
use crate::table;

pub(crate) fn run(args: &cli::Clients) -> Result<(), Failure> {
    let clients = all(&Daemon::config_server(&args.from)?)?;
    match args.from.output {
        Shape::Json => println!("{}", json!(clients)),
        Shape::Yaml => print!("{}", config::yaml::print(&json!(clients))),
        Shape::Name => {
            clients.iter().filter_map(|one| one["name"].as_str()).for_each(|n| println!("{n}"));
        }
        Shape::Table => {
            let rows: Vec<Value> = clients.iter().map(row).collect();
            let columns = [
                "name",
                "component",
                "version",
                "applied",
                "rejected",
                "restart",
                "connected",
                "address",
                "seen",
            ];
            print!("{}", table::of(&columns, &rows));
        }
    }
    Ok(())
}

/// All that have ever told.
pub(super) fn all(server: &Daemon<'_>) -> Result<Vec<Value>, Failure> {
    let answer = server.json("/v1/clients", &[], "items")?;
    Ok(answer["items"].as_array().cloned().unwrap_or_default())
}

/// Whether it has told lately.
pub(super) fn is_connected(client: &Value) -> bool {
    client["connected"] == true
}

fn row(client: &Value) -> Value {
    let mut row = client.clone();
    row["rejected"] = client["rejected"]["revision"].clone();
    let restart = client["restart_required"].as_array().into_iter().flatten();
    let restart: Vec<&str> = restart.filter_map(Value::as_str).collect();
    row["restart"] = if restart.is_empty() { Value::Null } else { json!(restart.join(",")) };
    row["connected"] = json!(if is_connected(client) { "yes" } else { "no" });
    row["address"] = client["source"].clone();
    row["seen"] = client["seen_at"].clone();
    row
}
