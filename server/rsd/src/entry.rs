//! Payload of a frame in RS's spool: what one send, one transaction or one HTTP request brought.
//!
//! Written by ingest before anything is answered, read by the applier, and by a later version
//! after an update. Layout: one byte [`VERSION`], then [`Entry`] in postcard (integers as varints,
//! sequences and texts with their length in front, enums by index); retries of dead letters have
//! version 2, and their letters behind it; what a user sent who is bound to names of producers has
//! version 3, and these behind it; what an RS has written has version 4, and letters behind it
//! like version 2, or version 5 with such names behind the letters. Fields and variants are only
//! ever appended, and then with a new version. What a body means is not looked at here. Stages 12
//! and 13 of the call's way.

use std::net::SocketAddr;

use model::record::{Record, Refusal, Stream};
use model::time::Millis;
use rs::share::LetterNo;
use serde::{Deserialize, Serialize};

use crate::backlog::Part;

/// First byte of a payload.
pub const VERSION: u8 = 1;
/// That of a payload with the letters that it is a retry of.
const VERSION_OF_RETRY: u8 = 2;
/// That of a payload with the names that its user is bound to.
const VERSION_OF_BOUND: u8 = 3;
/// That of a payload of [`Transport::Own`], with letters, of which there may be none.
const VERSION_OF_OWN: u8 = 4;
/// That of one which a user has sent who is bound to names: these stand behind the letters.
const VERSION_OF_BOUND_OWN: u8 = 5;

/// One indivisible arrival: all of its messages are stored or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was received, ms since 1970 UTC.
    pub received: u64,
    /// How it came.
    pub transport: Transport,
    /// The logged-in user, if there was one.
    pub user: Option<String>,
    /// Address of the peer.
    pub peer: SocketAddr,
    /// At least one.
    pub messages: Vec<Message>,
    /// The dead letters that the messages are retries of, one each; empty: they are none.
    #[serde(skip)]
    pub letters: Vec<LetterNo>,
    /// Names of producers that its user is bound to, as they were when it came; one that ends with
    /// `*` is the beginning of names. Empty: all. A retry is bound to none.
    #[serde(skip)]
    pub produces: Vec<String>,
}

/// How a record came in. The names are those of the metrics' label `transport`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// OpenWire on 61616.
    Openwire,
    /// STOMP on 61616.
    Stomp,
    /// `POST /api/v1/records`.
    Http,
    /// What an RS has written: the ends of orphans, and files that `ringmaster rs import` gives
    /// back. Alone of these it is believed that they were stored before.
    Own,
}

impl Transport {
    /// All of them, in the order of their index.
    pub const ALL: [Self; 4] = [Self::Openwire, Self::Stomp, Self::Http, Self::Own];

    /// Value of the label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openwire => "openwire",
            Self::Stomp => "stomp",
            Self::Http => "http",
            Self::Own => "own",
        }
    }
}

/// One message; at best it holds one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The ingest queue, `ringmaster.cdr` and so on; the one of the record's kind over HTTP.
    pub queue: String,
    /// JMSMessageID; the same on a replay. HTTP has none.
    pub message_id: Option<String>,
    /// Id for a record that brings none: property `recordId`, else JMSCorrelationID.
    pub fallback_id: Option<String>,
    /// Properties as text, for the dead letter; cut at 16 KiB in all.
    pub properties: Vec<(String, String)>,
    /// What it holds.
    pub body: Body,
}

/// What a message holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// UTF-8 text, no longer than a record might be when it came: to be read as one.
    Text(String),
    /// Bytes that are no UTF-8, as many: to be mended and read; `not_utf8` if that fails.
    NotUtf8(Raw),
    /// Above `rs.broker_limits.record`, first 64 KiB of it: dead letter `too_large`.
    TooLarge(Raw),
    /// A kind of message without text or bytes, first 64 KiB of its content: `not_json`.
    Unreadable {
        /// What it was, in words.
        kind: String,
        /// Its content.
        raw: Raw,
    },
}

/// What is wrong with a [`Body::TooLarge`].
pub(crate) const TOO_LARGE: &str = "it is longer than rs.broker_limits.record lets a record be";

impl Body {
    /// Its length, bytes.
    #[must_use]
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::NotUtf8(raw) | Self::TooLarge(raw) | Self::Unreadable { raw, .. } => raw.0.len(),
        }
    }
}

/// Bytes, written in one piece (serde's own way is one by one).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Raw(pub Vec<u8>);

