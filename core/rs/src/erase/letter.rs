//! Dead letters of a call that is erased whole, and of numbers. Nearly none can be read as a
//! record, so what names the call is looked for in what came: its GUID anywhere if it is a UUID,
//! else as the value of `guid`, since `1` stands in every letter; or its session beside the name
//! of the component. Those that were there before are found by the names ([`CallNames`]), those
//! that come later by their hashes. In a body that is no JSON nobody can say where a number may
//! stand: one that holds its digits goes.

use std::borrow::Cow;
use std::collections::BTreeSet;

use model::record::{CallGuid, Record};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::numbers::{Erased, Named, Numbers};
use crate::report::Call;

/// Names of one kind that are looked at in a letter: a record has one or two.
const NAMES: usize = 64;

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
        let text = written(body);
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

/// The body of a dead letter without these numbers; `None`: it tells none. One that cannot be read
/// and holds the digits of one goes, but for its length.
#[must_use]
pub fn body_without(numbers: &Numbers, body: &[u8]) -> Option<Vec<u8>> {
    if numbers.is_empty() {
        return None;
    }
    match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => numbers.without_bytes(body),
        Err(_) => numbers.stand_in(body).then(|| gone(body)),
    }
}

/// What stays of a body that goes.
pub(crate) fn gone(body: &[u8]) -> Vec<u8> {
    format!("({} bytes erased)", body.len()).into_bytes()
}

impl Erased {
    /// Whether a letter that came then, with this body, which may be torn, and these properties is
    /// of a call that is erased whole.
    pub(crate) fn has_letter(
        &self,
        (body, properties): (&[u8], &str),
        producer: Option<&str>,
        received_ms: i64,
    ) -> bool {
        if !self.has_calls(i64::MIN) {
            return false;
        }
        let text = written(body);
        let of_guid = |guid: &str, time_ms| {
            let guid = CallGuid::new(guid).to_string();
            self.has_call(&Named { guid: Some(&guid), ..Named::default() }, time_ms)
        };
        let has_guid = |text: &str| {
            // a UUID is one call's for ever; what may be any text is used again
            uuids(text).any(|guid| of_guid(&guid, i64::MIN))
                || texts_behind(text, "\"guid\"").iter().any(|guid| of_guid(guid, received_ms))
        };
        let sessions = texts_behind(&text, "\"session_id\"");
        let mut components = texts_behind(&text, "\"name\"");
        components.extend(producer.map(str::to_owned));
        let of_session = |session: &String| {
            components.iter().any(|component| {
                let call = Named { guid: None, component, session_id: Some(session) };
                self.has_call(&call, received_ms)
            })
        };
        has_guid(&text) || has_guid(properties) || sessions.iter().any(of_session)
    }
}

/// As one writer writes it, without needless escapes, or as it came.
fn written(body: &[u8]) -> Cow<'_, str> {
    match Record::json_of(body) {
        Some(value) => Cow::from(value.to_string()),
        None => String::from_utf8_lossy(body),
    }
}

/// UUIDs that stand in a text, with hyphens; one without any is also there as it stands.
fn uuids(text: &str) -> impl Iterator<Item = String> {
    let begins = |at: &usize| {
        let before = text.get(..*at).and_then(|text| text.chars().next_back());
        !before.is_some_and(char::is_alphanumeric)
    };
    let word = |at: usize, long: usize| {
        let word = text.get(at..at + long).filter(|word| is_uuid(word))?;
        let next = text.get(at + long..).and_then(|text| text.chars().next());
        (!next.is_some_and(char::is_alphanumeric)).then_some(word)
    };
    let digits = text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_hexdigit());
    digits.map(|(at, _)| at).filter(begins).flat_map(move |at| {
        let plain = word(at, 32).map(|word| {
            let mut hyphens = word.to_owned();
            [20, 16, 12, 8].into_iter().for_each(|at| hyphens.insert(at, '-'));
            [hyphens, word.to_owned()]
        });
        word(at, 36).map(str::to_owned).into_iter().chain(plain.into_iter().flatten())
    })
}

