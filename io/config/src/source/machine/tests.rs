//! Every transition of the client.

use super::{Action, Event, Input, Machine};
use crate::source::limits::{RETRY_FIRST, RETRY_MOST};
use model::id::Revision;
use std::time::Duration;

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn machine(servers: usize, held: Option<u64>) -> Machine {
    Machine::new(servers, held.map(Revision), Duration::ZERO, [1, 2, 3, 4])
}

fn load(server: usize, unless: Option<u64>, least: Option<u64>) -> Option<Action> {
    let (unless, least) = (unless.map(Revision), least.map(Revision));
    Some(Action::Load { server, unless, least })
}

fn watch(server: usize, since: u64) -> Option<Action> {
    Some(Action::Watch { server, since: Revision(since) })
}

/// One that has loaded this revision and listens, at 0 s.
fn listening(servers: usize, revision: u64) -> Machine {
    let mut machine = machine(servers, None);
    assert_eq!(machine.poll_action(s(0.0)), load(0, None, None));
    machine.handle_input(s(0.0), Input::Loaded(Revision(revision)));
    assert_eq!(machine.poll_action(s(0.0)), watch(0, revision));
    machine.handle_input(s(0.0), Input::Open);
    assert_eq!(machine.poll_event(), Some(Event::Connected { server: 0 }));
    machine
}

#[test]
fn a_start_loads_and_watches_from_there() {
    let mut machine = listening(1, 7);
    assert_eq!(machine.poll_action(s(1.0)), None, "it listens");
    assert!(machine.follows(Revision(8)) && !machine.follows(Revision(9)));
    assert!(machine.knows(Revision(7)) && !machine.knows(Revision(8)));
    machine.handle_input(s(1.0), Input::Changed(Revision(8)));
    machine.handle_input(s(2.0), Input::Beat(Revision(8)));
    assert_eq!(machine.poll_action(s(2.0)), None);
    assert_eq!(machine.poll_timeout(), Some(s(32.0)));
}

#[test]
fn a_start_with_a_cache_asks_only_for_what_is_newer() {
    let mut machine = machine(1, Some(41));
    assert_eq!(machine.poll_action(s(0.0)), load(0, Some(41), Some(41)));
    assert_eq!(machine.poll_action(s(0.0)), None, "one action at a time");
    machine.handle_input(s(0.1), Input::Same);
    assert_eq!(machine.poll_action(s(0.1)), watch(0, 41));
}

#[test]
fn what_cannot_be_taken_is_loaded_whole() {
    for input in [Input::Gone, Input::Unfit, Input::Beat(Revision(9))] {
        let mut machine = listening(1, 7);
        machine.handle_input(s(1.0), input);
        assert_eq!(machine.poll_action(s(1.0)), load(0, None, Some(7)), "{input:?}");
    }
}

#[test]
fn a_slow_client_resumes_and_a_leaving_server_is_left_at_once() {
    let mut machine = listening(2, 7);
    machine.handle_input(s(1.0), Input::Overflow);
    assert_eq!(machine.poll_action(s(1.0)), watch(0, 7));
    machine.handle_input(s(1.0), Input::Open);
    assert_eq!(machine.poll_event(), None, "it was connected all the time");
    machine.handle_input(s(1.5), Input::Beat(Revision(7)));
    machine.handle_input(s(2.0), Input::Bye);
    assert_eq!(machine.poll_event(), Some(Event::Away));
    assert_eq!(machine.poll_action(s(2.0)), watch(1, 7));
    machine.handle_input(s(2.0), Input::Open);
    assert_eq!(machine.poll_event(), Some(Event::Connected { server: 1 }));
}

#[test]
fn silence_for_thirty_seconds_is_the_end_of_a_connection() {
    let mut machine = listening(1, 7);
    machine.handle_input(s(10.0), Input::Beat(Revision(7)));
    machine.handle_timeout(s(39.9));
    assert_eq!(machine.poll_timeout(), Some(s(40.0)));
    machine.handle_timeout(s(40.0));
    // nothing was heard for 30 s: that is told in the same moment
    assert_eq!(machine.poll_event(), Some(Event::Away));
    assert_eq!(machine.poll_event(), Some(Event::Lost { age: s(30.0) }));
    let due = machine.poll_timeout().unwrap();
    assert!(due > s(40.19) && due < s(40.31), "{due:?}");
    assert_eq!(machine.poll_action(s(40.1)), None);
    assert_eq!(machine.poll_action(due), watch(0, 7));
}

