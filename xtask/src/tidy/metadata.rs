//! Licences, bans, sources and doubled crates of the whole tree, from `cargo metadata`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo;

/// Licences that may be linked in; an expression needs one of its alternatives here.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "MIT-0",
    "ISC",
    "Zlib",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Unicode-3.0",
    "Unlicense",
    "CC0-1.0",
    "BSL-1.0",
    "0BSD",
];

/// Crates that must not come in, each with its reason.
const BANNED: &[(&str, &str)] = &[
    ("openssl", "one TLS provider only"),
    ("native-tls", "one TLS provider only"),
    ("bincode", "an empty tombstone; postcard is the binary codec"),
    ("etcd-client", "needs protoc on every builder"),
    ("sqlx", "plain drivers with SQL by hand"),
    ("async-trait", "no procedural macros beyond serde, thiserror and clap"),
];

/// Crates that stand twice in the lockfile. This list may only shrink.
/// `embedded-io`: named twice by postcard as options that nobody takes; in the lockfile only.
const DOUBLED: &[&str] = &["embedded-io"];

/// One package of the tree.
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) licence: Option<String>,
    /// Absent for a package of this workspace.
    pub(super) source: Option<String>,
    /// Folder relative to the root, for a package of this workspace.
    pub(super) folder: Option<String>,
    /// Names of direct dependencies that are not for tests or build scripts only.
    pub(super) dependencies: Vec<String>,
}

/// What `cargo metadata` tells.
pub(super) struct Metadata {
    pub(super) packages: Vec<Package>,
}

impl Metadata {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let args = ["metadata", "--format-version", "1", "--locked"];
        let output = cargo(root, &args).output().context("cannot run cargo metadata")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let value: Value = serde_json::from_slice(&output.stdout)?;
        let packages = value["packages"].as_array().context("metadata lists packages")?;
        Ok(Self { packages: packages.iter().map(|package| read_package(root, package)).collect() })
    }

    /// Packages of this workspace.
    pub(super) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.source.is_none())
    }
}

fn read_package(root: &Path, package: &Value) -> Package {
    let text = |key: &str| package[key].as_str().map(str::to_owned);
    let folder = text("manifest_path")
        .and_then(|path| Path::new(&path).parent().map(Path::to_path_buf))
        .and_then(|dir| dir.strip_prefix(root).ok().map(|d| d.display().to_string()));
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    Package {
        name: text("name").unwrap_or_default(),
        version: text("version").unwrap_or_default(),
        licence: text("license"),
        source: text("source"),
        folder,
        dependencies: dependencies
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
            .collect(),
    }
}

pub(super) fn check(metadata: &Metadata, faults: &mut Vec<String>) {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &metadata.packages {
        let Package { name, version, .. } = package;
        versions.entry(name).or_default().push(version);
        if let Some((_, reason)) = BANNED.iter().find(|(banned, _)| banned == name) {
            faults.push(format!("crate {name} is banned: {reason}"));
        }
        if let Some(source) = &package.source
            && !source.starts_with("registry+")
        {
            faults.push(format!("crate {name} does not come from the registry: {source}"));
        }
        match &package.licence {
            Some(licence) if allowed(licence) => {}
            other => faults.push(format!("crate {name} {version}: licence {other:?}")),
        }
    }
    for provider in ["ring", "aws-lc-rs"] {
        if versions.contains_key(provider) && versions.contains_key("ring") && provider != "ring" {
            faults.push("both ring and aws-lc-rs are in the tree: one TLS provider only".into());
        }
    }
    check_doubled(&versions, faults);
}

fn check_doubled(versions: &BTreeMap<&str, Vec<&str>>, faults: &mut Vec<String>) {
    for (name, found) in versions {
        if found.len() > 1 && !DOUBLED.contains(name) && !name.starts_with("windows") {
            faults
                .push(format!("crate {name} stands in the tree {} times: {found:?}", found.len()));
        }
    }
    for name in DOUBLED {
        if versions.get(name).is_none_or(|found| found.len() < 2) {
            faults.push(format!("crate {name} is no longer doubled: take it off the list"));
        }
    }
}

/// An SPDX expression is allowed when one alternative of its `OR`s has only allowed parts.
fn allowed(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    flat.split(" OR ")
        .any(|alternative| alternative.split(" AND ").all(|part| LICENCES.contains(&part.trim())))
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn expressions_need_one_allowed_alternative() {
        for (expression, expected) in [
            ("MIT OR Apache-2.0", true),
            ("MIT/Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("GPL-3.0", false),
            ("MIT AND GPL-3.0", false),
        ] {
            assert_eq!(allowed(expression), expected, "{expression}");
        }
    }
}
