//! A board is what lists of the database would show.

use super::*;
use crate::query::{Number, Party, Progress};

fn key(number: u8) -> Key {
    [number; 16]
}

/// A leg of RM of a session.
fn leg(number: u8, guid: Option<&str>, started: u64) -> Leg {
    let component = Component { id: 101, name: String::new(), kind: ComponentType::Rm };
    let tenants = vec![TenantOf { id: 1, ..TenantOf::default() }];
    let call = Call {
        key: key(number),
        session_id: format!("S{number}"),
        guid: guid.map(ToOwned::to_owned),
        call_type: CallType::Inbound,
        started: Millis(started),
        answered: None,
        ended: None,
        dn: Some("18005550100".to_owned()),
        local_uri: "sip:18005550100@platform".to_owned(),
        remote_uri: "sip:+4930123@caller".to_owned(),
        service: None,
        end_state: None,
        sip_status: None,
        call_id: None,
        call_uuid: None,
        reason: None,
        leg: Some(LegId(u32::from(number))),
        epoch: 0,
        config_rev: None,
        component,
        application: None,
        tenants,
        resource: None,
        led: false,
    };
    Leg { day: 20_261_122, call }
}

fn ended(leg: &Leg, at: u64) -> Leg {
    let mut leg = leg.clone();
    leg.call.ended = Some(Millis(at));
    leg
}

/// A leg whose path has these tenants.
fn of(leg: Leg, tenants: &[u32]) -> Leg {
    let tenants = tenants.iter().map(|id| TenantOf { id: *id, ..TenantOf::default() }).collect();
    Leg { call: Call { tenants, ..leg.call }, ..leg }
}

/// First byte of each item's key, with how many legs it is shown by.
fn listed(board: &Board, filter: &Filter, unit: Unit) -> Vec<(u8, usize)> {
    let items = board.list(filter, unit, None, 100, Millis(1000));
    assert_eq!(board.count(filter, unit, Millis(1000)), items.len() as u64);
    items.iter().map(|(place, legs)| (place.1[0], legs.len())).collect()
}

fn all(board: &Board, unit: Unit) -> Vec<(u8, usize)> {
    listed(board, &Filter::default(), unit)
}

#[test]
fn a_session_stays_with_its_ended_legs_until_the_last_one_ends() {
    let mut board = Board::new(10, usize::MAX);
    let (first, second) = (leg(1, Some("G"), 5), leg(2, Some("G"), 6));
    board.take(vec![first.clone(), second.clone(), leg(3, None, 7)]);
    assert_eq!(all(&board, Unit::Guid), [(3, 1), (1, 2)], "newest start first");
    assert_eq!(all(&board, Unit::Leg), [(3, 1), (2, 1), (1, 1)]);
    board.take(vec![ended(&second, 9)]);
    assert_eq!(all(&board, Unit::Guid), [(3, 1), (1, 2)]);
    assert_eq!((all(&board, Unit::Leg), board.legs()), (vec![(3, 1), (1, 1)], 3));
    // it is shown by its first leg, and that has ended
    board.take(vec![ended(&first, 9), second.clone()]);
    assert_eq!(all(&board, Unit::Guid), [(3, 1)]);
    assert_eq!(all(&board, Unit::Leg), [(3, 1), (2, 1)]);
    board.take(vec![ended(&second, 9), ended(&leg(3, None, 7), 9), ended(&leg(4, None, 1), 2)]);
    assert_eq!((board.legs(), board.is_whole()), (0, true));
}

#[test]
fn a_leg_that_moves_leaves_its_old_place() {
    let mut board = Board::new(10, usize::MAX);
    board.take(vec![leg(1, None, 5), leg(2, Some("G"), 6), ended(&leg(3, Some("G"), 7), 8)]);
    // its start, and its session, are known better by now
    board.take(vec![leg(1, Some("H"), 4), leg(2, Some("H"), 6)]);
    assert_eq!(all(&board, Unit::Guid), [(1, 2)]);
    assert_eq!(board.legs(), 2, "nothing of G is in progress");
}

#[test]
fn what_is_missing_is_asked_for() {
    let mut board = Board::new(10, usize::MAX);
    let old = ended(&leg(1, Some("G"), 5), 6);
    board.take(vec![leg(2, Some("G"), 7)]);
    assert_eq!(board.lacks(&[old.at(), (20_261_122, key(2))]), [old.at()]);
    board.take(vec![old]);
    assert_eq!((all(&board, Unit::Guid), board.legs()), (vec![], 2), "its first leg has ended");
    assert_eq!(board.leave(&[key(2), key(9)]), [(20_261_122, key(2))]);
    assert_eq!(all(&board, Unit::Leg), []);
}

/// Pages may part a session's legs, the ended ones first.
#[test]
fn what_is_read_in_pages_is_what_is_taken_at_once() {
    let live = leg(2, Some("G"), 7);
    let pages = [
        vec![ended(&leg(1, Some("G"), 5), 6), ended(&leg(3, Some("H"), 5), 6)],
        vec![live, leg(4, None, 8), ended(&leg(5, None, 8), 9)],
    ];
    let (mut read, mut taken) = (Board::new(5, usize::MAX), Board::new(5, usize::MAX));
    taken.take(pages.concat());
    pages.into_iter().for_each(|page| read.read(page));
    read.settle();
    assert_eq!(all(&read, Unit::Leg), [(4, 1), (2, 1)]);
    assert_eq!((read.legs(), read.bytes), (taken.legs(), taken.bytes));
    assert_eq!((read.legs(), read.is_whole()), (3, true), "with the ended leg of what goes on");
}

