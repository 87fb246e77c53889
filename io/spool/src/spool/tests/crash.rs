//! Every crash point of random workloads: nothing that was answered is lost, nothing is half there,
//! open frames are exact, order and bytes are those of the appends.
#![expect(clippy::cast_possible_truncation, reason = "numbers below 20 000")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::world::{DIR, World, carry};
use crate::entry::{Entry, Frame, Key, Kind};
use crate::fs::FileSystem as _;
use crate::fs::faulty::FaultyFs;
use crate::recovery::read_whole;
use crate::spool::{Full, State};

/// What the user knows: every append it made, by sequence.
#[derive(Clone, Default)]
struct Model {
    appends: Vec<(u64, Vec<Entry>)>,
    answered: u64,
    released: u64,
    cursor: u64,
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (self.0 >> 33) % n
    }
}

fn entry(chance: &mut Chance) -> Entry {
    let kind = [Kind::Data, Kind::Data, Kind::Open, Kind::Close][chance.below(4) as usize];
    let key = Key::new(&[b'k', chance.below(12) as u8]);
    let size = if chance.below(30) == 0 { 20_000 } else { chance.below(2500) as usize };
    let mut payload = format!("{}|", chance.below(1 << 30)).into_bytes();
    payload.resize(payload.len() + size, b'.');
    Entry { kind, key: key.filter(|_| kind != Kind::Data), payload, records: 1 }
}

/// Some turns of work; ends early when the power goes.
fn work(world: &mut World, model: &mut Model, chance: &mut Chance, turns: usize) {
    for _ in 0..turns {
        match chance.below(10) {
            0..6 => {
                let entries: Vec<_> = (0..=chance.below(3)).map(|_| entry(chance)).collect();
                let urgent = chance.below(2) == 0;
                if let Ok(seq) = world.shared.intake().append(entries.clone(), urgent) {
                    model.appends.push((seq + 1 - entries.len() as u64, entries));
                }
            }
            6 => world.advance(Duration::from_millis(11)),
            7 => {
                let released = model.answered.saturating_sub(chance.below(20));
                model.released = model.released.max(released);
                world.shared.intake().released = model.released;
                world.shared.intake().dirty = true;
            }
            8 => {
                model.cursor = model.answered;
                world.shared.intake().set_cursor(0, model.cursor);
            }
            _ => {}
        }
        world.turn();
        model.answered = world.durable();
    }
}

/// The disk after a start against what the user knows.
fn check(world: &World, model: &mut Model, context: &str) {
    let recovered = &world.recovered;
    assert!(recovered.damage.is_empty(), "{context}: {:?}", recovered.damage);
    let last = recovered.last_seq;
    assert!(last >= model.answered, "{context}: {last} < {}", model.answered);
    for (first, entries) in &model.appends {
        let end = first + entries.len() as u64 - 1;
        assert!(*first > last || end <= last, "{context}: half of {first}..={end}");
    }
    model.appends.retain(|(first, _)| *first <= last);
    let flat = || {
        let batches = model.appends.iter();
        batches.flat_map(|(first, entries)| (*first..).zip(entries))
    };
    let mut open = BTreeMap::new();
    for (_, entry) in flat() {
        match (entry.kind, entry.key) {
            (Kind::Open, Some(key)) => drop(open.insert(key, &entry.payload)),
            (Kind::Close, Some(key)) => drop(open.remove(&key)),
            _ => {}
        }
    }
    let found: BTreeMap<_, _> = recovered.open.iter().map(|f| (f.key.unwrap(), f)).collect();
    assert!(found.keys().eq(open.keys()), "{context}: {:?} {:?}", found.keys(), open.keys());
    for (key, frame) in found {
        let payload = open[&key];
        let exact = frame.kind == Kind::Open && frame.payload == *payload;
        assert!(exact || frame.payload == carry(payload), "{context}: {frame:?}");
    }
    if let Some((0, cursor)) = recovered.cursors.first() {
        assert!(*cursor <= model.cursor, "{context}");
    }
    let users: BTreeMap<u64, &Entry> = flat().collect();
    let mut reader = world.reader(model.released);
    let mut next = model.released + 1;
    loop {
        let frames = reader.read(50, 100_000).unwrap();
        if frames.is_empty() {
            break;
        }
        for Frame { seq, kind, key, payload } in frames {
            assert_eq!(seq, next, "{context}: a hole");
            next += 1;
            let own = matches!(kind, Kind::Carried | Kind::Cursor);
            let expected = users.get(&seq).map(|entry| (entry.kind, entry.key, &entry.payload));
            assert!(own != expected.is_some(), "{context}: {seq}");
            assert!(own || expected == Some((kind, key, &payload)), "{context}: {seq}");
        }
    }
    assert_eq!(next, last + 1, "{context}");
    model.answered = last;
}

/// Two lives and a crash in each; the second at the given operation of its life, if there is one.
fn lives(seed: u64, crash: Option<u64>) -> u64 {
    let mut chance = Chance(seed);
    let mut model = Model::default();
    let mut world = World::new(FaultyFs::new(seed), seed);
    work(&mut world, &mut model, &mut chance, 150);
    let fs = world.fs.restart();
    if let Some(crash) = crash {
        fs.crash_at(crash);
    }
    let context = format!("seed {seed} crash {crash:?}");
    // a crash may also hit the start itself; then the next start finds the disk
    let fs = match World::open(fs.clone(), seed + 1, 0) {
        Ok(mut world) => {
            check(&world, &mut model, &context);
            work(&mut world, &mut model, &mut chance, 120);
            fs
        }
        Err(_) => fs,
    };
    let operations = fs.operations();
    let mut world = World::new(fs.restart(), seed + 2);
    check(&world, &mut model, &context);
    work(&mut world, &mut model, &mut chance, 10);
    let world = World::new(world.fs.restart(), seed + 3);
    check(&world, &mut model, &context);
    operations
}

