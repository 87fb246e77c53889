//! Dead files: every source file is the root of a target or is declared by its parent, and test
//! files are declared for tests only. A textual check, because cargo never looks at a dead file.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::metadata::Metadata;
use super::{files, is_rust};

pub(super) fn check(root: &Path, metadata: &Metadata, faults: &mut Vec<String>) -> Result<()> {
    let targets: Vec<&str> =
        metadata.ours().flat_map(|package| &package.targets).map(|t| t.file.as_str()).collect();
    let mut sources = Vec::new();
    for folder in super::FOLDERS {
        for path in files(root, folder)?.into_iter().filter(|path| is_rust(path)) {
            let text = std::fs::read_to_string(root.join(&path))?;
            sources.push((path.display().to_string(), text));
        }
    }
    check_sources(&sources, &targets.into_iter().collect(), faults);
    Ok(())
}

/// `sources` are paths and texts, `targets` the paths of the roots that cargo builds.
fn check_sources(sources: &[(String, String)], targets: &BTreeSet<&str>, faults: &mut Vec<String>) {
    for (path, _) in sources.iter().filter(|(path, _)| !targets.contains(path.as_str())) {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = file.trim_end_matches(".rs");
        let beside = format!("{folder}.rs");
        let is_parent = |parent: &str| {
            parent == beside
                || targets.contains(parent)
                    && parent.rsplit_once('/').is_some_and(|(place, _)| place == folder)
        };
        let mut declared = sources
            .iter()
            .filter(|(parent, _)| is_parent(parent))
            .filter_map(|(_, text)| declaration(text, stem));
        match declared.next() {
            None => faults.push(format!("{path}: no parent declares it: a dead file")),
            Some(Declaration::Always) if stem == "tests" => {
                faults.push(format!("{path}: `mod tests;` without `#[cfg(test)]`"));
            }
            Some(Declaration::Always | Declaration::ForTests) => {}
        }
    }
}

#[derive(Debug, PartialEq)]
enum Declaration {
    Always,
    ForTests,
}

/// How a text declares the module: the line `mod stem;`, with any visibility.
fn declaration(text: &str, stem: &str) -> Option<Declaration> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| declared(line) == Some(stem))?;
    let mut attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    let for_tests = attributes.any(|line| *line == "#[cfg(test)]");
    Some(if for_tests { Declaration::ForTests } else { Declaration::Always })
}

/// The name in `mod name;`, `pub mod name;` or `pub(…) mod name;`.
fn declared(line: &str) -> Option<&str> {
    let (visibility, name) = line.strip_suffix(';')?.rsplit_once("mod ")?;
    let visibility = visibility.trim_end();
    let visible = visibility.is_empty()
        || visibility == "pub"
        || visibility.starts_with("pub(") && visibility.ends_with(')');
    visible.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sources: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<(String, String)> =
            sources.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let targets = ["io/net/src/lib.rs", "io/net/tests/it/main.rs", "io/net/build.rs"];
        let mut faults = Vec::new();
        check_sources(&sources, &targets.into(), &mut faults);
        faults
    }

    #[test]
    fn every_file_is_declared_by_its_parent() {
        let lib = ("io/net/src/lib.rs", "//! A.\npub mod udp;\n");
        let udp = ("io/net/src/udp.rs", "//! A.\npub(super) mod batch;\n");
        let batch = ("io/net/src/udp/batch.rs", "//! A.\n");
        let main = ("io/net/tests/it/main.rs", "//! A.\nmod calls;\n");
        let calls = ("io/net/tests/it/calls.rs", "//! A.\n");
        assert_eq!(found(&[lib, udp, batch, main, calls]), [""; 0]);
        assert_eq!(found(&[udp, batch]).len(), 1);
        assert_eq!(found(&[lib, (udp.0, "//! A.\n// mod batch;\n"), batch]).len(), 1);
        assert_eq!(found(&[lib, (udp.0, "//! A.\nmod batches;\n"), batch]).len(), 1);
        assert_eq!(found(&[lib, ("io/net/src/batch.rs", ""), udp, batch]).len(), 1);
        assert_eq!(found(&[lib, batch]).len(), 1);
        assert_eq!(found(&[(main.0, "//! A.\n"), calls]).len(), 1);
    }

    #[test]
    fn test_files_are_declared_for_tests_only() {
        let tests = ("io/net/src/tests.rs", "//! A.\n");
        let lib = |text| ("io/net/src/lib.rs", text);
        assert_eq!(found(&[lib("#[cfg(test)]\nmod tests;\n"), tests]), [""; 0]);
        assert_eq!(found(&[lib("#[cfg(test)]\n#[expect(x)]\nmod tests;\n"), tests]), [""; 0]);
        assert_eq!(found(&[lib("mod tests;\n"), tests]).len(), 1);
        assert_eq!(found(&[lib("#[cfg(test)]\nmod other;\nmod tests;\n"), tests]).len(), 1);
    }

    #[test]
    fn declarations_carry_any_visibility() {
        for line in ["mod a;", "pub mod a;", "pub(crate) mod a;", "pub(in crate::b) mod a;"] {
            assert_eq!(declared(line), Some("a"), "{line}");
        }
        for line in ["// mod a;", "mod a {", "use b::mod_a;", "let x = \"mod a;"] {
            assert_eq!(declared(line), None, "{line}");
        }
    }
}
