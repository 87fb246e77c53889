//! What rules make of numbers, and what is no rule.

use super::{Rule, Verdict, judge};
use proptest::prelude::*;

fn list(rules: &[&str]) -> Vec<Rule> {
    rules.iter().map(|rule| Rule::parse(rule).unwrap()).collect()
}

/// The number as it is dialled, or the rule that refused it.
fn dialled(rules: &[&str], number: &str) -> Result<String, String> {
    let (rules, mut number) = (list(rules), number.to_owned());
    match judge(&rules, &mut number) {
        Verdict::Accepted => Ok(number),
        Verdict::Rejected(rule) => Err(rule.to_string()),
    }
}

#[test]
fn the_first_that_matches_ends_the_list_but_for_translate() {
    let example = [
        "reject ^\\+?1?900",
        "translate ^0([1-9][0-9]+)$ -> 49$1",
        "accept ^\\+?[0-9]{7,15}$",
        "reject .*",
    ];
    let cases = [
        ("19005550100", Err("reject ^\\+?1?900")),
        ("+19005550100", Err("reject ^\\+?1?900")),
        ("030456789", Ok("4930456789")),
        ("+4930456789", Ok("+4930456789")),
        ("112", Err("reject .*")),
        ("müller", Err("reject .*")),
    ];
    for (number, expected) in cases {
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(dialled(&example, number), expected, "{number}");
    }
    assert_eq!(dialled(&[], "anything at all"), Ok("anything at all".to_owned()));
}

#[test]
fn a_translation_is_what_the_next_rule_sees() {
    let rules = ["translate ^9(.*)$ -> $1", "translate ^00(.*)$ -> +$1", "reject ^\\+88"];
    assert_eq!(dialled(&rules, "90049301"), Ok("+49301".to_owned()));
    assert_eq!(dialled(&rules, "90088301"), Err("reject ^\\+88".to_owned()));
    // the whole number is replaced, wherever the pattern was found
    assert_eq!(dialled(&["translate 5 -> 7"], "4567"), Ok("7".to_owned()));
    assert_eq!(dialled(&["translate ^(1)?2$ -> a$1$0"], "2"), Ok("a2".to_owned()));
}

#[test]
fn what_cannot_be_dialled_is_refused_by_the_rule_that_makes_it() {
    for (rule, number) in [
        ("translate ^(.*)$ -> $1$1", &*"1".repeat(33)),
        ("translate ^x(.*)$ -> $1", "x"),
        ("translate ^(.*)$ -> 1$1", "ü"),
        ("accept .", &*"1".repeat(65)),
    ] {
        assert_eq!(dialled(&[rule], number), Err(rule.to_owned()));
    }
    let longest = "1".repeat(32);
    assert!(dialled(&["translate ^(.*)$ -> $1$1"], &longest).is_ok());
}

#[test]
fn what_is_no_rule_is_told_with_its_column() {
    let long = format!("reject {}", "1".repeat(257));
    for (rule, told) in [
        ("reject", "expected accept, reject or translate, a blank and a pattern"),
        ("deny 1", "column 1: \"deny\" is not accept, reject or translate"),
        ("reject ", "column 8: there is no pattern"),
        ("reject (1", "column 8: unclosed group"),
        ("reject 1**[", "column 11: unclosed character class"),
        (
            "reject (?=1)",
            "column 8: look-around, including look-ahead and look-behind, is not supported",
        ),
        ("reject (1)\\1", "column 11: backreferences are not supported"),
        ("reject \\p{Greek}", "column 8: Unicode not allowed here"),
        ("reject 1 -> 2", "column 10: a replacement is for translate only"),
        ("translate 1", "translate needs \" -> \" and a number"),
        ("translate 1 -> ", "the replacement is empty"),
        ("translate 1 -> 2 3", "column 17: only letters, digits and + * # . _ - can be dialled"),
        ("translate 1 -> 2$", "column 17: expected $0 to $9"),
        ("translate 1 -> $x", "column 16: expected $0 to $9"),
        ("translate 1 -> $$", "column 16: a dollar sign cannot be dialled"),
        ("translate (1) -> $2", "$2: the pattern has 1 groups"),
        ("reject (a{99}){99}{99}", "the pattern needs more than 65536 bytes when compiled"),
        (&*long, "the pattern is longer than 256 bytes"),
    ] {
        assert_eq!(Rule::parse(rule).unwrap_err(), told, "{rule}");
    }
}

/// What explodes does not end: 2^63 ways through the first pattern.
#[test]
fn no_pattern_makes_a_number_explode() {
    let rules = list(&["reject ^(a+)+$", "reject ^(a|a)*$", "reject (.*)(.*)(.*)(.*)(.*)x"]);
    let mut number = format!("{}!", "a".repeat(63));
    assert_eq!(judge(&rules, &mut number), Verdict::Accepted);
}

proptest! {
    #[test]
    fn any_rule_and_any_number_are_answered(
        action in "accept|reject|translate",
        pattern in "[0-9a+?*.^$()\\[\\]{},|\\\\-]{0,24}",
        replacement in "[0-9$+]{0,8}",
        number in "[+0-9a*#.]{0,80}",
    ) {
        let rule = match action.as_str() {
            "translate" => format!("translate {pattern} -> {replacement}"),
            other => format!("{other} {pattern}"),
        };
        if let Ok(rule) = Rule::parse(&rule) {
            let mut dialled = number.clone();
            if judge([&rule], &mut dialled) == Verdict::Accepted {
                prop_assert!(dialled == number || (1..=64).contains(&dialled.len()));
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        let _ = Rule::parse(&text);
    }
}
