//! The spool under a failing disk, driven without threads so that every operation has its place:
//! each crash point of a random workload, failing syncs, full disks; then the same handle with its
//! threads on the host's file system.

mod crash;
mod failing;
mod world;

use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use self::world::{DIR, World};
use super::*;
use crate::entry::{Key, Kind};
use crate::fs::faulty::FaultyFs;
use crate::fs::real::RealFs;
use crate::recovery::file_name;

fn data(payload: &[u8]) -> Entry {
    Entry { kind: Kind::Data, key: None, payload: payload.to_vec(), records: 1 }
}

fn keyed(kind: Kind, key: &[u8], payload: &[u8]) -> Entry {
    Entry { kind, key: Key::new(key), payload: payload.to_vec(), records: 1 }
}

fn hooks(on_durable: impl Fn(u64) + Send + 'static) -> Hooks {
    Hooks {
        clock: Box::new(|| Duration::ZERO),
        on_durable: Box::new(on_durable),
        on_sync: Box::new(|_| {}),
        carry: Box::new(<[u8]>::to_vec),
    }
}

fn settings(dir: &Path) -> Settings {
    Settings { segment_bytes: 64 << 10, ..Settings::new(dir.to_owned(), 1 << 20, 7) }
}

#[test]
fn a_failed_sync_goes_to_a_new_segment_and_nothing_is_lost() {
    let mut world = World::new(FaultyFs::new(1), 0);
    world.append(vec![data(b"one")]);
    world.turn();
    let sync = world.fs.syncs();
    world.fs.fail_syncs(&[sync]);
    world.append(vec![data(b"two"), keyed(Kind::Open, b"leg", b"three")]);
    world.turn();
    assert_eq!(world.durable(), 1, "not answered");
    world.turn();
    assert_eq!(world.durable(), 3);
    assert_eq!(world.payloads(0), [&b"one"[..], b"two", b"three"]);
    let mut world = world.restart(1);
    assert_eq!(world.recovered.last_seq, 3);
    assert!(world.recovered.damage.is_empty(), "{:?}", world.recovered.damage);
    assert_eq!(world.payloads(0), [&b"one"[..], b"two", b"three"]);
}

#[test]
fn two_failed_syncs_break_the_spool_and_a_start_or_another_try_heals_it() {
    let mut world = World::new(FaultyFs::new(2), 0);
    world.append(vec![data(b"kept")]);
    world.turn();
    let sync = world.fs.syncs();
    // the second is that of the spare, which is there
    world.fs.fail_syncs(&[sync, sync + 1]);
    world.append(vec![data(b"lost, but never answered")]);
    (0..3).for_each(|_| world.turn());
    assert_eq!((world.shared.intake().status.state, world.durable()), (State::Broken, 1));
    assert_eq!(world.shared.intake().append(vec![data(b"x")], true), Err(Full::Broken));
    world.shared.intake().again = true;
    world.turn();
    assert_eq!((world.shared.intake().status.state, world.durable()), (State::Open, 2));
    let world = world.restart(3);
    assert_eq!((world.recovered.last_seq, world.shared.intake().status.state), (2, State::Open));
}

#[test]
fn a_full_disk_holds_back_and_goes_on_when_there_is_room() {
    let fs = FaultyFs::new(3);
    fs.set_capacity(Some(256 << 10));
    let mut world = World::new(fs, 0);
    let mut last = 0;
    for _ in 0..200 {
        world.turn();
        if let Ok(seq) = world.shared.intake().append(vec![data(&[5; 4000])], true) {
            last = seq;
        }
    }
    assert_eq!(world.shared.intake().status.state, State::DiskFull);
    assert_eq!(world.shared.intake().append(vec![data(b"x")], true), Err(Full::Disk));
    let durable = world.durable();
    assert!(durable > 20 && durable < last, "{durable} {last}");
    world.shared.intake().released = durable;
    for _ in 0..10 {
        world.advance(Duration::from_millis(600));
        world.turn();
    }
    assert_eq!(world.durable(), last, "what was taken is kept");
    assert_eq!(world.shared.intake().status.state, State::Open);
}

