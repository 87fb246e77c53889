//! The words for kinds of platform objects, as people type them.

use std::str::FromStr;

/// A kind, by the name that documents give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(&'static str);

/// Documents' name, then the words for it; each may stand in the plural and in any case.
const WORDS: [(&str, &[&str]); 5] = [
    ("Tenant", &["tenant"]),
    ("IvrProfile", &["profile", "ivrprofile"]),
    ("DidGroup", &["did", "didgroup"]),
    ("ResourceGroup", &["group", "lrg", "resourcegroup"]),
    ("Application", &["app", "application"]),
];

impl Kind {
    /// Its name in documents and paths.
    pub(crate) fn name(self) -> &'static str {
        self.0
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = text.to_ascii_lowercase();
        let one = word.strip_suffix('s').unwrap_or(&word);
        let known = WORDS.into_iter().find(|(_, words)| words.contains(&one));
        known.map(|(name, _)| Self(name)).ok_or_else(|| {
            "expected tenant, profile, did, group (or lrg), app, or the name of a kind".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn all_words_lead_to_a_kind() {
        let cases = [
            ("tenants", "Tenant"),
            ("profile", "IvrProfile"),
            ("IvrProfiles", "IvrProfile"),
            ("dids", "DidGroup"),
            ("DidGroup", "DidGroup"),
            ("lrg", "ResourceGroup"),
            ("LRGs", "ResourceGroup"),
            ("groups", "ResourceGroup"),
            ("apps", "Application"),
            ("application", "Application"),
        ];
        for (word, name) in cases {
            assert_eq!(word.parse::<Kind>().unwrap().name(), name, "{word}");
        }
        for word in ["", "s", "number", "tenantss"] {
            assert!(word.parse::<Kind>().is_err(), "{word}");
        }
    }
}
