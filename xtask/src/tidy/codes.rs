//! The page of RS's HTTP lists the codes of its refusals, and no others.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use super::{files, is_rust};

const PAGE: &str = "docs/reference/api.md";
/// Where refusals are made.
const SOURCES: [&str; 2] = ["core/rs/src", "server/rsd/src"];

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let page = std::fs::read_to_string(root.join(PAGE)).context(PAGE)?;
    let mut made = BTreeSet::new();
    for folder in SOURCES {
        for path in files(root, folder)?.into_iter().filter(|path| is_rust(path)) {
            let is_test = path.iter().any(|part| part == "tests" || part == "tests.rs");
            if !is_test {
                codes(&std::fs::read_to_string(root.join(path))?, &mut made);
            }
        }
    }
    let listed = listed(&page);
    faults.extend(made.difference(&listed).map(|code| format!("{PAGE}: no code `{code}`")));
    let gone = listed.difference(&made);
    faults.extend(gone.map(|code| format!("{PAGE}: nothing answers `{code}`")));
    Ok(())
}

/// The codes that stand in calls of `Refused::parameter` and `Refused::other`.
fn codes(source: &str, into: &mut BTreeSet<String>) {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    for call in code.split("Refused::").skip(1) {
        let call = call.strip_prefix("parameter(").or_else(|| call.strip_prefix("other("));
        let Some((status, rest)) = call.and_then(|call| call.split_once('"')) else { continue };
        // a status may stand before it; anything else is a variable
        if status.chars().all(|c| c.is_ascii_digit() || c == ',' || c.is_whitespace()) {
            into.extend(rest.split('"').next().map(ToOwned::to_owned));
        }
    }
}

/// The codes in the table of errors.
fn listed(page: &str) -> BTreeSet<String> {
    let (_, errors) = page.split_once("\n## Errors\n").unwrap_or_default();
    let errors = errors.split("\n## ").next().unwrap_or_default();
    let rows = errors.lines().filter(|line| line.starts_with('|'));
    let words = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let is_code = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    words.filter(is_code).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_where_they_stand() {
        let mut made = BTreeSet::new();
        let source = "Refused::other(404, \"no-such\", \"a text\");\n\
            Refused::parameter(\n    \"bad\", text);\nRefused::other(status, code, \"other\");\n\
            #[cfg(test)]\nRefused::other(1, \"test\")";
        codes(source, &mut made);
        assert_eq!(made.iter().collect::<Vec<_>>(), ["bad", "no-such"]);
        let page = "`a`\n## Errors\n`b`\n| `bad` (`rs.x: y`) | `no-such` |\n## More\n| `c` |";
        assert_eq!(listed(page), made);
    }
}