#[test]
fn the_limit_on_disk_and_the_spare() {
    let mut world = World::new(FaultyFs::new(4), 0);
    let mut taken = 0;
    while world.shared.intake().append(vec![data(&[1; 8000])], true).is_ok() {
        world.turn();
        taken += 1;
    }
    let status = world.shared.intake().status;
    assert!(status.bytes <= status.limit && status.bytes > status.limit * 3 / 4, "{status:?}");
    assert!(taken > 80);
    world.shared.intake().status.limit *= 2;
    for _ in 0..taken / 2 {
        assert!(world.shared.intake().append(vec![data(&[1; 8000])], true).is_ok(), "more room");
        world.turn();
    }
    world.shared.intake().status.limit /= 2;
    assert!(world.shared.intake().append(vec![data(&[1; 8000])], true).is_err(), "less again");
    world.shared.intake().released = world.durable();
    world.turn();
    assert_eq!(world.shared.intake().status.segments, 1);
    assert!(world.shared.intake().append(vec![data(&[1; 8000])], true).is_ok());
}

#[test]
fn cleaning_carries_open_frames_and_a_recycled_file_shows_none_of_its_old_ones() {
    let mut world = World::new(FaultyFs::new(5), 0);
    world.append(vec![
        keyed(Kind::Open, b"held", b"block|record"),
        keyed(Kind::Open, b"gone", b"b|r"),
    ]);
    world.append(vec![keyed(Kind::Close, b"gone", b"end")]);
    for round in 0..120_u8 {
        world.append(vec![data(&[round; 3000])]);
        world.shared.intake().released = world.durable();
        world.turn();
        world.advance(Duration::from_millis(11));
        world.turn();
    }
    let status = world.shared.intake().status;
    assert!(status.segments <= 3, "{status:?}");
    assert_eq!(status.open_keys, 1);
    let world = world.restart(9);
    let open: Vec<_> =
        world.recovered.open.iter().map(|frame| (frame.kind, &*frame.payload)).collect();
    assert_eq!(open, [(Kind::Carried, &b"block"[..])], "the record was left behind");
    assert!(world.recovered.damage.is_empty());
}

#[test]
fn a_spool_that_keeps_up_fills_few_files_and_recycles_them() {
    let mut world = World::new(FaultyFs::new(8), 0);
    for round in 0..300_u32 {
        let seq = world.append(vec![data(&[1; 3000])]);
        world.turn();
        // acknowledged a little later, as by a broker
        world.shared.intake().released = seq.saturating_sub(u64::from(round % 5));
        world.turn();
    }
    let mut names = world.fs.list(Path::new(DIR)).unwrap();
    names.sort();
    let newest = names.pop().unwrap();
    assert!(newest <= file_name(5), "as many as 14 segments were filled: {newest}");
}

#[test]
fn damage_is_copied_and_told_and_hides_nothing_behind_it() {
    let mut world = World::new(FaultyFs::new(6), 0);
    for payload in [b"first", b"secnd", b"third", b"forth"] {
        world.append(vec![data(payload)]);
        world.turn();
    }
    let (name, at) = world.find(b"secnd");
    world.fs.damage(&name, |bytes| bytes[at] ^= 1);
    let mut world = world.restart(1);
    let [damage] = &world.recovered.damage[..] else { panic!("{:?}", world.recovered.damage) };
    assert_eq!(damage.lost, (2, 2));
    assert!(damage.copy.is_some());
    assert_eq!(world.payloads(0), [&b"first"[..], b"third", b"forth"]);
    assert_eq!(world.recovered.last_seq, 4);
}

#[test]
fn a_lost_header_is_read_from_its_other_copy_and_told() {
    for (bad, whole) in [(&[10_usize][..], false), (&[4106], false), (&[10, 4106], true)] {
        let mut world = World::new(FaultyFs::new(7), 0);
        world.append(vec![data(&[9; 60_000])]);
        world.turn();
        let (name, _) = world.find(&[9; 60_000]);
        world.append(vec![data(&[8; 60_000])]);
        world.turn();
        world.fs.damage(&name, |bytes| bad.iter().for_each(|at| bytes[*at] ^= 1));
        let mut world = world.restart(2);
        (0..3).for_each(|_| world.turn());
        let told = &world.recovered.damage;
        assert!(told.iter().all(|damage| damage.copy.is_some()), "{told:?}");
        assert_eq!(told.iter().any(|damage| damage.bytes > 128), whole, "{told:?}");
        assert_eq!(told.iter().any(|damage| damage.bytes == 128), !whole, "{told:?}");
        assert_eq!(world.payloads(0).len(), if whole { 1 } else { 2 });
        assert_eq!(world.recovered.last_seq, 2);
        assert!(world.restart(3).recovered.damage.is_empty(), "told once, then only kept");
    }
}

