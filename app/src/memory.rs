//! How the process of a Resource Manager treats its memory: what it had once it keeps, in small
//! pages, so that no turn of the engine waits for more than the few that it needs (ADR 34).

#![expect(unsafe_code, reason = "options of the allocator are set by a function of C")]

use std::ffi::{c_int, c_long};

/// `mi_option_purge_delay`: milliseconds until memory that nobody uses is given back.
const PURGE_DELAY: c_int = 15;
const NEVER: c_long = -1;

unsafe extern "C" {
    /// Of mimalloc, which is linked in as the allocator.
    safe fn mi_option_set(option: c_int, value: c_long);
}

/// Memory is never given back to the system, and comes from it in pages of 4 KiB.
pub(crate) fn keep() {
    mi_option_set(PURGE_DELAY, NEVER);
    // A kernel that has no such pages is as good.
    let _known = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" {
        safe fn mi_option_get(option: c_int) -> c_long;
    }

    /// The allocator reads its variables when it begins: the second process has one.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "it asks what the allocator was told")]
    fn the_number_is_that_of_the_option() {
        const VARIABLE: &str = "MIMALLOC_PURGE_DELAY";
        if std::env::var(VARIABLE).as_deref() == Ok("4321") {
            assert_eq!(mi_option_get(PURGE_DELAY), 4321);
            keep();
            assert_eq!(mi_option_get(PURGE_DELAY), NEVER);
            return;
        }
        let mut other = std::process::Command::new(std::env::current_exe().unwrap());
        other
            .env(VARIABLE, "4321")
            .args(["--exact", "memory::tests::the_number_is_that_of_the_option"]);
        let output = other.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
}
