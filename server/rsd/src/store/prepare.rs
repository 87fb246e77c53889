//! A batch before it touches the database: every message read. Pure, so the same batch again gives
//! the same.

use model::record::{Arrived, Record, Refusal, Stream};
use model::time::Millis;
use rs::export;
use rs::retention::Terms;
use rs::share::{Batch, Good, Item, LetterNo, Origin, flaws};

use crate::entry::{Body, Entry, Message, TOO_LARGE, Transport, is_bound};
use crate::store::Arrival;
use crate::store::keeping::Judge;

/// The messages of a batch, in order.
pub(super) fn batch<'b>(arrivals: &'b [Arrival], judge: &Judge) -> Batch<'b> {
    let terms = judge.terms();
    let frames = arrivals.iter().filter_map(|arrival| Some((arrival.seq, arrival.entry.as_ref()?)));
    let items = frames.flat_map(|(seq, entry)| {
        let terms = terms.as_deref();
        entry.messages.iter().enumerate().map(move |(at, message)| {
            let (read, hushed) = match read(entry, message, terms) {
                Ok((good, None)) => (Ok(good), false),
                Ok((good, Some(refusal))) => (Err(refusal), good.unsaid),
                Err(refusal) => (Err(refusal), false),
            };
            let letter = entry.letters.get(at).copied();
            Item { origin: origin(seq, letter, entry, message), read, hushed }
        })
    });
    Batch::new(items.collect())
}

fn origin<'b>(
    seq: u64,
    letter: Option<LetterNo>,
    entry: &'b Entry,
    message: &'b Message,
) -> Origin<'b> {
    Origin {
        seq,
        letter,
        received_ms: i64::try_from(entry.received).unwrap_or(i64::MAX),
        queue: &message.queue,
        transport: entry.transport.as_str(),
        user: entry.user.as_deref(),
        peer: entry.peer,
        message_id: message.message_id.as_deref(),
        fallback_id: message.fallback_id.as_deref(),
        properties: &message.properties,
        body: match &message.body {
            Body::Text(text) => text.as_bytes(),
            Body::NotUtf8(raw) | Body::TooLarge(raw) | Body::Unreadable { raw, .. } => &raw.0,
        },
    }
}

/// The record of a message, and why it is not its sender's to send.
fn read(
    entry: &Entry,
    message: &Message,
    terms: Option<&Terms>,
) -> Result<(Good, Option<Refusal>), Refusal> {
    let refusal = |code, text: String| Refusal { code, field: String::new(), text };
    let body = match &message.body {
        Body::Text(text) => text.as_bytes(),
        Body::NotUtf8(raw) => &raw.0,
        Body::TooLarge(_) => {
            return Err(refusal("too_large", TOO_LARGE.to_owned()));
        }
        Body::Unreadable { kind, .. } => {
            return Err(refusal("not_json", format!("{kind}: neither text nor bytes")));
        }
    };
    let arrived =
        Arrived { at: Millis(entry.received), message_id: message.fallback_id.as_deref() };
    let (mut record, notes) = Record::read(body, &arrived)?;
    let foreign = is_bound(&entry.produces, &record).err();
    let misrouted = Stream::of_queue(&message.queue) != Some(record.kind().stream());
    let own = entry.transport == Transport::Own;
    let (mut fact, again) = export::fact(&mut record, &notes, own);
    let unsaid = terms.is_some_and(|terms| terms.hush(&mut fact));
    let at = Millis(entry.received);
    let refused = terms.and_then(|terms| terms.judge((&record, own), &fact, at));
    let flaws = flaws(&notes);
    Ok((Good { record, fact, again, misrouted, flaws, refused, unsaid }, foreign))
}
