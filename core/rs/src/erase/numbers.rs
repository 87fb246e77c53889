//! Numbers that are erased, known by their hashes under a secret: what is searched for is kept
//! nowhere, and who has the hash alone cannot try all numbers.
//!
//! A number is found however people write it (RFC 3966 §5.1.1), if it is all digits of a row, or
//! the end of a row behind a country's or an exchange's prefix. Each of its digits becomes a `9`,
//! so that nothing around it moves and JSON stays JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::text;
use crate::key::Key;

/// Digits of a number that can be erased: a shorter one stands in too many texts by chance.
pub const DIGITS: std::ops::RangeInclusive<usize> = 5..=20;
/// A shorter number is all digits of its row: the end of a longer one is somebody else's.
const ENDS: usize = 7;
/// Digits of a prefix: `00` and a country, at most.
const PREFIX: usize = 5;

/// What stands in place of a digit that is erased.
const NINE: u8 = b'9';

/// What hashes of numbers are made with.
pub type Secret = [u8; 32];

/// A number as somebody names it; it cannot be shown.
pub struct Number(Vec<u8>);

impl Number {
    /// As people write it; `None`: too few or too many digits, or something else than a number.
    #[must_use]
    pub fn of(number: &str) -> Option<Self> {
        let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || text::is_between(byte));
        (plain && DIGITS.contains(&digits.len())).then_some(Self(digits))
    }

    /// What it is known by.
    #[must_use]
    pub fn hash(&self, secret: &Secret) -> NumberHash {
        let digits = u8::try_from(self.0.len()).unwrap_or(u8::MAX);
        NumberHash { digits, hash: hash(secret, &self.0) }
    }
}

/// A number by its hash, or what names a call that is erased whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumberHash {
    /// How many digits it has; 0: it names a call.
    pub digits: u8,
    /// Of these digits, or of this name.
    pub hash: Key,
}

impl NumberHash {
    /// All calls of a GUID.
    fn of_guid(guid: &str, secret: &Secret) -> Self {
        Self { digits: 0, hash: hash(secret, &[b"guid ", guid.as_bytes()].concat()) }
    }

    /// What a component tells of a session.
    fn of_session(component: &str, session_id: &str, secret: &Secret) -> Self {
        let text = [b"session ", component.as_bytes(), b"\0", session_id.as_bytes()];
        Self { digits: 0, hash: hash(secret, &text.concat()) }
    }
}

/// By what a record names the call that it is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named<'n> {
    /// Its GUID.
    pub guid: Option<&'n str>,
    /// Name of the component.
    pub component: &'n str,
    /// Session there.
    pub session_id: Option<&'n str>,
}

impl Named<'_> {
    /// Under what the call is known when it is erased whole.
    pub fn hashes(&self, secret: &Secret) -> impl Iterator<Item = NumberHash> + use<> {
        let session_id = self.session_id.filter(|session_id| !session_id.is_empty());
        let session =
            session_id.map(|session| NumberHash::of_session(self.component, session, secret));
        let guid = self.guid.map(|guid| NumberHash::of_guid(guid, secret));
        guid.into_iter().chain(session)
    }
}

/// Numbers that are erased, and until when: what comes of a call that began later is of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    numbers: Numbers,
    /// Calls that are erased whole, by their names.
    calls: Arc<BTreeMap<Key, i64>>,
    latest_ms: i64,
}

impl Erased {
    /// Of these, each with a time in ms since 1970 UTC; their hashes are made with the secret.
    #[must_use]
    pub fn of(all: Vec<(NumberHash, i64)>, secret: Secret) -> Self {
        let latest_ms = all.iter().map(|(_, until_ms)| *until_ms).max().unwrap_or(i64::MIN);
        let (numbers, calls): (Vec<_>, Vec<_>) = all.into_iter().partition(|(of, _)| of.digits > 0);
        let mut names = BTreeMap::new();
        for (NumberHash { hash, .. }, until_ms) in calls {
            let until = names.entry(hash).or_insert(until_ms);
            *until = until_ms.max(*until);
        }
        Self { numbers: Numbers::until(numbers, secret), calls: Arc::new(names), latest_ms }
    }