#[test]
fn a_start_above_the_floor_is_no_damage() {
    let mut world = World::with_floor(FaultyFs::new(8), 0, 500);
    assert_eq!(world.append(vec![data(b"a")]), 501);
    world.turn();
    let mut world = world.restart_with_floor(1, 900);
    assert_eq!(world.append(vec![data(b"b")]), 901);
    world.turn();
    let mut world = world.restart(2);
    assert_eq!(world.recovered.last_seq, 901);
    assert!(world.recovered.damage.is_empty(), "{:?}", world.recovered.damage);
    assert_eq!(world.payloads(0), [&b"a"[..], b"b"]);
}

#[test]
fn sequences_that_were_passed_for_a_floor_are_no_frames() {
    let dir = tempfile::tempdir().unwrap();
    for floor in [0, 1 << 50] {
        let (ending, ended) = sync_channel(1);
        let settings = Settings { floor, ..settings(dir.path()) };
        let hooks = hooks(move |_| ending.send(()).unwrap());
        let (spool, recovered) = Spool::open(settings, Arc::new(RealFs), hooks).unwrap();
        let last = spool.append(vec![data(b"a"), data(b"b"), data(b"c")], true).unwrap();
        assert_eq!(last, recovered.last_seq.max(floor) + 3);
        ended.recv().unwrap();
        let of = |after, to| spool.frames(after, to);
        assert_eq!((of(0, last), of(last - 1, last + 9)), (recovered.last_seq + 3, 1));
    }
}

#[test]
fn a_hook_that_panics_breaks_the_spool_instead_of_hanging_it() {
    let dir = tempfile::tempdir().unwrap();
    let (ending, ended) = sync_channel(1);
    let hooks = hooks(move |_| {
        ending.send(()).unwrap();
        panic!("a hook fails");
    });
    let (spool, _) = Spool::open(settings(dir.path()), Arc::new(RealFs), hooks).unwrap();
    spool.append(vec![data(b"x")], true).unwrap();
    ended.recv().unwrap();
    while spool.status().state != State::Broken {
        thread::yield_now();
    }
    assert!(spool.status().is_dead);
    assert_eq!(spool.append(vec![data(b"y")], true), Err(Full::Broken));
    spool.close();
}

#[test]
fn with_threads_on_the_host_it_keeps_order_and_reads_while_writing() {
    let dir = tempfile::tempdir().unwrap();
    let (told, durable) = sync_channel(10_000);
    let hooks = hooks(move |seq| told.send(seq).unwrap());
    let (spool, recovered) = Spool::open(settings(dir.path()), Arc::new(RealFs), hooks).unwrap();
    assert_eq!(recovered.last_seq, 0);
    let mut reader = spool.reader(0);
    let mut read = Vec::new();
    for number in 0..200_u64 {
        let entry = data(&number.to_le_bytes().repeat(100));
        let seq = spool.append(vec![entry], true).unwrap();
        while durable.recv_timeout(Duration::from_secs(20)).unwrap() < seq {}
        read.extend(reader.read(10, 1 << 20).unwrap());
        spool.release(seq.saturating_sub(20));
    }
    let numbers: Vec<_> = read.iter().map(|frame| frame.payload[0]).collect();
    assert_eq!(numbers, (0..200).collect::<Vec<u8>>());
    assert!(matches!(
        Spool::open(settings(dir.path()), Arc::new(RealFs), self::hooks(|_| {})),
        Err(OpenError::Locked(_))
    ));
    spool.append(vec![keyed(Kind::Open, b"leg", b"block")], false).unwrap();
    spool.set_cursor(3, 77);
    spool.close();
    let (spool, recovered) =
        Spool::open(settings(dir.path()), Arc::new(RealFs), self::hooks(|_| {})).unwrap();
    assert_eq!(recovered.cursors, [(3, 77)]);
    assert_eq!(recovered.open.len(), 1);
    assert!(recovered.damage.is_empty(), "{recovered:?}");
    drop(spool);
}

