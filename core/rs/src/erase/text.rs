//! Where digits of telephone numbers stand in a text that also has other digits. What is of
//! somebody else must not be taken for a number that is erased: hosts, ports, addresses, dates,
//! ids and what is glued to letters are spared.

use std::ops::Range;

/// What stands between two digits of one number, at most.
const BETWEEN: usize = 3;
/// Of these a port has no more.
const PORT: usize = 5;

/// Which fields of JSON tell which record it is, and when: their digits are no telephone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Whatever is named like one: to erase a number, digits of others must stay.
    Named,
    /// Our own: to hide numbers, `caller_id` of somebody else is one.
    Ours,
}

/// Rows of digits, each by the places of its digits.
pub(super) fn rows(text: &[u8]) -> Vec<Vec<usize>> {
    let all = solid(text);
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for (n, group) in all.iter().enumerate() {
        let joined = n.checked_sub(1).and_then(|before| all.get(before));
        match rows.last_mut().filter(|_| joined.is_some_and(|before| joins(text, before, group))) {
            Some(row) => row.extend(group.clone()),
            None => rows.push(group.clone().collect()),
        }
    }
    rows
}

/// Rows of digits that may be a telephone number, each by its unbroken groups.
pub(crate) fn telephone(text: &[u8], ids: Ids) -> Vec<Vec<Range<usize>>> {
    let all = solid(text);
    let spared = spared(text, &all, ids);
    let mut rows: Vec<Vec<Range<usize>>> = Vec::new();
    let mut last: Option<&Range<usize>> = None;
    for (group, spared) in all.iter().zip(spared) {
        if spared {
            last = None;
            continue;
        }
        match rows.last_mut().filter(|_| last.is_some_and(|last| joins(text, last, group))) {
            Some(row) => row.push(group.clone()),
            None => rows.push(vec![group.clone()]),
        }
        last = Some(group);
    }
    rows
}

/// The user part of a URI.
pub(super) fn user(uri: &str) -> &str {
    uri.get(user_range(uri)).unwrap_or_default()
}

/// Where the user part of a URI stands; a text without a scheme and a host is all of it.
pub(crate) fn user_range(uri: &str) -> Range<usize> {
    let named = uri.split_once(':').filter(|(scheme, _)| {
        ["sip", "sips", "tel"].iter().any(|name| scheme.eq_ignore_ascii_case(name))
    });
    let (scheme, rest) = named.unwrap_or(("", uri));
    let user = match rest.split_once('@') {
        Some((user, _)) => user,
        None if scheme.is_empty() || scheme.eq_ignore_ascii_case("tel") => rest,
        None => "",
    };
    let user = user.split([':', ';']).next().unwrap_or_default();
    let begin = uri.len() - rest.len();
    begin..begin + user.len()
}

pub(super) const fn is_between(byte: u8) -> bool {
    matches!(byte, b'+' | b'-' | b'.' | b'(' | b')' | b' ' | b'/')
}

fn solid(text: &[u8]) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        match all.last_mut().filter(|group| group.end == at) {
            Some(group) => group.end += 1,
            None => all.push(at..at + 1),
        }
    }
    all
}

/// Two groups are parts of one row.
fn joins(text: &[u8], before: &Range<usize>, group: &Range<usize>) -> bool {
    let between = text.get(before.end..group.start).unwrap_or_default();
    between.len() <= BETWEEN && between.iter().all(|byte| is_between(*byte))
}

/// Which groups are no telephone number.
fn spared(text: &[u8], all: &[Range<usize>], ids: Ids) -> Vec<bool> {
    let mut spared = vec![false; all.len()];
    let quiet = quiet(text, ids);
    let mut quiet = quiet.iter().peekable();
    for n in 0..all.len() {
        let Some(group) = all.get(n) else { break };
        while quiet.next_if(|range| range.end <= group.start).is_some() {}
        let own = glued(text, group)
            || is_port(text, group)
            || quiet.peek().is_some_and(|range| range.contains(&group.start));
        let many = shape(text, all.get(n..).unwrap_or_default(), n > 0 && dotted(text, all, n));
        let many = many.max(usize::from(own));
        spared.iter_mut().skip(n).take(many).for_each(|spared| *spared = true);
    }
    spared
}

