//! Lives of the ingest of a Reporting Server: producers, brokers, the spool on a disk that tears,
//! drops, reorders, fails and fills up, and a database that takes what is in the spool.
//!
//! Each life is lived once for every operation of the disk at which the power may go. What was
//! acknowledged is in the database once when all is over, or, where the disk rotted, in what the
//! spool reports as lost; of what was not, a send is there whole or not at all.

mod database;
mod house;
mod sender;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use model::chance::Chance;
use spool::fs::faulty::FaultyFs;

use self::database::Database;
use self::house::House;
use self::sender::Sender;
use crate::seed;

/// Producers.
const SENDERS: u64 = 3;
/// Turns of a life before the power goes, if it does not go earlier, and after.
const TURNS: usize = 90;
const AFTER: usize = 40;
/// Sequences for each millisecond, where the database does not say which it has.
const UNSEEN: u64 = 1000;
/// Turns in which everything has to come to rest once nothing fails any more.
const REST: usize = 4000;

/// A promise that was broken.
#[derive(Debug, thiserror::Error)]
#[error("seed {seed}, power off at {crash:?}: {what}")]
pub struct Fault {
    /// The life.
    pub seed: u64,
    /// The operation of the disk at which the power went.
    pub crash: Option<u64>,
    /// What was not so.
    pub what: String,
}

/// What happened in lives.
#[derive(Debug, Default, Clone, Copy)]
pub struct Story {
    /// Lives lived.
    pub lives: u64,
    /// Sends acknowledged.
    pub acknowledged: u64,
    /// Of those that were not, how many are there all the same.
    pub unasked: u64,
    /// Starts, and how many of them the power ended.
    pub starts: u64,
    /// See there.
    pub cut: u64,
    /// Syncs that failed.
    pub failed_syncs: u64,
    /// Damaged areas that were reported.
    pub damaged: u64,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lives, acknowledged, unasked, starts, cut, failed_syncs, damaged } = self;
        write!(
            f,
            "{lives} lives, {acknowledged} sends acknowledged, {unasked} whole without an answer, \
             {starts} starts ({cut} cut off), {failed_syncs} failed syncs, {damaged} areas damaged"
        )
    }
}

/// A send, and where it may lie.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) records: Vec<String>,
    /// Sequences under which the spool took it, the last of the life that answered.
    pub(crate) seqs: Vec<u64>,
    pub(crate) acknowledged: bool,
}

/// All sends by name.
pub(crate) type Book = BTreeMap<String, Sent>;

/// One life for each operation of the disk at which the power may go, and one where it stays.
///
/// # Errors
/// The first promise that was broken.
pub fn sweep(seed: u64, story: &mut Story) -> Result<(), Fault> {
    let operations = life(seed, None, story)?;
    for crash in 0..operations {
        life(seed, Some(crash), story)?;
    }
    Ok(())
}

/// One life; gives the operations of the disk until the power went.
///
/// # Errors
/// The promise that was broken.
pub fn life(seed: u64, crash: Option<u64>, story: &mut Story) -> Result<u64, Fault> {
    let life = Life {
        now: Duration::ZERO,
        chance: seed::chance(seed, 1),
        fs: FaultyFs::new(seed),
        house: None,
        senders: (0..SENDERS).map(Sender::new).collect(),
        book: Book::new(),
        database: Database::default(),
        lost: Vec::new(),
        passed: Vec::new(),
        rots: seed % 4 == 3,
        is_away: seed % 3 == 1,
        rotten: None,
        durable: 0,
        seed,
    };
    life.live(crash, story).map_err(|what| Fault { seed, crash, what })
}

struct Life {
    now: Duration,
    chance: Chance,
    fs: FaultyFs,
    house: Option<House>,
    senders: Vec<Sender>,
    book: Book,
    database: Database,
    /// Sequences that the spool has reported as lost.
    lost: Vec<(u64, u64)>,
    /// The database cannot be asked at a start.
    is_away: bool,
    /// Sequences that starts have passed for their floor: nothing ever had them.
    passed: Vec<(u64, u64)>,
    /// Bytes of the disk change, at any time.
    rots: bool,
    /// One has: of what was durable up to here, the end may pass for a write that was cut off.
    rotten: Option<u64>,
    /// Highest durable sequence when the power went.
    durable: u64,
    seed: u64,
}

impl Life {
    fn live(mut self, crash: Option<u64>, story: &mut Story) -> Result<u64, String> {
        story.lives += 1;
        if let Some(crash) = crash {
            self.fs.crash_at(crash);
        }
        let failing = self.chance.below(5);
        let syncs: Vec<u64> = (0..failing).map(|_| 3 + self.chance.below(90)).collect();
        self.fs.fail_syncs(&syncs);
        let ended = |life: &Self| crash.is_some_and(|crash| life.fs.operations() > crash);
        self.start(story);
        for _ in 0..TURNS {
            if ended(&self) {
                break;
            }
            self.trouble();
            self.turn(true)?;
        }
        let operations = self.fs.operations();
        self.power_off(story)?;
        for turn in 0..AFTER {
            if self.house.is_none() {
                self.start(story);
            }
            if turn == AFTER / 2 && self.chance.below(2) == 0 {
                self.power_off(story)?;
                continue;
            }
            self.turn(true)?;
        }
        self.rest(story)?;
        self.power_off(story)?;
        self.rest(story)?;
        self.check(story)?;
        Ok(operations)
    }

