//! What `cargo metadata` tells, and the checks of the whole tree: licences, bans, sources, doubled
//! crates, one integration-test binary per crate.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::licence::allowed;
use crate::cargo;

/// Crates that must not come in, each with its reason.
const BANNED: &[(&str, &str)] = &[
    ("openssl", "one TLS provider only"),
    ("native-tls", "one TLS provider only"),
    ("bincode", "an empty tombstone; postcard is the binary codec"),
    ("etcd-client", "needs protoc on every builder"),
    ("sqlx", "plain drivers with SQL by hand"),
];

/// Crates that ours must not name; what others bring in is theirs.
const NOT_OURS: &[(&str, &str)] =
    &[("async-trait", "no procedural macros beyond serde, thiserror and clap")];

/// Crates that are built in two versions: small ones that the drivers of PostgreSQL (base64,
/// const-oid, fallible-iterator) and SQL Server (syn) still take in the older one. This list may
/// only shrink.
const DOUBLED: &[&str] = &["base64", "const-oid", "fallible-iterator", "syn"];

/// The platform whose tree is looked at for doubled crates: the one that is delivered.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Where the one integration-test binary of a crate lies; `e2e` is the one of `app`.
const TEST_ROOTS: &[&str] = &["tests/it/main.rs", "tests/e2e/main.rs"];

/// When a dependency is linked in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Dev,
    Build,
}

pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// One thing that cargo builds from a package.
pub(super) struct Target {
    pub(super) kind: String,
    /// Its root file, relative to the root of the workspace.
    pub(super) file: String,
}

/// One package of the tree.
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) licence: Option<String>,
    /// Absent for a package that lies on this disk.
    pub(super) source: Option<String>,
    /// Folder relative to the root, for a package that lies below it.
    pub(super) folder: Option<String>,
    pub(super) dependencies: Vec<Dependency>,
    pub(super) targets: Vec<Target>,
    /// It is built. The lockfile also names what stands behind options that nobody takes.
    pub(super) built: bool,
}

/// What `cargo metadata` tells.
pub(super) struct Metadata {
    pub(super) packages: Vec<Package>,
    /// Ids of the packages that `cargo run` and `cargo build` mean.
    pub(super) default_members: Vec<String>,
}

impl Metadata {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let args = ["metadata", "--format-version", "1", "--locked"];
        let output = cargo(root, &args).output().context("cannot run cargo metadata")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let mut metadata = Self::parse(root, &serde_json::from_slice(&output.stdout)?)?;
        let built = built(root)?;
        for package in &mut metadata.packages {
            package.built = built.contains(&format!("{} v{}", package.name, package.version));
        }
        Ok(metadata)
    }

    /// Reads the JSON of `cargo metadata`.
    pub(super) fn parse(root: &Path, value: &Value) -> Result<Self> {
        let packages = value["packages"].as_array().context("metadata lists packages")?;
        let members = value["workspace_default_members"].as_array();
        let members = members.into_iter().flatten().filter_map(Value::as_str);
        Ok(Self {
            packages: packages.iter().map(|package| read_package(root, package)).collect(),
            default_members: members.map(str::to_owned).collect(),
        })
    }

    /// Packages that lie on this disk: those of this workspace.
    pub(super) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.source.is_none())
    }
}