#[test]
fn waits_double_up_to_five_seconds_and_start_again_after_a_sign_of_life() {
    let mut machine = listening(1, 7);
    let (mut now, mut step) = (s(0.0), RETRY_FIRST);
    for _ in 0..8 {
        machine.handle_input(now, Input::Failed);
        let wait = machine.poll_timeout().unwrap() - now;
        assert!(wait >= step * 4 / 5 && wait <= step * 6 / 5, "{wait:?} of {step:?}");
        now += wait;
        assert_eq!(machine.poll_action(now), watch(0, 7));
        step = (step * 2).min(RETRY_MOST);
        // a server that takes us and drops us again is not there
        machine.handle_input(now, Input::Open);
    }
    machine.handle_input(now, Input::Beat(Revision(7)));
    machine.handle_input(now, Input::Failed);
    assert!(machine.poll_timeout().unwrap() - now <= RETRY_FIRST * 6 / 5);
}

#[test]
fn a_lost_server_is_told_once_and_again_after_it_was_there() {
    let mut machine = machine(1, Some(3));
    let mut lost = Vec::new();
    for second in 0..100 {
        let now = s(f64::from(second));
        machine.handle_timeout(now);
        if machine.poll_action(now).is_some() {
            machine.handle_input(now, Input::Failed);
        }
        while let Some(event) = machine.poll_event() {
            lost.push((second, event));
        }
    }
    assert_eq!(lost, [(30, Event::Lost { age: s(30.0) })]);
    let now = machine.poll_timeout().unwrap();
    assert_eq!(machine.poll_action(now), load(0, Some(3), Some(3)));
    machine.handle_input(now, Input::Same);
    assert_eq!(machine.poll_action(now), watch(0, 3));
    machine.handle_input(now, Input::Open);
    assert_eq!(machine.poll_event(), Some(Event::Connected { server: 0 }));
    machine.handle_input(now, Input::Failed);
    assert_eq!(machine.poll_event(), Some(Event::Away));
    machine.handle_timeout(now + s(30.0));
    assert_eq!(machine.poll_event(), Some(Event::Lost { age: s(30.0) }));
}

#[test]
fn several_servers_are_tried_in_order_and_the_one_that_helps_is_kept() {
    let mut machine = machine(3, None);
    for server in 0..3 {
        assert_eq!(machine.poll_action(s(0.0)), load(server, None, None));
        machine.handle_input(s(0.0), Input::Failed);
    }
    assert_eq!(machine.poll_action(s(0.0)), None, "all were asked: a rest");
    let now = machine.poll_timeout().unwrap();
    assert_eq!(machine.poll_action(now), load(0, None, None));
    machine.handle_input(now, Input::Failed);
    assert_eq!(machine.poll_action(now), load(1, None, None));
    machine.handle_input(now, Input::Loaded(Revision(2)));
    assert_eq!(machine.poll_action(now), watch(1, 2), "sticky");
    machine.handle_input(now, Input::Open);
    machine.handle_input(now, Input::Failed);
    assert_eq!(machine.poll_action(now), watch(2, 2), "the next one at once");
}

#[test]
fn a_server_behind_may_catch_up_for_five_seconds_then_the_next_is_asked() {
    let mut machine = machine(2, Some(9));
    let mut now = s(0.0);
    while machine.poll_action(now) == load(0, if now.is_zero() { Some(9) } else { None }, Some(9)) {
        machine.handle_input(now, Input::Behind);
        now = machine.poll_timeout().unwrap();
    }
    assert_eq!(now, s(5.0));
    machine.handle_input(now, Input::Loaded(Revision(10)));
    assert_eq!(machine.poll_action(now), watch(1, 10));
}

#[test]
fn when_all_servers_are_behind_they_were_set_back() {
    for servers in [1, 2] {
        let mut machine = listening(servers, 9);
        machine.handle_input(s(0.0), Input::Behind);
        let mut last = (s(0.0), None);
        for _ in 0..100 {
            let now = machine.poll_timeout().unwrap();
            let action = machine.poll_action(now);
            last = (now, action);
            if matches!(action, Some(Action::Load { least: None, .. })) {
                break;
            }
            machine.handle_input(now, Input::Behind);
        }
        let expected = 5.0 * f64::from(u32::try_from(servers).unwrap());
        assert_eq!(last, (s(expected), load(0, None, None)), "{servers} servers");
        machine.handle_input(last.0, Input::Loaded(Revision(4)));
        assert_eq!(machine.poll_action(last.0), watch(0, 4));
        assert!(machine.follows(Revision(5)));
    }
}

#[test]
fn after_a_refused_revision_each_later_one_is_taken_whole() {
    let mut machine = listening(1, 7);
    machine.handle_input(s(1.0), Input::Unfit);
    assert_eq!(machine.poll_action(s(1.0)), load(0, None, Some(7)));
    machine.handle_input(s(1.0), Input::Refused(Revision(8)));
    assert_eq!(machine.poll_action(s(1.0)), watch(0, 8));
    machine.handle_input(s(1.0), Input::Open);
    assert!(!machine.follows(Revision(9)), "never a change upon what was refused");
    assert!(machine.knows(Revision(8)));
    machine.handle_input(s(2.0), Input::Beat(Revision(8)));
    assert_eq!(machine.poll_action(s(2.0)), None, "the refused one is not loaded again and again");
    machine.handle_input(s(3.0), Input::Unfit);
    assert_eq!(machine.poll_action(s(3.0)), load(0, None, Some(7)));
    machine.handle_input(s(3.0), Input::Loaded(Revision(9)));
    assert_eq!(machine.poll_action(s(3.0)), watch(0, 9));
    assert!(machine.follows(Revision(10)));
}

