//! The tables of acceptance scenarios: every one has a row, every test that a row names exists, and
//! a row without a test says why.

use std::path::Path;

use anyhow::{Context, Result};

/// The pages, and how many scenarios there are in rm.md §14 and rs.md §14.
const PAGES: &[(&str, usize)] =
    &[("docs/reference/scenarios.md", 62), ("docs/reference/scenarios-rs.md", 50)];
/// Why a row names no test.
const REASONS: &[&str] = &["needs two nodes", "second stage", "not built yet"];

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    for (name, scenarios) in PAGES {
        let page = read(name).with_context(|| format!("{name} is missing"))?;
        check_table(name, *scenarios, &page, read, faults);
    }
    Ok(())
}

fn check_table(
    name: &str,
    scenarios: usize,
    page: &str,
    read: impl Fn(&str) -> Option<String>,
    faults: &mut Vec<String>,
) {
    let rows = page.lines().filter_map(|line| {
        let (number, rest) = line.strip_prefix("| ")?.split_once(" |")?;
        Some((number.parse::<usize>().ok()?, rest))
    });
    let mut next = 1;
    for (number, row) in rows {
        if number != next {
            faults.push(format!("{name}: row {number} stands where {next} should"));
        }
        next = number + 1;
        let tests: Vec<&str> =
            row.split('`').skip(1).step_by(2).filter(|name| name.contains('#')).collect();
        if tests.is_empty() && !REASONS.iter().any(|reason| row.contains(reason)) {
            faults.push(format!("{name}: row {number} names no test, and does not say why"));
        }
        for test in tests {
            let exists = test.split_once('#').is_some_and(|(path, function)| {
                read(path).is_some_and(|text| text.contains(&format!("fn {function}(")))
            });
            if !exists {
                faults.push(format!("{name}: row {number}: there is no `{test}`"));
            }
        }
    }
    if next != scenarios + 1 {
        faults.push(format!("{name}: {} rows, not {scenarios}", next - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(first: &str) -> Vec<String> {
        let rest: String =
            (2..=62).map(|number| format!("| {number} | x | needs two nodes |\n")).collect();
        let read = |path: &str| (path == "a/b.rs").then(|| "fn here() {".to_owned());
        let mut faults = Vec::new();
        let page = format!("| # | a |\n|---|---|\n{first}{rest}");
        check_table("a.md", 62, &page, read, &mut faults);
        faults
    }

    #[test]
    fn every_row_names_a_test_that_exists_or_says_why_not() {
        for (row, count) in [
            ("| 1 | x | `a/b.rs#here` |\n", 0),
            ("| 1 | x | second stage |\n", 0),
            ("| 1 | x | `a/b.rs#here`, `a/b.rs#there` |\n", 1),
            ("| 1 | x | `a/c.rs#here` |\n", 1),
            ("| 1 | x | some day |\n", 1),
            ("", 1),
            ("| 1 | x | second stage |\n| 1 | x | second stage |\n", 1),
        ] {
            assert_eq!(found(row).len(), count, "{row}: {:?}", found(row));
        }
    }
}
