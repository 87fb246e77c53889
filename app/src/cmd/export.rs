//! `ringmaster export`: all platform objects as a file for `apply`, or a whole backup.

use serde_json::{Value, json};

use super::get::documents;
use super::private::Private;
use crate::ask::{Daemon, Question};
use crate::cli::{self, Shape};
use crate::exit::{Exit, Failure};
use crate::table;

/// Bytes of a backup.
const BACKUP: usize = 1 << 30;

pub(crate) fn run(args: &cli::Export) -> Result<(), Failure> {
    let file = args.out.as_deref().map(Private::new).transpose()?;
    let server = Daemon::config_server(&args.from)?;
    let text = if args.full { backup(&server)? } else { objects(&server, args)? };
    match file {
        Some(file) => file.write(&text),
        None => {
            print!("{text}");
            Ok(())
        }
    }
}

/// All of it, or nothing: what breaks off has no end.
fn backup(server: &Daemon<'_>) -> Result<String, Failure> {
    let path = "/v1/backup";
    let text = server.text(Question { path, most: BACKUP, ..Question::default() })?;
    let last = text.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
    if last.is_none_or(|last| last["end"] != true) {
        return Err(Failure::new(Exit::PeerAway, format!("{path}: the backup breaks off")));
    }
    Ok(text)
}

fn objects(server: &Daemon<'_>, args: &cli::Export) -> Result<String, Failure> {
    let tenant = args.tenant.as_deref();
    let mut query = vec![("tenant", tenant), ("subtree", tenant.map(|_| "true"))];
    query.extend(args.labels.iter().map(|label| ("label", Some(label.as_str()))));
    let mut objects = server.pages("/v1/objects", &query, "items")?;
    objects.iter_mut().for_each(as_written);
    Ok(match args.from.output {
        Shape::Json => format!("{}\n", json!(objects)),
        Shape::Table | Shape::Yaml => documents(&objects),
        Shape::Name => {
            objects.iter().map(|one| format!("{}\n", table::cell(&one["name"]))).collect()
        }
    })
}

/// Without what the server adds but the number.
fn as_written(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        let of_server = ["revision", "created_at", "created_by", "updated_at", "updated_by"];
        of_server.iter().for_each(|name| {
            fields.remove(*name);
        });
    }
}