#[test]
fn a_refused_revision_outlives_a_lost_connection() {
    let mut machine = listening(1, 7);
    machine.handle_input(s(1.0), Input::Unfit);
    machine.poll_action(s(1.0));
    machine.handle_input(s(1.0), Input::Refused(Revision(8)));
    machine.poll_action(s(1.0));
    machine.handle_input(s(1.0), Input::Failed);
    let now = machine.poll_timeout().unwrap();
    assert_eq!(machine.poll_action(now), watch(0, 8));
}

#[test]
fn a_doubt_outlives_a_lost_connection() {
    let mut machine = listening(1, 7);
    machine.handle_input(s(1.0), Input::Unfit);
    machine.poll_action(s(1.0));
    machine.handle_input(s(1.0), Input::Failed);
    let now = machine.poll_timeout().unwrap();
    assert_eq!(machine.poll_action(now), load(0, None, Some(7)));
}

/// One that does not answer may hold what we do: an old spare server never takes its place.
#[test]
fn a_server_behind_is_not_taken_while_another_one_is_away() {
    for away in [0, 1] {
        let mut machine = machine(2, Some(9));
        let (mut now, mut asked) = (s(0.0), 0);
        while now < s(600.0) {
            now = machine.poll_timeout().unwrap().max(now);
            machine.handle_timeout(now);
            let Some(Action::Load { server, least, .. }) = machine.poll_action(now) else {
                continue;
            };
            assert_eq!(least, Some(Revision(9)), "at {now:?}");
            asked += usize::from(server == away);
            machine.handle_input(now, if server == away { Input::Failed } else { Input::Behind });
        }
        assert!(asked > 50, "it is looked for all the time: {asked}");
        // it comes back, and holds what we do
        let of_away =
            |action| matches!(action, Some(Action::Load { server, .. }) if server == away);
        while !of_away(machine.poll_action(now)) {
            machine.handle_input(now, Input::Behind);
            now = machine.poll_timeout().unwrap();
        }
        machine.handle_input(now, Input::Loaded(Revision(9)));
        assert_eq!(machine.poll_action(now), watch(away, 9));
    }
}

#[test]
fn an_earlier_server_that_holds_more_is_gone_back_to() {
    let mut machine = listening(2, 7);
    machine.handle_input(s(1.0), Input::Bye);
    assert_eq!(machine.poll_action(s(1.0)), watch(1, 7));
    machine.handle_input(s(1.0), Input::Open);
    machine.handle_input(s(2.0), Input::Earlier { server: 0, revision: Revision(7) });
    assert_eq!(machine.poll_action(s(2.0)), None, "sticky");
    machine.handle_input(s(3.0), Input::Earlier { server: 0, revision: Revision(8) });
    assert_eq!(machine.poll_action(s(3.0)), load(0, Some(7), Some(7)));
}

#[test]
fn a_watch_that_is_ended_again_and_again_rests() {
    for input in [Input::Bye, Input::Gone, Input::Unfit, Input::Overflow, Input::Beat(Revision(9))]
    {
        for servers in [1, 2] {
            let mut machine = listening(servers, 7);
            let (mut now, mut watched) = (s(0.0), 0);
            while now < s(60.0) {
                match machine.poll_action(now) {
                    Some(Action::Load { .. }) => {
                        machine.handle_input(now, Input::Loaded(Revision(7)));
                    }
                    Some(Action::Watch { .. }) => {
                        watched += 1;
                        machine.handle_input(now, Input::Open);
                        machine.handle_input(now, input);
                    }
                    None if machine.listens() => machine.handle_input(now, input),
                    None => now = machine.poll_timeout().unwrap(),
                }
                assert!(watched < 30, "{input:?}: {watched} at {now:?}");
            }
        }
    }
}

#[test]
fn servers_that_take_us_and_drop_us_again_are_rested_from() {
    let mut machine = listening(2, 7);
    let (mut now, mut watched) = (s(0.0), 0);
    machine.handle_input(now, Input::Failed);
    while now < s(60.0) {
        match machine.poll_action(now) {
            Some(_) => {
                watched += 1;
                machine.handle_input(now, Input::Open);
                machine.handle_input(now, Input::Failed);
            }
            None => now = machine.poll_timeout().unwrap(),
        }
        assert!(watched < 60, "{watched} at {now:?}");
    }
}
