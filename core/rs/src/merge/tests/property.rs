//! All rules of rs.md §2.9 at once, over any order of any facts.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::super::{CallState, Trace, UPDATE};
use super::{GUID, fact_of, rm};
use crate::fact::CallFact;
use crate::limits::FACTS_PER_CALL;

/// Any fact of one leg: all phases, three epochs, two nodes, any of the optional values.
fn any_fact() -> impl Strategy<Value = CallFact> {
    let phase = prop_oneof![Just("start"), Just("update"), Just("end")];
    let state = prop_oneof![
        3 => Just("USER_END"), 1 => Just("APP_END"),
        2 => Just("INTERRUPTED"), 2 => Just("TIMEOUT"),
    ];
    let place = (phase, 1_u64..4, 1_u64..3, 0_u64..4);
    (place, 0_u64..9, 0_u64..2, state, any::<u16>(), 0_u8..3).prop_map(
        |((phase, epoch, node, n), time, early, state, has, salt)| {
            let id = match phase {
                "update" => format!("{GUID}/00690001/cdr.update/{epoch}.{node}.{n}"),
                _ => format!("{GUID}/00690001/cdr.{phase}/{epoch}.{node}"),
            };
            let mut more = json!({"id": id});
            let optional = json!({
                "dn": format!("{salt}"), "sip_status": 200 + u16::from(salt),
                "reason": format!("r{salt}"), "call_uuid": format!("u{salt}"),
                "tenant": {"name": format!("t{salt}")}, "profile": {"name": format!("p{salt}")},
                "usage": [{"scope": "profile", "name": "p", "usage": salt, "burst": 1}],
                "resource": {"name": format!("m{salt}")}, "config_rev": salt,
                "owners": [{"component": {"name": "rm-1"}, "from": "2026-11-22T10:00:00Z"}],
                "trace": [{"stage": "select", "candidate": "a", "verdict": "chosen",
                           "reason": format!("w{salt}")}],
                "note_to_self": salt, "other": {"deep": salt}, "call_id": 7,
                "answered_at": "2026-11-22T10:00:01Z",
                "started_at": format!("2026-11-22T09:59:5{}Z", 8 + early),
            });
            for (bit, (key, value)) in optional.as_object().unwrap().iter().enumerate() {
                if has >> bit & 1 == 1 {
                    more[key] = value.clone();
                }
            }
            if phase == "end" {
                more["end_state"] = json!(state);
            }
            rm(phase, epoch, node, time, more)
        },
    )
}

/// `call_trace`, as a store keeps it.
fn keep(kept: &mut Option<String>, trace: Trace) {
    match trace {
        Trace::Same => {}
        Trace::New(trace) => *kept = Some(trace),
        Trace::Gone => *kept = None,
    }
}

