//! How long an answer is believed.

use super::*;
use sip::locate::Target;
use sip::transport::Transport;
use sip::uri::Uri;

fn goal(text: &str) -> Goal {
    Goal::of_uri(&Uri::parse(text).unwrap()).unwrap()
}

fn targets(remote: &str) -> Targets {
    Targets::one(Target { transport: Transport::Udp, remote: remote.parse().unwrap() })
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Asks at `now` and has it answered at once.
fn learn(book: &mut Book, now: Duration, goal: &Goal, found: Result<Targets, Failure>, ttl: u64) {
    assert!(matches!(book.ask(goal, now + limits::NAME_WAIT), Asked::New { .. }));
    assert!(book.note(now, goal, found, s(ttl)).is_some());
}

#[test]
fn an_answer_is_fresh_for_its_ttl_within_the_bounds() {
    let a = goal("sip:a.test");
    for (ttl, fresh) in [(0, 1), (60, 60), (100_000, 300)] {
        let mut book = Book::new(1);
        assert_eq!(book.look(s(10), &a), Known::Nothing);
        learn(&mut book, s(10), &a, Ok(targets("192.0.2.1:5060")), ttl);
        let last = s(10 + fresh) - Duration::from_millis(1);
        assert_eq!(book.look(last, &a), Known::Targets(&targets("192.0.2.1:5060")), "{ttl}");
        assert_eq!(book.look(s(10 + fresh), &a), Known::Nothing, "{ttl}");
    }
}

#[test]
fn the_last_answer_serves_for_an_hour_when_the_service_fails() {
    let a = goal("sip:a.test");
    let mut book = Book::new(1);
    learn(&mut book, s(0), &a, Ok(targets("192.0.2.1:5060")), 60);
    let hour = 60 + 3600;
    for now in [61, 1000, hour - 1] {
        learn(&mut book, s(now), &a, Err(Failure::Unanswered), 0);
        assert_eq!(book.look(s(now), &a), Known::Targets(&targets("192.0.2.1:5060")), "{now}");
        assert_eq!(book.figures(s(now)), (1, s(now)), "{now}");
    }
    learn(&mut book, s(hour + 5), &a, Err(Failure::Nothing), 0);
    assert_eq!(book.look(s(hour + 5), &a), Known::Failed(Failure::Nothing));
    assert_eq!(book.look(s(hour + 9), &a), Known::Failed(Failure::Nothing));
    assert_eq!(book.look(s(hour + 10), &a), Known::Nothing, "negative answers live shortly");
    assert_eq!(book.figures(s(hour + 10)).1, s(0));
}

#[test]
fn one_question_at_a_time_for_one_name() {
    let a = goal("sip:a.test");
    let mut book = Book::new(1);
    assert!(matches!(book.ask(&a, s(5)), Asked::New { .. }));
    assert_eq!(book.ask(&a, s(5)), Asked::Open);
    assert_eq!(book.look(s(1), &a), Known::Asked);
    assert_eq!(book.note(s(1), &goal("sip:b.test"), Err(Failure::Nothing), s(0)), None);
    assert!(book.note(s(1), &a, Ok(targets("192.0.2.1:5060")), s(9)).is_some());
    assert_eq!(book.note(s(1), &a, Ok(targets("192.0.2.2:5060")), s(9)), None, "not asked");
    assert_eq!(book.look(s(2), &a), Known::Targets(&targets("192.0.2.1:5060")));
}

#[test]
fn questions_and_names_are_bounded() {
    let mut book = Book::new(1);
    let name = |n: usize| goal(&format!("sip:n{n}.test"));
    for n in 0..limits::NAME_QUESTIONS {
        assert!(matches!(book.ask(&name(n), s(5)), Asked::New { .. }), "{n}");
    }
    assert_eq!(book.ask(&name(limits::NAME_QUESTIONS), s(5)), Asked::Full);
    for n in 0..limits::NAME_QUESTIONS {
        assert!(book.note(s(1), &name(n), Ok(targets("192.0.2.1:5060")), s(9)).is_some());
    }
    for n in limits::NAME_QUESTIONS..limits::NAMES + 10 {
        learn(&mut book, s(2), &name(n), Ok(targets("192.0.2.1:5060")), 9);
    }
    assert_eq!(book.figures(s(2)).0, limits::NAMES);
    assert_eq!(book.look(s(2), &name(0)), Known::Nothing, "the first to be useless went");
    assert!(matches!(book.look(s(2), &name(limits::NAMES + 9)), Known::Targets(_)));
}

#[test]
fn a_name_of_a_resource_is_asked_for_again_before_it_is_old_and_never_forgotten() {
    let a = goal("sip:a.test");
    let mut book = Book::new(1);
    book.keep(s(0), &BTreeSet::from([a.clone()]));
    let Asked::New { key, .. } = book.ask(&a, s(5)) else { panic!() };
    let noted = book.note(s(0), &a, Ok(targets("192.0.2.1:5060")), s(100)).unwrap();
    assert_eq!(noted.next, s(90));
    assert!(matches!(book.due(s(90), key), Due::Again(..)));
    assert!(matches!(book.look(s(500), &a), Known::Targets(_)), "kept while it is renewed");
    book.keep(s(500), &BTreeSet::new());
    assert_eq!(book.look(s(500), &a), Known::Nothing, "old, and nobody renews it");
    assert_eq!(book.due(s(501), key), Due::Later(s(100 + 3600)));
    assert_eq!(book.due(s(100 + 3600), key), Due::Forgotten);
    assert_eq!(book.figures(s(4000)).0, 0);
}

#[test]
fn a_question_that_nobody_answers_is_over_when_its_time_is() {
    let a = goal("sip:a.test");
    let mut book = Book::new(1);
    let Asked::New { key, .. } = book.ask(&a, s(5)) else { panic!() };
    assert_eq!(book.due(s(5), key), Due::Unanswered(a.clone()));
    let noted = book.note(s(5), &a, Err(Failure::Unanswered), s(0)).unwrap();
    assert!(noted.failing);
    assert_eq!(book.look(s(6), &a), Known::Failed(Failure::Unanswered));
}
