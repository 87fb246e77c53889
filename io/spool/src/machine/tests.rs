//! The machine by its five verbs, without a disk.

use std::time::Duration;

use super::*;
use crate::entry::Entry;
use crate::limits::GROUP_RECORDS;

fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

fn machine() -> Machine {
    let config = Config { limit_bytes: 1 << 20, lazy: ms(10), seed: 1 };
    Machine::new(config, Start::default())
}

fn batch(first_seq: u64, records: usize, urgent: bool) -> Batch {
    let entry = Entry { kind: Kind::Data, key: None, payload: vec![1; 4], records: 1 };
    Batch { first_seq, entries: vec![entry; records], bytes: 32 * records, records, urgent }
}

/// `poll_write` without looking at the bytes.
fn step(machine: &mut Machine, now: Duration) -> Step {
    machine.poll_write(now, false, &mut Vec::new())
}

#[test]
fn one_write_at_a_time_and_the_next_takes_what_came_meanwhile() {
    let mut machine = machine();
    machine.handle_input(ms(0), batch(1, 1, true));
    assert_eq!(step(&mut machine, ms(0)), Step::Segment { at_least: FRAMES_AT + 32 });
    machine.handle_segment(1 << 16);
    assert_eq!(step(&mut machine, ms(0)), Step::Write { segment: 1, offset: 0 });
    for seq in 2..5 {
        machine.handle_input(ms(1), batch(seq, 1, true));
    }
    assert_eq!(step(&mut machine, ms(1)), Step::Idle, "the disk is busy");
    assert_eq!((machine.poll_timeout(), machine.poll_durable()), (None, None));
    machine.handle_synced(ms(4), true);
    assert_eq!((machine.poll_durable(), machine.poll_durable()), (Some(1), None));
    assert_eq!(step(&mut machine, ms(4)), Step::Write { segment: 1, offset: FRAMES_AT + 32 });
    machine.handle_synced(ms(8), true);
    assert_eq!(machine.poll_durable(), Some(4));
    assert_eq!(machine.poll_settled(), (4, 128));
    // the last group held three: one alone waits, a quarter of 4 ms at most
    machine.handle_input(ms(8), batch(5, 1, true));
    assert_eq!(step(&mut machine, ms(8)), Step::Idle);
    assert_eq!(machine.poll_timeout(), Some(ms(9)));
    assert!(matches!(step(&mut machine, ms(9)), Step::Write { .. }));
}

#[test]
fn what_nobody_waits_for_lies_ten_milliseconds_or_goes_along() {
    let mut machine = machine();
    machine.handle_segment(1 << 20);
    machine.handle_input(ms(5), batch(1, 1, false));
    assert_eq!((step(&mut machine, ms(14)), machine.poll_timeout()), (Step::Idle, Some(ms(15))));
    assert!(matches!(step(&mut machine, ms(15)), Step::Write { .. }));
    machine.handle_synced(ms(16), true);
    machine.handle_input(ms(17), batch(2, 1, false));
    machine.handle_input(ms(18), batch(3, 1, true));
    assert!(matches!(step(&mut machine, ms(18)), Step::Write { .. }));
    machine.handle_synced(ms(19), true);
    assert_eq!(machine.poll_durable(), Some(3));
    machine.handle_input(ms(20), batch(4, GROUP_RECORDS, false));
    assert!(matches!(step(&mut machine, ms(20)), Step::Write { .. }), "a full group waits not");
}

#[test]
fn a_failed_sync_moves_to_a_new_segment_and_the_second_breaks() {
    let mut machine = machine();
    machine.handle_segment(1 << 16);
    machine.handle_input(ms(0), batch(1, 2, true));
    assert_eq!(step(&mut machine, ms(0)), Step::Write { segment: 1, offset: 0 });
    machine.handle_synced(ms(1), false);
    assert_eq!(machine.poll_durable(), None);
    assert!(matches!(step(&mut machine, ms(1)), Step::Segment { .. }), "never the same file");
    assert_eq!(machine.handle_segment(1 << 16).first_seq, 1);
    assert_eq!(step(&mut machine, ms(1)), Step::Write { segment: 2, offset: 0 });
    machine.handle_synced(ms(2), true);
    assert_eq!(machine.poll_durable(), Some(2));
    for _ in 0..2 {
        machine.handle_input(ms(3), batch(3, 1, true));
        let mut now = ms(3);
        while let Step::Segment { .. } = step(&mut machine, now) {
            machine.handle_segment(1 << 16);
            now += ms(1);
        }
        machine.handle_synced(now, false);
    }
    assert!(machine.is_broken());
    assert_eq!((step(&mut machine, ms(99)), machine.poll_timeout()), (Step::Idle, None));
    machine.handle_again();
    for (good, durable) in [(false, None), (true, Some(3))] {
        assert!(matches!(step(&mut machine, ms(100)), Step::Segment { .. }), "never the same file");
        machine.handle_segment(1 << 16);
        assert!(matches!(step(&mut machine, ms(100)), Step::Write { .. }));
        machine.handle_synced(ms(101), good);
        assert_eq!((machine.poll_durable(), machine.is_broken()), (durable, !good));
        machine.handle_again();
    }
}

