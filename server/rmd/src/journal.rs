//! The shelf of the engine's journal: the spool, and what the publishers are told of it. What is
//! kept, dropped and durable is decided in `rm::journal`.

use crate::publish::Publishing;
use rm::journal::{Frame, Full, Shelf};
use rm::{FrameKind, Stream};
use spool::{Entry, Key, Kind, Spool};
use std::sync::Arc;

/// The way of records to the spool.
pub(crate) type Journal = rm::journal::Journal<Spooled>;

/// The spool as a shelf.
pub(crate) struct Spooled {
    spool: Spool,
    publishing: Arc<Publishing>,
}

impl Spooled {
    pub(crate) fn new(spool: Spool, publishing: Arc<Publishing>) -> Self {
        Self { spool, publishing }
    }

    /// Figures of the spool.
    pub(crate) fn status(&self) -> spool::Status {
        self.spool.status()
    }
}

impl Shelf for Spooled {
    fn append(&mut self, frames: Vec<Frame>, urgent: bool) -> Result<u64, Full> {
        self.spool.append(frames.into_iter().map(entry).collect(), urgent).map_err(full)
    }

    fn made(&mut self, stream: Stream) {
        self.publishing.made(stream);
    }

    fn lost(&mut self, stream: Stream) {
        self.publishing.lost(stream);
    }
}

fn entry(frame: Frame) -> Entry {
    let kind = match frame.kind {
        FrameKind::Data => Kind::Data,
        FrameKind::Open => Kind::Open,
        FrameKind::Close => Kind::Close,
    };
    Entry {
        kind,
        key: frame.key.and_then(|key| Key::new(&key)),
        payload: frame.payload,
        records: 1,
    }
}

fn full(full: spool::Full) -> Full {
    match full {
        spool::Full::Memory => Full::Memory,
        spool::Full::Disk => Full::Disk,
        spool::Full::Entry => Full::Frame,
        spool::Full::Broken => Full::Broken,
        spool::Full::Closed => Full::Closed,
    }
}

#[cfg(test)]
mod tests;
