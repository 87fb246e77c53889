//! The Config Server daemon: one ordered history of small transactions over the platform objects.
//!
//! Must not know what a call is: it keeps objects, says what is wrong with them, and tells whoever
//! wants to know what has changed (ops.md §1).