#[test]
fn a_calm_spool_keeps_its_header_while_syncs_fail_and_no_segment_that_failed() {
    let mut machine = machine();
    machine.handle_segment(1 << 16);
    machine.handle_input(ms(0), batch(1, 2, true));
    assert!(matches!(step(&mut machine, ms(0)), Step::Write { segment: 1, .. }));
    assert_eq!(machine.busy_since(), Some(ms(0)));
    machine.handle_synced(ms(1), true);
    machine.handle_release(2, [None; crate::limits::CURSORS]);
    machine.handle_input(ms(2), batch(3, 1, true));
    assert!(matches!(step(&mut machine, ms(2)), Step::Write { segment: 1, .. }));
    machine.handle_synced(ms(3), false);
    for (segment, good, discarded, retired) in
        [(2, false, Some(2), None), (3, false, Some(3), None), (4, true, None, Some(1))]
    {
        machine.handle_again();
        assert!(matches!(step(&mut machine, ms(4)), Step::Segment { .. }));
        machine.handle_segment(1 << 16);
        assert_eq!(step(&mut machine, ms(4)), Step::Write { segment, offset: 0 });
        assert_eq!((machine.poll_discard(), machine.poll_retire()), (None, None), "under way");
        machine.handle_synced(ms(5), good);
        assert_eq!((machine.poll_discard(), machine.poll_retire()), (discarded, retired));
    }
    assert_eq!((machine.poll_durable(), machine.segment_count()), (Some(3), 1));
    assert_eq!(machine.busy_since(), None);
}

#[test]
fn the_mark_follows_after_a_moment_without_a_write_and_once() {
    let mut machine = machine();
    let mut mark = Vec::new();
    machine.handle_segment(1 << 16);
    machine.handle_input(ms(0), batch(1, 2, true));
    assert!(matches!(step(&mut machine, ms(0)), Step::Write { .. }));
    assert_eq!(machine.poll_mark(None, &mut mark), None, "nothing is durable yet");
    machine.handle_synced(ms(5), true);
    assert_eq!(machine.poll_timeout(), Some(ms(105)));
    machine.handle_input(ms(104), batch(3, 1, false));
    assert_eq!(machine.poll_mark(Some(ms(105)), &mut mark), None, "the next group says it");
    assert!(matches!(step(&mut machine, ms(114)), Step::Write { .. }));
    machine.handle_synced(ms(115), true);
    assert_eq!(machine.poll_mark(Some(ms(214)), &mut mark), None);
    assert_eq!(machine.poll_mark(Some(ms(215)), &mut mark), Some(1));
    assert_eq!(mark[..8], 3_u64.to_le_bytes());
    assert_eq!((machine.poll_timeout(), machine.poll_mark(None, &mut mark)), (None, None));
}

#[test]
fn without_room_it_asks_again_later() {
    let mut machine = machine();
    machine.handle_input(ms(0), batch(1, 1, true));
    assert!(matches!(step(&mut machine, ms(0)), Step::Segment { .. }));
    machine.handle_no_segment(ms(0));
    assert_eq!((step(&mut machine, ms(1)), machine.is_without_room()), (Step::Idle, true));
    assert_eq!(machine.poll_timeout(), Some(ms(500)));
    assert!(matches!(step(&mut machine, ms(500)), Step::Segment { .. }));
    machine.handle_segment(1 << 16);
    assert!(matches!(step(&mut machine, ms(500)), Step::Write { .. }));
}
