//! What goes to the broker together, and the order in which it is acknowledged.
//!
//! A group is one plain send or one transaction (rm.md §9.6). It keeps its frames until the broker
//! has acknowledged it, so that the same bytes can be sent again on another connection. It knows
//! no socket.

use crate::frame;
use model::record::{Kind as RecordKind, Stream};
use openwire::{Client, Outbound, SendError};
use serde::Deserialize;
use spool::{Frame, Kind};
use std::time::Duration;

/// Records on their way, and the position in the spool that their acknowledgement proves.
#[derive(Debug)]
pub(super) struct Group {
    /// Names it towards the client.
    pub(super) tag: u64,
    /// Everything up to here is acknowledged with it.
    pub(super) upto: u64,
    /// When it was sent last.
    pub(super) sent: Duration,
    /// Done with: the broker has it.
    pub(super) passed: bool,
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
#[derive(Deserialize)]
struct Head {
    id: String,
    kind: String,
    schema: u32,
}

impl Group {
    /// The records of `frames` of the stream `wanted`; `None` when there are none.
    pub(super) fn of(tag: u64, upto: u64, frames: Vec<Frame>, wanted: Stream) -> Option<Self> {
        let records: Vec<_> =
            frames.into_iter().filter_map(|frame| Record::of(frame, wanted)).collect();
        let sent = Duration::ZERO;
        (!records.is_empty()).then_some(Self { tag, upto, sent, passed: false, records })
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
    pub(super) fn split(self, next_tag: &mut u64) -> Vec<Self> {
        let mut parts = Vec::with_capacity(self.records.len());
        for record in self.records {
            let (tag, upto) = (*next_tag, record.seq);
            *next_tag += 1;
            parts.push(Self { tag, upto, sent: self.sent, passed: false, records: vec![record] });
        }
        if let Some(last) = parts.last_mut() {
            last.upto = self.upto;
        }
        parts
    }

    /// Sends it whole: one record plainly, more as a transaction.
    pub(super) fn send(&self, client: &mut Client, queue: &str) -> Result<(), SendError> {
        let messages: Vec<_> = self.records.iter().map(Record::outbound).collect();
        match messages.as_slice() {
            [only] => client.send(queue, self.tag, only),
            all => client.send_transaction(queue, self.tag, all),
        }
    }
}

impl Record {
    fn of(frame: Frame, wanted: Stream) -> Option<Self> {
        match frame.kind {
            Kind::Data | Kind::Open | Kind::Close => {}
            // A carried leg's record is acknowledged; a cursor is the spool's own.
            Kind::Carried | Kind::Cursor => return None,
        }
        let (json, _block) = frame::decode(&frame.payload)?;
        if json.is_empty() {
            return None;
        }
        let head: Head = serde_json::from_slice(json).ok()?;
        let stream = RecordKind::parse(&head.kind).map(RecordKind::stream);
        (stream == Some(wanted)).then_some(Self {
            seq: frame.seq,
            id: head.id,
            kind: head.kind,
            schema: head.schema,
            payload: frame.payload,
        })
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
    fn a_group_holds_the_records_of_its_queue_and_nothing_else() {
        let cdr = r#"{"schema":1,"kind":"cdr","id":"a","x":{}}"#;
        let event = r#"{"schema":1,"kind":"call.event","id":"b"}"#;
        let frames = vec![
            frame(1, Kind::Open, cdr),
            frame(2, Kind::Carried, ""),
            frame(3, Kind::Data, event),
            frame(4, Kind::Close, cdr),
            frame(5, Kind::Close, ""),
            frame(6, Kind::Cursor, "????"),
        ];
        assert_eq!(position(&frames), Some(5));
        let group = Group::of(9, 5, frames.clone(), Stream::Cdr).unwrap();
        assert_eq!(group.records.iter().map(|r| r.seq).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(group.records[0].outbound().body, cdr.as_bytes());
        assert_eq!(Group::of(9, 5, frames.clone(), Stream::Event).unwrap().len(), 1);
        assert!(Group::of(9, 5, frames, Stream::Or).is_none());
        let parts = group.split(&mut 10_u64.clone());
        assert_eq!(parts.iter().map(|p| (p.tag, p.upto)).collect::<Vec<_>>(), [(10, 1), (11, 5)]);
        assert_eq!(position(&[frame(7, Kind::Cursor, "")]), None);
    }
}
