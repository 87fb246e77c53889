//! What was up when the node went down is up again before the first packet (rm.md §11.6).
//!
//! The spool keeps the packed block of every open leg; the proxy rebuilds sessions, legs and usage
//! sets from them. Nothing is decided here, and a block that cannot be read stops nothing.

use crate::error::StartError;
use crate::limits::SPOOL_BYTES;
use crate::publish::Line;
use crate::state::State;
use model::snapshot::Snapshot;
use model::time::Now;
use rm::{Proxy, frame};
use spool::fs::real::RealFs;
use spool::{Hooks, OpenError, Recovered, Settings, Spool};
use std::path::PathBuf;
use std::sync::Arc;

/// Cursors in the spool: one for each line to the broker.
const CURSORS: u8 = 2;

/// An opened spool and what it held.
pub(crate) struct Recovery {
    spool: Spool,
    recovered: Recovered,
}

impl Recovery {
    /// Opens the spool of a node and reads it back.
    pub(crate) fn open(
        dir: PathBuf,
        seed: u64,
        clock: net::Clock,
        on_durable: impl Fn(u64) + Send + 'static,
    ) -> Result<Self, StartError> {
        let mut settings = Settings::new(dir.clone(), SPOOL_BYTES, seed);
        settings.cursors = CURSORS;
        let hooks = Hooks {
            clock: Box::new(move || clock.mono()),
            on_durable: Box::new(on_durable),
            on_sync: Box::new(|_| {}),
            carry: Box::new(frame::carry),
        };
        match Spool::open(settings, Arc::new(RealFs), hooks) {
            Ok((spool, recovered)) => Ok(Self { spool, recovered }),
            Err(OpenError::Locked(_)) => Err(StartError::Locked(dir)),
            Err(OpenError::Io(source)) => Err(StartError::file(dir, source)),
            Err(OpenError::Newer(segment)) => Err(StartError::Newer(segment)),
            Err(OpenError::Settings(what)) => Err(StartError::Settings(format!("spool: {what}"))),
        }
    }

    /// A proxy with the legs that were up.
    pub(crate) fn proxy(
        &self,
        settings: rm::Settings,
        snapshot: Arc<Snapshot>,
        now: Now,
        state: &State,
    ) -> Proxy {
        let mut proxy = Proxy::new(settings, snapshot, now).remembering();
        let open = self.recovered.open.iter();
        let blocks = open.filter_map(|open| frame::decode(&open.payload)).map(|(_, block)| block);
        let restored = proxy.restore(now, blocks);
        state.recovered(now.wall, restored, &self.recovered.damage);
        proxy
    }

    /// The spool's handle.
    pub(crate) fn spool(&self) -> Spool {
        self.spool.clone()
    }

    /// Where the publisher of each line goes on.
    pub(crate) fn positions(&self) -> [u64; 2] {
        Line::ALL.map(|line| {
            let own = self.recovered.cursors.iter().find(|(id, _)| *id == line.cursor());
            own.map_or(0, |(_, seq)| *seq)
        })
    }

    /// The last sequence of the run before.
    pub(crate) fn last_seq(&self) -> u64 {
        self.recovered.last_seq
    }
}
