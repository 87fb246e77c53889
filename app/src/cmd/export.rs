//! `ringmaster export`: all platform objects as a file for `apply`, or a whole backup.

use serde_json::{Value, json};

use super::get::documents;
use crate::ask::{Daemon, Question};
use crate::cli::{self, Shape};
use crate::exit::Failure;

/// Bytes of a backup.
const BACKUP: usize = 1 << 30;

pub(crate) fn run(args: &cli::Export) -> Result<(), Failure> {
    let server = Daemon::config_server(&args.from)?;
    if args.full {
        let question = Question { path: "/v1/backup", most: BACKUP, ..Question::default() };
        print!("{}", server.text(question)?);
        return Ok(());
    }
    let tenant = args.tenant.as_deref();
    let mut query = vec![("tenant", tenant), ("subtree", tenant.map(|_| "true"))];
    query.extend(args.labels.iter().map(|label| ("label", Some(label.as_str()))));
    let mut objects = server.pages("/v1/objects", &query, "items")?;
    objects.iter_mut().for_each(as_written);
    match args.from.output {
        Shape::Json => println!("{}", json!(objects)),
        Shape::Table | Shape::Yaml => print!("{}", documents(&objects)),
        Shape::Name => {
            objects.iter().filter_map(|one| one["name"].as_str()).for_each(|n| println!("{n}"));
        }
    }
    Ok(())
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
