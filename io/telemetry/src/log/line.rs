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
    /// Everything but passwords, tokens, and header parts of URIs.
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

/// The value with the users of its `sip:`, `sips:` and `tel:` URIs masked, and without what no
/// level shows: passwords, tokens, header parts. What names a service and nobody (rm.md §3.3)
/// stays. A scheme has no case (RFC 3261 §19.1.4).
pub(super) fn masked(redact: Redact, value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(found) = next_uri(rest) {
        out.push_str(found.before);
        rest = match found.scheme {
            Scheme::Tel => {
                let end = found.tail.find([';', '>', ' ', ',', '"', '\r']);
                let (number, behind) = found.tail.split_at(end.unwrap_or(found.tail.len()));
                out.push_str(&mask_user(redact, number));
                behind
            }
            Scheme::Sip { ends } => {
                let end = found.tail.find(ends).unwrap_or(found.tail.len());
                let (uri, behind) = found.tail.split_at(end);
                let shown = push_sip(redact, uri, &mut out);
                // what stands behind a host may have further URIs
                found.tail.get(shown..).unwrap_or(behind)
            }
        };
    }
    out.push_str(rest);
    out
}

/// Appends what may be shown of a URI behind its scheme, up to its parameters; gives back how much
/// of it that was.
fn push_sip(redact: Redact, uri: &str, out: &mut String) -> usize {
    let (info, at, rest) = match uri.split_once('@') {
        None => ("", "", uri),
        Some((info, rest)) => {
            // an address has one `@`; where there are more, the host begins behind the last
            let host = rest.find([';', '?', ',']).unwrap_or(rest.len());
            let more = rest.get(..host).and_then(|host| host.rfind('@')).map_or(0, |more| more + 1);
            let (inside, rest) = rest.split_at(more);
            (uri.get(..info.len() + inside.len()).unwrap_or(info), "@", rest)
        }
    };
    if info.contains('?') {
        // a user with a question mark, or an `@` among the headers: nobody can tell
        out.push_str("***");
        return uri.len();
    }
    let (user, password) = info.split_once(':').map_or((info, ""), |(user, _)| (user, ":***"));
    if !at.is_empty() {
        out.push_str(&mask_user(redact, user));
        out.push_str(password);
        out.push_str(at);
    }
    let end = rest.find(['?', ',']).unwrap_or(rest.len());
    let (host, behind) = rest.split_at(end);
    out.push_str(host);
    if behind.starts_with('?') {
        out.push_str("?***");
        return uri.len();
    }
    uri.len() - behind.len()
}

/// A URI and what stands around its beginning.
struct Found<'a> {
    /// Up to its scheme, with that.
    before: &'a str,
    scheme: Scheme,
    /// All behind its scheme.
    tail: &'a str,
}

enum Scheme {
    Tel,
    /// What cannot stand in it, where it stands.
    Sip {
        ends: &'static [char],
    },
}

fn next_uri(text: &str) -> Option<Found<'_>> {
    text.match_indices(':').find_map(|(colon, _)| {
        let (before, tail) = text.split_at(colon + 1);
        let is = |scheme: &str| {
            let start = before.len().checked_sub(scheme.len());
            let found = start.and_then(|start| before.get(start..));
            found.is_some_and(|found| found.eq_ignore_ascii_case(scheme))
        };
        let scheme = if is("tel:") {
            Scheme::Tel
        } else if is("<sip:") || is("<sips:") {
            Scheme::Sip { ends: &['>', '\r', '\n'] }
        } else if is("sip:") || is("sips:") {
            Scheme::Sip { ends: &['<', '>', ' ', '\t', '"', '\r', '\n'] }
        } else {
            return None;
        };
        Some(Found { before, scheme, tail })
    })
}

fn mask_user(redact: Redact, user: &str) -> String {
    // of our own Record-Route
    if user.starts_with("rm-") {
        return "rm-***".to_owned();
    }
    if redact == Redact::None {
        return user.to_owned();
    }
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
            (Redact::Partial, "SIP:alexandra@h", "SIP:al***ra@h"),
            (Redact::Partial, "<TEL:+4930123456>", "<TEL:+4***56>"),
            (Redact::Partial, "sip:alexandra@h,sip:bernhard@i", "sip:al***ra@h,sip:be***rd@i"),
            (
                Redact::Partial,
                "<sip:h:5060;lr>, <sip:bernhard@i>",
                "<sip:h:5060;lr>, <sip:be***rd@i>",
            ),
        ] {
            assert_eq!(masked(redact, value), expected, "{value}");
        }
    }

    #[test]
    fn no_level_shows_passwords_tokens_and_headers_of_uris() {
        for (value, expected) in [
            ("<sip:alexandra:LEAK@h>", "<sip:alexandra:***@h>"),
            ("<SIP:alexandra:LEAK@h>", "<SIP:alexandra:***@h>"),
            ("<Sips:alexandra:LEAK@h;lr>", "<Sips:alexandra:***@h;lr>"),
            ("INVITE sIpS:alexandra:LE,AK@h SIP/2.0", "INVITE sIpS:alexandra:***@h SIP/2.0"),
            ("<sip:alexandra:LE,AK@h>", "<sip:alexandra:***@h>"),
            ("<sip:a;b=c:LEAK&=+$,@h>", "<sip:a;b=c:***@h>"),
            ("<sip:a:LE;AK?@h>", "<sip:***>"),
            ("<sip:a:LE AK@h>", "<sip:a:***@h>"),
            ("<sip:a:LE@AK@h>", "<sip:a:***@h>"),
            ("<sip:a:@h>", "<sip:a:***@h>"),
            ("sip:dialog:LEAK@h", "sip:dialog:***@h"),
            ("<sip:a@h?Authorization=LEAK>;x=1", "<sip:a@h?***>;x=1"),
            ("<sip:h;lr?Authorization=LEAK%20u@LEAK>", "<sip:***>"),
            ("<sip:a@h;lr?Replaces=LEAK@LEAK,LEAK>", "<sip:a@h;lr?***>"),
            ("<sip:rm-LEAK@h;lr>,<SIP:rm-LEAK@h:5061>", "<sip:rm-***@h;lr>,<SIP:rm-***@h:5061>"),
            ("sip:rm-1:5060", "sip:rm-1:5060"),
            ("ünd sip:ä:LEAK@h", "ünd sip:ä:***@h"),
        ] {
            for redact in [Redact::None, Redact::Partial, Redact::Full] {
                let shown = masked(redact, value);
                assert!(!shown.contains("LE") && !shown.contains("AK"), "{value}: {shown}");
            }
            assert_eq!(masked(Redact::None, value), expected);
        }
    }
}