#[test]
fn a_reader_passes_over_what_is_none_of_its_user_and_reads_on_behind_it() {
    let mut world = World::new(FaultyFs::new(3), 0);
    let mut reader = world.reader(0);
    assert!(reader.end().is_none());
    let append = |world: &mut World, payload: &[u8]| {
        world.append(vec![data(payload)]);
        world.turn();
        world.durable()
    };
    let read = |reader: &mut Reader| {
        let frames = reader.read(10, 1 << 20).unwrap();
        frames.into_iter().map(|frame| frame.payload).collect::<Vec<_>>()
    };
    append(&mut world, b"one");
    let end = reader.end().unwrap();
    let two = append(&mut world, b"two");
    assert_eq!(reader.pass(end), Some(two - 1));
    assert_eq!(reader.pass(end), None, "there already");
    assert_eq!(read(&mut reader), [b"two"]);
    // the newest that is no cursor
    world.shared.intake().set_cursor(0, two);
    append(&mut world, b"three");
    let end = reader.end().unwrap();
    let three = reader.pass(end).unwrap();
    assert_eq!(read(&mut world.reader(three - 1))[0], b"three");
    assert_eq!(reader.next(), world.durable() + 1);
    // into a segment of its own, after a sync that failed
    world.fs.fail_syncs(&[world.fs.syncs()]);
    append(&mut world, b"four");
    world.turn();
    let end = reader.end().unwrap();
    assert_eq!(reader.pass(end), Some(world.durable()));
    append(&mut world, b"five");
    assert_eq!(read(&mut reader), [b"five"]);
    assert_eq!(read(&mut world.reader(two)).last().unwrap(), b"five");
    // one that was ahead of an end stays where it is
    assert_eq!(reader.pass(end), None);
    append(&mut world, b"six");
    assert_eq!(read(&mut reader), [b"six"]);
}

#[test]
fn frames_larger_than_a_read_come_back_with_their_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let wide = Settings::new(dir.path().to_owned(), 64 << 20, 7);
    let wide = Settings { segment_bytes: 4 << 20, ..wide };
    let (sender, durable) = sync_channel(64);
    let hooks = hooks(move |seq| sender.send(seq).unwrap());
    let (spool, _) = Spool::open(wide, Arc::new(RealFs), hooks).unwrap();
    // Lengths around the bytes of one read and around the padding of a frame.
    let lengths: Vec<usize> =
        (0..9).map(|n| (256 << 10) - 40 + n).chain([1, 900_001, 7, 900_003, 3]).collect();
    let payloads: Vec<Vec<u8>> = lengths.iter().map(|length| vec![b'x'; *length]).collect();
    for payload in &payloads {
        spool.append(vec![data(payload)], true).unwrap();
        durable.recv().unwrap();
    }
    let mut reader = spool.reader(0);
    let mut seen = Vec::new();
    while seen.len() < payloads.len() {
        let frames = reader.read(64, 1 << 20).unwrap();
        assert!(!frames.is_empty(), "nothing more after {}", seen.len());
        seen.extend(frames.into_iter().map(|frame| frame.payload.len()));
    }
    assert_eq!(seen, lengths);
}

/// A payload in which every place looks like the head of a long frame of a later sequence.
fn deceitful(bytes: usize) -> Vec<u8> {
    let mut one = (1_u32 << 20).to_le_bytes().repeat(2);
    one.extend((1_u64 << 40).to_le_bytes());
    one.repeat(bytes / one.len())
}

#[test]
fn a_reader_that_begins_far_behind_the_start_of_a_segment_finds_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let wide = Settings::new(dir.path().to_owned(), 64 << 20, 7);
    let wide = Settings { segment_bytes: 16 << 20, ..wide };
    let open = |hooks| Spool::open(wide.clone(), Arc::new(RealFs), hooks).unwrap();
    let (spool, _) = open(hooks(|_| {}));
    // what is acknowledged already takes several reads to pass; all of it in one segment
    let first = spool.append((0..40).map(|_| data(&deceitful(40 << 10))).collect(), true).unwrap();
    spool.append(vec![data(b"wanted"), data(b"too")], true).unwrap();
    spool.close();
    let (spool, recovered) = open(hooks(|_| {}));
    assert!(recovered.damage.is_empty(), "{recovered:?}");
    for after in [first, first - 10] {
        let mut reader = spool.reader(after);
        let mut seen = Vec::new();
        loop {
            let frames = reader.read(7, 100 << 10).unwrap();
            if frames.is_empty() {
                break;
            }
            seen.extend(frames.into_iter().map(|frame| frame.seq));
        }
        assert_eq!(seen, (after + 1..=first + 2).collect::<Vec<_>>());
    }
    spool.close();
}

/// Damage as a reader found it: bytes, first and last sequence, and whether there is a copy.
fn told(world: &World) -> Vec<(u64, (u64, u64), bool)> {
    let found = world.shared.ward.take().into_iter();
    found.map(|damage| (damage.bytes, damage.lost, damage.copy.is_some())).collect()
}