    /// Whether nothing is erased.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.calls.is_empty()
    }

    /// Whether a call that is erased whole may be of this time.
    pub(crate) fn has_calls(&self, time_ms: i64) -> bool {
        !self.calls.is_empty() && time_ms <= self.latest_ms
    }

    /// Whether something of this time belongs to a call that is erased whole.
    pub(crate) fn has_call(&self, call: &Named<'_>, time_ms: i64) -> bool {
        let secret = &self.numbers.secret;
        let until_ms = call.hashes(secret).filter_map(|name| self.calls.get(&name.hash).copied());
        until_ms.max().is_some_and(|until_ms| time_ms <= until_ms)
    }

    /// All numbers.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        self.numbers.clone()
    }

    /// Those that something of this time must not tell.
    #[must_use]
    pub fn at(&self, time_ms: i64) -> Numbers {
        if time_ms > self.latest_ms {
            return Numbers::default();
        }
        Numbers { from_ms: time_ms, ..self.numbers.clone() }
    }
}

/// A set of numbers. A copy is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// By their count of digits, each with the time until which it is meant.
    all: Arc<BTreeMap<usize, BTreeMap<Key, i64>>>,
    secret: Secret,
    /// Of those, the ones that are meant at least until then.
    from_ms: i64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { all: Arc::default(), secret: Secret::default(), from_ms: i64::MIN }
    }
}

impl Numbers {
    /// Of these, whose hashes are made with the secret.
    #[must_use]
    pub fn of(all: impl IntoIterator<Item = NumberHash>, secret: Secret) -> Self {
        Self::until(all.into_iter().map(|number| (number, i64::MAX)), secret)
    }

