//! Tables of the normal form, patterns and precedence; the index and the overlap check against
//! brute force.

use proptest::prelude::*;

use super::{Clash, DidIndex, Entry, Pattern, PatternError, clashes, normalise};

#[test]
fn normal_form() {
    let cases = [
        ("18005550100", "18005550100"),
        ("+1-800-555-0100", "18005550100"),
        ("(800).555", "800555"),
        ("++1", "+1"),
        ("1800;phone-context=x", "1800"),
        ("alice:secret", "alice"),
        ("ALICE", "alice"),
        ("%2B1%38", "18"),
        ("a%3Bb", "a;b"),
        ("%zz1", "%zz1"),
        ("%", "%"),
        ("", ""),
        ("conf=7*", "conf=7*"),
    ];
    for (user, normal) in cases {
        assert_eq!(normalise(user), normal, "{user}");
    }
}

#[test]
fn patterns() {
    let exact = |n: &str| Ok(Pattern::Exact(n.to_owned()));
    let prefix = |n: &str| Ok(Pattern::Prefix(n.to_owned()));
    let form = |why| Err(PatternError::Form(why));
    let cases = [
        ("18005550100", exact("18005550100")),
        ("+1.800.555.0100", exact("18005550100")),
        ("1-800-555", exact("1800555")),
        ("Alice", exact("alice")),
        ("007-012", Ok(Pattern::Range { digits: 3, low: 7, high: 12 })),
        ("+1800-+1899", Ok(Pattern::Range { digits: 4, low: 1800, high: 1899 })),
        ("5-5", Ok(Pattern::Range { digits: 1, low: 5, high: 5 })),
        ("1900*", prefix("1900")),
        ("+1-900*", prefix("1900")),
        ("*", prefix("")),
        ("10-9", Err(PatternError::Length)),
        ("19-11", Err(PatternError::Order)),
        ("1*9", Err(PatternError::Star)),
        ("**", Err(PatternError::Star)),
        ("", form("there is no number in it")),
        ("+*", form("there is no number in it")),
        ("a-b", form("the ends of a range are digits only")),
        (
            "1234567890123456789-1234567890123456799",
            form("the ends of a range have at most 18 digits"),
        ),
        ("1 800", form("a number has no blanks")),
        ("a@b", form("not a number")),
    ];
    for (text, pattern) in cases {
        assert_eq!(Pattern::parse(text), pattern, "{text}");
    }
    let long = "1".repeat(65);
    assert_eq!(Pattern::parse(&long), form("a number has at most 64 characters"));
}

fn parsed(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::parse(text).unwrap()).collect()
}

fn index(patterns: &[Pattern]) -> DidIndex {
    DidIndex::build(patterns.iter().zip(0..))
}

#[test]
fn precedence() {
    let patterns = parsed(&["*", "1900*", "19*", "19000-19999", "19100-19199", "19150", "alice"]);
    let index = index(&patterns);
    let cases = [
        ("19150", "19150"),
        ("19151", "19100-19199"),
        ("19200", "19000-19999"),
        ("191500", "19*"),
        ("190012", "1900*"),
        ("1900", "1900*"),
        ("alice", "alice"),
        ("alice2", "*"),
        ("", "*"),
        ("2", "*"),
    ];
    for (number, pattern) in cases {
        assert_eq!(index.find(number).unwrap().0, pattern, "{number}");
    }
}

#[test]
fn an_empty_index_finds_nothing() {
    let index = DidIndex::default();
    assert!(index.is_empty());
    assert_eq!(index.find("1"), None);
}

#[test]
fn leading_zeros_and_length_count() {
    let patterns = parsed(&["007-012", "7"]);
    let index = index(&patterns);
    assert_eq!(index.find("007"), Some(("007-012", 0)));
    assert_eq!(index.find("7"), Some(("7", 1)));
    assert_eq!(index.find("0007"), None);
    assert_eq!(index.find("013"), None);
    assert_eq!(index.find("00a"), None);
}

#[test]
fn million_numbers_are_found() {
    let patterns: Vec<Pattern> =
        (0..1_000_000).map(|n| Pattern::Exact(format!("1{:010}", n * 7))).collect();
    let index = DidIndex::build(patterns.iter().zip(0..));
    assert_eq!(index.len(), 1_000_000);
    for n in (0..1_000_000).step_by(997) {
        let number = format!("1{:010}", n * 7);
        assert_eq!(index.find(&number), Some((number.as_str(), n)));
        assert_eq!(index.find(&format!("1{:010}", n * 7 + 1)), None);
    }
}

