//! Dead letters that were there before their call was erased whole. Nearly none can be read as a
//! record, so what names the call is looked for in what came: its GUID anywhere if it is a UUID,
//! else as the value of `guid`, since `1` stands in every letter; or its session beside the name of
//! the component.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::report::Call;

/// By what dead letters of some calls are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallNames {
    /// UUIDs in lower case, with hyphens and without.
    uuids: BTreeSet<String>,
    /// Other GUIDs, in lower case and as JSON.
    others: BTreeSet<String>,
    /// Component and session there.
    sessions: BTreeSet<(String, String)>,
}

impl CallNames {
    /// Of these legs.
    #[must_use]
    pub fn of(legs: &[Call]) -> Self {
        let mut names = Self::default();
        for leg in legs {
            if let Some(guid) = leg.guid.as_deref().filter(|guid| !guid.is_empty()) {
                names.add_guid(guid.to_lowercase());
            }
            if !leg.session_id.is_empty() {
                names.sessions.insert((leg.component.name.clone(), leg.session_id.clone()));
            }
        }
        names
    }

    fn add_guid(&mut self, guid: String) {
        if is_uuid(&guid) {
            self.uuids.extend([guid.replace('-', ""), guid]);
        } else {
            self.others.insert(Value::from(guid).to_string());
        }
    }

    /// Whether a letter with this body, which may be torn, and these properties is of one of them.
    /// What was stored before has lost the name of its component, but not that of its producer.
    #[must_use]
    pub fn are_in(&self, body: &[u8], properties: &str, producer: Option<&str>) -> bool {
        let text = match serde_json::from_slice::<Value>(body) {
            // as one writer writes it, without needless escapes
            Ok(value) => Cow::from(value.to_string()),
            Err(_) => String::from_utf8_lossy(body),
        };
        let has_guid = |text: &str| {
            let text = text.to_lowercase();
            self.uuids.iter().any(|guid| stands_in(&text, guid))
                || self.others.iter().any(|guid| stands_behind(&text, "\"guid\"", guid))
        };
        let has = |key, value: &str| values(&text, key).any(|found| found == value);
        has_guid(&text)
            || has_guid(properties)
            || self.sessions.iter().any(|(component, session)| {
                let is_theirs = producer == Some(component) || has("\"name\"", component);
                has("\"session_id\"", session) && is_theirs
            })
    }
}

/// With hyphens (RFC 9562 §4), or with none.
fn is_uuid(guid: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 if guid.len() == 36 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    [32, 36].contains(&guid.len()) && guid.bytes().enumerate().all(fits)
}

/// Whether a value of JSON stands behind a key of JSON, or behind the name of a property.
fn stands_behind(text: &str, key: &str, value: &str) -> bool {
    text.match_indices(key).any(|(at, _)| {
        let rest = text.get(at + key.len()..).unwrap_or_default().trim_start();
        rest.strip_prefix([':', ',']).is_some_and(|rest| rest.trim_start().starts_with(value))
    })
}

/// Whether a word stands there, and is no part of a longer one.
fn stands_in(text: &str, word: &str) -> bool {
    let glued = |of: Option<char>| of.is_some_and(char::is_alphanumeric);
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text.get(..at), text.get(at + word.len()..));
        !glued(before.and_then(|text| text.chars().next_back()))
            && !glued(after.and_then(|text| text.chars().next()))
    })
}

/// Texts that stand behind a key of JSON, wherever they are.
fn values<'t>(text: &'t str, key: &'t str) -> impl Iterator<Item = &'t str> {
    text.match_indices(key).filter_map(|(at, _)| {
        let rest = text.get(at + key.len()..)?.trim_start().strip_prefix(':')?;
        rest.trim_start().strip_prefix('"')?.split('"').next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "01A202B2-C578-7487-A7D5-BA32B23886C4";

    fn names() -> CallNames {
        let guid = GUID.to_lowercase();
        CallNames {
            uuids: BTreeSet::from([guid.replace('-', ""), guid]),
            others: BTreeSet::new(),
            sessions: BTreeSet::from([("mcp-1".to_owned(), "E1DE".to_owned())]),
        }
    }

    #[test]
    fn a_letter_is_found_by_what_names_its_call() {
        let names = names();
        let plain = GUID.replace('-', "");
        for body in [
            format!(r#"{{"guid":"{GUID}"}}"#),
            format!("guid={} torn", GUID.to_lowercase()),
            format!("<guid>{plain}</guid>"),
            r#"{"component":{"name" : "mcp-1"},"session_id": "E1DE"}"#.to_owned(),
            r#"{"session_id":"E1DE","producer":{"name":"mcp-1"},"text":"torn"#.to_owned(),
            r#"{"\u0073ession_id":"E1D\u0045","producer":{"name":"mcp-1"}}"#.to_owned(),
        ] {
            assert!(names.are_in(body.as_bytes(), "[]", None), "{body}");
        }
        assert!(names.are_in(b"\xff", &format!(r#"[["guid","{GUID}"]]"#), None));
        for (producer, theirs) in [("mcp-1", true), ("mcp-2", false)] {
            let body = br#"{"session_id":"E1DE","text":"said"}"#;
            assert_eq!(names.are_in(body, "[]", Some(producer)), theirs);
        }
        for body in [
            String::new(),
            format!("{GUID}0"),
            format!("A{plain}"),
            r#"{"session_id":"E1DE","producer":{"name":"mcp-2"}}"#.to_owned(),
            r#"{"session_id":"E1DE0","producer":{"name":"mcp-1"}}"#.to_owned(),
            r#"{"text":"E1DE","producer":{"name":"mcp-1"}}"#.to_owned(),
        ] {
            assert!(!names.are_in(body.as_bytes(), "[]", None), "{body}");
        }
        assert!(!CallNames::default().are_in(b"{}", "[]", None));
    }

    #[test]
    fn a_guid_that_may_be_any_text_is_no_word_of_others() {
        let names = |guid: &str| {
            let mut names = CallNames::default();
            names.add_guid(guid.to_lowercase());
            names
        };
        for (guid, body, theirs) in [
            ("1", r#"{"schema":1,"leg":"1","guid":"2"}"#, false),
            ("1", r#"{"schema":1,"kind":"nonsense","guid" : "1"}"#, true),
            ("1", r#"torn "guid": "1", 1"#, true),
            ("1", r#"torn "guid": "11""#, false),
            ("cdr", r#"{"kind":"cdr","guid":"x"}"#, false),
            ("A\"b", r#"{"guid":"a\"B"}"#, true),
            ("01A202B2C5787487A7D5BA32B23886C4", "torn 01a202b2c5787487a7d5ba32b23886c4", true),
            ("01A202B2-C578-7487-A7D5-BA32B23886CX", "01A202B2-C578-7487-A7D5-BA32B23886CX", false),
        ] {
            assert_eq!(names(guid).are_in(body.as_bytes(), "[]", None), theirs, "{guid} in {body}");
        }
        assert!(names("7").are_in(b"torn", r#"[["guid","7"]]"#, None));
        assert!(!names("7").are_in(b"torn", r#"[["priority","7"]]"#, None));
    }
}
