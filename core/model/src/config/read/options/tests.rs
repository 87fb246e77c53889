//! The table of docs/reference/settings.md says what the reader does.

use super::{BUILT, Written, one};
use crate::config::Options;
use crate::schema::{Field, Problems};
use crate::tree::{Key, Node, Position, Value};

/// Option, what it may be, default, and when it counts, as the page has it.
fn table() -> Vec<[String; 4]> {
    let page = include_str!("../../../../../../docs/reference/settings.md");
    let rows =
        page.lines().filter(|line| line.ends_with("| live |") || line.ends_with("| restart |"));
    let row = |line: &str| {
        let cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`'));
        cells.map(str::to_owned).collect::<Vec<_>>().try_into().unwrap()
    };
    rows.map(row).collect()
}

fn written(option: &str, value: &str) -> Option<Written> {
    let (section, key) = option.split_once('/')?;
    let key_of = |text: &str| Key { text: text.to_owned(), at: Position::default() };
    let node = Node { value: Value::Text(value.to_owned()), at: Position::default() };
    let (problems, warnings) = (Problems::default(), Problems::default());
    one(&key_of(section), &key_of(key), &Field::root(&node, None, &problems), &warnings)
}

#[test]
fn every_option_that_acts_stands_in_the_table() {
    let rows: Vec<String> = table().into_iter().map(|[option, ..]| option).collect();
    let built: Vec<String> = BUILT.iter().map(|(s, k, _)| format!("{s}/{k}")).collect();
    assert_eq!(rows, built);
}

#[test]
fn the_defaults_of_the_table_are_those_of_the_program() {
    for [option, _, default, _] in table().into_iter().filter(|row| row[2] != "none") {
        let mut options = Options::default();
        written(&option, &default).unwrap().lay_over(&mut options);
        assert_eq!(options, Options::default(), "{option}: {default}");
    }
}

#[test]
fn what_counts_after_a_restart_is_told_and_nothing_else() {
    let others =
        ["1000", "7s", "false", "true", "599", "2", "To", "answer", "INFO", "1400", "112", "200"];
    for [option, _, _, counts] in table() {
        let plain = Options::default();
        let changed = others.iter().find_map(|value| {
            let mut options = Options::default();
            written(&option, value)?.lay_over(&mut options);
            (options != plain).then_some(options)
        });
        let waits = plain.restart_required(&changed.unwrap_or_else(|| panic!("{option}")));
        let expected: &[&str] = if counts == "restart" { &[&option] } else { &[] };
        assert_eq!(waits, expected, "{option}");
    }
}
