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
