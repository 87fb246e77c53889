//! The Reporting Server between its listener and its database: what it takes waits for the disk,
//! then is answered; what is on disk is applied, then released.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::chance::Chance;
use openwire::{Inbound, Ticket};
use spool::fs::FileSystem as _;
use spool::fs::faulty::FaultyFs;
use spool::{Entry, Full, Hooks, Kind, OpenError, Reader, Settings, State, Stepped};

use super::Book;
use super::database::{Database, record};

const DIR: &str = "/rs/spool";
/// Bytes of the whole spool, and of a segment: so few that a life has many, and meets the limit.
const SPOOL_BYTES: u64 = 512 << 10;
const SEGMENT_BYTES: u64 = 64 << 10;
/// Frames of one batch.
const BATCH: usize = 20;

/// What waits for the disk: of which sender, its answer, and which send it is.
struct Waiting {
    seq: u64,
    sender: u64,
    ticket: Ticket,
    name: String,
}

/// A running server.
pub(super) struct House {
    stepped: Stepped,
    clock: Arc<AtomicU64>,
    reader: Reader,
    lost: Vec<(u64, u64)>,
    found: u64,
    waiting: Vec<Waiting>,
    /// Answers that may leave, by sender.
    answers: Vec<(u64, Ticket)>,
}

impl House {
    /// `floor`: sequences go on above it; `applied`: as the database says sooner or later.
    pub(super) fn open(
        fs: &FaultyFs,
        now: Duration,
        (floor, applied): (u64, u64),
        seed: u64,
    ) -> Result<Self, OpenError> {
        let clock = Arc::new(AtomicU64::new(micros(now)));
        let hand = Arc::clone(&clock);
        let hooks = Hooks {
            clock: Box::new(move || Duration::from_micros(hand.load(Ordering::Relaxed))),
            on_durable: Box::new(|_| {}),
            on_sync: Box::new(|_| {}),
            carry: Box::new(<[u8]>::to_vec),
        };
        let settings = Settings {
            segment_bytes: SEGMENT_BYTES,
            floor,
            ..Settings::new(PathBuf::from(DIR), SPOOL_BYTES, seed)
        };
        let (stepped, recovered) = Stepped::open(settings, Arc::new(fs.clone()), hooks)?;
        stepped.spool().release(applied);
        let reader = stepped.spool().reader(applied);
        let lost = recovered.damage.iter().map(|damage| damage.lost).collect();
        let (found, waiting, answers) = (recovered.last_seq, Vec::new(), Vec::new());
        Ok(Self { stepped, clock, reader, lost, found, waiting, answers })
    }

    /// What the start found lost.
    pub(super) fn lost(&self) -> Vec<(u64, u64)> {
        self.lost.clone()
    }

    /// The highest sequence that the start found.
    pub(super) const fn found(&self) -> u64 {
        self.found
    }

    pub(super) fn durable(&self) -> u64 {
        self.stepped.spool().durable()
    }

    pub(super) fn set_sync(&mut self, sync: Duration) {
        self.stepped.set_sync(sync);
    }

    pub(super) fn failed_syncs(&self) -> u64 {
        self.stepped.spool().status().failed_syncs
    }

    pub(super) fn is_broken(&self) -> bool {
        self.stepped.spool().status().state == State::Broken
    }

    /// All that is durable is in the database, and nothing waits.
    pub(super) fn is_applied(&self, database: &Database) -> bool {
        self.waiting.is_empty() && self.reader.next() > database.applied().max(self.durable())
    }

