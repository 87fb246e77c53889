//! The one way into the spool, whatever the transport: gate, figures of the queues, append.

use std::time::Duration;

use spool::{Entry as Frame, Full, Kind};

use super::Parts;
use super::gate::Priority;
use crate::backlog::Part;
use crate::entry::{Entry, Transport};

/// Why an arrival was not taken. Nothing of it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// There is no room for it now; the same may be offered again.
    Later,
    /// It can never be kept: larger than what the spool takes at once.
    Never,
}

impl Parts {
    /// Hands one arrival to the spool, and gives the sequence with which it is durable.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn store(&self, entry: &Entry) -> Result<u64, NotTaken> {
        let priority = Priority::of_all(&entry.messages);
        if !self.gate.lets_in(priority) {
            return Err(NotTaken::Later);
        }
        let Ok(payload) = entry.encode() else { return Err(NotTaken::Never) };
        let bytes = payload.len();
        self.gate.fits(priority, bytes)?;
        let records = entry.messages.len();
        let frame = Frame { kind: Kind::Data, key: None, payload, records };
        let (parts, received) = (entry.parts(), entry.received_at());
        // before the applier can take it away
        self.backlog.came(received, &parts);
        let full = match self.spool.append(vec![frame], true) {
            Ok(seq) => {
                self.backlog.handed();
                return Ok(seq);
            }
            Err(full) => full,
        };
        self.backlog.refused(received, &parts);
        match full {
            Full::Entry => Err(NotTaken::Never),
            Full::Disk => {
                self.gate.refused(priority, bytes);
                Err(NotTaken::Later)
            }
            Full::Memory | Full::Broken | Full::Closed => Err(NotTaken::Later),
        }
    }

    /// An arrival of that time is durable and answered: counts it.
    pub fn answered(&self, transport: Transport, parts: &[Part], since: Duration) {
        for part in parts {
            let queue = part.stream.queue();
            self.counters.add_stored(queue, transport, part.records, part.bytes);
        }
        self.counters.observe_answer(self.clock.mono().saturating_sub(since));
    }
}
