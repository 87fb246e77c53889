//! What media servers can do beyond their services, and what a call wants of them (rm.md §7.5).
//!
//! Names and values compare without case; they are kept in lower case.

/// Names with their values. Of a group or resource: what it has; of a profile: what it requires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<(String, Vec<String>)>);

impl Capabilities {
    /// These, each name once; values of one name are put together.
    #[must_use]
    pub fn of(all: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        let mut whole: Vec<(String, Vec<String>)> = Vec::new();
        for (name, values) in all {
            let name = name.to_lowercase();
            let at = match whole.binary_search_by(|(one, _)| one.cmp(&name)) {
                Ok(at) => at,
                Err(at) => {
                    whole.insert(at, (name, Vec::new()));
                    at
                }
            };
            if let Some((_, kept)) = whole.get_mut(at) {
                for value in values.into_iter().map(|value| value.to_lowercase()) {
                    if !kept.contains(&value) {
                        kept.push(value);
                    }
                }
            }
        }
        Self(whole)
    }

    /// Both together.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).cloned())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names in their order, each with its values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Whether this name is here with this value, or with any if none is asked for. A value `*`
    /// stands for all.
    #[must_use]
    pub fn has(&self, name: &str, value: Option<&str>) -> bool {
        let found = self.0.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
        let is =
            |one: &String| value.is_none_or(|value| one == "*" || one.eq_ignore_ascii_case(value));
        found.is_some_and(|(_, values)| value.is_none() || values.iter().any(is))
    }

    /// The first name of `wanted` of which none of the values is here; `None`: all are met.
    #[must_use]
    pub fn misses<'w>(&self, wanted: &'w Self) -> Option<&'w str> {
        let met = |name: &str, values: &[String]| match values {
            [] => self.has(name, None),
            _ => values.iter().any(|value| self.has(name, Some(value))),
        };
        wanted.iter().find(|(name, values)| !met(name, values)).map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::Capabilities;

    fn of(all: &[(&str, &[&str])]) -> Capabilities {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        Capabilities::of(all.iter().map(|(name, values)| ((*name).to_owned(), owned(values))))
    }

    #[test]
    fn without_case_and_with_a_star_for_all() {
        let have = of(&[("ASR", &["en-US", "de-DE"]), ("tts", &["*"]), ("video", &[])]);
        for (name, value, has) in [
            ("asr", Some("EN-us"), true),
            ("asr", Some("fr-FR"), false),
            ("Asr", None, true),
            ("tts", Some("anything"), true),
            ("video", None, true),
            ("video", Some("h264"), false),
            ("codec", None, false),
        ] {
            assert_eq!(have.has(name, value), has, "{name} {value:?}");
        }
    }

    #[test]
    fn a_list_that_is_required_means_any_of_it() {
        let have = of(&[("asr", &["en-US"])]).with(&of(&[("codec", &["opus"])]));
        for (wanted, missing) in [
            (of(&[]), None),
            (of(&[("asr", &["fr-FR", "en-us"])]), None),
            (of(&[("asr", &["fr-FR"])]), Some("asr")),
            (of(&[("codec", &[])]), None),
            (of(&[("asr", &["en-US"]), ("codec", &["g729"])]), Some("codec")),
        ] {
            assert_eq!(have.misses(&wanted), missing, "{wanted:?}");
        }
    }
}
