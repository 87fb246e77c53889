//! What a transaction changes, for people (ops.md §2).

use std::fmt::Write;

use serde_json::Value;

use crate::ask;
use crate::cli::{FromServer, Shape};

/// Prints the answer of a transaction; warnings go to stderr.
pub(in crate::cmd) fn show(answer: &Value, from: &FromServer) {
    if !from.quiet {
        warn(answer);
    }
    let objects = || answer["diff"].as_array().into_iter().flatten();
    match from.output {
        Shape::Json => println!("{answer}"),
        Shape::Yaml => print!("{}", config::yaml::print(answer)),
        Shape::Name => objects().for_each(|object| println!("{}", named(object))),
        Shape::Table => {
            objects().for_each(|object| print!("{}", lines(object)));
            if !from.quiet {
                println!("{}", summary(answer));
            }
        }
    }
}

/// Prints the changes as people read them; warnings go to stderr.
pub(crate) fn print(answer: &Value) {
    warn(answer);
    let objects = answer["diff"].as_array().into_iter().flatten();
    objects.for_each(|object| print!("{}", lines(object)));
    println!("{}", summary(answer));
}

fn warn(answer: &Value) {
    let warnings = answer["warnings"].as_array().into_iter().flatten();
    warnings.for_each(|warning| eprintln!("{}", ask::fault(warning)));
}

/// `Tenant acme`, `DidGroup acme/acme-fr`
fn named(object: &Value) -> String {
    let text = |name: &str| object[name].as_str();
    let (kind, name) = (text("kind").unwrap_or_default(), text("name").unwrap_or_default());
    match text("tenant") {
        Some(tenant) => format!("{kind} {tenant}/{name}"),
        None => format!("{kind} {name}"),
    }
}

fn lines(object: &Value) -> String {
    let mark = match object["op"].as_str() {
        Some("create") => '+',
        Some("delete") => '-',
        _ => '~',
    };
    let number = object["dbid"].as_u64().filter(|_| mark != '+');
    let number = number.map_or_else(String::new, |dbid| format!(" ({dbid})"));
    let was = object["renamed_from"].as_str().or(object["rename_from"].as_str());
    let was = was.map_or_else(String::new, |was| format!(", was {was}"));
    let mut text = format!("{mark} {}{number}{was}\n", named(object));
    if mark == '~' {
        for change in object["changes"].as_array().into_iter().flatten() {
            // a String takes everything
            let _ = writeln!(text, "    {}", field(change));
        }
    }
    text
}

/// `spec.policy.usage_limit: 100 -> 80`, `spec.dids: + 18005550300`
fn field(change: &Value) -> String {
    let path = change["path"].as_str().unwrap_or_default();
    let path = path.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~");
    let (old, new) = (shown(&change["old"]), shown(&change["new"]));
    match change["op"].as_str() {
        Some("add") => format!("{path}: + {new}"),
        Some("remove") => format!("{path}: - {old}"),
        _ => format!("{path}: {old} -> {new}"),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

/// `1 create, 1 update; 3 numbers move; revision 43`
fn summary(answer: &Value) -> String {
    let objects = answer["diff"].as_array().map(Vec::as_slice).unwrap_or_default();
    let count = |op: &str| objects.iter().filter(|object| object["op"] == op).count();
    let ops = ["create", "update", "rename", "delete"];
    let counts = ops.into_iter().map(|op| (count(op), op)).filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, op)| format!("{count} {op}")).collect();
    let mut parts =
        vec![if counts.is_empty() { "no change".to_owned() } else { counts.join(", ") }];
    let moved = answer["impact"]["dids_moved"].as_u64().unwrap_or(0);
    match moved {
        0 => {}
        1 => parts.push("1 number moves".to_owned()),
        _ => parts.push(format!("{moved} numbers move")),
    }
    match (&answer["revision"], &answer["would_be"]) {
        (Value::Null, next) if !next.is_null() && !counts.is_empty() => {
            parts.push(format!("would be revision {next} (dry run, nothing changed)"));
        }
        (Value::Null, _) => parts.push("dry run".to_owned()),
        (revision, _) => parts.push(format!("revision {revision}")),
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::{lines, summary};
    use serde_json::json;

    #[test]
    fn a_change_reads_as_the_book_shows_it() {
        let diff = json!([
            {"op": "update", "kind": "Tenant", "tenant": null, "name": "acme", "dbid": 101,
             "changes": [
                {"path": "/spec/policy/usage_limit", "op": "replace", "old": 100, "new": 80}]},
            {"op": "create", "kind": "DidGroup", "tenant": "acme", "name": "acme-fr", "dbid": 102},
            {"op": "delete", "kind": "DidGroup", "tenant": "acme", "name": "acme-old", "dbid": 107},
        ]);
        let text: String = diff.as_array().unwrap().iter().map(lines).collect();
        let expected = "~ Tenant acme (101)\n    spec.policy.usage_limit: 100 -> 80\n\
                        + DidGroup acme/acme-fr\n- DidGroup acme/acme-old (107)\n";
        assert_eq!(text, expected);
        let mut answer =
            json!({"revision": null, "would_be": 43, "diff": diff, "impact": {"dids_moved": 3}});
        let dry = "1 create, 1 update, 1 delete; 3 numbers move; would be revision 43 \
                   (dry run, nothing changed)";
        assert_eq!(summary(&answer), dry);
        answer["revision"] = json!(43);
        assert!(summary(&answer).ends_with("3 numbers move; revision 43"));
        let same = json!({"revision": 43, "changed": 0, "diff": []});
        assert_eq!(summary(&same), "no change; revision 43");
    }

    #[test]
    fn fields_are_told_as_paths_with_dots() {
        let object = json!({
            "op": "update", "kind": "DidGroup", "tenant": "a", "name": "n", "dbid": 1,
            "changes": [
                {"path": "/spec/dids", "op": "add", "new": "1900*"},
                {"path": "/spec/dids", "op": "remove", "old": "1901*"},
                {"path": "/labels/gvp~1x", "op": "replace", "old": null, "new": "y"}]});
        let expected = "~ DidGroup a/n (1)\n    spec.dids: + 1900*\n    spec.dids: - 1901*\n    \
                        labels.gvp/x: none -> y\n";
        assert_eq!(lines(&object), expected);
    }
}