/// Name and version of every package that a build on [`PLATFORM`] takes.
fn built(root: &Path) -> Result<BTreeSet<String>> {
    let args = ["tree", "--workspace", "--locked", "--prefix", "none", "--target", PLATFORM];
    let output = cargo(root, &args).output().context("cannot run cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let lines = String::from_utf8(output.stdout).context("cargo tree prints text")?;
    let named = |line: &str| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    Ok(lines.lines().filter_map(named).collect())
}

fn read_package(root: &Path, package: &Value) -> Package {
    let text = |key: &str| package[key].as_str().map(str::to_owned);
    let folder = text("manifest_path")
        .and_then(|path| below(root, &path))
        .and_then(|path| Path::new(&path).parent().map(|folder| folder.display().to_string()));
    Package {
        name: text("name").unwrap_or_default(),
        version: text("version").unwrap_or_default(),
        licence: text("license"),
        source: text("source"),
        folder,
        dependencies: list(package, "dependencies").iter().map(read_dependency).collect(),
        targets: list(package, "targets")
            .iter()
            .map(|target| Target {
                kind: target["kind"][0].as_str().unwrap_or_default().to_owned(),
                file: target["src_path"].as_str().and_then(|p| below(root, p)).unwrap_or_default(),
            })
            .collect(),
        built: true,
    }
}

fn read_dependency(dependency: &Value) -> Dependency {
    let kind = match dependency["kind"].as_str() {
        Some("dev") => Kind::Dev,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    };
    Dependency { name: dependency["name"].as_str().unwrap_or_default().to_owned(), kind }
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A path relative to the root; none if it lies elsewhere.
fn below(root: &Path, path: &str) -> Option<String> {
    Path::new(path).strip_prefix(root).ok().map(|relative| relative.display().to_string())
}

pub(super) fn check(metadata: &Metadata, faults: &mut Vec<String>) {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &metadata.packages {
        let Package { name, version, .. } = package;
        if package.built {
            versions.entry(name).or_default().push(version);
        }
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
    for package in metadata.ours() {
        for Dependency { name, .. } in &package.dependencies {
            if let Some((_, reason)) = NOT_OURS.iter().find(|(other, _)| other == name) {
                faults.push(format!("{} may not name {name}: {reason}", package.name));
            }
        }
    }
    if versions.contains_key("ring") {
        faults.push("ring is built: the one TLS provider is aws-lc-rs".into());
    }
    check_doubled(&versions, faults);
    check_test_binaries(metadata, faults);
}

/// `cargo run -- standalone --demo`, as the demo has it, must find its executable.
pub(super) fn check_default_members(members: &[String], faults: &mut Vec<String>) {
    if !matches!(members, [only] if only.contains("/app#")) {
        faults.push(format!("default-members must be the executable alone, not {members:?}"));
    }
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

/// One integration-test binary per crate, at its place.
fn check_test_binaries(metadata: &Metadata, faults: &mut Vec<String>) {
    for package in metadata.ours() {
        let (name, folder) = (&package.name, package.folder.as_deref().unwrap_or_default());
        let tests: Vec<&Target> = package.targets.iter().filter(|t| t.kind == "test").collect();
        if tests.len() > 1 {
            faults.push(format!("{name} has {} test binaries, 1 at most", tests.len()));
        }
        for Target { file, .. } in tests {
            if !TEST_ROOTS.iter().any(|place| *file == format!("{folder}/{place}")) {
                faults.push(format!("{file}: a test binary of its own; use tests/it (app: e2e)"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(packages: &Value) -> Vec<String> {
        let metadata = Metadata::parse(Path::new("/w"), &json!({ "packages": packages })).unwrap();
        let mut faults = Vec::new();
        check(&metadata, &mut faults);
        // The list of doubled crates is about the real tree.
        faults.retain(|fault| !fault.contains("no longer doubled"));
        faults
    }

    fn foreign(name: &str, version: &str) -> Value {
        let source = "registry+https://example.org/index";
        json!({ "name": name, "version": version, "license": "MIT", "source": source })
    }

    fn with_tests(files: &[&str]) -> Value {
        let targets: Vec<Value> = files
            .iter()
            .map(|file| json!({ "kind": ["test"], "src_path": format!("/w/io/net/{file}") }))
            .collect();
        json!([{ "name": "ringmaster-net", "version": "1.0.0", "license": "Apache-2.0",
            "manifest_path": "/w/io/net/Cargo.toml", "targets": targets }])
    }

    #[test]
    fn one_tls_provider() {
        let (ring, aws) = (foreign("ring", "1.0.0"), foreign("aws-lc-rs", "1.0.0"));
        assert_eq!(found(&json!([aws])), [""; 0]);
        assert_eq!(found(&json!([ring])).len(), 1);
        assert_eq!(found(&json!([foreign("openssl", "1.0.0")])).len(), 1);
    }

    #[test]
    fn a_crate_that_others_bring_may_not_be_named_by_ours() {
        let mut ours = with_tests(&[])[0].clone();
        assert_eq!(found(&json!([ours, foreign("async-trait", "1.0.0")])), [""; 0]);
        ours["dependencies"] = json!([{ "name": "async-trait", "kind": null }]);
        assert_eq!(found(&json!([ours])).len(), 1);
    }

    #[test]
    fn one_version_from_the_registry() {
        assert_eq!(found(&json!([foreign("a", "1.0.0"), foreign("a", "2.0.0")])).len(), 1);
        let mut from_git = foreign("a", "1.0.0");
        from_git["source"] = json!("git+https://example.org/a");
        assert_eq!(found(&json!([from_git])).len(), 1);
        let mut bare = foreign("a", "1.0.0");
        bare["license"] = Value::Null;
        assert_eq!(found(&json!([bare])).len(), 1);
    }

    #[test]
    fn one_test_binary_at_its_place() {
        assert_eq!(found(&with_tests(&[])), [""; 0]);
        assert_eq!(found(&with_tests(&["tests/it/main.rs"])), [""; 0]);
        assert_eq!(found(&with_tests(&["tests/other.rs"])).len(), 1);
        assert_eq!(found(&with_tests(&["tests/it/main.rs", "tests/e2e/main.rs"])).len(), 1);
    }

    #[test]
    fn cargo_run_means_the_executable() {
        let faults = |members: &[&str]| {
            let mut faults = Vec::new();
            let members: Vec<String> = members.iter().map(|member| (*member).to_owned()).collect();
            check_default_members(&members, &mut faults);
            faults.len()
        };
        assert_eq!(faults(&["path+file:///r/app#ringmaster@0.1.0"]), 0);
        assert_eq!(faults(&["path+file:///r/app#ringmaster@0.1.0", "path+file:///r/xtask#0"]), 1);
        assert_eq!(faults(&[]), 1);
    }
}
