//! Erasure (rs.md §8): what a call tells of a person goes, what is counted stays.
//!
//! Erased are the other party's address, the number that the platform called, and every text that
//! may hold such a thing: notes, reasons that an application gave, unknown fields, the decision
//! trace, texts of events and of failures, values of custom variables. Times, states, tenants,
//! profiles, services, the dialled number of an inbound call and all ids stay, so that no figure
//! changes and a record that is sent again is known. The mark is kept with the call: what comes
//! later is erased before it is stored.

use model::record::CallType;

use crate::fact::{CallFact, EventFact};
use crate::quality::QualityFact;
use crate::var::PREFIX;

/// Who nobody is (RFC 3323 §4.1.1.3).
pub const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

impl CallFact {
    /// The fact without what it tells of a person.
    #[must_use]
    pub fn erased(mut self) -> Self {
        ANONYMOUS.clone_into(&mut self.remote_uri);
        let values = &mut self.values;
        if self.call_type == CallType::Outbound.number() {
            values.dn = None;
        }
        values.notes = None;
        values.result_reason = None;
        values.extra.clear();
        self.trace = None;
        self
    }
}

impl EventFact {
    /// The event without its text; of a report what VAR figures need stays.
    #[must_use]
    pub fn erased(mut self) -> Self {
        let text = self.text.take();
        self.text = text.and_then(|text| erased_text(self.label.as_deref(), &text));
        self
    }
}

impl QualityFact {
    /// The fact without the texts of its failures.
    #[must_use]
    pub fn erased(mut self) -> Self {
        self.failures.iter_mut().for_each(|failure| failure.text = None);
        self
    }
}

/// What stays of an event's text: the action and its result, where the label says that it is one.
#[must_use]
pub fn erased_text(label: Option<&str>, text: &str) -> Option<String> {
    let fields = |count: usize| {
        let kept: Vec<&str> = text.splitn(count + 1, '|').take(count).collect();
        Some(kept.join("|"))
    };
    match label?.strip_prefix(PREFIX)? {
        "ActionStart" => Some(text.to_owned()),
        "ActionEnd" => fields(2),
        // a variable that was there stays, without its value
        "CallResult" | "CustomVar" | "ActionNotes" => fields(1),
        _ => None,
    }
}

/// Whether an address is that of this number: its user part, digits compared, a leading `+`
/// and separators left out.
#[must_use]
pub fn is_of(uri: &str, number: &str) -> bool {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let user = rest.split(['@', ';', '?']).next().unwrap_or_default();
    let digits = plain(number);
    !digits.is_empty() && plain(user) == digits
}

/// A number without what people put between its digits (RFC 3966 §5.1.1), in lower case.
#[must_use]
pub fn plain(number: &str) -> String {
    let kept = |c: &char| !matches!(c, '+' | '-' | '.' | '(' | ')' | ' ');
    number.chars().filter(kept).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::{erased_text, is_of};

    #[test]
    fn addresses_of_a_number() {
        for uri in [
            "sip:+4930123@gw.example",
            "sip:4930123@gw.example;user=phone",
            "tel:+49-30-123",
            "sip:+49(30)123;phone-context=x@gw",
            "+4930123",
        ] {
            assert!(is_of(uri, "+49 30 123"), "{uri}");
            assert!(is_of(uri, "4930123"), "{uri}");
        }
        for uri in ["sip:+49301234@gw", "sip:dialog@4930123", "sip:@gw", ""] {
            assert!(!is_of(uri, "+4930123"), "{uri}");
        }
        assert!(is_of("sip:Alice@home", "alice"));
        assert!(!is_of("sip:@gw", "+"));
    }

    #[test]
    fn of_a_report_its_figures_stay() {
        let cases = [
            ("ActionStart", "pin|parentID=login", Some("pin|parentID=login")),
            ("ActionEnd", "pin|FAILED|+4930123", Some("pin|FAILED")),
            ("CallResult", "SUCCESS|told +4930123", Some("SUCCESS")),
            ("CustomVar", "caller|+4930123", Some("caller")),
            ("ActionNotes", "pin|+4930123", Some("pin")),
            ("CallNotes", "+4930123", None),
            ("Else", "+4930123", None),
        ];
        for (label, text, expected) in cases {
            let label = format!("com.genesyslab.var.{label}");
            assert_eq!(erased_text(Some(&label), text).as_deref(), expected, "{label}");
        }
        assert_eq!(erased_text(None, "+4930123"), None);
        assert_eq!(erased_text(Some("other"), "+4930123"), None);
    }
}
