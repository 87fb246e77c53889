//! Rooms: which folder may depend on which, and what the pure rooms may name at all.

use super::metadata::{Metadata, Package};

/// Rooms from left to right; a room depends only on rooms to its left (or on itself).
const ROOMS: &[&str] = &["proto", "core", "io", "server", "app"];

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
    "serde",
    "serde_json",
    "sha2",
    "slab",
    "smallvec",
    "thiserror",
];

/// `io/` sees of `core/` only this, and of `proto/` nothing but what is listed.
const IO_MAY_SEE: &[&str] = &["ringmaster-model"];

/// Fixed edges inside a room: who may see whom.
const INSIDE: &[(&str, &[&str])] =
    &[("ringmaster-rm", &["ringmaster-model"]), ("ringmaster-rs", &["ringmaster-model"])];

pub(super) fn check(metadata: &Metadata, faults: &mut Vec<String>) {
    for package in metadata.ours() {
        let Some(room) = room(package) else { continue };
        for dependency in &package.dependencies {
            match metadata.ours().find(|other| other.name == *dependency) {
                Some(other) => check_ours(package, room, other, faults),
                None if room <= 1 && !PURE.contains(&dependency.as_str()) => {
                    faults.push(format!(
                        "{} is pure and may not depend on {dependency}",
                        package.name
                    ));
                }
                None => {}
            }
        }
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
    } else if ROOMS.get(room) == Some(&"io") && !IO_MAY_SEE.contains(&seen.as_str()) {
        faults.push(format!("{name} is in io/ and may not see {seen}"));
    }
}

/// Index of the room that a package lies in; `xtask` lies in none.
fn room(package: &Package) -> Option<usize> {
    let folder = package.folder.as_deref()?;
    let first = folder.split('/').next()?;
    ROOMS.iter().position(|room| *room == first)
}
