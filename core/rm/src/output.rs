//! Everything the engine can want from the shell besides bytes on a wire, as one closed enum.

use model::id::Guid;

pub use model::record::Stream;

/// An owned fact for the shell; drained with `Proxy::poll_event` after every mutation.
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
        /// The record, UTF-8 JSON.
        json: Vec<u8>,
        /// The packed leg (rm.md §2.1) of an open frame; empty otherwise.
        block: Vec<u8>,
        /// Somebody waits for it to be on disk.
        urgent: bool,
    },
    /// A close frame without a record: an older epoch's open frame is superseded.
    Forget {
        /// Key of the frame to close.
        key: [u8; 22],
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
