//! Sizes, headers and names of source files, and the lints of the manifests.
//!
//! Each check is a function over a path and a text; only `check` reads files.

use std::path::Path;

use anyhow::Result;

use super::{files, is_rust};

const MOST_LINES: usize = 500;
const MOST_COLUMNS: usize = 100;
const BANNED_NAMES: &[&str] =
    &["utils", "util", "helpers", "helper", "common", "misc", "manager", "types", "mod"];

/// Stage modules of `core/rm` and the number that their first line must carry.
const STAGES: &[(&str, &str)] = &[
    ("core/rm/src/admit.rs", "Stage 4"),
    ("core/rm/src/select.rs", "Stage 5"),
    ("core/rm/src/policy.rs", "Stage 6"),
    ("core/rm/src/pool.rs", "Stage 7"),
    ("core/rm/src/forward.rs", "Stage 8"),
    ("core/rm/src/session.rs", "Stage 9"),
    ("core/rm/src/record.rs", "Stage 10"),
];

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    for folder in super::FOLDERS {
        for path in files(root, folder)? {
            let text = || std::fs::read_to_string(root.join(&path));
            if is_rust(&path) {
                check_file(&path, &text()?, faults);
            } else if path.file_name().is_some_and(|name| name == "Cargo.toml") {
                check_manifest(&path, &text()?, faults);
            }
        }
    }
    for (path, stage) in STAGES {
        let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        if !text.lines().next().is_some_and(|line| line.contains(stage)) {
            faults.push(format!("{path}: the first line does not say `{stage}`"));
        }
    }
    Ok(())
}

fn check_file(path: &Path, text: &str, faults: &mut Vec<String>) {
    let shown = path.display();
    if !has_header(text) {
        faults.push(format!("{shown}: does not begin with a `//!` header that says something"));
    }
    if let Some(name) = empty_name(path) {
        faults.push(format!("{shown}: `{name}` is a name that says nothing"));
    }
    let lines = lines_without_tests(path, text);
    if lines > MOST_LINES {
        faults.push(format!("{shown}: {lines} lines without tests, {MOST_LINES} at most"));
    }
    for (number, line) in text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > MOST_COLUMNS {
            faults.push(format!("{shown}:{}: {columns} columns", number + 1));
        }
        for word in ["TODO", "FIXME", "XXX"] {
            if line.contains(word) && !path.starts_with("xtask") {
                faults.push(format!("{shown}:{}: {word}", number + 1));
            }
        }
    }
}

/// A crate takes the lints of the workspace, and its name says something.
fn check_manifest(path: &Path, text: &str, faults: &mut Vec<String>) {
    let shown = path.display();
    if !table(text, "[lints]").any(|line| line == "workspace = true") {
        faults.push(format!("{shown}: no `[lints]` with `workspace = true`"));
    }
    for line in ["[package]", "[lib]", "[[bin]]"].into_iter().flat_map(|head| table(text, head)) {
        let Some(name) = line.strip_prefix("name = \"") else { continue };
        let mut words = name.trim_end_matches('"').split(['-', '_']);
        if let Some(word) = words.find(|word| BANNED_NAMES.contains(word)) {
            faults.push(format!("{shown}: `{word}` is a name that says nothing"));
        }
    }
}

/// The lines of the tables of a manifest that stand under this head.
fn table<'t>(text: &'t str, head: &'t str) -> impl Iterator<Item = &'t str> {
    let mut inside = false;
    text.lines().map(str::trim).filter(move |line| {
        if line.starts_with('[') {
            inside = *line == head;
        }
        inside
    })
}

/// The first line is a `//!` with words in it.
fn has_header(text: &str) -> bool {
    let first = text.lines().next().and_then(|line| line.strip_prefix("//!"));
    first.is_some_and(|words| words.chars().any(char::is_alphanumeric))
}

/// The first part of a path, below its room, that is on the list: a folder or the file.
fn empty_name(path: &Path) -> Option<&'static str> {
    path.iter().skip(1).find_map(|part| {
        let name = Path::new(part).file_stem()?.to_str()?;
        BANNED_NAMES.iter().find(|banned| **banned == name).copied()
    })
}

/// Lines above the inline test module that ends a file; a file of tests or benches has none.
///
/// `mod tests;` only names a file, so what follows it counts. That `src/**/tests.rs` is built for
/// tests alone is checked with the modules.
fn lines_without_tests(path: &Path, text: &str) -> usize {
    let mut parts = path.iter().skip_while(|part| *part != "src");
    let below_src = parts.next().is_some();
    let is_test = if below_src {
        parts.any(|part| part == "tests" || part == "tests.rs")
    } else {
        path.iter().any(|part| part == "tests" || part == "benches")
    };
    if is_test {
        return 0;
    }
    let lines: Vec<&str> = text.trim_end().lines().collect();
    inline_tests(&lines).unwrap_or(lines.len())
}