    /// A start that the power ends, or the disk, leaves no house.
    fn start(&mut self, story: &mut Story) {
        story.starts += 1;
        let seed = self.chance.next_u64();
        let applied = self.database.applied();
        let floor = if self.is_away { self.unseen() } else { applied };
        match House::open(&self.fs, self.now, (floor, applied), seed) {
            Ok(house) => {
                self.lost.extend(house.lost());
                self.passed.push((house.found() + 1, floor));
                // the last group has no frame behind it that says it was durable
                let end = self.rotten.take().map(|durable| (house.found() + 1, durable));
                self.lost.extend(end);
                self.house = Some(house);
            }
            Err(_) => story.cut += 1,
        }
    }

    /// Above all that a database can have which does not say it, as the server has it.
    fn unseen(&self) -> u64 {
        u64::try_from(self.now.as_millis()).unwrap_or(u64::MAX).saturating_mul(UNSEEN)
    }

    /// The disk fills up and gets room again; syncs get slow.
    fn trouble(&mut self) {
        match self.chance.below(24) {
            0 => self.fs.set_capacity(Some(160 << 10)),
            1 | 2 => self.fs.set_capacity(None),
            3 => {
                let sync = Duration::from_millis(self.chance.below(9));
                if let Some(house) = &mut self.house {
                    house.set_sync(sync);
                }
            }
            4..8 if self.rots && self.house.is_some() => self.rot(),
            _ => {}
        }
    }

    fn rot(&mut self) {
        house::rot(&self.fs, &mut self.chance);
        let durable = self.house.as_ref().map_or(self.durable, House::durable);
        self.rotten = self.rotten.max(Some(durable));
    }

    fn turn(&mut self, sending: bool) -> Result<(), String> {
        self.now += Duration::from_millis(1 + self.chance.below(8));
        let Some(house) = &mut self.house else { return Ok(()) };
        for sender in &mut self.senders {
            sender.turn(self.now, house, &mut self.book, &mut self.chance, sending)?;
        }
        house.turn(self.now, &mut self.book)?;
        // where bytes change, more of them wait for the database
        let pace = if self.rots { 30 } else { 3 };
        if self.chance.below(pace) == 0 || !sending {
            let known = [&*self.lost, &self.passed].concat();
            self.lost.extend(house.apply(&mut self.database, &known)?);
        }
        Ok(())
    }

    /// What was not synced arrives in parts; connections break.
    fn power_off(&mut self, story: &mut Story) -> Result<(), String> {
        if let Some(house) = self.house.take() {
            story.failed_syncs += house.failed_syncs();
            self.durable = house.durable();
        }
        self.senders.iter_mut().for_each(Sender::lost);
        self.fs = self.fs.restart();
        self.fs.set_capacity(None);
        if self.rots && self.chance.below(2) == 0 {
            self.rot();
        }
        self.rotten = self.rotten.map(|_| self.durable);
        if !self.rots && !self.lost.is_empty() {
            return Err(format!("nothing has rotted, and {:?} is reported as lost", self.lost));
        }
        Ok(())
    }

    /// Nothing fails any more: every send is answered, and all is applied.
    fn rest(&mut self, story: &mut Story) -> Result<(), String> {
        for _ in 0..REST {
            if self.house.as_ref().is_none_or(House::is_broken) {
                self.power_off(story)?;
                self.start(story);
            }
            self.turn(false)?;
            let quiet = self.senders.iter().all(Sender::is_quiet);
            if quiet && self.house.as_ref().is_some_and(|house| house.is_applied(&self.database)) {
                return Ok(());
            }
        }
        Err("it comes to no rest".to_owned())
    }

    fn check(&self, story: &mut Story) -> Result<(), String> {
        story.damaged += u64::try_from(self.lost.len()).unwrap_or(u64::MAX);
        let mut known = BTreeSet::new();
        for (name, sent) in &self.book {
            let times = |id: &String| self.database.times(id);
            if let Some(id) = sent.records.iter().find(|id| times(id) > 1) {
                return Err(format!("{id} was written {} times", times(id)));
            }
            let here = sent.records.iter().filter(|id| times(id) == 1).count();
            known.extend(&sent.records);
            let whole = here == sent.records.len();
            if !whole && here > 0 {
                return Err(format!("{name}: {here} of {} records", sent.records.len()));
            }
            let in_lost = |seq: &u64| self.lost.iter().any(|(from, to)| (from..=to).contains(&seq));
            if sent.acknowledged && !whole && !sent.seqs.iter().any(in_lost) {
                return Err(format!("{name} was acknowledged and is not there: {:?}", sent.seqs));
            }
            story.acknowledged += u64::from(sent.acknowledged);
            story.unasked += u64::from(whole && !sent.acknowledged);
        }
        match self.database.records().find(|id| !known.contains(id)) {
            Some(id) => Err(format!("nobody has sent {id}, seed {}", self.seed)),
            None => Ok(()),
        }
    }
}
