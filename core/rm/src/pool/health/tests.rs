//! The transition table of rm.md §7.1, row by row.

use std::time::Duration;

use super::{Change, Health, Probed, Selfsaid, Tried};
use crate::pool::{Member, Occupant, Shown};
use model::config::{Admin, ResourceIx};

const T0: Duration = Duration::from_secs(100);

fn second(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn member() -> Member {
    let mut member = Member::new(1);
    member.configured = Some(ResourceIx(0));
    member.quarantine = (second(10), second(60));
    member
}

fn answer(code: u16) -> Probed {
    Probed::Answer { code, retry_after: false }
}

#[test]
fn a_new_one_is_unknown_until_its_first_probe() {
    let mut one = member();
    assert_eq!(one.shown(T0), Shown::Unknown);
    assert_eq!(one.probed(answer(200)), Change::Healthy);
    assert_eq!(one.shown(T0), Shown::Healthy);
    assert_eq!(one.probed(answer(501)), Change::None);
}

#[test]
fn two_misses_make_it_dead_and_one_answer_brings_it_back() {
    for miss in [Probed::Timeout, Probed::Transport, answer(503), answer(500), answer(603)] {
        let mut one = member();
        one.probed(answer(200));
        assert_eq!(one.probed(miss), Change::None);
        assert_eq!(one.shown(T0), Shown::Healthy);
        assert_eq!(one.probed(miss), Change::Dead, "{miss:?}");
        assert_eq!(one.probed(miss), Change::None);
        assert_eq!(one.shown(T0), Shown::Dead);
        assert_eq!(one.probed(answer(200)), Change::Healthy);
        assert_eq!(one.shown(T0), Shown::Healthy);
    }
}

#[test]
fn its_own_word_holds_until_the_next_probe() {
    let mut one = member();
    assert_eq!(one.probed(Probed::Answer { code: 503, retry_after: true }), Change::Draining);
    assert_eq!(one.shown(T0), Shown::Draining);
    assert_eq!(one.probed(Probed::Answer { code: 503, retry_after: true }), Change::None);
    assert_eq!(one.probed(answer(486)), Change::None);
    assert_eq!((one.shown(T0), one.health), (Shown::Full, Health::Healthy));
    one.probed(answer(200));
    assert_eq!(one.shown(T0), Shown::Healthy);
}

/// Whatever it says of itself: the next word is no change of that.
#[test]
fn one_that_was_dead_and_says_something_is_healthy_again() {
    let drains = Probed::Answer { code: 503, retry_after: true };
    for (word, shown) in [(answer(480), Shown::Full), (drains, Shown::Draining)] {
        let mut one = member();
        one.probed(word);
        one.probed(Probed::Timeout);
        assert_eq!(one.probed(Probed::Timeout), Change::Dead);
        assert_eq!(one.probed(word), Change::Healthy, "{word:?}");
        assert_eq!(one.shown(T0), shown);
        assert_eq!(one.probed(word), Change::None, "{word:?}");
    }
}

#[test]
fn quarantine_doubles_up_to_its_longest_and_ends_by_an_answer() {
    let mut one = member();
    one.probed(answer(200));
    for expected in [10, 20, 40, 60, 60] {
        assert_eq!(one.tried(T0, Tried::Failed, "timeout"), Change::Quarantined);
        assert_eq!(one.quarantined, Some(T0 + second(expected)));
    }
    assert_eq!(one.shown(T0 + second(59)), Shown::Quarantined);
    assert_eq!(one.shown(T0 + second(60)), Shown::Healthy);
    one.tried(T0, Tried::Answered, "");
    one.tried(T0, Tried::Failed, "timeout");
    assert_eq!(one.quarantined, Some(T0 + second(10)));
    one.probed(answer(200));
    assert_eq!(one.shown(T0), Shown::Healthy);
}

#[test]
fn full_by_answer_by_capacity_and_for_a_bounded_time() {
    let mut one = member();
    one.probed(answer(200));
    one.tried(T0, Tried::Full(second(600)), "503");
    assert_eq!(one.said, Selfsaid::Full(Some(T0 + second(60))));
    assert_eq!(one.shown(T0 + second(59)), Shown::Full);
    assert_eq!(one.shown(T0 + second(60)), Shown::Healthy);
    one.capacity = Some(1);
    one.occupants.insert(Occupant::Leg(1));
    assert_eq!(one.shown(T0 + second(60)), Shown::Full);
    one.occupants.remove(Occupant::Leg(1));
    one.capacity = Some(0);
    assert_eq!(one.shown(T0 + second(60)), Shown::Full);
}

#[test]
fn the_operator_wins_then_death_then_draining() {
    let mut one = member();
    one.admin = Admin::Draining;
    one.probed(Probed::Timeout);
    one.probed(Probed::Timeout);
    assert_eq!(one.shown(T0), Shown::Dead);
    one.probed(answer(200));
    assert_eq!(one.shown(T0), Shown::Draining);
    one.admin = Admin::Disabled;
    assert_eq!(one.shown(T0), Shown::Disabled);
}

/// One event of the table `tests/it/testdata/transitions.txt`.
fn happens(one: &mut Member, now: &mut Duration, event: &str) {
    let seconds = |text: &str| second(text.parse().unwrap());
    let _: Change = match event {
        "silent" => one.probed(Probed::Timeout),
        "unsent" => one.probed(Probed::Transport),
        "503+" => one.probed(Probed::Answer { code: 503, retry_after: true }),
        "try:answered" => one.tried(*now, Tried::Answered, ""),
        "try:failed" => one.tried(*now, Tried::Failed, "timeout"),
        "try:busy" => one.tried(*now, Tried::Full(crate::limits::FULL_BY_BUSY), "486"),
        "leg" => return one.occupants.insert(Occupant::Leg(1)),
        "end" => return one.occupants.remove(Occupant::Leg(1)),
        "drain" => return one.admin = Admin::Draining,
        "disable" => return one.admin = Admin::Disabled,
        "enable" => return one.admin = Admin::Enabled,
        "removed" => return one.configured = None,
        _ => match (event.strip_prefix('+'), event.strip_prefix("try:503+")) {
            (Some(time), _) => return *now += seconds(time),
            (_, Some(time)) => one.tried(*now, Tried::Full(seconds(time)), "503"),
            _ => one.probed(answer(event.parse().unwrap())),
        },
    };
}

#[test]
fn the_table_of_transitions() {
    let text = include_str!("../../../tests/it/testdata/transitions.txt");
    let mut rows = 0;
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (events, state) = line.trim_end().rsplit_once(' ').unwrap();
        let (mut one, mut now) = (member(), T0);
        one.capacity = Some(1);
        for event in events.split_whitespace().filter(|event| *event != "-") {
            happens(&mut one, &mut now, event);
        }
        assert_eq!(one.shown(now).as_str(), state, "{line}");
        rows += 1;
    }
    assert!(rows >= 54, "{rows}");
}
