//! Random lives of calls: in the end nothing is left in any set, and the report says the truth.

use sim::life::{self, Plan, Story};

/// `cargo xtask ci` lives a hundred of them, `cargo xtask sim` any number.
const SEEDS: u64 = 16;

#[test]
fn lives_end_with_every_set_empty_and_a_true_report() {
    let live = |seed| {
        println!("seed {seed}");
        life::run(seed, Plan::FULL).unwrap_or_else(|fault| panic!("{}", again(&fault)))
    };
    let stories: Vec<Story> = (1..=SEEDS).map(live).collect();
    let sum = |of: fn(&Story) -> u64| stories.iter().map(of).sum::<u64>();
    // the lives were worth it
    assert!(sum(|one| one.answered as u64) > 400, "{stories:?}");
    assert!(sum(|one| u64::from(one.crashes)) > 5, "{stories:?}");
    for kind in 0..4 {
        assert!(stories.iter().any(|one| one.kinds[kind] > 0), "{kind} {stories:?}");
    }
    assert!(sum(|one| one.streams[0]) > 50 && sum(|one| one.streams[1]) > 20, "{stories:?}");
    assert!(sum(|one| one.lost) > 500 && sum(|one| one.repeated) > 0, "{stories:?}");
}

#[test]
fn without_crashes_every_call_is_compared() {
    let plan = Plan { crashes: false, ..Plan::FULL };
    for seed in 101..=104 {
        let story = life::run(seed, plan).unwrap_or_else(|fault| panic!("{}", again(&fault)));
        assert_eq!(story.crashes, 0);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let plan = Plan { calls: 40, ..Plan::FULL };
    let first = life::run(3, plan).unwrap();
    println!("seed 3: trace {:016x} after {} steps", first.trace, first.steps);
    assert_eq!(life::run(3, plan).unwrap(), first);
    assert_ne!(life::run(4, plan).unwrap().trace, first.trace);
}

#[test]
fn a_life_stops_at_the_step_that_is_asked_for() {
    let plan = Plan { most_steps: 1000, ..Plan::FULL };
    let fault = life::run(5, plan).unwrap_err();
    assert_eq!((fault.seed, fault.step), (5, 1000));
}

fn again(fault: &sim::Fault) -> String {
    format!("{fault}\nagain: cargo xtask sim --seed {} --steps {}", fault.seed, fault.step + 1)
}
