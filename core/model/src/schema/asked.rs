//! Which fields the reader asks for: a test holds them against the schemas.

use std::cell::RefCell;
use std::collections::BTreeSet;

thread_local! {
    static PATHS: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes the path of a field.
pub(super) fn note(path: String) {
    PATHS.with_borrow_mut(|paths| paths.insert(path));
}

/// All paths that this thread has asked for.
pub(crate) fn take() -> BTreeSet<String> {
    PATHS.take()
}