impl Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Raw, E> {
                Ok(Raw(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

/// Why a payload cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Another version wrote it.
    #[error("payload version {0:?}, this is {VERSION}")]
    Version(Option<u8>),
    /// The bytes do not fit the layout.
    #[error("payload does not fit its layout")]
    Layout(#[source] postcard::Error),
}

impl Entry {
    /// The payload.
    ///
    /// # Errors
    /// None that a value of this type can cause; the serialiser's signature has one.
    pub fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        if self.transport == Transport::Own {
            if self.produces.is_empty() {
                let payload = postcard::to_extend(self, vec![VERSION_OF_OWN])?;
                return postcard::to_extend(&self.letters, payload);
            }
            let payload = postcard::to_extend(self, vec![VERSION_OF_BOUND_OWN])?;
            return postcard::to_extend(&(&self.letters, &self.produces), payload);
        }
        if self.letters.is_empty() {
            if self.produces.is_empty() {
                return postcard::to_extend(self, vec![VERSION]);
            }
            let payload = postcard::to_extend(self, vec![VERSION_OF_BOUND])?;
            return postcard::to_extend(&self.produces, payload);
        }
        let payload = postcard::to_extend(self, vec![VERSION_OF_RETRY])?;
        postcard::to_extend(&self.letters, payload)
    }

    /// When it was received.
    #[must_use]
    pub(crate) fn received_at(&self) -> Millis {
        Millis(self.received)
    }

    /// Its records by queue.
    #[must_use]
    pub(crate) fn parts(&self) -> Vec<Part> {
        parts(self.messages.iter().map(|message| (&*message.queue, message.body.bytes())))
    }

    /// How many records it brought: one a message.
    #[must_use]
    pub fn records(&self) -> u64 {
        u64::try_from(self.messages.len()).unwrap_or(u64::MAX)
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// Another version or damaged bytes.
    pub fn decode(payload: &[u8]) -> Result<Self, Unreadable> {
        match payload.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(Unreadable::Layout),
            Some((&(VERSION_OF_RETRY | VERSION_OF_OWN), rest)) => {
                let (entry, rest): (Self, _) =
                    postcard::take_from_bytes(rest).map_err(Unreadable::Layout)?;
                let letters = postcard::from_bytes(rest).map_err(Unreadable::Layout)?;
                Ok(Self { letters, ..entry })
            }
            Some((&VERSION_OF_BOUND, rest)) => {
                let (entry, rest): (Self, _) =
                    postcard::take_from_bytes(rest).map_err(Unreadable::Layout)?;
                let produces = postcard::from_bytes(rest).map_err(Unreadable::Layout)?;
                Ok(Self { produces, ..entry })
            }
            Some((&VERSION_OF_BOUND_OWN, rest)) => {
                let (entry, rest): (Self, _) =
                    postcard::take_from_bytes(rest).map_err(Unreadable::Layout)?;
                let (letters, produces) = postcard::from_bytes(rest).map_err(Unreadable::Layout)?;
                Ok(Self { letters, produces, ..entry })
            }
            other => Err(Unreadable::Version(other.map(|(version, _)| *version))),
        }
    }
}

/// Whether a user who is bound to these names may send a record (rs.md §8).
///
/// # Errors
/// The record is of another producer.
pub(crate) fn is_bound(produces: &[String], record: &Record) -> Result<(), Refusal> {
    let name = &*record.producer.name;
    let fits = |own: &String| match own.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => own == name,
    };
    if produces.is_empty() || produces.iter().any(fits) {
        return Ok(());
    }
    let text = format!("this user sends for {} only", produces.join(", "));
    Err(Refusal { code: "bad_value", field: "producer.name".to_owned(), text })
}

/// What a payload tells without being read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glance {
    /// [`Entry::received`].
    pub(crate) received: Millis,
    /// Its records by queue.
    pub(crate) parts: Vec<Part>,
}

/// Looks at a payload; no text of it is copied, and what the records say is not looked at.
///
/// # Errors
/// Another version or damaged bytes.
pub(crate) fn glance(payload: &[u8]) -> Result<Glance, Unreadable> {
    let rest = match payload.split_first() {
        Some((&(VERSION..=VERSION_OF_BOUND_OWN), rest)) => rest,
        other => return Err(Unreadable::Version(other.map(|(version, _)| *version))),
    };
    let seen: Seen<'_> = postcard::from_bytes(rest).map_err(Unreadable::Layout)?;
    let each = seen.messages.iter().map(|message| (message.queue, message.body.bytes()));
    Ok(Glance { received: Millis(seen.received), parts: parts(each) })
}

/// [`Entry`] as it lies in a payload.
#[derive(Deserialize)]
struct Seen<'p> {
    received: u64,
    _transport: Transport,
    #[serde(borrow)]
    _user: Option<&'p str>,
    _peer: SocketAddr,
    #[serde(borrow)]
    messages: Vec<SeenMessage<'p>>,
}

#[derive(Deserialize)]
struct SeenMessage<'p> {
    queue: &'p str,
    _message_id: Option<&'p str>,
    _fallback_id: Option<&'p str>,
    #[serde(borrow)]
    _properties: Vec<(&'p str, &'p str)>,
    #[serde(borrow)]
    body: SeenBody<'p>,
}

