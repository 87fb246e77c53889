//! What lies on disk is its owner's alone: it holds hashes of tokens, and who did what.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::house::House;

#[test]
fn files_of_a_server_are_closed_to_others_also_those_of_an_earlier_one() {
    let mut house = House::open();
    house.applied("kind: Tenant\nname: acme\n");
    let dir = house.dir.path().join("config");
    let files = ["config.db", "config.db-wal", "config.db-shm", "admin.token"];
    let closed = || {
        assert_eq!(mode(&dir), 0o700);
        for file in files {
            assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
        }
    };
    closed();
    house.stop();
    for (path, open) in [(dir.clone(), 0o755), (dir.join("config.db"), 0o644)] {
        fs::set_permissions(path, Permissions::from_mode(open)).unwrap();
    }
    house.start();
    house.applied("kind: Tenant\nname: beta\n");
    closed();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
