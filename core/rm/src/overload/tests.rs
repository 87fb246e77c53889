//! An engine that serves so many packets a step, and a load that does not care.

use super::{ALL, Overload};
use std::time::Duration;

const LATE: Duration = Duration::from_millis(101);
const SOON: Duration = Duration::from_millis(1);

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_second_of_late_packets_is_an_overload_and_one_in_time_is_none() {
    let mut overload = Overload::new(1);
    for at in (0..1000).step_by(10) {
        assert!(!overload.waited(millis(at), 0, LATE), "{at}");
    }
    assert_eq!(overload.state(), 0);
    assert!(overload.waited(millis(1000), 0, LATE));
    assert_eq!(overload.state(), 2);
    assert!(!overload.waited(millis(1001), 0, LATE), "it begins once");

    let mut overload = Overload::new(1);
    for at in (0..5000).step_by(10) {
        let age = if at % 900 == 0 { millis(100) } else { LATE };
        assert!(!overload.waited(millis(at), 0, age), "{at}");
    }
}

#[test]
fn late_packets_far_apart_are_no_queue_and_another_listener_hides_none() {
    let mut overload = Overload::new(2);
    for at in 0..100 {
        assert!(!overload.waited(millis(at * 1000), 0, LATE));
    }
    let begun = (100_000..102_000).step_by(10).any(|at| {
        assert!(!overload.waited(millis(at), 1, SOON));
        overload.waited(millis(at), 0, LATE)
    });
    assert!(begun);
    overload.waited(millis(102_000), 7, LATE);
}

#[test]
fn drops_shed_by_how_many_they_were() {
    let share = |received, dropped: &[u64]| {
        let mut overload = Overload::new(1);
        let mut begun = 0;
        for packets in dropped {
            for _ in 0..received {
                overload.waited(SOON, 0, SOON);
            }
            begun += u32::from(overload.dropped(*packets));
        }
        assert!(begun <= 1);
        overload.share
    };
    assert_eq!(share(100, &[0]), 0);
    assert_eq!(share(100, &[1]), ALL / 8);
    assert_eq!(share(100, &[1, 1]), ALL / 8 + ALL * 7 / 64);
    assert_eq!(share(75, &[25]), ALL / 2);
    assert_eq!(share(50, &[50]), ALL);
    assert_eq!(share(0, &[u64::MAX]), ALL);
    assert_eq!(share(100, &[1; 100]), ALL);
}

#[test]
fn it_recovers_in_steps_and_not_before_the_kernel_was_asked_again() {
    let mut overload = Overload::new(1);
    assert!(overload.dropped(10));
    for _ in 0..10 {
        assert!(overload.step());
        assert_eq!(overload.state(), 2);
    }
    let mut steps = 0;
    while overload.step() {
        assert_eq!(overload.state(), 1, "{steps}");
        steps += 1;
    }
    assert!((30..90).contains(&steps), "{steps}");
    assert_eq!(overload.state(), 0);
    assert!(!overload.sheds(|| 0));
    // Packets that wait stop the recovery, and turn it round.
    (0..99).for_each(|_| assert!(!overload.waited(SOON, 0, SOON)));
    overload.step();
    assert!(overload.dropped(1));
    let before = overload.share;
    for _ in 0..3 {
        overload.waited(SOON, 0, millis(50));
        overload.step();
    }
    assert_eq!(overload.share, (before + 3 * ALL / 16).min(ALL));
    overload.waited(SOON, 0, LATE);
    overload.step();
    assert_eq!(overload.state(), 2);
    assert!(overload.sheds(|| 255));
    overload.step();
    assert_eq!(overload.state(), 1);
    assert!(!overload.sheds(|| 255));
}

/// What an engine serves that does 1,000 units of work in a step of a second's tenth: 10 for a
/// call, 1 to shed one. Load comes evenly over the step, and waits in a queue with so much room.
fn served(offered: u32, room: u32, steps: u32) -> u32 {
    let mut overload = Overload::new(1);
    let (mut queue, mut dropped, mut served, mut lot) = (0_u32, 0, 0, 0_u8);
    for step in 0..steps {
        let (mut work, mut arrived) = (0_u32, 0_u32);
        for slice in 1..=100 {
            let now = millis(u64::from(step) * 100 + slice);
            while u64::from(arrived) < u64::from(offered) * slice / 100 {
                arrived += 1;
                let full = queue == room;
                dropped += u64::from(full);
                queue += u32::from(!full);
            }
            work += 10;
            while queue > 0 {
                lot = lot.wrapping_add(181);
                let shed = overload.sheds(|| lot);
                let cost = if shed { 1 } else { 10 };
                if work < cost {
                    break;
                }
                // One call a millisecond: what waits in the queue is what this one has waited.
                overload.waited(now, 0, millis(u64::from(queue - 1)));
                work -= cost;
                queue -= 1;
                served += u32::from(!shed && step >= steps / 4);
            }
            work = work.min(10);
        }
        if overload.share > 0 {
            overload.step();
        }
        if step % 10 == 9 {
            overload.dropped(std::mem::take(&mut dropped));
        }
    }
    served
}

#[test]
fn what_is_served_stays_near_the_peak_beyond_the_knee() {
    let peak = served(95, 10_000, 1200);
    for room in [15, 50, 10_000] {
        for offered in [105, 150, 200, 300] {
            let beyond = served(offered, room, 1200);
            // What shedding costs itself.
            let most = peak - peak * (offered - 95) / 1000;
            assert!(beyond * 100 >= most * 80, "{beyond} of {most}: {offered}, room {room}");
        }
    }
}

#[test]
fn the_alarm_is_raised_once_until_ten_seconds_without() {
    let mut overload = Overload::new(1);
    assert!(overload.raise(millis(0)));
    assert!(!overload.raise(millis(9_999)));
    assert!(!overload.raise(millis(19_000)));
    assert!(overload.raise(millis(29_000)));
}
