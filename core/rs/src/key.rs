//! Keys of 16 bytes that every RS computes alike, without asking a database (rs.md §3.1).
//!
//! ```text
//! 4 bytes  time: upper 32 bits of a v7 GUID, else seconds since 1970
//! 12 bytes beginning of BLAKE3 over the key's fields, each as u32 length (big-endian) + bytes
//! ```
//! So inserts go to the end of an index, and a replay, which repeats all of this unchanged, meets
//! the same key.

use model::id::{Guid, LegId};
use model::record::{Body, CallGuid, ComponentType, Record};
use model::time::Millis;

/// A key of 16 bytes.
pub type Key = [u8; 16];

/// A UTC day as `yyyymmdd`.
pub type Day = u32;

/// Where a fact belongs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Keys {
    /// Day (`yyyymmdd`, UTC) of the fact and its ledger entry: of the session's start, of a call
    /// that is no leg of RM of its own start.
    pub day: Day,
    /// Key in `fact_ledger`: what has the same is one record, by whatever content. Of a `cdr` it is
    /// made of its id and its call, of others of the id and whether they hang on a call.
    pub id_key: Key,
    /// Key in `call`, of a `cdr`.
    pub call_key: Option<Key>,
}

impl Keys {
    /// The keys of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let at = Moments::of(record);
        let (id, call_key) = (record.id.as_bytes(), call_key(record));
        let id_key = match &call_key {
            // one id of two calls is of two records, or which of them counts would depend on which
            // comes first: a fact that loses its id has to leave the call that it was told of
            Some(call @ [a, b, c, d, ..]) => key([*a, *b, *c, *d], &[id, call]),
            None => key(at.prefix(), &[id, &[u8::from(hangs_on_a_call(record))]]),
        };
        Self { day: day(at.fact), id_key, call_key }
    }
}

/// How an id begins that names its key, where only that was stored: 32 hexadecimal digits, `/` and
/// the number in the id follow.
pub(crate) const KEY_ID: &str = "key:";

/// The key that an id names. Whoever sends what was not written by an RS names none.
pub(crate) fn named(id: &str) -> Option<Key> {
    let (digits, _) = id.strip_prefix(KEY_ID)?.split_once('/')?;
    let whole = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = whole.then(|| u128::from_str_radix(digits, 16).ok()).flatten();
    number.map(u128::to_be_bytes)
}

/// The day of a time as `yyyymmdd` in UTC.
#[must_use]
pub fn day(time: Millis) -> Day {
    let (year, month, day) = time.date();
    // a year has at most 9 digits before u64 milliseconds end, and 4 in any record that is read
    let year = u32::try_from(year.min(9999)).unwrap_or(9999);
    year * 10_000 + u32::from(month) * 100 + u32::from(day)
}

/// The day before.
#[must_use]
pub fn before(day: Day) -> Day {
    neighbour(day, -1)
}

/// The day after.
#[must_use]
pub fn after(day: Day) -> Day {
    neighbour(day, 1)
}

/// First instant of a day, UTC ms.
#[must_use]
pub fn start_ms(of: Day) -> i64 {
    let text = format!("{:04}-{:02}-{:02}T00:00:00Z", of / 10_000, of / 100 % 100, of % 100);
    Millis::parse(&text).map_or(0, |start| i64::try_from(start.0).unwrap_or(i64::MAX))
}

/// The instants that say on which days a record lies and what it hangs together with, the earlier
/// one first: that of its own day, and that of its session's start.
#[must_use]
pub fn span(record: &Record) -> [Millis; 2] {
    let at = Moments::of(record);
    [at.fact.min(at.session()), at.fact.max(at.session())]
}

/// The day that a GUID tells: all legs of RM of its session lie there. `None`: it tells none, they
/// lie where they begin.
#[must_use]
pub fn guid_day(guid: &CallGuid) -> Option<Day> {
    guid.v7().and_then(|guid| guid.time()).map(day)
}

/// The day that a call lies on. All facts of one call have its key in common, so that is all that
/// may say it: the GUID of a leg of RM, of any other call its start.
#[must_use]
pub fn call_day(guid: Option<&CallGuid>, is_leg: bool, started_at: Millis) -> Day {
    let session = guid.filter(|_| is_leg).and_then(guid_day);
    session.unwrap_or_else(|| day(started_at))
}

/// The days that the first four bytes of a key may mean: seconds, or the upper part of a v7 GUID.
#[must_use]
pub fn days_of(key: &Key) -> [Day; 3] {
    let [a, b, c, d, ..] = *key;
    let time = u64::from(u32::from_be_bytes([a, b, c, d]));
    [time * 1000, time << 16, (time << 16) + 0xFFFF].map(|ms| day(Millis(ms)))
}

/// A day with its neighbours, oldest first.
#[must_use]
pub fn beside(day: Day) -> [Day; 3] {
    [before(day), day, after(day)]
}

/// A day with two days on each side, oldest first.
#[must_use]
pub fn around(day: Day) -> [Day; 5] {
    let [before_it, _, after_it] = beside(day);
    [before(before_it), before_it, day, after_it, after(after_it)]
}

fn neighbour(of: Day, by: i64) -> Day {
    const DAY_MS: i64 = 86_400_000;
    // within a month
    match (of % 100, by) {
        (1..28, 1) => return of + 1,
        (2.., -1) => return of - 1,
        _ => {}
    }
    let noon = start_ms(of) + DAY_MS / 2 + by * DAY_MS;
    day(Millis(u64::try_from(noon).unwrap_or_default()))
}

