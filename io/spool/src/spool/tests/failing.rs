//! Syncs that fail while nothing waits for anybody: what the last header says must stay on disk,
//! and the room of what failed must come back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::world::{DIR, World};
use super::{data, hooks, settings};
use crate::fs::FileSystem as _;
use crate::fs::faulty::FaultyFs;
use crate::spool::{Full, Spool, State};

/// A spool with a spare, in which everything has been answered and released.
fn calm(seed: u64) -> (World, u64) {
    let mut world = World::new(FaultyFs::new(seed), seed);
    world.turn();
    world.append(vec![data(b"answered")]);
    world.turn();
    let answered = world.durable();
    let mut intake = world.shared.intake();
    (intake.released, intake.dirty) = (answered, true);
    drop(intake);
    world.turn();
    (world, answered)
}

/// A turn in which the sync of the group fails.
fn fail(world: &mut World) {
    world.fs.fail_syncs(&[world.fs.syncs()]);
    world.turn();
}

#[test]
fn the_last_sequence_outlives_failed_syncs_and_a_crash_though_all_was_released() {
    for seed in 0..40 {
        for failing in 1..=4 {
            let (mut world, answered) = calm(seed);
            world.append(vec![data(b"not answered")]);
            for _ in 0..failing {
                world.shared.intake().again = true;
                fail(&mut world);
                world.turn_maker();
            }
            assert_eq!(world.durable(), answered);
            for fs in [world.fs.safe(), world.fs.restart()] {
                let last_seq = World::new(fs, seed + 1).recovered.last_seq;
                assert!(last_seq >= answered, "seed {seed}, {failing} failed: {last_seq}");
            }
        }
    }
}

#[test]
fn a_full_disk_gets_the_room_of_a_segment_that_failed() {
    for seed in 0..20 {
        let (mut world, answered) = calm(seed);
        world.fs.set_capacity(Some(0));
        world.append(vec![data(b"not answered yet")]);
        fail(&mut world);
        // the spare, and then there is none
        fail(&mut world);
        assert_eq!(world.shared.intake().status.state, State::Broken);
        world.fs.set_capacity(Some(2 * (64 << 10)));
        world.shared.intake().again = true;
        for _ in 0..4 {
            world.advance(Duration::from_secs(1));
            world.turn();
        }
        assert_eq!((world.shared.intake().status.state, world.durable()), (State::Open, 2));
        assert_eq!(World::new(world.fs.safe(), seed + 1).recovered.last_seq, answered + 1);
    }
}

#[test]
fn files_that_failed_are_removed_however_often_it_is_tried() {
    let (mut world, _) = calm(5);
    let names = |world: &World| world.fs.list(Path::new(DIR)).unwrap();
    let before = names(&world);
    world.append(vec![data(b"not answered")]);
    for _ in 0..20 {
        world.shared.intake().again = true;
        fail(&mut world);
        world.turn_maker();
    }
    let after = names(&world);
    let kept = after.iter().filter(|name| before.contains(name)).count();
    assert_eq!((before.len(), after.len(), kept), (2, 2, 1), "the header and another spare");
    assert_eq!(world.shared.intake().status.segments, 1);
    assert_eq!(world.shared.intake().append(vec![data(b"x")], true), Err(Full::Broken));
    world.shared.intake().again = true;
    world.turn();
    assert_eq!((world.durable(), world.shared.intake().status.state), (2, State::Open));
}

fn soon(what: impl Fn() -> bool) {
    let mut looks = 0;
    while !what() {
        looks += 1;
        assert!(looks < 20_000, "not in time");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_disk_that_hangs_is_seen_while_it_does() {
    let fs = FaultyFs::new(6);
    let disk = Arc::new(fs.clone());
    let (spool, _) = Spool::open(settings(&PathBuf::from(DIR)), disk, hooks(|_| {})).unwrap();
    assert_eq!(spool.status().busy_since, None);
    let hangs = fs.hang();
    spool.append(vec![data(b"waits")], true).unwrap();
    soon(|| spool.status().busy_since == Some(Duration::ZERO));
    assert_eq!(spool.durable(), 0);
    drop(hangs);
    soon(|| spool.durable() == 1 && spool.status().busy_since.is_none());
}
