//! Pages that must stay true: the call table's paths, the samples, the links of the README.

use std::path::Path;

use anyhow::{Context, Result};

use super::files;

pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    check_call_table(root, faults)?;
    check_samples(root, faults)?;
    check_links(root, faults)
}

/// Every path in backticks in a row of the call table exists; a row without one says `later`.
fn check_call_table(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md"))
        .context("ARCHITECTURE.md is missing")?;
    let mut rows = 0;
    for line in page.lines().filter(|line| is_stage_row(line)) {
        rows += 1;
        let paths: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        if paths.is_empty() && !line.contains("later") {
            faults.push(format!("ARCHITECTURE.md: a row without a path must say `later`: {line}"));
        }
        for path in paths.into_iter().filter(|path| path.contains('/')) {
            if !root.join(path).exists() {
                faults.push(format!("ARCHITECTURE.md: `{path}` does not exist"));
            }
        }
    }
    if rows != 15 {
        faults.push(format!("ARCHITECTURE.md: the call table has {rows} stages, not 15"));
    }
    Ok(())
}

/// `| 7 | place … |`
fn is_stage_row(line: &str) -> bool {
    line.strip_prefix("| ")
        .and_then(|rest| rest.split_once(" |"))
        .is_some_and(|(number, _)| number.parse::<u8>().is_ok())
}

/// Every file in `deploy/samples` is named by a test.
fn check_samples(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let mut tests = String::new();
    for folder in ["app", "io"] {
        for path in files(root, folder)? {
            if path.extension().is_some_and(|extension| extension == "rs") {
                tests.push_str(&std::fs::read_to_string(root.join(path))?);
            }
        }
    }
    for path in files(root, "deploy/samples")? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if !name.is_some_and(|name| tests.contains(&format!("samples/{name}"))) {
            faults.push(format!("{}: no test parses it", path.display()));
        }
    }
    Ok(())
}

/// Relative links of the pages at the root lead somewhere.
fn check_links(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    for page in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = std::fs::read_to_string(root.join(page))
            .with_context(|| format!("{page} is missing"))?;
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !root.join(target).exists() {
                faults.push(format!("{page}: the link to {target} leads nowhere"));
            }
        }
    }
    Ok(())
}
