//! What goes to the broker together, and the order in which it is acknowledged.
//!
//! A group is one plain send or one transaction (rm.md §9.6). It keeps its frames until the broker
//! has acknowledged it, so that the same bytes can be sent again on another connection. It knows
//! no socket.

use super::line::Line;
use model::record::{Kind as RecordKind, Stream};
use openwire::{Client, Outbound, SendError};
use rm::frame;
use serde::Deserialize;
use spool::{Frame, Kind};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

/// Records on their way, and the position in the spool that their acknowledgement proves.
#[derive(Debug)]
pub(super) struct Group {
    /// Names it towards the client.
    pub(super) tag: u64,
    /// Everything up to here is acknowledged with it; 0: the group behind it says.
    pub(super) upto: u64,
    /// When it was sent last.
    pub(super) sent: Duration,
    /// Done with: the broker has it.
    pub(super) passed: bool,
    stream: Stream,
    records: Vec<Record>,
}

/// One record and its place.
#[derive(Debug)]
struct Record {
    seq: u64,
    id: String,
    kind: String,
    schema: u32,
    payload: Vec<u8>,
}

/// What the message's properties repeat of a record.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    schema: u32,
}

impl<'a> Head<'a> {
    /// That of a record, wherever it stands in it.
    fn of(json: &'a [u8]) -> Option<Self> {
        Self::in_front(json).or_else(|| serde_json::from_slice(json).ok())
    }

    /// Our records begin with it: the rest, which may be long, need not be read.
    fn in_front(json: &'a [u8]) -> Option<Self> {
        let rest = json.strip_prefix(b"{\"schema\":")?;
        let (schema, rest) = rest.split_at_checked(rest.iter().position(|byte| *byte == b',')?)?;
        let (kind, rest) = plain(rest.strip_prefix(b",\"kind\":\"")?)?;
        let (id, _) = plain(rest.strip_prefix(b",\"id\":\"")?)?;
        let schema = std::str::from_utf8(schema).ok()?.parse().ok()?;
        Some(Self { id: Cow::Borrowed(id), kind: Cow::Borrowed(kind), schema })
    }
}

/// A JSON string without escapes whose opening quote has been taken, and what follows it.
fn plain(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((std::str::from_utf8(text).ok()?, rest.strip_prefix(b"\"")?))
}

impl Group {
    /// The records of `frames` that a line carries: a group per queue, in order of their streams.
    pub(super) fn of(next_tag: &mut u64, upto: u64, frames: Vec<Frame>, line: Line) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for frame in frames {
            let Some((stream, record)) = Record::of(frame, line) else { continue };
            if let Some(group) = groups.iter_mut().find(|group| group.stream == stream) {
                group.records.push(record);
                continue;
            }
            let (sent, records) = (Duration::ZERO, vec![record]);
            groups.push(Self { tag: 0, upto: 0, sent, passed: false, stream, records });
        }
        for group in &mut groups {
            group.tag = *next_tag;
            *next_tag += 1;
        }
        // The position is proven by all of them together: by the last, because they pass in order.
        if let Some(last) = groups.last_mut() {
            last.upto = upto;
        }
        groups
    }

    /// How many records there are.
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.records.len()).unwrap_or(u64::MAX)
    }

    /// How many of them lie above a sequence.
    pub(super) fn above(&self, floor: u64) -> u64 {
        let above = self.records.iter().filter(|record| record.seq > floor).count();
        u64::try_from(above).unwrap_or(u64::MAX)
    }

    /// The same records one by one, under fresh tags.
    fn split(self, next_tag: &mut u64) -> Vec<Self> {
        let mut parts = Vec::with_capacity(self.records.len());
        for record in self.records {
            let (tag, stream) = (*next_tag, self.stream);
            *next_tag += 1;
            let (sent, records) = (self.sent, vec![record]);
            parts.push(Self { tag, upto: 0, sent, passed: false, stream, records });
        }
        if let Some(last) = parts.last_mut() {
            last.upto = self.upto;
        }
        parts
    }

    /// Sends it whole: one record plainly, more as a transaction.
    pub(super) fn send(&self, client: &mut Client) -> Result<(), SendError> {
        let queue = self.stream.queue();
        let messages: Vec<_> = self.records.iter().map(Record::outbound).collect();
        match messages.as_slice() {
            [only] => client.send(queue, self.tag, only),
            all => client.send_transaction(queue, self.tag, all),
        }
    }
}

