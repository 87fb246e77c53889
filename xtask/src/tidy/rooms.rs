//! Rooms: which folder may depend on which, and what the pure rooms may name at all.

use super::metadata::{Dependency, Kind, Metadata, Package};

/// Rooms from left to right; a room depends only on rooms to its left (or on itself).
const ROOMS: &[&str] = &["proto", "core", "io", "server", "app", "sim", "fuzz"];

/// What `proto/` and `core/` may depend on (ARCHITECTURE.md).
const PURE: &[&str] = &[
    "blake3",
    "bytes",
    "foldhash",
    "hashbrown",
    "hkdf",
    "hmac",
    "md-5",
    "memchr",
    "postcard",
    "regex",
    "regex-syntax",
    "serde",
    "serde_json",
    "sha2",
    "slab",
    "smallvec",
    "thiserror",
];

/// `io/` sees of `core/` only this, and of `proto/` nothing but what is listed.
const IO_MAY_SEE: &[&str] = &["ringmaster-model"];

/// Who in `io/` sees what of `proto/`: the resolver carries out the decision function of RFC 3263,
/// and a setting names brokers as clients of OpenWire do.
const IO_EDGES: &[(&str, &str)] =
    &[("ringmaster-net", "ringmaster-sip"), ("ringmaster-config", "ringmaster-openwire")];

/// `sim/` sees of `io/` only this, and nothing of `server/` and `app/`.
const SIM_MAY_SEE: &[&str] = &["ringmaster-spool"];

/// Fixed edges inside a room: who may see whom. The client of the Config Server connects as all do,
/// and the log is told of certificates that the settings name.
const INSIDE: &[(&str, &[&str])] = &[
    ("ringmaster-rm", &["ringmaster-model"]),
    ("ringmaster-rs", &["ringmaster-model"]),
    ("ringmaster-config", &["ringmaster-net", "ringmaster-telemetry"]),
];

/// The only package that lies in no room.
const OUTSIDE: &str = "xtask";

pub(super) fn check(metadata: &Metadata, faults: &mut Vec<String>) {
    for package in metadata.ours() {
        let Some(room) = room(package) else {
            if package.folder.as_deref() != Some(OUTSIDE) {
                let Package { name, folder, .. } = package;
                faults.push(format!("{name} lies in no room: folder {folder:?}"));
            }
            continue;
        };
        for dependency in &package.dependencies {
            let other = metadata.ours().find(|other| other.name == dependency.name);
            check_dependency(package, room, dependency, other, faults);
        }
    }
}

/// `other` is the package of ours that the dependency names, if it is one.
fn check_dependency(
    package: &Package,
    room: usize,
    dependency: &Dependency,
    other: Option<&Package>,
    faults: &mut Vec<String>,
) {
    let (name, seen) = (&package.name, &dependency.name);
    let pure = ["proto", "core"].contains(&ROOMS[room]);
    match (dependency.kind, other) {
        (Kind::Build, _) if pure => {
            faults.push(format!("{name} is pure and may not build with {seen}"));
        }
        (Kind::Dev, Some(other)) => {
            if self::room(other).is_none_or(|their| their > room) {
                faults.push(format!("{name} may not test with {seen}: its room is further right"));
            }
        }
        (Kind::Normal | Kind::Build, Some(other)) => check_ours(package, room, other, faults),
        (Kind::Normal, None) if pure && !PURE.contains(&seen.as_str()) => {
            faults.push(format!("{name} is pure and may not depend on {seen}"));
        }
        (_, None) => {}
    }
}

fn check_ours(package: &Package, room: usize, other: &Package, faults: &mut Vec<String>) {
    let (name, seen) = (&package.name, &other.name);
    let Some(their) = self::room(other) else {
        faults.push(format!("{name} may not depend on {seen}, which is in no room"));
        return;
    };
    if their > room {
        faults.push(format!("{name} may not depend on {seen}: its room is further right"));
    } else if their == room {
        let inside = INSIDE.iter().find(|(from, _)| from == name);
        if !inside.is_some_and(|(_, to)| to.contains(&seen.as_str())) {
            faults.push(format!("{name} may not depend on {seen} of the same room"));
        }
    } else if ROOMS.get(room) == Some(&"sim")
        && !["proto", "core"].contains(&ROOMS[their])
        && !SIM_MAY_SEE.contains(&seen.as_str())
    {
        faults.push(format!("{name} is in sim/ and may not see {seen}"));
    } else if ROOMS.get(room) == Some(&"io")
        && !IO_MAY_SEE.contains(&seen.as_str())
        && !IO_EDGES.contains(&(name, seen))
    {
        faults.push(format!("{name} is in io/ and may not see {seen}"));
    }
}