/// Key of the call that is one leg of RM. `started_at` counts only where the GUID has no time.
#[must_use]
pub fn leg_key(guid: &CallGuid, leg: LegId, started_at: Millis) -> Key {
    let prefix = guid.v7().map_or_else(|| seconds(started_at), |guid| upper(&guid));
    let leg = leg.0.to_be_bytes();
    match guid {
        CallGuid::Uuid(guid) => key(prefix, &[&guid.0, &leg]),
        CallGuid::Text(text) => key(prefix, &[text.as_bytes(), &leg]),
    }
}

/// Key of the call that is one session of any other component.
#[must_use]
pub fn session_key(component: &str, session_id: &str, started_at: Millis) -> Key {
    let started = started_at.0.to_be_bytes();
    key(seconds(started_at), &[component.as_bytes(), session_id.as_bytes(), &started])
}

/// Key that events are found by: component and session, whichever of its calls it was.
#[must_use]
pub fn call_ref(component: &str, session_id: &str, time: Millis) -> Key {
    key(seconds(time), &[component.as_bytes(), session_id.as_bytes()])
}

/// Key of one failure of a record: its time is that of the record's ledger key.
#[must_use]
pub fn failure_key(id_key: &Key, at: u32) -> Key {
    let [a, b, c, d, ..] = *id_key;
    key([a, b, c, d], &[id_key, &at.to_be_bytes()])
}

/// Key of a dead letter: the fields tell which one it is, no time is known of all.
#[must_use]
pub fn letter_key(fields: &[&[u8]]) -> Key {
    key([0; 4], fields)
}

/// Key of the RM leg whose session id this is (`{guid}.{leg}`), if it can be told from it.
#[must_use]
pub fn of_rm_session(session_id: &str) -> Option<Key> {
    let (guid, leg) = session_id.split_once('.')?;
    let guid = Guid::parse(guid).filter(Guid::is_v7)?;
    Some(leg_key(&guid.into(), LegId::parse(leg)?, Millis::default()))
}

fn call_key(record: &Record) -> Option<Key> {
    let Body::Cdr(cdr) = &record.body else { return None };
    Some(match leg_of(record) {
        Some((guid, leg)) => leg_key(guid, leg, cdr.started_at),
        None => session_key(&record.component.name, &cdr.session_id, cdr.started_at),
    })
}

/// Events, reports and quality lie with the calls; all else may lie apart, with its own ledger.
const fn hangs_on_a_call(record: &Record) -> bool {
    matches!(record.body, Body::Event(_) | Body::Var(_) | Body::SqCall(_))
}

/// The leg of RM that a record is of.
fn leg_of(record: &Record) -> Option<(&CallGuid, LegId)> {
    match (&record.body, record.component.kind) {
        (Body::Cdr(cdr), ComponentType::Rm) => cdr.guid.as_ref().zip(cdr.leg),
        _ => None,
    }
}

/// The times that a record repeats unchanged whenever it is sent again (rs.md §3.3).
struct Moments {
    guid: Option<Guid>,
    other: Millis,
    /// What says the day.
    fact: Millis,
}

impl Moments {
    fn of(record: &Record) -> Self {
        let (guid, other) = match &record.body {
            Body::Cdr(cdr) => (cdr.guid.as_ref(), Some(cdr.started_at)),
            Body::Event(event) => (event.guid.as_ref(), None),
            Body::Var(var) => (var.guid.as_ref(), None),
            Body::SqCall(call) => (call.guid.as_ref(), None),
            Body::Arrivals(bin) => (None, Some(bin.bin_start)),
            Body::Peaks(bin) => (None, Some(bin.bin_start)),
            Body::Latency(bin) => (None, Some(bin.bin_start)),
            Body::Integrity(books) => (None, Some(books.minute)),
            Body::Outbound(_) | Body::Snmp(_) => (None, None),
        };
        let (guid, other) = (guid.and_then(CallGuid::v7), other.unwrap_or(record.time));
        let at = Self { guid, other, fact: other };
        let by_start = matches!(record.body, Body::Cdr(_)) && leg_of(record).is_none();
        if by_start { at } else { Self { fact: at.session(), ..at } }
    }

    /// Start of the session.
    fn session(&self) -> Millis {
        self.guid.and_then(|guid| guid.time()).unwrap_or(self.other)
    }

    fn prefix(&self) -> [u8; 4] {
        self.guid.map_or_else(|| seconds(self.other), |guid| upper(&guid))
    }
}

fn upper(guid: &Guid) -> [u8; 4] {
    let [a, b, c, d, ..] = guid.0;
    [a, b, c, d]
}

fn seconds(time: Millis) -> [u8; 4] {
    u32::try_from(time.0 / 1000).unwrap_or(u32::MAX).to_be_bytes()
}

fn key(prefix: [u8; 4], fields: &[&[u8]]) -> Key {
    let mut hasher = blake3::Hasher::new();
    for field in fields {
        hasher.update(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        hasher.update(field);
    }
    let mut key = Key::default();
    let (time, rest) = key.split_at_mut(4);
    time.copy_from_slice(&prefix);
    rest.copy_from_slice(&hasher.finalize().as_bytes()[..12]);
    key
}

#[cfg(test)]
mod tests;