    fn until(all: impl IntoIterator<Item = (NumberHash, i64)>, secret: Secret) -> Self {
        let mut numbers: BTreeMap<usize, BTreeMap<Key, i64>> = BTreeMap::new();
        for (NumberHash { digits, hash }, until_ms) in all {
            let until = numbers.entry(usize::from(digits)).or_default();
            let until = until.entry(hash).or_insert(until_ms);
            *until = until_ms.max(*until);
        }
        Self { all: Arc::new(numbers), secret, from_ms: i64::MIN }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether a text holds one of them.
    #[must_use]
    pub fn are_in(&self, text: &[u8]) -> bool {
        !self.places(text).is_empty()
    }

    /// Whether the user part of a URI is one of them.
    #[must_use]
    pub fn are_user_of(&self, uri: &str) -> bool {
        self.are_in(text::user(uri).as_bytes())
    }

    /// The text without them; `None`: it holds none.
    #[must_use]
    pub fn without(&self, text: &str) -> Option<String> {
        let bytes = self.without_bytes(text.as_bytes())?;
        // digits have become digits
        String::from_utf8(bytes).ok()
    }

    /// The same for bytes that need not be text.
    #[must_use]
    pub fn without_bytes(&self, text: &[u8]) -> Option<Vec<u8>> {
        masked(text, &self.places(text), NINE)
    }

    /// Replaces a value that holds one; true: it did.
    pub(crate) fn wipe(&self, text: &mut String) -> bool {
        let without = self.without(text);
        let found = without.is_some();
        if let Some(without) = without {
            *text = without;
        }
        found
    }

    /// The same wherever their digits stand in a row: for texts of a call that is one of theirs.
    pub(crate) fn wipe_all(&self, text: &mut String) {
        let without = masked(text.as_bytes(), &self.all_places(text.as_bytes()), NINE);
        if let Some(without) = without.and_then(|bytes| String::from_utf8(bytes).ok()) {
            *text = without;
        }
    }

    /// Whether their digits stand in a row of it: for texts of a call that is one of theirs.
    pub(super) fn stand_in_a_row(&self, text: &str) -> bool {
        !self.all_places(text.as_bytes()).is_empty()
    }

    /// Whether their digits stand anywhere, also in what is no number where it can be read: of a
    /// short one all digits of a row, of any other a part of one.
    pub(super) fn stand_in(&self, text: &[u8]) -> bool {
        let holds = |row: &Vec<usize>, count: usize| match count < ENDS {
            true => row.len() == count && self.are(text, row, count),
            false => row.windows(count).any(|window| self.are(text, window, count)),
        };
        let mut rows = text::rows(text).into_iter().filter(|_| !self.all.is_empty());
        rows.any(|row| self.all.keys().any(|count| holds(&row, *count)))
    }

    /// Where their digits stand.
    fn places(&self, text: &[u8]) -> Vec<usize> {
        let mut places = Vec::new();
        if self.all.is_empty() {
            return places;
        }
        for row in text::telephone(text, text::Ids::Named) {
            let digits: Vec<usize> = row.iter().flat_map(Clone::clone).collect();
            let sums = row.iter().scan(0, |sum, group| {
                let begin = *sum;
                *sum += group.len();
                Some((begin, *sum))
            });
            let (begins, ends): (Vec<usize>, Vec<usize>) = sums.unzip();
            for (end, count) in ends.iter().flat_map(|end| self.all.keys().map(|of| (*end, *of))) {
                let Some(from) = end.checked_sub(count) else { continue };
                let begins_well = if count < ENDS {
                    from == 0 && end == digits.len()
                } else {
                    begins.iter().any(|begin| (from.saturating_sub(PREFIX)..=from).contains(begin))
                };
                let window = digits.get(from..end).unwrap_or_default();
                if begins_well && self.are(text, window, count) {
                    places.extend(window);
                }
            }
        }
        places
    }

    fn all_places(&self, text: &[u8]) -> Vec<usize> {
        let mut places = Vec::new();
        for row in text::rows(text) {
            for count in self.all.keys() {
                let found = row.windows(*count).filter(|window| self.are(text, window, *count));
                places.extend(found.flatten());
            }
        }
        places
    }

    /// The digits at these places are one of those that have so many.
    fn are(&self, text: &[u8], places: &[usize], count: usize) -> bool {
        let digits: Vec<u8> = places.iter().filter_map(|at| text.get(*at).copied()).collect();
        let hash = hash(&self.secret, &digits);
        let until_ms = self.all.get(&count).and_then(|hashes| hashes.get(&hash));
        until_ms.is_some_and(|until_ms| self.from_ms <= *until_ms)
    }
}

/// The text with a sign at these places; `None`: there are none.
pub(crate) fn masked(text: &[u8], places: &[usize], sign: u8) -> Option<Vec<u8>> {
    if places.is_empty() {
        return None;
    }
    let mut text = text.to_vec();
    for at in places {
        if let Some(byte) = text.get_mut(*at) {
            *byte = sign;
        }
    }
    Some(text)
}

fn hash(secret: &Secret, digits: &[u8]) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(&blake3::keyed_hash(secret, digits).as_bytes()[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: Secret = [7; 32];

    fn numbers(number: &str) -> Numbers {
        Numbers::of(Number::of(number).map(|number| number.hash(&SECRET)), SECRET)
    }

    #[test]
    fn a_number_is_found_however_it_is_written() {
        let numbers = numbers("+49 (30) 123-456");
        for (text, expected) in [
            ("sip:+4930123456@gw", "sip:+9999999999@gw"),
            ("call +49-30/123.456 now", "call +99-99/999.999 now"),
            ("call +49 30 123456 12 times", "call +99 99 999999 12 times"),
            (r#"{"n":4930123456}"#, r#"{"n":9999999999}"#),
            (r#"{"n":"a\n4930123456"}"#, r#"{"n":"a\n9999999999"}"#),
            ("sip:%2B4930123456@gw", "sip:%2B9999999999@gw"),
            ("004930123456", "009999999999"),
            ("2026-11-22 4930123456", "2026-11-22 9999999999"),
        ] {
            // what stands before it is no part of it
            assert_eq!(numbers.without(text).as_deref(), Some(expected), "{text}");
            assert!(numbers.are_in(text.as_bytes()));
        }
        for text in ["", "493012345", "4930 x 123456", "493012345x6", "49301    23456"] {
            assert_eq!(numbers.without(text), None, "{text}");
        }
        for text in [
            "49301234567",
            "1749304930123456",
            "E1-4930123456AB",
            "u@4930123456.example",
            r#"{"id":"4930123456", "started_at" : 4930123456,"a_ms":4930123456}"#,
        ] {
            assert_eq!(numbers.without(text), None, "{text}");
        }
        assert_eq!(numbers.without_bytes(b"\xff4930123456").unwrap(), b"\xff9999999999");
        assert!(!Numbers::default().are_in(b"4930123456"));
        let mut text = "1749301234561".to_owned();
        numbers.wipe_all(&mut text);
        assert_eq!(text, "1799999999991");
    }

    /// Digits of others that are the same.
    #[test]
    fn a_short_number_takes_nothing_of_others() {
        let short = numbers("10001");
        for text in [
            "10.0.0.12",
            "10.0.0.1",
            "sip:10.0.0.1:10001",
            "sip:mcp@10.0.0.1:10001;n=1",
            "gw.example:10001",
            "+49 30 10001",
            "+4930123410001",
            "100012",
            "1000-1-22",
            "2026-10-00 1:00.01",
        ] {
            assert_eq!(short.without(text), None, "{text}");
        }
        assert_eq!(short.without("sip:10001@10.0.0.1").as_deref(), Some("sip:99999@10.0.0.1"));
        assert_eq!(short.without("asked for 1-00-01").as_deref(), Some("asked for 9-99-99"));
        assert_eq!(numbers("20261122").without("on 2026-11-22T10:00:00Z"), None);
        assert_eq!(numbers("1000030").without("at 10:00:30.123"), None);
        assert!(short.are_user_of("sip:10001@gw") && short.are_user_of("tel:10001;x=y"));
        assert!(short.are_user_of("SIPS:10001;a=b:pw@gw") && !short.are_user_of("sips:10001"));
        assert!(short.are_user_of("10001") && !short.are_user_of("sip:10001"));
        assert!(!short.are_user_of("sip:alice@10001") && !short.are_user_of("sip:a:10001@gw"));
    }

    #[test]
    fn a_number_is_meant_until_its_time_also_when_it_is_asked_for_again() {
        let hash = |number: &str| Number::of(number).unwrap().hash(&SECRET);
        let (one, other) = (hash("4930123456"), hash("4930654321"));
        let all = Erased::of(vec![(one, 10), (one, 30), (other, 20)], SECRET);
        for (time_ms, expected) in [
            (20, "9999999999, 9999999999"),
            (21, "9999999999, 4930654321"),
            (31, "4930123456, 4930654321"),
        ] {
            let text = "4930123456, 4930654321";
            let told = all.at(time_ms).without(text);
            assert_eq!(told.as_deref().unwrap_or(text), expected, "{time_ms}");
        }
    }

    #[test]
    fn what_is_no_number_cannot_be_erased() {
        for text in ["", "1234", "alice", "+49x30123", "123456789012345678901"] {
            assert!(Number::of(text).is_none(), "{text}");
        }
        let one = Number::of("12345").unwrap().hash(&SECRET);
        assert_eq!(one.digits, 5);
        assert_eq!(Number::of("+1-2-3-4-5").unwrap().hash(&SECRET), one);
        assert_ne!(Number::of("12345").unwrap().hash(&[8; 32]).hash, one.hash, "without a secret");
    }
}