/// Index of the room that a package lies in.
fn room(package: &Package) -> Option<usize> {
    let folder = package.folder.as_deref()?;
    let first = folder.split('/').next()?;
    ROOMS.iter().position(|room| *room == first)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;

    fn ours(name: &str, folder: &str) -> Value {
        json!({ "name": name, "manifest_path": format!("/w/{folder}/Cargo.toml") })
    }

    /// Faults of a package in `folder` with one dependency; the others of ours stand by.
    fn found(folder: &str, dependency: &str, kind: &Value) -> Vec<String> {
        let mut subject = ours("subject", folder);
        subject["dependencies"] = json!([{ "name": dependency, "kind": kind }]);
        let packages = json!([
            subject,
            ours("ringmaster-sip", "proto/sip"),
            ours("ringmaster-model", "core/model"),
            ours("ringmaster-rm", "core/rm"),
            ours("ringmaster-net", "io/net"),
            ours("ringmaster-spool", "io/spool"),
            ours("ringmaster-sim", "sim"),
            ours("ringmaster-rmd", "server/rmd"),
            ours("xtask", "xtask"),
        ]);
        let metadata = Metadata::parse(Path::new("/w"), &json!({ "packages": packages })).unwrap();
        let mut faults = Vec::new();
        check(&metadata, &mut faults);
        faults
    }

    #[test]
    fn a_room_sees_only_what_lies_to_its_left() {
        for (folder, dependency, good) in [
            ("core/x", "ringmaster-sip", true),
            ("core/x", "serde", true),
            ("core/x", "tokio", false),
            ("proto/x", "ringmaster-model", false),
            ("core/x", "ringmaster-model", false),
            ("io/x", "ringmaster-model", true),
            ("io/x", "ringmaster-sip", false),
            ("io/x", "tokio", true),
            ("server/x", "ringmaster-net", true),
            ("app", "ringmaster-rmd", true),
            ("app", "xtask", false),
            ("sim", "ringmaster-sip", true),
            ("sim", "ringmaster-rm", true),
            ("sim", "ringmaster-spool", true),
            ("sim", "ringmaster-net", false),
            ("sim", "ringmaster-rmd", false),
            ("server/x", "ringmaster-sim", false),
        ] {
            let faults = found(folder, dependency, &Value::Null);
            assert_eq!(faults.is_empty(), good, "{folder} {dependency}: {faults:?}");
        }
    }

    #[test]
    fn tests_and_build_scripts_see_no_further() {
        for (folder, dependency, kind, good) in [
            ("core/x", "ringmaster-net", "dev", false),
            ("proto/x", "ringmaster-model", "dev", false),
            ("proto/x", "xtask", "dev", false),
            ("core/x", "ringmaster-sip", "dev", true),
            ("core/x", "proptest", "dev", true),
            ("io/x", "ringmaster-rmd", "dev", false),
            ("core/x", "serde", "build", false),
            ("core/x", "ringmaster-net", "build", false),
            ("io/x", "ringmaster-rmd", "build", false),
            ("io/x", "cc", "build", true),
        ] {
            let faults = found(folder, dependency, &json!(kind));
            assert_eq!(faults.is_empty(), good, "{folder} {dependency} {kind}: {faults:?}");
        }
    }

    #[test]
    fn only_xtask_lies_outside() {
        for (folder, good) in
            [("xtask", true), ("app", true), ("tools/x", false), ("", false), ("xtask/x", false)]
        {
            assert_eq!(found(folder, "serde", &Value::Null).is_empty(), good, "{folder}");
        }
        let elsewhere =
            json!({ "packages": [{ "name": "a", "manifest_path": "/v/a/Cargo.toml" }] });
        let mut faults = Vec::new();
        check(&Metadata::parse(Path::new("/w"), &elsewhere).unwrap(), &mut faults);
        assert_eq!(faults.len(), 1);
    }
}
