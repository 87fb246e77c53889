//! Keys of ops.md §15 whose part this version has not: known, and refused unless they have their
//! default.
//!
//! One row a key: section, key, default as YAML (`null` where nothing is the default). When a part
//! is built, its rows leave this table and become fields.

use model::schema::Object;
use model::tree::Value;

use crate::yaml;

type Row = (&'static str, &'static str, &'static str);

const ROWS: &[Row] = &[
    ("config_server", "store_password_file", "null"),
    ("rm.sip", "realm", "ringmaster"),
    ("rm.sip", "users_file", "null"),
    ("rm", "http_tls", "null"),
    ("rm.cluster", "id", "ringmaster"),
    ("rm.cluster", "listen", "127.0.0.1:9801"),
    ("rm.cluster", "peers", "[]"),
    ("rm.cluster", "tls", "null"),
    ("rm.cluster", "share", "null"),
    ("rm", "strict_limits", "false"),
    ("rm.snmp", "master", "null"),
    ("rm.snmp", "base_oid", "1.3.6.1.4.1.32473.1"),
    ("rm.snmp", "context", "null"),
    ("rm.snmp", "compat_http", "null"),
    ("rs.snmp", "master", "null"),
    ("rs.snmp", "base_oid", "1.3.6.1.4.1.32473.1"),
    ("rs.snmp", "context", "null"),
    ("rs.snmp", "compat_http", "null"),
    ("rs", "source", "null"),
    ("rs", "source_consumers", "2"),
    ("rs", "source_password_file", "null"),
    ("rs.database_pool", "writers", "2"),
    ("rs.reports", "events_page_size", "500"),
    ("rs_init.database", "name", "null"),
    ("rs_init.database", "host", "null"),
    ("rs_init.database", "port", "null"),
    ("log_exporter", "listen", "127.0.0.1:8200"),
    ("log_exporter", "files", "[]"),
    ("log_exporter", "from", "null"),
    ("log_exporter", "stdout", "false"),
];

/// Goes through the rows at and below `path`; `built` names the sections in it that their own
/// reader goes through.
pub(super) fn refuse(object: &Object<'_>, path: &str, built: &[&str]) {
    for (_, key, default) in ROWS.iter().filter(|(section, ..)| *section == path) {
        object.unavailable(key, |value| is_default(value, default));
    }
    let mut seen = Vec::new();
    for (section, ..) in ROWS {
        let below = match path {
            "" => Some(*section),
            _ => section.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')),
        };
        let Some(next) = below.and_then(|below| below.split('.').next()) else { continue };
        if seen.contains(&next) || built.contains(&next) {
            continue;
        }
        seen.push(next);
        let Some(inner) = object.get(next).and_then(|field| field.object()) else { continue };
        let path = if path.is_empty() { next.to_owned() } else { format!("{path}.{next}") };
        refuse(&inner, &path, &[]);
        inner.finish();
    }
}

fn is_default(value: &Value, default: &str) -> bool {
    let parsed = yaml::parse(default).unwrap_or_default();
    parsed.first().is_some_and(|node| same(&node.value, value))
}

/// Equal but for the places.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Seq(a), Value::Seq(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(&a.value, &b.value))
        }
        (Value::Map(a), Value::Map(b)) => {
            let alike = |((ka, a), (kb, b)): (&(_, _), &(_, _))| {
                let (ka, kb): (&model::tree::Key, &model::tree::Key) = (ka, kb);
                let (a, b): (&model::tree::Node, &model::tree::Node) = (a, b);
                ka.text == kb.text && same(&a.value, &b.value)
            };
            a.len() == b.len() && a.iter().zip(b).all(alike)
        }
        _ => a == b,
    }
}

#[cfg(test)]
pub(super) fn rows() -> &'static [Row] {
    ROWS
}
