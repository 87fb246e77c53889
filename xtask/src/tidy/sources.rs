//! Sizes, headers and names of source files.

use std::path::Path;

use anyhow::Result;

use super::files;

const MOST_LINES: usize = 500;
const MOST_COLUMNS: usize = 100;
const FOLDERS: &[&str] = &["proto", "core", "io", "server", "app", "sim", "xtask"];
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
    for folder in FOLDERS {
        for path in files(root, folder)? {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(root.join(&path))?;
                check_file(&path, &text, faults);
            }
        }
        check_integration_binaries(root, folder, faults)?;
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
    if !text.starts_with("//!") {
        faults.push(format!("{shown}: does not begin with a `//!` header"));
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    if stem.is_some_and(|stem| BANNED_NAMES.contains(&stem.as_str())) {
        faults.push(format!("{shown}: a file name that says nothing"));
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
            if line.contains(word) && !shown.to_string().starts_with("xtask") {
                faults.push(format!("{shown}:{}: {word}", number + 1));
            }
        }
    }
}

/// Lines above an inline test module; a file of tests has none.
fn lines_without_tests(path: &Path, text: &str) -> usize {
    let is_test =
        path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches")
            || path.file_name().is_some_and(|name| name == "tests.rs");
    if is_test {
        return 0;
    }
    let inline = text.lines().zip(text.lines().skip(1));
    inline.take_while(|(line, next)| !(*line == "#[cfg(test)]" && next.starts_with("mod "))).count()
}

/// One integration-test binary per crate.
fn check_integration_binaries(root: &Path, folder: &str, faults: &mut Vec<String>) -> Result<()> {
    for path in files(root, folder)? {
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let Some(at) = parts.iter().position(|part| part == "tests") else { continue };
        let below = &parts[at + 1..];
        let allowed = ["it", "e2e"];
        if below.len() == 1 && !parts[..at].iter().any(|part| part == "src") {
            faults.push(format!("{}: a test binary of its own; use tests/it", path.display()));
        } else if below.len() > 1
            && !parts[..at].iter().any(|part| part == "src")
            && !allowed.contains(&below[0].as_ref())
        {
            faults.push(format!("{}: tests lie in tests/it (app: tests/e2e)", path.display()));
        }
    }
    Ok(())
}
