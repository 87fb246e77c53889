//! `cargo xtask tidy`: the rules of the house as checks. Also a test, so `cargo test` runs it.
//!
//! Each check returns what it found; nothing stops at the first fault.

mod codes;
mod docs;
mod licence;
mod links;
mod metadata;
mod modules;
mod rooms;
mod scenarios;
mod sources;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Where source files lie.
const FOLDERS: &[&str] = &["proto", "core", "io", "server", "app", "fuzz", "sim", "xtask"];

/// Runs all checks and lists every fault.
pub(crate) fn run(root: &Path) -> Result<()> {
    let faults = faults(root)?;
    for fault in &faults {
        println!("tidy: {fault}");
    }
    if !faults.is_empty() {
        bail!("tidy found {} faults", faults.len());
    }
    println!("tidy: in order");
    Ok(())
}

fn faults(root: &Path) -> Result<Vec<String>> {
    let metadata = metadata::Metadata::read(root)?;
    let mut faults = Vec::new();
    rooms::check(&metadata, &mut faults);
    metadata::check(&metadata, &mut faults);
    metadata::check_default_members(&metadata.default_members, &mut faults);
    sources::check(root, &mut faults)?;
    modules::check(root, &metadata, &mut faults)?;
    codes::check(root, &mut faults)?;
    docs::check(root, &mut faults)?;
    scenarios::check(root, &mut faults)?;
    links::check(root, &mut faults)?;
    Ok(faults)
}

/// All files below a folder that git would track, as paths relative to the root.
fn files(root: &Path, folder: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.join(folder)];
    while let Some(dir) = open.pop() {
        if !dir.exists() {
            continue;
        }
        for entry in std::fs::read_dir(&dir)? {
            let path = entry?.path();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            if name.starts_with('.') || name == "target" || name == "ringmaster-data" {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if let Ok(relative) = path.strip_prefix(root) {
                found.push(relative.to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_is_tidy() {
        let root = crate::root().unwrap();
        let faults = super::faults(&root).unwrap();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}
