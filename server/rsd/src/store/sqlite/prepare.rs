//! A batch before it touches a file: every message read, every fact with its day. Pure, so the
//! same batch again gives the same.

use std::collections::BTreeMap;

use model::record::{Arrived, Body as RecordBody, Record, Refusal, Stream};
use model::time::Millis;
use rs::{Fact, Told};

use crate::entry::{Body, Entry, Message};
use crate::store::{Arrival, Day};

/// Bytes of a body that a dead letter keeps (spec rs.md §2.8).
const DEAD_BYTES: usize = 64 << 10;

/// One message of the batch.
pub(super) struct Item<'b> {
    pub(super) seq: u64,
    pub(super) entry: &'b Entry,
    pub(super) message: &'b Message,
    pub(super) read: Result<Good, Refusal>,
}

/// A message that holds a record.
pub(super) struct Good {
    pub(super) record: Record,
    pub(super) fact: Fact,
    /// It came on another kind's queue.
    pub(super) misrouted: bool,
}

/// The messages of a batch by the file that stores them.
#[derive(Default)]
pub(super) struct Prepared<'b> {
    pub(super) items: Vec<Item<'b>>,
    /// Indexes of the items of each day, in order.
    pub(super) days: BTreeMap<Day, Vec<usize>>,
    /// Indexes of the items of the main file.
    pub(super) main: Vec<usize>,
}

impl<'b> Prepared<'b> {
    /// `home` may move a call's fact to the day where that call already is.
    pub(super) fn of<E>(
        batch: &'b [Arrival],
        mut home: impl FnMut(&Good) -> Result<Day, E>,
    ) -> Result<Self, E> {
        let mut prepared = Self::default();
        for arrival in batch {
            let Some(entry) = &arrival.entry else { continue };
            for message in &entry.messages {
                let item = Item { seq: arrival.seq, entry, message, read: read(entry, message) };
                let index = prepared.items.len();
                match &item.read {
                    Ok(good) if good.is_of_a_day() => {
                        prepared.days.entry(home(good)?).or_default().push(index);
                    }
                    Ok(_) | Err(_) => prepared.main.push(index),
                }
                prepared.items.push(item);
            }
        }
        Ok(prepared)
    }
}

impl Good {
    /// Whether it hangs on a call; the rest is stored in the main file.
    fn is_of_a_day(&self) -> bool {
        match &self.record.body {
            RecordBody::Cdr(_)
            | RecordBody::Event(_)
            | RecordBody::Var(_)
            | RecordBody::SqCall(_) => true,
            RecordBody::Arrivals(_)
            | RecordBody::Peaks(_)
            | RecordBody::Outbound(_)
            | RecordBody::Snmp(_)
            | RecordBody::Integrity(_)
            | RecordBody::Latency(_) => false,
        }
    }

    /// The GUID of its call, if it does not carry its time.
    pub(super) fn timeless_guid(&self) -> Option<String> {
        let RecordBody::Cdr(cdr) = &self.record.body else { return None };
        cdr.guid.as_ref().filter(|guid| guid.v7().is_none()).map(ToString::to_string)
    }

    pub(super) fn producer(&self) -> &str {
        &self.record.producer.name
    }

    /// The minute of an end's time: what the producer's books call `records_out`.
    pub(super) fn end_minute(&self) -> Option<i64> {
        let Told::Call(call) = &self.fact.told else { return None };
        call.end.as_ref().map(|_| call.time_ms - call.time_ms.rem_euclid(60_000))
    }
}

impl Item<'_> {
    pub(super) fn received_ms(&self) -> i64 {
        i64::try_from(self.entry.received).unwrap_or(i64::MAX)
    }

    /// The body as a dead letter keeps it.
    pub(super) fn dead_body(&self) -> &[u8] {
        let bytes = match &self.message.body {
            Body::Text(text) => text.as_bytes(),
            Body::NotUtf8(raw) | Body::TooLarge(raw) | Body::Unreadable { raw, .. } => &raw.0,
        };
        &bytes[..bytes.len().min(DEAD_BYTES)]
    }

    /// The body of a record that is kept whole.
    pub(super) fn text(&self) -> &str {
        match &self.message.body {
            Body::Text(text) => text,
            Body::NotUtf8(_) | Body::TooLarge(_) | Body::Unreadable { .. } => "",
        }
    }
}

fn read(entry: &Entry, message: &Message) -> Result<Good, Refusal> {
    let refusal = |code, text: String| Refusal { code, field: String::new(), text };
    let text = match &message.body {
        Body::Text(text) => text,
        Body::NotUtf8(_) => return Err(refusal("not_utf8", "the body is no UTF-8".to_owned())),
        Body::TooLarge(_) => {
            return Err(refusal("too_large", "a record has at most 1 MiB".to_owned()));
        }
        Body::Unreadable { kind, .. } => {
            return Err(refusal("not_json", format!("{kind}: neither text nor bytes")));
        }
    };
    let arrived =
        Arrived { at: Millis(entry.received), message_id: message.fallback_id.as_deref() };
    let (record, notes) = Record::read(text.as_bytes(), &arrived)?;
    let misrouted = Stream::of_queue(&message.queue) != Some(record.kind().stream());
    let fact = Fact::of(&record, &notes);
    Ok(Good { record, fact, misrouted })
}