#[derive(Deserialize)]
enum SeenBody<'p> {
    Text(&'p str),
    NotUtf8(&'p [u8]),
    TooLarge(&'p [u8]),
    Unreadable { _kind: &'p str, raw: &'p [u8] },
}

impl SeenBody<'_> {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::NotUtf8(raw) | Self::TooLarge(raw) | Self::Unreadable { raw, .. } => raw.len(),
        }
    }
}

/// Records and bytes by queue; a name that is none of the four counts with the events.
fn parts<'m>(messages: impl Iterator<Item = (&'m str, usize)>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (queue, bytes) in messages {
        let stream = Stream::of_queue(queue).unwrap_or(Stream::Event);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        match parts.iter_mut().find(|part| part.stream == stream) {
            Some(part) => {
                part.records += 1;
                part.bytes += bytes;
            }
            None => parts.push(Part { stream, records: 1, bytes }),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let message = |body| Message {
            queue: "ringmaster.cdr".to_owned(),
            message_id: Some("ID:a:1:1:7".to_owned()),
            fallback_id: Some("r1".to_owned()),
            properties: vec![("recordId".to_owned(), "r1".to_owned())],
            body,
        };
        Entry {
            received: 300,
            transport: Transport::Openwire,
            user: None,
            peer: SocketAddr::from(([127, 0, 0, 1], 5000)),
            messages: vec![
                message(Body::Text("{}".to_owned())),
                message(Body::NotUtf8(Raw(vec![0xff]))),
                message(Body::TooLarge(Raw(vec![b'x']))),
                message(Body::Unreadable { kind: "map message".to_owned(), raw: Raw(vec![0]) }),
            ],
            letters: Vec::new(),
            produces: Vec::new(),
        }
    }

    /// The first message of it, byte by byte: a changed layout needs a new version.
    #[test]
    fn layout() {
        let mut entry = entry();
        entry.messages.truncate(1);
        let expected = b"\x01\xac\x02\x00\x00\x00\x7f\x00\x00\x01\x88\x27\
            \x01\x0eringmaster.cdr\x01\x0aID:a:1:1:7\x01\x02r1\x01\x08recordId\x02r1\x00\x02{}";
        let payload = entry.encode().unwrap();
        assert_eq!(payload.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn retries_carry_their_letters() {
        let retry = Entry { letters: vec![LetterNo { no: 7, retries: 2 }; 4], ..entry() };
        let payload = retry.encode().unwrap();
        assert_eq!((payload.first(), Entry::decode(&payload)), (Some(&2), Ok(retry)));
        assert_eq!(glance(&payload).unwrap().parts, entry().parts());
        assert!(Entry::decode(&payload[..payload.len() - 1]).is_err());
        let bound = Entry { produces: vec!["mcp-*".to_owned(), "rm-1".to_owned()], ..entry() };
        let payload = bound.encode().unwrap();
        assert_eq!((payload.first(), Entry::decode(&payload)), (Some(&3), Ok(bound)));
        assert_eq!(glance(&payload).unwrap().parts, entry().parts());
        for letters in [Vec::new(), vec![LetterNo { no: 7, retries: 2 }; 4]] {
            let own = Entry { transport: Transport::Own, letters, ..entry() };
            let payload = own.encode().unwrap();
            assert_eq!((payload.first(), Entry::decode(&payload)), (Some(&4), Ok(own.clone())));
            assert_eq!(glance(&payload).unwrap().parts, entry().parts());
            let bound = Entry { produces: vec!["mcp-*".to_owned()], ..own };
            let payload = bound.encode().unwrap();
            assert_eq!((payload.first(), Entry::decode(&payload)), (Some(&5), Ok(bound)));
            assert_eq!(glance(&payload).unwrap().parts, entry().parts());
        }
    }

    #[test]
    fn both_ways() {
        let payload = entry().encode().unwrap();
        assert_eq!(Entry::decode(&payload), Ok(entry()));
        let user = Some("é".repeat(200));
        let mut entry = entry();
        if let Some(message) = entry.messages.get_mut(1) {
            message.queue = "ringmaster.or".to_owned();
        }
        for entry in [entry.clone(), Entry { user, received: u64::MAX, ..entry }] {
            let cdr = Part { stream: Stream::Cdr, records: 3, bytes: 2 + 1 + 1 };
            let or = Part { stream: Stream::Or, records: 1, bytes: 1 };
            let expected = Glance { received: Millis(entry.received), parts: vec![cdr, or] };
            assert_eq!(entry.parts(), expected.parts);
            assert_eq!(glance(&entry.encode().unwrap()), Ok(expected));
        }
        assert_eq!(glance(b"\x06abc"), Err(Unreadable::Version(Some(6))));
        assert!(glance(b"\x01\xac").is_err());
        assert_eq!(Entry::decode(b""), Err(Unreadable::Version(None)));
        assert_eq!(Entry::decode(b"\x06abc"), Err(Unreadable::Version(Some(6))));
        for end in 1..payload.len() {
            assert!(Entry::decode(&payload[..end]).is_err(), "cut at {end}");
        }
    }
}
