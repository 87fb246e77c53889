//! What stands behind the question mark: parameters that are known, each once, with a type.

use axum::extract::Query as Pairs;
use axum::http::Uri;
use model::id::Revision;

use crate::limits::MAX_REVISION;
use crate::refusal::Refusal;

/// The parameters of a request that were not asked for yet.
#[derive(Debug)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Takes a URI apart.
    ///
    /// # Errors
    /// `malformed` where that cannot be done.
    pub(super) fn of(uri: &Uri) -> Result<Self, Refusal> {
        let Pairs(pairs) = Pairs::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| malformed("the parameters cannot be read".to_owned()))?;
        Ok(Self { pairs })
    }

    /// All values of a parameter that may be repeated.
    pub(super) fn all(&mut self, name: &str) -> Vec<String> {
        let (taken, rest) =
            std::mem::take(&mut self.pairs).into_iter().partition(|(own, _)| own == name);
        self.pairs = rest;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// A text.
    ///
    /// # Errors
    /// `malformed` where it is given twice; so do the others.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let mut all = self.all(name);
        let value = all.pop();
        if all.is_empty() { Ok(value) } else { Err(malformed(format!("{name}: given twice"))) }
    }

    /// `true` or `false`; false where it is not given.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        Ok(self.maybe(name)?.unwrap_or(false))
    }

    /// `true` or `false`, or not given.
    pub(super) fn maybe(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.text(name)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(malformed(format!("{name}: expected true or false"))),
        }
    }

    /// A whole number from 0.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.map(Some).ok_or_else(|| malformed(format!("{name}: expected a whole number")))
    }

    /// A revision.
    pub(super) fn revision(&mut self, name: &str) -> Result<Option<Revision>, Refusal> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        let told = || malformed(format!("{name}: expected a revision, at most {MAX_REVISION}"));
        revision(number).map(Some).ok_or_else(told)
    }

    /// A number of items, at most `most`.
    pub(super) fn limit(&mut self, usual: usize, most: usize) -> Result<usize, Refusal> {
        let Some(number) = self.number("limit")? else { return Ok(usual) };
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        if (1..=most).contains(&number) {
            return Ok(number);
        }
        Err(malformed(format!("limit: expected 1 to {most}")))
    }

    /// A label as `key=value`.
    pub(super) fn label(name: &str, text: &str) -> Result<(String, String), Refusal> {
        let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let (key, value) = pair.ok_or_else(|| malformed(format!("{name}: expected key=value")))?;
        Ok((key.to_owned(), value.to_owned()))
    }

    /// Nothing else may have been given.
    ///
    /// # Errors
    /// `malformed` with the name of what is left.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().take(64).collect();
                Err(malformed(format!("unknown parameter {name:?}")))
            }
        }
    }
}

/// A number as that of a revision, if it can be one.
pub(super) fn revision(number: u64) -> Option<Revision> {
    (number <= MAX_REVISION).then_some(Revision(number))
}

/// A request that cannot be read.
pub(super) fn malformed(text: impl Into<String>) -> Refusal {
    Refusal::Malformed(text.into())
}

#[cfg(test)]
mod tests {
    use super::Query;

    fn query(text: &str) -> Query {
        Query::of(&format!("/v1/objects?{text}").parse().unwrap()).unwrap()
    }

    #[test]
    fn parameters_have_types_and_no_other_is_taken() {
        let mut it = query("label=a%3Db&tenant=two+words&label=c%3D&dry_run=true&at=41&limit=7");
        assert_eq!(it.all("label"), ["a=b", "c="]);
        assert_eq!(it.text("tenant").unwrap().as_deref(), Some("two words"));
        assert!(it.flag("dry_run").unwrap() && !it.flag("cascade").unwrap());
        assert_eq!(it.revision("at").unwrap().unwrap().0, 41);
        assert_eq!(it.limit(200, 1000).unwrap(), 7);
        it.finish().unwrap();
        for (text, told) in [
            ("a=1", "unknown parameter \"a\""),
            ("dry_run=1", "dry_run: expected true or false"),
            ("dry_run=true&dry_run=true", "dry_run: given twice"),
            ("at=-1", "at: expected a whole number"),
            ("at=", "at: expected a whole number"),
            ("at=99999999999999999999", "at: expected a whole number"),
            ("at=9007199254740992", "at: expected a revision, at most 9007199254740991"),
            ("limit=0", "limit: expected 1 to 10"),
            ("limit=11", "limit: expected 1 to 10"),
        ] {
            let mut it = query(text);
            let read = it
                .flag("dry_run")
                .and_then(|_| it.revision("at"))
                .and_then(|_| it.limit(5, 10))
                .and_then(|_| it.finish());
            assert_eq!(read.unwrap_err().to_string(), told, "{text}");
        }
        for text in ["", "a", "=b"] {
            assert!(Query::label("label", text).is_err(), "{text:?}");
        }
    }
}
