//! One event as one line, text or JSON (ops.md §8). Knows neither queue nor file.

use model::config::Service;
use model::time::Millis;

use crate::log_id::LogId;

/// Shape of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// `2026-01-05T10:00:00.000Z EROR 20401 rm-1 - - pool: no resource group=mcp`
    #[default]
    Text,
    /// The same as one JSON object.
    Json,
}

/// How much of a caller's number a line shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Redact {
    /// Everything.
    None,
    /// User parts of SIP and tel URIs keep their first two and last two characters.
    #[default]
    Partial,
    /// User parts are replaced whole.
    Full,
}

/// What a line tells beside its id.
pub(super) struct Facts<'a> {
    pub(super) at: Millis,
    pub(super) node: &'a str,
    pub(super) dbid: Option<u32>,
    pub(super) session: Option<&'a str>,
    pub(super) fields: &'a [(&'a str, &'a str)],
}

/// The line, with its line feed.
pub(super) fn render(format: Format, redact: Redact, id: LogId, facts: &Facts<'_>) -> String {
    match format {
        Format::Text => text(redact, id, facts),
        Format::Json => json(redact, id, facts),
    }
}

fn text(redact: Redact, id: LogId, facts: &Facts<'_>) -> String {
    let dbid = facts.dbid.map_or_else(|| "-".to_owned(), |dbid| dbid.to_string());
    let mut line = format!(
        "{} {} {} {} {} {} {}: {}",
        facts.at,
        id.level.token(),
        id.number,
        facts.node,
        dbid,
        facts.session.unwrap_or("-"),
        id.module,
        id.message
    );
    for (name, value) in facts.fields {
        line.push(' ');
        line.push_str(name);
        line.push('=');
        push_value(&mut line, &masked(redact, value));
    }
    line.push('\n');
    line
}

/// A value with blanks, quotes or control characters is quoted and escaped.
fn push_value(line: &mut String, value: &str) {
    let plain = !value.is_empty()
        && value.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=');
    if plain {
        line.push_str(value);
    } else {
        line.push_str(&serde_json::Value::from(value).to_string());
    }
}

fn json(redact: Redact, id: LogId, facts: &Facts<'_>) -> String {
    let mut object = serde_json::Map::new();
    object.insert("ts".into(), facts.at.to_string().into());
    object.insert("level".into(), id.level.token().into());
    object.insert("id".into(), id.number.into());
    object.insert("node".into(), facts.node.into());
    object.insert("dbid".into(), facts.dbid.into());
    object.insert("session".into(), facts.session.into());
    object.insert("module".into(), id.module.into());
    object.insert("msg".into(), id.message.into());
    for (name, value) in facts.fields {
        object.insert((*name).to_owned(), masked(redact, value).into());
    }
    let mut line = serde_json::Value::Object(object).to_string();
    line.push('\n');
    line
}

/// The value with the user parts of `sip:`, `sips:` and `tel:` URIs masked. What names a service
/// and nobody (rm.md §3.3) stays.
pub(super) fn masked(redact: Redact, value: &str) -> String {
    if redact == Redact::None {
        return value.to_owned();
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((at, scheme)) = next_uri(rest) {
        let start = at + scheme.len();
        out.push_str(&rest[..start]);
        let tail = &rest[start..];
        let stop =
            if scheme == "tel:" { &[';', '>', ' ', ','][..] } else { &['@', '>', ' ', ','][..] };
        let end = tail.find(stop).unwrap_or(tail.len());
        let has_user = scheme == "tel:" || tail[end..].starts_with('@');
        if has_user {
            out.push_str(&mask_user(redact, &tail[..end]));
        } else {
            out.push_str(&tail[..end]);
        }
        rest = &tail[end..];
    }
    out.push_str(rest);
    out
}

fn next_uri(text: &str) -> Option<(usize, &'static str)> {
    ["sips:", "sip:", "tel:"]
        .into_iter()
        .filter_map(|scheme| text.find(scheme).map(|at| (at, scheme)))
        .min_by_key(|(at, scheme)| (*at, usize::MAX - scheme.len()))
}

fn mask_user(redact: Redact, user: &str) -> String {
    if Service::of_user(user).is_some() {
        let masked = |(word, id)| format!("{word}={}", mask(redact, id));
        return user.split_once('=').map_or_else(|| user.to_owned(), masked);
    }
    mask(redact, user)
}

fn mask(redact: Redact, user: &str) -> String {
    let count = user.chars().count();
    if redact == Redact::Full || count <= 4 {
        return "***".to_owned();
    }
    let head: String = user.chars().take(2).collect();
    let tail: String = user.chars().skip(count - 2).collect();
    format!("{head}***{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_id::find;

    fn line(format: Format, redact: Redact, fields: &[(&str, &str)]) -> String {
        let at = Millis::parse("2026-01-05T10:00:00.000Z").unwrap();
        let facts = Facts { at, node: "rm-1", dbid: None, session: None, fields };
        render(format, redact, find(20401), &facts)
    }

    #[test]
    fn text_is_the_form_of_the_specification() {
        assert_eq!(
            line(Format::Text, Redact::Partial, &[("group", "mcp"), ("n", "two words\n")]),
            "2026-01-05T10:00:00.000Z EROR 20401 rm-1 - - pool: no resource \
             group=mcp n=\"two words\\n\"\n"
        );
    }

    #[test]
    fn json_has_the_same_as_fields() {
        let value: serde_json::Value =
            serde_json::from_str(&line(Format::Json, Redact::Partial, &[("group", "mcp")]))
                .unwrap();
        assert_eq!(value["id"], 20401);
        assert_eq!(value["level"], "EROR");
        assert_eq!(value["group"], "mcp");
        assert_eq!(value["session"], serde_json::Value::Null);
    }

    #[test]
    fn user_parts_are_masked_and_hosts_are_not() {
        for (redact, value, expected) in [
            (Redact::Partial, "sip:+4930123@gw.example", "sip:+4***23@gw.example"),
            (Redact::Partial, "<sips:bob@h>;x=1", "<sips:***@h>;x=1"),
            (Redact::Partial, "tel:+18005550100;x", "tel:+1***00;x"),
            (Redact::Partial, "sip:10.0.0.1:5060", "sip:10.0.0.1:5060"),
            (Redact::Full, "sip:+4930123@h", "sip:***@h"),
            (Redact::None, "sip:+4930123@h", "sip:+4930123@h"),
            (Redact::Full, "sip:dialog@h;x=1", "sip:dialog@h;x=1"),
            (Redact::Partial, "sip:conf=4930123@h", "sip:conf=49***23@h"),
            (Redact::Full, "sip:msml=4930123@h", "sip:msml=***@h"),
            (Redact::Partial, "sip:dialogue@h", "sip:di***ue@h"),
        ] {
            assert_eq!(masked(redact, value), expected, "{value}");
        }
    }
}