#[test]
fn clashes_name_the_pair() {
    type Case = (&'static [(&'static str, u32)], &'static [(usize, usize, bool)]);
    let cases: [Case; 9] = [
        (&[("100", 1), ("100", 1)], &[(1, 0, true)]),
        (&[("100", 1), ("100", 2)], &[(1, 0, false)]),
        (&[("1*", 1), ("100", 1), ("100-200", 1)], &[]),
        (&[("1*", 1), ("100", 2)], &[(1, 0, false)]),
        (&[("1234*", 1), ("12*", 2)], &[(1, 0, false)]),
        (&[("100-199", 1), ("150-250", 2), ("151", 1)], &[(1, 0, false), (2, 1, false)]),
        (&[("100-199", 1), ("1000", 2), ("99", 2)], &[]),
        (&[("15*", 1), ("100-199", 2), ("1500*", 2)], &[(1, 0, false), (2, 0, false)]),
        (&[("*", 1), ("alice", 2)], &[(1, 0, false)]),
    ];
    for (texts, expected) in cases {
        let patterns: Vec<Pattern> =
            texts.iter().map(|(text, _)| Pattern::parse(text).unwrap()).collect();
        let entries: Vec<Entry<'_>> = patterns
            .iter()
            .zip(texts)
            .map(|(pattern, (_, tenant))| Entry { pattern, tenant: *tenant })
            .collect();
        let expected: Vec<Clash> = expected
            .iter()
            .map(|&(later, earlier, same_tenant)| Clash { later, earlier, same_tenant })
            .collect();
        assert_eq!(clashes(&entries), expected, "{texts:?}");
    }
}

fn matches(pattern: &Pattern, number: &str) -> bool {
    match pattern {
        Pattern::Exact(exact) => exact == number,
        Pattern::Prefix(prefix) => number.starts_with(prefix.as_str()),
        Pattern::Range { digits, low, high } => {
            number.len() == usize::from(*digits)
                && number.parse().is_ok_and(|n: u64| (*low..=*high).contains(&n))
        }
    }
}

/// Exact before ranges by width and start, before prefixes by length.
fn rank(pattern: &Pattern) -> (u8, u64, u64) {
    match pattern {
        Pattern::Exact(_) => (0, 0, 0),
        Pattern::Range { low, high, .. } => (1, high - low, *low),
        Pattern::Prefix(prefix) => (2, 99 - prefix.len() as u64, 0),
    }
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let number = "[0-3]{1,3}";
    prop_oneof![
        number.prop_map(Pattern::Exact),
        "[0-3]{0,3}".prop_map(Pattern::Prefix),
        (1..=3_u8, 0..400_u64, 0..400_u64).prop_map(|(digits, a, b)| {
            let top = 10_u64.pow(u32::from(digits));
            let (a, b) = (a % top, b % top);
            Pattern::Range { digits, low: a.min(b), high: a.max(b) }
        }),
    ]
}

proptest! {
    #[test]
    fn index_finds_what_brute_force_finds(
        patterns in prop::collection::vec(pattern(), 0..30),
        numbers in prop::collection::vec("[0-4]{0,4}", 30),
    ) {
        let index = index(&patterns);
        for number in numbers {
            let matching = patterns.iter().filter(|p| matches(p, &number));
            let best = matching.min_by_key(|p| rank(p)).map(ToString::to_string);
            let found = index.find(&number).map(|(pattern, _)| pattern.to_owned());
            prop_assert_eq!(found, best, "{}", number);
        }
    }

    #[test]
    fn clashes_are_those_of_brute_force(
        patterns in prop::collection::vec((pattern(), 0..3_u32), 0..12),
    ) {
        let entries: Vec<Entry<'_>> =
            patterns.iter().map(|(pattern, tenant)| Entry { pattern, tenant: *tenant }).collect();
        let found = clashes(&entries);
        for clash in &found {
            let (a, b) = (&entries[clash.later], &entries[clash.earlier]);
            prop_assert!(clash.later > clash.earlier);
            prop_assert_eq!(clash.same_tenant, a.tenant == b.tenant);
            let same = a.pattern == b.pattern;
            let real = if clash.same_tenant { same } else { meet(a.pattern, b.pattern) };
            prop_assert!(real);
        }
        let clean = found.is_empty();
        let brute = entries.iter().enumerate().any(|(at, a)| entries[..at].iter().any(|b| {
            a.pattern == b.pattern || a.tenant != b.tenant && meet(a.pattern, b.pattern)
        }));
        prop_assert_eq!(clean, !brute);
    }

    #[test]
    fn no_text_panics(text in ".{0,80}") {
        let _ = Pattern::parse(&text);
        let normal = normalise(&text);
        let _ = index(&parsed(&["1*", "10-20"])).find(&normal);
    }
}

/// Whether two patterns share a number of up to 3 digits.
fn meet(a: &Pattern, b: &Pattern) -> bool {
    let both = |number: &str| matches(a, number) && matches(b, number);
    both("")
        || (1..=3_usize).any(|len| {
            let top = 10_u32.pow(u32::try_from(len).unwrap());
            (0..top).any(|n| both(&format!("{n:0len$}")))
        })
}
