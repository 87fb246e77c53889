//! The tables of docs/reference/settings.md say what the reader does.

use super::{Known, RESOURCE_MANAGER, Written, one, reporting};
use crate::config::Options;
use crate::schema::{Field, Problems};
use crate::tree::{Key, Node, Position, Value};

/// Option, what it may be, default, and when it counts, as the page has it for a type.
fn table(kind: &str) -> Vec<[String; 4]> {
    let page = include_str!("../../../../../../docs/reference/settings.md");
    let part = page.split("\n## ").find(|part| part.starts_with(kind)).unwrap();
    let rows =
        part.lines().filter(|line| line.ends_with("| live |") || line.ends_with("| restart |"));
    let row = |line: &str| {
        let cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`'));
        cells.map(str::to_owned).collect::<Vec<_>>().try_into().unwrap()
    };
    rows.map(row).flat_map(each).collect()
}

/// A row may be of several options: what is written short behind the first, and for each `L`.
fn each([options, meaning, default, counts]: [String; 4]) -> Vec<[String; 4]> {
    const LENGTHS: [&str; 6] = ["5min", "30min", "hourly", "daily", "weekly", "monthly"];
    let lengths = &LENGTHS[if meaning.contains("from `hourly` on") { 2 } else { 0 }..];
    let mut parts = options.split("`, `");
    let first = parts.next().unwrap().to_owned();
    let whole = |end: &str| {
        let kept = first.split('.').count() - end.matches('.').count();
        first.split('.').take(kept).collect::<Vec<_>>().join(".") + end
    };
    let all: Vec<String> = [first.clone()].into_iter().chain(parts.map(whole)).collect();
    let named = all.iter().flat_map(|option| match option.contains(".L.") {
        true => lengths.iter().map(|l| option.replace(".L.", &format!(".{l}."))).collect(),
        false => vec![option.clone()],
    });
    named.map(|option| [option, meaning.clone(), default.clone(), counts.clone()]).collect()
}

/// All types that have options, with the part of the page about them.
const ALL: [(&Known, &str); 2] = [
    (&RESOURCE_MANAGER, "Options of an Application object"),
    (&reporting::KNOWN, "Options of a Reporting Server"),
];

fn written(known: &Known, option: &str, value: &str) -> Option<Written> {
    let (section, key) = option.split_once('/')?;
    let key_of = |text: &str| Key { text: text.to_owned(), at: Position::default() };
    let node = Node { value: Value::Text(value.to_owned()), at: Position::default() };
    let (problems, warnings) = (Problems::default(), Problems::default());
    let field = Field::root(&node, None, &problems);
    one(known, (&key_of(section), &key_of(key)), &field, &warnings)
}

#[test]
fn every_option_that_acts_stands_in_the_table() {
    for (known, kind) in ALL {
        let mut rows: Vec<String> = table(kind).into_iter().map(|[option, ..]| option).collect();
        let built = known.built.iter().map(|(s, k, _)| format!("{s}/{k}"));
        let mut built: Vec<String> = built.collect();
        rows.sort();
        built.sort();
        assert_eq!(rows, built);
    }
}

#[test]
fn the_defaults_of_the_table_are_those_of_the_program() {
    for (known, kind) in ALL {
        for [option, _, default, _] in table(kind) {
            // where there is none, or it is that of a boot setting
            if default == "none" || default.starts_with("of ") {
                continue;
            }
            let mut options = Options::default();
            written(known, &option, &default).unwrap().lay_over(&mut options);
            assert_eq!(options, Options::default(), "{option}: {default}");
        }
    }
}

#[test]
fn what_counts_after_a_restart_is_told_and_nothing_else() {
    let others = [
        "1000", "7s", "false", "true", "599", "2", "To", "answer", "INFO", "1400", "112", "200",
        "debug", "2 gb", "04:00", "0.9", "16 mb", "2h", "sqlite", "required",
    ];
    for (known, kind) in ALL {
        for [option, _, _, counts] in table(kind) {
            let plain = Options::default();
            let changed = others.iter().find_map(|value| {
                let mut options = Options::default();
                written(known, &option, value)?.lay_over(&mut options);
                (options != plain).then_some(options)
            });
            let waits = plain.restart_required(&changed.unwrap_or_else(|| panic!("{option}")));
            let expected: &[&str] = if counts == "restart" { &[&option] } else { &[] };
            assert_eq!(waits, expected, "{option}");
        }
    }
}

/// Of each kind of response times; what is no kind is told, with the nearest one.
#[test]
fn thresholds_are_named_by_their_kinds() {
    let known = &reporting::KNOWN;
    let mut options = Options::default();
    for (option, value) in [("latency/page.fetch", "1500"), ("latency/percentile", "0.9")] {
        written(known, option, value).unwrap().lay_over(&mut options);
    }
    let latency = &options.reporting.latency;
    assert_eq!(latency.threshold_ms("PAGE_FETCH"), Some(1500));
    assert!((latency.part() - 0.9).abs() < 1e-12);
    for (option, value) in [
        ("latency/page.fetch", "0"),
        ("latency/page.fetch", "soon"),
        ("latency/percentile", "0.4"),
        ("latency/percentile", "1"),
        ("latency/percentile", "NaN"),
        ("latency/page.fetches", "1500"),
    ] {
        assert!(written(known, option, value).is_none(), "{option} {value}");
    }
    let node = Node { value: Value::Text("1500".to_owned()), at: Position::default() };
    let key_of = |text: &str| Key { text: text.to_owned(), at: Position::default() };
    let (problems, warnings) = (Problems::default(), Problems::default());
    let field = Field::root(&node, None, &problems);
    assert!(one(known, (&key_of("latency"), &key_of("page.fetches")), &field, &warnings).is_none());
    let told = warnings.take()[0].to_string();
    assert!(
        told.contains("W602") && told.contains("did you mean \"latency/page.fetch\""),
        "{told}"
    );
}

/// What only the machine's own settings say is told with the setting, and changes nothing.
#[test]
fn a_listener_is_no_option_and_its_setting_is_named() {
    for (known, option, setting) in [
        (&RESOURCE_MANAGER, "proxy/sip.transport.0", "rm.sip.listen"),
        (&RESOURCE_MANAGER, "proxy/sip.transport.1.tos", "rm.sip.listen"),
        (&reporting::KNOWN, "persistence/rs.database_password_file", "rs.database_password_file"),
        (&reporting::KNOWN, "log/trace", "log.file"),
    ] {
        let (section, key) = option.split_once('/').unwrap();
        let key_of = |text: &str| Key { text: text.to_owned(), at: Position::default() };
        let node = Node { value: Value::Text("x".to_owned()), at: Position::default() };
        let (problems, warnings) = (Problems::default(), Problems::default());
        let field = Field::root(&node, None, &problems);
        assert!(one(known, (&key_of(section), &key_of(key)), &field, &warnings).is_none());
        let told = warnings.take()[0].to_string();
        assert!(told.contains("W603") && told.contains(&format!("set {setting} ")), "{told}");
    }
}
