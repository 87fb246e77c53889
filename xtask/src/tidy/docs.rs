//! Pages that must stay true: the call table's paths, the samples, the figures, the numbers of
//! decisions.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::files;
use crate::bench::{BEGIN, END, PAGE};

/// Stages of a call; the call table has a row for each.
const STAGES: usize = 15;

/// The test that runs `check` over the samples.
const SAMPLE_TEST: &str = "app/tests/e2e/settings.rs";
const SAMPLES: &str = "deploy/samples";
const DECISIONS: &str = "docs/adr";

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let read = |page: &str| {
        std::fs::read_to_string(root.join(page)).with_context(|| format!("{page} is missing"))
    };
    check_call_table(&read("ARCHITECTURE.md")?, |path| root.join(path).exists(), faults);
    let test = read(SAMPLE_TEST)?;
    for path in files(root, SAMPLES)? {
        let path = path.display().to_string();
        if !is_tested(&path, &test) {
            faults.push(format!("{path}: {SAMPLE_TEST} does not read it"));
        }
    }
    let decisions = files(root, DECISIONS)?.into_iter().map(|path| {
        let path = path.display().to_string();
        read(&path).map(|page| (path, page))
    });
    check_decisions(&decisions.collect::<Result<Vec<_>>>()?, faults);
    if !has_figures(&read(PAGE)?) {
        faults.push(format!("{PAGE}: no figures between its marks: cargo xtask bench --write"));
    }
    Ok(())
}

/// Every path in backticks in a row of the call table exists; a row without one says `later`.
/// Backticked words without `/` are names, not paths.
fn check_call_table(page: &str, exists: impl Fn(&str) -> bool, faults: &mut Vec<String>) {
    let mut rows = 0;
    for line in page.lines().filter(|line| is_stage_row(line)) {
        rows += 1;
        let ticked = line.split('`').skip(1).step_by(2);
        let paths: Vec<&str> = ticked.filter(|name| name.contains('/')).collect();
        let later = line.split('|').any(|cell| cell.trim() == "later");
        if paths.is_empty() && !later {
            faults.push(format!("ARCHITECTURE.md: a row without a path must say `later`: {line}"));
        }
        for path in paths.into_iter().filter(|path| !exists(path)) {
            faults.push(format!("ARCHITECTURE.md: `{path}` does not exist"));
        }
    }
    if rows != STAGES {
        faults.push(format!("ARCHITECTURE.md: the call table has {rows} stages, not {STAGES}"));
    }
}

/// `| 7 | place … |`
fn is_stage_row(line: &str) -> bool {
    line.strip_prefix("| ")
        .and_then(|rest| rest.split_once(" |"))
        .is_some_and(|(number, _)| number.parse::<u8>().is_ok())
}

/// Whether the test reads this sample: from its list `SAMPLES`, or because one of its functions
/// reads the directory. A comment counts for nothing.
fn is_tested(sample: &str, test: &str) -> bool {
    let code: String = test
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let listed = code
        .split_once("const SAMPLES")
        .and_then(|(_, rest)| rest.split_once("];"))
        .is_some_and(|(list, _)| list.contains(&format!("\"{sample}\"")));
    let directory = format!("\"{SAMPLES}\"");
    let read = code
        .split("\nfn ")
        .any(|function| function.contains("read_dir(") && function.contains(&directory));
    // A directory is read without its sub-directories.
    let in_directory = Path::new(sample).parent() == Some(Path::new(SAMPLES));
    listed || read && in_directory
}

/// Each decision has the number of its file's name, and no two have the same. Two branches that
/// were made beside each other both take the next one.
fn check_decisions(pages: &[(String, String)], faults: &mut Vec<String>) {
    let mut numbers: BTreeMap<u16, &str> = BTreeMap::new();
    for (path, page) in pages {
        let name = path.rsplit('/').next().unwrap_or_default();
        let number = name.split_once('-').filter(|(digits, _)| digits.len() == 4);
        let Some(number) = number.and_then(|(digits, _)| digits.parse().ok()) else {
            faults.push(format!("{path}: a decision is called NNNN-what-it-says.md"));
            continue;
        };
        if !page.starts_with(&format!("# {number}. ")) {
            faults.push(format!("{path}: its first line is not `# {number}. …`"));
        }
        if let Some(other) = numbers.insert(number, path) {
            faults.push(format!("{path}: {other} has this number, too"));
        }
    }
}

