//! Everything the engine can want from the shell besides bytes on a wire, as one closed enum.

use std::collections::VecDeque;

use model::id::Guid;
use sip::locate::{Goal, Listing};
use sip::transport::Flow;

use crate::limits;

pub use model::record::Stream;

/// A fact for the shell; drained with `Proxy::poll_event` after every mutation. The bytes of a
/// record were appended to the caller's buffer: its JSON, then its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A record for the spool and the broker (rm.md §9).
    Record {
        /// Number of the event, from 1 without gap; `Input::Durable` answers with it.
        no: u64,
        /// The sequence stream it belongs to.
        stream: Stream,
        /// How the spool keeps it (rs.md §1.4).
        frame: FrameKind,
        /// Key of open and close frames: GUID (16), leg (4), epoch (2), big-endian.
        key: [u8; 22],
        /// Bytes of the record, UTF-8 JSON.
        json: usize,
        /// Bytes of the packed leg (rm.md §2.1) of an open frame; 0 otherwise.
        block: usize,
        /// Somebody waits for it to be on disk.
        urgent: bool,
        /// The end of a leg or of an attempt: of all records the last to be lost.
        end: bool,
    },
    /// A close frame without a record: an older epoch's open frame is superseded.
    Forget {
        /// Key of the frame to close.
        key: [u8; 22],
    },
    /// A host name to be resolved; `Input::Resolved` answers, also when it failed.
    Resolve {
        /// What is asked for.
        goal: Goal,
    },
    /// Who is behind a name; `Input::Discovered` answers, also when it failed.
    Discover {
        /// What is asked for.
        listing: Listing,
    },
    /// Whoever is at the far end of a stream under TLS takes requests over it that are meant for
    /// this port of its address (RFC 5923 `alias`), if it has proven to be who is expected there.
    Alias {
        /// The stream.
        flow: Flow,
        /// Port of the sent-by.
        port: u16,
    },
    /// A log line by number (rm.md §12.1); the shell knows level and name.
    Log {
        /// Log id.
        id: u16,
        /// Session it belongs to.
        session: Option<Guid>,
        /// Fields in the order in which they are printed.
        fields: Vec<(&'static str, String)>,
    },
}

/// Kind of the spool frame that carries a record (rs.md §1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Only a record.
    Data,
    /// A record that opens a leg: kept until its close.
    Open,
    /// A record that closes a leg.
    Close,
}

/// Facts that wait for the shell; the bytes of records lie in one buffer that is used again.
#[derive(Debug, Default)]
pub(crate) struct Events {
    waiting: VecDeque<Event>,
    bytes: Vec<u8>,
    /// Where the bytes of the first record begin.
    start: usize,
}

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        self.waiting.push_back(event);
    }

    /// The buffer to which the bytes of the next record are appended before it is pushed.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Takes the next one, and appends its bytes to `out`.
    pub(crate) fn pop(&mut self, out: &mut Vec<u8>) -> Option<Event> {
        let event = self.waiting.pop_front()?;
        if let Event::Record { json, block, .. } = &event {
            let end = self.start + json + block;
            out.extend_from_slice(self.bytes.get(self.start..end).unwrap_or_default());
            self.start = end;
        }
        if self.waiting.is_empty() {
            self.start = 0;
            self.bytes.clear();
            self.bytes.shrink_to(limits::IDLE_EVENTS);
        }
        Some(event)
    }
}
