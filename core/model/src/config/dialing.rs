//! Dialling rules: which numbers may be dialled, and as what (rm.md §6.3).
//!
//! `accept PATTERN`, `reject PATTERN`, `translate PATTERN -> REPLACEMENT`. A pattern is searched in
//! time that grows with the number and with nothing else; it is over ASCII and compiled once per
//! snapshot. Whether one may call at all is the policy's; here is only the number.

use std::fmt;

use regex::bytes::{Captures, Regex, RegexBuilder};

use super::limits::{MAX_NUMBER, MAX_RULE_COMPILED, MAX_RULE_PATTERN};

/// One rule, ready to be asked.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As it was written.
    text: String,
    action: Action,
    pattern: Regex,
}

#[derive(Clone, Debug)]
enum Action {
    Accept,
    Reject,
    /// The parts of the replacement.
    Translate(Vec<Part>),
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    /// `$0` … `$9`.
    Group(usize),
}

/// What a list of rules says of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict<'r> {
    /// It may be dialled, as it stands now.
    Accepted,
    /// It may not: by this rule, or because the rule makes of it what cannot be dialled.
    Rejected(&'r Rule),
}

/// Asks a list of rules from the top; a `translate` that matches changes `number` and goes on. The
/// end of the list accepts.
pub fn judge<'r>(rules: impl IntoIterator<Item = &'r Rule>, number: &mut String) -> Verdict<'r> {
    for rule in rules {
        // what is longer than any number is none, and no rule need look through it
        if number.len() > MAX_NUMBER {
            return Verdict::Rejected(rule);
        }
        match &rule.action {
            Action::Accept if rule.pattern.is_match(number.as_bytes()) => break,
            Action::Reject if rule.pattern.is_match(number.as_bytes()) => {
                return Verdict::Rejected(rule);
            }
            Action::Translate(parts) => {
                let Some(found) = rule.pattern.captures(number.as_bytes()) else { continue };
                let Some(translated) = fill(parts, &found) else { return Verdict::Rejected(rule) };
                *number = translated;
            }
            Action::Accept | Action::Reject => {}
        }
    }
    Verdict::Accepted
}

/// The replacement with its groups; `None` if it is not what can be dialled.
fn fill(parts: &[Part], found: &Captures<'_>) -> Option<String> {
    let mut out = Vec::new();
    for part in parts {
        let bytes = match part {
            Part::Text(text) => text.as_bytes(),
            Part::Group(number) => found.get(*number).map_or(&[][..], |group| group.as_bytes()),
        };
        out.extend_from_slice(bytes);
    }
    let good = (1..=MAX_NUMBER).contains(&out.len()) && out.iter().all(|b| is_dialled(*b));
    String::from_utf8(out).ok().filter(|_| good)
}

fn is_dialled(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+*#._-".contains(&byte)
}

impl Rule {
    /// Reads a rule as it is written in a policy.
    ///
    /// # Errors
    /// What is wrong with it, with the column where that shows.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((word, rest)) = text.split_once(' ') else {
            return Err("expected accept, reject or translate, a blank and a pattern".to_owned());
        };
        let (source, action) = match (word, rest.rsplit_once(" -> ")) {
            ("accept", None) => (rest, Action::Accept),
            ("reject", None) => (rest, Action::Reject),
            ("accept" | "reject", Some((source, _))) => {
                let column = column(text, word.len() + 1 + source.len() + 1);
                return Err(format!("column {column}: a replacement is for translate only"));
            }
            ("translate", Some((source, replacement))) => {
                let from = text.len() - replacement.len();
                (source, Action::Translate(parts(text, from, replacement)?))
            }
            ("translate", None) => return Err("translate needs \" -> \" and a number".to_owned()),
            _ => {
                let word: String = word.chars().take(32).flat_map(char::escape_debug).collect();
                return Err(format!("column 1: \"{word}\" is not accept, reject or translate"));
            }
        };
        let (pattern, shortest) = compile(text, word.len() + 1, source)?;
        if let Action::Translate(parts) = &action {
            if least(parts, shortest) > MAX_NUMBER {
                return Err(format!("the replacement is longer than {MAX_NUMBER} characters"));
            }
            let most = pattern.captures_len() - 1;
            let beyond = |part: &&Part| matches!(part, Part::Group(number) if *number > most);
            if let Some(Part::Group(number)) = parts.iter().find(beyond) {
                return Err(format!("${number}: the pattern has {most} groups"));
            }
        }
        Ok(Self { text: text.to_owned(), action, pattern })
    }
}

/// The least length of what a replacement makes; `shortest`: of what its pattern finds.
fn least(parts: &[Part], shortest: usize) -> usize {
    let length = |part: &Part| match part {
        Part::Text(text) => text.len(),
        Part::Group(0) => shortest,
        // it may be empty, or no part of what was found
        Part::Group(_) => 0,
    };
    parts.iter().map(length).sum()
}

/// The pattern that begins at byte `from` of the rule, and the least length of what it finds.
fn compile(rule: &str, from: usize, source: &str) -> Result<(Regex, usize), String> {
    if source.is_empty() {
        return Err(format!("column {}: there is no pattern", column(rule, from)));
    }
    if source.len() > MAX_RULE_PATTERN {
        return Err(format!("the pattern is longer than {MAX_RULE_PATTERN} bytes"));
    }
    let at = |offset: usize, why: &dyn fmt::Display| {
        format!("column {}: {why}", column(rule, from + offset))
    };
    // first alone, for an error that knows its place
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
    let shortest = match parser.parse(source) {
        Ok(pattern) => pattern.properties().minimum_len().unwrap_or(0),
        Err(regex_syntax::Error::Parse(error)) => {
            return Err(at(error.span().start.offset, error.kind()));
        }
        Err(regex_syntax::Error::Translate(error)) => {
            return Err(at(error.span().start.offset, error.kind()));
        }
        Err(error) => return Err(at(0, &error)),
    };
    let built = RegexBuilder::new(source).unicode(false).size_limit(MAX_RULE_COMPILED).build();
    let pattern = built.map_err(|error| match error {
        regex::Error::CompiledTooBig(most) => {
            format!("the pattern needs more than {most} bytes when compiled")
        }
        other => other.to_string(),
    })?;
    Ok((pattern, shortest))
}

/// The replacement, which begins at byte `from` of the rule.
fn parts(rule: &str, from: usize, replacement: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut letters = replacement.char_indices();
    while let Some((at, letter)) = letters.next() {
        let no = |why: &str| Err(format!("column {}: {why}", column(rule, from + at)));
        if letter != '$' {
            if !u8::try_from(letter).is_ok_and(is_dialled) {
                return no("only letters, digits and + * # . _ - can be dialled");
            }
            text.push(letter);
            continue;
        }
        match letters.next().map(|(_, letter)| letter) {
            Some(digit) if digit.is_ascii_digit() => {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Group(digit.to_digit(10).unwrap_or(0) as usize));
            }
            Some('$') => return no("a dollar sign cannot be dialled"),
            Some(_) | None => return no("expected $0 to $9"),
        }
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    if parts.is_empty() { Err("the replacement is empty".to_owned()) } else { Ok(parts) }
}

/// The column of a byte, from 1.
fn column(text: &str, byte: usize) -> usize {
    text.get(..byte).map_or(0, |before| before.chars().count()) + 1
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Rule {}

#[cfg(test)]
mod tests;