/// A table with at least one row stands between the marks.
fn has_figures(page: &str) -> bool {
    let between = page.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    let Some((between, _)) = between else { return false };
    let mut rows = between.lines().filter(|line| line.starts_with('|'));
    let ruled = rows.nth(1).is_some_and(|line| line.starts_with("|--"));
    ruled && rows.any(|row| row.split('|').any(|cell| !cell.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(row: &str) -> Vec<String> {
        let mut page = String::from("# Title\n\n| # | what | where |\n|---|---|---|\n");
        for number in 1..STAGES {
            page.push_str(&format!("| {number} | name | `a/b.rs` over `name` |\n"));
        }
        page.push_str(row);
        let mut faults = Vec::new();
        check_call_table(&page, |path| path == "a/b.rs", &mut faults);
        faults
    }

    #[test]
    fn rows_of_the_call_table_name_what_exists() {
        assert_eq!(table("| 15 | report | `a/b.rs` |"), [""; 0]);
        assert_eq!(table("| 15 | report | later |"), [""; 0]);
        assert_eq!(table("| 15 | report | `a/c.rs` |").len(), 1);
        assert_eq!(table("| 15 | report | a name, `later`, or such |").len(), 1);
        assert_eq!(table("| 15 | report | `name` |").len(), 1);
        assert_eq!(table("").len(), 1);
    }

    #[test]
    fn samples_are_listed_or_their_directory_is_read() {
        let sample = "deploy/samples/a.yaml";
        let listed = "const SAMPLES: &[&str] = &[\n    \"deploy/samples/a.yaml\",\n];\n";
        let read = "\nfn all() {\n    read_dir(root.join(\"deploy/samples\"))\n}\n";
        assert!(is_tested(sample, listed));
        assert!(is_tested(sample, read));
        for test in [
            "",
            "// const SAMPLES: &[&str] = &[\"deploy/samples/a.yaml\"];",
            "const SAMPLES: &[&str] = &[];\nconst OTHER: &str = \"deploy/samples/a.yaml\";",
            "const SAMPLES: &[&str] = &[\"deploy/samples/aa.yaml\"];",
            "\nfn one() {\n    read_dir(other)\n}\n\nfn two() {\n    \"deploy/samples\"\n}\n",
        ] {
            assert!(!is_tested(sample, test), "{test}");
        }
        assert!(!is_tested("deploy/samples/deep/a.yaml", read));
    }

    #[test]
    fn a_decision_has_a_number_of_its_own() {
        let faults = |pages: &[(&str, &str)]| {
            let pages = pages.iter().map(|(name, page)| {
                let page = format!("{page}\n\n**Context.** …\n");
                (format!("docs/adr/{name}"), page)
            });
            let mut faults = Vec::new();
            check_decisions(&pages.collect::<Vec<_>>(), &mut faults);
            faults
        };
        let one = ("0007-one.md", "# 7. One");
        assert_eq!(faults(&[one, ("0009-gap.md", "# 9. Gap")]), [""; 0]);
        assert_eq!(
            faults(&[one, ("0007-other.md", "# 7. Other")]),
            ["docs/adr/0007-other.md: docs/adr/0007-one.md has this number, too"]
        );
        for wrong in [("0008-other.md", "# 7. Other"), ("other.md", "# 8"), ("8-b.md", "# 8. B")] {
            assert_eq!(faults(&[one, wrong]).len(), 1, "{wrong:?}");
        }
    }

    #[test]
    fn the_page_of_figures_holds_figures() {
        let page = |between: &str| format!("# Figures\n\n{BEGIN}\n{between}\n{END}\n");
        let head = "\n| what | goal |\n|---|---|\n";
        assert!(has_figures(&page(&format!("{head}| parse | 1 |\n"))));
        assert!(!has_figures(&page("")));
        assert!(!has_figures(&page(head)));
        assert!(!has_figures(&page(&format!("{head}| | |\n"))));
        assert!(!has_figures(&format!("{head}| parse | 1 |\n")));
    }
}
