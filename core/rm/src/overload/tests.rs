//! An engine that serves so many packets a step, and a load that does not care.

use super::{ALL, Overload, Rate, UNIT};
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
    let share = |received, dropped: u64| {
        let mut overload = Overload::new(1);
        (0..received).for_each(|_| assert!(!overload.waited(SOON, 0, SOON)));
        assert_eq!(overload.dropped(dropped), dropped > 0);
        assert!(!overload.dropped(dropped), "it begins once");
        overload.share
    };
    assert_eq!(share(100, 0), 0);
    assert_eq!(share(100, 1), ALL / 32);
    assert_eq!(share(75, 25), ALL / 2);
    assert_eq!(share(50, 50), ALL);
    assert_eq!(share(0, u64::MAX), ALL);
}

/// New requests of one step; how many of them are served.
fn asked(overload: &mut Overload, count: u32) -> u32 {
    (0..count).map(|n| u32::from(!overload.sheds(n * ALL / count))).sum()
}

#[test]
fn what_is_served_stays_whatever_is_asked_for() {
    let mut overload = Overload::new(1);
    (0..900).for_each(|_| assert!(!overload.waited(SOON, 0, SOON)));
    assert!(overload.dropped(100));
    assert_eq!(asked(&mut overload, 100), 80);
    assert!(overload.step());
    for count in [100, 200, 400, 150] {
        for _ in 0..30 {
            // neither more nor less is to be served
            overload.hold = 2;
            asked(&mut overload, count);
            assert!(overload.step());
        }
        assert!((75..=84).contains(&asked(&mut overload, count)), "{count}");
    }
}

#[test]
fn more_is_served_until_all_fits_and_then_it_is_over() {
    let mut overload = Overload::new(1);
    (0..900).for_each(|_| assert!(!overload.waited(SOON, 0, SOON)));
    assert!(overload.dropped(100));
    let mut served = Vec::new();
    while overload.is_watching() {
        served.push(asked(&mut overload, 400));
        overload.step();
    }
    // twice the part that was lost, until the kernel has been asked again
    assert_eq!(served[0], 320);
    assert!(served[1..11].iter().all(|now| now.abs_diff(320) < 4), "{served:?}");
    assert!(served[11..].is_sorted(), "{served:?}");
    assert!((30..100).contains(&served.len()), "{}", served.len());
    assert_eq!((overload.state(), overload.share), (0, 0));
}

#[test]
fn the_way_back_to_what_was_too_much_is_quick_and_slow_beyond() {
    let mut rate = Rate { asked: 400 * UNIT, served: 300 * UNIT, edge: 0 };
    rate.cut(1, 2, true);
    assert_eq!((rate.served, rate.edge), (150 * UNIT, 300 * UNIT));
    rate.cut(1, 3, false);
    assert_eq!((rate.served, rate.edge), (100 * UNIT, 300 * UNIT));
    let steps = (0..100).take_while(|_| {
        rate.add(0);
        rate.served < 250 * UNIT
    });
    assert!((15..30).contains(&steps.count()));
    rate.served = rate.edge;
    (0..10).for_each(|_| rate.add(0));
    assert!(rate.served < 315 * UNIT);
    rate.add(80);
    assert!(rate.served > 320 * UNIT, "after a long time without a sign");
    rate.cut(1, 1, true);
    assert_eq!(rate.served, UNIT);
}

#[test]
fn packets_that_wait_take_off_and_shed_what_waits() {
    let mut overload = Overload::new(1);
    (0..99).for_each(|_| assert!(!overload.waited(SOON, 0, SOON)));
    assert!(overload.dropped(1));
    let mut step = |age| {
        asked(&mut overload, 100);
        overload.waited(SOON, 0, age);
        overload.step();
        (overload.state(), overload.share)
    };
    let (_, calm) = step(SOON);
    let (state, waits) = step(millis(50));
    assert_eq!(state, 1);
    assert!(waits > calm + ALL / 4, "{waits} {calm}");
    let (_, longer) = step(millis(90));
    assert!(longer > ALL / 2, "{longer}");
    assert_eq!(step(LATE).0, 2);
    // when nothing waits any more a little less than before is served
    let (state, after) = step(SOON);
    assert!(state == 1 && after > calm && after < calm + ALL / 8, "{after} {calm}");
}

#[test]
fn without_new_requests_it_ends_and_not_before_the_kernel_was_asked_again() {
    let mut overload = Overload::new(1);
    assert!(overload.dropped(10));
    for _ in 0..10 {
        assert!(overload.step());
        assert_eq!(overload.state(), 2);
    }
    let steps = (0..100).take_while(|_| overload.step()).count();
    assert!((25..40).contains(&steps), "{steps}");
    assert_eq!(overload.state(), 0);
    assert!(!overload.sheds(0));
}

/// What an engine serves that does 1,000 units of work in a step of a second's tenth: 10 for a
/// call, 1 to shed one. Load comes evenly over the step, and waits in a queue with so much room.
fn served(offered: u32, room: u32, steps: u32) -> u32 {
    let mut overload = Overload::new(1);
    let (mut queue, mut dropped, mut served, mut lot) = (0_u32, 0, 0, 0_u32);
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
                lot = (lot + 181 * 4 + 1) % ALL;
                let shed = overload.sheds(lot);
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
        if overload.is_watching() {
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
            assert!(beyond * 100 >= most * 93, "{beyond} of {most}: {offered}, room {room}");
        }
    }
}
