//! What was said in a call that is erased whole: of a report of a voice application stays what is
//! counted (rs.md §2.5), of any other event nothing.

use crate::var::PREFIX;

/// What is left of an event's text; `None`: nothing.
#[must_use]
pub fn unsaid(label: Option<&str>, text: &str) -> Option<String> {
    let report = label?.strip_prefix(PREFIX)?;
    let mut fields = text.split('|');
    let mut next = || fields.next().unwrap_or_default();
    match report {
        // an action and its parent
        "ActionStart" => Some(text.to_owned()),
        "ActionEnd" => Some(format!("{}|{}", next(), next())),
        "CallResult" => Some(next().to_owned()),
        "ActionNotes" | "CustomVar" => Some(format!("{}|", next())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_of_a_report_stays() {
        for (label, text, expected) in [
            ("ActionStart", "login|parentID=menu", Some("login|parentID=menu")),
            ("ActionEnd", "login|FAILED|Smith unknown|x", Some("login|FAILED")),
            ("ActionEnd", "login", Some("login|")),
            ("CallResult", "SUCCESS|Smith", Some("SUCCESS")),
            ("CallNotes", "call Smith back", None),
            ("ActionNotes", "login|Smith", Some("login|")),
            ("CustomVar", "name|Smith", Some("name|")),
            ("Other", "Smith", None),
        ] {
            let whole = format!("{PREFIX}{label}");
            assert_eq!(unsaid(Some(&whole), text).as_deref(), expected, "{label} {text}");
            // once is enough
            let again = expected.map(|text| unsaid(Some(&whole), text));
            assert_eq!(again.flatten().as_deref(), expected, "{label} {text}");
            assert_eq!(unsaid(Some(label), text), None);
        }
        assert_eq!(unsaid(None, "Smith"), None);
    }
}
