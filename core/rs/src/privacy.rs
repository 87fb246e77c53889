//! What is not shown, and what is not kept, of who called whom (rs.md §8): numbers with their
//! middle digits replaced in answers, and events whose texts are not stored. What is searched for,
//! counted and merged is never changed by it.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Map, Value};

use crate::erase::{Ids, is_id, masked, telephone, unsaid, user_range};
use crate::fact::EventFact;
use crate::query::{Filter, Number};
use crate::report::{Call, TenantOf};

/// What stands in place of a digit.
const SIGN: u8 = b'*';
/// In a number of JSON, which knows no other signs.
const DIGIT: u8 = b'0';
/// Digits of a number in a text: a shorter row of digits is taken for something else.
const LEAST: usize = 5;
/// What stands in place of the host of a Call-ID, which is the caller's own (RFC 3261 §8.1.1.4).
const HOST: &str = "***";
/// What RM's records call numbers.
const NUMBERS: [&str; 3] = ["ani", "dialled", "dn"];

/// A URI, or a number, without the middle digits of its user, and of numbers elsewhere in it.
#[must_use]
pub fn masked_uri(uri: &str) -> String {
    let user = user_range(uri);
    let mut hidden = of_user(uri, user.clone());
    hidden.extend(numbers(uri).into_iter().filter(|at| !user.contains(at)));
    text(uri, &hidden, SIGN)
}

/// A Call-ID without the host of whoever made it, and without numbers.
fn masked_call_id(call_id: &str) -> String {
    match call_id.split_once('@') {
        Some((word, _)) => format!("{}@{HOST}", masked_text(word)),
        None => masked_text(call_id),
    }
}

/// A text without the middle digits of telephone numbers. Dates, times, addresses, ports, ids and
/// what is glued to letters are none.
#[must_use]
pub fn masked_text(of: &str) -> String {
    text(of, &numbers(of), SIGN)
}

/// The same of all that stands in JSON; what is none shows nothing.
#[must_use]
pub fn masked_json(of: &str) -> String {
    let mut value = serde_json::from_str(of).unwrap_or_default();
    hide(&mut value);
    value.to_string()
}

