//! `ringmaster get`: platform objects as the Config Server has them.

use serde_json::{Value, json};

use crate::ask::{Daemon, segment};
use crate::cli::{self, Shape};
use crate::exit::Failure;
use crate::table;

pub(crate) fn run(args: &cli::Get) -> Result<(), Failure> {
    let server = Daemon::config_server(&args.from)?;
    let kind = args.kind.name();
    let at = args.at.map(|at| at.to_string());
    let (tenant, at) = (("tenant", args.tenant.as_deref()), ("at", at.as_deref()));
    let objects = match &args.name {
        Some(name) => {
            let path = format!("/v1/objects/{kind}/{}", segment(name)?);
            vec![server.json(&path, &[tenant, at], "kind")?]
        }
        None => {
            let mut query = vec![tenant, at];
            query.extend(args.labels.iter().map(|label| ("label", Some(label.as_str()))));
            server.pages(&format!("/v1/objects/{kind}"), &query, "items")?
        }
    };
    show(kind, &objects, args.name.is_some(), args.from.output);
    Ok(())
}

/// One object is shown as itself, a list as a list.
fn show(kind: &str, objects: &[Value], single: bool, output: Shape) {
    match (output, objects) {
        (Shape::Json, [object]) if single => println!("{object}"),
        (Shape::Json, _) => println!("{}", json!(objects)),
        (Shape::Yaml, _) => print!("{}", documents(objects)),
        (Shape::Name, _) => {
            objects.iter().filter_map(|one| one["name"].as_str()).for_each(|n| println!("{n}"));
        }
        (Shape::Table, _) => {
            let rows: Vec<Value> = objects.iter().map(row).collect();
            print!("{}", table::of(columns(kind), &rows));
        }
    }
}

/// Objects as documents of one file.
pub(super) fn documents(objects: &[Value]) -> String {
    let texts: Vec<String> = objects.iter().map(config::yaml::print).collect();
    texts.join("---\n")
}

fn columns(kind: &str) -> &'static [&'static str] {
    match kind {
        "Tenant" => &["name", "dbid", "parent", "profile", "state", "limit", "rev", "updated"],
        "IvrProfile" => &["tenant", "name", "dbid", "service", "state", "limit", "rev", "updated"],
        "DidGroup" => &["tenant", "name", "dbid", "profile", "dids", "state", "rev", "updated"],
        "ResourceGroup" => &[
            "tenant",
            "name",
            "dbid",
            "services",
            "scheme",
            "resources",
            "state",
            "rev",
            "updated",
        ],
        _ => &["name", "dbid", "type", "template", "state", "rev", "updated"],
    }
}

/// What the columns show of an object.
fn row(object: &Value) -> Value {
    let spec = &object["spec"];
    let count = |list: &Value| list.as_array().map_or(0, Vec::len);
    let services = spec["services"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let updated = object["updated_at"].as_str().map(|time| match time.split_once('.') {
        Some((whole_second, _)) => format!("{whole_second}Z"),
        None => time.to_owned(),
    });
    let parent = if object["name"] == "Environment" { "-" } else { "Environment" };
    json!({
        "tenant": object["tenant"],
        "name": object["name"],
        "dbid": object["dbid"],
        "parent": spec["parent"].as_str().unwrap_or(parent),
        "profile": spec["default_profile"].as_str().or(spec["profile"].as_str()),
        "service": spec["service"],
        "services": services.collect::<Vec<_>>().join(","),
        "scheme": spec["scheme"].as_str().unwrap_or("round-robin"),
        "resources": count(&spec["resources"]),
        "dids": count(&spec["dids"]),
        "type": spec["type"],
        "template": spec["template"],
        "state": if object["enabled"] == false { "disabled" } else { "enabled" },
        "limit": spec["policy"]["usage_limit"],
        "rev": object["revision"],
        "updated": updated,
    })
}

#[cfg(test)]
mod tests {
    use super::{columns, row};
    use serde_json::json;

    #[test]
    fn a_profile_is_one_line() {
        let object = json!({"kind": "IvrProfile", "name": "acme-main", "tenant": "acme",
            "dbid": 101, "enabled": true, "revision": 42, "updated_at": "2026-11-22T09:30:00.123Z",
            "spec": {"service": "voicexml", "policy": {"usage_limit": 50}}});
        let table = crate::table::of(columns("IvrProfile"), &[row(&object)]);
        let expected = "TENANT  NAME       DBID  SERVICE   STATE    LIMIT  REV  UPDATED\n\
                        acme    acme-main  101   voicexml  enabled  50     42   \
                        2026-11-22T09:30:00Z\n";
        assert_eq!(table, expected);
    }
}
