//! A Resource Manager with its disk and its two lines to the broker, as `server/rmd` puts them
//! together: every input, then everything that follows from it.
//!
//! A crash drops all of it but the disk, of which any unsynced part may be lost; a start reads the
//! spool and restores the proxy from it before the first packet.

mod courier;
mod disk;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::id::BootEpoch;
use model::snapshot::Snapshot;
use model::time::Now;
use rm::journal::Journal;
use rm::{Event, Input, Keys, NodeState, Proxy, Restored, frame};
use sip::locate::Goal;
use sip::transport::Flow;
use spool::fs::faulty::FaultyFs;

use crate::network::Packet;
use courier::Courier;
use disk::{Disk, Spooled};

/// What a node gives to the world.
#[derive(Debug, Default)]
pub struct Output {
    /// Messages: from, by which flow, bytes.
    pub messages: Vec<(SocketAddr, Flow, Vec<u8>)>,
    /// For the broker.
    pub packets: Vec<Packet>,
    /// Records that were made: number, JSON.
    pub made: Vec<(u64, Vec<u8>)>,
    /// All records up to this number are durable.
    pub durable: Option<u64>,
    /// Log lines: number and fields.
    pub logs: Vec<(u16, Vec<(&'static str, String)>)>,
    /// Names that it asks for.
    pub asked: Vec<Goal>,
}

/// One Resource Manager.
pub struct Node {
    /// Its name.
    pub name: &'static str,
    /// Where it takes calls; the monitor has the same address with port 5064.
    pub address: SocketAddr,
    /// How long a sync of its disk takes.
    pub sync: Duration,
    /// Bytes of its spool; taken over at a start.
    pub spool_bytes: u64,
    /// Bytes of one of its segments; taken over at a start.
    pub segment_bytes: u64,
    settings: rm::Settings,
    /// The key that seals, alone.
    newest: Keys,
    snapshot: Arc<Snapshot>,
    fs: FaultyFs,
    boot: u32,
    conns: u64,
    running: Option<Running>,
}

struct Running {
    proxy: Proxy,
    journal: Journal<Spooled>,
    disk: Disk,
    lines: [Courier; 2],
    durable: u64,
}

impl Node {
    /// One that does not run yet.
    #[must_use]
    pub fn new(
        name: &'static str,
        settings: rm::Settings,
        snapshot: Arc<Snapshot>,
        seed: u64,
    ) -> Self {
        let address = settings.listeners.first().map(|listener| listener.bound);
        let conns = u64::from(settings.node_id.0) << 32;
        Self {
            name,
            address: address.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0))),
            sync: Duration::from_millis(2),
            spool_bytes: disk::SPOOL_BYTES,
            segment_bytes: disk::SEGMENT_BYTES,
            newest: settings.keys.clone(),
            settings,
            snapshot,
            fs: FaultyFs::new(seed),
            boot: 0,
            conns,
            running: None,
        }
    }

    /// So long a call without a session timer may be silent here (rm.md §2.7).
    #[must_use]
    pub const fn silence(&self) -> Duration {
        self.settings.options.no_timer_lifetime
    }

    /// Whether it runs.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.running.is_some()
    }

    /// The number of its latest start.
    #[must_use]
    pub const fn boot(&self) -> u32 {
        self.boot
    }

    /// Its engine, while it runs.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.running.as_ref().map(|running| &running.proxy)
    }

    /// Figures of its spool, while it runs.
    #[must_use]
    pub fn spool(&self) -> Option<spool::Status> {
        self.running.as_ref().map(|running| running.disk.spool().status())
    }

    /// Records and bytes that its spool has not taken.
    #[must_use]
    pub fn backlog(&self) -> (usize, usize) {
        self.running.as_ref().map_or((0, 0), |running| running.journal.backlog())
    }

    /// Records that it lost.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.running.as_ref().map_or(0, |running| running.journal.counters().total())
    }

    /// The broker has all that is on disk.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.running.as_ref().is_none_or(|running| running.lines.iter().all(Courier::is_done))
    }

    /// Whether a crash at this very moment leaves the record of this id on its disk, whatever of
    /// that was not synced is lost. It asks the disk, not the product.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn has_safe(&self, now: Duration, id: &str) -> Result<bool, String> {
        let wanted = format!("\"id\":\"{id}\"");
        let own = |payload: &Vec<u8>| {
            let json = frame::decode(payload).map_or(&[][..], |(json, _)| json);
            std::str::from_utf8(json).is_ok_and(|json| json.contains(&wanted))
        };
        let payloads = Disk::safe(&self.fs, now, self.sizes())?;
        Ok(payloads.iter().any(own))
    }

    fn sizes(&self) -> (u64, u64) {
        (self.spool_bytes, self.segment_bytes)
    }

    /// Its disk.
    #[must_use]
    pub const fn fs(&self) -> &FaultyFs {
        &self.fs
    }

    /// kill -9, or the power goes: everything in memory is lost, and of what was written and not
    /// synced any part.
    pub fn crash(&mut self) {
        self.running = None;
        self.fs = self.fs.restart();
    }

    /// A start from what is on disk, as `server/rmd` does it: read the spool, restore, then ready.
    ///
    /// # Errors
    /// The disk refused, or a block could not be read.
    pub fn start(&mut self, now: Now, seed: u64, out: &mut Output) -> Result<Restored, String> {
        self.boot += 1;
        let opened = Disk::open(&self.fs, now.mono, self.sizes(), seed);
        let (disk, recovered) = opened.map_err(|error| format!("{error:?}"))?;
        if let Some(damage) = recovered.damage.first() {
            return Err(format!("the spool is damaged: {damage:?}"));
        }
        let mut settings = self.settings.clone();
        settings.boot = BootEpoch(self.boot);
        settings.seed = [seed, u64::from(self.boot), 3, 4];
        let mut proxy = Proxy::new(settings, Arc::clone(&self.snapshot), now);
        let payloads = recovered.open.iter().filter_map(|open| frame::decode(&open.payload));
        let restored = proxy.restore(now, payloads.map(|(_, block)| block));
        let positions: BTreeMap<u8, u64> = recovered.cursors.iter().copied().collect();
        let line = |cursor| {
            let name = format!("ID:{}-{}-{cursor}:1", self.name, self.boot);
            let position = positions.get(&cursor).copied().unwrap_or(0);
            Courier::new(cursor, name, disk.spool(), position)
        };
        let lines = [line(0), line(1)];
        let journal = Journal::new(disk.shelf());
        let durable = disk.spool().durable();
        self.running = Some(Running { proxy, journal, disk, lines, durable });
        self.input(now, Input::State(NodeState::Ready), out);
        if restored.refused > 0 {
            return Err(format!("{} blocks could not be read", restored.refused));
        }
        Ok(restored)
    }

    /// A configuration from now on, also over a start.
    pub fn configure(&mut self, now: Now, snapshot: Arc<Snapshot>, out: &mut Output) {
        self.snapshot = Arc::clone(&snapshot);
        self.input(now, Input::Snapshot(snapshot), out);
    }

    /// Another key ring, also over a start: the first one seals, all verify.
    pub fn rotate(&mut self, now: Now, ring: &Keys, newest: Keys, out: &mut Output) {
        self.settings.keys = ring.clone();
        self.newest = newest;
        self.input(now, Input::Keys(Box::new(ring.clone())), out);
    }

    /// The ring with the key that seals and no other.
    #[must_use]
    pub const fn newest(&self) -> &Keys {
        &self.newest
    }

    /// Its views show what is now, and not what was at the latest input: it gets one that changes
    /// nothing.
    pub fn look(&mut self, now: Now) {
        if let Some(running) = &mut self.running {
            running.proxy.handle_input(now, Input::TellDecisions(false));
        }
    }

    /// One input, and everything that follows from it. Nothing happens while it is down.
    pub fn input(&mut self, now: Now, input: Input<'_>, out: &mut Output) {
        if let Some(running) = &mut self.running {
            running.proxy.handle_input(now, input);
            self.settle(now, out);
        }
    }

    /// Something of a connection to the broker has arrived.
    pub fn arrived(&mut self, now: Now, packet: &Packet, out: &mut Output) {
        if let Some(running) = &mut self.running {
            let [first, second] = &mut running.lines;
            if first.arrived(now.mono, packet) || second.arrived(now.mono, packet) {
                self.settle(now, out);
            }
        }
    }

    /// What is due by now.
    pub fn time(&mut self, now: Now, out: &mut Output) {
        if let Some(running) = &mut self.running {
            if running.proxy.poll_timeout().is_some_and(|(due, _)| due <= now.mono) {
                running.proxy.handle_timeout(now);
            }
            self.settle(now, out);
        }
    }

    /// When it wants to be called at the latest.
    #[must_use]
    pub fn next_time(&self) -> Option<Duration> {
        let running = self.running.as_ref()?;
        let proxy = running.proxy.poll_timeout().map(|(due, _)| due);
        let lines = running.lines.iter().filter_map(Courier::poll_timeout).min();
        let disk = running.disk.poll_timeout();
        [proxy, running.journal.poll_timeout(), disk, lines].into_iter().flatten().min()
    }

    fn settle(&mut self, now: Now, out: &mut Output) {
        let Some(running) = &mut self.running else { return };
        loop {
            running.drain(&self.settings, out);
            let _told = running.journal.commit(now.mono);
            running.disk.turn(now.mono, self.sync);
            let durable = running.disk.spool().durable();
            if durable == running.durable {
                break;
            }
            running.durable = durable;
            if let Some(no) = running.journal.durable(durable) {
                out.durable = Some(no);
                running.proxy.handle_input(now, Input::Durable { no });
            }
        }
        for line in &mut running.lines {
            line.turn(now.mono, &mut self.conns, &mut out.packets);
        }
    }
}

impl Running {
    /// Everything that the proxy has to say.
    fn drain(&mut self, settings: &rm::Settings, out: &mut Output) {
        let mut bytes = Vec::new();
        while let Some(sent) = self.proxy.poll_transmit(&mut bytes) {
            let listener = settings.listeners.get(usize::from(sent.flow.listener));
            let message = std::mem::take(&mut bytes);
            let Some(listener) = listener else { continue };
            out.messages.push((listener.bound, sent.flow, message));
        }
        while let Some(event) = self.proxy.poll_event(&mut bytes) {
            if let Event::Record { no, json, .. } = &event {
                out.made.push((*no, bytes.get(..*json).unwrap_or_default().to_vec()));
            }
            match self.journal.take(event, &bytes) {
                Some(Event::Log { id, fields, .. }) => out.logs.push((id, fields)),
                Some(Event::Resolve { goal }) => out.asked.push(goal),
                Some(_) | None => {}
            }
            bytes.clear();
        }
    }
}