/// Number of the line on which the attributes of a closing `mod tests { … }` begin.
fn inline_tests(lines: &[&str]) -> Option<usize> {
    let head = lines.iter().position(|line| *line == "mod tests {")?;
    let end = head + lines[head..].iter().position(|line| *line == "}")?;
    let attributes = lines[..head].iter().rev().take_while(|line| line.starts_with("#[")).count();
    let begin = head - attributes;
    let for_tests = lines[begin..head].contains(&"#[cfg(test)]");
    (for_tests && end + 1 == lines.len()).then_some(begin)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "io/net/src/udp.rs";

    fn lines(path: &str, text: &str) -> usize {
        lines_without_tests(Path::new(path), text)
    }

    fn faults(path: &str, text: &str) -> Vec<String> {
        let mut faults = Vec::new();
        check_file(Path::new(path), text, &mut faults);
        faults
    }

    #[test]
    fn only_an_inline_test_module_at_the_end_is_not_counted() {
        let tests = "#[cfg(test)]\nmod tests {\n    fn a() {\n    }\n}\n";
        assert_eq!(lines(FILE, &format!("//! A.\n\n{tests}")), 2);
        let with_lint = tests.replace("mod", "#[expect(x, reason = \"y\")]\nmod");
        assert_eq!(lines(FILE, &format!("//! A.\n\n{with_lint}\n")), 2);
        assert_eq!(lines(FILE, &format!("//! A.\n{tests}fn hidden() {{}}\n")), 7);
        assert_eq!(lines(FILE, &format!("//! A.\n{}", tests.replace("#[cfg(test)]", ""))), 6);
        assert_eq!(lines(FILE, &format!("//! A.\n{}", tests.replace("tests", "other"))), 6);
    }

    #[test]
    fn a_declared_test_file_hides_nothing() {
        let hidden = "fn a() {}\n".repeat(MOST_LINES);
        let text = format!("//! A.\n#[cfg(test)]\nmod tests;\n{hidden}");
        assert_eq!(lines(FILE, &text), MOST_LINES + 3);
        assert_eq!(faults(FILE, &text).len(), 1);
        let below = text.split_once(&hidden).map(|(head, _)| head).unwrap();
        assert!(faults(FILE, below).is_empty());
    }

    #[test]
    fn files_of_tests_and_benches_count_nothing() {
        for (path, counted) in [
            ("core/rm/tests/it/main.rs", 0),
            ("app/tests/e2e/world/calls.rs", 0),
            ("proto/sip/benches/parse.rs", 0),
            ("io/spool/src/spool/tests.rs", 0),
            ("io/spool/src/spool/tests/world.rs", 0),
            ("io/spool/src/benches/parse.rs", 1),
            ("io/spool/src/tested/parse.rs", 1),
        ] {
            assert_eq!(lines(path, "//! A.\n"), counted, "{path}");
        }
    }

    #[test]
    fn headers_say_something() {
        assert!(has_header("//! Why.\n"));
        for text in ["", "//!\n", "//! \n//! Late.\n", "//! --\n", "// Why.\n", "\n//! Why.\n"] {
            assert!(!has_header(text), "{text:?}");
        }
    }

    #[test]
    fn names_say_something() {
        for (path, name) in [
            ("io/net/src/udp.rs", None),
            ("io/net/src/utils.rs", Some("utils")),
            ("io/net/src/helpers/udp.rs", Some("helpers")),
            ("io/common/src/lib.rs", Some("common")),
            ("io/net/src/udp/mod.rs", Some("mod")),
            ("io/net/src/typeset.rs", None),
        ] {
            assert_eq!(empty_name(Path::new(path)), name, "{path}");
        }
    }

    #[test]
    fn lines_have_bounds_and_no_open_ends() {
        assert!(faults(FILE, &format!("//! {}\n", "a".repeat(96))).is_empty());
        assert_eq!(faults(FILE, &format!("//! {}\n", "a".repeat(97))).len(), 1);
        assert_eq!(faults(FILE, "//! A. TODO\n").len(), 1);
    }

    #[test]
    fn manifests_take_the_lints_and_have_a_name() {
        let found = |text: &str| {
            let mut faults = Vec::new();
            check_manifest(Path::new("io/net/Cargo.toml"), text, &mut faults);
            faults.len()
        };
        let package = "[package]\nname = \"ringmaster-net\"\nversion.workspace = true\n";
        assert_eq!(found(&format!("{package}\n[lints]\nworkspace = true\n")), 0);
        assert_eq!(found(package), 1);
        assert_eq!(found(&format!("{package}[lints]\n[lib]\nworkspace = true\n")), 1);
        assert_eq!(found(&format!("{package}[lints]\nworkspace = false\n")), 1);
        let named = format!("{package}[lints]\nworkspace = true\n").replace("net", "net-utils");
        assert_eq!(found(&named), 1);
    }
}