/// Texts of JSON that stand behind a key, or behind the name of a property.
fn texts_behind(text: &str, key: &str) -> BTreeSet<String> {
    let behind = text.match_indices(key).filter_map(|(at, _)| {
        let rest = text.get(at + key.len()..)?.trim_start().strip_prefix([':', ','])?;
        let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        texts.next()?.ok()
    });
    let mut found = BTreeSet::new();
    for text in behind {
        if found.len() >= NAMES {
            break;
        }
        found.insert(text);
    }
    found
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

    /// A letter that comes later is found as one that was there.
    #[test]
    fn a_letter_that_comes_later_is_found_by_the_same_names() {
        const SECRET: super::super::Secret = [7; 32];
        let guid = |guid: &str| CallGuid::new(guid).to_string();
        let (uuid, other) = (guid(GUID), guid("odd \"one\""));
        let calls = [
            Named { guid: Some(&uuid), component: "mcp-1", session_id: Some("E1DE") },
            Named { guid: Some(&other), ..Named::default() },
        ];
        let hashes = calls.iter().flat_map(|call| call.hashes(&SECRET));
        let erased = Erased::of(hashes.map(|hash| (hash, 100)).collect(), SECRET);
        let plain = GUID.replace('-', "").to_lowercase();
        let odd = r#"{"guid":"Odd \"one\"","x":"#;
        for (body, at_100, at_101) in [
            (format!(r#"{{"guid":"{GUID}"}}"#), true, true),
            (format!("guid={} torn", GUID.to_lowercase()), true, true),
            (format!("<guid>{plain}</guid>"), true, true),
            (odd.to_owned(), true, false),
            (r#"{"session_id":"E1DE","producer":{"name":"mcp-1"},"torn"#.to_owned(), true, false),
            (r#"{"\u0073ession_id":"E1D\u0045","a":{"name":"mcp-1"}}"#.to_owned(), true, false),
            (r#"{"session_id":"E1DE","name":"mcp-2"}"#.to_owned(), false, false),
            (format!("{GUID}0 a{plain}"), false, false),
            ("é".repeat(50), false, false),
            (String::new(), false, false),
        ] {
            let has = |at| erased.has_letter((body.as_bytes(), "[]"), None, at);
            assert_eq!((has(100), has(101)), (at_100, at_101), "{body}");
        }
        let body = br#"{"session_id":"E1DE"}"#;
        assert!(erased.has_letter((body, "[]"), Some("mcp-1"), 100));
        assert!(!erased.has_letter((body, "[]"), Some("mcp-2"), 100));
        let properties = format!(r#"[["guid","{GUID}"]]"#);
        assert!(erased.has_letter((b"\xff", &properties), None, 100));
        let many = r#"{"session_id":"x","name":"y"}"#.replace('x', "E1DE").repeat(10_000);
        assert!(!erased.has_letter((many.as_bytes(), "[]"), None, 100));
        let none = Erased::default();
        assert!(!none.has_letter((GUID.as_bytes(), "[]"), None, 100));
    }

    #[test]
    fn a_body_that_cannot_be_read_goes_whole() {
        const SECRET: super::super::Secret = [7; 32];
        let of = |number: &str| {
            let hash = super::super::Number::of(number).map(|number| number.hash(&SECRET));
            Numbers::of(hash, SECRET)
        };
        let (long, short) = (of("4930123456"), of("10001"));
        for (numbers, body, left) in [
            (&long, r#"{"n":"sip:4930123456@gw"}"#, Some(r#"{"n":"sip:9999999999@gw"}"#)),
            (&long, r#"{"id":"4930123456"}"#, None),
            (&long, "caller=x4930123456y torn", Some("(24 bytes erased)")),
            (&long, r#"{"call_id":"4930123456","torn"#, Some("(29 bytes erased)")),
            (&long, "u@4930-123.456", Some("(14 bytes erased)")),
            (&long, "torn 1749301234561", Some("(18 bytes erased)")),
            (&long, "493012345 6x torn", Some("(17 bytes erased)")),
            (&long, "493012345x6 torn", None),
            (&short, "torn x10001y", Some("(12 bytes erased)")),
            (&short, "torn 100012 2026-11-22T10:00:01", None),
        ] {
            let found = body_without(numbers, body.as_bytes());
            assert_eq!(found.as_deref(), left.map(str::as_bytes), "{body}");
        }
        assert_eq!(body_without(&Numbers::default(), b"torn 4930123456"), None);
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