#[test]
fn beyond_the_limit_it_says_so() {
    let mut board = Board::new(2, usize::MAX);
    board.take(vec![leg(1, None, 1), leg(2, None, 2)]);
    // what ends makes room, and needs none
    board.take(vec![ended(&leg(1, None, 1), 3), leg(3, None, 3), ended(&leg(4, Some("G"), 3), 4)]);
    assert!(board.is_whole());
    board.take(vec![leg(5, None, 5)]);
    assert!(!board.is_whole());
    assert_eq!(all(&board, Unit::Leg), [(3, 1), (2, 1)]);
}

/// A producer may tell a call in texts of any length.
#[test]
fn long_texts_take_the_room_of_many_legs() {
    let mut board = Board::new(1000, 100_000);
    let long = |number: u8, many: usize| {
        let mut leg = leg(number, Some("G"), u64::from(number));
        leg.call.remote_uri = "x".repeat(many);
        leg.call.tenants[0].name = "y".repeat(many);
        leg
    };
    board.take((1..30).map(|number| long(number, 10_000)).collect());
    assert_eq!((board.legs(), board.is_whole(), board.has_room()), (4, false, false));
    // each gives back what it took, however it goes
    board.take(vec![long(1, 10), long(2, 0)]);
    board.leave(&[key(3)]);
    board.take(vec![ended(&long(4, 10_000), 50), ended(&long(1, 10), 50), ended(&long(2, 0), 50)]);
    assert_eq!((board.legs(), board.bytes, board.has_room()), (0, 0, true));
    // usual ones are as many as there may be
    let mut board = Board::new(50, 50 * 2048);
    board.take((1..=50).map(|number| long(number, 20)).collect());
    assert_eq!((board.legs(), board.is_whole()), (50, true));
}

#[test]
fn a_session_is_shown_by_the_first_leg_that_the_asker_may_see() {
    let mut board = Board::new(10, usize::MAX);
    let media = |mut leg: Leg| {
        leg.call.component.kind = ComponentType::Mcp;
        leg
    };
    let (rm, own) = (of(leg(1, Some("G"), 5), &[1]), of(media(leg(2, Some("G"), 4)), &[1, 102]));
    board.take(vec![rm.clone(), own, of(leg(3, Some("H"), 6), &[1, 200])]);
    let scope = |ids: &[u32]| Filter { scope: Some(ids.to_vec()), ..Filter::default() };
    assert_eq!(listed(&board, &scope(&[1]), Unit::Guid), [(3, 1), (1, 1)], "RM's legs show it");
    assert_eq!(listed(&board, &scope(&[102]), Unit::Guid), [(2, 1)]);
    assert_eq!(listed(&board, &scope(&[102]), Unit::Leg), [(2, 1)]);
    assert_eq!(listed(&board, &scope(&[]), Unit::Guid), []);
    board.take(vec![ended(&rm, 9)]);
    assert_eq!(listed(&board, &scope(&[1]), Unit::Guid), [(3, 1)]);
    assert_eq!(listed(&board, &scope(&[102]), Unit::Guid), [(2, 1)]);
}

#[test]
fn pages_follow_each_other() {
    let mut board = Board::new(10, usize::MAX);
    board.take([1, 2, 3, 4].map(|number| leg(number, None, 5)).into());
    let page = |after| {
        let items = board.list(&Filter::default(), Unit::Guid, after, 2, Millis(9));
        items.iter().map(|(place, _)| *place).collect::<Vec<_>>()
    };
    let first = page(None);
    assert_eq!(first, [(5, key(4)), (5, key(3))]);
    assert_eq!(page(Some(first[1])), [(5, key(2)), (5, key(1))]);
    assert_eq!(page(Some((5, key(1)))), []);
}

#[test]
fn numbers_are_found_wherever_they_stand() {
    let call = leg(1, None, 1).call;
    let party = |number: &str, prefix| {
        let party = Some(Party { number: number.to_owned(), prefix });
        Filter { party, ..Filter::default() }.meets(&call, Millis(5))
    };
    for (number, prefix, meets) in [
        ("4930123", false, true),
        ("493012", false, false),
        ("493012", true, true),
        ("18005550100", false, true),
        ("caller", true, false),
        ("", true, true),
    ] {
        assert_eq!(party(number, prefix), meets, "{number} {prefix}");
    }
    let silent = Call { dn: None, ..call };
    let any = Filter { numbers: vec![Number::Prefix(String::new())], ..Filter::default() };
    assert!(!any.meets(&silent, Millis(5)), "a call without a number");
    let completed = Filter { progress: Progress::Completed, ..Filter::default() };
    assert!(!completed.meets(&silent, Millis(5)));
}

/// A session is shown on the day of the leg that lends to the others.
#[test]
fn a_call_whose_session_is_shown_elsewhere_shows_none() {
    let leg = leg(1, Some("G"), 5);
    let mut media = leg.clone();
    (media.day, media.call.key, media.call.led) = (20_261_123, key(2), true);
    let mut board = Board::new(10, usize::MAX);
    board.take(vec![leg, media]);
    let filter = Filter::default();
    let keys = |unit| -> Vec<Key> {
        let items = board.list(&filter, unit, None, 10, Millis(9));
        items.into_iter().map(|((_, key), _)| key).collect()
    };
    assert_eq!((keys(Unit::Leg), keys(Unit::Guid)), (vec![key(2), key(1)], vec![key(1)]));
    assert_eq!(board.count(&filter, Unit::Guid, Millis(9)), 1);
}