fn hide(value: &mut Value) {
    match value {
        Value::String(said) => *said = masked_text(said),
        Value::Number(number) => {
            let said = number.to_string();
            let shown = text(&said, &numbers(&said), DIGIT);
            *value = serde_json::from_str(&shown).unwrap_or_default();
        }
        Value::Array(all) => all.iter_mut().for_each(hide),
        Value::Object(fields) => {
            let hidden = std::mem::take(fields).into_iter().map(field);
            *fields = hidden.collect::<Map<_, _>>();
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// A field of JSON by what its name says it is.
fn field((name, mut value): (String, Value)) -> (String, Value) {
    match &mut value {
        Value::String(said) if name == "call_id" => *said = masked_call_id(said),
        Value::String(said) if NUMBERS.contains(&&*name) => *said = masked_uri(said),
        Value::String(_) | Value::Number(_) if is_id(name.as_bytes(), Ids::Ours) => {}
        _ => hide(&mut value),
    }
    (masked_text(&name), value)
}

/// At least half of the digits are hidden, and at most two are shown on each side.
fn middle(places: &[usize]) -> &[usize] {
    let shown = (places.len() / 4).min(2);
    places.get(shown..places.len() - shown).unwrap_or_default()
}

/// Places of the digits that are hidden of the user of a URI.
fn of_user(uri: &str, user: Range<usize>) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = user.start;
    while let Some(byte) = uri.as_bytes().get(at).filter(|_| at < user.end) {
        match byte {
            // an escaped byte
            b'%' => at += 2,
            byte if byte.is_ascii_digit() => places.push(at),
            _ => {}
        }
        at += 1;
    }
    middle(&places).to_vec()
}

/// Places of the digits that are hidden in a text.
fn numbers(text: &str) -> Vec<usize> {
    let rows = telephone(text.as_bytes(), Ids::Ours).into_iter();
    let rows = rows.map(|row| row.into_iter().flatten().collect::<Vec<usize>>());
    let numbers = rows.filter(|digits| digits.len() >= LEAST);
    let mut places: Vec<usize> = numbers.flat_map(|digits| middle(&digits).to_vec()).collect();
    for (begin, uri) in uris(text) {
        let user = user_range(uri);
        places.retain(|at| !(begin + user.start..begin + user.end).contains(at));
        places.extend(of_user(uri, user).into_iter().map(|at| begin + at));
    }
    places
}

/// URIs in a text, each with its place: of those also short numbers are known to be some.
fn uris(text: &str) -> Vec<(usize, &str)> {
    const SCHEMES: [&str; 3] = ["sips:", "sip:", "tel:"];
    let ends = |sign: char| sign.is_whitespace() || "<>\"'|,()".contains(sign);
    let mut begin = 0;
    let mut all = Vec::new();
    for piece in text.split_inclusive(ends) {
        let lower = piece.to_ascii_lowercase();
        let is_word = |at: usize| lower.as_bytes().get(at).is_some_and(u8::is_ascii_alphanumeric);
        let found = SCHEMES.iter().filter_map(|scheme| lower.find(scheme));
        let found = found.min().filter(|at| !at.checked_sub(1).is_some_and(is_word));
        let uri = found.and_then(|at| Some((begin + at, piece.get(at..)?.trim_end_matches(ends))));
        all.extend(uri);
        begin += piece.len();
    }
    all
}

fn text(of: &str, places: &[usize], sign: u8) -> String {
    let text = masked(of.as_bytes(), places, sign);
    text.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| of.to_owned())
}

impl Call {
    /// Hides the middle digits of its numbers, and of its Call-ID the caller's host. What names it,
    /// its objects and their addresses stays.
    pub fn mask(&mut self) {
        for uri in [&mut self.local_uri, &mut self.remote_uri].into_iter().chain(&mut self.dn) {
            *uri = masked_uri(uri);
        }
        let address = self.resource.as_mut().and_then(|of| of.address.as_mut());
        if let Some(address) = address {
            *address = masked_uri(address);
        }
        if let Some(call_id) = &mut self.call_id {
            *call_id = masked_call_id(call_id);
        }
        if let Some(reason) = &mut self.reason {
            *reason = masked_text(reason);
        }
    }
}

impl Call {
    /// Shows it to whoever may see these tenants only: those above them in its path lose their
    /// names, not their places. False: none of these is in the path, and it is not to be shown.
    pub fn narrow(&mut self, scope: &BTreeSet<u32>) -> bool {
        let first = self.tenants.iter().position(|tenant| scope.contains(&tenant.id));
        let above = self.tenants.iter_mut().take(first.unwrap_or_default());
        above.for_each(|tenant| *tenant = TenantOf::default());
        first.is_some()
    }
}

impl Filter {
    /// Whether it asks for parts of numbers: whoever may see none of them would learn one, digit
    /// by digit.
    #[must_use]
    pub fn asks_for_parts(&self) -> bool {
        let number = |number: &Number| match number {
            Number::Exact(_) => false,
            Number::Prefix(prefix) => !prefix.is_empty(),
            Number::Range { from, to } => from != to,
        };
        self.numbers.iter().any(number)
            || self.remote_uris.iter().chain(&self.local_uris).any(|uri| uri.prefix)
            || self.party.as_ref().is_some_and(|party| party.prefix)
    }
}

impl Filter {
    /// Of how many whole numbers or URIs any may be the one that is meant: one who sees no number
    /// learns with each whether a guess was right.
    #[must_use]
    pub fn numbers_asked(&self) -> usize {
        let party = usize::from(self.party.is_some());
        let lists = [self.numbers.len(), self.remote_uris.len(), self.local_uris.len(), party];
        lists.into_iter().max().unwrap_or_default()
    }
}

/// Events whose texts are not stored, by the name of the event or its label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hush(Vec<String>);

impl Hush {
    /// Of these names; a `*` at the end stands for any rest.
    #[must_use]
    pub const fn of(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(begin) => name.starts_with(begin),
            None => name == pattern,
        })
    }

    /// Takes the text away from an event that is meant, and fields that nobody knows; true: there
    /// were some. Of a report of a voice application stays what is counted.
    pub(crate) fn quiet(&self, event: &mut EventFact) -> bool {
        let EventFact { log_id, label, text, extra, .. } = event;
        let meant = self.has(log_id) || label.as_deref().is_some_and(|label| self.has(label));
        let more = extra.take_if(|_| meant).is_some();
        let Some(said) = text.take_if(|_| meant) else { return more };
        *text = unsaid(label.as_deref(), &said);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{Party, Uri};

    #[test]
    fn the_middle_digits_of_a_user_are_hidden() {
        for (uri, expected) in [
            ("sip:+4930123456@gw.example:5060", "sip:+49******56@gw.example:5060"),
            ("sip:%2B4930123456@10.0.0.12", "sip:%2B49******56@10.0.0.12"),
            ("18005550100", "18*******00"),
            ("tel:+49-30-123;phone-context=+4930123", "tel:+4*-**-**3;phone-context=+4*****3"),
            ("sip:1234@gw", "sip:1**4@gw"),
            ("sip:123@gw", "sip:***@gw"),
            ("sip:alice@gw", "sip:alice@gw"),
            ("sip:agent7.4930123456@gw", "sip:agent7.4*******56@gw"),
            ("sip:gw.example", "sip:gw.example"),
            ("sip:100%", "sip:100%"),
            ("sip:1%2@gw", "sip:*%2@gw"),
            ("sip:anonymous@anonymous.invalid", "sip:anonymous@anonymous.invalid"),
            ("", ""),
        ] {
            assert_eq!(masked_uri(uri), expected, "{uri}");
        }
    }

    #[test]
    fn numbers_in_texts_are_hidden_and_nothing_else() {
        for (text, expected) in [
            ("call back +49 30 123456", "call back +49 ** ****56"),
            ("asked for 4930123456, room 1234", "asked for 49******56, room 1234"),
            ("2026-11-22T10:00:00Z 10.0.0.12:5060", "2026-11-22T10:00:00Z 10.0.0.12:5060"),
            ("from <SIP:1234@gw:5060>, 5678", "from <SIP:1**4@gw:5060>, 5678"),
            ("to=tel:1234|sips:12@gw", "to=tel:1**4|sips:**@gw"),
            ("gossip:1234@gw", "gossip:1234@gw"),
        ] {
            assert_eq!(masked_text(text), expected);
        }
        for (json, shown) in [
            (
                r#"{"ani":"+4930123456","id":"4930123456","n":4930123456}"#,
                r#"{"ani":"+49******56","id":"4930123456","n":4900000056}"#,
            ),
            // what others call an id may be a number
            (
                r#"{"caller_id":"+4930123456","session_id":"4930123456"}"#,
                r#"{"caller_id":"+49******56","session_id":"4930123456"}"#,
            ),
            (r#"[{"reason":"asked 4930123456"}]"#, r#"[{"reason":"asked 49******56"}]"#),
            (r#"{"dialled":"1234","n":1234}"#, r#"{"dialled":"1**4","n":1234}"#),
            (r#"{"call_id":"a-4930123456@10.1.1.5"}"#, r#"{"call_id":"a-49******56@***"}"#),
            (r#"{"4930123456":null}"#, r#"{"49******56":null}"#),
            (r#""\u0034930123456""#, r#""49******56""#),
        ] {
            assert_eq!(masked_json(json), shown);
        }
        assert_eq!(masked_json("4930123456 torn"), "null");
    }

    #[test]
    fn whole_numbers_only_are_asked_for() {
        let asks = |filter: Filter| filter.asks_for_parts();
        let dn = |number| asks(Filter { numbers: vec![number], ..Filter::default() });
        let text = || "4930".to_owned();
        assert!(!asks(Filter::default()) && !dn(Number::Exact(text())));
        assert!(!dn(Number::Prefix(String::new())) && dn(Number::Prefix(text())));
        assert!(!dn(Number::Range { from: text(), to: text() }));
        assert!(dn(Number::Range { from: text(), to: "4931".to_owned() }));
        for prefix in [false, true] {
            let uris = vec![Uri { text: text(), prefix }];
            assert_eq!(asks(Filter { local_uris: uris.clone(), ..Filter::default() }), prefix);
            assert_eq!(asks(Filter { remote_uris: uris, ..Filter::default() }), prefix);
            let party = Some(Party { number: text(), prefix });
            assert_eq!(asks(Filter { party, ..Filter::default() }), prefix);
        }
    }

    #[test]
    fn numbers_of_one_field_are_counted() {
        let asked = |filter: Filter| filter.numbers_asked();
        let uris = |n| vec![Uri { text: "sip:a".to_owned(), prefix: false }; n];
        let numbers = |n| vec![Number::Exact("1".to_owned()); n];
        assert_eq!(asked(Filter::default()), 0);
        assert_eq!(asked(Filter { numbers: numbers(200), ..Filter::default() }), 200);
        // who called whom is one guess
        let both = Filter { numbers: numbers(1), remote_uris: uris(1), ..Filter::default() };
        assert_eq!(asked(both), 1);
        assert_eq!(asked(Filter { local_uris: uris(3), ..Filter::default() }), 3);
        let party = Some(Party { number: "1".to_owned(), prefix: false });
        assert_eq!(asked(Filter { party, ..Filter::default() }), 1);
    }

    #[test]
    fn events_are_meant_by_name_or_label() {
        let hush =
            Hush::of(["asr_*", "com.genesyslab.var.CallNotes", "log"].map(str::to_owned).into());
        for (name, meant) in [
            ("asr_trace", true),
            ("asr_", true),
            ("asr", false),
            ("com.genesyslab.var.CallNotes", true),
            ("com.genesyslab.var.CallNotes2", false),
            ("log", true),
        ] {
            assert_eq!(hush.has(name), meant, "{name}");
        }
        assert!(!Hush::default().has(""));
        assert!(Hush::of(vec!["*".to_owned()]).has("anything"));
    }
}
