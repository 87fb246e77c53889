//! What operators do, over what a story has left: dead letters are read, tried again and thrown
//! away, and the audit log tells of it. Numbers are each database's own.

use std::collections::BTreeSet;

use rsd::store::Store;
use rsd::store::custody::{Audit, AuditFilter, Letter, LetterFilter, LetterState, Place};

use super::made::at;

fn filters() -> Vec<LetterFilter> {
    let all = LetterFilter::default;
    let code = |code: &str| LetterFilter { code: Some(code.to_owned()), ..all() };
    let ms = |seconds| Some(i64::try_from(at(seconds).0).unwrap());
    vec![
        all(),
        code("not_json"),
        code("id_conflict"),
        code("'; DROP TABLE rs_dead_letter; --"),
        code("not_json\0"),
        LetterFilter { producer: Some("mcp-1".to_owned()), ..all() },
        LetterFilter { state: Some(LetterState::Open), ..all() },
        LetterFilter { state: Some(LetterState::Deleted), ..code("id_conflict") },
        LetterFilter { from_ms: ms(0), to_ms: ms(500_000), ..all() },
        LetterFilter { from_ms: ms(500_000), ..all() },
        LetterFilter { to_ms: ms(0), ..all() },
    ]
}

/// All answers, as text.
pub(super) fn answers(store: &dyn Store) -> Vec<String> {
    let mut answers = listed(store);
    let letters = all(store, &LetterFilter::default(), true);
    let mut shown: Vec<_> = letters.iter().map(shown).collect();
    shown.sort_unstable();
    for (letter, text) in letters.iter().zip(&shown) {
        let found = store.custody().letter(letter.no).unwrap();
        assert_eq!(found.as_ref(), Some(letter), "{text}");
    }
    assert_eq!(store.custody().letter(i64::MAX).unwrap(), None);
    let line = line("dead-letter.delete");
    assert!(!store.custody().delete(i64::MAX, &line).unwrap());
    assert_eq!(lines(store, "dead-letter.delete"), 0, "nothing was done");
    delete(store, &letters);
    answers.extend(listed(store));
    answers.push(format!("{:?}", store.dead_letters().unwrap()));
    answers.extend(audit(store));
    answers
}

/// What is in every filter's list.
fn listed(store: &dyn Store) -> Vec<String> {
    let mut answers = Vec::new();
    for filter in filters() {
        for bodies in [false, true] {
            let mut letters: Vec<_> = all(store, &filter, bodies).iter().map(shown).collect();
            letters.sort_unstable();
            answers.push(format!("{filter:?} {letters:?}"));
        }
    }
    answers
}

/// Page by page: newest first, none twice.
fn all(store: &dyn Store, filter: &LetterFilter, bodies: bool) -> Vec<Letter> {
    let (mut letters, mut after) = (Vec::new(), None);
    loop {
        let page = store.custody().letters(filter, bodies, after, 3).unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(Place { time_ms: last.received_ms, no: last.no });
        letters.extend(page);
    }
    let place = |letter: &Letter| Place { time_ms: letter.received_ms, no: letter.no };
    assert!(letters.is_sorted_by(|a, b| place(a) > place(b)), "{filter:?}");
    letters
}

/// Each by its content: the first of a code is thrown away.
fn delete(store: &dyn Store, letters: &[Letter]) {
    let mut codes = BTreeSet::new();
    let mut by_content: Vec<&Letter> = letters.iter().collect();
    by_content.sort_by_key(|letter| shown(letter));
    for letter in by_content {
        if codes.insert(&letter.code) {
            assert!(store.custody().delete(letter.no, &line("dead-letter.delete")).unwrap());
        }
    }
    assert_eq!(lines(store, "dead-letter.delete"), codes.len(), "each change has its line");
}

/// A line of the audit log.
pub(crate) fn line(action: &str) -> Audit {
    Audit {
        no: 0,
        time_ms: 1_795_344_000_000,
        user: Some("anna".to_owned()),
        address: "127.0.0.1:5000".to_owned(),
        action: action.to_owned(),
        object: "7".to_owned(),
        detail: "{}".to_owned(),
        outcome: "done".to_owned(),
    }
}

/// How many lines there are of an action.
pub(super) fn lines(store: &dyn Store, action: &str) -> usize {
    let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
    store.custody().audit(&filter, None, 1000).unwrap().len()
}

/// All but the number.
fn shown(letter: &Letter) -> String {
    format!("{:?}", Letter { no: 0, ..letter.clone() })
}

fn audit(store: &dyn Store) -> Vec<String> {
    let custody = store.custody();
    for n in 0..8_u64 {
        let line = Audit {
            no: 0,
            time_ms: i64::try_from(at(n / 2 * 86_400).0).unwrap(),
            user: (n % 3 != 0).then(|| format!("o'mäilly {}", n % 3)),
            address: "[2001:db8::1]:5060".to_owned(),
            action: if n % 2 == 0 { "dead-letter.retry" } else { "dead-letter.delete" }.to_owned(),
            object: n.to_string(),
            detail: r#"{"stored":1}"#.to_owned(),
            outcome: "done".to_owned(),
        };
        custody.note(&line).unwrap();
    }
    let all = AuditFilter::default;
    let ms = |day: u64| Some(i64::try_from(at(day * 86_400).0).unwrap());
    let user = |user: &str| AuditFilter { user: Some(user.to_owned()), ..all() };
    let action = Some("dead-letter.delete".to_owned());
    let filters = [
        all(),
        user("o'mäilly 2"),
        user("O'MÄILLY 2"),
        user("\0"),
        AuditFilter { action, from_ms: ms(1), to_ms: ms(3), ..all() },
        AuditFilter { to_ms: ms(1), ..user("o'mäilly 1") },
    ];
    let mut answers = Vec::new();
    for filter in filters {
        let mut after = None;
        loop {
            let page = custody.audit(&filter, after, 3).unwrap();
            let Some(last) = page.last() else { break };
            after = Some(Place { time_ms: last.time_ms, no: last.no });
            let page: Vec<_> = page.into_iter().map(|line| Audit { no: 0, ..line }).collect();
            answers.push(format!("{filter:?} {page:?}"));
        }
    }
    answers
}
