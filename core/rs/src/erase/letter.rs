//! Dead letters that were there before their call was erased whole. Nearly none can be read as a
//! record, so what names the call is looked for in what came: its GUID anywhere, or its session
//! beside the name of the component.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::report::Call;

/// By what dead letters of some calls are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallNames {
    /// In lower case, a UUID also without hyphens.
    guids: BTreeSet<String>,
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
                let guid = guid.to_lowercase();
                if guid.len() == 36 {
                    names.guids.insert(guid.replace('-', ""));
                }
                names.guids.insert(guid);
            }
            if !leg.session_id.is_empty() {
                names.sessions.insert((leg.component.name.clone(), leg.session_id.clone()));
            }
        }
        names
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
            self.guids.iter().any(|guid| stands_in(&text, guid))
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
            guids: BTreeSet::from([guid.replace('-', ""), guid]),
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
}