    /// Takes a send; false: there is no room for it now.
    pub(super) fn take(
        &mut self,
        sender: u64,
        ticket: Ticket,
        messages: &[Inbound],
        book: &mut Book,
    ) -> Result<bool, String> {
        let ids = messages.iter().map(|message| message.record_id.as_deref());
        let ids: Vec<&str> = ids.collect::<Option<_>>().ok_or("a message without its id")?;
        let payload = ids.iter().map(|id| record(id)).collect::<Vec<_>>().join("\n");
        let name = ids.first().and_then(|id| id.split('/').next()).unwrap_or_default().to_owned();
        let entry = Entry {
            kind: Kind::Data,
            key: None,
            payload: payload.into_bytes(),
            records: ids.len(),
        };
        match self.stepped.spool().append(vec![entry], true) {
            Ok(seq) => {
                let sent = book.get_mut(&name).ok_or("a send that nobody has sent")?;
                sent.seqs.push(seq);
                self.waiting.push(Waiting { seq, sender, ticket, name });
                Ok(true)
            }
            Err(Full::Memory | Full::Disk | Full::Broken) => Ok(false),
            Err(full @ (Full::Entry | Full::Closed)) => Err(format!("{name}: {full}")),
        }
    }

    /// The disk turns; what it has may be answered.
    pub(super) fn turn(&mut self, now: Duration, book: &mut Book) -> Result<(), String> {
        self.clock.store(micros(now), Ordering::Relaxed);
        self.stepped.turn();
        let durable = self.stepped.spool().durable();
        let (done, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|one| one.seq <= durable);
        self.waiting = waiting;
        let done: Vec<Waiting> = done;
        for one in done {
            book.get_mut(&one.name).ok_or("a send that nobody has sent")?;
            self.answers.push((one.sender, one.ticket));
        }
        Ok(())
    }

    /// Answers for this sender.
    pub(super) fn answers(&mut self, sender: u64) -> Vec<Ticket> {
        let mut own = Vec::new();
        self.answers.retain(|(of, ticket)| {
            if *of == sender {
                own.push(*ticket);
            }
            *of != sender
        });
        own
    }

    /// Its connection is gone: nobody is to be answered.
    pub(super) fn forget(&mut self, sender: u64) {
        self.waiting.retain(|one| one.sender != sender);
        self.answers.retain(|(of, _)| *of != sender);
    }

    /// One batch into the database, in order and without a hole that is not known. Gives what the
    /// reader found lost.
    pub(super) fn apply(
        &mut self,
        database: &mut Database,
        known: &[(u64, u64)],
    ) -> Result<Vec<(u64, u64)>, String> {
        let frames = self.reader.read(BATCH, 1 << 20).map_err(|error| error.to_string())?;
        let spool = self.stepped.spool();
        let found: Vec<_> = spool.take_damage().iter().map(|damage| damage.lost).collect();
        let mut batch: Vec<(u64, String)> = Vec::new();
        for frame in frames {
            let applied = batch.last().map_or(database.applied(), |(seq, _)| *seq);
            let holes = applied + 1..frame.seq;
            let told = |seq: u64| {
                let mut all = known.iter().chain(&found);
                all.any(|(from, to)| (*from..=*to).contains(&seq))
            };
            if frame.seq <= applied {
                return Err(format!("{} is applied twice", frame.seq));
            }
            if let Some(hole) = holes.into_iter().find(|seq| !told(*seq)) {
                return Err(format!("{hole} is missing, and nobody has said so"));
            }
            let text = String::from_utf8(frame.payload).map_err(|error| error.to_string())?;
            batch.push((frame.seq, text));
        }
        database.apply(&batch)?;
        spool.release(database.applied());
        Ok(found)
    }
}

/// A byte that was written to a segment changes.
pub(super) fn rot(fs: &FaultyFs, chance: &mut Chance) {
    let names = fs.list(Path::new(DIR)).unwrap_or_default();
    let at = usize::try_from(chance.below(names.len() as u64)).unwrap_or(0);
    let Some(name) = names.get(at) else { return };
    fs.damage(&Path::new(DIR).join(name), |bytes| {
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let at = usize::try_from(chance.below(written as u64)).unwrap_or(0);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << chance.below(8);
        }
    });
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
