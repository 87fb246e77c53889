//! Damaged files: whatever is cut, doubled or exchanged, there is an answer and no panic.

use config::Settings;
use proptest::prelude::*;

use crate::build;

const OBJECTS: &str = include_str!("fixtures/platform.yaml");
const SETTINGS: &str = include_str!("fixtures/full.yaml");

/// Takes some words of the text out, doubles some, and puts odd ones in.
fn damaged(text: &str, damage: &[(usize, usize)]) -> String {
    let odd = ["", "null", "-1", "[]", "{}", "\"\"", "1e99", "Environment", "child", "*", "a-b"];
    let mut words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
    for (at, what) in damage {
        let at = at % words.len();
        match what % (odd.len() + 2) {
            0 => {
                words.remove(at);
            }
            1 => words.insert(at, words[at]),
            n => words[at] = odd[n - 2],
        }
    }
    words.join(" ").replace(" \n ", "\n").replace("\n ", "\n")
}

proptest! {
    #[test]
    fn objects(damage in prop::collection::vec((0..500_usize, 0..13_usize), 1..6)) {
        if let Err(problems) = build(&damaged(OBJECTS, &damage)) {
            prop_assert!(!problems.is_empty());
        }
    }

    #[test]
    fn settings(damage in prop::collection::vec((0..500_usize, 0..13_usize), 1..6)) {
        if let Err(problems) = Settings::from_text(&damaged(SETTINGS, &damage), None, []) {
            prop_assert!(!problems.is_empty());
        }
    }
}