#[test]
fn a_reader_tells_what_it_cannot_read_once_and_hides_nothing_behind_it() {
    let mut world = World::new(FaultyFs::new(6), 0);
    for payload in [b"first", b"secnd", b"third", b"forth"] {
        world.append(vec![data(payload)]);
        world.turn();
    }
    let (name, at) = world.find(b"secnd");
    world.fs.damage(&name, |bytes| bytes[at] ^= 1);
    let (name, at) = world.find(b"forth");
    world.fs.damage(&name, |bytes| bytes[at] ^= 1);
    for round in 0..2 {
        assert_eq!(world.payloads(0), [&b"first"[..], b"third"]);
        let expected = [(40, (2, 2), true), (33, (4, 4), true)];
        assert_eq!(told(&world), if round == 0 { &expected[..] } else { &[] });
    }
    assert_eq!(world.shared.ward.found(), 2);
    let copies = world.fs.list(&Path::new(DIR).join("quarantine")).unwrap();
    assert_eq!(copies.len(), 2, "{copies:?}");
    // what follows the damage is written and read as ever
    world.append(vec![data(b"fifth")]);
    world.turn();
    assert_eq!(world.payloads(0), [&b"first"[..], b"third", b"fifth"]);
    // the start finds the same, and its readers tell nothing anew
    let mut world = world.restart(1);
    assert_eq!(world.recovered.damage.len(), 2, "{:?}", world.recovered.damage);
    assert_eq!(world.payloads(0), [&b"first"[..], b"third", b"fifth"]);
    assert_eq!((told(&world), world.shared.ward.found()), (vec![], 2));
}

#[test]
fn a_bad_sector_is_tried_again_and_then_told_and_passed() {
    let mut world = World::new(FaultyFs::new(6), 0);
    world.append(vec![data(b"first")]);
    world.turn();
    world.append(vec![data(&[7; 300_000])]);
    (0..2).for_each(|_| world.turn());
    world.append(vec![data(b"third")]);
    world.turn();
    let (name, at) = world.find(&[7; 1000]);
    let at = at as u64;
    world.fs.spoil(&name, at + 290_000..at + 290_001);
    let mut reader = world.reader(1);
    for _ in 1..limits::READ_TRIES {
        assert!(reader.read(10, 1 << 20).is_err());
        assert_eq!(told(&world), []);
    }
    let read = reader.read(10, 1 << 20).unwrap();
    assert_eq!(read.iter().map(|frame| frame.seq).collect::<Vec<_>>(), [3]);
    let [(bytes, (2, 2), true)] = told(&world)[..] else { panic!("one area with a copy") };
    assert!(bytes >= 300_000);
}

#[test]
fn sequences_that_were_never_given_are_no_damage_to_a_reader() {
    let mut world = World::with_floor(FaultyFs::new(8), 0, 500);
    world.append(vec![data(b"a")]);
    world.turn();
    let mut world = world.restart_with_floor(1, 900);
    assert_eq!(world.payloads(0), [b"a"]);
    world.append(vec![data(b"b")]);
    world.turn();
    assert_eq!(world.payloads(0), [b"a", b"b"]);
    assert_eq!(told(&world), []);
}

#[test]
fn a_reader_of_a_segment_that_was_given_up_finds_no_damage_in_its_next_life() {
    let mut world = World::new(FaultyFs::new(9), 0);
    let mut slow = world.reader(0);
    world.append(vec![data(b"first")]);
    world.turn();
    assert_eq!(slow.read(1, 100).unwrap().len(), 1);
    for _ in 0..80 {
        world.append(vec![data(&[1; 3000])]);
        world.turn();
        world.shared.intake().released = world.durable().saturating_sub(3);
        world.turn();
    }
    let rest = slow.read(100, 1 << 20).unwrap();
    assert_eq!(rest.last().unwrap().seq, world.durable());
    assert_eq!(told(&world), []);
}

#[test]
fn a_limit_of_one_segment_never_shuts_for_good() {
    let mut world = World::new(FaultyFs::new(9), 0);
    // the segments that are there are larger than an eighth of the new limit
    world.shared.intake().status.limit = 64 << 10;
    world.shared.maker.fit(64 << 10);
    let mut last = 0;
    for _ in 0..400 {
        if let Ok(seq) = world.shared.intake().append(vec![data(&[5; 3000])], true) {
            last = seq;
        }
        world.turn();
        world.shared.intake().released = world.durable();
        world.turn();
    }
    assert_eq!(world.durable(), last);
    assert!(last > 390, "{last} of 400");
}