impl Record {
    /// The record of a frame and its stream; `None` for a frame without one that the line carries.
    fn of(frame: Frame, line: Line) -> Option<(Stream, Self)> {
        match frame.kind {
            Kind::Data | Kind::Open | Kind::Close => {}
            // A carried leg's record is acknowledged; a cursor is the spool's own.
            Kind::Carried | Kind::Cursor => return None,
        }
        let (json, _block) = frame::decode(&frame.payload)?;
        if json.is_empty() {
            return None;
        }
        let Head { id, kind, schema } = Head::of(json)?;
        let stream = RecordKind::parse(&kind)?.stream();
        if Line::of(stream) != line {
            return None;
        }
        let (id, kind) = (id.into_owned(), kind.into_owned());
        Some((stream, Self { seq: frame.seq, id, kind, schema, payload: frame.payload }))
    }

    fn outbound(&self) -> Outbound<'_> {
        Outbound {
            record_id: &self.id,
            kind: &self.kind,
            schema: self.schema,
            body: frame::decode(&self.payload).map_or(&[], |(json, _)| json),
            sequence: self.seq,
        }
    }
}

/// Splits one of `groups` in its place; the fresh tags.
pub(super) fn split_at(groups: &mut VecDeque<Group>, at: usize, next_tag: &mut u64) -> Vec<u64> {
    let Some(group) = groups.remove(at) else { return Vec::new() };
    let parts = group.split(next_tag);
    let tags = parts.iter().map(|part| part.tag).collect();
    for (offset, part) in parts.into_iter().enumerate() {
        groups.insert(at + offset, part);
    }
    tags
}

/// The newest position in `frames` that is worth a cursor: cursors themselves are not, or each
/// would make the next.
pub(super) fn position(frames: &[Frame]) -> Option<u64> {
    frames.iter().rev().find(|frame| frame.kind != Kind::Cursor).map(|frame| frame.seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(seq: u64, kind: Kind, json: &str) -> Frame {
        Frame { seq, kind, key: None, payload: frame::encode(json.as_bytes(), b"block") }
    }

    #[test]
    fn the_head_is_found_wherever_it_stands() {
        let cases = [
            (r#"{"schema":1,"kind":"cdr","id":"a/b","x":{}}"#, Some(("a/b", "cdr", 1)), true),
            (r#"{"schema":2,"kind":"cdr","id":"a\"b"}"#, Some(("a\"b", "cdr", 2)), false),
            (r#"{"x":0,"id":"a","kind":"cdr","schema":1}"#, Some(("a", "cdr", 1)), false),
            (r#"{"schema":-1,"kind":"cdr","id":"a"}"#, None, false),
            (r#"{"schema":1,"kind":"cdr","id":"a"#, None, false),
            ("", None, false),
        ];
        for (json, expected, in_front) in cases {
            let head = Head::of(json.as_bytes());
            let head = head.as_ref().map(|head| (&*head.id, &*head.kind, head.schema));
            assert_eq!(head, expected, "{json}");
            assert_eq!(Head::in_front(json.as_bytes()).is_some(), in_front, "{json}");
        }
    }

    #[test]
    fn groups_hold_the_records_of_their_line_by_queue_and_nothing_else() {
        let json = r#"{"schema":1,"kind":"cdr","id":"a","x":{}}"#;
        let event = r#"{"schema":1,"kind":"call.event","id":"b"}"#;
        let books = r#"{"schema":1,"kind":"or.integrity","id":"c"}"#;
        let frames = vec![
            frame(1, Kind::Open, json),
            frame(2, Kind::Carried, ""),
            frame(3, Kind::Data, event),
            frame(4, Kind::Close, json),
            frame(4, Kind::Data, books),
            frame(5, Kind::Close, ""),
            frame(6, Kind::Cursor, "????"),
        ];
        assert_eq!(position(&frames), Some(5));
        let mut next_tag = 9;
        let mut of = |line| Group::of(&mut next_tag, 5, frames.clone(), line);
        let cdr = of(Line::Cdr).pop().unwrap();
        assert_eq!(cdr.records.iter().map(|r| r.seq).collect::<Vec<_>>(), [1, 4]);
        assert_eq!((cdr.tag, cdr.upto, cdr.stream), (9, 5, Stream::Cdr));
        assert_eq!(cdr.records[0].outbound().body, json.as_bytes());
        let rest = of(Line::Rest);
        let shown: Vec<_> = rest.iter().map(|g| (g.tag, g.upto, g.stream, g.len())).collect();
        assert_eq!(shown, [(10, 0, Stream::Event, 1), (11, 5, Stream::Or, 1)]);
        let parts = cdr.split(&mut next_tag);
        assert_eq!(parts.iter().map(|p| (p.tag, p.upto)).collect::<Vec<_>>(), [(12, 0), (13, 5)]);
        assert_eq!(position(&[frame(7, Kind::Cursor, "")]), None);
    }
}
