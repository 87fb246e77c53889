//! The normal form of a number, and the three forms of a pattern.
//!
//! Numbers of calls and numbers in patterns are brought into the same form, so that they can be
//! compared byte by byte.

use std::fmt;

use crate::config::limits::{MAX_NUMBER, MAX_RANGE_DIGITS};

/// The normal form of a user part (rm.md §3.1): password and user parameters cut, percent-decoded,
/// one leading `+` and the visual separators `-.()` removed, letters lower-cased.
#[must_use]
pub fn normalise(user: &str) -> String {
    let mut out = String::new();
    normalise_into(user, &mut out);
    out
}

/// The same, appended to `out`.
pub fn normalise_into(user: &str, out: &mut String) {
    let user = user.split([':', ';']).next().unwrap_or_default();
    let plain = user.strip_prefix('+').unwrap_or(user);
    if !user.contains('%') {
        return clean(plain, out);
    }
    let decoded = percent_decoded(user);
    clean(decoded.strip_prefix('+').unwrap_or(&decoded), out);
}

fn clean(text: &str, out: &mut String) {
    let kept = text.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')'));
    out.extend(kept.flat_map(char::to_lowercase));
}

/// `%41` → `A`; what is not an escape, or does not give UTF-8, stays readable.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4 | low, after))
            }
            _ => None,
        };
        let (byte, after) = escape.unwrap_or((first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// What a number group lists.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Pattern {
    /// One number, in normal form.
    Exact(String),
    /// All numbers of `digits` digits from `low` to `high`.
    Range {
        /// How many digits a number has, 1–18.
        digits: u8,
        /// The first.
        low: u64,
        /// The last; not below `low`.
        high: u64,
    },
    /// All numbers that begin so; empty = every number.
    Prefix(String),
}

/// Why a text is not a pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PatternError {
    /// `DID range "…": ends differ in length`
    Length,
    /// `DID range "…": start is above end`
    Order,
    /// `DID pattern "…": "*" is only allowed at the end`
    Star,
    /// Anything else; the reason.
    Form(&'static str),
}

impl Pattern {
    /// Reads a pattern as it is written in a number group.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if let Some(why) = bad_character(text) {
            return Err(PatternError::Form(why));
        }
        let (body, star) = match text.strip_suffix('*') {
            Some(body) => (body, true),
            None => (text, false),
        };
        if body.contains('*') {
            return Err(PatternError::Star);
        }
        if let (false, Some((low, high))) = (star, body.split_once('-'))
            && !high.contains('-')
            && !low.is_empty()
        {
            return Self::range(low, high);
        }
        let number = normalise(body);
        if number.is_empty() && !(star && body.is_empty()) {
            return Err(PatternError::Form("there is no number in it"));
        }
        if number.len() > MAX_NUMBER {
            return Err(PatternError::Form("a number has at most 64 characters"));
        }
        Ok(if star { Self::Prefix(number) } else { Self::Exact(number) })
    }

    fn range(low: &str, high: &str) -> Result<Self, PatternError> {
        let (low, high) = (normalise(low), normalise(high));
        if low.is_empty() || !low.bytes().chain(high.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(PatternError::Form("the ends of a range are digits only"));
        }
        if low.len() != high.len() {
            return Err(PatternError::Length);
        }
        let digits = u8::try_from(low.len()).ok().filter(|n| *n <= MAX_RANGE_DIGITS);
        let (Some(digits), Ok(low), Ok(high)) = (digits, low.parse(), high.parse()) else {
            return Err(PatternError::Form("the ends of a range have at most 18 digits"));
        };
        if low > high {
            return Err(PatternError::Order);
        }
        Ok(Self::Range { digits, low, high })
    }
}

fn bad_character(text: &str) -> Option<&'static str> {
    let bad = text.chars().any(|c| c.is_whitespace() || c.is_control());
    if bad {
        return Some("a number has no blanks");
    }
    text.contains(['%', ':', ';', '@', '/', '<', '>', '"', ',']).then_some("not a number")
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(number) => f.write_str(number),
            Self::Range { digits, low, high } => {
                let width = usize::from(*digits);
                write!(f, "{low:0width$}-{high:0width$}")
            }
            Self::Prefix(number) => write!(f, "{number}*"),
        }
    }
}
