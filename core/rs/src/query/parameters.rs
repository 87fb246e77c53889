//! The parameters of a query string: decoded, recognised by name, taken one by one.
//!
//! Unknown ones are ignored and not echoed (rs.md §5.1). Of an id, repeats and commas are an OR.

use super::refused::Refused;
use crate::limits::PARAMETER_VALUES;

/// The recognised parameters of one query, in the order in which they came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Decodes a query string (`a=1&b=2`, percent-encoded, `+` for blank) and keeps the
    /// parameters of these names.
    #[must_use]
    pub fn of(query: &str, known: &[&str]) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let pairs = pairs.map(|(name, value)| (decode(name), decode(value)));
        Self(pairs.filter(|(name, _)| known.contains(&name.as_str())).collect())
    }

    /// Names and values as they were sent: `<request-params>`.
    #[must_use]
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Those of these names that are there.
    pub(super) fn present<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        names.iter().copied().filter(|name| self.has(name)).collect()
    }

    /// A parameter that may occur once.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Refused> {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        let first = values.next().map(|(_, value)| value.as_str());
        match values.next() {
            None => Ok(first),
            Some(_) => {
                let message = format!("{name} may occur once");
                Err(Refused::parameter("duplicate-parameter", message, &[name]))
            }
        }
    }

    /// A parameter that may occur once, read.
    pub(super) fn read_one<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str, &str) -> Result<T, Refused>,
    ) -> Result<Option<T>, Refused> {
        self.one(name)?.map(|value| read(name, value)).transpose()
    }

    /// All values of a parameter, each read; where `commas` is set, several may stand in one.
    pub(super) fn read_all<T>(
        &self,
        name: &str,
        commas: bool,
        read: impl Fn(&str, &str) -> Result<T, Refused>,
    ) -> Result<Vec<T>, Refused> {
        let values = self.0.iter().filter(|(known, _)| known == name);
        let separator = if commas { ',' } else { '\u{FFFF}' };
        let values = values.flat_map(|(_, value)| value.split(separator));
        let mut all = Vec::new();
        for value in values {
            if all.len() == PARAMETER_VALUES {
                let message = format!("at most {PARAMETER_VALUES} values of {name}");
                return Err(Refused::parameter("too-many-ids", message, &[name]));
            }
            all.push(read(name, value)?);
        }
        Ok(all)
    }
}

/// Percent-decoding of a form value; what is no UTF-8 afterwards is replaced.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(byte),
            },
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
