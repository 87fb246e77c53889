//! What two writers on one database may not do at the same time.
//!
//! Rows that are there can be locked; a call that is about to be born cannot. Two writers that make
//! it at once, or that make two legs which lend to each other, would each have to see what the
//! other has not committed. So whoever stores a batch first passes the gates of all that its
//! records hang together with: their GUIDs, their sessions, their streams.

use std::collections::BTreeSet;

use model::record::{Body, CallGuid};

use super::batch::Batch;
use super::books::streams;
use super::item::Good;

impl Batch<'_> {
    /// The gates of this batch, out of so many. The same in every process; different things may
    /// have one gate, which costs a wait and nothing else.
    #[must_use]
    pub fn gates(&self, of: u32) -> BTreeSet<u32> {
        let goods = self.items().iter().filter_map(|item| item.read.as_ref().ok());
        goods.flat_map(names).map(|name| gate(&name) % of.max(1)).collect()
    }
}

/// What a record hangs together with.
fn names(good: &Good) -> Vec<String> {
    let guid = |guid: &Option<CallGuid>| guid.as_ref().map(|guid| format!("guid {guid}"));
    let session = |id: &str| (!id.is_empty()).then(|| format!("session {id}"));
    let (guid, session) = match &good.record.body {
        Body::Cdr(cdr) => (guid(&cdr.guid), session(&cdr.session_id)),
        Body::Event(event) => {
            (guid(&event.guid), session(event.session_id.as_deref().unwrap_or_default()))
        }
        Body::Var(var) => (guid(&var.guid), session(var.session_id.as_deref().unwrap_or_default())),
        Body::SqCall(sq) => (guid(&sq.guid), session(&sq.session_id)),
        Body::Arrivals(_)
        | Body::Peaks(_)
        | Body::Outbound(_)
        | Body::Snmp(_)
        | Body::Integrity(_)
        | Body::Latency(_) => (None, None),
    };
    let streams = streams(good).into_iter();
    let streams = streams.map(|(producer, boot, stream)| format!("{producer} {boot} {stream}"));
    guid.into_iter().chain(session).chain(streams).collect()
}

fn gate(name: &str) -> u32 {
    let hash = blake3::hash(name.as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    u32::from_be_bytes([a, b, c, d])
}