/// How many groups from the first on are an IPv4 address with its port, a date or a time.
fn shape(text: &[u8], all: &[Range<usize>], goes_on: bool) -> usize {
    let width = |n: usize| all.get(n).map_or(0, ExactSizeIterator::len);
    let sign = |n: usize| {
        let (before, after) = (all.get(n)?, all.get(n + 1)?);
        (before.end + 1 == after.start).then(|| text.get(before.end).copied()).flatten()
    };
    let byte = |n: usize| {
        let digits = all.get(n).and_then(|group| text.get(group.clone()));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        digits.is_some_and(|digits| digits.len() <= 3 && digits.parse::<u8>().is_ok())
    };
    let dots = |n: usize| sign(n) == Some(b'.');
    if !goes_on && (0..4).all(byte) && (0..3).all(dots) && !dots(3) {
        return if sign(3) == Some(b':') { 5 } else { 4 };
    }
    let same = sign(0).filter(|one| sign(1) == Some(*one) && matches!(one, b'-' | b'.' | b'/'));
    match (width(0), width(1), width(2)) {
        (4, 2, 2) | (2, 2, 4) if same.is_some() => return 3,
        _ => {}
    }
    match sign(0) {
        Some(b':') if width(0) <= 2 && width(1) == 2 => match sign(1) {
            Some(b'.') => 3,
            Some(b':') if width(2) == 2 => 2 + usize::from(sign(2) == Some(b'.')) + 1,
            _ => 2,
        },
        _ => 0,
    }
}

/// A dot and a digit stand before the group.
fn dotted(text: &[u8], all: &[Range<usize>], n: usize) -> bool {
    let before = n.checked_sub(1).and_then(|before| all.get(before));
    let group = all.get(n);
    before.zip(group).is_some_and(|(before, group)| {
        before.end + 1 == group.start && text.get(before.end) == Some(&b'.')
    })
}

/// It is a part of a word, as in a session's name; escapes are none.
fn glued(text: &[u8], group: &Range<usize>) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let at = |back: usize| group.start.checked_sub(back).and_then(|at| text.get(at)).copied();
    let escape = at(2) == Some(b'\\') || at(3) == Some(b'%');
    at(1).is_some_and(letter) && !escape || text.get(group.end).copied().is_some_and(letter)
}

/// It is the port of a host that has a name with a dot.
fn is_port(text: &[u8], group: &Range<usize>) -> bool {
    let before = text.get(..group.start).unwrap_or_default();
    let Some((b':', host)) = before.split_last().map(|(last, rest)| (*last, rest)) else {
        return false;
    };
    let is_host = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    group.len() <= PORT && host.iter().rev().take_while(is_host).any(|byte| *byte == b'.')
}

/// Hosts behind a user, and fields of JSON that tell which record it is, and when.
fn quiet(text: &[u8], ids: Ids) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = text.get(at + 1..).unwrap_or_default();
        let many = match byte {
            b'@' => host(rest),
            b'"' => field(rest, ids),
            _ => None,
        };
        match many {
            Some(many) => {
                all.push(at + 1..at + 1 + many);
                at += many.max(1);
            }
            None => at += 1,
        }
    }
    all
}

fn host(rest: &[u8]) -> Option<usize> {
    let is_host = |byte: &&u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(*byte);
    Some(rest.iter().take_while(is_host).count())
}

/// Whether a field of this name tells which record it is, or when.
pub(crate) fn is_id(name: &[u8], ids: Ids) -> bool {
    const NAMES: &[&str] = &["id", "guid", "time", "seq", "boot", "epoch", "dbid", "leg"];
    const ENDS: &[&str] = &["_id", "_guid", "_uuid", "_at", "_ms", "_time", "_seq"];
    /// Names of ours with these ends.
    const OURS: &[&str] = &[
        "session_id",
        "call_id",
        "conference_id",
        "log_id",
        "call_uuid",
        "started_at",
        "answered_at",
        "ringing_at",
        "ended_at",
        "created_at",
        "updated_at",
        "duration_ms",
        "jitter_ms",
        "value_ms",
        "threshold_ms",
        "peak_time",
    ];
    let one_of = |names: &[&str]| names.iter().any(|of| of.as_bytes() == name);
    one_of(NAMES)
        || match ids {
            Ids::Named => ENDS.iter().any(|end| name.ends_with(end.as_bytes())),
            Ids::Ours => one_of(OURS),
        }
}

/// How far a field reaches that is not to be changed, from its name on.
fn field(rest: &[u8], ids: Ids) -> Option<usize> {
    /// Properties of a message, which are pairs.
    const PAIRS: &[&str] = &["recordId", "_AMQ_DUPL_ID"];
    let name = rest.iter().take_while(|byte| **byte != b'"').take(65).count();
    let (name, value) = (rest.get(..name)?, rest.get(name + 1..)?);
    let pair = PAIRS.iter().any(|of| of.as_bytes() == name);
    if !pair && !is_id(name, ids) {
        return None;
    }
    let blanks = |of: &[u8]| of.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let colon = blanks(value);
    let value = value.get(colon..)?.strip_prefix(if pair { b"," } else { b":" })?;
    let blank = blanks(value);
    let value = value.get(blank..)?;
    let long = match value.split_first()? {
        (b'"', text) => text.iter().take_while(|byte| **byte != b'"').count() + 2,
        _ => value.iter().take_while(|byte| byte.is_ascii_digit()).count(),
    };
    Some(name.len() + 1 + colon + 1 + blank + long)
}