/// Facts of distinct ids, and an order in which each comes at least once.
fn any_history() -> impl Strategy<Value = (Vec<CallFact>, Vec<usize>)> {
    prop::collection::vec(any_fact(), 1..9).prop_flat_map(|mut facts| {
        facts.sort_by(|a, b| a.id.cmp(&b.id));
        facts.dedup_by(|a, b| a.id == b.id);
        let count = facts.len();
        let order = (
            Just((0..count).collect::<Vec<_>>()).prop_shuffle(),
            prop::collection::vec(0..count, 0..6),
        )
            .prop_flat_map(|(all, again)| Just([all, again].concat()).prop_shuffle());
        (Just(facts), order)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Rule 8: permutation, repetition and split change no byte of row, state or kept trace.
    #[test]
    fn rule_8_order_does_not_matter((facts, order) in any_history(), split in any::<u16>()) {
        let mut plain = CallState::new([7; 16]);
        let mut trace = None;
        for fact in &facts {
            keep(&mut trace, plain.apply(fact).trace);
        }
        let mut other = CallState::new([7; 16]);
        let mut other_trace = None;
        for (step, at) in order.iter().enumerate() {
            if split >> (step % 16) & 1 == 1 {
                other = CallState::decode(&other.encode()).unwrap();
            }
            keep(&mut other_trace, other.apply(&facts[*at]).trace);
        }
        let bytes = |state: &CallState| serde_json::to_vec(&state.row(None)).unwrap();
        prop_assert_eq!(bytes(&other), bytes(&plain));
        prop_assert_eq!(other.encode(), plain.encode());
        prop_assert_eq!(other_trace, trace);
        prop_assert_eq!(crate::invariant::check(&plain.row(None)), Ok(()));
    }

    /// Of two contents of one id only the one counts for which the ledger decides, whichever came
    /// first and whatever came between them.
    #[test]
    fn rule_8_holds_for_two_contents_of_an_id(
        (facts, order) in any_history(),
        others in prop::collection::vec(any_fact(), 8),
        both in any::<u8>(),
    ) {
        let mut contents = facts.clone();
        for (at, other) in others.into_iter().enumerate().take(facts.len()) {
            if both >> at & 1 == 1 {
                let CallFact { id, number, .. } = facts[at].clone();
                contents.push(CallFact { id, number, ..other });
            }
        }
        let hash = |fact: &CallFact| format!("{fact:?}");
        let mut winners: BTreeMap<&str, &CallFact> = BTreeMap::new();
        for fact in &contents {
            let winner = winners.entry(&fact.id).or_insert(fact);
            if hash(fact) < hash(winner) {
                *winner = fact;
            }
        }
        let mut plain = CallState::new([7; 16]);
        let mut trace = None;
        winners.values().for_each(|fact| keep(&mut trace, plain.apply(fact).trace));
        let (mut state, mut its_trace) = (CallState::new([7; 16]), None);
        let mut stored: BTreeMap<&str, String> = BTreeMap::new();
        // the second contents come at the place of another fact
        let second = order.iter().filter_map(|at| contents.get(facts.len() + at));
        let turns = order.iter().map(|at| &contents[*at]);
        for fact in second.chain(turns).chain(&contents[facts.len()..]) {
            if stored.get(&*fact.id).is_none_or(|known| hash(fact) < *known) {
                stored.insert(&fact.id, hash(fact));
                keep(&mut its_trace, state.apply(fact).trace);
            }
        }
        prop_assert_eq!(state.row(None), plain.row(None));
        prop_assert_eq!(state.missing(), plain.missing());
        prop_assert_eq!(state.last_known(), plain.last_known());
        // where one that gave way had a trace, that of a lower fact is not known any more
        let won = |fact: &CallFact| winners.values().any(|winner| *winner == fact);
        if contents.iter().all(|fact| fact.trace.is_none() || won(fact)) {
            prop_assert_eq!(its_trace, trace);
        }
    }

    /// Rule 8 holds when a call has more facts than are kept apart, too.
    #[test]
    fn rule_8_holds_beyond_the_room_for_facts(
        (facts, order) in any_history(),
        most in 1_usize..6,
    ) {
        let mut plain = CallState::new([7; 16]);
        for fact in &facts {
            plain.take(fact, most);
        }
        let mut other = CallState::new([7; 16]);
        for at in &order {
            other = CallState::decode(&other.encode()).unwrap();
            other.take(&facts[*at], most);
        }
        prop_assert!(plain.facts.len() <= most && other.facts.len() <= most);
        prop_assert_eq!(other.row(None), plain.row(None));
        // starts and ends of more owners than there is room for are beyond this
        if facts.iter().filter(|fact| fact.phase != UPDATE).count() < most {
            let whole = CallState { call_key: [7; 16], facts, ..CallState::default() };
            prop_assert_eq!(plain.row(None), whole.row(None));
        }
    }

    /// What is kept of facts shows what all of them do.
    #[test]
    fn a_state_shows_all_of_its_facts((facts, _) in any_history()) {
        let mut state = CallState::new([7; 16]);
        for fact in &facts {
            state.apply(fact);
        }
        let whole = CallState { call_key: [7; 16], facts, ..CallState::default() };
        prop_assert_eq!(state.row(None), whole.row(None));
    }

    /// Written down as records and read again it is the same, in any order, with what found no
    /// room.
    #[test]
    fn its_records_tell_all_of_it(
        (facts, _) in any_history(),
        most in prop_oneof![1_usize..6, Just(FACTS_PER_CALL)],
        backwards in any::<bool>(),
    ) {
        // starts and ends of more owners than there is room for are beyond this
        if facts.iter().filter(|fact| fact.phase != UPDATE).count() >= most {
            return Ok(());
        }
        let mut state = CallState::new([7; 16]);
        for fact in &facts {
            state.take(fact, most);
        }
        let steps =
            r#"[{"stage":"select","candidate":"a","verdict":"chosen","reason":"least-used"}]"#;
        let mut records = state.records(Some(steps), "rs-1");
        if backwards {
            records.reverse();
        }
        let mut again = CallState::new([7; 16]);
        for record in &records {
            again.apply(&fact_of(&record.to_string()).1);
        }
        prop_assert_eq!(again.row(None), state.row(None));
        prop_assert_eq!(again.missing(), state.missing());
        prop_assert_eq!(again.last_known(), state.last_known());
    }
}

/// An update that shows nothing is told in the name of the component that the row shows.
#[test]
fn an_update_of_another_node_moves_no_call() {
    let update = |node: u64| {
        let id = format!("{GUID}/00690001/cdr.update/3.{node}.0");
        rm("update", 3, node, 4, json!({"id": id}))
    };
    let mut state = CallState::new([7; 16]);
    for fact in [rm("start", 3, 1, 1, json!({})), update(1), update(2)] {
        state.apply(&fact);
    }
    let records = state.records(None, "rs-1");
    let mut again = CallState::new([7; 16]);
    for record in records.iter().rev() {
        again.apply(&fact_of(&record.to_string()).1);
    }
    assert_eq!(state.row(None).component.name.as_deref(), Some("rm-2"));
    assert_eq!(again.row(None), state.row(None));
}