#[test]
fn every_crash_point_of_random_workloads() {
    let seeds = std::option_env!("SPOOL_SEEDS").and_then(|n| n.parse().ok()).unwrap_or(4);
    for seed in 0..seeds {
        let operations = lives(seed, None);
        assert!(operations > 40, "the workload does something: {operations}");
        for crash in 0..operations {
            lives(seed, Some(crash));
        }
    }
}

/// One life that ends in quiet: all frames are durable, and the last group is of this many appends.
fn quiet(seed: u64) -> (World, Vec<Vec<u8>>) {
    let mut chance = Chance(seed);
    let mut world = World::new(FaultyFs::new(seed), seed);
    let mut appended = Vec::new();
    for round in 0..2 + chance.below(3) {
        for number in 0..=chance.below(6) {
            let size = chance.below(300) as usize;
            let payload = format!("<{seed}.{round}.{number}>{}", ".".repeat(size)).into_bytes();
            world.append(vec![Entry {
                kind: Kind::Data,
                key: None,
                payload: payload.clone(),
                records: 1,
            }]);
            appended.push(payload);
        }
        world.turn();
        world.advance(Duration::from_secs(1));
        world.turn();
    }
    assert_eq!(world.durable(), appended.len() as u64);
    (world, appended)
}

/// After a moment of quiet a bad byte is known from a torn write also in the last group: what is
/// behind it stays, and the damage is told.
#[test]
fn a_bad_byte_in_the_last_group_of_a_quiet_spool_takes_one_frame_and_is_told() {
    for seed in 0..40 {
        let (world, appended) = quiet(seed);
        for (lost, payload) in appended.iter().enumerate() {
            let (path, at) = world.find(payload);
            let fs = world.fs.killed();
            fs.damage(&path, |bytes| bytes[at + 1] ^= 0x20);
            let mut after = World::new(fs, seed + 1);
            let told: Vec<_> = after.recovered.damage.iter().map(|damage| damage.lost).collect();
            let seq = lost as u64 + 1;
            assert_eq!(told, [(seq, seq)], "seed {seed}: {:?}", after.recovered);
            assert!(after.recovered.damage.iter().all(|damage| damage.copy.is_some()));
            let rest: Vec<_> = appended.iter().filter(|other| *other != payload).cloned().collect();
            assert_eq!(after.payloads(0), rest, "seed {seed}");
            assert_eq!(after.recovered.last_seq, appended.len() as u64);
        }
    }
}

/// A start on a full disk: what is there can be read and released, nothing is taken until there is
/// room, and no start is refused however often it comes.
#[test]
fn a_start_on_a_full_disk_reads_what_is_there_and_takes_records_when_there_is_room() {
    for seed in 0..20 {
        let (world, mut appended) = quiet(seed);
        let mut fs = world.fs.killed();
        fs.set_capacity(Some(0));
        for round in 0..3 {
            let mut world = World::new(fs.killed(), seed + round);
            world.turn();
            assert_eq!(world.shared.intake().status.state, State::Open, "the spare is used");
            assert_eq!(world.payloads(0), appended, "seed {seed} round {round}");
            fs = world.fs.killed();
        }
        // without the spare that an earlier life left there is nothing to write to
        let mut names = fs.list(Path::new(DIR)).unwrap();
        names.retain(|name| {
            let file = fs.open(&Path::new(DIR).join(name)).unwrap();
            let read = read_whole(&*file, file.len().unwrap());
            !appended.iter().any(|one| read.windows(one.len()).any(|window| window == one))
        });
        for name in &names {
            fs.remove(&Path::new(DIR).join(name)).unwrap();
        }
        let mut world = World::new(fs.killed(), seed + 5);
        assert_eq!(world.shared.intake().status.state, State::DiskFull);
        let entry =
            || vec![Entry { kind: Kind::Data, key: None, payload: b"later".to_vec(), records: 1 }];
        assert_eq!(world.shared.intake().append(entry(), true), Err(Full::Disk));
        assert_eq!(world.payloads(0), appended, "seed {seed}");
        world.advance(Duration::from_secs(1));
        world.turn();
        assert_eq!(world.shared.intake().status.state, State::DiskFull);
        world.fs.set_capacity(None);
        world.advance(Duration::from_secs(1));
        world.turn();
        assert_eq!(world.shared.intake().status.state, State::Open);
        world.append(entry());
        world.turn();
        appended.push(b"later".to_vec());
        let mut world = World::new(world.fs.restart(), seed + 6);
        assert!(world.recovered.damage.is_empty(), "{:?}", world.recovered);
        assert_eq!(world.payloads(0), appended, "seed {seed}");
    }
}

#[test]
fn crashes_with_failing_syncs_before_them() {
    for seed in 100..160 {
        let mut chance = Chance(seed);
        let mut model = Model::default();
        let fs = FaultyFs::new(seed);
        fs.fail_syncs(&[3 + chance.below(20), 40 + chance.below(20)]);
        let Ok(mut world) = World::open(fs, seed, 0) else { continue };
        work(&mut world, &mut model, &mut chance, 120);
        for round in 0..3 {
            world = World::new(world.fs.restart(), seed + round);
            check(&world, &mut model, &format!("seed {seed} round {round}"));
            let sync = world.fs.syncs() + chance.below(30);
            world.fs.fail_syncs(&[sync]);
            work(&mut world, &mut model, &mut chance, 60);
        }
    }
}
