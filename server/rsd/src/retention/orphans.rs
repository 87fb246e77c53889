//! Ends of calls that nobody will end. Each is an ordinary record on its way through the spool, the
//! same one however often it is made, so nothing is lost or doubled by a kill.

use std::net::{Ipv4Addr, SocketAddr};

use model::record::Stream;
use model::time::Millis;
use rs::orphan::{self, Patience};

use crate::entry::{Body, Entry, Message, Transport};
use crate::ingest;
use crate::store::StoreError;
use crate::store::keeping::Keeping;

/// Calls of one look, and ends of one frame.
const PAGE: u32 = 200;

/// Closes those that are orphans as of a moment up to which all that came is stored; tells how
/// many. What the spool does not take now is made again next time.
pub(super) fn close(
    keeping: &dyn Keeping,
    ingest: &ingest::Parts,
    name: &str,
    patience: Patience,
    (as_of, now): (Millis, Millis),
) -> Result<usize, StoreError> {
    let as_of_ms = super::ms(as_of);
    let (mut after, mut closed) = (None, 0);
    loop {
        let live = keeping.live(after, PAGE)?;
        let Some(last) = live.last() else { return Ok(closed) };
        after = Some((last.day, last.call_key));
        let mut ends = Vec::new();
        for call in live.iter().filter(|call| call.waiting.is_orphan(patience, as_of_ms)) {
            let Some(state) = keeping.state(call.day, &call.call_key)? else { continue };
            let last_event_ms = keeping.last_event(call.day, &call.call_key)?;
            ends.extend(orphan::end(&state, last_event_ms, name).map(message));
        }
        let count = ends.len();
        if count > 0 {
            let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let (received, user) = (now.0, Some(name.to_owned()));
            let entry = Entry {
                received,
                transport: Transport::Own,
                user,
                peer,
                messages: ends,
                letters: Vec::new(),
                produces: Vec::new(),
            };
            if ingest.store(&entry).is_err() {
                return Ok(closed);
            }
            closed += count;
        }
    }
}

fn message(record: String) -> Message {
    Message {
        queue: Stream::Cdr.queue().to_owned(),
        message_id: None,
        fallback_id: None,
        properties: Vec::new(),
        body: Body::Text(record),
    }
}
