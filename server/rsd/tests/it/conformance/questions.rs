//! Every question of the trait, over what a story has left.

use std::collections::BTreeSet;

use model::config::Service;
use model::record::{CallGuid, CallType, ComponentType, EndState};
use model::time::Millis;
use rs::Filter;
use rs::query::{Number, Party, Progress, Uri};
use rsd::store::{BooksAsked, CallName, FIGURES, ObjectKind, Store, Unit};

use super::NOW;
use super::made::{at, guid};

pub(super) fn filters() -> Vec<Filter> {
    let base = Filter::default;
    let at = |seconds: u64| Some(at(seconds));
    let number = |number: Number| Filter { numbers: vec![number], ..base() };
    let uri = |text: &str, prefix| Uri { text: text.to_owned(), prefix };
    let party = |number: &str, prefix| Filter {
        party: Some(Party { number: number.to_owned(), prefix }),
        ..base()
    };
    vec![
        base(),
        Filter { progress: Progress::Live, ..base() },
        Filter { progress: Progress::Completed, ..base() },
        Filter { component_type: Some(ComponentType::Mcp), ..base() },
        Filter { started_after: at(10), started_before: at(40), ..base() },
        Filter { ended_after: at(15), ended_before: at(101), ..base() },
        Filter { profiles: vec![189], ..base() },
        Filter { tenants: vec![1], ..base() },
        Filter { tenants: vec![102, 103], ..base() },
        Filter { scope: Some(vec![102]), ..base() },
        Filter { tenants: vec![1], scope: Some(vec![103, 102]), ..base() },
        Filter { tenants: vec![102], scope: Some(vec![103]), ..base() },
        nothing(),
        Filter { components: vec![101], ..base() },
        number(Number::Exact("1900a".to_owned())),
        number(Number::Prefix("1800".to_owned())),
        number(Number::Range { from: "18005550000".into(), to: "18005550150".into() }),
        number(Number::Exact("'; DROP TABLE rs_call; --?".to_owned())),
        Filter { remote_uris: vec![uri("sip:+4930", true), uri("sip:x", false)], ..base() },
        Filter { local_uris: vec![uri("sip:nobody\0", true)], ..base() },
        party("4930123", false),
        party("4930", true),
        Filter { session_id: Some("S1".to_owned()), ..base() },
        Filter { guid: Some(CallGuid::new(&guid(2))), ..base() },
        Filter { guid: Some(CallGuid::new("no-uuid")), ..base() },
        Filter { duration_min: Some(10_000), duration_max: Some(10_000), ..base() },
        Filter { end_states: vec![EndState::UserEnd], ..base() },
        Filter { services: vec![Service::Voicexml], ..base() },
        Filter { call_types: vec![CallType::Outbound, CallType::Inbound], ..base() },
        Filter { sip_status: Some(200), call_id: Some("x".to_owned()), ..base() },
    ]
}

/// What somebody asks for who may see nothing.
fn nothing() -> Filter {
    Filter { scope: Some(Vec::new()), ..Filter::default() }
}

/// All answers, as text.
pub(crate) fn answers(store: &dyn Store) -> Vec<String> {
    let mut answers = Vec::new();
    let mut keys = BTreeSet::new();
    let mut guids = BTreeSet::new();
    for unit in [Unit::Leg, Unit::Guid] {
        assert_eq!(store.count(&nothing(), unit, NOW).unwrap(), 0);
        assert_eq!(store.list(&nothing(), unit, None, 3, NOW).unwrap(), []);
    }
    assert_eq!(store.page(&nothing(), 1, 2, NOW).unwrap().calls, []);
    for filter in filters() {
        for unit in [Unit::Leg, Unit::Guid] {
            let count = store.count(&filter, unit, NOW).unwrap();
            answers.push(format!("{filter:?} {unit:?} {count}"));
            let mut after = None;
            loop {
                let items = store.list(&filter, unit, after, 3, NOW).unwrap();
                answers.push(format!("{items:?}"));
                let Some(last) = items.last() else { break };
                after = Some(last.position);
                let legs = items.iter().flat_map(|item| &item.legs);
                for call in legs {
                    keys.insert(call.key);
                    guids.extend(call.guid.clone());
                }
            }
        }
        for page in 1..4 {
            answers.push(format!("{:?}", store.page(&filter, page, 2, NOW).unwrap()));
        }
    }
    for key in keys {
        answers.push(format!("{:?}", store.call(&CallName::Key(key), true).unwrap()));
    }
    for guid in guids {
        let name = CallName::Guid(CallGuid::new(&guid));
        answers.push(format!("{:?}", store.call(&name, true).unwrap()));
        answers.push(format!("{:?}", store.call(&name, false).unwrap()));
    }
    for kind in [ObjectKind::Component, ObjectKind::Tenant, ObjectKind::Profile] {
        answers.push(format!("{:?}", store.objects(kind).unwrap()));
    }
    answers.push(format!("{:?}", store.dead_letters().unwrap()));
    let books = super::books(store, Millis(0), Millis(u64::MAX));
    answers.push(format!("{books:?}"));
    let names = store.producers("", 100).unwrap();
    for name in &names {
        answers.push(format!("{name} {:?}", store.producers(name, 1).unwrap()));
        let minutes = (0, i64::MAX);
        let (producer, heard_ms) = (Some(name.clone()), Some(0));
        let asked = BooksAsked { producer, minutes, heard_ms, figures: &FIGURES };
        let own = store.books(&asked).unwrap();
        let of = |row: &&rs::integrity::Told| &row.producer == name;
        assert_eq!(own.told, books.told.iter().filter(of).cloned().collect::<Vec<_>>());
        answers.push(format!("{own:?}"));
    }
    answers.push(format!("{:?}", store.sums((0, i64::MAX)).unwrap()));
    store.custody().keep_proof("2026-11-22", "one").unwrap();
    store.custody().keep_proof("2026-11-22", "two").unwrap();
    assert_eq!(store.custody().proof("2026-11-22").unwrap().as_deref(), Some("one"));
    assert_eq!(store.custody().proof("2026-11-23").unwrap(), None);
    answers.push(format!("{:?}", super::books(store, at(0), at(60)).told));
    answers
}
